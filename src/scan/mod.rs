//! The log route: failures that PAM in this process could not record.
//!
//! Services without the module, screen lockers that run PAM unprivileged, sshd without PAM, the
//! time before installation. A pass reads what is new, finds the attempts, passes over those that
//! the module has recorded, records the others, and remembers where it stopped.
//!
//! - [`source`], [`reading`]: logs and their blocks. [`candidates`]: the lines worth a look.
//! - [`header`], [`wrapped`], [`stamp`], [`entry`], [`clock`], [`years`]: who wrote a line, and when.
//! - [`sample`]: what a log is, by its first lines.
//! - [`writer`]: whether who wrote it may say so.
//! - [`rules`]: what it says. [`attempts`]: how many attempts the lines tell of.
//! - [`known`]: what is recorded already. [`late`]: what may be recorded yet.
//! - [`pass`]: one pass over all logs. [`plan`]: which ones. [`position`]: where it stopped.
//! - [`intake`]: the way of a line through all that.

pub mod attempts;
pub mod candidates;
pub mod clock;
pub mod entry;
pub mod header;
pub mod intake;
pub mod journald;
pub mod known;
pub mod late;
pub mod pass;
pub mod plan;
pub mod position;
pub mod reading;
pub mod report;
pub mod rules;
mod sample;
pub mod source;
pub mod stamp;
mod wrapped;
mod writer;
pub mod years;

use std::fmt;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config;
use crate::event::{Class, Event, Route};
use attempts::Row;
use intake::{Intake, Source};
use report::Style;
use sample::Sample;

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
    /// Lines of attempts that somebody wrote who cannot know of them (the systemd journal alone tells).
    pub forged: u64,
    /// Sources read.
    pub sources: Vec<String>,
    /// What the administrator should know.
    pub warnings: Vec<String>,
    /// Logs that could not be read, and why; the others were.
    pub errors: Vec<String>,
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
    /// No line of a log has a head that is understood; one of them.
    NotUnderstood(PathBuf, String),
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
            Self::NotUnderstood(path, line) => write!(
                f,
                "could not read the log {}: no line of it begins as a log daemon writes it, such as: {line}",
                path.display()
            ),
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
    // Rows are many and short.
    let mut out = BufWriter::new(out);
    let result = if options.dry_run && !options.files.is_empty() {
        forensics(options, style, &mut out, watch)
    } else {
        pass::run(options, config, state_dir, style, &mut out, watch)
    };
    let flushed = out.flush().map_err(Error::Output);
    result.and_then(|report| flushed.map(|()| report))
}

/// Every failure that a log tells of, in the order of time: for simulations.
pub fn failures(path: &Path) -> Result<Vec<Event>, Error> {
    let mut rows = Vec::new();
    let mut intake = Intake::new(false, false, attempts::Open::default());
    let sample = read_whole(path, &mut intake, &mut |_, _, _| {}, &mut |intake: &mut Intake| {
        rows.append(&mut intake.attempts.take_settled());
        Ok(())
    })?;
    intake.attempts.finish();
    rows.append(&mut intake.attempts.take_settled());
    if let Some(line) = sample.unread.filter(|_| rows.is_empty()) {
        return Err(Error::NotUnderstood(path.to_owned(), line));
    }
    rows.sort_by_key(|row| row.time);
    Ok(rows.iter().map(|row| failure(row, row.count, None)).collect())
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
            // Whoever writes the log may be at it.
            out.flush()
        };
        let sample = read_whole(path, &mut intake, watch, &mut print)?;
        intake.attempts.finish();
        print(&mut intake).map_err(Error::Output)?;
        if let Some(line) = sample.unread.filter(|_| found == 0) {
            report.errors.push(Error::NotUnderstood(path.clone(), line).to_string());
        }
        report.found += found;
        report.lines += intake.lines;
        report.forged += intake.forged;
        report.sources.push(path.to_string_lossy().into_owned());
    }
    report.recorded = report.found;
    // Of logs that could not be read there is nothing to sum up.
    let nothing_read = report.errors.len() == options.files.len();
    if !options.json && !options.explain && !nothing_read {
        table.print(out).map_err(Error::Output)?;
        report::forged(out, report.forged).map_err(Error::Output)?;
    }
    Ok(report)
}

/// Read a log to its end, the oldest line first; what its first lines showed comes back.
fn read_whole(
    path: &Path,
    intake: &mut Intake,
    watch: Watch<'_>,
    after: &mut dyn FnMut(&mut Intake) -> io::Result<()>,
) -> Result<Sample, Error> {
    let failed = |why| Error::Read(path.to_owned(), why);
    let mut read_stream = |intake: &mut Intake, stream: Box<dyn Read>, written: Timestamp| {
        let sorted = sample::sorted(stream, written)?;
        intake.turned = sorted.turned;
        let read = intake.read(Source::stream(path, sorted.text, written), watch, after);
        intake.turned = None;
        read.map(|_| sorted.sample)
    };
    if path == Path::new("-") {
        return read_stream(intake, Box::new(io::stdin().lock()), Timestamp::now()).map_err(failed);
    }
    let log = source::Log::open(path).map_err(failed)?;
    if let Some((file, _)) = log.plain() {
        let sample = Sample::of_file(file, log.written).map_err(failed)?;
        if !sample.is_newest_first {
            let source = Source::whole(&log).map_err(failed)?;
            return intake.read(source, watch, after).map(|_| sample).map_err(failed);
        }
    }
    log.stream().and_then(|stream| read_stream(intake, stream, log.written)).map_err(failed)
}

/// When the last pass saved its place, since the epoch, for `check`.
pub fn last_pass(state: &Path) -> Option<Duration> {
    let saved = position::load(state, true).ok()?.state.saved;
    (saved > 0).then(|| Duration::from_micros(saved))
}

/// The names of the sources that a pass would read, for `check`.
pub fn sources(config: &config::Scan) -> Result<Vec<String>, Error> {
    let options = ScanOptions::default();
    let plan = plan::Plan::of(&options, config, &position::State::default(), &mut ScanReport::default())?;
    let files = plan.files.iter().map(|path| path.display().to_string());
    Ok(files.chain(plan.journald.then(|| "the systemd journal".into())).collect())
}

/// What is recorded of `count` attempts in a row. Only what goes to the journal needs an origin.
fn failure(row: &Row, count: u32, origin: Option<String>) -> Event {
    Event {
        time: Timestamp::from_microsecond(row.time).unwrap_or(Timestamp::UNIX_EPOCH),
        host: String::new(),
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
        origin,
    }
}

/// The zone in which this machine writes its stamps.
fn zone() -> TimeZone {
    TimeZone::system()
}
