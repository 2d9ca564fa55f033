//! Which failures are recorded already: by the module, by the scan of another log that tells of the
//! same, or by a scan that was killed before it could remember its position.
//!
//! Each log tells an attempt once. So within one log, lines and records are matched one to one:
//! by process where the line has a pid, else by who, whom and when. What this log gave itself is
//! left out, except what a pass gave that could not remember it: it may have seen fewer lines, and
//! have reported the same attempts by others.

mod free;
mod load;
mod search;
mod sought;

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::attempts::{Mail, Row};
use super::hash::{hash, short};
use super::origin::{Log, StreamId, name, parse, place};
use crate::detect::REACH;
use crate::event::Class;
use crate::journal::address;
use free::Free;
pub(crate) use sought::base;
use sought::{Kind, Sought};

/// Microseconds in a second.
const SECOND: i64 = 1_000_000;
/// Records with the same pid, or its parent's, and no more apart than this are of one process.
const SAME_PROCESS: i64 = 600 * SECOND;
/// Without a pid: two clocks, one of them in whole seconds.
const SAME_MOMENT: i64 = 2 * SECOND;
/// unix_chkpwd and polkitd speak a little before or after the process that authenticates.
const NEAR: i64 = 5 * SECOND;
/// From the line of sshd's child to that of its parent.
const CHILD_TO_PARENT: i64 = 15 * SECOND;
/// A log daemon that still goes by another zone, or that was stuck, is not further off.
const OTHER_CLOCK: i64 = 15 * 3600 * SECOND;
/// Before the records that may match: who failed here may still make a login a break-in.
const FAILED_BEFORE: i64 = REACH * SECOND - OTHER_CLOCK;
/// Zones are apart by a multiple of this.
const ZONES: i64 = 900 * SECOND;
/// Used records are remembered for so long.
const MEMORY: i64 = 3600 * SECOND;

/// What the journal holds, as far as it may match.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// The only log that is read, if it is only one: what it remembers need not be kept here.
    only: Option<StreamId>,
    unsaved: HashMap<u32, UnsavedRecords>,
    /// What this pass recorded.
    ours: HashSet<u64>,
    records: Vec<Record>,
    /// The logs of the records.
    logs: Vec<Log>,
    free: Free,
    origins: HashSet<u64>,
    /// Who failed, and from where: see [`who`].
    failed: HashSet<u32>,
    used: HashMap<(u32, u64), Used>,
    /// Whether the server to send mail has a helper of its own, saslauthd: it asks none of Dovecot's then.
    has_smtp_helper: bool,
    since: Option<i64>,
    /// How far each segment was read, by its inode.
    read: HashMap<u64, u64>,
}

/// Which records of a log are of passes that left no memory of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnsavedRecords {
    /// Those that name this save as the last before them.
    After(u64),
    /// All of them: the place is lost, and lines are read again.
    All,
}

/// A record that was matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Used {
    time: i64,
    key: u64,
    times: u32,
}

/// Names as hashes, 0 where there is none: there may be very many, so each is kept small.
#[derive(Debug)]
struct Record {
    time: i64,
    key: u64,
    count: u32,
    /// Which log reported it, counted from 1; 0: the module did.
    log: u32,
    service: u32,
    user: u32,
    rhost: u32,
    ruser: u32,
    /// Its process and the parent of that, 0: it has none.
    pids: [u32; 2],
    kind: Kind,
    mail: Option<Mail>,
}

/// What the journal holds of the attempts in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Attempts that nobody has recorded.
    pub(crate) left: u32,
    /// Attempts that the module has recorded.
    pub(crate) by_module: u32,
    /// Attempts that are recorded without the address that the row has.
    pub(crate) without_address: u32,
}

impl Recorded {
    /// For one log or for several.
    pub(crate) fn new(only: Option<StreamId>) -> Self {
        Self { only, ..Self::default() }
    }

    /// Whether several logs are read.
    pub(crate) fn is_of_several(&self) -> bool {
        self.only.is_none()
    }

    /// Begin with a log: go on with what earlier passes matched in it.
    pub(crate) fn begin(&mut self, stream: StreamId, used: &[Used], unsaved: UnsavedRecords) {
        self.used.extend(used.iter().map(|used| ((stream.0, used.key), *used)));
        self.unsaved.insert(stream.0, unsaved);
        self.free = Free::default();
    }

    /// Begin with a log again, of which nothing is remembered.
    pub(crate) fn forget(&mut self, stream: StreamId) {
        self.used.retain(|(of, _), _| *of != stream.0);
        self.unsaved.insert(stream.0, UnsavedRecords::All);
        self.since = None;
    }

