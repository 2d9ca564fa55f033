//! What the worker does that a fork of the host must not cut in two.
//!
//! sshd's monitor forks for every keyboard-interactive attempt, and the child loads its stack. The
//! C library does not make its dynamic linker, nor syslog, whole again in a child that was forked
//! while another thread was in them: the child hangs or is ended by an assertion. So the host's
//! forks wait, for a moment at most, until the worker is out of there.

use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// A fork waits no longer: somebody might fork while he holds what the worker waits for.
const LONGEST_WAIT_NS: i64 = 500_000_000;

struct Bar(std::cell::UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: it is handed to the functions of pthread_mutex_lock(3) alone, and written anew only in a
// child that was just forked, which has one thread.
unsafe impl Sync for Bar {}

static BAR: Bar = Bar(std::cell::UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER));
/// The thread that forks and holds the bar; 0 for none.
static FORKING: AtomicUsize = AtomicUsize::new(0);

/// Do `work` while no thread of this process forks. For the worker only, and briefly.
pub fn apart<T>(work: impl FnOnce() -> T) -> T {
    if !registered() {
        return work();
    }
    // SAFETY: a mutex that was initialised statically; locked and unlocked by this thread.
    let locked = unsafe { libc::pthread_mutex_lock(BAR.0.get()) } == 0;
    let result = work();
    if locked {
        // SAFETY: as above.
        unsafe { libc::pthread_mutex_unlock(BAR.0.get()) };
    }
    result
}

fn registered() -> bool {
    const DONE: u8 = 1;
    static STATE: AtomicU8 = AtomicU8::new(0);
    if STATE.load(Ordering::Acquire) == DONE {
        return true;
    }
    // SAFETY: three functions of this module, which is never unloaded.
    let code = unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
    if code == 0 {
        STATE.store(DONE, Ordering::Release);
    }
    code == 0
}

unsafe extern "C" fn before() {
    // SAFETY: the structure is on the stack; the mutex is the static one.
    unsafe {
        let mut until: libc::timespec = mem::zeroed();
        libc::clock_gettime(libc::CLOCK_REALTIME, &mut until);
        let nanoseconds = until.tv_nsec + LONGEST_WAIT_NS;
        until.tv_sec += nanoseconds / 1_000_000_000;
        until.tv_nsec = nanoseconds % 1_000_000_000;
        if libc::pthread_mutex_timedlock(BAR.0.get(), &until) == 0 {
            FORKING.store(libc::pthread_self() as usize, Ordering::Relaxed);
        }
    }
}

unsafe extern "C" fn in_parent() {
    // SAFETY: a call without arguments; and the mutex that `before` locked on this very thread.
    unsafe {
        let this = libc::pthread_self() as usize;
        if FORKING.compare_exchange(this, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            libc::pthread_mutex_unlock(BAR.0.get());
        }
    }
}

unsafe extern "C" fn in_child() {
    FORKING.store(0, Ordering::Relaxed);
    // SAFETY: the child has this one thread, and nobody holds the mutex.
    unsafe { ptr::write(BAR.0.get(), libc::PTHREAD_MUTEX_INITIALIZER) };
}
