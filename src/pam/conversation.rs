//! Watching the conversation in passing: was anybody asked, and did anybody answer?
//!
//! On Debian a stack ends in pam_deny, so a prompt that was left with Ctrl-C or Ctrl-D also arrives
//! as `PAM_AUTH_ERR`. Whether an answer is there tells the two apart; what it says is never read.

use std::ffi::{c_int, c_void};

use crate::abi::{Message, Response};
use crate::attempt::Attempt;
use crate::prompts::PAM_CONV_ERR;

/// libpam's own PAM_MAX_NUM_MSG; a host that claims more is not followed.
const MOST_MESSAGES: c_int = 32;

/// Stands in for the application's function, and calls it.
pub unsafe extern "C-unwind" fn watch(
    count: c_int,
    messages: *mut *const Message,
    responses: *mut *mut Response,
    appdata: *mut c_void,
) -> c_int {
    let attempt = appdata.cast::<Attempt>();
    // SAFETY: libpam passes the appdata_ptr that was set with this function: an attempt that has
    // not ended, as ending it takes this function away. Copied: the application's function may
    // run a transaction of its own.
    let conv = unsafe { (*attempt).conv };
    // SAFETY: as above.
    let is_nameless = unsafe { (*attempt).is_nameless() };
    let Some(application) = conv.function else { return PAM_CONV_ERR };
    // SAFETY: the application's function, with the application's own argument.
    let code = unsafe { application(count, messages, responses, conv.appdata) };
    if messages.is_null() || !(1..=MOST_MESSAGES).contains(&count) {
        return code;
    }
    let mut answers = std::ptr::null_mut();
    if code == 0 && !responses.is_null() {
        // SAFETY: libpam passed it; on success it points to an array of `count` or to null.
        answers = unsafe { *responses };
    }
    for i in 0..count as usize {
        // SAFETY: `messages` holds `count` pointers (pam_conv(3), the form that Linux-PAM uses),
        // `answers` as many structures where it is not null; only whether an answer is there is
        // looked at. The attempt is alive, see above.
        unsafe {
            let message = *messages.add(i);
            if !message.is_null() {
                let answered = !answers.is_null() && !(*answers.add(i)).answer.is_null();
                (*attempt).prompts.count((*message).style, answered, is_nameless);
            }
        }
    }
    code
}
