//! Failures of the last day, counted by a key and within it by a second name, in bounded memory.
//!
//! What an attacker would want is that his own row is forgotten. There is nothing to collide with, as keys are kept
//! themselves, in order, not as hashes. When there are too many rows those go that failed least (of equals those that
//! failed longest ago), a whole lot at once. So to push out a row that failed N times it takes [`ROWS`] others
//! that failed N times each, within a day; and from the networks of others, since one network (/16, of IPv6 /48) has
//! [`OF_ONE_NETWORK`] rows at most, which give way among themselves. A source and its account are counted in two
//! tables: who floods the one with sources does not reach the other, which has as many rows as there are accounts.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::source::network;

/// Names that are told apart under one key; what is beyond is counted together.
pub(super) const PARTS: usize = 16;
/// Rows that are kept.
pub(super) const ROWS: usize = 2048;
/// Rows of one network.
pub(super) const OF_ONE_NETWORK: usize = 64;
/// The size is looked at once in so many failures, so that making room costs little for each.
const SLACK: usize = 256;
/// Counts that are kept, of all rows together: what bounds the size.
const COUNTS: usize = 16_384;
/// Seconds of one count.
const SLOT: i64 = 4 * 3600;
const DAY: i64 = 86_400;

/// Failures by key, each told apart by at most [`PARTS`] names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Table {
    rows: BTreeMap<String, Row>,
    /// The latest time in it.
    now: i64,
    /// Failures since its size was looked at.
    #[serde(skip)]
    unchecked: usize,
}

/// What stands under one key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Row(Vec<Part>);

/// Failures under one key and name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Part {
    /// Empty: names of no account, and what is too many.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
    /// The name is an account's of this machine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_account: bool,
    /// In order: number of the slot in time, failures in it.
    counts: Vec<(i64, u32)>,
    first: i64,
    last: i64,
}

impl Table {
    /// `count` failures at the second `at`.
    pub(super) fn add(&mut self, key: &str, name: &str, is_account: bool, count: u32, at: i64) {
        self.now = self.now.max(at);
        if !self.rows.contains_key(key) {
            self.make_room_in(network(key));
        }
        let row = self.rows.entry(key.to_owned()).or_default();
        row.add(name, is_account, count, at);
        row.fold();
        self.unchecked += 1;
        if self.unchecked >= SLACK {
            self.unchecked = 0;
            if self.rows.len() > ROWS || self.counts() > COUNTS {
                self.make_room();
            }
        }
    }

    /// What `key` failed in the day before the second `at`.
    pub(super) fn within_a_day(&self, key: &str, at: i64) -> Row {
        let mut row = self.rows.get(key).cloned().unwrap_or_default();
        row.keep(at - DAY, at);
        row
    }

    /// The failures of `key` under `name` were none.
    pub(super) fn take_back(&mut self, key: &str, name: &str) {
        if let Some(row) = self.rows.get_mut(key) {
            row.0.retain(|part| part.name != name || name.is_empty());
            if row.0.is_empty() {
                self.rows.remove(key);
            }
        }
    }

    fn counts(&self) -> usize {
        self.rows.values().map(Row::counts).sum()
    }

    fn make_room_in(&mut self, network: &str) {
        let from = (Bound::Included(network), Bound::Unbounded);
        let of_it = self.rows.range::<str, _>(from).take_while(|(key, _)| key.starts_with(network));
        let (mut rows, mut least) = (0, None);
        for (key, row) in of_it {
            rows += 1;
            let rank = row.rank(self.now);
            if least.as_ref().is_none_or(|(lowest, _)| rank < *lowest) {
                least = Some((rank, key.clone()));
            }
        }
        if let (OF_ONE_NETWORK.., Some((_, key))) = (rows, least) {
            self.rows.remove(&key);
        }
    }

