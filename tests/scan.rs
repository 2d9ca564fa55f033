//! The log route from outside: logs of real programs, hostile lines, and passes that are killed
//! while logs are written and rotated.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test, functions included

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use authalert::config;
use authalert::event::{Class, Event, Route};
use authalert::journal::{Journal, segment};
use authalert::scan::attempts::Open;
use authalert::scan::intake::{Intake, Source};
use authalert::scan::{Error, ScanOptions, ScanReport, each, run};
use jiff::Timestamp;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scan/real")
}

/// Rows of a dry run over a file.
fn rows(path: &Path) -> Vec<serde_json::Value> {
    let options =
        ScanOptions { files: vec![path.to_owned()], dry_run: true, json: true, ..ScanOptions::default() };
    let mut out = Vec::new();
    run(&options, &config::Scan::default(), Path::new("/nonexistent"), &mut out, &mut |_, _, _| {}).unwrap();
    String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn by_service_and_host(rows: &[serde_json::Value]) -> BTreeMap<(String, String), u64> {
    let mut sums = BTreeMap::new();
    for row in rows {
        let service = row["service"].as_str().unwrap().replace("su-l", "su");
        let key = (service, row["rhost"].as_str().unwrap().to_owned());
        *sums.entry(key).or_default() += row["count"].as_u64().unwrap();
    }
    sums
}

/// What `generate.sh` noted of the attempts that it made.
fn truth() -> BTreeMap<(String, String), u64> {
    let mut sums = BTreeMap::new();
    for line in fs::read_to_string(fixtures().join("attempts.tsv")).unwrap().lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let rhost = if fields[2] == "-" { "" } else { fields[2] };
        *sums.entry((fields[0].to_owned(), rhost.to_owned())).or_default() +=
            fields[3].parse::<u64>().unwrap();
    }
    sums
}

#[test]
fn every_attempt_of_real_programs_is_found_once_in_every_form_of_log() {
    for name in ["rfc3164.log", "rfc3339.log", "rfc5424.log", "journald-short-full.log", "journald.json"] {
        assert_eq!(by_service_and_host(&rows(&fixtures().join(name))), truth(), "{name}");
    }
}

#[test]
fn a_line_looked_at_by_itself_says_what_it_says_among_others() {
    // The search for candidates must not change what is found.
    for name in ["rfc3164.log", "rfc3339.log"] {
        let path = fixtures().join(name);
        let options =
            ScanOptions { files: vec![path.clone()], dry_run: true, explain: true, ..ScanOptions::default() };
        let mut out = Vec::new();
        let report =
            run(&options, &config::Scan::default(), Path::new("/nonexistent"), &mut out, &mut |_, _, _| {})
                .unwrap();
        let found: u64 = rows(&path).iter().map(|row| row["count"].as_u64().unwrap()).sum();
        assert_eq!(report.found, found, "{name}");
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        let explained = String::from_utf8(out).unwrap().lines().filter(|line| line.contains(" | ")).count();
        assert_eq!(explained, lines, "every line is explained");
    }
}

#[test]
fn mutations_of_the_fuzz_corpus_are_read_the_same_by_lines_and_by_candidates() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/scan_lines");
    let samples: Vec<Vec<u8>> =
        fs::read_dir(corpus).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
    let attempts = |log: &[u8], explain: bool| {
        let mut intake = Intake::new(true, explain, Open::default());
        let source = Source::stream(Path::new("-"), log, Timestamp::UNIX_EPOCH);
        let mut after = |intake: &mut Intake| intake.explained(&mut std::io::sink()).map_err(Error::Output);
        intake.read(source, &mut |_, _, _| {}, &mut after).unwrap();
        intake.attempts.finish();
        intake.attempts.take_settled().iter().map(|row| u64::from(row.count)).sum::<u64>()
    };
    let mut random: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below.max(1) as u64) as usize
    };
    for round in 0..3000 {
        let mut log = samples[round % samples.len()].clone();
        for _ in 0..if round < samples.len() { 0 } else { 1 + next(6) } {
            let at = next(log.len());
            match next(4) {
                0 => log[at] = b"\0\n\r \xff{[]:;=\"19"[next(14)],
                1 => drop(log.drain(at..(at + next(40)).min(log.len()))),
                2 => log.insert(at, b"\0\n \xc3"[next(4)]),
                _ => {
                    let other = &samples[next(samples.len())];
                    let from = next(other.len());
                    let piece = other[from..(from + next(200)).min(other.len())].to_vec();
                    log.splice(at..at, piece);
                }
            }
            if log.is_empty() {
                break;
            }
        }
        assert_eq!(attempts(&log, false), attempts(&log, true), "{}", String::from_utf8_lossy(&log));
    }
}

#[test]
fn compressed_logs_give_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let plain = fixtures().join("rfc3339.log");
    for (tool, suffix) in [("gzip", "gz"), ("xz", "xz"), ("bzip2", "bz2"), ("zstd", "zst")] {
        let packed = directory.path().join(format!("auth.log.1.{suffix}"));
        let output = Command::new(tool).arg("-c").arg(&plain).stderr(Stdio::null()).output();
        let Ok(output) = output else { continue };
        fs::write(&packed, output.stdout).unwrap();
        assert_eq!(by_service_and_host(&rows(&packed)), truth(), "{tool}");
    }
}

#[test]
fn a_log_damaged_in_the_ways_of_real_ones_still_gives_every_attempt() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("auth.log");
    let text = fs::read(fixtures().join("rfc3164.log")).unwrap();
    let mut damaged = vec![0; 590];
    for (n, line) in text.split(|b| *b == b'\n').enumerate() {
        damaged.extend_from_slice(line);
        damaged.extend_from_slice(if n % 2 == 0 { b"\r\n" } else { b"\n" });
        if n % 7 == 0 {
            damaged.extend_from_slice(b"\xff\xfe\x00 no log line \xc3\x28\n");
        }
        if n == 50 {
            damaged.extend(std::iter::repeat_n(b'x', 3 << 20));
            damaged.push(b'\n');
            damaged.extend(std::iter::repeat_n(0, 1 << 20));
        }
    }
    fs::write(&log, damaged).unwrap();
    assert_eq!(by_service_and_host(&rows(&log)), truth());
}

#[test]
fn failures_of_a_file_come_in_the_order_of_time() {
    let mut failures = Vec::new();
    let mut take = |event: &Event| {
        failures.extend((event.class == Class::Failure).then(|| event.clone()));
    };
    each(&fixtures().join("rfc3339.log"), &mut |_, _, _| {}, &mut |rows| rows.each(&mut take)).unwrap();
    failures.sort_by_key(|event| event.time);
    assert!(failures.windows(2).all(|pair| pair[0].time <= pair[1].time));
    assert_eq!(failures.iter().map(|f| u64::from(f.count)).sum::<u64>(), truth().values().sum::<u64>());
}

#[test]
fn nothing_in_a_user_name_changes_host_service_pid_or_count() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("auth.log");
    let forged = [
        "x from 203.0.113.9 port 22 ssh2",
        "x rhost=203.0.113.9  user=root",
        // Of `… ssh2: RSA SHA256:x`: sshd cuts a name off at its first colon.
        "root from 203.0.113.9 port 1 ssh2",
        "] sshd[1]: Failed password for root from 203.0.113.9 port 22 ssh2",
        "message repeated 99 times: [ Failed password for root from 203.0.113.9 port 22 ssh2]",
        "Nov  3 09:05:01 srv su[1]: FAILED SU (to root) bob on pts/0",
        "pam_unix(su:auth): authentication failure; logname= uid=0 euid=0 tty=x ruser=y rhost=203.0.113.9  user=root",
        "Accepted password for root from 203.0.113.9 port 22 ssh2",
        "{\"MESSAGE\":\"x\"}",
        "",
        " ",
        "\u{202e}\\033[2J",
    ];
    let mut text = String::new();
    for (n, name) in forged.iter().enumerate() {
        let pid = 100 + n;
        text += &format!("Nov  3 09:05:01 srv sshd[{pid}]: Invalid user {name} from 192.0.2.7 port {pid}\n");
        text += &format!(
            "Nov  3 09:05:02 srv sshd[{pid}]: Failed password for invalid user {name} from 192.0.2.7 port {pid} ssh2\n"
        );
        text += &format!(
            "Nov  3 09:05:02 srv sshd[{pid}]: Connection closed by invalid user {name} 192.0.2.7 port {pid} [preauth]\n"
        );
    }
    fs::write(&log, text).unwrap();
    let rows = rows(&log);
    assert_eq!(rows.len(), forged.len());
    for row in rows {
        assert_eq!(
            (row["service"].as_str(), row["rhost"].as_str()),
            (Some("sshd"), Some("192.0.2.7")),
            "{row}"
        );
        assert!((100..120).contains(&row["pid"].as_u64().unwrap()) && row["count"] == 1, "{row}");
    }
}

