//! Reading a line back.

use serde::Deserialize;

use super::address;
use super::line::{LONGEST, crc};
use super::record::{FAILURE_START, HEADER_START, Header};
use crate::event::{Class, Event};

const CRC_LEN: usize = ",\"crc\":\"00000000\"}".len();
const CRC_DIGITS: usize = ",\"crc\":\"".len();

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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::journal::record::{Record, encode, encode_header, tests::record};

    pub(in crate::journal) fn failure(line: &[u8]) -> (Option<Event>, bool) {
        match decode(line) {
            (Some(Decoded::Event(f)), damaged) => (Some(*f), damaged),
            (_, damaged) => (None, damaged),
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
