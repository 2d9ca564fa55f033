//! The alerts of one receiver as they were delivered, kept on this machine. That of the timeline is what
//! `authalert timeline` shows; that of another is its record of what the service accepted.
//!
//! One JSON object a line. An alert has one line, however often a pass is cut off and repeated. Each line
//! also says where the journal was read to, so that a lost state can be found again. It ends in a
//! checksum, as the journal's lines do: a damaged number must neither hide the next alert nor become a total.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::place::Place;
use super::state::{Cursor, Totals};
use crate::receiver::Kind;
use crate::storage;

/// File name of the timeline's, in the state directory.
pub const TIMELINE_FILE: &str = "timeline.jsonl";
/// Beyond this the older half is dropped; about six months of alerts at the daily limit.
const LARGEST: u64 = 8 << 20;
const LONGEST_LINE: u64 = 256 << 10;
const TAIL: u64 = 32 << 10;
const CRC_LEN: usize = ",\"crc\":\"00000000\"}\n".len();

/// One delivered alert.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Its number.
    pub id: u64,
    /// When it was accepted.
    pub time: Timestamp,
    /// Its receiver's name.
    pub receiver: String,
    /// What the service calls it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub post: String,
    /// Failures in it.
    pub failures: u64,
    /// As it was sent.
    pub text: String,
    /// What is settled with it.
    pub totals: Totals,
    /// Where the journal was read to when it was composed.
    pub cursors: Vec<Cursor>,
    /// See [`crate::deliver::state::State::dropped_seen`].
    pub dropped_seen: u64,
    /// The highest number that was given by then.
    #[serde(default)]
    pub last_id: u64,
    /// What it told.
    #[serde(default = "digest")]
    pub kind: Kind,
}

/// The history of one receiver.
#[derive(Clone, Debug)]
pub struct History {
    file: PathBuf,
}

impl History {
    /// That of the timeline, in a state directory. Touches nothing.
    pub fn timeline(state: &Path) -> Self {
        Self { file: state.join(TIMELINE_FILE) }
    }

    /// That of one receiver.
    pub fn of(place: &Place) -> Self {
        Self { file: place.history() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.file
    }

    /// Add an alert, durable when this returns; one that is there already is not added again.
    pub fn add(&self, entry: &Entry) -> io::Result<()> {
        if self.has(entry.id, &entry.text)? {
            return Ok(());
        }
        self.trim()?;
        let mut file = self.open(true)?;
        rustix::fs::fchmod(&file, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)?;
        let mut line = Vec::new();
        // Half a line may stand at the end: it must not spoil this one.
        if !ends_a_line(&mut file)? {
            line.push(b'\n');
        }
        line.extend_from_slice(&encode(entry)?);
        file.write_all(&line)?;
        file.sync_data()
    }

    /// The newest readable entry.
    pub fn newest(&self) -> io::Result<Option<Entry>> {
        // It nearly always stands in the last few kilobytes.
        for tail in [TAIL, 4 * LONGEST_LINE] {
            let mut newest = None;
            self.each_of_tail(tail, &mut |entry| newest = Some(entry))?;
            if newest.is_some() {
                return Ok(newest);
            }
        }
        Ok(None)
    }

    /// Whether an alert is among the newest. Others may stand behind it: a break-in goes out before a pass that was
    /// cut is repeated, and a pass that was overtaken may come late.
    pub fn has(&self, id: u64, text: &str) -> io::Result<bool> {
        let mut found = false;
        self.each_of_tail(TAIL, &mut |entry| found |= entry.id == id && entry.text == text)?;
        Ok(found)
    }

    fn each_of_tail(&self, tail: u64, each: &mut dyn FnMut(Entry)) -> io::Result<()> {
        let mut file = match self.open(false) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e),
        };
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(tail)))?;
        each_line(file, &mut |line| decode(line).into_iter().for_each(&mut *each))?;
        Ok(())
    }

    /// Hand the alerts from byte `offset` on to `each`, oldest first, and none for a line that
    /// cannot be read; gives the offset of the end.
    pub fn read(&self, offset: u64, each: &mut dyn FnMut(Option<Entry>)) -> io::Result<u64> {
        let mut file = match self.open(false) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(e) => return Err(e),
        };
        // Shorter than before: it was trimmed.
        let offset = if offset > file.metadata()?.len() { 0 } else { offset };
        file.seek(SeekFrom::Start(offset))?;
        // A pass that was overtaken at the last moment may have written an alert that another has written.
        let mut last = None;
        let read = each_line(file, &mut |line| {
            let entry = decode(line);
            let number = entry.as_ref().map(|entry| entry.id);
            if number.is_none() || number != last {
                each(entry);
            }
            last = number.or(last);
        })?;
        Ok(offset + read)
    }

    fn open(&self, to_add: bool) -> io::Result<File> {
        let options = &mut File::options();
        storage::open(options.read(true).append(to_add).create(to_add).mode(0o600), &self.file)
    }

    fn trim(&self) -> io::Result<()> {
        let length = std::fs::metadata(&self.file).map_or(0, |m| m.len());
        if length < LARGEST {
            return Ok(());
        }
        let mut file = self.open(false)?;
        file.seek(SeekFrom::Start(length / 2))?;
        let mut reader = BufReader::new(file);
        let mut rest = Vec::new();
        reader.read_until(b'\n', &mut rest)?;
        rest.clear();
        io::copy(&mut reader, &mut rest)?;
        storage::replace(&self.file, &rest)
    }
}

