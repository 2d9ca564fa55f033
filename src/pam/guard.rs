//! Past the caller's limits and signals: su and sudo run with what the attacker gave them.
//!
//! `ulimit -f 0` makes every write raise SIGXFSZ, which kills the host at once: no record, and no
//! delay after a wrong password. The signal is blocked around the write, the limit lifted where
//! we may, and both are put back as they were.

use std::ffi::CStr;
use std::mem;
use std::ptr;

use authalert::journal::append::Error;
use authalert::journal::target::Target;
use libc::{c_int, c_ulong, sigset_t, uid_t};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::file::File;
use crate::late;

/// Another thread may put the limit back between our lifting it and the write.
const MOST_RETRIES: usize = 8;

/// Run `write` so that neither RLIMIT_FSIZE nor its signal can stop it or the host. It gives an error where the kernel
/// refused anything in it.
///
/// The signal is blocked whatever the limit is: the limit belongs to the process, and another
/// thread that records may be about to put the caller's back.
pub fn unlimited<T>(mut write: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let blocked = block_sigxfsz();
    let mut result = write_lifted(&mut write);
    // The kernel sends the signal with a refusal only.
    let refused = result.is_err();
    for _ in 0..MOST_RETRIES {
        match &result {
            Err(Error::Os(libc::EFBIG)) => result = write_lifted(&mut write),
            _ => break,
        }
    }
    if let Some((set, before)) = blocked {
        unblock(&set, &before, refused);
    }
    result
}

fn write_lifted<T>(write: &mut impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let limit = getrlimit(Resource::Fsize);
    if limit.current.is_none() {
        return write();
    }
    // Without CAP_SYS_RESOURCE only the soft limit can go up, to the hard one.
    let highest = [None, limit.maximum].map(|most| Rlimit { current: most, maximum: most });
    let raised = highest.into_iter().any(|to| setrlimit(Resource::Fsize, to).is_ok());
    let result = write();
    if raised {
        let _ = setrlimit(Resource::Fsize, limit);
    }
    result
}

/// Run `work` so that nobody cancels this thread in it: a cancellation must not unwind through it.
/// One that was asked for meanwhile takes effect where libpam or the host waits next.
pub fn uncancelled<T>(work: impl FnOnce() -> T) -> T {
    const PTHREAD_CANCEL_DISABLE: c_int = 1;
    unsafe extern "C" {
        fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
    }
    let mut before = 0;
    // SAFETY: `before` outlives the call; no cancellation point.
    let disabled = unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &mut before) } == 0;
    let result = work();
    if disabled {
        // SAFETY: as above, with what the first call gave.
        unsafe { pthread_setcancelstate(before, &mut before) };
    }
    result
}

/// Whether nobody but root, or the user that we run as, can write into `directory`. Whoever can,
/// could have root write elsewhere. One that is not there, or may not be looked at, is left to the
/// write to complain of.
pub fn ours_alone(directory: &CStr) -> bool {
    rustix::fs::stat(directory).map_or(true, |stat| {
        let owner = rustix::process::Uid::from_raw(stat.st_uid);
        stat.st_mode & 0o022 == 0 && (owner.is_root() || owner == rustix::process::geteuid())
    })
}

/// Whether this process is root's own, not one that a user started set-user-id: who may stop, kill and limit it.
pub fn is_roots_own() -> bool {
    type Users = unsafe extern "C" fn(*mut uid_t, *mut uid_t, *mut uid_t) -> c_int;
    let (mut real, mut effective, mut saved) = (1, 1, 1);
    // SAFETY: getresuid as <unistd.h> declares it; three places that outlive the call.
    let known = unsafe {
        late::function::<Users>(c"getresuid")
            .is_some_and(|get| get(&mut real, &mut effective, &mut saved) == 0)
    };
    known && (real, effective, saved) == (0, 0, 0)
}

/// Whether anything is rationed in this process that a worker would take from its host.
pub fn is_rationed() -> bool {
    [Resource::As, Resource::Data, Resource::Cpu, Resource::Fsize]
        .into_iter()
        .any(|resource| getrlimit(resource).current.is_some())
        || getrlimit(Resource::Nofile).current.is_some_and(|most| most < 64)
}

/// Whether system calls are filtered in this process: one that the filter does not expect of the host, such as a
/// worker's first socket, may end it. A container's filter, under which its first process runs too, is for whole
/// systems and refuses with an error. Where nothing can be read it is taken for filtered.
#[inline(never)]
pub fn is_filtered() -> bool {
    let own = filters(c"/proc/thread-self/status");
    own.is_none_or(|own| own > filters(c"/proc/1/status").unwrap_or(0))
}

