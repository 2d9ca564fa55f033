//! From lines to attempts: one attempt is told by several lines, and counted once.
//!
//! Of each process, sshd (or su, sudo, login) and the PAM modules tell the same attempts in their
//! own words, each in order. So the n-th told by one is the n-th told by the other, and
//! attempts = max(told by the program, told by PAM). Beside that:
//!
//! - Of a process that named somebody and told nothing else, that is one attempt: sshd refused keys.
//! - Who got in owes only what the program itself refused, and what PAM refused long enough before.
//! - sshd runs keyboard-interactive PAM in a child: its line has another pid than sshd's own. A
//!   process of which only PAM spoke, and of which sshd then tells under another pid, is the same
//!   attempt. So are pam_unix's line without a pid and su's own with one, and unix_chkpwd's.
//! - A server that has a helper ask (Postfix, Dovecot) tells what the helper told.
//! - A refusal by one module and success right after it is a login by the second module.
//!
//! Lines of one process may come minutes apart, and in different passes: what is still open is
//! carried over. Everything is bounded.

mod carried;
mod excuse;
mod pairing;
mod process;
mod relayed;
mod row;
mod speaker;
mod spelling;
mod success;
mod table;

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;

use compact_str::CompactString;

use super::rules::{Evidence, Family, Kind, TEST};
pub use carried::Open;
use excuse::Excuse;
use process::{Key, Mix, Process, hash, name};
use relayed::is_of_helper;
pub(in crate::scan) use relayed::{Mail, WITHIN as SUMMED_UP};
use row::State;
pub use row::{Place, Row};
use speaker::SECOND;
pub use speaker::Speaker;
use spelling::text;
pub(in crate::scan) use spelling::{borrowed_address, borrowed_text};
use success::LetIn;
pub(in crate::scan) use success::is_login;

/// A process that was silent for so long is another one with the same number.
pub(in crate::scan) const SILENCE: i64 = 600 * SECOND;
/// A module that accepts does so at most this long after another refused.
const SECOND_MODULE: i64 = 10 * SECOND;
/// Processes that are open at one time; over it the oldest is closed early.
const PROCESSES: usize = 8192;
/// Unanswered prompts that are remembered.
const ABORTED: usize = 16;
/// How many open processes are looked at for one that belongs to a line.
const LOOK_BACK: usize = 256;

/// Everything that is open, and what has been settled since it was last taken.
#[derive(Debug, Default)]
pub struct Attempts {
    /// In boxes: half of the table's places are empty, and a process is large.
    processes: HashMap<Key, Box<Process>, BuildHasherDefault<Mix>>,
    /// How many of them have a pid, on whatever machine.
    pids: HashMap<u32, u32, BuildHasherDefault<Mix>>,
    /// In the order in which they were first heard of, with their numbers.
    order: VecDeque<(Key, u64)>,
    /// How many there were.
    opened: u64,
    /// Processes of which only PAM spoke so far, oldest first, and of unix_chkpwd, each with whom
    /// it tried (see [`name`]).
    pam_only: VecDeque<(Key, u64)>,
    checks: VecDeque<(Key, u64)>,
    /// Processes that ask on behalf of mail servers.
    helpers: VecDeque<Key>,
    /// Processes of sshd-auth by client address and port.
    connections: HashMap<(u64, u32), Key>,
    settled: Vec<Row>,
    /// Processes that somebody got in by, and of which PAM may report more at their end.
    let_in: LetIn,
    /// Whether su's own words are told here: they are of another facility than PAM's, and some systems keep those apart.
    su_speaks: bool,
    /// Logins, where they are wanted.
    logins: Option<Vec<Row>>,
    latest: i64,
    /// Our time, in microseconds of the epoch, where that matters.
    clock: Option<i64>,
    /// Prompts left unanswered, told without a pid.
    aborted: VecDeque<(u64, Family, CompactString, i64)>,
    /// Exim's refusals, each with a number for its words.
    said: VecDeque<(Key, u64, i64)>,
    /// Refusals to come that are none.
    excuses: VecDeque<Excuse>,
}

