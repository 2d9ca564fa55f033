//! One pass: every log on from where the last pass stopped, up to: recorded, and the new place saved.
//!
//! A log that cannot be read keeps back no other. On a long way the place is saved now and then, so
//! that a pass that is killed has not been in vain.
//!
//! - [`log`]: a log while it is read. [`mod@file`], [`systemd`]: how far it was read, and what is new.
//! - [`record`]: from rows to the journal. [`elsewhere`]: what only another log can decide.

mod elsewhere;
mod file;
mod log;
mod record;
mod systemd;

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::attempts::Open;
use super::checkpoint::{self, Checkpoint, Stream};
use super::choice::Choice;
use super::dedup::{Recorded, UnsavedRecords};
use super::grace::ModuleCoverage;
use super::intake::Intake;
use super::lock::Lock;
use super::origin::{StreamId, ThisMachine};
use super::reading::Halt;
use super::report::{self, Style};
use super::rules::book::book;
use super::text::Source;
use super::{Error, ScanOptions, ScanReport, Watch, journald};
use crate::config;
use crate::deliver;
use crate::event::Event;
use crate::journal::Journal;
use elsewhere::LetIn;
use log::{Log, Spot};
use record::Due;

/// Evidence is settled when it is so old: the log line comes before the module's record.
const AGE: i64 = 10_000_000;
/// sshd waits so long for a password (LoginGraceTime), and a little.
const PATIENCE: i64 = 150_000_000;
/// Rows that are recorded together: they and their records are in memory beside all that is known.
const BATCH: usize = 256;
/// How often the place is saved on the way.
const SAVE: Duration = Duration::from_secs(2);
/// A source that is replaced is read on for so long, in seconds.
const LEAVING: i64 = 600;

/// Make a pass.
pub(crate) fn run(
    options: &ScanOptions,
    config: &config::Scan,
    state_dir: &Path,
    style: Style,
    out: &mut dyn Write,
    watch: Watch<'_>,
) -> Result<ScanReport, Error> {
    let failed = |why| Error::State(state_dir.to_owned(), why);
    let lock = if options.dry_run {
        None
    } else {
        deliver::prepare(state_dir).map_err(failed)?;
        Some(Lock::take(state_dir).map_err(failed)?.ok_or(Error::Busy)?)
    };
    let loaded = checkpoint::load(state_dir, options.dry_run)
        .map_err(|why| Error::Checkpoint(state_dir.to_owned(), why.to_string()))?;
    let mistakes = book().mistakes().iter().cloned();
    let warnings = loaded.warning.into_iter().chain(mistakes).collect();
    let mut report = ScanReport { warnings, ..ScanReport::default() };
    let choice = Choice::of(options, config, &loaded.checkpoint, &mut report)?;
    let now = Timestamp::now();
    let mut pass = Pass {
        options,
        state_dir,
        now,
        since: options.since.or(loaded.again),
        new_since: choice.begins(&loaded.checkpoint, now),
        journal: Journal::new(state_dir),
        recorded: Recorded::new(only(&choice)),
        addresses: Vec::new(),
        due: Due::default(),
        let_in: LetIn::default(),
        unsaved: match loaded.again {
            Some(_) => UnsavedRecords::All,
            None => UnsavedRecords::After(loaded.checkpoint.saved),
        },
        module: ModuleCoverage::of(state_dir),
        here: ThisMachine::default(),
        _lock: lock,
        checkpoint: loaded.checkpoint,
        saved: Instant::now(),
        is_full: false,
        style,
        out,
        report,
    };
    pass.checkpoint.coverage.forget_before(now.as_microsecond());
    // Of a checkpoint that is lost, or of an older version, it is not known.
    if loaded.again.is_none() && pass.checkpoint.saved == 0 {
        pass.checkpoint.begun = now.as_microsecond();
    }
    for (name, stream) in &pass.checkpoint.streams {
        pass.let_in.extend(StreamId::new(name), &stream.logins);
    }
    pass.read_all(&choice, watch)?;
    pass.record_undecided()?;
    pass.record_logins()?;
    pass.save()?;
    pass.end()
}

/// The only log that is read, if it is only one.
fn only(choice: &Choice) -> Option<StreamId> {
    match (choice.files.as_slice(), choice.journald, choice.leaving.is_empty()) {
        ([file], false, true) => Some(StreamId::new(&file.to_string_lossy())),
        ([], true, true) => Some(StreamId::new(journald::NAME)),
        _ => None,
    }
}

