//! Appending: what stands in a login's way. One open, one write, one close; no lock, no allocation
//! beyond the path, no configuration file.
//!
//! How large a segment may become stands in its first line, written there by whoever sealed the one
//! before. A record that finds no room adds one byte to the file `dropped`, whose size is the count.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags};

use super::record::{Encoded, Header, encode_header};
use super::{CURRENT, DROPPED};

/// Limit of a segment that a writer had to create itself.
pub const FIRST_LIMIT: u64 = 64 << 20;

const MODE: Mode = Mode::RUSR.union(Mode::WUSR);
const APPEND: OFlags =
    OFlags::RDWR.union(OFlags::APPEND).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW).union(OFlags::NOCTTY);
const HEADER_PROBE: usize = 128;

/// Append one encoded record to the segment that is current in `directory`.
///
/// Errors: `StorageFull` when the journal's cap is reached (the record was counted as dropped);
/// else what the file system says. The directory is not created: that is installing.
pub fn append(directory: &Path, line: &Encoded) -> io::Result<()> {
    let mut path = [0; 4096];
    let current = join(&mut path, directory, CURRENT)?;
    // Sealed and deleted while we wrote: the record is gone with it. Twice means somebody else
    // is playing with the directory.
    for _ in 0..3 {
        let file = open_or_create(directory, current)?;
        let stat = rustix::fs::fstat(&file)?;
        if rustix::fs::FileType::from_raw_mode(stat.st_mode) != rustix::fs::FileType::RegularFile {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        if stat.st_size as u64 + line.len() as u64 > limit(&file) {
            drop_one(directory);
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        if rustix::io::write(&file, line)? != line.len() {
            return Err(io::Error::from(rustix::io::Errno::NOSPC));
        }
        if rustix::fs::fstat(&file)?.st_nlink > 0 {
            return Ok(());
        }
    }
    Err(io::Error::from(io::ErrorKind::NotFound))
}

/// Wait until the current segment is on disk.
pub fn sync(directory: &Path) -> io::Result<()> {
    match File::open(directory.join(CURRENT)) {
        Ok(file) => file.sync_data(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

/// How many records were dropped since the journal was made.
pub fn dropped(directory: &Path) -> u64 {
    std::fs::metadata(directory.join(DROPPED)).map_or(0, |m| m.len())
}

fn open_or_create(directory: &Path, current: &CStr) -> io::Result<OwnedFd> {
    match rustix::fs::open(current, APPEND, Mode::empty()) {
        Err(rustix::io::Errno::NOENT) => {
            create(directory, FIRST_LIMIT)?;
            Ok(keep_off_stdio(rustix::fs::open(current, APPEND, Mode::empty())?)?)
        }
        other => Ok(keep_off_stdio(other?)?),
    }
}

/// Where the host closed 0, 1 or 2, we must not become its standard error.
fn keep_off_stdio(file: OwnedFd) -> rustix::io::Result<OwnedFd> {
    if file.as_raw_fd() > 2 { Ok(file) } else { rustix::io::fcntl_dupfd_cloexec(&file, 3) }
}

/// Make a segment with its header and give it the name `current.jsonl`, unless there is one.
pub(super) fn create(directory: &Path, limit: u64) -> io::Result<()> {
    let fresh = prepare(directory, limit)?;
    let linked = rustix::fs::linkat(CWD, &fresh, CWD, directory.join(CURRENT), AtFlags::empty());
    rustix::fs::unlink(&fresh)?;
    match linked {
        Err(rustix::io::Errno::EXIST) => Ok(()),
        other => Ok(other?),
    }
}

/// A new segment under a name that nobody reads yet.
pub(super) fn prepare(directory: &Path, limit: u64) -> io::Result<std::path::PathBuf> {
    let id = new_id();
    let path = directory.join(format!(".new-{id}"));
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = keep_off_stdio(rustix::fs::open(&path, flags, MODE)?)?;
    rustix::fs::fchmod(&file, MODE)?;
    let header = encode_header(&Header { segment: id, limit });
    if rustix::io::write(&file, &header)? != header.len() {
        let _ = rustix::fs::unlink(&path);
        return Err(io::Error::from(rustix::io::Errno::NOSPC));
    }
    Ok(path)
}

/// Unique on this machine, and increasing as long as the clock does.
fn new_id() -> String {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    let tid = rustix::thread::gettid().as_raw_nonzero();
    format!("{:016x}-{tid}", i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec))
}

fn limit(file: &OwnedFd) -> u64 {
    let mut head = [0; HEADER_PROBE];
    let read = rustix::io::pread(file, &mut head, 0).unwrap_or(0);
    let digits = memchr::memmem::find(&head[..read], b"\"limit\":").map_or(&[][..], |at| &head[at + 8..read]);
    let end = digits.iter().position(|b| !b.is_ascii_digit()).unwrap_or(0);
    std::str::from_utf8(&digits[..end]).ok().and_then(|d| d.parse().ok()).unwrap_or(FIRST_LIMIT)
}

fn drop_one(directory: &Path) {
    let mut path = [0; 4096];
    let Ok(path) = join(&mut path, directory, DROPPED) else { return };
    let flags = APPEND | OFlags::CREATE;
    if let Ok(file) = rustix::fs::open(path, flags, MODE).and_then(keep_off_stdio) {
        let _ = rustix::io::write(&file, b".");
    }
}

/// `directory/name` in a buffer of the caller, as the kernel wants it.
fn join<'a>(buffer: &'a mut [u8; 4096], directory: &Path, name: &str) -> io::Result<&'a CStr> {
    let too_long = || io::Error::from(rustix::io::Errno::NAMETOOLONG);
    let directory = directory.as_os_str().as_encoded_bytes();
    let mut at = 0;
    for part in [directory, b"/", name.as_bytes()] {
        buffer.get_mut(at..at + part.len()).ok_or_else(too_long)?.copy_from_slice(part);
        at += part.len();
    }
    CStr::from_bytes_until_nul(buffer).map_err(|_| too_long())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::record::{encode, tests::record};
    use crate::journal::{Journal, segment};
    use std::fs;

    fn journal() -> (tempfile::TempDir, Journal) {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::new(state.path());
        fs::create_dir(journal.directory()).unwrap();
        (state, journal)
    }

    #[test]
    fn the_first_writer_makes_the_segment() {
        let (_state, journal) = journal();
        append(journal.directory(), &encode(&record(b"root"))).unwrap();
        append(journal.directory(), &encode(&record(b"bob"))).unwrap();
        let text = fs::read_to_string(journal.directory().join(CURRENT)).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert!(text.starts_with("{\"segment\":"));
        assert_eq!(fs::read_dir(journal.directory()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_missing_directory_is_an_error_and_stays_missing() {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::new(state.path());
        assert_eq!(
            append(journal.directory(), &encode(&record(b"root"))).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        assert!(!journal.directory().exists());
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let (state, journal) = journal();
        let target = state.path().join("target");
        fs::write(&target, "").unwrap();
        std::os::unix::fs::symlink(&target, journal.directory().join(CURRENT)).unwrap();
        assert!(append(journal.directory(), &encode(&record(b"root"))).is_err());
        assert_eq!(fs::read(&target).unwrap(), b"");
    }

    #[test]
    fn over_the_limit_records_are_dropped_and_counted() {
        let (_state, journal) = journal();
        create(journal.directory(), 1000).unwrap();
        let line = encode(&record(b"root"));
        let written = (0..20).filter(|_| append(journal.directory(), &line).is_ok()).count();
        assert!((1..20).contains(&written));
        assert_eq!(dropped(journal.directory()), 20 - written as u64);
        assert!(fs::metadata(journal.directory().join(CURRENT)).unwrap().len() <= 1000);
    }

    #[test]
    fn writers_at_once_lose_nothing_while_segments_are_sealed() {
        let (_state, journal) = journal();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        append(journal.directory(), &encode(&record(b"root"))).unwrap();
                    }
                });
            }
            for _ in 0..20 {
                let _ = segment::seal(journal.directory(), FIRST_LIMIT);
                std::thread::yield_now();
            }
        });
        let mut seen = 0;
        journal.read_since(jiff::Timestamp::UNIX_EPOCH, &mut |_| seen += 1).unwrap();
        assert_eq!(seen, 800);
    }
}
