//! Failures of the last day, counted by a key and within it by a second name, in bounded memory.
//!
//! What an attacker would want is that his own row is forgotten. There is nothing to collide with, as keys are kept
//! themselves, and found by hashes that nobody can foresee. When there are too many rows those go that failed least (of
//! equals those that failed longest ago), a whole lot at once. So to push out a row that failed N times it takes [`ROWS`]
//! others that failed N times each, within a day; and from the networks of others, since one network (/16, of IPv6 /48)
//! has [`OF_ONE_NETWORK`] rows, a few more between two looks, which give way among themselves. A source and its account
//! are counted in two tables: who floods the one with sources does not reach the other, which has as many rows as there
//! are accounts.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize, Serializer};

use super::key::Key;
use super::room::{Room, SIZES, size};
pub(super) use super::row::PARTS;
use super::row::{Login, Row};
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
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Saved<BTreeMap<Key, Row>>")]
pub(super) struct Table {
    /// In no order, one behind the other: all of them are looked at again and again.
    rows: Vec<(Key, Row)>,
    /// Where in it a key stands.
    places: HashMap<Key, usize, RandomState>,
    /// The latest time in it.
    now: i64,
    /// What all rows count together.
    counts: usize,
    /// Failures since its size was looked at.
    unchecked: usize,
    /// Networks with the number of their rows.
    networks: HashMap<u128, usize, RandomState>,
    /// Where the key stands that was added last: one mostly comes again.
    last: usize,
}

/// A table as it is kept on disk.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Saved<Rows> {
    rows: Rows,
    now: i64,
}

impl From<Saved<BTreeMap<Key, Row>>> for Table {
    fn from(saved: Saved<BTreeMap<Key, Row>>) -> Self {
        let mut table = Self { now: saved.now, ..Self::default() };
        saved.rows.into_iter().for_each(|(key, row)| _ = table.push(key, row));
        table
    }
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows: BTreeMap<&Key, &Row> = self.rows.iter().map(|(key, row)| (key, row)).collect();
        Saved { rows, now: self.now }.serialize(serializer)
    }
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        (self.now, self.rows.len()) == (other.now, other.rows.len())
            && self.rows.iter().all(|(key, row)| other.row(key) == Some(row))
    }
}

impl Table {
    /// `count` failures at the second `at`.
    pub(super) fn add(&mut self, key: &Key, name: &Key, is_account: bool, count: u32, at: i64) {
        self.now = self.now.max(at);
        let place = self.place_of(key).unwrap_or_else(|| {
            self.make_room_in(key);
            self.push(key.clone(), Row::default())
        });
        self.last = place;
        let row = &mut self.rows[place].1;
        let before = row.counts();
        row.add(name, is_account, count, at);
        self.counts = self.counts + row.counts() - before;
        self.unchecked += 1;
        if self.unchecked >= SLACK {
            self.unchecked = 0;
            if self.rows.len() > ROWS || self.counts > COUNTS {
                self.make_room();
            }
        }
    }

    /// What `key` failed in the day before a login.
    pub(super) fn before(&self, key: &Key, login: Login) -> Row {
        self.row(key).map_or_else(Row::default, |row| row.before(login))
    }

    /// The same of what stands under `name` alone, as failures of `user`.
    pub(super) fn only_before(&self, key: &Key, name: &Key, user: &str, login: Login) -> Row {
        self.row(key).map_or_else(Row::default, |row| row.only_before(name, user, login))
    }

    /// The failures of `key` under `name`, up to the second `end`, were none.
    pub(super) fn take_back(&mut self, key: &Key, name: &str, end: i64) {
        self.lessen(key, |row| row.take_back(name, end));
    }

    /// `count` of the failures of `key` under `name` at the second `at` are counted elsewhere.
    pub(super) fn subtract(&mut self, key: &Key, name: &str, count: u32, at: i64) {
        self.lessen(key, |row| row.subtract(name, count, at));
    }

