//! Refusals that were no failure: another module, or the program itself, let the user in.
//!
//! Of somebody who got in only those refusals count that the program itself reported, or, where it reports none
//! before the end, those of PAM that came long enough before: libpam waits after a refusal, and somebody types.
//! So a refusal and a success at one time are one good login.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::process::{Key, Process, name};
use super::row::{Place, Row, State};
use super::speaker::SECOND;
use super::spelling::{agree, is_address, text};
use super::{Attempts, LOOK_BACK, SECOND_MODULE, Speaker, move_behind};
use crate::scan::rules::{Evidence, Family, Kind};

/// Where the same process asks again after a refusal: libpam's delay is at least one second.
const BEFORE_RETRY: i64 = SECOND;
/// From the refusal of PAM that Dovecot asked first to a login by what it asks next: libpam waits one to three seconds, and a
/// client that was refused is not answered before Dovecot has waited too.
pub(super) const NEXT_DATABASE: i64 = 4 * SECOND;
/// Processes that somebody got in by and that are remembered.
const REMEMBERED: usize = 1024;

/// Processes that somebody got in by after pam_unix refused: at the end of the session, hours later, it says how
/// often that was, the good password among them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct LetIn(VecDeque<Key>);

impl LetIn {
    fn add(&mut self, key: Key) {
        if !self.0.contains(&key) {
            self.0.push_back(key);
            if self.0.len() > REMEMBERED {
                self.0.pop_front();
            }
        }
    }

    /// Another process has this key now.
    pub(super) fn forget(&mut self, key: Key) {
        if let Some(at) = self.0.iter().position(|known| *known == key) {
            self.0.remove(at);
        }
    }
}

impl Attempts {
    /// Somebody got in, or a module accepted.
    pub(super) fn got_in(&mut self, key: Key, speaker: &Speaker<'_>, evidence: &Evidence<'_>, time: i64) {
        // Of sshd `Accepted` says it, and pam_unix itself refuses nobody whom it accepts.
        if evidence.kind == Kind::PamSession && speaker.family == Family::Sshd {
            return;
        }
        if !self.retract_own(key, speaker, evidence, time) {
            self.retract_kin(key, speaker, evidence, time);
        }
    }

    /// The password or key was right, and PAM's account stack kept its owner out: sshd says so after it told of a
    /// refusal that was none, or with keyboard-interactive before.
    pub(super) fn account_denied(
        &mut self,
        key: Key,
        speaker: &Speaker<'_>,
        evidence: &Evidence<'_>,
        time: i64,
    ) {
        if evidence.module.is_empty() {
            let key = if speaker.pid == 0 { self.last_refused(key, evidence, time) } else { Some(key) };
            let Some(process) = key.and_then(|key| self.processes.get_mut(&key)) else { return };
            process.got_in = true;
            let told = process.rows.last_mut().or(process.unknown.as_deref_mut());
            if let Some(row) = told.filter(|row| row.state == State::Waiting) {
                row.count = row.count.saturating_sub(1);
                if row.count == 0 {
                    row.state = State::Gone;
                }
            }
            return;
        }
        self.open(key, speaker, time);
        let Some(process) = self.processes.get_mut(&key) else { return };
        process.hear_of(evidence, time);
        process.right = Some(time);
        if !self.retract_own(key, speaker, evidence, time) {
            self.retract_kin(key, speaker, evidence, time);
        }
    }

    /// The process without a number of which sshd has just told a refusal of this user.
    fn last_refused(&self, key: Key, evidence: &Evidence<'_>, time: i64) -> Option<Key> {
        let is_it = |process: &Process| {
            let told = process.rows.last().or(process.unknown.as_deref());
            process.key.is_beside(&key)
                && (process.key.pid, process.family) == (0, Family::Sshd)
                && (0..=SECOND).contains(&(time - process.last))
                && told.is_some_and(|row| is_equal(&row.user, evidence.user))
        };
        let mut known = self.order.iter().rev().take(LOOK_BACK);
        known
            .find(|(key, _)| self.processes.get(key).is_some_and(|process| is_it(process)))
            .map(|(key, _)| *key)
    }

    /// Whether this tells of a refusal of which sshd has said that the password was right.
    pub(super) fn was_right(&mut self, key: Key, evidence: &Evidence<'_>, time: i64) -> bool {
        let Some(process) = self.processes.get_mut(&key) else { return false };
        evidence.kind == Kind::SshdKeyboard
            && process.right.take().is_some_and(|since| (0..=SECOND).contains(&(time - since)))
    }

