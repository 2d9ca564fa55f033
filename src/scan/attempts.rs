//! From lines to attempts: one attempt is told by several lines, and counted once.
//!
//! Of each process, sshd (or su, sudo, login) and the PAM modules tell the same attempts in their
//! own words, each in order. So the n-th told by one is the n-th told by the other, and
//! attempts = max(told by the program, told by PAM). Beside that:
//!
//! - sshd runs keyboard-interactive PAM in a child: its line has another pid than sshd's own. A
//!   process of which only PAM spoke, and of which sshd then tells under another pid, is the same
//!   attempt. So are pam_unix's line without a pid and su's own with one, and unix_chkpwd's.
//! - A refusal by one module and success right after it is a login by the second module.
//!
//! Lines of one process may come minutes apart, and in different passes: what is still open is
//! carried over. Everything is bounded.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::rules::{Evidence, Family, Kind};
use crate::neutral;

/// Seconds, in the unit of times here.
const SECOND: i64 = 1_000_000;
/// A process that was silent for so long is another one with the same number.
const SILENCE: i64 = 600 * SECOND;
/// A module that accepts does so at most this long after another refused.
const SECOND_MODULE: i64 = 10 * SECOND;
/// Where the same process asks again after a refusal: libpam's delay is at least one second.
const BEFORE_RETRY: i64 = SECOND;
/// From the line of sshd's child to that of its parent: libpam's delay, and a busy machine.
const CHILD_TO_PARENT: i64 = 15 * SECOND;
/// From the first PAM line of sudo to its summary, and from polkit's helper to polkitd.
const DIALOGUE: i64 = 300 * SECOND;
/// Processes that are open at one time; over it the oldest is closed early.
const PROCESSES: usize = 8192;
/// Open rows of one process; over it the oldest is let go.
const ROWS: usize = 64;
/// Modules of one process that are told apart.
const MODULES: usize = 8;
/// Unanswered prompts that are remembered.
const ABORTED: usize = 16;
/// How many open processes are looked at for one that belongs to a line.
const LOOK_BACK: usize = 256;

/// Where a line stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Identity of the source, from its first line.
    pub source: u64,
    /// First byte of the line.
    pub offset: u64,
    /// Number of the line, from 1; 0 where lines were not counted.
    pub line: u64,
}

/// Attempts that one line was the first to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Time of that line, in microseconds of the epoch.
    pub time: i64,
    /// When the process was first heard of.
    pub since: i64,
    /// The machine.
    pub host: CompactString,
    /// PAM service.
    pub service: CompactString,
    /// Process; 0: the line has none.
    pub pid: u32,
    /// Who was tried.
    pub user: CompactString,
    /// From where.
    pub rhost: CompactString,
    /// By whom.
    pub ruser: CompactString,
    /// Terminal.
    pub tty: CompactString,
    /// The kind of evidence.
    pub class: CompactString,
    /// How many attempts.
    pub count: u32,
    /// The line.
    pub place: Place,
    family: Family,
    /// Number of the first of these attempts in its process.
    first: u64,
    told_by_program: bool,
    told_by_pam: bool,
    module: CompactString,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    /// Not yet said.
    Waiting,
    /// Handed out.
    Settled,
    /// Part of another process's attempt, or no attempt.
    Gone,
}

impl Row {
    fn new(
        speaker: &Speaker<'_>,
        evidence: &Evidence<'_>,
        time: i64,
        place: Place,
        process: &Process,
    ) -> Self {
        // A certificate's id stands behind the address in such a line, and the client wrote it.
        let rhost = if evidence.kind == Kind::SshdKey && !process.rhost.is_empty() {
            process.rhost.clone()
        } else {
            address(evidence.rhost)
        };
        Self {
            time,
            since: process.first,
            host: text(speaker.host),
            service: text(evidence.service),
            pid: speaker.pid,
            user: text(evidence.user),
            rhost,
            ruser: text(evidence.ruser),
            tty: text(evidence.tty),
            class: CompactString::const_new(evidence.class),
            count: 0,
            place,
            family: speaker.family,
            first: 0,
            told_by_program: false,
            told_by_pam: false,
            module: CompactString::default(),
            state: State::Waiting,
        }
    }

    /// Fill in what is missing from another line about the same attempt.
    fn hear(&mut self, evidence: &Evidence<'_>, pid: u32) {
        for (old, new) in [
            (&mut self.user, evidence.user),
            (&mut self.ruser, evidence.ruser),
            (&mut self.tty, evidence.tty),
        ] {
            if old.is_empty() && !new.is_empty() {
                *old = text(new);
            }
        }
        // UseDNS gives PAM a name where sshd's own lines keep the address.
        if !evidence.rhost.is_empty() && self.rhost.as_bytes() != evidence.rhost && !is_address(&self.rhost) {
            let told = address(evidence.rhost);
            if self.rhost.is_empty() || is_address(&told) {
                self.rhost = told;
            }
        }
        if self.pid == 0 {
            self.pid = pid;
        }
    }

