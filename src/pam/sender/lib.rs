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

use queue::Job;

/// Take a job: from the login's thread, to hand it to a worker that runs already; from a worker's
/// own (`on_worker`), to do it, and what comes meanwhile. Says whether a worker has it; if not, the
/// module starts one and comes again.
///
/// # Safety
///
/// `job` points to a [`Job`] for the time of the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn authalert_take_2(job: *const Job, on_worker: bool) -> bool {
    static HUSHED: Once = Once::new();
    let taken = catch_unwind(AssertUnwindSafe(|| {
        // std is linked statically into this library: the hook is ours alone.
        HUSHED.call_once(|| std::panic::set_hook(Box::new(|_| {})));
        // SAFETY: the caller promises a job.
        let job = unsafe { &*job };
        let queue = queue::of_this_process();
        if on_worker {
            queue.work(job, work::work);
            true
        } else {
            queue.hand_over(job)
        }
    }));
    taken.unwrap_or(true)
}
