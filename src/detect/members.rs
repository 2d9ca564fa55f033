//! The members of a fleet, apart: each has tables of its own, so that one that lies, and fills them as it likes, pushes
//! out nothing that another one tells. There are as many as the administrator made; what all of them tell of a source is
//! put together where a login is judged.
//!
//! All of them together have [`ROOM`]. Where that is not enough, what is older than it can matter goes first, and then of
//! those that have most what is worth least, down to what is left for each: no member loses anything as long as it has no
//! more than an equal part, whatever others say.

use std::collections::BTreeMap;

use compact_str::CompactString;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

use super::elsewhere::Elsewhere;
use super::failure::{Failed, Reach, Spoken};
use super::late::{self, Teller};
use super::room::share;
use super::row::Login;
use super::source::Source;
use super::{Detector, Evidence, Rules, end, row};
use crate::accounts::member::Origin;
use crate::event::{Class, Event};

/// Bytes that all members take together, beside a [`Detector`] for each. The file of it is smaller; a pass has both.
pub(super) const ROOM: usize = 16 << 20;
/// Bytes that a failure takes at most, of a part that is told apart already; a login takes several times that.
const OF_A_FAILURE: usize = 512;
const OF_A_LOGIN: usize = 8 * OF_A_FAILURE;
/// Seconds that a member may have been without the hub: what is older than that and a day is of no use to what it tells.
const AWAY: i64 = late::KEPT;

/// Seconds that the clocks of two machines may be apart.
pub(crate) const CLOCKS_APART: i64 = 60;

/// By name of the member.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "BTreeMap<CompactString, Box<Detector>>")]
pub(super) struct Members {
    members: BTreeMap<CompactString, Member>,
    /// Bytes that they take together, as far as it was looked at.
    size: usize,
    /// None of the logins that they remember was later: nearly each failure is.
    latest: Option<Timestamp>,
    /// The second of the latest event.
    now: i64,
}

/// One of them.
#[derive(Clone, Debug, Default)]
struct Member {
    detector: Box<Detector>,
    /// Bytes that it took when that was looked at, and at most came to that since.
    size: usize,
    more: usize,
}

impl From<BTreeMap<CompactString, Box<Detector>>> for Members {
    fn from(detectors: BTreeMap<CompactString, Box<Detector>>) -> Self {
        let latest = detectors.values().filter_map(|detector| detector.late.latest()).max();
        let member = |detector: Box<Detector>| Member { size: detector.heap(), detector, more: 0 };
        let members: BTreeMap<_, _> =
            detectors.into_iter().map(|(name, detector)| (name, member(detector))).collect();
        Self { size: members.values().map(|member| member.size).sum(), members, latest, now: 0 }
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.members.iter().map(|(name, member)| (name, &member.detector)))
    }
}

impl PartialEq for Members {
    fn eq(&self, other: &Self) -> bool {
        let (members, others) = (self.members.iter(), other.members.iter());
        members
            .map(|(name, member)| (name, &member.detector))
            .eq(others.map(|(name, other)| (name, &other.detector)))
    }
}

impl Members {
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Those that are none any more are forgotten, and what they told.
    pub(super) fn keep(&mut self, is_member: &dyn Fn(&str) -> bool) {
        self.members.retain(|name, _| is_member(name));
        self.members.values_mut().for_each(|member| member.detector.late.forget_tellers(is_member));
        self.sum_up();
    }

    /// What is later than the second `now` was at that second.
    pub(super) fn set_back(&mut self, now: i64) {
        self.now = self.now.min(now);
        self.members.values_mut().for_each(|member| member.detector.set_back(now));
    }

    /// `member` took in an event of the second `at`: make room, where there is too little.
    pub(super) fn on_event(&mut self, name: &str, event: &Event, at: i64) {
        let Some(member) = self.members.get_mut(name) else { return };
        self.now = self.now.max(at);
        member.more += if event.class == Class::Login { OF_A_LOGIN } else { OF_A_FAILURE };
        if event.class == Class::Login {
            self.latest = self.latest.max(Some(event.time));
        }
        // Looked at where it may be an eighth more, so that it costs little for each event.
        if member.more > member.size / 8 {
            let before = member.size;
            member.measure();
            self.size = self.size + member.size - before;
            if self.size > ROOM {
                self.make_room();
            }
        }
    }

    fn make_room(&mut self) {
        let now = self.now;
        self.members.values_mut().for_each(|member| {
            member.detector.forget_before(now - AWAY);
            member.measure();
        });
        self.members.retain(|_, member| member.size > 0);
        // An eighth less, so that it is not done for each event.
        let each = share(self.members.values().map(|member| member.size).collect(), ROOM - ROOM / 8);
        for member in self.members.values_mut().filter(|member| member.size > each) {
            member.detector.shrink_to(each, now);
            member.measure();
        }
        self.sum_up();
    }

    fn sum_up(&mut self) {
        self.size = self.members.values().map(|member| member.size).sum();
        self.latest = self.members.values().filter_map(|member| member.detector.late.latest()).max();
    }

