//! The weekly summary: when it is due, and the week in numbers, from the journal and from what the receiver was sent.

use std::io;

use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::accounts::Accounts;
use crate::config::Kind;
use crate::event::Class;
use crate::journal::read::{self, Line};
use crate::journal::{Journal, segment};
use crate::message::{Summary, Weekly};

use super::announced::Announced;
use super::history::History;
use super::intake::is_ignored;
use super::reader::Reader;

/// The first Monday, 08:00 in `zone`, after `now`.
pub fn next_monday(zone: &TimeZone, now: Timestamp) -> Timestamp {
    let today = zone.to_datetime(now).date();
    let days = (0..=7).filter_map(|days| today.checked_add(days.days()).ok());
    let mondays = days.filter(|day| day.weekday() == Weekday::Monday);
    mondays.filter_map(|day| moment(zone, day.at(8, 0, 0, 0))).find(|at| *at > now).unwrap_or(Timestamp::MAX)
}

/// Where a summary that is made `now` begins: where the last one ended, however long ago, or seven days ago by the
/// calendar, which are an hour more or less where the clocks change.
pub fn begin(zone: &TimeZone, last: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let week_ago = zone.to_datetime(now).checked_sub(7.days()).ok().and_then(|then| moment(zone, then));
    last.filter(|last| *last < now).or(week_ago).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn moment(zone: &TimeZone, local: DateTime) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(local).compatible().ok()
}

/// What happened from `since` to `now`, for the receiver of `reader`.
pub fn week(reader: &Reader<'_>, since: Timestamp, now: Timestamp) -> io::Result<Weekly> {
    let mut week = Weekly { since, failures: Summary::default(), logins: 0, break_ins: 0, alerts: 0 };
    let (mut accounts, mut announced) = (Accounts::outside_login(), Announced::default());
    for segment in segment::list(Journal::new(&reader.request.state).directory())? {
        read::read(&segment, 0, &mut |_, line| {
            let Line::Event(event) = line else { return };
            match event.class {
                // Also where the week begins between it and what it announces.
                Class::Test => announced.note(&event),
                _ if event.time < since || event.time > now => {}
                Class::Login => week.logins += u64::from(event.count),
                Class::Failure if !announced.covers(&event) && !is_ignored(&event, &reader.config.ignore) => {
                    let (user, ruser) = (accounts.tried(&event), accounts.asker(&event));
                    week.failures.add(&event, user, ruser);
                }
                Class::Failure | Class::Aborted | Class::Address => {}
            }
        })?;
    }
    History::of(&reader.place).read(0, &mut |entry| {
        let Some(entry) = entry.filter(|entry| entry.time >= since) else { return };
        week.alerts += 1;
        week.break_ins += u64::from(entry.kind == Kind::BreakIn);
    })?;
    Ok(week)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_comes_on_monday_mornings_also_where_the_clocks_change() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let mut at: Timestamp = "2026-01-07T12:00:00Z".parse().unwrap();
        for _ in 0..60 {
            let next = next_monday(&zone, at);
            let local = zone.to_datetime(next);
            assert_eq!((local.weekday(), local.hour(), local.minute()), (Weekday::Monday, 8, 0));
            assert!(next > at && next_monday(&zone, next.checked_sub(1.second()).unwrap()) == next);
            assert_eq!(zone.to_datetime(begin(&zone, None, next)), local.checked_sub(7.days()).unwrap());
            at = next;
        }
    }

    #[test]
    fn one_summary_begins_where_the_last_one_ended_also_after_weeks() {
        let at = |time: &str| -> Timestamp { time.parse().unwrap() };
        let (last, now) = (at("2026-01-05T07:00:41Z"), at("2026-02-11T09:00:00Z"));
        assert_eq!(begin(&TimeZone::UTC, Some(last), now), last);
        // A clock that was ahead.
        assert_eq!(begin(&TimeZone::UTC, Some(now), last), at("2025-12-29T07:00:41Z"));
    }
}
