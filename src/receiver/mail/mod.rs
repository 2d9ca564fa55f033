//! E-mail: through a server that takes mail from us, or by this machine's own `sendmail`.
//!
//! - `letter`: the message with its header fields. `server`: the way to one; `smtp`: the conversation with it, over
//!   `stream`; `reply`: what its words mean.
//!
//! A server's certificate is always checked, and a password is said inside TLS or to this machine only. No mail server
//! knows a repeated message: `Message-ID` is the same in each, and some mailboxes drop the second.

mod letter;
mod reply;
mod server;
mod smtp;
mod stream;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use self::server::{Envelope, Server};
use super::child::{Ended, Program};
use super::command;
use super::definition::Given;
use super::service;
use super::transport::Before;
use super::{Message, Outcome, Receiver, build};
use crate::config;
use crate::credentials::{Secret, Secrets};
use crate::message::{Style, Unit};

const TIMEOUT: Duration = Duration::from_secs(20);
/// For a server that reads the message before it takes it, where the administrator sets no limit: such checks take half
/// a minute, and a message that is given up too early comes again and again.
const PATIENCE: Duration = Duration::from_secs(60);
/// An attempt where no limit is set.
pub(super) const LONGEST: Duration = TIMEOUT.saturating_add(PATIENCE);
/// The sender's name, for the mail program of a phone.
const SENDER: &str = "authalert";
/// A screen or two; mail itself has no limit that matters.
const TEXT_LIMIT: usize = 8000;

