//! The log route: failures that PAM in this process could not record.
//!
//! Services without the module, screen lockers that run PAM unprivileged, sshd without PAM, the
//! time before installation. A pass reads what is new, finds the attempts, passes over those that
//! the module has recorded, records the others, and remembers where it stopped.
//!
//! - [`source`], [`reading`]: logs and their blocks. [`candidates`]: the lines worth a look.
//! - [`header`], [`stamp`], [`entry`], [`years`]: who wrote a line, and when.
//! - [`rules`]: what it says. [`attempts`]: how many attempts the lines tell of.
//! - [`known`]: what is recorded already. [`position`]: where the last pass stopped.
//! - [`intake`]: the way of a line through all that.

pub mod attempts;
pub mod candidates;
pub mod entry;
pub mod header;
pub mod intake;
pub mod journald;
pub mod known;
pub mod position;
pub mod reading;
pub mod report;
pub mod rules;
pub mod source;
pub mod stamp;
pub mod years;

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config;
use crate::failure::{Class, Failure, Route};
use crate::journal::Journal;
use attempts::Row;
use intake::{Intake, Source};
use known::Recorded;
use position::{Known, Position};
use report::Style;

/// Evidence is settled when it is so old: the log line comes before the module's record.
const AGE: i64 = 10_000_000;
/// sshd waits so long for a password (LoginGraceTime), and a little.
const PATIENCE: i64 = 150_000_000;
/// Rows that are recorded together.
const BATCH: usize = 1000;
/// Rotated files that are remembered by path.
const REMEMBERED: usize = 80;
/// A default log that was not written for so long is probably not written at all.
const STALE: i64 = 2 * 86400;

/// What a pass is to do.
#[derive(Clone, Debug, Default)]
pub struct ScanOptions {
    /// Instead of the configured files; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// Read the systemd journal.
    pub journald: bool,
    /// Print what would be recorded, and record nothing.
    pub dry_run: bool,
    /// Print rows as JSON.
    pub json: bool,
    /// Print each line with what it was taken for.
    pub explain: bool,
    /// Only what happened since; on a first pass, read back so far.
    pub since: Option<Timestamp>,
    /// On a first pass, read what is there.
    pub from_start: bool,
}

/// What a pass did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// Attempts found and settled in this pass.
    pub found: u64,
    /// Of these, recorded now (or, in a dry run, those that would be).
    pub recorded: u64,
    /// Attempts that wait for the next pass.
    pub open: u64,
    /// Lines looked at closely.
    pub lines: u64,
    /// Sources read.
    pub sources: Vec<String>,
    /// What the administrator should know.
    pub warnings: Vec<String>,
}

/// Why a pass could not be made.
#[derive(Debug)]
pub enum Error {
    /// There is no log on this machine.
    NoSource,
    /// A log cannot be read.
    Read(PathBuf, io::Error),
    /// The systemd journal cannot be read.
    Journald(String),
    /// The state directory cannot be read or written.
    State(PathBuf, io::Error),
    /// Failures cannot be recorded.
    Record(io::Error),
    /// The output cannot be written.
    Output(io::Error),
    /// Another scan is running.
    Busy,
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSource => write!(
                f,
                "no log of authentications here: neither {} nor {} exists, and the systemd journal is not there or \
                 turned off; install rsyslog, use --journald, or name files in [scan] of the configuration",
                source::DEFAULT_FILES[0],
                source::DEFAULT_FILES[1]
            ),
            Self::Read(path, why) => write!(f, "cannot read {}: {why}", path.display()),
            Self::Journald(why) => write!(f, "cannot read the systemd journal: {why}"),
            Self::State(path, why) => write!(f, "cannot use the state directory {}: {why}", path.display()),
            Self::Record(why) => write!(f, "cannot record failures in the journal: {why}"),
            Self::Output(why) => write!(f, "cannot write the output: {why}"),
            Self::Busy => write!(f, "another scan is running; try again when it has ended"),
        }
    }
}

