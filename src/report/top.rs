//! Who comes most often, counted in bounded memory.
//!
//! Names are counted exactly until there are more than fit. Then the rarer half gives way, and every name that comes
//! later may have been counted up to [`Top::error`] times before it was forgotten: so much may its count be too low, and
//! the page says so. (The counting of Metwally's Space-Saving; a batch gives way at once, so that a name costs one
//! look-up. In `n` counted events the error is about `n` by the room.)

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::mem;

use compact_str::CompactString;
use foldhash::fast::RandomState;

use super::network::Network;

/// Bytes that a name may take beside its row, on the average: a host's name may be a thousand bytes long.
const BYTES: usize = 64;

/// What things are counted by.
pub(crate) trait Key: Eq + Hash + Ord + Clone {
    /// Bytes that it takes beside itself.
    fn bytes(&self) -> usize;
}

impl Key for CompactString {
    fn bytes(&self) -> usize {
        if self.is_heap_allocated() { self.capacity() } else { 0 }
    }
}

impl Key for Network {
    fn bytes(&self) -> usize {
        0
    }
}

/// The names that come most often.
#[derive(Debug)]
pub(crate) struct Top<K, T> {
    rows: HashMap<K, Row<T>, RandomState>,
    room: usize,
    /// What all names take beside their rows.
    bytes: usize,
    error: u64,
    /// Names that were new so far.
    begun: u64,
}

/// What is known of one name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row<T> {
    /// Counted since it was last new.
    pub(crate) count: u64,
    /// At most so many more were counted before that, and forgotten.
    pub(crate) missed: u64,
    /// What else is kept of it.
    pub(crate) kept: T,
    /// How many names were new before it.
    begun: u64,
}

impl<K: Key, T: Default> Top<K, T> {
    /// Room for `room` names; at least half of them are always kept, unless they are long.
    pub(crate) fn new(room: usize) -> Self {
        Self { rows: HashMap::default(), room: room.max(2), bytes: 0, error: 0, begun: 0 }
    }

    /// Count `name`; gives what is kept of it, and whether it is new.
    pub(crate) fn add(&mut self, name: K, count: u64) -> (&mut T, bool) {
        let is_full = self.rows.len() >= self.room || self.bytes >= self.room * BYTES;
        if is_full && !self.rows.contains_key(&name) {
            self.give_way();
        }
        // Most names are addresses, which the key holds without a heap.
        let (row, is_new) = match self.rows.entry(name) {
            Entry::Occupied(known) => (known.into_mut(), false),
            Entry::Vacant(new) => {
                self.bytes += new.key().bytes();
                self.begun += 1;
                let row = Row { count: 0, missed: self.error, kept: T::default(), begun: self.begun };
                (new.insert(row), true)
            }
        };
        row.count = row.count.saturating_add(count);
        (&mut row.kept, is_new)
    }

    /// No count is too low by more than this; 0 while all are exact.
    pub(crate) fn error(&self) -> u64 {
        self.error
    }

    /// How many names are told apart: all there were while there is no error, else a lower bound.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The `most` names that were counted most often, the most frequent first.
    pub(crate) fn ranking(&self, most: usize) -> Vec<(&K, &Row<T>)> {
        let mut rows: Vec<(&K, &Row<T>)> = self.rows.iter().collect();
        let order =
            |a: &(&K, &Row<T>), b: &(&K, &Row<T>)| b.1.count.cmp(&a.1.count).then_with(|| a.0.cmp(b.0));
        if rows.len() > most && most > 0 {
            rows.select_nth_unstable_by(most - 1, order);
        }
        rows.truncate(most);
        rows.sort_unstable_by(order);
        rows
    }

    /// The rarer half is forgotten; of those that are as rare, who came first. So the same log gives the same report.
    fn give_way(&mut self) {
        let mut ranks: Vec<(u64, u64)> = self.rows.values().map(Row::rank).collect();
        let middle = ranks.len() / 2;
        let (_, last, _) = ranks.select_nth_unstable(middle);
        let last = *last;
        self.rows.retain(|_, row| row.rank() > last);
        self.bytes = self.rows.keys().map(Key::bytes).sum();
        self.error = self.error.max(last.0);
    }
}

impl<T> Row<T> {
    fn rank(&self) -> (u64, u64) {
        (self.count + self.missed, self.begun)
    }
}

/// A [`Top`] of which the same name mostly comes again and again: it is looked up once for all of these.
#[derive(Debug)]
pub(crate) struct Runs {
    top: Top<CompactString, ()>,
    name: CompactString,
    /// How often that name came since it was looked up.
    count: u64,
}

