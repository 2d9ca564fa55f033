//! Points in time as a person types them.

use jiff::civil::{Date, DateTime};
use jiff::{Timestamp, ToSpan};

use crate::zone::local as local_zone;

/// RFC 3339; without a zone, in this machine's; a day is its beginning; or so long ago (`90s`, `10m`, `6h`, `30d`).
pub fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    // A day alone is read as its midnight.
    if let Ok(time) = text.parse::<DateTime>() {
        return here(time);
    }
    let ago = crate::config::parse_duration(text).ok_or(
        "expected a day such as 2026-01-05, a time such as 2026-01-05T12:00:00Z, or how long ago, such as 90s, 10m, 6h or 30d",
    )?;
    Timestamp::now().checked_sub(ago).map_err(|e| e.to_string())
}

/// The same where it is an end: a day is its last moment.
pub fn until(text: &str) -> Result<Timestamp, String> {
    let time = since(text)?;
    let Some(next) =
        text.parse::<Date>().ok().filter(|_| text.len() <= DAY.len()).and_then(|day| day.tomorrow().ok())
    else {
        return Ok(time);
    };
    here(next.at(0, 0, 0, 0))?.checked_sub(1.nanosecond()).map_err(|e| e.to_string())
}

/// As long as a day is when it is typed.
const DAY: &str = "2026-01-05";

fn here(time: DateTime) -> Result<Timestamp, String> {
    local_zone().to_ambiguous_timestamp(time).compatible().map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_what_was_typed_and_no_part_of_it_is_passed_over() {
        let zone = local_zone();
        let typed = |text: &str| zone.to_datetime(since(text).unwrap()).to_string();
        assert_eq!(typed("2026-01-05"), "2026-01-05T00:00:00");
        for text in ["2026-01-05T12:30:00", "2026-01-05 12:30:00", "2026-01-05T12:30", "2026-01-05 12:30"] {
            assert_eq!(typed(text), "2026-01-05T12:30:00", "{text}");
        }
        assert_eq!(since("2026-01-05T12:30:00+01:00").unwrap().to_string(), "2026-01-05T11:30:00Z");
        for text in ["", "2026-01-05x", "2026-02-30", "2026-01-05 25:00", "yesterday", "-1d", "2w"] {
            assert!(since(text).is_err() && until(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_day_of_an_end_is_whole() {
        let next = since("2026-01-06").unwrap();
        let end = until("2026-01-05").unwrap();
        assert!(end < next && end >= since("2026-01-05T23:59:59").unwrap());
        for text in ["2026-01-05T12:30:00Z", "2026-01-05 12:30", "2026-01-05T00:00"] {
            assert_eq!(until(text).unwrap(), since(text).unwrap(), "{text}");
        }
    }
}
