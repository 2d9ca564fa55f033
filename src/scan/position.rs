//! Where the last pass stopped: `scan.json` in the state directory.
//!
//! A file is known by its first complete line, so it is recognised under another name, under
//! another inode (copytruncate), and compressed. Saved only after the failures are durable:
//! written beside, synced, renamed.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::attempts::Open;

/// Name in the state directory.
const NAME: &str = "scan.json";
const LOCK: &str = "scan.lock";
/// How long a second scan waits for the first.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a first line that identify it.
const IDENTITY: u64 = 4096;

/// Everything that a pass leaves for the next.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// By path as it was given; the file of today last.
    #[serde(default)]
    pub files: BTreeMap<String, Vec<Known>>,
    /// When the last pass began, in seconds of the epoch.
    #[serde(default)]
    pub passed: i64,
    /// The systemd journal, once it was read.
    #[serde(default)]
    pub journald: Option<Cursor>,
    /// Processes whose lines may go on.
    #[serde(default)]
    pub open: Open,
    /// Records of the module that were found in the log already: time and pid.
    #[serde(default)]
    pub used: Vec<(i64, u32)>,
}

/// A file that was read before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Of its first complete line; absent while it had none.
    pub identity: Option<u64>,
    /// Up to here it was read, in bytes of the uncompressed file.
    pub offset: u64,
    /// The inode under which it was last seen.
    pub inode: u64,
}

/// A place in the systemd journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// After this entry.
    pub cursor: Option<String>,
    /// While there is none: from this second on.
    pub since: i64,
}

/// The state directory, held by one scan at a time.
#[derive(Debug)]
pub struct Position {
    directory: PathBuf,
    _lock: File,
}

impl Position {
    /// Wait a little for another scan to end. `Ok(None)`: it did not.
    pub fn lock(directory: &Path) -> io::Result<Option<Self>> {
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(directory.join(LOCK))?;
        let start = Instant::now();
        loop {
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Some(Self { directory: directory.to_owned(), _lock: lock })),
                Err(rustix::io::Errno::WOULDBLOCK) if start.elapsed() < PATIENCE => {
                    thread::sleep(Duration::from_millis(50));
                }
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Make `state` the place from which the next pass goes on.
    pub fn save(&self, state: &State) -> io::Result<()> {
        let text = serde_json::to_vec(state)?;
        let temporary = self.directory.join("scan.json.tmp");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&temporary, self.directory.join(NAME))?;
        File::open(&self.directory)?.sync_all()
    }
}

/// What the last pass left. With it a warning, if that was damaged and has been set aside (unless
/// `keep`), so that this pass is like the first.
pub fn load(directory: &Path, keep: bool) -> io::Result<(Option<State>, Option<String>)> {
    let path = directory.join(NAME);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((None, None)),
        Err(e) => return Err(e),
    };
    match serde_json::from_slice(&text) {
        Ok(state) => Ok((Some(state), None)),
        Err(why) => {
            let aside = directory.join("scan.json.damaged");
            if !keep {
                fs::rename(&path, &aside)?;
            }
            let warning = format!(
                "{} was damaged ({why}) and is now {}; logs are read from now on, use --since for what came before",
                path.display(),
                aside.display()
            );
            Ok((None, Some(warning)))
        }
    }
}

/// The identity of a log: a hash of its first complete line, and of how many NUL bytes came
/// before it. `None`: it has no complete line yet.
pub fn identity(source: impl Read) -> io::Result<Option<u64>> {
    let mut source = BufReader::with_capacity(16 << 10, source);
    let mut nuls = 0_u64;
    loop {
        let (found, len) = {
            let bytes = source.fill_buf()?;
            (bytes.iter().position(|b| *b != 0), bytes.len())
        };
        nuls += found.unwrap_or(len) as u64;
        source.consume(found.unwrap_or(len));
        if found.is_some() || len == 0 {
            break;
        }
    }
    let mut line = Vec::new();
    source.take(IDENTITY).read_until(b'\n', &mut line)?;
    if line.last() != Some(&b'\n') && (line.len() as u64) < IDENTITY {
        return Ok(None);
    }
    let mut hash = Fnv::default();
    hash.write(&line);
    if nuls > 0 {
        hash.write(&nuls.to_le_bytes());
    }
    Ok(Some(hash.finish()))
}

/// FNV-1a, 64 bits: the same in every version of this program, as what it names is kept on disk.
#[derive(Clone, Copy, Debug)]
pub struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// Take in bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// The hash of all that was taken in.
    pub fn finish(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_known_by_its_first_complete_line() {
        let of = |text: &[u8]| identity(text).unwrap();
        assert_eq!(of(b""), None);
        assert_eq!(of(b"half a line"), None);
        assert_eq!(of(b"a\nb\n"), of(b"a\nc\n"));
        assert_ne!(of(b"a\n"), of(b"b\n"));
        assert_ne!(of(b"\0\0a\n"), of(b"a\n"));
        assert_eq!(of(&[0; 100_000]), None);
        assert!(of(&[b'x'; 5000]).is_some());
    }

    #[test]
    fn what_was_saved_is_loaded_and_what_is_damaged_is_set_aside() {
        let directory = tempfile::tempdir().unwrap();
        let position = Position::lock(directory.path()).unwrap().unwrap();
        let mut state = State::default();
        state.files.insert(
            "/var/log/auth.log".into(),
            vec![Known { identity: Some(u64::MAX), offset: 7, inode: 9 }],
        );
        position.save(&state).unwrap();
        let (loaded, warning) = load(directory.path(), false).unwrap();
        assert_eq!((loaded.unwrap().files, warning), (state.files, None));
        fs::write(directory.path().join(NAME), "{\"files\":").unwrap();
        let (loaded, warning) = load(directory.path(), false).unwrap();
        assert!(loaded.is_none() && warning.unwrap().contains("damaged"));
        assert!(directory.path().join("scan.json.damaged").exists());
        assert!(load(directory.path(), false).unwrap().0.is_none());
    }
}
