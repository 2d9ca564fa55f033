//! From where each account came before.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::source::{Source, network};

/// Seconds for which a source stays known after the last login from there: 90 days.
pub(super) const KEPT: i64 = 90 * 86_400;
/// Of one account; beyond it the one goes from which it came longest ago.
const OF_ONE_ACCOUNT: usize = 64;
/// Of all accounts together.
const OF_ALL: usize = 4096;

/// From where each account came before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Known(BTreeMap<String, BTreeMap<String, Visit>>);

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

    /// What is worth more is higher.
    fn rank(&self) -> (bool, bool, i64) {
        (self.suspected.is_some(), self.proven, self.last)
    }
}

impl Known {
    /// Whether `account` came from `source` before; if `proven`: as the module saw.
    pub(super) fn address(&self, account: &str, source: &str, at: i64, proven: bool) -> bool {
        self.visit(account, source).is_some_and(|visit| visit.counts(at, proven))
    }

    /// Whether it came from the network of `source` before.
    pub(super) fn network(&self, account: &str, source: &Source, at: i64, proven: bool) -> bool {
        let of_it = |key: &String| source.network() == Some(network(key));
        self.0
            .get(account)
            .is_some_and(|visits| visits.iter().any(|(key, visit)| of_it(key) && visit.counts(at, proven)))
    }

    /// Whether a break-in from there was reported, later than all that failed; if `proven`: one that was proven.
    pub(super) fn is_reported(&self, account: &str, source: &str, proven: bool, last_failure: i64) -> bool {
        let then = |visit: &Visit| if proven { visit.proven_break_in } else { visit.suspected };
        self.visit(account, source).and_then(then).is_some_and(|then| then >= last_failure)
    }

    /// `account` came from `source`.
    pub(super) fn came(&mut self, account: &str, source: &str, proven: bool, at: i64) {
        let visit = self.visit_mut(account, source);
        visit.last = visit.last.max(at);
        visit.proven |= proven;
        self.make_room(account, at);
    }

    /// It came as who breaks in comes: the source does not become known by that.
    pub(super) fn suspect(&mut self, account: &str, source: &str, proven: bool, at: i64) {
        let visit = self.visit_mut(account, source);
        visit.last = visit.last.max(at);
        visit.suspected = visit.suspected.max(Some(at));
        if proven {
            visit.proven_break_in = visit.proven_break_in.max(Some(at));
        }
        self.make_room(account, at);
    }

    fn visit(&self, account: &str, source: &str) -> Option<&Visit> {
        self.0.get(account)?.get(source)
    }

    fn visit_mut(&mut self, account: &str, source: &str) -> &mut Visit {
        self.0.entry(account.to_owned()).or_default().entry(source.to_owned()).or_default()
    }

    fn make_room(&mut self, account: &str, at: i64) {
        if let Some(visits) = self.0.get_mut(account) {
            if visits.len() > OF_ONE_ACCOUNT {
                let least = visits.iter().min_by_key(|(_, visit)| visit.rank()).map(|(key, _)| key.clone());
                least.and_then(|key| visits.remove(&key));
            }
        }
        if self.0.values().map(BTreeMap::len).sum::<usize>() <= OF_ALL {
            return;
        }
        self.0.values_mut().for_each(|visits| visits.retain(|_, visit| visit.last > at - KEPT));
        let all = self.0.iter().flat_map(|(account, visits)| {
            visits.iter().map(move |(key, visit)| (visit.rank(), account.clone(), key.clone()))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_unstable();
        // An eighth at once, so that it costs little for each.
        for (_, account, key) in all.iter().take(all.len().saturating_sub(OF_ALL - OF_ALL / 8)) {
            self.0.get_mut(account).and_then(|visits| visits.remove(key));
        }
        self.0.retain(|_, visits| !visits.is_empty());
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }
}