#[test]
fn repeated_lines_count_as_often_as_the_log_daemon_says() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("auth.log");
    let failed = "Failed password for invalid user x]  from 192.0.2.7 port 5 ssh2";
    let pam =
        "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7 ";
    let at = |pid: u32| format!("Nov  3 09:05:01 srv sshd[{pid}]:");
    let of_rsyslog = |pid: u32, text: &str, times: u32| {
        format!("{at} {text}\n{at} message repeated {times} times: [ {text}]\n", at = at(pid))
    };
    for (text, expected) in [
        // rsyslog 8 with $RepeatedMsgReduction: the line itself, then the others, or one more as it is.
        (of_rsyslog(71, failed, 3), 4),
        (of_rsyslog(71, pam, 2), 3),
        (of_rsyslog(71, pam, 2) + &of_rsyslog(71, failed, 2), 3),
        (format!("{at} {failed}\n{at} {failed}\n", at = at(71)), 2),
        (of_rsyslog(71, failed, 3).replace("srv sshd[71]:", "srv sshd:"), 4),
        // sysklogd: the line right before, of the same machine.
        (format!("{} {failed}\nNov  3 09:05:09 srv last message repeated 2 times\n", at(71)), 3),
        (format!("{} {failed}\nNov  3 09:05:09 srv app: last message repeated 2 times\n", at(71)), 1),
        // BSD's syslogd, and rsyslog before 8 in two forms.
        (format!("{} {failed}\nNov  3 09:05:09 srv syslogd: last message repeated 2 times\n", at(71)), 3),
        (format!("{} {failed}\nNov  3 09:05:09 srv syslogd[9]: last message repeated 2 times\n", at(71)), 3),
        (format!("{} {failed}\nNov  3 09:05:09 srv sshd[71]: last message repeated 2 times\n", at(71)), 3),
        (format!("{} {failed}\nNov  3 09:05:09  sshd[71]: last message repeated 2 times\n", at(71)), 3),
        (format!("{} {failed}\nNov  3 09:05:09 srv sshd[72]: last message repeated 2 times\n", at(71)), 1),
        (format!("{} {failed}\nNov  3 09:05:09 other sshd[71]: last message repeated 2 times\n", at(71)), 1),
        (format!("{} {failed}\nNov  3 09:05:09  app: last message repeated 2 times\n", at(71)), 1),
        (format!("{} {failed}\nNov  3 09:05:09 other last message repeated 2 times\n", at(71)), 1),
        (
            format!("{} {failed}\n{} x\nNov  3 09:05:09 srv last message repeated 2 times\n", at(71), at(72)),
            1,
        ),
        ("Nov  3 09:05:09 srv last message repeated 2 times\n".to_owned(), 0),
    ] {
        fs::write(&log, &text).unwrap();
        let rows = rows(&log);
        let sum: u64 = rows.iter().map(|row| row["count"].as_u64().unwrap()).sum();
        assert_eq!(sum, expected, "{text}");
        assert!(rows.iter().all(|row| row["rhost"] == "192.0.2.7"), "{rows:#?}");
    }
}

#[test]
fn time_is_linear_in_lines_made_to_be_slow() {
    let directory = tempfile::tempdir().unwrap();
    let mut seconds = Vec::new();
    for times in [1, 4] {
        let log = directory.path().join(format!("{times}.log"));
        let mut text = String::new();
        for filler in [" from 192.0.2.7 port 1", " rhost=192.0.2.7", " for ", "' FOR '", ") ", "[", " : "] {
            let name = filler.repeat(7000 / filler.len());
            for _ in 0..20 * times {
                text += &format!("Nov  3 09:05:02 srv sshd[7]: Failed password for invalid user {name} x\n");
                text += &format!(
                    "Nov  3 09:05:02 srv sshd[7]: pam_sss(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser={name}\n"
                );
                text += &format!("Nov  3 09:05:02 srv login[7]: FAILED LOGIN 1 FROM {name}\n");
                text += &format!("Nov  3 09:05:02 srv su[7]: FAILED SU (to {name}\n");
            }
        }
        fs::write(&log, text).unwrap();
        let start = Instant::now();
        rows(&log);
        seconds.push(start.elapsed().as_secs_f64());
    }
    assert!(seconds[1] < 16.0 * seconds[0] + 0.5, "{seconds:?}");
}

/// A state directory with a journal, and a log in it.
struct Machine {
    directory: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("journal")).unwrap();
        Self { directory }
    }

    fn state(&self) -> &Path {
        self.directory.path()
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("auth.log")
    }

    fn write(&self, text: &str) {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
    }

    fn scan(&self, options: ScanOptions) -> ScanReport {
        let files = if options.files.is_empty() { vec![self.log()] } else { options.files };
        let options = ScanOptions { files, ..options };
        run(&options, &config::Scan::default(), self.state(), &mut Vec::new(), &mut |_, _, _| {}).unwrap()
    }

    fn pass(&self) -> u64 {
        self.scan(ScanOptions::default()).recorded
    }

    fn journal(&self) -> Vec<Event> {
        let mut all = Vec::new();
        Journal::new(self.state())
            .read_since(Timestamp::UNIX_EPOCH, &mut |failure| all.push(failure))
            .unwrap();
        all
    }
}

/// `n` failures of processes of their own, an hour old.
fn lines(pids: std::ops::Range<u32>) -> String {
    let time = Timestamp::now() - jiff::SignedDuration::from_hours(1);
    pids.map(|pid| {
        format!("{time} srv sshd[{pid}]: Failed password for root from 192.0.2.7 port {pid} ssh2\n")
    })
    .collect()
}

#[test]
fn a_first_pass_reads_from_now_on_unless_it_is_told_otherwise() {
    let machine = Machine::new();
    machine.write(&lines(100..103));
    assert_eq!(machine.pass(), 0);
    machine.write(&lines(103..105));
    assert_eq!(machine.pass(), 2);
    assert_eq!(machine.pass(), 0);
    let machine = Machine::new();
    machine.write(&lines(100..103));
    assert_eq!(machine.scan(ScanOptions { from_start: true, ..ScanOptions::default() }).recorded, 3);
    let machine = Machine::new();
    machine.write(&lines(100..103));
    let since = Some(Timestamp::now() - jiff::SignedDuration::from_hours(2));
    assert_eq!(machine.scan(ScanOptions { since, ..ScanOptions::default() }).recorded, 3);
    assert_eq!(machine.pass(), 0);
}

#[test]
fn a_login_that_the_first_pass_passed_over_is_told_with_the_failures_before_it() {
    let machine = Machine::new();
    let half_an_hour_ago = Timestamp::now() - jiff::SignedDuration::from_mins(30);
    let accepted = format!(
        "{half_an_hour_ago} srv sshd[200]: Accepted password for root from 192.0.2.7 port 200 ssh2\n"
    );
    machine.write(&(lines(100..107) + &accepted));
    assert_eq!(machine.pass(), 0);
    machine.write(&lines(107..109));
    let from_start = || machine.scan(ScanOptions { from_start: true, ..ScanOptions::default() });
    let report = from_start();
    assert_eq!((report.recorded, report.logins), (9, 1));
    assert_eq!(break_ins(machine.journal()), 1);
    let report = from_start();
    assert_eq!((report.recorded, report.logins), (0, 0), "and once");
}

#[test]
fn an_explanation_says_that_there_is_nothing_new_to_explain() {
    let machine = Machine::new();
    let explained = || {
        let options = ScanOptions { files: vec![machine.log()], explain: true, ..ScanOptions::default() };
        let mut out = Vec::new();
        run(&options, &config::Scan::default(), machine.state(), &mut out, &mut |_, _, _| {}).unwrap();
        String::from_utf8(out).unwrap()
    };
    machine.write(&lines(1..2));
    let said = explained();
    assert!(said.contains("begins at its end") && said.contains("0 recorded"), "{said}");
    machine.write(&lines(2..3));
    let said = explained();
    assert!(said.contains("Failed password") && !said.contains("0 recorded"), "{said}");
    let said = explained();
    assert!(said.contains("0 recorded, 0 recorded before"), "{said}");
}