    /// Whether it was told by unix_chkpwd alone, whose pid is not that of whoever authenticates.
    pub fn is_check_password(&self) -> bool {
        self.family == Family::CheckPassword
    }

    /// Whether it is the word of polkitd, which runs no PAM itself.
    pub fn is_polkitd(&self) -> bool {
        self.class == "polkit-failed"
    }
}

/// A line's header as far as it says which process spoke.
#[derive(Clone, Copy, Debug)]
pub struct Speaker<'a> {
    /// The machine.
    pub host: &'a [u8],
    /// The program.
    pub program: &'a [u8],
    /// Its family.
    pub family: Family,
    /// Its number, 0 where there is none.
    pub pid: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
struct Key {
    host: u64,
    pid: u32,
    /// Without a pid: program and whose it is.
    who: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Process {
    key: Key,
    family: Family,
    first: i64,
    last: i64,
    port: u32,
    rhost: CompactString,
    /// Told by sshd: refused passwords and keys.
    direct: u64,
    keyboard: u64,
    pam_error: u64,
    /// Told by su, sudo, login.
    program: u64,
    program_too: u64,
    /// Told by each PAM module, and by `N more`.
    modules: Vec<(CompactString, u64)>,
    more: u64,
    total: u64,
    /// A user who does not exist: an attempt when nothing else is told.
    unknown: Option<Row>,
    aborted: bool,
    /// The program has said its last word (known only where a pid is missing).
    ended: bool,
    rows: Vec<Row>,
}

impl Process {
    fn told_by_program(&self) -> u64 {
        self.direct + self.keyboard.max(self.pam_error) + self.program.max(self.program_too)
    }

    fn told_by_pam(&self) -> u64 {
        let more = self.more;
        let most = self.modules.iter().map(|(name, n)| if name == "pam_unix" { n + more } else { *n }).max();
        most.unwrap_or(0).max(more)
    }

    fn told_by_module(&mut self, module: &str, attempts: u64) {
        match self.modules.iter().position(|(name, _)| name == module) {
            Some(at) => self.modules[at].1 += attempts,
            None if self.modules.len() < MODULES => self.modules.push((module.into(), attempts)),
            None => {}
        }
    }

