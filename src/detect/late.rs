//! Logins, for failures before them that become known only later: the scan reads its log once a minute, behind a guarded
//! service it waits for the module, and a member of a fleet may be away for days. What such a failure turns into a break-in
//! is found once.
//!
//! What an attacker would want is that his login is forgotten before it is known what it came after. So where an account is
//! in from the same source again within some hours, the later login stands for the one before, unless that took something
//! back: who logs in over and over pushes out little. Of more than [`REMEMBERED`] those go first that only a log tells of, then those
//! from where the account came before, and of the rest the oldest: a login from a new source that the module saw is
//! pushed out by so many later ones, each of an account from where it never came before.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use compact_str::CompactString;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, Serializer};
use smallvec::SmallVec;

use super::elsewhere::Elsewhere;
use super::key::Key;
use super::room::allocated;
use super::row::Login;
use super::source::Source;
use super::{Evidence, spans};
use crate::event::packed::Packed;
use crate::event::{Event, Route};

/// Logins that are remembered.
pub(super) const REMEMBERED: usize = 4096;
/// Seconds for which one is: what a member of a fleet tells that was away for longer comes too late.
pub(super) const KEPT: i64 = 7 * 86_400;
/// Of so many logins that one stands for it is known when they were.
const STOOD_FOR: usize = 16;

/// Logins that were no break-ins by what their own machine saw.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "BTreeMap<Key, Vec<Box<Judged>>>")]
pub(super) struct Late {
    /// By source.
    #[expect(clippy::vec_box, reason = "each is large, and those of a source are moved about at each login")]
    logins: BTreeMap<Key, Vec<Box<Judged>>>,
    count: usize,
    /// None of them was later: nearly each failure is.
    latest: Option<Timestamp>,
}

/// A failure that may have been before logins that are judged already.
#[derive(Clone, Copy)]
pub(super) struct Earlier<'a> {
    pub(super) event: &'a Event,
    pub(super) source: &'a Source,
    /// Its second.
    pub(super) at: i64,
    /// Seconds that the clock that it goes by may be ahead of that of the logins.
    pub(super) ahead: i64,
}

impl Earlier<'_> {
    /// Whether it was before this time.
    pub(super) fn is_before(self, time: Timestamp) -> bool {
        is_before(self.event.time, time, self.ahead)
    }
}

/// A login, and what it was judged by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Judged {
    pub(super) login: Packed,
    pub(super) at: i64,
    /// When the logins were that it stands for, in their order: at most [`STOOD_FOR`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<Timestamp>,
    /// What failed at its own machine.
    pub(super) evidence: Evidence,
    /// Of a member of a fleet: what failed at the hub, which is trusted as that machine is.
    #[serde(default, skip_serializing_if = "Evidence::is_empty")]
    pub(super) at_hub: Evidence,
    #[serde(default, skip_serializing_if = "Elsewhere::is_empty")]
    pub(super) elsewhere: Elsewhere,
    /// From where the account came before this login.
    pub(super) before: Before,
    /// It was a break-in by the word of each of these already: what they tell is not needed any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) told_by: Vec<CompactString>,
    /// It was one by the word of several: nothing of what others tell is needed any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_told: bool,
}

/// Who tells of a failure before a login, or of a login that takes it back.
#[derive(Clone, Copy)]
pub(super) enum Teller<'a> {
    /// The machine of the login.
    Itself,
    /// The hub, where that is a member of its fleet.
    Hub,
    /// Another member.
    Member(&'a str),
}

/// From where an account came before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Before {
    /// From this very address.
    pub(super) address: bool,
    /// From its network.
    pub(super) network: bool,
}

impl From<BTreeMap<Key, Vec<Box<Judged>>>> for Late {
    fn from(logins: BTreeMap<Key, Vec<Box<Judged>>>) -> Self {
        let mut late = Self { logins, ..Self::default() };
        late.retain(|_| true);
        late
    }
}

impl Serialize for Late {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.logins.serialize(serializer)
    }
}

