//! How far the clock of a log is off.
//!
//! Stamps without a zone are those of the daemon that wrote them: one that was not restarted when
//! the machine's zone changed writes hours that are not ours. The last line tells: it was written
//! when the file was. Whether evidence is old enough is then asked by the clock of its log.

use std::io;
use std::os::unix::fs::FileExt;

use super::calendar::Calendar;
use super::header;
use super::source::Log;

/// Less is no other clock, but a daemon that is slow; in microseconds.
const LEAST: i64 = 60_000_000;
/// More is no zone, but a line of long ago.
const MOST: i64 = 15 * 3_600_000_000;
/// Of the end of a file so much is looked at.
const END: u64 = 16 << 10;

/// What to add to our time to have that of the log, in microseconds.
pub fn offset(log: &Log) -> i64 {
    let off = last_stamp(log).ok().flatten().map_or(0, |time| time - log.written.as_microsecond());
    if (LEAST..=MOST).contains(&off.abs()) { off } else { 0 }
}

fn last_stamp(log: &Log) -> io::Result<Option<i64>> {
    let Some((file, len)) = log.plain() else { return Ok(None) };
    let mut end = vec![0; len.min(END) as usize];
    file.read_exact_at(&mut end, len - len.min(END))?;
    let Some(complete) = memchr::memrchr(b'\n', &end) else { return Ok(None) };
    let start = memchr::memrchr(b'\n', &end[..complete]).map_or(0, |at| at + 1);
    let line = header::parse(header::trim(&end[start..complete]));
    Ok(line.and_then(|line| Calendar::new(crate::zone::local(), log.written).resolve(&line.stamp, 0)))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn the_last_complete_line_tells_how_far_the_clock_is_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("auth.log");
        let off = |seconds: i64, tail: &str| {
            let time = Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
            std::fs::write(&path, format!("first line\n{time} srv sshd[7]: x\n{tail}")).unwrap();
            offset(&Log::open(&path).unwrap()) / 60_000_000
        };
        assert_eq!((off(0, ""), off(-30, ""), off(59, "")), (0, 0, 0));
        for hours in [-9, -1, 1, 9] {
            assert!((off(3600 * hours, "half a") - 60 * hours).abs() <= 1, "{hours}");
        }
        assert_eq!(off(-20 * 3600, ""), 0, "nobody wrote for a day, and the file was touched");
        assert_eq!(off(3600, "no stamp\n"), 0);
        std::fs::write(&path, "").unwrap();
        assert_eq!(offset(&Log::open(&path).unwrap()), 0);
    }
}
