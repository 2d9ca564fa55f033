//! Appending, on the login path. One open, one write, one close; nothing is waited for, no
//! allocation, no configuration file, and nothing that could panic.
//!
//! While it writes, a writer holds a shared lock on the segment, which it gets at once or not at all:
//! only whoever deletes the segment locks it alone. So a record never lands in a file that is going
//! away, and never twice.
//!
//! How large a segment may become is in its first line, written there by whoever sealed the one
//! before. A record that finds no room is counted (see [`dropped`]).

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, Mode};
use rustix::io::Errno;

use super::decode::limit_in;
use super::line::Encoded;
use super::path::join;
use super::target::{APPEND, HEAD, MODE, Target};
use super::{CURRENT, dropped, segment};

/// Limit of a segment that has none in its first line: one that a writer had to make itself.
pub const FIRST_LIMIT: u64 = 64 << 20;

/// Why a record is not in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The journal has reached its cap; the record was counted as dropped.
    Full,
    /// What the file system says, as errno. A missing directory is not made here: that is installing.
    Os(i32),
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the journal has reached its largest size"),
            Self::Os(errno) => io::Error::from_raw_os_error(*errno).fmt(f),
        }
    }
}

impl From<i32> for Error {
    fn from(errno: i32) -> Self {
        Self::Os(errno)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Full => Self::new(io::ErrorKind::StorageFull, error),
            Error::Os(errno) => Self::from_raw_os_error(errno),
        }
    }
}

/// Append one encoded record to the segment that is current in the journal's `directory`.
pub fn append(directory: &[u8], line: &Encoded) -> Result<(), Error> {
    append_to::<OwnedFd>(directory, line)
}

/// The same, with the files of the caller.
pub fn append_to<F: Target>(directory: &[u8], line: &Encoded) -> Result<(), Error> {
    let (file, size) = current::<F>(directory)?;
    if size.saturating_add(line.len() as u64) > limit(&*file) {
        // Nothing is held any more, that would have to be let go if the call could panic.
        drop(file);
        dropped::count::<F>(directory, line);
        return Err(Error::Full);
    }
    if file.write(line)? == line.len() { Ok(()) } else { Err(Errno::NOSPC.raw_os_error().into()) }
}

/// Append several lines with one write, for who has many and is not on the login path; how many of them are
/// there. What finds no room is not counted as dropped.
pub fn append_lines(directory: &Path, lines: &[Encoded]) -> (usize, Result<(), Error>) {
    let mut whole = 0;
    let result = append_as_one(directory.as_os_str().as_encoded_bytes(), lines, &mut whole);
    (whole, result)
}

fn append_as_one(directory: &[u8], lines: &[Encoded], whole: &mut usize) -> Result<(), Error> {
    let (file, size) = current::<OwnedFd>(directory)?;
    let room = limit(&*file).saturating_sub(size);
    let within = |most: u64| {
        let mut end = 0;
        lines
            .iter()
            .take_while(|line| {
                end += line.len() as u64;
                end <= most
            })
            .count()
    };
    let fit = within(room);
    let bytes: Vec<u8> = lines.iter().take(fit).flat_map(|line| line.iter().copied()).collect();
    let written = if bytes.is_empty() { 0 } else { Target::write(&*file, &bytes)? };
    // Half a line costs itself alone: its record is appended once more, and read behind it.
    *whole = within(written as u64).min(fit);
    if written < bytes.len() {
        Err(Errno::NOSPC.raw_os_error().into())
    } else if fit < lines.len() {
        Err(Error::Full)
    } else {
        Ok(())
    }
}

/// The segment that is current in `directory`, locked, and how many bytes it has.
fn current<F: Target>(directory: &[u8]) -> Result<(Locked<F>, u64), Error> {
    let mut buffer = [0; 512];
    let current = join(&mut buffer, directory, CURRENT.as_bytes())?;
    // Sealed and deleted since it was opened: there is a newer one. More than twice means that
    // somebody plays with the directory.
    for _ in 0..3 {
        let file = F::open(current, APPEND, MODE)?;
        if !file.lock() {
            continue;
        }
        let file = Locked(file);
        let look = file.look()?;
        if FileType::from_raw_mode(look.mode) != FileType::RegularFile {
            return Err(Errno::INVAL.raw_os_error().into());
        }
        if look.links == 0 {
            continue;
        }
        if Mode::from_raw_mode(look.mode) != MODE {
            // New, and the caller's umask has taken bits away.
            file.set_mode(MODE);
        }
        return Ok((file, look.size));
    }
    Err(Errno::NOENT.raw_os_error().into())
}