    fn lessen(&mut self, key: &Key, lessen: impl FnOnce(&mut Row)) {
        let Some(place) = self.place_of(key) else { return };
        let row = &mut self.rows[place].1;
        let before = row.counts();
        lessen(row);
        self.counts = self.counts + row.counts() - before;
        if row.is_empty() {
            self.remove(place);
        }
    }

    fn place_of(&self, key: &Key) -> Option<usize> {
        let is_last = self.rows.get(self.last).is_some_and(|(last, _)| last == key);
        if is_last { Some(self.last) } else { self.places.get(key).copied() }
    }

    fn row(&self, key: &Key) -> Option<&Row> {
        self.place_of(key).map(|place| &self.rows[place].1)
    }

    /// Put a row that is not there behind the others; gives its place.
    fn push(&mut self, key: Key, row: Row) -> usize {
        if let Some(network) = number(&key) {
            *self.networks.entry(network).or_default() += 1;
        }
        self.counts += row.counts();
        self.places.insert(key.clone(), self.rows.len());
        self.rows.push((key, row));
        self.rows.len() - 1
    }

    /// The last row comes into the place of the one that is removed.
    fn remove(&mut self, place: usize) {
        let (key, row) = self.rows.swap_remove(place);
        self.places.remove(&key);
        if let Some((moved, _)) = self.rows.get(place) {
            if let Some(its) = self.places.get_mut(moved) {
                *its = place;
            }
        }
        self.counts -= row.counts();
        if let Some(network) = number(&key) {
            if let Entry::Occupied(mut rows) = self.networks.entry(network) {
                *rows.get_mut() -= 1;
                if *rows.get() == 0 {
                    rows.remove();
                }
            }
        }
    }

    /// These go.
    fn remove_all(&mut self, mut places: Vec<usize>) {
        // From behind, so that none that goes is moved.
        places.sort_unstable();
        places.into_iter().rev().for_each(|place| self.remove(place));
    }

    /// A row under `key` is to be added. What has no network is one of its own.
    fn make_room_in(&mut self, key: &Key) {
        const MOST: usize = OF_ONE_NETWORK + SLACK_OF_ONE;
        let length = network(key).len();
        let number = number(key).filter(|_| length < key.len());
        let Some(of_it) = number.filter(|number| self.networks.get(number).is_some_and(|rows| *rows >= MOST))
        else {
            return;
        };
        let now = self.now;
        let rows = self.rows.iter().enumerate();
        let of_it = rows.filter(|(_, (other, _))| other.begin(length) == of_it && other.len() >= length);
        let mut order: Vec<_> = of_it.map(|(place, (key, row))| (row.rank(now), key, place)).collect();
        let out = order.len().saturating_sub(OF_ONE_NETWORK);
        if out > 0 {
            order.select_nth_unstable(out - 1);
            let out = order[..out].iter().map(|(_, _, place)| *place).collect();
            self.remove_all(out);
        }
    }

    /// What is not of the last day goes, and of the rest what failed least, until there is room.
    fn make_room(&mut self) {
        let now = self.now;
        let (all_stay, mut room) = self.sizes_that_stay();
        let (mut out, mut order) = (Vec::with_capacity(SLACK), Vec::with_capacity(SLACK));
        for (place, (key, row)) in self.rows.iter().enumerate() {
            let size = size(row.total());
            if !row.is_fresh(now) || size + 1 < all_stay {
                out.push(place);
            } else if size < all_stay {
                order.push((row.rank(now), row.counts(), key, place));
            }
        }
        let places = room.rows.min(order.len());
        if places < order.len() {
            order.select_nth_unstable_by(places, |a, b| b.cmp(a));
        }
        let mut stay = places;
        if order[..places].iter().map(|(_, counts, ..)| counts).sum::<usize>() > room.counts {
            order[..places].sort_unstable_by(|a, b| b.cmp(a));
            stay = order[..places].iter().take_while(|(_, counts, ..)| room.take(*counts)).count();
        }
        out.extend(order[stay..].iter().map(|(.., place)| *place));
        self.remove_all(out);
    }