#[test]
fn only_complete_lines_are_taken() {
    let machine = Machine::new();
    machine.write("");
    machine.pass();
    let text = lines(100..102);
    machine.write(&text[..text.len() - 10]);
    assert_eq!(machine.pass(), 1);
    machine.write(&text[text.len() - 10..]);
    assert_eq!(machine.pass(), 1);
}

#[test]
fn entries_that_spell_their_message_in_numbers_are_found_in_a_log_that_was_compressed_meanwhile() {
    let machine = Machine::new();
    let entry = |pid: u32, message: &str| {
        let time = Timestamp::now().as_microsecond() - 3_600_000_000;
        let message = serde_json::to_string(message.as_bytes()).unwrap();
        format!(
            "{{\"__REALTIME_TIMESTAMP\":\"{time}\",\"_HOSTNAME\":\"srv\",\"SYSLOG_IDENTIFIER\":\"sshd\",\"SYSLOG_PID\":\"{pid}\",\"MESSAGE\":{message}}}\n"
        )
    };
    let failed = |pid: u32| entry(pid, &format!("Failed password for root from 192.0.2.7 port {pid} ssh2"));
    machine.write(&failed(100));
    machine.pass();
    machine.write(&failed(101));
    assert_eq!(machine.pass(), 1);
    machine.write(&(failed(102) + &failed(103)));
    let old = machine.state().join("auth.log.1");
    fs::rename(machine.log(), &old).unwrap();
    assert!(Command::new("gzip").arg(&old).status().unwrap().success());
    machine.write(&failed(104));
    assert_eq!(machine.pass(), 3);
}

#[test]
fn rotation_of_every_kind_loses_and_repeats_nothing() {
    let machine = Machine::new();
    let log = machine.log();
    let at = |name: &str| machine.state().join(name);
    machine.write(&lines(100..101));
    machine.pass();
    // Renamed, and written to under its new name before the daemon is told.
    machine.write(&lines(101..103));
    fs::rename(&log, at("auth.log.1")).unwrap();
    machine.write(&lines(103..104));
    assert_eq!(machine.pass(), 3);
    OpenOptions::new()
        .append(true)
        .open(at("auth.log.1"))
        .unwrap()
        .write_all(lines(104..106).as_bytes())
        .unwrap();
    assert_eq!(machine.pass(), 2);
    // Twice between two passes, the older one compressed.
    machine.write(&lines(106..108));
    fs::rename(at("auth.log.1"), at("auth.log.3")).unwrap();
    fs::rename(&log, at("auth.log.2")).unwrap();
    assert!(Command::new("gzip").arg(at("auth.log.2")).status().unwrap().success());
    fs::write(at("auth.log.1"), lines(108..111)).unwrap();
    machine.write(&lines(111..112));
    assert_eq!(machine.pass(), 6);
    // copytruncate: the same inode begins anew.
    machine.write(&lines(112..114));
    fs::rename(at("auth.log.1"), at("auth.log.4")).unwrap();
    fs::copy(&log, at("auth.log.1")).unwrap();
    File::create(&log).unwrap();
    assert_eq!(machine.pass(), 2);
    machine.write(&lines(114..115));
    assert_eq!(machine.pass(), 1);
    // Emptied, without a copy.
    File::create(&log).unwrap();
    machine.write(&lines(115..117));
    assert_eq!(machine.pass(), 2);
    // Away for a moment.
    fs::rename(&log, at("auth.log.0")).unwrap();
    assert_eq!(machine.pass(), 0);
    machine.write(&lines(117..118));
    assert_eq!(machine.pass(), 1);
    let mut pids: Vec<u32> = machine.journal().iter().map(|f| f.pid).collect();
    pids.sort_unstable();
    assert_eq!(pids, (101..118).collect::<Vec<u32>>());
}

#[test]
fn fresh_evidence_waits_for_the_modules_record() {
    let machine = Machine::new();
    machine.write("");
    machine.pass();
    let now = Timestamp::now();
    machine.write(&format!("{now} srv sshd[71]: Failed password for root from 192.0.2.7 port 5 ssh2\n"));
    machine.write(&format!("{now} srv sshd[72]: Failed password for root from 192.0.2.7 port 6 ssh2\n"));
    let report = machine.scan(ScanOptions::default());
    assert_eq!((report.recorded, report.open), (0, 2));
    let record = Event {
        time: now,
        host: String::new(),
        route: Route::Pam,
        class: Class::Failure,
        count: 1,
        service: "sshd".into(),
        pid: 71,
        ppid: 70,
        user: "root".into(),
        rhost: "192.0.2.7".into(),
        tty: "ssh".into(),
        ruser: String::new(),
        uid: 0,
        origin: None,
    };
    Journal::new(machine.state()).append(&[record]).unwrap();
    std::thread::sleep(Duration::from_secs(11));
    assert_eq!(machine.pass(), 1, "the one that the module has not recorded");
    let logged: Vec<u32> =
        machine.journal().iter().filter(|f| f.route == Route::Log).map(|f| f.pid).collect();
    assert_eq!(logged, [72]);
}

#[test]
fn a_damaged_position_is_set_aside_and_said() {
    let machine = Machine::new();
    machine.write(&lines(100..103));
    machine.pass();
    fs::write(machine.state().join("scan.json"), "{").unwrap();
    machine.write(&lines(103..104));
    let report = machine.scan(ScanOptions::default());
    assert_eq!((report.recorded, report.warnings.len()), (0, 1));
    machine.write(&lines(104..105));
    assert_eq!(machine.pass(), 1);
}

#[test]
fn a_dry_run_changes_nothing() {
    let machine = Machine::new();
    machine.write("");
    machine.pass();
    machine.write(&lines(100..103));
    let before = fs::read(machine.state().join("scan.json")).unwrap();
    let options = ScanOptions { dry_run: true, json: true, ..ScanOptions::default() };
    assert_eq!(machine.scan(options).recorded, 3);
    assert_eq!(fs::read(machine.state().join("scan.json")).unwrap(), before);
    assert_eq!(machine.journal(), []);
}

/// Not a test by itself: one pass in a process of its own, which the next test kills.
#[test]
#[ignore = "started by the test below"]
fn one_pass_to_be_killed() {
    let state = PathBuf::from(std::env::var_os("AUTHALERT_TEST_STATE").unwrap());
    let options = ScanOptions { files: vec![state.join("auth.log")], ..ScanOptions::default() };
    let _ = run(&options, &config::Scan::default(), &state, &mut Vec::new(), &mut |_, _, _| {});
}

