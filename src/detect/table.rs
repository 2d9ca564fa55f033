//! Failures of the last day, counted by a key and within it by a second name, in bounded memory.
//!
//! What an attacker would want is that his own row is forgotten. There is nothing to collide with, as keys are kept
//! themselves, in order, not as hashes. When there are too many rows those go that failed least (of equals those that
//! failed longest ago), a whole lot at once. So to push out a row that failed N times it takes [`ROWS`] others
//! that failed N times each, within a day; and from the networks of others, since one network (/16, of IPv6 /48) has
//! [`OF_ONE_NETWORK`] rows, a few more between two looks, which give way among themselves. A source and its account are counted in two
//! tables: who floods the one with sources does not reach the other, which has as many rows as there are accounts.

use std::collections::{BTreeMap, HashMap};

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::key::Key;
pub(super) use super::row::PARTS;
use super::row::Row;
use super::source::network;

/// Rows that are kept.
pub(super) const ROWS: usize = 2048;
/// Rows of one network.
pub(super) const OF_ONE_NETWORK: usize = 64;
/// So many more come before it is looked which of them give way.
const SLACK_OF_ONE: usize = 8;
/// The size is looked at once in so many failures, so that making room costs little for each.
const SLACK: usize = 256;
/// Counts that are kept, of all rows together: what bounds the size.
const COUNTS: usize = 16_384;
/// Failures by key, each told apart by at most [`PARTS`] names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Table {
    rows: BTreeMap<Key, Row>,
    /// The latest time in it.
    now: i64,
    /// Failures since its size was looked at.
    #[serde(skip)]
    unchecked: usize,
    /// Networks with the number of their rows, or more.
    #[serde(skip)]
    crowds: HashMap<CompactString, usize>,
}

impl Table {
    /// `count` failures at the second `at`.
    pub(super) fn add(&mut self, key: &Key, name: &Key, is_account: bool, count: u32, at: i64) {
        self.now = self.now.max(at);
        if let Some(row) = self.rows.get_mut(key) {
            row.add(name, is_account, count, at);
        } else {
            // What has no network is one of its own.
            if network(key).len() < key.len() {
                self.make_room_in(network(key));
            }
            self.rows.entry(key.clone()).or_default().add(name, is_account, count, at);
        }
        self.unchecked += 1;
        if self.unchecked >= SLACK {
            self.unchecked = 0;
            if self.rows.len() > ROWS || self.counts() > COUNTS {
                self.make_room();
            }
        }
    }

    /// What `key` failed in the day before the second `at`.
    pub(super) fn within_a_day(&self, key: &Key, at: i64) -> Row {
        self.rows.get(key).map_or_else(Row::default, |row| row.within_a_day(at))
    }

    /// The same of what stands under `name` alone, as failures of `user`.
    pub(super) fn only_within_a_day(&self, key: &Key, name: &Key, user: &str, at: i64) -> Row {
        self.rows.get(key).map_or_else(Row::default, |row| row.only_within_a_day(name, user, at))
    }

    /// The failures of `key` under `name` were none.
    pub(super) fn take_back(&mut self, key: &Key, name: &str) {
        self.lessen(key, |row| row.take_back(name));
    }

    /// `count` of the failures of `key` under `name` at the second `at` are counted elsewhere.
    pub(super) fn subtract(&mut self, key: &Key, name: &str, count: u32, at: i64) {
        self.lessen(key, |row| row.subtract(name, count, at));
    }

    fn lessen(&mut self, key: &Key, lessen: impl FnOnce(&mut Row)) {
        if let Some(row) = self.rows.get_mut(key) {
            lessen(row);
            if row.is_empty() {
                self.rows.remove(key);
            }
        }
    }

    fn counts(&self) -> usize {
        self.rows.values().map(Row::counts).sum()
    }

    /// A row of `network` is to be added.
    fn make_room_in(&mut self, network: &str) {
        const MOST: usize = OF_ONE_NETWORK + SLACK_OF_ONE;
        if let Some(rows) = self.crowds.get_mut(network).filter(|rows| **rows < MOST) {
            *rows += 1;
            return;
        }
        let now = self.now;
        let of_it = self.rows.range(Key::from(network)..).take_while(|(key, _)| key.starts_with(network));
        let mut order: Vec<_> = of_it.map(|(key, row)| (row.rank(now), key)).collect();
        let mut rows = order.len();
        if rows >= MOST {
            let out = rows - OF_ONE_NETWORK;
            order.select_nth_unstable(out - 1);
            let out: Vec<Key> = order[..out].iter().map(|(_, key)| Key::clone(key)).collect();
            out.iter().for_each(|key| _ = self.rows.remove(key));
            rows = OF_ONE_NETWORK;
        }
        if self.crowds.len() >= ROWS {
            self.crowds.clear();
        }
        self.crowds.insert(network.into(), rows + 1);
    }

    /// What is not of the last day goes, and of the rest what failed least, until there is room.
    fn make_room(&mut self) {
        let now = self.now;
        let (all_stay, mut room) = self.sizes_that_stay();
        let (mut out, mut order) = (Vec::with_capacity(SLACK), Vec::with_capacity(SLACK));
        for (key, row) in &self.rows {
            let size = size(row.total());
            if !row.is_fresh(now) || size + 1 < all_stay {
                out.push(key.clone());
            } else if size < all_stay {
                order.push((row.rank(now), row.counts(), key));
            }
        }
        let places = room.rows.min(order.len());
        if places < order.len() {
            order.select_nth_unstable_by(places, |a, b| b.cmp(a));
        }
        let mut stay = places;
        if order[..places].iter().map(|(_, counts, _)| counts).sum::<usize>() > room.counts {
            order[..places].sort_unstable_by(|a, b| b.cmp(a));
            stay = order[..places].iter().take_while(|(_, counts, _)| room.take(*counts)).count();
        }
        out.extend(order[stay..].iter().map(|(_, _, key)| Key::clone(key)));
        out.iter().for_each(|key| _ = self.rows.remove(key));
    }