/// Called now and then with the log, the bytes read and its size (0: not known).
pub type Watch<'a> = &'a mut dyn FnMut(&Path, u64, u64);

/// One pass over the logs, up to: recorded in the journal. Rows, explanations and the summary go
/// to `out`; `watch` hears of the progress on long files.
pub fn run(
    options: &ScanOptions,
    config: &config::Scan,
    state_dir: &Path,
    out: &mut dyn Write,
    watch: Watch<'_>,
) -> Result<ScanReport, Error> {
    let style = Style { json: options.json, explain: options.explain };
    if options.dry_run && !options.files.is_empty() {
        return forensics(options, style, out, watch);
    }
    let now = Timestamp::now();
    let failed = |why| Error::State(state_dir.to_owned(), why);
    let position = if options.dry_run {
        None
    } else {
        Some(Position::lock(state_dir).map_err(failed)?.ok_or(Error::Busy)?)
    };
    let (saved, warning) = position::load(state_dir, options.dry_run).map_err(failed)?;
    let mut report = ScanReport { warnings: warning.into_iter().collect(), ..ScanReport::default() };
    let mut state = saved.unwrap_or_default();
    let plan = Plan::of(options, config, &mut report)?;
    let mut pass = Pass {
        journal: Journal::new(state_dir),
        recorded: Recorded::new(&state.used),
        dry_run: options.dry_run,
        since: options.since.map(Timestamp::as_microsecond),
        style,
        out,
        report,
    };
    let mut intake =
        Intake::new(options.json || options.explain, options.explain, std::mem::take(&mut state.open));
    let passed = Timestamp::from_second(state.passed).unwrap_or(now);
    for path in &plan.files {
        let key = path.to_string_lossy().into_owned();
        let known = state.files.get(&key).cloned();
        let read = pass.file(path, known, passed, now, options, &mut intake, watch)?;
        if let Some(known) = read {
            state.files.insert(key, known);
        }
    }
    if plan.journald {
        let cursor = journald::read(state.journald.as_ref(), now, options, |source| {
            pass.source(&mut intake, source, watch)
        })?;
        state.journald = Some(cursor);
        pass.report.sources.push("journald".into());
    }
    intake.attempts.settle(now.as_microsecond(), AGE, PATIENCE);
    pass.record(&mut intake)?;
    state.open = intake.attempts.open_processes();
    state.used = pass.recorded.used(now.as_microsecond());
    state.passed = now.as_second();
    pass.report.open = intake.attempts.waiting();
    pass.report.lines = intake.lines;
    if let Some(position) = position {
        position.save(&state).map_err(failed)?;
    }
    pass.end()
}

/// Every failure that a log tells of, in the order of time: for simulations.
pub fn failures(path: &Path) -> Result<Vec<Failure>, Error> {
    let mut rows = Vec::new();
    let mut intake = Intake::new(false, false, attempts::Open::default());
    read_whole(path, &mut intake, &mut |_, _, _| {}, &mut |intake: &mut Intake| {
        rows.append(&mut intake.attempts.take_settled());
        Ok(())
    })?;
    intake.attempts.finish();
    rows.append(&mut intake.attempts.take_settled());
    rows.sort_by_key(|row| row.time);
    Ok(rows.iter().map(|row| failure(row, row.count)).collect())
}

/// Explicit files in a dry run are read as a whole, and everything is settled at their end.
fn forensics(
    options: &ScanOptions,
    style: Style,
    out: &mut dyn Write,
    watch: Watch<'_>,
) -> Result<ScanReport, Error> {
    let mut report = ScanReport::default();
    let since = options.since.map_or(i64::MIN, Timestamp::as_microsecond);
    let mut table = report::Summary::default();
    for path in &options.files {
        let mut intake =
            Intake::new(options.json || options.explain, options.explain, attempts::Open::default());
        let mut found = 0;
        let mut print = |intake: &mut Intake| {
            intake.explained(out)?;
            for row in intake.attempts.take_settled() {
                if row.time >= since {
                    found += u64::from(row.count);
                    style.row(out, path, &row, row.count)?;
                    table.add(&row);
                }
            }
            Ok(())
        };
        read_whole(path, &mut intake, watch, &mut print)?;
        intake.attempts.finish();
        print(&mut intake).map_err(Error::Output)?;
        report.found += found;
        report.lines += intake.lines;
        report.sources.push(path.to_string_lossy().into_owned());
    }
    report.recorded = report.found;
    if !options.json && !options.explain {
        table.print(out).map_err(Error::Output)?;
    }
    Ok(report)
}

