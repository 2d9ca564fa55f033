//! What speaks against a login, and whether it is enough.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::account;
use super::key::Key;
use super::known::Known;
use super::late::Before;
use super::row::{Login, Row};
use super::source::Source;
use crate::event::packed::Packed;
use crate::event::{Event, Route};

/// The failures that speak against a login, by the route that they came by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Evidence {
    pub(super) module: Row,
    pub(super) log: Row,
}

impl Evidence {
    pub(super) fn merge(&mut self, other: Self) {
        self.module.merge(other.module);
        self.log.merge(other.log);
    }

    /// All of it, and of another one.
    pub(super) fn with(&self, other: &Self) -> Cow<'_, Self> {
        if other.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut all = self.clone();
        all.merge(other.clone());
        Cow::Owned(all)
    }

    /// Of each name what one of the two counts more of: what both count is the same.
    pub(super) fn merge_what_is_more(&mut self, other: Self) {
        self.module.merge_what_is_more(other.module);
        self.log.merge_what_is_more(other.log);
    }

    /// What failed in the day before `login`, and the `later` login takes back, which this speaks against. A log takes
    /// nothing back that the module saw.
    pub(super) fn taken_back_by(&self, later: &Packed, login: Login) -> Self {
        let (user, name) = (later.user(), Key::from(later.user()));
        if later.is_claimed() {
            return Self::default();
        }
        let of = |row: &Row| row.only_before(&name, user, login);
        let module = if later.route() == Route::Pam { of(&self.module) } else { Row::default() };
        Self { module, log: of(&self.log) }
    }

    /// What failed before a login.
    pub(super) fn before(&self, login: Login) -> Self {
        Self { module: self.module.before(login), log: self.log.before(login) }
    }

    /// What it takes back of its account, taken out.
    pub(super) fn take_back(&mut self, login: &Event, moment: Login) {
        if login.is_claimed() {
            return;
        }
        self.log.take_back(&login.user, moment);
        if login.route == Route::Pam {
            self.module.take_back(&login.user, moment);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.module.is_empty() && self.log.is_empty()
    }

    pub(super) fn of_route(&mut self, route: Route) -> &mut Row {
        if route == Route::Pam { &mut self.module } else { &mut self.log }
    }

    /// Bytes that it takes beside itself.
    pub(super) fn heap(&self) -> usize {
        self.module.heap() + self.log.heap()
    }

    pub(super) fn total(&self) -> u64 {
        self.module.total() + self.log.total()
    }

    /// Whether the module saw the login, and so many failures before it.
    pub(super) fn proves(&self, login: &Event, failures: u64) -> bool {
        login.route == Route::Pam && self.module.total() >= failures
    }

    /// Whether it saw the one or the other.
    pub(super) fn sees(&self, login: &Event, failures: u64) -> bool {
        login.route == Route::Pam || self.module.total() >= failures
    }

    pub(super) fn of(&self, name: &str) -> u64 {
        self.module.of(name) + self.log.of(name)
    }

    pub(super) fn last(&self) -> i64 {
        self.module.last().max(self.log.last())
    }
}

/// Whether this makes a login a break-in that was not reported.
pub(super) fn speaks_against(
    known: &Known,
    login: &Event,
    source: &Source,
    evidence: &Evidence,
    before: Before,
    after: u64,
) -> bool {
    // It was reported, and nothing failed there since.
    let is_reported = || {
        let proven = evidence.proves(login, after);
        known.is_reported(&account(login), source.key(), proven, evidence.last())
    };
    evidence.total() >= after && !is_excused(login, source, evidence, before, after) && !is_reported()
}

/// Whether that many failures speak against nobody: see the rules above.
fn is_excused(login: &Event, source: &Source, evidence: &Evidence, before: Before, after: u64) -> bool {
    let own = evidence.of(&login.user);
    if source.network().is_none() || evidence.total() - own >= after {
        return false;
    }
    before.address || (own < 2 * after && before.network)
}
