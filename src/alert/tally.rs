//! Counts by name in bounded memory, whatever the flood brings.
//!
//! Exact until there are more names than fit. From then on the rarest make room (the Space-Saving
//! algorithm of Metwally, Agrawal and El Abbadi, with the largest count that was ever given up as the
//! bound on every name that is not held): a name's true count is at least `count - error`, and how many different names there
//! were is told from a set of their hashes, exact up to a limit but for hash collisions.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::neutral;

/// Counts of at most `NAMES` names, whose JSON text takes `BYTES` at most; `SEEN` different names
/// are told apart after that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally<const NAMES: usize, const BYTES: usize, const SEEN: usize> {
    #[serde(rename = "sum")]
    total: u64,
    /// Count and error.
    names: BTreeMap<String, (u64, u64)>,
    /// No name that is not held has a count above this.
    #[serde(default, skip_serializing_if = "is_zero")]
    floor: u64,
    #[serde(default, skip_serializing_if = "Seen::is_empty")]
    seen: Seen,
}

/// A name with its count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted<'a> {
    /// The name.
    pub name: &'a str,
    /// How often it occurred, at least.
    pub count: u64,
    /// Whether it was exactly that often.
    pub exact: bool,
}

/// How many different names there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distinct {
    /// So many.
    Exactly(u64),
    /// More than this.
    MoreThan(u64),
}

impl Distinct {
    /// The number, a lower bound if there were more.
    pub fn at_least(self) -> u64 {
        match self {
            Self::Exactly(n) => n,
            Self::MoreThan(n) => n + 1,
        }
    }
}

impl<const NAMES: usize, const BYTES: usize, const SEEN: usize> Tally<NAMES, BYTES, SEEN> {
    /// Count `name` once more, or `count` times.
    pub fn add(&mut self, name: &str, count: u64) {
        if count == 0 {
            return;
        }
        let name = neutral::text(name, neutral::NAME_LIMIT);
        self.total = self.total.saturating_add(count);
        if self.floor > 0 {
            self.seen.insert(hash(&name), SEEN);
        }
        if let Some(held) = self.names.get_mut(&name) {
            held.0 = held.0.saturating_add(count);
        } else {
            self.names.insert(name, (self.floor.saturating_add(count), self.floor));
            self.make_room();
        }
    }

    /// Take over the counts of `other`.
    pub fn merge(&mut self, other: Self) {
        if self.floor > 0 || other.floor > 0 {
            self.remember_names();
            for name in other.names.keys() {
                self.seen.insert(hash(name), SEEN);
            }
            self.seen.merge(other.seen, SEEN);
        }
        self.total = self.total.saturating_add(other.total);
        for (name, held) in &mut self.names {
            if !other.names.contains_key(name) {
                *held = (held.0.saturating_add(other.floor), held.1.saturating_add(other.floor));
            }
        }
        let floor = self.floor;
        for (name, (count, error)) in other.names {
            let held = self.names.entry(name).or_insert((floor, floor));
            *held = (held.0.saturating_add(count), held.1.saturating_add(error));
        }
        self.floor = floor.saturating_add(other.floor);
        self.make_room();
    }

    /// The sum of all counts, of names that are no longer held too. Exact.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many different names there were.
    pub fn distinct(&self) -> Distinct {
        match () {
            () if self.floor == 0 => Distinct::Exactly(self.names.len() as u64),
            () if self.seen.overflowed => Distinct::MoreThan(SEEN as u64),
            () => Distinct::Exactly(self.seen.hashes.len().max(self.names.len()) as u64),
        }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The names that are held, the most frequent first; equal ones in order of the name.
    pub fn ranking(&self) -> Vec<Counted<'_>> {
        let mut ranking: Vec<_> = self
            .names
            .iter()
            .map(|(name, (count, error))| Counted {
                name,
                count: count.saturating_sub(*error),
                exact: *error == 0,
            })
            .collect();
        ranking.sort_by_key(|counted| std::cmp::Reverse(counted.count));
        ranking
    }