    /// What `N more` at the end of a process adds. pam_unix forgets its refusals when it accepts, so after a login
    /// the good password, which another module accepted, is among them.
    pub(super) fn weight_of_more(&self, key: Key, speaker: &Speaker<'_>, evidence: &Evidence<'_>) -> u32 {
        let process = self.processes.get(&key);
        match process.map_or_else(|| self.let_in.0.contains(&key), |process| process.got_in) {
            false => evidence.weight,
            true if speaker.reports_each_refusal() => 0,
            true => evidence.weight.saturating_sub(1),
        }
    }

    /// Take back what was refused in the very process.
    fn retract_own(&mut self, key: Key, speaker: &Speaker<'_>, evidence: &Evidence<'_>, time: i64) -> bool {
        let by_module = evidence.kind == Kind::PamSuccess;
        let of_one_process = self.is_of_one_process(speaker);
        let Some(process) = self.processes.get_mut(&key) else { return false };
        // A module that refused before accepts at a second try.
        let again = by_module && process.is_refused_by(evidence.module);
        if process.ended || again {
            return false;
        }
        let is_same = |row: &Row| match speaker.family {
            // A session is that of another user than the one who asked.
            Family::Sudo => {
                speaker.pid != 0 || (agree(&row.ruser, evidence.ruser) && same_terminal(row, evidence))
            }
            _ => agree(&row.user, evidence.user),
        };
        process.got_in = true;
        // Without a number the next connection of that client has the same key.
        process.ended = speaker.family == Family::Sshd && speaker.pid == 0;
        if process.modules.iter().any(|(name, _)| name == "pam_unix") {
            self.let_in.add(key);
        }
        if let Some(row) = process.unknown.as_mut().filter(|row| !by_module && is_same(row)) {
            if row.state == State::Waiting {
                row.state = State::Gone;
            }
        }
        if evidence.kind == Kind::Success && fell_back(process, evidence, time) {
            return true;
        }
        if speaker.reports_each_refusal() && !by_module {
            let rows = process.rows.iter_mut().filter(|row| is_same(row));
            return rows.filter_map(|row| row.retract(time, None).then_some(())).count() > 0;
        }
        let within = if by_module || of_one_process { SECOND_MODULE } else { BEFORE_RETRY };
        let may_be_taken_back = |row: &Row| is_same(row) && !(by_module && is_second_factor(row));
        let last = process.rows.last_mut();
        let retracted = last.is_some_and(|row| may_be_taken_back(row) && row.retract(time, Some(within)));
        if retracted && by_module {
            process.uncount();
        }
        retracted
    }

    /// Take back what another process reported of this login: sshd's child, a program whose PAM lines have no
    /// number, the helpers of polkit and dovecot, xrdp's child for the session.
    fn retract_kin(&mut self, key: Key, speaker: &Speaker<'_>, evidence: &Evidence<'_>, time: i64) {
        let of_sshd = speaker.family == Family::Sshd;
        if evidence.kind == Kind::PamSuccess
            || (of_sshd && !evidence.module.starts_with(b"keyboard-interactive"))
        {
            return;
        }
        let by_dovecot = evidence.service == b"dovecot";
        // pure-ftpd without a number, whose PAM is given the name of this machine, not of the client.
        let in_own_words = speaker.family == Family::Other && speaker.reports_each_refusal();
        let asks_once = self.is_of_one_process(speaker);
        let within = if of_sshd || asks_once || in_own_words || speaker.family == Family::Login {
            SECOND_MODULE
        } else if by_dovecot {
            NEXT_DATABASE
        } else {
            BEFORE_RETRY
        };
        let service = text(evidence.service);
        let has_helpers = by_dovecot
            || matches!(speaker.family, Family::Sshd | Family::Polkit)
            || evidence.service == b"xrdp-sesman";
        let is_same = |row: &Row| match speaker.family {
            Family::Sshd => agree(&row.user, evidence.user) && agree(&row.rhost, evidence.rhost),
            Family::Sudo => {
                is_equal(&row.ruser, evidence.ruser) && row.service == service && same_terminal(row, evidence)
            }
            Family::Other => {
                is_equal(&row.user, evidence.user)
                    && row.service == service
                    && (agree(&row.rhost, evidence.rhost) || (in_own_words && !is_address(&row.rhost)))
            }
            _ => is_equal(&row.user, evidence.user) && same_terminal(row, evidence),
        };
        // Most are passed over by the name alone, so that many logins cost little.
        let tried = if speaker.family == Family::Sudo { 0 } else { name(&text(evidence.user)) };
        for (other, whom) in self.pam_only.iter().rev() {
            if *whom != 0 && tried != 0 && *whom != tried {
                continue;
            }
            if *other == key || !other.is_beside(&key) || (other.pid != 0 && !has_helpers) {
                continue;
            }
            let Some(process) = self.processes.get_mut(other) else { continue };
            if process.family != speaker.family || !process.pam_only() {
                continue;
            }
            if by_dovecot {
                // It asks for one client after another. What Dovecot itself told of already was the end of that.
                let mut rows = process.rows.iter_mut().rev().filter(|row| row.relayed == 0 && is_same(row));
                if rows.any(|row| row.retract(time, Some(within))) {
                    return;
                }
            } else if process
                .rows
                .last_mut()
                .is_some_and(|row| is_same(row) && row.retract(time, Some(within)))
            {
                process.got_in = true;
                self.let_in.add(*other);
                return;
            }
        }
    }

