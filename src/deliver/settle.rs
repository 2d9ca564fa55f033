//! What becomes of a message after an attempt: acknowledged, kept for another attempt, or its failures
//! pending again.

use std::io;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::config::AfterUnknown;
use crate::receiver::{Outcome, Receiver};

use super::alert::{Alert, Delivered};
use super::history::{Entry, History};
use super::outage::Kind;
use super::reader::Pass;
use super::state::Totals;
use super::walk::{Attempt, Next, Which, current, current_mut};
use super::{Notice, compose};

/// Attempts at a message that is not repeated where nobody knows of it, if each was answered by something that is no word
/// on it: the service is more likely out of order than silent about what it took. The last is made some two hours after the
/// first: a break-in that nobody hears of costs more than a few messages.
const ANSWERED: u32 = 8;

impl Pass<'_> {
    /// Draw the consequences of an attempt.
    pub fn settle(&mut self, attempt: Attempt) -> io::Result<Next> {
        let Attempt { which, maybe_before, unproved_before, .. } = attempt;
        let is_unknown = matches!(attempt.outcome, Outcome::Ambiguous { .. } | Outcome::Unproved { .. });
        let unproved = match attempt.outcome {
            Outcome::Ambiguous { .. } => 0,
            Outcome::Unproved { .. } if maybe_before && unproved_before == 0 => 0,
            Outcome::Unproved { .. } => unproved_before.saturating_add(1),
            // It was not sent, or refused: that changes nothing of what is not known of it.
            _ => unproved_before,
        };
        let is_plain = current(&self.state, which).is_some_and(|alert| alert.plain);
        if let Some(alert) = current_mut(&mut self.state, which) {
            alert.maybe_sent = maybe_before || is_unknown;
            alert.unproved = unproved;
        }
        // The service may have accepted it before: then a refusal is more likely its trouble than the text's.
        let (of_refused, of_suspect) = if maybe_before { (5, 3) } else { (1, 2) };
        let refusals = self.refusals_with(which, &attempt.outcome);
        let not_sent = |pass: &mut Self, kind, why, until| pass.hold(which, &attempt, kind, why, until);
        let refused = |pass: &mut Self, why| {
            // It told nobody anything.
            pass.state.pacing = attempt.pacing.clone();
            pass.refused(which, why)
        };
        match attempt.outcome.clone() {
            Outcome::Accepted { id } => self.delivered(which, id).map(|()| Next::Go),
            Outcome::Duplicate if maybe_before => self.delivered(which, String::new()).map(|()| Next::Go),
            Outcome::Duplicate => {
                refused(self, "the service says it has this text already, and it was never sent".into())
            }
            Outcome::Ambiguous { .. } if attempt.skips_unknown => self.skip(which).map(|()| Next::Go),
            Outcome::Unproved { .. } if attempt.skips_unknown && unproved >= ANSWERED => {
                self.skip(which).map(|()| Next::Go)
            }
            Outcome::NotSent { why } => not_sent(self, Kind::Network, why, None),
            Outcome::Ambiguous { until, why } | Outcome::Unproved { until, why } => {
                not_sent(self, Kind::Unclear, why, wait(until))
            }
            Outcome::Limited { until, why } => not_sent(self, Kind::Limited, why, wait(until)),
            Outcome::Pause { why } => not_sent(self, Kind::Paused, why, None),
            Outcome::Suspect { why } if refusals >= of_suspect => refused(self, why),
            Outcome::Suspect { why } => not_sent(self, Kind::Paused, why, None),
            Outcome::Stop { why } => not_sent(self, Kind::Stopped, why, None),
            Outcome::Rejected { why } if is_plain => not_sent(self, Kind::Stopped, why, None),
            Outcome::Rejected { why } if refusals >= of_refused => refused(self, why),
            Outcome::Refused { why } if refusals >= of_refused => {
                // It knows who asks, and understood him: what was wrong before is over, but that it takes no text.
                self.state.outage.take_if(|outage| outage.kind != Kind::Refused);
                refused(self, why)
            }
            Outcome::Rejected { why } | Outcome::Refused { why } => not_sent(self, Kind::Unclear, why, None),
        }
    }

    /// How often this message was refused, with this attempt. What is said of another message, or of the service itself,
    /// changes nothing of that.
    fn refusals_with(&mut self, which: Which, outcome: &Outcome) -> u32 {
        let refusals = match which {
            Which::Queued => self.state.queue.first_mut().map(|alert| &mut alert.refusals),
            Which::Failures => Some(&mut self.state.refusals),
        };
        let Some(refusals) = refusals else { return 0 };
        *refusals = match outcome {
            Outcome::Refused { .. } | Outcome::Suspect { .. } | Outcome::Rejected { .. } => {
                refusals.saturating_add(1)
            }
            Outcome::Accepted { .. } | Outcome::Duplicate => 0,
            _ => *refusals,
        };
        *refusals
    }

    /// Whether the history has it already: a pass was cut between that and saving.
    pub fn is_delivered_already(&self, which: Which) -> io::Result<bool> {
        let Some(alert) = current(&self.state, which).filter(|alert| alert.maybe_sent) else {
            return Ok(false);
        };
        History::of(&self.reader.place).has(alert.id, &alert.text)
    }

    /// Whether a message of which nobody knows whether it arrived counts as sent, where the service knows no repeats.
    pub fn skips_unknown(&self, receiver: &dyn Receiver) -> bool {
        match self.reader.receiver.after_unknown {
            Some(choice) => choice == AfterUnknown::Skip,
            None => receiver.costs_money(),
        }
    }

    /// The receiver has it: acknowledged in its history, then in the state.
    pub fn delivered(&mut self, which: Which, post: String) -> io::Result<()> {
        self.acknowledge(which, post)?;
        let name = &self.reader.receiver.name;
        if let Some(outage) = self.state.outage.take() {
            self.notices.push(Notice::info(format!(
                "alerts are delivered to {name} again; since {}: {}",
                outage.since, outage.why
            )));
        }
        self.save()
    }

    /// Nobody knows whether the receiver has it, and it is not sent again.
    pub fn skip(&mut self, which: Which) -> io::Result<()> {
        let id = current(&self.state, which).map_or(0, |alert| alert.id);
        self.state.totals.unclear += 1;
        self.notices.push(Notice::error(format!(
            "nobody knows whether message {id} reached {}; it is not repeated, as after_unknown says",
            self.reader.receiver.name
        )));
        let sent = self.served.sent.len();
        self.acknowledge(which, String::new())?;
        self.served.skipped.extend(self.served.sent.drain(sent..).map(|(id, _)| id));
        self.save()
    }

    fn acknowledge(&mut self, which: Which, post: String) -> io::Result<()> {
        self.lock.token().check()?;
        let taken = match which {
            Which::Queued => self.state.queue.pop(),
            Which::Failures => self.state.alert.take(),
        };
        let Some(alert) = taken else { return Ok(()) };
        let (time, failures) = (Timestamp::now(), alert.covers.failures());
        self.history_of(which, &alert, time, post)?;
        self.state.totals.posted += failures;
        self.state.totals.posts += 1;
        self.state.last_post = Some(Delivered { id: alert.id, time, failures });
        if which == Which::Failures {
            self.state.plain_next = false;
            self.state.settled_to = alert.cursors;
        }
        self.mark_pending();
        self.state.heartbeat.on_sent(self.now);
        self.served.sent.push((alert.id, alert.text));
        Ok(())
    }

    /// What is settled with it: as it was when it was composed, and the alert. A message that covers no failure
    /// settles nothing more than the one before it.
    fn history_of(&self, which: Which, alert: &Alert, time: Timestamp, post: String) -> io::Result<()> {
        let history = History::of(&self.reader.place);
        let failures = alert.covers.failures();
        let (mut totals, cursors, dropped_seen) = match (which, history.newest()?) {
            (Which::Failures, _) => (alert.totals, alert.cursors.clone(), alert.dropped_seen),
            (Which::Queued, Some(before)) => (before.totals, before.cursors, before.dropped_seen),
            (Which::Queued, None) => (Totals::default(), self.state.settled_to.clone(), 0),
        };
        totals.posted += failures;
        totals.posts += 1;
        history.add(&Entry {
            id: alert.id,
            time,
            receiver: self.reader.receiver.name.clone(),
            post,
            failures,
            text: alert.text.clone(),
            totals,
            cursors,
            dropped_seen,
            last_id: self.state.last_id,
            kind: alert.kind,
        })
    }

    /// Leave the receiver alone for a while. What surely did not reach it is pending again, as if nothing had
    /// been tried.
    fn hold(
        &mut self,
        which: Which,
        attempt: &Attempt,
        kind: Kind,
        why: String,
        until: Option<Duration>,
    ) -> io::Result<Next> {
        self.record(kind, why, until);
        let next = self.state.outage.as_ref().map_or(self.now, |outage| outage.next);
        match (which, attempt.outcome.clone()) {
            (Which::Queued, Outcome::NotSent { .. }) => {
                if let Some(alert) = current_mut(&mut self.state, which) {
                    alert.not_before = next;
                }
            }
            (Which::Queued, _) => {}
            (Which::Failures, _) => {
                if current(&self.state, which).is_some_and(|alert| !alert.maybe_sent) {
                    self.state.pacing = attempt.pacing.clone();
                    compose::take_back(&mut self.state);
                }
            }
        }
        self.save()?;
        Ok(Next::Stop)
    }
}

fn wait(until: Option<SystemTime>) -> Option<Duration> {
    until?.duration_since(SystemTime::now()).ok()
}
