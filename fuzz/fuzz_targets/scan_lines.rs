//! Any bytes as a log: nothing panics, what comes out is neutral and bounded, reading by lines and
//! by candidates gives the same, and so does going on from a saved state. Any bytes as a name in a
//! line that sshd or PAM wrote: it is one attempt, from the address that they gave.
#![no_main]

use std::io;
use std::path::Path;

use authalert::neutral::is_visible;
use authalert::scan::attempts::{Open, Row};
use authalert::scan::intake::{Intake, Source};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fn rows(log: &[u8], explain: bool) -> Vec<Row> {
    let mut intake = Intake::new(true, explain, Open::default());
    let source = Source::stream(Path::new("-"), log, Timestamp::UNIX_EPOCH);
    let mut out = io::sink();
    let read = intake.read(source, &mut |_, _, _| {}, &mut |intake| {
        intake.explained(&mut out).map_err(authalert::scan::Error::Output)
    });
    assert!(read.is_ok());
    intake.attempts.finish();
    intake.attempts.take_settled()
}

/// Lines around a name: one attempt from 192.0.2.7, whatever the name.
const LINES: [(&str, &str); 7] = [
    ("Failed password for invalid user ", " from 192.0.2.7 port 50310 ssh2"),
    ("Failed publickey for invalid user ", " from 192.0.2.7 port 50310 ssh2: RSA SHA256:abc"),
    ("Failed keyboard-interactive/pam for invalid user ", " from 192.0.2.7 port 50310 ssh2 [preauth]"),
    ("Invalid user ", " from 192.0.2.7 port 50310"),
    ("Invalid user ", " from 192.0.2.7"),
    ("error: PAM: Authentication failure for illegal user ", " from 192.0.2.7"),
    (
        "pam_sss(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7 user=",
        "",
    ),
];

/// One of the forms at a time, or most of the time would go there.
fn as_name(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let (before, after) = LINES[usize::from(*choice) % LINES.len()];
    // A log daemon lets no control character through, and sshd cuts the name, and at a colon.
    let name = bytes.iter().copied().take_while(|b| *b != b':');
    let name: Vec<u8> = name.filter(|b| !b.is_ascii_control()).take(100).collect();
    let head = format!("Nov  3 09:05:01 srv sshd[71]: {before}");
    let line = [head.as_bytes(), &name, after.as_bytes(), b"\n"].concat();
    let found = rows(&line, false);
    assert_eq!(found.len(), 1, "{}", String::from_utf8_lossy(&line));
    let row = &found[0];
    assert_eq!(
        (row.count, row.pid, row.service.as_str(), row.rhost.as_str(), row.host.as_str()),
        (1, 71, "sshd", "192.0.2.7", "srv"),
        "{}",
        String::from_utf8_lossy(&line)
    );
}

fuzz_target!(|log: &[u8]| {
    as_name(log);
    let found = rows(log, false);
    for row in &found {
        assert!(row.count > 0, "{row:?}");
        for text in [&row.host, &row.service, &row.user, &row.ruser, &row.tty] {
            assert!(text.chars().all(is_visible) && text.chars().count() <= 64, "{row:?}");
        }
        assert!(row.rhost.chars().all(is_visible) && row.rhost.chars().count() <= 255, "{row:?}");
    }
    // No line tells of more attempts than it says: digits, or the one line before it again.
    let lines = log.split(|b| *b == b'\n').count();
    assert!(found.len() <= lines, "{} rows of {lines} lines", found.len());
    // Every line by itself tells no less than the candidates among them.
    let explained = rows(log, true);
    let sum = |rows: &[Row]| rows.iter().map(|row| u64::from(row.count)).sum::<u64>();
    assert_eq!(sum(&found), sum(&explained));
});
