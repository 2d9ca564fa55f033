//! The last logins, for failures before them that come only later: the scan reads its log once a minute, and behind a
//! guarded service it waits for the module. What such a failure turns into a break-in is found once.

use std::collections::VecDeque;

use compact_str::CompactString;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

use super::elsewhere::Elsewhere;
use super::key::Key;
use super::room::allocated;
use super::{Evidence, spans};
use crate::event::{Event, Route};

/// Logins that are remembered.
pub(super) const REMEMBERED: usize = 32;

/// The last logins that were no break-ins by what their own machine saw.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "VecDeque<Judged>")]
pub(super) struct Late {
    logins: VecDeque<Judged>,
    /// None of them was later: nearly each failure is.
    latest: Option<Timestamp>,
}

/// A login, and what it was judged by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Judged {
    pub(super) login: Event,
    pub(super) source: Key,
    pub(super) at: i64,
    pub(super) evidence: Evidence,
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

/// From where an account came before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Before {
    /// From this very address.
    pub(super) address: bool,
    /// From its network.
    pub(super) network: bool,
}

impl From<VecDeque<Judged>> for Late {
    fn from(mut logins: VecDeque<Judged>) -> Self {
        logins.shrink_to_fit();
        Self { latest: logins.iter().map(|judged| judged.login.time).max(), logins }
    }
}

impl Serialize for Late {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.logins.serialize(serializer)
    }
}

impl Late {
    pub(super) fn remember(&mut self, judged: Judged) {
        self.latest = self.latest.max(Some(judged.login.time));
        if self.logins.len() >= REMEMBERED {
            self.logins.pop_front();
        }
        self.logins.push_back(judged);
    }

    /// A copy of a login that is to be remembered, in the memory of the one that has to go for it.
    pub(super) fn copy(&mut self, login: &Event) -> Event {
        let gone = if self.logins.len() >= REMEMBERED { self.logins.pop_front() } else { None };
        gone.map_or_else(|| login.clone(), |gone| gone.login.made(login))
    }

    /// The logins that this failure of `source`, at the second `at`, came before.
    pub(super) fn after(
        &mut self,
        failure: &Event,
        source: &Key,
        at: i64,
    ) -> impl Iterator<Item = &mut Judged> {
        let time = failure.time;
        let is_before = move |login: &Judged| {
            time <= login.login.time && spans::speaks(at, login.at) && login.source == *source
        };
        let looked_at = if self.latest >= Some(time) { self.logins.len() } else { 0 };
        self.logins.iter_mut().take(looked_at).filter(move |login| is_before(login))
    }

    /// None of them was later.
    pub(super) fn latest(&self) -> Option<Timestamp> {
        self.latest
    }

    /// Bytes that it takes beside itself.
    pub(super) fn heap(&self) -> usize {
        allocated::<Judged>(self.logins.capacity()) + self.logins.iter().map(Judged::heap).sum::<usize>()
    }

    /// What those told that are no members any more is forgotten.
    pub(super) fn forget_tellers(&mut self, is_member: &dyn Fn(&str) -> bool) {
        self.logins.iter_mut().for_each(|judged| judged.elsewhere.keep(is_member));
    }

    /// Logins before the second `at` go.
    pub(super) fn forget_before(&mut self, at: i64) {
        self.logins.retain(|judged| judged.at >= at);
        self.logins.shrink_to_fit();
    }

    /// The oldest go, until the rest takes at most so many bytes.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        let mut heap = self.heap();
        while heap > bytes {
            let Some(oldest) = self.logins.pop_front() else { break };
            heap = heap.saturating_sub(size_of::<Judged>() + oldest.heap());
        }
        self.logins.shrink_to_fit();
    }

    /// What it was judged by is not needed any more.
    pub(super) fn forget(&mut self, login: &Event) {
        self.logins.retain(|judged| judged.login != *login);
    }
}

impl Judged {
    fn heap(&self) -> usize {
        let Event { host, service, user, rhost, tty, ruser, origin, .. } = &self.login;
        let texts = [host, service, user, rhost, tty, ruser].into_iter().chain(origin);
        texts.map(|text| allocated::<u8>(text.capacity())).sum::<usize>()
            + self.evidence.heap()
            + self.elsewhere.heap()
            + allocated::<CompactString>(self.told_by.capacity())
    }

    /// Where a failure counts that comes late, told by the member `teller` where that is not the login's own.
    pub(super) fn evidence_of(&mut self, teller: &str) -> Option<&mut Evidence> {
        match teller {
            "" => Some(&mut self.evidence),
            _ if self.is_told || self.told_by.iter().any(|before| before == teller) => None,
            _ => Some(self.elsewhere.told_by(teller)),
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
        failure.user == self.login.user
            && failure.host == self.login.host
            && (failure.route == Route::Log || self.login.route == Route::Pam)
    }
}
