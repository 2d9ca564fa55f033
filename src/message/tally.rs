//! Counts by name in bounded memory, whatever the flood brings.
//!
//! Exact until there are more names than fit. From then on the rarest make room (the Space-Saving
//! algorithm of Metwally, Agrawal and El Abbadi, with the largest count that was ever given up as the
//! bound on every name that is not held): a name's true count is at least `count - error`, and how many different names there
//! were is told from a set of their hashes, exact up to a limit but for hash collisions.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::seen::Seen;
use crate::neutral;

/// Counts of at most `NAMES` names, whose JSON text takes `BYTES` at most; `SEEN` different names
/// are told apart after that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally<const NAMES: usize, const BYTES: usize, const SEEN: usize> {
    #[serde(rename = "sum")]
    total: u64,
    /// Count and error.
    names: BTreeMap<String, (u64, u64)>,
    /// What they take as JSON: with ever new names, adding that up each time takes longer than all else.
    #[serde(skip)]
    bytes: usize,
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
            self.seen.insert(&name, SEEN);
        }
        if let Some(held) = self.names.get_mut(&name) {
            held.0 = held.0.saturating_add(count);
        } else {
            self.bytes += json_len(&name);
            self.names.insert(name, (self.floor.saturating_add(count), self.floor));
            self.make_room();
        }
    }

    /// Take over the counts of `other`.
    pub fn merge(&mut self, other: Self) {
        if self.floor > 0 || other.floor > 0 {
            self.remember_names();
            for name in other.names.keys() {
                self.seen.insert(name, SEEN);
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
            let held = self.names.entry(name).or_insert_with_key(|name| {
                self.bytes += json_len(name);
                (floor, floor)
            });
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
            () => match self.seen.len() {
                Some(n) => Distinct::Exactly(n.max(self.names.len()) as u64),
                None => Distinct::MoreThan(SEEN as u64),
            },
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
        while self.names.len() > NAMES || self.bytes > BYTES {
            let rarest = self.names.iter().min_by_key(|(_, (count, _))| *count);
            let Some((name, count)) = rarest.map(|(name, (count, _))| (name.clone(), *count)) else { return };
            if self.floor == 0 {
                self.remember_names();
            }
            self.bytes = self.bytes.saturating_sub(json_len(&name));
            self.floor = self.floor.max(count);
            self.names.remove(&name);
        }
    }

    fn remember_names(&mut self) {
        for name in self.names.keys() {
            self.seen.insert(name, SEEN);
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
        let bytes = names.keys().map(|name| json_len(name)).sum();
        let mut tally = Self { total: sum, names, bytes, floor, seen };
        tally.make_room();
        Ok(tally)
    }
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

    /// What the algorithm promises: bounds on both sides for every name, held or not.
    fn assert_bounds(tally: &Small, truth: &BTreeMap<String, u64>) {
        assert_eq!(tally.total(), truth.values().sum::<u64>());
        assert!(tally.names.len() <= 4);
        assert_eq!(tally.bytes, tally.names.keys().map(|name| json_len(name)).sum::<usize>());
        for (name, true_count) in truth {
            match tally.names.get(name) {
                Some((count, error)) => {
                    assert!(
                        count - error <= *true_count && true_count <= count,
                        "{name} {true_count}: {tally:?}"
                    );
                }
                None => assert!(*true_count <= tally.floor, "{name} {true_count}: {tally:?}"),
            }
        }
        for counted in tally.ranking().iter().filter(|counted| counted.exact) {
            assert_eq!(counted.count, truth[counted.name]);
        }
    }

    /// A few heavy names among ever new ones.
    fn stream(from: u64, to: u64) -> (Small, BTreeMap<String, u64>) {
        let mut tally = Small::default();
        let mut truth = BTreeMap::<String, u64>::new();
        for i in from..to {
            let name = if i % 3 != 0 { format!("heavy{}", i / 3 % 2) } else { format!("n{}", i * i % 977) };
            tally.add(&name, 1 + i % 2);
            *truth.entry(name).or_default() += 1 + i % 2;
        }
        (tally, truth)
    }

    #[test]
    fn beyond_that_the_sum_is_exact_and_no_count_is_told_too_high() {
        let (tally, truth) = stream(0, 10_000);
        assert_bounds(&tally, &truth);
        assert_eq!(tally.distinct(), Distinct::MoreThan(8));
        // Who makes up more than a fourth of everything cannot have been given up.
        assert!(["heavy0", "heavy1"].iter().all(|heavy| tally.names.contains_key(*heavy)));
    }

    #[test]
    fn the_bounds_hold_for_merged_counts_too() {
        for (a, b, c) in [(0, 3, 7), (0, 3, 500), (0, 500, 503), (0, 400, 900), (0, 0, 50), (0, 50, 50)] {
            let ((mut tally, mut truth), (other, more)) = (stream(a, b), stream(b, c));
            tally.merge(other);
            more.into_iter().for_each(|(name, count)| *truth.entry(name).or_default() += count);
            assert_bounds(&tally, &truth);
            for i in 0..100 {
                let name = format!("late{}", i % 7);
                tally.add(&name, 1);
                *truth.entry(name).or_default() += 1;
            }
            assert_bounds(&tally, &truth);
        }
    }

    #[test]
    fn a_name_that_one_side_gave_up_keeps_its_bounds() {
        let mut gave_up = small(&[("a", 1)]);
        (0..20).for_each(|i| gave_up.add(&format!("n{i}"), 2));
        assert!(!gave_up.names.contains_key("a"));
        let mut truth: BTreeMap<String, u64> = (0..20).map(|i| (format!("n{i}"), 2)).collect();
        truth.insert("a".into(), 501);
        for (mut one, other) in [(small(&[("a", 500)]), gave_up.clone()), (gave_up, small(&[("a", 500)]))] {
            one.merge(other);
            assert_bounds(&one, &truth);
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
