//! One pass: every log on from where the last pass stopped, up to: recorded, and the new place saved.
//!
//! A log that cannot be read keeps back no other. On a long way the place is saved now and then, so
//! that a pass that is killed has not been in vain.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::attempts::{Open, Row};
use super::intake::{Intake, Source};
use super::known::{Orphans, Recorded, StreamId, origin};
use super::late::Guarded;
use super::plan::Plan;
use super::position::{self, Cursor, Known, Position, State, Stream};
use super::report::{self, Style};
use super::source::{self, Part, Unread};
use super::{Error, ScanOptions, ScanReport, Watch, clock, failure, journald};
use crate::config;
use crate::event::Event;
use crate::journal::Journal;

/// Evidence is settled when it is so old: the log line comes before the module's record.
const AGE: i64 = 10_000_000;
/// sshd waits so long for a password (LoginGraceTime), and a little.
const PATIENCE: i64 = 150_000_000;
/// Rows that are recorded together: they and their records are in memory beside all that is known.
const BATCH: usize = 256;
/// Attempts that wait for the module at one time; over it nobody is waited for.
const HELD: usize = 10_000;
/// Rotated files that are remembered.
const REMEMBERED: usize = 80;
/// So many passes look for a file that was there and is not.
const LOOKS: u32 = 10;
/// How often the place is saved on the way.
const SAVE: Duration = Duration::from_secs(2);
/// Where the systemd journal does not know a place, it is read again from so long before.
const AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// Make a pass.
pub fn run(
    options: &ScanOptions,
    config: &config::Scan,
    state_dir: &Path,
    style: Style,
    out: &mut dyn Write,
    watch: Watch<'_>,
) -> Result<ScanReport, Error> {
    let failed = |why| Error::State(state_dir.to_owned(), why);
    let position = if options.dry_run {
        None
    } else {
        Some(Position::lock(state_dir).map_err(failed)?.ok_or(Error::Busy)?)
    };
    let loaded = position::load(state_dir, options.dry_run).map_err(failed)?;
    let mut report = ScanReport { warnings: loaded.warning.into_iter().collect(), ..ScanReport::default() };
    let plan = Plan::of(options, config, &loaded.state, &mut report)?;
    let only = match (plan.files.as_slice(), plan.journald) {
        ([file], false) => Some(StreamId::new(&file.to_string_lossy())),
        ([], true) => Some(StreamId::new(journald::NAME)),
        _ => None,
    };
    let orphans = match loaded.again {
        Some(_) => Orphans::All,
        None => Orphans::After(loaded.state.saved),
    };
    let mut pass = Pass {
        options,
        state_dir,
        now: Timestamp::now(),
        since: options.since.or(loaded.again),
        journal: Journal::new(state_dir),
        recorded: Recorded::new(only),
        orphans,
        guarded: None,
        position,
        state: loaded.state,
        saved: Instant::now(),
        log_time: 0,
        is_full: false,
        style,
        out,
        report,
    };
    for path in &plan.files {
        let result = if path == Path::new("-") { pass.input(watch) } else { pass.file(path, watch) };
        pass.outlive(result)?;
    }
    if plan.journald {
        let result = pass.journald(watch);
        pass.outlive(result)?;
    }
    pass.save()?;
    pass.end()
}

/// A pass under way.
struct Pass<'a> {
    options: &'a ScanOptions,
    state_dir: &'a Path,
    now: Timestamp,
    /// Only what happened since; where nothing is known of a log, it is read back so far.
    since: Option<Timestamp>,
    journal: Journal,
    recorded: Recorded,
    orphans: Orphans,
    guarded: Option<Guarded>,
    /// None in a dry run.
    position: Option<Position>,
    state: State,
    saved: Instant,
    /// The time by the clock of the log that is being read, in microseconds.
    log_time: i64,
    /// The journal has no room.
    is_full: bool,
    style: Style,
    out: &'a mut dyn Write,
    report: ScanReport,
}

/// Which place moves on while a source is read.
#[derive(Clone, Copy)]
enum Spot {
    File(u64),
    Journald,
    /// Nobody comes back to it.
    Nowhere,
}