    /// The size from which on all rows stay, as they fit; and what room is left for those of the size below. The others
    /// need not be put in order.
    fn sizes_that_stay(&self) -> (usize, Room) {
        let mut of_size = [(0, 0); SIZES];
        for row in self.rows.values().filter(|row| row.is_fresh(self.now)) {
            let (rows, counts) = &mut of_size[size(row.total())];
            *rows += 1;
            *counts += row.counts();
        }
        let mut room = Room { rows: ROWS, counts: COUNTS };
        for (size, (rows, counts)) in of_size.into_iter().enumerate().rev() {
            if rows > room.rows || counts > room.counts {
                return (size + 1, room);
            }
            room = Room { rows: room.rows - rows, counts: room.counts - counts };
        }
        (0, room)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }
}

/// Room for rows and what is in them.
#[derive(Clone, Copy, Debug)]
struct Room {
    rows: usize,
    counts: usize,
}

impl Room {
    /// Whether there was room for so many counts.
    fn take(&mut self, counts: usize) -> bool {
        let left = self.counts.checked_sub(counts);
        self.counts = left.unwrap_or_default();
        left.is_some()
    }
}

/// Sizes of rows that are told apart: eight between a number and its double.
const SIZES: usize = 8 * 64;

/// The size of a row that failed so often; more is never smaller.
fn size(total: u64) -> usize {
    let Some(doublings) = total.checked_ilog2() else { return 0 };
    let eighth = if doublings < 3 { total << (3 - doublings) } else { total >> (doublings - 3) };
    8 * doublings as usize + (eighth & 7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_failed_more_is_of_no_smaller_size() {
        let mut totals: Vec<u64> = (0..5000).chain([u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX]).collect();
        totals.extend((5..64).flat_map(|n| [(1 << n) - 1, 1 << n, (1 << n) + 1]));
        totals.sort_unstable();
        assert!(totals.windows(2).all(|pair| size(pair[0]) <= size(pair[1])));
        assert_eq!((size(0), size(u64::MAX)), (0, SIZES - 1));
    }

    /// Numbers that look drawn by lot.
    struct Draw(u64);

    impl Draw {
        fn below(&mut self, n: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % n
        }
    }

    /// Sources with so many names and slots of time each, and a few that are too old.
    fn filled(sources: u64, names: u64, hours: u64) -> Table {
        let mut draw = Draw(sources + names + hours);
        let mut table = Table::default();
        for n in 0..sources * names {
            let key = Key::from(format!("4{:08x}", n % sources * 65_537).as_str());
            let at = 200_000 + draw.below(hours * 3600 + 1) as i64 - if n % 97 == 0 { 190_000 } else { 0 };
            let name = format!("name{}", draw.below(names));
            table.rows.entry(key).or_default().add(&name.as_str().into(), true, 1 + draw.below(3) as u32, at);
            table.now = table.now.max(at);
        }
        table
    }

    /// What stays, found the plain way.
    fn staying(table: &Table) -> Vec<Key> {
        let fresh = table.rows.iter().filter(|(_, row)| row.is_fresh(table.now));
        let mut order: Vec<_> =
            fresh.map(|(key, row)| (row.rank(table.now), row.counts(), key.clone())).collect();
        order.sort_unstable_by(|a, b| b.cmp(a));
        order.truncate(ROWS);
        let mut room = COUNTS;
        let fits = order.iter().take_while(|(_, counts, _)| {
            let left = room.checked_sub(*counts);
            room = left.unwrap_or_default();
            left.is_some()
        });
        let mut keys: Vec<Key> = fits.map(|(_, _, key)| key.clone()).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn the_rows_that_stay_are_those_that_failed_most() {
        for (sources, names, hours) in [(0, 0, 0), (900, 3, 20), (2400, 1, 1), (2400, 9, 30), (1100, 16, 30)]
        {
            let mut table = filled(sources, names, hours);
            let expected = staying(&table);
            table.make_room();
            assert!(table.rows.keys().eq(&expected), "{sources} {names} {hours}");
        }
    }

    #[test]
    fn what_a_row_says_of_its_parts_together_is_what_they_add_up_to() {
        let mut draw = Draw(1);
        let (mut table, mut at) = (Table::default(), 1_000_000);
        for n in 0..20_000 {
            at += draw.below(400) as i64;
            let key = Key::from(["4cb007109", "4cb007110", "nhost"][draw.below(3) as usize]);
            let name = ["", "root", &format!("name{}", draw.below(30))][draw.below(3) as usize].to_owned();
            match draw.below(20) {
                0 => table.take_back(&key, &name),
                1 => table.subtract(&key, &name, 1 + draw.below(3) as u32, at - draw.below(9000) as i64),
                2 => table.add(&key, &name.as_str().into(), true, 2, at - draw.below(200_000) as i64),
                _ => table.add(&key, &name.as_str().into(), n % 2 == 0, 1, at),
            }
            for row in table.rows.values().filter(|_| n % 8 == 0) {
                let json = serde_json::to_string(row).unwrap();
                assert_eq!(*row, serde_json::from_str::<Row>(&json).unwrap(), "{n}");
                assert!(row.parts() <= PARTS && !row.is_empty());
            }
        }
    }
}
