//! What stands under one key of a [`super::table`]: failures of a day by name, in slots of time.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize, Serializer};
use smallvec::SmallVec;

use super::key::Key;
use super::room::allocated;
use super::spans::{Span, Spans, slot};

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
    counts: u32,
}

/// Failures under one key and name.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Part {
    /// Empty: names of no account, and what is too many.
    #[serde(default)]
    name: Key,
    /// The name is an account's of this machine.
    #[serde(default)]
    is_account: bool,
    counts: Spans,
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
        // One by one: what a `Vec` is made for stays beside the row.
        let mut row = Self { parts: parts.into_iter().collect(), ..Self::default() };
        row.sum_up();
        row
    }
}

impl Serialize for Part {
    /// Without the names of its fields: there are thousands.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.name, self.is_account, &self.counts).serialize(serializer)
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
        self.parts.iter().filter(|part| part.is_of(name)).map(Part::total).sum()
    }

    /// Under how many names; what is counted together counts as one.
    pub(super) fn parts(&self) -> usize {
        self.parts.len()
    }

    /// How many numbers are kept in it.
    pub(super) fn counts(&self) -> usize {
        self.counts as usize
    }

    /// When its failures were, of each name in the order of time.
    pub(super) fn spans(&self) -> impl Iterator<Item = Span> + '_ {
        self.parts.iter().flat_map(|part| part.counts.iter())
    }

    /// Bytes that it takes beside itself.
    pub(super) fn heap(&self) -> usize {
        let own = if self.parts.spilled() { allocated::<Part>(self.parts.capacity()) } else { 0 };
        own + self.parts.iter().map(Part::heap).sum::<usize>()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The second of the first failure.
    pub(super) fn first(&self) -> i64 {
        self.parts.iter().map(|part| part.counts.first()).min().unwrap_or_default()
    }

    /// The second of the last failure.
    pub(super) fn last(&self) -> i64 {
        self.last
    }

    /// Names that are accounts, most failures first.
    pub(super) fn accounts(&self) -> Vec<String> {
        let mut parts: Vec<&Part> = self.parts.iter().filter(|part| part.is_account).collect();
        parts.sort_by_key(|part| (Reverse(part.total()), &part.name));
        parts.into_iter().map(|part| (*part.name).to_owned()).take(super::NAMES).collect()
    }

    /// What failed in the day before a login.
    pub(super) fn before(&self, login: Login) -> Self {
        let mut row = self.clone();
        row.only(login);
        row
    }

    /// The same of what stands under `name` alone, as failures of `user`.
    pub(super) fn only_before(&self, name: &Key, user: &str, login: Login) -> Self {
        let of_it = self.parts.iter().filter(|part| part.name == *name && !name.is_empty());
        let as_of_user = |part: &Part| Part { name: user.into(), is_account: true, ..part.clone() };
        let mut row = Self { parts: of_it.map(as_of_user).collect(), ..Self::default() };
        // Mostly there is nothing.
        if !row.is_empty() {
            row.only(login);
        }
        row
    }

    /// Count everything that `other` counts too.
    pub(super) fn merge(&mut self, other: Self) {
        if other.is_empty() {
            return;
        }
        other.parts.into_iter().for_each(|part| self.merge_part(part));
        self.sum_up();
    }

    /// Count of each name as many as that of the two does that counts more.
    pub(super) fn merge_what_is_more(&mut self, other: Self) {
        if other.is_empty() {
            return;
        }
        for part in other.parts {
            match self.parts.iter_mut().find(|own| own.name == part.name) {
                Some(own) if own.total() < part.total() => *own = part,
                Some(_) => {}
                None => self.parts.push(part),
            }
        }
        self.sum_up();
    }

    /// `count` failures under `name` at the second `at`.
    pub(super) fn add(&mut self, name: &Key, is_account: bool, count: u32, at: i64) {
        // In the newest slot nothing becomes too old.
        let is_newest = self.parts.is_empty() || slot(at) == slot(self.last);
        match self.parts.iter_mut().find(|part| part.name == *name) {
            Some(part) => {
                let counts = part.counts.len();
                self.total += u64::from(part.add(is_account, count, at));
                self.counts += (part.counts.len() - counts) as u32;
                self.last = self.last.max(at);
            }
            None => {
                if self.parts.len() == PARTS {
                    // It is one too many, and for a moment.
                    self.parts.reserve_exact(1);
                }
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

    /// The failures under `name` in the day before a login were none. Those before that may speak against one of which a log
    /// tells only later.
    pub(super) fn take_back(&mut self, name: &str, login: Login) {
        let mut is_there = false;
        for part in self.parts.iter_mut().filter(|part| part.is_of(name) && !name.is_empty()) {
            part.counts.take_back(login);
            is_there = true;
        }
        // Mostly there is none.
        if is_there {
            self.drop_empty();
        }
    }

    /// `count` of the failures under `name` at the second `at` are counted elsewhere; how many of them are not here.
    pub(super) fn subtract(&mut self, name: &str, count: u32, at: i64) -> u32 {
        let of_name = self.parts.iter_mut().filter(|part| part.is_of(name));
        let left = of_name.fold(count, |left, part| part.counts.subtract(at, left));
        self.drop_empty();
        left
    }

    /// What is later than the second `now` was at that second.
    pub(super) fn set_back(&mut self, now: i64) {
        self.parts.iter_mut().for_each(|part| part.counts.set_back(now));
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
        self.parts.iter().map(|part| part.counts.last()).max().unwrap_or_default()
    }

    fn sum_up(&mut self) {
        self.total = self.parts.iter().map(Part::total).sum();
        self.count();
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
            let Some((least, _)) = named.min_by_key(|(_, part)| (part.total(), part.counts.last())) else {
                break;
            };
            let part = self.parts.swap_remove(least);
            self.merge_part(Part { name: Key::default(), is_account: false, ..part });
        }
        self.count();
    }

    fn count(&mut self) {
        self.counts = self.parts.iter().map(|part| part.counts.len() as u32).sum();
    }

    /// Only what failed in the day before the second `until`, to within a slot.
    fn keep(&mut self, until: i64) {
        self.parts.iter_mut().for_each(|part| part.counts.within_a_day(until));
        self.parts.retain(|part| !part.counts.is_empty());
    }

    /// Only what failed at the second `end` or before.
    fn until(&mut self, end: i64) {
        self.parts.iter_mut().for_each(|part| part.counts.until(end));
        self.parts.retain(|part| !part.counts.is_empty());
    }

    /// Only what failed in the day before a login.
    fn only(&mut self, login: Login) {
        self.keep(login.at);
        self.until(login.end);
        self.sum_up();
    }

    fn drop_empty(&mut self) {
        self.parts.retain(|part| !part.counts.is_empty());
        self.sum_up();
    }
}

impl Part {
    fn new(name: &Key, is_account: bool, count: u32, at: i64) -> Self {
        Self { name: name.clone(), is_account, counts: Spans::new(at, count) }
    }

    fn is_of(&self, name: &str) -> bool {
        self.name.bytes() == name.as_bytes()
    }

    fn total(&self) -> u64 {
        self.counts.total()
    }

    fn heap(&self) -> usize {
        self.counts.heap() + allocated::<u8>(self.name.heap())
    }

    /// `count` failures at the second `at`; gives how many more that are.
    fn add(&mut self, is_account: bool, count: u32, at: i64) -> u32 {
        self.is_account |= is_account;
        self.counts.add(at, count)
    }

    fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
        self.is_account |= other.is_account;
    }
}
