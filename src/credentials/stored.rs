//! What the credentials file holds: the X account's four values at the top, and for each other receiver a
//! table with its name.
//!
//! ```toml
//! api_key = "…"
//! api_secret = "…"
//! access_token = "…"
//! access_token_secret = "…"
//!
//! [ntfy]
//! token = "tk_…"
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use toml::de::{DeTable, DeValue};
use zeroize::{Zeroize, Zeroizing};

use super::{Error, KEYS, SIZE_LIMIT, Secret, Secrets, open};

/// A webhook's address is a secret too, and the longest of them.
const VALUE_LIMIT: usize = 4096;

/// The secrets of all receivers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    account: Secrets,
    sections: BTreeMap<String, Secrets>,
}

impl Stored {
    /// Read the file at `path`; empty if there is none. What was read is wiped.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let Some(mut file) = open(path)? else { return Ok(Self::default()) };
        // Room for all of it: a buffer that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(SIZE_LIMIT + 2));
        let read = (&mut file).take(SIZE_LIMIT as u64 + 1).read_to_end(&mut bytes);
        let read = read.map_err(|e| Error::Read(path.into(), e))?;
        if read > SIZE_LIMIT {
            return Err(Error::TooLong(path.into()));
        }
        let content = |why: String| Error::Content(path.into(), why);
        let text = std::str::from_utf8(&bytes).map_err(|_| content("it is not UTF-8".into()))?;
        Self::parse(text).map_err(content)
    }

    /// Whether it holds anything of the X account.
    pub fn has_account(&self) -> bool {
        !self.account.is_empty()
    }

    /// The secrets of the receiver called `name`, of this `kind`: the X account's stand at the top.
    pub fn of(&self, kind: &str, name: &str) -> Secrets {
        let mut secrets = if matches!(kind, "x" | "x-dm") { self.account.clone() } else { Secrets::new() };
        secrets.extend(self.sections.get(name).cloned().unwrap_or_default());
        secrets
    }

    /// The names of the tables.
    pub fn sections(&self) -> impl Iterator<Item = &str> {
        self.sections.keys().map(String::as_str)
    }

    /// The same with these secrets in the table `name`; without any, without it.
    pub(super) fn with_section(mut self, name: &str, secrets: Secrets) -> Self {
        self.sections.remove(name);
        if !secrets.is_empty() {
            self.sections.insert(name.to_owned(), secrets);
        }
        self
    }

    /// The same with these values of the account.
    pub(super) fn with_account(self, account: Secrets) -> Self {
        Self { account, ..self }
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        // The parser's own message may quote the line, and the line may be a secret.
        let table = DeTable::parse(text).map_err(|e: toml::de::Error| {
            let line = e.span().map_or(1, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
            format!("line {line} is not of the form KEY = \"VALUE\", or its key is here twice")
        })?;
        let mut stored = Self::default();
        for (key, value) in table.into_inner() {
            let key = key.into_inner().into_owned();
            match value.into_inner() {
                DeValue::Table(section) if !KEYS.contains(&key.as_str()) => {
                    let secrets = section_of(section).map_err(|why| format!("[{key}] {why}"))?;
                    stored.sections.insert(key, secrets);
                }
                value if KEYS.contains(&key.as_str()) => {
                    let secret = secret_of(value).map_err(|why| format!("{key} {why}"))?;
                    stored.account.insert(key, secret);
                }
                _ => {
                    return Err(format!(
                        "there is a key in it that does not belong; the keys are {}, those of other receivers stand \
                         under [NAME]",
                        KEYS.join(", ")
                    ));
                }
            }
        }
        Ok(stored)
    }
}

fn section_of(section: DeTable<'_>) -> Result<Secrets, String> {
    let mut secrets = Secrets::new();
    for (key, value) in section {
        let key = key.into_inner().into_owned();
        let secret = secret_of(value.into_inner()).map_err(|why| format!("{key} {why}"))?;
        if let Some(why) = unusable(secret.expose()) {
            return Err(format!("{key} {why}"));
        }
        secrets.insert(key, secret);
    }
    Ok(secrets)
}

/// A value that bears an escape is a copy of the parser's: it is wiped.
fn secret_of(value: DeValue<'_>) -> Result<Secret, &'static str> {
    match value {
        DeValue::String(Cow::Borrowed(text)) => Ok(Secret::new(text)),
        DeValue::String(Cow::Owned(mut text)) => {
            let secret = Secret::new(text.as_str());
            text.zeroize();
            Ok(secret)
        }
        _ => Err("must be in quotes"),
    }
}

fn unusable(value: &str) -> Option<&'static str> {
    if value.is_empty() {
        return Some("is empty");
    }
    if value.len() > VALUE_LIMIT {
        return Some("is too long");
    }
    value.chars().any(char::is_control).then_some("holds a character that no secret has; copy it again")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "api_key = \"k1\"\napi_secret = \"s2\"\naccess_token = \"t3\"\naccess_token_secret = \"u4\"\n\
                        [ntfy]\ntoken = \"tk_hush\"\n[sms]\nsid = \"AC1\"\ntoken = \"a\\\"b\"\n";

    #[test]
    fn each_receiver_gets_its_own_table_and_x_the_four_at_the_top() {
        let stored = Stored::parse(TEXT).unwrap();
        let exposed = |kind: &str, name: &str| -> Vec<(String, String)> {
            stored.of(kind, name).iter().map(|(k, v)| (k.clone(), v.expose().to_owned())).collect()
        };
        assert_eq!(exposed("ntfy", "ntfy"), [("token".into(), "tk_hush".into())]);
        assert_eq!(exposed("twilio", "sms")[1], ("token".into(), "a\"b".into()));
        assert_eq!(exposed("x", "phone").len(), 4);
        assert_eq!(exposed("x-dm", "dm")[0], ("access_token".into(), "t3".into()));
        assert!(exposed("ntfy", "other").is_empty());
        assert_eq!(stored.sections().collect::<Vec<_>>(), ["ntfy", "sms"]);
        assert!(stored.has_account() && !format!("{stored:?}").contains("hush"));
    }

    #[test]
    fn mistakes_in_a_table_are_named_and_never_quoted() {
        for (text, words) in [
            ("[ntfy]\ntoken = 4711", "[ntfy] token must be in quotes"),
            ("[ntfy]\ntoken = \"\"", "[ntfy] token is empty"),
            ("[ntfy]\ntoken = \"hu\\u0007sh\"", "holds a character"),
            ("[ntfy]\ntoken = hush", "line 2"),
            ("token = \"hush\"", "does not belong"),
            ("[api_key]\ntoken = \"hush\"", "api_key must be in quotes"),
        ] {
            let why = Stored::parse(text).unwrap_err();
            assert!(why.contains(words) && !why.contains("hush"), "{text:?}: {why}");
        }
    }
}
