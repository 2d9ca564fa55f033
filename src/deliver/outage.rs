//! Why nothing is sent to a receiver, until when, and whether the administrator was told.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::deliver::Moment;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// What is wrong. The same outage is logged once, however often it is met, and whatever comes between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The configuration cannot be used.
    Config,
    /// The credentials are missing, unreadable or refused by us.
    Credentials,
    /// The service was not reached.
    Network,
    /// It was reached and did not say clearly what became of the alert.
    Unclear,
    /// A rate limit.
    Limited,
    /// Credits, a spend cap, a usage cap, or a limit of the account.
    Paused,
    /// The service refuses to work for these credentials until somebody acts.
    Stopped,
    /// It refuses the text, even one of numbers only.
    Refused,
}

impl Kind {
    /// The wait after the first time, and the longest.
    fn waits(self) -> (Duration, Duration) {
        match self {
            Self::Network => (5 * SECOND, 15 * MINUTE),
            // As the alert itself waits, see [`super::alert::Alert::attempt`].
            Self::Unclear => (MINUTE, 6 * HOUR),
            Self::Limited => (15 * MINUTE, 6 * HOUR),
            Self::Paused | Self::Refused => (HOUR, 6 * HOUR),
            // Looked at again now and then, in case that it was fixed at the other end; a change of
            // the configuration or the credentials ends it at once.
            Self::Stopped => (6 * HOUR, 6 * HOUR),
            Self::Config | Self::Credentials => (Duration::ZERO, Duration::ZERO),
        }
    }

    /// Whether it is over when the configuration and the credentials can be used.
    pub fn is_of_this_machine(self) -> bool {
        matches!(self, Self::Config | Self::Credentials)
    }

    /// Whether another reason of the same kind asks for something else to be done.
    fn asks_somebody(self) -> bool {
        match self {
            Self::Config | Self::Credentials | Self::Paused | Self::Stopped | Self::Refused => true,
            Self::Network | Self::Unclear | Self::Limited => false,
        }
    }
}

/// An outage, from its first time until alerts are delivered again. It may change its kind meanwhile:
/// a service that now refuses a connection and now answers 503 is left alone ever longer all the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outage {
    /// What is wrong.
    pub kind: Kind,
    /// In one line, with what to do.
    pub why: String,
    /// The first time, of whatever kind.
    pub since: Timestamp,
    /// How often each kind was recorded, and why it was the last time.
    #[serde(default, alias = "met")]
    pub seen: BTreeMap<Kind, Seen>,
    /// Not before.
    pub next: Moment,
    /// The service itself said so.
    #[serde(default)]
    pub is_asked: bool,
    /// Of configuration and credentials, when it was met.
    pub fingerprint: String,
}

/// One kind of outage since alerts were last delivered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Seen {
    /// How often.
    pub times: u32,
    /// Why, the last time.
    pub why: String,
}

impl Outage {
    /// The outage as it is now; `before` is the one that there was. The second value says
    /// whether the administrator should be told.
    pub fn record(
        before: Option<&Self>,
        kind: Kind,
        why: String,
        now: (Moment, Timestamp),
        until: Option<Duration>,
        fingerprint: String,
    ) -> (Self, bool) {
        let mut seen = before.map(|o| o.seen.clone()).unwrap_or_default();
        let of_kind = seen.entry(kind).or_default();
        let tell = of_kind.times == 0 || (kind.asks_somebody() && of_kind.why != why);
        *of_kind = Seen { times: of_kind.times.saturating_add(1), why: why.clone() };
        let times = of_kind.times;
        let is_asked = until.is_some();
        let wait = match until {
            // Spread over a few seconds: several machines may share an account.
            Some(until) => until + jitter(5 * SECOND),
            None => {
                let (first, longest) = kind.waits();
                let wait = first.saturating_mul(1 << (times - 1).min(16)).min(longest);
                wait - jitter(wait / 4)
            }
        };
        let since = before.map_or(now.1, |o| o.since);
        let outage = Self { kind, why, since, seen, next: now.0.plus(wait), is_asked, fingerprint };
        (outage, tell)
    }

