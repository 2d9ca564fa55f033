//! What stands under one key of a [`super::table`]: failures of a day by name, in slots of time.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize, Serializer};
use smallvec::SmallVec;

use super::key::Key;
use super::spans::Spans;

/// Names that are told apart under one key; what is beyond is counted together.
pub(super) const PARTS: usize = 16;
/// Seconds that a failure is before a login at most, if it may speak against it: a day, to within a slot.
pub(crate) const REACH: i64 = crate::journal::marks::REACH as i64;
pub(super) const DAY: i64 = 86_400;
/// Seconds of which nothing is forgotten before the rest is.
pub(super) const SLOT: i64 = REACH - DAY;

/// Failures under one key, told apart by at most [`PARTS`] names.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "Vec<Part>")]
pub(super) struct Row {
    /// Most rows of a flood have one.
    parts: SmallVec<[Part; 1]>,
    // What the parts are together: rows are compared for each new source of a flood.
    total: u64,
    last: i64,
    counts: usize,
}

/// Failures under one key and name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Part {
    /// Empty: names of no account, and what is too many.
    #[serde(default, skip_serializing_if = "Key::is_empty")]
    name: Key,
    /// The name is an account's of this machine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_account: bool,
    counts: Spans,
    first: i64,
    last: i64,
    /// The sum of `counts`.
    #[serde(skip)]
    total: u64,
}

/// A login, as failures count for it.
#[derive(Clone, Copy)]
pub(super) struct Login {
    /// Its second.
    pub(super) at: i64,
    /// What failed later than this second was after it.
    pub(super) end: i64,
}

impl From<Vec<Part>> for Row {
    fn from(parts: Vec<Part>) -> Self {
        let mut row = Self { parts: parts.into(), ..Self::default() };
        row.parts.iter_mut().for_each(Part::sum_up);
        row.sum_up();
        row
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.parts.serialize(serializer)
    }
}

impl Row {
    /// How many failures.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// How many under `name`.
    pub(super) fn of(&self, name: &str) -> u64 {
        self.parts.iter().filter(|part| *part.name == *name).map(|part| part.total).sum()
    }

    /// Under how many names; what is counted together counts as one.
    pub(super) fn parts(&self) -> usize {
        self.parts.len()
    }

