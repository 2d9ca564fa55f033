//! Everything an alert can say of the failures it covers, in bounded memory.
//!
//! The delivery state holds one of these for the failures that are pending, as JSON of less than 64 KiB
//! whatever the flood (under 1 KiB for a handful of failures). How many failures there were is
//! always exact. Names and sources are counted exactly until there are more than fit, see [`Tally`].

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::reveal::known_as;
use super::sample::Sample;
use super::tally::Tally;
use crate::accounts::AccountKind;
use crate::event::Event;

/// At most this many records are kept one by one.
pub const FEW: usize = 3;

/// What was counted under the name of a source that is not known.
pub const UNKNOWN_ADDRESS: &str = "unknown address";

/// Counts and examples of the failures that one alert covers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    failures: u64,
    records: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    few: Vec<Sample>,
    latest: Option<Sample>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notable: Option<Sample>,
    /// By the other machine that it happened on; what happened here is not in it.
    #[serde(skip_serializing_if = "Tally::is_empty")]
    hosts: Tally<16, 1_000, 256>,
    /// By remote address; those from this machine itself are in `local`.
    sources: Tally<256, 10_000, 4096>,
    local: u64,
    accounts: Tally<64, 3_000, 1024>,
    system: Tally<32, 1_000, 64>,
    strangers: Tally<32, 2_000, 1024>,
    services: Tally<16, 1_000, 64>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped: u64,
    #[serde(skip_serializing_if = "is_zero")]
    unreadable: u64,
}

impl Summary {
    /// Cover `failure` too, whose `user` and `ruser` are of these kinds here. A failure that is ignored
    /// or was aborted has no place in an alert: do not add it.
    pub fn add(&mut self, failure: &Event, user_kind: AccountKind, ruser_kind: AccountKind) {
        let count = u64::from(failure.count);
        if count == 0 {
            return;
        }
        self.failures = self.failures.saturating_add(count);
        self.count_record(Sample::of(failure, user_kind, ruser_kind));
        if !failure.host.is_empty() {
            self.hosts.add(&failure.host, count);
        }
        match failure.rhost.as_str() {
            "" if failure.is_local() => self.local = self.local.saturating_add(count),
            "" => self.sources.add(UNKNOWN_ADDRESS, count),
            rhost => self.sources.add(rhost, count),
        }
        match user_kind {
            AccountKind::Existing => self.accounts.add(&failure.user, count),
            AccountKind::Root | AccountKind::System => self.system.add(&failure.user, count),
            AccountKind::Unknown => self.strangers.add(&failure.user, count),
        }
        self.services.add(known_as(&failure.service), count);
    }

    /// Cover everything that `other` covers too: the next alert reports what a refused one would have reported.
    pub fn merge(&mut self, other: Self) {
        self.failures = self.failures.saturating_add(other.failures);
        self.records = self.records.saturating_add(other.records);
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.into_iter().chain(other.last).max();
        self.few.extend(other.few);
        if self.records > self.few.len() as u64 || self.few.len() > FEW {
            self.few.clear();
        }
        self.few.sort_by_key(|sample| sample.time);
        self.latest = match (self.latest.take(), other.latest) {
            (Some(a), Some(b)) => Some(if b.time >= a.time { b } else { a }),
            (a, b) => a.or(b),
        };
        self.note(other.notable);
        self.hosts.merge(other.hosts);
        self.sources.merge(other.sources);
        self.local = self.local.saturating_add(other.local);
        self.accounts.merge(other.accounts);
        self.system.merge(other.system);
        self.strangers.merge(other.strangers);
        self.services.merge(other.services);
        self.add_dropped(other.dropped);
        self.add_unreadable(other.unreadable);
    }

    /// Report also `n` failures that could not be recorded.
    pub fn add_dropped(&mut self, n: u64) {
        self.dropped = self.dropped.saturating_add(n);
    }

    /// Report also `n` records that could not be read.
    pub fn add_unreadable(&mut self, n: u64) {
        self.unreadable = self.unreadable.saturating_add(n);
    }

    /// How many failures it covers. Exact.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// Whether there is nothing to report.
    pub fn is_empty(&self) -> bool {
        self.failures == 0 && self.dropped == 0 && self.unreadable == 0
    }

    /// How many failures could not be recorded.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How many records could not be read.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Time of the earliest failure.
    pub fn first(&self) -> Option<Timestamp> {
        self.first
    }

