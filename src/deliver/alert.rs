//! An alert on its way to one receiver, and the queue of those that tell of something else than failures.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::message::Summary;
use crate::receiver::Kind;

use super::Moment;
use super::state::{Cursor, Totals};

/// After the first attempt of which nobody knows the outcome.
const FIRST_WAIT: Duration = Duration::from_secs(60);
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3600);
/// So many messages wait at most; each is written with every save.
const QUEUED: usize = 32;

/// An alert with its final text. A retry sends the same bytes: the service knows it by them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Alert {
    /// Its number.
    pub id: u64,
    /// What it tells.
    #[serde(default = "digest")]
    pub kind: Kind,
    /// It tells of a break-in that the module saw: there is a reserve for these, which nothing else takes from.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proven: bool,
    /// One short line.
    #[serde(default)]
    pub title: String,
    /// What is sent.
    pub text: String,
    /// Its figures, by the names of the Elastic Common Schema.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub facts: Value,
    /// The same as a page, for a receiver that carries one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// Numbers only.
    #[serde(default)]
    pub plain: bool,
    /// What is sent in the place of `text` where that is refused: numbers only. None where it is composed anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_numbers: Option<String>,
    /// What it tells of.
    pub covers: Summary,
    /// An attempt may have succeeded without our knowing.
    #[serde(default)]
    pub maybe_sent: bool,
    /// Attempts of which nobody knows the outcome.
    #[serde(default)]
    pub unknown: u32,
    /// How many of them there were, if each was answered by something that is no word on it; none where nothing was heard of
    /// one: where a repeat costs money, that one is the last.
    #[serde(default, skip_serializing_if = "is_none")]
    pub unproved: u32,
    /// How often it was refused, or called one that the service does not like; of the alert that covers failures, which may
    /// be composed anew, the state knows that.
    #[serde(default, skip_serializing_if = "is_none")]
    pub refusals: u32,
    /// The next attempt at the same text, not before.
    #[serde(default)]
    pub not_before: Moment,
    /// When it was composed.
    pub composed: Timestamp,
    /// Where the journal was read to, and what was settled, when it was composed: with this the
    /// state can be found again from the history.
    pub cursors: Vec<Cursor>,
    /// See `cursors`.
    pub totals: Totals,
    /// See `cursors`.
    pub dropped_seen: u64,
}

/// A message that was delivered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivered {
    /// Its number.
    pub id: u64,
    /// When it was accepted.
    pub time: Timestamp,
    /// Failures in it.
    pub failures: u64,
}

impl Alert {
    /// An attempt is about to be made of which nobody may ever know the outcome: the next one waits, a
    /// minute at first, then twice as long each time.
    pub fn attempt(&mut self, now: Moment) {
        self.maybe_sent = true;
        self.unproved = 0;
        let wait = FIRST_WAIT.saturating_mul(1 << self.unknown.min(16)).min(LONGEST_WAIT);
        self.unknown = self.unknown.saturating_add(1);
        self.not_before = now.plus(wait);
    }

    /// When the next attempt may be made.
    pub fn next(&self, now: Moment) -> Moment {
        self.next_after(now, Duration::ZERO)
    }

    /// When the next attempt may be made by somebody who waits `longer` than the rule says. A moment that a damaged
    /// state bears waits no longer than the rule does.
    pub fn next_after(&self, now: Moment, longer: Duration) -> Moment {
        self.not_before.min(now.plus(LONGEST_WAIT)).plus(longer).max(now)
    }

    /// What identifies it at services that know a repeat by a key.
    pub fn key(&self, series: &str) -> String {
        // Numbers alone may go out under the number of a text that was refused.
        format!("aa-{series}-{}{}", self.id, if self.plain { "n" } else { "" })
    }
}

/// Messages that cover no failure: each goes out alone, the most urgent first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Queue(Vec<Alert>);

impl Queue {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Those that wait.
    pub fn iter(&self) -> impl Iterator<Item = &Alert> {
        self.0.iter()
    }

    /// Put `alert` behind those that are as urgent. Where too many wait, the least urgent and newest gives way;
    /// says whether nothing had to.
    pub fn push(&mut self, alert: Alert) -> bool {
        let at = self.0.iter().rposition(|other| rank(other) <= rank(&alert)).map_or(0, |before| before + 1);
        self.0.insert(at, alert);
        if self.0.len() <= QUEUED {
            return true;
        }
        let least = self.0.iter().enumerate().max_by_key(|(_, other)| (rank(other), other.id));
        if let Some((least, _)) = least {
            self.0.remove(least);
        }
        false
    }

