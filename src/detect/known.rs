//! From where each account came before.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize, Serializer};

use super::key::Key;
use super::late::Before;
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
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "BTreeMap<Key, BTreeMap<Key, Visit>>")]
pub(super) struct Known {
    /// By account; its sources one behind the other, as they are looked through at each login, and what is worth least
    /// first. What comes again mostly came a short time ago.
    visits: BTreeMap<Key, VecDeque<(Key, Visit)>>,
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
    /// it is compared at each login.
    fn rank(&self) -> i64 {
        // Seconds of some ten thousand years.
        const TIMES: i64 = 1 << 40;
        let first = 2 * i64::from(self.suspected.is_some()) + i64::from(self.proven);
        first * TIMES + self.last.clamp(-TIMES / 2, TIMES / 2 - 1)
    }
}

/// What goes first is lower; most are told apart by their rank.
fn worth((source, visit): &(Key, Visit)) -> (i64, &Key) {
    (visit.rank(), source)
}

fn place_in(visits: &VecDeque<(Key, Visit)>, source: &Key) -> Option<usize> {
    visits.iter().rposition(|(key, _)| key == source)
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
        self.in_order().serialize(serializer)
    }
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.in_order() == other.in_order()
    }
}

impl Known {
    fn of(mut visits: BTreeMap<Key, VecDeque<(Key, Visit)>>) -> Self {
        visits.retain(|_, visits| !visits.is_empty());
        visits.values_mut().for_each(|visits| {
            visits.make_contiguous().sort_unstable_by(|one, other| worth(one).cmp(&worth(other)));
            visits.shrink_to_fit();
        });
        Self { count: visits.values().map(VecDeque::len).sum(), visits }
    }

    fn in_order(&self) -> BTreeMap<&Key, BTreeMap<&Key, &Visit>> {
        let all = self.visits.iter().map(|(account, visits)| {
            let visits = visits.iter().map(|(source, visit)| (source, visit));
            (account, visits.collect())
        });
        all.collect()
    }

    /// Where among those of `account` the visit from `source` stands, as long as none is added: it is looked for once for
    /// each login.
    pub(super) fn place(&self, account: &Key, source: &Key) -> Option<usize> {
        place_in(self.visits.get(account)?, source)
    }

    /// The same, and from where `account` came before this login from `source`; if `proven`: as the module saw. What is at the
    /// machine itself is not asked.
    pub(super) fn before(
        &self,
        account: &Key,
        source: &Source,
        login: Login,
        proven: bool,
    ) -> (Option<usize>, Before) {
        let Some(visits) = self.visits.get(account) else { return (None, Before::default()) };
        let place = place_in(visits, source.key());
        let Some(of_it) = source.network() else { return (place, Before::default()) };
        let itself = place.and_then(|place| visits.get(place));
        if itself.is_some_and(|(_, visit)| visit.counts(login, proven)) {
            return (place, Before { address: true, network: true });
        }
        let beginning = source.key().beginning(of_it.len());
        let is_of_it = |key: &Key| beginning.is_of(key) && network(key) == of_it;
        let network = visits.iter().rev().any(|(key, visit)| is_of_it(key) && visit.counts(login, proven));
        (place, Before { address: false, network })
    }

    /// Whether a break-in from there was reported, later than all that failed; if `proven`: one that was proven.
    pub(super) fn is_reported(&self, account: &Key, source: &Key, proven: bool, last_failure: i64) -> bool {
        let then = |visit: &Visit| if proven { visit.proven_break_in } else { visit.suspected };
        let visits = self.visits.get(account);
        let visit = self.place(account, source).and_then(|place| visits?.get(place));
        visit.and_then(|(_, visit)| then(visit)).is_some_and(|then| then >= last_failure)
    }

    /// `account` came from `source`, whose visit stands at `place`.
    pub(super) fn came(
        &mut self,
        account: &Key,
        (source, place): (&Key, Option<usize>),
        proven: bool,
        at: i64,
    ) {
        self.visited(account, (source, place), at, |visit| visit.proven |= proven);
    }

    /// It came as who breaks in comes: the source does not become known by that.
    pub(super) fn suspect(
        &mut self,
        account: &Key,
        (source, place): (&Key, Option<usize>),
        proven: bool,
        at: i64,
    ) {
        self.visited(account, (source, place), at, |visit| {
            visit.suspected = visit.suspected.max(Some(at));
            if proven {
                visit.proven_break_in = visit.proven_break_in.max(Some(at));
            }
        });
    }

