//! What the module recorded and the log tells of again, and the other way round: it counts once.
//!
//! The same process (or its parent: sshd authenticates keyboard-interactive in a child, and logs some of it from the
//! parent) within two minutes. Of failures there are as many as the route says that says more.

use std::collections::VecDeque;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::event::{Class, Event, Route};

/// Seconds that the two may be apart.
const APART: i64 = 120;
/// Attempts that are remembered. The scan itself compares with the whole journal; this is for what slips through.
const REMEMBERED: usize = 256;

/// Attempts of the last minutes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Doubles(VecDeque<Attempt>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Attempt {
    // Mostly empty, and compared with all the others of its process: memcmp at the address of an empty `String`, where
    // no memory is, takes a fault in the processor each time; a `CompactString` has its own.
    host: CompactString,
    pid: u32,
    ppid: u32,
    at: i64,
    /// Of a login, who is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login: Option<CompactString>,
    #[serde(default)]
    module: u32,
    #[serde(default)]
    log: u32,
}

impl Attempt {
    fn of(event: &Event, at: i64) -> Self {
        Self {
            host: event.host.as_str().into(),
            pid: event.pid,
            ppid: event.ppid,
            at,
            login: (event.class == Class::Login).then(|| event.user.as_str().into()),
            module: 0,
            log: 0,
        }
    }

    /// Whether the two may be the same.
    fn is_of(&self, other: &Self) -> bool {
        let same = |a: u32, b: u32| a != 0 && a == b;
        (same(self.pid, other.pid) || same(self.pid, other.ppid) || same(self.ppid, other.pid))
            && self.at.abs_diff(other.at) <= APART.unsigned_abs()
            && self.host == other.host
            && self.login == other.login
    }
}

impl Doubles {
    /// How many of the failures in `event` did not come by the other route already.
    pub(super) fn not_yet_counted(&mut self, event: &Event, at: i64) -> u32 {
        let mut attempt = Attempt::of(event, at);
        let mut left = event.count;
        for known in self.0.iter_mut().filter(|known| known.is_of(&attempt)) {
            let (here, there) = match event.route {
                Route::Pam => (&mut known.module, known.log),
                Route::Log => (&mut known.log, known.module),
            };
            let same = there.saturating_sub(*here).min(left);
            *here += same;
            left -= same;
        }
        if left > 0 {
            *(if event.route == Route::Pam { &mut attempt.module } else { &mut attempt.log }) = left;
            self.remember(attempt);
        }
        left
    }

    /// Whether this login came already, by whatever route: the module may see it twice, as an authentication and
    /// as a session.
    pub(super) fn is_known_login(&mut self, event: &Event, at: i64) -> bool {
        let attempt = Attempt::of(event, at);
        let known = self.0.iter().any(|known| known.is_of(&attempt));
        if !known {
            self.remember(attempt);
        }
        known
    }

    fn remember(&mut self, attempt: Attempt) {
        self.0.push_back(attempt);
        if self.0.len() > REMEMBERED {
            self.0.pop_front();
        }
    }
}
