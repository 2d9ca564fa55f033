//! Which process a line belongs to, when one begins and when it is over.

use std::collections::hash_map::Entry;

use super::pairing::DIALOGUE;
use super::process::{Key, Process, hash, name};
use super::row::State;
use super::speaker::SECOND;
use super::spelling::{address, is_address, text};
use super::{Attempts, PROCESSES, SILENCE, Speaker};
use crate::scan::header::Header;
use crate::scan::rules::{Evidence, Family, Kind, family};

/// Connections of one client that begin at one time.
const AT_ONCE: i64 = 2 * SECOND;

impl Attempts {
    /// The process that spoke: by connection, by number, or by whose it is.
    pub(super) fn process_of(&mut self, speaker: &Speaker<'_>, evidence: &Evidence<'_>, time: i64) -> Key {
        let host = hash(&[speaker.host]);
        let container = speaker.container;
        let own = Key { host, pid: speaker.pid, who: 0, container };
        // In lines about keys the client has its say behind the address.
        let port = if evidence.kind == Kind::SshdKey { 0 } else { evidence.port };
        if !self.connections.is_empty() && port != 0 && !self.processes.contains_key(&own) {
            let connection = (hash(&[speaker.host, evidence.rhost]), port);
            if let Some(key) = self.connections.get(&connection).copied() {
                if self
                    .processes
                    .get(&key)
                    .filter(|_| key.is_beside(&own))
                    .is_some_and(|p| (time - p.last).abs() <= SILENCE)
                {
                    return key;
                }
            }
        }
        let mut who = 0;
        if speaker.pid == 0 {
            let whose: [&[u8]; 2] = match speaker.family {
                Family::Sshd => [evidence.rhost, b""],
                Family::Su | Family::Sudo => [evidence.ruser, b""],
                // PAM names the terminal too, and not a user who does not exist.
                Family::Login if evidence.has_place() => [evidence.place(), b""],
                _ => [evidence.user, evidence.rhost],
            };
            who = hash(&[speaker.program, whose[0], whose[1]]);
        }
        let mut key = Key { host, pid: speaker.pid, who, container };
        if let Some(known) = self.asked_before(key, speaker, evidence, time) {
            key = known;
        }
        // A process of sshd serves one client: where several have its number at one time (a log of several
        // machines under one name, or one that was made up), each has a process of its own.
        let is_shared = |p: &Process| (time - p.last).abs() <= SILENCE && differs(p, evidence);
        if speaker.pid != 0 && self.processes.get(&key).is_some_and(|process| is_shared(process)) {
            key.who = hash(&[address(evidence.rhost).as_bytes()]);
        }
        if let Some(process) = self.processes.get(&key) {
            // PAM names no port: what it told beyond sshd's own lines may be of this connection.
            let other_client = || {
                port != 0
                    && process.port != 0
                    && process.port != port
                    && process.by_pam() <= process.by_program()
            };
            let another = (time - process.last).abs() > SILENCE
                || (process.family != speaker.family
                    && process.family != Family::Module
                    && speaker.family != Family::Module)
                || (speaker.pid != 0 && other_client())
                // The next connection of that client, where nothing more came of the one before. Of two at
                // once nobody can tell which a password belongs to.
                || (speaker.pid == 0
                    && evidence.kind == Kind::SshdInvalidUser
                    && process.unknown.is_some()
                    && process.total == 0
                    && time - process.last >= AT_ONCE)
                || (process.ended && !may_follow_the_end(evidence.kind))
                || (speaker.pid == 0
                    && matches!(speaker.family, Family::Su | Family::Sudo)
                    && matches!(evidence.kind, Kind::PamFailure | Kind::PamAborted)
                    && !may_ask_again(process, speaker, evidence)
                    && process.modules.iter().any(|(name, _)| name.as_bytes() == evidence.module));
            if another {
                self.close(key);
            }
        }
        // From OpenSSH 10 on, what comes before the login is a process of its own.
        if speaker.program == b"sshd-auth" && port != 0 {
            if self.connections.len() >= PROCESSES {
                self.connections.clear();
            }
            self.connections.insert((hash(&[speaker.host, evidence.rhost]), port), key);
        }
        key
    }

