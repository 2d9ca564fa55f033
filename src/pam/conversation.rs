//! Watching the conversation in passing: was anybody asked, and did anybody answer?
//!
//! On Debian a stack ends in pam_deny, so a prompt that was left with Ctrl-C or Ctrl-D also arrives
//! as `PAM_AUTH_ERR`. Whether an answer is there tells the two apart; what it says is never read.

use std::ffi::{c_int, c_void};

use pam::constants::{PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON};

use crate::attempt::Attempt;
use crate::libpam::{Message, Response};

const PAM_CONV_ERR: c_int = 19;
/// libpam's own PAM_MAX_NUM_MSG; a host that claims more is not followed.
const MOST_MESSAGES: c_int = 32;

/// What was asked and what was answered, by whether the typing shows.
#[derive(Clone, Copy, Default)]
pub struct Prompts {
    hidden: Count,
    shown: Count,
}

#[derive(Clone, Copy, Default)]
struct Count {
    asked: u32,
    answered: u32,
}

impl Prompts {
    /// Nobody answered: what was asked was left, or the attempt ended with an error of the
    /// conversation before anything was. A name that was given (login asks for it through PAM) is no
    /// answer to the password prompt that follows; but who answered one prompt and left the next had
    /// his answer tried.
    pub fn left_unanswered(&self, status: c_int) -> bool {
        let decisive = if self.hidden.asked > 0 { self.hidden } else { self.shown };
        decisive.answered == 0 && (decisive.asked > 0 || status == PAM_CONV_ERR)
    }

    fn count(&mut self, style: c_int) -> Option<&mut Count> {
        match style {
            PAM_PROMPT_ECHO_OFF => Some(&mut self.hidden),
            PAM_PROMPT_ECHO_ON => Some(&mut self.shown),
            _ => None,
        }
    }
}

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
    let Some(application) = (unsafe { (*attempt).conv.function }) else { return PAM_CONV_ERR };
    // SAFETY: as above.
    let own = unsafe { (*attempt).conv.appdata };
    // SAFETY: the application's function, with the application's own argument.
    let code = unsafe { application(count, messages, responses, own) };
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
            if message.is_null() {
                continue;
            }
            if let Some(counted) = (*attempt).prompts.count((*message).style) {
                counted.asked += 1;
                let answered = !answers.is_null() && !(*answers.add(i)).answer.is_null();
                counted.answered += u32::from(answered);
            }
        }
    }
    code
}