    fn pam_only(&self) -> bool {
        self.told_by_program() == 0 && self.total > 0
    }
}

/// Everything that is open, and what has been settled since it was last taken.
#[derive(Debug, Default)]
pub struct Attempts {
    processes: HashMap<Key, Process, BuildHasherDefault<Mix>>,
    /// In the order in which they were first heard of, with that time.
    order: VecDeque<(Key, i64)>,
    /// Processes of which only PAM spoke so far, oldest first.
    pam_only: VecDeque<Key>,
    checks: VecDeque<Key>,
    /// Processes of sshd-auth by client address and port.
    connections: HashMap<(u64, u32), Key>,
    settled: Vec<Row>,
    latest: i64,
    /// Prompts left unanswered, told without a pid.
    aborted: VecDeque<(u64, Family, CompactString, i64)>,
}

impl Attempts {
    /// Take in what a line tells. `time` is in microseconds of the epoch.
    pub fn tell(&mut self, speaker: &Speaker<'_>, evidence: &Evidence<'_>, time: i64, place: Place) {
        self.latest = time;
        self.close_silent(time);
        let key = self.process_of(speaker, evidence, time);
        match evidence.kind {
            Kind::SshdAccepted => return self.accepted(key, speaker, evidence, time),
            Kind::PamSuccess => {
                return self.second_module(key, Some(evidence.module), evidence, SECOND_MODULE, time);
            }
            Kind::PamSession => {
                let within = match speaker.family {
                    Family::Sshd => return,
                    Family::Su => SECOND_MODULE,
                    _ => BEFORE_RETRY,
                };
                return self.second_module(key, None, evidence, within, time);
            }
            Kind::Polkit if self.polkit_told(key, time) => return,
            Kind::Client => {
                let process = self.processes.get_mut(&key);
                if let Some(unknown) = process.and_then(|p| p.unknown.as_mut()) {
                    unknown.hear(evidence, speaker.pid);
                }
                return;
            }
            Kind::PamAborted if speaker.pid == 0 && !evidence.user.is_empty() => {
                self.aborted.push_back((key.host, speaker.family, text(evidence.user), time));
                if self.aborted.len() > ABORTED {
                    self.aborted.pop_front();
                }
                return;
            }
            Kind::Program if speaker.family == Family::Su && self.was_aborted(key, evidence, time) => return,
            _ => {}
        }
        self.open(key, speaker, time);
        let absorbed = self.absorb(key, speaker, evidence, time);
        let checked = self.absorb_checks(key, speaker, evidence, time);
        let Some(process) = self.processes.get_mut(&key) else { return };
        process.last = process.last.max(time);
        if evidence.port != 0 {
            process.port = evidence.port;
        }
        if process.rhost.is_empty() && !evidence.rhost.is_empty() && evidence.kind != Kind::SshdKey {
            process.rhost = address(evidence.rhost);
        }
        let by_pam = matches!(evidence.kind, Kind::PamFailure | Kind::PamMore);
        let before = if by_pam { process.told_by_pam() } else { process.told_by_program() };
        let weight = u64::from(evidence.weight);
        match evidence.kind {
            Kind::SshdPassword | Kind::SshdKey => process.direct += weight,
            Kind::SshdKeyboard => process.keyboard += weight,
            Kind::SshdPamError => process.pam_error += weight,
            Kind::Program
                if process.aborted && process.told_by_pam() == 0 && speaker.family == Family::Su =>
            {
                process.ended = true;
                return;
            }
            Kind::Program | Kind::CheckPassword | Kind::Polkit => {
                process.program += weight;
                process.ended = speaker.pid == 0;
            }
            Kind::ProgramToo => process.program_too += weight,
            Kind::ProgramTotal => process.program = process.program.max(weight),
            Kind::PamMore => process.more += weight,
            Kind::PamFailure => process.told_by_module(&text(evidence.module), weight),
            Kind::PamAborted => {
                process.aborted = true;
                return;
            }
            Kind::SshdInvalidUser | Kind::UnknownUser => {
                if process.unknown.is_none() {
                    process.unknown =
                        Some(Row { count: 1, ..Row::new(speaker, evidence, time, place, process) });
                }
                return;
            }
            Kind::SshdAccepted | Kind::PamSuccess | Kind::PamSession | Kind::Client => return,
        }
        let after = if by_pam { process.told_by_pam() } else { process.told_by_program() };
        let from = if after > before { before } else { after.saturating_sub(1) };
        let to = after;
        for old in process.rows.iter_mut().filter(|r| r.first < to && r.first + u64::from(r.count) > from) {
            old.hear(evidence, speaker.pid);
            old.told_by_pam |= by_pam;
            old.told_by_program |= !by_pam;
        }
        if to > process.total {
            let mut fresh = Row::new(speaker, evidence, time, place, process);
            fresh.first = process.total;
            fresh.count = u32::try_from(to - process.total.max(from)).unwrap_or(u32::MAX);
            fresh.told_by_pam = by_pam;
            fresh.told_by_program = !by_pam;
            fresh.module = text(evidence.module);
            if let Some(unknown) = process.unknown.as_ref().filter(|_| process.total == 0) {
                complete(&mut fresh, unknown);
                fresh.state = unknown.state;
            }
            if let Some(child) = absorbed {
                // The child's line was first, and may have been handed out already.
                let program = fresh;
                fresh = Row { first: program.first, count: program.count, told_by_program: true, ..child };
                complete(&mut fresh, &program);
                let count = u64::from(fresh.count);
                process.told_by_module(&fresh.module, count);
            }
            if checked >= fresh.count && checked > 0 {
                fresh.state = State::Settled;
            }
            process.total = to;
            process.rows.push(fresh);
            if process.rows.len() > ROWS {
                let oldest = process.rows.remove(0);
                if oldest.state == State::Waiting {
                    self.settled.push(oldest);
                }
            }
            if by_pam && process.pam_only() {
                self.pam_only.push_back(key);
                if self.pam_only.len() > LOOK_BACK {
                    self.pam_only.pop_front();
                }
            } else if evidence.kind == Kind::CheckPassword {
                self.checks.push_back(key);
                if self.checks.len() > LOOK_BACK {
                    self.checks.pop_front();
                }
            }
        }
    }

    /// Whether anything is known of a process.
    pub fn knows(&self, host: &[u8], pid: u32) -> bool {
        pid == 0 || self.processes.contains_key(&Key { host: hash(&[host]), pid, who: 0 })
    }

