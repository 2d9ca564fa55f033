//! The walk of one alert: due, composed, saved, the request entered, sent, its outcome, acknowledged.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use crate::receiver::{Kind, Outcome, Receiver, longest_attempt};

use super::alert::Alert;
use super::lock::LEASE;
use super::outage;
use super::reader::Pass;
use super::requests::Purse;
use super::route;
use super::state::State;
use super::{Context, Due, Moment, Notice, compose};

/// Stale addresses are left so long to a command, which comes each minute where one comes at all. In a flood
/// each login would find that it is time to try again before a command does, and fail as the one before.
const LEFT_TO_A_COMMAND: Duration = Duration::from_secs(180);
/// A service may say when to come back, at most a day ahead.
const LONGEST_OUTAGE: Duration = Duration::from_secs(26 * 3600);

/// Which message goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The first of the queue.
    Queued,
    /// The one that covers failures.
    Failures,
}

/// What to do next in this pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There may be more to send.
    Go,
    /// Nothing more can be sent now.
    Stop,
}

/// An attempt that was made.
#[derive(Debug)]
pub struct Attempt {
    /// Of which message.
    pub which: Which,
    /// What became of it.
    pub outcome: Outcome,
    /// An earlier attempt at the same text may have succeeded.
    pub maybe_before: bool,
    /// See [`Alert::unproved`], before this attempt.
    pub unproved_before: u32,
    /// Pacing as it was before.
    pub pacing: super::Pacing,
    /// See [`Receiver::knows_repeats`] and the configuration's `after_unknown`.
    pub skips_unknown: bool,
}

