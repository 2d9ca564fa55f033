//! Appending, on the login path. One open, one write, one close; nothing is waited for, no
//! allocation, no configuration file, and nothing that could panic.
//!
//! While it writes, a writer holds a shared lock on the segment, which it gets at once or not at all:
//! only whoever deletes the segment locks it alone. So a record never lands in a file that is going
//! away, and never twice.
//!
//! How large a segment may become is in its first line, written there by whoever sealed the one
//! before. A record that finds no room is counted in the file `dropped` (see [`count_dropped`]).

use std::ffi::CStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{CWD, FileType, FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

use super::record::{Encoded, limit_in};
use super::{CURRENT, DROPPED, segment};

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

const MODE: Mode = Mode::RUSR.union(Mode::WUSR);
const APPEND: OFlags = OFlags::RDWR
    .union(OFlags::APPEND)
    .union(OFlags::CREATE)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    // Each append is followed by a look at the first line, which would write the time of that look to the disk.
    .union(OFlags::NOATIME);
const TOO_LONG: i32 = Errno::NAMETOOLONG.raw_os_error();

/// What appending needs of a file. The module brings its own, on bare system calls: safe descriptors
/// come with checks that can panic, and with these everything that a panic needs. Errors are errno.
pub trait Target: Sized {
    /// Open for appending and reading, and make it with `mode` where it is missing; follow no link,
    /// wait for no reader of a pipe, and keep off the descriptors 0, 1 and 2.
    fn open(path: &CStr, flags: OFlags, mode: Mode) -> Result<Self, i32>;
    /// What it is now.
    fn look(&self) -> Result<Look, i32>;
    /// Lock it together with other writers, without waiting; false where somebody holds it alone.
    fn lock(&self) -> bool;
    /// Let go of that lock.
    fn unlock(&self);
    /// Give it `mode`.
    fn set_mode(&self, mode: Mode);
    /// Read its beginning; how much of it was there.
    fn head(&self, place: &mut [u8; HEAD]) -> usize;
    /// One write; how much of it was taken.
    fn write(&self, bytes: &[u8]) -> Result<usize, i32>;
}

/// What a file is.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Type and permissions, as `st_mode`.
    pub mode: u32,
    /// Bytes.
    pub size: u64,
    /// Names that it has; none once it is deleted.
    pub links: u64,
}

/// How much of a segment is looked at for its limit.
pub const HEAD: usize = 128;

/// Append one encoded record to the segment that is current in the journal's `directory`.
pub fn append(directory: &[u8], line: &Encoded) -> Result<(), Error> {
    append_to::<OwnedFd>(directory, line)
}