impl Attempts {
    /// Take in what a line tells. `time` is in microseconds of the epoch.
    pub fn tell(&mut self, speaker: &Speaker<'_>, evidence: &Evidence<'_>, time: i64, place: Place) {
        self.latest = time;
        // A line that somebody dated as he liked closes nothing that spoke just now.
        self.close_silent(&[time, self.clock.unwrap_or(time)]);
        if evidence.kind == Kind::Client {
            return self.client(speaker, evidence);
        }
        if evidence.kind == Kind::Excuse {
            return self.excuse(speaker, evidence, time);
        }
        if self.is_excused(speaker, evidence, time) {
            return;
        }
        self.su_speaks |=
            speaker.family == Family::Su && matches!(evidence.kind, Kind::Program | Kind::Success);
        let key = self.process_of(speaker, evidence, time);
        match evidence.kind {
            Kind::SshdAccepted | Kind::Success | Kind::PamSuccess | Kind::PamSession => {
                self.keep_login(Some(key), speaker, evidence, time, place);
                self.got_in(key, speaker, evidence, time);
            }
            Kind::Claimed => self.keep_login(Some(key), speaker, evidence, time, place),
            Kind::SshdInvalidUser | Kind::SshdKey | Kind::SshdLeft | Kind::SshdEnd | Kind::UnknownUser => {
                self.named(key, speaker, evidence, time, place);
            }
            Kind::SshdDenied => self.account_denied(key, speaker, evidence, time),
            Kind::PamAborted => self.prompt_left(key, speaker, evidence, time),
            Kind::PamMore => {
                let weight = self.weight_of_more(key, speaker, evidence);
                if weight > 0 {
                    self.refused(key, speaker, &Evidence { weight, ..*evidence }, time, place);
                }
            }
            Kind::Relayed if self.is_said_again(key, speaker, evidence, time) => {}
            Kind::Relayed => {
                let weight = self.not_told_by_helper(key, evidence, time);
                if weight > 0 {
                    self.refused(key, speaker, &Evidence { weight, ..*evidence }, time, place);
                }
            }
            Kind::Program if self.was_aborted(key, speaker, evidence, time) => {}
            _ => self.refused(key, speaker, evidence, time, place),
        }
    }

    /// Somebody was refused.
    fn refused(&mut self, key: Key, speaker: &Speaker<'_>, evidence: &Evidence<'_>, time: i64, place: Place) {
        self.open(key, speaker, time);
        if self.was_right(key, evidence, time) || self.was_left(key, speaker, evidence, time) {
            return;
        }
        let child = self.merge_child(key, speaker, evidence, time);
        let dialogue = self.dialogue_of(key, evidence, time);
        let dialogue = dialogue.map(|row| [&row.service, &row.ruser, &row.tty].map(CompactString::clone));
        let Some(process) = self.processes.get_mut(&key) else { return };
        process.hear_of(evidence, time);
        process.adopt(speaker, evidence);
        let by_pam = matches!(evidence.kind, Kind::PamFailure | Kind::PamMore);
        let before = if by_pam { process.by_pam() } else { process.by_program() };
        process.count(speaker, evidence);
        let to = if by_pam { process.by_pam() } else { process.by_program() };
        let from = if to > before { before } else { to.saturating_sub(1) };
        // What sshd's child was refused it had checked itself.
        process.checked += child.as_ref().map_or(0, |row| u64::from(row.count));
        let checked = self.merge_checks(key, speaker, evidence, time);
        let Some(process) = self.processes.get_mut(&key) else { return };
        for old in process.rows.iter_mut().filter(|r| r.first < to && r.first + u64::from(r.count) > from) {
            old.fill_missing(evidence, speaker.pid);
            old.by_pam |= by_pam;
            old.by_program |= !by_pam;
        }
        if to <= process.total {
            return;
        }
        let mut fresh = Row::new(speaker, evidence, time, place, process.first);
        fresh.first = process.total;
        fresh.count = u32::try_from(to - process.total.max(from)).unwrap_or(u32::MAX);
        (fresh.by_pam, fresh.by_program) = (by_pam, !by_pam);
        fresh.read = self.clock.unwrap_or(i64::MAX);
        // `N more` names no service, nor does a module under its own tag.
        let names_none = evidence.kind == Kind::PamMore || speaker.family == Family::Module;
        if let Some(before) = process.rows.last().filter(|_| names_none) {
            fresh.service.clone_from(&before.service);
        }
        if evidence.kind == Kind::Relayed {
            fresh.relayed = fresh.count;
        }
        let helps = evidence.kind != Kind::Relayed && is_of_helper(speaker.program, &fresh);
        fresh.module = text(evidence.module);
        fresh.family = process.family;
        if let Some(of_dialogue) = dialogue {
            [fresh.service, fresh.ruser, fresh.tty] = of_dialogue;
        }
        let mut fresh = process.complete(fresh, child);
        if checked >= fresh.count && checked > 0 {
            fresh.state = State::Settled;
        }
        if evidence.class == TEST {
            // Root's own: it takes unix_chkpwd's line with it, and is nothing to hand out.
            fresh.state = State::Gone;
        }
        process.total = to;
        process.helps |= helps;
        let whom = name(&fresh.user);
        let oldest = process.push(fresh).filter(|row| row.state == State::Waiting);
        self.settled.extend(oldest);
        if by_pam && process.pam_only() {
            remember(&mut self.pam_only, key, whom);
        } else if evidence.kind == Kind::CheckPassword {
            remember(&mut self.checks, key, whom);
        }
        if helps {
            self.remember_helper(key);
        }
    }