/// A mailbox that alerts go to.
#[derive(Debug)]
pub(super) struct Mail {
    /// None: whom this machine's mail program says.
    from: Option<String>,
    to: Vec<String>,
    host: String,
    way: Way,
    missed: Mutex<Option<String>>,
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
        let timeout = receiver.timeout.unwrap_or(TIMEOUT);
        let patience = if receiver.timeout.is_some() { Duration::ZERO } else { PATIENCE };
        let mut from = text("from");
        let way = match (text("sendmail"), text("server")) {
            (Some(_), Some(_)) => return Err(wrong("sendmail and server: take one of them out")),
            (None, None) => {
                return Err(wrong("server is missing (or sendmail, this machine's mail program)"));
            }
            (Some(program), None) => Way::Sendmail(program, timeout + patience),
            (None, Some(server)) => {
                // The account is the one sender that every server takes. One that stands with the secrets is not shown.
                let account = receiver.parameters.get("user").and_then(toml::Value::as_str);
                let is_address = |user: &&str| {
                    parameters.iter().any(|p| p.name.get_ref() == "from" && p.check(user).is_ok())
                };
                let account = account.filter(is_address).map(str::to_owned);
                from = from.or(account).or_else(|| Some(format!("root@{host}")));
                let secret = |name: &str| given.text(name).map(|value| Secret::new(value.as_str()));
                let login = match (secret("user"), secret("password")) {
                    (Some(user), Some(password)) => Some((user, password)),
                    (None, None) => None,
                    _ => return Err(wrong("user and password: both or neither")),
                };
                let port = given.text("port").map(|port| port.parse::<u16>().unwrap_or(0));
                Way::Server(Server::of(
                    receiver,
                    &server,
                    port,
                    &text("tls").unwrap_or_default(),
                    login,
                    (timeout, patience),
                )?)
            }
        };
        Ok(Self { from, to, host, way, missed: Mutex::default() })
    }
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
        let from = self.from.as_deref();
        let letter = match letter::write(message, from, &self.to, &self.host) {
            Ok(letter) => letter,
            Err(e) => return Outcome::NotSent { why: e.to_string() },
        };
        match &self.way {
            Way::Server(server) => {
                let from = from.unwrap_or_default();
                let (outcome, missed) =
                    server.deliver(&Envelope { from, to: &self.to, letter: &letter }, before);
                *self.missed.lock().unwrap_or_else(PoisonError::into_inner) = missed;
                outcome
            }
            Way::Sendmail(program, timeout) => {
                if let Err(e) = before() {
                    return Outcome::NotSent { why: e.to_string() };
                }
                // Where no sender is set the program's own is right: its settings know a domain that others take mail of.
                let sender = from.map_or(["-F", SENDER], |from| ["-f", from]);
                let options = ["-i"].into_iter().chain(sender).chain(["--"]).map(str::to_owned);
                let argv: Vec<String> =
                    std::iter::once(program.clone()).chain(options).chain(self.to.iter().cloned()).collect();
                let input = unix_lines(&letter);
                let program = Program { argv: &argv, environment: &[], input: &input, timeout: *timeout };
                of_sendmail(&argv[0], *timeout, program.run())
            }
        }
    }

    fn missed(&self) -> Option<String> {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// As of a command, but what such programs end with speaks of addresses and connections, where it seems to speak of a text:
/// 65 is msmtp's where sender or recipient are refused, 74 and 76 where the connection broke off, maybe after the message.
fn of_sendmail(program: &str, timeout: Duration, ended: Ended) -> Outcome {
    let status = match ended {
        Ended::Exited(status, _) => status,
        _ => 0,
    };
    match (status, command::outcome(program, timeout, ended)) {
        (65, Outcome::Refused { why }) => Outcome::Stop { why: format!("{why}; check to and from") },
        (74 | 76, Outcome::NotSent { why }) => Outcome::Unproved { until: None, why },
        (_, outcome) => outcome,
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
            (
                "to = \"a@b.c\"\nserver = \"h\"\ntls = \"maybe\"",
                None,
                "tls must be starttls, implicit or none",
            ),
            ("to = \"a@b.c\"\nserver = \"h\"\nport = 70000", None, "port must be"),
            ("to = \"a@b.c\"\nserver = \"h\"\nca_file = \"/nonexistent\"", None, "ca_file"),
            ("to = \"a@b.c\"\nserver = \"h x\"", None, "server must"),
            ("to = \"a@b.c\"\nserver = \"h.example:587\"", None, "with port = 587"),
            ("to = \"a@b.c\"\nserver = \"[::1]:587\"", None, "\"[::1]\", with port"),
            ("to = \"a@b.c\"\nserver = \"h\"\nsubject = \"x\"", None, "not one of its parameters"),
        ] {
            let why = mail(text, password).map(drop).unwrap_err();
            assert!(why.contains(words) && !why.contains("hush"), "{text}: {why}");
        }
    }

    #[test]
    fn the_sender_is_the_one_that_was_set_or_that_the_server_or_the_mail_program_takes() {
        for (text, expected) in [
            ("server = \"h\"\nuser = \"me@b.c\"", Some("me@b.c")),
            ("server = \"h\"\nuser = \"me@b.c\"\nfrom = \"x@b.c\"", Some("x@b.c")),
            ("sendmail = \"/s\"", None),
            ("sendmail = \"/s\"\nfrom = \"x@b.c\"", Some("x@b.c")),
        ] {
            let password = text.contains("user").then_some("hush");
            assert_eq!(mail(&format!("to = \"a@b.c\"\n{text}"), password).unwrap().from.as_deref(), expected);
        }
        let root = format!("root@{}", host_name());
        for (text, password) in [("", None), ("user = \"me\"", Some("hush"))] {
            let mail = mail(&format!("to = \"a@b.c\"\nserver = \"h\"\n{text}"), password).unwrap();
            assert_eq!(mail.from.as_deref(), Some(root.as_str()));
        }
        let ipv6 = mail("to = \"a@b.c\"\nserver = \"::1\"", None);
        assert!(ipv6.is_ok(), "{ipv6:?}");
    }

    #[test]
    fn a_mail_program_that_refuses_an_address_says_nothing_of_the_text() {
        for (status, expected) in [
            (0, "accepted"),
            (65, "stop"),
            (69, "not sent"),
            (74, "unproved"),
            (75, "not sent"),
            (76, "unproved"),
        ] {
            let ended = Ended::Exited(status, "server message: 550".into());
            assert_eq!(of_sendmail("/s", TIMEOUT, ended).kind(), expected, "{status}");
        }
        assert_eq!(of_sendmail("/s", TIMEOUT, Ended::OutOfTime).kind(), "ambiguous");
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
