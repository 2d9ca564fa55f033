//! The systemd journal: from which entry on it is read.

use jiff::{SignedDuration, Timestamp};

use super::log::{Log, Spot};
use super::{Beginning, Pass};
use crate::scan::checkpoint::{Cursor, Stream};
use crate::scan::intake::Intake;
use crate::scan::{Error, Watch, journald};

/// Where the systemd journal does not know a place, it is read again from so long before.
const AGAIN: SignedDuration = SignedDuration::from_mins(10);

impl Pass<'_> {
    /// Read what is new in the systemd journal.
    pub(super) fn journald(&mut self, log: &mut Log, watch: Watch<'_>) -> Result<(), Error> {
        log.spot = Spot::Journald;
        if self.options.from_start {
            self.entries_before(log, watch)?;
        }
        let beginning = self.beginning(&log.stream);
        let cursor = log.stream.cursor.clone();
        let passed = Timestamp::from_second(log.stream.passed).unwrap_or(self.now);
        let from = match (&cursor, beginning) {
            (Some(cursor), _) => journald::From::Cursor(cursor),
            (None, Some(Beginning::Since(since))) => {
                log.from = Some(since.as_microsecond());
                log.stream.is_again = true;
                journald::From::Since(since)
            }
            (None, Some(Beginning::Start)) => journald::From::Start,
            (None, _) => {
                log.stream.skipped = Some(self.now.as_microsecond());
                self.report.notes.push(
                    "the first pass over the systemd journal begins at its end; \
                     'authalert scan --journald --from-start' reads what is in it already"
                        .into(),
                );
                journald::From::End
            }
        };
        let mut intake = self.begin(log);
        let mut result = self.entries(log, &from, &mut intake, watch);
        let is_refused = matches!(result, Err(Error::Journald(_))) && intake.cursor.is_empty();
        if let (true, journald::From::Cursor(Cursor { cursor: Some(_), .. })) = (is_refused, &from) {
            // It may not know the place any more.
            let again = passed.checked_sub(AGAIN).unwrap_or(passed);
            let again = self.checkpoint.not_before_the_first_pass(again);
            if let Some((second, fresh)) = self.entries_again(log, again, watch)? {
                (result, intake) = (Ok(second), fresh);
            }
        }
        log.note(&intake, self.now);
        log.stream.passed = self.now.as_second();
        let result = match result {
            Ok(cursor) => {
                log.stream.cursor = Some(cursor);
                Ok(())
            }
            Err(e @ (Error::Journald(_) | Error::Read(..))) => Err(e),
            Err(e) => return Err(e),
        };
        self.finish(log, intake)?;
        result
    }

    /// Read what the first pass passed over.
    fn entries_before(&mut self, log: &mut Log, watch: Watch<'_>) -> Result<(), Error> {
        let Some((mut before, mut intake)) = self.begin_before(log) else { return Ok(()) };
        self.entries(&mut before, &journald::From::Start, &mut intake, watch)?;
        self.finish_before(log, before, intake)
    }

    /// Read the entries since a time, as if nothing were known of any; none: they cannot be read either.
    fn entries_again(
        &mut self,
        log: &mut Log,
        again: Timestamp,
        watch: Watch<'_>,
    ) -> Result<Option<(Cursor, Intake)>, Error> {
        let mut fresh = self.intake(<_>::default());
        let before = std::mem::take(&mut log.stream);
        log.stream = Stream { is_regular: before.is_regular, left: before.left, ..Stream::default() };
        self.recorded.forget(log.id);
        match self.entries(log, &journald::From::Since(again), &mut fresh, watch) {
            Ok(cursor) => {
                self.report.warnings.push(format!(
                    "the systemd journal does not know the place at which the last scan stopped; it is read again from {again:.0} on"
                ));
                // Attempts that wait for the module are found again; those in doubt may be too old for that.
                log.stream.doubted = before.doubted;
                Ok(Some((cursor, fresh)))
            }
            Err(Error::Journald(_) | Error::Read(..)) => {
                self.recorded.begin(log.id, &before.used, self.unsaved);
                log.stream = before;
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    fn entries(
        &mut self,
        log: &mut Log,
        from: &journald::From<'_>,
        intake: &mut Intake,
        watch: Watch<'_>,
    ) -> Result<Cursor, Error> {
        if let journald::From::Cursor(Cursor { cursor: Some(cursor), .. }) = from {
            intake.seen.clone_from(cursor);
        }
        journald::read(from, self.now, |source| self.read(log, intake, source, watch))
    }
}
