//! One line of a segment: a JSON object that ends in its own checksum.
//!
//! The checksum is CRC-32 (IEEE) over the bytes before `,"crc":`. A record that was torn by a full
//! disk or a crash is followed, on the same line, by the next one; [`decode`] finds that one, since
//! the text of a record can never contain its own beginning: quotes in values are escaped.

use std::io::Write;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

use crate::failure::{Class, Failure, Route};
use crate::neutral::Neutral;

/// Longest line, in bytes: five names of 64 characters at four bytes each, and the rest.
pub const LONGEST: usize = 2048;

const FAILURE_START: &[u8] = b"{\"time\":\"";
const HEADER_START: &[u8] = b"{\"segment\":\"";
const CRC_LEN: usize = ",\"crc\":\"00000000\"}".len();

/// A failure on its way to disk. Borrows everything, so that a login allocates nothing for it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Record<'a> {
    /// When the verdict fell.
    pub time: Timestamp,
    /// How it came to us.
    pub route: Route,
    /// A wrong answer or none.
    pub class: Class,
    /// How many attempts it stands for.
    #[serde(skip_serializing_if = "is_one")]
    pub count: u32,
    /// PAM service.
    #[serde(serialize_with = "name")]
    pub service: &'a [u8],
    /// Process that authenticated.
    #[serde(skip_serializing_if = "is_zero")]
    pub pid: u32,
    /// Its parent.
    #[serde(skip_serializing_if = "is_zero")]
    pub ppid: u32,
    /// Account that was tried.
    #[serde(serialize_with = "name", skip_serializing_if = "<[u8]>::is_empty")]
    pub user: &'a [u8],
    /// Remote host.
    #[serde(serialize_with = "name", skip_serializing_if = "<[u8]>::is_empty")]
    pub rhost: &'a [u8],
    /// Terminal.
    #[serde(serialize_with = "name", skip_serializing_if = "<[u8]>::is_empty")]
    pub tty: &'a [u8],
    /// Who asked.
    #[serde(serialize_with = "name", skip_serializing_if = "<[u8]>::is_empty")]
    pub ruser: &'a [u8],
    /// Real user id.
    #[serde(skip_serializing_if = "is_zero")]
    pub uid: u32,
    /// Where a log line stood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<&'a str>,
}

