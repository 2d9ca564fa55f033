//! Where the last pass stopped: `scan.json` in the state directory.
//!
//! Saved only after the failures are durable: written beside, synced, renamed; with a checksum, as a
//! place that is off by a little would read lines twice, or never.
//!
//! Where it is damaged, the logs are read again from a while before it was written. That repeats
//! nothing: what the journal holds already is known by its origin, or as the module's.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::attempts::{Open, Row};
use super::coverage::Coverage;
use super::dedup::Used;
use crate::storage;

/// Name in the state directory.
pub(crate) const NAME: &str = "scan.json";
/// Of what is written. Version 0.1 wrote none, which reads as 0 and needs no migration: what it lacks has
/// defaults that mean the same.
const VERSION: u32 = 2;
/// What was open in a checkpoint that is lost is not older.
pub(crate) const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// Everything that a pass leaves for the next.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Checkpoint {
    /// Of the program that wrote it.
    version: u32,
    /// When it was saved, in microseconds of the epoch: what was recorded since then names it.
    pub(crate) saved: u64,
    /// When the first pass was made, in microseconds of the epoch; 0: it is not known. What was logged before is from
    /// before this installation.
    #[serde(skip_serializing_if = "is_unknown")]
    pub(crate) begun: i64,
    /// By the path as it was given, and the systemd journal by its name.
    pub(crate) streams: BTreeMap<String, Stream>,
    /// Where the module was seen to record what the logs say.
    pub(crate) coverage: Coverage,
}

/// One log through all its rotations, or the systemd journal.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Stream {
    /// The files that it was; the one of today last.
    pub(crate) files: Vec<Known>,
    /// A place in the systemd journal, once it was read.
    pub(crate) cursor: Option<Cursor>,
    /// When the last pass began, in seconds of the epoch.
    pub(crate) passed: i64,
    /// Lines of it are read again that were read before.
    #[serde(skip)]
    pub(crate) is_again: bool,
    /// Read by passes for which nobody names a log.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_regular: bool,
    /// When it ceased to be a source, in seconds of the epoch: it is read on for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) left: Option<i64>,
    /// What was in it before this time, in microseconds of the epoch, was passed over by the first pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) skipped: Option<i64>,
    /// Processes whose lines may go on.
    pub(crate) open: Open,
    /// Attempts that the module may be about to record.
    #[serde(rename = "held")]
    pub(crate) deferred: Vec<Row>,
    /// Attempts of which the module, which was seen to record in that service, said nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) doubted: Vec<Row>,
    /// What PAM refused for Dovecot, and may be none: the other logs are not read yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) undecided: Vec<Row>,
    /// Logins whose failures may not be settled yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) logins: Vec<Row>,
    /// Records that were found in this log already.
    pub(crate) used: Vec<Used>,
}

impl Checkpoint {
    /// The time, or that of the first pass if it is before that. A first pass that is later than the last one was
    /// dated by a clock that was ahead, and says nothing.
    pub(crate) fn not_before_the_first_pass(&self, time: Timestamp) -> Timestamp {
        let is_known = self.begun > 0 && u64::try_from(self.begun).is_ok_and(|begun| begun <= self.saved);
        let begun = Timestamp::from_microsecond(self.begun).ok().filter(|_| is_known);
        begun.map_or(time, |begun| time.max(begun))
    }
}

impl Stream {
    /// The file of this identity.
    pub(crate) fn file(&mut self, identity: u64) -> Option<&mut Known> {
        self.files.iter_mut().find(|known| known.identity == Some(identity))
    }

    /// Whether nothing of it was read yet.
    pub(crate) fn is_new(&self) -> bool {
        self.files.is_empty() && self.cursor.is_none()
    }
}

/// A file that was read before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Known {
    /// Of its first complete line; absent while it had none.
    pub(crate) identity: Option<u64>,
    /// Up to here it was read, in bytes of the uncompressed file.
    pub(crate) offset: u64,
    /// Of a compressed file that was read to its end: size, and time of writing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) packed: Option<(u64, i64)>,
    /// It has more to read and was not found: so many passes still look for it.
    #[serde(rename = "wanted", skip_serializing_if = "is_zero")]
    pub(crate) searches_left: u32,
    /// How often it became shorter and kept its first line.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) generation: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's form
fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's form
fn is_unknown(time: &i64) -> bool {
    *time == 0
}

/// A place in the systemd journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// After this entry.
    pub(crate) cursor: Option<String>,
    /// While there is none: from this second on.
    pub(crate) since: i64,
}

/// What the last pass left.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// Empty before the first pass, and where it was lost.
    pub(crate) checkpoint: Checkpoint,
    /// It was lost: read again what was logged since.
    pub(crate) again: Option<Timestamp>,
    /// What to say of that.
    pub(crate) warning: Option<String>,
}

/// Why there is nothing to go on from.
#[derive(Debug)]
pub(crate) enum Error {
    /// It cannot be read.
    Read(io::Error),
    /// A newer version of this program wrote it, with this number.
    Newer(u32),
}

impl From<io::Error> for Error {
    fn from(why: io::Error) -> Self {
        Self::Read(why)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(why) => write!(f, "cannot read {NAME}: {why}{}", super::as_root(why)),
            Self::Newer(version) => write!(
                f,
                "{NAME} was written by a newer authalert (format {version}; this one knows {VERSION}): install that \
                 version again, or remove {NAME}, and the logs are read from now on"
            ),
        }
    }
}

