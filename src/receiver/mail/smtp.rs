//! The conversation with a mail server (RFC 5321; submission: 6409, 8314).
//!
//! It is our own because no library's can be ended at a time limit: a server that sends a line every second, or one without
//! an end, holds them for ever. `before` is called when the server has let us in and nothing of the message was said:
//! just before `MAIL FROM`. From the dot at the end of the message until the reply to it nobody knows whether the server
//! has it; at every other moment it does not. That reply may take long, as many a server reads the message before it takes
//! it, and who goes too early gets it again and again: it has a time of its own.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use super::letter;
use super::reply::Reply;
use super::server::{Envelope, Server, Tls};
use super::stream::Stream;
use crate::credentials::Secret;
use crate::neutral;
use crate::receiver::Outcome;
use crate::receiver::http::WORDS_LIMIT;
use crate::storage::plain;

/// More lines are no reply.
const LINES_LIMIT: usize = 64;
/// So long is waited for the answer to a good-bye.
const LEAVE: Duration = Duration::from_secs(1);

/// Where the conversation is, which decides what an error means.
pub(super) struct Talk<'a> {
    server: &'a Server,
    stream: Stream,
    extensions: Vec<String>,
    /// Everything that was said is answered.
    is_answered: bool,
    /// Whom the server does not take the message for, and why.
    missed: Vec<String>,
}

impl<'a> Talk<'a> {
    /// One that begins.
    pub fn new(server: &'a Server, stream: Stream) -> Self {
        Self { server, stream, extensions: Vec::new(), is_answered: false, missed: Vec::new() }
    }

    /// Whom an accepted message did not reach, and why; none where nobody.
    pub fn missed(&self) -> Option<String> {
        (!self.missed.is_empty()).then(|| self.missed.join("; "))
    }

    /// Greet, protect, log in.
    pub fn enter(&mut self) -> Result<(), Outcome> {
        if self.server.tls == Tls::Implicit {
            self.begin_tls()?;
        }
        let greeting = self.reply().map_err(|e| self.lost(&e))?;
        self.expect(greeting, 220, "the server takes no mail now")?;
        self.hello()?;
        if self.server.tls == Tls::Starttls {
            if !self.has("STARTTLS") {
                let why = format!("it offers no STARTTLS on port {}; check port and tls", self.server.port);
                return Err(Outcome::Stop { why: self.server.line(&why) });
            }
            let reply = self.say("STARTTLS")?;
            self.expect(reply, 220, "the server starts no TLS")?;
            self.begin_tls()?;
            self.hello()?;
        }
        self.login()
    }

    fn begin_tls(&mut self) -> Result<(), Outcome> {
        let Server { host, roots, .. } = self.server;
        let name = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        self.is_answered = false;
        self.stream.begin_tls(name, roots.clone()).map_err(|e| Outcome::NotSent {
            why: format!(
                "no trusted TLS connection to {} ({}); check port, tls and this machine's clock; for a server with a \
                 certificate of your own set ca_file",
                neutral::name(host),
                neutral::text(plain(e), WORDS_LIMIT)
            ),
        })
    }

