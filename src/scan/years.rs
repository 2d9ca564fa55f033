//! Where one year ends and the next begins, in a log whose stamps have no year.
//!
//! Before a file is read it is looked at here and there, up to its last line. So it is known of
//! every place how many ends of a year come after it, whichever lines are of interest later.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::header;
use super::stamp::{self, Stamp};

/// Places that are looked at.
const PLACES: u64 = 2000;
/// They are at least so far apart.
const STEP: u64 = 4 << 10;
/// In so many bytes at the end of a file its last line is looked for.
const END: u64 = 16 << 10;
/// A machine that was off for longer is taken for one that was on around New Year only.
const MONTHS: i8 = 2;

/// A day and second in no year.
pub type InYear = (i8, i8, u32);

/// The ends of years in a log.
#[derive(Clone, Debug, Default)]
pub struct Years {
    ends: Vec<End>,
    last: Option<(u64, InYear)>,
    aside: Option<Aside>,
}

/// What was known before the clock showed a day on which one begins that nobody has set yet: a board without a battery says
/// of every start that it is 1 January, or the evening before in America, until the network tells it better.
#[derive(Clone, Copy, Debug)]
struct Aside {
    ends: usize,
    before: InYear,
}

impl Aside {
    /// Whether the clock goes on from where it was, so that nothing was between but a start.
    fn is_over(&self, now: InYear) -> bool {
        now >= self.before && now.0 - self.before.0 <= MONTHS
    }
}

/// An end of a year: the first place is before it, the second after it.
#[derive(Clone, Copy, Debug)]
struct End {
    old: u64,
    new: u64,
}

impl Years {
    /// Look at a part of a file.
    pub fn of(file: &File, from: u64, to: u64) -> io::Result<Self> {
        Self::of_text(|buffer, at| file.read_at(buffer, at), from, to)
    }

    /// Look at a part of a text that can be read anywhere.
    pub fn of_text(
        read_at: impl Fn(&mut [u8], u64) -> io::Result<usize>,
        from: u64,
        to: u64,
    ) -> io::Result<Self> {
        let mut years = Self::default();
        let step = (to.saturating_sub(from) / PLACES).max(STEP);
        let mut buffer = [0; 1024];
        let mut at = from;
        while at < to {
            let n = read_at(&mut buffer, at)?;
            // At `from` a line begins; elsewhere one begins after the next line feed.
            let start = if at == from { Some(0) } else { after_line_feed(&buffer[..n]) };
            if let Some(start) = start {
                let stamp = years.look(at + start as u64, &buffer[start..n]);
                // Other forms have a year: one look is enough.
                if at == from && stamp == Some(false) {
                    return Ok(Self::default());
                }
            }
            at += step;
        }
        let mut end = vec![0; usize::try_from(END.min(to.saturating_sub(from))).unwrap_or(0)];
        let at = to - end.len() as u64;
        let n = read_at(&mut end, at)?;
        let mut start = 0;
        while let Some(next) = after_line_feed(&end[start..n]).filter(|next| start + next < n) {
            start += next;
            if years.last.is_none_or(|(last, _)| last < at + start as u64) {
                years.look(at + start as u64, &end[start..n]);
            }
        }
        Ok(years)
    }

    /// The last line's time in its year.
    pub fn last(&self) -> Option<InYear> {
        self.last.map(|(_, time)| time)
    }

    /// How many ends of a year come after the line at `place`, which is of `month`.
    pub fn to_come(&self, place: u64, month: i8) -> i16 {
        let after = |end: &&End| place <= end.old || (place < end.new && month > 6);
        self.ends.iter().rev().take_while(after).count().try_into().unwrap_or(i16::MAX)
    }

    /// Take a line into account; whether its stamp is without a year.
    fn look(&mut self, place: u64, text: &[u8]) -> Option<bool> {
        let (stamp, _) = stamp::parse(header::trim(text))?;
        let Stamp::Wall { year: None, month, day, second, .. } = stamp else { return Some(false) };
        let now = (month, day, second);
        if matches!((month, day), (1, 1) | (12, 31)) {
            if let Some((_, before)) = self.last.filter(|_| self.aside.is_none()) {
                self.aside = Some(Aside { ends: self.ends.len(), before });
            }
        } else if let Some(aside) = self.aside.take().filter(|aside| aside.is_over(now)) {
            self.ends.truncate(aside.ends);
            self.last = Some((place, now));
            return Some(true);
        }
        match self.last {
            // A line that came late, on New Year's Eve.
            Some((_, (1, ..=2, _))) if month == 12 && day >= 30 => return Some(true),
            Some((old, (last, ..))) if last - month > 6 => self.ends.push(End { old, new: place }),
            _ => {}
        }
        self.last = Some((place, now));
        Some(true)
    }
}

fn after_line_feed(text: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', text).map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn years(lines: &[(&str, usize)]) -> (Years, Vec<u64>) {
        let (mut file, mut at, mut starts) = (tempfile::tempfile().unwrap(), 0, Vec::new());
        for (line, times) in lines {
            starts.push(at);
            for _ in 0..*times {
                at += file.write(format!("{line} srv x: y\n").as_bytes()).unwrap() as u64;
            }
        }
        (Years::of(&file, 0, at).unwrap(), starts)
    }

    #[test]
    fn every_place_knows_how_many_years_end_after_it() {
        for times in [1, 500, 20_000] {
            let (years, starts) = years(&[
                ("Dec 30 23:00:00", times),
                ("Jan  1 01:00:00", times),
                // Late.
                ("Dec 31 23:59:59", 1),
                ("Jan  1 01:00:01", times),
                ("Jul  1 00:00:00", times),
                ("Dec  1 00:00:00", times),
                ("Feb  2 00:00:00", 1),
            ]);
            let to_come: Vec<i16> = starts
                .iter()
                .zip([12, 1, 12, 1, 7, 12, 2])
                .map(|(at, month)| years.to_come(*at, month))
                .collect();
            assert_eq!((to_come[0], &to_come[3..]), (2, &[1, 1, 1, 0][..]), "{times}");
            assert_eq!(to_come[1], 1, "{times}");
            assert_eq!(years.last(), Some((2, 2, 0)));
        }
    }

    #[test]
    fn a_clock_that_nobody_has_set_begins_no_year() {
        for times in [1, 500] {
            for start in ["Jan  1 00:00:25", "Jan  1 01:00:18", "Dec 31 19:00:25"] {
                for (before, after) in
                    [("Jul 31 20:30:49", "Aug  1 08:52:11"), ("Dec 20 01:00:00", "Dec 20 01:09:00")]
                {
                    let (years, starts) = years(&[
                        (before, times),
                        (start, times),
                        (before, times),
                        (start, times),
                        (after, times),
                        (start, times),
                        (after, times),
                    ]);
                    assert_eq!(years.to_come(starts[0], 7), 0, "{start} {before} {times}");
                }
            }
            // Who is off for long has had a New Year.
            let (years, starts) = years(&[
                ("Dec 20 23:00:00", times),
                ("Jan  1 01:00:00", times),
                ("Jan  2 01:00:00", times),
                ("Dec 22 01:00:00", times),
            ]);
            assert_eq!(years.to_come(starts[0], 12), 1);
        }
    }

    #[test]
    fn stamps_with_a_year_need_no_more_looks() {
        assert_eq!(years(&[("2026-11-03T09:05:01Z", 10)]).0.last(), None);
        assert_eq!(years(&[]).0.last(), None);
    }
}