/// How many filters there are; before Linux 5.9 only whether there is any.
fn filters(status: &CStr) -> Option<u32> {
    let mut text = [0; 4096];
    let file = File::open(status, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let length = file.beginning(&mut text);
    let text = text.get(..length)?;
    number_behind(text, b"\nSeccomp_filters:\t").or_else(|| number_behind(text, b"\nSeccomp:\t"))
}

fn number_behind(text: &[u8], field: &[u8]) -> Option<u32> {
    let after = (0..text.len()).find_map(|at| text.get(at..)?.strip_prefix(field))?;
    let digits = after.iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |n: u32, byte| n.wrapping_mul(10).wrapping_add(u32::from(byte.wrapping_sub(b'0')))))
}

/// Block SIGXFSZ on this thread; gives the signal as a set, and the mask as it was.
///
/// With sigprocmask, which in glibc is pthread_sigmask by its oldest name: each further version of the C library that
/// is asked for is looked up at each login too.
fn block_sigxfsz() -> Option<(sigset_t, sigset_t)> {
    // SAFETY: plain words, for which zero is a value; a set has a bit for every signal.
    unsafe {
        let (mut set, mut before): (sigset_t, sigset_t) = (mem::zeroed(), mem::zeroed());
        let (word, bit) = place_of_sigxfsz(&raw mut set);
        *word.cast_mut() = bit;
        (libc::sigprocmask(libc::SIG_BLOCK, &set, &mut before) == 0).then_some((set, before))
    }
}

/// Where SIGXFSZ is in a set: an array of words, with a bit for each signal from the first on. By hand: each function of
/// the C library that is named here is looked up at each login.
fn place_of_sigxfsz(set: *const sigset_t) -> (*const c_ulong, c_ulong) {
    const AT: u32 = libc::SIGXFSZ as u32 - 1;
    // SAFETY: a set has more words than that.
    let word = unsafe { set.cast::<c_ulong>().add((AT / c_ulong::BITS) as usize) };
    (word, 1 << (AT % c_ulong::BITS))
}

type SigTimedWait =
    unsafe extern "C" fn(*const sigset_t, *mut libc::siginfo_t, *const libc::timespec) -> c_int;

/// Take a SIGXFSZ that a write of ours caused off the queue, then restore the mask. Where the host had
/// it blocked already, one that was pending may be its own: it stays.
fn unblock(set: &sigset_t, before: &sigset_t, refused: bool) {
    // SAFETY: both sets were initialised above; sigtimedwait is as <signal.h> declares it.
    unsafe {
        let (word, bit) = place_of_sigxfsz(before);
        if refused && *word & bit == 0 {
            let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            if let Some(wait) = late::function::<SigTimedWait>(c"sigtimedwait") {
                wait(set, ptr::null_mut(), &now);
            }
        }
        libc::sigprocmask(libc::SIG_SETMASK, before, ptr::null_mut());
    }
}

/// Block every signal on this thread; the returned mask goes to [`restore_signals`].
///
/// A thread inherits the mask of its maker: so none of the host's handlers ever runs on it.
pub fn block_all_signals() -> Option<sigset_t> {
    // SAFETY: as in `block_sigxfsz`.
    unsafe {
        let (mut all, mut before): (sigset_t, sigset_t) = (mem::zeroed(), mem::zeroed());
        ptr::write_bytes(&mut all, 0xff, 1);
        let code: c_int = libc::sigprocmask(libc::SIG_SETMASK, &all, &mut before);
        (code == 0).then_some(before)
    }
}

/// Put the mask back.
pub fn restore_signals(before: &sigset_t) {
    // SAFETY: it came from `block_all_signals`.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, before, ptr::null_mut()) };
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    /// What another thread does that puts the caller's limit back.
    fn limit_file_size(soft: Option<u64>) {
        let maximum = getrlimit(Resource::Fsize).maximum;
        setrlimit(Resource::Fsize, Rlimit { current: soft, maximum }).unwrap();
    }

    /// One test: the limit is the process's, and another test that lifts it would be in between.
    #[test]
    fn a_limit_that_comes_back_before_the_write_is_lifted_again_and_its_signal_ends_nobody() {
        let file = tempfile::tempfile().unwrap();
        for (times, expected) in
            [(0, Ok(1)), (3, Ok(4)), (MOST_RETRIES, Ok(1 + MOST_RETRIES)), (99, Err(1 + MOST_RETRIES))]
        {
            file.set_len(0).unwrap();
            let mut tries = 0;
            let written = unlimited(|| {
                tries += 1;
                if tries <= times {
                    limit_file_size(Some(0));
                }
                file.write_all_at(b"a record", 0).map_err(|e| Error::Os(e.raw_os_error().unwrap()))
            });
            limit_file_size(None);
            match written {
                Ok(()) => assert_eq!((Ok(tries), file.metadata().unwrap().len()), (expected, 8)),
                Err(e) => {
                    assert!(matches!(e, Error::Os(libc::EFBIG)));
                    assert_eq!((Err(tries), file.metadata().unwrap().len()), (expected, 0));
                }
            }
        }
    }
}