impl Pass<'_> {
    /// Read what is new of a file and its predecessors.
    fn file(&mut self, path: &Path, watch: Watch<'_>) -> Result<(), Error> {
        let name = path.to_string_lossy().into_owned();
        self.report.sources.push(name.clone());
        let parts = self.parts(path, &name)?;
        let mut intake = self.begin(&name);
        let mut failed = None;
        // By the file of today, or what it was before.
        self.log_time += parts.last().map_or(0, |part| clock::offset(&part.log));
        for part in &parts {
            match self.part(&name, part, &mut intake, watch) {
                // It was emptied meanwhile: that is for the next pass.
                Err(Error::Read(_, why)) if why.kind() == io::ErrorKind::StaleNetworkFileHandle => {}
                Err(e @ Error::Read(..)) if part.log.path == path => failed = Some(e),
                // A predecessor that is just being compressed is damaged for a moment.
                Err(Error::Read(..)) if self.is_fresh(part) => {}
                Err(e @ Error::Read(..)) => self.report.warnings.push(e.to_string()),
                other => other?,
            }
        }
        self.finish(&name, intake)?;
        failed.map_or(Ok(()), Err)
    }

    /// What there is to read, noted as such: a pass that is killed on the way leaves it to the next.
    fn parts(&mut self, path: &Path, name: &str) -> Result<Vec<Part>, Error> {
        let failed = |why| Error::Read(path.to_owned(), why);
        let stream = self.state.streams.entry(name.to_owned()).or_default();
        let passed = match (stream.files.is_empty(), self.options.from_start, self.since) {
            (false, ..) => Timestamp::from_second(stream.passed).unwrap_or(self.now),
            (true, true, _) => self.now,
            (true, false, Some(since)) => since,
            // A first pass reads from now on, unless it is told otherwise.
            (true, false, None) => {
                stream.files = vec![source::end_of(path).map_err(failed)?];
                stream.passed = self.now.as_second();
                return Ok(Vec::new());
            }
        };
        let Unread { parts, missing, warnings } =
            source::unread(path, &stream.files, passed).map_err(failed)?;
        self.report.warnings.extend(warnings);
        stream.passed = self.now.as_second();
        for known in stream.files.iter_mut().filter(|k| k.identity.is_some_and(|i| missing.contains(&i))) {
            known.wanted = if known.wanted == 0 { LOOKS } else { known.wanted - 1 };
            if known.wanted == 0 {
                self.report.warnings.push(format!(
                    "a file that was {} before is not there; what was written to it last is lost to the scan",
                    path.display()
                ));
                known.identity = None;
            }
        }
        let mut is_cut = false;
        for part in &parts {
            let mut known = Known {
                identity: part.identity,
                offset: part.from,
                inode: part.log.inode(),
                wanted: LOOKS,
                ..Known::default()
            };
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
        if is_cut {
            // Lines of it may have been read before, at other places.
            (stream.open, stream.held, stream.used) = <_>::default();
            stream.is_again = true;
        }
        Ok(parts)
    }

    fn part(&mut self, name: &str, part: &Part, intake: &mut Intake, watch: Watch<'_>) -> Result<(), Error> {
        let known = self.state.streams.get(name).map_or(&[][..], |stream| &stream.files);
        let known = known.iter().find(|known| known.identity == part.identity);
        let (Some(identity), Some(known)) = (part.identity, known) else { return Ok(()) };
        let lines = source::identity_of(identity, known.generation);
        // Another file with the same lines may have been read a moment ago.
        let source =
            Source::part(part, lines, known.offset).map_err(|why| Error::Read(part.log.path.clone(), why))?;
        let result = self.source(name, intake, source, Spot::File(identity), watch);
        self.note(name, Spot::File(identity), intake);
        if let Some(known) = self.known(name, identity) {
            known.wanted = 0;
            known.packed = part.log.packed().filter(|_| result.is_ok());
        }
        result
    }

    /// Whether a file was written moments ago.
    fn is_fresh(&self, part: &Part) -> bool {
        self.now.duration_since(part.log.written).as_secs() < 60
    }

    /// Read standard input. All of it is settled at its end.
    fn input(&mut self, watch: Watch<'_>) -> Result<(), Error> {
        let name = "-";
        self.report.sources.push(name.into());
        let mut intake = self.begin(name);
        let source = Source::stream(Path::new(name), io::stdin().lock(), self.now);
        self.source(name, &mut intake, source, Spot::Nowhere, watch)?;
        intake.attempts.finish();
        self.finish(name, intake)?;
        self.state.streams.remove(name);
        Ok(())
    }

    /// Read what is new in the systemd journal.
    fn journald(&mut self, watch: Watch<'_>) -> Result<(), Error> {
        let name = journald::NAME;
        self.report.sources.push(name.into());
        let stream = self.state.streams.entry(name.to_owned()).or_default();
        let cursor = stream.cursor.clone();
        let passed = Timestamp::from_second(stream.passed).unwrap_or(self.now);
        stream.passed = self.now.as_second();
        let from = match (&cursor, self.since) {
            (Some(cursor), _) => journald::From::Cursor(cursor),
            (None, Some(since)) => journald::From::Since(since),
            (None, None) if self.options.from_start => journald::From::Start,
            (None, None) => journald::From::End,
        };
        let mut intake = self.begin(name);
        let mut result = self.entries(&from, &mut intake, watch);
        let is_refused = matches!(result, Err(Error::Journald(_))) && intake.cursor.is_empty();
        if let (true, journald::From::Cursor(Cursor { cursor: Some(_), .. })) = (is_refused, &from) {
            // It may not know the place any more.
            let again = passed.checked_sub(AGAIN).unwrap_or(passed);
            let mut fresh = Intake::new(self.counts_lines(), self.options.explain, <_>::default());
            let before = self.state.streams.insert(name.to_owned(), Stream::default());
            self.recorded.forget(StreamId::new(name));
            let second = self.entries(&journald::From::Since(again), &mut fresh, watch);
            if second.is_ok() {
                self.report.warnings.push(format!(
                    "the systemd journal does not know the place at which the last scan stopped; it is read again from {again:.0} on"
                ));
                (result, intake) = (second, fresh);
            } else {
                let before = before.unwrap_or_default();
                self.recorded.begin(StreamId::new(name), &before.used, self.orphans);
                self.state.streams.insert(name.to_owned(), before);
            }
        }
        self.note(name, Spot::Journald, &intake);
        let failed = match result {
            Ok(cursor) => {
                self.state.streams.entry(name.to_owned()).or_default().cursor = Some(cursor);
                None
            }
            Err(e @ (Error::Journald(_) | Error::Read(..))) => Some(e),
            Err(e) => return Err(e),
        };
        let stream = self.state.streams.entry(name.to_owned()).or_default();
        stream.passed = self.now.as_second();
        self.finish(name, intake)?;
        failed.map_or(Ok(()), Err)
    }

    fn entries(
        &mut self,
        from: &journald::From<'_>,
        intake: &mut Intake,
        watch: Watch<'_>,
    ) -> Result<Cursor, Error> {
        if let journald::From::Cursor(Cursor { cursor: Some(cursor), .. }) = from {
            intake.seen.clone_from(cursor);
        }
        journald::read(from, self.now, |source| {
            self.source(journald::NAME, intake, source, Spot::Journald, watch)
        })
    }

    /// Go on with what was open in a log.
    fn begin(&mut self, name: &str) -> Intake {
        let id = StreamId::new(name);
        let stream = self.state.streams.entry(name.to_owned()).or_default();
        let orphans = if std::mem::take(&mut stream.is_again) { Orphans::All } else { self.orphans };
        self.recorded.begin(id, &stream.used, orphans);
        self.log_time = self.now.as_microsecond();
        let open = std::mem::take(&mut stream.open);
        Intake::new(self.counts_lines(), self.options.explain, open)
    }

    /// Settle and record what can be, and keep the rest for the next pass.
    fn finish(&mut self, name: &str, mut intake: Intake) -> Result<(), Error> {
        intake.attempts.settle(self.now.as_microsecond(), self.log_time, AGE, PATIENCE);
        self.record(name, &mut intake)?;
        self.report.open += intake.attempts.waiting();
        self.report.lines += intake.lines;
        self.report.forged += intake.forged;
        // What is saved may be large too.
        self.recorded.let_go();
        self.keep(name, intake.attempts.into_open());
        if let Some(stream) = self.state.streams.get(name) {
            self.report.open += stream.held.iter().map(|row| u64::from(row.count)).sum::<u64>();
        }
        Ok(())
    }

    fn source(
        &mut self,
        name: &str,
        intake: &mut Intake,
        source: Source<'_>,
        spot: Spot,
        watch: Watch<'_>,
    ) -> Result<(), Error> {
        let path: PathBuf = source.path().to_owned();
        let mut stopped = None;
        let result = intake.read(source, watch, &mut |intake| {
            intake.explained(self.out)?;
            let due = self.saved.elapsed() >= SAVE && !matches!(spot, Spot::Nowhere);
            let mut done = Ok(());
            if due || intake.attempts.settled() >= BATCH {
                done = self.record(name, intake);
            }
            if due && done.is_ok() {
                self.note(name, spot, intake);
                self.keep(name, intake.attempts.open_processes());
                done = self.save();
            }
            done.and_then(|()| self.out.flush().map_err(Error::Output)).map_err(|error| {
                stopped = Some(error);
                io::ErrorKind::Other.into()
            })
        });
        match (result, stopped) {
            (_, Some(error)) => Err(error),
            (Err(why), None) => Err(Error::Read(path, why)),
            (Ok(_), None) => Ok(()),
        }
    }

    /// Note how far a source was read.
    fn note(&mut self, name: &str, spot: Spot, intake: &Intake) {
        match spot {
            Spot::File(identity) => {
                if let Some(known) = self.known(name, identity) {
                    known.offset = known.offset.max(intake.reached);
                }
            }
            Spot::Journald if !intake.cursor.is_empty() => {
                let since = self.now.as_second();
                let stream = self.state.streams.entry(name.to_owned()).or_default();
                stream.cursor = Some(Cursor { cursor: Some(intake.cursor.clone()), since });
            }
            Spot::Journald | Spot::Nowhere => {}
        }
    }

    /// Keep what belongs to the noted place.
    fn keep(&mut self, name: &str, open: Open) {
        let used = self.recorded.used(StreamId::new(name), self.now.as_microsecond());
        let stream = self.state.streams.entry(name.to_owned()).or_default();
        stream.open = open;
        stream.used = used;
    }

    /// Record what has been settled and is not recorded, and what was held back for long enough.
    fn record(&mut self, name: &str, intake: &mut Intake) -> Result<(), Error> {
        let id = StreamId::new(name);
        let now = self.log_time;
        let stream = self.state.streams.entry(name.to_owned()).or_default();
        let mut rows = std::mem::take(&mut stream.held);
        rows.append(&mut intake.attempts.take_settled());
        if let Some(since) = self.since {
            rows.retain(|row| row.time >= since.as_microsecond());
        }
        self.recorded.cover(&self.journal, &rows).map_err(Error::Record)?;
        let saved = self.state.saved;
        let stream = self.state.streams.entry(name.to_owned()).or_default();
        let rows: Vec<_> = rows.into_iter().map(|row| (origin(&row, id, saved), row)).collect();
        let known: Vec<bool> = rows.iter().map(|(origin, _)| self.recorded.knows(origin, id)).collect();
        let mut fresh = Vec::new();
        for ((origin, mut row), known) in rows.into_iter().zip(known) {
            let left = if known { 0 } else { self.recorded.unrecorded(&row, id) };
            if left > 0 && stream.held.len() < HELD && !self.options.dry_run && name != "-" {
                let guarded = self.guarded.get_or_insert_with(|| Guarded::of(self.state_dir));
                if guarded.may_record(&row, now) {
                    self.report.found += u64::from(row.count - left);
                    row.count = left;
                    stream.held.push(row);
                    continue;
                }
            }
            self.report.found += u64::from(row.count);
            if left > 0 {
                self.report.recorded += u64::from(left);
                self.style.row(self.out, intake.path(row.place.source), &row, left).map_err(Error::Output)?;
                self.recorded.add(&origin);
                fresh.push((failure(&row, left, Some(origin)), row));
            }
        }
        if self.options.dry_run { Ok(()) } else { self.append(name, fresh) }
    }

    /// Append to the journal. What finds no room there waits for the next pass, as far as it is not too much.
    fn append(&mut self, name: &str, fresh: Vec<(Event, Row)>) -> Result<(), Error> {
        let (failures, rows): (Vec<Event>, Vec<Row>) = fresh.into_iter().unzip();
        let (appended, why) = match (self.is_full, rows.is_empty()) {
            (false, _) => self.journal.append_as_fits(&failures),
            (true, true) => return Ok(()),
            (true, false) => (0, Err(io::ErrorKind::StorageFull.into())),
        };
        let Err(why) = why else { return Ok(()) };
        let stream = self.state.streams.entry(name.to_owned()).or_default();
        if why.kind() != io::ErrorKind::StorageFull || stream.held.len() + rows.len() - appended > HELD {
            return Err(Error::Record(why));
        }
        if !self.is_full {
            self.report.errors.push(Error::Record(why).to_string());
            self.is_full = true;
        }
        for (mut row, failure) in rows.into_iter().zip(&failures).skip(appended) {
            row.count = failure.count;
            self.report.recorded -= u64::from(row.count);
            self.report.found -= u64::from(row.count);
            stream.held.push(row);
        }
        Ok(())
    }

    /// Make this the place from which the next pass goes on.
    fn save(&mut self) -> Result<(), Error> {
        self.saved = Instant::now();
        let Some(position) = &self.position else { return Ok(()) };
        self.state.saved = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
        position.save(&self.state).map_err(|why| Error::State(self.state_dir.to_owned(), why))
    }

    /// One log that cannot be read is said; everything else ends the pass.
    fn outlive(&mut self, result: Result<(), Error>) -> Result<(), Error> {
        match result {
            Err(e @ (Error::Read(..) | Error::Journald(_))) => {
                self.report.errors.push(e.to_string());
                Ok(())
            }
            other => other,
        }
    }

    fn end(self) -> Result<ScanReport, Error> {
        if !self.style.json && !self.style.explain {
            report::closing(self.out, &self.report, self.options.dry_run).map_err(Error::Output)?;
        }
        Ok(self.report)
    }

    fn counts_lines(&self) -> bool {
        self.options.json || self.options.explain
    }

    fn known(&mut self, name: &str, identity: u64) -> Option<&mut Known> {
        let files = &mut self.state.streams.get_mut(name)?.files;
        files.iter_mut().find(|known| known.identity == Some(identity))
    }
}
