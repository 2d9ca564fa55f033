//! When the next alert goes out.
//!
//! - The first failure after quiet: at once.
//! - While failures keep coming the next alert waits `group_interval`, then twice that, and so on
//!   up to `max_interval`; two and a half of the current interval without a failure resets it, but
//!   never less than four hours (see [`Policy::quiet`]).
//! - An account other than root that fails for the first time in a day, and somebody at this machine itself, each of
//!   them once in a `group_interval`, go out at once all the same. Such an alert does not double the interval.
//! - A break-in goes out at once, before anything else, in a message of its own. From one source there is one in a
//!   `group_interval`, with all that came until then; root's does not wait for others from its source. Of one account the
//!   next one waits `group_interval`, and each further one twice as long, up to `max_interval`.
//! - A token bucket bounds everything, and keeps something for what is of another kind than what used it up (see
//!   `bucket`); when it is empty the next alert covers more, never less.
//!
//! Quiet and "at once" are judged by when a failure is taken in, never by the time it bears: the log
//! route is late, and clocks step. Nothing here asks a clock. The caller supplies the moments.

mod bucket;
mod change;
mod matter;
mod moment;
mod recent;
mod repeats;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::policy::Policy;
use crate::accounts::AccountKind;
use crate::accounts::member::Origin;
use crate::config::Kind;
use crate::detect::Finding;
use crate::event::{Event, Route};

use bucket::Bucket;
pub use bucket::{Claim, ORDINARY};
pub(super) use change::Pace;
pub use matter::Matter;
pub use moment::Moment;
use recent::Recent;
use repeats::Repeats;
pub use repeats::Turn;

const DAY: Duration = Duration::from_secs(86_400);
/// A member of a fleet hurries so small a part of the alerts of a day at most.
const SHARES: u32 = 8;

/// Whether an alert has to go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing is pending.
    Nothing,
    /// At this moment, unless something urgent comes before.
    At(Moment),
    /// Now.
    Now,
}

/// What pacing remembers between failures; part of a receiver's state. That of version 0.1 can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pacing {
    /// Milliseconds that the next alert waits after the last; 0 after quiet.
    interval: u64,
    #[serde(alias = "noticed")]
    last_failure: Option<Moment>,
    sent: Option<Moment>,
    pending: Option<Moment>,
    /// Something urgent is pending for which the bucket keeps nothing.
    urgent: bool,
    /// The same, that only a log tells of.
    logged: bool,
    /// Somebody at the machine or an account is pending, urgent or not, of whom only a log tells.
    of_log: bool,
    /// Somebody at the machine is pending, and urgent.
    here: bool,
    /// An account from the network is pending, and urgent.
    account: bool,
    /// An administrator at the keyboard wants to see what is pending.
    flush: bool,
    #[serde(flatten)]
    bucket: Bucket,
    /// Accounts that failed from the network, with when last.
    #[serde(rename = "seen")]
    accounts: Recent,
    /// Who was urgent at the machine itself or by a login, with when last.
    askers: Recent,
    /// Accounts of which a break-in was reported, and sources.
    repeats: Repeats,
}

impl Pacing {
    /// Go by `policy` from this moment on, where it was another one before; whether anything is different then. Until that is
    /// kept, the bucket fills as before.
    pub fn settle(&mut self, now: Moment, policy: &Policy) -> bool {
        let before = self.bucket;
        self.bucket.settle(now, policy);
        self.bucket != before
    }

    /// A failure came that the next alert will cover. `kind` is what its user is here.
    pub fn on_failure(&mut self, now: Moment, failure: &Event, kind: AccountKind, policy: &Policy) {
        self.bucket.settle(now, policy);
        let quiet = policy.quiet(self.interval(policy));
        if self.last_failure.is_some_and(|last| now.since(last) >= quiet) {
            self.interval = 0;
        }
        self.last_failure = Some(now);
        self.mark_pending(now);
        // Any user can write a row of a log, in any name: all such rows are one asker, take nothing that is kept
        // for what is proven, and do not make an account's proven failure the second of its day.
        let logged = failure.route == Route::Log;
        if Origin::of(failure).is_some() {
            if Matter::of(failure, kind) != Matter::Other {
                self.urgent |= self.has_share(&failure.host, now, policy);
            }
            return;
        }
        self.of_log |= logged && Matter::of(failure, kind) != Matter::Other;
        match Matter::of(failure, kind) {
            Matter::Here => {
                let asker = failure.asker().filter(|_| !logged).map_or("log".into(), |a| format!("{a:?}"));
                if self.askers.is_its_turn(policy.group_interval, &asker, now) {
                    *(if logged { &mut self.logged } else { &mut self.here }) = true;
                }
            }
            Matter::Account => {
                let logged_name = format!("log {}", failure.user);
                let name = if logged { &logged_name } else { &failure.user };
                if self.accounts.is_first_in(DAY, name, now) {
                    *(if logged { &mut self.logged } else { &mut self.account }) = true;
                }
            }
            Matter::Other => {}
        }
    }

    /// Whether a member of the fleet may hurry once more: so often in a day that no other is kept waiting, whatever it
    /// says of accounts and askers. What it says is counted in any case.
    fn has_share(&mut self, member: &str, now: Moment, policy: &Policy) -> bool {
        let its_turn = self.askers.is_its_turn(policy.group_interval, &format!("member {member}"), now);
        its_turn
            && (0..(policy.max_per_day / SHARES).max(1))
                .any(|n| self.accounts.is_its_turn(DAY, &format!("member {member} {n}"), now))
    }

