//! E-mail: through a server that takes mail from us, or by this machine's own `sendmail`.
//!
//! - `letter`: the message with its header fields. `smtp`: the conversation with a server, over `stream`.
//!
//! A server's certificate is always checked, and a password is said inside TLS or to this machine only. No mail server
//! knows a repeated message: `Message-ID` is the same in each, and some mailboxes drop the second.

mod letter;
mod smtp;
mod stream;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use self::smtp::{Envelope, Server, Tls};
use super::child::Program;
use super::command;
use super::definition::Given;
use super::service;
use super::transport::Before;
use super::{Message, Outcome, Receiver, build};
use crate::config;
use crate::credentials::{Secret, Secrets};
use crate::message::{Style, Unit};
use crate::storage;

const TIMEOUT: Duration = Duration::from_secs(20);
/// A screen or two; mail itself has no limit that matters.
const TEXT_LIMIT: usize = 8000;
const ROOTS_LIMIT: u64 = 4 << 20;

/// A mailbox that alerts go to.
#[derive(Debug)]
pub(super) struct Mail {
    from: String,
    to: Vec<String>,
    host: String,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Server(Server),
    /// The program's path, and its time limit.
    Sendmail(String, Duration),
}

impl Mail {
    /// Of a receiver's values and secrets; connects to nothing.
    pub fn of(receiver: &config::Receiver, secrets: &Secrets) -> Result<Self, build::Error> {
        let described = service::find("mail").and_then(Result::ok);
        let parameters = described.map(|service| service.parameters).unwrap_or_default();
        let given = Given::read(&parameters, receiver, secrets, true)?;
        let text = |name: &str| given.text(name).map(|value| value.to_string());
        let host = host_name();
        let to = text("to").unwrap_or_default().split(',').map(|one| one.trim().to_owned()).collect();
        let from = text("from").unwrap_or_else(|| format!("root@{host}"));
        let timeout = receiver.timeout.unwrap_or(TIMEOUT);
        let way = match (text("sendmail"), text("server")) {
            (Some(_), Some(_)) => return Err(wrong("sendmail and server: take one of them out")),
            (None, None) => {
                return Err(wrong("server is missing (or sendmail, this machine's mail program)"));
            }
            (Some(program), None) => Way::Sendmail(program, timeout),
            (None, Some(server)) => {
                let secret = |name: &str| given.text(name).map(|value| Secret::new(value.as_str()));
                let login = match (secret("user"), secret("password")) {
                    (Some(user), Some(password)) => Some((user, password)),
                    (None, None) => None,
                    _ => return Err(wrong("user and password: both or neither")),
                };
                let port = given.text("port").map(|port| port.parse::<u16>().unwrap_or(0));
                Way::Server(self::server(
                    receiver,
                    &server,
                    port,
                    &text("tls").unwrap_or_default(),
                    login,
                    timeout,
                )?)
            }
        };
        Ok(Self { from, to, host, way })
    }
}

