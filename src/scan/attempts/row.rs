//! Attempts that one line was the first to tell.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::process::Process;
use super::spelling::{address, is_address, text};
use super::{SECOND, Speaker};
use crate::scan::rules::{Evidence, Family, Kind};

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
    pub(super) family: Family,
    /// Number of the first of these attempts in its process.
    pub(super) first: u64,
    pub(super) told_by_program: bool,
    pub(super) told_by_pam: bool,
    pub(super) module: CompactString,
    pub(super) state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    /// Not yet said.
    Waiting,
    /// Handed out.
    Settled,
    /// Part of another process's attempt, or no attempt.
    Gone,
}

impl Row {
    pub(super) fn new(
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
    pub(super) fn hear(&mut self, evidence: &Evidence<'_>, pid: u32) {
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

    /// Whether PAM certainly was asked, so that a module in the stack had its say. What a program tells
    /// of itself may come from before: a refused key, a name that does not exist, an option of its own.
    pub fn went_through_pam(&self) -> bool {
        const OF_SSHD: [&str; 3] =
            ["sshd-failed-password", "sshd-failed-keyboard-interactive", "sshd-pam-error"];
        self.told_by_pam || OF_SSHD.contains(&self.class.as_str())
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

pub(super) fn forgive(row: &mut Row, time: i64, within: i64) -> bool {
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
pub(super) fn complete(old: &mut Row, new: &Row) {
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
