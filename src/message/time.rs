//! How texts write times and numbers.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Writes times as they read best now: without the date today, without the year this year.
#[derive(Clone, Debug)]
pub(super) struct Clock<'a> {
    pub(super) zone: &'a TimeZone,
    pub(super) now: Timestamp,
}

impl Clock<'_> {
    /// `12:01:47`, `Nov 22 12:01:47` or `2025-11-22 12:01:47`.
    pub(super) fn time(&self, time: Timestamp) -> String {
        let (then, now) = (self.zone.to_datetime(time), self.zone.to_datetime(self.now));
        let format = match () {
            () if then.date() == now.date() => "%H:%M:%S",
            () if then.year() == now.year() => "%b %-d %H:%M:%S",
            () => "%Y-%m-%d %H:%M:%S",
        };
        then.strftime(format).to_string()
    }

    /// The same to the minute, for when something began: `11:20`, `Nov 22 11:20`.
    pub(super) fn minute(&self, time: Timestamp) -> String {
        let (text, ends_in_seconds) = (self.time(time), ":00".len());
        text[..text.len() - ends_in_seconds].to_owned()
    }

    /// `12:01:47`, or `12:01:47 to 12:05:00` with a date before each where it is needed.
    pub(super) fn span(&self, first: Timestamp, last: Timestamp) -> String {
        if first.as_second() == last.as_second() {
            return self.time(first);
        }
        let (from, to) = (self.zone.to_datetime(first), self.zone.to_datetime(last));
        let end = if from.date() != to.date() && to.date() == self.zone.to_datetime(self.now).date() {
            // Without it the end would seem to be on the first day.
            to.strftime("%b %-d %H:%M:%S").to_string()
        } else if from.date() == to.date() {
            to.strftime("%H:%M:%S").to_string()
        } else {
            self.time(last)
        };
        format!("{} to {end}", self.time(first))
    }
}

/// `4,489`.
pub(super) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 source`, `139 sources`.
pub(crate) fn counted(n: u64, word: &str) -> String {
    format!("{} {word}{}", number(n), if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_carry_a_date_only_where_it_is_needed() {
        let t = |text: &str| text.parse::<Timestamp>().unwrap();
        let clock = Clock { zone: &TimeZone::UTC, now: t("2026-11-23T12:01:47.5Z") };
        assert_eq!(clock.time(t("2026-11-23T00:00:00Z")), "00:00:00");
        assert_eq!(clock.time(t("2026-11-02T23:59:59Z")), "Nov 2 23:59:59");
        assert_eq!(clock.time(t("2025-11-23T12:01:47Z")), "2025-11-23 12:01:47");
        assert_eq!(clock.minute(t("2026-11-23T11:20:59Z")), "11:20");
        assert_eq!(clock.minute(t("2026-11-02T11:20:00Z")), "Nov 2 11:20");
        for (first, last, span) in [
            ("2026-11-23T12:00:00Z", "2026-11-23T12:00:00.9Z", "12:00:00"),
            ("2026-11-23T11:00:00Z", "2026-11-23T12:00:00Z", "11:00:00 to 12:00:00"),
            ("2026-11-22T11:00:00Z", "2026-11-23T12:00:00Z", "Nov 22 11:00:00 to Nov 23 12:00:00"),
            ("2026-11-22T11:00:00Z", "2026-11-22T12:00:00Z", "Nov 22 11:00:00 to 12:00:00"),
            ("2025-12-31T11:00:00Z", "2026-01-01T12:00:00Z", "2025-12-31 11:00:00 to Jan 1 12:00:00"),
        ] {
            assert_eq!(clock.span(t(first), t(last)), span);
        }
        let east = TimeZone::fixed(jiff::tz::offset(9));
        let clock = Clock { zone: &east, now: clock.now };
        assert_eq!(clock.time(t("2026-11-23T12:00:00Z")), "21:00:00");
        assert!(clock.time(Timestamp::MIN).starts_with("-9999-01-0"));
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (n, text) in [(0, "0"), (999, "999"), (4489, "4,489"), (1_234_567, "1,234,567")] {
            assert_eq!(number(n), text);
        }
        assert_eq!((counted(1, "source"), counted(2, "source")), ("1 source".into(), "2 sources".into()));
    }
}
