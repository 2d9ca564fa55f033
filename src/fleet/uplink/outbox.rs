//! Batches that the hub does not have yet, or has not alerted of, each a file with the very bytes that are sent.
//!
//! ```text
//! outbox/00000000000000000501-00000000000000001000.batch    head, then the message
//! ```
//!
//! The head says how far the journal was read when the batch was made, so that one write makes both last. A file goes
//! when the hub has alerted of what is in it.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use authalert::deliver::state::Cursor;
use authalert::storage;
use serde::{Deserialize, Serialize};

const SUFFIX: &str = ".batch";

/// What was so far when a batch was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Head {
    /// How far the journal was read.
    pub cursors: Vec<Cursor>,
    /// See [`super::state::State::lost`].
    pub lost: u64,
    /// Whether the member alerts of these records itself.
    pub own: bool,
}

/// One batch.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Number of its first record.
    pub first: u64,
    /// Number of its last record.
    pub last: u64,
    /// Bytes of its file.
    size: u64,
    /// It may have been sent: its bytes never change again.
    pub attempted: bool,
}

/// All batches, in order.
#[derive(Debug)]
pub struct Outbox {
    directory: PathBuf,
    entries: Vec<Entry>,
    size: u64,
}

impl Outbox {
    /// Read what is there. What was cut while it was made is removed.
    pub fn open(directory: &Path) -> io::Result<Self> {
        if !directory.is_dir() {
            fs::DirBuilder::new().mode(0o700).create(directory)?;
        }
        let mut outbox = Self { directory: directory.into(), entries: Vec::new(), size: 0 };
        for file in fs::read_dir(directory)? {
            let file = file?;
            let name = file.file_name().to_string_lossy().into_owned();
            match parse(&name) {
                Some((first, last)) => {
                    let size = file.metadata()?.len();
                    outbox.entries.push(Entry { first, last, size, attempted: true });
                }
                None => fs::remove_file(file.path())?,
            }
        }
        // Of two with the same beginning the longer one took the other in, and was cut before that was removed.
        outbox.entries.sort_by_key(|entry| (entry.first, std::cmp::Reverse(entry.last)));
        let mut end = 0;
        let (kept, double): (Vec<_>, Vec<_>) =
            std::mem::take(&mut outbox.entries).into_iter().partition(|entry| {
                let is_next = entry.first > end;
                end = end.max(entry.last);
                is_next
            });
        for entry in double {
            fs::remove_file(outbox.file(entry.first, entry.last))?;
        }
        outbox.size = kept.iter().map(|entry| entry.size).sum();
        outbox.entries = kept;
        Ok(outbox)
    }

    /// Bytes that it takes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The batches.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The batch that follows the number `stored`, or has it in the middle.
    pub fn after(&self, stored: u64) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.last > stored)
    }

    /// The newest batch, if it was never sent.
    pub fn open_end(&self) -> Option<&Entry> {
        self.entries.last().filter(|entry| !entry.attempted)
    }

    /// Add a batch with this message; durable when this returns. One with the same beginning gives way.
    pub fn put(&mut self, (first, last): (u64, u64), head: &Head, message: &[u8]) -> io::Result<()> {
        let mut bytes = storage::encode(head)?;
        bytes.extend_from_slice(message);
        let before = self.entries.last().filter(|entry| entry.first == first).cloned();
        storage::replace(&self.file(first, last), &bytes)?;
        if let Some(before) = before.filter(|before| before.last != last) {
            fs::remove_file(self.file(first, before.last))?;
        }
        self.entries.retain(|entry| entry.first != first);
        self.entries.push(Entry { first, last, size: bytes.len() as u64, attempted: false });
        self.size = self.entries.iter().map(|entry| entry.size).sum();
        Ok(())
    }

    /// The head and the message of a batch.
    pub fn read(&self, entry: &Entry) -> io::Result<(Head, Vec<u8>)> {
        let path = self.file(entry.first, entry.last);
        let bytes = storage::read(&path)?;
        let end = bytes.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1);
        let (head, message) = bytes.split_at(end);
        let head = storage::decode(head)
            .ok_or_else(|| io::Error::other(format!("{} is damaged", path.display())))?;
        Ok((head, message.to_vec()))
    }

    /// From now on its bytes stay as they are.
    pub fn attempt(&mut self, first: u64) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.first == first) {
            entry.attempted = true;
        }
    }

    /// By their numbers, where one took the place of an older one.
    pub fn sort(&mut self) {
        self.entries.sort_by_key(|entry| entry.first);
    }

    /// Remove what ends up to this number.
    pub fn trim(&mut self, gone: u64) -> io::Result<()> {
        let passed = self.entries.iter().take_while(|entry| entry.last <= gone).count();
        for entry in self.entries.drain(..passed).collect::<Vec<_>>() {
            self.size -= entry.size;
            fs::remove_file(self.file(entry.first, entry.last))?;
        }
        Ok(())
    }

    /// Put a batch that cannot be read out of the way, for a person to look at; its numbers.
    pub fn quarantine(&mut self, entry: &Entry) -> io::Result<u64> {
        let path = self.file(entry.first, entry.last);
        fs::rename(&path, self.directory.with_file_name(format!("{}-{}.damaged", entry.first, entry.last)))?;
        self.entries.retain(|other| other.first != entry.first);
        self.size -= entry.size;
        Ok(entry.last + 1 - entry.first)
    }

    fn file(&self, first: u64, last: u64) -> PathBuf {
        self.directory.join(format!("{first:020}-{last:020}{SUFFIX}"))
    }
}

