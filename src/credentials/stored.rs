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
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use toml::de::{DeTable, DeValue};
use zeroize::{Zeroize, Zeroizing};

use super::write::sections;
use super::{Error, KEYS, SIZE_LIMIT, Secret, Secrets, open};
use crate::config::{self, Place, Twice};

/// A webhook's address is a secret too, and the longest of them.
const VALUE_LIMIT: usize = 4096;

/// The secrets of all receivers. What is wrong in the file concerns those whose secrets stand there; no value is in any
/// reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    account: Secrets,
    sections: BTreeMap<String, Secrets>,
    /// The tables that cannot be used, and why.
    wrong: BTreeMap<String, String>,
    /// Why the account's values cannot be used, or what else stands at the top.
    wrong_top: Option<String>,
    /// Lines that may be meant as the header of a table and are none, by a sum of its name: it may as well be the end of
    /// a secret.
    headers: BTreeMap<u32, usize>,
    /// Lines above the first table that set something which belongs into one, by a sum of its key.
    above: BTreeMap<u32, usize>,
    /// What stands before a reason: the file.
    place: String,
    /// Why nothing of the file can be used. `wrong` has what tables there are, as far as can be seen.
    unusable: Option<String>,
}

impl Stored {
    /// Read the file at `path`; empty if there is none. What was read is wiped. Anything that is wrong in it is an error.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let stored = Self::read(path)?;
        match stored.first_wrong() {
            Some(why) => Err(Error::Content(path.into(), why)),
            None => Ok(stored),
        }
    }

    /// What of the file at `path` can be used: nothing where another one may be meant, see
    /// [`crate::config::Config::credentials_mistake`].
    pub fn usable(path: &Path, another: Option<&str>) -> Self {
        let read = match another {
            Some(why) => Err(why.to_owned()),
            None => Self::read(path).map_err(|e| e.to_string()),
        };
        let mut stored = read.unwrap_or_else(|why| {
            let wrong = seen(path).into_iter().map(|name| (name, String::new())).collect();
            Self { unusable: Some(why), wrong, ..Self::default() }
        });
        let said = |why: &str| format!("{}: {why}", path.display());
        stored.wrong_top = stored.wrong_top.map(|why| said(&why));
        stored.place = said("");
        match &stored.unusable {
            Some(why) => stored.wrong.values_mut().for_each(|other| other.clone_from(why)),
            None => stored.wrong.values_mut().for_each(|why| *why = said(why)),
        }
        stored
    }

    fn read(path: &Path) -> Result<Self, Error> {
        let Some(mut file) = open(path)? else { return Ok(Self::default()) };
        // Room for all of it: a buffer that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(SIZE_LIMIT + 2));
        let read = (&mut file).take(SIZE_LIMIT as u64 + 1).read_to_end(&mut bytes);
        let read = read.map_err(|e| Error::Read(path.into(), e))?;
        if read > SIZE_LIMIT {
            return Err(Error::TooLong(path.into()));
        }
        let text = std::str::from_utf8(&bytes);
        let text = text.map_err(|_| Error::Content(path.into(), "it is not UTF-8".into()))?;
        Ok(Self::of_text(text))
    }

    /// Whether it holds anything of the X account. Credentials that cannot be read are an account that cannot be used.
    pub fn has_account(&self) -> bool {
        !self.account.is_empty() || self.unusable.is_some() || self.wrong_top.is_some()
    }

    /// The secrets of the receiver called `name`, of this `kind`: the X account's stand at the top. An error is why those
    /// that are there cannot be used.
    pub fn of(&self, kind: &str, name: &str) -> Result<Secrets, String> {
        let is_of_x = matches!(kind, "x" | "x-dm");
        let of_the_account = self.unusable.as_ref().or(self.wrong_top.as_ref()).filter(|_| is_of_x);
        if let Some(why) = of_the_account.or(self.wrong.get(name)) {
            return Err(why.clone());
        }
        if let Some(why) = self.elsewhere(name) {
            return Err(format!("{}{why}", self.place));
        }
        let mut secrets = if is_of_x { self.account.clone() } else { Secrets::new() };
        secrets.extend(self.sections.get(name).cloned().unwrap_or_default());
        Ok(secrets)
    }

    /// Where the table of the receiver called `name` is not there, and one is that nearly is.
    fn elsewhere(&self, name: &str) -> Option<String> {
        if self.sections.contains_key(name) {
            return None;
        }
        if let Some(line) = self.headers.get(&crc32fast::hash(name.as_bytes())) {
            return Some(format!("line {line}: the header of a table is [NAME]: [{name}] is meant"));
        }
        let other = self.sections.keys().find(|section| is_meant(section, name))?;
        Some(format!(
            "[{}] is there, and is not the table of the receiver {name}: write [{name}]",
            crate::neutral::name(other)
        ))
    }

    /// `why` a secret of the receiver called `name` cannot be used, with the file before it; with where one stands that is
    /// missing, if it stands in the wrong place.
    pub fn says(&self, name: &str, why: String) -> String {
        let Some((key, _)) = why.split_once(" is missing").filter(|(key, _)| !key.contains(' ')) else {
            let is_said = self.place.is_empty() || why.starts_with(&self.place);
            return if is_said { why } else { format!("{}{why}", self.place) };
        };
        // With all four of them it is X's own.
        let half = self.account.get(key).filter(|_| self.account.len() < KEYS.len());
        let of_the_account = half.and_then(Secret::line);
        let above = of_the_account.or_else(|| self.above.get(&crc32fast::hash(key.as_bytes())).copied());
        match above.filter(|_| !self.sections.get(name).is_some_and(|own| own.contains_key(key))) {
            Some(line) => format!(
                "{}line {line}: {key} is above the first table, where only those of X are: move it below the header [{name}]",
                self.place
            ),
            None => why,
        }
    }

    /// Why nothing of the file can be used.
    pub fn unusable(&self) -> Option<&str> {
        self.unusable.as_deref()
    }

    /// What is wrong at the top, where the account's values are.
    pub fn wrong_top(&self) -> Option<&str> {
        self.wrong_top.as_deref()
    }

    /// The tables that cannot be used, each with the reason.
    pub fn wrong_sections(&self) -> impl Iterator<Item = (&str, &str)> {
        self.wrong.iter().map(|(name, why)| (name.as_str(), why.as_str()))
    }

    fn first_wrong(&self) -> Option<String> {
        self.wrong_top.clone().or_else(|| self.wrong.values().next().cloned())
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

    /// All of it must be right.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let stored = Self::of_text(text);
        stored.first_wrong().map_or(Ok(stored), Err)
    }

    fn of_text(text: &str) -> Self {
        // As an editor of another system may begin a file.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut stored = Self::default();
        if let Ok(table) = DeTable::parse(text) {
            stored.take(table.into_inner(), &|at| Place::of(text, at).line);
            return stored;
        }
        for (number, line) in text.lines().enumerate() {
            if let Some(name) = half_header(line) {
                stored.headers.entry(crc32fast::hash(name.as_bytes())).or_insert(number + 1);
            }
        }
        // A line that is wrong concerns the table that it is in.
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for section in sections(text) {
            let lines = &text[section.start..section.next];
            let place = |at: usize| Place::of(text, section.start + at.min(lines.len()));
            let header = place(header_start(lines)).line;
            let first = section.name.and_then(|name| Some((name, *seen.get(name)?)));
            section.name.map(|name| seen.entry(name).or_insert(header));
            let wrong = match (DeTable::parse(lines), first) {
                (_, Some((name, first))) => {
                    let name = if is_name(name) { format!("[{name}]") } else { "this table".into() };
                    format!("line {header}: {}", config::twice(&name, first, header))
                }
                (Ok(table), None) => {
                    stored.take(table.into_inner(), &|at| place(at).line);
                    continue;
                }
                // Where it is and what is expected there, and nothing of what stands there: it may be a secret.
                (Err(e), None) => {
                    let at = place(begins(lines, e.span().map_or(lines.len(), |span| span.start)));
                    match Twice::find(lines, &e) {
                        Some(twice) => format!("{at}: {}", twice.said_unnamed(|at| place(at).line)),
                        None => format!("{at}: {}", config::expected(lines, &e)),
                    }
                }
            };
            match section.name.filter(|name| is_name(name)) {
                Some(name) => {
                    stored.sections.remove(name);
                    stored.wrong.insert(name.to_owned(), wrong);
                }
                None => stored.wrong_top = stored.wrong_top.or(Some(wrong)),
            }
        }
        stored
    }

    /// What is in `table`; `line` is where a byte of it stands.
    fn take(&mut self, table: DeTable<'_>, line: &dyn Fn(usize) -> usize) {
        for (key, value) in table {
            let at = line(key.span().start);
            let place = format!("line {at}: ");
            let key = key.into_inner().into_owned();
            match value.into_inner() {
                DeValue::Table(section) if !KEYS.contains(&key.as_str()) => {
                    match section_of(section, line) {
                        Ok(secrets) => drop(self.sections.insert(key, secrets)),
                        Err((at, why)) => {
                            drop(self.wrong.insert(key.clone(), format!("line {at}: [{key}] {why}")));
                        }
                    };
                }
                DeValue::Array(items)
                    if is_name(&key) && items.iter().any(|item| item.get_ref().is_table()) =>
                {
                    let why = format!("{place}[{key}] must have one pair of brackets");
                    drop(self.wrong.insert(key.clone(), why));
                }
                value if KEYS.contains(&key.as_str()) => match secret_of(value) {
                    Ok(secret) => drop(self.account.insert(key, secret.in_line(at))),
                    Err(why) => self.set_wrong_top(format!("{place}{key} {why}")),
                },
                _ => {
                    self.above.insert(crc32fast::hash(key.as_bytes()), at);
                    self.set_wrong_top(format!(
                        "{place}there is a key that does not belong here, above the first table; the keys are {}, those of \
                         other receivers stand under [NAME]",
                        KEYS.join(", ")
                    ));
                }
            }
        }
    }

    fn set_wrong_top(&mut self, why: String) {
        self.wrong_top.get_or_insert(why);
    }
}