#[test]
fn scans_killed_at_random_in_a_storm_of_rotations_count_every_attempt_once() {
    let machine = Machine::new();
    machine.write("");
    machine.pass();
    let program = std::env::current_exe().unwrap();
    let start = || {
        Command::new(&program)
            .args(["--ignored", "--exact", "one_pass_to_be_killed"])
            .env("AUTHALERT_TEST_STATE", machine.state())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut random: u64 = 88172645463325252;
    let mut next = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let mut pid = 1000;
    let rounds = 60;
    for round in 0..rounds {
        let mut child = start();
        // Written while it is read.
        for _ in 0..next(5) {
            let n = 1 + next(200) as u32;
            machine.write(&lines(pid..pid + n));
            pid += n;
            std::thread::sleep(Duration::from_millis(next(4)));
        }
        if next(3) == 0 {
            for n in (1..12).rev() {
                let _ = fs::rename(
                    machine.state().join(format!("auth.log.{n}")),
                    machine.state().join(format!("auth.log.{}", n + 1)),
                );
            }
            let _ = fs::rename(machine.log(), machine.state().join("auth.log.1"));
            machine.write(&lines(pid..pid + 1));
            pid += 1;
        }
        std::thread::sleep(Duration::from_millis(next(12)));
        if round % 4 != 0 {
            let _ = child.kill();
        }
        child.wait().unwrap();
    }
    while machine.pass() > 0 {}
    let mut pids: Vec<u32> = machine.journal().iter().map(|f| f.pid).collect();
    pids.sort_unstable();
    assert_eq!(pids, (1000..pid).collect::<Vec<u32>>());
}

#[test]
fn lines_around_the_end_of_a_year_keep_their_years_whatever_the_size() {
    let directory = tempfile::tempdir().unwrap();
    for lines in [3, 3000] {
        let path = directory.path().join("auth.log");
        let mut log = String::new();
        for (day, port) in [("Nov  3", 1), ("Dec 31", 2), ("Jan  2", 3)] {
            for n in 0..lines {
                log += &format!("{day} 09:05:01 srv cron[{n}]: hello\n");
            }
            log += &format!(
                "{day} 09:05:01 srv sshd[7{port}]: Failed password for root from 192.0.2.7 port {port} ssh2\n"
            );
        }
        fs::write(&path, log).unwrap();
        let written = std::time::UNIX_EPOCH + Duration::from_secs(1_767_398_400); // 3 January 2026
        File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
        let years: Vec<String> =
            rows(&path).iter().map(|row| row["time"].as_str().unwrap()[..7].to_owned()).collect();
        assert_eq!(years, ["2025-11", "2025-12", "2026-01"], "{lines} lines between");
    }
}

#[test]
fn nobody_dates_an_attempt_or_a_login_ahead() {
    let failed = |stamp: &str, pid: u32| {
        format!("{stamp} other sshd[{pid}]: Failed password for root from 192.0.2.7 port {pid} ssh2\n")
    };
    let ahead = |minutes: i64| (Timestamp::now() + jiff::SignedDuration::from_mins(minutes)).to_string();
    // By a clock that is a little ahead, and as somebody likes.
    for minutes in [3, 90, 60 * 24 * 400] {
        let machine = Machine::new();
        machine.write("first line\n");
        machine.pass();
        let login = format!(
            "{} other sshd[90]: Accepted password for root from 192.0.2.7 port 90 ssh2\n",
            ahead(minutes)
        );
        let others = format!("{} srv app[1]: x\n", Timestamp::now());
        let failures: String = (80..86).map(|pid| failed(&ahead(minutes), pid)).collect();
        machine.write(&format!("{failures}{login}{others}"));
        machine.pass();
        // Neither waits for its date.
        std::thread::sleep(Duration::from_secs(11));
        machine.pass();
        let (now, journal) = (Timestamp::now(), machine.journal());
        let classes: Vec<Class> = journal.iter().map(|event| event.class).collect();
        assert_eq!(classes, [[Class::Failure; 6].as_slice(), &[Class::Login]].concat(), "{minutes}");
        assert!(journal.iter().all(|event| event.time <= now), "{journal:#?}");
        assert!(journal.windows(2).all(|two| two[0].time <= two[1].time), "{journal:#?}");
        let rules = authalert::config::Logins::default();
        let kind = |_: &Event| authalert::accounts::AccountKind::Existing;
        let found: Vec<_> = authalert::detect::findings(journal, kind, &rules).collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].failures.count, 6, "{found:?}");
    }
}

#[test]
fn a_login_after_failures_is_recorded_by_the_first_pass_ten_seconds_after_it_also_where_nothing_is_logged_behind_it()
 {
    let line = |seconds_ago: i64, pid: u32, what: &str| {
        let time = Timestamp::now() - jiff::SignedDuration::from_secs(seconds_ago);
        format!("{time} srv sshd[{pid}]: {what} from 192.0.2.7 port {pid} ssh2\n")
    };
    let failed =
        |ago: i64| -> String { (80..86).map(|pid| line(ago, pid, "Failed password for root")).collect() };
    // Who names nobody, and does not say how it ended, is counted later.
    let named = |ago: i64| -> String {
        (80..86).map(|pid| line(ago, pid, "Invalid user x").replace(" ssh2", "")).collect()
    };
    for failures in [failed(40), named(40)] {
        let machine = Machine::new();
        machine.write("first line\n");
        machine.pass();
        machine.write(&(failures + &line(12, 90, "Accepted password for root")));
        machine.pass();
        let is_login = |event: &&Event| event.class == Class::Login;
        assert_eq!(machine.journal().iter().filter(is_login).count(), 1);
        machine.pass();
        assert_eq!(machine.journal().iter().filter(is_login).count(), 1, "and once");
    }
}

#[test]
fn a_login_that_finds_no_room_in_the_journal_waits_for_it() {
    let line = |second: i64, what: &str| {
        let time = Timestamp::now() - jiff::SignedDuration::from_secs(60 - second);
        format!("{time} srv sshd[{}]: {what} password for root from 192.0.2.7 port 5 ssh2\n", 100 + second)
    };
    let machine = Machine::new();
    machine.write("first line\n");
    machine.pass();
    machine.write(&(1..7).map(|second| line(second, "Failed")).collect::<String>());
    machine.pass();
    let directory = machine.state().join("journal");
    segment::seal(&directory, 100).unwrap();
    machine.write(&line(20, "Accepted"));
    for _ in 0..3 {
        let report = machine.scan(ScanOptions::default());
        assert_eq!((report.logins, report.errors.len()), (0, 1), "{:?}", report.errors);
    }
    segment::seal(&directory, 100_000).unwrap();
    assert_eq!([0; 2].map(|_| machine.scan(ScanOptions::default()).logins), [1, 0]);
    assert_eq!(break_ins(machine.journal()), 1);
}

/// A line that is out of order may tell of the login that took back what failed before the next one.
#[test]
fn logins_of_a_pass_are_recorded_in_the_order_of_time() {
    let begun = Timestamp::from_second(Timestamp::now().as_second() - 3600).unwrap();
    let line = |second: i64, what: &str| {
        let time = begun + jiff::SignedDuration::from_secs(second);
        format!("{time} srv sshd[{}]: {what} password for root from 192.0.2.7 port 5 ssh2\n", 100 + second)
    };
    let machine = Machine::new();
    machine.write("first line\n");
    machine.pass();
    let failed: String = [1, 2, 3, 21, 22, 23].map(|second| line(second, "Failed")).concat();
    machine.write(&(failed + &line(30, "Accepted") + &line(10, "Accepted")));
    machine.pass();
    let journal = machine.journal();
    let logins = journal.iter().filter(|event| event.class == Class::Login);
    let after = |event: &Event| event.time.duration_since(begun).as_secs();
    assert_eq!(logins.map(after).collect::<Vec<_>>(), [10, 30]);
    assert_eq!(break_ins(journal), 0);
}

/// Who fails at one service may be in by another, which has a log of its own; whichever log is read first.
#[test]
fn a_login_in_one_log_goes_by_the_failures_in_another() {
    let begun = Timestamp::from_second(Timestamp::now().as_second() - 3600).unwrap();
    let line = |second: i64, what: &str| {
        format!("{} srv {}\n", begun + jiff::SignedDuration::from_secs(second), what)
    };
    let ssh = |second: i64, what: &str| {
        let pid = 100 + second;
        line(second, &format!("sshd[{pid}]: {what} password for root from 192.0.2.7 port 5 ssh2"))
    };
    let failed = |seconds: &[i64]| seconds.iter().map(|second| ssh(*second, "Failed")).collect::<String>();
    let mail = |second: i64| {
        let session = "Login: user=<root>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=7, session=<x>";
        line(second, &format!("dovecot: imap-login: {session}"))
    };
    for (auth, mails, expected) in [
        (failed(&[1, 2, 3, 4, 5, 6]), mail(20), 1),
        (failed(&[1, 2, 3, 21, 22, 23]) + &ssh(30, "Accepted"), mail(10), 0),
        (failed(&[1, 2, 3, 21, 22, 23]) + &ssh(30, "Accepted"), mail(25), 1),
    ] {
        for mail_first in [false, true] {
            let machine = Machine::new();
            let mut files = vec![machine.log(), machine.state().join("mail.log")];
            files.iter().zip([&auth, &mails]).for_each(|(file, text)| fs::write(file, text).unwrap());
            if mail_first {
                files.reverse();
            }
            let report = machine.scan(ScanOptions {
                files: files.clone(),
                from_start: true,
                ..ScanOptions::default()
            });
            assert_eq!(break_ins(machine.journal()), expected, "{files:?}\n{auth}{mails}");
            let logins = machine.journal().iter().filter(|event| event.class == Class::Login).count();
            assert_eq!(report.logins, logins as u64);
            let report = machine.scan(ScanOptions { files: files.clone(), ..ScanOptions::default() });
            assert_eq!((report.recorded, report.logins), (0, 0), "and once");
            // A log that has the lines of both tells nothing new, whenever it comes.
            let machine = Machine::new();
            files.insert(usize::from(mail_first), machine.state().join("syslog"));
            for (file, text) in
                [("auth.log", &auth), ("mail.log", &mails), ("syslog", &(auth.clone() + &mails))]
            {
                fs::write(machine.state().join(file), text).unwrap();
            }
            let files = files.iter().map(|file| machine.state().join(file.file_name().unwrap())).collect();
            let report = machine.scan(ScanOptions { files, from_start: true, ..ScanOptions::default() });
            assert_eq!((report.recorded, report.logins), (6, logins as u64), "{:?}", machine.journal());
        }
    }
}

