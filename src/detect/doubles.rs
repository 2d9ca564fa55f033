//! What the module recorded and the log tells of again, and the other way round: it counts once.
//!
//! The same process (or its parent: sshd authenticates keyboard-interactive in a child, and logs some of it from the
//! parent) within two minutes. Of failures there are as many as the route says that says more.
//!
//! Any user can write a line of a log, of whatever process. So what the module saw counts in any case: what the log
//! told of the same attempt before, of the same name from the same source, is what is taken back.

use std::collections::VecDeque;

use compact_str::CompactString;
use serde::{Deserialize, Serialize, Serializer};

use crate::event::{Class, Event, Route};

/// Seconds that the two may be apart.
const APART: i64 = 120;
/// Attempts that are remembered of each route, so that lines of a log push out nothing that the module saw. The scan
/// itself compares with the whole journal; this is for what slips through.
const REMEMBERED: usize = 256;
/// Ends of numbers that are told apart.
const ENDS: usize = 1024;

/// Attempts of the last minutes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Doubles {
    module: Recent,
    log: Recent,
}

/// The attempts of one route.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "VecDeque<Attempt>")]
struct Recent {
    attempts: VecDeque<Attempt>,
    /// How many of them are of a process, or of a child of one, by the end of its number: this is asked for each failure
    /// and login, and most are of no process that is remembered.
    processes: Vec<u16>,
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

impl From<VecDeque<Attempt>> for Recent {
    fn from(attempts: VecDeque<Attempt>) -> Self {
        let mut recent = Self::default();
        attempts.into_iter().for_each(|attempt| recent.remember(attempt));
        recent
    }
}

impl Serialize for Recent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.attempts.serialize(serializer)
    }
}

impl Recent {
    /// Those that may be the same as `attempt`, oldest first.
    fn same_as<'a>(&'a mut self, attempt: &'a Attempt) -> impl Iterator<Item = &'a mut Attempt> {
        let is_any = [attempt.pid, attempt.ppid].into_iter().any(|pid| self.may_know(pid));
        let looked_at = if is_any { self.attempts.len() } else { 0 };
        self.attempts.iter_mut().take(looked_at).filter(|known| known.is_of(attempt))
    }

    /// Whether one of them may be of this process, or of a child of it; 0 is none.
    fn may_know(&self, pid: u32) -> bool {
        pid != 0 && self.processes.get(end(pid)).is_some_and(|many| *many > 0)
    }

    fn remember(&mut self, attempt: Attempt) {
        if self.processes.is_empty() {
            self.processes = vec![0; ENDS];
        }
        self.count(&attempt, |many| many.saturating_add(1));
        self.attempts.push_back(attempt);
        if self.attempts.len() > REMEMBERED {
            if let Some(gone) = self.attempts.pop_front() {
                self.count(&gone, |many| many.saturating_sub(1));
            }
        }
    }

    fn count(&mut self, attempt: &Attempt, count: impl Fn(u16) -> u16) {
        for pid in [attempt.pid, attempt.ppid] {
            if let Some(many) = self.processes.get_mut(end(pid)) {
                *many = count(*many);
            }
        }
    }
}

/// The end of a process' number: those of one time are told apart by it.
fn end(pid: u32) -> usize {
    pid as usize % ENDS
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
        for known in self.module.same_as(&attempt) {
            left -= known.double(left);
        }
        if left > 0 {
            attempt.count = left;
            attempt.counted = Some(Counted(name.into(), source.into()));
            self.log.remember(attempt);
        }
        left
    }

    /// Which failures in `event`, which the module saw, were counted under this name and source as the log told of them.
    pub(super) fn counted_by_log(&mut self, event: &Event, name: &str, source: &str, at: i64) -> Vec<Twice> {
        let mut attempt = Attempt::of(event, at);
        let mut left = event.count;
        let mut twice = Vec::new();
        for known in self.log.same_as(&attempt) {
            if known.counted.as_ref().is_some_and(|counted| counted.is(name, source)) {
                let count = known.double(left);
                left -= count;
                twice.extend((count > 0).then_some(Twice { at: known.at, count }));
            }
        }
        if left > 0 {
            attempt.count = left;
            self.module.remember(attempt);
        }
        twice
    }

    /// Whether this login came already: the module may see it twice, as an authentication and as a session. What the
    /// log told before says nothing of a login that the module sees.
    pub(super) fn is_known_login(&mut self, event: &Event, at: i64) -> bool {
        let attempt = Attempt::of(event, at);
        let by_log = event.route == Route::Log;
        let is_in = |recent: &mut Recent| recent.same_as(&attempt).next().is_some();
        let known = is_in(&mut self.module) || (by_log && is_in(&mut self.log));
        if !known {
            let own = if by_log { &mut self.log } else { &mut self.module };
            own.remember(attempt);
        }
        known
    }
}