    /// A login was judged that the receiver is to be told of, as this `kind` of message. Gives, of a break-in, when it may
    /// go out.
    pub fn on_finding(
        &mut self,
        now: Moment,
        finding: &Finding,
        kind: Kind,
        policy: &Policy,
    ) -> Option<Turn> {
        self.bucket.settle(now, policy);
        if kind == Kind::BreakIn {
            return Some(self.repeats.turn(now, finding, policy));
        }
        self.mark_pending(now);
        if matches!(kind, Kind::Urgent | Kind::NewSource) {
            let login = &finding.login;
            if Origin::of(login).is_some() {
                self.urgent |= self.has_share(&login.host, now, policy);
            } else {
                let name = format!("in {}", repeats::account(finding));
                let its_turn = self.askers.is_its_turn(policy.group_interval, &name, now);
                *(if finding.proven { &mut self.urgent } else { &mut self.logged }) |= its_turn;
            }
        }
        None
    }

    /// Something is pending that is not urgent: what a refused alert covered, a count of dropped records.
    pub fn mark_pending(&mut self, now: Moment) {
        self.pending.get_or_insert(now);
    }

    /// An administrator at the keyboard wants to see what is pending now. It waits for nothing; what goes out is
    /// counted against the bucket all the same.
    pub fn flush(&mut self) {
        self.flush = self.pending.is_some();
    }

    /// Whether an alert has to go out that covers everything pending but break-ins.
    pub fn due(&self, now: Moment, policy: &Policy) -> Due {
        let Some(pending) = self.pending else { return Due::Nothing };
        if self.flush {
            return Due::Now;
        }
        let since = pending.min(now);
        let turn = since.max(self.turn(now, policy).min(since.plus(policy.longest_wait())));
        let in_turn = if self.of_log { Claim::Logged } else { Claim::Common };
        let at = [
            Some(turn.max(self.bucket.when(in_turn, now, policy))),
            self.urgent.then(|| self.bucket.when(Claim::Common, now, policy)),
            self.logged.then(|| self.bucket.when(Claim::Logged, now, policy)),
            self.here.then(|| self.bucket.when(Claim::Here, now, policy)),
            self.account.then(|| self.bucket.when(Claim::Account, now, policy)),
        ];
        due_at(at.into_iter().flatten().min(), now)
    }

    /// Whether what is pending waits for the bucket rather than for its turn.
    pub fn waits_for_a_token(&self, now: Moment, policy: &Policy) -> bool {
        let claim = if self.of_log { Claim::Logged } else { Claim::Common };
        self.bucket.when(claim, now, policy) > self.turn(now, policy).max(now)
    }

    /// Whether a break-in of these has to go out: before anything else.
    pub fn break_in_due<'a>(
        &self,
        now: Moment,
        policy: &Policy,
        turns: impl Iterator<Item = &'a Turn>,
    ) -> Due {
        let at = |turn: &Turn| turn.from(now, policy).max(self.bucket.when(turn.claim, now, policy));
        due_at(turns.map(at).min(), now)
    }

    /// Everything pending but break-ins was put into an alert.
    pub fn sent(&mut self, now: Moment, policy: &Policy) {
        // One that went out before its turn, because it was urgent, is no step of the doubling.
        if self.interval == 0 || self.turn(now, policy) <= now {
            let next = policy.next_interval(self.interval(policy));
            self.interval = u64::try_from(next.as_millis()).unwrap_or(u64::MAX);
        }
        let claims = [(self.here, Claim::Here), (self.account, Claim::Account)];
        let kept = claims.into_iter().filter(|(pending, _)| *pending).map(|(_, claim)| claim);
        // First what leaves break-ins that a log tells of what is kept for them.
        let claim = [Claim::Logged, Claim::Common]
            .into_iter()
            .chain(kept)
            .find(|claim| self.bucket.has(*claim, now, policy))
            .unwrap_or(Claim::Common);
        self.bucket.take(claim, now, policy);
        self.sent = Some(now);
        self.pending = None;
        (self.urgent, self.logged, self.of_log, self.here, self.account) = <_>::default();
        self.flush = false;
    }

    /// A break-in is put into a message, which is paid for, whether there is a token or not.
    pub fn break_in_sent(&mut self, now: Moment, turn: &Turn, policy: &Policy) {
        self.bucket.take(turn.claim, now, policy);
        self.repeats.reported(now, turn, policy);
    }

    /// Whether there is a token for a message of this kind.
    pub fn has(&self, claim: Claim, now: Moment, policy: &Policy) -> bool {
        self.bucket.has(claim, now, policy)
    }

    /// Whether a message more may go out with one that was just paid for; it is paid for then.
    pub fn follows(&mut self, now: Moment, policy: &Policy, claim: Claim) -> bool {
        let has_one = self.has(claim, now, policy);
        if has_one {
            self.bucket.take(claim, now, policy);
        }
        has_one
    }

    /// How long the next alert waits after the last while failures keep coming; zero after quiet.
    pub fn interval(&self, policy: &Policy) -> Duration {
        Duration::from_millis(self.interval).min(policy.max_interval)
    }

    /// When, by the interval alone, the next alert may go out. A moment in the future that this state
    /// bears is a damaged state: it counts as now, so that the wait stays bounded.
    fn turn(&self, now: Moment, policy: &Policy) -> Moment {
        match self.sent {
            Some(sent) if self.interval > 0 => sent.min(now).plus(self.interval(policy)),
            _ => now,
        }
    }
}

fn due_at(at: Option<Moment>, now: Moment) -> Due {
    match at {
        None => Due::Nothing,
        Some(at) if at <= now => Due::Now,
        Some(at) => Due::At(at),
    }
}