    /// How many numbers are kept in it.
    pub(super) fn counts(&self) -> usize {
        self.counts
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The second of the first failure.
    pub(super) fn first(&self) -> i64 {
        self.parts.iter().map(|part| part.first).min().unwrap_or_default()
    }

    /// The second of the last failure.
    pub(super) fn last(&self) -> i64 {
        self.last
    }

    /// Names that are accounts, most failures first.
    pub(super) fn accounts(&self) -> Vec<String> {
        let mut parts: Vec<&Part> = self.parts.iter().filter(|part| part.is_account).collect();
        parts.sort_by_key(|part| (Reverse(part.total), &part.name));
        parts.into_iter().map(|part| (*part.name).to_owned()).take(super::NAMES).collect()
    }

    /// What failed in the day before a login.
    pub(super) fn before(&self, login: Login) -> Self {
        let mut row = self.clone();
        row.keep(login.at);
        row.until(login.end);
        row.sum_up();
        row
    }

    /// The same of what stands under `name` alone, as failures of `user`.
    pub(super) fn only_before(&self, name: &Key, user: &str, login: Login) -> Self {
        let of_it = self.parts.iter().filter(|part| part.name == *name && !name.is_empty());
        let as_of_user = |part: &Part| Part { name: user.into(), is_account: true, ..part.clone() };
        Self { parts: of_it.map(as_of_user).collect(), ..Self::default() }.before(login)
    }

    /// Count everything that `other` counts too.
    pub(super) fn merge(&mut self, other: Self) {
        other.parts.into_iter().for_each(|part| self.merge_part(part));
        self.sum_up();
    }

    /// `count` failures under `name` at the second `at`.
    pub(super) fn add(&mut self, name: &Key, is_account: bool, count: u32, at: i64) {
        // In the newest slot nothing becomes too old.
        let is_newest = self.parts.is_empty() || at.div_euclid(SLOT) == self.last.div_euclid(SLOT);
        match self.parts.iter_mut().find(|part| part.name == *name) {
            Some(part) => {
                let (total, counts) = (part.total, part.counts.len());
                part.add(is_account, count, at);
                self.total += part.total - total;
                self.counts += part.counts.len() - counts;
                self.last = self.last.max(part.last);
            }
            None => {
                self.parts.push(Part::new(name, is_account, count, at));
                self.counts += 1;
                self.total += u64::from(count);
                self.last = if self.parts.len() == 1 { at } else { self.last.max(at) };
                if is_newest {
                    self.fold();
                }
            }
        }
        if !is_newest {
            self.keep(self.newest());
            self.fold();
            self.sum_up();
        }
    }

    /// The failures under `name`, up to the second `end`, were none.
    pub(super) fn take_back(&mut self, name: &str, end: i64) {
        let of_it = self.parts.iter_mut().filter(|part| *part.name == *name && !name.is_empty());
        of_it.for_each(|part| {
            part.counts.after(end);
            part.first = part.first.max(part.counts.first());
            part.sum_up();
        });
        self.parts.retain(|part| !part.counts.is_empty());
        self.sum_up();
    }

    /// `count` of the failures under `name` at the second `at` are counted elsewhere.
    pub(super) fn subtract(&mut self, name: &str, count: u32, at: i64) {
        for part in self.parts.iter_mut().filter(|part| *part.name == *name) {
            part.counts.subtract(at, count);
            part.sum_up();
        }
        self.parts.retain(|part| !part.counts.is_empty());
        self.sum_up();
    }

    /// What is worth more is higher.
    pub(super) fn rank(&self, now: i64) -> (bool, u64, i64) {
        (self.is_fresh(now), self.total, self.last)
    }

    /// Whether something in it may be of the last day.
    pub(super) fn is_fresh(&self, now: i64) -> bool {
        self.last > now - REACH
    }

    fn newest(&self) -> i64 {
        self.parts.iter().map(|part| part.last).max().unwrap_or_default()
    }

    fn sum_up(&mut self) {
        self.total = self.parts.iter().map(|part| part.total).sum();
        self.counts = self.parts.iter().map(|part| part.counts.len()).sum();
        self.last = self.newest();
    }

    fn merge_part(&mut self, part: Part) {
        match self.parts.iter_mut().find(|own| own.name == part.name) {
            Some(own) => own.merge(&part),
            None => self.parts.push(part),
        }
    }

    /// Of too many names those with the fewest failures are counted together.
    fn fold(&mut self) {
        if self.parts.len() <= PARTS {
            return;
        }
        let has_rest = self.parts.iter().any(|part| part.name.is_empty());
        // One place is left, so that this is not done for each new name.
        let most = if has_rest { PARTS - 1 } else { PARTS };
        while self.parts.len() > most {
            let named = self.parts.iter().enumerate().filter(|(_, part)| !part.name.is_empty());
            let Some((least, _)) = named.min_by_key(|(_, part)| (part.total, part.last)) else { break };
            let part = self.parts.swap_remove(least);
            self.merge_part(Part { name: Key::default(), is_account: false, ..part });
        }
        self.counts = self.parts.iter().map(|part| part.counts.len()).sum();
    }

    /// Only what failed in the day before the second `until`, to within a slot.
    fn keep(&mut self, until: i64) {
        for part in &mut self.parts {
            part.counts.within_a_day(until);
            part.first = part.first.max(part.counts.first());
            part.sum_up();
        }
        self.parts.retain(|part| !part.counts.is_empty());
    }

    /// Only what failed at the second `end` or before.
    fn until(&mut self, end: i64) {
        for part in self.parts.iter_mut().filter(|part| part.last > end) {
            part.counts.until(end);
            part.last = part.counts.last();
            part.sum_up();
        }
        self.parts.retain(|part| !part.counts.is_empty());
    }
}

impl Part {
    fn new(name: &Key, is_account: bool, count: u32, at: i64) -> Self {
        Self {
            name: name.clone(),
            is_account,
            counts: Spans::new(at, count),
            first: at,
            last: at,
            total: count.into(),
        }
    }

    fn sum_up(&mut self) {
        self.total = self.counts.total();
    }

    /// `count` failures at the second `at`.
    fn add(&mut self, is_account: bool, count: u32, at: i64) {
        self.total += u64::from(self.counts.add(at, count));
        self.is_account |= is_account;
        self.first = self.first.min(at);
        self.last = self.last.max(at);
    }

    fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
        self.is_account |= other.is_account;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.sum_up();
    }
}
