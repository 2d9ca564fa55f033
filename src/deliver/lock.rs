//! One pass at a time over each receiver.
//!
//! A POSIX record lock: it belongs to the process and is not inherited by a fork, so that a session
//! that sshd forks while the worker sends does not hold it for hours; it dies with its holder.
//!
//! A holder may also stand still: stopped, frozen, or in a call that does not return. No process is ever
//! ended for that. The holder writes until when it means to hold the lock, by the clock that no wall
//! clock moves, and renews that before it waits for anything. Whoever finds a lock held beyond that
//! takes the next epoch (see [`super::place`]): it makes the next lock file, and the one before holds
//! nothing any more. [`LockToken::check`] tells it so before whatever it does.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags, fcntl_lock};

use super::clock::Reading;
use super::place::Place;
use crate::storage;

/// A holder says that it holds on for so long, beyond what it waits for.
pub const LEASE: Duration = Duration::from_secs(120);
/// Nobody holds on for longer, be it for the slowest receiver.
const LONGEST: Duration = Duration::from_secs(600);
pub(super) const POLL: Duration = Duration::from_millis(10);
/// A lease that is over is looked at again after this: the lock may have a new holder that is about to
/// write its own.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    token: LockToken,
}

/// What tells whether a lock is still held.
#[derive(Clone, Debug)]
pub struct LockToken {
    place: Place,
    epoch: u64,
    /// Device and inode.
    file: (u64, u64),
}

impl Lock {
    /// Take the lock of a receiver, waiting no longer than `patience`; `None` where another process
    /// holds it. A receiver that has a state and no lock was held when somebody deleted that: it gets the next epoch.
    pub fn take(place: &Place, patience: Duration) -> io::Result<Option<Self>> {
        let mut until = Instant::now() + patience;
        let mut over_since: Option<(u64, String, Instant)> = None;
        loop {
            let Some(epoch) = place.newest_lock()? else {
                let next = place.states()?.last().map_or(0, |epoch| epoch + 1);
                if let Some(lock) = Self::make(place, next)? {
                    return Ok(Some(lock));
                }
                continue;
            };
            let Some((file, token)) = open(place, epoch)? else { continue };
            match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
                // Overtaken or deleted while it was opened.
                Ok(()) if token.check().is_err() => continue,
                Ok(()) => {
                    let lock = Self { file, token };
                    lock.renew(LEASE)?;
                    return Ok(Some(lock));
                }
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => {}
                Err(e) => return Err(e.into()),
            }
            match lease(&file) {
                lease if !is_over(&lease, &Reading::now()) => over_since = None,
                lease => match &over_since {
                    Some((of, seen, since)) if *of == epoch && *seen == lease => {
                        if since.elapsed() >= LOOK_AGAIN {
                            if let Some(lock) = Self::make(place, epoch + 1)? {
                                return Ok(Some(lock));
                            }
                        }
                    }
                    _ => {
                        over_since = Some((epoch, lease, Instant::now()));
                        until = until.max(Instant::now() + 2 * LOOK_AGAIN);
                    }
                },
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            thread::sleep(POLL);
        }
    }

    /// Hold on for `time` from now.
    pub fn renew(&self, time: Duration) -> io::Result<()> {
        write_lease(&self.file, time)
    }

    /// What tells later whether it is still held.
    pub fn token(&self) -> &LockToken {
        &self.token
    }

    /// The lock file of `epoch`, which appears held and with its lease, or not at all; none where somebody
    /// was faster.
    fn make(place: &Place, epoch: u64) -> io::Result<Option<Self>> {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let temporary = place.directory().join(format!(".lock-{}-{number}", std::process::id()));
        let _ = fs::remove_file(&temporary);
        let file = options().create_new(true).open(&temporary)?;
        let made = (|| {
            fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive)?;
            write_lease(&file, LEASE)?;
            match fs::hard_link(&temporary, place.lock_file(epoch)) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(None),
                Err(e) => Err(e),
                Ok(()) => Ok(Some(identity(&file.metadata()?))),
            }
        })();
        let _ = fs::remove_file(&temporary);
        let token = made?.map(|identity| LockToken { place: place.clone(), epoch, file: identity });
        match token {
            Some(token) if token.check().is_ok() => Ok(Some(Self { file, token })),
            _ => Ok(None),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fcntl_lock(&self.file, FlockOperation::NonBlockingUnlock);
    }
}

