//! The conversation with a mail server (RFC 5321; submission: 6409, 8314).
//!
//! It is our own because no library's can be ended at a time limit: a server that sends a line every second, or one without
//! an end, holds them for ever. `before` is called when the server has let us in and nothing of the message was said:
//! just before `MAIL FROM`. From the dot at the end of the message until the reply to it nobody knows whether the server
//! has it; at every other moment it does not.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::RootCertStore;
use zeroize::Zeroizing;

use super::stream::{Stream, Timed};
use crate::credentials::Secret;
use crate::neutral;
use crate::receiver::Outcome;
use crate::receiver::http::{WORDS_LIMIT, why_unknown};
use crate::receiver::transport::{Before, MAX_ADDRESSES};
use crate::storage::plain;

/// More lines are no reply.
const LINES_LIMIT: usize = 64;

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
    /// What this machine calls itself.
    pub hello: String,
    /// For all of it.
    pub timeout: Duration,
}

/// A message in the form of the wire, and whom it is from and for.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub from: &'a str,
    pub to: &'a [String],
    pub letter: &'a [u8],
}

/// A reply: its number, and its first line's words.
struct Reply {
    code: u16,
    words: String,
}

/// Where the conversation is, which decides what an error means.
struct Talk<'a> {
    server: &'a Server,
    stream: Stream,
    extensions: Vec<String>,
}

impl Server {
    /// Bring it to the server.
    pub fn deliver(&self, envelope: &Envelope<'_>, before: Before) -> Outcome {
        let deadline = Instant::now() + self.timeout;
        let mut talk = match self.enter(deadline) {
            Ok(talk) => talk,
            Err(outcome) => return outcome,
        };
        if let Err(e) = before() {
            return Outcome::NotSent { why: plain(e) };
        }
        match talk.hand_over(envelope) {
            Ok(outcome) | Err(outcome) => outcome,
        }
    }

    /// Connect, greet, protect, log in.
    fn enter(&self, deadline: Instant) -> Result<Talk<'_>, Outcome> {
        let shown = neutral::name(&self.host);
        let not_sent = |why: String| Outcome::NotSent { why };
        let addresses = self.addresses().map_err(|e| {
            let why = why_unknown(&e);
            not_sent(format!("cannot resolve {shown}: {why}; check /etc/resolv.conf and the network"))
        })?;
        let connection = Timed::connect(&addresses, deadline).map_err(|e| {
            not_sent(match e.kind() {
                io::ErrorKind::ConnectionRefused => format!(
                    "nothing answers at {shown}:{}; is the server running, are server and port right?",
                    self.port
                ),
                _ => format!("no connection to {shown}:{} ({}); check server and port", self.port, plain(&e)),
            })
        })?;
        let mut talk = Talk { server: self, stream: Stream::plain(connection), extensions: Vec::new() };
        if self.tls == Tls::Implicit {
            talk.begin_tls()?;
        }
        let greeting = talk.reply().map_err(|e| talk.lost(&e))?;
        greeting.expect(220).map_err(|why| talk.refused(&why, "the server takes no mail now"))?;
        talk.hello()?;
        if self.tls == Tls::Starttls {
            if !talk.has("STARTTLS") {
                return Err(Outcome::Stop {
                    why: format!(
                        "{shown} offers no STARTTLS on port {}; use another port, or tls = \"implicit\"",
                        self.port
                    ),
                });
            }
            let reply = talk.say("STARTTLS")?;
            reply.expect(220).map_err(|why| talk.refused(&why, "the server starts no TLS"))?;
            talk.begin_tls()?;
            talk.hello()?;
        }
        talk.login()?;
        Ok(talk)
    }

    fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let host = self.host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(&self.host);
        let found: Vec<_> = (host, self.port).to_socket_addrs()?.take(MAX_ADDRESSES).collect();
        if found.is_empty() { Err(io::Error::other("it has no address")) } else { Ok(found) }
    }
}

