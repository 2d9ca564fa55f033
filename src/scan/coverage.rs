//! Where the module knows better than the log.
//!
//! The module hears the verdict itself. Where it is alive, its silence about an attempt that went through
//! PAM says that there was none: a module of the stack refused before another accepted, or somebody wrote
//! the line himself. Whether it is alive is decided for each service by evidence that only root can
//! have written, its records in the journal:
//!
//! - An attempt of the log that the module recorded speaks for it: one, in a service of which nothing is
//!   known; [`AGAIN`] in succession where it has failed before.
//! - [`SILENT`] attempts in succession without a record speak against it. They are kept until the next
//!   record shows that it was alive when they were logged, and are recorded when there are too many of
//!   them. So nothing is lost while it dies, and the log that cries wolf now and then is not heard.
//! - Its own word in syslog that it could not record (a disk without room, limits in a container) speaks
//!   against it at once, and for the attempt of that process for good. Anybody may write such a line; all
//!   that he gains is that the log is believed again.
//!
//! A line of the log that matches no record never speaks for the module. So nobody makes it look alive
//! who does not have it record his own failures.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::attempts::Row;
use super::dedup::base;

/// Attempts in succession without a record that speak against the module.
pub(crate) const SILENT: u32 = 5;
/// Attempts in succession with one that speak for it again.
const AGAIN: u32 = 3;
/// Services that are kept apart: a stack has few, a forged line any.
const SERVICES: usize = 64;
/// Complaints that are remembered.
const COMPLAINTS: usize = 256;
/// A complaint and the line of its attempt are no further apart, in microseconds, with a pid and without.
const SAME_PROCESS: i64 = 600_000_000;
const SAME_MOMENT: i64 = 5_000_000;
/// What the module says, behind its host's tag, where it cannot record.
const WORDS: &[u8] = b"pam_authalert: a failed authentication could not be recorded";

/// What is known of the module, by service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Coverage {
    services: BTreeMap<String, Service>,
    complaints: VecDeque<Complaint>,
}

/// What is known of it in one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Service {
    /// Its silence counts.
    pub(crate) is_alive: bool,
    /// It was alive, and was not any more.
    has_failed: bool,
    /// Attempts in succession that it recorded, as far as they matter.
    recorded: u32,
    /// Attempts in succession that the log alone knows.
    pub(crate) silent: u32,
    /// The latest attempt that it recorded, in microseconds of the epoch.
    latest: i64,
    /// Attempts that were not recorded, as it said nothing of them.
    pub(crate) dismissed: u64,
}

/// The module's word that it could not record an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Complaint {
    service: String,
    pid: u32,
    time: i64,
}

impl Complaint {
    /// What a line says, if it says that.
    pub(crate) fn parse(program: &[u8], pid: u32, message: &[u8], time: i64) -> Option<Self> {
        message.starts_with(WORDS).then(|| {
            let program = String::from_utf8_lossy(&program[..program.len().min(64)]);
            Self { service: base(&program).to_owned(), pid, time }
        })
    }

    fn is_of(&self, row: &Row) -> bool {
        let apart = (self.time - row.time).abs();
        match (self.pid, row.pid) {
            (0, _) | (_, 0) => self.service == base(&row.service) && apart <= SAME_MOMENT,
            (ours, its) => ours == its && apart <= SAME_PROCESS,
        }
    }
}

/// What is to be done with an attempt of which the module said nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It is a failure like any other.
    Record,
    /// It is none, unless the module shows no sign of life from now on.
    Doubt,
    /// It is none.
    Dismiss,
}

impl Coverage {
    /// The services of which something is known.
    pub(crate) fn services(&self) -> impl Iterator<Item = (&str, &Service)> {
        self.services.iter().map(|(name, service)| (name.as_str(), service))
    }

    /// Take in that the module recorded an attempt that the log tells.
    pub(crate) fn recorded(&mut self, row: &Row) {
        let Some(service) = self.service(&row.service) else { return };
        service.latest = service.latest.max(row.happened());
        service.silent = 0;
        service.recorded = (service.recorded + 1).min(AGAIN);
        service.is_alive |= !service.has_failed || service.recorded >= AGAIN;
    }

