//! What other members of a fleet tell of the source of a login. It speaks against the login as what its own machine saw,
//! but a member may lie: so of a break-in that is none without the word of one member it is known whose that is, and it is
//! paced as that member's. What stands whichever single member is left out is nobody's: who outbids another, or speaks
//! before it, takes nothing of its word.
//!
//! Nor does it change what is remembered of the login: by what its own machine saw it is a login like any other, takes back
//! who mistyped, and is remembered for what its own machine, and others, may yet tell.

use std::borrow::Cow;
use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::room::allocated;
use super::row::Login;
use super::{Evidence, Finding};
use crate::event::Event;

/// Members that are told apart; what further ones tell of the same source is the word of several.
const TELLERS: usize = 4;

/// Failures of the source of a login at other members, by who tells of them; under the empty name what further ones tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Elsewhere(BTreeMap<CompactString, Evidence>);

impl Elsewhere {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that it takes beside itself.
    pub(super) fn heap(&self) -> usize {
        let of_each = self.0.values().map(Evidence::heap);
        // A leaf of the map has room for eleven.
        if self.is_empty() { 0 } else { allocated::<(CompactString, Evidence)>(11) + of_each.sum::<usize>() }
    }

    /// `member` tells of these.
    pub(super) fn merge(&mut self, member: &str, evidence: Evidence) {
        if evidence.total() > 0 {
            self.told_by(member).merge(evidence);
        }
    }

    /// Where a failure counts that comes late, told by the member `teller`.
    pub(super) fn told_by(&mut self, teller: &str) -> &mut Evidence {
        let is_apart = self.0.contains_key(teller) || self.0.len() < TELLERS;
        self.0.entry(if is_apart { teller.into() } else { CompactString::default() }).or_default()
    }

    /// All that speaks against the login, whose own machine saw `own`.
    pub(super) fn with<'a>(&self, own: &'a Evidence) -> Cow<'a, Evidence> {
        if self.is_empty() { Cow::Borrowed(own) } else { Cow::Owned(self.all(own, |_| true)) }
    }

    /// The member without whose word what there is does not speak against the login; of several the one that told of most.
    pub(super) fn teller(&self, own: &Evidence, speaks: impl Fn(&Evidence) -> bool) -> Option<CompactString> {
        let is_needed = |name: &str| !name.is_empty() && !speaks(&self.all(own, |other| other != name));
        let needed = self.0.iter().filter(|(name, _)| is_needed(name));
        needed.max_by_key(|(_, evidence)| evidence.total()).map(|(name, _)| name.clone())
    }

    /// What `teller` told of the account of a login there, and that login takes back.
    pub(super) fn take_back(&mut self, teller: &str, login: &Event, moment: Login) {
        let Some(told) = self.0.get_mut(teller) else { return };
        told.take_back(login, moment);
        if told.is_empty() {
            self.0.remove(teller);
        }
    }

    /// Only of members, and of several.
    pub(super) fn keep(&mut self, is_member: &dyn Fn(&str) -> bool) {
        self.0.retain(|name, _| name.is_empty() || is_member(name));
    }

    /// Without what `member` tells.
    pub(super) fn but(mut self, member: &str) -> Self {
        self.0.remove(member);
        self
    }

    fn all(&self, own: &Evidence, is_believed: impl Fn(&str) -> bool) -> Evidence {
        let mut all = own.clone();
        let told = self.0.iter().filter(|(name, _)| is_believed(name));
        told.for_each(|(_, evidence)| all.merge(evidence.clone()));
        all
    }
}

impl Finding {
    /// A break-in by the word of `teller`; without one, by what the machine of the login saw: `own`, of which so many
    /// failures are enough. What is told elsewhere proves nothing of that.
    pub(super) fn by(self, teller: Option<&str>, own: &Evidence, enough: u64) -> Self {
        if teller.is_some() {
            return Self { told_by: teller.map(Into::into), ..self };
        }
        Self { proven: own.proves(&self.login, enough), seen: own.sees(&self.login, enough), ..self }
    }
}
