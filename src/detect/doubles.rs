//! What the module recorded and the log tells of again, and the other way round: it counts once.
//!
//! The same process (or its parent: sshd authenticates keyboard-interactive in a child, and logs some of it from the
//! parent) within two minutes. Of failures there are as many as the route says that says more.
//!
//! Any user can write a line of a log, of whatever process. So what the module saw counts in any case: what the log
//! told of the same attempt before, of the same name from the same source, is what is taken back.

use std::collections::VecDeque;
use std::net::IpAddr;

use compact_str::CompactString;
use serde::{Deserialize, Serialize, Serializer};

use super::key::Key;
use super::room::allocated;
use crate::event::{Class, Event, Route};

/// Seconds that the two may be apart.
const APART: i64 = 120;
/// Attempts that are remembered of each route, so that lines of a log push out nothing that the module saw. The scan
/// itself compares with the whole journal; this is for what slips through.
const REMEMBERED: usize = 256;
/// Ends of numbers that are told apart.
const ENDS: usize = 2048;

/// Attempts of the last minutes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Doubles {
    /// The machine of the first attempt, and mostly of all: a member's are its own.
    host: Option<CompactString>,
    module: Recent,
    log: Recent,
}

/// The attempts of one route.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "VecDeque<Attempt>")]
struct Recent {
    attempts: VecDeque<Attempt>,
    /// How many of them are of a process, or of a child of one, by the end of its number: this is asked for each failure
    /// and login, and most are of no process that is remembered. As many as fit, or more, stay that.
    processes: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Attempt {
    pid: u32,
    ppid: u32,
    at: i64,
    /// How many failures.
    count: u32,
    /// How many of them came by the other route too.
    doubled: u32,
    /// What most of them have nothing of.
    more: Option<Box<More>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct More {
    /// The machine, where that is another one than the first's.
    host: Option<CompactString>,
    /// Of a login, who is in.
    login: Option<CompactString>,
    /// And from which address: one process may serve many clients.
    #[serde(default)]
    from: Option<IpAddr>,
    /// Of failures that the log tells of, under what they were counted.
    counted: Option<Counted>,
}

/// Name and source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Counted(Key, Key);

impl Counted {
    fn is(&self, name: &Key, source: &Key) -> bool {
        self.0 == *name && self.1 == *source
    }
}

impl Serialize for Attempt {
    /// Without the names of its fields: there are hundreds of each member.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.pid, self.ppid, self.at, self.count, self.doubled, &self.more).serialize(serializer)
    }
}

impl Attempt {
    /// The machine, where that is another one than the first's, and who is in.
    fn of_whom(&self) -> (Option<&str>, Option<&str>) {
        self.more.as_ref().map_or((None, None), |more| (more.host.as_deref(), more.login.as_deref()))
    }

    fn from(&self) -> Option<IpAddr> {
        self.more.as_ref().and_then(|more| more.from)
    }

    /// Whether the two may be the same.
    fn is_of(&self, other: &Self) -> bool {
        let same = |a: u32, b: u32| a != 0 && a == b;
        (same(self.pid, other.pid) || same(self.pid, other.ppid) || same(self.ppid, other.pid))
            && self.at.abs_diff(other.at) <= APART.unsigned_abs()
            && self.of_whom() == other.of_whom()
            && self.from().is_none_or(|from| other.from().is_none_or(|other| from == other))
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
        let mut recent = Self { attempts: VecDeque::with_capacity(attempts.len()), ..Self::default() };
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
        if self.attempts.len() >= REMEMBERED {
            if let Some(gone) = self.attempts.pop_front() {
                self.count(&gone, |many| if many == u8::MAX { many } else { many.saturating_sub(1) });
            }
        }
        if self.processes.is_empty() {
            self.processes = vec![0; ENDS];
        }
        self.count(&attempt, |many| many.saturating_add(1));
        self.attempts.push_back(attempt);
    }

    fn count(&mut self, attempt: &Attempt, count: impl Fn(u8) -> u8) {
        for pid in [attempt.pid, attempt.ppid] {
            if let Some(many) = self.processes.get_mut(end(pid)) {
                *many = count(*many);
            }
        }
    }

    fn heap(&self) -> usize {
        let of_one = |attempt: &Attempt| attempt.more.as_ref().map_or(0, |more| more.heap());
        allocated::<Attempt>(self.attempts.capacity())
            + allocated::<u8>(self.processes.capacity())
            + self.attempts.iter().map(of_one).sum::<usize>()
    }

