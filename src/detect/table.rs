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
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use serde::{Deserialize, Serialize, Serializer};

use super::key::Key;
use super::room::{Room, SIZES, allocated, size};
pub(super) use super::row::PARTS;
use super::row::{Login, Row};
use super::source::network_of_address;

/// Rows that are kept.
pub(super) const ROWS: usize = 2048;
/// Rows of one network.
pub(super) const OF_ONE_NETWORK: usize = 64;
/// So many more come before it is looked which of them give way.
const SLACK_OF_ONE: usize = 8;
/// The size is looked at once in so many failures, so that making room costs little for each.
const SLACK: usize = 512;
/// Counts that are kept, of all rows together: what bounds the size.
const COUNTS: usize = 16_384;

/// Rows that are looked at together.
const AT_A_TIME: usize = 32;
/// Failures by key, each told apart by at most [`PARTS`] names.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Saved<BTreeMap<Key, Row>>")]
pub(super) struct Table {
    /// In no order, one behind the other: all of them are looked at again and again.
    rows: Vec<(Key, Row)>,
    /// Of each what is left of the number of its network in so few bits, to look quickly for those of one.
    networks_of: Vec<u16>,
    /// Where in it a key stands, by its hash.
    places: HashTable<u32>,
    hasher: RandomState,
    /// The latest time in it.
    now: i64,
    /// What all rows count together.
    counts: usize,
    /// Failures since its size was looked at.
    unchecked: usize,
    /// Networks with the number of their rows.
    networks: HashMap<u64, u16, RandomState>,
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
                self.make_room(Room { rows: ROWS, counts: COUNTS });
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

    /// The failures of `key` under `name` in the day before a login were none.
    pub(super) fn take_back(&mut self, key: &Key, name: &str, login: Login) {
        self.lessen(key, |row| row.take_back(name, login));
    }

    /// `count` of the failures of `key` under `name` at the second `at` are counted elsewhere; how many of them are not here.
    pub(super) fn subtract(&mut self, key: &Key, name: &str, count: u32, at: i64) -> u32 {
        self.lessen(key, |row| row.subtract(name, count, at)).unwrap_or(count)
    }

    /// What is later than the second `now` was at that second: the clock was wrong.
    pub(super) fn set_back(&mut self, now: i64) {
        if self.now > now {
            self.now = now;
            self.rows.iter_mut().for_each(|(_, row)| row.set_back(now));
            self.counts = self.rows.iter().map(|(_, row)| row.counts()).sum();
        }
    }

    /// Bytes that it takes beside itself.
    pub(super) fn heap(&self) -> usize {
        let rows = self.rows.iter().map(|(key, row)| allocated::<u8>(key.heap()) + row.heap());
        rows.sum::<usize>()
            + allocated::<(Key, Row)>(self.rows.capacity())
            + allocated::<u16>(self.networks_of.capacity())
            + self.places.allocation_size()
            + allocated::<(u64, u32)>(self.networks.capacity() * 8 / 7)
    }

    /// What failed in the last day before the second `now` stays.
    pub(super) fn forget_before(&mut self, now: i64) {
        let old = self.rows.iter().enumerate().filter(|(_, (_, row))| !row.is_fresh(now));
        let old: Vec<usize> = old.map(|(place, _)| place).collect();
        if !old.is_empty() {
            self.remove_all(old);
            self.fit();
        }
    }

