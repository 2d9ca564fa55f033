//! Changing one part of the credentials file: the account's four values at the top, or one receiver's table. All the
//! rest, comments too, stays as it is, and the file is replaced in one step.
//!
//! The text is changed and not a parsed document, so that every copy of it can be wiped. What comes out is read back
//! before it is written: it must hold exactly what was meant.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::stored::Stored;
use super::{Credentials, Error, KEYS, SIZE_LIMIT, Secret, Secrets};
use crate::storage;

const HEAD: &str = "# Written by authalert. Who can read this can send as you.\n";

/// Put `secrets` into the table of the receiver `name`, in the place of what it holds; without any, take it out.
pub fn store_section(path: &Path, name: &str, secrets: &Secrets) -> Result<(), Error> {
    // A file that cannot be used as it is must be put right first: others may have read it.
    let before = Stored::load(path)?;
    let old = read(path)?;
    let mut text = sized(&old);
    match sections(&old).find(|section| section.name == Some(name)) {
        Some(Section { start, end, .. }) => {
            text.push_str(storage::without_gap(&old[..start]));
            text.push_str(&old[end..]);
        }
        None if secrets.is_empty() => return Ok(()),
        None => text.push_str(&old),
    }
    if !secrets.is_empty() {
        text.push_str(if path.exists() { "" } else { HEAD });
        let gap = storage::gap(&text);
        text.push_str(gap);
        text.push_str(&format!("[{name}]\n"));
        secrets.iter().for_each(|(key, secret)| assign(&mut text, key, secret));
    }
    // What was made here goes with the last that it was made for.
    if *text == HEAD {
        return match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::Write(path.into(), e)),
            _ => Ok(()),
        };
    }
    let meant = before.with_section(name, secrets.clone());
    write(path, &text, &meant)
}

/// Put the account's values at the top.
pub(super) fn store_account(path: &Path, account: &Credentials) -> Result<(), Error> {
    let old = read(path)?;
    let others = Stored::parse(&old);
    // What has no table in it holds nobody else's secrets, and is replaced whatever it is.
    if let (Err(why), true) = (&others, old.lines().any(|line| line.trim_start().starts_with('['))) {
        return Err(Error::Content(path.into(), why.clone()));
    }
    let mut text = sized(&old);
    text.push_str("# Written by `authalert authorize`. Who can read this can post as the account.\n");
    for (key, value) in KEYS.iter().zip(account.values()) {
        assign(&mut text, key, &Secret::new(value));
    }
    let mut first = true;
    for section in sections(&old).filter(|section| section.name.is_some()) {
        text.push_str(if std::mem::take(&mut first) { "\n" } else { "" });
        text.push_str(&old[section.start..section.next]);
    }
    write(path, &text, &others.unwrap_or_default().with_account(account.secrets()))
}

/// Room for all that may come: a text that grows leaves copies behind.
fn sized(old: &str) -> Zeroizing<String> {
    Zeroizing::new(String::with_capacity(old.len() + SIZE_LIMIT))
}

/// The lines before the first table, or those of one table with the comment above it.
pub(super) struct Section<'a> {
    pub name: Option<&'a str>,
    pub start: usize,
    /// Where its last line ends that is not blank.
    end: usize,
    /// Where the next one starts.
    pub next: usize,
}

pub(super) fn sections(text: &str) -> impl Iterator<Item = Section<'_>> {
    let is_header = |line: &str| line.trim_start().starts_with('[');
    let (mut starts, mut at, mut comment) = (vec![0], 0, None);
    for line in text.split_inclusive('\n') {
        if is_header(line) {
            starts.push(comment.unwrap_or(at));
        }
        comment = if line.starts_with('#') { comment.or(Some(at)) } else { None };
        at += line.len();
    }
    starts.push(text.len());
    (1..starts.len()).map(move |i| {
        let (start, next) = (starts[i - 1], starts[i]);
        let lines = &text[start..next];
        let name = lines.lines().find_map(|line| line.trim_start().strip_prefix('[')?.split(']').next());
        let last = lines.trim_end().len();
        let end = start + lines[last..].find('\n').map_or(lines.len(), |newline| last + newline + 1);
        let name = name.map(|name| name.trim_start_matches('[').trim().trim_matches(['"', '\'']));
        Section { name, start, end, next }
    })
}

/// `key = "value"`, with what TOML escapes.
fn assign(text: &mut Zeroizing<String>, key: &str, secret: &Secret) {
    text.push_str(key);
    text.push_str(" = \"");
    for c in secret.expose().chars() {
        if ['"', '\\'].contains(&c) {
            text.push('\\');
        }
        text.push(c);
    }
    text.push_str("\"\n");
}

/// The file's text, whoever may read it; empty where there is none, or a link, whose target is nobody's credentials.
fn read(path: &Path) -> Result<Zeroizing<String>, Error> {
    let failed = |e| Error::Read(path.into(), e);
    if fs::symlink_metadata(path).map_or(true, |meta| !meta.is_file()) {
        return Ok(Zeroizing::default());
    }
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = fs::File::options().read(true).custom_flags(flags.bits() as i32).open(path).map_err(failed)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(SIZE_LIMIT + 2));
    if file.take(SIZE_LIMIT as u64 + 1).read_to_end(&mut bytes).map_err(failed)? > SIZE_LIMIT {
        return Err(Error::TooLong(path.into()));
    }
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    Ok(Zeroizing::new(text.to_owned()))
}

