//! Failures of the last day, counted by a key and within it by a second name, in bounded memory.
//!
//! What an attacker would want is that his own row is forgotten. There is nothing to collide with, as keys are kept
//! themselves, in order, not as hashes. When there are too many rows those go that failed least (of equals those that
//! failed longest ago), a whole lot at once. So to push out a row that failed N times it takes [`ROWS`] others
//! that failed N times each, within a day; and from the networks of others, since one network (/16, of IPv6 /48) has
//! [`OF_ONE_NETWORK`] rows, a few more between two looks, which give way among themselves. A source and its account are counted in two
//! tables: who floods the one with sources does not reach the other, which has as many rows as there are accounts.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

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
    rows: BTreeMap<CompactString, Row>,
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
    pub(super) fn add(&mut self, key: &str, name: &str, is_account: bool, count: u32, at: i64) {
        self.now = self.now.max(at);
        if let Some(row) = self.rows.get_mut(key) {
            row.add(name, is_account, count, at);
        } else {
            // What has no network is one of its own.
            if network(key).len() < key.len() {
                self.make_room_in(network(key));
            }
            self.rows.entry(key.into()).or_default().add(name, is_account, count, at);
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
    pub(super) fn within_a_day(&self, key: &str, at: i64) -> Row {
        self.rows.get(key).map_or_else(Row::default, |row| row.within_a_day(at))
    }

    /// The failures of `key` under `name` were none.
    pub(super) fn take_back(&mut self, key: &str, name: &str) {
        self.lessen(key, |row| row.take_back(name));
    }

    /// `count` of the failures of `key` under `name` at the second `at` are counted elsewhere.
    pub(super) fn subtract(&mut self, key: &str, name: &str, count: u32, at: i64) {
        self.lessen(key, |row| row.subtract(name, count, at));
    }

    fn lessen(&mut self, key: &str, lessen: impl FnOnce(&mut Row)) {
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
        let from = (Bound::Included(network), Bound::Unbounded);
        let of_it = self.rows.range::<str, _>(from).take_while(|(key, _)| key.starts_with(network));
        let mut order: Vec<_> = of_it.map(|(key, row)| (row.rank(self.now), key.clone())).collect();
        let rows = if order.len() < MOST { order.len() } else { OF_ONE_NETWORK };
        order.sort_unstable();
        order[..order.len() - rows].iter().for_each(|(_, key)| _ = self.rows.remove(key));
        if self.crowds.len() >= ROWS {
            self.crowds.clear();
        }
        self.crowds.insert(network.into(), rows + 1);
    }

    fn make_room(&mut self) {
        let now = self.now;
        self.rows.retain(|_, row| row.is_fresh(now));
        let mut order: Vec<_> =
            self.rows.iter().map(|(key, row)| (row.rank(now), row.counts(), key)).collect();
        if order.len() > ROWS {
            order.select_nth_unstable_by(ROWS, |a, b| b.cmp(a));
            order.truncate(ROWS);
        }
        if order.iter().map(|(_, counts, _)| counts).sum::<usize>() > COUNTS {
            order.sort_unstable_by(|a, b| b.cmp(a));
            let mut room = COUNTS;
            let fits = |(_, counts, _): &&(_, usize, _)| {
                let left = room.checked_sub(*counts);
                room = left.unwrap_or_default();
                left.is_some()
            };
            order.truncate(order.iter().take_while(fits).count());
        }
        let Some((rank, counts, key)) = order.into_iter().min() else { return self.rows.clear() };
        let (least, last) = ((rank, counts), key.clone());
        self.rows.retain(|key, row| ((row.rank(now), row.counts()), key) >= (least, &last));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }
}
