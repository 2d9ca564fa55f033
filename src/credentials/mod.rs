//! `/etc/authalert/credentials.toml`: what lets this machine post. Root's alone.
//!
//! The file is refused if anybody else could read or write it, rather than used with a warning: who holds
//! these values can post as the account. No value appears in an error or in `Debug`.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::storage;
use rustix::fs::{FileType, Mode, OFlags};

mod secret;
mod stored;
pub mod trc;
mod write;

pub use secret::{Secret, Secrets};
pub use stored::Stored;
pub(crate) use stored::is_meant;
pub use write::store_section;

/// What a whole file may take.
const SIZE_LIMIT: usize = 64 << 10;
const VALUE_LIMIT: usize = 256;
const KEYS: [&str; 4] = ["api_key", "api_secret", "access_token", "access_token_secret"];

/// What signs a post. All four values are plausible: printable, without blanks, no placeholders.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The app ("API Key", once "consumer key").
    pub api_key: Secret,
    /// The app's secret.
    pub api_secret: Secret,
    /// The account, as this app sees it.
    pub access_token: Secret,
    /// The secret of the access token.
    pub access_token_secret: Secret,
}

/// Why the file cannot be used or written. `Display` says what to do.
#[derive(Debug)]
pub enum Error {
    /// It cannot be read.
    Read(PathBuf, io::Error),
    /// It is a link, a directory, a device …
    NotAFile(PathBuf),
    /// Somebody else owns it.
    Owner(PathBuf, u32),
    /// Somebody else may read or write it.
    Mode(PathBuf, u32),
    /// It is longer than all secrets can be.
    TooLong(PathBuf),
    /// It is not what it should be; why, without quoting it.
    Content(PathBuf, String),
    /// It cannot be written.
    Write(PathBuf, io::Error),
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, why) => write!(f, "cannot read {}: {why}", path.display()),
            Self::NotAFile(path) => {
                write!(f, "{} is not a plain file; replace it with one (links are refused)", path.display())
            }
            Self::Owner(path, uid) => {
                let path = path.display();
                write!(f, "{path} belongs to uid {uid}; run: chown root:root {path} && chmod 600 {path}")
            }
            Self::Mode(path, mode) => {
                let path = path.display();
                write!(
                    f,
                    "{path} is open to others (mode {mode:03o}); run: chown root:root {path} && chmod 600 {path}; \
                     if others use this machine, make new keys"
                )
            }
            Self::TooLong(path) => {
                write!(f, "{} is longer than any credentials; run `authalert authorize`", path.display())
            }
            Self::Content(path, why) => write!(f, "{}: {why}", path.display()),
            Self::Write(path, why) => {
                write!(f, "cannot write {}: {why}", path.display())?;
                match why.kind() {
                    io::ErrorKind::PermissionDenied => f.write_str("; run this as root"),
                    io::ErrorKind::NotFound => f.write_str("; make its directory first"),
                    _ => Ok(()),
                }
            }
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(hidden)")
    }
}

impl Credentials {
    /// Four values; the error names the one that cannot be right, and does not show it.
    pub fn new(
        api_key: &str,
        api_secret: &str,
        access_token: &str,
        access_token_secret: &str,
    ) -> Result<Self, String> {
        let values = [api_key, api_secret, access_token, access_token_secret];
        for (key, value) in KEYS.iter().zip(values) {
            validate(value).map_err(|why| format!("{key} {why}"))?;
        }
        let [api_key, api_secret, access_token, access_token_secret] = values.map(Secret::new);
        Ok(Self { api_key, api_secret, access_token, access_token_secret })
    }

    /// Read the file at `path`; none if there is no file or no account in it, which means: no account yet.
    pub fn load(path: &Path) -> Result<Option<Self>, Error> {
        let stored = Stored::load(path)?;
        if !stored.has_account() {
            return Ok(None);
        }
        let secrets = stored.of("x", "");
        secrets
            .and_then(|secrets| Self::from_secrets(&secrets))
            .map(Some)
            .map_err(|why| Error::Content(path.into(), why))
    }

    /// The four values among `secrets`; the error names the one that is missing or cannot be right.
    pub fn from_secrets(secrets: &Secrets) -> Result<Self, String> {
        let get = |key: &str| match secrets.get(key) {
            Some(value) => Ok(value.expose()),
            None => Err(format!("{key} is missing; run `authalert authorize`")),
        };
        let [api_key, api_secret, access_token, access_token_secret] = KEYS.map(get);
        Self::new(api_key?, api_secret?, access_token?, access_token_secret?).map_err(|why| {
            let of_it = secrets.iter().find(|(key, _)| why.split(' ').next() == Some(key.as_str()));
            of_it.map_or(why.clone(), |(_, secret)| secret.says(&why))
        })
    }