    /// Put first what may go out soonest, and of that what is most urgent: one that waits for its next attempt holds up no
    /// other.
    pub fn order(&mut self, turn: impl Fn(&Alert) -> Moment) {
        self.0.sort_by_key(|alert| (turn(alert), rank(alert)));
    }

    /// The one whose turn is next.
    pub fn first(&self) -> Option<&Alert> {
        self.0.first()
    }

    /// The same, to be changed.
    pub fn first_mut(&mut self) -> Option<&mut Alert> {
        self.0.first_mut()
    }

    /// Take the first one out.
    pub fn pop(&mut self) -> Option<Alert> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }
}

/// In which order messages go out: a break-in before anything else, one that is proven before others.
fn rank(alert: &Alert) -> u8 {
    match alert.kind {
        Kind::BreakIn if alert.proven => 0,
        Kind::BreakIn => 1,
        Kind::Urgent | Kind::Health => 2,
        Kind::NewSource => 3,
        Kind::Login => 4,
        Kind::Digest | Kind::Test => 5,
        Kind::Heartbeat => 6,
        Kind::Summary => 7,
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_none(number: &u32) -> bool {
    *number == 0
}

fn digest() -> Kind {
    Kind::Digest
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn alert(id: u64, kind: Kind) -> Alert {
        Alert {
            id,
            kind,
            proven: false,
            title: String::new(),
            text: format!("alert {id}"),
            facts: Value::Null,
            html: None,
            plain: false,
            in_numbers: None,
            covers: Summary::default(),
            maybe_sent: false,
            unknown: 0,
            unproved: 0,
            refusals: 0,
            not_before: Moment(0),
            composed: Timestamp::UNIX_EPOCH,
            cursors: Vec::new(),
            totals: Totals::default(),
            dropped_seen: 0,
        }
    }

    #[test]
    fn a_break_in_goes_first_and_the_others_in_order() {
        let mut queue = Queue::default();
        for (id, kind) in
            [(1, Kind::Summary), (2, Kind::Health), (3, Kind::BreakIn), (4, Kind::Health), (5, Kind::BreakIn)]
        {
            assert!(queue.push(alert(id, kind)));
        }
        let order: Vec<u64> = std::iter::from_fn(|| queue.pop()).map(|alert| alert.id).collect();
        assert_eq!(order, [3, 5, 2, 4, 1]);
    }

    #[test]
    fn a_full_queue_gives_up_what_is_least_urgent() {
        let mut queue = Queue::default();
        for id in 0..QUEUED as u64 {
            queue.push(alert(id, Kind::Login));
        }
        assert!(!queue.push(alert(100, Kind::BreakIn)));
        assert_eq!((queue.len(), queue.first().unwrap().id), (QUEUED, 100));
    }

    #[test]
    fn who_waits_for_the_next_attempt_is_behind_and_gives_way_no_sooner() {
        let mut queue = Queue::default();
        queue.push(Alert { not_before: Moment(9), ..alert(0, Kind::BreakIn) });
        (1..QUEUED as u64).for_each(|id| assert!(queue.push(alert(id, Kind::Login))));
        queue.order(|alert| alert.not_before);
        assert_eq!(queue.first().unwrap().id, 1);
        assert!(!queue.push(alert(100, Kind::Health)));
        queue.order(|_| Moment(0));
        let order: Vec<u64> = std::iter::from_fn(|| queue.pop()).map(|alert| alert.id).collect();
        assert_eq!(
            (order.len(), order[0], order[1], *order.last().unwrap()),
            (QUEUED, 0, 100, QUEUED as u64 - 2)
        );
    }

    #[test]
    fn each_attempt_of_which_nobody_knows_the_outcome_makes_the_next_wait_twice_as_long() {
        let mut alert = alert(1, Kind::Digest);
        let minutes: Vec<u64> = (0..11)
            .map(|_| {
                alert.attempt(Moment(0));
                alert.not_before.0 / 60_000
            })
            .collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360]);
        alert.not_before = Moment(u64::MAX);
        assert!(alert.next(Moment(5)).since(Moment(5)) <= LONGEST_WAIT);
    }
}
