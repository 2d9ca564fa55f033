//! One bounded HTTPS call: nothing from the environment, no thread, no redirect, no surprise.
//!
//! The answer is hostile until shown otherwise. Whatever it is, and however slowly it comes, the call ends
//! within the configured timeout. The one exception is the look-up of a name, which the C library does
//! in the calling thread and which cannot be cut short; a caller inside a login gives addresses that
//! an earlier pass resolved, and then nothing is looked up.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::http::{HeaderMap, Uri};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Proxy, Timeout};

use super::body;
use super::roots::roots;
use super::transport::{self, Addresses, Before, MAX_ADDRESSES, Start};
use crate::config;
use crate::neutral;

const HEADER_LIMIT: usize = 16 << 10;
/// Longest foreign text in an explanation, in characters.
pub(super) const WORDS_LIMIT: usize = 160;

/// Why there is no client. `Display` says what to mend.
#[derive(Debug)]
pub enum Error {
    /// `x.ca_file` cannot be used.
    CaFile(PathBuf, String),
    /// `x.proxy` is not a proxy.
    Proxy,
    /// `x.api_url` is not a URL.
    Url,
    /// The name of the server or the proxy has no address.
    Resolve(String),
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CaFile(path, why) => write!(f, "x.ca_file: {}: {why}", path.display()),
            Self::Proxy => f.write_str("x.proxy: must be http://HOST:PORT"),
            Self::Url => f.write_str("x.api_url: must be https://HOST or https://HOST:PORT, without a path"),
            Self::Resolve(why) => f.write_str(why),
        }
    }
}

/// How to reach one server.
#[derive(Debug)]
pub struct Client {
    server: Uri,
    base: String,
    proxy: Option<Proxy>,
    roots: RootCerts,
    timeout: Duration,
    preset: Vec<SocketAddr>,
    used: Mutex<Vec<SocketAddr>>,
}

/// One request.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// What to do.
    pub method: Method,
    /// Appended to `x.api_url`; without a query, which would have to be signed.
    pub path: &'a str,
    /// The value of the `Authorization` header.
    pub authorization: &'a str,
    /// A JSON body; a POST without one has an empty body.
    pub json: Option<&'a [u8]>,
}

/// The two methods that are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
}

impl Method {
    /// As it stands in the request line and in a signature.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Header fields, at most 16 KiB of them.
    pub headers: HeaderMap,
    /// The body's first [`body::LIMIT`] bytes.
    pub body: Vec<u8>,
    /// False if the body broke off, was late, was longer than [`body::LIMIT`] or cannot be decoded.
    pub complete: bool,
}

/// Nothing came back.
#[derive(Debug)]
pub struct Failure {
    /// Whether any byte of the request was handed to the connection.
    pub sent: bool,
    /// What happened and what to do, one neutral line.
    pub why: String,
}

impl Client {
    /// Prepare; reads `ca_file`, connects to nothing.
    ///
    /// With `preset`, these addresses are used (with the port of the URL) and no name is looked up. They are those of the
    /// proxy where there is one, else of the server: what [`Client::addresses`] returned earlier.
    pub fn new(config: &config::X, preset: Vec<SocketAddr>) -> Result<Self, Error> {
        let base = normalized(&config.api_url).ok_or(Error::Url)?;
        let server: Uri = base.parse().map_err(|_| Error::Url)?;
        let proxy = match &config.proxy {
            Some(proxy) => Some(Proxy::new(proxy).map_err(|_| Error::Proxy)?),
            None => None,
        };
        let mut client = Self {
            server,
            base,
            proxy,
            roots: roots(config)?,
            timeout: config.timeout,
            preset: Vec::new(),
            used: Mutex::default(),
        };
        let (_, port) = client.peer().ok_or(Error::Url)?;
        client.preset = preset.into_iter().map(|a| SocketAddr::new(a.ip(), port)).collect();
        Ok(client)
    }

    /// The URL that [`Client::call`] calls for `path`; exactly what must be signed.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The addresses of the last call, to be kept for callers who must not look names up.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Look up the server (or the proxy) without calling it.
    pub fn resolve(&self) -> Result<Vec<SocketAddr>, Error> {
        let (host, port) = self.peer().ok_or(Error::Url)?;
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let unknown = |why: String| {
            Error::Resolve(format!(
                "cannot resolve {}: {why}; check /etc/resolv.conf and the network",
                neutral::name(host)
            ))
        };
        let found = (host, port).to_socket_addrs().map_err(|e| unknown(words(&e.to_string())))?;
        let found: Vec<_> = found.take(MAX_ADDRESSES).collect();
        if found.is_empty() { Err(unknown("it has no address".into())) } else { Ok(found) }
    }

