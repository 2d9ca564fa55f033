//! One line of a segment: a JSON object that ends in its own checksum.
//!
//! The checksum is CRC-32 (IEEE) over the bytes before `,"crc":`. A record that was torn by a full
//! disk or a crash is followed, on the same line, by the next one; [`decode`](super::decode::decode) finds that one, since
//! the text of a record can never contain its own beginning: quotes in values are escaped.
//!
//! Encoding is written out by hand: it stands in a login's way, allocates nothing, and cannot
//! panic, so that the module is linked without everything that a panic needs.

use serde::{Deserialize, Serialize};

use super::line::Encoded;
use crate::event::{Class, Event, Route};
use crate::neutral::Neutral;

pub(super) const FAILURE_START: &[u8] = b"{\"time\":\"";
pub(super) const HEADER_START: &[u8] = b"{\"segment\":\"";
/// Longest `origin` that is kept.
const ORIGIN_LIMIT: usize = 200;

/// A failure on its way to disk. Borrows everything.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// When the verdict fell: seconds since 1970, and microseconds.
    pub time: (i64, u32),
    /// The machine it happened on; empty for this one.
    pub host: &'a [u8],
    /// How it came to us.
    pub route: Route,
    /// A wrong answer or none.
    pub class: Class,
    /// How many attempts it stands for.
    pub count: u32,
    /// PAM service.
    pub service: &'a [u8],
    /// Process that authenticated.
    pub pid: u32,
    /// Its parent.
    pub ppid: u32,
    /// Account that was tried.
    pub user: &'a [u8],
    /// Remote host, as PAM has it.
    pub rhost: &'a [u8],
    /// Its address, where `rhost` is a name: a name comes from the attacker's own name server.
    pub address: &'a [u8],
    /// Terminal.
    pub tty: &'a [u8],
    /// Who asked.
    pub ruser: &'a [u8],
    /// Real user id.
    pub uid: u32,
    /// Where a log line stood.
    pub origin: &'a [u8],
}

impl<'a> From<&'a Event> for Record<'a> {
    fn from(f: &'a Event) -> Self {
        Self {
            time: (f.time.as_second(), u32::try_from(f.time.subsec_microsecond()).unwrap_or(0)),
            host: f.host.as_bytes(),
            route: f.route,
            class: f.class,
            count: f.count,
            service: f.service.as_bytes(),
            pid: f.pid,
            ppid: f.ppid,
            user: f.user.as_bytes(),
            rhost: f.rhost.as_bytes(),
            address: b"",
            tty: f.tty.as_bytes(),
            ruser: f.ruser.as_bytes(),
            uid: f.uid,
            origin: f.origin.as_deref().unwrap_or_default().as_bytes(),
        }
    }
}

/// First line of a segment: who it is, and how large writers may let it become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Unique and increasing in time.
    pub segment: String,
    /// Bytes.
    pub limit: u64,
}

/// The line of one failure. Names are made neutral and bounded on the way.
pub fn encode(record: &Record<'_>) -> Encoded {
    let mut line = Encoded::empty();
    encode_into(&mut line, record);
    line
}

/// The same, in a place of the caller's: not every compiler spares a login's stack the copy.
pub fn encode_into(line: &mut Encoded, record: &Record<'_>) {
    line.clear();
    line.put(FAILURE_START);
    line.time(record.time.0, record.time.1);
    line.put(b"\"");
    line.key("route");
    line.put(match record.route {
        Route::Pam => b"\"pam\"",
        Route::Log => b"\"log\"",
    });
    line.key("class");
    line.put(match record.class {
        Class::Failure => b"\"failure\"",
        Class::Aborted => b"\"aborted\"",
        Class::Login => b"\"login\"",
        Class::Address => b"\"address\"",
        Class::Test => b"\"test\"",
    });
    line.count("count", if record.count == 1 { 0 } else { record.count });
    line.text("host", Neutral::name(record.host));
    line.text("service", Neutral::name(if record.service.is_empty() { b"?" } else { record.service }));
    line.count("pid", record.pid);
    line.count("ppid", record.ppid);
    line.text("user", Neutral::name(record.user));
    line.text("rhost", Neutral::name(record.rhost));
    line.text("address", Neutral::name(record.address));
    line.text("tty", Neutral::name(record.tty));
    line.text("ruser", Neutral::name(record.ruser));
    line.count("uid", record.uid);
    line.text("origin", Neutral::bounded(record.origin, ORIGIN_LIMIT));
    line.seal();
}

/// The first line of a segment.
pub fn encode_header(header: &Header) -> Encoded {
    let mut line = Encoded::empty();
    line.put(HEADER_START);
    line.put(header.segment.as_bytes());
    line.put(b"\"");
    line.key("limit");
    line.number(header.limit, 1);
    line.seal();
    line
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::journal::Journal;
    use crate::journal::decode::tests::failure;

    /// An empty one.
    pub(in crate::journal) fn journal() -> (tempfile::TempDir, Journal) {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::new(state.path());
        std::fs::create_dir(journal.directory()).unwrap();
        (state, journal)
    }

    pub(crate) fn record(user: &[u8]) -> Record<'_> {
        Record {
            time: (1_767_614_507, 123_456),
            host: b"",
            route: Route::Pam,
            class: Class::Failure,
            count: 1,
            service: b"sshd",
            pid: 4711,
            ppid: 4700,
            user,
            rhost: b"192.0.2.7",
            address: b"",
            tty: b"ssh",
            ruser: b"",
            uid: 0,
            origin: b"",
        }
    }

    #[test]
    fn a_record_reads_back_as_it_was() {
        let line = encode(&record(b"root"));
        assert!(line.len() < 220, "{} bytes", line.len());
        let (read, damaged) = failure(line.trim_ascii_end());
        let read = read.unwrap();
        assert!(!damaged);
        assert_eq!((read.user.as_str(), read.pid, read.ppid, read.count), ("root", 4711, 4700, 1));
        assert_eq!(encode(&Record::from(&read)).to_vec(), line.to_vec());
    }

    #[test]
    fn times_are_what_a_calendar_says() {
        for (seconds, microseconds) in [
            (0, 0),
            (951_782_400, 1),
            (1_709_164_799, 999_999),
            (4_102_444_799, 5),
            (253_402_207_199, 999_999),
        ] {
            let line = encode(&Record { time: (seconds, microseconds), ..record(b"") });
            let (read, _) = failure(line.trim_ascii_end());
            let time = read.unwrap().time;
            assert_eq!((time.as_second(), time.subsec_microsecond()), (seconds, microseconds as i32));
        }
        for day in 0..80_000 {
            let line = encode(&Record { time: (day * 86_400 + 12_345, 0), ..record(b"") });
            assert_eq!(failure(line.trim_ascii_end()).0.unwrap().time.as_second(), day * 86_400 + 12_345);
        }
    }

    #[test]
    fn the_longest_hostile_names_fit_and_stay_neutral() {
        let hostile: Vec<u8> = (0..5000).map(|i| [b'\n', b'"', 0xff, b'\\', 0][i % 5]).collect();
        let wide = "\u{1f600}".repeat(5000);
        for name in [hostile.as_slice(), wide.as_bytes(), &[b'"'; 4000], &[b'\\'; 4000]] {
            let r =
                Record { service: name, rhost: name, address: name, tty: name, ruser: name, ..record(name) };
            let line = encode(&r);
            assert_eq!(line.iter().filter(|b| **b == b'\n').count(), 1);
            let (read, _) = failure(line.trim_ascii_end());
            assert!(read.unwrap().user.chars().count() <= 64);
        }
    }
}
