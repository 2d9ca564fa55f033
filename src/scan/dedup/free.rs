//! The records that may be those of the lines of one log: the others are not looked at again, so that a flood of attempts of
//! one process, in several logs, costs no more for each.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::{Record, Recorded};
use crate::scan::origin::{Log, StreamId};

/// By the numbers of the records, which stay in memory.
#[derive(Debug, Default)]
pub(super) struct Free {
    /// The log.
    of: Option<StreamId>,
    /// So many records are known.
    known: usize,
    /// Process, [`MAIL`] or [`ANY`], time and number.
    places: BTreeSet<(u32, i64, u32)>,
}

/// All records stand under this, which is no process.
const ANY: u32 = 0;
/// Those of mail servers stand under this, which is no process of a login.
pub(super) const MAIL: u32 = 1;

impl Record {
    /// Under which numbers it stands.
    fn keys(&self) -> impl Iterator<Item = u32> {
        self.pids.into_iter().filter(|pid| *pid > 1).chain([ANY]).chain(self.mail.map(|_| MAIL))
    }
}

impl Recorded {
    /// Take in what has been loaded since.
    pub(super) fn note_free(&mut self, stream: StreamId) {
        if self.free.of != Some(stream) {
            self.free = Free { of: Some(stream), ..Free::default() };
        }
        for index in self.free.known..self.records.len() {
            let record = &self.records[index];
            if !self.is_taken(record, stream) {
                self.free.places.extend(record.keys().map(|key| (key, record.time, index as u32)));
            }
        }
        self.free.known = self.records.len();
    }

    /// A record was matched once more.
    pub(super) fn note_used(&mut self, index: usize, stream: StreamId) {
        let record = &self.records[index];
        if self.is_taken(record, stream) {
            for key in record.keys() {
                self.free.places.remove(&(key, record.time, index as u32));
            }
        }
    }

    /// Whether it stands for no other line of this log.
    pub(super) fn is_taken(&self, record: &Record, stream: StreamId) -> bool {
        let is_own = |log: &Log| log.stream == stream.0 && !self.is_unsaved(record.key, *log);
        self.log_of(record).is_some_and(is_own)
            || self.used.get(&(stream.0, record.key)).is_some_and(|used| used.times >= record.count)
    }

    /// Of those of a process that fit, the nearest to `time`.
    pub(super) fn nearest_of(
        &self,
        pid: u32,
        time: i64,
        window: RangeInclusive<i64>,
        fits: impl Fn(&Record) -> bool,
    ) -> Option<usize> {
        if window.is_empty() {
            return None;
        }
        let (first, last) = window.into_inner();
        let middle = time.clamp(first, last);
        let fits = |(_, _, index): &&(u32, i64, u32)| fits(&self.records[*index as usize]);
        let before = self.free.places.range((pid, first, 0)..(pid, middle, 0)).rev().find(fits);
        let behind = self.free.places.range((pid, middle, 0)..=(pid, last, u32::MAX)).find(fits);
        let both = before.into_iter().chain(behind);
        both.min_by_key(|(_, at, _)| (at - time).abs()).map(|(.., index)| *index as usize)
    }

    /// Of those of a process that fit, the first.
    pub(super) fn first_of(
        &self,
        pid: u32,
        window: RangeInclusive<i64>,
        fits: impl Fn(&Record) -> bool,
    ) -> Option<usize> {
        let (first, last) = window.into_inner();
        let mut places = self.free.places.range((pid, first, 0)..=(pid, last, u32::MAX));
        places.find(|(.., index)| fits(&self.records[*index as usize])).map(|(.., index)| *index as usize)
    }

    /// Of all that fit, the nearest to `time`.
    pub(super) fn nearest_in(
        &self,
        time: i64,
        window: RangeInclusive<i64>,
        fits: impl Fn(&Record) -> bool,
    ) -> Option<usize> {
        self.nearest_of(ANY, time, window, fits)
    }
}
