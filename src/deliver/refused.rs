//! Texts that a receiver refuses: kept apart for the administrator, and what they tell goes out again in numbers alone.

use std::io;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::receiver::Kind;

use super::alert::Alert;
use super::reader::Pass;
use super::walk::{Next, Which};
use super::{Notice, compose, outage, quarantine};

/// How long the administrator is told of one, if he changes nothing.
const KEPT_DAYS: i64 = 7;

/// The newest text that a receiver refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The number of its message.
    pub id: u64,
    /// It told of a break-in.
    #[serde(default)]
    pub is_break_in: bool,
    /// When.
    pub time: Timestamp,
    /// What the service said.
    pub why: String,
    /// Of configuration and credentials at that time.
    #[serde(default)]
    pub fingerprint: String,
}

impl Refused {
    /// Whether somebody still has to look at it: nothing was changed since.
    pub(super) fn stands(&self, now: Timestamp, fingerprint: &str) -> bool {
        let age = now.duration_since(self.time);
        self.fingerprint == fingerprint && age < jiff::SignedDuration::from_hours(24 * KEPT_DAYS)
    }
}

impl Pass<'_> {
    /// The receiver will not take this text. What it told goes out in another, of numbers alone; where that one is refused
    /// too, failures are pending again, a break-in is tried again, and other messages are lost.
    pub(super) fn refused(&mut self, which: Which, why: String) -> io::Result<Next> {
        self.lock.token().check()?;
        let taken = match which {
            Which::Queued => self.state.queue.pop(),
            Which::Failures => self.state.alert.take(),
        };
        let Some(alert) = taken else { return Ok(Next::Stop) };
        let was_plain = alert.plain;
        if !was_plain {
            self.note_refused(&alert, &why);
        }
        let stops = match which {
            Which::Queued => self.queue_in_numbers(alert, &why),
            Which::Failures => {
                self.state.refusals = 0;
                self.pending_again(alert, &why);
                was_plain
            }
        };
        if stops {
            self.record(
                outage::Kind::Refused,
                format!("even a text of numbers alone is refused: {why}"),
                None,
            );
        }
        self.save()?;
        Ok(if stops { Next::Stop } else { Next::Go })
    }

    /// Keep it where the administrator finds it.
    fn note_refused(&mut self, alert: &Alert, why: &str) {
        // Where there is no room for it, what it tells goes out all the same.
        if let Err(e) = quarantine::text(&self.reader.place, alert.id, &alert.text, why) {
            let name = &self.reader.receiver.name;
            self.notices.push(Notice::error(format!("the text that {name} refused could not be kept: {e}")));
        }
        self.state.totals.refused += 1;
        self.state.refused = Some(Refused {
            id: alert.id,
            is_break_in: alert.kind == Kind::BreakIn,
            time: Timestamp::now(),
            why: why.to_owned(),
            fingerprint: self.reader.routes.fingerprint.clone(),
        });
    }

    /// A message that covers no failure. Says whether the service is to be left alone.
    fn queue_in_numbers(&mut self, mut alert: Alert, why: &str) -> bool {
        let (name, id) = (&self.reader.receiver.name, alert.id);
        if let Some(text) = alert.in_numbers.take() {
            self.notices.push(Notice::error(format!(
                "{name} refused the text of message {id}, which goes out in numbers alone: {why}"
            )));
            let untried = super::Moment(0);
            let again = compose::numbers_alone(Alert { maybe_sent: false, refusals: 0, ..alert }, text);
            self.state.queue.push(Alert { unknown: 0, unproved: 0, not_before: untried, ..again });
            return false;
        }
        if alert.kind == Kind::BreakIn {
            // It waits for its next attempt, and ever longer.
            self.state.queue.push(Alert { maybe_sent: false, unproved: 0, refusals: 0, ..alert });
            return true;
        }
        self.notices.push(Notice::error(format!(
            "{name} refused message {id} in numbers alone, too; it is not sent: {why}"
        )));
        false
    }

    fn pending_again(&mut self, alert: Alert, why: &str) {
        let mut covers = alert.covers;
        covers.merge(std::mem::take(&mut self.state.pending));
        self.state.pending = covers;
        self.state.pacing.mark_pending(self.now);
        self.state.plain_next = true;
        self.notices.push(Notice::error(format!(
            "{} refused the text of alert {}, which tells its failures anew: {why}",
            self.reader.receiver.name, alert.id
        )));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_stands_for_a_week_or_until_something_is_changed() {
        let refused = Refused {
            id: 7,
            is_break_in: true,
            time: Timestamp::UNIX_EPOCH,
            why: "not GSM-7".into(),
            fingerprint: "a".into(),
        };
        let after = |hours| Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(hours);
        assert!(refused.stands(after(1), "a") && refused.stands(after(167), "a"));
        assert!(!refused.stands(after(1), "b") && !refused.stands(after(169), "a"));
    }
}
