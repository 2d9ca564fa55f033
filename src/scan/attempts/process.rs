//! A process that spoke, and what has been told of it so far.

use std::hash::Hasher;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::row::Row;
use super::speaker::Speaker;
use super::spelling::{address, text};
pub(super) use crate::scan::hash::hash;
use crate::scan::rules::{Evidence, Family, Kind};

/// Modules of one process that are kept apart.
const MODULES: usize = 8;
/// Open rows of one process.
pub(super) const ROWS: usize = 64;

/// What tells a process apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Key {
    pub host: u64,
    pub pid: u32,
    /// Without a pid: program and whose it is.
    pub who: u64,
    /// A container writes what it likes, names and numbers of this machine too.
    #[serde(default)]
    pub container: u32,
}

impl Key {
    /// Whether one machine, or one container of it, wrote both.
    pub fn is_beside(&self, other: &Self) -> bool {
        (self.host, self.container) == (other.host, other.container)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Process {
    pub key: Key,
    /// Tells it from those that had its key before.
    #[serde(skip)]
    pub number: u64,
    pub family: Family,
    pub first: i64,
    pub last: i64,
    pub port: u32,
    pub rhost: CompactString,
    /// Reported by sshd: refused passwords.
    pub direct: u64,
    pub keyboard: u64,
    pub pam_error: u64,
    /// Reported by su, sudo, login.
    pub program: u64,
    pub program_too: u64,
    /// Reported by each PAM module, and by `N more`.
    pub modules: Vec<(CompactString, u64)>,
    pub more: u64,
    /// Of how many unix_chkpwd was heard, too.
    #[serde(default)]
    pub checked: u64,
    pub total: u64,
    /// Somebody was named who is not let in: an attempt when nothing else is reported.
    pub unknown: Option<Box<Row>>,
    pub aborted: bool,
    /// Which module's prompt was left unanswered last, and when.
    #[serde(default)]
    pub left: Option<(CompactString, i64)>,
    /// Somebody got in.
    #[serde(default)]
    pub got_in: bool,
    /// When sshd said that the password it is about to tell of as refused was right.
    #[serde(default)]
    pub right: Option<i64>,
    /// The connection is over.
    #[serde(default)]
    pub over: bool,
    /// It asked for what a server may tell too.
    #[serde(default)]
    pub helps: bool,
    /// The program has said its last word (known only where a pid is missing).
    pub ended: bool,
    pub rows: Vec<Row>,
}

impl Process {
    pub fn new(key: Key, number: u64, family: Family, time: i64) -> Self {
        Self {
            key,
            number,
            family,
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
            checked: 0,
            total: 0,
            unknown: None,
            aborted: false,
            left: None,
            got_in: false,
            right: None,
            over: false,
            helps: false,
            ended: false,
            rows: Vec::new(),
        }
    }

    /// Take in what a line says of the process itself.
    pub fn hear_of(&mut self, evidence: &Evidence<'_>, time: i64) {
        self.last = self.last.max(time);
        // In lines about keys the client has its say behind the address.
        if evidence.port != 0 && evidence.kind != Kind::SshdKey {
            self.port = evidence.port;
        }
        if self.rhost.is_empty() && !evidence.rhost.is_empty() && evidence.kind != Kind::SshdKey {
            self.rhost = address(evidence.rhost);
        }
    }

    /// Count what a line reports.
    pub fn count(&mut self, speaker: &Speaker<'_>, evidence: &Evidence<'_>) {
        let weight = u64::from(evidence.weight);
        match evidence.kind {
            Kind::SshdPassword => self.direct += weight,
            Kind::SshdKeyboard => self.keyboard += weight,
            Kind::SshdPamError => self.pam_error += weight,
            Kind::Program | Kind::Relayed | Kind::CheckPassword => {
                self.program += weight;
                // login goes on, and PAM counts at its end what was before.
                let goes_on = speaker.family == Family::Login && evidence.has_place();
                self.ended = speaker.pid == 0 && !goes_on;
            }
            Kind::ProgramToo => self.program_too += weight,
            Kind::ProgramTotal => self.program = self.program.max(weight),
            Kind::PamMore => self.more += weight,
            _ => self.add_module(&text(evidence.module), weight),
        }
    }

    /// A module under its own tag spoke first: now it is known in which program.
    pub fn adopt(&mut self, speaker: &Speaker<'_>, evidence: &Evidence<'_>) {
        if self.family == Family::Module && speaker.family != Family::Module {
            self.family = speaker.family;
            for row in &mut self.rows {
                row.family = speaker.family;
                row.service = text(evidence.service);
            }
        }
    }

    /// A new row with what is known of its attempt by other lines; `child`: the row of the child that ran PAM.
    pub fn complete(&mut self, mut fresh: Row, child: Option<Row>) -> Row {
        // sudo's summary does not say whose password it asked for, PAM does.
        let before = self.rows.last().filter(|row| !row.user.is_empty());
        if let (Family::Sudo, Some(before)) = (self.family, before) {
            fresh.user.clone_from(&before.user);
        }
        if let Some(unknown) = self.unknown.as_ref().filter(|_| self.total == 0) {
            fresh.fill_from(unknown);
            fresh.state = unknown.state;
        }
        let Some(child) = child else { return fresh };
        // The child's line was first, and may have been handed out already.
        let mut row = Row { first: fresh.first, count: fresh.count, by_program: true, ..child };
        row.fill_from(&fresh);
        if row.family == Family::Module {
            (row.family, row.service) = (fresh.family, fresh.service);
        }
        self.add_module(&row.module, u64::from(row.count));
        row
    }

    /// Add a row; if there are too many, the oldest comes back.
    pub fn push(&mut self, row: Row) -> Option<Row> {
        if self.rows.is_empty() {
            // Most have no other, and thousands are open.
            self.rows.reserve_exact(1);
        }
        self.rows.push(row);
        (self.rows.len() > ROWS).then(|| self.rows.remove(0))
    }

    pub fn by_program(&self) -> u64 {
        self.direct + self.keyboard.max(self.pam_error) + self.program.max(self.program_too)
    }

    pub fn by_pam(&self) -> u64 {
        let more = self.more;
        let most = self.modules.iter().map(|(name, n)| if name == "pam_unix" { n + more } else { *n }).max();
        most.unwrap_or(0).max(more)
    }

    pub fn add_module(&mut self, module: &str, attempts: u64) {
        match self.modules.iter().position(|(name, _)| name == module) {
            Some(at) => self.modules[at].1 += attempts,
            None if self.modules.len() < MODULES => {
                // Most are refused by one module.
                self.modules.reserve_exact(1);
                self.modules.push((module.into(), attempts));
            }
            None => {}
        }
    }

    /// Whether this module has refused whatever was refused so far: what it accepts is another try.
    pub fn is_refused_by(&self, module: &[u8]) -> bool {
        self.modules.iter().any(|(name, told)| name.as_bytes() == module && *told > 0 && *told >= self.total)
    }

    /// What PAM told last was no attempt: what is told next is one of its own.
    pub fn uncount(&mut self) {
        let total = self.total;
        if self.more > 0 || !self.rows.last().is_some_and(|row| row.count == 1 && row.first + 1 == total) {
            return;
        }
        for (_, told) in self.modules.iter_mut().filter(|(_, told)| *told == total) {
            *told -= 1;
        }
        self.total -= 1;
        // Nor was what unix_chkpwd said of it.
        self.checked = self.checked.min(self.by_pam().max(self.by_program()));
    }

    pub fn pam_only(&self) -> bool {
        self.by_program() == 0 && self.total > 0
    }
}

/// Keys are hashes and process numbers, and the table is bounded: mixing them is enough.
#[derive(Default)]
pub(super) struct Mix(u64);

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

/// One number for a name, so that most processes of others are passed over without a look at them;
/// 0 where it is not told.
pub(super) fn name(name: &str) -> u64 {
    if name.is_empty() { 0 } else { hash(&[name.as_bytes()]).max(1) }
}