    /// Write the file at `path`, mode 0600, in one step: a reader sees the old file or the new one, whole. What it holds of
    /// other receivers stays.
    pub fn store(&self, path: &Path) -> Result<(), Error> {
        write::store_account(path, self)
    }

    /// `text` with every value that a request carries in the clear replaced by `[hidden]`.
    pub(crate) fn hide(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text;
        let values = self.values();
        while let Some((first, tail)) = rest.split_first() {
            match values.iter().filter(|v| rest.starts_with(v.as_bytes())).map(|v| v.len()).max() {
                Some(length) => {
                    out.extend_from_slice(b"[hidden]");
                    rest = &rest[length..];
                }
                None => {
                    out.push(*first);
                    rest = tail;
                }
            }
        }
        out
    }

    /// The values by their keys.
    fn secrets(&self) -> Secrets {
        KEYS.iter().zip(self.values()).map(|(key, value)| ((*key).to_owned(), Secret::new(value))).collect()
    }

    fn values(&self) -> [&str; 4] {
        [&self.api_key, &self.api_secret, &self.access_token, &self.access_token_secret].map(Secret::expose)
    }
}

/// Whether `value` can be a key, a token or a secret.
pub(crate) fn is_plausible(value: &str) -> bool {
    validate(value).is_ok()
}

/// Whether a file can be stored at `path`, without touching the one that is there.
pub fn probe(path: &Path) -> Result<(), Error> {
    storage::probe(path).map_err(|e| Error::Write(path.into(), e))
}

/// Open a file that only its rightful owner can have written; none if there is none.
fn open(path: &Path) -> Result<Option<File>, Error> {
    // Non-blocking, so that a pipe in its place cannot hold a login up.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let fd = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => fd,
        // A directory that is away is no file that is not there.
        Err(rustix::io::Errno::NOENT) => {
            return storage::dangling(path).map_or(Ok(None), |e| Err(Error::Read(path.into(), e)));
        }
        Err(rustix::io::Errno::LOOP) => return Err(Error::NotAFile(path.into())),
        Err(e) => return Err(Error::Read(path.into(), e.into())),
    };
    let stat = rustix::fs::fstat(&fd).map_err(|e| Error::Read(path.into(), e.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Error::NotAFile(path.into()));
    }
    if !storage::is_ours(stat.st_uid) {
        return Err(Error::Owner(path.into(), stat.st_uid));
    }
    if stat.st_mode & 0o077 != 0 {
        return Err(Error::Mode(path.into(), stat.st_mode & 0o777));
    }
    Ok(Some(File::from(fd)))
}

fn validate(value: &str) -> Result<(), &'static str> {
    if value.is_empty() {
        return Err("is empty");
    }
    if value.len() > VALUE_LIMIT {
        return Err("is too long for a key or token");
    }
    if !value.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("holds a blank or a character that no key has; copy it again");
    }
    if is_placeholder(value) {
        return Err("still holds a placeholder; put the real value in its place");
    }
    Ok(())
}

