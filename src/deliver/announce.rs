//! What goes out beside failures: composed when it is due, and put into the queue.
//!
//! A break-in is composed at once, whatever waits. Everything else waits until the service is not left alone: until
//! then it is kept folded, so that an outage does not fill the queue.

use std::time::Duration;

use jiff::Timestamp;

use crate::config::Kind;
use crate::message::{self, Content};
use crate::receiver::Receiver;
use crate::zone;

use super::findings::Other;
use super::health::{Change, Fault};
use super::pacing::Claim;
use super::reader::Pass;
use super::state::State;
use super::{Context, Due, Moment, compose, weekly};

/// With so many messages in the queue nothing is added: it is bounded, and what is folded loses nothing.
const ENOUGH: usize = 8;

/// Seconds by which a clock may be off.
const OFF: i64 = 300;
/// The second before which there was no such version: 2026 began.
const BUILT: i64 = 1_767_225_600;

impl Pass<'_> {
    /// Whether [`Pass::announce`] has something to say now. `held`: until when the service is left alone.
    pub fn has_to_announce(&self, held: Moment) -> bool {
        self.has_break_in() || (held <= self.now && (self.has_others() || self.has_own_to_say()))
    }

    /// Put what is due into the queue. The service is asked for nothing here.
    pub fn announce(&mut self, held: Moment, receiver: &dyn Receiver) {
        if self.has_break_in() {
            self.announce_break_ins(receiver);
        }
        if held > self.now {
            return;
        }
        if self.has_others() {
            self.announce_others(receiver);
        }
        if self.has_own_to_say() {
            self.announce_own(receiver);
        }
    }

    /// When something may be said of logins that cannot be said now.
    pub fn next_announcement(&self, held: Moment) -> Option<Moment> {
        let (state, policy, now) = (&self.state, &self.reader.policy, self.now);
        let at = |due: Due| match due {
            Due::Nothing => None,
            Due::Now => Some(now),
            Due::At(at) => Some(at),
        };
        let break_in = self.has_room().then(|| at(self.break_in_due())).flatten();
        // With failures that are pending the others go out as these do.
        let alone = self.has_room() && state.pending.is_empty() && state.alert.is_none();
        let waits = alone && state.findings.has_others();
        let others = waits.then(|| at(state.pacing.due(now, policy))).flatten();
        break_in.into_iter().chain(others.map(|at| at.max(held))).min()
    }

    fn has_room(&self) -> bool {
        self.state.queue.len() < ENOUGH
    }

    fn has_break_in(&self) -> bool {
        let due = self.break_in_due();
        self.has_room() && (due == Due::Now || (self.at_once && due != Due::Nothing))
    }

    fn break_in_due(&self) -> Due {
        self.state.pacing.break_in_due(self.now, &self.reader.policy, self.state.findings.turns())
    }

    fn has_others(&self) -> bool {
        let (state, now) = (&self.state, self.now);
        let is_due = self.at_once || state.pacing.due(now, &self.reader.policy) == Due::Now;
        self.has_room() && is_due && state.findings.has_others()
    }

    /// Those of each source in a message of their own as long as there is a token; the last one stands for the others of
    /// its kind.
    fn announce_break_ins(&mut self, receiver: &dyn Receiver) {
        let room = ENOUGH.saturating_sub(self.state.queue.len());
        let when = (self.now, &self.reader.policy);
        let State { findings, pacing, .. } = &mut self.state;
        for found in findings.take_break_ins(pacing, when, self.at_once, room) {
            compose::enqueue_break_in(&mut self.state, receiver, &self.reader.alerts, &found);
        }
    }

    /// A message for each kind as long as there is a token. Where failures are pending too, their alert is what is
    /// paid for in any case.
    fn announce_others(&mut self, receiver: &dyn Receiver) {
        let (policy, now) = (&self.reader.policy, self.now);
        let mut paid = self.state.pending.is_empty() && self.state.alert.is_none();
        if paid {
            self.state.pacing.sent(now, policy);
        }
        while self.state.findings.has_others() && self.has_room() {
            if !std::mem::take(&mut paid) && !self.state.pacing.follows(now, policy, Claim::Common) {
                break;
            }
            match self.state.findings.next_other() {
                Some(Other::UnderAttack(content)) => {
                    self.enqueue(receiver, Kind::Urgent, Content::UnderAttack(&content));
                }
                Some(Other::NewSource(content)) => {
                    self.enqueue(receiver, Kind::NewSource, Content::NewSource(&content));
                }
                Some(Other::Logins(logins)) => {
                    self.enqueue(receiver, Kind::Login, Content::Logins(&logins));
                }
                None => break,
            }
        }
        self.mark_pending();
    }

    /// What is left waits for the next turn.
    pub fn mark_pending(&mut self) {
        if !self.state.pending.is_empty() || self.state.findings.has_others() {
            self.state.pacing.mark_pending(self.now);
        }
    }

    fn enqueue(&mut self, receiver: &dyn Receiver, kind: Kind, content: Content<'_>) {
        compose::enqueue(&mut self.state, receiver, &self.reader.alerts, kind, content);
    }

    /// What authalert has to say of itself, which a process of its own looks after.
    fn has_own_to_say(&self) -> bool {
        self.reader.request.context == Context::Command
            && self.has_room()
            && (!self.changes.is_empty() || self.is_quiet() || self.is_summary_due())
    }

    fn is_quiet(&self) -> bool {
        let (state, reader) = (&self.state, self.reader);
        let waits = state.alert.is_some() || !state.queue.is_empty() || !state.findings.is_empty();
        let next = if waits { Due::Now } else { state.pacing.due(self.now, &reader.policy) };
        reader.request.watch.is_some()
            && reader.receiver.tells(Kind::Heartbeat)
            && state.heartbeat.is_due(self.now, reader.config.heartbeat.0, next)
    }

    fn is_summary_due(&self) -> bool {
        self.reader.receiver.tells(Kind::Summary)
            && self.state.summary_due.is_some_and(|due| due <= Timestamp::now())
    }

    fn announce_own(&mut self, receiver: &dyn Receiver) {
        for change in std::mem::take(&mut self.changes) {
            let Change { fault, lasted, cleared } = change;
            let content = message::Health { what: fault.what(), since: ago(lasted), cleared };
            self.enqueue(receiver, Kind::Health, Content::Health(&content));
        }
        if self.is_summary_due() {
            let (reader, now) = (self.reader, Timestamp::now());
            self.state.summary_due = Some(weekly::next_monday(&zone::local(), now));
            // What cannot be read now is in the next one, a week later.
            let since = weekly::begin(&zone::local(), self.state.summary_from, now);
            if let Ok(content) = weekly::week(reader, since, now) {
                self.state.summary_from = Some(now);
                let page = || {
                    let make = reader.request.page?;
                    make(&reader.request.state, reader.config, content.since, now)
                };
                compose::enqueue_week(&mut self.state, receiver, &reader.alerts, &content, page);
            }
        }
        if self.is_quiet() {
            let (failures, quiet) = self.state.heartbeat.since(self.now);
            let watch = self.reader.request.watch.as_ref();
            let content = message::Heartbeat {
                services: watch.map(|watch| watch.services.clone()).unwrap_or_default(),
                logs: watch.is_some_and(|watch| watch.logs),
                failures,
                since: ago(quiet),
            };
            self.enqueue(receiver, Kind::Heartbeat, Content::Heartbeat(&content));
        }
    }

    /// Look at what was seen to be wrong. Says whether the state has to be written.
    pub fn look_after_itself(&mut self) -> bool {
        let reader = self.reader;
        let mut changed = self.state.heartbeat.begin(self.now);
        if reader.request.context != Context::Command {
            return changed;
        }
        changed |= self.plan_summary();
        let Some(watch) = &reader.request.watch else { return changed };
        let name = &reader.receiver.name;
        let clock = self.is_clock_off().then_some(Fault::ClockOff);
        let seen = watch.faults.iter().chain(&reader.stuck).chain(&clock);
        let faults: Vec<_> = seen.filter(|fault| fault.is_for(name)).cloned().collect();
        let before = self.state.health.clone();
        self.changes = self.state.health.look(self.now, &faults);
        if !reader.receiver.tells(Kind::Health) {
            self.changes.clear();
        }
        changed || before != self.state.health
    }
}

impl Pass<'_> {
    /// Says whether something changed. One that is due later than it can be was planned by a clock that was ahead.
    fn plan_summary(&mut self) -> bool {
        let before = (self.state.summary_due, self.state.summary_from);
        if self.reader.receiver.tells(Kind::Summary) {
            let next = weekly::next_monday(&zone::local(), Timestamp::now());
            self.state.summary_due = Some(self.state.summary_due.map_or(next, |due| due.min(next)));
        } else {
            (self.state.summary_due, self.state.summary_from) = (None, None);
        }
        before != (self.state.summary_due, self.state.summary_from)
    }

    /// Whether the clock shows a time that has been, or that never was. That of another machine is not asked.
    fn is_clock_off(&self) -> bool {
        let now = Timestamp::now().as_second();
        let last = self.state.last_post.as_ref().map_or(0, |post| post.time.as_second());
        now < BUILT || last > now + OFF
    }
}

fn ago(duration: Duration) -> Timestamp {
    Timestamp::now().checked_sub(duration).unwrap_or(Timestamp::UNIX_EPOCH)
}
