//! Names, and when each came last.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Moment;

/// At most so many names are remembered; they are names of accounts, of users and of terminals here, so only
/// a machine with more of them than this ever forgets one early.
pub(super) const REMEMBERED: usize = 1024;

/// Names, and when each came last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Recent(BTreeMap<String, Moment>);

impl Recent {
    /// `name` came. True if it had not come in all of `span` before.
    pub(super) fn is_first_in(&mut self, span: Duration, name: &str, now: Moment) -> bool {
        let last = self.0.insert(name.to_owned(), now);
        self.forget(now, span);
        last.is_none_or(|last| now.since(last) >= span)
    }

    /// `name` came, and counts as come unless it did so within `span`: true once in each `span`, however often it comes.
    pub(super) fn is_its_turn(&mut self, span: Duration, name: &str, now: Moment) -> bool {
        let its_turn = self.0.get(name).is_none_or(|last| now.since(*last) >= span);
        if its_turn {
            self.is_first_in(span, name, now);
        }
        its_turn
    }

    /// When `name` came last.
    #[cfg(test)]
    pub(super) fn last(&self, name: &str) -> Option<Moment> {
        self.0.get(name).copied()
    }

    fn forget(&mut self, now: Moment, span: Duration) {
        if self.0.len() > REMEMBERED {
            self.0.retain(|_, last| now.since(*last) < span);
            if self.0.len() > REMEMBERED {
                let oldest = self.0.iter().min_by_key(|(_, last)| **last).map(|(name, _)| name.clone());
                oldest.and_then(|name| self.0.remove(&name));
            }
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