    /// Somebody was named who is not let in: that is an attempt where nothing else is reported of the process.
    fn named(&mut self, key: Key, speaker: &Speaker<'_>, evidence: &Evidence<'_>, time: i64, place: Place) {
        self.open(key, speaker, time);
        let is_end = evidence.kind == Kind::SshdEnd;
        if is_end && self.child_was_refused(key, evidence, time) {
            return;
        }
        let Some(process) = self.processes.get_mut(&key) else { return };
        process.hear_of(evidence, time);
        process.over |= is_end;
        process.ended |= is_end && speaker.pid == 0;
        if process.total > 0 || process.aborted || process.got_in {
            return;
        }
        // dropbear says so once for each name.
        let count = if evidence.kind == Kind::UnknownUser { evidence.weight } else { 1 };
        match &mut process.unknown {
            Some(row) if evidence.kind != Kind::UnknownUser => row.fill_missing(evidence, speaker.pid),
            Some(row) if row.state == State::Waiting => row.count = row.count.saturating_add(count),
            unknown => {
                let read = self.clock.unwrap_or(i64::MAX);
                let mut row = Row { count, read, ..Row::new(speaker, evidence, time, place, process.first) };
                // A certificate's id stands behind the address in such a line, and the client wrote it.
                if evidence.kind == Kind::SshdKey && !process.rhost.is_empty() {
                    row.rhost.clone_from(&process.rhost);
                }
                *unknown = Some(Box::new(row));
            }
        }
    }

    /// Nobody answered the prompt.
    fn prompt_left(&mut self, key: Key, speaker: &Speaker<'_>, evidence: &Evidence<'_>, time: i64) {
        if speaker.pid == 0 && !evidence.user.is_empty() {
            self.aborted.push_back((key.host, speaker.family, text(evidence.user), time));
            if self.aborted.len() > ABORTED {
                self.aborted.pop_front();
            }
            return;
        }
        self.open(key, speaker, time);
        if let Some(process) = self.processes.get_mut(&key) {
            process.hear_of(evidence, time);
            process.aborted = true;
            process.left = Some((text(evidence.module), time));
        }
    }

    /// Where the client of a process was: nothing else comes of it.
    fn client(&mut self, speaker: &Speaker<'_>, evidence: &Evidence<'_>) {
        let (host, container) = (hash(&[speaker.host]), speaker.container);
        let key = Key { host, pid: speaker.pid, who: 0, container };
        let Some(process) = self.processes.get_mut(&key).filter(|_| speaker.pid != 0) else { return };
        for row in process.rows.iter_mut().chain(process.unknown.as_deref_mut()) {
            row.fill_missing(evidence, speaker.pid);
        }
    }

    /// Whether anything is known of a process with this number.
    pub fn knows(&self, pid: u32) -> bool {
        pid == 0 || self.pids.contains_key(&pid)
    }

    /// Settle everything: there is no more to come.
    pub fn finish(&mut self) {
        while let Some((key, number)) = self.order.pop_front() {
            if self.is_live(key, number) {
                self.close(key);
            }
        }
        self.pam_only.clear();
        self.checks.clear();
        self.connections.clear();
    }

