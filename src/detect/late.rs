//! The last logins, for failures before them that come only later: the scan reads its log once a minute, and behind a
//! guarded service it waits for the module. What such a failure turns into a break-in is found once.

use std::collections::VecDeque;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::event::{Event, Route};

/// Logins that are remembered.
pub(super) const REMEMBERED: usize = 32;
/// Seconds before a login in which a failure speaks against it.
const DAY: i64 = 86_400;

/// The last logins that were no break-ins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Late(VecDeque<Judged>);

/// A login, and what it was judged by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Judged {
    pub(super) login: Event,
    pub(super) source: CompactString,
    pub(super) at: i64,
    pub(super) evidence: Evidence,
}

/// From where an account came before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Before {
    /// From this very address.
    pub(super) address: bool,
    /// From its network.
    pub(super) network: bool,
}

impl Late {
    pub(super) fn remember(&mut self, login: Judged) {
        self.0.push_back(login);
        if self.0.len() > REMEMBERED {
            self.0.pop_front();
        }
    }

    /// The logins that this failure of `source`, at the second `at`, came before.
    pub(super) fn after(
        &mut self,
        failure: &Event,
        source: &str,
        at: i64,
    ) -> impl Iterator<Item = &mut Judged> {
        let time = failure.time;
        let is_before = move |login: &Judged| {
            time <= login.login.time && (login.at - DAY..=login.at).contains(&at) && login.source == source
        };
        self.0.iter_mut().filter(move |login| is_before(login))
    }

    /// What it was judged by is not needed any more.
    pub(super) fn forget(&mut self, login: &Event) {
        self.0.retain(|judged| judged.login != *login);
    }
}

impl Judged {
    /// Whether the login takes this failure back, as those that came in time.
    pub(super) fn takes_back(&self, failure: &Event) -> bool {
        failure.user == self.login.user
            && failure.host == self.login.host
            && (failure.route == Route::Log || self.login.route == Route::Pam)
    }
}