    /// The oldest go, until the rest takes at most so many bytes.
    fn shrink_to(&mut self, bytes: usize) {
        while self.heap() > bytes {
            let stay = self.attempts.len().saturating_mul(bytes) / self.heap();
            let out = self.attempts.len() - stay;
            self.forget(out);
        }
    }

    /// So many of the oldest go.
    fn forget(&mut self, oldest: usize) {
        if oldest > 0 {
            let stay = self.attempts.split_off(oldest);
            // Made anew: where none stays, nothing is kept of any.
            *self = stay.into();
        }
    }
}

impl More {
    fn heap(&self) -> usize {
        let texts = [&self.host, &self.login].into_iter().flatten();
        let texts: usize =
            texts.filter(|text| text.is_heap_allocated()).map(|text| allocated::<u8>(text.capacity())).sum();
        let counted = self
            .counted
            .as_ref()
            .map_or(0, |Counted(name, source)| allocated::<u8>(name.heap()) + allocated::<u8>(source.heap()));
        allocated::<Self>(1) + texts + counted
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
    /// The attempt in `event`; a login came from this address.
    fn attempt(&mut self, event: &Event, from: Option<IpAddr>, at: i64) -> Attempt {
        let first = self.host.get_or_insert_with(|| event.host.as_str().into());
        let host = (*first != event.host).then(|| event.host.as_str().into());
        let login = (event.class == Class::Login).then(|| event.user.as_str().into());
        let is_any = host.is_some() || login.is_some();
        let more = is_any.then(|| Box::new(More { host, login, from, counted: None }));
        Attempt { pid: event.pid, ppid: event.ppid, at, count: 0, doubled: 0, more }
    }

    /// How many of the failures in `event`, a row of the log, the module did not see. They are counted under this name
    /// and source.
    pub(super) fn not_seen(&mut self, event: &Event, name: &Key, source: &Key, at: i64) -> u32 {
        let mut attempt = self.attempt(event, None, at);
        let mut left = event.count;
        for known in self.module.same_as(&attempt) {
            left -= known.double(left);
        }
        if left > 0 {
            attempt.count = left;
            let counted = Some(Counted(name.clone(), source.clone()));
            attempt.more.get_or_insert_default().counted = counted;
            self.log.remember(attempt);
        }
        left
    }

    /// Which failures in `event`, which the module saw, were counted under this name and source as the log told of them.
    pub(super) fn counted_by_log(&mut self, event: &Event, name: &Key, source: &Key, at: i64) -> Vec<Twice> {
        let mut attempt = self.attempt(event, None, at);
        let mut left = event.count;
        let mut twice = Vec::new();
        for known in self.log.same_as(&attempt) {
            let counted = known.more.as_ref().and_then(|more| more.counted.as_ref());
            if counted.is_some_and(|counted| counted.is(name, source)) {
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

    /// Whether this login came already, `from` the same address where both have one: the module may see it twice, as an
    /// authentication and as a session. What the log told before says nothing of a login that the module sees.
    pub(super) fn is_known_login(&mut self, event: &Event, from: Option<IpAddr>, at: i64) -> bool {
        let attempt = self.attempt(event, from, at);
        let by_log = event.route == Route::Log;
        let is_in = |recent: &mut Recent| recent.same_as(&attempt).next().is_some();
        let known = is_in(&mut self.module) || (by_log && is_in(&mut self.log));
        // What somebody claims stands for no login that is none.
        if !known && !event.is_claimed() {
            let own = if by_log { &mut self.log } else { &mut self.module };
            own.remember(attempt);
        }
        known
    }

    /// Bytes that the attempts of each route take.
    pub(super) fn heap(&self) -> [usize; 2] {
        [self.module.heap(), self.log.heap()]
    }

    /// Attempts before the second `at` go.
    pub(super) fn forget_before(&mut self, at: i64) {
        for recent in [&mut self.module, &mut self.log] {
            let old = recent.attempts.iter().take_while(|attempt| attempt.at < at).count();
            recent.forget(old);
        }
    }

    /// The oldest go, until those of a route take at most so many bytes.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        [&mut self.module, &mut self.log].into_iter().for_each(|recent| recent.shrink_to(bytes));
    }
}
