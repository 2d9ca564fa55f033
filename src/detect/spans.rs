//! How many failed, and when, within a day, in a bounded number of spans of time. What is far apart stays apart: so it is
//! known what was before a login that becomes known late, and what was after it.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::members::CLOCKS_APART;
use super::room::allocated;
use super::row::{DAY, Login, SLOT};

/// Spans that are kept: more than there are slots in what counts, so that two of them can always be put together.
const MOST: usize = 16;
/// Seconds between two failures of one span, before any need to put spans together.
const NEAR: u32 = 1;
/// Seconds before now at which a failure is put that a clock dated that was ahead: it was before, nobody knows how long, and
/// a login that only a log tells of is some minutes old when it is judged.
const EARLIER: i64 = 3600;

/// Spans in the order of time. None reaches over the end of a slot: what is too old goes by whole slots.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Spans(SmallVec<[Span; 2]>);

/// Failures between two seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "(i64, i64, u32)", into = "(i64, i64, u32)")]
pub(super) struct Span {
    first: u32,
    last: u32,
    count: u32,
}

impl From<(i64, i64, u32)> for Span {
    fn from((first, last, count): (i64, i64, u32)) -> Self {
        Self { first: second(first), last: second(last.max(first)), count }
    }
}

impl From<Span> for (i64, i64, u32) {
    fn from(span: Span) -> Self {
        (span.first.into(), span.last.into(), span.count)
    }
}

impl Span {
    /// `count` failures at the second `at`.
    pub(super) fn at(at: i64, count: u32) -> Self {
        (at, at, count).into()
    }

    /// The second of the first failure.
    pub(super) fn first(self) -> i64 {
        self.first.into()
    }

    /// The second of the last failure.
    pub(super) fn last(self) -> i64 {
        self.last.into()
    }

    /// How many failures.
    pub(super) fn count(self) -> u32 {
        self.count
    }

    fn slot(self) -> i64 {
        slot(self.first.into())
    }

    fn put_together(&mut self, other: Self) {
        self.last = self.last.max(other.last);
        self.count = self.count.saturating_add(other.count);
    }
}