    /// By this machine's whole name; a part of one is refused by many, and an address is none.
    fn hello(&mut self) -> Result<(), Outcome> {
        let name = match (&self.server.hello, self.stream.address()) {
            (Some(name), _) => name.clone(),
            (None, Ok(IpAddr::V4(address))) => format!("[{address}]"),
            (None, Ok(IpAddr::V6(address))) => format!("[IPv6:{address}]"),
            (None, Err(e)) => return Err(self.lost(&e)),
        };
        let reply = self.say_and_keep(&format!("EHLO {name}"))?;
        self.expect(reply, 250, "the server does not greet").map(drop)
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
            self.say(&Zeroizing::new(format!("AUTH PLAIN {}", *coded_login(user, password))))?
        } else if offers("LOGIN") {
            let mut reply = self.say("AUTH LOGIN")?;
            for value in [user, password] {
                self.expect(reply, 334, "the server does not let us log in")?;
                reply = self.say(&Zeroizing::new(BASE64_STANDARD.encode(value.expose())))?;
            }
            reply
        } else {
            let why = "it offers neither AUTH PLAIN nor AUTH LOGIN here; check port and tls, or take user and password out";
            return Err(Outcome::Stop { why: self.server.line(why) });
        };
        self.expect(reply, 235, "check user and password; some providers want an app password").map(drop)
    }

    /// Sender, recipients, text. An error of the connection before the last dot means: not sent.
    pub fn hand_over(&mut self, envelope: &Envelope<'_>) -> Result<Outcome, Outcome> {
        let mut sender = format!("MAIL FROM:<{}>", envelope.from);
        if !envelope.from.is_ascii() || !envelope.to.iter().all(|address| address.is_ascii()) {
            if !self.has("SMTPUTF8") {
                let why = "it takes no address with letters that are not ASCII (SMTPUTF8); check from and to";
                return Err(Outcome::Stop { why: self.server.line(why) });
            }
            sender.push_str(" SMTPUTF8");
        }
        let reply = self.say(&sender)?;
        self.expect(reply, 250, "check from")?;
        self.recipients(envelope.to)?;
        let reply = self.say("DATA")?;
        self.expect(reply, 354, "the server takes no text")?;
        let text = letter::on_the_wire(envelope.letter);
        let (body, dot) = text.split_at(text.len() - letter::DOT.len());
        self.is_answered = false;
        self.stream.send(body).map_err(|e| self.lost(&e))?;
        // From here on the server may have it.
        self.stream.wait_until(Instant::now() + self.server.patience);
        let reply = self.stream.send(dot).and_then(|()| self.reply());
        Ok(match reply {
            Ok(reply) => reply.to_the_dot(self.server.line(&reply.line())),
            Err(e) => {
                let e = neutral::text(e.to_string(), WORDS_LIMIT);
                Outcome::ambiguous(
                    self.server.line(&format!("no answer after the message ({e}); it may have it")),
                )
            }
        })
    }

    /// One that the server does not take costs the others nothing.
    fn recipients(&mut self, to: &[String]) -> Result<(), Outcome> {
        let mut refused: Option<Reply> = None;
        for address in to {
            let reply = self.say(&format!("RCPT TO:<{address}>"))?;
            if matches!(reply.code, 250 | 251) {
                continue;
            }
            self.missed.push(format!("not for {}: {}", neutral::name(address), reply.line()));
            // What may be taken later decides; 421 is its last word.
            let is_last = reply.code == 421;
            if is_last || refused.as_ref().is_none_or(|one| !one.is_for_now()) {
                refused = Some(reply);
            }
            if is_last {
                break;
            }
        }
        match refused {
            Some(reply) if reply.code == 421 || self.missed.len() == to.len() => {
                self.missed.clear();
                Err(self.refused(&reply, "check to"))
            }
            _ => Ok(()),
        }
    }

    /// What is begun with a server that listens is ended so, or it takes us for one of those that try passwords.
    pub fn leave(&mut self) {
        if self.is_answered {
            self.stream.limit(LEAVE);
            let _ = self.say("QUIT");
            self.stream.end();
        }
    }

    fn say(&mut self, line: &str) -> Result<Reply, Outcome> {
        let bytes = Zeroizing::new(format!("{line}\r\n").into_bytes());
        self.is_answered = false;
        self.stream.send(&bytes).and_then(|()| self.reply()).map_err(|e| self.lost(&e))
    }

    /// The same, and every line of the reply is an extension.
    fn say_and_keep(&mut self, line: &str) -> Result<Reply, Outcome> {
        self.extensions.clear();
        self.is_answered = false;
        let sent = self.stream.send(format!("{line}\r\n").as_bytes());
        sent.and_then(|()| self.read(true)).map_err(|e| self.lost(&e))
    }

    fn reply(&mut self) -> io::Result<Reply> {
        self.read(false)
    }

    fn read(&mut self, keep: bool) -> io::Result<Reply> {
        let mut first: Option<Reply> = None;
        for _ in 0..LINES_LIMIT {
            // Before anything is cut off: what is left of a secret is one.
            let line = self.server.hide.apply(&self.stream.line()?);
            let code = line.get(..3).filter(|code| code.iter().all(u8::is_ascii_digit));
            let code = code.and_then(|code| std::str::from_utf8(code).ok()?.parse().ok());
            let code: u16 = code.ok_or_else(|| io::Error::other("this is not a mail server"))?;
            let words = neutral::text(line.get(4..).unwrap_or_default(), WORDS_LIMIT);
            if keep {
                self.extensions.push(words.to_ascii_uppercase());
            }
            let reply = first.get_or_insert(Reply { code, words });
            if line.get(3) != Some(&b'-') {
                self.is_answered = code != 421;
                return Ok(Reply { code, words: std::mem::take(&mut reply.words) });
            }
        }
        Err(io::Error::other("its reply has no end"))
    }

    fn lost(&self, e: &io::Error) -> Outcome {
        let why = match e.kind() {
            io::ErrorKind::TimedOut => format!("it did not answer within {:?}", self.server.timeout),
            io::ErrorKind::UnexpectedEof => "it closed the connection".into(),
            _ => neutral::text(plain(e), WORDS_LIMIT),
        };
        let hint = if self.stream.is_tls() { "" } else { "; check server, port and tls" };
        Outcome::NotSent { why: self.server.line(&format!("{why}{hint}")) }
    }

    fn expect(&self, reply: Reply, code: u16, usual: &'static str) -> Result<Reply, Outcome> {
        if reply.code == code { Ok(reply) } else { Err(self.refused(&reply, usual)) }
    }

    /// A refusal before the text was sent: for now, or until somebody acts.
    fn refused(&self, reply: &Reply, usual: &'static str) -> Outcome {
        let advice = reply.advice(usual, self.server.login.is_some());
        let why = self.server.line(&format!("{}; {advice}", reply.line()));
        if reply.is_for_now() { Outcome::NotSent { why } } else { Outcome::Stop { why } }
    }
}

