//! The time at the head of a line, in the forms that log daemons write.
//!
//! RFC 3164 (`Nov  3 09:05:01`) has neither year nor zone, ISO forms often have no zone. Parsing
//! gives what is there; [`Calendar`](super::calendar::Calendar) fills in the rest.

mod parts;

use jiff::civil;

use super::months::{eastern, foreign};
pub(super) use parts::{clock, number, skip_blanks};
use parts::{clock_of_date, fraction, month, past_word_of_zone, weekday, zone};

/// What a line says about its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// A point in time, in microseconds of the Unix epoch.
    Exact(i64),
    /// A time on the wall, in the zone of whoever wrote it, perhaps without a year.
    Wall {
        /// Absent in RFC 3164.
        year: Option<i16>,
        /// 1 to 12.
        month: i8,
        /// 1 to 31.
        day: i8,
        /// Second of the day.
        second: u32,
        /// Microsecond of the second.
        micro: u32,
    },
    /// None, or none that says anything (`[   12.345]` counts from the boot).
    Missing,
}

impl Stamp {
    /// Whether it is one that leaves the year out.
    pub fn has_no_year(&self) -> bool {
        matches!(self, Self::Wall { year: None, .. })
    }
}

/// Parse a stamp at the start of `text`; what follows it comes back, without the blank between.
pub fn parse(text: &[u8]) -> Option<(Stamp, &[u8])> {
    let (stamp, rest) = match *text.first()? {
        b'0'..=b'9' => {
            let (stamp, rest) =
                iso(text).or_else(|| unix(text)).or_else(|| year_first(text)).or_else(|| eastern(text))?;
            (stamp, past_zone_name(&stamp, rest))
        }
        b'A'..=b'Z' | b'a'..=b'z' => named(text)?,
        b'[' => bracketed(text)?,
        b' ' => eastern(&text[1..])?,
        0x80.. => foreign(text)?,
        _ => return None,
    };
    Some((stamp, skip_blanks(rest)))
}

