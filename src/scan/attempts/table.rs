//! Which process a line belongs to, when one begins and when it is over.

use std::collections::hash_map::Entry;

use compact_str::CompactString;

use super::process::{Key, Process, hash};
use super::row::State;
use super::{Attempts, PROCESSES, SILENCE, Speaker};
use crate::scan::rules::{Evidence, Family, Kind};

impl Attempts {
    /// The process that spoke: by connection, by number, or by whose it is.
    pub(super) fn process_of(&mut self, speaker: &Speaker<'_>, evidence: &Evidence<'_>, time: i64) -> Key {
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

    pub(super) fn open(&mut self, key: Key, speaker: &Speaker<'_>, time: i64) {
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
        self.insert(process);
    }

    pub(super) fn insert(&mut self, process: Process) {
        let key = process.key;
        if self.processes.insert(key, process).is_none() {
            *self.numbers.entry(key.pid).or_default() += 1;
        }
    }

    pub(super) fn close_silent(&mut self, times: &[i64]) {
        let near = |before: i64| times.iter().any(|time| (time - before).abs() <= SILENCE);
        for _ in 0..4 {
            let Some((key, _)) = self.order.front().copied() else { return };
            match self.processes.get(&key) {
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

    pub(super) fn close(&mut self, key: Key) {
        let Some(process) = self.processes.remove(&key) else { return };
        if let Entry::Occupied(mut number) = self.numbers.entry(key.pid) {
            *number.get_mut() -= 1;
            if *number.get() == 0 {
                number.remove();
            }
        }
        if let Some(at) = self.order.iter().position(|(k, _)| *k == key) {
            self.order.remove(at);
        }
        let unknown = process.unknown.filter(|_| process.total == 0);
        self.settled
            .extend(process.rows.into_iter().chain(unknown).filter(|row| row.state == State::Waiting));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{count, failed, pam, tell};
    use super::*;
    use crate::scan::attempts::ROWS;

    #[test]
    fn a_number_that_comes_again_later_is_another_process() {
        assert_eq!(count(&[&failed("09:00:00", 7), &pam("10:00:00", "sshd[7]", "alice")]), 2);
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
}
