//! The failures and logins of a log one by one, nothing of which is kept: for reports on logs of any size, and for
//! simulations.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use compact_str::CompactString;
use jiff::Timestamp;

use super::attempts::{Open, Row};
use super::intake::Intake;
use super::origin::ThisMachine;
use super::source::Log;
use super::text::Source;
use super::unread::Unread;
use super::whole::{Take, read, read_source};
use super::{Error, Uncounted, Watch, blank, journald, put_row};
use crate::event::{Class, Event};

/// Rows that are handed over at once, or a few more.
const BATCH: usize = 512;

/// Failures and logins, nearly in the order of time: a failure comes when its process has ended, or 8192 others have
/// begun. They become events only where they are counted, all of them in the same memory.
#[derive(Debug)]
pub struct Rows {
    rows: Vec<Row>,
    /// What they are, each up to that place.
    classes: Vec<(Class, usize)>,
    /// Lines of logins between them.
    unread: Unread,
    here: ThisMachine,
    event: Box<Event>,
}

impl Default for Rows {
    fn default() -> Self {
        let (here, event) = (ThisMachine::default(), Box::new(blank()));
        Self { rows: Vec::new(), classes: Vec::new(), unread: Unread::default(), here, event }
    }
}

impl Rows {
    /// Hand each to `take`.
    pub fn each(&mut self, take: &mut dyn FnMut(&Event)) {
        let Self { rows, classes, unread, here, event } = self;
        // Most lines are of one machine.
        let mut last: Option<(CompactString, bool)> = None;
        let mut is_here = |host: &str| match &last {
            Some((known, is_here)) if known == host => *is_here,
            _ => last.insert((host.into(), here.is(host))).1,
        };
        let mut logins = unread.logins();
        let mut classes = classes.iter().peekable();
        for (at, row) in rows.iter().enumerate() {
            while logins.next_before(at, &mut is_here, event).is_some() {
                take(event);
            }
            while classes.next_if(|(_, to)| *to <= at).is_some() {}
            if let Some((class, _)) = classes.peek() {
                put_row(row, row.count, *class, is_here(&row.host), event);
                take(event);
            }
        }
        while logins.next_before(usize::MAX, &mut is_here, event).is_some() {
            take(event);
        }
    }

    /// Forget them, but keep their memory.
    pub fn clear(&mut self) {
        self.classes.clear();
        self.rows.clear();
        self.unread.clear();
    }

    /// How many there are, with lines that may be none.
    fn len(&self) -> usize {
        self.rows.len() + self.unread.len()
    }

    /// What was settled since the last call, and then who got in.
    fn take_from(&mut self, intake: &mut Intake) {
        let Intake { attempts, unread, .. } = intake;
        attempts.move_settled(&mut self.rows);
        self.are_of(Class::Failure);
        unread.iter_mut().for_each(|unread| self.unread.take_from(unread, self.rows.len()));
        attempts.move_logins(&mut self.rows);
        self.are_of(Class::Login);
    }

    fn are_of(&mut self, class: Class) {
        if self.classes.last().map_or(0, |(_, to)| *to) < self.rows.len() {
            self.classes.push((class, self.rows.len()));
        }
    }
}

/// Hand the failures and logins of the log at `path` to `take`, which may exchange the rows for others that are empty.
pub fn each(path: &Path, watch: Watch<'_>, take: &mut dyn FnMut(&mut Rows)) -> Result<Uncounted, Error> {
    let mut found = false;
    let mut unread = None;
    let mut taker = |rows: &mut Rows| {
        found = true;
        take(rows);
    };
    let uncounted = each_of(&mut taker, |intake, after| {
        unread = read(path, intake, watch, after)?.unread;
        Ok(())
    })?;
    match unread.filter(|_| !found) {
        Some(line) => Err(Error::NotUnderstood(path.to_owned(), line)),
        None => Ok(uncounted),
    }
}

/// The same of the systemd journal, from `since` or its beginning on.
pub fn each_of_journald(
    since: Option<Timestamp>,
    watch: Watch<'_>,
    take: &mut dyn FnMut(&mut Rows),
) -> Result<Uncounted, Error> {
    let from = since.map_or(journald::From::Start, journald::From::Since);
    each_of(take, |intake, after| {
        journald::read(&from, Timestamp::now(), |source| read_source(source, intake, watch, after))
            .map(|_| ())
    })
}