/// `Nov  3 09:05:01`, with a year before or after the time, or a weekday before it all; and as `date` writes it, with
/// the zone's name between time and year (`Tue Nov  3 09:05:01 CET 2026`) or the day first (`Tue, 03 Nov 2026 …`).
fn named(text: &[u8]) -> Option<(Stamp, &[u8])> {
    if let Some((month, day, second, rest)) = usual(text) {
        let (year, rest) = year_after(rest, false);
        return wall(year, month, day, second, 0).map(|stamp| (stamp, past_zone_name(&stamp, rest)));
    }
    let (text, of_date) = match weekday(text) {
        Some(rest) if rest.first().is_some_and(u8::is_ascii_digit) => {
            return full(rest).or_else(|| day_first(rest));
        }
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let Some(month) = month(text) else { return foreign(text) };
    let rest = text.get(3..)?;
    if rest.first() != Some(&b' ') {
        return foreign(text);
    }
    let (day, rest) = number(skip_blanks(rest), 2)?;
    let mut rest = rest.strip_prefix(b" ")?;
    let mut year = None;
    if rest.get(4) == Some(&b' ') {
        let (y, after) = number(rest, 4)?;
        year = Some(y as i16);
        rest = skip_blanks(after);
    }
    let (second, micro, rest) = if of_date { clock_of_date(rest)? } else { clock(rest)? };
    let (year, rest) = match year {
        Some(year) => (Some(year), rest),
        None => year_after(rest, of_date),
    };
    wall(year, month, day, second, micro).map(|stamp| (stamp, past_zone_name(&stamp, rest)))
}

/// Month, day and second of `Nov  3 09:05:01 `, as nearly every line has it; nothing where it may be another form.
fn usual(text: &[u8]) -> Option<(i8, i64, u32, &[u8])> {
    let (head, rest) = text.split_at_checked(15)?;
    let &[_, _, _, b' ', day, last_of_day, b' ', h, hh, b':', m, mm, b':', s, ss] = head else { return None };
    let two = |tens: u8, ones: u8| {
        let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
        (tens < 10 && ones < 10).then_some(u32::from(tens) * 10 + u32::from(ones))
    };
    let day = two(if day == b' ' { b'0' } else { day }, last_of_day)?;
    let (hour, minute, second) = (two(h, hh)?, two(m, mm)?, two(s, ss)?);
    let is_clock = hour < 24 && minute < 60 && second < 60 && rest.first() == Some(&b' ');
    is_clock.then_some((month(head)?, i64::from(day), hour * 3600 + minute * 60 + second, rest))
}

/// The year behind the time, with the zone's name between them where `date` wrote it.
fn year_after(text: &[u8], of_date: bool) -> (Option<i16>, &[u8]) {
    let past = text.strip_prefix(b" ").filter(|_| of_date).and_then(past_word_of_zone);
    for rest in [Some(text), past].into_iter().flatten() {
        if rest.len() > 5 && rest[0] == b' ' && rest[5] == b' ' {
            if let Some((y @ 1970..=2199, after)) = number(&rest[1..], 4) {
                return (Some(y as i16), after);
            }
        }
    }
    (None, text)
}

/// `03 Nov 2026 09:05:01 +0100`, `3 Nov 09:05:01 CET 2026`, behind a weekday.
fn day_first(text: &[u8]) -> Option<(Stamp, &[u8])> {
    let (day, rest) = number(text, 2)?;
    let rest = rest.strip_prefix(b" ")?;
    let month = month(rest)?;
    let rest = rest.get(3..)?.strip_prefix(b" ")?;
    let (year, rest) = match number(rest, 4) {
        Some((y @ 1970..=2199, after)) if after.first() == Some(&b' ') => {
            (Some(y as i16), skip_blanks(after))
        }
        _ => (None, rest),
    };
    let (second, micro, rest) = clock_of_date(rest)?;
    let (year, rest) = match year {
        Some(year) => (Some(year), rest),
        None => year_after(rest, true),
    };
    let stamp = wall(year, month, day, second, micro)?;
    let offset = rest.strip_prefix(b" ").and_then(zone).filter(|_| year.is_some());
    let Some((offset, after)) = offset else { return Some((stamp, past_zone_name(&stamp, rest))) };
    let date = civil::Date::new(year?, month, i8::try_from(day).ok()?).ok()?;
    Some((exact(date, second, micro, offset), after))
}

/// What follows a zone's name behind a time on the wall. Whose zone it is cannot be told for certain (`CST` is three of
/// them): it is taken for that of whoever reads.
fn past_zone_name<'a>(stamp: &Stamp, text: &'a [u8]) -> &'a [u8] {
    let is_wall = matches!(stamp, Stamp::Wall { .. });
    text.strip_prefix(b" ").filter(|_| is_wall).and_then(past_word_of_zone).unwrap_or(text)
}

/// `2026 Nov  3 09:05:01`, as syslog-ng's `$FULLDATE`.
fn year_first(text: &[u8]) -> Option<(Stamp, &[u8])> {
    let (year @ 1970..=2199, rest) = number(text, 4)? else { return None };
    let month = rest.strip_prefix(b" ").filter(|rest| weekday(rest).is_none())?;
    let (stamp, rest) = named(month)?;
    let Stamp::Wall { year: None, month, day, second, micro } = stamp else { return None };
    wall(Some(year as i16), month, i64::from(day), second, micro).map(|stamp| (stamp, rest))
}

/// journald's `short-full`: the zone is a name, which is that of the machine that wrote it.
fn full(text: &[u8]) -> Option<(Stamp, &[u8])> {
    let (stamp, rest) = iso(text)?;
    let after = rest.strip_prefix(b" ").unwrap_or(rest);
    let name = after.iter().take_while(|b| b.is_ascii_uppercase()).count();
    let is_zone = matches!(stamp, Stamp::Wall { .. }) && (2..=5).contains(&name);
    let rest = if is_zone && after.get(name) == Some(&b' ') { &after[name..] } else { rest };
    Some((stamp, rest))
}