    /// Where a module says neither who asked nor from where: the process without a number of which another module has just
    /// told that it refused this user.
    fn asked_before(
        &self,
        key: Key,
        speaker: &Speaker<'_>,
        evidence: &Evidence<'_>,
        time: i64,
    ) -> Option<Key> {
        let is_pams = matches!(evidence.kind, Kind::PamFailure | Kind::PamSuccess);
        let is_told = evidence.has_place() || !evidence.ruser.is_empty() || evidence.user.is_empty();
        if !is_pams || is_told || speaker.pid != 0 {
            return None;
        }
        let within = if speaker.family == Family::Sudo { DIALOGUE } else { AT_ONCE };
        let is_it = |process: &Process| {
            process.key.is_beside(&key)
                && (process.key.pid, process.family) == (0, speaker.family)
                && !process.ended
                && !process.got_in
                && (speaker.family == Family::Sudo || !process.is_refused_by(evidence.module))
                && (0..=within).contains(&(time - process.last))
                && process.rows.last().is_some_and(|row| {
                    (row.service.as_bytes(), row.user.as_bytes()) == (evidence.service, evidence.user)
                })
        };
        let whom = name(&text(evidence.user));
        let mut known = self.pam_only.iter().rev();
        known
            .find(|(key, tried)| {
                *tried == whom && self.processes.get(key).is_some_and(|process| is_it(process))
            })
            .map(|(key, _)| *key)
    }

    /// Whether the process that wrote a line is one of that program, and spoke of an attempt a while ago.
    pub(in crate::scan) fn is_open(&self, header: &Header<'_>, time: i64) -> bool {
        let (host, container) = (hash(&[header.host]), header.container);
        let key = Key { host, pid: header.pid, who: 0, container };
        let is_it = |p: &Process| p.family == family(header.program) && (time - p.last).abs() <= SILENCE;
        header.pid != 0 && self.processes.get(&key).is_some_and(|process| is_it(process))
    }

    pub(super) fn open(&mut self, key: Key, speaker: &Speaker<'_>, time: i64) {
        if self.processes.contains_key(&key) {
            return;
        }
        while self.processes.len() >= PROCESSES {
            match self.order.pop_front() {
                Some((oldest, number)) if self.is_live(oldest, number) => self.close(oldest),
                Some(_) => {}
                None => break,
            }
        }
        // What was closed early stays in the order until its turn comes.
        if self.order.len() >= 2 * PROCESSES {
            let processes = &self.processes;
            self.order.retain(|(key, number)| processes.get(key).is_some_and(|p| p.number == *number));
        }
        self.opened += 1;
        self.order.push_back((key, self.opened));
        self.let_in.forget(key);
        self.insert(Process::new(key, self.opened, speaker.family, time));
    }

    pub(super) fn insert(&mut self, process: Process) {
        let key = process.key;
        if self.processes.insert(key, Box::new(process)).is_none() {
            *self.pids.entry(key.pid).or_default() += 1;
        }
    }

