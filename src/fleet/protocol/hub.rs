//! The hub: what it has of each member, and what a batch is to it.
//!
//! | step | here | what it may rely on |
//! |---|---|---|
//! | pull | a message, its member by the subject alone | the engine lets nobody else write there |
//! | judge | [`Cursors::judge`] | the cursor of (member, epoch) |
//! | record | the items that are new, into the journal, each with member, epoch and number | |
//! | sync | the journal is on disk | |
//! | mark | [`Cursors::counted`], then the watermark by compare-and-set | only what is on disk |
//! | ack | the engine forgets that it handed the message out | the watermark |
//! | purge | what stands before the newest message that the hub has of the member | that message, unchanged, and the watermark |
//!
//! A crash behind any of them loses nothing and counts nothing twice: what was recorded is read again from the end
//! of the journal ([`Cursors::recover`]), and what was not is handed out again, or sent again.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Batch, Epoch};

/// Epochs of one member that are remembered; the oldest is forgotten. A member begins one when its state is made.
const EPOCHS: usize = 16;

/// How far the hub has what each member numbered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursors(BTreeMap<String, Vec<Cursor>>);

/// How far the hub has one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Of these numbers.
    pub epoch: Epoch,
    /// All up to this one.
    pub last: u64,
    /// What the member said it had no room for.
    #[serde(default)]
    pub lost: u64,
    /// Beyond a hole behind `last`: what a power cut left of a batch that was being recorded.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    beyond: BTreeSet<u64>,
}

/// What a batch is to the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The items whose numbers are not among `have` and above `after` are new.
    Count {
        /// All up to this number are counted.
        after: u64,
        /// These are too.
        have: BTreeSet<u64>,
    },
    /// All of it is counted.
    Duplicate,
    /// Something between is missing, or before the first that is seen of an epoch: not counted, and the watermark
    /// says so.
    Gap,
}

impl Verdict {
    /// Whether the item with this number is to be recorded.
    pub fn counts(&self, number: u64) -> bool {
        matches!(self, Self::Count { after, have } if number > *after && !have.contains(&number))
    }
}

impl Cursors {
    /// What `batch` of `member` is. An empty one is a duplicate of what came before it, or shows a gap.
    pub fn judge(&self, member: &str, batch: &Batch) -> Verdict {
        let cursor = self.of(member, batch.epoch);
        let after = cursor.map_or(0, |cursor| cursor.last).max(batch.floor);
        if batch.first > after + 1 {
            Verdict::Gap
        } else if batch.last <= after {
            Verdict::Duplicate
        } else {
            let have = cursor.map(|cursor| cursor.beyond.clone()).unwrap_or_default();
            Verdict::Count { after, have }
        }
    }

    /// Everything of `member` up to `last` is on disk.
    pub fn counted(&mut self, member: &str, epoch: Epoch, last: u64) {
        let cursor = self.entry(member, epoch);
        cursor.last = cursor.last.max(last);
        cursor.close_holes();
    }

    /// A record of `member` with this number was found in the journal.
    pub fn recover(&mut self, member: &str, epoch: Epoch, number: u64) {
        let cursor = self.entry(member, epoch);
        if number > cursor.last {
            cursor.beyond.insert(number);
            cursor.close_holes();
        }
    }

    /// The member said that so much found no room there, in all: how much of it is new.
    pub fn lost(&mut self, member: &str, epoch: Epoch, lost: u64) -> u64 {
        let cursor = self.entry(member, epoch);
        let fresh = lost.saturating_sub(cursor.lost);
        cursor.lost = cursor.lost.max(lost);
        fresh
    }

    /// How far one epoch of `member` is on disk.
    pub fn of(&self, member: &str, epoch: Epoch) -> Option<&Cursor> {
        self.0.get(member)?.iter().find(|cursor| cursor.epoch == epoch)
    }

    /// The newest epoch of `member`.
    pub fn newest(&self, member: &str) -> Option<&Cursor> {
        self.0.get(member)?.last()
    }

    /// Of the members that `is_gone` names only the newest epoch is remembered.
    pub fn keep_newest_of(&mut self, is_gone: impl Fn(&str) -> bool) {
        for (_, cursors) in self.0.iter_mut().filter(|(name, _)| is_gone(name)) {
            cursors.drain(..cursors.len().saturating_sub(1));
        }
    }

