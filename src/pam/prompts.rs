//! What an attempt asked, and whether anybody answered; never what.

use std::ffi::c_int;

use pam::constants::{PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON};

/// Status of an attempt whose conversation failed.
pub const PAM_CONV_ERR: c_int = 19;

/// What was asked and what was answered, by whether the typing shows.
#[derive(Clone, Copy, Default)]
pub struct Prompts {
    hidden: Count,
    shown: Count,
    /// The stack said something to whoever is there: a question, or "place your finger".
    pub spoken: bool,
}

#[derive(Clone, Copy, Default)]
struct Count {
    asked: u32,
    answered: u32,
}

impl Prompts {
    /// Nobody answered: what was asked was left, or the attempt ended with an error of the
    /// conversation before anything was. A name that was given (login asks for it through PAM) is not an
    /// answer to the password prompt that follows; but who answered one prompt and left the next had
    /// his answer tried.
    pub fn left_unanswered(&self, status: c_int) -> bool {
        let decisive = if self.hidden.asked > 0 { self.hidden } else { self.shown };
        decisive.answered == 0 && (decisive.asked > 0 || status == PAM_CONV_ERR)
    }

    /// A message of this style was shown.
    pub fn count(&mut self, style: c_int, answered: bool) {
        self.spoken = true;
        let count = match style {
            PAM_PROMPT_ECHO_OFF => &mut self.hidden,
            PAM_PROMPT_ECHO_ON => &mut self.shown,
            _ => return,
        };
        count.asked += 1;
        count.answered += u32::from(answered);
    }
}