/// A log that begins with the lines of another has the same places, until one of them is rotated.
#[test]
fn what_both_of_two_logs_told_stands_for_nothing_that_one_of_them_tells_later() {
    let machine = Machine::new();
    let files = [machine.log(), machine.state().join("syslog")];
    let half_an_hour_ago = Timestamp::now() - jiff::SignedDuration::from_mins(30);
    let failed = |second: i64| {
        let time = half_an_hour_ago + jiff::SignedDuration::from_secs(second);
        format!("{time} srv sshd[7]: Failed password for root from 192.0.2.7 port 5 ssh2\n")
    };
    let pass = |second: i64, to: &[&Path]| {
        for path in to {
            let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
            file.write_all(failed(second).as_bytes()).unwrap();
        }
        let options = ScanOptions { files: files.to_vec(), from_start: true, ..ScanOptions::default() };
        machine.scan(options).recorded
    };
    assert_eq!(pass(0, &[&files[0], &files[1]]), 1);
    assert_eq!(pass(5, &[&files[1]]), 1, "another attempt");
    assert_eq!(pass(10, &[&files[1]]), 1);
    fs::rename(&files[0], machine.state().join("auth.log.1")).unwrap();
    fs::write(&files[0], failed(5)).unwrap();
    assert_eq!(pass(10, &[&files[0]]), 0, "the same by the other log, at other places");
    assert_eq!(pass(15, &[&files[0], &files[1]]), 1);
    assert_eq!(machine.journal().len(), 4);
}

/// Two logs that begin with the same line have the same places, and not the same lines there.
#[test]
fn another_line_at_the_same_place_of_another_log_is_another_attempt() {
    let failed = |pid: u32| {
        let time = Timestamp::from_second(Timestamp::now().as_second() - 1000 + i64::from(pid)).unwrap();
        format!("{time} srv sshd[{pid}]: Failed password for root from 192.0.2.7 port 5 ssh2\n")
    };
    let first = "2026-01-05T12:00:00Z srv cron[1]: begin\n";
    let lines = [failed(101), failed(102), failed(103)];
    let other = failed(199).replace("sshd[", "cron[").replace("Failed", "failed");
    let both = [first.to_owned() + &lines.concat(), first.to_owned() + &other + &lines.concat()];
    let apart = [first.to_owned() + &lines[0], first.to_owned() + &lines[1]];
    for (texts, attempts) in [(&both, vec![101, 102, 103]), (&apart, vec![101, 102])] {
        for is_turned in [false, true] {
            let machine = Machine::new();
            let mut files = vec![machine.log(), machine.state().join("syslog")];
            files.iter().zip(texts).for_each(|(file, text)| fs::write(file, text).unwrap());
            if is_turned {
                files.reverse();
            }
            let options = ScanOptions { files, from_start: true, ..ScanOptions::default() };
            machine.scan(options.clone());
            machine.scan(options);
            let mut recorded: Vec<u32> = machine.journal().iter().map(|event| event.pid).collect();
            recorded.sort_unstable();
            assert_eq!(recorded, attempts);
        }
    }
}

/// Who may write into one log hides no login that only another tells of.
#[test]
fn a_login_that_somebody_claims_in_another_log_is_none_of_another_account() {
    let begun = Timestamp::from_second(Timestamp::now().as_second() - 3600).unwrap();
    let line = |second: i64, pid: i64, what: &str| {
        let time = begun + jiff::SignedDuration::from_secs(second);
        format!("{time} srv sshd[{pid}]: {what} from 192.0.2.7 port 5 ssh2\n")
    };
    let failed: String = (1..7).map(|n| line(n, 100 + n, "Failed password for root")).collect();
    for is_turned in [false, true] {
        let machine = Machine::new();
        let mut files = vec![machine.state().join("syslog"), machine.log()];
        fs::write(&files[0], line(20, 200, "Accepted password for daemon")).unwrap();
        fs::write(&files[1], failed.clone() + &line(25, 200, "Accepted password for root")).unwrap();
        if is_turned {
            files.reverse();
        }
        machine.scan(ScanOptions { files, from_start: true, ..ScanOptions::default() });
        let journal = machine.journal();
        let logins = journal.iter().filter(|event| event.class == Class::Login);
        assert!(logins.clone().any(|event| event.user == "root"), "{:?}", logins.collect::<Vec<_>>());
    }
}

/// saslauthd asks for many clients, for days; what was matched is remembered for an hour.
#[test]
fn an_attempt_is_none_that_the_same_process_had_hours_before() {
    for is_steady in [false, true] {
        let machine = Machine::new();
        machine.write("first line\n");
        machine.pass();
        let now = Timestamp::now();
        let at = |ago: i64| now - jiff::SignedDuration::from_secs(ago);
        let line = |ago: i64| {
            let fields = "logname= uid=0 euid=0 tty= ruser= rhost=  user=root";
            format!("{} srv saslauthd[7]: pam_unix(smtp:auth): authentication failure; {fields}\n", at(ago))
        };
        let by_module = |ago: i64| Event {
            time: at(ago),
            host: String::new(),
            route: Route::Pam,
            class: Class::Failure,
            count: 1,
            service: "smtp".into(),
            pid: 7,
            ppid: 1,
            user: "root".into(),
            rhost: String::new(),
            tty: String::new(),
            ruser: String::new(),
            uid: 0,
            origin: None,
        };
        let before: Vec<i64> = if is_steady { (1..25).rev().map(|n| 300 * n).collect() } else { vec![7200] };
        let events: Vec<Event> = before.iter().map(|ago| by_module(*ago)).collect();
        Journal::new(machine.state()).append(&events).unwrap();
        machine.write(&before.iter().map(|ago| line(*ago)).collect::<String>());
        assert_eq!(machine.pass(), 0, "the module recorded them");
        machine.write(&line(20));
        assert_eq!(machine.pass(), 1, "the module is out of the stack");
    }
}

/// One process may ask for all clients of a mail server, and several logs may tell of each.
#[test]
fn attempts_of_one_process_in_two_logs_take_no_longer_the_more_there_are() {
    let took = |attempts: i64| {
        let machine = Machine::new();
        let begun = Timestamp::now() - jiff::SignedDuration::from_mins(10);
        let line = |n: i64| {
            let time = begun + jiff::SignedDuration::from_millis(n);
            format!("{time} srv sshd[7]: Failed password for root from 192.0.2.7 port 5 ssh2\n")
        };
        let text: String = (0..attempts).map(line).collect();
        let files = vec![machine.log(), machine.state().join("syslog")];
        files.iter().for_each(|file| fs::write(file, &text).unwrap());
        let started = Instant::now();
        let options = ScanOptions { files, from_start: true, ..ScanOptions::default() };
        assert_eq!(machine.scan(options).recorded, attempts as u64);
        started.elapsed()
    };
    let few = took(2000);
    let many = took(16_000);
    assert!(many < 24 * few + Duration::from_secs(1), "{few:?}, {many:?}");
}