/// The same, with the files of the caller.
pub fn append_to<F: Target>(directory: &[u8], line: &Encoded) -> Result<(), Error> {
    let (file, size) = current::<F>(directory)?;
    if size.saturating_add(line.len() as u64) > limit(&*file) {
        count_dropped::<F>(directory, line);
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

/// How many records were dropped since the journal was made; nothing where none was.
pub fn dropped(directory: &Path) -> Option<u64> {
    let meta = std::fs::symlink_metadata(directory.join(DROPPED)).ok().filter(|m| m.is_file())?;
    Some(meta.len() + meta.nlink().saturating_sub(1))
}

/// Count what was counted as further names as bytes, so that the names can be used again. Only under the delivery
/// lock. A pass that is ended in the middle counts one too many.
pub fn settle_dropped(directory: &Path) -> io::Result<()> {
    let path = directory.join(DROPPED);
    if !std::fs::symlink_metadata(&path).is_ok_and(|m| m.is_file() && m.nlink() > 1) {
        return Ok(());
    }
    let mut file = File::options().append(true).custom_flags(OFlags::NOFOLLOW.bits() as i32).open(&path)?;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if is_further_name(entry.file_name().as_encoded_bytes()) {
            file.write_all(b".")?;
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn is_further_name(name: &[u8]) -> bool {
    name.strip_prefix(DROPPED_NAME.as_bytes())
        .is_some_and(|number| number.len() == 5 && number.iter().all(u8::is_ascii_digit))
}

/// `directory/name` in the caller's buffer, as the kernel wants it. Too long is an error.
#[inline(never)]
pub fn join<'a>(buffer: &'a mut [u8; 512], directory: &[u8], name: &[u8]) -> Result<&'a CStr, i32> {
    let mut length: usize = 0;
    for part in [directory, b"/", name, b"\0"] {
        let places = buffer.get_mut(length..length.saturating_add(part.len())).ok_or(TOO_LONG)?;
        places.iter_mut().zip(part).for_each(|(place, byte)| *place = *byte);
        length += part.len();
    }
    CStr::from_bytes_until_nul(buffer).map_err(|_| TOO_LONG)
}

impl Target for OwnedFd {
    fn open(path: &CStr, flags: OFlags, mode: Mode) -> Result<Self, i32> {
        let file = rustix::fs::open(path, flags, mode).map_err(Errno::raw_os_error)?;
        if file.as_raw_fd() > 2 {
            return Ok(file);
        }
        rustix::io::fcntl_dupfd_cloexec(&file, 3).map_err(Errno::raw_os_error)
    }

    fn look(&self) -> Result<Look, i32> {
        let stat = rustix::fs::fstat(self).map_err(Errno::raw_os_error)?;
        // The types of these differ between platforms.
        #[allow(clippy::unnecessary_cast)]
        Ok(Look { mode: stat.st_mode as u32, size: stat.st_size as u64, links: stat.st_nlink as u64 })
    }

    fn lock(&self) -> bool {
        flock(self, FlockOperation::NonBlockingLockShared) != Err(Errno::WOULDBLOCK)
    }

    fn unlock(&self) {
        let _ = flock(self, FlockOperation::Unlock);
    }

    fn set_mode(&self, mode: Mode) {
        let _ = rustix::fs::fchmod(self, mode);
    }

    fn head(&self, place: &mut [u8; HEAD]) -> usize {
        rustix::io::pread(self, place, 0).unwrap_or(0)
    }

    fn write(&self, bytes: &[u8]) -> Result<usize, i32> {
        rustix::io::write(self, bytes).map_err(Errno::raw_os_error)
    }
}

fn limit(file: &impl Target) -> u64 {
    let mut head = [0; HEAD];
    let read = file.head(&mut head);
    // Damaged: who delivers will see it and seal the segment. Until then nothing is refused for it.
    limit_in(head.get(..read).unwrap_or_default()).unwrap_or(FIRST_LIMIT)
}

/// What a further name of the file `dropped` begins with; its number follows.
const DROPPED_NAME: &str = "dropped-";
/// File systems allow some 65,000 names of a file.
const MOST_NAMES: u32 = 60_000;
/// Names that are tried on the login path.
const TRIES: u32 = 32;

/// Count `line` as dropped: one byte more in the file `dropped`, for which a pass keeps room on the disk. A
/// process that cannot write a byte, or cannot open a file, gives the file one more name: that needs neither room
/// nor a descriptor. The count is its size and its further names.
///
/// Apart, so that its buffer is on the stack only where it is needed.
#[cold]
#[inline(never)]
pub fn count_dropped<F: Target>(directory: &[u8], line: &Encoded) {
    let (mut buffer, mut other) = ([0; 512], [0; 512]);
    let Ok(path) = join(&mut buffer, directory, DROPPED.as_bytes()) else { return };
    if F::open(path, APPEND, MODE).and_then(|file| file.write(b".")) == Ok(1) {
        return;
    }
    let _ = rustix::fs::mknodat(CWD, path, FileType::RegularFile, MODE, 0);
    let start = anywhere(line);
    for n in 0..TRIES {
        let n = start.wrapping_add(n) % MOST_NAMES;
        let Ok(name) = numbered::<5>(&mut other, directory, DROPPED_NAME, n) else { return };
        if rustix::fs::link(path, name) != Err(Errno::EXIST) {
            return;
        }
    }
}

/// Where to begin among numbered names: the checksum differs from record to record.
pub(super) fn anywhere(line: &Encoded) -> u32 {
    line.as_bytes().iter().rev().take(12).fold(0, |n, b| n.wrapping_mul(31).wrapping_add(u32::from(*b)))
}

/// `directory/prefix` with a number of so many digits, in the caller's buffer.
pub(super) fn numbered<'a, const DIGITS: usize>(
    buffer: &'a mut [u8; 512],
    directory: &[u8],
    prefix: &str,
    n: u32,
) -> Result<&'a CStr, i32> {
    let mut name = [0; 16];
    let mut len = 0;
    for (place, byte) in name.iter_mut().zip(prefix.bytes().chain(digits::<DIGITS>(n))) {
        *place = byte;
        len += 1;
    }
    join(buffer, directory, name.get(..len).unwrap_or_default())
}

