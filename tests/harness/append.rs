//! A writer of the harness: records failures with the library, as the module and the scan do, and keeps
//! a tally beside them that can be read at any moment.
//!
//!     append STATE TALLY RECORDS FIRST [PAUSE_MICROSECONDS [SOURCE]]
//!
//! TALLY holds two numbers of eight bytes (native order): attempts begun, attempts recorded. A record that
//! was refused because the journal is full counts as dropped and adds to a third one. Record number i is
//! aborted, ignored (user `ignored`), of the log route with a count of 3, local, or plain, by i modulo 10. With SOURCE
//! all of them are wrong passwords of root from there, each in a process of its own, but for the last one, which is right.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use authalert::event::{Class, Route};
use authalert::journal::Journal;
use authalert::journal::append::{Error, append};
use authalert::journal::record::{Record, encode};

#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test program: it may fall over
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [state, tally, numbers @ ..] = &arguments[..] else {
        panic!("append STATE TALLY RECORDS FIRST [PAUSE]")
    };
    let number = |at: usize| numbers.get(at).map_or(0, |n: &String| n.parse::<u64>().expect("a number"));
    let (records, first, pause) = (number(0), number(1), number(2));
    let tally = File::options().write(true).create(true).truncate(false).open(tally).unwrap();
    let put = |at: u64, value: u64| tally.write_all_at(&value.to_ne_bytes(), 8 * at).unwrap();
    let journal = Journal::new(Path::new(state));
    let (mut begun, mut recorded, mut dropped) = (0, 0, 0);
    for i in first..first + records {
        let count: u32 = if i % 10 == 7 { 3 } else { 1 };
        let (user, rhost) = (format!("user{}", i % 89), format!("198.51.{}.{}", i / 250 % 4, i % 250));
        let log = i % 10 == 7;
        let local = i % 20 == 11;
        let source = numbers.get(3).map(|source| source.as_bytes());
        let (log, local, count) = if source.is_some() { (false, false, 1) } else { (log, local, count) };
        let record = Record {
            time: now(),
            host: b"",
            route: if log { Route::Log } else { Route::Pam },
            class: match source {
                Some(_) if i + 1 == first + records => Class::Login,
                None if i % 10 == 3 => Class::Aborted,
                _ => Class::Failure,
            },
            count,
            service: if local { b"su" } else { b"sshd" },
            pid: source.map_or(std::process::id(), |_| 1_000_000 + 2 * u32::try_from(i).unwrap()),
            ppid: 1,
            user: match source {
                Some(_) => b"root",
                None if i % 10 == 5 => b"ignored",
                None => user.as_bytes(),
            },
            rhost: source.unwrap_or(if local { b"" } else { rhost.as_bytes() }),
            address: b"",
            tty: b"ssh",
            ruser: b"",
            uid: 0,
            origin: b"",
        };
        begun += u64::from(count);
        put(0, begun);
        match append(journal.directory().as_os_str().as_encoded_bytes(), &encode(&record)) {
            Ok(()) => recorded += u64::from(count),
            Err(Error::Full) => dropped += 1,
            Err(e) => panic!("record {i}: {e}"),
        }
        put(1, recorded);
        put(2, dropped);
        if pause > 0 {
            std::thread::sleep(Duration::from_micros(pause));
        }
    }
}

#[allow(clippy::unwrap_used)] // a clock before 1970
fn now() -> (i64, u32) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    (i64::try_from(now.as_secs()).unwrap(), now.subsec_micros())
}
