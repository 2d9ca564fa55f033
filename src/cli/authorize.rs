//! `authalert authorize`: from an app's key to a machine that may post, the way a person goes it.
//!
//! Secrets are asked for, never taken as arguments, which every user of the machine can see. At a terminal they
//! are not shown; otherwise they are read as lines.

use std::fmt;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::ask::{self, ask, ask_hidden};
use super::interrupt::Interrupt;
use super::lock::Lock;
use crate::config::Config;
use crate::credentials::{self, Credentials, trc};
use crate::receiver::Outcome;
use crate::receiver::http::{self, Client};
use crate::receiver::x::oauth::{self, AccessToken, AppKey, RequestToken};
use crate::receiver::x::{Access, Account, X};

/// So many PINs are asked for with the same keys.
const PINS: usize = 3;

/// Why the machine is not authorized. `Display` says what to do.
#[derive(Debug)]
pub enum Error {
    /// The terminal or the pipe.
    Io(io::Error),
    /// The input ended, or the person gave up.
    Abandoned,
    /// An answer that cannot be right.
    Input(String),
    /// The configuration.
    Client(http::Error),
    /// The PIN flow.
    Flow(oauth::Error),
    /// The credentials file.
    Credentials(credentials::Error),
    /// The file of `t`.
    Import(trc::Error),
    /// The app may read and not post.
    ReadOnly(PathBuf),
    /// X does not accept what was just written.
    Rejected(PathBuf, String),
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(why) => write!(f, "cannot talk to the terminal: {why}"),
            Self::Abandoned => f.write_str("given up, nothing was written"),
            Self::Input(why) => write!(f, "{why}, nothing was written"),
            Self::Client(why) => why.fmt(f),
            Self::Flow(why) => why.fmt(f),
            Self::Credentials(why) => why.fmt(f),
            Self::Import(why) => why.fmt(f),
            Self::ReadOnly(path) => write!(
                f,
                "{} is written, but the app may only read. In the developer console open the app's \"User \
                 authentication settings\", choose \"Read and write\", and run `authalert authorize` again: the old \
                 token keeps the old permission",
                path.display()
            ),
            Self::Rejected(path, why) => {
                write!(f, "{} is written, but it does not work: {why}", path.display())
            }
        }
    }
}

impl From<io::Error> for Error {
    fn from(e: io::Error) -> Self {
        if e.kind() == io::ErrorKind::UnexpectedEof { Self::Abandoned } else { Self::Io(e) }
    }
}

impl From<ask::Error> for Error {
    fn from(e: ask::Error) -> Self {
        match e {
            ask::Error::Io(e) => e.into(),
            ask::Error::Ended => Self::Abandoned,
            ask::Error::Input(why) => Self::Input(why),
        }
    }
}

impl From<http::Error> for Error {
    fn from(e: http::Error) -> Self {
        Self::Client(e)
    }
}

impl From<oauth::Error> for Error {
    fn from(e: oauth::Error) -> Self {
        Self::Flow(e)
    }
}

/// Authorize this machine: by the PIN flow, or with the credentials in the file `import` of the Ruby command `t`.
pub fn run(
    (state, config): (&Path, &Config),
    import: Option<&Path>,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let path = config.credentials_path();
    // A PIN is good for one try: better to fail before it is asked for.
    let lock = Lock::take(state, &config.path).map_err(Error::Input)?;
    credentials::probe(&path).map_err(Error::Credentials)?;
    drop(lock);
    let (credentials, name) = match import {
        Some(file) => (trc::import(&home(file)).map_err(Error::Import)?, None),
        None => pin_flow(config, input, out)?,
    };
    let lock = Lock::take(state, &config.path).map_err(Error::Input)?;
    credentials.store(&path).map_err(Error::Credentials)?;
    drop(lock);
    let shown = path.display();
    writeln!(out, "{shown} is written.")?;
    let x = X::new(&config.x, credentials, Vec::new())?;
    let interrupt = Interrupt::says(format!("{shown} is written, and not tried; later run: authalert check"));
    let account = x.me();
    drop(interrupt);
    let account = match account {
        Ok(account) => account,
        Err(
            Outcome::Stop { why }
            | Outcome::Suspect { why }
            | Outcome::Rejected { why }
            | Outcome::Refused { why }
            | Outcome::Pause { why },
        ) => {
            return Err(Error::Rejected(path, why));
        }
        // The token is good, X is only busy; a second PIN would not help.
        Err(other) => {
            writeln!(out, "It could not be tried yet: {}", other.why())?;
            writeln!(out, "Later run: authalert check")?;
            return Ok(());
        }
    };
    conclude(account, name, path, out)
}