    /// Judge an attempt of which the module, whose line is in that service, said nothing.
    pub(crate) fn silent(&mut self, row: &Row) -> Judgement {
        let has_complained = self.has_complained(row);
        let Some(service) = self.service(&row.service) else { return Judgement::Record };
        service.recorded = 0;
        service.silent = service.silent.saturating_add(1);
        if service.silent >= SILENT {
            service.fail();
        }
        if has_complained || !service.is_alive { Judgement::Record } else { Judgement::Doubt }
    }

    /// Judge again an attempt that was in doubt, by what came after it. `is_guarded`: the module's line
    /// is still in that service.
    pub(crate) fn again(&mut self, row: &Row, is_guarded: bool) -> Judgement {
        let has_complained = self.has_complained(row);
        match self.service(&row.service) {
            _ if has_complained || !is_guarded => Judgement::Record,
            Some(service) if !service.is_alive => Judgement::Record,
            Some(service) if service.latest > row.happened() => {
                service.dismissed += u64::from(row.count);
                Judgement::Dismiss
            }
            Some(_) => Judgement::Doubt,
            None => Judgement::Record,
        }
    }

    /// Take in that the module could not record.
    pub(crate) fn complained(&mut self, complaint: Complaint) {
        if let Some(service) = self.service(&complaint.service) {
            service.fail();
        }
        if self.complaints.len() >= COMPLAINTS {
            self.complaints.pop_front();
        }
        self.complaints.push_back(complaint);
    }

    /// Forget what can matter no more at `now`.
    pub(crate) fn forget_before(&mut self, now: i64) {
        self.complaints.retain(|complaint| (now - complaint.time).abs() <= 2 * SAME_PROCESS);
    }

    fn has_complained(&self, row: &Row) -> bool {
        self.complaints.iter().any(|complaint| complaint.is_of(row))
    }

    fn service(&mut self, name: &str) -> Option<&mut Service> {
        let name = base(name);
        if !self.services.contains_key(name) {
            if self.services.len() >= SERVICES {
                return None;
            }
            self.services.insert(name.to_owned(), Service::default());
        }
        self.services.get_mut(name)
    }
}