/// Dovecot asks PAM first and then another database: PAM writes into one log, and into another Dovecot that somebody is in.
#[test]
fn what_pam_refused_first_is_none_where_another_log_tells_of_the_login() {
    let begun = Timestamp::from_second(Timestamp::now().as_second() - 3600).unwrap();
    let line = |second: i64, what: String| {
        format!("{} mx {what}\n", begun + jiff::SignedDuration::from_secs(second))
    };
    let pam = |second: i64, user: &str| {
        let fields = format!("logname= uid=0 euid=0 tty=dovecot ruser={user} rhost=192.0.2.7");
        line(second, format!("auth: pam_unix(dovecot:auth): authentication failure; {fields}"))
    };
    let told = |second: i64, what: &str, user: &str| {
        let client = format!("user=<{user}>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, session=<x>");
        line(second, format!("dovecot: imap-login: {what}: {client}"))
    };
    // A client that looks for mail each minute, and somebody who is wrong, then right, and then wrong again.
    let polls = (0..8).map(|n| 60 * n);
    let failed = "Disconnected: Connection closed (auth failed, 1 attempts in 2 secs)";
    let auth: String = polls.clone().map(|at| pam(at, "bob@example.org")).collect::<String>()
        + &[500, 520, 540].map(|at| pam(at, "carol")).concat();
    let mails: String = polls.map(|at| told(at + 2, "Login", "bob@example.org")).collect::<String>()
        + &told(504, failed, "carol")
        + &told(522, "Login", "carol")
        + &told(549, failed, "carol");
    for mail_first in [false, true] {
        let machine = Machine::new();
        let mut files = vec![machine.log(), machine.state().join("mail.log")];
        files.iter().zip([&auth, &mails]).for_each(|(file, text)| fs::write(file, text).unwrap());
        if mail_first {
            files.reverse();
        }
        let report =
            machine.scan(ScanOptions { files: files.clone(), from_start: true, ..ScanOptions::default() });
        let journal = machine.journal();
        let failures = journal.iter().filter(|event| event.class == Class::Failure);
        let after = |event: &Event| event.time.duration_since(begun).as_secs();
        let mut seconds: Vec<_> = failures.map(|event| (event.user.to_string(), after(event))).collect();
        seconds.sort();
        let carol = |second: i64| ("carol".to_owned(), second);
        assert_eq!(seconds, [carol(504), carol(549)], "as Dovecot says it, when the client leaves");
        assert_eq!((report.recorded, report.open, break_ins(journal)), (2, 0, 0));
        let report = machine.scan(ScanOptions { files, ..ScanOptions::default() });
        assert_eq!((report.recorded, report.logins), (0, 0), "and once");
        // The client may leave when a pass has recorded what PAM said.
        let machine = Machine::new();
        let files = vec![machine.log(), machine.state().join("mail.log")];
        files.iter().zip([&*auth, ""]).for_each(|(file, text)| fs::write(file, text).unwrap());
        let options = ScanOptions { files, from_start: true, ..ScanOptions::default() };
        assert_eq!(machine.scan(options.clone()).recorded, 11);
        fs::write(machine.state().join("mail.log"), told(504, failed, "carol") + &told(549, failed, "carol"))
            .unwrap();
        assert_eq!(machine.scan(options).recorded, 0);
    }
}

/// What Dovecot says when the client leaves may be read first, and the next log has PAM's words too.
#[test]
fn what_two_of_three_logs_tell_in_dovecots_words_is_one_attempt() {
    let begun = Timestamp::from_second(Timestamp::now().as_second() - 3600).unwrap();
    let line =
        |second: i64, what: &str| format!("{} mx {what}\n", begun + jiff::SignedDuration::from_secs(second));
    let fields = "logname= uid=0 euid=0 tty=dovecot ruser=root rhost=192.0.2.7  user=root";
    let pam = |second: i64| {
        line(second, &format!("auth: pam_unix(dovecot:auth): authentication failure; {fields}"))
    };
    let auth = pam(0) + &pam(8);
    let left = "Disconnected: Connection closed (auth failed, 2 attempts in 18 secs)";
    let client = "user=<root>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, session=<x>";
    let mails = line(18, &format!("dovecot: imap-login: {left}: {client}"));
    let texts = [("auth.log", auth.clone()), ("mail.log", mails.clone()), ("syslog", auth + &mails)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let machine = Machine::new();
        let files = order.map(|n| machine.state().join(texts[n].0));
        files.iter().zip(order).for_each(|(file, n)| fs::write(file, &texts[n].1).unwrap());
        let options = ScanOptions { files: files.to_vec(), from_start: true, ..ScanOptions::default() };
        assert_eq!([0; 2].map(|_| machine.scan(options.clone()).recorded), [2, 0], "{order:?}");
    }
}

/// The same refusal stands in two logs, as where the systemd journal is read beside auth.log.
#[test]
fn one_login_answers_what_pam_refused_in_each_log() {
    let begun = Timestamp::from_second(Timestamp::now().as_second() - 3600).unwrap();
    let line =
        |second: i64, what: &str| format!("{} mx {what}\n", begun + jiff::SignedDuration::from_secs(second));
    let fields = "logname= uid=0 euid=0 tty=dovecot ruser=bob rhost=192.0.2.7  user=bob";
    let refused = |second: i64, pid: &str| {
        line(second, &format!("auth{pid}: pam_unix(dovecot:auth): authentication failure; {fields}"))
    };
    let client = "user=<bob>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, session=<x>";
    let login = line(12, &format!("dovecot: imap-login: Login: {client}"));
    // The second time nobody is in.
    let texts = [refused(10, "") + &refused(40, ""), refused(10, "[8]") + &refused(40, "[8]"), login];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let machine = Machine::new();
        let files = order.map(|n| machine.state().join(["auth.log", "messages", "mail.log"][n]));
        files.iter().zip(order).for_each(|(file, n)| fs::write(file, &texts[n]).unwrap());
        let options = ScanOptions { files: files.to_vec(), from_start: true, ..ScanOptions::default() };
        assert_eq!([0; 2].map(|_| machine.scan(options.clone()).recorded), [1, 0], "{order:?}");
    }
}

/// saslauthd, Dovecot's auth and PAM write into auth.log, and the server that had them ask into mail.log.
#[test]
fn what_a_mail_server_and_its_helper_tell_in_two_logs_is_one_attempt() {
    let begun = Timestamp::from_second(Timestamp::now().as_second() - 3600).unwrap();
    let line =
        |second: i64, what: &str| format!("{} mx {what}\n", begun + jiff::SignedDuration::from_secs(second));
    let pam = "authentication failure; logname= uid=0 euid=0";
    let sasl = "saslauthd[7]: pam_unix(SERVICE:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=bob\n\
        saslauthd[7]: do_auth         : auth failure: [user=bob] [service=SERVICE] [realm=] [mech=pam] [reason=PAM auth error]";
    let dovecot =
        format!("auth[8]: pam_unix(dovecot:auth): {pam} tty=dovecot ruser=bob rhost=192.0.2.7  user=bob");
    let nobody = format!("auth[8]: pam_unix(dovecot:auth): {pam} tty=dovecot ruser=bob rhost=192.0.2.7");
    let courier = format!("authdaemond: pam_unix(imap:auth): {pam} tty= ruser= rhost=  user=bob");
    let opensmtpd = format!("smtpd: pam_unix(smtpd:auth): {pam} tty= ruser= rhost=  user=bob");
    let (smtp, imap) = (sasl.replace("SERVICE", "smtp"), sasl.replace("SERVICE", "imap"));
    let refused = "postfix/smtpd[9]: warning: c.example.org[192.0.2.7]: SASL LOGIN authentication failed: authentication failure";
    let postfix = format!("{refused}, sasl_username=bob");
    let exim = "exim[9]: plain authenticator failed for (x) [192.0.2.7]: 535 Incorrect authentication data (set_id=bob)";
    let cyrus = "cyrus/imap[9]: badlogin: c.example.org [192.0.2.7] PLAIN (bob) [SASL(-13): authentication failure: Password verification failed]";
    let sendmail = "sendmail[9]: x2T: AUTH failure (PLAIN): authentication failure (-13) SASL(-13): authentication failure: checkpass failed, user=bob, relay=[192.0.2.7]";
    let login_failed = "imapd: LOGIN FAILED, user=bob, ip=[192.0.2.7], port=[40000]";
    let permfail = "smtpd[9]: 92c3054b10e5b0ec smtp authentication user=bob result=permfail";
    for (helper, server) in [
        (smtp.as_str(), postfix.as_str()),
        (&smtp, refused),
        (&dovecot, &postfix),
        (&dovecot, refused),
        (&nobody, &postfix),
        (&dovecot, exim),
        (&smtp, exim),
        (&imap, cyrus),
        (&smtp, sendmail),
        (&courier, login_failed),
        (&opensmtpd, permfail),
    ] {
        // Of the last the helper said nothing, as PAM was not asked.
        let auth: String =
            [0, 20, 40].iter().flat_map(|at| helper.lines().map(|text| line(*at, text))).collect();
        let mails: String = [2, 22, 42, 50].iter().map(|at| line(*at, server)).collect();
        let texts = [("auth.log", auth), ("mail.log", mails)];
        for order in [[0, 1], [1, 0]] {
            let machine = Machine::new();
            let files = order.map(|n| machine.state().join(texts[n].0));
            files.iter().zip(order).for_each(|(file, n)| fs::write(file, &texts[n].1).unwrap());
            let options = ScanOptions { files: files.to_vec(), from_start: true, ..ScanOptions::default() };
            assert_eq!([0; 2].map(|_| machine.scan(options.clone()).recorded), [4, 0], "{order:?} {server}");
        }
    }
}