impl Late {
    /// Remember a login from `source`, unless a later one stands for it.
    pub(super) fn remember(&mut self, source: &Key, mut judged: Judged) {
        let (at, time) = (judged.at, judged.login.time());
        // Nearly each login is the latest, which no other one stands for.
        let is_latest = self.latest < Some(time);
        self.latest = self.latest.max(Some(time));
        let of_source = self.logins.entry(source.clone()).or_default();
        // Most are of another time.
        let slot = spans::seconds_of_slot(at);
        let mut of_slot = of_source.iter_mut().filter(|other| slot.contains(&other.at));
        let mut standing = || of_slot.find(|other| other.stands_for(&judged));
        if let Some(other) = if is_latest { None } else { standing() } {
            other.stand_for(&mut judged);
            return;
        }
        let before = of_source.len();
        let (mut place, mut room) = (0, None);
        while let Some(other) = of_source.get(place) {
            if slot.contains(&other.at) && judged.stands_for(other) {
                let mut other = of_source.remove(place);
                judged.stand_for(&mut other);
                room = Some(other);
            } else {
                place += 1;
            }
        }
        of_source.reserve_exact(1);
        // In the memory of the one that it stands for, as nearly always: who is in over and over.
        of_source.push(match room {
            Some(mut room) => {
                *room = judged;
                room
            }
            None => Box::new(judged),
        });
        let is_one_more = of_source.len() > before;
        self.count = self.count + of_source.len() - before;
        // Now and then, so that it costs little for each.
        if is_one_more && self.count.is_power_of_two() {
            self.forget_before(at - KEPT);
        }
        if self.count > REMEMBERED {
            self.keep_most(REMEMBERED - REMEMBERED / 8);
        }
    }

    /// The logins that this failure of their source came before.
    pub(super) fn after(&mut self, failure: Earlier<'_>) -> impl Iterator<Item = &mut Judged> {
        let Earlier { event, source, at, ahead } = failure;
        let (time, is_any) = (event.time, self.latest.is_some_and(|latest| failure.is_before(latest)));
        let of_source = if is_any { self.logins.get_mut(source.key()) } else { None };
        of_source.into_iter().flatten().map(|judged| &mut **judged).filter(move |judged| {
            let login = Login { at: judged.at, end: judged.at.saturating_add(ahead) };
            is_before(time, judged.login.time(), ahead) && spans::speaks(at, login)
        })
    }

    /// When this failure was taken back, later than `after`, and by which login. One that stands for others did so at the
    /// first of them that was behind it.
    pub(super) fn taken_back_by(
        &mut self,
        failure: Earlier<'_>,
        after: Timestamp,
    ) -> Option<(Timestamp, Packed)> {
        let when = |judged: &Judged| {
            let mut each = judged.logins();
            each.find(|time| failure.is_before(*time) && *time > after).unwrap_or(judged.login.time())
        };
        let takes_back = self.after(failure).filter(|judged| judged.takes_back(failure.event));
        let first = takes_back.filter(|judged| when(judged) > after).min_by_key(|judged| when(judged))?;
        Some((when(first), first.login.clone()))
    }

    /// What failed from `source` before a login that a log tells of late, and was taken back by a later one.
    pub(super) fn taken_back(&self, login: &Event, source: &Key, moment: Login) -> Option<Evidence> {
        // Nearly each login is the latest.
        if login.route != Route::Log || self.latest <= Some(login.time) {
            return None;
        }
        let of_source = self.logins.get(source)?;
        let later = of_source.iter().filter(|judged| judged.login.time() > login.time);
        let mut all = Evidence::default();
        for judged in later.filter(|judged| judged.evidence.total() > 0) {
            // What came late speaks against each of them.
            all.merge_what_is_more(judged.evidence.taken_back_by(&judged.login, moment));
        }
        Some(all)
    }

    /// A login takes back what its account failed before by the word of who tells of both, also where that was told late and
    /// speaks against later logins already. What a machine saw itself is in order, but what a log told.
    pub(super) fn forgive(&mut self, login: &Event, source: &Key, teller: Teller<'_>, moment: Login) {
        let is_late = login.route == Route::Log || !matches!(teller, Teller::Itself);
        let is_any = is_late && self.latest > Some(login.time);
        let of_source = if is_any { self.logins.get_mut(source) } else { None };
        let later = of_source.into_iter().flatten().filter(|judged| judged.login.time() > login.time);
        later.for_each(|judged| match teller {
            Teller::Itself => judged.evidence.take_back(login, moment),
            Teller::Hub => judged.at_hub.take_back(login, moment),
            Teller::Member(name) => judged.elsewhere.take_back(name, login, moment),
        });
    }

    /// None of them was later.
    pub(super) fn latest(&self) -> Option<Timestamp> {
        self.latest
    }

    /// Bytes that it takes beside itself.
    pub(super) fn heap(&self) -> usize {
        let of_source = |logins: &Vec<Box<Judged>>| {
            let of_each = logins.iter().map(|judged| allocated::<Judged>(1) + judged.heap());
            allocated::<Box<Judged>>(logins.capacity()) + of_each.sum::<usize>()
        };
        let of_each =
            self.logins.iter().map(|(source, logins)| allocated::<u8>(source.heap()) + of_source(logins));
        // A leaf of a map has room for eleven, and is half full at least where there are others.
        self.logins.len().div_ceil(6) * allocated::<(Key, Vec<Box<Judged>>)>(11) + of_each.sum::<usize>()
    }