    /// Records that were matched in a log, as far as they may still matter at `now`.
    pub(crate) fn used(&self, stream: StreamId, now: i64) -> Vec<Used> {
        let of_stream = self.used.iter().filter(|((s, _), _)| *s == stream.0).map(|(_, used)| *used);
        let mut used: Vec<_> = of_stream.filter(|used| now - used.time < MEMORY).collect();
        used.sort_unstable();
        used
    }

    /// Whether somebody of this name, or from there, failed in the hours before, or is among those who `wait`: else a login
    /// tells nothing.
    pub(crate) fn has_failed(&self, row: &Row, wait: &HashSet<u32>) -> bool {
        whom(row).any(|one| self.failed.contains(&one) || wait.contains(&one))
    }

    /// Of whom, and from where, attempts are that are not recorded yet.
    pub(crate) fn waiting<'a>(rows: impl IntoIterator<Item = &'a Row>) -> HashSet<u32> {
        rows.into_iter().flat_map(whom).collect()
    }

    fn log_of(&self, record: &Record) -> Option<&Log> {
        self.logs.get((record.log as usize).checked_sub(1)?)
    }

    /// Whether the attempts of this very line, of `row`, or from where they came, are recorded by a pass that was killed.
    pub(crate) fn claim_origin(&mut self, origin: &str, row: &Row, class: Class, stream: StreamId) -> bool {
        let key = key(parse(origin).0, class);
        // Of an older form it is not known which log it was.
        let known =
            self.origins.contains(&key) || self.origins.contains(&self::key(parse(place(origin)).0, class));
        if known {
            // Then its record is that of nothing else, in this pass or a later one.
            let used = self.used.entry((stream.0, key)).or_insert(Used { time: row.time, key, times: 0 });
            used.times = u32::MAX;
        }
        known
    }

    /// Note which helpers tell of attempts.
    pub(crate) fn note_helpers(&mut self, rows: &[Row]) {
        let is_it =
            |row: &Row| row.is_of_mail() && !row.is_relayed() && Mail::of(&row.service) == Some(Mail::Smtp);
        self.has_smtp_helper |= rows.iter().any(is_it);
    }

    /// Which of the attempts, or logins, in `row`, of which `stream` tells, are recorded.
    pub(crate) fn find(&mut self, row: &Row, class: Class, stream: StreamId) -> Found {
        let sought = Sought::new(row, class, stream);
        self.note_free(stream);
        let mut found = Found { left: row.count, ..Found::default() };
        while found.left > 0 {
            let Some(index) = self.nearest(row, &sought) else { break };
            let Record { time, key, log, rhost, .. } = self.records[index];
            self.used.entry((stream.0, key)).or_insert(Used { time, key, times: 0 }).times += 1;
            self.note_used(index, stream);
            found.left -= 1;
            found.by_module += u32::from(log == 0);
            found.without_address += u32::from(rhost == 0 && sought.rhost != 0);
        }
        found
    }

    /// Say that a line's attempts, or from where they came, are recorded now.
    pub(crate) fn add(&mut self, origin: &str, class: Class) {
        self.ours.insert(key(parse(origin).0, class));
    }

    fn is_unsaved(&self, key: u64, log: Log) -> bool {
        !self.ours.contains(&key)
            && match self.unsaved.get(&log.stream) {
                Some(UnsavedRecords::All) => true,
                Some(UnsavedRecords::After(saved)) => log.saved == *saved,
                None => false,
            }
    }
}

/// By what a record of the line at this place is known: one line may have attempts of which one is recorded already, without its
/// address, and the other is not.
fn key(place: u64, class: Class) -> u64 {
    if class == Class::Address { hash(&[&place.to_le_bytes(), b"address"]) } else { place }
}

fn whom(row: &Row) -> impl Iterator<Item = u32> {
    who(&row.user, &row.rhost, (&row.ruser, &row.tty))
}

/// An account and where it was tried from, as far as they are known: who fails from one address of a network may
/// come in from another, and who asks here, or sits at a terminal, as another account.
fn who(user: &str, rhost: &str, (asker, tty): (&str, &str)) -> impl Iterator<Item = u32> {
    let terminal = tty.strip_prefix("/dev/").unwrap_or(tty);
    let here = match (rhost, asker, terminal) {
        ("", "", "") => 0,
        ("", "", terminal) => short(&[b"at ", terminal.as_bytes()]).max(1),
        ("", asker, _) => short(&[b"by ", asker.as_bytes()]).max(1),
        _ => 0,
    };
    let network = address::parse(rhost).map(address::network);
    let source = network.map_or_else(|| name(rhost), |network| short(&[&network.to_le_bytes()]).max(1));
    [name(user), source, here].into_iter().filter(|one| *one != 0)
}

#[cfg(test)]
mod tests {
    use super::super::attempts::{Attempts, Place, Speaker};
    use super::super::header::Header;
    use super::super::origin::{host, origin};
    use super::super::{header, rules};
    use crate::event::{Event, Route};
    use crate::journal::Journal;
    use jiff::Timestamp;

