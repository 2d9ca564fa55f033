//! Words and numbers that the page and the text have in common.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::numbers::{Counted, OfNetwork, Report};
use crate::accounts::AccountKind;

pub(super) const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
pub(super) const LONG_WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// What is written for a name that may be a password.
pub(super) const HIDDEN: &str = "(hidden: it may be a password)";
/// What is written for all of them together.
pub(super) const ALL_HIDDEN: &str = "(names of no account, hidden)";

/// A name as it is shown; `hidden` stands for one that may be a password.
pub(super) fn name<'a>(name: Option<&'a str>, hidden: &'a str) -> &'a str {
    match name {
        Some("") => "(no name)",
        Some(name) => name,
        None => hidden,
    }
}

/// `1,234,567`
pub(super) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 failed login`, `7 failed logins`
pub(super) fn counted(n: u64, what: &str) -> String {
    format!("{} {what}{}", number(n), if n == 1 { "" } else { "s" })
}

/// `3 d 4 h`, `2 h 5 min`, `40 s`
pub(super) fn duration(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

pub(super) fn minute(time: Timestamp, zone: &TimeZone) -> String {
    zone.to_datetime(time).strftime("%Y-%m-%d %H:%M").to_string()
}

/// What the report is about: `from 2026-01-05 12:00 to 2026-02-04 12:00`.
pub(super) fn period(report: &Report, zone: &TimeZone) -> String {
    match (report.since, report.until) {
        (Some(since), Some(until)) => format!("from {} to {}", minute(since, zone), minute(until, zone)),
        (Some(since), None) => format!("since {}", minute(since, zone)),
        (None, Some(until)) => format!("until {}", minute(until, zone)),
        (None, None) => "no failure and no login".into(),
    }
}

pub(super) fn kind(kind: AccountKind) -> &'static str {
    match kind {
        AccountKind::Existing => "account here",
        AccountKind::Root => "root",
        AccountKind::System => "system account",
        AccountKind::Unknown => "no account here",
    }
}

/// A count that may be too low.
pub(super) fn at_least(failures: u64, may_be_more: u64) -> String {
    if may_be_more == 0 { number(failures) } else { format!("{}+", number(failures)) }
}

/// Of IPv6 so many addresses at least are told apart.
pub(super) fn addresses(row: &OfNetwork) -> String {
    at_least(row.addresses.into(), u64::from(row.network.contains(':')))
}

pub(super) fn verdict(verdict: &str, proven: bool) -> String {
    let what = if verdict == "break-in" { "break-in?" } else { "new source under attack" };
    format!("{what}{}", if proven { "" } else { " (by a log)" })
}

/// Country and operator, where they are known.
pub(super) fn place(row: &Counted) -> String {
    [row.country.as_str(), row.operator.as_str()]
        .iter()
        .filter(|part| !part.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_durations_read_as_a_person_writes_them() {
        assert_eq!(
            (number(7), number(1234), number(1_234_567)),
            ("7".into(), "1,234".into(), "1,234,567".into())
        );
        assert_eq!(counted(1, "alert"), "1 alert");
        let shown = [40, 700, 7500, 277_000].map(duration);
        assert_eq!(shown, ["40 s", "11 min", "2 h 5 min", "3 d 4 h"]);
    }
}
