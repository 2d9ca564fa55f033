//! How alerts are paced, as the administrator said it.

use std::fmt::Write;
use std::time::Duration;

use super::pacing::{Moment, ORDINARY};
use crate::config::{Alerts, Receiver};

const DAY: Duration = Duration::from_secs(86_400);

/// An attack of one failure every half hour is no quiet: with this at the defaults, no day of
/// failures from the network has more than 20 alerts, however they are spread.
const QUIET_AT_LEAST: Duration = Duration::from_secs(4 * 3600);

/// Somebody looks at least so often (cron, a timer): what is due then goes out later by this.
const LOOK: Duration = Duration::from_secs(60);

/// What X lets an account without Premium publish in a day.
const X_POSTS_A_DAY: u32 = 50;

/// The pacing part of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Wait after the first alert while failures keep coming.
    pub group_interval: Duration,
    /// Where the doubling of that wait ends.
    pub max_interval: Duration,
    /// Alerts in any 24 hours at most.
    pub max_per_day: u32,
    /// How many of them may go out one after another.
    pub burst: u32,
}

impl From<&Alerts> for Policy {
    fn from(alerts: &Alerts) -> Self {
        Self {
            group_interval: alerts.group_interval,
            max_interval: alerts.max_interval,
            max_per_day: alerts.max_per_day,
            burst: alerts.burst,
        }
    }
}

impl Policy {
    /// What holds for `receiver`: what it says itself, and for the rest what `[alerts]` says.
    pub fn of(receiver: &Receiver, alerts: &Alerts) -> Self {
        Self {
            group_interval: receiver.group_interval.unwrap_or(alerts.group_interval),
            max_interval: receiver.max_interval.unwrap_or(alerts.max_interval),
            max_per_day: receiver.max_per_day.unwrap_or(alerts.max_per_day),
            burst: receiver.burst.unwrap_or(alerts.burst),
        }
    }

    /// The wait after an alert that itself waited `interval`; the first one waited nothing.
    pub fn next_interval(&self, interval: Duration) -> Duration {
        match interval {
            Duration::ZERO => self.group_interval,
            interval => interval.saturating_mul(2),
        }
        .min(self.max_interval)
    }

    /// How long no failure must have come until the wait begins anew.
    pub fn quiet(&self, interval: Duration) -> Duration {
        let at_least = QUIET_AT_LEAST.min(self.max_interval * 2 / 3);
        (interval.saturating_mul(5) / 2).max(at_least)
    }

    /// How long a failure may wait for its turn, so that it is told within `max_interval`.
    pub fn longest_wait(&self) -> Duration {
        self.max_interval - LOOK.min(self.max_interval / 20)
    }

    /// How many ordinary alerts can go out one after another.
    pub fn burst(&self) -> u32 {
        self.burst.min(self.max_per_day).max(1)
    }

    /// How many alerts are kept for somebody at the machine, and as many for an account from the network.
    pub fn kept(&self) -> u32 {
        match self.burst() {
            burst if self.includes_the_kept() => (burst / 4).max(1),
            // Out of the burst, which must leave one for everything.
            burst => u32::from(burst >= 3),
        }
    }

    /// How many alerts are kept for break-ins beside the burst that the module saw.
    pub fn break_ins(&self) -> u32 {
        if self.includes_the_kept() { 4 } else { 2 }
    }

    /// How many more are kept for break-ins that only the log tells of.
    pub fn break_ins_logged(&self) -> u32 {
        self.break_ins() / 2
    }

    /// How many of the burst somebody at the machine, or an account, of whom only a log tells may not use up, but such
    /// break-ins.
    pub(super) fn shared(&self) -> u32 {
        let kept = if self.includes_the_kept() { 0 } else { 2 * self.kept() };
        ((self.burst() - kept) / 2).min(3)
    }

    /// How long failures wait for an alert at most: for their turn, or for the one that break-ins leave them.
    pub fn longest_of_failures(&self) -> Duration {
        self.max_interval.max(self.refill().saturating_mul(ORDINARY))
    }

    /// Whether `max_per_day` is large enough to hold what is kept beside the burst. Otherwise what is kept for
    /// break-ins comes on top of it.
    fn includes_the_kept(&self) -> bool {
        self.max_per_day >= 24 && self.burst() <= self.max_per_day / 2
    }

    /// Alerts in any 24 hours at most, break-ins included.
    pub fn most_in_a_day(&self) -> u32 {
        let on_top = if self.includes_the_kept() { 0 } else { self.break_ins() + self.break_ins_logged() };
        self.max_per_day.max(1) + on_top
    }

    /// All that the bucket holds.
    pub(super) fn capacity(&self) -> u64 {
        let beside = if self.includes_the_kept() { 2 * self.kept() } else { 0 };
        u64::from(self.burst() + beside + self.break_ins() + self.break_ins_logged())
    }

    /// How long it takes until one more may go out. So chosen that what the bucket holds and what is
    /// refilled in the 24 hours after it come to [`Policy::most_in_a_day`] together.
    pub fn refill(&self) -> Duration {
        let refilled = u64::from(self.most_in_a_day()).saturating_sub(self.capacity()) + 1;
        // Rounded up to a millisecond, the resolution of a moment.
        Moment::round_up(DAY / u32::try_from(refilled).unwrap_or(u32::MAX))
    }

