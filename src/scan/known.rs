//! Which failures are recorded already: by the module, or by a scan that was killed before it could
//! remember its position.

use std::collections::{HashMap, HashSet};
use std::io;

use jiff::{SignedDuration, Timestamp};

use super::attempts::Row;
use super::position::Fnv;
use crate::failure::{Failure, Route};
use crate::journal::Journal;

/// Microseconds in a second.
const SECOND: i64 = 1_000_000;
/// Records with the same pid, or its parent's, and no more apart than this are of one process.
const SAME_PROCESS: i64 = 600 * SECOND;
/// Without a pid: two clocks, one of them in whole seconds.
const SAME_MOMENT: i64 = 2 * SECOND;
/// unix_chkpwd and polkitd speak a little before or after the process that authenticates.
const NEAR: i64 = 5 * SECOND;
/// Used records are remembered for so long.
const MEMORY: i64 = 3600 * SECOND;

/// What the journal holds, as far as it may match.
#[derive(Debug, Default)]
pub struct Recorded {
    records: Vec<Record>,
    by_pid: HashMap<u32, Vec<usize>>,
    origins: HashSet<u64>,
    used: HashSet<(i64, u32)>,
    since: Option<i64>,
}

#[derive(Debug)]
struct Record {
    time: i64,
    pid: u32,
    ppid: u32,
    service: String,
    user: String,
    rhost: String,
    ruser: String,
}

impl Recorded {
    /// Go on with what earlier passes matched.
    pub fn new(used: &[(i64, u32)]) -> Self {
        Self { used: used.iter().copied().collect(), ..Self::default() }
    }

    /// Matched records, as far as they may still matter at `now`.
    pub fn used(&self, now: i64) -> Vec<(i64, u32)> {
        let mut used: Vec<_> = self.used.iter().copied().filter(|(time, _)| now - time < MEMORY).collect();
        used.sort_unstable();
        used
    }

