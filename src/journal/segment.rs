//! Segments: listing, sealing, deleting. Only under the delivery lock; writers go on meanwhile.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};

use super::decode::{Decoded, decode};
use super::line::LONGEST;
use super::record::{Header, encode_header};
use super::{CURRENT, marks, room};

const UNNAMED: &str = "0-inode-";

/// One file of the journal.
#[derive(Clone, Debug)]
pub struct Segment {
    /// From its first line, or its name; empty where neither can be read.
    pub id: String,
    /// What writers were told; 0 where the first line cannot be read.
    pub limit: u64,
    /// The file.
    pub path: PathBuf,
    /// Knows the file again when its first line was damaged.
    pub inode: u64,
    /// Bytes when it was listed.
    pub size: u64,
    /// Whether it is the one to which everybody appends.
    pub current: bool,
    /// It begins with a failure: a writer made it, or it was cut to nothing and written to again.
    pub headless: bool,
}

impl Segment {
    /// Open it for reading, following no link, also where it was sealed since it was listed; none
    /// where it is gone.
    pub fn open(&self) -> io::Result<Option<File>> {
        for path in [&self.path, &self.path.with_file_name(self.sealed_name())] {
            match open(path) {
                Ok(file) if file.metadata()?.ino() == self.inode => return Ok(Some(file)),
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(None)
    }

    /// The file name after sealing.
    fn sealed_name(&self) -> String {
        let id = if self.id.is_empty() { unnamed(self.inode) } else { self.id.clone() };
        format!("{id}.jsonl")
    }
}

/// The id that a segment without a readable first line gets when it is sealed: one that a writer had
/// to make, or a damaged one. It sorts before the ids of others.
pub fn unnamed(inode: u64) -> String {
    format!("{UNNAMED}{inode}")
}

/// Whether `id` is that of a segment that never had another.
pub fn is_named(id: &str) -> bool {
    !id.is_empty() && !id.starts_with(UNNAMED)
}

/// All segments, oldest first, the current one last.
///
/// Without the delivery lock too: where somebody seals meanwhile, it is done again, because a
/// segment under its new name may have been passed by.
pub fn list(directory: &Path) -> io::Result<Vec<Segment>> {
    let current = || fs::symlink_metadata(directory.join(CURRENT)).map(|m| m.ino()).ok();
    let mut before = current();
    for _ in 0..100 {
        let segments = list_once(directory)?;
        let after = current();
        if before == after {
            return Ok(segments);
        }
        before = after;
    }
    Err(io::Error::from(io::ErrorKind::ResourceBusy))
}

fn list_once(directory: &Path) -> io::Result<Vec<Segment>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut segments: Vec<Segment> = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if name.starts_with('.') || !name.ends_with(".jsonl") {
            continue;
        }
        match look(&path, name == CURRENT) {
            Ok(Some(segment)) => segments.push(segment),
            Ok(None) => {}
            // Deleted or replaced since it was listed, or a link that somebody put there.
            Err(e) if e.kind() == io::ErrorKind::NotFound || e.raw_os_error() == Some(40) => {}
            Err(e) => return Err(e),
        }
    }
    // A crash between the two steps of sealing leaves two names of one file: one is enough.
    let current = segments.iter().find(|s| s.current).map(|s| s.inode);
    segments.retain(|s| s.current || Some(s.inode) != current);
    segments.sort_by(|a, b| (a.current, &a.path).cmp(&(b.current, &b.path)));
    Ok(segments)
}

