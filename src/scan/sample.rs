//! What a log is, by its first lines: whether their heads are understood, and which end is the newest.
//!
//! `journalctl -r` and web pages show the newest line first. Read so, a refusal comes before the helper's line that
//! belongs to it, and a success before the refusal that it takes back. Such a log is turned round.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::FileExt;

use jiff::Timestamp;

use super::calendar::Calendar;
use super::entry::Entry;
use super::export::{AsJson, is_export};
use super::header::{self, Header};
use super::stamp::Stamp;
use crate::neutral;

/// So much is looked at.
const HEAD: u64 = 64 << 10;
/// A log whose newest line comes first is turned round in memory, up to so much.
const LONGEST: u64 = 256 << 20;
/// In microseconds.
const HALF_A_YEAR: u64 = 182 * 86_400_000_000;
/// Of a line that is not understood so much is shown.
const SHOWN: usize = 160;

/// What the first lines show.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    /// The first line whose head is not understood, where none is.
    pub unread: Option<String>,
    /// The lines go back in time.
    pub is_newest_first: bool,
    /// It is the systemd journal as `journalctl -o export` writes it.
    pub is_export: bool,
}

impl Sample {
    /// Look at the first lines of a file that was last written at `written`.
    pub(super) fn of_file(file: &File, written: Timestamp) -> io::Result<Self> {
        let mut head = vec![0; HEAD as usize];
        let mut filled = 0;
        while filled < head.len() {
            match file.read_at(&mut head[filled..], filled as u64)? {
                0 => break,
                n => filled += n,
            }
        }
        Ok(Self::of(&head[..filled], written))
    }

    /// Look at the first lines of a log that was last written at `written`; `text` may end within a line.
    fn of(text: &[u8], written: Timestamp) -> Self {
        let mut calendar = Calendar::new(crate::zone::local(), written);
        let (mut unread, mut understood) = (None, false);
        let (mut last, mut later, mut earlier) = (None, 0_usize, 0_usize);
        for line in text.split(|b| *b == b'\n').map(header::trim).filter(|line| !line.is_empty()) {
            let entry = if line.first() == Some(&b'{') { Entry::parse(line) } else { None };
            let header = entry.as_ref().map(Entry::header).or_else(|| header::parse(line));
            let Some(header) = header.filter(is_understood) else {
                unread.get_or_insert(line);
                continue;
            };
            understood = true;
            if header.stamp == Stamp::Missing {
                continue;
            }
            let Some(time) = calendar.resolve(&header.stamp, 0) else { continue };
            match last {
                // Which year it is of is not certain.
                Some(last) if header.stamp.has_no_year() && time.abs_diff(last) > HALF_A_YEAR => {}
                Some(last) if time > last => later += 1,
                Some(last) if time < last => earlier += 1,
                _ => {}
            }
            last = Some(time);
        }
        let unread = unread.filter(|_| !understood).map(|line| neutral::text(line, SHOWN));
        Self { unread, is_newest_first: earlier > later, is_export: is_export(text) }
    }
}

/// Whether a head says who spoke, and something follows: `journalctl -o verbose` has a time and a cursor in brackets
/// before the fields of each entry. Lines of PAM behind a title name no program.
fn is_understood(header: &Header<'_>) -> bool {
    !header.message.is_empty() && (!header.program.is_empty() || header.message.starts_with(b"pam_"))
}

/// A log that is read as a whole, the oldest line first.
pub(super) struct Sorted<'a> {
    /// Its text.
    pub text: Box<dyn Read + 'a>,
    /// What its first lines showed.
    pub sample: Sample,
    /// How many lines there are, where the last of the log is the first of the text.
    pub turned: Option<u64>,
}