fn conclude(account: Account, name: Option<String>, path: PathBuf, out: &mut dyn Write) -> Result<(), Error> {
    let name = account.screen_name.or(name).map_or("the account".to_owned(), |name| format!("@{name}"));
    match account.access {
        Access::ReadOnly => return Err(Error::ReadOnly(path)),
        Access::Write => writeln!(out, "Alerts will be posted as {name}.")?,
        Access::Unknown(_) => writeln!(
            out,
            "Alerts will be posted as {name}, if the app may post: X did not say. Its permission must be \"Read and write\"."
        )?,
    }
    writeln!(out, "Try it: authalert test")?;
    Ok(())
}

fn pin_flow(
    config: &Config,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> Result<(Credentials, Option<String>), Error> {
    let client = Client::new(&config.x, Vec::new())?;
    writeln!(
        out,
        "In the developer console (https://console.x.com) the app needs the permission \"Read and write\".\n\
         Its \"Keys and tokens\" page shows the API Key and the API Key Secret."
    )?;
    let key = value(ask("API Key: ", input, out)?, "the API Key")?;
    let secret = value(ask_hidden("API Key Secret (not shown): ", input, out)?, "the API Key Secret")?;
    let app = AppKey { key: &key, secret: &secret };
    let access = access(&client, app, input, out)?;
    let credentials = Credentials::new(&key, &secret, &access.token, &access.secret).map_err(Error::Input)?;
    Ok((credentials, access.screen_name))
}

/// By a PIN. One that cannot be right, or that X refuses, costs another address, and not the keys again.
fn access(
    client: &Client,
    app: AppKey<'_>,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> Result<AccessToken, Error> {
    let mut wrong = None;
    for _ in 0..PINS {
        if wrong.is_some() {
            writeln!(out, "That PIN cannot be used. Once more:")?;
        }
        let interrupt = Interrupt::says("nothing was written");
        let token = RequestToken::ask(client, app)?;
        drop(interrupt);
        writeln!(
            out,
            "\nOpen this address in a browser, log in as the account that posts the alerts, and allow the app:\n\n  {}\n",
            token.authorize_url(client)
        )?;
        let line = match ask("PIN: ", input, out) {
            Err(ask::Error::Ended) if wrong.is_some() => break,
            line => line?,
        };
        let _interrupt = Interrupt::says("nothing was written");
        match pin(&line).and_then(|pin| Ok(token.exchange(client, app, &pin)?)) {
            Err(why @ (Error::Input(_) | Error::Flow(oauth::Error::Pin | oauth::Error::Expired))) => {
                wrong = Some(why);
            }
            done => return done,
        }
    }
    Err(wrong.unwrap_or(Error::Abandoned))
}

fn value(line: Zeroizing<String>, what: &str) -> Result<Zeroizing<String>, Error> {
    if credentials::is_plausible(&line) {
        return Ok(line);
    }
    Err(Error::Input(format!("{what} is empty, a placeholder or holds a blank; copy it again")))
}

/// The digits of a PIN, which people copy with blanks or a dash in it.
fn pin(line: &str) -> Result<String, Error> {
    let digits: String = line.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    if (4..=12).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(digits);
    }
    Err(Error::Input("a PIN is a number of about seven digits; run `authalert authorize` again".into()))
}

/// `~/…` from the caller's home; `HOME` is right here, where a person types, and only picks what to read.
fn home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => path.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_cannot_be_one_is_named_and_not_shown() {
        let line = Zeroizing::new("hush hush".to_owned());
        let error = value(line, "the API Key").unwrap_err().to_string();
        assert!(error.contains("the API Key") && !error.contains("hush"), "{error}");
    }

    #[test]
    fn a_pin_is_digits_however_it_was_copied() {
        for text in ["1234567", " 123 4567 ", "123-4567"] {
            assert_eq!(pin(text).unwrap(), "1234567");
        }
        for text in ["", "abc", "12", "1234567890123", "12345\u{661}"] {
            assert!(pin(text).is_err(), "{text}");
        }
    }
}
