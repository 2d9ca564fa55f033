//! What the module recorded and the log tells of again, and the other way round: it counts once.
//!
//! The same process (or its parent: sshd authenticates keyboard-interactive in a child, and logs some of it from the
//! parent) within two minutes. Of failures there are as many as the route says that says more.
//!
//! Any user can write a line of a log, of whatever process. So what the module saw counts in any case: what the log
//! told of the same attempt before, of the same name from the same source, is what is taken back.

use std::collections::VecDeque;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::event::{Class, Event, Route};

/// Seconds that the two may be apart.
const APART: i64 = 120;
/// Attempts that are remembered of each route, so that lines of a log push out nothing that the module saw. The scan
/// itself compares with the whole journal; this is for what slips through.
const REMEMBERED: usize = 256;

/// Attempts of the last minutes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Doubles {
    module: VecDeque<Attempt>,
    log: VecDeque<Attempt>,
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
    /// Of failures that the log tells of, under what they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    counted: Option<Counted>,
    /// How many failures.
    #[serde(default)]
    count: u32,
    /// How many of them came by the other route too.
    #[serde(default)]
    doubled: u32,
}

/// Name and source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Counted(CompactString, CompactString);

impl Counted {
    fn is(&self, name: &str, source: &str) -> bool {
        self.0 == name && self.1 == source
    }
}

impl Attempt {
    fn of(event: &Event, at: i64) -> Self {
        Self {
            host: event.host.as_str().into(),
            pid: event.pid,
            ppid: event.ppid,
            at,
            login: (event.class == Class::Login).then(|| event.user.as_str().into()),
            counted: None,
            count: 0,
            doubled: 0,
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

    /// Of `left` failures by the other route, how many are among these; they are noted.
    fn double(&mut self, left: u32) -> u32 {
        let same = self.count.saturating_sub(self.doubled).min(left);
        self.doubled += same;
        same
    }
}

/// Failures that were counted twice: by the log, at this second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Twice {
    pub(super) at: i64,
    pub(super) count: u32,
}

impl Doubles {
    /// How many of the failures in `event`, a row of the log, the module did not see. They are counted under this name
    /// and source.
    pub(super) fn not_seen(&mut self, event: &Event, name: &str, source: &str, at: i64) -> u32 {
        let mut attempt = Attempt::of(event, at);
        let mut left = event.count;
        for known in self.module.iter_mut().filter(|known| known.is_of(&attempt)) {
            left -= known.double(left);
        }
        if left > 0 {
            attempt.count = left;
            attempt.counted = Some(Counted(name.into(), source.into()));
            remember(&mut self.log, attempt);
        }
        left
    }

    /// Which failures in `event`, which the module saw, were counted under this name and source as the log told of them.
    pub(super) fn counted_by_log(&mut self, event: &Event, name: &str, source: &str, at: i64) -> Vec<Twice> {
        let mut attempt = Attempt::of(event, at);
        let mut left = event.count;
        let mut twice = Vec::new();
        for known in self.log.iter_mut().filter(|known| known.is_of(&attempt)) {
            if known.counted.as_ref().is_some_and(|counted| counted.is(name, source)) {
                let count = known.double(left);
                left -= count;
                twice.extend((count > 0).then_some(Twice { at: known.at, count }));
            }
        }
        if left > 0 {
            attempt.count = left;
            remember(&mut self.module, attempt);
        }
        twice
    }

    /// Whether this login came already: the module may see it twice, as an authentication and as a session. What the
    /// log told before says nothing of a login that the module sees.
    pub(super) fn is_known_login(&mut self, event: &Event, at: i64) -> bool {
        let attempt = Attempt::of(event, at);
        let by_log = event.route == Route::Log;
        let is_in = |list: &VecDeque<Attempt>| list.iter().any(|known| known.is_of(&attempt));
        let known = is_in(&self.module) || (by_log && is_in(&self.log));
        if !known {
            remember(if by_log { &mut self.log } else { &mut self.module }, attempt);
        }
        known
    }
}

fn remember(list: &mut VecDeque<Attempt>, attempt: Attempt) {
    list.push_back(attempt);
    if list.len() > REMEMBERED {
        list.pop_front();
    }
}
