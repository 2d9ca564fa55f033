//! What the module's worker loads when a failure is on disk: a delivery pass, TLS and all.
//!
//! - [`queue`]: jobs, from the login's thread to the worker's, by pid.
//! - [`work`]: what the worker does with them.
//! - [`memory`]: an allocation that fails must not abort the host.
//!
//! Nothing may get out of here into the host: no panic, no message, no abort.

mod memory;
mod queue;
mod work;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::Ordering;

use queue::Job;

/// Take a job: from the login's thread, to hand it to a worker that runs already; from a worker's
/// own (`on_worker`), to do it, and what comes meanwhile. Says whether a worker has it; if not, the
/// module starts one and comes again.
///
/// # Safety
///
/// `job` points to a [`Job`] for the time of the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn authalert_take_3(job: *const Job, on_worker: bool) -> bool {
    // SAFETY: the caller promises a job.
    let job = unsafe { &*job };
    let taken = catch_unwind(AssertUnwindSafe(|| {
        if !on_worker {
            // A failure, after whatever succeeded before it.
            work::LET_GO.store(false, Ordering::Release);
            // The login's thread: no lock that another holds, also not in a child that was forked meanwhile.
            return queue::existing().is_some_and(|queue| queue.hand_over(job));
        }
        serve(job);
        true
    }));
    taken.unwrap_or(true)
}

/// The host's verdict is a success: what the worker has begun it finishes, and begins nothing more. Waits for
/// nothing. The next failure takes it back.
#[unsafe(no_mangle)]
pub extern "C" fn authalert_let_go() {
    work::LET_GO.store(true, Ordering::Release);
}

/// Apart: a delivery's stack is not the login's.
#[inline(never)]
fn serve(job: &Job) {
    static HUSHED: Once = Once::new();
    // std is linked statically into this library: the hook is ours alone.
    HUSHED.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    queue::of_this_process().work(job, work::work);
}