fn is_placeholder(value: &str) -> bool {
    // Compared where it is: a copy in lower case would stay in memory.
    let starts =
        ["your", "<", "[", "{", "$", "...", "changeme", "change-me", "change_me", "replace", "placeholder"];
    let one_character = value.len() > 1 && value.bytes().all(|b| Some(b) == value.bytes().next());
    let begins =
        |start: &&str| value.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
    one_character || starts.iter().any(begins) || KEYS.iter().any(|key| key.eq_ignore_ascii_case(value))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn sample() -> Credentials {
        Credentials::new("key-aaa1", "secret-bbb2", "6253282-ccc3", "secret-ddd4").unwrap()
    }

    fn file(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("credentials.toml");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    #[test]
    fn what_was_stored_is_loaded_and_is_for_the_owner_alone() {
        let (_dir, path) = file("old", 0o600);
        sample().store(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(Credentials::load(&path).unwrap(), Some(sample()));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn storing_the_account_keeps_the_secrets_of_other_receivers() {
        let (_dir, path) = file("api_key = \"old\"\n[ntfy]\ntoken = \"tk \\\"1\\\" \u{e4}\"\n", 0o600);
        sample().store(&path).unwrap();
        let stored = Stored::load(&path).unwrap();
        assert_eq!(Credentials::load(&path).unwrap(), Some(sample()));
        assert_eq!(stored.of("ntfy", "ntfy").unwrap()["token"].expose(), "tk \"1\" \u{e4}");
    }

    #[test]
    fn a_directory_that_is_away_is_no_file_that_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("away/credentials.toml");
        assert!(matches!(Credentials::load(&path), Ok(None)));
        std::os::unix::fs::symlink("/nonexistent/directory", dir.path().join("away")).unwrap();
        let why = Credentials::load(&path).unwrap_err().to_string();
        assert!(why.contains("away is a link to a directory that is not there"), "{why}");
    }

    #[test]
    fn storing_over_an_open_file_does_not_keep_its_mode() {
        let (_dir, path) = file("old", 0o644);
        sample().store(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    }

    #[test]
    fn storing_through_a_link_replaces_the_link_and_leaves_its_target() {
        let (dir, target) = file("untouched", 0o600);
        let link = dir.path().join("link.toml");
        symlink(&target, &link).unwrap();
        sample().store(&link).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "untouched");
        assert!(fs::symlink_metadata(&link).unwrap().is_file());
    }

    #[test]
    fn where_nothing_can_be_written_is_known_before_and_what_is_there_stays() {
        let (dir, path) = file("kept", 0o600);
        probe(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let error = probe(&dir.path().join("none/credentials.toml")).unwrap_err().to_string();
        assert!(error.contains("make its directory first"), "{error}");
    }

    #[test]
    fn no_file_means_no_account_yet() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Credentials::load(&dir.path().join("none.toml")).unwrap(), None);
    }

    #[test]
    fn a_file_that_others_may_touch_is_refused_with_the_command_that_mends_it() {
        for mode in [0o640, 0o604, 0o620, 0o601, 0o644] {
            let (_dir, path) = file("", mode);
            let error = Credentials::load(&path).unwrap_err().to_string();
            assert!(error.contains("chmod 600") && error.contains("chown root:root"), "{error}");
        }
    }

    #[test]
    fn a_file_of_another_owner_is_refused() {
        let (_dir, path) = file("", 0o600);
        if !rustix::process::geteuid().is_root() {
            return; // only root can give a file away
        }
        std::os::unix::fs::chown(&path, Some(12345), None).unwrap();
        let error = Credentials::load(&path).unwrap_err().to_string();
        assert!(error.contains("uid 12345") && error.contains("chown root:root"), "{error}");
    }

    #[test]
    fn links_directories_and_pipes_are_refused_at_once() {
        let (dir, path) = file("", 0o600);
        let link = dir.path().join("link.toml");
        symlink(&path, &link).unwrap();
        let pipe = dir.path().join("pipe.toml");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        for odd in [link.as_path(), pipe.as_path(), dir.path()] {
            let error = Credentials::load(odd).unwrap_err();
            assert!(matches!(error, Error::NotAFile(_)), "{error}");
        }
    }

    #[test]
    fn wrong_content_is_explained_and_never_quoted() {
        let text = |key: &str, value: &str| {
            format!("api_key = \"k1\"\napi_secret = \"s2\"\naccess_token = \"t3\"\n{key} = {value}\n")
        };
        for (content, words) in [
            ("api_secret = \"hush1\"\n".into(), "api_key is missing"),
            (text("access_token_secret", "\"\""), "access_token_secret is empty"),
            (text("access_token_secret", "\"hush hush\""), "access_token_secret holds a blank"),
            (text("access_token_secret", "\"hush\u{e9}\""), "access_token_secret holds a blank"),
            (text("access_token_secret", "\"YOUR_HUSH\""), "placeholder"),
            (text("access_token_secret", "\"<hush>\""), "placeholder"),
            (text("access_token_secret", "\"xxxxxxxx\""), "placeholder"),
            (text("access_token_secret", "\"access_token_secret\""), "placeholder"),
            (text("access_token_secret", &format!("\"{}\"", "hush".repeat(65))), "too long"),
            (text("access_token_secret", "4711"), "in quotes"),
            (text("access_token_secret", "hush"), "line 4"),
            (text("access_token", "\"hush\""), "line 4"),
            (text("hush", "\"hush\""), "the keys are api_key"),
            ("#".repeat(70_000), "longer than"),
        ] {
            let (_dir, path) = file(&content, 0o600);
            let error = Credentials::load(&path).unwrap_err().to_string();
            assert!(error.contains(words), "{content}: {error}");
            assert!(!error.to_lowercase().contains("hush"), "{error}");
        }
        let (_dir, path) = file("", 0o600);
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(Credentials::load(&path).is_err());
    }

    #[test]
    fn debug_shows_no_value() {
        assert_eq!(format!("{:?}", sample()), "Credentials(hidden)");
    }

    #[test]
    fn an_echo_of_the_request_is_hidden() {
        let echo = b"oauth_consumer_key=\"key-aaa1\", token=6253282-ccc3\xff6253282-ccc3";
        assert_eq!(sample().hide(echo), b"oauth_consumer_key=\"[hidden]\", token=[hidden]\xff[hidden]");
    }
}