fn write(path: &Path, text: &str, meant: &Stored) -> Result<(), Error> {
    if Stored::parse(text).as_ref() != Ok(meant) {
        let why = "its form is unusual, and it is not changed; write the values into it yourself".into();
        return Err(Error::Content(path.into(), why));
    }
    storage::replace(path, text.as_bytes()).map_err(|e| Error::Write(path.into(), e))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials.toml");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        (directory, path)
    }

    fn one(key: &str, value: &str) -> Secrets {
        [(key.to_owned(), Secret::new(value))].into_iter().collect()
    }

    #[test]
    fn a_table_is_written_replaced_and_taken_out_and_the_rest_stays_to_the_byte() {
        let old = "# mine\napi_key = \"k1\"\napi_secret = \"s2\" # why\naccess_token = \"t3\"\naccess_token_secret = \"u4\"\n\n\
                   # the pager\n[ntfy]\ntoken = \"tk_1\"\n[sms]\ntoken = \"a\\\"b\"\n";
        let (_dir, path) = file(old);
        store_section(&path, "chat", &one("token", "q\"\\é")).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{old}\n[chat]\ntoken = \"q\\\"\\\\é\"\n"));
        store_section(&path, "ntfy", &one("token", "tk_2")).unwrap();
        let stored = Stored::load(&path).unwrap();
        assert_eq!(stored.of("ntfy", "ntfy").unwrap(), one("token", "tk_2"));
        assert_eq!(stored.of("x", "x").unwrap().len(), 4);
        assert_eq!(stored.of("chat", "chat").unwrap(), one("token", "q\"\\é"));
        for name in ["ntfy", "chat", "absent"] {
            store_section(&path, name, &Secrets::new()).unwrap();
        }
        assert_eq!(Stored::load(&path).unwrap().sections().collect::<Vec<_>>(), ["sms"]);
        assert!(fs::read_to_string(&path).unwrap().contains("# why"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_table_that_was_added_and_taken_out_leaves_the_file_as_it_was() {
        for old in [
            "",
            "# mine",
            "# mine\n",
            "[a]\ntoken = \"1\"",
            "[a]\ntoken = \"1\"\n\n",
            "[a]\n\n# b\n[b]\nkey = \"2\"\n",
        ] {
            let (_dir, path) = file(old);
            store_section(&path, "ntfy", &one("token", "tk_1")).unwrap();
            store_section(&path, "sms", &one("key", "k")).unwrap();
            store_section(&path, "sms", &Secrets::new()).unwrap();
            store_section(&path, "ntfy", &Secrets::new()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), old);
        }
        let (_dir, path) = file("[a]\ntoken = \"1\"\n\n[b]\ntoken = \"2\"\n\n[c]\ntoken = \"3\"\n");
        store_section(&path, "b", &Secrets::new()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "[a]\ntoken = \"1\"\n\n[c]\ntoken = \"3\"\n");
        fs::remove_file(&path).unwrap();
        store_section(&path, "ntfy", &one("token", "tk_1")).unwrap();
        assert!(fs::read_to_string(&path).unwrap().starts_with(HEAD));
        store_section(&path, "ntfy", &Secrets::new()).unwrap();
        assert!(!path.exists(), "there was none before");
    }

    #[test]
    fn where_there_is_no_file_one_is_made_and_a_damaged_one_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials.toml");
        store_section(&path, "ntfy", &one("token", "tk_1")).unwrap();
        assert_eq!(Stored::load(&path).unwrap().of("ntfy", "ntfy").unwrap(), one("token", "tk_1"));
        for odd in ["[ntfy\n", "sms.token = \"x\"\nother = 1\n", "[ntfy]\ntoken = \"\"\"\n[x]\n\"\"\"\n"] {
            fs::write(&path, odd).unwrap();
            let why = store_section(&path, "ntfy", &one("token", "hush-1")).unwrap_err().to_string();
            assert!(!why.contains("hush"), "{why}");
            assert_eq!(fs::read_to_string(&path).unwrap(), odd);
        }
    }

    #[test]
    fn a_new_account_keeps_the_tables_of_the_other_receivers() {
        let (_dir, path) = file("# old\napi_key = \"k\"\n\n# pager\n[ntfy]\ntoken = \"tk_1\"\n");
        let account = Credentials::new("key-aaa1", "secret-bbb2", "6253282-ccc3", "secret-ddd4").unwrap();
        account.store(&path).unwrap();
        let stored = Stored::load(&path).unwrap();
        assert_eq!(stored.of("ntfy", "ntfy").unwrap(), one("token", "tk_1"));
        assert_eq!(Credentials::load(&path).unwrap(), Some(account.clone()));
        fs::write(&path, "[ntfy\n").unwrap();
        assert!(account.store(&path).is_err() && fs::read_to_string(&path).unwrap() == "[ntfy\n");
    }
}
