//! The members of a fleet, apart: each has tables of its own, so that one that lies, and fills them as it likes, pushes
//! out nothing that another one tells. There are as many as the administrator made; what all of them tell of a source is
//! put together where a login is judged.

use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::elsewhere::Elsewhere;
use super::row::Login;
use super::source::Source;
use super::{Detector, Evidence, Failed, Finding, Rules};
use crate::accounts::member::Origin;
use crate::event::Event;

/// Seconds that the clocks of two machines may be apart.
const CLOCKS_APART: i64 = 60;

/// By name of the member.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Members(BTreeMap<CompactString, Detector>);

impl Members {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    pub(super) fn of(&self, name: &str) -> Option<&Detector> {
        self.0.get(name)
    }
}

/// The member that tells of it; empty for this machine.
fn member(event: &Event) -> &str {
    if Origin::of(event).is_some() { &event.host } else { "" }
}

impl Detector {
    /// The part that an event belongs to.
    pub(super) fn of_mut(&mut self, event: &Event) -> &mut Self {
        match member(event) {
            "" => self,
            name => self.members.0.entry(name.into()).or_default(),
        }
    }

    /// Let a failure speak against logins at all the others, as what its member tells. What it turns into break-ins is
    /// `found`.
    pub(super) fn speak_elsewhere(&mut self, failure: &Failed<'_>, rules: &Rules, found: &mut Vec<Finding>) {
        let own = member(failure.event);
        if !own.is_empty() {
            found.extend(self.speak(failure, own, rules).0);
        }
        for (name, other) in &mut self.members.0 {
            if *name != own {
                found.extend(other.speak(failure, own, rules).0);
            }
        }
    }

    /// What the source of `event` failed at the others, before the second `at`: at the hub, which is trusted as the
    /// machine of the login itself is, and at the other members.
    pub(super) fn elsewhere(&self, event: &Event, at: i64) -> (Evidence, Elsewhere) {
        let (mut at_hub, mut elsewhere) = (Evidence::default(), Elsewhere::default());
        let own = member(event);
        if own.is_empty() && self.members.is_empty() {
            return (at_hub, elsewhere);
        }
        let Some(source) = Source::of(event).filter(|source| source.network().is_some()) else {
            return (at_hub, elsewhere);
        };
        let login = Login { at, end: at.saturating_add(CLOCKS_APART) };
        let failed_at = |other: &Self| Evidence {
            module: other.module.sources.before(source.key(), login),
            log: other.log.sources.before(source.key(), login),
        };
        if !own.is_empty() {
            at_hub = failed_at(self);
        }
        for (name, other) in self.members.0.iter().filter(|(name, _)| *name != own) {
            elsewhere.merge(name, failed_at(other));
        }
        (at_hub, elsewhere)
    }
}