/// The last digits of a number.
pub fn digits<const DIGITS: usize>(mut n: u32) -> [u8; DIGITS] {
    let mut digits = [b'0'; DIGITS];
    for place in digits.iter_mut().rev() {
        *place = b'0' + (n % 10) as u8;
        n /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Journal;
    use crate::journal::record::{encode, tests::record};
    use std::fs;

    fn journal() -> (tempfile::TempDir, Journal) {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::new(state.path());
        fs::create_dir(journal.directory()).unwrap();
        (state, journal)
    }

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
        assert_eq!(dropped(journal.directory()).unwrap_or(0), 0);
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
        assert_eq!(dropped(journal.directory()), Some(20 - written as u64));
        let mut failures = Vec::new();
        journal.read_since(jiff::Timestamp::UNIX_EPOCH, &mut |failure| failures.push(failure)).unwrap();
        let (appended, result) = journal.append_as_fits(&failures);
        assert!(appended == 0 && result.is_err());
        assert_eq!(
            dropped(journal.directory()),
            Some(20 - written as u64),
            "who can come again drops nothing"
        );
        assert!(fs::metadata(journal.directory().join(CURRENT)).unwrap().len() <= 1000);
    }

    #[test]
    fn what_can_neither_be_written_nor_counted_by_a_byte_is_counted_by_a_name() {
        let (_state, journal) = journal();
        let directory = journal.directory();
        let count = |user: &[u8]| {
            count_dropped::<Unwritable>(directory.as_os_str().as_encoded_bytes(), &encode(&record(user)));
        };
        for n in 0..200 {
            count(n.to_string().as_bytes());
        }
        assert_eq!(dropped(directory), Some(200));
        settle_dropped(directory).unwrap();
        assert_eq!(
            (dropped(directory), fs::metadata(directory.join(DROPPED)).unwrap().len()),
            (Some(200), 200)
        );
        assert_eq!(fs::read_dir(directory).unwrap().count(), 1, "the names are free again");
        count(b"root");
        count_dropped::<OwnedFd>(directory.as_os_str().as_encoded_bytes(), &encode(&record(b"root")));
        assert_eq!(dropped(directory), Some(202));
    }

    /// A process without a descriptor left.
    struct Unwritable;

    impl Target for Unwritable {
        fn open(_: &CStr, _: OFlags, _: Mode) -> Result<Self, i32> {
            Err(Errno::MFILE.raw_os_error())
        }
        fn look(&self) -> Result<Look, i32> {
            Err(0)
        }
        fn lock(&self) -> bool {
            false
        }
        fn unlock(&self) {}
        fn set_mode(&self, _: Mode) {}
        fn head(&self, _: &mut [u8; HEAD]) -> usize {
            0
        }
        fn write(&self, _: &[u8]) -> Result<usize, i32> {
            Err(0)
        }
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