    /// Send `request` and read the answer, within the configured timeout. `before` is done when there is a
    /// connection, before the first byte.
    pub fn call(&self, request: &Request<'_>, before: Option<Before>) -> Result<Reply, Failure> {
        let deadline = Instant::now() + self.timeout;
        let not_sent = |why: String| Failure { sent: false, why };
        let addresses = if self.preset.is_empty() {
            self.resolve().map_err(|e| not_sent(e.to_string()))?
        } else {
            self.preset.clone()
        };
        self.used.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&addresses);
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(not_sent(
                "looking up the server's name took all the time; check /etc/resolv.conf".into(),
            ));
        }

        let start = Start::after(before);
        let connector = transport::connector(self.server.clone(), deadline, start.clone());
        let agent = Agent::with_parts(self.settings(left), connector, Addresses(addresses));
        let url = self.url(request.path);
        let result = match (request.method, request.json) {
            (Method::Get, _) => agent.get(url).header("Authorization", request.authorization).call(),
            (Method::Post, None) => {
                agent.post(url).header("Authorization", request.authorization).send_empty()
            }
            (Method::Post, Some(json)) => agent
                .post(url)
                .header("Authorization", request.authorization)
                .content_type("application/json")
                .send(json),
        };
        let response = result.map_err(|e| {
            let sent = start.has_begun();
            Failure { sent, why: self.explain(&e, sent) }
        })?;
        let (parts, mut body) = response.into_parts();
        let (body, complete) = body::read(&mut body.as_reader(), parts.headers.get("content-encoding"));
        Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body, complete })
    }

    /// Host and port that the first connection goes to.
    fn peer(&self) -> Option<(&str, u16)> {
        let (host, port) = match &self.proxy {
            Some(proxy) => (proxy.host(), proxy.port()),
            None => {
                let default = if self.is_https() { 443 } else { 80 };
                (self.server.host()?, self.server.port_u16().unwrap_or(default))
            }
        };
        Some((host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host), port))
    }

    fn is_https(&self) -> bool {
        self.server.scheme_str() == Some("https")
    }

    fn settings(&self, left: Duration) -> ureq::config::Config {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(self.roots.clone())
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        Agent::config_builder()
            // The default is the environment's, which is the attacker's under su and sudo.
            .proxy(self.proxy.clone())
            .tls_config(tls)
            .https_only(self.is_https())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(HEADER_LIMIT)
            .max_idle_connections(0)
            .input_buffer_size(2 * HEADER_LIMIT)
            .output_buffer_size(HEADER_LIMIT)
            .user_agent(concat!("authalert/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            // Without a word about it any coding would be welcome.
            .accept_encoding("identity")
            .timeout_global(Some(left))
            .timeout_connect(Some(left / 2))
            .timeout_send_request(Some(left / 4))
            .timeout_send_body(Some(left / 4))
            .timeout_recv_response(Some(left))
            .timeout_recv_body(Some(left / 4))
            .build()
    }

    fn explain(&self, error: &ureq::Error, sent: bool) -> String {
        let peer = self.peer().map(|(host, port)| format!("{}:{port}", neutral::name(host)));
        let peer = peer.unwrap_or_default();
        let shown = words(&error.to_string());
        if sent {
            return match error {
                ureq::Error::Timeout(_) => {
                    format!("{peer} did not answer within {:?}; the post may exist", self.timeout)
                }
                _ => format!("the answer of {peer} broke off or is not HTTP ({shown}); the post may exist"),
            };
        }
        match error {
            ureq::Error::Timeout(Timeout::Connect | Timeout::Global) => format!(
                "no connection to {peer} in time; check that the firewall lets this machine out, or set x.proxy"
            ),
            ureq::Error::ConnectProxyFailed(_) => {
                format!("the proxy {peer} refuses ({shown}); check x.proxy")
            }
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) => self.untrusted(&shown),
            ureq::Error::Io(e) if e.get_ref().is_some_and(|e| e.is::<rustls::Error>()) => {
                self.untrusted(&shown)
            }
            ureq::Error::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                format!("{peer} closed the connection before the request; check x.api_url and x.proxy")
            }
            _ => format!("no connection to {peer} ({shown}); check the network, or set x.proxy"),
        }
    }

    fn untrusted(&self, shown: &str) -> String {
        let host = neutral::name(self.server.host().unwrap_or_default());
        format!(
            "no trusted TLS connection to {host} ({shown}); check this machine's clock; behind an inspecting proxy \
             set x.ca_file to its certificate"
        )
    }
}

/// Scheme and host in lower case, without the scheme's own port: what a signature wants (RFC 5849, 3.4.1.2).
fn normalized(url: &str) -> Option<String> {
    let url = url.to_ascii_lowercase();
    let (scheme, authority) = url.split_once("://")?;
    let port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    Some(format!("{scheme}://{}", authority.strip_suffix(port).unwrap_or(authority)))
}

/// A message of the transport, which may quote the peer, as one neutral bounded line.
fn words(message: &str) -> String {
    neutral::text(message, WORDS_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str, proxy: Option<&str>) -> Client {
        let config = config::X { api_url: url.into(), proxy: proxy.map(Into::into), ..config::X::default() };
        Client::new(&config, vec!["192.0.2.7:1".parse().unwrap()]).unwrap()
    }

    #[test]
    fn preset_addresses_take_the_port_of_the_server_or_of_the_proxy() {
        assert_eq!(client("https://api.x.com", None).preset, ["192.0.2.7:443".parse().unwrap()]);
        assert_eq!(client("https://api.x.com:8443", None).preset, ["192.0.2.7:8443".parse().unwrap()]);
        let proxied = client("https://api.x.com", Some("http://proxy.example:3128"));
        assert_eq!(proxied.preset, ["192.0.2.7:3128".parse().unwrap()]);
    }

    #[test]
    fn the_url_that_is_signed_is_in_the_form_that_signatures_want() {
        for (url, expected) in [
            ("https://API.X.com:443", "https://api.x.com/2/tweets"),
            ("https://api.x.com:8443", "https://api.x.com:8443/2/tweets"),
            ("http://127.0.0.1:80", "http://127.0.0.1/2/tweets"),
            ("https://[2001:DB8::1]:443", "https://[2001:db8::1]/2/tweets"),
        ] {
            assert_eq!(client(url, None).url("/2/tweets"), expected);
        }
    }

    #[test]
    fn an_address_is_not_looked_up() {
        let found = client("https://[2001:db8::1]:8443", None).resolve().unwrap();
        assert_eq!(found, ["[2001:db8::1]:8443".parse().unwrap()]);
    }
}
