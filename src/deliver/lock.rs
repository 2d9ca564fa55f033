//! One sender at a time.
//!
//! A POSIX record lock: it belongs to the process and is not inherited by a fork, so that a session
//! that sshd forks while the worker sends does not hold it for hours; it dies with its holder.
//!
//! Under su the holder belongs to whoever started it, and he may stop or freeze it: one command,
//! and nobody would be told anything until he lets it go on. So who finds the lock held by such a
//! program that is stopped, or holds it for too long, ends that program. Of root's, it ends one that is
//! stopped for too long, and our own command when it holds the lock for too long. A pass can be cut at
//! every step.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags, Timespec, Timestamps, UTIME_NOW, fcntl_lock, futimens};
use rustix::process::{Flock, FlockType, Pid, PidfdFlags, Signal};
use rustix::process::{fcntl_getlk, pidfd_open, pidfd_send_signal};

/// No pass takes so long: each call has a timeout of at most five minutes.
const TOO_LONG: Duration = Duration::from_secs(600);
/// Until a process that was ended is gone.
const GONE: Duration = Duration::from_millis(500);
const POLL: Duration = Duration::from_millis(10);

/// Held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    held: Held,
}

/// Which file is locked, by path, device and inode.
#[derive(Clone, Debug)]
pub struct Held {
    path: PathBuf,
    file: (u64, u64),
}

impl Lock {
    /// Take the lock in `file`, waiting no longer than `patience`; `None` where another process holds it.
    pub fn take(path: &Path, patience: Duration) -> io::Result<Option<Self>> {
        let mut lock = Self::open(path)?;
        let mut until = Instant::now() + patience;
        let mut looked = false;
        loop {
            match fcntl_lock(&lock.file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) if lock.held.is_there()? => break,
                // Deleted while it was waited for.
                Ok(()) => lock = Self::open(path)?,
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => {}
                Err(e) => return Err(e.into()),
            }
            if !looked && end_obstructor(&lock.file) {
                looked = true;
                until = until.max(Instant::now() + GONE);
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            thread::sleep(POLL);
        }
        // Since when it is held. Where that cannot be noted, it is held all the same.
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let _ = futimens(&lock.file, &Timestamps { last_access: now, last_modification: now });
        Ok(Some(lock))
    }

    /// What tells later whether it is still held.
    pub fn held(&self) -> &Held {
        &self.held
    }

    fn open(path: &Path) -> io::Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits() as i32)
            .open(path)?;
        let held = Held { path: path.into(), file: identity(&file.metadata()?) };
        Ok(Self { file, held })
    }
}

impl Held {
    /// An error where the file was deleted: whoever comes then makes another, and there are two passes.
    /// The one that came first changes nothing from then on.
    pub fn check(&self) -> io::Result<()> {
        if self.is_there()? {
            return Ok(());
        }
        let path = self.path.display();
        Err(io::Error::other(format!("{path} was deleted while it was held; the next pass goes on")))
    }

    fn is_there(&self) -> io::Result<bool> {
        match fs::symlink_metadata(&self.path) {
            Ok(there) => Ok(identity(&there) == self.file),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }
}

fn identity(meta: &fs::Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fcntl_lock(&self.file, FlockOperation::NonBlockingUnlock);
    }
}

/// End the holder if it is in the way. Says whether it did.
fn end_obstructor(file: &File) -> bool {
    let Some(pid) = holder(file) else { return false };
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
    // The number may have gone to another process before it was opened.
    if holder(file) != Some(pid) {
        return false;
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let held = file.metadata().and_then(|m| m.modified()).ok().and_then(|since| since.elapsed().ok());
    obstructs(&status, held.unwrap_or_default())
        && holder(file) == Some(pid)
        && pidfd_send_signal(&process, Signal::KILL).is_ok()
}

fn holder(file: &File) -> Option<Pid> {
    fcntl_getlk(file, &Flock::from(FlockType::WriteLock)).ok().flatten()?.pid
}

/// `status` is what proc(5) says of the holder. What root runs, root may stop; but not for so long, as
/// some programs that users start make themselves root's altogether. Of sshd or login it is somebody's
/// session, and goes on as long as it runs.
fn obstructs(status: &str, held: Duration) -> bool {
    let field = |name: &str| status.lines().find_map(|l| l.strip_prefix(name)?.split_whitespace().next());
    let of_a_user = field("Uid:").is_some_and(|uid| uid != "0");
    let stopped = field("State:") == Some("T");
    let ours = field("Name:") == Some("authalert");
    if of_a_user { stopped || held > TOO_LONG } else { (stopped || ours) && held > TOO_LONG }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_program_that_stands_still_is_in_the_way_and_of_roots_only_our_command() {
        let of = |name: &str, state: &str, uid: u32| {
            format!("Name:\t{name}\nState:\t{state}\nUid:\t{uid}\t0\t0\t0\nGid:\t0\n")
        };
        let status = |state: &str, uid: u32| of("su", state, uid);
        let (short, long) = (Duration::from_secs(30), Duration::from_secs(601));
        for (status, held, expected) in [
            (status("T (stopped)", 1000), short, true),
            (status("S (sleeping)", 1000), short, false),
            (status("S (sleeping)", 1000), long, true),
            (status("T (stopped)", 0), short, false),
            (status("T (stopped)", 0), long, true),
            (status("S (sleeping)", 0), long, false),
            (of("authalert", "T (stopped)", 0), short, false),
            (of("authalert", "T (stopped)", 0), long, true),
            (of("authalert", "S (sleeping)", 0), long, true),
            (status("t (tracing stop)", 1000), short, false),
            (String::new(), long, false),
        ] {
            assert_eq!(obstructs(&status, held), expected, "{status} {held:?}");
        }
    }
}
