//! Why nothing is sent, until when, and whether the administrator was told.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::deliver::Moment;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// What is wrong. The same trouble is logged once, however often it is met, and whatever comes between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The configuration cannot be used.
    Config,
    /// The credentials are missing, unreadable or refused by us.
    Credentials,
    /// X was not reached.
    Network,
    /// X was reached and did not say clearly what became of the alert.
    Unclear,
    /// A rate limit.
    Limited,
    /// Credits, a spend cap, a usage cap, or a limit of the account.
    Paused,
    /// X refuses to work for these credentials until somebody acts.
    Stopped,
    /// X refuses the text, even one of numbers only.
    Refused,
    /// Something of this machine.
    Local,
}

impl Kind {
    /// The wait after the first time, and the longest.
    fn waits(self) -> (Duration, Duration) {
        match self {
            Self::Network | Self::Unclear | Self::Local => (5 * SECOND, 15 * MINUTE),
            Self::Limited => (15 * MINUTE, 6 * HOUR),
            Self::Paused | Self::Refused => (HOUR, 6 * HOUR),
            // Looked at again now and then, in case that it was mended at the other end; a change of
            // the configuration or the credentials ends it at once.
            Self::Stopped => (6 * HOUR, 6 * HOUR),
            Self::Config | Self::Credentials => (Duration::ZERO, Duration::ZERO),
        }
    }

    /// Whether another reason of the same kind asks for something else to be done.
    fn asks_somebody(self) -> bool {
        match self {
            Self::Config | Self::Credentials | Self::Paused | Self::Stopped | Self::Refused => true,
            Self::Network | Self::Unclear | Self::Limited | Self::Local => false,
        }
    }
}

/// Trouble, from its first time until alerts are delivered again. It may change its kind meanwhile:
/// an X that now refuses a connection and now answers 503 is left alone ever longer all the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trouble {
    /// What is wrong.
    pub kind: Kind,
    /// In one line, with what to do.
    pub why: String,
    /// The first time, of whatever kind.
    pub since: Timestamp,
    /// How often each kind was met, and why it was the last time.
    #[serde(default)]
    pub met: BTreeMap<Kind, Met>,
    /// Not before.
    pub next: Moment,
    /// Of configuration and credentials, when it was met.
    pub fingerprint: String,
}

/// One kind of trouble since alerts were last delivered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Met {
    /// How often.
    pub times: u32,
    /// Why, the last time.
    pub why: String,
}

impl Trouble {
    /// The trouble that is met now; `before` is the one that there was. The second value says
    /// whether the administrator should be told.
    pub fn met(
        before: Option<&Self>,
        kind: Kind,
        why: String,
        now: (Moment, Timestamp),
        until: Option<Duration>,
        fingerprint: String,
    ) -> (Self, bool) {
        let mut met = before.map(|t| t.met.clone()).unwrap_or_default();
        let of_kind = met.entry(kind).or_default();
        let tell = of_kind.times == 0 || (kind.asks_somebody() && of_kind.why != why);
        *of_kind = Met { times: of_kind.times.saturating_add(1), why: why.clone() };
        let times = of_kind.times;
        let wait = match until {
            // Spread over a few seconds: several machines may share an account.
            Some(until) => until + jitter(5 * SECOND),
            None => {
                let (first, longest) = kind.waits();
                let wait = first.saturating_mul(1 << (times - 1).min(16)).min(longest);
                wait - jitter(wait / 4)
            }
        };
        let since = before.map_or(now.1, |t| t.since);
        let trouble = Self { kind, why, since, met, next: now.0.plus(wait), fingerprint };
        (trouble, tell)
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

    fn meet(before: Option<&Trouble>, kind: Kind) -> (Trouble, bool) {
        Trouble::met(before, kind, "why".into(), (Moment(0), Timestamp::UNIX_EPOCH), None, String::new())
    }

    #[test]
    fn the_wait_doubles_to_a_bound_and_the_administrator_is_told_once() {
        let (mut trouble, tell) = meet(None, Kind::Network);
        assert!(tell && (3750..=5000).contains(&trouble.next.0), "{:?}", trouble.next);
        let mut waits = Vec::new();
        for _ in 0..100 {
            let (again, tell) = meet(Some(&trouble), Kind::Network);
            assert!(!tell);
            waits.push(again.next.0);
            trouble = again;
        }
        assert!(waits[0] > 7000 && waits[99] <= 900_000 && waits[99] >= 675_000);
        assert!(meet(Some(&trouble), Kind::Stopped).1, "another trouble is told");
    }

    #[test]
    fn kinds_that_take_turns_are_each_told_once_and_waited_for_ever_longer() {
        let (mut trouble, _) = meet(None, Kind::Network);
        let mut told = 1;
        for turn in 1..40 {
            let (again, tell) = meet(Some(&trouble), [Kind::Network, Kind::Unclear, Kind::Limited][turn % 3]);
            told += usize::from(tell);
            trouble = again;
        }
        assert_eq!(told, 3);
        assert!(meet(Some(&trouble), Kind::Network).0.next.0 >= 675_000);
        assert!(meet(Some(&trouble), Kind::Unclear).0.next.0 >= 675_000);
    }

    #[test]
    fn another_reason_to_act_is_told() {
        let why = |before: Option<&Trouble>, kind, why: &str| {
            let now = (Moment(0), Timestamp::UNIX_EPOCH);
            Trouble::met(before, kind, why.into(), now, None, String::new())
        };
        for (kind, told) in [(Kind::Stopped, true), (Kind::Paused, true), (Kind::Unclear, false)] {
            let (trouble, _) = why(None, kind, "the clock is wrong");
            assert!(!why(Some(&trouble), kind, "the clock is wrong").1);
            assert_eq!(why(Some(&trouble), kind, "the account is suspended").1, told, "{kind:?}");
        }
    }
}