/// `2026-11-03T09:05:01.123+01:00`, with a blank instead of the T, with or without a zone.
fn iso(text: &[u8]) -> Option<(Stamp, &[u8])> {
    let (year, rest) = number(text, 4)?;
    if text.len() - rest.len() != 4 {
        return None;
    }
    let separator = *rest.first().filter(|b| matches!(b, b'-' | b'/'))?;
    let (month, rest) = number(&rest[1..], 2)?;
    let (day, rest) = number(rest.strip_prefix(&[separator])?, 2)?;
    let rest = rest.strip_prefix(b"T").or_else(|| rest.strip_prefix(b" "))?;
    let (second, micro, rest) = clock(rest)?;
    let stamp = wall(Some(year as i16), month as i8, day, second, micro)?;
    let (offset, rest) = match zone(rest) {
        Some((offset, rest)) => (offset, rest),
        None => return Some((stamp, rest)),
    };
    let date = civil::Date::new(year as i16, month as i8, day as i8).ok()?;
    Some((exact(date, second, micro, offset), rest))
}

/// `20261103-09:05:01`
fn close(text: &[u8]) -> Option<(Stamp, &[u8])> {
    let (date, rest) = text.split_at_checked(8)?;
    let (date, []) = number(date, 8)? else { return None };
    let (second, micro, rest) = clock(rest.strip_prefix(b"-")?)?;
    let (year, month, day) = (date / 10_000, date / 100 % 100, date % 100);
    let year = i16::try_from(year).ok().filter(|year| (1970..2200).contains(year))?;
    Some((wall(Some(year), i8::try_from(month).ok()?, day, second, micro)?, rest))
}

/// A point in time, on a day at a place so many seconds east of Greenwich.
fn exact(date: civil::Date, second: u32, micro: u32, offset: i32) -> Stamp {
    let seconds = days_of(date) * 86400 + i64::from(second) - i64::from(offset);
    Stamp::Exact(seconds * 1_000_000 + i64::from(micro))
}

/// `1762160701.123456`, journald's `short-unix`.
fn unix(text: &[u8]) -> Option<(Stamp, &[u8])> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    if !(9..=11).contains(&digits) {
        return None;
    }
    let (seconds, rest) = number(text, digits)?;
    let (micro, rest) = fraction(rest);
    if rest.first() != Some(&b' ') {
        return None;
    }
    Some((Stamp::Exact(seconds * 1_000_000 + i64::from(micro)), rest))
}

/// `[2026-11-03 09:05:01]`, xrdp's `[20261103-09:05:01]`, or `[   12.345678]` since the boot.
fn bracketed(text: &[u8]) -> Option<(Stamp, &[u8])> {
    let inner = &text[1..];
    if let Some((stamp, rest)) = iso(inner).or_else(|| close(inner)) {
        return Some((stamp, rest.strip_prefix(b"]")?));
    }
    let inner = skip_blanks(inner);
    let (_, rest) = number(inner, 10)?;
    let (_, rest) = fraction(rest.strip_prefix(b".").map(|_| rest)?);
    Some((Stamp::Missing, rest.strip_prefix(b"]")?))
}

pub(super) fn wall(year: Option<i16>, month: i8, day: i64, second: u32, micro: u32) -> Option<Stamp> {
    let day = i8::try_from(day).ok()?;
    // 29 February must be accepted before the year is known.
    civil::Date::new(year.unwrap_or(2024), month, day).ok()?;
    Some(Stamp::Wall { year, month, day, second, micro })
}

