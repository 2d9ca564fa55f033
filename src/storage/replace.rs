//! Writing a file whole or not at all.
//!
//! Beside the old one, synced and renamed. Of a file that has a copy the old one is written over instead where there
//! is no room for a new one (the disk is full, or has no inode left, of which ext4 keeps none for root): its
//! own room is there, and some more is kept behind its end. Cut in the middle of that, it is damaged.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, Mode, OFlags, fallocate, fchmod};
use rustix::io::Errno;

const PLAIN: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
/// A larger one is not ours: the largest is what the hub of a fleet remembers of its members.
const LARGEST: u64 = 32 << 20;
/// A file that is replaced keeps this much room, so that it may grow on a disk that is full.
const ROOM: u64 = 16 << 10;

/// Replace `file` by `bytes`; root's alone; durable when it returns.
pub fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_by(file, |out| out.write_all(bytes))
}

/// The same; where there is no room for a new file the old one is written over.
pub(super) fn replace_one_of_two(file: &Path, bytes: &[u8]) -> io::Result<()> {
    match replace(file, bytes) {
        Err(e) if has_no_room(&e) && file.exists() => write_over(file, bytes).map_err(|_| e),
        other => other,
    }
}

/// Replace `file` by `bytes`, for everybody to read: whoever reads it sees the old or the new one whole.
pub fn publish(file: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_by(file, |out| {
        out.write_all(bytes)?;
        Ok(fchmod(&*out, Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH)?)
    })
}

/// Replace `file` by what `write` writes.
pub(super) fn replace_by(file: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let fresh = beside(file, ".new");
    let _ = fs::remove_file(&fresh);
    let options = &mut File::options();
    let mut out = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits() as i32)
        .open(&fresh)?;
    // The caller's umask may have taken bits away.
    fchmod(&out, Mode::RUSR | Mode::WUSR)?;
    let written = write(&mut out).and_then(|()| out.sync_all()).and_then(|()| {
        keep_room(&out);
        fs::rename(&fresh, file)
    });
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written?;
    sync_directory(file)
}

/// Whether `file` could be replaced, without touching the one that is there.
pub fn probe(file: &Path) -> io::Result<()> {
    let fresh = beside(file, ".new");
    let _ = fs::remove_file(&fresh);
    File::options().write(true).create_new(true).mode(0o600).open(&fresh).map(drop)?;
    fs::remove_file(&fresh)
}

/// Have room behind its end. Where the file system cannot do that, or has none, nothing is different.
pub(super) fn keep_room(file: &File) {
    if file.metadata().is_ok_and(|meta| meta.blocks() * 512 < ROOM) {
        let _ = fallocate(file, FallocateFlags::KEEP_SIZE, 0, ROOM);
    }
}

fn write_over(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let out = open(File::options().write(true), file)?;
    out.write_all_at(bytes, 0)?;
    // Not shorter first: that would give the room away.
    out.set_len(bytes.len() as u64)?;
    out.sync_all()
}

fn has_no_room(why: &io::Error) -> bool {
    let errno = why.raw_os_error();
    [Errno::NOSPC, Errno::DQUOT].iter().any(|e| errno == Some(e.raw_os_error()))
}

/// Open a regular file, following no link and waiting for nobody at a pipe. Anything else is an error that names it.
pub fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let is_no_file = || io::Error::other(format!("{} is not a regular file", path.display()));
    let file = match options.custom_flags(PLAIN.bits() as i32).open(path) {
        // A link; a pipe; a directory: for writing.
        Err(e)
            if [Errno::LOOP, Errno::NXIO, Errno::ISDIR]
                .iter()
                .any(|no| e.raw_os_error() == Some(no.raw_os_error())) =>
        {
            return Err(is_no_file());
        }
        file => file?,
    };
    if file.metadata()?.is_file() { Ok(file) } else { Err(is_no_file()) }
}

/// The bytes of a file of bounded size, following no link; none of a pipe.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::options().read(true).custom_flags(PLAIN.bits() as i32).open(path)?;
    // Room for all of it: otherwise it is read in ever larger pieces, and copied with each.
    let size = file.metadata()?.len().min(LARGEST);
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Make what was renamed or made beside `file` last through a power cut.
pub fn sync_directory(file: &Path) -> io::Result<()> {
    let directory = file.parent().filter(|path| !path.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// `file` with `suffix` behind its name.
pub(super) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(suffix);
    file.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_over_holds_the_new_bytes_and_nothing_of_the_old() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("state.json");
        replace(&file, &[b'x'; 5000]).unwrap();
        write_over(&file, b"short").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"short");
        write_over(&file, &[b'y'; 9000]).unwrap();
        assert_eq!(fs::read(&file).unwrap(), [b'y'; 9000]);
    }

    #[test]
    fn only_a_lack_of_room_has_a_file_written_over() {
        assert!(has_no_room(&io::Error::from_raw_os_error(Errno::NOSPC.raw_os_error())));
        assert!(!has_no_room(&io::Error::from_raw_os_error(Errno::ROFS.raw_os_error())));
        let nowhere = Path::new("/proc/none/file");
        assert!(replace(nowhere, b"x").is_err());
    }
}
