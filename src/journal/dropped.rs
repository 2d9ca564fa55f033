//! Counting the records that found no room, in the file `dropped`: one byte each.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{CWD, FileType, OFlags};

use super::line::Encoded;
use super::target::{APPEND, MODE, Target};
use super::{DROPPED, path};

/// What a further name of the file `dropped` begins with; its number follows.
const DROPPED_NAME: &str = "dropped-";
/// File systems allow some 65,000 names of a file.
const MOST_NAMES: u32 = 60_000;

/// Count `line` as dropped: one byte more in the file `dropped`, for which a pass keeps room on the disk. A
/// process that cannot write a byte, or cannot open a file, gives the file one more name: that needs neither room
/// nor a descriptor. The count is its size and its further names.
///
/// Apart, so that its buffer is on the stack only where it is needed.
#[cold]
#[inline(never)]
pub fn count<F: Target>(directory: &[u8], line: &Encoded) {
    let mut buffer = [0; 512];
    let Ok(file) = path::join(&mut buffer, directory, DROPPED.as_bytes()) else { return };
    if F::open(file, APPEND, MODE).and_then(|file| file.write(b".")) == Ok(1) {
        return;
    }
    let _ = rustix::fs::mknodat(CWD, file, FileType::RegularFile, MODE, 0);
    path::name::<5>(line, (directory, DROPPED_NAME, MOST_NAMES), |name| rustix::fs::link(file, name));
}

/// How many records were dropped since the journal was made; nothing where none was.
pub fn total(directory: &Path) -> Option<u64> {
    let meta = std::fs::symlink_metadata(directory.join(DROPPED)).ok().filter(|m| m.is_file())?;
    Some(meta.len() + meta.nlink().saturating_sub(1))
}

/// Count what was counted as further names as bytes, so that the names can be used again. Only under the delivery
/// lock. A pass that is ended in the middle counts one too many.
pub fn settle(directory: &Path) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::record::{
        encode,
        tests::{journal, record},
    };
    use crate::journal::target::{HEAD, Look};
    use rustix::fs::Mode;
    use rustix::io::Errno;
    use std::ffi::CStr;
    use std::fs;
    use std::os::fd::OwnedFd;

    #[test]
    fn what_can_neither_be_written_nor_counted_by_a_byte_is_counted_by_a_name() {
        let (_state, journal) = journal();
        let directory = journal.directory();
        let count = |user: &[u8]| {
            super::count::<Unwritable>(directory.as_os_str().as_encoded_bytes(), &encode(&record(user)));
        };
        for n in 0..200 {
            count(n.to_string().as_bytes());
        }
        assert_eq!(total(directory), Some(200));
        settle(directory).unwrap();
        assert_eq!(
            (total(directory), fs::metadata(directory.join(DROPPED)).unwrap().len()),
            (Some(200), 200)
        );
        assert_eq!(fs::read_dir(directory).unwrap().count(), 1, "the names are free again");
        count(b"root");
        super::count::<OwnedFd>(directory.as_os_str().as_encoded_bytes(), &encode(&record(b"root")));
        assert_eq!(total(directory), Some(202));
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
}