/// saslauthd gives PAM no address, so what is recorded first has none. The log of the server has it.
#[test]
fn who_gets_in_at_a_mail_server_is_held_against_failures_that_are_recorded_without_an_address() {
    let begun = Timestamp::from_second(Timestamp::now().as_second() - 3600).unwrap();
    let at = |second: i64| begun + jiff::SignedDuration::from_secs(second);
    let line = |second: i64, what: &str| format!("{} mx {what}\n", at(second));
    let helper = "saslauthd[7]: pam_unix(smtp:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=root\n\
        saslauthd[7]: do_auth         : auth failure: [user=root] [service=smtp] [realm=] [mech=pam] [reason=PAM auth error]";
    let server = "postfix/smtpd[9]: warning: c.example.org[192.0.2.7]: SASL LOGIN authentication failed: authentication failure, sasl_username=root";
    let is_in =
        "postfix/smtpd[9]: 4F3A1: client=c.example.org[192.0.2.7], sasl_method=LOGIN, sasl_username=root";
    let of_module = |second: i64| Event {
        time: at(second),
        host: String::new(),
        route: Route::Pam,
        class: Class::Failure,
        count: 1,
        service: "smtp".into(),
        pid: 7,
        ppid: 1,
        user: "root".into(),
        rhost: String::new(),
        tty: String::new(),
        ruser: String::new(),
        uid: 0,
        origin: None,
    };
    // Where the next attempt follows at once it is nearer to what the server tells of the one before.
    for (guesses, apart, expected) in [(6, 20, 1), (2, 20, 0), (12, 3, 1)] {
        let times: Vec<i64> = (0..guesses).map(|n| n * apart).collect();
        let auth: String = times.iter().flat_map(|at| helper.lines().map(|text| line(*at, text))).collect();
        let mails: String = times.iter().map(|at| line(at + 2, server)).collect();
        let mails = mails + &line(200, is_in);
        let mut both: Vec<&str> = auth.split_inclusive('\n').chain(mails.split_inclusive('\n')).collect();
        both.sort_by_key(|line| &line[..20]);
        let both = both.concat().replace(" mx ", " mx.example.org ");
        let texts = [("auth.log", auth), ("mail.log", mails), ("syslog", both)];
        let orders: [&[usize]; 7] = [&[0, 1], &[1, 0], &[2], &[0, 1, 2], &[2, 1, 0], &[1, 2], &[2, 1]];
        let cases = orders.iter().flat_map(|order| [(false, *order), (true, *order)]);
        for (has_module, order) in cases.chain([(true, &[1][..])]) {
            let machine = Machine::new();
            if has_module {
                let records: Vec<Event> = times.iter().map(|second| of_module(*second)).collect();
                Journal::new(machine.state()).append(&records).unwrap();
            }
            let files: Vec<_> = order.iter().map(|n| machine.state().join(texts[*n].0)).collect();
            files.iter().zip(order).for_each(|(file, n)| fs::write(file, &texts[*n].1).unwrap());
            let options = ScanOptions { files, from_start: true, ..ScanOptions::default() };
            machine.scan(options.clone());
            let journal = machine.journal();
            let failed = journal.iter().filter(|event| event.class == Class::Failure);
            assert_eq!(failed.map(|event| i64::from(event.count)).sum::<i64>(), guesses, "each once");
            let (rules, kind) =
                (config::Logins::default(), |_: &Event| authalert::accounts::AccountKind::Root);
            let told: Vec<u64> = authalert::detect::findings(journal.clone(), kind, &rules)
                .filter(|found| matches!(found.verdict, authalert::detect::Verdict::BreakIn { .. }))
                .map(|found| found.failures.count)
                .collect();
            let counts = if expected == 1 { vec![guesses as u64] } else { Vec::new() };
            assert_eq!(told, counts, "{has_module} {order:?} {journal:#?}");
            // Nor twice where a pass was killed before it could remember how far it came.
            for lost in [false, true] {
                if lost {
                    fs::remove_file(machine.state().join("scan.json")).unwrap();
                }
                machine.scan(options.clone());
                assert_eq!(machine.journal(), journal, "{has_module} {order:?}");
            }
        }
    }
}

/// One user at two servers at once: what the one tells is nothing that the helper of the other was asked.
#[test]
fn what_dovecot_tells_is_not_what_saslauthd_was_asked_for_postfix() {
    let begun = Timestamp::from_second(Timestamp::now().as_second() - 3600).unwrap();
    let line =
        |second: i64, what: &str| format!("{} mx {what}\n", begun + jiff::SignedDuration::from_secs(second));
    let auth = line(
        0,
        "auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=bob rhost=192.0.2.7  user=bob",
    ) + &line(
        1,
        "saslauthd[7]: pam_unix(smtp:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=bob",
    ) + &line(
        2,
        "saslauthd[8]: pam_unix(smtp:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=bob",
    );
    let postfix = "postfix/smtpd[9]: warning: unknown[192.0.2.8]: SASL PLAIN authentication failed: authentication failure, sasl_username=bob";
    let dovecot = "dovecot: imap-login: Login aborted: Logged out (auth failed, 1 attempts in 3 secs) (auth_failed): user=<bob>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, session=<a>";
    let mails = line(2, dovecot) + &line(3, postfix) + &line(4, postfix);
    let texts = [("auth.log", auth), ("mail.log", mails)];
    for order in [[0, 1], [1, 0]] {
        let machine = Machine::new();
        let files: Vec<_> = order.iter().map(|n: &usize| machine.state().join(texts[*n].0)).collect();
        files.iter().zip(order).for_each(|(file, n)| fs::write(file, &texts[n].1).unwrap());
        machine.scan(ScanOptions { files, from_start: true, ..ScanOptions::default() });
        let journal = machine.journal();
        let count = |class, rhost: &str| {
            let of_class = journal.iter().filter(|event| event.class == class);
            of_class.filter(|event| event.rhost == rhost).map(|event| event.count).sum::<u32>()
        };
        let (from_first, address) = match order {
            [0, 1] => (0, 2),
            _ => (2, 0),
        };
        assert_eq!(count(Class::Failure, "192.0.2.7"), 1, "{journal:#?}");
        assert_eq!(count(Class::Failure, "192.0.2.8"), from_first, "{journal:#?}");
        assert_eq!(count(Class::Address, "192.0.2.8"), address, "{journal:#?}");
        let all = journal.iter().filter(|event| event.class == Class::Failure);
        assert_eq!(all.map(|event| event.count).sum::<u32>(), 3, "{journal:#?}");
    }
}

