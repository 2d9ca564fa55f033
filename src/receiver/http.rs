//! One bounded HTTPS call: nothing from the environment, no thread, no redirect, no surprise.
//!
//! The answer is hostile until shown otherwise. Whatever it is, and however slowly it comes, the call ends
//! within the configured timeout. The one exception is the look-up of a name, which the C library does
//! in the calling thread and which cannot be cut short; a caller inside a login gives addresses that
//! an earlier pass resolved, and then nothing is looked up.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Proxy, Timeout};
use zeroize::Zeroizing;

use super::body;
pub use super::error::Error;
pub use super::exchange::{Failure, Method, Reply, Request};
use super::roots::roots;
use super::transport::{self, Addresses, Before, MAX_ADDRESSES, Start};
use crate::config;
use crate::neutral;
use crate::storage::plain;

const HEADER_LIMIT: usize = 16 << 10;
/// Longest foreign text in an explanation, in characters.
pub(super) const WORDS_LIMIT: usize = 160;

/// What says how to reach a server.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    /// Scheme, host and port, without a path.
    pub url: &'a str,
    /// PEM file of the roots to trust instead of Mozilla's.
    pub ca_file: Option<&'a Path>,
    /// `http://host:port`.
    pub proxy: Option<&'a str>,
    /// For one whole request, connection included.
    pub timeout: Duration,
    /// What stands before the keys of these settings where the administrator wrote them.
    pub section: &'static str,
    /// The key of the URL.
    pub url_key: &'static str,
}

impl<'a> From<&'a config::X> for Settings<'a> {
    fn from(x: &'a config::X) -> Self {
        Self {
            url: &x.api_url,
            ca_file: x.ca_file.as_deref(),
            proxy: x.proxy.as_deref(),
            timeout: x.timeout,
            section: "x.",
            url_key: "api_url",
        }
    }
}

/// How to reach one server. Holds no secret.
#[derive(Debug)]
pub struct Client {
    server: Uri,
    base: String,
    proxy: Option<Proxy>,
    roots: RootCerts,
    timeout: Duration,
    proxy_key: String,
    url_key: String,
    ca_key: String,
    preset: Vec<SocketAddr>,
    used: Mutex<Vec<SocketAddr>>,
}