impl Pass<'_> {
    /// Send what is due, one message after another; the receiver is built when it is needed. Says whether the
    /// state has to be written.
    pub fn send_what_is_due(&mut self, mut built: Option<Box<dyn Receiver>>) -> io::Result<bool> {
        let mut changed = self.settle_pace();
        // One that was composed and not sent, by a pass that was cut, is composed anew.
        compose::take_back(&mut self.state);
        while !self.reader.request.is_let_go() {
            self.tick();
            self.mark_pending();
            if self.has_to_announce(self.held_until()) {
                changed = true;
                if built.is_none() {
                    built = self.build();
                }
                let Some(receiver) = built.as_deref() else { break };
                self.announce(self.held_until(), receiver);
            }
            let Some((which, purse)) = self.due() else { break };
            changed = true;
            if built.is_none() {
                built = self.build();
            }
            let Some(receiver) = built.as_deref() else { break };
            if which == Which::Failures && self.state.alert.is_none() {
                compose::compose(&mut self.state, receiver, &self.reader.alerts);
            }
            if self.is_delivered_already(which)? {
                self.delivered(which, String::new())?;
                continue;
            }
            let skips = !receiver.knows_repeats() && self.skips_unknown(receiver);
            if skips
                && current(&self.state, which).is_some_and(|alert| alert.maybe_sent && alert.unproved == 0)
            {
                self.skip(which)?;
                continue;
            }
            let attempt = self.attempt(which, purse, receiver)?;
            self.note_addresses(receiver, &attempt.outcome);
            if self.settle(attempt)? == Next::Stop {
                // An outage began, which not all that waits waits for: who asks when the next attempt is learns that.
                self.due();
                break;
            }
        }
        Ok(changed)
    }

    /// The message that may go out now, and from which purse its request is paid.
    fn due(&mut self) -> Option<(Which, Purse)> {
        let (policy, now) = (&self.reader.policy, self.now);
        let held = self.held_until();
        let mut queue = std::mem::take(&mut self.state.queue);
        // One that waits for its purse hides none that has one.
        let allowed = |alert: &Alert| self.state.requests.next(now, policy, alert.proven).0;
        queue.order(|alert| self.turn(alert, held).max(allowed(alert)));
        self.state.queue = queue;
        let mut next: Option<Moment> = self.next_announcement(held);
        let mut wait = |at: Moment| next = Some(next.map_or(at, |other| other.min(at)));
        let mut refused = None;
        let candidates = [
            self.state.queue.first().map(|alert| (Which::Queued, self.turn(alert, held))),
            self.failures_at(held).map(|at| (Which::Failures, at)),
        ];
        for (which, at) in candidates.into_iter().flatten() {
            let proven = which == Which::Queued && self.state.queue.first().is_some_and(|alert| alert.proven);
            let (allowed, purse) = self.state.requests.next(now, policy, proven);
            if at.max(allowed) <= now {
                return Some((which, purse));
            }
            if at <= now {
                refused = Some(allowed);
            }
            wait(at.max(allowed));
        }
        if let (true, Some(at)) = (self.at_once, refused) {
            self.served.forbidden = Some(at.since(now));
        }
        self.served.next = next.map(|at| at.since(now));
        None
    }

    /// When a message of the queue may go out. A break-in waits for no outage, only for its own last attempt.
    fn turn(&self, alert: &Alert, held: Moment) -> Moment {
        match alert.kind {
            _ if self.at_once => self.now,
            Kind::BreakIn => self.next_attempt(alert),
            _ => self.next_attempt(alert).max(held),
        }
    }

    /// When the failures that wait may go out.
    fn failures_at(&self, held: Moment) -> Option<Moment> {
        let state = &self.state;
        let at = match &state.alert {
            _ if state.alert.is_none() && state.pending.is_empty() => return None,
            _ if self.at_once => return Some(self.now),
            Some(alert) => self.next_attempt(alert),
            None if state.plain_next => self.now,
            None => match state.pacing.due(self.now, &self.reader.policy) {
                Due::Now => self.now,
                Due::At(at) => at,
                Due::Nothing => return None,
            },
        };
        Some(at.max(held))
    }

    /// When a message may be sent, or sent again. What a login began and did not live to end is for a process of
    /// its own: each login that ends in the middle of a request makes the next attempt wait twice as long.
    fn next_attempt(&self, alert: &Alert) -> Moment {
        match self.reader.request.context {
            // What does not stand there was not written there.
            _ if self.is_the_timeline() => self.now,
            Context::Login if alert.maybe_sent => alert.next_after(self.now, LEFT_TO_A_COMMAND),
            _ => alert.next(self.now),
        }
    }

    /// Until when the service is left alone; now if it is not.
    fn held_until(&self) -> Moment {
        let Some(outage) = &self.state.outage else { return self.now };
        if outage.fingerprint != self.reader.routes.fingerprint {
            return self.now;
        }
        let next = outage.next.min(self.now.plus(LONGEST_OUTAGE));
        let stale = route::stale_since(self.state.addresses.as_ref());
        let until = match (stale, self.reader.request.context) {
            (Some(_), Context::Command) if outage.kind == outage::Kind::Network => self.now,
            (Some(since), Context::Login) => next.max(since.min(self.now).plus(LEFT_TO_A_COMMAND)),
            _ => next,
        };
        until.max(self.now)
    }

    /// Send the message. Only when there is a connection, before the first byte, its request is entered and
    /// noted on disk: who dies in a look-up or a handshake has sent nothing, and knows it.
    fn attempt(&mut self, which: Which, purse: Purse, receiver: &dyn Receiver) -> io::Result<Attempt> {
        let (place, token) = (&self.reader.place, self.lock.token().clone());
        token.check()?;
        self.lock.renew(LEASE + longest_attempt(self.reader.receiver))?;
        self.sync_what_was_read()?;
        // Where there is no room for the note, the service is not even called.
        self.state.staging(place, token.epoch())?.write()?;

        let mut entered = self.state.clone();
        entered.requests.enter(self.now, &self.reader.policy, purse);
        let before = current(&self.state, which);
        let maybe_before = before.is_some_and(|alert| alert.maybe_sent);
        let unproved_before = before.map_or(0, |alert| alert.unproved);
        if which == Which::Failures && !maybe_before {
            entered.pacing.sent(self.now, &self.reader.policy);
        }
        if let Some(alert) = current_mut(&mut entered, which) {
            alert.attempt(self.now);
        }
        let staging = entered.staging(place, token.epoch())?;
        let (began, (failed, failure)) = (Arc::new(AtomicBool::new(false)), mpsc::channel());
        let note = {
            let began = began.clone();
            move || {
                let noted = token.check().and_then(|()| staging.put()).and_then(|()| token.check());
                began.store(noted.is_ok(), Ordering::SeqCst);
                noted.map_err(|e| {
                    let shown = io::Error::other(e.to_string());
                    let _ = failed.send(e);
                    shown
                })
            }
        };
        let Some(alert) = current(&self.state, which) else { return Err(io::ErrorKind::NotFound.into()) };
        let key = alert.key(&self.state.series);
        let outcome = receiver.send(&compose::message(alert, &key), Box::new(note));
        if let (Outcome::Accepted { .. }, Some(missed)) = (&outcome, receiver.missed()) {
            let name = &self.reader.receiver.name;
            self.notices
                .push(Notice::error(format!("message {} is not with all of {name}: {missed}", alert.id)));
        }
        let pacing = self.state.pacing.clone();
        if began.load(Ordering::SeqCst) || !matches!(outcome, Outcome::NotSent { .. }) {
            self.state = entered;
        } else if let Ok(failed) = failure.try_recv() {
            // Nothing was sent: the note, which may be there although it could not be made durable, is taken back.
            self.state.generation = entered.generation;
            self.lock.token().check()?;
            self.state.staging(place, self.lock.token().epoch())?.write()?;
            return Err(failed);
        }
        let skips_unknown = !receiver.knows_repeats() && self.skips_unknown(receiver);
        Ok(Attempt { which, outcome, maybe_before, unproved_before, pacing, skips_unknown })
    }

    fn note_addresses(&mut self, receiver: &dyn Receiver, outcome: &Outcome) {
        let (known, used) = (self.state.addresses.as_mut(), receiver.addresses());
        match (self.reader.request.context, known) {
            (Context::Command, _) if !used.is_empty() => {
                self.state.addresses = Some(route::used(self.reader.receiver, used));
            }
            // They cannot be looked up: the old ones are as good as any.
            (Context::Command, Some(known)) => known.stale_since = None,
            (Context::Login, Some(known)) if matches!(outcome, Outcome::NotSent { .. }) => {
                known.stale_since = Some(self.now);
            }
            _ => {}
        }
    }
}

/// The message that is meant.
pub fn current(state: &State, which: Which) -> Option<&Alert> {
    match which {
        Which::Queued => state.queue.first(),
        Which::Failures => state.alert.as_ref(),
    }
}

/// The same, to be changed.
pub fn current_mut(state: &mut State, which: Which) -> Option<&mut Alert> {
    match which {
        Which::Queued => state.queue.first_mut(),
        Which::Failures => state.alert.as_mut(),
    }
}
