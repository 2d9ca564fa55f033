//! Records that could not be appended, each kept as the text of a symbolic link.
//!
//! Where a process may write no byte (`ulimit -f 0` in a container that may not lift it) or open no
//! file (`ulimit -n`), it still may make a link, in one step and without a descriptor. A link's text
//! is free, and a record fits. So the record is spilled beside the journal; the next pass takes it over.
//! What finds no room there either is counted as dropped (see [`super::dropped`]).
//!
//! ```text
//! spill-017 -> {"time":"2026-01-05T12:01:47.123456Z","route":"pam",…,"crc":"…"}
//! ```

use std::collections::HashSet;
use std::ffi::CStr;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::append::{self, Error};
use super::decode::{Decoded, decode};
use super::line::{Encoded, LONGEST};
use super::{CURRENT, Journal, path, segment};
use crate::event::Event;

const PREFIX: &str = "spill-";
/// As version 0.1 names them: a program that runs on may have its module still.
const PREFIX_OF_0_1: &str = "aside-";
/// At most: a user shall not fill the disk with them.
const MOST: u32 = 1000;

/// Spill `line` into the journal's `directory`. Allocates nothing and cannot panic.
#[inline(never)]
pub fn put(directory: &[u8], line: &Encoded) -> bool {
    let mut text = [0; LONGEST];
    // The newline at the end gives its place to the zero byte.
    let bytes = line.as_bytes().iter().filter(|b| **b != b'\n');
    text.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
    let Ok(text) = CStr::from_bytes_until_nul(&text) else { return false };
    path::name::<3>(line, (directory, PREFIX, MOST), |path| rustix::fs::symlink(text, path))
}

/// A record that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spilled {
    path: PathBuf,
    line: Vec<u8>,
    /// What it holds.
    pub failure: Event,
}

/// Those that wait, by name. One that was taken over already, by a pass that was cut before it could
/// remove the link, is none.
pub fn waiting(journal: &Journal) -> io::Result<Vec<Spilled>> {
    let mut found = list(journal.directory())?;
    if !found.is_empty() {
        let known = known(&journal.directory().join(CURRENT), &found)?;
        found.retain(|spilled| !known.contains(&spilled.line));
    }
    Ok(found)
}

/// Whether there is anything for [`take_over`] to do.
pub fn is_any(journal: &Journal) -> io::Result<bool> {
    Ok(!list(journal.directory())?.is_empty())
}

/// Append those that wait to the journal, and remove the links when they are on disk. Only under the
/// delivery lock, and before anything is sealed. What cannot be appended waits on.
pub fn take_over(journal: &Journal) -> io::Result<()> {
    let all = list(journal.directory())?;
    if all.is_empty() {
        return Ok(());
    }
    let known = known(&journal.directory().join(CURRENT), &all)?;
    let mut over = Vec::new();
    for spilled in &all {
        let appended = known.contains(&spilled.line)
            || match Encoded::copy_of(&[&spilled.line[..], b"\n"].concat())
                .map(|line| append::append(journal.directory().as_os_str().as_encoded_bytes(), &line))
            {
                // Where it finds no room it was counted as dropped.
                Some(Ok(()) | Err(Error::Full)) => true,
                Some(Err(Error::Os(_))) | None => false,
            };
        if appended {
            over.push(&spilled.path);
        }
    }
    journal.sync()?;
    over.into_iter().try_for_each(fs::remove_file)
}

fn list(directory: &Path) -> io::Result<Vec<Spilled>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        if ![PREFIX, PREFIX_OF_0_1].iter().any(|prefix| name.as_bytes().starts_with(prefix.as_bytes())) {
            continue;
        }
        let path = entry.path();
        // Taken over since it was listed, or nothing of ours.
        let Ok(text) = fs::read_link(&path) else { continue };
        let line = text.as_os_str().as_bytes().to_vec();
        if let (Some(Decoded::Event(failure)), false) = decode(&line) {
            found.push(Spilled { path, line, failure: *failure });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// The lines of `spilled` that are in the file already.
fn known(file: &Path, spilled: &[Spilled]) -> io::Result<HashSet<Vec<u8>>> {
    let wanted: HashSet<&[u8]> = spilled.iter().map(|spilled| &spilled.line[..]).collect();
    // Where a link, a pipe or a device is in its place nothing was appended.
    let file = match segment::open(file) {
        Ok(file) if file.metadata()?.is_file() => file,
        _ => return Ok(HashSet::new()),
    };
    let (mut reader, mut line, mut known) = (BufReader::new(file), Vec::new(), HashSet::new());
    while reader.read_until(b'\n', &mut line)? > 0 {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        if wanted.contains(text) {
            known.insert(text.to_vec());
        }
        line.clear();
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::record::{
        encode,
        tests::{journal, record},
    };
    use jiff::Timestamp;

    fn put_record(journal: &Journal, user: &[u8]) -> bool {
        put(journal.directory().as_os_str().as_bytes(), &encode(&record(user)))
    }

    fn users(journal: &Journal) -> Vec<String> {
        let mut users = Vec::new();
        journal.read_since(Timestamp::UNIX_EPOCH, &mut |f| users.push(f.user)).unwrap();
        users
    }

    #[test]
    fn what_was_spilled_is_in_the_journal_once_wherever_the_pass_is_cut() {
        let (_state, journal) = journal();
        assert!(put_record(&journal, b"root") && put_record(&journal, &[0xff; 200]));
        assert_eq!(waiting(&journal).unwrap().len(), 2);
        let (count, before) = (users(&journal).len(), waiting(&journal).unwrap());
        assert_eq!(count, 2, "read like the rest");
        // Cut between appending and removing the link: the links come back.
        take_over(&journal).unwrap();
        assert!(list(journal.directory()).unwrap().is_empty());
        for spilled in &before {
            let text = std::ffi::OsStr::from_bytes(&spilled.line);
            std::os::unix::fs::symlink(text, &spilled.path).unwrap();
        }
        assert!(waiting(&journal).unwrap().is_empty());
        take_over(&journal).unwrap();
        assert_eq!(users(&journal).len(), 2);
        assert!(list(journal.directory()).unwrap().is_empty());
    }

    #[test]
    fn a_name_that_is_taken_is_passed_over_and_there_is_an_end_to_them() {
        let (_state, journal) = journal();
        let put = (0..2 * path::TRIES).filter(|_| put_record(&journal, b"root")).count();
        assert_eq!(put, path::TRIES as usize, "the same record begins at the same name");
        assert!(
            (0..5 * MOST).filter(|n| put_record(&journal, n.to_string().as_bytes())).count() <= MOST as usize
        );
        assert!(fs::read_dir(journal.directory()).unwrap().count() <= MOST as usize);
    }

    #[test]
    fn a_link_that_is_not_a_record_stays_where_it_is() {
        let (_state, journal) = journal();
        std::os::unix::fs::symlink("/etc/passwd", journal.directory().join("spill-001")).unwrap();
        take_over(&journal).unwrap();
        assert!(waiting(&journal).unwrap().is_empty());
        assert!(journal.directory().join("spill-001").is_symlink());
    }
}