    /// The process that spoke: by connection, by number, or by whose it is.
    fn process_of(&mut self, speaker: &Speaker<'_>, evidence: &Evidence<'_>, time: i64) -> Key {
        let host = hash(&[speaker.host]);
        let own = Key { host, pid: speaker.pid, who: 0 };
        if !self.connections.is_empty() && evidence.port != 0 && !self.processes.contains_key(&own) {
            let connection = (hash(&[speaker.host, evidence.rhost]), evidence.port);
            if let Some(key) = self.connections.get(&connection).copied() {
                if self.processes.get(&key).is_some_and(|p| (time - p.last).abs() <= SILENCE) {
                    return key;
                }
            }
        }
        let mut who = 0;
        if speaker.pid == 0 {
            let whose: [&[u8]; 2] = match speaker.family {
                Family::Sshd => [evidence.rhost, b""],
                Family::Su | Family::Sudo => [evidence.ruser, b""],
                _ => [evidence.user, evidence.rhost],
            };
            who = hash(&[speaker.program, whose[0], whose[1]]);
        }
        let key = Key { host, pid: speaker.pid, who };
        if let Some(process) = self.processes.get(&key) {
            let differs = |port: u32| port != 0 && evidence.port != 0 && port != evidence.port;
            let another = (time - process.last).abs() > SILENCE
                || process.family != speaker.family
                || (speaker.pid != 0 && differs(process.port))
                || (process.ended && !matches!(evidence.kind, Kind::PamSuccess | Kind::PamSession))
                || (speaker.pid == 0
                    && matches!(speaker.family, Family::Su | Family::Sudo)
                    && matches!(evidence.kind, Kind::PamFailure | Kind::PamAborted)
                    && process.modules.iter().any(|(name, _)| name.as_bytes() == evidence.module));
            if another {
                self.close(key);
            }
        }
        // From OpenSSH 10 on, what comes before the login is a process of its own.
        if speaker.program == b"sshd-auth" && evidence.port != 0 {
            if self.connections.len() >= PROCESSES {
                self.connections.clear();
            }
            self.connections.insert((hash(&[speaker.host, evidence.rhost]), evidence.port), key);
        }
        key
    }

    fn open(&mut self, key: Key, speaker: &Speaker<'_>, time: i64) {
        if self.processes.contains_key(&key) {
            return;
        }
        while self.processes.len() >= PROCESSES {
            match self.order.pop_front() {
                Some((oldest, _)) => self.close(oldest),
                None => break,
            }
        }
        self.order.push_back((key, time));
        let process = Process {
            key,
            family: speaker.family,
            first: time,
            last: time,
            port: 0,
            rhost: CompactString::default(),
            direct: 0,
            keyboard: 0,
            pam_error: 0,
            program: 0,
            program_too: 0,
            modules: Vec::new(),
            more: 0,
            total: 0,
            unknown: None,
            aborted: false,
            ended: false,
            rows: Vec::new(),
        };
        self.processes.insert(key, process);
    }

    /// The attempt of another process that this line tells again, if there is one.
    fn absorb(&mut self, key: Key, speaker: &Speaker<'_>, evidence: &Evidence<'_>, time: i64) -> Option<Row> {
        let within = match evidence.kind {
            Kind::SshdKeyboard | Kind::SshdPamError => CHILD_TO_PARENT,
            Kind::Program if matches!(speaker.family, Family::Su | Family::Sudo) && speaker.pid != 0 => {
                DIALOGUE
            }
            _ => return None,
        };
        let process = self.processes.get(&key)?;
        let told = process.told_by_program();
        let next = match evidence.kind {
            Kind::SshdKeyboard => process.direct + process.pam_error.max(process.keyboard + 1),
            Kind::SshdPamError => process.direct + process.keyboard.max(process.pam_error + 1),
            _ => told + 1,
        };
        // What PAM told under this very pid is already the other half.
        if next <= told || process.told_by_pam() >= next {
            return None;
        }
        let processes = &self.processes;
        let at = self.pam_only.iter().rposition(|other| {
            processes.get(other).is_some_and(|other| {
                other.key != key
                    && other.key.host == key.host
                    && other.family == speaker.family
                    && (speaker.family == Family::Sshd || other.key.pid == 0)
                    && other.pam_only()
                    && other.rows.last().is_some_and(|row| {
                        row.state != State::Gone
                            && (-SECOND..=within).contains(&(time - row.time))
                            && agree(&row.user, evidence.user)
                            && agree(&row.ruser, evidence.ruser)
                            && (agree(&row.rhost, evidence.rhost) || !is_address(&row.rhost))
                    })
            })
        })?;
        let other = self.pam_only.remove(at)?;
        let row = self.processes.get_mut(&other)?.rows.last_mut()?;
        let taken = row.clone();
        row.state = State::Gone;
        Some(taken)
    }

    /// Take the unix_chkpwd lines that belong to this attempt; how many had been handed out.
    fn absorb_checks(&mut self, key: Key, speaker: &Speaker<'_>, evidence: &Evidence<'_>, time: i64) -> u32 {
        if self.checks.is_empty() || speaker.family == Family::CheckPassword || evidence.weight == 0 {
            return 0;
        }
        let since = self.processes.get(&key).map_or(time, |p| p.first).max(time - SILENCE) - SECOND_MODULE;
        let mut handed_out = 0;
        for _ in 0..evidence.weight.min(ROWS as u32) {
            let processes = &self.processes;
            let found = self.checks.iter().position(|check| {
                processes.get(check).and_then(|p| p.rows.last()).is_some_and(|row| {
                    check.host == key.host
                        && row.time >= since
                        && row.time <= time + SECOND
                        && row.user.as_bytes() == evidence.user
                })
            });
            let Some(check) = found.and_then(|at| self.checks.remove(at)) else { break };
            if let Some(row) = self.processes.get_mut(&check).and_then(|p| p.rows.last_mut()) {
                handed_out += u32::from(row.state == State::Settled);
                row.state = State::Gone;
            }
        }
        handed_out
    }

