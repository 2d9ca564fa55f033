//! What the journal holds, as far back as it may match, in little memory.

use std::io;

use super::sought::{Kind, base};
use super::{FAILED_BEFORE, OTHER_CLOCK, Record, Recorded, SAME_PROCESS, key, who};
use crate::event::{Class, Event, Route};
use crate::journal::{Journal, read, segment, spill};
use crate::scan::attempts::{Mail, Row};
use crate::scan::hash::{hash, short};
use crate::scan::origin::{Log, StreamId, name, parse};

impl Recorded {
    /// Give back the memory of what the journal holds: it is read again if need be.
    pub(crate) fn unload(&mut self) {
        self.since = None;
        self.records = Vec::new();
        (self.logs, self.free) = Default::default();
        (self.origins, self.failed) = Default::default();
        self.read.clear();
    }

    /// Read the journal as far back as `rows` need, and what is new in it.
    pub(crate) fn load_since<'a>(
        &mut self,
        journal: &Journal,
        rows: impl IntoIterator<Item = &'a Row>,
    ) -> io::Result<()> {
        let Some(first) = rows.into_iter().map(|row| row.began().min(row.happened())).min() else {
            return Ok(());
        };
        let needed = first.saturating_sub(OTHER_CLOCK);
        if self.since.is_none_or(|since| needed < since) {
            self.unload();
            // A little more, as the next rows may be a little older.
            self.since = Some(needed.saturating_sub(SAME_PROCESS));
        }
        // First, as one that is taken over meanwhile is found in its segment.
        for spilled in spill::waiting(journal)? {
            self.take(&spilled.failure);
        }
        for segment in segment::list(journal.directory())? {
            let from = self.read.get(&segment.inode).copied().filter(|from| *from <= segment.size);
            let end = read::read(&segment, from.unwrap_or(0), &mut |_, line| {
                if let read::Line::Event(failure) = line {
                    self.take(&failure);
                }
            })?;
            self.read.insert(segment.inode, end);
        }
        Ok(())
    }

    /// Take in what is about to be recorded; until the journal is read again from the start.
    pub(crate) fn expect<'a>(&mut self, events: impl Iterator<Item = &'a Event>) {
        events.for_each(|event| self.take(event));
    }

    fn take(&mut self, failure: &Event) {
        let time = failure.time.as_microsecond();
        let is_before = |by: i64| self.since.is_some_and(|since| time < since.saturating_sub(by));
        if failure.class.is_of_failures() && !is_before(FAILED_BEFORE) {
            self.failed.extend(who(&failure.user, &failure.rhost, (&failure.ruser, &failure.tty)));
        }
        // Root's announcement of a test is not an attempt; the failure that follows it is.
        if is_before(0) || failure.class == Class::Test {
            return;
        }
        let (key, log) = match failure.route {
            Route::Pam => {
                let time_and_pid = [&time.to_le_bytes()[..], &failure.pid.to_le_bytes()];
                (hash(&time_and_pid), None)
            }
            Route::Log => {
                let Some((place, log)) = failure.origin.as_deref().map(parse) else { return };
                let key = key(place, failure.class);
                self.origins.insert(key);
                // Of a form that is not ours: it cannot be said which log it was.
                let Some(log) = log else { return };
                if self.only == Some(StreamId(log.stream)) && !self.is_unsaved(key, log) {
                    return;
                }
                (key, Some(log))
            }
        };
        // They are counted in 32 bits.
        if self.records.len() >= u32::MAX as usize {
            return;
        }
        let mail = Mail::of(&failure.service);
        self.has_smtp_helper |= mail == Some(Mail::Smtp) && log.is_none_or(|log| !log.relayed);
        let log = log.map_or(0, |log| self.number_of(log));
        self.records.push(Record {
            time,
            key,
            count: failure.count,
            log,
            service: short(&[base(&failure.service).as_bytes()]),
            user: name(&failure.user),
            rhost: name(&failure.rhost),
            ruser: name(&failure.ruser),
            pids: [failure.pid, failure.ppid],
            kind: Kind::of(failure.class),
            mail,
        });
    }

    /// The number of a log, counted from 1. There are few, and it is nearly always the one before.
    fn number_of(&mut self, log: Log) -> u32 {
        let at = self.logs.iter().rposition(|known| *known == log).unwrap_or_else(|| {
            self.logs.push(log);
            self.logs.len() - 1
        });
        at as u32 + 1
    }
}
