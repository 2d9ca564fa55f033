//! From where each account came before.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::key::Key;
use super::room::allocated;
use super::source::{Source, network};

/// Seconds for which a source stays known after the last login from there: 90 days.
pub(super) const KEPT: i64 = 90 * 86_400;
/// Of one account; beyond it the one goes from which it came longest ago.
const OF_ONE_ACCOUNT: usize = 64;
/// Of all accounts together.
const OF_ALL: usize = 4096;

/// From where each account came before.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "Visits")]
pub(super) struct Known {
    visits: Visits,
    /// How many there are.
    count: usize,
}

/// By account and source.
type Visits = BTreeMap<Key, BTreeMap<Key, Visit>>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Visit {
    /// The second of the last login.
    last: i64,
    /// The module saw one.
    proven: bool,
    /// The second of a break-in from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    suspected: Option<i64>,
    /// The same of one that is proven: no line of a log can make that one reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    proven_break_in: Option<i64>,
}

impl Visit {
    fn counts(&self, at: i64, proven: bool) -> bool {
        self.suspected.is_none() && self.last > at - KEPT && (self.proven || !proven)
    }

    /// What is worth more is higher; first what is suspected, then what is proven, then what came last. As one number, as
    /// one of many is looked for at a login from a new source.
    fn rank(&self) -> i128 {
        let first = 2 * i128::from(self.suspected.is_some()) + i128::from(self.proven);
        (first << 64) + i128::from(self.last)
    }
}

impl From<Visits> for Known {
    fn from(visits: Visits) -> Self {
        Self { count: visits.values().map(BTreeMap::len).sum(), visits }
    }
}

impl Serialize for Known {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.visits.serialize(serializer)
    }
}

impl Known {
    /// Whether `account` came from `source` before; if `proven`: as the module saw.
    pub(super) fn address(&self, account: &Key, source: &Key, at: i64, proven: bool) -> bool {
        self.visit(account, source).is_some_and(|visit| visit.counts(at, proven))
    }

    /// Whether it came from the network of `source` before.
    pub(super) fn network(&self, account: &Key, source: &Source, at: i64, proven: bool) -> bool {
        let (Some(of_it), Some(visits)) = (source.network(), self.visits.get(account)) else { return false };
        let nearest = visits.range(Key::from(of_it)..).take_while(|(key, _)| key.starts_with(of_it));
        nearest.filter(|(key, _)| network(key) == of_it).any(|(_, visit)| visit.counts(at, proven))
    }

    /// Whether a break-in from there was reported, later than all that failed; if `proven`: one that was proven.
    pub(super) fn is_reported(&self, account: &Key, source: &Key, proven: bool, last_failure: i64) -> bool {
        let then = |visit: &Visit| if proven { visit.proven_break_in } else { visit.suspected };
        self.visit(account, source).and_then(then).is_some_and(|then| then >= last_failure)
    }

    /// `account` came from `source`.
    pub(super) fn came(&mut self, account: &Key, source: &Key, proven: bool, at: i64) {
        let before = self.count;
        let visit = self.visit_mut(account, source);
        visit.last = visit.last.max(at);
        visit.proven |= proven;
        self.make_room(account, before, at);
    }

    /// It came as who breaks in comes: the source does not become known by that.
    pub(super) fn suspect(&mut self, account: &Key, source: &Key, proven: bool, at: i64) {
        let before = self.count;
        let visit = self.visit_mut(account, source);
        visit.last = visit.last.max(at);
        visit.suspected = visit.suspected.max(Some(at));
        if proven {
            visit.proven_break_in = visit.proven_break_in.max(Some(at));
        }
        self.make_room(account, before, at);
    }

    fn visit(&self, account: &Key, source: &Key) -> Option<&Visit> {
        self.visits.get(account)?.get(source)
    }

    fn visit_mut(&mut self, account: &Key, source: &Key) -> &mut Visit {
        let visits = self.visits.entry(account.clone()).or_default();
        visits.entry(source.clone()).or_insert_with(|| {
            self.count += 1;
            Visit::default()
        })
    }

    /// There were `before`, and may be one more.
    fn make_room(&mut self, account: &Key, before: usize, at: i64) {
        if self.count == before {
            return;
        }
        if let Some(visits) = self.visits.get_mut(account) {
            if visits.len() > OF_ONE_ACCOUNT {
                let least = visits.iter().min_by_key(|(_, visit)| visit.rank()).map(|(key, _)| key.clone());
                self.count -= usize::from(least.and_then(|key| visits.remove(&key)).is_some());
            }
        }
        if self.count > OF_ALL {
            // An eighth at once, so that it costs little for each.
            self.keep_most(OF_ALL - OF_ALL / 8, at);
        }
    }

    /// So many stay, of those that are known yet at the second `at`.
    fn keep_most(&mut self, number: usize, at: i64) {
        self.forget_before(at);
        let all = self.visits.iter().flat_map(|(account, visits)| {
            visits.iter().map(move |(key, visit)| (visit.rank(), account.clone(), key.clone()))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_unstable();
        let mut visits = std::mem::take(&mut self.visits);
        for (_, account, key) in all.iter().take(all.len().saturating_sub(number)) {
            visits.get_mut(account).and_then(|visits| visits.remove(key));
        }
        visits.retain(|_, visits| !visits.is_empty());
        *self = visits.into();
    }

    /// What is too long ago at the second `at` goes.
    pub(super) fn forget_before(&mut self, at: i64) {
        let mut visits = std::mem::take(&mut self.visits);
        visits.values_mut().for_each(|visits| visits.retain(|_, visit| visit.last > at - KEPT));
        visits.retain(|_, visits| !visits.is_empty());
        *self = visits.into();
    }

    /// Bytes that it takes beside itself.
    pub(super) fn heap(&self) -> usize {
        // A leaf of a map has room for eleven, and is half full at least where there are others.
        let leaves = |number: usize| number.div_ceil(6);
        let texts = self.visits.iter().flat_map(|(account, visits)| visits.keys().chain([account]));
        texts.map(|text| allocated::<u8>(text.heap())).sum::<usize>()
            + leaves(self.visits.len()) * allocated::<(Key, BTreeMap<Key, Visit>)>(11)
            + self
                .visits
                .values()
                .map(|visits| leaves(visits.len()) * allocated::<(Key, Visit)>(11))
                .sum::<usize>()
    }

    /// What is worth least goes, until the rest takes at most so many bytes.
    pub(super) fn shrink_to(&mut self, bytes: usize, at: i64) {
        while self.heap() > bytes {
            self.keep_most(self.count.saturating_mul(bytes) / self.heap(), at);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.visits.values().map(BTreeMap::len).sum()
    }
}