/// The tables of a file that cannot be used: who has one there wants a secret.
fn seen(path: &Path) -> BTreeSet<String> {
    use rustix::fs::{FileType, Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let Ok(fd) = rustix::fs::open(path, flags, Mode::empty()) else { return BTreeSet::new() };
    let is_file =
        rustix::fs::fstat(&fd).is_ok_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::RegularFile);
    let mut bytes = Zeroizing::new(Vec::with_capacity(SIZE_LIMIT + 2));
    if !is_file || File::from(fd).take(SIZE_LIMIT as u64).read_to_end(&mut bytes).is_err() {
        return BTreeSet::new();
    }
    let lines = bytes.split(|b| *b == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    let names = lines.filter_map(|line| line.trim_start().strip_prefix('[')?.split(']').next());
    names
        .map(|name| name.trim_start_matches('[').trim().trim_matches(['"', '\'']))
        .filter(|name| is_name(name))
        .map(str::to_owned)
        .collect()
}

/// What a table can be called, and nothing that may be a secret.
fn is_name(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=32).contains(&name.len()) && name.bytes().all(good)
}

/// Whether a table of this name is meant to be the one of the receiver called `name`.
pub(crate) fn is_meant(section: &str, name: &str) -> bool {
    section.trim().to_ascii_lowercase().replace(['_', ' '], "-") == name
}

