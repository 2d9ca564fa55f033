//! Past the caller's limits and signals: su and sudo run with what the attacker gave them.
//!
//! `ulimit -f 0` makes every write raise SIGXFSZ, which kills the host at once: no record, and no
//! delay after a wrong password. The signal is blocked around the write, the limit lifted where
//! we may, and both are put back as they were.

use std::ffi::CStr;
use std::mem;
use std::ptr;

use authalert::journal::append::Error;
use libc::{RLIM_INFINITY, c_int, rlimit, sigset_t};

/// Another thread may put the limit back between our lifting it and the write.
const MOST_RETRIES: usize = 8;

/// Run `write` so that neither RLIMIT_FSIZE nor its signal can stop it or the host.
///
/// The signal is blocked whatever the limit is: the limit belongs to the process, and another
/// thread that records may be about to put the caller's back.
pub fn unlimited<T>(mut write: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let blocked = block_sigxfsz();
    let mut result = write_lifted(&mut write);
    for _ in 0..MOST_RETRIES {
        match &result {
            Err(Error::Os(libc::EFBIG)) => result = write_lifted(&mut write),
            _ => break,
        }
    }
    if let Some((set, before)) = blocked {
        unblock(&set, &before);
    }
    result
}

fn write_lifted<T>(write: &mut impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let Some(limit) = file_size_limit() else { return write() };
    // Without CAP_SYS_RESOURCE only the soft limit can go up, to the hard one.
    let highest = [RLIM_INFINITY, limit.rlim_max].map(|max| rlimit { rlim_cur: max, rlim_max: max });
    // SAFETY: plain calls with structures on the stack.
    let raised = highest.iter().any(|to| unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, to) == 0 });
    let result = write();
    if raised {
        // SAFETY: as above.
        unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) };
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

/// Whether a thread that needs memory, time and descriptors may run in here. Where the caller
/// rationed any of them, an allocation that fails would abort the host: cron delivers instead.
pub fn room_for_a_worker() -> bool {
    let unlimited = |resource| soft_limit(resource) == RLIM_INFINITY;
    unlimited(libc::RLIMIT_AS)
        && unlimited(libc::RLIMIT_DATA)
        && unlimited(libc::RLIMIT_CPU)
        && unlimited(libc::RLIMIT_FSIZE)
        && soft_limit(libc::RLIMIT_NOFILE) >= 64
        && memory_left()
}

/// Starting a thread allocates a little, and Rust aborts where that fails. What is given back here
/// stays at the top of this thread's heap.
fn memory_left() -> bool {
    // SAFETY: a plain allocation, freed at once; free(NULL) is allowed.
    unsafe {
        let probe = libc::malloc(64 << 10);
        libc::free(probe);
        !probe.is_null()
    }
}

fn soft_limit(resource: libc::__rlimit_resource_t) -> libc::rlim_t {
    let mut limit = rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives the call.
    if unsafe { libc::getrlimit(resource, &mut limit) } == 0 { limit.rlim_cur } else { 0 }
}

fn file_size_limit() -> Option<rlimit> {
    let mut limit = rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives the call.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit) } == 0;
    (known && limit.rlim_cur != RLIM_INFINITY).then_some(limit)
}

/// Block SIGXFSZ on this thread; gives the signal as a set, and the mask as it was.
fn block_sigxfsz() -> Option<(sigset_t, sigset_t)> {
    // SAFETY: the sets are initialised by sigemptyset and by pthread_sigmask before they are read.
    unsafe {
        let mut set = mem::zeroed();
        let mut before = mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGXFSZ);
        (libc::pthread_sigmask(libc::SIG_BLOCK, &set, &mut before) == 0).then_some((set, before))
    }
}

/// Take a SIGXFSZ that our write caused off the queue, then restore the mask. Where the host had
/// it blocked already, one that was pending may be its own: it stays.
fn unblock(set: &sigset_t, before: &sigset_t) {
    // SAFETY: both sets were initialised above.
    unsafe {
        if libc::sigismember(before, libc::SIGXFSZ) == 0 {
            let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            libc::sigtimedwait(set, ptr::null_mut(), &now);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, before, ptr::null_mut());
    }
}

/// Block every signal on this thread; the returned mask goes to [`restore_signals`].
///
/// A thread inherits the mask of its maker: so none of the host's handlers ever runs on it.
pub fn block_all_signals() -> Option<sigset_t> {
    // SAFETY: as in `block_sigxfsz`.
    unsafe {
        let mut all = mem::zeroed();
        let mut before = mem::zeroed();
        libc::sigfillset(&mut all);
        let code: c_int = libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        (code == 0).then_some(before)
    }
}

/// Put the mask back.
pub fn restore_signals(before: &sigset_t) {
    // SAFETY: it came from `block_all_signals`.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, ptr::null_mut()) };
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    /// What another thread does that puts the caller's limit back.
    fn limit_file_size(soft: libc::rlim_t) {
        // SAFETY: plain calls with a structure on the stack.
        unsafe {
            let mut limit = mem::zeroed::<rlimit>();
            assert_eq!(libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit), 0);
            limit.rlim_cur = soft.min(limit.rlim_max);
            assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit), 0);
        }
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
                    limit_file_size(0);
                }
                file.write_all_at(b"a record", 0).map_err(|e| Error::Os(e.raw_os_error().unwrap()))
            });
            limit_file_size(RLIM_INFINITY);
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
