//! From the configuration and the credentials to a receiver.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::command::Command;
use super::definition::{self, Http};
use super::mail::Mail;
use super::service;
use super::timeline::Timeline;
use super::x::{Direct, X};
use super::{Kind, Receiver};
use crate::config;
use crate::credentials::{Secrets, Stored};

/// Why there is no receiver. Both say in one line what to put right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Something in the configuration; begins with the key that it is about.
    Config(String),
    /// Something in a definition.
    Definition(String),
    /// A secret is missing or cannot be right.
    Credentials(String),
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(why) | Self::Definition(why) | Self::Credentials(why) => f.write_str(why),
        }
    }
}

/// Whether receivers of this kind may be served by the worker in a login: those that speak HTTPS, and
/// nothing that starts a process or talks longer.
pub fn serves_in_login(kind: &str) -> bool {
    !matches!(kind, "mail" | "command")
}

/// How long one attempt may take.
pub fn longest_attempt(config: &config::Receiver) -> Duration {
    let unset = if config.kind == "mail" { super::mail::LONGEST } else { Duration::from_secs(20) };
    config.timeout.unwrap_or(unset)
}

/// What receivers of this kind are for unless the configuration says; none: as every receiver.
pub fn default_tell(kind: &str) -> Option<Vec<Kind>> {
    match definition::find(kind)? {
        Ok(found) => found.default_tell().map(<[Kind]>::to_vec),
        Err(_) => definition::own_file(kind).and_then(|file| told_by_a_broken_one(&file)),
    }
}

/// The same of a definition that has a mistake elsewhere: what is counted as pending meanwhile is sent when that is put
/// right, and where messages cost money that must not be everything.
fn told_by_a_broken_one(file: &Path) -> Option<Vec<Kind>> {
    #[derive(serde::Deserialize)]
    struct Only {
        default_tell: Vec<Kind>,
    }
    let bytes = crate::storage::read(file).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let whole = toml::from_str(&text).ok();
    let line = || text.lines().find_map(|line| toml::from_str(line).ok());
    whole.or_else(line).map(|Only { default_tell }| default_tell)
}

/// Whether this receiver starts a program, which wants another sandbox than what only talks over the network.
pub fn starts_a_program(config: &config::Receiver) -> bool {
    config.kind == "command" || (config.kind == "mail" && config.parameters.contains_key("sendmail"))
}

/// The receiver that `config` describes, with what is `stored` for it. One that needs no secret is not concerned by
/// what is wrong with those of others.
pub fn build_with(
    config: &config::Receiver,
    stored: &Stored,
    addresses: Vec<SocketAddr>,
) -> Result<Box<dyn Receiver>, Error> {
    let secrets = match stored.of(&config.kind, &config.name) {
        Err(why) if config.mistake.is_none() && config.kind != config::TIMELINE => {
            return Err(Error::Credentials(why));
        }
        secrets => secrets.unwrap_or_default(),
    };
    build(config, &secrets, addresses).map_err(|e| match (e, stored.unusable()) {
        // It may be there, and cannot be read.
        (Error::Credentials(_), Some(why)) => Error::Credentials(why.to_owned()),
        (Error::Credentials(why), None) => Error::Credentials(stored.says(&config.name, why)),
        (e, _) => e,
    })
}

/// The receiver that `config` describes, with its own `secrets`; all its values are filled in, see
/// [`config::Config::receivers`]. Connects to nothing. With `addresses` no name is looked up.
pub fn build(
    config: &config::Receiver,
    secrets: &Secrets,
    addresses: Vec<SocketAddr>,
) -> Result<Box<dyn Receiver>, Error> {
    if let Some(mistake) = &config.mistake {
        return Err(Error::Config(mistake.clone()));
    }
    of_its_kind(config, secrets, addresses).map_err(|e| match e {
        Error::Config(why) => Error::Config(config.written.locate(&why)),
        Error::Credentials(_) | Error::Definition(_) => e,
    })
}