    /// What those told that are no members any more is forgotten.
    pub(super) fn forget_tellers(&mut self, is_member: &dyn Fn(&str) -> bool) {
        self.logins.values_mut().flatten().for_each(|judged| judged.elsewhere.keep(is_member));
    }

    /// Logins before the second `at` go.
    pub(super) fn forget_before(&mut self, at: i64) {
        self.retain(|judged| judged.at >= at);
    }

    /// Logins that a clock dated which was ahead of the second `now` go: of what comes nobody knows whether it was before
    /// them.
    pub(super) fn set_back(&mut self, now: i64) {
        let is_ahead = |login: Timestamp| spans::is_ahead(login.as_second(), now);
        if self.latest.is_some_and(is_ahead) {
            self.retain(|judged| !is_ahead(judged.login.time()));
        }
    }

    /// What is worth least goes, until the rest takes at most so many bytes.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        let mut heap = self.heap();
        while heap > bytes {
            self.keep_most((self.count.saturating_mul(bytes) / heap).min(self.count.saturating_sub(1)));
            heap = self.heap();
        }
    }

    /// What it was judged by is not needed any more.
    pub(super) fn forget(&mut self, login: &Packed) {
        self.retain(|judged| judged.login != *login);
    }

    fn keep_most(&mut self, number: usize) {
        let mut ranks: Vec<_> = self.logins.values().flatten().map(|judged| judged.rank()).collect();
        let out = ranks.len().saturating_sub(number);
        if out == 0 {
            return;
        }
        let last_out = *ranks.select_nth_unstable(out - 1).1;
        // Of equals some stay.
        let mut out = ranks[..out].iter().filter(|rank| **rank == last_out).count();
        self.retain(|judged| match judged.rank().cmp(&last_out) {
            Ordering::Less => false,
            Ordering::Equal if out > 0 => {
                out -= 1;
                false
            }
            _ => true,
        });
    }

    fn retain(&mut self, mut stays: impl FnMut(&Judged) -> bool) {
        self.logins.retain(|_, logins| {
            logins.retain(|judged| stays(judged));
            logins.shrink_to_fit();
            !logins.is_empty()
        });
        self.count = self.logins.values().map(Vec::len).sum();
        self.latest = self.logins.values().flatten().map(|judged| judged.login.time()).max();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.count
    }
}

impl Judged {
    /// Nobody has told anything of it yet.
    pub(super) fn new(
        (login, at): (&Event, i64),
        evidence: Evidence,
        at_hub: Evidence,
        elsewhere: Elsewhere,
        before: Before,
    ) -> Self {
        let (login, earlier, told_by) = (Packed::of(login), Vec::new(), Vec::new());
        Self { login, at, earlier, evidence, at_hub, elsewhere, before, told_by, is_told: false }
    }

    fn heap(&self) -> usize {
        allocated::<u8>(self.login.heap())
            + self.evidence.heap()
            + self.at_hub.heap()
            + self.elsewhere.heap()
            + allocated::<CompactString>(self.told_by.capacity())
            + allocated::<Timestamp>(self.earlier.capacity())
    }

    /// What goes last is higher.
    fn rank(&self) -> (bool, bool, i64) {
        (self.login.route() == Route::Pam, !self.before.address, self.at)
    }

    /// Whether whatever is to be said of `other` when failures before it become known is said of this one too, which is of
    /// the same account and source: they were before this one as well, in the day that counts for it, and it came after as
    /// many that are known.
    fn stands_for(&self, other: &Self) -> bool {
        let (one, earlier) = (&self.login, &other.login);
        other.at <= self.at
            && spans::slot(other.at) == spans::slot(self.at)
            && earlier.time() <= one.time()
            && (self.before, one.route()) == (other.before, earlier.route())
            && (one.user(), one.host()) == (earlier.user(), earlier.host())
            && one.is_claimed() == earlier.is_claimed()
            && (other.is_blank()
                || self.failures().into_iter().zip(other.failures()).all(|(one, other)| one >= other))
    }

    /// Whether nothing speaks against it.
    fn is_blank(&self) -> bool {
        self.own().total() == 0 && self.elsewhere.is_empty()
    }

