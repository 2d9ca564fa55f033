//! The verdict: libpam calls this at the end of every `pam_authenticate`, with the final status.
//!
//! It takes the place of libpam's own sleep, so it keeps it: the application's function is called
//! if it set one, else a `select` for the delay that libpam asks for, only after a failure, cut
//! short by a signal as libpam's own is (libpam/pam_delay.c, `_pam_await_timer`).

use std::ffi::{c_int, c_uint, c_void};
use std::ptr;

use crate::{attempt, guard, record};

/// The status of a wrong password, and of everything that pam_deny ends.
pub const AUTH_ERR: c_int = 7;
const SUCCESS: c_int = 0;
const NEW_AUTHTOK_REQD: c_int = 12;
const INCOMPLETE: c_int = 31;

/// What stands in the item `PAM_FAIL_DELAY` during an attempt. "C-unwind": the host may cancel the
/// thread while it waits in here.
///
/// # Safety
///
/// Called by libpam, with the application's or our own `appdata`.
pub unsafe extern "C-unwind" fn verdict(status: c_int, delay: c_uint, appdata: *mut c_void) {
    let Some(ended) = attempt::end(appdata) else {
        // Not ours: the handle was moved to another thread. The delay is kept all the same.
        return sleep(status, delay);
    };
    // A password that has to be changed, and a transaction that goes on later, are no failures.
    let failed = !matches!(status, SUCCESS | NEW_AUTHTOK_REQD | INCOMPLETE);
    if let (true, Some(arguments)) = (failed, ended.to_record) {
        guard::uncancelled(|| {
            // SAFETY: the handle of the `pam_authenticate` that called us.
            record::failure(unsafe { &mut *ended.pamh }, &arguments, &ended.prompts, status);
        });
    }
    match ended.delay {
        // SAFETY: the application's own function and argument, as libpam would have called it.
        Some(application) => unsafe { application(status, delay, ended.appdata) },
        None => sleep(status, delay),
    }
}

fn sleep(status: c_int, microseconds: c_uint) {
    if status == SUCCESS || microseconds == 0 {
        return;
    }
    let mut time = libc::timeval {
        tv_sec: (microseconds / 1_000_000).into(),
        tv_usec: (microseconds % 1_000_000).into(),
    };
    // SAFETY: no descriptors; `time` outlives the call.
    unsafe { libc::select(0, ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), &mut time) };
}
