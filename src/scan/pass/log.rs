//! One log of a pass, while it is read.

use std::path::Path;

use jiff::Timestamp;

use crate::scan::attempts::Open;
use crate::scan::checkpoint::{Cursor, Stream};
use crate::scan::intake::Intake;
use crate::scan::origin::StreamId;

/// A log, its part of the checkpoint, and what is wanted of it.
pub(super) struct Log {
    pub(super) name: String,
    pub(super) id: StreamId,
    pub(super) stream: Stream,
    /// Rows from before are passed over, in microseconds of the epoch.
    pub(super) from: Option<i64>,
    /// Rows from then on are passed over.
    pub(super) until: Option<i64>,
    /// The time by the clock of the log, in microseconds.
    pub(super) time: i64,
    pub(super) spot: Spot,
}

/// Which place moves on while a source is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    File(u64),
    Journald,
    /// Nobody comes back to it.
    Nowhere,
}

impl Log {
    pub(super) fn new(name: &str, stream: Stream, now: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            id: StreamId::new(name),
            stream,
            from: None,
            until: None,
            time: now.as_microsecond(),
            spot: Spot::Nowhere,
        }
    }

    pub(super) fn path(&self) -> &Path {
        Path::new(&self.name)
    }

    /// Note how far it was read.
    pub(super) fn note(&mut self, intake: &Intake, now: Timestamp) {
        match self.spot {
            Spot::File(identity) => {
                if let Some(known) = self.stream.file(identity) {
                    known.offset = known.offset.max(intake.reached);
                }
            }
            Spot::Journald if !intake.cursor.is_empty() => {
                let cursor = Some(intake.cursor.clone());
                self.stream.cursor = Some(Cursor { cursor, since: now.as_second() });
            }
            Spot::Journald | Spot::Nowhere => {}
        }
    }

    /// What was open in it.
    pub(super) fn take_open(&mut self) -> Open {
        std::mem::take(&mut self.stream.open)
    }

    /// Forget everything that belongs to a place in it: lines may be read again.
    pub(super) fn begin_again(&mut self) {
        let stream = &mut self.stream;
        (stream.open, stream.deferred, stream.undecided, stream.used) = <_>::default();
        stream.is_again = true;
    }
}
