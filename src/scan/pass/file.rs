//! A file and its rotated predecessors: what of them is new, and how far they are read.

use jiff::Timestamp;

use super::log::{Log, Spot};
use super::{Beginning, Pass};
use crate::scan::checkpoint::{Known, Stream};
use crate::scan::intake::Intake;
use crate::scan::source::{self, Part, Unread};
use crate::scan::text::Source;
use crate::scan::{Error, Watch, clock, identity};

/// Rotated files that are remembered.
const REMEMBERED: usize = 80;
/// So many passes look for a file that was there and is not.
const SEARCHES: u32 = 10;
/// A file that was written so recently may still be being written, in seconds.
const FRESH: i64 = 60;

impl Pass<'_> {
    /// Read what is new of a file and its predecessors.
    pub(super) fn file(&mut self, log: &mut Log, watch: Watch<'_>) -> Result<(), Error> {
        if self.options.from_start {
            self.parts_before(log, watch)?;
        }
        let parts = self.parts(log)?;
        let mut intake = self.begin(log);
        let result = self.read_parts(log, &parts, &mut intake, watch);
        if matches!(result, Ok(()) | Err(Error::Read(..))) {
            self.finish(log, intake)?;
        }
        result
    }

    fn read_parts(
        &mut self,
        log: &mut Log,
        parts: &[Part],
        intake: &mut Intake,
        watch: Watch<'_>,
    ) -> Result<(), Error> {
        // By the file of today, or what it was before.
        log.time += parts.last().map_or(0, |part| clock::offset(&part.log));
        let mut failed = Ok(());
        for part in parts {
            match self.part(log, part, intake, watch) {
                Err(e @ Error::Read(..)) if part.log.path == log.path() => failed = Err(e),
                // A predecessor that is just being compressed is damaged for a moment.
                Err(Error::Read(..)) if self.is_fresh(part) => {}
                Err(e @ Error::Read(..)) => self.report.warnings.push(e.to_string()),
                other => other?,
            }
        }
        failed
    }

    /// What there is to read, noted as such: a pass that is killed on the way leaves it to the next.
    fn parts(&mut self, log: &mut Log) -> Result<Vec<Part>, Error> {
        let path = log.path().to_owned();
        let failed = |why| Error::Read(path.clone(), why);
        let passed = match self.beginning(&log.stream) {
            None => Timestamp::from_second(log.stream.passed).unwrap_or(self.now),
            Some(Beginning::Start) => self.now,
            Some(Beginning::Since(since)) => {
                log.from = Some(since.as_microsecond());
                log.stream.is_again = true;
                since
            }
            Some(Beginning::End) => {
                log.stream.files = vec![source::end_of(&path).map_err(failed)?];
                log.stream.passed = self.now.as_second();
                log.stream.skipped = Some(self.now.as_microsecond());
                self.report.notes.push(format!(
                    "the first pass over {} begins at its end; 'authalert scan --from-start{}' reads what is in it already",
                    path.display(),
                    if self.options.files.is_empty() { String::new() } else { format!(" {}", path.display()) }
                ));
                return Ok(Vec::new());
            }
        };
        let Unread { parts, missing, warnings } =
            source::unread(&path, &log.stream.files, passed).map_err(failed)?;
        self.report.warnings.extend(warnings);
        log.stream.passed = self.now.as_second();
        if look_for(&missing, &mut log.stream) {
            self.report.warnings.push(format!(
                "a file that was {} before is not there; what was written to it last is lost to the scan",
                path.display()
            ));
        }
        if note_parts(&parts, &mut log.stream) {
            // Lines of it may have been read before, at other places.
            log.begin_again();
        }
        Ok(parts)
    }

    fn part(
        &mut self,
        log: &mut Log,
        part: &Part,
        intake: &mut Intake,
        watch: Watch<'_>,
    ) -> Result<(), Error> {
        let Some(identity) = part.identity else { return Ok(()) };
        let Some(known) = log.stream.file(identity) else { return Ok(()) };
        // Another file with the same lines may have been read a moment ago.
        let (lines, offset) = (identity::of_generation(identity, known.generation), known.offset);
        let source =
            Source::part(part, lines, offset).map_err(|why| Error::Read(part.log.path.clone(), why))?;
        log.spot = Spot::File(identity);
        let result = self.read(log, intake, source, watch);
        log.note(intake, self.now);
        if let Some(known) = log.stream.file(identity) {
            known.searches_left = 0;
            known.packed = part.log.packed().filter(|_| result.is_ok());
        }
        result
    }

    /// Read what the first pass passed over.
    fn parts_before(&mut self, log: &mut Log, watch: Watch<'_>) -> Result<(), Error> {
        let Some((mut before, mut intake)) = self.begin_before(log) else { return Ok(()) };
        let failed = |why| Error::Read(log.path().to_owned(), why);
        let Unread { parts, .. } = source::unread(log.path(), &[], Timestamp::UNIX_EPOCH).map_err(failed)?;
        for part in &parts {
            let Some(identity) = part.identity else { continue };
            let generation = log.stream.file(identity).map_or(0, |known| known.generation);
            let lines = identity::of_generation(identity, generation);
            let source =
                Source::part(part, lines, 0).map_err(|why| Error::Read(part.log.path.clone(), why))?;
            self.read(&mut before, &mut intake, source, watch)?;
        }
        self.finish_before(log, before, intake)
    }

    /// Whether a file was written moments ago.
    fn is_fresh(&self, part: &Part) -> bool {
        self.now.duration_since(part.log.written).as_secs() < FRESH
    }
}

/// Look for files that have more to read and are not there; whether one of them is given up.
fn look_for(missing: &[u64], stream: &mut Stream) -> bool {
    let mut is_lost = false;
    for known in stream.files.iter_mut().filter(|k| k.identity.is_some_and(|i| missing.contains(&i))) {
        known.searches_left = if known.searches_left == 0 { SEARCHES } else { known.searches_left - 1 };
        if known.searches_left == 0 {
            known.identity = None;
            is_lost = true;
        }
    }
    is_lost
}

/// Note files as read so far; whether one of them became shorter.
fn note_parts(parts: &[Part], stream: &mut Stream) -> bool {
    let mut is_cut = false;
    for part in parts {
        let mut known =
            Known { identity: part.identity, offset: part.from, searches_left: SEARCHES, ..Known::default() };
        if let Some(before) = stream.files.iter().find(|k| k.identity == part.identity) {
            known.generation = before.generation;
        }
        if part.is_cut {
            (known.offset, known.generation) = (0, known.generation + 1);
            is_cut = true;
        }
        stream.files.retain(|k| k.identity.is_some() && k.identity != part.identity);
        stream.files.push(known);
    }
    let excess = stream.files.len().saturating_sub(REMEMBERED);
    stream.files.drain(..excess);
    is_cut
}