impl Talk<'_> {
    fn begin_tls(&mut self) -> Result<(), Outcome> {
        let Server { host, roots, .. } = self.server;
        let name = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        self.stream.begin_tls(name, roots.clone()).map_err(|e| Outcome::NotSent {
            why: format!(
                "no trusted TLS connection to {} ({}); check port, tls and this machine's clock; for a server with a \
                 certificate of your own set ca_file",
                neutral::name(host),
                neutral::text(plain(e), WORDS_LIMIT)
            ),
        })
    }

    fn hello(&mut self) -> Result<(), Outcome> {
        let reply = self.say_and_keep(&format!("EHLO {}", self.server.hello))?;
        reply.expect(250).map_err(|why| self.refused(&why, "the server does not greet"))
    }

    fn has(&self, extension: &str) -> bool {
        self.extensions.iter().any(|line| line.split(' ').next() == Some(extension))
    }

    /// With the account's password, which is said inside TLS or to this machine only.
    fn login(&mut self) -> Result<(), Outcome> {
        let Some((user, password)) = &self.server.login else { return Ok(()) };
        let offered = self.extensions.iter().find_map(|line| line.strip_prefix("AUTH "));
        let offers = |name: &str| offered.is_some_and(|all| all.split(' ').any(|one| one == name));
        let reply = if offers("PLAIN") {
            let pair = Zeroizing::new(format!("\0{}\0{}", user.expose(), password.expose()));
            let coded = Zeroizing::new(BASE64_STANDARD.encode(pair.as_bytes()));
            self.say(&Zeroizing::new(format!("AUTH PLAIN {}", *coded)))?
        } else if offers("LOGIN") {
            let mut reply = self.say("AUTH LOGIN")?;
            for value in [user, password] {
                reply.expect(334).map_err(|why| self.refused(&why, "the server does not let us log in"))?;
                reply = self.say(&Zeroizing::new(BASE64_STANDARD.encode(value.expose())))?;
            }
            reply
        } else {
            let why = "the server offers neither AUTH PLAIN nor AUTH LOGIN here; check port and tls, or take user and \
                       password out";
            return Err(Outcome::Stop { why: why.into() });
        };
        reply
            .expect(235)
            .map_err(|why| self.refused(&why, "check user and password; some providers want an app password"))
    }

    /// Sender, recipients, text. An error of the connection before the last dot means: not sent.
    fn hand_over(&mut self, envelope: &Envelope<'_>) -> Result<Outcome, Outcome> {
        let reply = self.say(&format!("MAIL FROM:<{}>", envelope.from))?;
        reply.expect(250).map_err(|why| self.refused(&why, "check from"))?;
        for address in envelope.to {
            let reply = self.say(&format!("RCPT TO:<{address}>"))?;
            if !matches!(reply.code, 250 | 251) {
                return Err(self.refused(&reply.line(), "check to"));
            }
        }
        let reply = self.say("DATA")?;
        reply.expect(354).map_err(|why| self.refused(&why, "the server takes no text"))?;
        let text = on_the_wire(envelope.letter);
        let (body, dot) = text.split_at(text.len() - DOT.len());
        self.stream.send(body).map_err(|e| self.lost(&e))?;
        // From here on the server may have it.
        let reply = self.stream.send(dot).and_then(|()| self.reply());
        let outcome = match reply {
            Ok(reply) if reply.code == 250 => Outcome::Accepted { id: String::new() },
            // The text alone is judged here.
            Ok(reply) if (500..600).contains(&reply.code) => {
                Outcome::Refused { why: self.line(&reply.line()) }
            }
            Ok(reply) if (400..500).contains(&reply.code) => {
                Outcome::NotSent { why: self.line(&reply.line()) }
            }
            Ok(reply) => Outcome::ambiguous(self.line(&format!("{}; it may have the message", reply.line()))),
            Err(e) => {
                Outcome::ambiguous(self.line(&format!("no answer after the message ({e}); it may have it")))
            }
        };
        let _ = self.stream.send(b"QUIT\r\n");
        Ok(outcome)
    }

    fn say(&mut self, line: &str) -> Result<Reply, Outcome> {
        let bytes = Zeroizing::new(format!("{line}\r\n").into_bytes());
        self.stream.send(&bytes).and_then(|()| self.reply()).map_err(|e| self.lost(&e))
    }

    /// The same, and every line of the reply is an extension.
    fn say_and_keep(&mut self, line: &str) -> Result<Reply, Outcome> {
        self.extensions.clear();
        let sent = self.stream.send(format!("{line}\r\n").as_bytes());
        sent.and_then(|()| self.read(true)).map_err(|e| self.lost(&e))
    }

    fn reply(&mut self) -> io::Result<Reply> {
        self.read(false)
    }

    fn read(&mut self, keep: bool) -> io::Result<Reply> {
        let mut first: Option<Reply> = None;
        for _ in 0..LINES_LIMIT {
            let line = self.stream.line()?;
            let code = line.get(..3).filter(|code| code.iter().all(u8::is_ascii_digit));
            let code = code.and_then(|code| std::str::from_utf8(code).ok()?.parse().ok());
            let code: u16 = code.ok_or_else(|| io::Error::other("this is not a mail server"))?;
            let words = neutral::text(line.get(4..).unwrap_or_default(), WORDS_LIMIT);
            if keep {
                self.extensions.push(words.to_ascii_uppercase());
            }
            let reply = first.get_or_insert(Reply { code, words });
            if line.get(3) != Some(&b'-') {
                return Ok(Reply { code, words: std::mem::take(&mut reply.words) });
            }
        }
        Err(io::Error::other("its reply has no end"))
    }

    /// A line for the administrator: the server's name first. The password is in nothing that a server is shown here, but one
    /// that quotes what it was sent must not bring it into a log.
    fn line(&self, why: &str) -> String {
        let why = match &self.server.login {
            Some((_, password)) => [password.expose(), &BASE64_STANDARD.encode(password.expose())]
                .iter()
                .filter(|secret| secret.len() >= 4)
                .fold(why.to_owned(), |line, secret| line.replace(*secret, "[hidden]")),
            None => why.to_owned(),
        };
        format!("{}: {why}", neutral::name(&self.server.host))
    }

    fn lost(&self, e: &io::Error) -> Outcome {
        let why = match e.kind() {
            io::ErrorKind::TimedOut => format!("it did not answer within {:?}", self.server.timeout),
            io::ErrorKind::UnexpectedEof => "it closed the connection".into(),
            _ => neutral::text(plain(e), WORDS_LIMIT),
        };
        let hint = if self.stream.is_tls() { "" } else { "; check server, port and tls" };
        Outcome::NotSent { why: self.line(&format!("{why}{hint}")) }
    }

    /// A refusal before the text was sent: for now (4xx), or until somebody acts.
    fn refused(&self, said: &str, advice: &str) -> Outcome {
        let why = self.line(&format!("{said}; {advice}"));
        if said.starts_with('4') { Outcome::NotSent { why } } else { Outcome::Stop { why } }
    }
}

impl Reply {
    fn expect(&self, code: u16) -> Result<(), String> {
        if self.code == code { Ok(()) } else { Err(self.line()) }
    }

    fn line(&self) -> String {
        format!("{} {}", self.code, self.words)
    }
}

/// What ends a message.
const DOT: &[u8] = b".\r\n";

/// Every line ended by CR LF, a dot at its beginning doubled, and the dot at the end.
fn on_the_wire(letter: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(letter.len() + 64);
    for line in letter.split(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        // A lone CR would be a line's end to some.
        out.extend(line.iter().filter(|b| **b != b'\r'));
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(DOT);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_message_ends_it_early() {
        for (letter, expected) in [
            ("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n\r\n.\r\n"),
            (".x\r.\ry", "..x.y\r\n.\r\n"),
            ("", "\r\n.\r\n"),
        ] {
            assert_eq!(String::from_utf8(on_the_wire(letter.as_bytes())).unwrap(), expected);
        }
    }
}