impl Runs {
    pub(crate) fn new(room: usize) -> Self {
        Self { top: Top::new(room), name: CompactString::default(), count: 0 }
    }

    /// Count `name`.
    pub(crate) fn add(&mut self, name: &str, count: u64) {
        if self.name != name {
            self.counted();
            self.name = name.into();
        }
        self.count = self.count.saturating_add(count);
    }

    /// What all was counted.
    pub(crate) fn counted(&mut self) -> &Top<CompactString, ()> {
        let count = mem::take(&mut self.count);
        if count > 0 {
            self.top.add(mem::take(&mut self.name), count);
        }
        &self.top
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_names_are_counted_exactly() {
        let mut top: Top<CompactString, ()> = Top::new(8);
        for (name, count) in [("a", 3), ("b", 1), ("a", 2), ("c", 5)] {
            top.add(name.into(), count);
        }
        let ranking: Vec<(&str, u64)> =
            top.ranking(2).iter().map(|(name, row)| (name.as_str(), row.count)).collect();
        assert_eq!(ranking, [("a", 5), ("c", 5)]);
        assert_eq!((top.error(), top.len()), (0, 3));
    }

    #[test]
    fn of_a_million_names_the_frequent_are_found_and_no_count_is_off_by_more_than_is_said() {
        let mut top: Top<CompactString, ()> = Top::new(2000);
        let mut truth: HashMap<String, u64> = HashMap::new();
        let mut n: u64 = 1;
        for i in 0..1_000_000_u64 {
            n = n.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            // One in eight comes from twenty frequent ones.
            let name = if n >> 61 == 0 { format!("often-{}", (n >> 40) % 20) } else { format!("once-{i}") };
            top.add(name.as_str().into(), 1);
            *truth.entry(name).or_default() += 1;
        }
        assert!(top.len() <= 2000);
        assert!((1..=2000).contains(&top.error()), "{}", top.error());
        let ranking = top.ranking(20);
        assert!(ranking.iter().all(|(name, _)| name.starts_with("often-")), "{ranking:?}");
        for (name, row) in ranking {
            let true_count = truth[name.as_str()];
            assert!(row.count <= true_count && true_count <= row.count + row.missed, "{name}");
        }
    }

    #[test]
    fn long_names_take_no_more_memory_than_short_ones() {
        let mut top: Top<CompactString, ()> = Top::new(1000);
        for i in 0..10_000 {
            top.add(format!("{i}{}", "x".repeat(1000)).into(), 1);
            top.add("often".into(), 1);
            assert!(top.rows.keys().map(Key::bytes).sum::<usize>() <= 1000 * BYTES + 4096);
        }
        assert_eq!(top.ranking(1)[0].0, "often");
    }

    #[test]
    fn however_the_counts_lie_room_is_made() {
        for same in [1, 7] {
            let mut top: Top<CompactString, u8> = Top::new(4);
            for i in 0..100 {
                top.add(i.to_string().into(), same);
                assert!(top.len() <= 4);
            }
        }
    }

    #[test]
    fn the_same_names_in_the_same_order_give_the_same_counts() {
        let counted = || {
            let mut top: Top<CompactString, ()> = Top::new(100);
            (0..5000_u64).for_each(|i| _ = top.add((i * 2_654_435_761 % 1009 % 300).to_string().into(), 1));
            let rows = top.ranking(100).into_iter().map(|(name, row)| (name.clone(), row.count, row.missed));
            rows.collect::<Vec<_>>()
        };
        assert_eq!(counted(), counted());
    }

    #[test]
    fn names_that_come_again_and_again_are_counted_as_if_each_were_looked_up() {
        let (mut runs, mut top) = (Runs::new(8), Top::<CompactString, ()>::new(8));
        for i in 0..2000_u64 {
            let name =
                ["", "root", "root", "a", ""][i as usize / 3 % 5].to_owned() + &"x".repeat(i as usize / 500);
            runs.add(&name, 1 + i % 4);
            top.add(name.as_str().into(), 1 + i % 4);
        }
        let counted = |top: &Top<CompactString, ()>| {
            top.ranking(8).into_iter().map(|(name, row)| (name.clone(), row.count)).collect::<Vec<_>>()
        };
        assert_eq!(counted(runs.counted()), counted(&top));
        assert_eq!(runs.counted().error(), top.error());
    }
}
