//! Nothing was said: is it well, or broken? After some days without a message one line says that the watch stands.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::pacing::{Due, Moment};

/// When the last message went out, and what came since; part of a receiver's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Heartbeat {
    quiet_since: Option<Moment>,
    failures: u64,
}

impl Heartbeat {
    /// A pass begins: the first one begins the watch. Says whether it did.
    pub fn begin(&mut self, now: Moment) -> bool {
        let before = self.quiet_since;
        // One in the future is of a damaged state.
        self.quiet_since = Some(before.map_or(now, |since| since.min(now)));
        self.quiet_since != before
    }

    /// So many failures were taken in, whether this receiver is told of them or not.
    pub fn on_failures(&mut self, count: u64) {
        self.failures = self.failures.saturating_add(count);
    }

    /// Any message went out, this one included.
    pub fn on_sent(&mut self, now: Moment) {
        *self = Self { quiet_since: Some(now), failures: 0 };
    }

    /// Whether to say now that the watch stands: never where something else is to be said (`next`, by the receiver's
    /// pacing), as in a flood.
    pub fn is_due(&self, now: Moment, after: Option<Duration>, next: Due) -> bool {
        let (Some(after), Some(since)) = (after, self.quiet_since) else { return false };
        next == Due::Nothing && now.since(since) >= after
    }

    /// Failures since the last message, and how long ago that was.
    pub fn since(&self, now: Moment) -> (u64, Duration) {
        (self.failures, self.quiet_since.map_or(Duration::ZERO, |since| now.since(since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400_000;
    const DEFAULT: Duration = Duration::from_secs(7 * 86_400);

    #[test]
    fn after_seven_days_of_silence_there_is_one_line_and_then_one_a_week() {
        let (mut heartbeat, mut said) = (Heartbeat::default(), Vec::new());
        for hour in 0..24 * 30 {
            let now = Moment(hour * 3_600_000);
            heartbeat.begin(now);
            heartbeat.on_failures(2);
            if heartbeat.is_due(now, Some(DEFAULT), Due::Nothing) {
                said.push((hour / 24, heartbeat.since(now).0));
                heartbeat.on_sent(now);
            }
        }
        assert_eq!(said, [(7, 338), (14, 336), (21, 336), (28, 336)]);
    }

    #[test]
    fn any_message_is_a_sign_of_life_and_what_waits_says_more() {
        let mut heartbeat = Heartbeat::default();
        heartbeat.begin(Moment(0));
        heartbeat.on_sent(Moment(6 * DAY));
        assert!(!heartbeat.is_due(Moment(12 * DAY), Some(DEFAULT), Due::Nothing));
        assert!(!heartbeat.is_due(Moment(14 * DAY), Some(DEFAULT), Due::At(Moment(15 * DAY))));
        assert!(!heartbeat.is_due(Moment(14 * DAY), None, Due::Nothing));
        assert!(heartbeat.is_due(Moment(14 * DAY), Some(DEFAULT), Due::Nothing));
        // A damaged state begins anew.
        let mut heartbeat: Heartbeat =
            serde_json::from_str(r#"{"quiet_since":18446744073709551615,"failures":18446744073709551615}"#)
                .unwrap();
        heartbeat.on_failures(1);
        heartbeat.begin(Moment(DAY));
        assert!(heartbeat.is_due(Moment(8 * DAY), Some(DEFAULT), Due::Nothing));
    }
}