fn digest() -> Kind {
    Kind::Digest
}

fn encode(entry: &Entry) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(entry)?;
    line.pop();
    let crc = crc32fast::hash(&line);
    writeln!(line, ",\"crc\":\"{crc:08x}\"}}")?;
    Ok(line)
}

fn decode(line: &[u8]) -> Option<Entry> {
    let (body, tail) = line.split_at_checked(line.len().checked_sub(CRC_LEN)?)?;
    let stated = tail.strip_prefix(b",\"crc\":\"")?.strip_suffix(b"\"}\n")?;
    let stated = u32::from_str_radix(std::str::from_utf8(stated).ok()?, 16).ok()?;
    (stated == crc32fast::hash(body)).then(|| serde_json::from_slice(line).ok())?
}

/// Call `each` for every complete line of bounded length; gives the bytes they take.
fn each_line(file: File, each: &mut dyn FnMut(&[u8])) -> io::Result<u64> {
    let mut reader = BufReader::new(file);
    let (mut line, mut consumed) = (Vec::new(), 0);
    loop {
        line.clear();
        let read = io::Read::take(&mut reader, LONGEST_LINE).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(consumed);
        }
        if line.last() == Some(&b'\n') {
            each(&line);
            consumed += read as u64;
        } else if (read as u64) < LONGEST_LINE {
            return Ok(consumed);
        } else {
            consumed += read as u64;
        }
    }
}

fn ends_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    io::Read::read_exact(file, &mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u64) -> Entry {
        Entry {
            id,
            time: Timestamp::UNIX_EPOCH,
            receiver: "timeline".into(),
            post: String::new(),
            failures: 3,
            text: format!("alert {id}"),
            totals: Totals::default(),
            cursors: Vec::new(),
            dropped_seen: 0,
            last_id: id,
            kind: Kind::Digest,
        }
    }

    fn ids(history: &History) -> Vec<u64> {
        let mut ids = Vec::new();
        history.read(0, &mut |entry| ids.extend(entry.map(|e| e.id))).unwrap();
        ids
    }

    #[test]
    fn an_alert_that_is_added_twice_stands_there_once() {
        let state = tempfile::tempdir().unwrap();
        let history = History::timeline(state.path());
        for id in [1, 2, 2, 3, 2] {
            history.add(&entry(id)).unwrap();
        }
        assert_eq!(ids(&history), [1, 2, 3], "nor where another stands behind it");
        assert!(history.has(2, "alert 2").unwrap() && !history.has(2, "another text").unwrap());
    }

    #[test]
    fn half_a_line_costs_itself_alone() {
        let state = tempfile::tempdir().unwrap();
        let history = History::timeline(state.path());
        history.add(&entry(1)).unwrap();
        let whole = std::fs::read(history.path()).unwrap();
        std::fs::write(history.path(), [&whole[..], &whole[..20]].concat()).unwrap();
        assert_eq!(history.newest().unwrap().unwrap().id, 1);
        history.add(&entry(2)).unwrap();
        assert_eq!(ids(&history), [1, 2]);
    }

    #[test]
    fn a_flipped_bit_costs_its_line_alone_and_never_hides_the_next_alert() {
        let state = tempfile::tempdir().unwrap();
        let history = History::timeline(state.path());
        for id in [1, 2] {
            history.add(&entry(id)).unwrap();
        }
        let whole = std::fs::read(history.path()).unwrap();
        for byte in 0..whole.len() - 1 {
            for bit in 0..8 {
                let mut damaged = whole.clone();
                damaged[byte] ^= 1 << bit;
                std::fs::write(history.path(), &damaged).unwrap();
                history.add(&entry(3)).unwrap();
                let found = ids(&history);
                assert_eq!(found.last(), Some(&3), "byte {byte} bit {bit}: {found:?}");
                // The newline between the first two belongs to both.
                assert!(
                    found == [1, 3] || found == [2, 3] || found == [3] || found == [1, 2, 3],
                    "{found:?}"
                );
            }
        }
    }
}
