//! Where the last pass stopped: `scan.json` in the state directory.
//!
//! A file is known by its first complete line, so it is recognised under another name, under
//! another inode (copytruncate), and compressed. Saved only after the failures are durable:
//! written beside, synced, renamed; with a checksum, as a place that is off by a little would read
//! lines twice, or never.
//!
//! Where it is damaged, the logs are read again from a while before it was written. That repeats
//! nothing: what the journal holds already is known by its origin, or as the module's.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::attempts::{Open, Row};
use super::known::Used;
use crate::storage;

/// Name in the state directory.
const NAME: &str = "scan.json";
const LOCK: &str = "scan.lock";
/// How long a second scan waits for the first.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a first line that identify it.
const IDENTITY: u64 = 4096;
/// What was open in a position that is lost is not older.
const OPEN: SignedDuration = SignedDuration::from_mins(10);

/// Everything that a pass leaves for the next.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// When it was saved, in microseconds of the epoch: what was recorded since then names it.
    pub saved: u64,
    /// By the path as it was given, and the systemd journal by its name.
    pub streams: BTreeMap<String, Stream>,
}

/// One log through all its rotations, or the systemd journal.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Stream {
    /// The files that it was; the one of today last.
    pub files: Vec<Known>,
    /// A place in the systemd journal, once it was read.
    pub cursor: Option<Cursor>,
    /// When the last pass began, in seconds of the epoch.
    pub passed: i64,
    /// Lines of it are read again that were read before.
    #[serde(skip)]
    pub is_again: bool,
    /// Processes whose lines may go on.
    pub open: Open,
    /// Attempts that the module may be about to record.
    pub held: Vec<Row>,
    /// Records that were found in this log already.
    pub used: Vec<Used>,
}

/// A file that was read before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Known {
    /// Of its first complete line; absent while it had none.
    pub identity: Option<u64>,
    /// Up to here it was read, in bytes of the uncompressed file.
    pub offset: u64,
    /// The inode under which it was last seen.
    pub inode: u64,
    /// Of a compressed file that was read to its end: size, and time of writing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packed: Option<(u64, i64)>,
    /// It has more to read and was not found: so many passes still look for it.
    #[serde(skip_serializing_if = "is_zero")]
    pub wanted: u32,
    /// How often it became shorter and kept its first line.
    #[serde(skip_serializing_if = "is_zero")]
    pub generation: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's form
fn is_zero(n: &u32) -> bool {
    *n == 0
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
        storage::save(&self.directory.join(NAME), state)
    }
}

/// What the last pass left.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Empty before the first pass, and where it was lost.
    pub state: State,
    /// It was lost: read again what was logged since.
    pub again: Option<Timestamp>,
    /// What to say of that.
    pub warning: Option<String>,
}

/// What the last pass left. Where that is damaged it is set aside, unless `keep`.
pub fn load(directory: &Path, keep: bool) -> io::Result<Loaded> {
    let path = directory.join(NAME);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Loaded::default()),
        Err(e) => return Err(e),
    };
    if let Some(state) = storage::decode(&text) {
        return Ok(Loaded { state, ..Loaded::default() });
    }
    let written = fs::metadata(&path)?.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
    let again = written.unwrap_or_else(Timestamp::now).checked_sub(OPEN).unwrap_or(Timestamp::UNIX_EPOCH);
    let aside = directory.join("scan.json.damaged");
    if !keep {
        fs::rename(&path, &aside)?;
    }
    let warning = format!(
        "{} was damaged and is now {}; what was logged since {again:.0} is read again",
        path.display(),
        aside.display()
    );
    Ok(Loaded { again: Some(again), warning: Some(warning), ..Loaded::default() })
}

/// The first complete line of a log, or as much of it as identifies it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstLine {
    /// NUL bytes before it.
    pub start: u64,
    /// Its bytes.
    pub text: Vec<u8>,
}

impl FirstLine {
    /// Of what is read from its start. `None`: there is no complete line yet.
    pub fn of(source: impl Read) -> io::Result<Option<Self>> {
        let mut source = BufReader::with_capacity(16 << 10, source);
        let mut start = 0_u64;
        loop {
            let (found, len) = {
                let bytes = source.fill_buf()?;
                (bytes.iter().position(|b| *b != 0), bytes.len())
            };
            start += found.unwrap_or(len) as u64;
            source.consume(found.unwrap_or(len));
            if found.is_some() || len == 0 {
                break;
            }
        }
        let mut text = Vec::new();
        source.take(IDENTITY).read_until(b'\n', &mut text)?;
        let complete = text.last() == Some(&b'\n') || text.len() as u64 >= IDENTITY;
        Ok(complete.then_some(Self { start, text }))
    }

    /// The identity of the log: a hash.
    pub fn identity(&self) -> u64 {
        let mut hash = Fnv::default();
        hash.write(&self.text);
        if self.start > 0 {
            hash.write(&self.start.to_le_bytes());
        }
        hash.finish()
    }

    /// Whether it still stands in `file`.
    pub fn is_in(&self, file: &File) -> bool {
        let mut now = vec![0; self.text.len()];
        file.read_exact_at(&mut now, self.start).is_ok() && now == self.text
    }
}

/// The identity of a log, from what is read from its start. `None`: it has no complete line yet.
pub fn identity(source: impl Read) -> io::Result<Option<u64>> {
    Ok(FirstLine::of(source)?.map(|line| line.identity()))
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

    fn saved() -> (tempfile::TempDir, State) {
        let directory = tempfile::tempdir().unwrap();
        let position = Position::lock(directory.path()).unwrap().unwrap();
        let mut state = State::default();
        let file = Known { identity: Some(u64::MAX), offset: 7, inode: 9, ..Known::default() };
        state
            .streams
            .insert("/var/log/auth.log".into(), Stream { files: vec![file], passed: 5, ..Stream::default() });
        position.save(&state).unwrap();
        (directory, state)
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let (directory, state) = saved();
        let loaded = load(directory.path(), false).unwrap();
        let (found, expected) =
            (&loaded.state.streams["/var/log/auth.log"], &state.streams["/var/log/auth.log"]);
        assert_eq!((&found.files, found.passed, loaded.warning), (&expected.files, 5, None));
    }

    #[test]
    fn damage_at_any_byte_is_noticed_and_the_time_before_it_is_read_again() {
        let (directory, _state) = saved();
        let path = directory.path().join(NAME);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            for bad in [&flipped[..], &whole[..at]] {
                fs::write(&path, bad).unwrap();
                let loaded = load(directory.path(), false).unwrap();
                assert!(loaded.state.streams.is_empty() && loaded.warning.is_some(), "byte {at}");
                let ago = Timestamp::now().duration_since(loaded.again.unwrap());
                assert!((600..660).contains(&ago.as_secs()), "byte {at}");
                assert!(directory.path().join("scan.json.damaged").exists());
                assert!(load(directory.path(), false).unwrap().warning.is_none());
            }
        }
    }
}
