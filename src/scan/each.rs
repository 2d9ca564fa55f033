//! The events of a log one by one, logins among them, nothing of which is kept: for reports on logs of any size.

use std::path::Path;

use jiff::Timestamp;

use super::attempts::{Open, Row};
use super::intake::Intake;
use super::origin::ThisMachine;
use super::whole::{Take, read, read_source};
use super::{Error, Watch, event, journald};
use crate::event::{Class, Event};

/// Hand each failure and login of the log at `path` to `take`, nearly in the order of time: a failure comes when its
/// process has ended, or 8192 others have begun. Gives how many lines were forged.
pub fn each(path: &Path, watch: Watch<'_>, take: &mut dyn FnMut(Event)) -> Result<u64, Error> {
    let mut found = false;
    let mut unread = None;
    let mut taker = |event| {
        found = true;
        take(event);
    };
    let forged = each_of(&mut taker, |intake, after| {
        unread = read(path, intake, watch, after)?.unread;
        Ok(())
    })?;
    match unread.filter(|_| !found) {
        Some(line) => Err(Error::NotUnderstood(path.to_owned(), line)),
        None => Ok(forged),
    }
}

/// The same of the systemd journal, from `since` or its beginning on.
pub fn each_of_journald(
    since: Option<Timestamp>,
    watch: Watch<'_>,
    take: &mut dyn FnMut(Event),
) -> Result<u64, Error> {
    let from = since.map_or(journald::From::Start, journald::From::Since);
    each_of(take, |intake, after| {
        journald::read(&from, Timestamp::now(), |source| read_source(source, intake, watch, after))
            .map(|_| ())
    })
}

fn each_of(
    take: &mut dyn FnMut(Event),
    read: impl FnOnce(&mut Intake, Take<'_>) -> Result<(), Error>,
) -> Result<u64, Error> {
    let here = ThisMachine::default();
    let mut intake = Intake::new(false, false, Open::default());
    intake.attempts.keep_logins();
    let mut hand_over = |intake: &mut Intake| {
        let mut hand = |row: Row, class| take(event(&row, row.count, class, None, &here));
        intake.attempts.take_settled().into_iter().for_each(|row| hand(row, Class::Failure));
        intake.attempts.take_logins().into_iter().for_each(|row| hand(row, Class::Login));
        Ok(())
    };
    read(&mut intake, &mut hand_over)?;
    intake.attempts.finish();
    hand_over(&mut intake)?;
    Ok(intake.forged)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_report_and_a_simulation_read_the_same_failures_and_logins() {
        let mut log = tempfile::NamedTempFile::new().unwrap();
        let text = "Nov  3 09:05:01 srv su[7]: FAILED SU (to alice) bob on pts/0\n\
            Nov  3 09:05:02 srv sshd[9]: Failed password for root from 192.0.2.7 port 4711 ssh2\n\
            Nov  3 09:05:09 srv sshd[10]: Accepted password for root from 192.0.2.7 port 4712 ssh2\n";
        log.write_all(text.as_bytes()).unwrap();
        let mut events = Vec::new();
        each(log.path(), &mut |_, _, _| {}, &mut |event| events.push(event)).unwrap();
        events.sort_by_key(|event| event.time);
        assert_eq!(events, super::super::failures(log.path()).unwrap());
        let logins: Vec<_> = events.iter().filter(|event| event.class == Class::Login).collect();
        assert_eq!((logins.len(), logins[0].user.as_str()), (1, "root"));
    }
}