    #[cfg(test)]
    pub(super) fn of(&self, name: &str) -> Option<&Detector> {
        self.members.get(name).map(|member| &*member.detector)
    }

    #[cfg(test)]
    pub(super) fn heap(&self) -> usize {
        self.members.values().map(|member| member.detector.heap()).sum()
    }
}

impl Member {
    fn measure(&mut self) {
        (self.size, self.more) = (self.detector.heap(), 0);
    }
}

/// The member that tells of it; empty for this machine.
pub(super) fn member(event: &Event) -> &str {
    if Origin::of(event).is_some() { &event.host } else { "" }
}

/// Who tells another machine what `own` tells.
fn teller(own: &str) -> Teller<'_> {
    if own.is_empty() { Teller::Hub } else { Teller::Member(own) }
}

impl Detector {
    /// The part of a member; of this machine under the empty name.
    pub(super) fn of_mut(&mut self, member: &str) -> &mut Self {
        match member {
            "" => self,
            name => &mut self.members.members.entry(name.into()).or_default().detector,
        }
    }

    /// Let a failure, which `own` tells of, speak against logins at all the others.
    pub(super) fn speak_elsewhere(
        &mut self,
        failure: &Failed<'_>,
        own: &str,
        reach: Reach<'_>,
        rules: &Rules,
        spoken: &mut Spoken,
    ) {
        let teller = teller(own);
        if !own.is_empty() {
            self.speak(failure, teller, CLOCKS_APART, reach, rules, spoken);
        }
        if !self.members.latest.is_some_and(|latest| failure.is_before(latest)) {
            return;
        }
        for (name, other) in &mut self.members.members {
            if *name != own {
                other.detector.speak(failure, teller, CLOCKS_APART, reach, rules, spoken);
            }
        }
    }

    /// What the source of `event`, which `own` tells of, failed at the others before the second `at`: at the hub, which is
    /// trusted as the machine of the login itself is, and at the other members.
    pub(super) fn elsewhere(&self, event: &Event, own: &str, at: i64) -> Option<(Evidence, Elsewhere)> {
        if own.is_empty() && self.members.is_empty() {
            return None;
        }
        let source = Source::of(event).filter(|source| source.network().is_some())?;
        let login = Login { at, end: at.saturating_add(CLOCKS_APART) };
        let failed_at = |other: &Self| Evidence {
            module: other.module.sources.before(source.key(), login),
            log: other.log.sources.before(source.key(), login),
        };
        let at_hub = if own.is_empty() { Evidence::default() } else { failed_at(self) };
        let mut elsewhere = Elsewhere::default();
        for (name, other) in self.members.members.iter().filter(|(name, _)| *name != own) {
            elsewhere.merge(name, failed_at(&other.detector));
        }
        Some((at_hub, elsewhere))
    }

    /// A login of which `own` tells takes back what it told of the account before: members tell in their own time, and it
    /// may speak against later logins at others already.
    pub(super) fn take_back_elsewhere(&mut self, event: &Event, own: &str, at: i64) {
        if own.is_empty() && self.members.is_empty() {
            return;
        }
        let Some(source) = Source::of(event).filter(|source| source.network().is_some()) else { return };
        let (teller, login) = (teller(own), Login { at, end: end(event, at) });
        if !own.is_empty() {
            self.late.forgive(event, source.key(), teller, login);
        }
        for (_, other) in self.members.members.iter_mut().filter(|(name, _)| *name != own) {
            other.detector.late.forgive(event, source.key(), teller, login);
        }
    }

    /// Bytes that it takes beside itself, without those of members.
    pub(super) fn heap(&self) -> usize {
        self.heaps().iter().sum()
    }

    fn heaps(&self) -> [usize; 8] {
        let [by_module, by_log] = self.doubles.heap();
        let [module, log] = [&self.module, &self.log].map(|seen| [seen.sources.heap(), seen.accounts.heap()]);
        let (known, late) = (self.known.heap(), self.late.heap());
        [module[0], module[1], log[0], log[1], by_module, by_log, known, late]
    }

    /// What speaks for or against nobody any more at the second `now` goes.
    fn forget_before(&mut self, now: i64) {
        for seen in [&mut self.module, &mut self.log] {
            seen.sources.forget_before(now);
            seen.accounts.forget_before(now);
        }
        self.doubles.forget_before(now - row::REACH);
        self.known.forget_before(now);
        self.late.forget_before(now);
    }

    /// What is worth least goes, until the rest takes at most so many bytes: of the parts that take most.
    fn shrink_to(&mut self, bytes: usize, now: i64) {
        let each = share(self.heaps().to_vec(), bytes);
        for seen in [&mut self.module, &mut self.log] {
            seen.sources.shrink_to(each);
            seen.accounts.shrink_to(each);
        }
        self.doubles.shrink_to(each);
        self.known.shrink_to(each, now);
        self.late.shrink_to(each);
    }
}
