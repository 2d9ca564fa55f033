//! What other members of a fleet tell of the source of a login. It speaks against the login as what its own machine saw,
//! but a member may lie: so of a break-in that is one by such words alone it is known whose they are, and it is paced as
//! theirs. Of several it is the one that told of most failures; who told of others need not have lied.
//!
//! Nor does it change what is remembered of the login: by what its own machine saw it is a login like any other, takes back
//! who mistyped, and is remembered for what its own machine may yet tell.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::key::Key;
use super::row::Row;
use super::{Evidence, Failed, Finding};

/// Failures of the source of a login at other members.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Elsewhere {
    evidence: Evidence,
    /// How many each member told of.
    tellers: Row,
}

impl Elsewhere {
    pub(super) fn is_empty(&self) -> bool {
        self.tellers.is_empty()
    }

    /// `member` tells of these, up to the second `at`.
    pub(super) fn merge(&mut self, member: &str, evidence: Evidence, at: i64) {
        if evidence.total() > 0 {
            self.note(member, u32::try_from(evidence.total()).unwrap_or(u32::MAX), at);
            self.evidence.merge(evidence);
        }
    }

    /// Where a failure counts that comes late, told by the member `teller`.
    pub(super) fn of(&mut self, teller: &str, failure: &Failed<'_>) -> &mut Evidence {
        let twice: u32 = failure.twice.iter().map(|twice| twice.count).sum();
        self.note(teller, failure.count.saturating_sub(twice), failure.at);
        &mut self.evidence
    }

    /// All that speaks against the login, whose own machine saw `own`.
    pub(super) fn with<'a>(&self, own: &'a Evidence) -> Cow<'a, Evidence> {
        if self.is_empty() {
            return Cow::Borrowed(own);
        }
        let mut all = own.clone();
        all.merge(self.evidence.clone());
        Cow::Owned(all)
    }

    /// Who told of most of it.
    pub(super) fn teller(&self) -> Option<&str> {
        self.tellers.most()
    }

    fn note(&mut self, member: &str, count: u32, at: i64) {
        if count > 0 {
            self.tellers.add(&Key::from(member), false, count, at);
        }
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