fn read_whole(
    path: &Path,
    intake: &mut Intake,
    watch: Watch<'_>,
    after: &mut dyn FnMut(&mut Intake) -> io::Result<()>,
) -> Result<(), Error> {
    let failed = |why| Error::Read(path.to_owned(), why);
    if path == Path::new("-") {
        let source = Source::stream(path, io::stdin().lock(), Timestamp::now());
        return intake.read(source, watch, after).map(|_| ()).map_err(failed);
    }
    let log = source::Log::open(path).map_err(failed)?;
    let source = Source::whole(&log).map_err(failed)?;
    intake.read(source, watch, after).map(|_| ()).map_err(failed)
}

/// The names of the sources that a pass would read, for `check`.
pub fn sources(config: &config::Scan) -> Result<Vec<String>, Error> {
    let options = ScanOptions::default();
    let plan = Plan::of(&options, config, &mut ScanReport::default())?;
    let files = plan.files.iter().map(|path| path.display().to_string());
    Ok(files.chain(plan.journald.then(|| "the systemd journal".into())).collect())
}

/// Which sources a pass reads.
struct Plan {
    files: Vec<PathBuf>,
    journald: bool,
}

impl Plan {
    fn of(options: &ScanOptions, config: &config::Scan, report: &mut ScanReport) -> Result<Self, Error> {
        if !options.files.is_empty() || options.journald {
            return Ok(Self { files: options.files.clone(), journald: options.journald });
        }
        let journald = config.journald;
        if let Some(files) = &config.files {
            let present: Vec<PathBuf> = files.iter().filter(|path| path.exists()).cloned().collect();
            for path in files.iter().filter(|path| !path.exists()) {
                report.warnings.push(format!("{} of the configuration does not exist", path.display()));
            }
            if present.is_empty() && journald != Some(true) && !files.is_empty() {
                return Err(Error::NoSource);
            }
            return Ok(Self { files: present, journald: journald == Some(true) });
        }
        let files: Vec<PathBuf> =
            source::DEFAULT_FILES.iter().map(PathBuf::from).filter(|path| path.exists()).collect();
        let use_journald = journald.unwrap_or(files.is_empty());
        if files.is_empty() && (!use_journald || !journald::is_there()) {
            return Err(Error::NoSource);
        }
        for path in &files {
            let written = path
                .metadata()
                .ok()
                .and_then(|m| m.modified().ok())
                .and_then(|t| Timestamp::try_from(t).ok());
            let age = written.map_or(0, |t| Timestamp::now().duration_since(t).as_secs());
            if age > STALE && !use_journald {
                report.warnings.push(format!(
                    "{} was last written {} days ago; if rsyslog is gone, set journald = true in [scan]",
                    path.display(),
                    age / 86400
                ));
            }
        }
        Ok(Self { files, journald: use_journald })
    }
}

/// A pass under way.
struct Pass<'a> {
    journal: Journal,
    recorded: Recorded,
    dry_run: bool,
    since: Option<i64>,
    style: Style,
    out: &'a mut dyn Write,
    report: ScanReport,
}

