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
    /// Process, time and number.
    by_pid: BTreeSet<(u32, i64, u32)>,
    by_time: BTreeSet<(i64, u32)>,
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
                let index = index as u32;
                self.free.by_time.insert((record.time, index));
                let pids = record.pids.into_iter().filter(|pid| *pid > 1);
                self.free.by_pid.extend(pids.map(|pid| (pid, record.time, index)));
            }
        }
        self.free.known = self.records.len();
    }

    /// A record was matched once more.
    pub(super) fn note_used(&mut self, index: usize, stream: StreamId) {
        let record = &self.records[index];
        if self.is_taken(record, stream) {
            let (time, index) = (record.time, index as u32);
            self.free.by_time.remove(&(time, index));
            for pid in record.pids {
                self.free.by_pid.remove(&(pid, time, index));
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
        let before = self.free.by_pid.range((pid, first, 0)..(pid, middle, 0)).rev().find(fits);
        let behind = self.free.by_pid.range((pid, middle, 0)..=(pid, last, u32::MAX)).find(fits);
        nearer(
            time,
            before.map(|(_, time, index)| (*time, *index)),
            behind.map(|(_, time, index)| (*time, *index)),
        )
    }

    /// The same of all.
    pub(super) fn nearest_in(
        &self,
        time: i64,
        window: RangeInclusive<i64>,
        fits: impl Fn(&Record) -> bool,
    ) -> Option<usize> {
        if window.is_empty() {
            return None;
        }
        let (first, last) = window.into_inner();
        let middle = time.clamp(first, last);
        let fits = |(_, index): &&(i64, u32)| fits(&self.records[*index as usize]);
        let before = self.free.by_time.range((first, 0)..(middle, 0)).rev().find(fits);
        let behind = self.free.by_time.range((middle, 0)..=(last, u32::MAX)).find(fits);
        nearer(time, before.copied(), behind.copied())
    }
}

/// The number of the one that is nearer to `time`.
fn nearer(time: i64, before: Option<(i64, u32)>, behind: Option<(i64, u32)>) -> Option<usize> {
    let both = before.into_iter().chain(behind);
    both.min_by_key(|(at, _)| (at - time).abs()).map(|(_, index)| index as usize)
}
