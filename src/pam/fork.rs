//! What the worker does that a fork of the host must not cut in two.
//!
//! sshd's monitor forks for every keyboard-interactive attempt, and the child loads its stack. The
//! C library does not make its dynamic linker, nor syslog, whole again in a child that was forked
//! while another thread was in them: the child hangs or is ended by an assertion. So the host's
//! forks wait, for a moment at most, until the worker is out of there.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use rustix::thread::{Timespec, nanosleep};

/// A fork waits no longer: somebody might fork while he holds what the worker waits for.
const LONGEST_WAIT_MS: u32 = 500;

/// The thread that is in what must not be cut, or forks; 0 for none. No mutex of the C library: each of its functions
/// that is named here is looked up at each login.
static BAR: AtomicUsize = AtomicUsize::new(0);

/// Do `work` while no thread of this process forks. For the worker only, and briefly.
pub fn apart<T>(work: impl FnOnce() -> T) -> T {
    if !registered() {
        return work();
    }
    while !take() {
        nap();
    }
    let result = work();
    give_back();
    result
}

fn registered() -> bool {
    const DONE: u8 = 1;
    static STATE: AtomicU8 = AtomicU8::new(0);
    if STATE.load(Ordering::Acquire) == DONE {
        return true;
    }
    // SAFETY: three functions of this module, which is never unloaded.
    let code = unsafe { libc::pthread_atfork(Some(before), Some(give_back_in_parent), Some(in_child)) };
    if code == 0 {
        STATE.store(DONE, Ordering::Release);
    }
    code == 0
}

fn this_thread() -> usize {
    // SAFETY: a call without arguments that cannot fail.
    unsafe { libc::pthread_self() as usize }
}

fn take() -> bool {
    BAR.compare_exchange(0, this_thread(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
}

/// Where this thread has it: a fork that waited long enough goes on without.
fn give_back() {
    let _ = BAR.compare_exchange(this_thread(), 0, Ordering::AcqRel, Ordering::Relaxed);
}

fn nap() {
    let _ = nanosleep(&Timespec { tv_sec: 0, tv_nsec: 1_000_000 });
}

unsafe extern "C" fn before() {
    for _ in 0..LONGEST_WAIT_MS {
        if take() {
            return;
        }
        nap();
    }
}

unsafe extern "C" fn give_back_in_parent() {
    give_back();
}

unsafe extern "C" fn in_child() {
    // It has this one thread.
    BAR.store(0, Ordering::Release);
}
