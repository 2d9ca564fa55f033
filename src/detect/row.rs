//! What stands under one key of a [`super::table`]: failures of a day by name, in slots of time.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize, Serializer};
use smallvec::{SmallVec, smallvec};

use super::key::Key;
use super::room::allocated;

/// Names that are told apart under one key; what is beyond is counted together.
pub(super) const PARTS: usize = 16;
/// Seconds that a failure is before a login at most, if it may speak against it: a day, to within a slot.
pub(crate) const REACH: i64 = crate::journal::marks::REACH as i64;
const DAY: i64 = 86_400;
/// Seconds of one count.
const SLOT: i64 = REACH - DAY;

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
    /// In order: number of the slot in time, failures in it.
    counts: SmallVec<[(Slot, u32); 2]>,
    first: i64,
    last: i64,
}

/// The number of a slot in time; of each second that a time can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "i64")]
struct Slot(i32);

impl From<i64> for Slot {
    fn from(number: i64) -> Self {
        let most = if number < 0 { i32::MIN } else { i32::MAX };
        Self(i32::try_from(number).unwrap_or(most))
    }
}

impl Slot {
    /// That of the second `at`.
    fn of(at: i64) -> Self {
        at.div_euclid(SLOT).into()
    }

    /// The second at which it begins.
    fn start(self) -> i64 {
        i64::from(self.0) * SLOT
    }

    /// Whether something in it is of the day before the second `until`.
    fn is_within_a_day(self, until: i64) -> bool {
        self.start() + SLOT > until.saturating_sub(DAY) && self.start() <= until
    }
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
        (&self.name, self.is_account, &self.counts, self.first, self.last).serialize(serializer)
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
        self.parts.iter().map(|part| part.first).min().unwrap_or_default()
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

    /// What failed in the day before the second `at`.
    pub(super) fn within_a_day(&self, at: i64) -> Self {
        let mut row = self.clone();
        row.keep(at);
        row.sum_up();
        row
    }

    /// The same of what stands under `name` alone, as failures of `user`.
    pub(super) fn only_within_a_day(&self, name: &Key, user: &str, at: i64) -> Self {
        let of_it = self.parts.iter().filter(|part| part.name == *name && !name.is_empty());
        let as_of_user = |part: &Part| Part { name: user.into(), is_account: true, ..part.clone() };
        Self { parts: of_it.map(as_of_user).collect(), ..Self::default() }.within_a_day(at)
    }

    /// Count everything that `other` counts too.
    pub(super) fn merge(&mut self, other: Self) {
        other.parts.into_iter().for_each(|part| self.merge_part(part));
        self.sum_up();
    }

    /// `count` failures under `name` at the second `at`.
    pub(super) fn add(&mut self, name: &Key, is_account: bool, count: u32, at: i64) {
        // In the newest slot nothing becomes too old.
        let is_newest = self.parts.is_empty() || Slot::of(at) == Slot::of(self.last);
        match self.parts.iter_mut().find(|part| part.name == *name) {
            Some(part) => {
                let counts = part.counts.len();
                self.total += u64::from(part.add(is_account, count, at));
                self.counts += (part.counts.len() - counts) as u32;
                self.last = self.last.max(part.last);
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

    /// The failures under `name` were none.
    pub(super) fn take_back(&mut self, name: &str) {
        self.parts.retain(|part| !part.is_of(name) || name.is_empty());
        self.sum_up();
    }

    /// `count` of the failures under `name` at the second `at` are counted elsewhere.
    pub(super) fn subtract(&mut self, name: &str, count: u32, at: i64) {
        let slot = Slot::of(at);
        for part in self.parts.iter_mut().filter(|part| part.is_of(name)) {
            let of_slot = part.counts.iter_mut().filter(|(of, _)| *of == slot);
            of_slot.for_each(|(_, counted)| *counted = counted.saturating_sub(count));
            part.counts.retain(|&mut (_, counted)| counted > 0);
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
            let Some((least, _)) = named.min_by_key(|(_, part)| (part.total(), part.last)) else { break };
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
        for part in &mut self.parts {
            part.counts.retain(|&mut (slot, _)| slot.is_within_a_day(until));
            let begin = part.counts.first().map_or(0, |(slot, _)| slot.start());
            part.first = part.first.max(begin);
        }
        self.parts.retain(|part| !part.counts.is_empty());
    }
}

impl Part {
    fn new(name: &Key, is_account: bool, count: u32, at: i64) -> Self {
        Self { name: name.clone(), is_account, counts: smallvec![(Slot::of(at), count)], first: at, last: at }
    }

    fn is_of(&self, name: &str) -> bool {
        self.name.bytes() == name.as_bytes()
    }

    fn total(&self) -> u64 {
        self.counts.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    fn heap(&self) -> usize {
        let counts = &self.counts;
        let own = if counts.spilled() { allocated::<(Slot, u32)>(counts.capacity()) } else { 0 };
        own + allocated::<u8>(self.name.heap())
    }

    /// `count` failures at the second `at`; gives how many more that are.
    fn add(&mut self, is_account: bool, count: u32, at: i64) -> u32 {
        self.is_account |= is_account;
        self.first = self.first.min(at);
        self.last = self.last.max(at);
        self.add_in(Slot::of(at), count)
    }

    fn merge(&mut self, other: &Self) {
        for (slot, count) in &other.counts {
            self.add_in(*slot, *count);
        }
        self.is_account |= other.is_account;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }

    /// `count` failures in `slot`; gives how many more that are.
    fn add_in(&mut self, slot: Slot, count: u32) -> u32 {
        let of_slot = self.of_slot(slot);
        let before = *of_slot;
        *of_slot = before.saturating_add(count);
        *of_slot - before
    }

    /// The failures in `slot`.
    fn of_slot(&mut self, slot: Slot) -> &mut u32 {
        let at = self.counts.binary_search_by_key(&slot, |(slot, _)| *slot).unwrap_or_else(|at| {
            self.counts.insert(at, (slot, 0));
            at
        });
        &mut self.counts[at].1
    }
}

/// Whether a failure at the second `at` counts for a login at the second `login`: it was before, and not too long.
pub(super) fn speaks(at: i64, login: i64) -> bool {
    at <= login && Slot::of(at).is_within_a_day(login)
}