    /// Whether what PAM refused this user before is of the process that lets him in: one that asks once. Without a number
    /// it may be the one before, unless that would have said so in its own words.
    fn is_of_one_process(&self, speaker: &Speaker<'_>) -> bool {
        let has_words = (speaker.family == Family::Su && self.su_speaks) || speaker.program == b"doas";
        speaker.asks_once() && (speaker.pid != 0 || has_words)
    }

    /// Keep logins too, for [`Attempts::take_logins`].
    pub fn keep_logins(&mut self) {
        self.logins = Some(Vec::new());
    }

    /// Whether logins are kept.
    pub fn keeps_logins(&self) -> bool {
        self.logins.is_some()
    }

    /// Logins since the last call: each by the program's own word for it, or where it has none, by a session.
    pub fn take_logins(&mut self) -> Vec<Row> {
        self.logins.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The same, behind what is in `rows` already.
    pub fn move_logins(&mut self, rows: &mut Vec<Row>) {
        self.logins.as_mut().into_iter().for_each(|logins| move_behind(logins, rows));
    }

    /// How many logins are kept.
    pub(in crate::scan) fn logins(&self) -> usize {
        self.logins.as_ref().map_or(0, Vec::len)
    }

    /// Take in what a line tells that matters only where it tells of a login: nothing that it could take back is open.
    pub fn tell_login(&mut self, speaker: &Speaker<'_>, evidence: &Evidence<'_>, time: i64, place: Place) {
        self.keep_login(None, speaker, evidence, time, place);
    }

    /// `key`: the process, where it may be known.
    pub(super) fn keep_login(
        &mut self,
        key: Option<Key>,
        speaker: &Speaker<'_>,
        evidence: &Evidence<'_>,
        time: i64,
        place: Place,
    ) {
        let Some(logins) = self.logins.as_mut().filter(|_| is_login(speaker, evidence)) else { return };
        let since = key.and_then(|key| self.processes.get(&key)).map_or(time, |process| process.first);
        let read = self.clock.unwrap_or(i64::MAX);
        logins.push(Row { count: 1, read, ..Row::new(speaker, evidence, time, place, since) });
    }
}

/// Whether a line tells of a login.
pub(in crate::scan) fn is_login(speaker: &Speaker<'_>, evidence: &Evidence<'_>) -> bool {
    let is_login = match evidence.kind {
        Kind::SshdAccepted | Kind::Success | Kind::Claimed => true,
        Kind::PamSession => speaker.family == Family::Other && speaker.asks_once(),
        _ => false,
    };
    // Root that becomes another user is asked for nothing.
    let is_roots_own = evidence.ruser == b"root" && evidence.rhost.is_empty();
    is_login && !is_roots_own
}

/// Take back what the client of a server tried before by other methods: one that has a password only begins with CRAM-MD5, or
/// with a ticket that it has not, where the server offers that, and goes on by itself. It tries each once, and by no method
/// that would have taken the password.
fn fell_back(process: &mut Process, evidence: &Evidence<'_>, time: i64) -> bool {
    if evidence.module.is_empty() {
        return false;
    }
    let of_this_client = |row: &Row| {
        row.state != State::Gone
            && is_equal(&row.rhost, evidence.rhost)
            && (0..SECOND_MODULE).contains(&(time - row.time))
    };
    let tried =
        |method: &str| process.rows.iter().filter(|row| of_this_client(row) && row.module == method).count();
    let is_taken_back = |row: &Row| {
        !row.module.is_empty()
            && row.module.as_bytes() != evidence.module
            && !takes_passwords(row.module.as_bytes())
            && (row.count, row.by_pam, row.state) == (1, false, State::Waiting)
            && of_this_client(row)
            && agree(&row.user, evidence.user)
            && tried(&row.module) == 1
    };
    let taken_back: Vec<bool> = process.rows.iter().map(is_taken_back).collect();
    for (row, _) in process.rows.iter_mut().zip(&taken_back).filter(|(_, is_taken_back)| **is_taken_back) {
        row.state = State::Gone;
    }
    taken_back.contains(&true)
}

/// Whether a method of SASL, or an authenticator of Exim of such a name, is given the password itself.
fn takes_passwords(method: &[u8]) -> bool {
    let method = method.to_ascii_lowercase();
    [&b"plain"[..], b"login"].iter().any(|word| memchr::memmem::find(&method, word).is_some())
}

/// Whether a module refused it that asks for a code beside the password: another one accepts that in vain.
fn is_second_factor(row: &Row) -> bool {
    matches!(row.module.as_str(), "pam_google_authenticator" | "pam_duo")
}

/// Whether both are given, and the same.
pub(super) fn is_equal(known: &str, name: &[u8]) -> bool {
    !known.is_empty() && !name.is_empty() && agree(known, name)
}

fn same_terminal(row: &Row, evidence: &Evidence<'_>) -> bool {
    let bare = |tty: &str| tty.strip_prefix("/dev/").unwrap_or(tty).to_owned();
    let (known, tty) = (bare(&row.tty), bare(&text(evidence.tty)));
    known.is_empty() || tty.is_empty() || known == tty
}

/// Whether both tell it, and the same.
pub(super) fn is_at_one_terminal(row: &Row, evidence: &Evidence<'_>) -> bool {
    !row.tty.is_empty() && !evidence.tty.is_empty() && same_terminal(row, evidence)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SSH, count, failed, pam};