    /// Whether nobody answered su's prompt: su calls that a failure, PAM does not.
    fn was_aborted(&mut self, key: Key, evidence: &Evidence<'_>, time: i64) -> bool {
        if self.processes.get(&key).is_some_and(|p| p.told_by_pam() > 0) {
            return false;
        }
        let found = self.aborted.iter().rposition(|(host, family, user, at)| {
            *host == key.host
                && *family == Family::Su
                && user.as_bytes() == evidence.user
                && (0..=CHILD_TO_PARENT).contains(&(time - at))
        });
        found.and_then(|at| self.aborted.remove(at)).is_some()
    }

    /// Whether polkit's helper has told the attempts of a dialogue that polkitd sums up.
    fn polkit_told(&mut self, key: Key, time: i64) -> bool {
        let processes = &self.processes;
        let before = self.pam_only.len();
        self.pam_only.retain(|other| {
            !processes.get(other).is_some_and(|other| {
                other.key.host == key.host && other.family == Family::Polkit && time - other.last <= DIALOGUE
            })
        });
        self.pam_only.len() < before
    }

    /// sshd let somebody in: what only PAM refused, moments ago, was one module of several.
    fn accepted(&mut self, key: Key, speaker: &Speaker<'_>, evidence: &Evidence<'_>, time: i64) {
        if let Some(process) = self.processes.get_mut(&key) {
            for row in &mut process.rows {
                forgive(row, time, SECOND_MODULE);
            }
        }
        if !evidence.module.starts_with(b"keyboard-interactive") {
            return;
        }
        for other in self.pam_only.iter().rev() {
            let Some(process) = self.processes.get_mut(other) else { continue };
            if other.host != key.host || process.family != speaker.family || !process.pam_only() {
                continue;
            }
            let Some(row) = process.rows.last_mut() else { continue };
            let same = agree(&row.user, evidence.user) && agree(&row.rhost, evidence.rhost);
            if same && forgive(row, time, SECOND_MODULE) {
                return;
            }
        }
    }

    /// A module accepted, or a session began: the last refusal was that of another module.
    fn second_module(
        &mut self,
        key: Key,
        module: Option<&[u8]>,
        evidence: &Evidence<'_>,
        within: i64,
        time: i64,
    ) {
        let Some(process) = self.processes.get_mut(&key) else { return };
        if process.ended || process.modules.iter().any(|(name, _)| Some(name.as_bytes()) == module) {
            return;
        }
        if let Some(row) = process.rows.last_mut() {
            if agree(&row.user, evidence.user) {
                forgive(row, time, within);
            }
        }
    }

    fn close_silent(&mut self, time: i64) {
        for _ in 0..4 {
            let Some((key, _)) = self.order.front().copied() else { return };
            match self.processes.get(&key) {
                Some(process) if (time - process.last).abs() <= SILENCE => {
                    // Still speaking: it is looked at again when those after it have been.
                    if time - process.first <= SILENCE {
                        return;
                    }
                    self.order.rotate_left(1);
                }
                Some(_) => self.close(key),
                None => {
                    self.order.pop_front();
                }
            }
        }
    }

    fn close(&mut self, key: Key) {
        let Some(process) = self.processes.remove(&key) else { return };
        if let Some(at) = self.order.iter().position(|(k, _)| *k == key) {
            self.order.remove(at);
        }
        let unknown = process.unknown.filter(|_| process.total == 0);
        self.settled
            .extend(process.rows.into_iter().chain(unknown).filter(|row| row.state == State::Waiting));
    }

    /// Settle everything: there is no more to come.
    pub fn finish(&mut self) {
        while let Some((key, _)) = self.order.pop_front() {
            self.close(key);
        }
        self.pam_only.clear();
        self.checks.clear();
        self.connections.clear();
    }

    /// Settle what is older than `age` at `now`, by the clock of the line. A user who does not
    /// exist may still be typing a password for `patience`.
    pub fn settle(&mut self, now: i64, age: i64, patience: i64) {
        self.close_silent(now);
        for (key, _) in &self.order {
            let Some(process) = self.processes.get_mut(key) else { continue };
            for row in &mut process.rows {
                if row.state == State::Waiting && (now - row.time >= age || row.time - now > SILENCE) {
                    row.state = State::Settled;
                    self.settled.push(row.clone());
                }
            }
            let total = process.total;
            if let Some(row) = process.unknown.as_mut().filter(|_| total == 0) {
                if row.state == State::Waiting && (now - row.time >= patience || row.time - now > SILENCE) {
                    row.state = State::Settled;
                    self.settled.push(row.clone());
                }
            }
        }
    }

