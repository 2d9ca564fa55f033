//! The timeline as a receiver: the one that is always there and never fails. What makes it so is that
//! delivery keeps every receiver's alerts on this machine once they are delivered
//! ([`crate::deliver::history`]); there is nobody else to ask.

use super::transport::Before;
use super::{Message, Outcome, Receiver};
use crate::message::Style;

/// This machine itself.
#[derive(Clone, Copy, Debug)]
pub struct Timeline;

impl Receiver for Timeline {
    /// As X has it: the timeline then says what a phone says.
    fn style(&self) -> Style {
        Style::x()
    }

    /// An alert that stands there already is not written again.
    fn knows_repeats(&self) -> bool {
        true
    }

    fn send(&self, _: &Message<'_>, before: Before) -> Outcome {
        match before() {
            Ok(()) => Outcome::Accepted { id: String::new() },
            Err(e) => Outcome::NotSent { why: e.to_string() },
        }
    }
}