impl Service {
    fn fail(&mut self) {
        self.has_failed |= self.is_alive;
        self.is_alive = false;
        self.recorded = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::attempts::{Attempts, Place, Speaker};
    use super::super::header;
    use super::super::rules::{self, Line};
    use super::*;

    fn row(service: &str, pid: u32, time: i64) -> Row {
        let line = format!(
            "2026-11-03T09:05:01Z srv {service}[{pid}]: pam_unix({service}:auth): authentication failure; logname= uid=0 euid=0 tty=x ruser= rhost=  user=bob"
        );
        let header = header::parse(line.as_bytes()).unwrap();
        let Line::Evidence(evidence) = rules::classify(&header) else { panic!("{line}") };
        let family = rules::family(header.program);
        let speaker = Speaker { host: header.host, program: header.program, family, pid, container: 0 };
        let mut attempts = Attempts::default();
        attempts.tell(&speaker, &evidence, time, Place::default());
        attempts.finish();
        attempts.take_settled().remove(0)
    }

    #[test]
    fn silence_counts_where_the_module_was_heard_and_nowhere_else() {
        let mut coverage = Coverage::default();
        assert_eq!(coverage.silent(&row("su", 1, 1)), Judgement::Record, "nothing is known of it");
        coverage.recorded(&row("su", 2, 2));
        let doubted = row("su", 3, 3);
        assert_eq!(coverage.silent(&doubted), Judgement::Doubt);
        assert_eq!(coverage.silent(&row("sudo", 4, 4)), Judgement::Record, "another service");
        assert_eq!(coverage.again(&doubted, true), Judgement::Doubt, "nothing came since");
        coverage.recorded(&row("su", 5, 5));
        assert_eq!(coverage.clone().again(&doubted, false), Judgement::Record, "its line is gone");
        assert_eq!(coverage.again(&doubted, true), Judgement::Dismiss);
        assert_eq!(coverage.services["su"].dismissed, 1);
        assert_eq!(coverage.again(&row("su", 6, 6), true), Judgement::Doubt, "later than its last word");
    }

    #[test]
    fn a_module_that_dies_loses_no_attempt_and_has_to_show_more_to_be_believed_again() {
        let mut coverage = Coverage::default();
        coverage.recorded(&row("su", 1, 1));
        let rows: Vec<Row> = (2..2 + SILENT).map(|n| row("su", n, i64::from(n))).collect();
        let judged: Vec<Judgement> = rows.iter().map(|row| coverage.silent(row)).collect();
        assert_eq!(judged[..4], [Judgement::Doubt; 4]);
        assert_eq!(judged[4], Judgement::Record);
        assert!(rows[..4].iter().all(|row| coverage.again(row, true) == Judgement::Record));
        for n in 10..12 {
            coverage.recorded(&row("su", n, i64::from(n)));
            assert_eq!(coverage.clone().silent(&row("su", 99, 99)), Judgement::Record);
        }
        coverage.recorded(&row("su", 12, 12));
        assert_eq!(coverage.silent(&row("su", 99, 99)), Judgement::Doubt);
        // Those that were recorded in between were one after the other.
        coverage.complained(Complaint { service: "su".into(), pid: 0, time: 1 << 40 });
        for n in [13, 14] {
            coverage.recorded(&row("su", n, i64::from(n)));
            assert_eq!(coverage.silent(&row("su", 99, 99)), Judgement::Record);
        }
    }

    #[test]
    fn an_attempt_whose_process_complained_is_recorded_however_alive_the_module_was_before_and_after() {
        let mut coverage = Coverage::default();
        coverage.recorded(&row("su", 1, 1));
        let message = [WORDS, b" in /var/lib/authalert: No space left on device"].concat();
        coverage.complained(Complaint::parse(b"su", 7, &message, 2).unwrap());
        assert_eq!(Complaint::parse(b"su", 7, b"another word", 2), None);
        for n in 10..20 {
            coverage.recorded(&row("su", n, i64::from(n)));
        }
        assert_eq!(coverage.silent(&row("su", 7, 3)), Judgement::Record);
        assert_eq!(coverage.silent(&row("su", 8, 3)), Judgement::Doubt);
        coverage.forget_before(3 * SAME_PROCESS);
        assert!(coverage.complaints.is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut coverage = Coverage::default();
        for n in 0..10_000_u32 {
            let service = format!("s{n}");
            coverage.complained(Complaint { service, pid: n, time: 1 });
        }
        assert!(coverage.services.len() <= SERVICES && coverage.complaints.len() <= COMPLAINTS);
        let mut stranger = row("su", 1, 1);
        stranger.service = "stranger".into();
        assert_eq!(coverage.silent(&stranger), Judgement::Record);
    }

    #[test]
    fn a_line_that_is_dated_ahead_does_not_dismiss_what_comes_until_then() {
        let mut coverage = Coverage::default();
        let hour = 3_600_000_000;
        let read = |service, pid, time, read| {
            let mut row = row(service, pid, time);
            row.read = read;
            row
        };
        let ahead = read("su", 1, 9 * hour, hour);
        coverage.recorded(&ahead);
        let doubted = read("su", 2, 2 * hour, 2 * hour);
        assert_eq!(coverage.silent(&doubted), Judgement::Doubt);
        assert_eq!(coverage.again(&doubted, true), Judgement::Doubt, "nothing came since");
        // A log whose clock is ahead is ahead in all of its lines.
        coverage.recorded(&read("su", 3, 12 * hour, 3 * hour));
        let doubted = read("su", 2, 11 * hour, 2 * hour);
        assert_eq!(coverage.again(&doubted, true), Judgement::Dismiss);
    }
}