/// Seal the current segment and put a new one of at most `limit` bytes in its place.
///
/// A writer that has the old one open still may append to it: readers keep an eye on sealed ones.
pub fn seal(directory: &Path, limit: u64) -> io::Result<()> {
    let current = directory.join(CURRENT);
    let fresh = prepare(directory, limit)?;
    let result = (|| {
        let sealed = match look(&current, true) {
            Ok(Some(segment)) => segment.sealed_name(),
            Ok(None) => {
                return Err(io::Error::other(format!("{} is not a regular file", current.display())));
            }
            // Not by renaming: a writer may make one at this moment, and append to it.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                if list(directory)?.is_empty() {
                    let _ = marks::make_first(directory);
                }
                return publish(&fresh, &current);
            }
            Err(e) => return Err(io::Error::new(e.kind(), format!("{}: {e}", current.display()))),
        };
        match fs::hard_link(&current, directory.join(sealed)) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
        fs::rename(&fresh, &current)?;
        File::open(directory)?.sync_all()
    })();
    if result.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    result
}

/// Delete a sealed segment, of which everything up to `read_to` was read and that was saved. Says
/// whether it did: not where a slow writer is about to append or has appended more. A writer that
/// comes later sees that the file is gone and takes the current one.
pub fn delete(segment: &Segment, read_to: u64) -> io::Result<bool> {
    let Some(file) = segment.open()? else { return Ok(false) };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(false),
        other => other?,
    }
    if segment.current || file.metadata()?.len() > read_to {
        return Ok(false);
    }
    fs::remove_file(&segment.path)?;
    Ok(true)
}

/// Remove what a writer or a sealing left half done when it was killed.
pub fn sweep(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let fresh = entry.file_name().to_string_lossy().starts_with(".new-");
        let old = entry.metadata().and_then(|m| m.modified()).ok().and_then(|m| m.elapsed().ok());
        if fresh && old.is_some_and(|age| age.as_secs() > 60) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A new segment under a name that nobody reads yet.
fn prepare(directory: &Path, limit: u64) -> io::Result<PathBuf> {
    let id = new_id();
    let path = directory.join(format!(".new-{id}"));
    let flags = OFlags::NOFOLLOW.bits() as i32;
    let mut file =
        File::options().write(true).create_new(true).mode(0o600).custom_flags(flags).open(&path)?;
    rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR)?;
    let written =
        file.write_all(&encode_header(&Header { segment: id, limit })).and_then(|()| file.sync_all());
    match written {
        Ok(()) => room::reserve(&path),
        Err(_) => drop(fs::remove_file(&path)),
    }
    written.map(|()| path)
}

/// Give the segment `fresh` the name `current`, unless there is one.
fn publish(fresh: &Path, current: &Path) -> io::Result<()> {
    let linked = fs::hard_link(fresh, current);
    fs::remove_file(fresh)?;
    match linked {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Unique on this machine, and increasing as long as the clock does.
fn new_id() -> String {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    let nanoseconds = i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec);
    format!("{nanoseconds:016x}-{}", std::process::id())
}

/// Open for reading; follow no link, wait for no writer of a pipe.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    File::options().read(true).custom_flags(flags.bits() as i32).open(path)
}

fn id_in_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    name.strip_suffix(".jsonl").filter(|_| name != CURRENT).map(Into::into)
}