    /// What has been settled since the last call, in the order of settling.
    pub fn take_settled(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.settled)
    }

    /// How many rows are settled and not taken.
    pub fn settled(&self) -> usize {
        self.settled.len()
    }

    /// Attempts that are not settled.
    pub fn waiting(&self) -> u64 {
        let rows = self.processes.values().flat_map(|p| &p.rows);
        rows.filter(|row| row.state == State::Waiting).map(|row| u64::from(row.count)).sum()
    }

    /// The time of the latest line, for one that has none.
    pub fn latest(&self) -> i64 {
        self.latest
    }
}

/// What is carried from one pass to the next.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Open {
    processes: Vec<Process>,
    pam_only: Vec<Key>,
    checks: Vec<Key>,
    #[serde(default)]
    connections: Vec<((u64, u32), Key)>,
    #[serde(default)]
    aborted: VecDeque<(u64, Family, CompactString, i64)>,
}

impl Attempts {
    /// What is still open.
    pub fn open_processes(&self) -> Open {
        let processes = self.order.iter().filter_map(|(key, _)| self.processes.get(key).cloned()).collect();
        Open {
            processes,
            pam_only: self.pam_only.iter().copied().collect(),
            checks: self.checks.iter().copied().collect(),
            connections: self
                .connections
                .iter()
                .filter(|(_, key)| self.processes.contains_key(key))
                .map(|(connection, key)| (*connection, *key))
                .collect(),
            aborted: self.aborted.clone(),
        }
    }

    /// Go on from what was open.
    pub fn resume(open: Open) -> Self {
        let mut attempts = Self::default();
        for process in open.processes.into_iter().take(PROCESSES) {
            attempts.order.push_back((process.key, process.first));
            attempts.processes.insert(process.key, process);
        }
        attempts.pam_only = open.pam_only.into_iter().take(LOOK_BACK).collect();
        attempts.checks = open.checks.into_iter().take(LOOK_BACK).collect();
        attempts.connections = open.connections.into_iter().take(PROCESSES).collect();
        attempts.aborted = open.aborted.into_iter().take(ABORTED).collect();
        attempts
    }
}

fn forgive(row: &mut Row, time: i64, within: i64) -> bool {
    let apart = time - row.time;
    let whole_seconds = row.time % SECOND == 0 && time % SECOND == 0;
    let soon = (0..within).contains(&apart) || (whole_seconds && apart == within);
    let forgiven = row.state == State::Waiting && row.told_by_pam && !row.told_by_program && soon;
    if forgiven {
        row.state = State::Gone;
    }
    forgiven
}

/// Fill in what `old` lacks from another row about the same attempt.
fn complete(old: &mut Row, new: &Row) {
    for (old, new) in [
        (&mut old.user, &new.user),
        (&mut old.ruser, &new.ruser),
        (&mut old.tty, &new.tty),
        (&mut old.rhost, &new.rhost),
    ] {
        if old.is_empty() {
            old.clone_from(new);
        }
    }
    // UseDNS gives PAM a name where sshd's own lines keep the address.
    if !is_address(&old.rhost) && is_address(&new.rhost) {
        old.rhost.clone_from(&new.rhost);
    }
    if old.pid == 0 {
        old.pid = new.pid;
    }
}

/// Whether two names may mean the same: one is not told, or they are equal.
fn agree(known: &str, told: &[u8]) -> bool {
    known.is_empty() || told.is_empty() || known.as_bytes() == told || known == text(told)
}

fn is_address(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
}

/// An address in one spelling, or neutral text.
fn address(bytes: &[u8]) -> CompactString {
    // Plain IPv4 is what nearly every line has.
    if bytes.len() <= 15 && bytes.iter().all(|b| b.is_ascii_digit() || *b == b'.') {
        return text(bytes);
    }
    let bare = bytes.split(|b| *b == b'%').next().unwrap_or(bytes);
    match std::str::from_utf8(bare).ok().and_then(|t| t.parse::<std::net::IpAddr>().ok()) {
        Some(address) => address.to_canonical().to_string().into(),
        None => neutral::text(bytes, 255).into(),
    }
}

/// A name as neutral text.
fn text(bytes: &[u8]) -> CompactString {
    let plain = bytes.len() <= neutral::NAME_LIMIT && bytes.iter().all(|b| (b' '..=b'~').contains(b));
    match std::str::from_utf8(bytes) {
        Ok(text) if plain => text.into(),
        _ => neutral::name(bytes).into(),
    }
}

/// Keys are hashes and process numbers, and the table is bounded: mixing them is enough.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(23) ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }
}

