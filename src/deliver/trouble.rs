//! Why nothing is sent, until when, and whether the administrator was told.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::Moment;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// What is wrong. The same trouble is logged once, however often it is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// One trouble, from its first time to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trouble {
    /// What is wrong.
    pub kind: Kind,
    /// In one line, with what to do.
    pub why: String,
    /// The first time.
    pub since: Timestamp,
    /// How often it was met.
    pub times: u32,
    /// Not before.
    pub next: Moment,
    /// Of configuration and credentials, when it was met.
    pub fingerprint: String,
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
        let same = before.filter(|t| t.kind == kind);
        let times = same.map_or(0, |t| t.times).saturating_add(1);
        let wait = match until {
            // Spread over a few seconds: several machines may share an account.
            Some(until) => until + jitter(5 * SECOND),
            None => {
                let (first, longest) = kind.waits();
                let wait = first.saturating_mul(1 << (times - 1).min(16)).min(longest);
                wait - jitter(wait / 4)
            }
        };
        let since = same.map_or(now.1, |t| t.since);
        let trouble = Self { kind, why, since, times, next: now.0.plus(wait), fingerprint };
        (trouble, same.is_none())
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
}
