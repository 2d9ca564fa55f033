//! The records of the journal in order of time, also those that are still to come.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};

use jiff::Timestamp;

use crate::event::Event;
use crate::journal::Journal;
use crate::journal::read::{self, Line};
use crate::journal::segment;

/// Records of the log route are written up to minutes after those of the module: so many are held
/// back, so that what is shown is in order of time.
const REORDERED: usize = 4096;

/// Puts what comes nearly in order of time in order.
#[derive(Default)]
pub(super) struct Window {
    held: BinaryHeap<Reverse<Held>>,
    pushed: u64,
}

/// An event that is held back, by its time, and by its place where two have the same.
struct Held {
    at: (Timestamp, u64),
    event: Event,
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}

impl Window {
    /// Hold `event` back; gives the earliest where too many are held.
    pub(super) fn push(&mut self, event: Event) -> Option<Event> {
        self.pushed += 1;
        self.held.push(Reverse(Held { at: (event.time, self.pushed), event }));
        (self.held.len() > REORDERED).then(|| self.held.pop())?.map(|Reverse(held)| held.event)
    }

    pub(super) fn rest(mut self) -> impl Iterator<Item = Event> {
        std::iter::from_fn(move || self.held.pop().map(|Reverse(held)| held.event))
    }
}

/// How far each segment of the journal was read, by inode.
#[derive(Default)]
pub(super) struct Tail {
    read: HashMap<u64, u64>,
}

impl Tail {
    pub(super) fn read_on(&mut self, journal: &Journal, each: &mut dyn FnMut(Event)) -> std::io::Result<()> {
        for segment in segment::list(journal.directory())? {
            let from =
                self.read.get(&segment.inode).copied().filter(|from| *from <= segment.size).unwrap_or(0);
            let end = read::read(&segment, from, &mut |_, line| {
                if let Line::Event(event) = line {
                    each(*event);
                }
            })?;
            self.read.insert(segment.inode, end);
        }
        Ok(())
    }
}