impl Spans {
    pub(super) fn new(at: i64, count: u32) -> Self {
        let mut spans = Self::default();
        spans.add(at, count);
        spans
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Bytes that they take beside themselves.
    pub(super) fn heap(&self) -> usize {
        if self.0.spilled() { allocated::<Span>(self.0.capacity()) } else { 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn total(&self) -> u64 {
        self.0.iter().map(|span| u64::from(span.count)).sum()
    }

    /// The second of the first failure.
    pub(super) fn first(&self) -> i64 {
        self.0.first().map_or(0, |span| span.first.into())
    }

    /// The second of the last failure.
    pub(super) fn last(&self) -> i64 {
        self.0.iter().map(|span| span.last).max().unwrap_or_default().into()
    }

    /// In the order of time.
    pub(super) fn iter(&self) -> impl Iterator<Item = Span> + '_ {
        self.0.iter().copied()
    }

    /// `count` failures at the second `at`. How many more there are now.
    pub(super) fn add(&mut self, at: i64, count: u32) -> u32 {
        let at = second(at);
        let after = self.0.iter().rposition(|span| span.first <= at).map_or(0, |place| place + 1);
        let before = after.checked_sub(1).and_then(|place| self.0.get_mut(place));
        let is_near =
            |span: &&mut Span| at <= span.last.saturating_add(NEAR) && span.slot() == slot(at.into());
        match before.filter(is_near) {
            Some(span) => {
                let all = span.count.saturating_add(count);
                let more = all - span.count;
                (span.last, span.count) = (span.last.max(at), all);
                more
            }
            None => {
                self.0.insert(after, Span { first: at, last: at, count });
                self.put_together();
                count
            }
        }
    }

    /// What is later than the second `now` was before it, see [`set_back`].
    pub(super) fn set_back(&mut self, now: i64) {
        for span in self.0.iter_mut().filter(|span| i64::from(span.last) > now) {
            let first = second(set_back(span.first.into(), now));
            // One that has begun ends now.
            span.last = if first == span.first { second(now) } else { first };
            span.first = first;
        }
        self.merge(&Self::default());
    }

    /// Count what `other` counts too.
    pub(super) fn merge(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
        self.0.sort_unstable_by_key(|span| (span.first, span.last));
        self.0.dedup_by(|later, span| {
            let is_within = later.first <= span.last && later.slot() == span.slot();
            if is_within {
                span.put_together(*later);
            }
            is_within
        });
        self.put_together();
    }

    /// `count` of the failures at the second `at` were none; how many of them are not here.
    pub(super) fn subtract(&mut self, at: i64, count: u32) -> u32 {
        let mut left = count;
        let of_slot = self.0.iter_mut().filter(|span| span.slot() == slot(at));
        let mut of_slot: SmallVec<[&mut Span; MOST]> = of_slot.collect();
        // The one that it is in first.
        of_slot.sort_by_key(|span| (at < i64::from(span.first)) | (i64::from(span.last) < at));
        for span in of_slot {
            let less = left.min(span.count);
            span.count -= less;
            left -= less;
        }
        self.0.retain(|span| span.count > 0);
        left
    }

    /// Only what may have been at the second `end` or before.
    pub(super) fn until(&mut self, end: i64) {
        self.0.retain(|span| i64::from(span.first) <= end);
        let end = second(end);
        self.0.iter_mut().for_each(|span| span.last = span.last.min(end));
    }

    /// Without what was in the day before a login for certain.
    pub(super) fn take_back(&mut self, login: Login) {
        self.0.retain(|span| !speaks(span.last.into(), login));
    }

    /// Only what was in the day before the second `until`, to within a slot.
    pub(super) fn within_a_day(&mut self, until: i64) {
        self.0.retain(|span| is_within_a_day(span.slot(), until));
    }

    /// Of too many spans those that are nearest to each other become one; of equally near ones the two that make the shortest.
    fn put_together(&mut self) {
        while self.0.len() > MOST {
            let gap = |place: &usize| match self.0.get(*place..place + 2) {
                Some([one, next]) if one.slot() == next.slot() => {
                    let length = one.last.max(next.last).saturating_sub(one.first);
                    Some((next.first.saturating_sub(one.last), length))
                }
                _ => None,
            };
            let nearest = (0..self.0.len()).filter(|place| gap(place).is_some()).min_by_key(gap);
            match nearest {
                Some(place) => {
                    let next = self.0.remove(place + 1);
                    self.0[place].put_together(next);
                }
                // Of more slots than count.
                None => _ = self.0.remove(0),
            }
        }
    }
}

/// The second of a failure that is dated `at`, as it is known at the second `now`.
pub(super) fn set_back(at: i64, now: i64) -> i64 {
    if is_ahead(at, now) { now.saturating_sub(EARLIER) } else { at.min(now) }
}

/// Whether what is dated `at` was dated by a clock that was ahead. What is recorded while a pass reads is later than `now`,
/// and the clocks of a fleet's machines are apart.
pub(super) fn is_ahead(at: i64, now: i64) -> bool {
    at > now.saturating_add(CLOCKS_APART)
}

/// Whether a failure at the second `at` counts for a login: it was before, and not too long.
pub(super) fn speaks(at: i64, login: Login) -> bool {
    at <= login.end && is_within_a_day(slot(at), login.at)
}

fn is_within_a_day(slot: i64, until: i64) -> bool {
    slot.saturating_add(1).saturating_mul(SLOT) > until.saturating_sub(DAY)
}

/// The slot of a second, in which a span stays.
pub(super) fn slot(at: i64) -> i64 {
    at.div_euclid(SLOT)
}

/// All seconds of the slot of this one.
pub(super) fn seconds_of_slot(at: i64) -> Range<i64> {
    let first = slot(at).saturating_mul(SLOT);
    first..first.saturating_add(SLOT)
}

fn second(at: i64) -> u32 {
    u32::try_from(at.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::draw::Draw;
    use super::*;
    use crate::detect::row::REACH;

    fn until(spans: &Spans, end: i64) -> u64 {
        let mut spans = spans.clone();
        spans.until(end);
        assert!(spans.is_empty() || spans.last() <= end);
        spans.total()
    }

    #[test]
    fn what_was_before_a_second_is_never_taken_for_less_than_it_was() {
        let mut draw = Draw(7);
        for round in 0..300 {
            let mut spans = Spans::default();
            let mut failures = Vec::new();
            let within = 1 + draw.below(REACH as u64);
            for _ in 0..draw.below(200) {
                let (at, count) = (1_790_000_000 + draw.below(within) as i64, 1 + draw.below(3) as u32);
                assert_eq!(spans.add(at, count), count);
                failures.push((at, u64::from(count)));
                assert!(spans.len() <= MOST);
            }
            let before =
                |end: i64| failures.iter().filter(|(at, _)| *at <= end).map(|(_, count)| count).sum::<u64>();
            assert_eq!(spans.total(), before(i64::MAX));
            for _ in 0..20 {
                let end = 1_790_000_000 + draw.below(within) as i64;
                assert!(until(&spans, end) >= before(end), "{round}");
                let mut after = spans.clone();
                after.take_back(Login { at: end, end });
                assert!(after.total() >= spans.total() - before(end), "{round}");
            }
            assert_eq!(until(&spans, 1_789_999_999), 0);
            let first = failures.iter().map(|(at, _)| *at).min();
            assert_eq!(first.unwrap_or(0), spans.first());
            let json = serde_json::to_string(&spans).unwrap();
            assert_eq!(serde_json::from_str::<Spans>(&json).unwrap(), spans);
        }
    }

    /// So that those that were before a login are put together with those that were after it.
    #[test]
    fn who_spaces_his_failures_so_that_they_are_put_together_makes_them_no_fewer() {
        for apart in [2, 60, 299, 900, SLOT / 2, SLOT] {
            let mut spans = Spans::default();
            let times: Vec<i64> =
                (0..REACH / apart).map(|n| 1_790_000_000 / SLOT * SLOT + n * apart).collect();
            // From both ends, so that the middle is put together last.
            for n in 0..times.len() {
                let place = if n % 2 == 0 { n / 2 } else { times.len() - 1 - n / 2 };
                spans.add(times[place], 1);
            }
            for (before, end) in times.iter().enumerate() {
                let counted = until(&spans, *end) as usize;
                assert!(counted > before, "{apart}");
                // Nor more than what is in one slot.
                assert!(counted as i64 - 1 - before as i64 <= SLOT / apart, "{apart}");
            }
        }
    }

    #[test]
    fn two_typos_stay_apart_from_a_flood_that_begins_later() {
        let mut spans = Spans::default();
        let begin = 1_790_000_000 / SLOT * SLOT;
        spans.add(begin + 10, 1);
        spans.add(begin + 15, 1);
        (0..5000).for_each(|n| _ = spans.add(begin + 60 + 2 * n, 1));
        assert_eq!(
            [until(&spans, begin + 9), until(&spans, begin + 12), until(&spans, begin + 59)],
            [0, 1, 2]
        );
        let mut after = spans.clone();
        after.take_back(Login { at: begin + 59, end: begin + 59 });
        assert_eq!(after.total(), 5000);
    }

    #[test]
    fn what_is_of_a_day_goes_by_slots_and_what_was_none_from_where_it_was_counted() {
        let mut draw = Draw(3);
        for _ in 0..200 {
            let (mut one, mut other, mut slots) = (Spans::default(), Spans::default(), [0_u64; 20]);
            for n in 0..150 {
                let at = draw.below(20 * SLOT as u64) as i64;
                if n % 3 == 0 { &mut one } else { &mut other }.add(at, 2);
                // More slots than count: those that are oldest are not kept.
                slots[(at / SLOT) as usize] += 2;
            }
            one.merge(&other);
            assert!(one.len() <= MOST);
            let until = 20 * SLOT - 1;
            one.within_a_day(until);
            assert_eq!(one.total(), slots.iter().rev().take((REACH / SLOT) as usize).sum::<u64>());
        }
        let mut spans = Spans::new(SLOT + 5, 4);
        spans.add(2 * SLOT + 5, 3);
        assert_eq!(spans.subtract(SLOT + 5, 1), 0);
        assert_eq!(spans.subtract(2 * SLOT + 5, 9), 6);
        assert_eq!(spans.subtract(3 * SLOT, 9), 9);
        assert_eq!((spans.total(), spans.len(), spans.last()), (3, 1, SLOT + 5));
        for at in [i64::MIN, -1, i64::MAX, i64::MAX] {
            spans.add(at, u32::MAX);
        }
        spans.within_a_day(i64::MAX);
        assert!(spans.is_empty());
    }
}