fn hash(parts: &[&[u8]]) -> u64 {
    let mut hash = super::position::Fnv::default();
    for part in parts {
        hash.write(part);
        hash.write(b"\0");
    }
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::super::rules::{self, Line};
    use super::super::{header, stamp};
    use super::*;

    const SSH: &str = "logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7";

    fn tell(attempts: &mut Attempts, line: &str, offset: u64) {
        let line = format!("2026-11-03T{line}").replacen(' ', "Z srv ", 1);
        let header = header::parse(line.as_bytes()).unwrap();
        let Line::Evidence(evidence) = rules::classify(&header) else { panic!("{line}") };
        let stamp::Stamp::Exact(time) = header.stamp else { panic!("{line}") };
        let family = rules::family(header.program);
        let speaker = Speaker { host: header.host, program: header.program, family, pid: header.pid };
        attempts.tell(&speaker, &evidence, time, Place { source: 1, offset, line: offset + 1 });
    }

    /// Attempts in these lines, told at once and told with a pause and a new start after each.
    fn count(lines: &[&str]) -> u64 {
        let mut whole = Attempts::default();
        let mut parts = Attempts::default();
        let mut by_parts = 0;
        for (n, line) in lines.iter().enumerate() {
            tell(&mut whole, line, n as u64);
            tell(&mut parts, line, n as u64);
            let open = serde_json::to_string(&parts.open_processes()).unwrap();
            by_parts += parts.take_settled().iter().map(|r| u64::from(r.count)).sum::<u64>();
            parts = Attempts::resume(serde_json::from_str(&open).unwrap());
        }
        whole.finish();
        parts.finish();
        let sum = |rows: Vec<Row>| rows.iter().map(|r| u64::from(r.count)).sum::<u64>();
        let (whole, parts) = (sum(whole.take_settled()), by_parts + sum(parts.take_settled()));
        assert_eq!(whole, parts, "at once and in parts: {lines:#?}");
        whole
    }

    fn pam(time: &str, tag: &str, user: &str) -> String {
        format!("{time} {tag}: pam_unix(sshd:auth): authentication failure; {SSH}  user={user}")
    }

    fn failed(time: &str, pid: u32) -> String {
        format!("{time} sshd[{pid}]: Failed password for alice from 192.0.2.7 port 5{pid} ssh2")
    }

    #[test]
    fn the_program_and_pam_tell_the_same_attempts() {
        let first = pam("09:00:00", "sshd[7]", "alice");
        let more = format!("09:00:09 sshd[7]: PAM 2 more authentication failures; {SSH}  user=alice");
        let (a, b, c) = (failed("09:00:02", 7), failed("09:00:05", 7), failed("09:00:08", 7));
        assert_eq!(count(&[&first, &a, &b, &c, &more]), 3);
        assert_eq!(count(&[&first, &a, &more]), 3, "syslog dropped lines of sshd");
        assert_eq!(count(&[&a, &b, &c]), 3, "without PAM");
        assert_eq!(count(&[&first, &more]), 3, "without sshd");
        assert_eq!(count(&[&first, &a, &failed("09:00:02", 8)]), 2);
    }

    #[test]
    fn a_number_that_comes_again_later_is_another_process() {
        assert_eq!(count(&[&failed("09:00:00", 7), &pam("10:00:00", "sshd[7]", "alice")]), 2);
    }

    #[test]
    fn a_child_that_runs_pam_tells_its_parents_attempt() {
        let error = "sshd[7]: error: PAM: Authentication failure for alice from 192.0.2.7";
        let late = "sshd[7]: Failed keyboard-interactive/pam for alice from 192.0.2.7 port 5 ssh2";
        let lines = [
            pam("09:00:00", "sshd[8]", "alice"),
            format!("09:00:02 {error}"),
            pam("09:00:04", "sshd[9]", "alice"),
            format!("09:00:06 {error}"),
            format!("09:00:06 {late}"),
        ];
        assert_eq!(count(&lines.each_ref().map(String::as_str)), 2);
        assert_eq!(count(&[&lines[0]]), 1, "the client left before the answer");
        assert_eq!(count(&[&pam("09:00:00", "sshd[8]", "bob"), &lines[1]]), 2, "another user");
    }

    #[test]
    fn a_second_module_that_accepts_is_no_failure() {
        let accepted = "09:00:01 sshd[7]: Accepted password for alice from 192.0.2.7 port 57 ssh2";
        let sss = format!("09:00:01 sshd[7]: pam_sss(sshd:auth): authentication success; {SSH} user=alice");
        let sss_failed =
            format!("09:00:01 sshd[7]: pam_sss(sshd:auth): authentication failure; {SSH} user=alice");
        let first = pam("09:00:00", "sshd[7]", "alice");
        assert_eq!(count(&[&first, accepted]), 0);
        assert_eq!(count(&[&first, &sss]), 0);
        assert_eq!(count(&[&first, &sss_failed]), 1, "both refuse: one attempt");
        assert_eq!(count(&[&first, &failed("09:00:01", 7), accepted]), 1, "wrong, then right");
        let unix = "pam_unix(sudo:auth): authentication failure; logname=bob uid=1000 euid=0 tty=/dev/pts/0 ruser=bob rhost=  user=bob";
        let opened = "pam_unix(sudo:session): session opened for user root(uid=0) by bob(uid=1000)";
        let sudo = |time: &str, text: &str| format!("{time} sudo[7]: {text}");
        // The user of the session is root, and bob's refusal stays his.
        assert_eq!(count(&[&sudo("09:00:00", unix), &sudo("09:00:03", opened)]), 1);
    }

    #[test]
    fn sudo_without_a_pid_is_told_apart_by_its_summaries() {
        let unix = "sudo: pam_unix(sudo:auth): authentication failure; logname=bob uid=1000 euid=0 tty=/dev/pts/0 ruser=bob rhost=  user=bob";
        let summary = "sudo:      bob : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls";
        let at = |time: &str, text: &str| format!("{time} {text}");
        assert_eq!(count(&[&at("09:00:00", unix), &at("09:00:09", summary)]), 3);
        assert_eq!(
            count(&[
                &at("09:00:00", unix),
                &at("09:00:09", unix),
                &at("09:00:18", summary),
                &at("09:00:20", summary)
            ]),
            1 + 3 + 3
        );
    }

    #[test]
    fn su_is_one_attempt_whether_or_not_its_lines_have_a_pid() {
        let unix = "su: pam_unix(su:auth): authentication failure; logname=bob uid=1000 euid=0 tty=/dev/pts/0 ruser=bob rhost=  user=alice";
        let failed = "FAILED SU (to alice) bob on pts/0";
        for tag in ["su[7]", "su"] {
            assert_eq!(
                count(&[&format!("09:00:00 {unix}"), &format!("09:00:02 {tag}: {failed}")]),
                1,
                "{tag}"
            );
            assert_eq!(count(&[&format!("09:00:02 {tag}: {failed}")]), 1, "{tag}");
        }
        let aborted = "09:00:01 su: pam_unix(su:auth): auth could not identify password for [alice]";
        assert_eq!(count(&[aborted, &format!("09:00:01 su[7]: {failed}")]), 0, "nobody answered");
        let own = aborted.replace("su:", "su[7]:").replacen("su[7]:auth", "su:auth", 1);
        assert_eq!(count(&[&own, &format!("09:00:01 su[7]: {failed}")]), 0, "nobody answered");
    }

    #[test]
    fn unix_chkpwd_counts_where_it_is_the_only_one() {
        let check = "09:00:00 unix_chkpwd[8]: password check failed for user (alice)";
        assert_eq!(count(&[check]), 1);
        assert_eq!(count(&[check, &pam("09:00:00", "sshd[7]", "alice"), &failed("09:00:02", 7)]), 1);
        assert_eq!(count(&[check, &pam("09:00:00", "sshd[7]", "bob")]), 2);
    }

    #[test]
    fn a_name_that_does_not_exist_counts_when_it_is_all_there_is() {
        let invalid = "09:00:00 sshd[7]: Invalid user x from 192.0.2.7 port 40000";
        let failed = "09:00:02 sshd[7]: Failed password for invalid user x from 192.0.2.7 port 40000 ssh2";
        assert_eq!(count(&[invalid]), 1);
        assert_eq!(count(&[invalid, failed]), 1);
        assert_eq!(count(&[invalid, failed, failed]), 2);
        let before = "09:00:00 sshd-auth[6]: Invalid user x from 192.0.2.7 port 40000";
        assert_eq!(count(&[before, &failed.replace("sshd", "sshd-session")]), 1, "OpenSSH 10");
    }

    #[test]
    fn polkits_dialogue_is_told_once() {
        let helper = "09:00:00 polkit-agent-helper-1[8]: pam_unix(polkit-1:auth): authentication failure; logname= uid=1000 euid=0 tty= ruser=bob rhost=  user=alice";
        let polkitd = "09:00:09 polkitd[7]: Operator of unix-session:1 FAILED to authenticate to gain authorization for action a for b [c] (owned by unix-user:bob)";
        assert_eq!(count(&[helper, &helper.replace("[8]", "[9]"), polkitd]), 2);
        assert_eq!(count(&[polkitd]), 1);
    }

    #[test]
    fn whatever_is_open_stays_bounded() {
        let mut attempts = Attempts::default();
        for n in 0..3 * PROCESSES as u64 {
            tell(&mut attempts, &failed("09:00:00", n as u32 + 1), n);
        }
        assert!(attempts.processes.len() <= PROCESSES && attempts.order.len() <= PROCESSES);
        attempts.finish();
        assert_eq!(attempts.take_settled().len(), 3 * PROCESSES);
        for n in 0..10 * ROWS as u64 {
            tell(&mut attempts, &failed("09:00:00", 1), n);
        }
        assert!(attempts.open_processes().processes[0].rows.len() <= ROWS);
        attempts.finish();
        assert_eq!(attempts.take_settled().len(), 10 * ROWS);
    }
}
