//! The verdict: libpam calls this at the end of every `pam_authenticate`, with the final status.
//!
//! It takes the place of libpam's own sleep, so it keeps it: the application's function is called
//! if it set one, else a `select` for the delay that libpam asks for, only after a failure, cut
//! short by a signal as libpam's own is (libpam/pam_delay.c, `_pam_await_timer`).

use std::ffi::{c_int, c_uint, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use crate::libpam::DelayFn;
use crate::{attempt, guard, record};

/// The status of a wrong password, and of everything that pam_deny ends.
pub const AUTH_ERR: c_int = 7;
const SUCCESS: c_int = 0;
const NEW_AUTHTOK_REQD: c_int = 12;
const INCOMPLETE: c_int = 31;

/// See above.
pub unsafe extern "C-unwind" fn verdict(status: c_int, delay: c_uint, appdata: *mut c_void) {
    let ended =
        guard::uncancelled(|| catch_unwind(AssertUnwindSafe(|| heard(status, appdata))).unwrap_or(None));
    let (application, appdata) = ended.unwrap_or((None, appdata));
    // From here on nothing needs a destructor: the host may cancel this thread while it waits.
    match application {
        // SAFETY: the application's own function and argument, as libpam would have called it.
        Some(function) => unsafe { function(status, delay, appdata) },
        None if status != SUCCESS && delay > 0 => sleep(delay),
        None => {}
    }
}

fn heard(status: c_int, appdata: *mut c_void) -> Option<(Option<DelayFn>, *mut c_void)> {
    let ended = attempt::end(appdata)?;
    // A password that has to be changed, and a transaction that goes on later, are no failures.
    let failed = !matches!(status, SUCCESS | NEW_AUTHTOK_REQD | INCOMPLETE);
    if let (true, Some(arguments)) = (failed, ended.to_record) {
        let recorded = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: the handle of the `pam_authenticate` that called us.
            record::failure(unsafe { &mut *ended.pamh }, &arguments, &ended.prompts, status);
        }));
        // A panic there must not cost the login its delay.
        drop(recorded);
    }
    Some((ended.delay, ended.appdata))
}

fn sleep(microseconds: c_uint) {
    let mut time = libc::timeval {
        tv_sec: (microseconds / 1_000_000).into(),
        tv_usec: (microseconds % 1_000_000).into(),
    };
    // SAFETY: no descriptors; `time` outlives the call.
    unsafe { libc::select(0, ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), &mut time) };
}
