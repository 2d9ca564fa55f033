//! What stamps leave out: the zone of this machine, and the year.

use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::stamp::Stamp;
use super::years::{InYear, Years};

/// Fills in what stamps leave out: the zone of this machine, and the year.
///
/// The year is the latest that puts neither the line nor the last one of its file after `latest`: now,
/// or the time at which the file was last written. Where [`Years`] knows of more ends of a year in the
/// file, it is an earlier one.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
    latest: Timestamp,
    /// No line is later on the wall.
    bound: civil::DateTime,
    years: Years,
    hour: Option<(i16, i8, i8, u32, i64)>,
}

/// How far a line may lie after `latest`: clocks differ, and so may the zone of the writer.
const SLACK: SignedDuration = SignedDuration::from_hours(26);

impl Calendar {
    /// For lines that were written at `latest` or before, on the wall clock of `zone`.
    pub fn new(zone: TimeZone, latest: Timestamp) -> Self {
        let bound = zone.to_datetime(latest.checked_add(SLACK).unwrap_or(latest));
        Self { zone, latest, bound, years: Years::default(), hour: None }
    }

    /// Say which years the lines to come are of.
    pub fn set_years(&mut self, years: Years) {
        self.years = years;
    }

    /// The time of `stamp` at `place` in the log, in microseconds of the epoch; without a stamp,
    /// when the log was last written.
    pub fn resolve(&mut self, stamp: &Stamp, place: u64) -> Option<i64> {
        let (year, month, day, second, micro) = match *stamp {
            Stamp::Exact(micros) => return Some(micros),
            Stamp::Missing => return Some(self.latest.as_microsecond()),
            Stamp::Wall { year, month, day, second, micro } => (year, month, day, second, micro),
        };
        let year = match year {
            Some(year) => year,
            None => self.year_of((month, day, second), place)?,
        };
        let hour = second / 3600;
        let base = match self.hour {
            Some((y, m, d, h, base)) if (y, m, d, h) == (year, month, day, hour) => base,
            _ => {
                let base = self.hour_start(year, month, day, hour)?;
                self.hour = Some((year, month, day, hour, base));
                base
            }
        };
        Some((base + i64::from(second % 3600)) * 1_000_000 + i64::from(micro))
    }

    fn year_of(&self, time: InYear, place: u64) -> Option<i16> {
        let (month, day, _) = time;
        let to_come = self.years.to_come(place, month);
        // What comes before the last line is not of a later year than that.
        let year = match self.years.last().filter(|last| to_come > 0 || time <= *last) {
            Some(last) => self.latest_year_of(last).checked_sub(to_come)?,
            None => self.latest_year_of(time),
        };
        // The last year that had this day, for 29 February.
        (0..8).map(|back| year - back).find(|y| civil::Date::new(*y, month, day).is_ok())
    }

    fn latest_year_of(&self, time: InYear) -> i16 {
        let bound = (self.bound.month(), self.bound.day(), self.bound.hour() as u32 * 3600);
        self.bound.year() - i16::from(time > bound)
    }

    fn hour_start(&self, year: i16, month: i8, day: i8, hour: u32) -> Option<i64> {
        let at = civil::Date::new(year, month, day).ok()?.at(hour as i8, 0, 0, 0);
        let ambiguous = self.zone.to_ambiguous_timestamp(at);
        let fold = matches!(ambiguous.offset(), AmbiguousOffset::Fold { .. });
        let later = ambiguous.later().ok()?;
        let time = if fold && later <= self.latest { later } else { ambiguous.compatible().ok()? };
        Some(time.as_second())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::scan::stamp;
    use crate::scan::stamp::tests::at;

    #[test]
    fn a_log_of_last_year_is_one_of_last_year_to_its_first_line() {
        let lines = ["Nov 20 01:00:00", "Nov 28 01:00:00", "Dec 10 01:00:00"];
        let mut file = tempfile::tempfile().unwrap();
        let text: String = lines.iter().map(|line| format!("{line} srv x: y\n")).collect();
        file.write_all(text.as_bytes()).unwrap();
        for (read, year) in [("2026-11-27", 2025), ("2026-12-09", 2026), ("2026-12-30", 2026)] {
            let mut calendar = Calendar::new(TimeZone::UTC, format!("{read}T12:00:00Z").parse().unwrap());
            calendar.set_years(Years::of(&file, 0, text.len() as u64).unwrap());
            for (line, place) in lines.iter().zip([0, 22, 44]) {
                let stamp = stamp::parse(format!("{line} srv").as_bytes()).unwrap().0;
                let time = Timestamp::from_microsecond(calendar.resolve(&stamp, place).unwrap()).unwrap();
                assert_eq!(TimeZone::UTC.to_datetime(time).year(), year, "{line} in {read}");
            }
        }
    }

    #[test]
    fn a_stamp_without_a_year_lies_before_the_time_of_reading() {
        let line = "Dec 31 23:59:59 host x: y";
        assert_eq!(at(line, "2026-01-03T00:00:00Z", "UTC"), "2025-12-31T23:59:59Z");
        assert_eq!(at(line, "2026-12-31T12:00:00Z", "UTC"), "2026-12-31T23:59:59Z");
        assert_eq!(at("Feb 29 00:00:00 host x: y", "2026-05-01T00:00:00Z", "UTC"), "2024-02-29T00:00:00Z");
    }

    #[test]
    fn wall_time_is_read_in_the_zone_of_this_machine_even_when_an_hour_comes_twice() {
        let berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
        let line = "Jul  1 12:00:00 host x: y";
        assert_eq!(at(line, "2026-07-02T00:00:00Z", berlin), "2026-07-01T10:00:00Z");
        let line = "Oct 25 02:30:00 host x: y";
        assert_eq!(at(line, "2026-10-25T00:31:00Z", berlin), "2026-10-25T00:30:00Z");
        assert_eq!(at(line, "2026-10-25T01:31:00Z", berlin), "2026-10-25T01:30:00Z");
    }
}
