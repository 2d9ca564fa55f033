//! What the receivers here have reported: members need not keep it any longer.
//!
//! A place in the journal is noted with what of each member is before it. When each receiver is past that place, the
//! watermarks say so, and the next place is noted.

use std::io;
use std::time::{Duration, Instant};

use authalert::deliver::is_settled;
use authalert::deliver::state::Cursor as JournalCursor;

use super::state;
use crate::place::Place;
use crate::protocol::Epoch;
use crate::protocol::hub::Cursors;

/// Between two looks; longer where writing the watermarks of all members takes long.
const EACH: Duration = Duration::from_secs(2);
/// At most one part in so many of the time goes to writing them.
const PART: u32 = 20;

/// How far that is.
#[derive(Debug)]
pub struct Alerted {
    known: Cursors,
    waiting: Option<(Vec<JournalCursor>, Cursors)>,
    next: Instant,
}

impl Alerted {
    /// Nothing is known.
    pub fn new() -> Self {
        Self { known: Cursors::default(), waiting: None, next: Instant::now() }
    }

    /// Everything of this epoch up to this number.
    pub fn of(&self, member: &str, epoch: Epoch) -> u64 {
        self.known.of(member, epoch).map_or(0, |cursor| cursor.last)
    }

    /// Look whether more is known now, if it is time; all that `cursors` count is in the journal.
    pub fn look(&mut self, place: &Place, cursors: &Cursors) -> io::Result<bool> {
        if self.next > Instant::now() {
            return Ok(false);
        }
        self.next = Instant::now() + EACH;
        let (at, then) = match self.waiting.take() {
            Some(waiting) => waiting,
            None => (state::end_of_journal(place)?, cursors.clone()),
        };
        // What is wrong with configuration or states, the passes report: here nothing is known meanwhile.
        if !is_settled(&place.state, place.config.as_deref(), &at).unwrap_or(false) {
            self.waiting = Some((at, then));
            return Ok(false);
        }
        let is_news = then != self.known;
        self.known = then;
        Ok(is_news)
    }

    /// Writing the watermarks took this long.
    pub fn written(&mut self, took: Duration) {
        self.next = Instant::now() + EACH.max(took * PART);
    }
}