/// Records behind `watermark` in the outbox of a directory, without touching it.
pub fn records_in(directory: &Path, watermark: u64) -> io::Result<u64> {
    let files = match fs::read_dir(directory) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        files => files?,
    };
    let newest =
        files.filter_map(|file| parse(&file.ok()?.file_name().to_string_lossy())).map(|(_, last)| last).max();
    Ok(newest.unwrap_or(0).saturating_sub(watermark))
}

fn parse(name: &str) -> Option<(u64, u64)> {
    let (first, last) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first > 0 && first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head { cursors: Vec::new(), lost: 0, own: false }
    }

    fn numbers(outbox: &Outbox) -> Vec<(u64, u64)> {
        outbox.entries().iter().map(|entry| (entry.first, entry.last)).collect()
    }

    #[test]
    fn batches_stay_until_they_are_trimmed() {
        let directory = tempfile::tempdir().unwrap();
        let mut outbox = Outbox::open(directory.path()).unwrap();
        outbox.put((1, 10), &head(), b"one\ntwo").unwrap();
        outbox.put((11, 12), &head(), b"three").unwrap();
        let mut outbox = Outbox::open(directory.path()).unwrap();
        assert_eq!(numbers(&outbox), [(1, 10), (11, 12)]);
        assert_eq!(outbox.read(&outbox.entries()[0]).unwrap().1, b"one\ntwo");
        assert_eq!(outbox.after(0).unwrap().first, 1);
        assert_eq!(outbox.after(10).unwrap().first, 11);
        assert!(outbox.after(12).is_none());
        outbox.trim(9).unwrap();
        assert_eq!(outbox.entries().len(), 2);
        outbox.trim(10).unwrap();
        assert_eq!(numbers(&Outbox::open(directory.path()).unwrap()), [(11, 12)]);
        outbox.trim(12).unwrap();
        assert_eq!((outbox.size(), outbox.entries().len()), (0, 0));
    }

    #[test]
    fn a_batch_that_was_not_sent_grows_and_a_crash_in_between_leaves_one() {
        let directory = tempfile::tempdir().unwrap();
        let mut outbox = Outbox::open(directory.path()).unwrap();
        outbox.put((1, 2), &head(), b"two").unwrap();
        std::fs::copy(outbox.file(1, 2), directory.path().join("kept")).unwrap();
        outbox.put((1, 3), &head(), b"three").unwrap();
        assert_eq!(numbers(&outbox), [(1, 3)]);
        // The old one was not removed yet.
        std::fs::rename(directory.path().join("kept"), outbox.file(1, 2)).unwrap();
        std::fs::write(directory.path().join("x.new"), "cut").unwrap();
        assert_eq!(numbers(&Outbox::open(directory.path()).unwrap()), [(1, 3)]);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_batch_is_kept_apart() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("outbox");
        let mut outbox = Outbox::open(&inner).unwrap();
        outbox.put((1, 2), &head(), b"two").unwrap();
        std::fs::write(outbox.file(1, 2), "{}\nx").unwrap();
        let entry = outbox.entries()[0].clone();
        assert!(outbox.read(&entry).is_err());
        assert_eq!(outbox.quarantine(&entry).unwrap(), 2);
        assert!(directory.path().join("1-2.damaged").exists());
    }
}