    /// The size from which on all rows stay, as they fit; and what room is left for those of the size below. The others
    /// need not be put in order.
    fn sizes_that_stay(&self) -> (usize, Room) {
        let mut of_size = [(0, 0); SIZES];
        for row in self.rows.iter().map(|(_, row)| row).filter(|row| row.is_fresh(self.now)) {
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

/// The network of a key as a number; none of what stands by itself.
fn number(key: &Key) -> Option<u128> {
    let has_others = matches!(key.as_bytes().first(), Some(b'4' | b'6'));
    has_others.then(|| key.begin(network(key).len()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            // As `add` does it, but without making room.
            let place = table.place_of(&key).unwrap_or_else(|| table.push(key, Row::default()));
            let row = &mut table.rows[place].1;
            table.counts -= row.counts();
            row.add(&name.as_str().into(), true, 1 + draw.below(3) as u32, at);
            table.counts += row.counts();
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
            let mut keys: Vec<Key> = table.rows.iter().map(|(key, _)| key.clone()).collect();
            keys.sort_unstable();
            assert!(keys == expected, "{sources} {names} {hours}");
            is_consistent(&table);
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
                0 => table.take_back(&key, &name, i64::MAX),
                1 => table.subtract(&key, &name, 1 + draw.below(3) as u32, at - draw.below(9000) as i64),
                2 => table.add(&key, &name.as_str().into(), true, 2, at - draw.below(200_000) as i64),
                _ => table.add(&key, &name.as_str().into(), n % 2 == 0, 1, at),
            }
            for (_, row) in table.rows.iter().filter(|_| n % 8 == 0) {
                let json = serde_json::to_string(row).unwrap();
                assert_eq!(*row, serde_json::from_str::<Row>(&json).unwrap(), "{n}");
                assert!(row.parts() <= PARTS && !row.is_empty());
            }
            if n % 64 == 0 {
                is_consistent(&table);
            }
        }
    }

    /// What is kept beside the rows is what they are.
    fn is_consistent(table: &Table) {
        assert!(table.rows.iter().enumerate().all(|(place, (key, _))| table.places[key] == place));
        assert_eq!(table.places.len(), table.rows.len());
        assert_eq!(table.counts, table.rows.iter().map(|(_, row)| row.counts()).sum::<usize>());
        let mut networks: HashMap<u128, usize, RandomState> = HashMap::default();
        for number in table.rows.iter().filter_map(|(key, _)| number(key)) {
            *networks.entry(number).or_default() += 1;
        }
        assert_eq!(table.networks, networks);
        let saved = serde_json::to_string(table).unwrap();
        let read: Table = serde_json::from_str(&saved).unwrap();
        assert!(read == *table && serde_json::to_string(&read).unwrap() == saved);
    }

    #[test]
    fn of_a_network_those_stay_that_failed_most_and_others_are_not_touched() {
        let (mut table, mut draw) = (Table::default(), Draw(5));
        table.add(&"nhost".into(), &"root".into(), true, 1, 1_000_000);
        table.add(&"4cb010000".into(), &"root".into(), true, 1, 1_000_000);
        for n in 0..3000 {
            let source = if n % 3 == 0 { draw.below(32) } else { 1000 + draw.below(30_000) };
            table.add(&format!("4cb00{source:04x}").as_str().into(), &"root".into(), true, 1, 1_000_000 + n);
            let of_it = table.rows.iter().filter(|(key, _)| key.starts_with("4cb00")).count();
            assert!(of_it <= OF_ONE_NETWORK + SLACK_OF_ONE);
        }
        is_consistent(&table);
        for source in 0..32 {
            assert!(table.row(&format!("4cb00{source:04x}").as_str().into()).is_some(), "{source}");
        }
        assert!(table.row(&"nhost".into()).is_some() && table.row(&"4cb010000".into()).is_some());
    }
}
