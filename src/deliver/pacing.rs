//! When the next alert goes out.
//!
//! - The first failure after quiet: at once.
//! - While failures keep coming the next alert waits `group_interval`, then twice that, and so on
//!   up to `max_interval`; two and a half of the current interval without a failure resets it, but
//!   never less than four hours (see [`Policy::quiet`]).
//! - An account other than root that fails for the first time in a day, and any failure at
//!   this machine itself, goes out at once all the same. Such an alert does not double the interval.
//! - A token bucket bounds everything; when it is empty the next alert covers more, never less.
//!
//! Quiet and "at once" are judged by when a failure is noticed, never by the time it bears: the log
//! route notices late, and clocks step. Nothing here asks a clock. The caller supplies the moments.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::policy::Policy;
use crate::accounts::AccountKind;
use crate::event::Event;

const DAY: Duration = Duration::from_secs(86_400);

/// So many accounts are remembered as seen failing; they are names of accounts here, so
/// only a machine with more accounts than this ever forgets one early.
const REMEMBERED: usize = 1024;

/// Milliseconds on a clock that never goes back, across processes and restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl Moment {
    /// This moment and `duration`.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// `duration` in whole milliseconds, not shorter.
    pub(super) fn round_up(duration: Duration) -> Duration {
        Duration::from_millis(duration.as_nanos().div_ceil(1_000_000).try_into().unwrap_or(u64::MAX))
    }
}

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

/// What pacing remembers between failures; part of the delivery state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pacing {
    /// Milliseconds that the next alert waits after the last; 0 after quiet.
    interval: u64,
    noticed: Option<Moment>,
    sent: Option<Moment>,
    pending: Option<Moment>,
    urgent: bool,
    /// When the bucket will be full again.
    full: Moment,
    /// Accounts seen failing, with when last.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    seen: BTreeMap<String, Moment>,
}

impl Pacing {
    /// A failure was noticed that the next alert will cover.
    pub fn noticed(&mut self, now: Moment, failure: &Event, standing: AccountKind, policy: &Policy) {
        let quiet = policy.quiet(self.interval(policy));
        if self.noticed.is_some_and(|last| now.since(last) >= quiet) {
            self.interval = 0;
        }
        self.noticed = Some(now);
        self.pending.get_or_insert(now);
        let first_today = standing == AccountKind::Existing && self.first_in_a_day(now, &failure.user);
        self.urgent |= first_today || failure.is_of_somebody_here();
    }

    /// Something is pending that was noticed before: what a refused alert covered, or a count of
    /// dropped records. It is never urgent.
    pub fn pending(&mut self, now: Moment) {
        self.pending.get_or_insert(now);
    }

    /// An administrator wants to see what is pending now. The bucket bounds that too.
    pub fn hurry(&mut self) {
        self.urgent = self.pending.is_some();
    }

    /// Whether an alert has to go out.
    pub fn due(&self, now: Moment, policy: &Policy) -> Due {
        let Some(pending) = self.pending else { return Due::Nothing };
        let mut at = pending.min(now);
        if !self.urgent {
            at = at.max(self.turn(now, policy).min(at.plus(policy.longest_wait())));
        }
        at = at.max(self.token(now, policy));
        if at <= now { Due::Now } else { Due::At(at) }
    }

