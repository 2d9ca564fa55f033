//! Lines that matter only where they tell of a login. Nothing else that a log tells depends on them, so they need not be
//! read by the thread that reads the log, which has enough to do.

use std::slice;

use super::attempts::{Speaker, borrowed_address, borrowed_text, is_login};
use super::calendar::Calendar;
use super::rules::{self, Line};
use super::stamp::Stamp;
use super::{Texts, header, origin_of_claim, put};
use crate::event::{Class, Event};

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

    /// The logins.
    pub(super) fn logins(&mut self) -> Logins<'_> {
        let Self { text, lines, calendar } = self;
        Logins { text, begin: 0, lines: lines.iter(), calendar: calendar.as_mut() }
    }
}

/// Reads one after another.
pub(super) struct Logins<'a> {
    text: &'a [u8],
    /// Where in it the next line begins.
    begin: usize,
    lines: slice::Iter<'a, Unopened>,
    calendar: Option<&'a mut Calendar>,
}

impl Logins<'_> {
    /// Make `event` the next login that comes before the row of this number, if there is one; `is_here`: whether a machine of
    /// this name is this one.
    pub(super) fn next_before(
        &mut self,
        row: usize,
        is_here: &mut impl FnMut(&str) -> bool,
        event: &mut Event,
    ) -> Option<()> {
        loop {
            let line = self.lines.as_slice().first().filter(|line| line.known.before <= row)?;
            self.lines.next();
            let text = self.text.get(self.begin..line.end).unwrap_or_default();
            self.begin = line.end;
            if read(text, &line.known, self.calendar.as_deref_mut()?, is_here, event).is_some() {
                return Some(());
            }
        }
    }
}

/// Make `event` the login that a line tells of, if it does.
fn read(
    text: &[u8],
    known: &Known,
    calendar: &mut Calendar,
    is_here: &mut impl FnMut(&str) -> bool,
    event: &mut Event,
) -> Option<()> {
    let header = header::parse(text)?;
    let Line::Evidence(evidence) = rules::classify(&header) else { return None };
    let time = match header.stamp {
        Stamp::Missing if known.without.is_some() => known.without,
        stamp => calendar.resolve(&stamp, known.offset),
    };
    let time = time.unwrap_or(known.latest);
    let speaker = Speaker::of(&header, &evidence);
    is_login(&speaker, &evidence).then_some(())?;
    let host = borrowed_text(speaker.host);
    let texts = Texts {
        host: if is_here(&host) { "" } else { &host },
        service: &borrowed_text(evidence.service),
        user: &borrowed_text(evidence.user),
        rhost: &borrowed_address(evidence.rhost),
        tty: &borrowed_text(evidence.tty),
        ruser: &borrowed_text(evidence.ruser),
    };
    // As of a row: nothing happened after it was read, and a container's numbers are those of no process here.
    let pid = if speaker.container == 0 { speaker.pid } else { 0 };
    put(time.min(known.now), Class::Login, 1, pid, &texts, event);
    event.origin = origin_of_claim(evidence.class);
    Some(())
}