    #[test]
    fn su_without_a_number_takes_back_what_it_would_have_called_a_failure_itself() {
        let refused = "su: pam_unix(su-l:auth): authentication failure; logname=bob uid=1000 euid=0 tty=pts/0 ruser=bob rhost=  user=root";
        let (failed, opened) = (
            "FAILED SU (to root) bob on pts/0",
            "pam_unix(su-l:session): session opened for user root by bob(uid=1000)",
        );
        let su = |time: &str, text: &str| format!("{time} su: {text}");
        let wrong = format!("09:00:00 {refused}");
        let right = su("09:00:06", opened);
        assert_eq!(count(&[&wrong, &right]), 1, "its own words stand in another log");
        assert_eq!(count(&[&wrong, &su("09:00:00", opened)]), 0, "a second module, at once");
        // Once it has spoken here, its silence says that this was one process.
        let before = [format!("08:00:00 {refused}"), su("08:00:02", failed)];
        assert_eq!(count(&[&before[0], &before[1], &wrong, &right]), 1);
        assert_eq!(count(&[&before[0], &before[1], &wrong, &su("09:00:02", failed), &right]), 2);
    }

    #[test]
    fn what_dovecot_asks_after_pam_accepts_when_libpam_has_waited() {
        let helper = |time: &str, user: &str| {
            format!(
                "{time} auth[7]: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser={user} rhost=192.0.2.7"
            )
        };
        let login = |time: &str, user: &str| {
            format!(
                "{time} dovecot[8]: imap-login: Logged in: user=<{user}>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=9, secured"
            )
        };
        let (bob, eve) = (helper("09:00:00", "bob@example.org"), helper("09:00:01", "eve"));
        assert_eq!(count(&[&bob, &login("09:00:03", "bob@example.org")]), 0);
        assert_eq!(count(&[&bob, &login("09:00:09", "bob@example.org")]), 1, "wrong, then right");
        let right = login("09:00:04", "bob@example.org");
        assert_eq!(count(&[&bob, &eve, &right]), 1, "one process asks for both");
        assert_eq!(count(&[&bob, &eve, &right, &login("09:00:04", "eve")]), 0);
        assert_eq!(count(&[&bob, &bob, &right]), 1, "one login takes back one");
        let elsewhere = right.replace("rip=192.0.2.7", "rip=192.0.2.8");
        assert_eq!(count(&[&bob, &elsewhere]), 1, "another client");
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
        let other = first.replace("user=alice", "user=bob");
        assert_eq!(count(&[&other, accepted]), 1, "one name refused, another let in");
        assert_eq!(count(&[&first, &sss_failed]), 1, "both refuse: one attempt");
        assert_eq!(count(&[&first, &failed("09:00:01", 7), accepted]), 1, "wrong, then right");
        let unix = "pam_unix(sudo:auth): authentication failure; logname=bob uid=1000 euid=0 tty=/dev/pts/0 ruser=bob rhost=  user=bob";
        let opened = "pam_unix(sudo:session): session opened for user root(uid=0) by bob(uid=1000)";
        let sudo = |time: &str, text: &str| format!("{time} sudo[7]: {text}");
        // The user of the session is root, and bob's refusal stays his.
        assert_eq!(count(&[&sudo("09:00:00", unix), &sudo("09:00:03", opened)]), 1);
    }
}