/// One user is guessed at two servers at the same time, and all of it stands in a third log too.
#[test]
fn who_reads_and_who_sends_mail_as_one_user_at_once_are_two() {
    let begun = Timestamp::from_second(Timestamp::now().as_second() - 3600).unwrap();
    let line =
        |second: i64, what: &str| format!("{} mx {what}\n", begun + jiff::SignedDuration::from_secs(second));
    let sasl = |second: i64, pid: u32, service: &str| {
        let pam = format!(
            "saslauthd[{pid}]: pam_unix({service}:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=bob"
        );
        let own = format!(
            "saslauthd[{pid}]:                 : auth failure: [user=bob] [service={service}] [realm=] [mech=pam] [reason=PAM auth error]"
        );
        line(second, &pam) + &line(second + 2, &own)
    };
    let auth = "auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=bob rhost=192.0.2.7  user=bob";
    let dovecot = "dovecot: imap-login: Login aborted: Logged out (auth failed, 1 attempts in 3 secs) (auth_failed): user=<bob>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, session=<a>";
    let cyrus = "cyrus/imap[8]: badlogin: [192.0.2.7] PLAIN (bob) [SASL(-13): authentication failure: Password verification failed]";
    let postfix = "postfix/smtpd[9]: warning: unknown[192.0.2.8]: SASL PLAIN authentication failed: authentication failure, sasl_username=bob";
    for (reads, server) in [(line(0, auth), dovecot), (sasl(0, 6, "imap"), cyrus)] {
        let helpers = reads + &sasl(1, 7, "smtp");
        // The server to read mail tells first, when the helper of the other was the last to speak.
        let mails = line(2, server) + &line(3, postfix);
        let mut both: Vec<&str> = helpers.lines().chain(mails.lines()).collect();
        both.sort_by_key(|line| &line[..20]);
        let both = both.join("\n") + "\n";
        let texts = [("auth.log", helpers.clone()), ("mail.log", mails.clone()), ("syslog", both)];
        let orders: [&[usize]; 7] =
            [&[2], &[0, 1, 2], &[0, 2, 1], &[1, 0, 2], &[1, 2, 0], &[2, 0, 1], &[2, 1, 0]];
        for order in orders {
            let machine = Machine::new();
            let files: Vec<_> = order.iter().map(|n| machine.state().join(texts[*n].0)).collect();
            files.iter().zip(order).for_each(|(file, n)| fs::write(file, &texts[*n].1).unwrap());
            machine.scan(ScanOptions { files, from_start: true, ..ScanOptions::default() });
            let journal = machine.journal();
            let count = |rhost: &str| {
                let from_there = journal.iter().filter(|event| event.rhost == rhost);
                from_there.map(|event| event.count).sum::<u32>()
            };
            let failures = journal.iter().filter(|event| event.class == Class::Failure);
            assert_eq!(failures.map(|event| event.count).sum::<u32>(), 2, "{order:?} {journal:#?}");
            assert_eq!((count("192.0.2.7"), count("192.0.2.8")), (1, 1), "{order:?} {journal:#?}");
        }
    }
}

/// A client that leaves Dovecot late, and tries the same user at Postfix meanwhile.
#[test]
fn what_dovecot_tells_late_is_its_own_though_another_server_told_sooner() {
    let begun = Timestamp::from_second(Timestamp::now().as_second() - 3600).unwrap();
    let line =
        |second: i64, what: &str| format!("{} mx {what}\n", begun + jiff::SignedDuration::from_secs(second));
    let auth = line(
        0,
        "auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=bob rhost=192.0.2.7  user=bob",
    );
    let sasl = line(
        4,
        "saslauthd[7]: pam_unix(smtp:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=bob",
    );
    let postfix = line(
        6,
        "postfix/smtpd[9]: warning: unknown[192.0.2.7]: SASL PLAIN authentication failed: authentication failure, sasl_username=bob",
    );
    let dovecot = line(
        25,
        "dovecot: imap-login: Login aborted: Logged out (auth failed, 1 attempts in 25 secs) (auth_failed): user=<bob>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, session=<a>",
    );
    let both = [&*auth, &*sasl, &*postfix, &*dovecot].concat();
    let texts = [("auth.log", auth + &sasl), ("mail.log", postfix + &dovecot), ("syslog", both)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let machine = Machine::new();
        let files = order.map(|n: usize| machine.state().join(texts[n].0));
        files.iter().zip(order).for_each(|(file, n)| fs::write(file, &texts[n].1).unwrap());
        let options = ScanOptions { files: files.to_vec(), from_start: true, ..ScanOptions::default() };
        assert_eq!([0; 2].map(|_| machine.scan(options.clone()).recorded), [2, 0], "{order:?}");
    }
}

/// Written to after each block of a log; so slowly that the place is saved after the next one, or no longer.
struct Slow {
    flushed: usize,
    most: usize,
}

impl Write for Slow {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed += 1;
        if self.flushed == 1 {
            std::thread::sleep(Duration::from_millis(2100));
        }
        if self.flushed < self.most { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }
}

/// On a long way the place is saved now and then, and what is read behind that may be what failed before a login in another log.
#[test]
fn a_login_that_was_read_before_a_save_goes_by_failures_that_are_read_behind_it() {
    let begun = Timestamp::now() - jiff::SignedDuration::from_hours(1);
    let line =
        |second: i64, what: &str| format!("{} srv {what}\n", begun + jiff::SignedDuration::from_secs(second));
    let failed = |pids: std::ops::Range<i64>, rhost: &str| -> String {
        pids.map(|pid| {
            line(pid / 1000, &format!("sshd[{pid}]: Failed password for root from {rhost} port 5 ssh2"))
        })
        .collect()
    };
    let login = |user: &str, rhost: &str| {
        let session = format!("method=PLAIN, rip={rhost}, lip=192.0.2.1, mpid=7, session=<x>");
        line(60, &format!("dovecot: imap-login: Login: user=<{user}>, {session}"))
    };
    for is_killed in [false, true] {
        let machine = Machine::new();
        machine.write(&failed(1000..1009, "192.0.2.8"));
        machine.scan(ScanOptions { from_start: true, ..ScanOptions::default() });
        machine.write(&line(2, "cron[1]: nothing").repeat(30_000));
        machine.write(&failed(3000..3009, "192.0.2.7"));
        let mail = machine.state().join("mail.log");
        fs::write(
            &mail,
            login("alice", "192.0.2.7") + &login("bob", "192.0.2.8") + &login("carol", "192.0.2.9"),
        )
        .unwrap();
        let options =
            ScanOptions { files: vec![mail, machine.log()], from_start: true, ..ScanOptions::default() };
        let scan = config::Scan::default();
        let mut out = Slow { flushed: 0, most: if is_killed { 2 } else { usize::MAX } };
        let result = run(&options, &scan, machine.state(), &mut out, &mut |_, _, _| {});
        assert_eq!(result.is_err(), is_killed);
        assert_eq!(break_ins(machine.journal()), if is_killed { 1 } else { 2 }, "one waits for nothing");
        machine.scan(options.clone());
        assert_eq!(break_ins(machine.journal()), 2);
        let again = machine.scan(options.clone());
        assert_eq!((again.recorded, again.logins), (0, 0));
    }
}

fn break_ins(journal: Vec<Event>) -> usize {
    let kind = |_: &Event| authalert::accounts::AccountKind::Existing;
    let rules = config::Logins::default();
    let found = authalert::detect::findings(journal, kind, &rules);
    found.filter(|found| matches!(found.verdict, authalert::detect::Verdict::BreakIn { .. })).count()
}

/// Who writes between his guesses that he is in would else be in after as many as he likes.
#[test]
fn what_somebody_claims_of_himself_takes_back_nothing_and_may_be_a_break_in() {
    let begun = Timestamp::now().as_microsecond() - 3_600_000_000;
    // An account that every machine has.
    let entry = |second: i64, exe: &str, message: &str| {
        let time = begun + second * 1_000_000;
        format!(
            r#"{{"__REALTIME_TIMESTAMP":"{time}","_HOSTNAME":"srv","SYSLOG_IDENTIFIER":"su","_EXE":"{exe}","_UID":"65534","_PID":"{}","MESSAGE":"{message}"}}{}"#,
            100 + second,
            '\n'
        )
    };
    let pam = "pam_unix(su:auth): authentication failure; logname= uid=65534 euid=0 tty=pts/0 ruser=nobody rhost=  user=root";
    let failed = |seconds: std::ops::Range<i64>| -> String {
        seconds.map(|at| entry(at, "/usr/bin/su", pam)).collect()
    };
    let in_by = |second: i64, exe: &str| entry(second, exe, "(to root) nobody on pts/0");
    for (claims, log, expected) in [
        (1, failed(0..4) + &in_by(10, "/usr/bin/logger") + &failed(20..24) + &in_by(30, "/usr/bin/su"), 1),
        (0, failed(0..4) + &in_by(10, "/usr/bin/su") + &failed(20..24) + &in_by(30, "/usr/bin/su"), 0),
        (1, failed(0..6) + &in_by(10, "/usr/bin/logger"), 1),
    ] {
        let machine = Machine::new();
        machine.write(&log);
        machine.scan(ScanOptions { from_start: true, ..ScanOptions::default() });
        let journal = machine.journal();
        assert_eq!(journal.iter().filter(|event| event.is_claimed()).count(), claims, "{journal:#?}");
        assert_eq!(break_ins(journal), expected, "{log}");
        let mut read = Vec::new();
        let mut take = |event: &Event| read.push(event.clone());
        each(&machine.log(), &mut |_, _, _| {}, &mut |rows| rows.each(&mut take)).unwrap();
        assert_eq!(break_ins(read), expected, "and where the log itself is reported: {log}");
    }
}