    use super::*;
    use crate::event::Class;

    const TIME: i64 = 1_793_696_701 * SECOND;

    fn recorded(service: &str, pid: u32, ppid: u32, offset: i64) -> Event {
        Event {
            time: Timestamp::from_microsecond(TIME + offset).unwrap(),
            host: String::new(),
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
    fn left(lines: &[&str], failures: &[Event]) -> u32 {
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
            let Header { host, program, pid, container, .. } = header;
            let speaker = Speaker { host, program, family, pid, container };
            attempts.tell(&speaker, &evidence, TIME, Place { source: 1, offset: offset as u64, line: 0 });
        }
        attempts.finish();
        let rows = attempts.take_settled();
        let mut recorded = Recorded::default();
        recorded.load_since(&journal, &rows).unwrap();
        let stream = StreamId::new("auth.log");
        recorded.begin(stream, &[], UnsavedRecords::After(1));
        let unknown = rows
            .iter()
            .filter(|row| !recorded.claim_origin(&origin(row, stream, 1), row, Class::Failure, stream));
        let unknown: Vec<&Row> = unknown.collect();
        unknown.into_iter().map(|row| recorded.find(row, Class::Failure, stream).left).sum()
    }

    /// Whether a login of `user` from `rhost`, so long after the failure of alice from `failed`, may be a break-in.
    fn is_suspect(failed: &str, user: &str, rhost: &str, after: i64) -> bool {
        let failure = Event { rhost: failed.into(), ..recorded("sshd", 71, 70, -after) };
        let accepted = format!("sshd[80]: Accepted password for {user} from {rhost} port 5 ssh2");
        may_be_a_break_in(failure, &accepted)
    }

    /// Whether the login in `line` may be one after this failure.
    fn may_be_a_break_in(failure: Event, line: &str) -> bool {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(crate::journal::DIRECTORY)).unwrap();
        let journal = Journal::new(directory.path());
        journal.append(&[failure]).unwrap();
        let line = format!("2026-11-03T09:05:01Z srv {line}");
        let header = header::parse(line.as_bytes()).unwrap();
        let rules::Line::Evidence(evidence) = rules::classify(&header) else { panic!("{line}") };
        let family = rules::family(header.program);
        let Header { host, program, pid, container, .. } = header;
        let speaker = Speaker { host, program, family, pid, container };
        let mut attempts = Attempts::default();
        attempts.keep_logins();
        attempts.tell(&speaker, &evidence, TIME, Place { source: 1, offset: 0, line: 0 });
        attempts.finish();
        let logins = attempts.take_logins();
        let mut recorded = Recorded::default();
        recorded.load_since(&journal, &logins).unwrap();
        recorded.has_failed(&logins[0], &HashSet::new())
    }

    #[test]
    fn what_a_container_tells_is_nothing_that_the_module_recorded() {
        let inside = |line: &str| format!("e8d820bf982c[2136]: {line}");
        let seen = [recorded("sshd", 71, 70, 0)];
        assert_eq!(left(&[FAILED], &seen), 0);
        assert_eq!(left(&[&inside(FAILED)], &seen), 1);
        assert_eq!(left(&[&inside(FAILED), FAILED], &seen), 1, "and takes nothing from the host");
        let nameless = FAILED.replace("sshd[71]", "sshd");
        assert_eq!(left(&[&inside(&nameless[6..]), &nameless], &seen), 1);
    }

