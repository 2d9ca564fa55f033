//! The weekly summary: what a receiver with `tell = ["summary"]` is sent each Monday morning.

use std::path::Path;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::source::{self, Error, Request};
use super::{Report, html};
use crate::accounts::Accounts;
use crate::config::Config;
use crate::deliver::announced::Announced;
use crate::deliver::history::History;
use crate::deliver::is_ignored;
use crate::deliver::place::Place;
use crate::event::Class;
use crate::journal::Journal;
use crate::message::{Summary, Weekly};

/// The hour of Monday at which it is due: there when people come to work.
const HOUR: i8 = 7;

/// A week that is to be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Week {
    /// A Monday morning.
    pub since: Timestamp,
    /// The next one.
    pub until: Timestamp,
}

impl Week {
    /// The week that ended last before `now`, in the zone of the machine; none if `sent`, the end of the week that was
    /// reported last, is that one. Of several weeks that were missed the last alone is reported.
    pub fn due(sent: Option<Timestamp>, now: Timestamp, zone: &TimeZone) -> Option<Self> {
        let until = monday(zone.to_datetime(now))?;
        let since = until.checked_sub(1.week()).ok()?;
        let (since, until) = (zone.to_timestamp(since).ok()?, zone.to_timestamp(until).ok()?);
        sent.is_none_or(|sent| sent < until).then_some(Self { since, until })
    }
}

/// The last Monday morning that is not after `now`.
fn monday(now: DateTime) -> Option<DateTime> {
    let back = i64::from(now.weekday().to_monday_zero_offset());
    let this = now.date().checked_sub(back.days()).ok()?.at(HOUR, 0, 0, 0);
    if this <= now { Some(this) } else { this.checked_sub(1.week()).ok() }
}

/// The summary of `week` for `receiver`: three lines by [`Composer`](crate::message::Composer), and a page for one
/// that can carry it. Root's own tests are in neither; what the configuration ignores is in the page alone, and names of no
/// account are in it only where the configuration says so. Takes no lock; outside of a login only.
pub fn weekly(
    state: &Path,
    config: &Config,
    receiver: &str,
    week: Week,
    machine: &str,
    zone: &TimeZone,
) -> Result<(Weekly, String), Error> {
    let request = Request {
        files: Vec::new(),
        journald: false,
        since: Some(week.since),
        until: Some(week.until),
        geo: config.report.geo.clone(),
        names_hidden: !config.alerts.post_unknown_users,
    };
    let report = source::of_journal(&request, state, config)?;
    let page = html::page(&report, machine, zone, true);
    Ok((content(state, config, receiver, week, &report)?, page))
}

fn content(
    state: &Path,
    config: &Config,
    receiver: &str,
    week: Week,
    report: &Report,
) -> Result<Weekly, Error> {
    let mut accounts = Accounts::outside_login();
    let (mut failures, mut announced) = (Summary::default(), Announced::default());
    let journal = Journal::new(state);
    let mut each = |event: crate::event::Event| match event.class {
        _ if event.time > week.until => {}
        Class::Test => announced.note(&event),
        Class::Failure if !announced.covers(&event) && !is_ignored(&event, &config.ignore) => {
            let (user, asker) = (accounts.standing(&event.user), accounts.standing(&event.ruser));
            failures.add(&event, user, asker);
        }
        _ => {}
    };
    journal
        .read_since(week.since, &mut each)
        .map_err(|why| Error::Journal(journal.directory().into(), why))?;
    let mut alerts = 0;
    // A history that cannot be read has told nothing.
    let _ = History::of(&Place::new(state, receiver)).read(0, &mut |entry| {
        alerts += u64::from(entry.is_some_and(|entry| entry.time >= week.since && entry.time <= week.until));
    });
    let break_ins = report.findings.iter().filter(|found| found.verdict == "break-in").count() as u64;
    Ok(Weekly { since: week.since, failures, logins: report.logins, break_ins, alerts })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::message::summary::tests::failure;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_week_is_due_on_monday_at_seven_by_the_clock_of_the_machine_and_once() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        // 2026-03-30 is a Monday, and the clock was put forward the day before.
        let week = Week { since: at("2026-03-23T06:00:00Z"), until: at("2026-03-30T05:00:00Z") };
        for (now, due) in [("2026-03-30T05:00:00Z", true), ("2026-04-05T23:00:00Z", true)] {
            assert_eq!(Week::due(None, at(now), &zone) == Some(week), due, "{now}");
            assert_eq!(Week::due(Some(week.until), at(now), &zone), None, "{now}");
        }
        assert_eq!(Week::due(Some(at("2026-03-23T06:00:00Z")), at("2026-03-30T04:59:59Z"), &zone), None);
        assert_eq!(
            Week::due(Some(at("2026-03-02T06:00:00Z")), at("2026-03-31T00:00:00Z"), &zone),
            Some(week)
        );
    }

    #[test]
    fn the_summary_covers_its_week_and_hides_what_may_be_a_password() {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::new(state.path());
        std::fs::create_dir(journal.directory()).unwrap();
        let test = Event { class: Class::Test, pid: 9, ..failure(300, "", "") };
        let events = [
            failure(99, "root", "192.0.2.7"),
            failure(200, "root", "192.0.2.7"),
            failure(201, "hunter2", "192.0.2.7"),
            Event { service: test.service.clone(), ..test.clone() },
            Event { pid: 9, ..failure(301, "root", "") },
            Event { class: Class::Login, ..failure(400, "root", "192.0.2.8") },
            failure(1001, "root", "192.0.2.7"),
        ];
        journal.append(&events).unwrap();
        let week = Week { since: failure(100, "", "").time, until: failure(1000, "", "").time };
        let (weekly, page) =
            weekly(state.path(), &Config::default(), "timeline", week, "srv", &TimeZone::UTC).unwrap();
        assert_eq!((weekly.failures.failures(), weekly.logins, weekly.break_ins), (2, 1, 0));
        assert!(page.contains("192.0.2.7") && !page.contains("hunter2"));
    }
}