/// What the last pass left. Where that is damaged it is put in quarantine, unless `keep`.
pub(crate) fn load(directory: &Path, keep: bool) -> Result<Loaded, Error> {
    #[derive(Deserialize)]
    struct Version {
        #[serde(default)]
        version: u32,
    }

    let path = directory.join(NAME);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Loaded::default()),
        Err(e) => return Err(e.into()),
    };
    let found = storage::decode::<Checkpoint>(&text);
    let version = match &found {
        Some(checkpoint) => checkpoint.version,
        // Whole, and of a form that is not ours.
        None => storage::decode::<Version>(&text).map_or(0, |found| found.version),
    };
    if version > VERSION {
        return Err(Error::Newer(version));
    }
    if let Some(checkpoint) = found {
        return Ok(Loaded { checkpoint, ..Loaded::default() });
    }
    let written = fs::metadata(&path)?.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
    let again = written.unwrap_or_else(Timestamp::now).checked_sub(OVERLAP).unwrap_or(Timestamp::UNIX_EPOCH);
    let damaged = if keep {
        "is damaged".to_owned()
    } else {
        let quarantine = directory.join("scan.json.damaged");
        fs::rename(&path, &quarantine)?;
        format!("was damaged and is now {}", quarantine.display())
    };
    let warning = format!("{} {damaged}; what was logged since {again:.0} is read again", path.display());
    Ok(Loaded { again: Some(again), warning: Some(warning), ..Loaded::default() })
}

/// Make `checkpoint` the place from which the next pass goes on.
pub(crate) fn save(directory: &Path, checkpoint: &mut Checkpoint) -> io::Result<()> {
    checkpoint.version = VERSION;
    checkpoint.saved = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
    storage::save(&directory.join(NAME), checkpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved() -> (tempfile::TempDir, Checkpoint) {
        let directory = tempfile::tempdir().unwrap();
        let mut checkpoint = Checkpoint::default();
        let file = Known { identity: Some(u64::MAX), offset: 7, ..Known::default() };
        checkpoint
            .streams
            .insert("/var/log/auth.log".into(), Stream { files: vec![file], passed: 5, ..Stream::default() });
        save(directory.path(), &mut checkpoint).unwrap();
        (directory, checkpoint)
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let (directory, checkpoint) = saved();
        let loaded = load(directory.path(), false).unwrap();
        let (found, expected) =
            (&loaded.checkpoint.streams["/var/log/auth.log"], &checkpoint.streams["/var/log/auth.log"]);
        assert_eq!((&found.files, found.passed, loaded.warning), (&expected.files, 5, None));
    }

    #[test]
    fn what_version_0_1_wrote_is_gone_on_from_and_what_a_newer_one_wrote_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let put = |state: &str| {
            let text =
                format!("{{\"crc\":\"{:08x}\",\"state\":{state}}}\n", crc32fast::hash(state.as_bytes()));
            fs::write(directory.path().join(NAME), text).unwrap();
        };
        put(
            r#"{"saved":1793696701000000,"streams":{"/var/log/auth.log":{"files":[{"identity":11,"offset":7,"inode":9}],"cursor":null,"passed":5,"open":{"processes":[],"pam_only":[],"checks":[]},"held":[],"used":[{"time":3,"key":4,"times":1}]},"journald":{"files":[],"cursor":{"cursor":"s=1","since":8},"passed":5,"open":{"processes":[],"pam_only":[],"checks":[]},"held":[],"used":[]}}}"#,
        );
        let checkpoint = load(directory.path(), false).unwrap().checkpoint;
        assert_eq!(checkpoint.saved, 1_793_696_701_000_000);
        let file = Known { identity: Some(11), offset: 7, ..Known::default() };
        assert_eq!(checkpoint.streams["/var/log/auth.log"].files, [file]);
        assert_eq!(checkpoint.streams["/var/log/auth.log"].used.len(), 1);
        assert_eq!(checkpoint.streams["journald"].cursor.as_ref().unwrap().cursor.as_deref(), Some("s=1"));
        for newer in [r#"{"version":3,"saved":1}"#, r#"{"version":9,"streams":["another form"]}"#] {
            put(newer);
            let Err(why @ Error::Newer(3 | 9)) = load(directory.path(), false) else { panic!("{newer}") };
            assert!(why.to_string().contains("newer authalert"), "{why}");
            assert!(directory.path().join(NAME).exists(), "it is left as it is");
        }
    }

    #[test]
    fn damage_at_any_byte_is_detected_and_the_time_before_it_is_read_again() {
        let (directory, _) = saved();
        let path = directory.path().join(NAME);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            for bad in [&flipped[..], &whole[..at]] {
                fs::write(&path, bad).unwrap();
                let loaded = load(directory.path(), false).unwrap();
                assert!(loaded.checkpoint.streams.is_empty() && loaded.warning.is_some(), "byte {at}");
                let ago = Timestamp::now().duration_since(loaded.again.unwrap());
                assert!((600..660).contains(&ago.as_secs()), "byte {at}");
                assert!(directory.path().join("scan.json.damaged").exists());
                assert!(load(directory.path(), false).unwrap().warning.is_none());
            }
        }
    }
}