    /// What failed least goes, until the rest takes at most so many bytes.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        let mut heap = self.heap();
        while heap > bytes {
            let share = |number: usize| number.saturating_mul(bytes) / heap;
            self.make_room(Room { rows: share(self.rows.len()), counts: share(self.counts) });
            self.fit();
            heap = self.heap();
        }
    }

    /// Keep no room for more.
    fn fit(&mut self) {
        let Self { rows, places, hasher, networks, networks_of, .. } = self;
        rows.shrink_to_fit();
        networks_of.shrink_to_fit();
        places.shrink_to_fit(|place| hasher.hash_one(&rows[*place as usize].0));
        networks.shrink_to_fit();
    }

    fn lessen<T>(&mut self, key: &Key, lessen: impl FnOnce(&mut Row) -> T) -> Option<T> {
        let place = self.place_of(key)?;
        let row = &mut self.rows[place].1;
        let before = row.counts();
        let result = lessen(row);
        self.counts = self.counts + row.counts() - before;
        if row.is_empty() {
            self.remove(place);
        }
        Some(result)
    }

    fn place_of(&self, key: &Key) -> Option<usize> {
        let is_last = self.rows.get(self.last).is_some_and(|(last, _)| last == key);
        if is_last || self.rows.is_empty() {
            return is_last.then_some(self.last);
        }
        let is_it = |place: &u32| self.rows[*place as usize].0 == *key;
        self.places.find(self.hasher.hash_one(key), is_it).map(|place| *place as usize)
    }

    fn row(&self, key: &Key) -> Option<&Row> {
        self.place_of(key).map(|place| &self.rows[place].1)
    }

    /// Put a row that is not there behind the others; gives its place.
    fn push(&mut self, key: Key, row: Row) -> usize {
        let network = number(&key);
        if let Some(network) = network {
            *self.networks.entry(network).or_default() += 1;
        }
        self.counts += row.counts();
        let Self { rows, places, hasher, networks_of, .. } = self;
        if rows.len() == rows.capacity() {
            // By a quarter: each member of a fleet has tables.
            let more = (rows.len() / 4).max(4);
            rows.reserve_exact(more);
            networks_of.reserve_exact(more);
        }
        networks_of.push(network.map_or(0, few_bits));
        let (hash, place) = (hasher.hash_one(&key), rows.len());
        rows.push((key, row));
        places.insert_unique(hash, place as u32, |place| hasher.hash_one(&rows[*place as usize].0));
        place
    }

    /// The last row comes into the place of the one that is removed.
    fn remove(&mut self, place: usize) {
        let Self { rows, places, hasher, .. } = self;
        let (key, row) = rows.swap_remove(place);
        self.networks_of.swap_remove(place);
        let at = |place: usize| move |other: &u32| *other as usize == place;
        if let Ok(entry) = places.find_entry(hasher.hash_one(&key), at(place)) {
            entry.remove();
        }
        if let Some((moved, _)) = rows.get(place) {
            if let Some(its) = places.find_mut(hasher.hash_one(moved), at(rows.len())) {
                *its = place as u32;
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
        const MOST: u16 = (OF_ONE_NETWORK + SLACK_OF_ONE) as u16;
        let Some(network) = number(key) else { return };
        if self.networks.get(&network).is_none_or(|rows| *rows < MOST) {
            return;
        }
        let (now, rows, wanted) = (self.now, &self.rows, few_bits(network));
        // Of most there is none, which several are asked at a time.
        let some = self.networks_of.chunks(AT_A_TIME).enumerate();
        let some = some.filter(|(_, some)| some.iter().fold(false, |has, of| has | (*of == wanted)));
        let places = some.flat_map(|(n, some)| (n * AT_A_TIME..).zip(some)).filter(|(_, of)| **of == wanted);
        let of_it = places.filter_map(|(place, _)| rows.get(place).map(|(key, row)| (row, key, place)));
        let of_it = of_it.filter(|(_, key, _)| number(key) == Some(network));
        let of_it = of_it.map(|(row, key, place)| (row.rank(now), key, place));
        let mut order: Vec<_> = of_it.collect();
        let out = order.len().saturating_sub(OF_ONE_NETWORK);
        if out > 0 {
            order.select_nth_unstable(out - 1);
            let out = order[..out].iter().map(|(_, _, place)| *place).collect();
            self.remove_all(out);
        }
    }

    /// What is not of the last day goes, and of the rest what failed least, until there is room for what stays.
    fn make_room(&mut self, room: Room) {
        let now = self.now;
        let (all_stay, mut room) = self.sizes_that_stay(room);
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
    fn sizes_that_stay(&self, mut room: Room) -> (usize, Room) {
        let mut of_size = [(0, 0); SIZES];
        for row in self.rows.iter().map(|(_, row)| row).filter(|row| row.is_fresh(self.now)) {
            let (rows, counts) = &mut of_size[size(row.total())];
            *rows += 1;
            *counts += row.counts();
        }
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

/// The network of an address as a number; none of what stands by itself.
fn number(key: &Key) -> Option<u64> {
    // A digit of hexadecimal is in the lower half of its byte, a letter nine less than it is worth.
    let digit = |number: u64, digit: &u8| number << 4 | u64::from((digit & 15) + 9 * (digit >> 6));
    Some(network_of_address(key.bytes())?.iter().fold(0, digit))
}

/// What is left of the number of a network in so few bits; few others have the same.
fn few_bits(network: u64) -> u16 {
    (network ^ network >> 16 ^ network >> 32 ^ network >> 48) as u16
}

#[cfg(test)]
mod tests {
    use super::super::draw::Draw;
    use super::*;

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
            table.make_room(Room { rows: ROWS, counts: COUNTS });
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
                0 => table.take_back(&key, &name, Login { at, end: i64::MAX }),
                1 => _ = table.subtract(&key, &name, 1 + draw.below(3) as u32, at - draw.below(9000) as i64),
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
        let found = |key: &Key| {
            table.places.find(table.hasher.hash_one(key), |at| table.rows[*at as usize].0 == *key)
        };
        let rows = table.rows.iter().enumerate();
        assert!(
            rows.map(|(place, (key, _))| (found(key), place)).all(|(at, place)| at == Some(&(place as u32)))
        );
        assert_eq!(table.places.len(), table.rows.len());
        assert_eq!(table.counts, table.rows.iter().map(|(_, row)| row.counts()).sum::<usize>());
        let mut networks: HashMap<u64, u16, RandomState> = HashMap::default();
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