fn server(
    receiver: &config::Receiver,
    host: &str,
    port: Option<u16>,
    tls: &str,
    login: Option<(Secret, Secret)>,
    timeout: Duration,
) -> Result<Server, build::Error> {
    if receiver.proxy.is_some() {
        return Err(wrong("proxy: mail cannot go through one"));
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
    Ok(Server { host: host.into(), port, tls, roots, login, hello: host_name(), timeout })
}

impl Receiver for Mail {
    fn style(&self) -> Style {
        // Mail programs link addresses with a dot in them that look like hosts; the text is plain.
        Style { lines: true, ..Style::new(Unit::Characters, TEXT_LIMIT) }
    }

    fn carries_pages(&self) -> bool {
        true
    }

    fn knows_repeats(&self) -> bool {
        false
    }

    fn send(&self, message: &Message<'_>, before: Before) -> Outcome {
        let letter = match letter::write(message, &self.from, &self.to, &self.host) {
            Ok(letter) => letter,
            Err(e) => return Outcome::NotSent { why: e.to_string() },
        };
        match &self.way {
            Way::Server(server) => {
                server.deliver(&Envelope { from: &self.from, to: &self.to, letter: &letter }, before)
            }
            Way::Sendmail(program, timeout) => {
                if let Err(e) = before() {
                    return Outcome::NotSent { why: e.to_string() };
                }
                let options = ["-i", "-f", &self.from, "--"].map(str::to_owned);
                let argv: Vec<String> =
                    std::iter::once(program.clone()).chain(options).chain(self.to.iter().cloned()).collect();
                let input = unix_lines(&letter);
                let program = Program { argv: &argv, environment: &[], input: &input, timeout: *timeout };
                command::outcome(&argv[0], *timeout, program.run())
            }
        }
    }
}

/// Such programs want the line ends of this system.
fn unix_lines(letter: &[u8]) -> Vec<u8> {
    letter.iter().copied().filter(|b| *b != b'\r').collect()
}

/// What this machine calls itself, in the letters of a host name.
fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let good = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let name: String = name.chars().filter(good).take(200).collect();
    if name.is_empty() { "localhost".into() } else { name }
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
    let pem = storage::read_trusted(path, ROOTS_LIMIT).map_err(|e| bad(e.to_string()))?;
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

fn wrong(why: &str) -> build::Error {
    build::Error::Config(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(text: &str, password: Option<&str>) -> Result<Mail, String> {
        let receiver: config::Receiver = toml::from_str(&format!("kind = \"mail\"\n{text}")).unwrap();
        let secrets = password.map(|p| ("password".to_owned(), Secret::new(p))).into_iter().collect();
        Mail::of(&receiver, &secrets).map_err(|e| e.to_string())
    }

    #[test]
    fn a_wrong_value_says_what_is_accepted() {
        let to = "to = \"a@example.org\"\n";
        for (text, password, words) in [
            ("", None, "to is missing"),
            ("to = \"a@b\\r\\nBcc: x@y\"", None, "to must"),
            ("to = \"a@b>, <c@d\"\nserver = \"h\"", None, "to must look like"),
            (to, None, "server is missing"),
            ("to = \"a@b.c\"\nserver = \"h\"\nsendmail = \"/s\"", None, "take one of them out"),
            ("to = \"a@b.c\"\nserver = \"h\"\nuser = \"u\"", None, "both or neither"),
            ("to = \"a@b.c\"\nserver = \"h\"\npassword = \"u\"", None, "is a secret"),
            ("to = \"a@b.c\"\nserver = \"mail.example.org\"\ntls = \"none\"", None, "localhost"),
            (
                "to = \"a@b.c\"\nserver = \"10.0.0.1\"\ntls = \"none\"\nplain_http = true\nuser = \"u\"",
                Some("hush"),
                "localhost",
            ),
            ("to = \"a@b.c\"\nserver = \"h\"\ntls = \"maybe\"", None, "tls must look like starttls"),
            ("to = \"a@b.c\"\nserver = \"h\"\nport = 70000", None, "port must be"),
            ("to = \"a@b.c\"\nserver = \"h\"\nca_file = \"/nonexistent\"", None, "ca_file"),
            ("to = \"a@b.c\"\nserver = \"h x\"", None, "server must"),
            ("to = \"a@b.c\"\nserver = \"h\"\nsubject = \"x\"", None, "not one of its parameters"),
        ] {
            let why = mail(text, password).map(drop).unwrap_err();
            assert!(why.contains(words) && !why.contains("hush"), "{text}: {why}");
        }
    }

    #[test]
    fn ports_follow_the_protection_and_a_password_is_not_shown() {
        for (tls, port) in [("starttls", 587), ("implicit", 465)] {
            let text = format!("to = \"a@b.c, d@e.f\"\nserver = \"h\"\ntls = \"{tls}\"\nuser = \"u\"");
            let mail = mail(&text, Some("hush-hush")).unwrap();
            assert!(!format!("{mail:?}").contains("hush-hush"));
            let Way::Server(server) = mail.way else { panic!() };
            assert_eq!((server.port, mail.to.len()), (port, 2));
        }
        let local = mail("to = \"a@b.c\"\nserver = \"localhost\"\ntls = \"none\"", None).unwrap();
        assert!(matches!(local.way, Way::Server(Server { port: 25, .. })));
    }
}
