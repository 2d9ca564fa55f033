//! The verdict: libpam calls this at the end of every `pam_authenticate`, with the final status.
//!
//! It takes the place of libpam's own sleep, so it keeps it: the application's function is called
//! if it set one, else a `select` for the delay that libpam asks for, only after a failure, cut
//! short by a signal as libpam's own is (libpam/pam_delay.c, `_pam_await_timer`).

use std::ffi::{c_int, c_uint, c_void};

use authalert::event::Class;

use crate::{attempt, guard, late, login, record, worker};

const SUCCESS: c_int = 0;
const NEW_AUTHTOK_REQD: c_int = 12;
const INCOMPLETE: c_int = 31;

/// What is in the item `PAM_FAIL_DELAY` during an attempt. "C-unwind": the host may cancel the
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
    // SAFETY: the handle of the `pam_authenticate` that called us.
    let pamh = unsafe { &mut *ended.pamh };
    match status {
        // Also a password that was right and has to be changed.
        SUCCESS | NEW_AUTHTOK_REQD => {
            worker::let_go();
            guard::uncancelled(|| login::authenticated(pamh, &ended.arguments, ended.prompts.spoken));
        }
        // It goes on later.
        INCOMPLETE => {}
        _ if ended.recorded => {}
        _ => {
            let left = ended.prompts.left_unanswered(status);
            let class = if left { Class::Aborted } else { Class::Failure };
            guard::uncancelled(|| record::failure(pamh, &ended.arguments, class));
        }
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
    // Both fit: libpam's delays are seconds.
    late::wait(libc::timeval {
        tv_sec: (microseconds / 1_000_000) as libc::time_t,
        tv_usec: (microseconds % 1_000_000) as libc::suseconds_t,
    });
}