    /// What this policy comes to, for people: one line a rule.
    pub fn schedule(&self) -> Vec<String> {
        let mut waits = String::new();
        let mut interval = self.next_interval(Duration::ZERO);
        while interval < self.max_interval {
            let _ = write!(waits, "{}, ", human(interval));
            interval = self.next_interval(interval);
        }
        let shortest = self.quiet(self.next_interval(Duration::ZERO));
        let longest = self.quiet(self.max_interval);
        vec![
            "the first failure after quiet: at once".into(),
            format!(
                "while failures keep coming: the next alert {waits}{}{} after the one before, covering all until then",
                if waits.is_empty() { "" } else { "then always " },
                human(self.max_interval)
            ),
            format!(
                "quiet again: after {} without a failure, after a long flood {}",
                human(shortest),
                human(longest)
            ),
            format!(
                "at once all the same: an account of this machine other than root for the first time in a day, \
                 and who fails at this machine itself, each user of it once in {}",
                human(self.group_interval)
            ),
            format!(
                "in any 24 hours: {} at most, break-ins included; {} one after another, the others {} apart",
                plural(u64::from(self.most_in_a_day()), "alert"),
                self.burst(),
                human(self.refill())
            ),
            format!(
                "of these nothing else can use up: {} for break-ins that the module saw, {} for break-ins that only the log \
                 tells of, {} for who fails at this machine itself, {} for an account from the network",
                self.break_ins(),
                self.break_ins_logged(),
                self.kept(),
                self.kept()
            ),
            format!(
                "a break-in: at once; further ones of the same account in one alert {} after the one before, then twice \
                 that, up to {}; whatever break-ins there are, failures wait {} at most",
                human(self.group_interval),
                human(self.max_interval),
                human(self.longest_of_failures())
            ),
        ]
    }

    /// Values that contradict each other, each with what will happen; empty if all is well.
    pub fn contradictions(&self) -> Vec<String> {
        let Self { max_per_day, burst, .. } = self;
        let mut found = Vec::new();
        if burst > max_per_day {
            found.push(format!(
                "alerts.burst = {burst} is more than alerts.max_per_day = {max_per_day}: {max_per_day} a day go out, \
                 then the next alert waits; lower burst or raise max_per_day"
            ));
        }
        if *burst == 1 && *max_per_day > 1 {
            found.push(format!(
                "alerts.burst = 1 leaves no room for an urgent alert soon after another: it waits up to {}; \
                 3 or more is better",
                human(self.refill())
            ));
        }
        if self.refill() > self.max_interval {
            found.push(format!(
                "alerts.max_per_day = {max_per_day} with alerts.burst = {burst} lets one alert out every {} once the burst is used, \
                 which is longer than alerts.max_interval = {}: alerts can wait that long; raise max_per_day or max_interval",
                human(self.refill()),
                human(self.max_interval)
            ));
        }
        if self.max_interval > DAY {
            found.push(format!(
                "alerts.max_interval = {}: in a long flood an alert can wait more than a day",
                human(self.max_interval)
            ));
        }
        found
    }

    /// That X does not publish as much; none where it does. It concerns its own receivers alone.
    pub fn too_much_for_x(&self) -> Option<String> {
        (self.most_in_a_day() > X_POSTS_A_DAY).then(|| {
            format!(
                "max_per_day = {}, but X publishes {X_POSTS_A_DAY} posts a day of an account without Premium and refuses the \
                 rest until the next day",
                self.max_per_day
            )
        })
    }
}

/// `6h`, `2h 40m`, `90s` as `1m 30s`.
pub fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts =
        [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let mut shown: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    shown.truncate(2);
    if shown.is_empty() { "0s".into() } else { shown.join(" ") }
}

/// When the next attempt is, in so many seconds: each minute somebody looks.
pub fn next_attempt(seconds: u64) -> String {
    match seconds {
        0 => "with the next pass, within a minute".into(),
        seconds => format!("in {}", human(Duration::from_secs(seconds))),
    }
}

fn plural(n: u64, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy::from(&Alerts::default())
    }

    #[test]
    fn the_defaults_contradict_nothing_and_are_told_in_words() {
        assert_eq!(policy().contradictions(), [""; 0]);
        let told = policy().schedule().join("\n");
        for words in [
            "10m, 20m, 40m, 1h 20m, 2h 40m, 5h 20m, then always 6h",
            "after 4h",
            "15h",
            "48 alerts",
            "38m",
            "4 for break-ins",
        ] {
            assert!(told.contains(words), "{words} is not in:\n{told}");
        }
    }

    #[test]
    fn values_that_contradict_each_other_are_named() {
        let cases: [(Policy, &[&str]); 5] = [
            (Policy { burst: 60, ..policy() }, &["burst = 60", "max_per_day"]),
            (Policy { max_per_day: 3, burst: 2, ..policy() }, &["every 12h", "max_interval = 6h"]),
            (Policy { max_interval: DAY * 3, ..policy() }, &["max_interval = 3d", "more than a day"]),
            (Policy { burst: 1, ..policy() }, &["burst = 1", "36m"]),
            (Policy { max_per_day: 1, burst: 1, ..policy() }, &["every 1d"]),
        ];
        for (policy, words) in cases {
            let found = policy.contradictions().join("\n");
            assert!(words.iter().all(|w| found.contains(w)), "{policy:?}: {found}");
        }
    }

    #[test]
    fn intervals_double_up_to_the_longest() {
        let policy = policy();
        let mut interval = Duration::ZERO;
        let minutes: Vec<u64> = (0..8)
            .map(|_| {
                interval = policy.next_interval(interval);
                interval.as_secs() / 60
            })
            .collect();
        assert_eq!(minutes, [10, 20, 40, 80, 160, 320, 360, 360]);
    }

    #[test]
    fn durations_read_as_people_write_them() {
        for (seconds, text) in [(0, "0s"), (90, "1m 30s"), (600, "10m"), (9600, "2h 40m"), (86_400 * 3, "3d")]
        {
            assert_eq!(human(Duration::from_secs(seconds)), text);
        }
    }
}
