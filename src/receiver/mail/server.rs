//! A server that takes mail from us: what it is, and the way to it.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::smtp::{Talk, coded_login};
use super::stream::{Stream, Timed};
use super::{host_name, wrong};
use crate::config;
use crate::credentials::Secret;
use crate::neutral;
use crate::receiver::definition::Hide;
use crate::receiver::http::why_unknown;
use crate::receiver::transport::{Before, MAX_ADDRESSES};
use crate::receiver::{Outcome, build};
use crate::storage::{self, plain};

const ROOTS_LIMIT: u64 = 4 << 20;

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tls {
    /// From the first byte, port 465.
    Implicit,
    /// From STARTTLS on, which must be there, port 587.
    Starttls,
    /// Not at all: a server on this machine.
    None,
}

/// A server that takes mail from us.
#[derive(Debug)]
pub(super) struct Server {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    pub roots: Arc<RootCertStore>,
    /// The account, and its password.
    pub login: Option<(Secret, Secret)>,
    /// What no line may show.
    pub hide: Hide,
    /// What this machine calls itself, where that is a whole name.
    pub hello: Option<String>,
    /// For all of it but the reply to the dot.
    pub timeout: Duration,
    /// For that reply, on top.
    pub patience: Duration,
}

/// A message in the form of the wire, and whom it is from and for.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub from: &'a str,
    pub to: &'a [String],
    pub letter: &'a [u8],
}

impl Server {
    /// Of what the administrator says.
    pub fn of(
        receiver: &config::Receiver,
        host: &str,
        port: Option<u16>,
        tls: &str,
        login: Option<(Secret, Secret)>,
        (timeout, patience): (Duration, Duration),
    ) -> Result<Self, build::Error> {
        if receiver.proxy.is_some() {
            return Err(wrong("proxy: mail cannot go through one"));
        }
        if let Some((name, port)) = with_port(host) {
            return Err(wrong(&format!("server must be a name alone: \"{name}\", with port = {port}")));
        }
        let (tls, usual) = match tls {
            "none" => (Tls::None, 25),
            "implicit" => (Tls::Implicit, 465),
            _ => (Tls::Starttls, 587),
        };
        if tls == Tls::None && !is_this_machine(host) && (login.is_some() || !receiver.plain_http) {
            let way_out = match login {
                Some(_) => "and the password: use \"starttls\" or \"implicit\"",
                None => "use another, or set plain_http = true for a server in a network of your own",
            };
            return Err(wrong(&format!(
                "tls = \"none\" is for a server on this machine (localhost); another would get the alerts in the clear, {way_out}"
            )));
        }
        let port = port.unwrap_or(usual);
        if port == 0 {
            return Err(wrong("port must be from 1 to 65535"));
        }
        let roots = Arc::new(roots(receiver.ca_file.as_deref())?);
        let mut hide = Hide::new(&login.iter().map(|(_, password)| password.clone()).collect::<Vec<_>>());
        if let Some((user, password)) = &login {
            hide.add(&BASE64_STANDARD.encode(password.expose()));
            hide.add(&coded_login(user, password));
        }
        let hello = Some(host_name()).filter(|name| name.contains('.'));
        Ok(Self { host: host.into(), port, tls, roots, login, hide, hello, timeout, patience })
    }

    /// Bring it to the server. The second is whom an accepted message did not reach.
    pub fn deliver(&self, envelope: &Envelope<'_>, before: Before) -> (Outcome, Option<String>) {
        let deadline = Instant::now() + self.timeout;
        let mut talk = match self.connect(deadline) {
            Ok(talk) => talk,
            Err(outcome) => return (outcome, None),
        };
        let entered = talk.enter();
        let ready = entered.and_then(|()| before().map_err(|e| Outcome::NotSent { why: plain(e) }));
        let outcome = ready.and_then(|()| talk.hand_over(envelope)).unwrap_or_else(|outcome| outcome);
        talk.leave();
        let missed = talk.missed().map(|missed| self.line(&missed));
        (outcome, missed)
    }

    fn connect(&self, deadline: Instant) -> Result<Talk<'_>, Outcome> {
        let shown = neutral::name(&self.host);
        let not_sent = |why: String| Outcome::NotSent { why };
        let addresses = self.addresses().map_err(|e| {
            let why = why_unknown(&e);
            not_sent(format!("cannot resolve {shown}: {why}; check /etc/resolv.conf and the network"))
        })?;
        let connection = Timed::connect(&addresses, deadline).map_err(|e| {
            not_sent(match e.kind() {
                io::ErrorKind::ConnectionRefused => format!(
                    "nothing answers at {shown}:{}; is the server running? check server and port",
                    self.port
                ),
                _ => format!("no connection to {shown}:{} ({}); check server and port", self.port, plain(&e)),
            })
        })?;
        Ok(Talk::new(self, Stream::plain(connection)))
    }

    /// A line for the administrator: the server's name first.
    pub fn line(&self, why: &str) -> String {
        format!("{}: {why}", neutral::name(&self.host))
    }

    fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let host = self.host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(&self.host);
        let found: Vec<_> = (host, self.port).to_socket_addrs()?.take(MAX_ADDRESSES).collect();
        if found.is_empty() { Err(io::Error::other("it has no address")) } else { Ok(found) }
    }
}

/// The two parts of a name with a port behind it; an IPv6 address is none.
fn with_port(host: &str) -> Option<(&str, &str)> {
    let (name, port) = host.rsplit_once(':')?;
    let is_name = !name.contains(':') || name.ends_with(']');
    (is_name && port.bytes().all(|b| b.is_ascii_digit())).then_some((name, port))
}

fn is_this_machine(host: &str) -> bool {
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Mozilla's roots, or those of `ca_file`; never the environment's.
fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, build::Error> {
    let Some(path) = ca_file else {
        return Ok(RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()));
    };
    let bad = |why: String| wrong(&format!("ca_file: {}: {why}", path.display()));
    let pem = storage::read_trusted(path, ROOTS_LIMIT).map_err(|e| bad(plain(e)))?;
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| bad("it is not PEM text".into()))?;
        store.add(certificate).map_err(|e| bad(format!("a certificate in it cannot be used: {e}")))?;
    }
    if store.is_empty() {
        return Err(bad("it holds no certificate (-----BEGIN CERTIFICATE-----)".into()));
    }
    Ok(store)
}