/// The name in a line that has one bracket of a header and not the other: `ntfy]`.
fn half_header(line: &str) -> Option<&str> {
    let line = line.split('#').next().unwrap_or_default().trim();
    let name = line.trim_matches(['[', ']', '"', '\'', ' ']);
    let is_half = line.starts_with('[') != line.ends_with(']');
    (is_half && is_name(name)).then_some(name)
}

/// Where the value begins that `at` is in, or its line: how far into a secret the mistake is would say how long that is.
fn begins(lines: &str, at: usize) -> usize {
    let before = &lines[..at.min(lines.len())];
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let start = before[start..].find('=').map_or(start, |equals| start + equals + 1);
    start + lines[start..].bytes().take_while(|b| [b' ', b'\t'].contains(b)).count()
}

/// Where the line of a section begins in which its header stands.
fn header_start(lines: &str) -> usize {
    lines.split_inclusive('\n').take_while(|line| !line.trim_start().starts_with('[')).map(str::len).sum()
}

/// The secrets of a table; an error is the line, and why its value cannot be used.
fn section_of(section: DeTable<'_>, line: &dyn Fn(usize) -> usize) -> Result<Secrets, (usize, String)> {
    let mut secrets = Secrets::new();
    for (key, value) in section {
        let at = line(key.span().start);
        let key = key.into_inner().into_owned();
        let secret = secret_of(value.into_inner()).map_err(|why| (at, format!("{key} {why}")))?;
        if let Some(why) = unusable(secret.expose()) {
            return Err((at, format!("{key} {why}")));
        }
        secrets.insert(key, secret.in_line(at));
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
            stored.of(kind, name).unwrap().iter().map(|(k, v)| (k.clone(), v.expose().to_owned())).collect()
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

    #[test]
    fn what_cannot_be_used_has_its_line_and_what_is_above_every_table_is_said_to_be() {
        for (text, key, said) in [
            (
                "token = \"hush\"\n[ntfy]\nuser = \"a\"",
                "token",
                Some("line 1: token is above the first table"),
            ),
            ("# a\napi_key = \"hush\"\n[ntfy]\n", "api_key", Some("line 2: api_key is above")),
            ("# a\napi_key = \"hush\"\n", "token", None),
            ("api_key = \"k1\"\n[ntfy]\napi_key = \"k2\"", "api_key", None),
            (TEXT, "api_key", None),
        ] {
            let why = Stored::of_text(text).says("ntfy", format!("{key} is missing: on its page"));
            match said {
                Some(said) => assert!(
                    why.starts_with(said) && why.ends_with("below the header [ntfy]"),
                    "{text}: {why}"
                ),
                None => assert_eq!(why, format!("{key} is missing: on its page"), "{text}"),
            }
        }
        let line = |text: &str| Stored::parse(text).unwrap_err();
        assert!(line("[a]\nb = \"c\"\n[ntfy]\n\ntoken = 4711").starts_with("line 5: [ntfy] token must be"));
        assert!(line("\n\napi_key = 4711").starts_with("line 3: api_key must be in quotes"));
        assert!(line("\ntoken = \"hush\"").starts_with("line 2: there is a key that does not belong here"));
        // Also where another table keeps the file from being read at once.
        let stored = Stored::of_text("[a]\nb = c\n\n[ntfy]\ntoken = \"hush \"\n");
        assert_eq!(stored.of("ntfy", "ntfy").unwrap()["token"].says("x"), "line 5: x");
        let stored = Stored::of_text("[a]\nb = c\n\n[ntfy]\nuser = \"u\"\ntoken = 4711\n");
        assert!(stored.of("ntfy", "ntfy").unwrap_err().starts_with("line 6: [ntfy] token must"));
    }

    #[test]
    fn a_table_that_is_nearly_the_receivers_is_not_passed_over_in_silence() {
        for text in [
            "[Ntfy]\ntoken = \"hush\"",
            "ntfy]\ntoken = \"hush\"",
            "[slack]\nwebhook = \"hush\"\n ntfy ] # x\n",
        ] {
            let stored = Stored::of_text(text);
            let why = stored.of("ntfy", "ntfy").unwrap_err();
            assert!(why.contains("[ntfy]") && !why.contains("hush"), "{text}: {why}");
            assert!(stored.of("ntfy", "other").unwrap().is_empty(), "{text}");
        }
        let why = Stored::of_text("[my_phone]\ntoken = \"hush\"").of("ntfy", "my-phone").unwrap_err();
        assert!(why.contains("[my_phone]") && why.contains("write [my-phone]"), "{why}");
        // The right one is there as well.
        let both = Stored::of_text("[Ntfy]\ntoken = \"a\"\n[ntfy]\ntoken = \"b\"");
        assert_eq!(both.of("ntfy", "ntfy").unwrap()["token"].expose(), "b");
        // A secret may end as a header does, and is no name of a receiver.
        let stored = Stored::of_text("[slack]\nwebhook = [\nhush]\n");
        assert!(stored.of("ntfy", "ntfy").unwrap().is_empty());
        let shown: Vec<_> = stored.wrong_sections().map(|(name, why)| format!("{name} {why}")).collect();
        assert!(!format!("{shown:?} {:?} {stored:?}", stored.wrong_top()).contains("hush"), "{shown:?}");
    }

    fn file(text: &str, mode: u32) -> (tempfile::TempDir, Stored) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials.toml");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        let stored = Stored::usable(&path, None);
        (directory, stored)
    }

    #[test]
    fn a_mistake_in_one_table_leaves_the_others_and_no_reason_has_a_value_in_it() {
        for (wrong, words) in [
            ("token = 4711hush", "line 6, column 9: "),
            ("token = [\"hush\"]", "[sms] token must be in quotes"),
            ("token = hush", "line 6, column 9: text stands in \"quotes\""),
            ("token = hush hush", "line 6, column 9: "),
            ("token = \"hush", "line 6, column 9: a text does not end: its \" is missing"),
            ("token = 'hush", "line 6, column 9: a text does not end: its ' is missing"),
            ("token = \"\"\"hush", "a text does not end: its \"\"\" is missing"),
            ("token \"hush\"", "line 6, column 1: a line is KEY = VALUE or [TABLE]: the = is missing"),
            ("token = \"hush\" hush", "line 6, column 9: a line is one KEY = VALUE"),
            ("hush", "line 6, column 1: a line is KEY = VALUE or [TABLE]: the = is missing"),
            (
                "token = \"hush\"\ntoken = \"hush\"",
                "line 7, column 1: this is here twice, in line 6 and line 7; take one out",
            ),
            ("hush = 1\nhush = 2", "line 7, column 1: this is here twice, in line 6 and line 7"),
            ("token = \"hu\\qsh\"", "line 6, column 9: a \\ in \"quotes\" begins one of"),
            ("token = \"\"", "[sms] token is empty"),
            ("token = { a = \"hush\" }", "[sms] token must be in quotes"),
        ] {
            let text = format!(
                "api_key = \"k1\"\n[ntfy]\ntoken = \"tk\"\n\n[sms]\n{wrong}\n# the last\n[slack]\nwebhook = \"w\"\n"
            );
            let (_directory, stored) = file(&text, 0o600);
            let why = stored.of("twilio", "sms").unwrap_err();
            assert!(why.contains(words) && why.contains("credentials.toml: "), "{wrong}: {why}");
            let all = format!("{stored:?} {why}");
            assert!(!all.contains("hush") && !all.contains("4711"), "{wrong}: {all}");
            assert_eq!(stored.of("ntfy", "ntfy").unwrap()["token"].expose(), "tk", "{wrong}");
            assert_eq!(stored.of("slack", "slack").unwrap()["webhook"].expose(), "w", "{wrong}");
            assert_eq!(stored.of("x", "x").unwrap()["api_key"].expose(), "k1", "{wrong}");
            assert!(stored.of("command", "other").unwrap().is_empty());
            assert!(stored.wrong_sections().map(|(name, _)| name).eq(["sms"]), "{wrong}");
        }
        let (_directory, stored) = file("[sms]\ntoken = \"a\"\n[sms]\ntoken = \"hush\"\n", 0o600);
        let why = stored.of("twilio", "sms").unwrap_err();
        assert!(why.contains("line 3: [sms] is here twice, in line 1 and line 3; take one out"), "{why}");
        for (header, wrong, words) in [
            ("[[sms]]", "token = \"hush\"", "[sms] must have one pair of brackets"),
            ("[[sms]]", "token = hush", "line 5"),
            ("\u{feff}[sms]", "token = hush", "line 2"),
        ] {
            let account = "api_key = \"k1\"\n[ntfy]\ntoken = \"tk\"\n";
            let own = format!("{header}\n{wrong}\n");
            let is_first = header.starts_with('\u{feff}');
            let text =
                if is_first { format!("{own}[ntfy]\ntoken = \"tk\"\n") } else { format!("{account}{own}") };
            let (_directory, stored) = file(&text, 0o600);
            let why = stored.of("twilio", "sms").unwrap_err();
            assert!(why.contains(words) && !why.contains("hush"), "{text}: {why}");
            assert_eq!(stored.of("ntfy", "ntfy").unwrap()["token"].expose(), "tk");
            assert!(is_first || stored.of("x", "x").unwrap()["api_key"].expose() == "k1", "{text}");
        }
        let (_directory, stored) = file("api_key = k1\n[ntfy]\ntoken = \"tk\"\n", 0o600);
        assert!(stored.of("x", "x").unwrap_err().contains("line 1") && stored.has_account());
        assert_eq!(stored.of("ntfy", "ntfy").unwrap()["token"].expose(), "tk");
    }

    #[test]
    fn a_file_that_cannot_be_used_concerns_those_who_have_a_table_in_it() {
        let text = "api_key = \"hush\"\n[ntfy]\ntoken = \"hush\"\n[HUSH hush]\n";
        let (_directory, stored) = file(text, 0o644);
        for (kind, name) in [("ntfy", "ntfy"), ("x", "phone")] {
            let why = stored.of(kind, name).unwrap_err();
            assert!(why.contains("chmod 600") && !why.contains("hush"), "{why}");
        }
        assert!(stored.of("ntfy", "other").unwrap().is_empty() && stored.has_account());
        assert!(stored.unusable().is_some_and(|why| why.contains("chmod 600")));
        assert!(!format!("{stored:?}").to_lowercase().contains("hush"));
    }

    #[test]
    fn where_another_file_may_be_meant_nobody_gets_what_stands_in_this_one() {
        let (directory, _) = file("api_key = \"hush\"\n[ntfy]\ntoken = \"hush\"\n", 0o600);
        let stored = Stored::usable(&directory.path().join("credentials.toml"), Some("line 3: credentials"));
        for (kind, name) in [("ntfy", "ntfy"), ("x", "x")] {
            assert_eq!(stored.of(kind, name).unwrap_err(), "line 3: credentials");
        }
        assert!(stored.of("ntfy", "other").unwrap().is_empty() && stored.has_account());
    }
}
