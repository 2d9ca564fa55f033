//! The failures and logins of a log one by one, nothing of which is kept: for reports on logs of any size, and for
//! simulations.

use std::path::Path;

use jiff::Timestamp;

use super::attempts::{Attempts, Open, Row};
use super::intake::Intake;
use super::origin::ThisMachine;
use super::whole::{Take, read, read_source};
use super::{Error, Watch, blank, journald, put};
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
    here: ThisMachine,
    event: Box<Event>,
}

impl Default for Rows {
    fn default() -> Self {
        let (here, event) = (ThisMachine::default(), Box::new(blank()));
        Self { rows: Vec::new(), classes: Vec::new(), here, event }
    }
}

impl Rows {
    /// Hand each to `take`.
    pub fn each(&mut self, take: &mut dyn FnMut(&Event)) {
        let mut from = 0;
        // Most lines are of one machine.
        let mut last: Option<(&str, bool)> = None;
        for (class, to) in &self.classes {
            for row in &self.rows[from..*to] {
                let is_here = match last {
                    Some((host, is_here)) if host == row.host => is_here,
                    _ => self.here.is(&row.host),
                };
                last = Some((&row.host, is_here));
                put(row, row.count, *class, is_here, &mut self.event);
                take(&self.event);
            }
            from = *to;
        }
    }

    /// Forget them, but keep their memory.
    pub fn clear(&mut self) {
        self.classes.clear();
        self.rows.clear();
    }

    /// What was settled since the last call, and then who got in.
    fn take_from(&mut self, attempts: &mut Attempts) {
        attempts.move_settled(&mut self.rows);
        self.are_of(Class::Failure);
        attempts.move_logins(&mut self.rows);
        self.are_of(Class::Login);
    }

    fn are_of(&mut self, class: Class) {
        if self.classes.last().map_or(0, |(_, to)| *to) < self.rows.len() {
            self.classes.push((class, self.rows.len()));
        }
    }
}

/// Lines that hold words of an attempt, and count for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uncounted {
    /// Somebody wrote them who cannot know of it.
    pub forged: u64,
    /// They do not begin as a log daemon writes them.
    pub not_understood: u64,
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

fn each_of(
    take: &mut dyn FnMut(&mut Rows),
    read: impl FnOnce(&mut Intake, Take<'_>) -> Result<(), Error>,
) -> Result<Uncounted, Error> {
    let mut rows = Rows::default();
    let mut intake = Intake::new(false, false, Open::default());
    intake.attempts.keep_logins();
    let mut hand_over = |intake: &mut Intake, fewest: usize| {
        rows.take_from(&mut intake.attempts);
        if rows.rows.len() >= fewest {
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
    Ok(Uncounted { forged: intake.forged, not_understood: intake.not_understood })
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
}