/// The same of the last so many `bytes` of a log that is not compressed. Of a process that began before them there is only the
/// end.
pub fn each_of_end(path: &Path, bytes: u64, take: &mut dyn FnMut(&mut Rows)) -> Result<(), Error> {
    let failed = |why| Error::Read(path.to_owned(), why);
    let log = Log::open(path).map_err(failed)?;
    let Some((mut file, size)) = log.plain() else { return Ok(()) };
    let begin = size.saturating_sub(bytes);
    file.seek(SeekFrom::Start(begin)).map_err(failed)?;
    let mut text = BufReader::new(file.take(size - begin));
    if begin > 0 {
        // A line that began before.
        text.skip_until(b'\n').map_err(failed)?;
    }
    let source = Source::stream(path, text, log.written);
    each_of(take, |intake, after| read_source(source, intake, &mut |_, _, _| {}, after)).map(|_| ())
}

fn each_of(
    take: &mut dyn FnMut(&mut Rows),
    read: impl FnOnce(&mut Intake, Take<'_>) -> Result<(), Error>,
) -> Result<Uncounted, Error> {
    let mut rows = Rows::default();
    let mut intake = Intake::new(false, false, Open::default());
    intake.attempts.keep_logins();
    intake.unread = Some(Unread::default());
    let mut hand_over = |intake: &mut Intake, fewest: usize| {
        rows.take_from(intake);
        if rows.len() >= fewest || rows.unread.is_large() {
            take(&mut rows);
            rows.clear();
        }
    };
    let read = read(&mut intake, &mut |intake| {
        hand_over(intake, BATCH);
        Ok(())
    });
    // What was settled before the log could not be read any more was found all the same.
    hand_over(&mut intake, 1);
    read?;
    intake.attempts.finish();
    hand_over(&mut intake, 1);
    Ok(intake.uncounted)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn failures_come_and_logins_too() {
        let mut log = tempfile::NamedTempFile::new().unwrap();
        let text = "Nov  3 09:05:01 srv su[7]: FAILED SU (to alice) bob on pts/0\n\
            Nov  3 09:05:02 srv sshd[9]: Failed password for root from 192.0.2.7 port 4711 ssh2\n\
            Nov  3 09:05:09 srv sshd[10]: Accepted password for root from 192.0.2.7 port 4712 ssh2\n\
            Nov  3 09:05:10 srv su[11]: (to bob) root on none\n";
        log.write_all(text.as_bytes()).unwrap();
        let (mut failures, mut logins) = (Vec::new(), Vec::new());
        let mut take = |event: &Event| match event.class {
            Class::Login => logins.push(event.clone()),
            _ => failures.push(event.clone()),
        };
        each(log.path(), &mut |_, _, _| {}, &mut |rows| rows.each(&mut take)).unwrap();
        failures.sort_by_key(|event| event.time);
        let of = |event: &Event| (event.service.to_string(), event.user.to_string());
        let expected = [("su".to_owned(), "alice".to_owned()), ("sshd".to_owned(), "root".to_owned())];
        assert_eq!(failures.iter().map(of).collect::<Vec<_>>(), expected);
        assert_eq!((logins.len(), logins[0].user.as_str()), (1, "root"));
    }

    #[test]
    fn of_the_end_of_a_log_what_begins_there_comes() {
        let mut log = tempfile::NamedTempFile::new().unwrap();
        let line = |n: u32| {
            format!(
                "2026-11-03T09:05:{n:02}Z srv sshd[{n}]: Failed password for root from 192.0.2.7 port {n} ssh2\n"
            )
        };
        let text: String = (10..50).map(line).collect();
        log.write_all(text.as_bytes()).unwrap();
        let size = text.len() as u64 / 40;
        for (bytes, expected) in [(0, 0), (size - 1, 0), (size + 1, 1), (3 * size + 5, 3), (u64::MAX, 40)] {
            let mut pids = Vec::new();
            let mut take = |event: &Event| pids.push(event.pid);
            each_of_end(log.path(), bytes, &mut |rows| rows.each(&mut take)).unwrap();
            pids.sort_unstable();
            assert_eq!(pids, (50 - expected..50).collect::<Vec<u32>>(), "{bytes} bytes");
        }
    }

    /// Attempts in a log as the scan counts them, and failures and logins that are handed over of it.
    fn counted(text: &str) -> (u64, u64, usize) {
        let mut log = tempfile::NamedTempFile::new().unwrap();
        log.write_all(text.as_bytes()).unwrap();
        let mut scanned = 0;
        let mut intake = Intake::new(false, false, Open::default());
        let mut sum = |intake: &mut Intake| {
            scanned += intake.attempts.take_settled().iter().map(|row| u64::from(row.count)).sum::<u64>();
        };
        let mut after = |intake: &mut Intake| {
            sum(intake);
            Ok(())
        };
        read(log.path(), &mut intake, &mut |_, _, _| {}, &mut after).unwrap();
        intake.attempts.finish();
        sum(&mut intake);
        let (mut failures, mut logins) = (0, 0);
        let mut take = |event: &Event| match event.class {
            Class::Login => logins += 1,
            _ => failures += u64::from(event.count),
        };
        let uncounted = each(log.path(), &mut |_, _, _| {}, &mut |rows| rows.each(&mut take)).unwrap();
        assert_eq!(uncounted, intake.uncounted);
        (scanned, failures, logins)
    }

    #[test]
    fn a_refusal_is_taken_back_by_what_comes_soon_enough_however_much_is_logged_between() {
        let line = |second: u32, text: &str| {
            format!("2026-11-03T09:{:02}:{:02}Z srv {text}\n", second / 60, second % 60)
        };
        let pam = "logname= uid=1000 euid=0 tty=pts/0 ruser=bob rhost=  user=root";
        let refusal = line(0, &format!("su[7]: pam_unix(su:auth): authentication failure; {pam}"));
        let opened = "su[7]: pam_unix(su:session): session opened for user root(uid=0) by bob(uid=1000)";
        // Another module accepts, after the first line or with another pid.
        let to = "su[7]: (to root) bob on pts/0";
        for bytes in [0, 31 << 10, 40 << 10, 1 << 20] {
            let filler = |second: u32| line(second, "app[5]: hello").repeat(bytes / 40);
            for (second, expected) in [(1, 0), (9, 0), (10, 0), (11, 1), (599, 1)] {
                let text = format!("{refusal}{}{}", filler(second), line(second, opened));
                assert_eq!(counted(&text), (expected, expected, 0), "{bytes} bytes, {second} s");
                let text = format!("{refusal}{}{}", filler(second), line(second, to));
                assert_eq!(counted(&text), (expected, expected, 1), "{bytes} bytes, {second} s");
            }
        }
    }

    #[test]
    fn what_is_counted_is_the_same_whether_or_not_logins_are_wanted() {
        let late = "2026-11-03T09:20:00Z srv ";
        let filler = format!("{late}app[5]: hello\n").repeat(2000);
        let accepted = format!(
            "{late}sshd[8]: Accepted publickey for bob from 192.0.2.7 port 4710 ssh2: RSA SHA256:a\n"
        );
        assert_eq!(counted(&accepted), (0, 0, 1));
        // Text that is no log line counts as that only where it may be about an attempt.
        let failed = format!("{late}sshd[9]: Failed password for root from 192.0.2.7 port 4711 ssh2\n");
        let junk = "COMMAND= (to x) session opened for user x\n";
        assert_eq!(counted(&format!("{filler}{failed}{filler}{junk}")), (1, 1, 0));
        let sudo = format!("{late}sudo[9]:   bob : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id\n");
        let again = format!("{late}last message repeated 2 times\n");
        assert_eq!(counted(&format!("{filler}{failed}{filler}{sudo}{again}")), (1, 1, 2));
    }

    #[test]
    fn logins_that_are_read_later_are_those_that_are_read_at_once_in_the_order_of_the_log() {
        let line = |n: usize| {
            let (second, pid) = (n / 5, 100 + n);
            let text = match n % 5 {
                0 => format!(
                    "sshd[{pid}]: Accepted publickey for bob from 192.0.2.{} port 4711 ssh2: RSA SHA256:a",
                    n % 250
                ),
                1 => format!("sudo[{pid}]:   bob{n} : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id"),
                2 => format!("sshd[{pid}]: Failed password for eve from 192.0.2.9 port {n} ssh2"),
                // Its process is known by then.
                3 => {
                    format!("sshd[{}]: Accepted password for eve from 192.0.2.9 port {} ssh2", pid - 1, n - 1)
                }
                _ => "app[5]: hello".to_owned(),
            };
            format!("Nov  3 09:{:02}:{:02} srv {text}\n", second / 60 % 60, second % 60)
        };
        let mut log = tempfile::NamedTempFile::new().unwrap();
        let text: String = (0..18_000).map(line).collect();
        log.write_all(text.as_bytes()).unwrap();
        let mut at_once = Intake::new(false, false, Open::default());
        at_once.attempts.keep_logins();
        let mut expected = Vec::new();
        let mut after = |intake: &mut Intake| {
            expected.extend(intake.attempts.take_logins());
            Ok(())
        };
        read(log.path(), &mut at_once, &mut |_, _, _| {}, &mut after).unwrap();
        let expected: Vec<_> = expected.iter().map(|row| (row.time, row.pid, row.user.to_string())).collect();
        let (mut logins, mut failures) = (Vec::new(), 0);
        let mut take = |event: &Event| match event.class {
            Class::Login => logins.push((event.time.as_microsecond(), event.pid, event.user.clone())),
            _ => failures += 1,
        };
        each(log.path(), &mut |_, _, _| {}, &mut |rows| rows.each(&mut take)).unwrap();
        assert_eq!((logins.len(), failures), (10_800, 3600));
        assert!(logins == expected);
    }
}
