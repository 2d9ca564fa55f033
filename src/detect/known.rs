//! From where each account came before.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::key::Key;
use super::room::allocated;
use super::row::Login;
use super::source::{Source, network};

/// Seconds for which a source stays known after the last login from there: 90 days.
pub(super) const KEPT: i64 = 90 * 86_400;
/// Of one account; beyond it the one goes from which it came longest ago.
const OF_ONE_ACCOUNT: usize = 64;
/// Of all accounts together.
const OF_ALL: usize = 4096;

/// From where each account came before.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "BTreeMap<Key, BTreeMap<Key, Visit>>")]
pub(super) struct Known {
    /// By account; its sources in their order, one behind the other, as they are looked through at each login.
    visits: BTreeMap<Key, Vec<(Key, Visit)>>,
    /// How many there are.
    count: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Visit {
    /// The seconds of the first login and of the last.
    first: i64,
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
    fn counts(&self, login: Login, proven: bool) -> bool {
        let is_before = self.first <= login.end && self.last > login.at - KEPT;
        self.suspected.is_none() && is_before && (self.proven || !proven)
    }

    /// What is worth more is higher; first what is suspected, then what is proven, then what came last. As one number, as
    /// one of many is looked for at a login from a new source.
    fn rank(&self) -> i64 {
        // Seconds of some ten thousand years.
        const TIMES: i64 = 1 << 40;
        let first = 2 * i64::from(self.suspected.is_some()) + i64::from(self.proven);
        first * TIMES + self.last.clamp(-TIMES / 2, TIMES / 2 - 1)
    }
}

impl From<BTreeMap<Key, BTreeMap<Key, Visit>>> for Known {
    fn from(visits: BTreeMap<Key, BTreeMap<Key, Visit>>) -> Self {
        Self::of(
            visits.into_iter().map(|(account, visits)| (account, visits.into_iter().collect())).collect(),
        )
    }
}

impl Serialize for Known {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.visits.iter().map(|(account, visits)| {
            let visits = visits.iter().map(|(source, visit)| (source, visit));
            (account, visits.collect::<BTreeMap<&Key, &Visit>>())
        }))
    }
}

impl Known {
    fn of(mut visits: BTreeMap<Key, Vec<(Key, Visit)>>) -> Self {
        visits.retain(|_, visits| !visits.is_empty());
        visits.values_mut().for_each(Vec::shrink_to_fit);
        Self { count: visits.values().map(Vec::len).sum(), visits }
    }

    /// Whether `account` came from `source` before this login; if `proven`: as the module saw.
    pub(super) fn address(&self, account: &Key, source: &Key, login: Login, proven: bool) -> bool {
        self.visit(account, source).is_some_and(|visit| visit.counts(login, proven))
    }

    /// Whether it came from the network of `source` before.
    pub(super) fn network(&self, account: &Key, source: &Source, login: Login, proven: bool) -> bool {
        let (Some(of_it), Some(visits)) = (source.network(), self.visits.get(account)) else { return false };
        let first = Key::from(of_it);
        let nearest = visits.iter().skip(visits.partition_point(|(key, _)| *key < first));
        let nearest = nearest.take_while(|(key, _)| key.starts_with(of_it));
        nearest.filter(|(key, _)| network(key) == of_it).any(|(_, visit)| visit.counts(login, proven))
    }

    /// Whether a break-in from there was reported, later than all that failed; if `proven`: one that was proven.
    pub(super) fn is_reported(&self, account: &Key, source: &Key, proven: bool, last_failure: i64) -> bool {
        let then = |visit: &Visit| if proven { visit.proven_break_in } else { visit.suspected };
        self.visit(account, source).and_then(then).is_some_and(|then| then >= last_failure)
    }

    /// `account` came from `source`.
    pub(super) fn came(&mut self, account: &Key, source: &Key, proven: bool, at: i64) {
        let before = self.count;
        self.visit_mut(account, source, at).proven |= proven;
        self.make_room(account, before, at);
    }

    /// It came as who breaks in comes: the source does not become known by that.
    pub(super) fn suspect(&mut self, account: &Key, source: &Key, proven: bool, at: i64) {
        let before = self.count;
        let visit = self.visit_mut(account, source, at);
        visit.suspected = visit.suspected.max(Some(at));
        if proven {
            visit.proven_break_in = visit.proven_break_in.max(Some(at));
        }
        self.make_room(account, before, at);
    }

    fn visit(&self, account: &Key, source: &Key) -> Option<&Visit> {
        let visits = self.visits.get(account)?;
        place(visits, source).ok().map(|at| &visits[at].1)
    }

    /// The visit of a login at the second `at`.
    fn visit_mut(&mut self, account: &Key, source: &Key, at: i64) -> &mut Visit {
        let visits = self.visits.entry(account.clone()).or_default();
        let place = place(visits, source).unwrap_or_else(|place| {
            self.count += 1;
            visits.insert(place, (source.clone(), Visit { first: at, ..Visit::default() }));
            place
        });
        let visit = &mut visits[place].1;
        (visit.first, visit.last) = (visit.first.min(at), visit.last.max(at));
        visit
    }

    /// There were `before`, and may be one more.
    fn make_room(&mut self, account: &Key, before: usize, at: i64) {
        if self.count == before {
            return;
        }
        if let Some(visits) = self.visits.get_mut(account) {
            if visits.len() > OF_ONE_ACCOUNT {
                let least = visits.iter().enumerate().min_by_key(|(_, (_, visit))| visit.rank());
                if let Some((at, _)) = least {
                    visits.remove(at);
                    self.count -= 1;
                }
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
            if let Some(visits) = visits.get_mut(account) {
                visits.retain(|(known, _)| known != key);
            }
        }
        *self = Self::of(visits);
    }

    /// What is too long ago at the second `at` goes.
    pub(super) fn forget_before(&mut self, at: i64) {
        let mut visits = std::mem::take(&mut self.visits);
        visits.values_mut().for_each(|visits| visits.retain(|(_, visit)| visit.last > at - KEPT));
        *self = Self::of(visits);
    }

    /// What is later than the second `now` was at that second.
    pub(super) fn set_back(&mut self, now: i64) {
        for (_, visit) in self.visits.values_mut().flatten() {
            (visit.first, visit.last) = (visit.first.min(now), visit.last.min(now));
            visit.suspected = visit.suspected.map(|then| then.min(now));
            visit.proven_break_in = visit.proven_break_in.map(|then| then.min(now));
        }
    }

    /// Bytes that it takes beside itself.
    pub(super) fn heap(&self) -> usize {
        let sources = self.visits.values().flatten().map(|(source, _)| source);
        let texts = self.visits.keys().chain(sources).map(|text| allocated::<u8>(text.heap()));
        let visits = self.visits.values().map(|visits| allocated::<(Key, Visit)>(visits.capacity()));
        // A leaf of a map has room for eleven, and is half full at least where there are others.
        let leaves = self.visits.len().div_ceil(6) * allocated::<(Key, Vec<(Key, Visit)>)>(11);
        leaves + texts.chain(visits).sum::<usize>()
    }

    /// What is worth least goes, until the rest takes at most so many bytes.
    pub(super) fn shrink_to(&mut self, bytes: usize, at: i64) {
        while self.heap() > bytes {
            self.keep_most(self.count.saturating_mul(bytes) / self.heap(), at);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.visits.values().map(Vec::len).sum()
    }
}

/// Where the visit from `source` stands, or would.
fn place(visits: &[(Key, Visit)], source: &Key) -> Result<usize, usize> {
    visits.binary_search_by(|(key, _)| key.cmp(source))
}