    /// The members that were heard of.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn entry(&mut self, member: &str, epoch: Epoch) -> &mut Cursor {
        let cursors = self.0.entry(member.to_owned()).or_default();
        let at = cursors.iter().position(|cursor| cursor.epoch == epoch).unwrap_or_else(|| {
            if cursors.len() == EPOCHS {
                cursors.remove(0);
            }
            cursors.push(Cursor { epoch, last: 0, lost: 0, beyond: BTreeSet::new() });
            cursors.len() - 1
        });
        &mut cursors[at]
    }
}

impl Cursor {
    fn close_holes(&mut self) {
        while self.beyond.remove(&(self.last + 1)) {
            self.last += 1;
        }
        let last = self.last;
        self.beyond.retain(|number| *number > last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const E: Epoch = Epoch(7);
    const OTHER: Epoch = Epoch(8);

    fn batch(epoch: Epoch, first: u64, last: u64) -> Batch {
        Batch { v: 1, epoch, inst: Epoch(1), first, last, floor: 0, lost: 0, items: Vec::new() }
    }

    fn at(last: u64) -> Cursors {
        let mut cursors = Cursors::default();
        cursors.counted("web1", E, last);
        cursors
    }

    fn count(after: u64) -> Verdict {
        Verdict::Count { after, have: BTreeSet::new() }
    }

    #[test]
    fn each_number_counts_once_whatever_comes_again() {
        for (first, last, verdict) in [
            (11, 20, count(10)),
            (1, 10, Verdict::Duplicate),
            (5, 9, Verdict::Duplicate),
            (6, 15, count(10)),
            (12, 20, Verdict::Gap),
            (11, 10, Verdict::Duplicate),
            (13, 12, Verdict::Gap),
        ] {
            assert_eq!(at(10).judge("web1", &batch(E, first, last)), verdict, "{first} {last}");
        }
        let partly = at(10).judge("web1", &batch(E, 6, 15));
        assert_eq!((6..=15).filter(|n| partly.counts(*n)).collect::<Vec<_>>(), [11, 12, 13, 14, 15]);
        assert!(!Verdict::Gap.counts(12) && !Verdict::Duplicate.counts(1));
    }

    #[test]
    fn a_new_epoch_begins_with_1_and_the_one_before_keeps_its_place() {
        let mut cursors = at(10);
        assert_eq!(cursors.judge("web1", &batch(OTHER, 2, 5)), Verdict::Gap);
        assert_eq!(cursors.judge("web1", &batch(OTHER, 1, 5)), count(0));
        cursors.counted("web1", OTHER, 5);
        assert_eq!(cursors.judge("web1", &batch(E, 1, 10)), Verdict::Duplicate);
        assert_eq!(cursors.newest("web1").unwrap().epoch, OTHER);
        assert_eq!(cursors.judge("web2", &batch(E, 11, 20)), Verdict::Gap);
    }

    #[test]
    fn what_an_earlier_hub_confirmed_is_not_waited_for() {
        let floor = |first, last, floor| Batch { floor, ..batch(E, first, last) };
        assert_eq!(Cursors::default().judge("web1", &floor(501, 510, 500)), count(500));
        assert_eq!(Cursors::default().judge("web1", &floor(502, 510, 500)), Verdict::Gap);
        assert_eq!(at(10).judge("web1", &floor(501, 500, 500)), Verdict::Duplicate);
        assert_eq!(at(600).judge("web1", &floor(501, 610, 500)), count(600));
    }

    #[test]
    fn one_member_with_many_epochs_takes_bounded_room() {
        let mut cursors = at(10);
        for n in 100..200 {
            cursors.counted("web1", Epoch(n), 1);
        }
        assert_eq!(cursors.0["web1"].len(), EPOCHS);
    }

    #[test]
    fn what_a_power_cut_left_of_a_batch_is_not_counted_again() {
        let mut cursors = at(10);
        for number in [11, 12, 14, 9] {
            cursors.recover("web1", E, number);
        }
        assert_eq!(cursors.of("web1", E).unwrap().last, 12);
        let verdict = cursors.judge("web1", &batch(E, 11, 15));
        assert_eq!((11..=15).filter(|n| verdict.counts(*n)).collect::<Vec<_>>(), [13, 15]);
        cursors.counted("web1", E, 15);
        assert_eq!(cursors, at(15));
    }

    #[test]
    fn what_was_lost_is_counted_once() {
        let mut cursors = at(10);
        assert_eq!(cursors.lost("web1", E, 5), 5);
        assert_eq!(cursors.lost("web1", E, 5), 0);
        assert_eq!(cursors.lost("web1", E, 3), 0);
        assert_eq!(cursors.lost("web1", E, 7), 2);
    }
}
