//! The lock of version 0.1 on the whole state directory: a program that runs on may have its module still.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::process::{Flock, FlockType, fcntl_getlk};

use super::clock::Reading;
use super::lock::{POLL, options};

/// Each of the calls of a pass had a time limit of at most five minutes.
const LONGEST_OLD_PASS_MS: u64 = 600_000;

/// Take the lock that version 0.1 has on the whole state directory; held until the file is closed.
pub fn take(path: &Path, patience: Duration) -> io::Result<Option<File>> {
    let file = options().create(true).truncate(false).open(path)?;
    let until = Instant::now() + patience;
    loop {
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(file)),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) if Instant::now() >= until => {
                return Ok(None);
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => thread::sleep(POLL),
            Err(e) => return Err(e.into()),
        }
    }
}

/// Whether a process of version 0.1 holds the lock on the whole state directory for longer than any of its passes
/// takes. It says nothing of that: so since when it was seen to is kept in the file `noted`.
pub fn stands_still(path: &Path, noted: &Path) -> io::Result<bool> {
    let file = options().create(true).truncate(false).open(path)?;
    let held = fcntl_getlk(&file, &Flock::from(FlockType::WriteLock))?;
    let Some(holder) = held.and_then(|lock| lock.pid) else { return Ok(false) };
    let now = Reading::now();
    let who = format!("{} {} ", now.boot, holder.as_raw_nonzero());
    let before = fs::read_to_string(noted).unwrap_or_default();
    match before.strip_prefix(&who).and_then(|since| since.trim_end().parse::<u64>().ok()) {
        Some(since) => Ok(now.since_boot_ms.saturating_sub(since) > LONGEST_OLD_PASS_MS),
        None => {
            crate::storage::replace(noted, format!("{who}{}\n", now.since_boot_ms).as_bytes()).map(|()| false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lock::tests::{end, holder, place};
    use super::*;

    #[test]
    fn who_of_version_0_1_holds_its_lock_for_too_long_stands_still() {
        let (_state, place) = place();
        let (path, noted) = (place.lock_file(0), place.directory().join("noted"));
        assert!(!stands_still(&path, &noted).unwrap(), "nobody holds it");
        let child = holder(&place, 0, 0);
        assert!(!stands_still(&path, &noted).unwrap() && !stands_still(&path, &noted).unwrap());
        let now = Reading::now();
        let since = |pid: u32| format!("{} {pid} {}\n", now.boot, now.since_boot_ms.saturating_sub(600_001));
        fs::write(&noted, since(1)).unwrap();
        assert!(!stands_still(&path, &noted).unwrap(), "another process did");
        if now.since_boot_ms > 600_001 {
            fs::write(&noted, since(child.id())).unwrap();
            assert!(stands_still(&path, &noted).unwrap());
        }
        end(child);
    }
}
