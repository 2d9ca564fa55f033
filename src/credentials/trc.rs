//! `~/.trc`: the credentials that the Ruby command `t` keeps, read once for `authorize --import-trc`.
//!
//! `t` writes YAML of one shape: maps of maps, two blanks a level, plain or quoted scalars, and the list of the default
//! profile. Exactly that is understood; anything else is refused with its line, so that no half-read file passes for credentials.
//!
//! ```text
//! configuration:
//!   default_profile:
//!   - web1_alerts
//!   - CONSUMERKEY
//! profiles:
//!   web1_alerts:
//!     CONSUMERKEY:
//!       username: web1_alerts
//!       consumer_key: CONSUMERKEY
//!       consumer_secret: …
//!       token: …
//!       secret: …
//! ```

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::Credentials;

const SIZE_LIMIT: u64 = 256 << 10;
const DEPTH_LIMIT: usize = 8;

/// Why there are no credentials in the file. `Display` says what to do; it quotes no secret.
#[derive(Debug)]
pub enum Error {
    /// It cannot be read.
    Read(PathBuf, io::Error),
    /// It is not what `t` writes.
    Content(PathBuf, String),
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, why) => {
                write!(f, "cannot read {}: {why}; name the file: --import-trc PATH", path.display())
            }
            Self::Content(path, why) => {
                write!(f, "{}: {why}; run `authalert authorize` without --import-trc", path.display())
            }
        }
    }
}

/// The credentials of the default profile of the file at `path`.
pub fn import(path: &Path) -> Result<Credentials, Error> {
    // Room for all of it: a text that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(SIZE_LIMIT as usize + 1));
    let file = File::open(path).map_err(|e| Error::Read(path.into(), e))?;
    file.take(SIZE_LIMIT).read_to_string(&mut text).map_err(|e| Error::Read(path.into(), e))?;
    parse(&text).map_err(|why| Error::Content(path.into(), why))
}

fn parse(text: &str) -> Result<Credentials, String> {
    let entries = entries(text)?;
    let default: Vec<&str> = entries
        .iter()
        .filter(|e| e.path == ["configuration", "default_profile"] && e.is_item)
        .map(|e| e.value.as_str())
        .collect();
    let [user, key] = default[..] else { return Err("it names no default profile".into()) };
    let value = |name: &str| {
        let mut found = entries
            .iter()
            .filter(|e| e.path == ["profiles", user, key, name] && !e.is_item && !e.value.is_empty());
        match (found.next(), found.next()) {
            (Some(entry), None) => Ok(entry.value.as_str()),
            (None, _) => Err(format!("its default profile has no {name}")),
            _ => Err(format!("its default profile has {name} twice")),
        }
    };
    if value("consumer_key")? != key {
        return Err("its default profile and that profile's consumer_key differ".into());
    }
    Credentials::new(key, value("consumer_secret")?, value("token")?, value("secret")?)
        .map_err(|why| format!("its default profile: {why}"))
}

/// One line: the keys that lead to it, and its value (empty for a map).
struct Entry {
    path: Vec<String>,
    value: Zeroizing<String>,
    is_item: bool,
}

fn entries(text: &str) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    // The keys that are open, each with its indentation.
    let mut open: Vec<(usize, String)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let content = line.trim_start_matches(' ');
        let indent = line.len() - content.len();
        let content = content.trim_end();
        if content.is_empty() || content.starts_with('#') || (number == 0 && content == "---") {
            continue;
        }
        let odd = || format!("line {} is not of the form that t writes", number + 1);
        if let Some(item) = content.strip_prefix("- ") {
            // A list may stand at the indentation of its key.
            open.retain(|(at, _)| *at <= indent);
            let path = open.iter().map(|(_, key)| key.clone()).collect();
            entries.push(Entry { path, value: Zeroizing::new(scalar(item).ok_or_else(odd)?), is_item: true });
            continue;
        }
        let (key, value) = match content.strip_suffix(':') {
            Some(key) => (key, ""),
            None => content.split_once(": ").ok_or_else(odd)?,
        };
        let key = scalar(key).ok_or_else(odd)?;
        let value = if value.is_empty() { String::new() } else { scalar(value).ok_or_else(odd)? };
        open.retain(|(at, _)| *at < indent);
        if open.len() >= DEPTH_LIMIT || (indent > 0 && open.is_empty()) {
            return Err(odd());
        }
        open.push((indent, key));
        let path = open.iter().map(|(_, key)| key.clone()).collect();
        entries.push(Entry { path, value: Zeroizing::new(value), is_item: false });
    }
    Ok(entries)
}

