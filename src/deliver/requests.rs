//! How often a receiver is asked at most, whatever happens here.
//!
//! Each request is entered here, and on disk, before its first byte. So processes that end between request
//! and answer, however many somebody starts, ask no more often than this. Pacing decides what is told and
//! when; this holds where pacing does not see what became of it.
//!
//! With the defaults: six in a row, then one in three minutes, and three more for break-ins, then one in
//! half an hour. In any quarter of an hour that is 14 at most, in any day 540; X allows 15 (messages)
//! and 100 (posts) in a quarter of an hour, 1,440 and 10,000 in a day.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Moment;
use super::pacing::Pace;
use super::policy::Policy;

const DAY: Duration = Duration::from_secs(86_400);
/// Beyond the alerts that may go out one after another.
const SPARE: u32 = 2;
/// So many requests for each alert that a day may have.
const TRIES: u32 = 10;
const RESERVE: Bucket = Bucket { size: 3, refill: Duration::from_secs(1800) };

/// Of which of the two a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purse {
    /// What everything else uses.
    Ordinary,
    /// What break-ins have once that is empty.
    Reserve,
}

/// How many requests may still be made; part of a receiver's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Requests {
    /// When the bucket will be full again.
    full: Moment,
    /// When the reserve will be.
    reserve_full: Moment,
    /// In the requests of this pace.
    #[serde(flatten)]
    pace: Pace,
    /// What it had no room for when it was changed, and when that was.
    cut: u64,
    cut_at: Moment,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    size: u32,
    refill: Duration,
}

impl Requests {
    /// Go by `policy` from this moment on: what was asked before counts by it. Moments that only a damaged state can bear are
    /// brought into what is possible.
    /// Whether anything is different then.
    pub fn settle(&mut self, now: Moment, policy: &Policy) -> bool {
        let (before, bucket) = (self.clone(), ordinary(policy));
        let one = u64::try_from(bucket.refill.as_millis()).unwrap_or(u64::MAX);
        let pace = Pace { one, size: bucket.size.into() };
        let (missing, most) = (self.full.0.saturating_sub(now.0), pace.one.saturating_mul(pace.size));
        let change = self.pace.change(pace, &mut self.cut_at, now);
        let left = change.map_or(missing.min(most), |change| change.of(missing, most, &mut self.cut));
        if left != missing {
            self.full = Moment(now.0.saturating_add(left));
        }
        self.reserve_full = RESERVE.bounded(self.reserve_full, now);
        *self != before
    }

    /// When a request may be made, and from which purse: `now` where one may. Break-ins take from the
    /// ordinary one as long as it has something.
    pub fn next(&self, now: Moment, policy: &Policy, break_in: bool) -> (Moment, Purse) {
        let ordinary = ordinary(policy).next(self.full, now);
        let reserve = RESERVE.next(self.reserve_full, now);
        if break_in && reserve < ordinary { (reserve, Purse::Reserve) } else { (ordinary, Purse::Ordinary) }
    }

    /// Enter a request.
    pub fn enter(&mut self, now: Moment, policy: &Policy, purse: Purse) {
        match purse {
            Purse::Ordinary => self.full = ordinary(policy).entered(self.full, now),
            Purse::Reserve => self.reserve_full = RESERVE.entered(self.reserve_full, now),
        }
    }
}

/// In proportion to what the administrator allows: who wants a thousand alerts in a row gets them.
fn ordinary(policy: &Policy) -> Bucket {
    Bucket {
        size: policy.burst() + SPARE,
        refill: Moment::round_up(DAY / policy.max_per_day.max(1).saturating_mul(TRIES)),
    }
}

impl Bucket {
    fn next(self, full: Moment, now: Moment) -> Moment {
        let others = self.refill.saturating_mul(self.size - 1);
        let full = self.bounded(full, now);
        Moment(full.0.saturating_sub(u64::try_from(others.as_millis()).unwrap_or(u64::MAX))).max(now)
    }

    fn entered(self, full: Moment, now: Moment) -> Moment {
        self.bounded(full, now).max(now).plus(self.refill)
    }

