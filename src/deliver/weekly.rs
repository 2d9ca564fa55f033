//! The week in numbers, from the journal and from what the receiver was sent.

use std::io;
use std::time::Duration;

use jiff::Timestamp;

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

const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// The seven days before `now`, for the receiver of `reader`.
pub fn week(reader: &Reader<'_>, now: Timestamp) -> io::Result<Weekly> {
    let since = now.checked_sub(WEEK).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut week = Weekly { since, failures: Summary::default(), logins: 0, break_ins: 0, alerts: 0 };
    let (mut accounts, mut announced) = (Accounts::outside_login(), Announced::default());
    for segment in segment::list(Journal::new(&reader.request.state).directory())? {
        read::read(&segment, 0, &mut |_, line| {
            let Line::Event(event) = line else { return };
            if event.time < since || event.time > now {
                return;
            }
            match event.class {
                Class::Test => announced.note(&event),
                Class::Login => week.logins += u64::from(event.count),
                Class::Failure if !announced.covers(&event) && !is_ignored(&event, &reader.config.ignore) => {
                    let (user, ruser) = (accounts.tried(&event), accounts.asker(&event));
                    week.failures.add(&event, user, ruser);
                }
                Class::Failure | Class::Aborted => {}
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