impl Client {
    /// Prepare; reads `ca_file`, connects to nothing.
    ///
    /// With `preset`, these addresses are used (with the port of the URL) and no name is looked up. They are those of the
    /// proxy where there is one, else of the server: what [`Client::addresses`] returned earlier.
    pub fn new<'a>(settings: impl Into<Settings<'a>>, preset: Vec<SocketAddr>) -> Result<Self, Error> {
        let settings = settings.into();
        let key = |name: &str| format!("{}{name}", settings.section);
        let wrong_url = || {
            Error::setting(key(settings.url_key), "must be https://HOST or https://HOST:PORT, without a path")
        };
        let base = normalized(settings.url).ok_or_else(wrong_url)?;
        let server: Uri = base.parse().map_err(|_| wrong_url())?;
        let proxy = match settings.proxy {
            Some(proxy) => Some(
                Proxy::new(proxy).map_err(|_| Error::setting(key("proxy"), "must be http://HOST:PORT"))?,
            ),
            None => None,
        };
        let mut client = Self {
            server,
            base,
            proxy,
            roots: roots(settings.ca_file, &key("ca_file"))?,
            timeout: settings.timeout,
            proxy_key: key("proxy"),
            url_key: key(settings.url_key),
            ca_key: key("ca_file"),
            preset: Vec::new(),
            used: Mutex::default(),
        };
        let (_, port) = client.peer().ok_or_else(wrong_url)?;
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
        let no_host = || Error::setting(self.url_key.as_str(), "has no host");
        let (host, port) = self.peer().ok_or_else(no_host)?;
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let unknown = |why: String| {
            Error::Resolve(format!(
                "cannot resolve {}: {why}; check /etc/resolv.conf and the network",
                neutral::name(host)
            ))
        };
        let found = (host, port).to_socket_addrs().map_err(|e| unknown(why_unknown(&e)))?;
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
        // Some services want their token in it.
        let url = Zeroizing::new(self.url(request.path));
        let mut built = ureq::http::Request::builder().method(request.method.as_str()).uri(url.as_str());
        for (name, value) in request.headers {
            built = built.header(*name, *value);
        }
        let result = match request.method {
            Method::Get => built.body(()).map_err(ureq::Error::from).and_then(|built| agent.run(built)),
            Method::Post | Method::Put => {
                built.body(request.body).map_err(ureq::Error::from).and_then(|built| agent.run(built))
            }
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
        let shown = words(plain(error).trim_start_matches("io: "));
        if sent {
            return match error {
                ureq::Error::Timeout(_) => {
                    format!("{peer} did not answer within {:?}; it may have arrived", self.timeout)
                }
                _ => format!("the answer of {peer} broke off or is not HTTP ({shown}); it may have arrived"),
            };
        }
        match error {
            ureq::Error::Timeout(Timeout::Connect | Timeout::Global) => format!(
                "no connection to {peer} in time; check that the firewall lets this machine out, or set {}",
                self.proxy_key
            ),
            ureq::Error::ConnectProxyFailed(_) => {
                format!("the proxy {peer} refuses ({shown}); check {}", self.proxy_key)
            }
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) => self.untrusted(&shown),
            ureq::Error::Io(e) if e.get_ref().is_some_and(|e| e.is::<rustls::Error>()) => {
                self.untrusted(&shown)
            }
            ureq::Error::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                format!(
                    "{peer} closed the connection before the request; check {} and {}",
                    self.url_key, self.proxy_key
                )
            }
            ureq::Error::Io(e) => self.unreached(&peer, e),
            _ => format!("no connection to {peer} ({shown}); check the network, or set {}", self.proxy_key),
        }
    }

    /// That nothing was reached, by what the kernel says.
    fn unreached(&self, peer: &str, e: &io::Error) -> String {
        let through = if self.proxy.is_some() { "the proxy " } else { "" };
        let (proxy, url) = (&self.proxy_key, &self.url_key);
        match e.kind() {
            io::ErrorKind::ConnectionRefused if self.proxy.is_some() => {
                format!("nothing answers at the proxy {peer}; does it run, is the port in {proxy} right?")
            }
            io::ErrorKind::ConnectionRefused if self.is_here() => {
                format!("nothing answers at {peer}; is the server running, is the port right?")
            }
            io::ErrorKind::ConnectionRefused => format!(
                "nothing answers at {peer}; is the server running, is the port right? Where only a proxy gets out, set {proxy}"
            ),
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
                format!("there is no way to {through}{peer}; check the network, or set {proxy}")
            }
            io::ErrorKind::PermissionDenied => {
                format!(
                    "this machine's firewall lets nothing out to {through}{peer}; allow it, or set {proxy}"
                )
            }
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
                format!("{through}{peer} broke the connection off; check {url} and {proxy}")
            }
            _ => {
                let why = words(&plain(e));
                format!("no connection to {through}{peer} ({why}); check the network, or set {proxy}")
            }
        }
    }

    /// Whether the server is on this machine, where no proxy helps.
    fn is_here(&self) -> bool {
        let host = self.peer().map_or("", |(host, _)| host);
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    fn untrusted(&self, shown: &str) -> String {
        let host = neutral::name(self.server.host().unwrap_or_default());
        format!(
            "no trusted TLS connection to {host} ({shown}); check this machine's clock; behind an inspecting proxy \
             set {} to its certificate",
            self.ca_key
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

/// Why a name has no address, without the C library's own words for it.
pub(super) fn why_unknown(e: &io::Error) -> String {
    let said = plain(e);
    let said = said.strip_prefix("failed to lookup address information: ").unwrap_or(&said);
    match said {
        "Name or service not known" | "No address associated with hostname" => {
            "there is no such name, or no name server knows it".into()
        }
        "Temporary failure in name resolution" => "no name server answers".into(),
        other => words(other),
    }
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