    /// Read the journal as far back as `rows` need.
    pub fn cover(&mut self, journal: &Journal, rows: &[Row]) -> io::Result<()> {
        let Some(first) = rows.iter().map(|row| row.since.min(row.time)).min() else {
            return Ok(());
        };
        let since = first - SAME_PROCESS;
        if self.since.is_some_and(|covered| covered <= since) {
            return Ok(());
        }
        self.since = Some(since);
        self.records.clear();
        self.by_pid.clear();
        self.origins.clear();
        let from = Timestamp::from_microsecond(since).unwrap_or(Timestamp::MIN);
        let from = from.checked_sub(SignedDuration::from_secs(1)).unwrap_or(from);
        journal.read_since(from, &mut |failure| self.take(failure))?;
        self.records.sort_by_key(|record| record.time);
        for (index, record) in self.records.iter().enumerate() {
            for pid in [record.pid, record.ppid] {
                if pid > 1 {
                    self.by_pid.entry(pid).or_default().push(index);
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, failure: Failure) {
        match failure.route {
            Route::Log => {
                self.origins.extend(failure.origin.as_deref().map(hash));
            }
            Route::Pam => {
                self.records.push(Record {
                    time: failure.time.as_microsecond(),
                    pid: failure.pid,
                    ppid: failure.ppid,
                    service: failure.service,
                    user: failure.user,
                    rhost: failure.rhost,
                    ruser: failure.ruser,
                });
            }
        }
    }

    /// How many of the attempts in `row` nobody has recorded.
    pub fn unrecorded(&mut self, row: &Row, origin: &str) -> u32 {
        if self.origins.contains(&hash(origin)) {
            return 0;
        }
        let mut left = row.count;
        while left > 0 {
            let Some(index) = self.nearest(row) else { break };
            let record = &self.records[index];
            self.used.insert((record.time, record.pid));
            left -= 1;
        }
        left
    }

    /// The unused record that is nearest in time among those that may be of this attempt.
    fn nearest(&self, row: &Row) -> Option<usize> {
        let free = |record: &Record| !self.used.contains(&(record.time, record.pid));
        let distance = |record: &Record| (record.time - row.time).abs();
        if row.pid != 0 && !row.is_check_password() && !row.is_polkitd() {
            let same = self.by_pid.get(&row.pid)?.iter().copied().filter(|index| {
                let record = &self.records[*index];
                free(record)
                    && same_service(&record.service, &row.service)
                    // A line may sum up what was long before; only clocks put it behind a record.
                    && record.time >= row.since.min(row.time) - SAME_PROCESS
                    && record.time <= row.time + NEAR
            });
            return same.min_by_key(|index| distance(&self.records[*index]));
        }
        let (before, after) = if row.is_check_password() || row.is_polkitd() {
            (NEAR, NEAR)
        } else {
            (SAME_MOMENT, SAME_MOMENT)
        };
        let since = row.since.min(row.time) - before;
        let fits = |record: &Record| {
            free(record)
                && (row.is_check_password() || same_service(&record.service, &row.service))
                && agree(&record.user, &row.user)
                && (agree(&record.ruser, &row.ruser) || row.is_polkitd())
                && (row.rhost.is_empty() || agree(&record.rhost, &row.rhost))
        };
        let first = self.records.partition_point(|record| record.time < since);
        let end = self.records.partition_point(|record| record.time <= row.time + after);
        (first..end).filter(|i| fits(&self.records[*i])).min_by_key(|i| distance(&self.records[*i]))
    }
}

/// A program's tag may stand for its service: `su` logs what the service `su-l` refused.
fn same_service(record: &str, row: &str) -> bool {
    let base = |service: &str| service.split('-').next().unwrap_or_default().to_owned();
    record == row || base(record) == base(row)
}

fn agree(record: &str, row: &str) -> bool {
    record.is_empty() || row.is_empty() || record == row
}

fn hash(origin: &str) -> u64 {
    let mut hash = Fnv::default();
    hash.write(origin.as_bytes());
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::super::attempts::{Attempts, Place, Speaker};
    use super::super::{header, rules};
    use super::*;
    use crate::failure::Class;

    const TIME: i64 = 1_793_696_701 * SECOND;

    fn recorded(service: &str, pid: u32, ppid: u32, offset: i64) -> Failure {
        Failure {
            time: Timestamp::from_microsecond(TIME + offset).unwrap(),
            route: Route::Pam,
            class: Class::Failure,
            count: 1,
            service: service.into(),
            pid,
            ppid,
            user: "alice".into(),
            rhost: if service == "sshd" { "192.0.2.7".into() } else { String::new() },
            tty: String::new(),
            ruser: if service == "sshd" { String::new() } else { "bob".into() },
            uid: 0,
            origin: None,
        }
    }

    /// How many of the attempts in `lines` are left when the module recorded `failures`.
    fn left(lines: &[&str], failures: &[Failure]) -> u32 {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(crate::journal::DIRECTORY)).unwrap();
        let journal = Journal::new(directory.path());
        journal.append(failures).unwrap();
        let mut attempts = Attempts::default();
        for (offset, line) in lines.iter().enumerate() {
            let line = format!("2026-11-03T09:05:01Z srv {line}");
            let header = header::parse(line.as_bytes()).unwrap();
            let rules::Line::Evidence(evidence) = rules::classify(&header) else { panic!("{line}") };
            let family = rules::family(header.program);
            let speaker = Speaker { host: header.host, program: header.program, family, pid: header.pid };
            attempts.tell(&speaker, &evidence, TIME, Place { source: 1, offset: offset as u64, line: 0 });
        }
        attempts.finish();
        let rows = attempts.take_settled();
        let mut recorded = Recorded::new(&[]);
        recorded.cover(&journal, &rows).unwrap();
        rows.iter().map(|row| recorded.unrecorded(row, &format!("1:{}", row.place.offset))).sum()
    }

    const FAILED: &str = "sshd[71]: Failed password for alice from 192.0.2.7 port 5 ssh2";
    const PAM: &str = "sshd[71]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=alice";
    const MORE: &str = "sshd[71]: PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=alice";
    const ERROR: &str = "sshd[71]: error: PAM: Authentication failure for alice from 192.0.2.7";
    const SUDO: &str = "sudo: pam_unix(sudo:auth): authentication failure; logname=bob uid=1000 euid=0 tty=/dev/pts/0 ruser=bob rhost=  user=alice";

    #[test]
    fn what_the_module_recorded_is_not_left_whether_before_or_after() {
        for offset in [-SECOND, -1, 0, 50_000, SECOND] {
            assert_eq!(left(&[PAM, FAILED], &[recorded("sshd", 71, 70, offset)]), 0, "{offset}");
            assert_eq!(left(&[SUDO], &[recorded("sudo", 99, 98, offset)]), 0, "without a pid, {offset}");
        }
        let three: Vec<Failure> =
            (0..3).map(|n| recorded("sshd", 71, 70, n * 3 * SECOND - 10 * SECOND)).collect();
        assert_eq!(left(&[PAM, FAILED, FAILED, FAILED, MORE], &three), 0);
        assert_eq!(
            left(&[PAM, FAILED, FAILED, FAILED, MORE], &three[1..]),
            1,
            "one of three was not written"
        );
    }

    #[test]
    fn a_child_that_authenticated_is_found_by_its_parent() {
        let child = PAM.replace("[71]", "[72]");
        assert_eq!(left(&[&child, ERROR], &[recorded("sshd", 72, 71, 0)]), 0);
        assert_eq!(left(&[ERROR], &[recorded("sshd", 72, 71, 0)]), 0, "its own line is not there");
        assert_eq!(left(&[&child, ERROR], &[]), 1);
    }

    #[test]
    fn a_service_without_the_module_keeps_every_attempt() {
        let sshd = [recorded("sshd", 71, 70, 0)];
        assert_eq!(left(&[PAM, FAILED, SUDO], &sshd), 1);
        assert_eq!(left(&[&FAILED.replace("[71]", "[73]")], &sshd), 1, "another process");
        assert_eq!(left(&[SUDO], &[recorded("sudo", 99, 98, 30 * SECOND)]), 1, "another time");
    }

    #[test]
    fn a_record_stands_for_one_attempt_only() {
        let one = [recorded("sudo", 99, 98, 0)];
        assert_eq!(left(&[SUDO, SUDO], &one), 1);
    }

    #[test]
    fn what_a_scan_recorded_before_it_was_killed_is_not_left() {
        let mut before = recorded("sshd", 71, 0, 0);
        before.route = Route::Log;
        before.origin = Some("1:0".into());
        assert_eq!(left(&[FAILED], &[before]), 0);
    }
}