fn of_its_kind(
    config: &config::Receiver,
    secrets: &Secrets,
    addresses: Vec<SocketAddr>,
) -> Result<Box<dyn Receiver>, Error> {
    match config.kind.as_str() {
        config::TIMELINE => Ok(Box::new(Timeline)),
        "x" => Ok(Box::new(X::of(config, secrets, addresses)?)),
        "x-dm" => Ok(Box::new(Direct::of(config, secrets, addresses)?)),
        "mail" => Ok(Box::new(Mail::of(config, secrets)?)),
        "command" => Ok(Box::new(Command::of(config)?)),
        other => match definition::find(other) {
            Some(Ok(found)) => Ok(Box::new(Http::new(found, config, secrets, addresses)?)),
            Some(Err(mistake)) => Err(Error::Definition(mistake.to_string())),
            None => {
                let kind = crate::neutral::name(other);
                let meant = service::suggestion(other);
                Err(Error::Config(format!("kind \"{kind}\" is not a kind of receiver{meant}")))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_money_is_for_break_ins_unless_the_configuration_says() {
        assert_eq!(default_tell("twilio"), Some(vec![Kind::BreakIn]));
        assert!(["ntfy", "x", "timeline", "no-such"].into_iter().all(|kind| default_tell(kind).is_none()));
        for entry in definition::list(std::path::Path::new("/nonexistent")) {
            let definition = entry.definition.unwrap();
            assert_eq!(definition.costs_money(), definition.default_tell().is_some(), "{}", entry.kind);
        }
    }

    #[test]
    fn a_definition_with_a_mistake_still_says_whom_it_is_for() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let told = |text: &str| {
            std::fs::write(file.path(), text).unwrap();
            told_by_a_broken_one(file.path())
        };
        let good = "metod = \"POST\"\ndefault_tell = [\"break-in\"]\n";
        assert_eq!(told(good), Some(vec![Kind::BreakIn]));
        assert_eq!(told(&format!("{good}[[answer.test\n")), Some(vec![Kind::BreakIn]));
        assert_eq!(told("default_tell = [\"brake-in\"]\n"), None);
        assert_eq!(told("metod = \"POST\"\n"), None);
    }

    #[test]
    fn a_kind_that_does_not_exist_is_an_error_that_says_where_they_are_listed() {
        let config: config::Receiver = toml::from_str("kind = \"pigeon\"").unwrap();
        let why = build(&config, &Secrets::new(), Vec::new()).map(drop).unwrap_err().to_string();
        assert!(why.contains("\"pigeon\"") && why.contains("authalert receivers"), "{why}");
        let config: config::Receiver = toml::from_str("kind = \"ntfi\"").unwrap();
        let why = build(&config, &Secrets::new(), Vec::new()).map(drop).unwrap_err().to_string();
        assert_eq!(why, "kind \"ntfi\" is not a kind of receiver (did you mean \"ntfy\"?)");
    }

    #[test]
    fn each_mistake_in_the_credentials_has_file_and_line_and_shows_no_value() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials.toml");
        let of = |kind: &str, keys: &str, text: &str| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            let config = format!("[[receiver]]\nkind = \"{kind}\"\n{keys}");
            let config = config::Config::parse(&config, Path::new("/etc/authalert/config.toml")).unwrap();
            let receiver = config.receivers(false).swap_remove(0);
            build_with(&receiver, &Stored::usable(&path, None), Vec::new()).map(drop).unwrap_err().to_string()
        };
        let ntfy = "topic = \"a\"\n";
        for (kind, keys, text, line, words) in [
            (
                "ntfy",
                ntfy,
                "[ntfy]\ntokn = \"hush\"\n",
                2,
                "is not one of its parameters (did you mean token?); they are",
            ),
            ("ntfy", ntfy, "[ntfy]\n\nhush = \"hush\"\n", 3, "is not one of its parameters; they are"),
            ("ntfy", ntfy, "# a\n[ntfy]\ntoken = \"hush \"\n", 3, "token must be one line, without a blank"),
            ("ntfy", ntfy, "[ntfy]\ntoken = 4711\n", 2, "[ntfy] token must be in quotes"),
            ("slack", "", "webhook = \"hush\"\n[slack]\n", 1, "webhook is above the first table"),
            (
                "x",
                "",
                "api_key = \"k1\"\napi_secret = \"hush \"\naccess_token = \"t\"\naccess_token_secret = \"u\"\n",
                2,
                "api_secret holds a blank",
            ),
        ] {
            let why = of(kind, keys, text);
            assert!(why.starts_with(&format!("{}: line {line}: ", path.display())), "{text}: {why}");
            assert!(why.contains(words) && !why.contains("hush") && !why.contains("4711"), "{text}: {why}");
        }
        let missing = of("slack", "", "");
        assert!(missing.starts_with("webhook is missing: "), "{missing}");
    }
}
