//! Lines that matter only where they tell of a login. Nothing else that a log tells depends on them, so they need not be
//! read by the thread that reads the log, which has enough to do.

use super::attempts::{Place, Row, Speaker, login};
use super::calendar::Calendar;
use super::header;
use super::rules::{self, Line};
use super::stamp::Stamp;

/// Bytes of text that are enough to be handed over.
const MOST: usize = 128 << 10;

/// Lines that are still to be read, in the order of the log.
#[derive(Debug, Default)]
pub(super) struct Unread {
    /// One behind the other.
    text: Vec<u8>,
    lines: Vec<Unopened>,
    calendar: Option<Calendar>,
}

/// What is known of a line without a look at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// Its first byte in the log.
    pub(super) offset: u64,
    /// How many logins were read before it.
    pub(super) before: usize,
    /// Its time if it has none itself, and if it has one that says nothing.
    pub(super) without: Option<i64>,
    pub(super) latest: i64,
    /// Our time.
    pub(super) now: i64,
}

#[derive(Clone, Copy, Debug)]
struct Unopened {
    /// Where in the text it ends.
    end: usize,
    known: Known,
}

impl Unread {
    /// What fills in the times of lines of the log that is read next.
    pub(super) fn set_calendar(&mut self, calendar: &Calendar) {
        self.calendar = Some(calendar.clone());
    }

    pub(super) fn push(&mut self, text: &[u8], known: Known) {
        self.text.extend_from_slice(text);
        self.lines.push(Unopened { end: self.text.len(), known });
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether it is enough by its size.
    pub(super) fn is_large(&self) -> bool {
        self.text.len() >= MOST
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.lines.clear();
    }

    /// Move the lines of `other` behind these; its logins come behind so many rows.
    pub(super) fn take_from(&mut self, other: &mut Self, rows: usize) {
        if self.lines.is_empty() {
            self.calendar.clone_from(&other.calendar);
        }
        let begin = self.text.len();
        self.text.append(&mut other.text);
        self.lines.extend(other.lines.drain(..).map(|Unopened { end, known }| {
            let known = Known { before: rows + known.before, ..known };
            Unopened { end: begin + end, known }
        }));
    }

    /// The logins, each with how many rows come before it.
    pub(super) fn logins(&mut self) -> impl Iterator<Item = (usize, Row)> {
        let Self { text, lines, calendar } = self;
        let mut begin = 0;
        lines.iter().filter_map(move |line| {
            let text = text.get(begin..line.end).unwrap_or_default();
            begin = line.end;
            Some((line.known.before, read(text, &line.known, calendar.as_mut()?)?))
        })
    }
}

/// The login that a line tells of.
fn read(text: &[u8], known: &Known, calendar: &mut Calendar) -> Option<Row> {
    let header = header::parse(text)?;
    let Line::Evidence(evidence) = rules::classify(&header) else { return None };
    let time = match header.stamp {
        Stamp::Missing if known.without.is_some() => known.without,
        stamp => calendar.resolve(&stamp, known.offset),
    };
    let time = time.unwrap_or(known.latest);
    let place = Place { offset: known.offset, ..Place::default() };
    let mut row = login(&Speaker::of(&header, &evidence), &evidence, time, place)?;
    row.read = known.now;
    Some(row)
}