    /// Everything pending was put into an alert.
    pub fn sent(&mut self, now: Moment, policy: &Policy) {
        // One that went out before its turn, because it was urgent, is no step of the doubling.
        if self.interval == 0 || self.turn(now, policy) <= now {
            let next = policy.next_interval(self.interval(policy));
            self.interval = u64::try_from(next.as_millis()).unwrap_or(u64::MAX);
        }
        self.sent = Some(now);
        self.pending = None;
        self.urgent = false;
        self.full = self.full_again(now, policy).max(now).plus(policy.refill());
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

    /// When the bucket has a token: all but one of them may be missing.
    fn token(&self, now: Moment, policy: &Policy) -> Moment {
        let others = policy.refill().saturating_mul(policy.burst() - 1);
        let full = self.full_again(now, policy);
        Moment(full.0.saturating_sub(u64::try_from(others.as_millis()).unwrap_or(u64::MAX)))
    }

    /// When the bucket is full again, at the latest one whole bucket from now.
    fn full_again(&self, now: Moment, policy: &Policy) -> Moment {
        self.full.min(now.plus(policy.refill().saturating_mul(policy.burst())))
    }

    fn first_in_a_day(&mut self, now: Moment, user: &str) -> bool {
        let last = self.seen.insert(user.to_owned(), now);
        if self.seen.len() > REMEMBERED {
            self.seen.retain(|_, last| now.since(*last) < DAY);
            if self.seen.len() > REMEMBERED {
                let oldest = self.seen.iter().min_by_key(|(_, last)| **last).map(|(user, _)| user.clone());
                oldest.and_then(|user| self.seen.remove(&user));
            }
        }
        last.is_none_or(|last| now.since(last) >= DAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Alerts;
    use crate::message::summary::tests::failure;

    const MINUTE: u64 = 60_000;

    fn policy() -> Policy {
        Policy::from(&Alerts::default())
    }

    fn remote(pacing: &mut Pacing, at: u64, user: &str, standing: AccountKind) {
        pacing.noticed(Moment(at), &failure(0, user, "192.0.2.7"), standing, &policy());
    }

    /// Send whenever an alert is due, up to `until`; the minutes at which that happened.
    fn sent_until(pacing: &mut Pacing, from: u64, until: u64) -> Vec<u64> {
        let mut sent = Vec::new();
        let mut now = from;
        while now <= until {
            match pacing.due(Moment(now), &policy()) {
                Due::Nothing => break,
                Due::At(at) => now = at.0,
                Due::Now => {
                    pacing.sent(Moment(now), &policy());
                    sent.push(now / MINUTE);
                }
            }
        }
        sent
    }

    /// Of alerts at these minutes, the most in 24 hours.
    fn busiest(sent: &[u64]) -> usize {
        let within = |(i, from): (usize, &u64)| sent[i..].partition_point(|at| *at < from + 1440);
        sent.iter().enumerate().map(within).max().unwrap_or(0)
    }

    #[test]
    fn the_first_failure_goes_out_at_once_and_the_next_ones_wait_ever_longer() {
        let mut pacing = Pacing::default();
        assert_eq!(pacing.due(Moment(0), &policy()), Due::Nothing);
        let mut sent = Vec::new();
        for minute in 0..3000 {
            remote(&mut pacing, minute * MINUTE, "root", AccountKind::Root);
            sent.extend(sent_until(&mut pacing, minute * MINUTE, minute * MINUTE));
        }
        assert_eq!(sent, [0, 10, 30, 70, 150, 310, 630, 990, 1350, 1710, 2070, 2430, 2790]);
    }

    #[test]
    fn quiet_resets_the_wait() {
        // Two and a half times 160 minutes are more than four hours, two and a half times ten are not.
        for (alerts, gap, next) in [(1, 240, 10), (1, 239, 20), (5, 400, 10), (5, 399, 320)] {
            let mut pacing = Pacing::default();
            let mut now = 0;
            for i in 0..alerts {
                now += (10 * MINUTE) << i;
                remote(&mut pacing, now, "root", AccountKind::Root);
                assert_eq!(pacing.due(Moment(now), &policy()), Due::Now);
                pacing.sent(Moment(now), &policy());
            }
            now += gap * MINUTE;
            remote(&mut pacing, now, "root", AccountKind::Root);
            assert_eq!(pacing.due(Moment(now), &policy()), Due::Now);
            pacing.sent(Moment(now), &policy());
            assert_eq!(pacing.interval(&policy()), Duration::from_secs(next * 60), "{alerts} {gap}");
        }
    }

    /// One failure every so many minutes, for days: what an attacker does who hides below thresholds.
    #[test]
    fn a_slow_attack_of_any_pace_makes_at_most_twenty_alerts_a_day() {
        for gap in 1..=400u64 {
            let mut pacing = Pacing::default();
            let mut sent = Vec::new();
            for i in 0..(10 * 1440 / gap) {
                sent.extend(sent_until(&mut pacing, i.saturating_sub(1) * gap * MINUTE, i * gap * MINUTE));
                remote(&mut pacing, i * gap * MINUTE, "root", AccountKind::Root);
                sent.extend(sent_until(&mut pacing, i * gap * MINUTE, i * gap * MINUTE));
            }
            assert!(busiest(&sent) <= 20, "one in {gap} minutes: {sent:?}");
        }
    }

    /// The worst that somebody can do who knows the rule: wait exactly as long as it takes each time.
    #[test]
    fn whoever_knows_the_rule_gets_no_more_than_twenty_alerts_a_day() {
        for steps in 1..8 {
            let mut pacing = Pacing::default();
            let (mut now, mut sent) = (0, Vec::new());
            while now < 5 * DAY.as_millis() as u64 {
                for _ in 0..steps {
                    now = pacing.turn(Moment(now), &policy()).0;
                    remote(&mut pacing, now, "root", AccountKind::Root);
                    sent.extend(sent_until(&mut pacing, now, now));
                }
                now += policy().quiet(pacing.interval(&policy())).as_millis() as u64;
            }
            assert!(busiest(&sent) <= 20, "{steps}: {sent:?}");
        }
    }

    #[test]
    fn an_account_for_the_first_time_in_a_day_and_this_machine_itself_do_not_wait() {
        let mut pacing = Pacing::default();
        remote(&mut pacing, 0, "root", AccountKind::Root);
        pacing.sent(Moment(0), &policy());
        let waits = Due::At(Moment(10 * MINUTE));
        for (user, standing, due) in [
            ("root", AccountKind::Root, waits),
            ("mail", AccountKind::System, waits),
            ("hunter2", AccountKind::Unknown, waits),
            ("alice", AccountKind::Existing, Due::Now),
        ] {
            remote(&mut pacing, MINUTE, user, standing);
            assert_eq!(pacing.due(Moment(MINUTE), &policy()), due, "{user}");
        }
        pacing.sent(Moment(MINUTE), &policy());
        // It was no step of the doubling, and the wait begins anew.
        remote(&mut pacing, 2 * MINUTE, "alice", AccountKind::Existing);
        assert_eq!(pacing.due(Moment(2 * MINUTE), &policy()), Due::At(Moment(11 * MINUTE)));
        let local = Event { service: "su".into(), ..failure(0, "root", "") };
        pacing.noticed(Moment(2 * MINUTE), &local, AccountKind::Root, &policy());
        assert_eq!(pacing.due(Moment(2 * MINUTE), &policy()), Due::Now);
        pacing.sent(Moment(2 * MINUTE), &policy());
        // A day without alice, and she is new again.
        remote(&mut pacing, 3 * MINUTE, "root", AccountKind::Root);
        let next_day = 2 * MINUTE + DAY.as_millis() as u64;
        remote(&mut pacing, next_day - 1, "bob", AccountKind::Existing);
        assert!(!pacing.first_in_a_day(Moment(next_day - 1), "bob"));
        assert!(pacing.first_in_a_day(Moment(next_day), "alice"));
    }

    #[test]
    fn who_hurries_does_not_wait_for_the_turn_but_for_the_bucket() {
        let mut pacing = Pacing::default();
        pacing.hurry();
        assert_eq!(pacing, Pacing::default());
        for alert in 0..4 {
            remote(&mut pacing, alert, "root", AccountKind::Root);
            pacing.hurry();
            assert_eq!(pacing.due(Moment(alert), &policy()), Due::Now, "{alert}");
            pacing.sent(Moment(alert), &policy());
        }
        remote(&mut pacing, 5, "root", AccountKind::Root);
        pacing.hurry();
        assert_eq!(pacing.due(Moment(5), &policy()), Due::At(Moment(0).plus(policy().refill())));
    }

    #[test]
    fn an_empty_bucket_makes_the_next_alert_wait_and_never_loses_it() {
        let mut pacing = Pacing::default();
        let local = Event { service: "su".into(), ..failure(0, "root", "") };
        let mut sent = Vec::new();
        for second in 0..7200 {
            pacing.noticed(Moment(second * 1000), &local, AccountKind::Root, &policy());
            sent.extend(sent_until(&mut pacing, second * 1000, second * 1000));
        }
        assert_eq!(sent, [0, 0, 0, 0, 32, 64, 96]);
        assert_eq!(pacing.due(Moment(7_199_000), &policy()), Due::At(Moment(128 * MINUTE)));
    }

    #[test]
    fn what_a_refused_alert_covered_waits_its_turn_again() {
        let mut pacing = Pacing::default();
        remote(&mut pacing, 0, "root", AccountKind::Root);
        pacing.sent(Moment(0), &policy());
        pacing.pending(Moment(MINUTE));
        assert_eq!(pacing.due(Moment(MINUTE), &policy()), Due::At(Moment(10 * MINUTE)));
    }

    #[test]
    fn a_damaged_or_older_state_never_makes_an_alert_wait_longer_than_the_policy_says() {
        let json = r#"{"interval":18446744073709551615,"noticed":9e3,"sent":18446744073709551615,
            "pending":18446744073709551615,"full":18446744073709551615,"some_day":1}"#
            .replace("9e3", "18446744073709551615");
        let pacing: Pacing = serde_json::from_str(&json).unwrap();
        let Due::At(at) = pacing.due(Moment(5), &policy()) else { panic!() };
        assert!(at.since(Moment(5)) <= policy().max_interval, "{at:?}");
        let json = serde_json::to_string(&pacing).unwrap();
        assert_eq!(serde_json::from_str::<Pacing>(&json).unwrap(), pacing);
    }

    #[test]
    fn the_accounts_seen_are_bounded() {
        let mut pacing = Pacing::default();
        for i in 0..3000u64 {
            assert!(pacing.first_in_a_day(Moment(i), &format!("user{i}")));
        }
        assert_eq!(pacing.seen.len(), REMEMBERED);
        assert!(!pacing.first_in_a_day(Moment(3000), "user2999"));
    }

    /// Failures of every kind at random moments, a look every minute: the promises hold.
    #[test]
    fn none_waits_longer_than_max_interval_and_no_day_has_more_than_max_per_day() {
        let mut random = 0x9e37_79b9_7f4a_7c15u64;
        let mut next = move |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        for round in 0..60 {
            let policy = match round % 3 {
                0 => policy(),
                1 => Policy { max_per_day: 1 + next(60) as u32, burst: 1 + next(8) as u32, ..policy() },
                _ => Policy {
                    group_interval: Duration::from_secs(1 + next(7200)),
                    max_interval: Duration::from_secs(7200 + next(100_000)),
                    ..policy()
                },
            };
            let longest = policy.max_interval.max(policy.refill());
            let mut pacing = Pacing::default();
            let (mut now, mut oldest, mut sent) = (0, None, Vec::<u64>::new());
            let pace = [1_000, 60_000, 1_800_000, 40_000_000][next(4) as usize];
            for _ in 0..1500 {
                let arrival = now + next(pace);
                // Everything that becomes due before the next failure arrives.
                while let (Some(since), Due::At(at)) = (oldest, pacing.due(Moment(now), &policy)) {
                    assert!(at > Moment(now));
                    if at.0 > arrival {
                        break;
                    }
                    now = at.0;
                    assert_eq!(pacing.due(at, &policy), Due::Now);
                    assert!(at.since(Moment(since)) <= longest, "{policy:?} {pacing:?}");
                    pacing.sent(at, &policy);
                    sent.push(at.0);
                    oldest = None;
                }
                now = arrival;
                let (user, standing) = match next(4) {
                    0 => ("root".into(), AccountKind::Root),
                    1 => ("?".into(), AccountKind::Unknown),
                    _ => (format!("user{}", next(40)), AccountKind::Existing),
                };
                let rhost = if next(20) == 0 { "" } else { "192.0.2.7" };
                // The time in the failure is years off: it must not matter.
                let old = Event { service: "login".into(), ..failure(-(next(1 << 30) as i64), &user, rhost) };
                pacing.noticed(Moment(now), &old, standing, &policy);
                oldest.get_or_insert(now);
                if pacing.due(Moment(now), &policy) == Due::Now {
                    pacing.sent(Moment(now), &policy);
                    sent.push(now);
                    oldest = None;
                }
            }
            let day = DAY.as_millis() as u64;
            for (i, start) in sent.iter().enumerate() {
                let within = sent[i..].iter().take_while(|at| **at < start + day).count();
                assert!(within <= policy.max_per_day as usize, "{within} in a day: {policy:?}");
            }
        }
    }
}