    /// `account` was there at the second `at`.
    fn visited(
        &mut self,
        account: &Key,
        (source, place): (&Key, Option<usize>),
        at: i64,
        note: impl FnOnce(&mut Visit),
    ) {
        let visits = match self.visits.get_mut(account) {
            Some(visits) => visits,
            None => self.visits.entry(account.clone()).or_default(),
        };
        let known = place.and_then(|place| visits.remove(place));
        self.count += usize::from(known.is_none());
        let (key, mut visit) =
            known.unwrap_or_else(|| (source.clone(), Visit { first: at, ..Visit::default() }));
        (visit.first, visit.last) = (visit.first.min(at), visit.last.max(at));
        note(&mut visit);
        let new = (key, visit);
        // Few are worth more than the last one: from where the account came that was suspected.
        let place = visits.iter().rposition(|other| worth(other) < worth(&new)).map_or(0, |last| last + 1);
        visits.insert(place, new);
        if visits.len() > OF_ONE_ACCOUNT {
            visits.pop_front();
            self.count -= 1;
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
        // Not all of them keep their places.
        *self = Self::of(std::mem::take(&mut self.visits));
    }

    /// Bytes that it takes beside itself.
    pub(super) fn heap(&self) -> usize {
        let sources = self.visits.values().flatten().map(|(source, _)| source);
        let texts = self.visits.keys().chain(sources).map(|text| allocated::<u8>(text.heap()));
        let visits = self.visits.values().map(|visits| allocated::<(Key, Visit)>(visits.capacity()));
        // A leaf of a map has room for eleven, and is half full at least where there are others.
        let leaves = self.visits.len().div_ceil(6) * allocated::<(Key, VecDeque<(Key, Visit)>)>(11);
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
        self.visits.values().map(VecDeque::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::draw::Draw;
    use super::*;
    use crate::event::Event;
    use crate::message::summary::tests::failure;

    fn source(rhost: &str) -> Source {
        Source::of(&Event { service: "su".into(), ruser: "bob".into(), ..failure(0, "root", rhost) }).unwrap()
    }

    #[test]
    fn of_one_account_the_visit_goes_that_is_worth_least_and_the_rest_is_what_it_was() {
        let mut draw = Draw(3);
        let account = Key::from("srv root");
        let (mut known, mut plain) = (Known::default(), BTreeMap::<Key, Visit>::new());
        for n in 0..20_000 {
            // Late ones too, and several in one second.
            let at = 100 * 86_400 + n / 3 - draw.below(50) as i64;
            let place = match draw.below(10) {
                0 => String::new(),
                1 => format!("host{}.example.org", draw.below(20)),
                2 => format!("2001:db8:{:x}:{:x}::1", draw.below(3), draw.below(9)),
                _ => format!("203.{}.113.{}", draw.below(3), draw.below(40)),
            };
            let source = source(&place);
            let proven = draw.below(4) == 0;
            let of_it = |key: &Key| source.network().is_some_and(|of_it| network(key) == of_it);
            let itself = plain.get(source.key()).filter(|_| source.network().is_some());
            let login = Login { at, end: at };
            let expected = Before {
                address: itself.is_some_and(|visit| visit.counts(login, proven)),
                network: plain.iter().any(|(key, visit)| of_it(key) && visit.counts(login, proven)),
            };
            let at_place = known.place(&account, source.key());
            let before = known.before(&account, &source, login, proven);
            assert_eq!(before, (at_place, expected), "{n} {place}");
            let new = Visit { first: at, ..Visit::default() };
            let visit = plain.entry(source.key().clone()).or_insert(new);
            (visit.first, visit.last) = (visit.first.min(at), visit.last.max(at));
            if draw.below(8) == 0 {
                visit.suspected = visit.suspected.max(Some(at));
                if proven {
                    visit.proven_break_in = visit.proven_break_in.max(Some(at));
                }
                known.suspect(&account, (source.key(), at_place), proven, at);
            } else {
                visit.proven |= proven;
                known.came(&account, (source.key(), at_place), proven, at);
            }
            if plain.len() > OF_ONE_ACCOUNT {
                let least = plain.iter().min_by_key(|(_, visit)| visit.rank()).unwrap().0.clone();
                plain.remove(&least);
            }
            if n % 5000 == 4999 {
                known.set_back(at - 100);
                for visit in plain.values_mut() {
                    (visit.first, visit.last) = (visit.first.min(at - 100), visit.last.min(at - 100));
                    visit.suspected = visit.suspected.map(|then| then.min(at - 100));
                    visit.proven_break_in = visit.proven_break_in.map(|then| then.min(at - 100));
                }
            }
            if n % 100 == 0 {
                let saved = serde_json::to_string(&known).unwrap();
                let all = BTreeMap::from([(&account, &plain)]);
                assert_eq!(saved, serde_json::to_string(&all).unwrap());
                assert!(serde_json::from_str::<Known>(&saved).unwrap() == known, "{n}");
                assert_eq!(known.count, plain.len());
            }
        }
    }
}