    /// Settle what is older than `age` at `now`, by our clock or by that of the log: whoever can
    /// write a line with a time of his own must not hold up what others tell. Somebody who was
    /// named may still be typing a password for `patience`.
    pub fn settle(&mut self, now: i64, log_time: i64, age: i64, patience: i64) {
        self.close_silent(&[now, log_time]);
        let latest = now.max(log_time);
        let is_due = |row: &Row, age: i64| {
            let is_old = latest - row.time >= age || now.saturating_sub(row.read) >= age;
            row.state == State::Waiting && (is_old || row.time - latest > SILENCE)
        };
        for (key, number) in &self.order {
            let Some(process) = self.processes.get_mut(key).filter(|p| p.number == *number) else { continue };
            for row in &mut process.rows {
                if is_due(row, age) {
                    row.state = State::Settled;
                    self.settled.push(row.clone());
                }
            }
            let total = process.total;
            if let Some(row) = process.unknown.as_mut().filter(|_| total == 0) {
                let age = if process.over { age } else { patience };
                if is_due(row, age) {
                    row.state = State::Settled;
                    self.settled.push(Row::clone(row));
                }
            }
        }
    }

    /// What has been settled since the last call, in the order of settling.
    pub fn take_settled(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.settled)
    }

    /// The same, behind what is in `rows` already.
    pub fn move_settled(&mut self, rows: &mut Vec<Row>) {
        move_behind(&mut self.settled, rows);
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

    /// The same, each, and who was named in vain so far.
    pub fn unsettled(&self) -> impl Iterator<Item = &Row> {
        let rows = self.processes.values().flat_map(|p| p.rows.iter().chain(p.unknown.as_deref()));
        rows.filter(|row| row.state == State::Waiting)
    }

    /// What is read from now on is read at this time, in microseconds of the epoch.
    pub fn set_clock(&mut self, now: i64) {
        self.clock = Some(now);
    }

    /// The time of the latest line, for one that has none.
    pub fn latest(&self) -> i64 {
        self.latest
    }
}

/// Both keep their memory, as this is done again and again.
fn move_behind(from: &mut Vec<Row>, to: &mut Vec<Row>) {
    if to.is_empty() {
        std::mem::swap(from, to);
    } else {
        to.append(from);
    }
}

/// Remember a process, and whom it tried, for lines that may belong to it.
fn remember(list: &mut VecDeque<(Key, u64)>, key: Key, whom: u64) {
    list.push_back((key, whom));
    if list.len() > LOOK_BACK {
        list.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::rules::{self, Line};
    use crate::scan::{header, stamp};

    pub const SSH: &str = "logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7";

    pub fn tell(attempts: &mut Attempts, line: &str, offset: u64) {
        let line = format!("2026-11-03T{line}").replacen(' ', "Z srv ", 1);
        let header = header::parse(line.as_bytes()).unwrap();
        let Line::Evidence(evidence) = rules::classify(&header) else { panic!("{line}") };
        let stamp::Stamp::Exact(time) = header.stamp else { panic!("{line}") };
        let family = rules::family(header.program);
        let pid = rules::process(&header, &evidence);
        let (host, container) = (header.host, header.container);
        let speaker = Speaker { host, program: header.program, family, pid, container };
        attempts.tell(&speaker, &evidence, time, Place { source: 1, offset, line: offset + 1 });
    }

    /// Attempts in these lines, told at once and told with a pause and a new start after each.
    pub fn count(lines: &[&str]) -> u64 {
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

    pub fn pam(time: &str, tag: &str, user: &str) -> String {
        format!("{time} {tag}: pam_unix(sshd:auth): authentication failure; {SSH}  user={user}")
    }

    pub fn failed(time: &str, pid: u32) -> String {
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
    fn a_name_that_does_not_exist_counts_when_it_is_all_there_is() {
        let invalid = "09:00:00 sshd[7]: Invalid user x from 192.0.2.7 port 40000";
        let failed = "09:00:02 sshd[7]: Failed password for invalid user x from 192.0.2.7 port 40000 ssh2";
        assert_eq!(count(&[invalid]), 1);
        assert_eq!(count(&[invalid, failed]), 1);
        assert_eq!(count(&[invalid, failed, failed]), 2);
        let before = "09:00:00 sshd-auth[6]: Invalid user x from 192.0.2.7 port 40000";
        assert_eq!(count(&[before, &failed.replace("sshd", "sshd-session")]), 1, "OpenSSH 10");
    }
}