impl<'a> From<&'a Failure> for Record<'a> {
    fn from(f: &'a Failure) -> Self {
        Self {
            time: f.time,
            route: f.route,
            class: f.class,
            count: f.count,
            service: f.service.as_bytes(),
            pid: f.pid,
            ppid: f.ppid,
            user: f.user.as_bytes(),
            rhost: f.rhost.as_bytes(),
            tty: f.tty.as_bytes(),
            ruser: f.ruser.as_bytes(),
            uid: f.uid,
            origin: f.origin.as_deref(),
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

/// An encoded line, newline included, on the stack.
pub struct Encoded {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Encoded {
    /// A line that was encoded before; nothing where it is too long to be one.
    pub fn copy_of(line: &[u8]) -> Option<Self> {
        let mut bytes = [0; LONGEST];
        bytes.get_mut(..line.len())?.copy_from_slice(line);
        Some(Self { bytes, len: line.len() })
    }
}

impl std::ops::Deref for Encoded {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// What a line turned out to be.
#[derive(Debug)]
pub enum Decoded {
    /// A whole failure.
    Failure(Box<Failure>),
    /// The first line of a segment.
    Header(Header),
    /// A blank line.
    Blank,
}

/// The line of one failure. Names are made neutral and bounded on the way.
pub fn encode(record: &Record<'_>) -> Encoded {
    let bounded = Record { origin: record.origin.filter(|o| o.len() <= 200), ..*record };
    seal(&bounded)
}

/// The first line of a segment.
pub fn encode_header(header: &Header) -> Encoded {
    seal(header)
}

/// Read one line, without its newline. The second value says whether something unreadable stood
/// before what was found; `None` means that nothing could be read at all.
pub fn decode(line: &[u8]) -> (Option<Decoded>, bool) {
    if line.iter().all(|b| *b == b'\r' || *b == b' ') {
        return (Some(Decoded::Blank), false);
    }
    if let Some(found) = decode_whole(line) {
        return (Some(found), false);
    }
    // Half a record may stand before a whole one.
    let start = memchr::memmem::rfind(line, FAILURE_START).filter(|at| *at > 0);
    (start.and_then(|at| decode_whole(&line[at..])), true)
}

fn decode_whole(line: &[u8]) -> Option<Decoded> {
    let body = line.len().checked_sub(CRC_LEN)?;
    let (body, tail) = line.split_at(body);
    let stated = tail.strip_prefix(b",\"crc\":\"")?.strip_suffix(b"\"}")?;
    let stated = u32::from_str_radix(std::str::from_utf8(stated).ok()?, 16).ok()?;
    if stated != crc32fast::hash(body) || line.len() > LONGEST {
        return None;
    }
    if line.starts_with(HEADER_START) {
        serde_json::from_slice(line).ok().map(Decoded::Header)
    } else {
        serde_json::from_slice(line).ok().map(|f| Decoded::Failure(Box::new(f)))
    }
}

fn seal(value: &impl Serialize) -> Encoded {
    let mut bytes = [0; LONGEST];
    let mut rest = &mut bytes[..LONGEST - CRC_LEN - 1];
    let room = rest.len();
    // The bounds above leave room for the longest record, so this cannot fail; if it did, the
    // reader would count the line as unreadable.
    let _ = serde_json::to_writer(&mut rest, value);
    let body = (room - rest.len()).saturating_sub(1);
    let crc = crc32fast::hash(&bytes[..body]);
    let mut tail = &mut bytes[body..];
    let _ = writeln!(tail, ",\"crc\":\"{crc:08x}\"}}");
    Encoded { bytes, len: body + CRC_LEN + 1 }
}

fn name<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Neutral::name(bytes))
}

fn is_one(n: &u32) -> bool {
    *n == 1
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn record(user: &[u8]) -> Record<'_> {
        Record {
            time: Timestamp::from_microsecond(1_767_614_507_123_456).unwrap(),
            route: Route::Pam,
            class: Class::Failure,
            count: 1,
            service: b"sshd",
            pid: 4711,
            ppid: 4700,
            user,
            rhost: b"192.0.2.7",
            tty: b"ssh",
            ruser: b"",
            uid: 0,
            origin: None,
        }
    }

    fn failure(line: &[u8]) -> (Option<Failure>, bool) {
        match decode(line) {
            (Some(Decoded::Failure(f)), damaged) => (Some(*f), damaged),
            (_, damaged) => (None, damaged),
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
    fn the_longest_hostile_names_fit_and_stay_neutral() {
        let hostile: Vec<u8> = (0..5000).map(|i| [b'\n', b'"', 0xff, b'\\', 0][i % 5]).collect();
        let wide = "\u{1f600}".repeat(5000);
        for name in [hostile.as_slice(), wide.as_bytes(), &[b'"'; 4000], &[b'\\'; 4000]] {
            let r = Record { service: name, rhost: name, tty: name, ruser: name, ..record(name) };
            let line = encode(&r);
            assert_eq!(line.iter().filter(|b| **b == b'\n').count(), 1);
            let (read, _) = failure(line.trim_ascii_end());
            assert!(read.unwrap().user.chars().count() <= 64);
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let line = encode(&record(b"root"));
        let line = line.trim_ascii_end();
        for byte in 0..line.len() {
            for bit in 0..8 {
                let mut damaged = line.to_vec();
                damaged[byte] ^= 1 << bit;
                let (read, _) = failure(&damaged);
                assert!(read.is_none() || damaged.eq_ignore_ascii_case(line), "byte {byte} bit {bit}");
            }
        }
    }

    #[test]
    fn a_torn_record_costs_itself_alone() {
        let line = encode(&record(b"{\"time\":\"x"));
        for cut in 1..line.len() - 1 {
            let mut torn = line[..cut].to_vec();
            torn.extend_from_slice(line.trim_ascii_end());
            let (read, damaged) = failure(&torn);
            assert!(damaged && read.is_some(), "cut at {cut}");
        }
    }

    #[test]
    fn a_header_reads_back() {
        let header = Header { segment: "18b0c1-1".into(), limit: 1 << 26 };
        let line = encode_header(&header);
        assert!(matches!(decode(line.trim_ascii_end()), (Some(Decoded::Header(h)), false) if h == header));
    }
}
