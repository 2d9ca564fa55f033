//! What the worker does that a fork of the host must not cut in two.
//!
//! sshd's monitor forks for every keyboard-interactive attempt, and the child loads its stack. The
//! C library does not make its dynamic linker, nor syslog, whole again in a child that was forked
//! while another thread was in them: the child hangs or is ended by an assertion. So the host's
//! forks wait, for a moment at most, until the worker is out of there.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::thread::{Timespec, nanosleep};

use crate::late;
use crate::waiting::this_thread;

/// A fork waits no longer: somebody might fork while he holds what the worker waits for.
const LONGEST_WAIT_MS: u32 = 500;

/// The thread that is in what must not be cut, or forks; 0 for none. No mutex of the C library: each of its functions
/// that is named here is looked up at each login.
static BAR: AtomicUsize = AtomicUsize::new(0);

/// Whether the host's forks wait.
static WAITED_FOR: AtomicBool = AtomicBool::new(false);

/// Have the host's forks wait from now on. On the login's thread, before there is a worker: the function is looked up in the
/// dynamic linker, where a fork must not find the worker.
pub fn register() {
    type Handler = unsafe extern "C" fn();
    type Register = unsafe extern "C" fn(Handler, Handler, Handler, *mut c_void) -> c_int;
    if WAITED_FOR.load(Ordering::Acquire) {
        return;
    }
    // SAFETY: what pthread_atfork(3) is in glibc: three functions, and the library that they go with; of none, as this one
    // is never unloaded.
    let is_done = unsafe {
        late::function::<Register>(c"__register_atfork")
            .is_some_and(|register| register(before, give_back_in_parent, in_child, ptr::null_mut()) == 0)
    };
    WAITED_FOR.fetch_or(is_done, Ordering::AcqRel);
}

/// Do `work` while no thread of this process forks. For the worker only, and briefly.
pub fn apart<T>(work: impl FnOnce() -> T) -> T {
    if !WAITED_FOR.load(Ordering::Acquire) {
        return work();
    }
    while !take() {
        nap();
    }
    let result = work();
    give_back();
    result
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
        // A child that was forked while its parent registered this has registered it twice.
        if take() || BAR.load(Ordering::Acquire) == this_thread() {
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
