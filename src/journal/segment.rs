//! Segments: listing, sealing, deleting. Only under the delivery lock; writers go on meanwhile.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::CURRENT;
use super::record::{Decoded, Header, decode, encode_header};

/// One file of the journal.
#[derive(Clone, Debug)]
pub struct Segment {
    /// From its first line; empty where that cannot be read.
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
}

impl Segment {
    /// Open it for reading, following no link.
    pub fn open(&self) -> io::Result<File> {
        open(&self.path)
    }
}

/// All segments, oldest first, the current one last.
pub fn list(directory: &Path) -> io::Result<Vec<Segment>> {
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
        let id = match look(&current, true) {
            Ok(Some(segment)) if !segment.id.is_empty() => segment.id,
            // A damaged first line: any name will do that sorts before the new one.
            Ok(Some(segment)) => format!("0-inode-{}", segment.inode),
            Ok(None) => return Err(io::Error::from(io::ErrorKind::InvalidInput)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return fs::rename(&fresh, &current),
            Err(e) => return Err(e),
        };
        match fs::hard_link(&current, directory.join(format!("{id}.jsonl"))) {
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

/// Delete `segment` and give back the open file: what a slow writer appended at the last moment
/// can be read from it, and one that comes later sees that the file is gone and tries again.
pub fn delete(segment: &Segment) -> io::Result<File> {
    let file = segment.open()?;
    fs::remove_file(&segment.path)?;
    Ok(file)
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
    if written.is_err() {
        let _ = fs::remove_file(&path);
    }
    written.map(|()| path)
}

/// Unique on this machine, and increasing as long as the clock does.
fn new_id() -> String {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    let nanoseconds = i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec);
    format!("{nanoseconds:016x}-{}", std::process::id())
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    File::options().read(true).custom_flags(flags.bits() as i32).open(path)
}

fn look(path: &Path, current: bool) -> io::Result<Option<Segment>> {
    let mut file = open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Ok(None);
    }
    let mut head = [0; 256];
    let read = file.read(&mut head)?;
    let first = head[..read].split(|b| *b == b'\n').next().unwrap_or_default();
    let (id, limit) = match decode(first) {
        (Some(Decoded::Header(header)), false) => (header.segment, header.limit),
        _ => (String::new(), 0),
    };
    Ok(Some(Segment { id, limit, path: path.into(), inode: meta.ino(), size: meta.len(), current }))
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
        assert_eq!((&after[0].id, after[0].inode), (&before[0].id, before[0].inode));
        assert!(after[1].current && after[1].limit == 5000 && after[1].id > after[0].id);
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
    fn a_deleted_segment_can_still_be_read_to_its_end() {
        let directory = directory_with_one_record();
        seal(directory.path(), FIRST_LIMIT).unwrap();
        let mut file = delete(&list(directory.path()).unwrap()[0]).unwrap();
        let mut failures = 0;
        crate::journal::read::read_file(&mut file, 0, &mut |_| failures += 1).unwrap();
        assert_eq!((failures, list(directory.path()).unwrap().len()), (1, 1));
    }
}