/// A file that is locked until this is dropped. Closing does not unlock it where another thread of the
/// host forked meanwhile.
struct Locked<F: Target>(F);

impl<F: Target> std::ops::Deref for Locked<F> {
    type Target = F;

    fn deref(&self) -> &F {
        &self.0
    }
}

impl<F: Target> Drop for Locked<F> {
    fn drop(&mut self) {
        self.0.unlock();
    }
}

/// Wait until the current segment is on disk.
pub fn sync(directory: &Path) -> io::Result<()> {
    match segment::open(&directory.join(CURRENT)) {
        // Whatever else lies there is not read either.
        Ok(file) if !file.metadata()?.is_file() => Ok(()),
        Ok(file) => file.sync_data(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        // A link.
        Err(e) if e.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => Ok(()),
        Err(e) => Err(e),
    }
}

fn limit(file: &impl Target) -> u64 {
    let mut head = [0; HEAD];
    let read = file.head(&mut head);
    // Damaged: who delivers will see it and seal the segment. Until then nothing is refused for it.
    limit_in(head.get(..read).unwrap_or_default()).unwrap_or(FIRST_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Journal;
    use crate::journal::path::TOO_LONG;
    use crate::journal::record::{
        encode,
        tests::{journal, record},
    };
    use crate::journal::target::Look;
    use rustix::fs::OFlags;
    use std::ffi::CStr;
    use std::fs;

    fn append_to(journal: &Journal, user: &[u8]) -> Result<(), Error> {
        append(journal.directory().as_os_str().as_encoded_bytes(), &encode(&record(user)))
    }

    #[test]
    fn the_first_writer_makes_the_segment_and_it_is_found_again_when_sealed() {
        let (_state, journal) = journal();
        append_to(&journal, b"root").unwrap();
        append_to(&journal, b"bob").unwrap();
        segment::seal(journal.directory(), FIRST_LIMIT).unwrap();
        append_to(&journal, b"eve").unwrap();
        let mut users = Vec::new();
        journal.read_since(jiff::Timestamp::UNIX_EPOCH, &mut |f| users.push(f.user)).unwrap();
        assert_eq!(users, ["root", "bob", "eve"]);
    }

    #[test]
    fn several_lines_are_appended_as_far_as_there_is_room_and_none_is_counted_as_dropped() {
        let (_state, journal) = journal();
        let lines: Vec<_> = (0..40).map(|n| encode(&record(format!("user{n:02}").as_bytes()))).collect();
        let length = lines[0].len() as u64;
        segment::seal(journal.directory(), HEAD as u64 + 10 * length).unwrap();
        let (whole, result) = append_lines(journal.directory(), &lines);
        assert_eq!(result, Err(Error::Full));
        assert!((10..=11).contains(&whole), "{whole}");
        assert_eq!(append_lines(journal.directory(), &lines[whole..]), (0, Err(Error::Full)));
        segment::seal(journal.directory(), FIRST_LIMIT).unwrap();
        assert_eq!(append_lines(journal.directory(), &lines[whole..]), (40 - whole, Ok(())));
        let mut users = Vec::new();
        journal.read_since(jiff::Timestamp::UNIX_EPOCH, &mut |f| users.push(f.user)).unwrap();
        assert_eq!(users, (0..40).map(|n| format!("user{n:02}")).collect::<Vec<_>>());
        assert_eq!(dropped::total(journal.directory()).unwrap_or(0), 0);
    }

    #[test]
    fn a_missing_directory_is_an_error_and_stays_missing() {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::new(state.path());
        assert_eq!(append_to(&journal, b"root"), Err(Error::Os(Errno::NOENT.raw_os_error())));
        assert!(!journal.directory().exists());
    }

    #[test]
    fn a_symbolic_link_a_pipe_and_a_long_path_are_refused() {
        let (state, journal) = journal();
        let (target, current) = (state.path().join("target"), journal.directory().join(CURRENT));
        fs::write(&target, "").unwrap();
        std::os::unix::fs::symlink(&target, &current).unwrap();
        assert_eq!(append_to(&journal, b"root"), Err(Error::Os(Errno::LOOP.raw_os_error())));
        assert_eq!(fs::read(&target).unwrap(), b"");
        fs::remove_file(&current).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &current, FileType::Fifo, MODE, 0).unwrap();
        assert!(append_to(&journal, b"root").is_err());
        assert_eq!(append(&[b'x'; 600], &encode(&record(b"root"))), Err(Error::Os(TOO_LONG)));
    }

    #[test]
    fn over_the_limit_records_are_dropped_and_counted() {
        let (_state, journal) = journal();
        segment::seal(journal.directory(), 1000).unwrap();
        let written = (0..20).filter(|_| append_to(&journal, b"root").is_ok()).count();
        assert!((1..20).contains(&written));
        assert_eq!(dropped::total(journal.directory()), Some(20 - written as u64));
        let mut failures = Vec::new();
        journal.read_since(jiff::Timestamp::UNIX_EPOCH, &mut |failure| failures.push(failure)).unwrap();
        let (appended, result) = journal.append_as_fits(&failures);
        assert!(appended == 0 && result.is_err());
        assert_eq!(
            dropped::total(journal.directory()),
            Some(20 - written as u64),
            "who can come again drops nothing"
        );
        assert!(fs::metadata(journal.directory().join(CURRENT)).unwrap().len() <= 1000);
    }

    thread_local! {
        /// How many files of [`Counted`] are locked.
        static LOCKED: std::cell::Cell<i32> = const { std::cell::Cell::new(0) };
    }

    /// A file that is locked once for each time that it is unlocked.
    struct Counted {
        look: fn() -> Result<Look, i32>,
        write: Result<usize, i32>,
    }

    impl Target for Counted {
        fn open(path: &CStr, _: OFlags, _: Mode) -> Result<Self, i32> {
            // What becomes of the attempt is in the name of the directory.
            let full: fn() -> _ = || Ok(Look { mode: 0o100_600, size: u64::MAX, links: 1 });
            let gone: fn() -> _ = || Ok(Look { mode: 0o100_600, size: 0, links: 0 });
            let pipe: fn() -> _ = || Ok(Look { mode: 0o010_600, size: 0, links: 1 });
            let error: fn() -> _ = || Err(5);
            let good: fn() -> _ = || Ok(Look { mode: 0o100_600, size: 0, links: 1 });
            let (look, write) = match path.to_bytes().get(1) {
                Some(b'f') => (full, Ok(1)),
                Some(b'g') => (gone, Ok(1)),
                Some(b'p') => (pipe, Ok(1)),
                Some(b'e') => (error, Ok(1)),
                Some(b'w') => (good, Err(28)),
                _ => (good, Ok(1)),
            };
            Ok(Self { look, write })
        }
        fn look(&self) -> Result<Look, i32> {
            (self.look)()
        }
        fn lock(&self) -> bool {
            LOCKED.set(LOCKED.get() + 1);
            true
        }
        fn unlock(&self) {
            LOCKED.set(LOCKED.get() - 1);
        }
        fn set_mode(&self, _: Mode) {}
        fn head(&self, _: &mut [u8; HEAD]) -> usize {
            0
        }
        fn write(&self, _: &[u8]) -> Result<usize, i32> {
            self.write
        }
    }

    #[test]
    fn the_lock_is_given_back_however_an_append_ends() {
        for way in ["/full", "/gone", "/pipe", "/error", "/write", "/short"] {
            assert!(super::append_to::<Counted>(way.as_bytes(), &encode(&record(b"root"))).is_err(), "{way}");
            assert_eq!(LOCKED.get(), 0, "{way}");
        }
    }

    #[test]
    fn writers_at_once_lose_nothing_while_segments_are_sealed() {
        let (_state, journal) = journal();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        append_to(&journal, b"root").unwrap();
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