/// A pass under way.
struct Pass<'a> {
    options: &'a ScanOptions,
    state_dir: &'a Path,
    now: Timestamp,
    /// Only what happened since; where nothing is known of a log, it is read back so far.
    since: Option<Timestamp>,
    /// Since when a log is read that is new where others were read before.
    new_since: Option<Timestamp>,
    journal: Journal,
    recorded: Recorded,
    /// From where failures came that are recorded without an address.
    addresses: Vec<Event>,
    due: Due,
    let_in: LetIn,
    unsaved: UnsavedRecords,
    module: ModuleCoverage,
    here: ThisMachine,
    /// None in a dry run.
    _lock: Option<Lock>,
    checkpoint: Checkpoint,
    saved: Instant,
    /// The journal has no room.
    is_full: bool,
    style: Style,
    out: &'a mut dyn Write,
    report: ScanReport,
}

impl Pass<'_> {
    fn read_all(&mut self, choice: &Choice, watch: Watch<'_>) -> Result<(), Error> {
        for path in &choice.files {
            let mut log = self.take_log(&path.to_string_lossy(), choice.is_regular);
            let result =
                if path == Path::new("-") { self.input(&mut log, watch) } else { self.file(&mut log, watch) };
            self.note_error(result)?;
            self.put_back(log);
        }
        if choice.journald {
            let mut log = self.take_log(journald::NAME, choice.is_regular);
            let result = self.journald(&mut log, watch);
            self.note_error(result)?;
            self.put_back(log);
        }
        choice.leaving.iter().try_for_each(|name| self.leave(name, watch))
    }

    /// Read on in a source that was replaced: what it reported last may be in no other. After a while it is
    /// forgotten, and if it comes back it is a new one.
    fn leave(&mut self, name: &str, watch: Watch<'_>) -> Result<(), Error> {
        let mut log = self.take_log(name, true);
        let left = *log.stream.left.get_or_insert(self.now.as_second());
        let is_last = self.now.as_second() - left >= LEAVING;
        let result = match name {
            journald::NAME if journald::is_there() => self.journald(&mut log, watch),
            journald::NAME => Ok(()),
            _ if log.path().exists() => self.file(&mut log, watch),
            _ => Ok(()),
        };
        match result {
            // It may be going away right now.
            Ok(()) | Err(Error::Read(..) | Error::Journald(_)) => {}
            Err(other) => return Err(other),
        }
        if is_last {
            self.settle_all(&mut log)
        } else {
            self.put_back(log);
            Ok(())
        }
    }

    /// A log of the checkpoint, which is without it until [`Self::put_back`].
    fn take_log(&mut self, name: &str, is_regular: bool) -> Log {
        let mut stream = self.checkpoint.streams.remove(name).unwrap_or_default();
        stream.is_regular |= is_regular;
        let mut log = Log::new(name, stream, self.now);
        log.from = self.since.map(Timestamp::as_microsecond);
        log
    }

    fn put_back(&mut self, log: Log) {
        // Standard input has no place.
        if log.name != "-" {
            self.checkpoint.streams.insert(log.name, log.stream);
        }
    }

    /// Where a log that is new begins; none: it is not new.
    fn beginning(&self, stream: &Stream) -> Option<Beginning> {
        match (stream.is_new(), self.options.from_start, self.since, self.new_since) {
            (false, ..) => None,
            (true, true, ..) => Some(Beginning::Start),
            (true, false, Some(since), _) => Some(Beginning::Since(since)),
            (true, false, None, Some(since)) => Some(Beginning::Since(since)),
            // A first pass reads from now on, unless the administrator says otherwise.
            (true, false, None, None) => Some(Beginning::End),
        }
    }

    /// Begin to read what the first pass over a log passed over: everything from the start, of which what
    /// is not older than that pass is left to the place that the log has. A pass that is killed on the way
    /// leaves it to be done again, and what was recorded is known by its origin.
    fn begin_before(&mut self, log: &Log) -> Option<(Log, Intake)> {
        if log.stream.skipped.is_none() {
            if !log.stream.is_new() {
                self.report.notes.push(format!(
                    "{} was read from its start, or by a version that did not note where it began: nothing is read again",
                    log.name
                ));
            }
            return None;
        }
        let mut before = Log::new(&log.name, Stream::default(), self.now);
        before.until = log.stream.skipped;
        self.recorded.begin(before.id, &[], UnsavedRecords::All);
        let mut intake = self.intake(Open::default());
        intake.attempts.keep_logins();
        Some((before, intake))
    }

    fn finish_before(&mut self, log: &mut Log, mut before: Log, mut intake: Intake) -> Result<(), Error> {
        intake.attempts.finish();
        self.record(&mut before, &mut intake)?;
        self.report.lines += intake.lines;
        self.report.uncounted += intake.uncounted;
        self.recorded.unload();
        log.stream.skipped = None;
        // Judged with those that are new, when all that failed is recorded.
        log.stream.logins.append(&mut before.stream.logins);
        log.stream.deferred.append(&mut before.stream.deferred);
        log.stream.undecided.append(&mut before.stream.undecided);
        log.stream.doubted.append(&mut before.stream.doubted);
        Ok(())
    }

    /// Read standard input. All of it is settled at its end.
    fn input(&mut self, log: &mut Log, watch: Watch<'_>) -> Result<(), Error> {
        let mut intake = self.begin(log);
        let source = Source::stream(log.path(), io::stdin().lock(), self.now);
        self.read(log, &mut intake, source, watch)?;
        intake.attempts.finish();
        self.finish(log, intake)
    }

    /// Go on with what was open in a log.
    fn begin(&mut self, log: &mut Log) -> Intake {
        let is_again = std::mem::take(&mut log.stream.is_again);
        let unsaved = if is_again { UnsavedRecords::All } else { self.unsaved };
        self.recorded.begin(log.id, &log.stream.used, unsaved);
        self.report.sources.push(log.name.clone());
        let mut intake = self.intake(log.take_open());
        intake.attempts.keep_logins();
        intake
    }

    fn intake(&self, open: Open) -> Intake {
        let counts_lines = self.options.json || self.options.explain;
        Intake::new(counts_lines, self.options.explain, open)
    }

    /// Read a source, recording on the way. Where it was emptied meanwhile, what it has now is for the
    /// next pass.
    fn read(
        &mut self,
        log: &mut Log,
        intake: &mut Intake,
        source: Source<'_>,
        watch: Watch<'_>,
    ) -> Result<(), Error> {
        let path = source.path().to_owned();
        let result = intake.read(source, watch, &mut |intake| {
            intake.explained(self.out).map_err(Error::Output)?;
            let due = self.saved.elapsed() >= SAVE && log.spot != Spot::Nowhere;
            if due || intake.attempts.settled() >= BATCH {
                self.record(log, intake)?;
            }
            if due {
                log.note(intake, self.now);
                self.keep(log, intake.attempts.open_processes());
                self.record_break_ins()?;
                self.save_with(log)?;
            }
            self.out.flush().map_err(Error::Output)
        });
        match result {
            Ok(_) | Err(Halt::Emptied) => Ok(()),
            Err(Halt::Read(why)) => Err(Error::Read(path, why)),
            Err(Halt::Taker(error)) => Err(error),
        }
    }

    /// Settle and record what can be, and keep the rest for the next pass.
    fn finish(&mut self, log: &mut Log, mut intake: Intake) -> Result<(), Error> {
        let now = self.now.as_microsecond();
        intake.attempts.settle(now, log.time, AGE, PATIENCE);
        self.record(log, &mut intake)?;
        if log.name == "-" {
            self.record_all_logins(log, &intake)?;
        } else {
            // What failed before these is settled too, by whichever clock is later.
            self.logins_are_due(log, &intake, log.time.max(now) - AGE);
        }
        self.report.open += intake.attempts.waiting();
        self.report.lines += intake.lines;
        self.report.uncounted += intake.uncounted;
        if log.stream.logins.is_empty() {
            // What is saved may be large too.
            self.recorded.unload();
        }
        self.keep(log, intake.attempts.into_open());
        self.report.open += log.stream.deferred.iter().map(|row| u64::from(row.count)).sum::<u64>();
        Ok(())
    }

    /// Keep what belongs to the noted place.
    fn keep(&mut self, log: &mut Log, open: Open) {
        log.stream.used = self.recorded.used(log.id, self.now.as_microsecond());
        log.stream.open = open;
    }

    /// Make this the place from which the next pass goes on, with a log that is being read.
    fn save_with(&mut self, log: &mut Log) -> Result<(), Error> {
        self.checkpoint.streams.insert(log.name.clone(), std::mem::take(&mut log.stream));
        let saved = self.save();
        log.stream = self.checkpoint.streams.remove(&log.name).unwrap_or_default();
        saved
    }

    /// Make this the place from which the next pass goes on.
    fn save(&mut self) -> Result<(), Error> {
        self.saved = Instant::now();
        if self.options.dry_run {
            return Ok(());
        }
        checkpoint::save(self.state_dir, &mut self.checkpoint)
            .map_err(|why| Error::State(self.state_dir.to_owned(), why))
    }

    /// One log that cannot be read is said; everything else ends the pass.
    fn note_error(&mut self, result: Result<(), Error>) -> Result<(), Error> {
        match result {
            Err(e @ (Error::Read(..) | Error::Journald(_))) => {
                self.report.errors.push(e.to_string());
                Ok(())
            }
            other => other,
        }
    }

    fn end(self) -> Result<ScanReport, Error> {
        // An explanation speaks for itself, where there was a line to explain.
        let is_explained = self.style.explain && self.report.lines > 0;
        if !self.style.json && !is_explained {
            report::closing(self.out, &self.report, self.options.dry_run).map_err(Error::Output)?;
        }
        Ok(self.report)
    }
}

/// Where the first pass over a log begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beginning {
    Start,
    Since(Timestamp),
    End,
}