    fn make_room(&mut self) {
        let mut bytes: usize = self.names.keys().map(|name| json_len(name)).sum();
        while self.names.len() > NAMES || bytes > BYTES {
            let rarest = self.names.iter().min_by_key(|(_, (count, _))| *count);
            let Some((name, count)) = rarest.map(|(name, (count, _))| (name.clone(), *count)) else { return };
            if self.floor == 0 {
                self.remember_names();
            }
            bytes = bytes.saturating_sub(json_len(&name));
            self.floor = self.floor.max(count);
            self.names.remove(&name);
        }
    }

    fn remember_names(&mut self) {
        for name in self.names.keys() {
            self.seen.insert(hash(name), SEEN);
        }
    }
}

impl<'de, const NAMES: usize, const BYTES: usize, const SEEN: usize> Deserialize<'de>
    for Tally<NAMES, BYTES, SEEN>
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// As written, before the bounds are enforced.
        #[derive(Deserialize)]
        struct Written {
            sum: u64,
            names: BTreeMap<String, (u64, u64)>,
            #[serde(default)]
            floor: u64,
            #[serde(default)]
            seen: Seen,
        }
        let Written { sum, names, floor, seen } = Written::deserialize(deserializer)?;
        let mut tally = Self { total: sum, names, floor, seen };
        tally.make_room();
        Ok(tally)
    }
}

/// Hashes of names, as many as a limit allows. In JSON a text of six base-64 digits a hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    hashes: BTreeSet<u32>,
    overflowed: bool,
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const OVERFLOWED: &str = "+";

impl Seen {
    fn insert(&mut self, hash: u32, limit: usize) {
        if self.overflowed || self.hashes.contains(&hash) {
            return;
        }
        if self.hashes.len() < limit {
            self.hashes.insert(hash);
        } else {
            // From here on only "more than the limit" is known: the hashes have done their work.
            self.hashes.clear();
            self.overflowed = true;
        }
    }

    fn merge(&mut self, other: Self, limit: usize) {
        if other.overflowed {
            *self = other;
            return;
        }
        for hash in other.hashes {
            self.insert(hash, limit);
        }
    }

    fn is_empty(&self) -> bool {
        self.hashes.is_empty() && !self.overflowed
    }
}

impl Serialize for Seen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.overflowed {
            return serializer.serialize_str(OVERFLOWED);
        }
        let digits = self
            .hashes
            .iter()
            .flat_map(|hash| (0..6).map(move |i| char::from(DIGITS[(hash >> (6 * i)) as usize & 63])));
        serializer.serialize_str(&digits.collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == OVERFLOWED {
            return Ok(Self { hashes: BTreeSet::new(), overflowed: true });
        }
        // What is no digit counts as 0: a damaged text costs a few hashes, not the whole state.
        let digit = |c: &u8| DIGITS.iter().position(|d| d == c).unwrap_or(0) as u32;
        let hash = |six: &[u8]| six.iter().rev().fold(0u32, |n, c| (n << 6) | digit(c));
        Ok(Self { hashes: text.as_bytes().chunks_exact(6).map(hash).collect(), overflowed: false })
    }
}

fn hash(name: &str) -> u32 {
    crc32fast::hash(name.as_bytes())
}

