//! The definitions that are built in, and the administrator's own in `/etc/authalert/receivers.d`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Definition, Mistake};
use crate::storage;

/// Where the administrator's own definitions are. One of a built-in kind's name takes its place.
pub const OWN: &str = "/etc/authalert/receivers.d";

const LARGEST: u64 = 64 << 10;

macro_rules! built_in {
    ($($kind:literal),* $(,)?) => {
        [$(($kind, include_str!(concat!("../../../receivers/", $kind, ".toml")))),*]
    };
}

const BUILT_IN: [(&str, &str); 21] = built_in![
    "46elks",
    "bulksms",
    "clicksend",
    "discord",
    "gotify",
    "mastodon",
    "matrix",
    "mattermost",
    "ntfy",
    "plivo",
    "pushover",
    "seven",
    "signal",
    "sinch",
    "slack",
    "smsapi",
    "teams",
    "telegram",
    "twilio",
    "vonage",
    "webhook"
];

/// One definition that there is.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name in `[[receiver]]`.
    pub kind: String,
    /// The definition, or what is wrong with it.
    pub definition: Result<Definition, Mistake>,
    /// Whether it is the administrator's own.
    pub is_own: bool,
}

/// The definition of `kind`; none if there is none.
pub fn find(kind: &str) -> Option<Result<Definition, Mistake>> {
    find_in(Path::new(OWN), kind)
}

/// As [`find`], with the administrator's own in `directory`.
pub fn find_in(directory: &Path, kind: &str) -> Option<Result<Definition, Mistake>> {
    if !is_kind(kind) {
        return None;
    }
    let path = directory.join(format!("{kind}.toml"));
    let file = path.display().to_string();
    match storage::read_trusted_text(&path, LARGEST) {
        Ok(text) => Some(Definition::parse(kind, &file, &text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let (_, text) = BUILT_IN.iter().find(|(name, _)| *name == kind)?;
            Some(Definition::parse(kind, &format!("{kind}.toml (built in)"), text))
        }
        Err(e) => Some(Err(Mistake { file, line: None, column: None, why: e.to_string() })),
    }
}

/// Where the administrator's own definition of `kind` is, if there is one.
pub fn own_file(kind: &str) -> Option<PathBuf> {
    let path = Path::new(OWN).join(format!("{kind}.toml"));
    (is_kind(kind) && path.exists()).then_some(path)
}

/// Every definition that there is, by name, with the administrator's own in `directory`.
pub fn list(directory: &Path) -> Vec<Entry> {
    let own: Vec<String> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".toml")?.to_owned()))
        .filter(|kind| is_kind(kind))
        .collect();
    let mut kinds: Vec<_> = BUILT_IN.iter().map(|(kind, _)| (*kind).to_owned()).chain(own.clone()).collect();
    kinds.sort();
    kinds.dedup();
    kinds
        .into_iter()
        .filter_map(|kind| {
            let definition = find_in(directory, &kind)?;
            Some(Entry { is_own: own.contains(&kind), definition, kind })
        })
        .collect()
}

/// A kind's name is a file's name too.
pub fn is_kind(kind: &str) -> bool {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=32).contains(&kind.len()) && kind.bytes().all(good) && !kind.starts_with('-')
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn every_built_in_definition_can_be_used() {
        let nowhere = Path::new("/nonexistent");
        let listed = list(nowhere);
        assert_eq!(listed.len(), BUILT_IN.len());
        for entry in listed {
            let definition = entry.definition.unwrap_or_else(|mistake| panic!("{mistake}"));
            assert!(!entry.is_own && definition.kind() == entry.kind);
        }
        assert!(find_in(nowhere, "pigeon").is_none() && find_in(nowhere, "../ntfy").is_none());
    }

    #[test]
    fn an_own_definition_takes_the_place_of_a_built_in_one_and_is_roots_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ntfy.toml");
        let text = BUILT_IN
            .iter()
            .find(|(kind, _)| *kind == "ntfy")
            .unwrap()
            .1
            .replace("title = \"ntfy\"", "title = \"Ours\"");
        fs::write(&path, &text).unwrap();
        let found = |mode| {
            fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            find_in(directory.path(), "ntfy").unwrap()
        };
        assert_eq!(found(0o644).unwrap().title(), "Ours");
        let mistake = found(0o666).unwrap_err().to_string();
        assert!(mistake.contains("ntfy.toml") && mistake.contains("chmod go-w"), "{mistake}");
        assert!(list(directory.path()).iter().any(|entry| entry.kind == "ntfy" && entry.is_own));
        fs::write(&path, "x".repeat(1 + LARGEST as usize)).unwrap();
        assert!(found(0o644).unwrap_err().why.contains("longer"));
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(find_in(directory.path(), "ntfy").unwrap().is_err());
    }
}