    pub(super) fn close_silent(&mut self, times: &[i64]) {
        let near = |before: i64| times.iter().any(|time| (time - before).abs() <= SILENCE);
        for _ in 0..4 {
            let Some((key, number)) = self.order.front().copied() else { return };
            match self.processes.get(&key).filter(|process| process.number == number) {
                Some(process) if near(process.last) => {
                    // Still speaking: it is looked at again when those after it have been.
                    if near(process.first) {
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

    /// Whether an entry in the order is that of an open process.
    pub(super) fn is_live(&self, key: Key, number: u64) -> bool {
        self.processes.get(&key).is_some_and(|process| process.number == number)
    }

    pub(super) fn close(&mut self, key: Key) {
        let Some(process) = self.processes.remove(&key) else { return };
        if let Entry::Occupied(mut open) = self.pids.entry(key.pid) {
            *open.get_mut() -= 1;
            if *open.get() == 0 {
                open.remove();
            }
        }
        let unknown = process.unknown.filter(|_| process.total == 0).map(|row| *row);
        self.settled
            .extend(process.rows.into_iter().chain(unknown).filter(|row| row.state == State::Waiting));
    }
}

/// Whether a module that refused sudo before may refuse it again. pam_unix says so once of each sudo, others each time.
fn may_ask_again(process: &Process, speaker: &Speaker<'_>, evidence: &Evidence<'_>) -> bool {
    speaker.family == Family::Sudo
        && evidence.kind == Kind::PamFailure
        && evidence.module != b"pam_unix"
        && !process.got_in
}

/// What may come of a process after its program's last word.
fn may_follow_the_end(kind: Kind) -> bool {
    matches!(kind, Kind::PamSuccess | Kind::PamSession | Kind::Success | Kind::Claimed | Kind::PamMore)
}

/// Whether sshd's client is certainly another one than before: one process serves one.
fn differs(process: &Process, evidence: &Evidence<'_>) -> bool {
    let told = process.family == Family::Sshd && evidence.kind != Kind::SshdKey && !evidence.rhost.is_empty();
    if !told || process.rhost.as_bytes() == evidence.rhost || !is_address(&process.rhost) {
        return false;
    }
    let rhost = address(evidence.rhost);
    is_address(&rhost) && rhost != process.rhost
}

#[cfg(test)]
mod tests {
    use super::super::tests::{count, failed, pam, tell};
    use super::*;
    use crate::scan::attempts::process::ROWS;

    #[test]
    fn a_number_that_comes_again_later_is_another_process() {
        assert_eq!(count(&[&failed("09:00:00", 7), &pam("10:00:00", "sshd[7]", "alice")]), 2);
    }

    #[test]
    fn a_process_of_sshd_has_one_client() {
        let invalid = "09:00:00 sshd[7]: Invalid user x from 192.0.2.7";
        assert_eq!(count(&[invalid, invalid]), 1);
        assert_eq!(count(&[invalid, &invalid.replace("2.7", "2.8")]), 2);
        assert_eq!(count(&[invalid, &failed("09:00:01", 7)]), 1);
        assert_eq!(count(&[invalid, &failed("09:00:01", 7).replace("from 192", "from ::ffff:192")]), 1);
        let named = pam("09:00:00", "sshd[7]", "alice").replace("192.0.2.7", "client.example.org");
        assert_eq!(count(&[&named, &failed("09:00:01", 7)]), 1, "UseDNS");
        // A certificate's id is the client's word: it makes no other client of it.
        let key = "09:00:01 sshd[7]: Failed publickey for invalid user x from 198.51.100.9 port 2 ssh2: RSA-CERT SHA256:a ID y from 192.0.2.7 port 1 ssh2: z (serial 1) CA RSA SHA256:b";
        assert_eq!(count(&[invalid, key, &failed("09:00:02", 7)]), 1, "keys count where nothing else does");
        assert_eq!(count(&[invalid, key]), 1);
    }

    #[test]
    fn clients_that_share_a_number_are_told_apart_though_their_lines_are_mixed() {
        let pam = |second: u32, host: &str| {
            pam(&format!("09:00:{second:02}"), "sshd[7]", "alice").replace("192.0.2.7", host)
        };
        let own = |second: u32, host: &str, port: u32| {
            format!(
                "09:00:{second:02} sshd[7]: Failed password for invalid user x from {host} port {port} ssh2"
            )
        };
        let invalid =
            |second: u32, host: &str| format!("09:00:{second:02} sshd[7]: Invalid user x from {host}");
        let (a, b) = ("192.0.2.7", "192.0.2.8");
        assert_eq!(count(&[&pam(0, a), &pam(1, b), &own(2, a, 1), &own(3, b, 2)]), 2);
        assert_eq!(count(&[&invalid(0, a), &invalid(1, b), &own(2, a, 1), &own(3, b, 2)]), 2);
        assert_eq!(count(&[&pam(0, a), &own(1, b, 2)]), 2);
        // One host, connection after connection, and two at once.
        let (first, second) = ([pam(0, a), own(2, a, 1)], [pam(3, a), own(5, a, 2)]);
        assert_eq!(count(&[&first[0], &first[1], &second[0], &second[1]]), 2);
        assert_eq!(count(&[&first[0], &second[0], &first[1], &second[1]]), 2);
        assert_eq!(count(&[&first[1], &second[1]]), 2);
    }

    #[test]
    fn without_a_number_each_connection_of_a_client_begins_with_its_name() {
        let invalid = |second: u32| format!("09:00:{second:02} sshd: Invalid user x from 192.0.2.7");
        let refused = |second: u32| {
            format!("09:00:{second:02} sshd: Failed password for invalid user x from 192.0.2.7 port 5 ssh2")
        };
        assert_eq!(count(&[&invalid(0), &invalid(8), &invalid(20)]), 3);
        assert_eq!(count(&[&invalid(0), &refused(2), &invalid(8), &refused(10)]), 2);
        assert_eq!(count(&[&invalid(0), &invalid(1), &refused(2), &refused(3)]), 2, "both at once");
    }

    #[test]
    fn many_processes_that_take_turns_cost_no_more_each() {
        let mut attempts = Attempts::default();
        let started = std::time::Instant::now();
        // Each line closes a process and opens one, with the table as full as it gets.
        for n in 0..PROCESSES as u64 {
            tell(&mut attempts, &failed("09:00:00", n as u32 + 1), n);
        }
        let filled = started.elapsed();
        let started = std::time::Instant::now();
        for n in 0..PROCESSES as u64 {
            let line = failed("09:00:01", PROCESSES as u32).replace("port 5", &format!("port {}", n % 9 + 1));
            tell(&mut attempts, &line, n);
        }
        assert!(started.elapsed() < 3 * filled + std::time::Duration::from_secs(1), "{filled:?}");
        assert!(attempts.order.len() <= 2 * PROCESSES);
        attempts.finish();
        assert_eq!(attempts.take_settled().len(), 2 * PROCESSES);
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

    #[test]
    fn what_a_container_writes_is_of_no_process_of_its_host() {
        let inside = |line: &str| line.replacen(' ', " e8d820bf982c[2136]: ", 1);
        let pam = |tag: &str, user: &str| super::super::tests::pam("09:00:00", tag, user);
        let guest = "09:00:01 sshd[7]: Failed password for guest from 192.0.2.7 port 5 ssh2";
        let failed_of = |lines: &[&str]| {
            let mut attempts = Attempts::default();
            for (n, line) in lines.iter().enumerate() {
                tell(&mut attempts, line, n as u64);
            }
            attempts.finish();
            let mut told: Vec<_> = attempts
                .take_settled()
                .into_iter()
                .map(|row| (row.user.to_string(), row.rhost.to_string(), row.count))
                .collect();
            told.sort();
            told
        };
        // Of a name that does not exist PAM tells none: another line of that process may have it.
        let nobody = pam("sshd[7]", "").replace("  user=", " ");
        let alice = pam("sshd[8]", "alice");
        let keyboard = "09:00:02 sshd[9]: error: PAM: Authentication failure for alice from 192.0.2.7";
        let check = "09:00:00 unix_chkpwd[6]: password check failed for user (alice)";
        let su = "09:00:00 su: pam_unix(su:auth): authentication failure; logname=bob uid=1000 euid=0 tty=/dev/pts/0 ruser=bob rhost=  user=alice";
        let failed_su = "09:00:02 su[7]: FAILED SU (to alice) bob on pts/0";
        let auth = "09:00:00 sshd-auth[7]: Invalid user admin from 192.0.2.7 port 5";
        let session = "09:00:02 sshd-session[9]: Failed password for guest from 192.0.2.7 port 5 ssh2";
        for (of_host, of_container) in [
            (nobody.as_str(), guest),
            (&alice, keyboard),
            (check, &alice),
            (check, guest),
            (su, failed_su),
            (auth, session),
            (guest, guest),
        ] {
            let mut apart = [failed_of(&[of_host]), failed_of(&[&inside(of_container)])].concat();
            apart.sort();
            assert_eq!(failed_of(&[of_host, &inside(of_container)]), apart, "{of_container}");
            assert_eq!(failed_of(&[&inside(of_container), of_host]), apart, "{of_container}");
        }
        // Where its client was, and in whatever name it speaks.
        let client = "09:00:01 sshd[7]: Connection closed by 198.51.100.9";
        let refused = pam("sshd[7]", "alice").replace("rhost=192.0.2.7", "rhost=");
        assert_eq!(failed_of(&[&refused, &inside(client)]), failed_of(&[&refused]));
        let other = |line: &str| line.replacen(' ', " docker/e8d820bf982c[1]: Nov  3 09:00:01 srv ", 1);
        assert_eq!(failed_of(&[&nobody, &other(guest)]).len(), 2);
        // Two containers are two machines; lines of one go together.
        assert_eq!(failed_of(&[&inside(&nobody), &other(guest)]).len(), 2);
        assert_eq!(failed_of(&[&inside(&nobody), &inside(guest)]).len(), 1);
    }

    #[test]
    fn lines_that_somebody_dated_as_he_likes_end_no_process_that_spoke_just_now() {
        let now = 1_793_696_400_000_000; // 2026-11-03T09:00:00Z
        let mut attempts = Attempts::default();
        attempts.set_clock(now);
        tell(&mut attempts, &pam("09:00:00", "sshd[7]", "alice"), 1);
        for n in 0..40 {
            let date = if n % 2 == 0 { "23:00:00" } else { "01:00:00" };
            tell(&mut attempts, &failed(date, 1000 + n), n.into());
        }
        tell(&mut attempts, "09:00:01 sshd[7]: Accepted password for alice from 192.0.2.7 port 57 ssh2", 2);
        attempts.finish();
        let told = attempts.take_settled();
        assert!(told.iter().all(|row| row.pid != 7), "a second module let her in");
        assert_eq!(told.len(), 40);
    }
}