    #[test]
    fn a_login_is_suspect_from_any_address_of_the_network_that_failed_and_by_its_account() {
        for (failed, rhost, expected) in [
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("2001:db8::1", "2001:db8::2", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("::ffff:203.0.113.5", "203.0.113.5", true),
            ("203.0.113.5", "::ffff:203.0.113.5", true),
            ("one.example", "one.example", true),
            ("", "192.0.2.7", false),
        ] {
            assert_eq!(is_suspect(failed, "bob", rhost, SECOND), expected, "{failed}, then {rhost}");
        }
        assert!(is_suspect("192.0.2.7", "alice", "192.0.2.9", SECOND));
    }

    #[test]
    fn a_login_at_the_machine_itself_is_suspect_by_who_asked_and_by_the_terminal() {
        let by_bob = Event { tty: "/dev/pts/0".into(), ..recorded("su", 71, 70, -SECOND) };
        let at_tty1 =
            Event { ruser: String::new(), tty: "/dev/tty1".into(), ..recorded("login", 71, 70, -SECOND) };
        for (failure, line, expected) in [
            (&by_bob, "su[80]: (to carol) bob on pts/1", true),
            (&by_bob, "su[80]: (to carol) dave on pts/0", false),
            (&by_bob, "sudo[80]: bob : TTY=pts/1 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id", true),
            (&by_bob, "sshd[80]: Accepted password for bob from 192.0.2.7 port 5 ssh2", false),
            (&at_tty1, "login[80]: LOGIN ON tty1 BY carol", true),
            (&at_tty1, "login[80]: LOGIN ON tty2 BY carol", false),
        ] {
            assert_eq!(may_be_a_break_in(failure.clone(), line), expected, "{line}");
        }
    }

    #[test]
    fn a_login_is_suspect_for_as_long_as_failures_speak_against_it() {
        for (hours, expected) in [(3, true), (15, true), (19, true), (24, true), (28, true), (29, false)] {
            assert_eq!(
                is_suspect("192.0.2.7", "bob", "192.0.2.7", hours * 3600 * SECOND),
                expected,
                "{hours}"
            );
        }
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
        let three: Vec<Event> =
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

    /// What another log, or this one, gave of the same attempt.
    fn logged(line: &str, origin: &str, count: u32) -> Event {
        let pid = line.split(['[', ']']).nth(1).and_then(|pid| pid.parse().ok()).unwrap_or(0);
        let service = line.split(['[', ':']).next().unwrap();
        let origin = Some(origin.into());
        Event { route: Route::Log, count, origin, ..recorded(service, pid, 0, 0) }
    }

    #[test]
    fn what_another_log_told_is_not_left_with_a_pid_or_without() {
        let host = format!("{:08x}", host("srv"));
        let other = format!("0000000000000002:7:00000001:{host}:5");
        assert_eq!(left(&[PAM, FAILED], &[logged(PAM, &other, 1)]), 0);
        assert_eq!(left(&[PAM, FAILED, FAILED, FAILED, MORE], &[logged(PAM, &other, 2)]), 1);
        let with_pid = SUDO.replacen("sudo:", "sudo[99]:", 1);
        assert_eq!(left(&[&with_pid], &[logged(SUDO, &other, 1)]), 0);
        assert_eq!(left(&[SUDO], &[logged(&with_pid, &other, 1)]), 0);
        assert_eq!(
            left(&[FAILED], &[logged(FAILED, &other.replace(&host, "00000001"), 1)]),
            1,
            "another machine"
        );
        let localhost =
            other.replace(&host, &format!("{:08x}", crate::scan::origin::host("localhost.localdomain")));
        assert_eq!(left(&[FAILED], &[logged(FAILED, &localhost, 1)]), 0, "this machine by no name");
        let child = PAM.replace("[71]", "[72]");
        assert_eq!(left(&[ERROR], &[logged(&child, &other, 1)]), 0, "the child's line is in another log");
        assert_eq!(left(&[&child], &[logged(ERROR, &other.replace(&host, &format!("{host}k")), 1)]), 0);
        assert_eq!(left(&[&FAILED.replace("[71]", "[73]")], &[logged(FAILED, &other, 1)]), 1);
    }

    #[test]
    fn in_the_same_log_only_what_a_killed_pass_left_stands_for_another_line() {
        let this = |saved: u64| {
            format!("0000000000000002:7:{:08x}:{:08x}:{saved}", StreamId::new("auth.log").0, host("srv"))
        };
        assert_eq!(left(&[PAM, FAILED], &[logged(PAM, &this(1), 1)]), 0);
        assert_eq!(
            left(&[PAM, FAILED], &[logged(PAM, &this(0), 1)]),
            1,
            "of an earlier pass: another attempt"
        );
        assert_eq!(left(&[PAM, FAILED], &[logged(PAM, "0000000000000002:7", 1)]), 1, "of an older form");
    }

    #[test]
    fn clocks_that_are_hours_off_make_no_second_attempt() {
        for hours in [-14, -9, -1, 1, 14] {
            let off = hours * 3600 * SECOND;
            assert_eq!(left(&[PAM, FAILED], &[recorded("sshd", 71, 70, off + 300 * SECOND)]), 0, "{hours}");
            assert_eq!(left(&[SUDO], &[recorded("sudo", 99, 98, off + SECOND)]), 0, "{hours}");
            assert_eq!(left(&[SUDO], &[recorded("sudo", 99, 98, off + 300 * SECOND)]), 1, "no zone, {hours}");
        }
        let stranger = Event { user: "eve".into(), ..recorded("sshd", 71, 70, 3600 * SECOND) };
        assert_eq!(left(&[PAM, FAILED], &[stranger]), 1, "the number was used again");
        assert_eq!(left(&[PAM], &[recorded("sshd", 71, 70, 20 * 3600 * SECOND)]), 1, "too long ago");
    }

    #[test]
    fn what_a_scan_recorded_before_it_was_killed_is_not_left() {
        let mut before = recorded("sshd", 71, 0, 0);
        before.route = Route::Log;
        before.origin = Some("0000000000000001:0:00000000:00000000:0".into());
        assert_eq!(left(&[FAILED], &[before]), 0);
    }
}
