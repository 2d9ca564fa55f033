//! One line of a segment: a JSON object that ends in its own checksum.
//!
//! The checksum is CRC-32 (IEEE) over the bytes before `,"crc":`. A record that was torn by a full
//! disk or a crash is followed, on the same line, by the next one; [`decode`] finds that one, since
//! the text of a record can never contain its own beginning: quotes in values are escaped.
//!
//! Encoding is written out by hand: it stands in a login's way, allocates nothing, and cannot
//! panic, so that the module is linked without everything that a panic needs.

use serde::{Deserialize, Serialize};

use super::address;
use crate::event::{Class, Event, Route};
use crate::neutral::Neutral;

/// Longest line, in bytes: seven names of 64 characters at four bytes each, and the rest.
pub const LONGEST: usize = 2048;

const FAILURE_START: &[u8] = b"{\"time\":\"";
const HEADER_START: &[u8] = b"{\"segment\":\"";
const CRC_LEN: usize = ",\"crc\":\"00000000\"}".len();
const CRC_DIGITS: usize = ",\"crc\":\"".len();
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

/// An encoded line, newline included, on the stack.
pub struct Encoded {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Encoded {
    /// A line that was encoded before; nothing where it is too long to be one.
    pub fn copy_of(line: &[u8]) -> Option<Self> {
        let mut copy = Self::empty();
        copy.put(line);
        (copy.len == line.len()).then_some(copy)
    }

    /// The line.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// No line yet.
    pub fn empty() -> Self {
        Self { bytes: [0; LONGEST], len: 0 }
    }

    // Not inlined, nor is what calls it: a login runs through a line of code once, and fetching it takes longer than that.
    #[inline(never)]
    fn put(&mut self, text: &[u8]) {
        for byte in text {
            if let Some(place) = self.bytes.get_mut(self.len) {
                *place = *byte;
                self.len += 1;
            }
        }
    }

    /// At least `digits` of them.
    #[inline(never)]
    fn number(&mut self, mut n: u64, digits: usize) {
        let mut reversed = [b'0'; 20];
        let mut used = 0;
        for place in &mut reversed {
            if n == 0 && used >= digits {
                break;
            }
            *place = b'0' + (n % 10) as u8;
            n /= 10;
            used += 1;
        }
        for digit in reversed.iter().take(used).rev() {
            self.put(&[*digit]);
        }
    }

    /// `,"key":`
    #[inline(never)]
    fn key(&mut self, key: &str) {
        self.put(b",\"");
        self.put(key.as_bytes());
        self.put(b"\":");
    }

    /// A member, unless it is zero.
    fn count(&mut self, key: &str, n: u32) {
        if n != 0 {
            self.key(key);
            self.number(n.into(), 1);
        }
    }

    /// A member with neutral text, unless it is empty. Of what JSON escapes, neutral text holds
    /// only quotes and backslashes.
    fn text(&mut self, key: &str, text: Neutral<'_>) {
        if text.is_empty() {
            return;
        }
        self.key(key);
        self.put(b"\"");
        text.chars(&mut |c| {
            if matches!(c, '"' | '\\') {
                self.put(b"\\");
            }
            self.put(c.encode_utf8(&mut [0; 4]).as_bytes());
        });
        self.put(b"\"");
    }

    /// RFC 3339, UTC, microseconds. The date by the days since 0000-03-01, as in Howard Hinnant's
    /// "chrono-compatible low-level date algorithms"; what is outside 1970 to 9999 is brought there.
    fn time(&mut self, seconds: i64, microseconds: u32) {
        let seconds = seconds.clamp(0, 253_402_207_199) as u64;
        let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        let parts: [(u64, usize, &[u8]); 7] = [
            (year, 4, b"-"),
            (month, 2, b"-"),
            (day, 2, b"T"),
            (second / 3600, 2, b":"),
            (second / 60 % 60, 2, b":"),
            (second % 60, 2, b"."),
            (u64::from(microseconds % 1_000_000), 6, b"Z"),
        ];
        for (n, digits, after) in parts {
            self.number(n, digits);
            self.put(after);
        }
    }

