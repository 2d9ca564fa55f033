//! Attempts that one line was the first to tell.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::SILENCE;
use super::relayed::is_of_mail;
use super::speaker::{SECOND, Speaker};
use super::spelling::{address, is_address, text};
use super::success::NEXT_DATABASE;
use crate::scan::rules::{Evidence, Family};

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
    pub(super) by_program: bool,
    pub(super) by_pam: bool,
    pub(super) module: CompactString,
    /// How many of its attempts the server that asked for them has told too.
    #[serde(default)]
    pub(super) relayed: u32,
    /// See [`Evidence::of_user`].
    #[serde(default)]
    pub(super) of_user: bool,
    /// The container that wrote it, 0: none.
    #[serde(default)]
    pub container: u32,
    /// When the line was read, by our clock; in microseconds of the epoch.
    #[serde(default = "never")]
    pub read: i64,
    pub(super) state: State,
}

/// Whether a success follows a refusal `within` so many microseconds, as far as whole seconds tell.
fn is_soon(refused: i64, time: i64, within: i64) -> bool {
    let whole_seconds = refused % SECOND == 0 && time % SECOND == 0;
    (0..within).contains(&(time - refused)) || (whole_seconds && time - refused == within)
}

/// Where it is not known when a line was read.
fn never() -> i64 {
    i64::MAX
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
    /// A row without attempts; `since`: when the process was first heard of.
    pub(super) fn new(
        speaker: &Speaker<'_>,
        evidence: &Evidence<'_>,
        time: i64,
        place: Place,
        since: i64,
    ) -> Self {
        Self {
            time,
            since,
            host: text(speaker.host),
            service: text(evidence.service),
            pid: speaker.pid,
            user: text(evidence.user),
            rhost: address(evidence.rhost),
            ruser: text(evidence.ruser),
            tty: text(evidence.tty),
            class: CompactString::from(evidence.class),
            count: 0,
            place,
            family: speaker.family,
            first: 0,
            by_program: false,
            by_pam: false,
            module: CompactString::default(),
            relayed: 0,
            of_user: evidence.of_user,
            container: speaker.container,
            read: never(),
            state: State::Waiting,
        }
    }

    /// When it happened, as far as is known: nothing did after it was read, whoever dated the line. Of one sender, whose clock is
    /// ahead, the order stays.
    pub fn happened(&self) -> i64 {
        self.time.min(self.read)
    }

    /// Since when its attempts may have happened. Only what sums up tells of what was long before: a process that asks for many
    /// clients has been heard of for days.
    pub(in crate::scan) fn began(&self) -> i64 {
        let since = self.since.min(self.time);
        let sums_up = self.count > 1 || self.class == "pam-more-failures";
        if sums_up { since } else { since.max(self.time - SILENCE) }
    }

    /// Whether the process asked for clients of a mail server, one after another.
    pub(in crate::scan) fn is_of_mail(&self) -> bool {
        is_of_mail(self)
    }

    /// Fill in what is missing from another line about the same attempt.
    pub(super) fn fill_missing(&mut self, evidence: &Evidence<'_>, pid: u32) {
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
            let rhost = address(evidence.rhost);
            if self.rhost.is_empty() || is_address(&rhost) {
                self.rhost = rhost;
            }
        }
        if self.pid == 0 {
            self.pid = pid;
        }
    }

    /// Fill in what is missing from another row about the same attempt.
    pub(super) fn fill_from(&mut self, other: &Row) {
        for (old, new) in [
            (&mut self.user, &other.user),
            (&mut self.ruser, &other.ruser),
            (&mut self.tty, &other.tty),
            (&mut self.rhost, &other.rhost),
        ] {
            if old.is_empty() {
                old.clone_from(new);
            }
        }
        // UseDNS gives PAM a name where sshd's own lines keep the address.
        if !is_address(&self.rhost) && is_address(&other.rhost) {
            self.rhost.clone_from(&other.rhost);
        }
        if self.pid == 0 {
            self.pid = other.pid;
        }
    }

    /// Take it back if PAM alone reported it, and it is not handed out: it was one module of several. `within`:
    /// microseconds from the refusal to the success at `time`, if that matters.
    pub(super) fn retract(&mut self, time: i64, within: Option<i64>) -> bool {
        let soon = within.is_none_or(|within| is_soon(self.time, time, within));
        let retracted = self.state == State::Waiting && self.by_pam && !self.by_program && soon;
        if retracted {
            self.state = State::Gone;
        }
        retracted
    }

    /// Whether PAM alone refused this for Dovecot, which may have asked another database next.
    pub(in crate::scan) fn is_of_first_database(&self) -> bool {
        self.is_summed_up_later() && self.relayed == 0
    }

    /// Whether PAM refused this for Dovecot, which says so when the client leaves; in this log too, or in another.
    pub(in crate::scan) fn is_summed_up_later(&self) -> bool {
        self.service == "dovecot" && self.count == 1 && self.by_pam && !self.by_program
    }

    /// Whether a mail server alone told this of what it had a helper ask.
    pub(in crate::scan) fn is_relayed(&self) -> bool {
        self.relayed > 0 && !self.by_pam
    }

    /// Whether a login at `time` is the answer of the next.
    pub(in crate::scan) fn may_be_followed_at(&self, time: i64) -> bool {
        is_soon(self.time, time, NEXT_DATABASE)
    }

    /// Whether PAM certainly was asked, so that a module in the stack had its say. What a program reports
    /// of itself may come from before: a refused key, a name that does not exist, an option of its own.
    pub fn went_through_pam(&self) -> bool {
        const OF_SSHD: [&str; 3] =
            ["sshd-failed-password", "sshd-failed-keyboard-interactive", "sshd-pam-error"];
        self.by_pam || OF_SSHD.contains(&self.class.as_str())
    }

    /// Whether it was reported by unix_chkpwd alone, whose pid is not that of whoever authenticates.
    pub fn is_check_password(&self) -> bool {
        self.family == Family::CheckPassword
    }
}
