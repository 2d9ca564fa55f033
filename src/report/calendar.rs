//! When it happened: by day, and by hour of the week, in the machine's zone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Days that are told apart. A log that anybody can write to may name any day at all.
const DAYS: usize = 4000;
/// The zones of the world differ by multiples of this.
const QUARTER: i64 = 900;

/// Failures by day and by hour of the week.
#[derive(Debug)]
pub(crate) struct Calendar {
    zone: TimeZone,
    days: BTreeMap<Date, u64>,
    week: [[u64; 24]; 7],
    elsewhere: u64,
    /// The last quarter of an hour that was looked up: what follows mostly falls into the same.
    last: Option<(i64, Date, usize, usize)>,
}

impl Calendar {
    pub(crate) fn new(zone: TimeZone) -> Self {
        Self { zone, days: BTreeMap::new(), week: [[0; 24]; 7], elsewhere: 0, last: None }
    }

    /// Count `count` failures at `time`.
    pub(crate) fn add(&mut self, time: Timestamp, count: u64) {
        let quarter = time.as_second().div_euclid(QUARTER);
        let (_, day, weekday, hour) = match self.last {
            Some(last) if last.0 == quarter => last,
            _ => {
                let local = self.zone.to_datetime(time);
                let weekday = local.weekday().to_monday_zero_offset();
                let place = |n: i8| usize::try_from(n).unwrap_or(0);
                (quarter, local.date(), place(weekday), place(local.hour()))
            }
        };
        self.last = Some((quarter, day, weekday, hour));
        self.week[weekday % 7][hour % 24] += count;
        let is_full = self.days.len() >= DAYS;
        match self.days.get_mut(&day) {
            Some(counted) => *counted += count,
            None if is_full => self.elsewhere += count,
            None => _ = self.days.insert(day, count),
        }
    }

    /// Failures of each day that has one, oldest first.
    pub(crate) fn days(&self) -> impl Iterator<Item = (Date, u64)> {
        self.days.iter().map(|(day, count)| (*day, *count))
    }

    /// By weekday, Monday first, and hour.
    pub(crate) fn week(&self) -> [[u64; 24]; 7] {
        self.week
    }

    /// Failures on so many different days that they were not told apart any more.
    pub(crate) fn elsewhere(&self) -> u64 {
        self.elsewhere
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_hours_are_those_of_the_zone_also_where_the_clock_is_put_forward() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let mut calendar = Calendar::new(zone);
        for (time, count) in [
            ("2026-03-29T00:59:59Z", 1), // 01:59:59, a Sunday
            ("2026-03-29T01:00:00Z", 2), // 03:00:00
            ("2026-03-29T22:00:00Z", 4), // Monday, 00:00
        ] {
            calendar.add(time.parse().unwrap(), count);
        }
        let week = calendar.week();
        assert_eq!((week[6][1], week[6][2], week[6][3], week[0][0]), (1, 0, 2, 4));
        let days: Vec<u64> = calendar.days().map(|(_, count)| count).collect();
        assert_eq!(days, [3, 4]);
    }

    #[test]
    fn a_log_of_any_number_of_days_is_counted_and_bounded() {
        let mut calendar = Calendar::new(TimeZone::UTC);
        for day in 0..2 * DAYS as i64 {
            calendar.add(Timestamp::from_second(day * 86_400).unwrap(), 1);
        }
        let counted: u64 = calendar.days().map(|(_, count)| count).sum();
        assert_eq!((counted, calendar.elsewhere()), (DAYS as u64, DAYS as u64));
    }
}