    /// Whether at `now` it is nothing but a short wait that the service asked for: alerts are late, and come.
    pub fn is_passing(&self, now: (Moment, Timestamp)) -> bool {
        let lasted = now.1.duration_since(self.since);
        self.is_asked && lasted < SignedDuration::from_hours(1) && self.next.since(now.0) <= HOUR
    }
}

/// A random part of `most`.
fn jitter(most: Duration) -> Duration {
    let mut bytes = [0; 2];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::NONBLOCK);
    let part = if filled.is_ok() { u16::from_ne_bytes(bytes) } else { 0 };
    most * u32::from(part) / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(before: Option<&Outage>, kind: Kind) -> (Outage, bool) {
        Outage::record(before, kind, "why".into(), (Moment(0), Timestamp::UNIX_EPOCH), None, String::new())
    }

    #[test]
    fn the_wait_doubles_to_a_bound_and_the_administrator_is_told_once() {
        let (mut outage, tell) = record(None, Kind::Network);
        assert!(tell && (3750..=5000).contains(&outage.next.0), "{:?}", outage.next);
        let mut waits = Vec::new();
        for _ in 0..100 {
            let (again, tell) = record(Some(&outage), Kind::Network);
            assert!(!tell);
            waits.push(again.next.0);
            outage = again;
        }
        assert!(waits[0] > 7000 && waits[99] <= 900_000 && waits[99] >= 675_000);
        assert!(record(Some(&outage), Kind::Stopped).1, "another kind is told");
    }

    #[test]
    fn kinds_that_take_turns_are_each_told_once_and_waited_for_ever_longer() {
        let (mut outage, _) = record(None, Kind::Network);
        let mut told = 1;
        for turn in 1..40 {
            let (again, tell) =
                record(Some(&outage), [Kind::Network, Kind::Unclear, Kind::Limited][turn % 3]);
            told += usize::from(tell);
            outage = again;
        }
        assert_eq!(told, 3);
        assert!(record(Some(&outage), Kind::Network).0.next.0 >= 675_000);
        assert!(record(Some(&outage), Kind::Unclear).0.next.0 >= 16_000_000);
    }

    #[test]
    fn a_wait_that_the_service_asks_for_is_passing_until_it_has_asked_for_an_hour() {
        let begun = Timestamp::UNIX_EPOCH;
        let record = |before: Option<&Outage>, minutes: i64, until| {
            let now = (Moment(0), begun + SignedDuration::from_mins(minutes));
            Outage::record(before, Kind::Limited, "busy".into(), now, until, String::new()).0
        };
        let is_passing = |outage: &Outage, minutes: i64| {
            outage.is_passing((Moment(0), begun + SignedDuration::from_mins(minutes)))
        };
        let asked = record(None, 0, Some(MINUTE));
        assert!(is_passing(&asked, 0) && !is_passing(&asked, 60));
        let again = record(Some(&asked), 59, Some(MINUTE));
        assert!(is_passing(&again, 59) && !is_passing(&again, 61));
        assert!(!is_passing(&record(None, 0, None), 0), "nobody asked");
        assert!(!is_passing(&record(None, 0, Some(24 * HOUR)), 0), "the alerts of a day are late");
        // As a version wrote it that did not say so.
        let old = serde_json::to_string(&asked).unwrap().replace("\"is_asked\":true,", "");
        assert!(!serde_json::from_str::<Outage>(&old).unwrap().is_asked);
    }

    #[test]
    fn another_reason_to_act_is_told() {
        let why = |before: Option<&Outage>, kind, why: &str| {
            let now = (Moment(0), Timestamp::UNIX_EPOCH);
            Outage::record(before, kind, why.into(), now, None, String::new())
        };
        for (kind, told) in [(Kind::Stopped, true), (Kind::Paused, true), (Kind::Unclear, false)] {
            let (outage, _) = why(None, kind, "the clock is wrong");
            assert!(!why(Some(&outage), kind, "the clock is wrong").1);
            assert_eq!(why(Some(&outage), kind, "the account is suspended").1, told, "{kind:?}");
        }
    }
}