impl Pass<'_> {
    /// Read what is new of a file. What is known of it afterwards comes back.
    #[allow(clippy::too_many_arguments)]
    fn file(
        &mut self,
        path: &Path,
        known: Option<Vec<Known>>,
        passed: Timestamp,
        now: Timestamp,
        options: &ScanOptions,
        intake: &mut Intake,
        watch: Watch<'_>,
    ) -> Result<Option<Vec<Known>>, Error> {
        let failed = |why| Error::Read(path.to_owned(), why);
        self.report.sources.push(path.to_string_lossy().into_owned());
        if path == Path::new("-") {
            let source = Source::stream(path, io::stdin().lock(), now);
            self.source(intake, source, watch)?;
            return Ok(None);
        }
        let parts = match &known {
            Some(known) => source::unread(path, known, passed, &mut self.report.warnings).map_err(failed)?,
            // A first pass reads from now on, unless it is told otherwise.
            None if options.from_start => {
                source::unread(path, &[], now, &mut self.report.warnings).map_err(failed)?
            }
            None => match options.since {
                Some(since) => source::unread(path, &[], since, &mut self.report.warnings).map_err(failed)?,
                None => return Ok(Some(vec![source::end_of(path).map_err(failed)?])),
            },
        };
        let mut known = known.unwrap_or_default();
        for part in parts {
            let inode = part.log.inode();
            let offset = match part.identity {
                None => 0,
                Some(_) => {
                    let source = Source::part(&part).map_err(failed)?;
                    self.source(intake, source, watch)?.offset
                }
            };
            known.retain(|k| k.identity.is_some() && k.identity != part.identity);
            known.push(Known { identity: part.identity, offset, inode });
        }
        let excess = known.len().saturating_sub(REMEMBERED);
        known.drain(..excess);
        Ok(Some(known))
    }

    fn source(
        &mut self,
        intake: &mut Intake,
        source: Source<'_>,
        watch: Watch<'_>,
    ) -> Result<reading::Progress, Error> {
        let path = source.path().to_owned();
        let mut stopped = None;
        let result = intake.read(source, watch, &mut |intake| {
            intake.explained(self.out)?;
            if intake.attempts.settled() >= BATCH {
                if let Err(e) = self.record(intake) {
                    stopped = Some(e);
                    return Err(io::ErrorKind::Other.into());
                }
            }
            Ok(())
        });
        match (result, stopped) {
            (_, Some(error)) => Err(error),
            (Err(why), None) => Err(Error::Read(path, why)),
            (Ok(progress), None) => Ok(progress),
        }
    }

    /// Record what has been settled and is not recorded.
    fn record(&mut self, intake: &mut Intake) -> Result<(), Error> {
        let mut rows = intake.attempts.take_settled();
        if let Some(since) = self.since {
            rows.retain(|row| row.time >= since);
        }
        self.recorded.cover(&self.journal, &rows).map_err(Error::Record)?;
        let mut fresh = Vec::new();
        for row in &rows {
            self.report.found += u64::from(row.count);
            let left = self.recorded.unrecorded(row, &origin(row));
            if left > 0 {
                self.report.recorded += u64::from(left);
                self.style.row(self.out, intake.path(row.place.source), row, left).map_err(Error::Output)?;
                fresh.push(failure(row, left));
            }
        }
        if self.dry_run { Ok(()) } else { self.journal.append(&fresh).map_err(Error::Record) }
    }

    fn end(self) -> Result<ScanReport, Error> {
        if !self.style.json && !self.style.explain {
            report::closing(self.out, &self.report, self.dry_run).map_err(Error::Output)?;
        }
        Ok(self.report)
    }
}

/// Where a row's line stood, in a form that outlives a rename.
fn origin(row: &Row) -> String {
    format!("{:016x}:{}", row.place.source, row.place.offset)
}

fn failure(row: &Row, count: u32) -> Failure {
    Failure {
        time: Timestamp::from_microsecond(row.time).unwrap_or(Timestamp::UNIX_EPOCH),
        route: Route::Log,
        class: Class::Failure,
        count,
        service: row.service.to_string(),
        pid: row.pid,
        ppid: 0,
        user: row.user.to_string(),
        rhost: row.rhost.to_string(),
        tty: row.tty.to_string(),
        ruser: row.ruser.to_string(),
        uid: 0,
        origin: Some(origin(row)),
    }
}

/// The zone in which this machine writes its stamps.
fn zone() -> TimeZone {
    TimeZone::system()
}
