//! The connection to a mail server: a deadline for everything, TLS where it is wanted, and lines that are bounded.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use zeroize::Zeroize;

/// Longest line of a reply; RFC 5321 knows 512 bytes.
const LINE_LIMIT: usize = 2048;

/// A connection that ends at its deadline, however slowly the other side sends.
pub(super) struct Timed {
    socket: TcpStream,
    deadline: Instant,
}

impl Timed {
    /// To the first of `addresses` that takes it; each gets half of what is left of the time.
    pub fn connect(addresses: &[SocketAddr], deadline: Instant) -> io::Result<Self> {
        let mut why = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in addresses {
            let left = left(deadline)? / 2;
            match TcpStream::connect_timeout(address, left) {
                Ok(socket) => {
                    socket.set_nodelay(true)?;
                    return Ok(Self { socket, deadline });
                }
                Err(e) => why = e,
            }
        }
        Err(why)
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// The kernel says "would block" where a socket's time is over.
fn in_time<T>(result: io::Result<T>) -> io::Result<T> {
    result.map_err(|e| if e.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { e })
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(left(self.deadline)?))?;
        in_time(self.socket.read(buffer))
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(left(self.deadline)?))?;
        in_time(self.socket.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// The connection, in the clear or not, and what was read of the next line.
pub(super) struct Stream {
    inner: Inner,
    buffered: Vec<u8>,
}

enum Inner {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
    /// Between the two.
    Gone,
}

impl Stream {
    /// In the clear.
    pub fn plain(connection: Timed) -> Self {
        Self { inner: Inner::Plain(connection), buffered: Vec::new() }
    }

    /// From here on inside TLS with the server called `name`. What was already read in the clear is an attack.
    pub fn begin_tls(&mut self, name: &str, roots: Arc<RootCertStore>) -> io::Result<()> {
        let Inner::Plain(connection) = std::mem::replace(&mut self.inner, Inner::Gone) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        if !self.buffered.is_empty() {
            return Err(io::Error::other("it said something between STARTTLS and TLS"));
        }
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let session = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        let mut stream = Box::new(StreamOwned::new(session, connection));
        // Now, so that what is wrong with the certificate is known before anything is said.
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        self.inner = Inner::Tls(stream);
        Ok(())
    }

    /// This machine's address in it.
    pub fn address(&mut self) -> io::Result<IpAddr> {
        Ok(self.timed()?.socket.local_addr()?.ip().to_canonical())
    }

    /// Its end is no earlier than this.
    pub fn wait_until(&mut self, deadline: Instant) {
        if let Ok(timed) = self.timed() {
            timed.deadline = timed.deadline.max(deadline);
        }
    }

    /// Its end is so soon.
    pub fn limit(&mut self, rest: Duration) {
        if let Ok(timed) = self.timed() {
            timed.deadline = Instant::now() + rest;
        }
    }

    /// Nothing more will be said.
    pub fn end(&mut self) {
        if let Inner::Tls(stream) = &mut self.inner {
            stream.conn.send_close_notify();
            let _ = stream.conn.complete_io(&mut stream.sock);
        }
    }

    fn timed(&mut self) -> io::Result<&mut Timed> {
        match &mut self.inner {
            Inner::Plain(timed) => Ok(timed),
            Inner::Tls(stream) => Ok(&mut stream.sock),
            Inner::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Whether what is said here is seen by nobody else.
    pub fn is_tls(&self) -> bool {
        matches!(self.inner, Inner::Tls(_))
    }

    /// One line without its end. An error where it is longer than any reply.
    pub fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = self.buffered.iter().position(|b| *b == b'\n') {
                let mut line: Vec<u8> = self.buffered.drain(..=end).collect();
                line.truncate(line.trim_ascii_end().len());
                return Ok(line);
            }
            if self.buffered.len() > LINE_LIMIT {
                return Err(io::Error::other("it sends a line without an end"));
            }
            let mut piece = [0; 512];
            match self.inner.read(&mut piece)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.buffered.extend_from_slice(&piece[..read]),
            }
        }
    }

    /// All of `bytes`.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.inner.write_all(bytes)?;
        self.inner.flush()
    }
}

impl Read for Inner {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Write for Inner {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
            Self::Gone => Ok(()),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.buffered.zeroize();
    }
}