    /// A moment that a damaged state bears makes nobody wait longer than a whole bucket takes.
    fn bounded(self, full: Moment, now: Moment) -> Moment {
        full.min(now.plus(self.refill.saturating_mul(self.size)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Alerts;

    /// Whoever asks as soon as it is allowed: the seconds at which that was, until `until`.
    fn all(until: u64, break_in: bool) -> Vec<u64> {
        let (policy, mut requests) = (Policy::from(&Alerts::default()), Requests::default());
        let (mut now, mut asked) = (Moment(0), Vec::new());
        loop {
            let (next, purse) = requests.next(now, &policy, break_in);
            now = next;
            if now.0 / 1000 > until {
                return asked;
            }
            requests.enter(now, &policy, purse);
            asked.push(now.0 / 1000);
        }
    }

    fn busiest(asked: &[u64], window: u64) -> usize {
        let within = |(i, from): (usize, &u64)| asked[i..].partition_point(|at| *at < from + window);
        asked.iter().enumerate().map(within).max().unwrap_or(0)
    }

    #[test]
    fn no_limit_of_x_is_met_whoever_asks_as_often_as_is_allowed() {
        let asked = all(5 * 86_400, true);
        for (window, most) in [(60, 9), (900, 15), (3600, 30), (86_400, 1440)] {
            assert!(busiest(&asked, window) <= most, "{} in {window} s", busiest(&asked, window));
        }
        let ordinary = all(86_400, false);
        assert_eq!((busiest(&ordinary, 60), busiest(&ordinary, 3600)), (6, 25));
    }

    #[test]
    fn a_reserve_is_left_for_break_ins_when_everything_else_is_used_up() {
        let (policy, mut requests) = (Policy::from(&Alerts::default()), Requests::default());
        let now = Moment(5);
        while requests.next(now, &policy, false).0 == now {
            requests.enter(now, &policy, Purse::Ordinary);
        }
        for _ in 0..3 {
            assert_eq!(requests.next(now, &policy, true), (now, Purse::Reserve));
            requests.enter(now, &policy, Purse::Reserve);
        }
        assert!(requests.next(now, &policy, true).0 > now);
    }

    #[test]
    fn a_damaged_state_makes_nobody_wait_longer_than_a_bucket_takes() {
        let policy = Policy::from(&Alerts::default());
        let damaged = Moment(u64::MAX);
        let mut requests = Requests { full: damaged, reserve_full: damaged, ..Requests::default() };
        let mut now = Moment(0);
        while requests.next(now, &policy, false).0 > now {
            // As each pass does.
            requests.settle(now, &policy);
            now = requests.next(now, &policy, false).0;
            assert!(now.0 <= 3_600_000, "{now:?}");
        }
    }

    #[test]
    fn what_was_asked_at_another_pace_is_as_many_requests_at_this_one() {
        let at = |max_per_day| Policy::from(&Alerts { max_per_day, ..Alerts::default() });
        for (before, after) in [(1, 48), (5, 48), (5, 1000)] {
            let (before, after) = (at(before), at(after));
            let (mut now, mut requests) = (Moment(50_000_000), Requests::default());
            while requests.next(now, &before, false).0 == now {
                requests.enter(now, &before, Purse::Ordinary);
            }
            assert!(requests.settle(now, &before) && requests.settle(now, &after));
            now = requests.next(now, &after, false).0;
            assert!(now.0 <= 50_000_000 + 200_000 && !requests.settle(now, &after));
            assert_eq!(requests.next(now, &after, false).0, now);
        }
        // To and fro, as often as that is done.
        let paces = [at(5), at(48), at(1)];
        let (mut requests, mut asked) = (Requests::default(), 0);
        for policy in paces.iter().cycle().take(300) {
            requests.settle(Moment(50_000_000), policy);
            while requests.next(Moment(50_000_000), policy, false).0 == Moment(50_000_000) {
                requests.enter(Moment(50_000_000), policy, Purse::Ordinary);
                asked += 1;
            }
        }
        assert!(asked <= 12, "{asked}");
    }
}