fn look(path: &Path, current: bool) -> io::Result<Option<Segment>> {
    let mut file = open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Ok(None);
    }
    let mut head = [0; 2 * LONGEST];
    let read = file.read(&mut head)?;
    let first = head[..read].split(|b| *b == b'\n').next().unwrap_or_default();
    let (id, limit, headless) = match decode(first) {
        (Some(Decoded::Header(header)), false) => (header.segment, header.limit, false),
        (Some(Decoded::Event(_)), false) => (id_in_name(path).unwrap_or_default(), 0, true),
        // A sealed segment has its id in its name too.
        _ => (id_in_name(path).unwrap_or_default(), 0, false),
    };
    Ok(Some(Segment { id, limit, path: path.into(), inode: meta.ino(), size: meta.len(), current, headless }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::append::{FIRST_LIMIT, append};
    use crate::journal::record::{encode, tests::record};

    fn directory_with_one_record() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().as_os_str().as_encoded_bytes();
        append(path, &encode(&record(b"root"))).unwrap();
        directory
    }

    #[test]
    fn sealing_keeps_the_records_and_starts_a_new_segment() {
        let directory = directory_with_one_record();
        let before = list(directory.path()).unwrap();
        seal(directory.path(), 5000).unwrap();
        let after = list(directory.path()).unwrap();
        assert_eq!(after.len(), 2);
        // A writer made it, without a first line: sealed, it is known by its name.
        assert_eq!((&before[0].id[..], &after[0].id), ("", &unnamed(before[0].inode)));
        assert_eq!(after[0].inode, before[0].inode);
        assert!(after[1].current && after[1].limit == 5000 && after[1].id > after[0].id);
    }

    #[test]
    fn the_first_segment_comes_with_marks_that_mark_nothing_and_later_ones_leave_them() {
        let directory = tempfile::tempdir().unwrap();
        seal(directory.path(), FIRST_LIMIT).unwrap();
        let marks = directory.path().join(marks::NAME);
        assert_eq!(fs::metadata(&marks).unwrap().len(), marks::SIZE);
        fs::write(&marks, "x").unwrap();
        fs::remove_file(directory.path().join(CURRENT)).unwrap();
        seal(directory.path(), FIRST_LIMIT).unwrap();
        assert_eq!(fs::read(&marks).unwrap(), b"x");
        // Where something was recorded already, new marks would lack it.
        let directory = directory_with_one_record();
        seal(directory.path(), FIRST_LIMIT).unwrap();
        assert!(!directory.path().join(marks::NAME).exists());
    }

    #[test]
    fn sealing_cut_between_its_two_steps_shows_the_segment_once() {
        let directory = directory_with_one_record();
        let id = list(directory.path()).unwrap()[0].id.clone();
        fs::hard_link(directory.path().join(CURRENT), directory.path().join(format!("{id}.jsonl"))).unwrap();
        assert_eq!(list(directory.path()).unwrap().len(), 1);
        seal(directory.path(), FIRST_LIMIT).unwrap();
        assert_eq!(list(directory.path()).unwrap().len(), 2);
    }

    #[test]
    fn a_segment_is_deleted_only_when_all_of_it_was_read_and_nobody_writes_to_it() {
        let directory = directory_with_one_record();
        seal(directory.path(), FIRST_LIMIT).unwrap();
        let sealed = &list(directory.path()).unwrap()[0];
        assert!(!delete(sealed, sealed.size - 1).unwrap(), "a record was not read");
        let writer = File::options().append(true).open(&sealed.path).unwrap();
        flock(&writer, FlockOperation::NonBlockingLockShared).unwrap();
        assert!(!delete(sealed, sealed.size).unwrap(), "a writer holds it");
        drop(writer);
        assert!(delete(sealed, sealed.size).unwrap());
        assert!(sealed.open().unwrap().is_none());
        assert_eq!(list(directory.path()).unwrap().len(), 1);
    }

    #[test]
    fn a_segment_that_is_sealed_after_it_was_listed_is_found_under_its_new_name() {
        let directory = directory_with_one_record();
        let listed = list(directory.path()).unwrap();
        seal(directory.path(), FIRST_LIMIT).unwrap();
        let file = listed[0].open().unwrap().unwrap();
        assert_eq!(file.metadata().unwrap().ino(), listed[0].inode);
    }

    #[test]
    fn sealing_where_there_is_no_segment_leaves_one_that_a_writer_makes_meanwhile() {
        let directory = directory_with_one_record();
        let fresh = prepare(directory.path(), FIRST_LIMIT).unwrap();
        publish(&fresh, &directory.path().join(CURRENT)).unwrap();
        let only = list(directory.path()).unwrap();
        let mut failures = 0;
        crate::journal::read::read(&only[0], 0, &mut |_, _| failures += 1).unwrap();
        assert_eq!((only.len(), failures), (1, 1));
        assert!(!fresh.exists());
    }
}