/// A plain, `'quoted'` or `"quoted"` scalar without escapes, tags, anchors or flow collections.
fn scalar(text: &str) -> Option<String> {
    let text = text.trim();
    for quote in ['\'', '"'] {
        if let Some(rest) = text.strip_prefix(quote) {
            return rest.strip_suffix(quote).filter(|t| !t.contains(['\'', '"', '\\'])).map(str::to_owned);
        }
    }
    let plain = !text.is_empty()
        && !text.starts_with(['&', '*', '!', '|', '>', '%', '@', '`', '{', '[', '?', '-', ',', '}', ']'])
        && !text.contains([':', '#', '\'', '"', '\t'])
        || text
            .strip_prefix(':')
            .is_some_and(|symbol| symbol.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
    plain.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "---
configuration:
  default_profile:
  - web1_alerts
  - KEY2
profiles:
  other:
    KEY1:
      username: other
      consumer_key: KEY1
      consumer_secret: no1
      token: no2
      secret: no3
  web1_alerts:
    KEY2:
      username: web1_alerts
      consumer_key: KEY2
      consumer_secret: 'cs+/='
      token: 6253282-abc
      secret: \"ts\"
";

    #[test]
    fn the_default_profile_is_read() {
        let expected = Credentials::new("KEY2", "cs+/=", "6253282-abc", "ts").unwrap();
        assert_eq!(parse(SAMPLE).unwrap(), expected);
        let indented = SAMPLE.replace("  - ", "    - ");
        assert_eq!(parse(&indented).unwrap(), expected);
        let numeric = SAMPLE.replace("web1_alerts", "'12345'");
        assert_eq!(parse(&numeric).unwrap(), expected);
    }

    #[test]
    fn what_t_does_not_write_is_refused_and_not_quoted() {
        for (from, to, words) in [
            ("      token: 6253282-abc\n", "", "has no token"),
            ("token: 6253282-abc", "token: &anchor 6253282-abc", "line 19"),
            ("token: 6253282-abc", "token: |\n        6253282-abc", "line 19"),
            ("token: 6253282-abc", "token: {a: b}", "line 19"),
            ("token: 6253282-abc", "token", "line 19"),
            ("token: 6253282-abc", "token: a\n      token: b", "token twice"),
            ("  - KEY2\n", "", "no default profile"),
            ("  - KEY2\n", "  - KEY2\n  - KEY3\n", "no default profile"),
            ("  - KEY2\n", "  - KEY1\n", "has no consumer_key"),
            ("consumer_key: KEY2", "consumer_key: KEY9", "differ"),
            ("profiles:\n", "", "has no consumer_key"),
            ("configuration:", "  configuration:", "line 2"),
            ("secret: \"ts\"", "secret: \"ts", "line 20"),
            ("secret: \"ts\"", "secret: your_secret", "placeholder"),
        ] {
            let text = SAMPLE.replacen(from, to, 1);
            assert_ne!(text, SAMPLE, "{from}");
            let error = parse(&text).map(|_| ()).unwrap_err();
            assert!(error.contains(words), "{from:?} -> {to:?}: {error}");
            assert!(!error.contains("6253282") && !error.contains("ts\""), "{error}");
        }
    }

    #[test]
    fn any_bytes_at_all_are_refused_without_a_panic() {
        for text in
            ["", "---", "\u{feff}", ":", "-", "- ", " : ", "a:\n b:\n  c:", "\t\t\t", "'", "\"\"\":", "é: é"]
        {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert!(parse(&(0..5000).map(|n| format!("{}k:\n", " ".repeat(n))).collect::<String>()).is_err());
    }

    #[test]
    fn a_missing_file_says_how_to_name_another() {
        let error = import(Path::new("/nonexistent/.trc")).unwrap_err().to_string();
        assert!(error.contains("--import-trc PATH"), "{error}");
    }
}