    /// How many speak against it, for its account and for others: as the module, a log and other members tell.
    fn failures(&self) -> [u64; 6] {
        let (user, nothing) = (self.login.user(), Evidence::default());
        let (own, told) = (self.own(), self.elsewhere.with(&nothing));
        let Evidence { module, log } = &*own;
        let [own, all] =
            [[module.of(user), log.of(user), told.of(user)], [module.total(), log.total(), told.total()]];
        [own[0], own[1], own[2], all[0] - own[0], all[1] - own[1], all[2] - own[2]]
    }

    /// What its own machine saw, and the hub.
    pub(super) fn own(&self) -> Cow<'_, Evidence> {
        self.evidence.with(&self.at_hub)
    }

    /// The same as it speaks against the first login that it stands for, or else against the next, where that is enough: alone,
    /// or with what others tell.
    pub(super) fn own_that_speaks(
        &self,
        enough: u64,
        speaks: impl Fn(&Evidence) -> bool,
    ) -> Option<Evidence> {
        if self.elsewhere.with(&self.own()).total() < enough {
            return None;
        }
        let each = self.own_of_each();
        let alone = each.iter().find(|own| speaks(own));
        alone.or_else(|| each.iter().find(|own| speaks(&self.elsewhere.with(own)))).cloned()
    }

    /// What was before each login that it stands for, and before this one, without what those before took back of it.
    fn own_of_each(&self) -> Vec<Evidence> {
        let mut left = self.evidence.clone();
        let mut each = Vec::new();
        for time in &self.earlier {
            let second = time.as_second();
            let moment = Login { at: second, end: second };
            each.push(left.before(moment));
            left.take_back(&self.login.event(), moment);
        }
        each.push(left);
        each.iter().map(|own| own.with(&self.at_hub).into_owned()).collect()
    }

    /// When the logins were that it stands for, and this one.
    pub(super) fn logins(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.earlier.iter().copied().chain([self.login.time()])
    }

    /// Stand for another one, and for those that it stands for.
    fn stand_for(&mut self, other: &mut Self) {
        let own = self.login.time();
        other.earlier.push(other.login.time());
        if self.earlier.is_empty() {
            // As nearly always: who is in over and over.
            self.earlier = std::mem::take(&mut other.earlier);
        } else {
            self.earlier.append(&mut other.earlier);
        }
        // As they nearly always are.
        let are_in_order = self.earlier.is_sorted_by(|one, next| one < next);
        if !are_in_order || self.earlier.last().is_some_and(|last| *last >= own) {
            self.earlier.retain(|time| *time < own);
            self.earlier.sort_unstable();
            self.earlier.dedup();
        }
        while self.earlier.len() > STOOD_FOR {
            // Those stay that leave the least between two. The first took back all that was before. Numbers: this is done at
            // each login of who is in over and over.
            let times = self.earlier.iter().chain([&own]).map(|time| time.as_microsecond());
            let times: SmallVec<[i64; STOOD_FOR + 2]> = times.collect();
            let between = times.windows(3).map(|three| three[2] - three[0]).enumerate();
            let nearest = between.min_by_key(|(_, between)| *between).map_or(0, |(at, _)| at);
            self.earlier.remove(nearest + 1);
        }
    }

    /// Where a failure counts that comes late.
    pub(super) fn evidence_of(&mut self, teller: Teller<'_>) -> Option<&mut Evidence> {
        match teller {
            Teller::Itself => Some(&mut self.evidence),
            Teller::Hub => Some(&mut self.at_hub),
            Teller::Member(name) if self.is_told || self.told_by.iter().any(|before| before == name) => None,
            Teller::Member(name) => Some(self.elsewhere.told_by(name)),
        }
    }

    /// It was a break-in by the word of `teller`, or without one by that of several.
    pub(super) fn report(&mut self, teller: Option<CompactString>) {
        let elsewhere = std::mem::take(&mut self.elsewhere);
        match teller {
            Some(teller) => {
                self.elsewhere = elsewhere.but(&teller);
                self.told_by.push(teller);
            }
            None => self.is_told = true,
        }
    }

    /// Whether the login takes this failure back, as those that came in time.
    pub(super) fn takes_back(&self, failure: &Event) -> bool {
        (failure.user.as_str(), failure.host.as_str()) == (self.login.user(), self.login.host())
            && (failure.route == Route::Log || self.login.route() == Route::Pam)
            && !self.login.is_claimed()
    }
}

/// Whether a failure was before a login, where its clock may be so many seconds ahead.
fn is_before(failure: Timestamp, login: Timestamp, ahead: i64) -> bool {
    failure.duration_since(login) <= SignedDuration::from_secs(ahead)
}