    /// Time of the latest failure.
    pub fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// The failure with the latest time.
    pub fn latest(&self) -> Option<&Sample> {
        self.latest.as_ref()
    }

    /// The latest failure at this machine itself, or else of an account that somebody logs in to: what
    /// makes an alert urgent must not drown in a flood.
    pub fn notable(&self) -> Option<&Sample> {
        self.notable.as_ref()
    }

    /// All records in order of time, if they are three at most; else none.
    pub fn few(&self) -> &[Sample] {
        &self.few
    }

    /// Failures by the other machine that they happened on; what happened here is the rest.
    pub fn hosts(&self) -> &Tally<16, 1_000, 256> {
        &self.hosts
    }

    /// Failures by remote source.
    pub fn sources(&self) -> &Tally<256, 10_000, 4096> {
        &self.sources
    }

    /// How many failures were tried at this machine itself.
    pub fn local(&self) -> u64 {
        self.local
    }

    /// Failures by accounts that somebody logs in to ([`AccountKind::Existing`]).
    pub fn accounts(&self) -> &Tally<64, 3_000, 1024> {
        &self.accounts
    }

    /// Failures by root and accounts without a login, which every word list has.
    pub fn system(&self) -> &Tally<32, 1_000, 64> {
        &self.system
    }

    /// Failures by names that are no accounts here.
    pub fn strangers(&self) -> &Tally<32, 2_000, 1024> {
        &self.strangers
    }

    /// Failures by service, by the names that people know.
    pub fn services(&self) -> &Tally<16, 1_000, 64> {
        &self.services
    }

    fn count_record(&mut self, sample: Sample) {
        self.records = self.records.saturating_add(1);
        self.first = self.first.into_iter().chain([sample.time]).min();
        self.last = self.last.into_iter().chain([sample.time]).max();
        if self.records <= FEW as u64 {
            let place = self.few.partition_point(|earlier| earlier.time <= sample.time);
            self.few.insert(place, sample.clone());
        } else {
            self.few.clear();
        }
        self.note(Some(&sample).filter(|s| s.is_local() || s.user_kind == AccountKind::Existing).cloned());
        if self.latest.as_ref().is_none_or(|latest| sample.time >= latest.time) {
            self.latest = Some(sample);
        }
    }

    fn note(&mut self, sample: Option<Sample>) {
        let order = |sample: &Sample| (sample.is_local(), sample.time);
        let newer = |sample: &Sample| self.notable.as_ref().is_none_or(|held| order(sample) >= order(held));
        if let Some(sample) = sample.filter(newer) {
            self.notable = Some(sample);
        }
    }
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::tally::Distinct;
    use super::*;
    use crate::event::{Class, Route};

    /// A failure at sshd, `second` seconds after 2026-11-23 12:01:47 UTC.
    pub(crate) fn failure(second: i64, user: &str, rhost: &str) -> Event {
        Event {
            time: Timestamp::from_second(1_795_435_307 + second).unwrap(),
            host: String::new(),
            route: Route::Pam,
            class: Class::Failure,
            count: 1,
            service: "sshd".into(),
            pid: 32239,
            ppid: 0,
            user: user.into(),
            rhost: rhost.into(),
            tty: "ssh".into(),
            ruser: String::new(),
            uid: 0,
            origin: None,
        }
    }

    #[test]
    fn a_few_failures_are_kept_one_by_one_in_order_of_time() {
        let mut summary = Summary::default();
        for second in [5, 1, 3] {
            summary.add(&failure(second, "root", "192.0.2.7"), AccountKind::Root, AccountKind::Unknown);
        }
        let seconds: Vec<_> = summary.few().iter().map(|t| t.time.as_second() - 1_795_435_307).collect();
        assert_eq!(seconds, [1, 3, 5]);
        assert_eq!(summary.latest().map(|t| t.time), summary.last());
        summary.add(&failure(2, "root", "192.0.2.7"), AccountKind::Root, AccountKind::Unknown);
        assert!(summary.few().is_empty());
        assert_eq!((summary.failures(), summary.first()), (4, Some(failure(1, "", "").time)));
    }

