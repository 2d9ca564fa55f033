//! What the module recorded and the log tells of again, and the other way round: it counts once.
//!
//! The same process (or its parent: sshd authenticates keyboard-interactive in a child, and logs some of it from the
//! parent) within two minutes. Of failures there are as many as the route says that says more.

use std::collections::VecDeque;

use compact_str::CompactString;
use serde::{Deserialize, Serialize, Serializer};

use crate::event::{Class, Event, Route};

/// Seconds that the two may be apart.
const APART: i64 = 120;
/// Attempts that are remembered. The scan itself compares with the whole journal; this is for what slips through.
const REMEMBERED: usize = 256;

/// Attempts of the last minutes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "VecDeque<Attempt>")]
pub(super) struct Doubles {
    attempts: VecDeque<Attempt>,
    // Whether some of them came by this route: where all come by one, none has to be looked for.
    by_module: bool,
    by_log: bool,
}

impl From<VecDeque<Attempt>> for Doubles {
    fn from(attempts: VecDeque<Attempt>) -> Self {
        let by_module = attempts.iter().any(|attempt| attempt.module > 0);
        let by_log = attempts.iter().any(|attempt| attempt.log > 0);
        Self { attempts, by_module, by_log }
    }
}

impl Serialize for Doubles {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.attempts.serialize(serializer)
    }
}

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
        let may_be_known = match event.route {
            Route::Pam => self.by_log,
            Route::Log => self.by_module,
        };
        let known = self.attempts.iter_mut().filter(|known| may_be_known && known.is_of(&attempt));
        for known in known {
            let (here, there) = match event.route {
                Route::Pam => (&mut known.module, known.log),
                Route::Log => (&mut known.log, known.module),
            };
            let same = there.saturating_sub(*here).min(left);
            *here += same;
            left -= same;
        }
        let (by_route, count) = match event.route {
            Route::Pam => (&mut self.by_module, &mut attempt.module),
            Route::Log => (&mut self.by_log, &mut attempt.log),
        };
        *by_route = true;
        *count = left;
        if left > 0 {
            self.remember(attempt);
        }
        left
    }

    /// Whether this login came already, by whatever route: the module may see it twice, as an authentication and
    /// as a session.
    pub(super) fn is_known_login(&mut self, event: &Event, at: i64) -> bool {
        let attempt = Attempt::of(event, at);
        let known = self.attempts.iter().any(|known| known.is_of(&attempt));
        if !known {
            self.remember(attempt);
        }
        known
    }

    fn remember(&mut self, attempt: Attempt) {
        self.attempts.push_back(attempt);
        if self.attempts.len() > REMEMBERED {
            self.attempts.pop_front();
        }
    }
}
