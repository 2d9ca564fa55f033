//! What surrounds a connection: a deadline for everything, and the knowledge whether
//! anything of the request has left this machine.
//!
//! The deadline is kept at the socket itself, below TLS and a proxy's handshake, because a peer
//! that sends one byte at a time renews any timeout that is counted from the last byte. Whether the request
//! started decides between "not sent" and "may exist", so it is observed and not deduced from an error; and
//! who must note that before it starts is called at that moment ([`Start`]).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, NextTimeout, RustlsConnector,
    TcpConnector, Transport,
};
use ureq::{Error, Timeout};

/// What is done before the first byte of a request; where it fails none is sent.
pub type Before = Box<dyn FnOnce() -> io::Result<()> + Send>;

/// Whether the request has started.
pub(super) struct Start {
    begun: AtomicBool,
    before: Mutex<Option<Before>>,
}

impl Start {
    pub fn after(before: Option<Before>) -> Arc<Self> {
        Arc::new(Self { begun: AtomicBool::new(false), before: Mutex::new(before) })
    }

    /// Whether any byte of it was handed to the connection.
    pub fn has_begun(&self) -> bool {
        self.begun.load(Ordering::SeqCst)
    }

    fn begin(&self) -> Result<(), Error> {
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner).take();
        before.map_or(Ok(()), |before| before()).map_err(Error::Io)?;
        self.begun.store(true, Ordering::SeqCst);
        Ok(())
    }
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Start").field(&self.begun).finish()
    }
}

/// As many addresses as are tried; each halves what is left of the time to connect.
pub(super) const MAX_ADDRESSES: usize = 8;

/// The addresses to connect to, known before the call: no name is looked up inside it, no thread starts.
#[derive(Debug)]
pub(super) struct Addresses(pub Vec<SocketAddr>);

impl Resolver for Addresses {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut found = self.empty();
        for address in self.0.iter().take(MAX_ADDRESSES) {
            found.push(*address);
        }
        if found.is_empty() { Err(Error::HostNotFound) } else { Ok(found) }
    }
}

/// The way to `target`: through the proxy if there is one, then TCP, then TLS if the scheme says so.
pub(super) fn connector(target: Uri, deadline: Instant, start: Arc<Start>) -> impl Connector {
    ().chain(ConnectProxyConnector::default())
        .chain(TcpConnector::default())
        .chain(Deadline(deadline))
        .chain(RustlsConnector::default())
        .chain(Watch { target, start })
}

#[derive(Clone, Copy, Debug)]
struct Deadline(Instant);

impl Deadline {
    fn limit(self, mut timeout: NextTimeout) -> Result<NextTimeout, Error> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::Timeout(Timeout::Global));
        }
        if timeout.after.is_not_happening() || *timeout.after > left {
            timeout.after = left.into();
            timeout.reason = Timeout::Global;
        }
        Ok(timeout)
    }
}

impl<In: Transport> Connector<In> for Deadline {
    type Out = Ending<In>;

    fn connect(&self, _: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|inner| Ending { inner, deadline: *self }))
    }
}

/// A connection that ends at the deadline.
struct Ending<T> {
    inner: T,
    deadline: Deadline,
}

impl<T: Transport> Transport for Ending<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.inner.transmit_output(amount, self.deadline.limit(timeout)?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.inner.await_input(self.deadline.limit(timeout)?)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Notes when the first byte is handed to the connection to `target`; that to a proxy is left alone.
#[derive(Debug)]
struct Watch {
    target: Uri,
    start: Arc<Start>,
}

impl<In: Transport> Connector<In> for Watch {
    type Out = Either<In, Watched<In>>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let ours = details.uri.authority() == self.target.authority();
        Ok(chained.map(|inner| {
            if ours { Either::B(Watched { inner, start: self.start.clone() }) } else { Either::A(inner) }
        }))
    }
}

struct Watched<T> {
    inner: T,
    start: Arc<Start>,
}

impl<T: Transport> Transport for Watched<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.start.begin()?;
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

impl<T: Transport> fmt::Debug for Ending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ending").field(&self.inner).finish()
    }
}

impl<T: Transport> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watched").field(&self.inner).finish()
    }
}