    fn make_room(&mut self) {
        let now = self.now;
        let mut ranks: Vec<_> =
            self.rows.iter().map(|(key, row)| (row.rank(now), row.counts(), key)).collect();
        ranks.sort_unstable_by(|a, b| b.cmp(a));
        let mut counts = 0;
        let kept = |(rank, of_row, _): &&((bool, u64, i64), usize, &String)| {
            counts += of_row;
            rank.0 && counts <= COUNTS
        };
        let gone: Vec<String> = {
            let keep = ranks.iter().take_while(kept).count().min(ROWS);
            ranks[keep..].iter().map(|(_, _, key)| (*key).clone()).collect()
        };
        for key in gone {
            self.rows.remove(&key);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }
}

impl Row {
    /// How many failures.
    pub(super) fn total(&self) -> u64 {
        self.0.iter().map(Part::total).sum()
    }

    /// How many under `name`.
    pub(super) fn of(&self, name: &str) -> u64 {
        self.0.iter().filter(|part| part.name == name).map(Part::total).sum()
    }

    /// Under how many names; what is counted together counts as one.
    pub(super) fn parts(&self) -> usize {
        self.0.len()
    }

    /// The second of the first failure.
    pub(super) fn first(&self) -> i64 {
        self.0.iter().map(|part| part.first).min().unwrap_or_default()
    }

    /// The second of the last failure.
    pub(super) fn last(&self) -> i64 {
        self.0.iter().map(|part| part.last).max().unwrap_or_default()
    }

    /// Names that are accounts, most failures first.
    pub(super) fn accounts(&self) -> Vec<String> {
        let mut parts: Vec<&Part> = self.0.iter().filter(|part| part.is_account).collect();
        parts.sort_by_key(|part| (std::cmp::Reverse(part.total()), &part.name));
        parts.into_iter().map(|part| part.name.clone()).take(super::NAMES).collect()
    }

    /// Only what stands under `name`, as failures of `user`.
    pub(super) fn only(mut self, name: &str, user: &str) -> Self {
        self.0.retain(|part| part.name == name && !name.is_empty());
        for part in &mut self.0 {
            part.name = user.to_owned();
            part.is_account = true;
        }
        self
    }

    /// Count everything that `other` counts too.
    pub(super) fn merge(&mut self, other: Self) {
        for part in other.0 {
            match self.0.iter_mut().find(|own| own.name == part.name) {
                Some(own) => own.merge(part),
                None => self.0.push(part),
            }
        }
    }

    fn add(&mut self, name: &str, is_account: bool, count: u32, at: i64) {
        let part = Part {
            name: name.to_owned(),
            is_account,
            counts: vec![(at.div_euclid(SLOT), count)],
            first: at,
            last: at,
        };
        self.merge(Self(vec![part]));
        let newest = self.last();
        self.keep(newest - DAY, newest);
    }

    /// Of too many names those with the fewest failures are counted together.
    fn fold(&mut self) {
        if self.0.len() <= PARTS {
            return;
        }
        self.0.sort_by_key(|part| std::cmp::Reverse((part.name.is_empty(), part.total(), part.last)));
        for mut part in self.0.split_off(PARTS - 1) {
            part.name.clear();
            part.is_account = false;
            self.merge(Self(vec![part]));
        }
    }

    /// Only what failed from the second `from` to `until`, to within a slot.
    fn keep(&mut self, from: i64, until: i64) {
        for part in &mut self.0 {
            part.counts.retain(|(slot, _)| start(slot.saturating_add(1)) > from && start(*slot) <= until);
            let begin = part.counts.first().map_or(0, |(slot, _)| start(*slot));
            part.first = part.first.max(begin);
        }
        self.0.retain(|part| !part.counts.is_empty());
    }

    fn counts(&self) -> usize {
        self.0.iter().map(|part| part.counts.len()).sum()
    }

    /// What is worth more is higher.
    fn rank(&self, now: i64) -> (bool, u64, i64) {
        let last = self.last();
        (last > now - DAY - SLOT, self.total(), last)
    }
}

impl Part {
    fn total(&self) -> u64 {
        self.counts.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    fn merge(&mut self, other: Self) {
        for (slot, count) in other.counts {
            match self.counts.binary_search_by_key(&slot, |(slot, _)| *slot) {
                Ok(at) => self.counts[at].1 = self.counts[at].1.saturating_add(count),
                Err(at) => self.counts.insert(at, (slot, count)),
            }
        }
        self.is_account |= other.is_account;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// The second at which a slot begins.
fn start(slot: i64) -> i64 {
    slot.saturating_mul(SLOT)
}