fn days_of(date: civil::Date) -> i64 {
    date.duration_since(civil::date(1970, 1, 1)).as_secs() / 86400
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::scan::calendar::Calendar;
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    pub fn at(text: &str, latest: &str, zone: &str) -> String {
        let zone = if zone == "UTC" { TimeZone::UTC } else { TimeZone::posix(zone).unwrap() };
        let mut calendar = Calendar::new(zone, latest.parse().unwrap());
        let (stamp, rest) = parse(text.as_bytes()).unwrap_or_else(|| panic!("{text:?} has no stamp"));
        assert_eq!(rest, b"host x: y", "{text:?}");
        Timestamp::from_microsecond(calendar.resolve(&stamp, 0).unwrap()).unwrap().to_string()
    }

    #[test]
    fn every_form_of_stamp_gives_the_same_time() {
        for text in [
            "Nov  3 09:05:01 host x: y",
            "Nov 3 09:05:01 host x: y",
            "Nov 03 09:05:01 host x: y",
            "Nov  3 2026 09:05:01 host x: y",
            "Nov  3 09:05:01 2026 host x: y",
            "Tue Nov  3 09:05:01 2026 host x: y",
            "2026 Nov  3 09:05:01 host x: y",
            "2026 Nov 03 09:05:01 host x: y",
            "2026-11-03T09:05:01Z host x: y",
            "2026-11-03T09:05:01+00:00 host x: y",
            "2026-11-03T10:05:01+01:00 host x: y",
            "2026-11-03T04:35:01-0430 host x: y",
            "2026-11-03 09:05:01 host x: y",
            "[20261103-09:05:01] host x: y",
            "2026/11/03 09:05:01 host x: y",
            "Tue 2026-11-03 09:05:01 UTC host x: y",
            "1793696701 host x: y",
            "[2026-11-03 09:05:01] host x: y",
            "2026-11-03 10:05:01 +0100 host x: y",
            "2026-11-03 09:05:01 UTC host x: y",
            "2026-11-03 09:05:01 CET host x: y",
            "Tue Nov  3 09:05:01 CET 2026 host x: y",
            "Tue Nov  3 09:05:01 AM UTC 2026 host x: y",
            "Tue  3 Nov 09:05:01 GMT 2026 host x: y",
            "Tue, 03 Nov 2026 10:05:01 +0100 host x: y",
            "Tue 03 Nov 2026 09:05:01 AM CET host x: y",
            "Nov  3 09:05:01 CET host x: y",
            "Nov  3 2026 09:05:01 EST host x: y",
        ] {
            assert_eq!(at(text, "2026-11-04T00:00:00Z", "UTC"), "2026-11-03T09:05:01Z", "{text}");
        }
        for text in [
            "2026-11-03T09:05:01.123456Z host x: y",
            "2026-11-03 09:05:01,123456 host x: y",
            "Nov  3 09:05:01.123456789 host x: y",
            "1793696701.123456 host x: y",
        ] {
            assert_eq!(at(text, "2026-11-04T00:00:00Z", "UTC"), "2026-11-03T09:05:01.123456Z", "{text}");
        }
    }

    #[test]
    fn what_is_no_stamp_is_none() {
        for text in [
            "",
            "Nov",
            "Nov 3",
            "Nov 33 09:05:01 x",
            "F-o  3 09:05:01 x",
            "sshd[7]:  3 09:05:01 x",
            "F  3 09:05:01 x",
            "Dez 33 09:05:01 x",
            "Mars: 3 09:05:01 x",
            "Dez 31 24:05:01 x",
            "Dez 31 09:05:01: x",
            "2026-13-01T00:00:00Z x",
            "12 x",
            "2026 Feb 29 09:05:01 x",
            "9926 Nov  3 09:05:01 x",
            "226 Nov  3 09:05:01 x",
            "2026 Nov  3 2025 09:05:01 x",
            "2026 Tue Nov  3 09:05:01 x",
            "2026  Nov  3 09:05:01 x",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