/// Account and password as AUTH PLAIN says them.
pub(super) fn coded_login(user: &Secret, password: &Secret) -> Zeroizing<String> {
    let pair = Zeroizing::new(format!("\0{}\0{}", user.expose(), password.expose()));
    Zeroizing::new(BASE64_STANDARD.encode(pair.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::sync::Arc;

    use rustls::RootCertStore;

    use super::*;
    use crate::receiver::definition::Hide;

    /// What becomes of a letter at a server that thinks for so long before it answers the dot, and how we greeted it.
    fn delivered(patience: Duration, thinks: Duration) -> (Outcome, String) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(socket.try_clone().unwrap()).lines().map_while(Result::ok);
            let mut say = |reply: &str| socket.write_all(format!("{reply}\r\n").as_bytes());
            say("220 x").unwrap();
            let hello = lines.next().unwrap();
            for reply in ["250 x", "250 x", "250 x", "354 x"] {
                say(reply).unwrap();
                if reply != "354 x" {
                    lines.next();
                }
            }
            lines.find(|line| line == ".");
            std::thread::sleep(thinks);
            let _ = say("250 x");
            hello
        };
        let server = std::thread::spawn(serve);
        let outcome = Server {
            host: "127.0.0.1".into(),
            port,
            tls: Tls::None,
            roots: Arc::new(RootCertStore::empty()),
            login: None,
            hide: Hide::new(&[]),
            hello: None,
            timeout: Duration::from_secs(2),
            patience,
        }
        .deliver(&Envelope { from: "a@b.c", to: &["d@e.f".to_owned()], letter: b"x" }, Box::new(|| Ok(())));
        (outcome.0, server.join().unwrap())
    }

    #[test]
    fn a_server_that_reads_a_message_before_it_takes_it_has_the_time_for_it() {
        let thinks = Duration::from_secs(4);
        let (outcome, hello) = delivered(Duration::from_secs(40), thinks);
        assert_eq!((outcome.kind(), hello.as_str()), ("accepted", "EHLO [127.0.0.1]"));
        assert_eq!(delivered(Duration::ZERO, thinks).0.kind(), "ambiguous");
    }
}