/// Bytes of a name in JSON, quotation marks not counted.
fn json_len(name: &str) -> usize {
    name.len() + name.bytes().filter(|b| matches!(b, b'"' | b'\\')).count()
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    type Small = Tally<4, 200, 8>;

    fn small(names: &[(&str, u64)]) -> Small {
        let mut tally = Small::default();
        for (name, count) in names {
            tally.add(name, *count);
        }
        tally
    }

    #[test]
    fn counts_are_exact_while_the_names_fit() {
        let tally = small(&[("a", 2), ("b", 5), ("a", 1)]);
        let ranking: Vec<_> = tally.ranking().iter().map(|c| (c.name.to_owned(), c.count, c.exact)).collect();
        assert_eq!(ranking, [("b".into(), 5, true), ("a".into(), 3, true)]);
        assert_eq!(tally.distinct(), Distinct::Exactly(2));
        assert_eq!(tally.total(), 8);
    }

    #[test]
    fn beyond_that_the_sum_is_exact_and_a_count_is_never_told_too_high() {
        let mut tally = small(&[]);
        let mut truth = BTreeMap::<String, u64>::new();
        for i in 0..10_000u64 {
            // A few heavy names among ever new ones.
            let name = if i % 3 == 0 { format!("heavy{}", i % 2) } else { format!("n{}", i * i % 977) };
            tally.add(&name, 1);
            *truth.entry(name).or_default() += 1;
        }
        assert_eq!(tally.total(), 10_000);
        assert_eq!(tally.distinct(), Distinct::MoreThan(8));
        assert_eq!(tally.ranking().len(), 4);
        for counted in tally.ranking() {
            let true_count = truth[counted.name];
            assert!(counted.count <= true_count, "{counted:?}, truly {true_count}");
            assert!(!counted.exact || counted.count == true_count, "{counted:?}, truly {true_count}");
        }
    }

    #[test]
    fn different_names_are_told_apart_until_the_limit() {
        let eight: Vec<String> = (0..8).map(|i| format!("192.0.2.{i}")).collect();
        let mut tally = small(&[]);
        for name in eight.iter().chain(&eight) {
            tally.add(name, 1);
        }
        assert_eq!(tally.distinct(), Distinct::Exactly(8));
        tally.add("192.0.2.99", 1);
        assert_eq!(tally.distinct(), Distinct::MoreThan(8));
        assert_eq!(tally.distinct().at_least(), 9);
    }

    #[test]
    fn merging_is_the_same_as_counting_everything_in_one() {
        let (a, b) = (small(&[("a", 2), ("b", 1)]), small(&[("b", 4), ("c", 1)]));
        let mut merged = a.clone();
        merged.merge(b);
        assert_eq!(merged, small(&[("a", 2), ("b", 5), ("c", 1)]));

        let many = |range: std::ops::Range<u32>| {
            let mut tally = small(&[]);
            range.for_each(|i| tally.add(&format!("n{i}"), u64::from(i)));
            tally
        };
        let mut merged = many(1..6);
        merged.merge(many(4..8));
        assert_eq!(merged.total(), 15 + 22);
        assert_eq!(merged.distinct(), Distinct::Exactly(7));
        assert!(merged.ranking().iter().all(|c| c.count <= 37 && merged.names.len() <= 4));
        merged.merge(many(100..120));
        assert_eq!(merged.distinct(), Distinct::MoreThan(8));
    }

    #[test]
    fn long_names_take_the_place_of_many_short_ones() {
        let mut tally = small(&[]);
        for c in ['\\', '"', 'x', '東'] {
            tally.add(&c.to_string().repeat(64), 1);
        }
        assert!(tally.names.keys().map(|n| json_len(n)).sum::<usize>() <= 200);
        assert_eq!((tally.total(), tally.distinct()), (4, Distinct::Exactly(4)));
    }

    #[test]
    fn it_survives_being_written_and_read_and_what_was_tampered_with_is_bounded() {
        for n in [0, 3, 7, 30] {
            let mut tally = small(&[]);
            (0..n).for_each(|i| tally.add(&format!("n{i}"), 1 + i % 3));
            let json = serde_json::to_string(&tally).unwrap();
            assert_eq!(serde_json::from_str::<Small>(&json).unwrap(), tally, "{json}");
        }
        let json = r#"{"sum":1,"names":{"a":[1,9],"b":[1,0],"c":[1,0],"d":[1,0],"e":[18446744073709551615,0]},"seen":"%%%%%%x"}"#;
        let mut tally: Small = serde_json::from_str(json).unwrap();
        tally.add("e", u64::MAX);
        assert_eq!((tally.total(), tally.ranking().len()), (u64::MAX, 4));
    }
}
