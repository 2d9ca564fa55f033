//! Who comes most often, counted in bounded memory.
//!
//! Names are counted exactly until there are more than fit. Then the rarer half gives way, and every name that comes
//! later may have been counted up to [`Top::error`] times before it was forgotten: so much may its count be too low, and
//! the page says so. (The counting of Metwally's Space-Saving; a batch gives way at once, so that a name costs one
//! look-up. In `n` counted events the error is about `n` by the room.)

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use compact_str::CompactString;
use ipnet::IpNet;

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

impl Key for IpNet {
    fn bytes(&self) -> usize {
        0
    }
}

/// The names that come most often.
#[derive(Debug)]
pub(crate) struct Top<K, T> {
    rows: HashMap<K, Row<T>>,
    room: usize,
    /// What all names take beside their rows.
    bytes: usize,
    error: u64,
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
}

impl<K: Key, T: Default> Top<K, T> {
    /// Room for `room` names; at least half of them are always kept, unless they are long.
    pub(crate) fn new(room: usize) -> Self {
        Self { rows: HashMap::new(), room: room.max(2), bytes: 0, error: 0 }
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
                (new.insert(Row { count: 0, missed: self.error, kept: T::default() }), true)
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

    /// The rarer half is forgotten.
    fn give_way(&mut self) {
        let mut counts: Vec<u64> = self.rows.values().map(|row| row.count + row.missed).collect();
        let middle = counts.len() / 2;
        let (_, median, _) = counts.select_nth_unstable(middle);
        let median = *median;
        let below = self.rows.values().filter(|row| row.count + row.missed < median).count();
        // Of those that are as frequent as the median so many go that half is left.
        let mut equals = (middle + 1).saturating_sub(below);
        self.rows.retain(|_, row| {
            let estimate = row.count + row.missed;
            if estimate == median && equals > 0 {
                equals -= 1;
                return false;
            }
            estimate >= median
        });
        self.bytes = self.rows.keys().map(Key::bytes).sum();
        self.error = self.error.max(median);
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
}