impl LockToken {
    /// An error where another pass overtook this one, or the lock was deleted. The pass changes nothing
    /// from then on.
    pub fn check(&self) -> io::Result<()> {
        let path = self.place.lock_file(self.epoch);
        let same = match fs::symlink_metadata(&path) {
            Ok(there) => identity(&there) == self.file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => false,
            Err(e) => return Err(e),
        };
        let is_newest = same && fs::symlink_metadata(self.place.lock_file(self.epoch + 1)).is_err();
        if is_newest {
            return Ok(());
        }
        let path = path.display();
        Err(io::Error::other(format!(
            "{path} was deleted or overtaken while it was held; the next pass goes on"
        )))
    }

    /// The epoch that it holds.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
}

/// Make the lock file of a receiver that is new, held by nobody.
pub fn prepare(place: &Place) -> io::Result<()> {
    if place.newest_lock()?.is_some() {
        return Ok(());
    }
    match options().create_new(true).open(place.lock_file(0)) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
        _ => Ok(()),
    }
}

pub(super) fn options() -> fs::OpenOptions {
    let mut options = File::options();
    options.read(true).write(true).mode(0o600).custom_flags(OFlags::NOFOLLOW.bits() as i32);
    options
}

fn open(place: &Place, epoch: u64) -> io::Result<Option<(File, LockToken)>> {
    match storage::open(&mut options(), &place.lock_file(epoch)) {
        Ok(file) => {
            let token = LockToken { place: place.clone(), epoch, file: identity(&file.metadata()?) };
            Ok(Some((file, token)))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn identity(meta: &fs::Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

/// `BOOT MILLISECONDS`: in which boot, and until when by CLOCK_BOOTTIME.
fn write_lease(file: &File, time: Duration) -> io::Result<()> {
    let now = Reading::now();
    let until = now.since_boot_ms.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    // Of one length, so that a shorter one leaves nothing of a longer one.
    file.write_all_at(format!("{:-<36.36} {until:020}\n", now.boot).as_bytes(), 0)
}

fn lease(file: &File) -> String {
    let mut bytes = [0; 64];
    let read = file.read_at(&mut bytes, 0).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}

/// What cannot be read is over too: a holder writes it at once, and [`LOOK_AGAIN`] waits for that. Nobody who holds a lock
/// has outlived a boot: one of another boot is of a container, which is given an id of its own and has the same clock, or
/// was there before, and its holder came to a stop before he wrote his own.
fn is_over(lease: &str, now: &Reading) -> bool {
    // Behind one without a boot may be the rest of one that had it.
    let line = lease.lines().next().unwrap_or_default();
    let Some((boot, until)) = line.split_once(' ') else { return true };
    let boot = boot.trim_end_matches('-');
    let is_another = !boot.is_empty() && !now.boot.is_empty() && boot != now.boot;
    let Ok(until) = until.parse::<u64>() else { return true };
    let left = until.checked_sub(now.since_boot_ms).map(Duration::from_millis);
    left.is_none_or(|left| is_another && left > LONGEST)
}

#[cfg(test)]
pub(super) mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    pub(in crate::deliver) fn place() -> (tempfile::TempDir, Place) {
        let state = tempfile::tempdir().unwrap();
        let place = Place::new(state.path(), "x");
        fs::create_dir(place.directory()).unwrap();
        prepare(&place).unwrap();
        (state, place)
    }

    /// Another process that holds the lock of `epoch`, with a lease until `until`, and stands still.
    pub(in crate::deliver) fn holder(place: &Place, epoch: u64, until: u64) -> Child {
        let path = place.lock_file(epoch);
        fs::write(&path, format!("{:.36} {until:020}\n", Reading::now().boot)).unwrap();
        let code = "import fcntl,sys\nf=open(sys.argv[1],'r+')\nfcntl.lockf(f,fcntl.LOCK_EX)\nprint('held',flush=True)\nsys.stdin.read()";
        let mut child = Command::new("python3")
            .args(["-c", code])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is needed for this test");
        let mut line = [0; 5];
        io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
        child
    }

    pub(in crate::deliver) fn end(mut child: Child) {
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn a_lock_that_is_held_is_not_taken_and_one_whose_holder_died_is() {
        let (_state, place) = place();
        let child = holder(&place, 0, Reading::now().since_boot_ms + 60_000);
        assert!(Lock::take(&place, Duration::ZERO).unwrap().is_none());
        end(child);
        let lock = Lock::take(&place, Duration::ZERO).unwrap().unwrap();
        assert_eq!(lock.token().epoch(), 0);
        lock.token().check().unwrap();
    }

    #[test]
    fn a_holder_that_stands_still_is_overtaken_alive_and_holds_nothing_any_more() {
        let (_state, place) = place();
        let mut child = holder(&place, 0, Reading::now().since_boot_ms.saturating_sub(1));
        let of_the_old = open(&place, 0).unwrap().unwrap().1;
        let lock = Lock::take(&place, Duration::ZERO).unwrap().unwrap();
        assert_eq!(lock.token().epoch(), 1);
        assert!(of_the_old.check().is_err());
        assert!(child.try_wait().unwrap().is_none(), "nobody ended it");
        lock.token().check().unwrap();
        place.forget_before(1);
        lock.token().check().unwrap();
        assert!(of_the_old.check().is_err());
        end(child);
    }

    #[test]
    fn a_lease_of_a_boot_before_is_over_one_of_a_container_is_not_and_steps_of_the_wall_clock_are_not_time() {
        let now = Reading { boot: "b".into(), since_boot_ms: 1000, wall_ms: 7 };
        for (lease, over) in [
            ("b 00000000000000001000\n", false),
            ("b 00000000000000000999\n", true),
            ("a 00000000000000001000\n", false),
            ("a 00000000000000000999\n", true),
            ("a 00000000000000601000\n", false),
            ("a 00000000000000601001\n", true),
            ("b 00000000000000601001\n", false),
            ("", true),
            ("b ", true),
            (" 00000000000000001000\n", false),
            (" 00000000000000000999\n", true),
            ("------------------------------------ 00000000000000001000\n", false),
            ("------------------------------------ 00000000000000000999\n", true),
            (" 00000000000000001000\nb 00000000000000000999\n", false),
        ] {
            assert_eq!(is_over(lease, &now), over, "{lease:?}");
            let stepped = Reading { wall_ms: 3_600_000_000, ..now.clone() };
            assert_eq!(is_over(lease, &stepped), over, "{lease:?}");
        }
        let sandboxed = Reading { boot: String::new(), ..now };
        assert!(!is_over("b 00000000000000001000\n", &sandboxed), "its boot cannot be seen there");
        assert!(is_over("b 00000000000000000999\n", &sandboxed));
    }

    #[test]
    fn a_lock_that_is_deleted_while_it_is_held_voids_its_holder() {
        let (_state, place) = place();
        fs::write(place.state_file(0), "").unwrap();
        let first = Lock::take(&place, Duration::ZERO).unwrap().unwrap();
        fs::remove_file(place.lock_file(0)).unwrap();
        let second = Lock::take(&place, Duration::ZERO).unwrap().unwrap();
        assert!(first.token().check().is_err());
        assert_eq!(second.token().epoch(), 1);
    }

    #[test]
    fn of_many_that_overtake_at_once_one_does() {
        let (_state, place) = place();
        let child = holder(&place, 0, 0);
        let taken: Vec<_> = thread::scope(|scope| {
            let each: Vec<_> = (0..8).map(|_| scope.spawn(|| Lock::make(&place, 1).unwrap())).collect();
            each.into_iter().filter_map(|each| each.join().unwrap()).collect()
        });
        assert_eq!(taken.len(), 1);
        end(child);
    }
}