    /// The checksum of what stands there so far, and the end of the line.
    fn seal(&mut self) {
        let crc = crc(self.as_bytes());
        self.put(b",\"crc\":\"");
        for shift in (0..8).rev() {
            let nibble = (crc >> (4 * shift) & 15) as u8;
            self.put(&[nibble + if nibble < 10 { b'0' } else { b'a' - 10 }]);
        }
        self.put(b"\"}\n");
    }
}

impl std::ops::Deref for Encoded {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// The line of one failure. Names are made neutral and bounded on the way.
pub fn encode(record: &Record<'_>) -> Encoded {
    let mut line = Encoded::empty();
    encode_into(&mut line, record);
    line
}

/// The same, in a place of the caller's: not every compiler spares a login's stack the copy.
pub fn encode_into(line: &mut Encoded, record: &Record<'_>) {
    line.len = 0;
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

/// What a line turned out to be.
#[derive(Debug)]
pub enum Decoded {
    /// A whole failure.
    Event(Box<Event>),
    /// The first line of a segment.
    Header(Header),
    /// A blank line.
    Blank,
    /// A whole record of a class that a newer version writes.
    Unknown,
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

/// The limit in the first line at the `head` of a segment, unless that is damaged or no header. For
/// a login: nothing here allocates or can panic.
pub fn limit_in(head: &[u8]) -> Option<u64> {
    const KEY: &[u8] = b"\"limit\":";
    let line = head.get(..head.iter().position(|b| *b == b'\n')?)?;
    let end = line.len().checked_sub(CRC_LEN)?;
    let (body, stated) = (line.get(..end)?, line.get(end + CRC_DIGITS..end + CRC_DIGITS + 8)?);
    let hex = |n: u32, digit: &u8| Some(n << 4 | char::from(*digit).to_digit(16)?);
    if !body.starts_with(HEADER_START) || stated.iter().try_fold(0, hex)? != crc(body) {
        return None;
    }
    let digits = body.get(body.windows(KEY.len()).position(|w| w == KEY)? + KEY.len()..)?;
    let number = |n: u64, b: &u8| n.saturating_mul(10).saturating_add(u64::from(b.wrapping_sub(b'0')));
    Some(digits.iter().fold(0, number)).filter(|limit| *limit > 0)
}

/// What the checksum is over, if it is right.
fn intact(line: &[u8]) -> Option<&[u8]> {
    let (body, tail) = line.split_at_checked(line.len().checked_sub(CRC_LEN)?)?;
    let stated = tail.strip_prefix(b",\"crc\":\"")?.strip_suffix(b"\"}")?;
    let stated = u32::from_str_radix(std::str::from_utf8(stated).ok()?, 16).ok()?;
    (stated == crc32fast::hash(body) && line.len() <= LONGEST).then_some(body)
}

fn decode_whole(line: &[u8]) -> Option<Decoded> {
    intact(line)?;
    if line.starts_with(HEADER_START) {
        serde_json::from_slice(line).ok().map(Decoded::Header)
    } else {
        decode_event(line).map(|event| Decoded::Event(Box::new(event))).or_else(|| unknown(line))
    }
}

/// A record that is whole and of a class that this version does not know.
fn unknown(line: &[u8]) -> Option<Decoded> {
    #[derive(Deserialize)]
    struct Outline {
        class: String,
    }

    let Outline { class } = serde_json::from_slice(line).ok()?;
    let known = serde_json::from_value::<Class>(class.into()).is_ok();
    (!known).then_some(Decoded::Unknown)
}

fn decode_event(line: &[u8]) -> Option<Event> {
    /// What a line may hold beside the failure; a rare case, and so parsed apart.
    #[derive(Deserialize)]
    struct Beside {
        address: String,
    }

    let mut failure: Event = serde_json::from_slice(line).ok()?;
    let beside = || serde_json::from_slice(line).ok().and_then(|b: Beside| address::parse(&b.address));
    if let Some(ip) = address::parse(&failure.rhost).or_else(beside) {
        failure.rhost = ip.to_string();
    }
    Some(failure)
}

/// CRC-32 (IEEE 802.3), as crc32fast computes it; small rather than fast, for one line a login.
fn crc(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let mut c = i as u32;
            let mut bit = 0;
            while bit < 8 {
                c = if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 };
                bit += 1;
            }
            table[i] = c;
            i += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, b| TABLE[((crc ^ u32::from(*b)) & 0xff) as usize] ^ (crc >> 8))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

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

    fn failure(line: &[u8]) -> (Option<Event>, bool) {
        match decode(line) {
            (Some(Decoded::Event(f)), damaged) => (Some(*f), damaged),
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
    fn the_checksum_is_the_one_that_everybody_computes() {
        for bytes in [&b""[..], b"123456789", &[0xff; 300]] {
            assert_eq!(crc(bytes), crc32fast::hash(bytes));
        }
    }

    #[test]
    fn an_address_counts_more_than_a_name_and_is_canonical() {
        let read = |rhost: &str, address: &str| {
            let r = Record { rhost: rhost.as_bytes(), address: address.as_bytes(), ..record(b"root") };
            failure(encode(&r).trim_ascii_end()).0.unwrap().rhost
        };
        assert_eq!(read("evil.example", "192.0.2.9"), "192.0.2.9");
        assert_eq!(read("::ffff:192.0.2.7", ""), "192.0.2.7");
        assert_eq!(read("fe80::1%eth0", ""), "fe80::1");
        assert_eq!(read("2001:DB8:0::1", ""), "2001:db8::1");
        assert_eq!(read("evil.example", "nonsense"), "evil.example");
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
        assert_eq!(limit_in(&line), Some(1 << 26));
    }

    #[test]
    fn a_damaged_header_gives_no_limit_rather_than_a_wrong_one() {
        let header = encode_header(&Header { segment: "18b0c1-1".into(), limit: 1 << 26 });
        for byte in 0..header.len() {
            for bit in 0..8 {
                let mut damaged = header.to_vec();
                damaged[byte] ^= 1 << bit;
                assert!(limit_in(&damaged).is_none_or(|limit| limit == 1 << 26), "byte {byte} bit {bit}");
            }
        }
    }
}