    #[test]
    fn names_of_accounts_and_others_sources_and_this_machine_are_counted_apart() {
        let mut summary = Summary::default();
        summary.add(&failure(0, "alice", "192.0.2.7"), AccountKind::Existing, AccountKind::Unknown);
        summary.add(&failure(1, "hunter2", "192.0.2.7"), AccountKind::Unknown, AccountKind::Unknown);
        summary.add(&failure(2, "root", ""), AccountKind::Root, AccountKind::Unknown);
        summary.add(
            &Event { service: "su".into(), ..failure(3, "root", "") },
            AccountKind::Root,
            AccountKind::Unknown,
        );
        summary.add(
            &Event { count: 5, ..failure(4, "mail", "2001:db8::1") },
            AccountKind::System,
            AccountKind::Unknown,
        );
        summary.add(
            &Event { count: 0, ..failure(4, "none", "2001:db8::1") },
            AccountKind::System,
            AccountKind::Unknown,
        );
        assert_eq!(summary.failures(), 9);
        assert_eq!(summary.local(), 1);
        assert_eq!(summary.sources().distinct(), Distinct::Exactly(3));
        assert_eq!(summary.accounts().total(), 1);
        assert_eq!(summary.system().total(), 7);
        assert_eq!(summary.strangers().total(), 1);
        assert_eq!(summary.services().distinct(), Distinct::Exactly(2));
    }

    #[test]
    fn what_makes_an_alert_urgent_is_remembered_through_a_flood() {
        let mut summary = Summary::default();
        let notable = |summary: &Summary| summary.notable().map(|sample| sample.user.clone());
        let mut rest = Summary::default();
        for i in 0..100 {
            summary.add(&failure(i, "root", "192.0.2.7"), AccountKind::Root, AccountKind::Unknown);
        }
        assert_eq!(notable(&summary), None);
        summary.add(&failure(5, "alice", "192.0.2.9"), AccountKind::Existing, AccountKind::Unknown);
        summary.add(&failure(3, "bob", "192.0.2.9"), AccountKind::Existing, AccountKind::Unknown);
        assert_eq!(notable(&summary).unwrap(), "alice");
        rest.add(
            &Event { service: "su".into(), ..failure(1, "root", "") },
            AccountKind::Root,
            AccountKind::Unknown,
        );
        let mut other = rest.clone();
        other.merge(summary.clone());
        summary.merge(rest);
        assert_eq!((notable(&summary).unwrap(), notable(&other).unwrap()), ("root".into(), "root".into()));
    }

    #[test]
    fn merging_tells_the_same_as_adding_everything_to_one() {
        for split in 0..=5 {
            let (mut a, mut b, mut whole) = (Summary::default(), Summary::default(), Summary::default());
            for i in 0..5i64 {
                let failure = failure(i, &format!("user{i}"), "192.0.2.7");
                if i < split { &mut a } else { &mut b }.add(
                    &failure,
                    AccountKind::Existing,
                    AccountKind::Unknown,
                );
                whole.add(&failure, AccountKind::Existing, AccountKind::Unknown);
            }
            b.add_dropped(2);
            whole.add_dropped(2);
            a.add_unreadable(1);
            whole.add_unreadable(1);
            a.merge(b);
            assert_eq!(a, whole);
        }
    }

    #[test]
    fn its_json_is_small_for_a_few_failures_and_bounded_for_the_worst_flood() {
        let mut summary = Summary::default();
        summary.add(&failure(0, "root", "192.0.2.7"), AccountKind::Root, AccountKind::Unknown);
        let json = serde_json::to_string(&summary).unwrap();
        assert!(json.len() < 1024, "{}: {json}", json.len());
        assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);

        for wide in ["東", "\\", "x", "\""] {
            let mut summary = Summary::default();
            let mut biggest = 0;
            for i in 0..6000 {
                let name = format!("{}{i}", wide.repeat(60));
                let failure = Event {
                    tty: name.clone(),
                    ruser: name.clone(),
                    service: name.clone(),
                    count: 123_456_789,
                    ..failure(i, &name, &name)
                };
                let standing = if i % 2 == 0 { AccountKind::Unknown } else { AccountKind::Existing };
                summary.add(&failure, standing, AccountKind::Unknown);
                if [2, 100, 1000, 2000, 4000, 4090, 4200, 5999].contains(&i) {
                    biggest = biggest.max(serde_json::to_string(&summary).unwrap().len());
                }
            }
            assert!(biggest <= 64 << 10, "{wide}: {biggest}");
            assert_eq!(summary.failures(), 6000 * 123_456_789);
            let json = serde_json::to_string(&summary).unwrap();
            assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);
        }
    }
}