/// Look at a log, and turn it round where its newest line comes first.
pub(super) fn sorted<'a>(mut log: Box<dyn Read + 'a>, written: Timestamp) -> io::Result<Sorted<'a>> {
    let mut head = Vec::new();
    log.by_ref().take(HEAD).read_to_end(&mut head)?;
    if is_export(&head) {
        return sorted(Box::new(AsJson::new(Cursor::new(head).chain(log))), written);
    }
    let sample = Sample::of(&head, written);
    if !sample.is_newest_first {
        return Ok(Sorted { text: Box::new(Cursor::new(head).chain(log)), sample, turned: None });
    }
    let mut text = head;
    log.by_ref().take(LONGEST - text.len() as u64).read_to_end(&mut text)?;
    if log.read(&mut [0])? > 0 {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "its newest line comes first, and it is too long to be turned round here; give its lines the other way \
             round, as tac does",
        ));
    }
    let (turned, lines) = turn(&text);
    Ok(Sorted { text: Box::new(Cursor::new(turned)), sample, turned: Some(lines) })
}

/// The lines of a text from the last to the first, and how many there are.
fn turn(text: &[u8]) -> (Vec<u8>, u64) {
    let mut turned = Vec::with_capacity(text.len() + 1);
    let mut lines = 0;
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    for line in body.rsplit(|b| *b == b'\n') {
        turned.extend_from_slice(line);
        turned.push(b'\n');
        lines += 1;
    }
    (turned, lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(text: &str) -> Sample {
        Sample::of(text.as_bytes(), "2026-11-04T00:00:00Z".parse().unwrap())
    }

    fn log(stamps: &[&str]) -> String {
        stamps.iter().map(|stamp| format!("{stamp} srv sshd[7]: x\n")).collect()
    }

    #[test]
    fn a_log_whose_times_go_back_is_turned_round() {
        let back = log(&["Nov  3 09:05:03", "Nov  3 09:05:01", "Nov  3 09:05:01"]);
        assert!(sample(&back).is_newest_first);
        assert!(sample(&log(&["2026-11-03T09:05:03Z", "2026-11-03T09:05:02Z"])).is_newest_first);
        let json = |time: u64| {
            format!("{{\"__REALTIME_TIMESTAMP\":\"{time}\",\"_COMM\":\"su\",\"MESSAGE\":\"x\"}}\n")
        };
        assert!(sample(&(json(3) + &json(2) + &json(1))).is_newest_first);
        for stamps in [
            &["Nov  3 09:05:01", "Nov  3 09:05:01"][..],
            &["Nov  3 09:05:01"],
            // It is of last year.
            &["Nov  4 09:05:01", "Nov 20 09:05:01"],
            // Clocks are set back, and lines come late; a year ends.
            &["Nov  3 09:05:01", "Nov  3 09:05:03", "Nov  3 09:05:02", "Nov  3 09:05:04"],
            &["Dec 31 23:59:58", "Dec 31 23:59:59", "Jan  1 00:00:00", "Jan  1 00:00:01"],
        ] {
            assert!(!sample(&log(stamps)).is_newest_first, "{stamps:?}");
        }
        let mut text = String::new();
        let sorted = sorted(Box::new(back.as_bytes()), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(sorted.turned, Some(3));
        let mut read = sorted.text;
        read.read_to_string(&mut text).unwrap();
        assert_eq!(text, log(&["Nov  3 09:05:01", "Nov  3 09:05:01", "Nov  3 09:05:03"]));
        assert_eq!(turn(b"a\n\nb"), (b"b\n\na\n".to_vec(), 3));
    }

    #[test]
    fn a_line_is_shown_where_none_is_understood() {
        assert_eq!(sample("").unread, None);
        assert_eq!(sample("\n\n").unread, None);
        assert_eq!(sample("\nGET / HTTP/1.1\nx\n").unread.as_deref(), Some("GET / HTTP/1.1"));
        assert_eq!(sample("-- Boot --\nNov  3 09:05:01 srv sshd[7]: x\n").unread, None);
        assert_eq!(sample("{\"a\":1}").unread.as_deref(), Some("{\"a\":1}"));
        assert!(sample(&"x".repeat(999)).unread.is_some_and(|line| line.chars().count() <= SHOWN));
        assert!(sample("2026-11-03 09:05:01 GET /\n").unread.is_some(), "nobody is named");
    }
}
