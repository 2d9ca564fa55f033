//! Room on the disk that is kept for what comes.

use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FallocateFlags, OFlags, fallocate, fstatvfs};

use super::DROPPED;

/// About a thousand records.
const RESERVE: u64 = 256 << 10;
/// A byte a record.
const COUNT_RESERVE: u64 = 1 << 20;

/// Have room on the disk for what comes next in a segment, and for the count of what finds none: a user who fills
/// it up, with what everybody may write, would make what he does then unseen. A small disk has room for less.
/// Where the file system cannot do that, nothing is different.
///
/// Who watches the file learns of it: to be called where something new was read, or before it has its name.
pub fn reserve(path: &Path) {
    let _ = reserve_in(path, RESERVE, false);
    if let Some(directory) = path.parent() {
        let _ = reserve_in(&directory.join(DROPPED), COUNT_RESERVE, true);
    }
}

fn reserve_in(path: &Path, most: u64, create: bool) -> io::Result<()> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let mut options = File::options();
    options.append(true).create(create).mode(0o600).custom_flags(flags);
    let file = options.open(path)?;
    let meta = file.metadata()?;
    let disk = fstatvfs(&file)?;
    let share = (disk.f_bavail * disk.f_frsize / 16).clamp(4096, most);
    if meta.is_file() && meta.blocks() * 512 < meta.len() + share / 2 {
        fallocate(&file, FallocateFlags::KEEP_SIZE, meta.len(), share)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::CURRENT;
    use crate::journal::append::append;
    use crate::journal::record::{
        encode,
        tests::{journal, record},
    };
    use std::fs;

    #[test]
    fn room_is_kept_for_records_and_for_the_count_of_what_finds_none() {
        let (_state, journal) = journal();
        let directory = journal.directory();
        append(directory.as_os_str().as_encoded_bytes(), &encode(&record(b"root"))).unwrap();
        let current = directory.join(CURRENT);
        reserve(&current);
        let meta = |name: &str| fs::metadata(directory.join(name)).unwrap();
        assert_eq!(meta(DROPPED).len(), 0);
        // Where the file system cannot keep room there is nothing to see.
        if meta(CURRENT).blocks() * 512 > 4096 {
            assert!(meta(DROPPED).blocks() * 512 >= 4096);
        }
    }
}
