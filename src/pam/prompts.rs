//! What an attempt asked, and whether anybody answered; never what.

use std::ffi::c_int;

use pam::constants::{PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON};

/// Status of an attempt whose conversation failed.
pub const PAM_CONV_ERR: c_int = 19;

/// What was asked and what was answered.
#[derive(Clone, Copy, Default)]
pub struct Prompts {
    /// The name.
    names: Count,
    /// A password, hidden; a code, which may show.
    factors: Count,
    /// The stack said something to whoever is there: a question, or "place your finger".
    pub spoken: bool,
}

#[derive(Clone, Copy, Default)]
struct Count {
    asked: u32,
    answered: u32,
}

impl Prompts {
    /// Nobody answered: what was asked was left, or the attempt ended with an error of the conversation before anything
    /// was. A name that was given (login asks for it through PAM) is not an answer to the prompts that follow. An empty
    /// answer is one. Whoever answered one prompt and left the next, of whatever kind, had that answer tried.
    pub fn left_unanswered(&self, status: c_int) -> bool {
        let asked = if self.factors.asked > 0 { self.factors } else { self.names };
        asked.answered == 0 && (asked.asked > 0 || status == PAM_CONV_ERR)
    }

    /// A message of this style was shown. `is_nameless`: it was not known yet who authenticates, so what shows as it is
    /// typed is the name.
    pub fn count(&mut self, style: c_int, answered: bool, is_nameless: bool) {
        self.spoken = true;
        let count = match style {
            PAM_PROMPT_ECHO_ON if is_nameless => &mut self.names,
            PAM_PROMPT_ECHO_OFF | PAM_PROMPT_ECHO_ON => &mut self.factors,
            _ => return,
        };
        count.asked += 1;
        count.answered += u32::from(answered);
    }
}
