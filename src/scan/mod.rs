//! The log route: failures that PAM in this process could not record.
//!
//! Services without the module, screen lockers that run PAM unprivileged, sshd without PAM, the
//! time before installation. A pass reads what is new, finds the attempts, passes over those that
//! the module has recorded, records the others, and remembers where it stopped.
//!
//! - [`choice`]: which logs. [`source`]: files and their predecessors. [`text`], [`reading`]: their blocks.
//! - [`prefilter`]: the lines worth a look. [`intake`]: the way of a line through all that follows.
//! - [`header`], [`tag`], [`wrapped`], [`stamp`], [`calendar`], [`entry`], [`clock`], [`years`]: who wrote a line, and when.
//! - [`sample`]: what a log is, by its first lines. [`export`]: one form of the systemd journal as another. [`writer`]: whether who wrote a line may say so.
//! - [`rules`]: what it says. [`attempts`]: how many attempts the lines tell of.
//! - [`origin`], [`dedup`]: what is recorded already. [`grace`]: what may be recorded yet.
//!   [`coverage`]: where the module knows better.
//! - [`unread`]: lines that another thread reads. [`uncounted`]: lines that count for nothing.
//! - [`pass`]: one pass over all logs. [`whole`], [`each`](mod@each): a log by itself. [`report`]: what is printed.
//! - [`checkpoint`]: where a pass stopped. [`identity`], [`hash`]: how a log is known again. [`lock`].
//! - [`state`]: what there is to say of it all between two passes.

pub mod attempts;
pub(crate) mod calendar;
pub(crate) mod checkpoint;
pub(crate) mod choice;
pub(crate) mod clock;
pub(crate) mod coverage;
pub(crate) mod dedup;
mod each;
pub mod entry;
mod export;
pub(crate) mod grace;
pub(crate) mod hash;
pub mod header;
pub(crate) mod identity;
pub mod intake;
pub(crate) mod journald;
pub(crate) mod lock;
mod months;
pub(crate) mod origin;
pub(crate) mod pass;
pub mod prefilter;
pub mod reading;
pub(crate) mod report;
pub mod rules;
mod sample;
pub(crate) mod source;
pub mod stamp;
pub(crate) mod state;
mod tag;
pub(crate) mod text;
mod uncounted;
mod unread;
pub(crate) mod whole;
mod wrapped;
mod writer;
pub mod years;

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::config;
use crate::event::{Class, Event, Route};
use attempts::Row;
pub use each::{Rows, each, each_of_end, each_of_journald};
use origin::ThisMachine;
use report::Style;
pub use state::{ScanState, last_pass};
pub use uncounted::Uncounted;

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
    /// Attempts of which the module, which hears all there, said nothing: reported by a log alone.
    pub doubted: u64,
    /// Lines looked at closely.
    pub lines: u64,
    /// Lines that hold words of an attempt, and count for nothing.
    pub uncounted: Uncounted,
    /// Sources read.
    pub sources: Vec<String>,
    /// Logins recorded now.
    pub logins: u64,
    /// What a person at the keyboard should know.
    pub notes: Vec<String>,
    /// What the administrator should know.
    pub warnings: Vec<String>,
    /// Logs that could not be read, and why; the others were.
    pub errors: Vec<String>,
}

impl ScanReport {
    /// Count attempts of a row as recorded now.
    fn count(&mut self, row: &Row) {
        self.found += u64::from(row.count);
        self.recorded += u64::from(row.count);
    }

    /// A row was counted as recorded, and is not.
    fn take_back(&mut self, row: &Row) {
        self.found -= u64::from(row.count);
        self.recorded -= u64::from(row.count);
    }
}

/// Why a pass could not be made.
#[derive(Debug)]
pub enum Error {
    /// There is no log on this machine.
    NoSource,
    /// None of the logs that the configuration names is there.
    Missing(Vec<PathBuf>),
    /// A log cannot be read.
    Read(PathBuf, io::Error),
    /// A log was emptied while it was read.
    Emptied(PathBuf),
    /// The systemd journal cannot be read.
    Journald(String),
    /// The state directory cannot be read or written.
    State(PathBuf, io::Error),
    /// What the last pass left cannot be used.
    Checkpoint(PathBuf, String),
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
            Self::Missing(paths) => {
                let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
                let (are, it) = if names.len() > 1 { ("are", "them") } else { ("is", "it") };
                write!(
                    f,
                    "{} {are} not there: [scan] files of the configuration names {it}, and no other log is read",
                    names.join(" and ")
                )
            }
            Self::Emptied(path) => {
                write!(f, "{} was emptied while it was read; read it again", path.display())
            }
            Self::Read(path, why) => write!(f, "cannot read {}: {why}{}", path.display(), as_root(why)),
            Self::Journald(why) => write!(f, "cannot read the systemd journal: {why}"),
            Self::State(path, why) => {
                write!(f, "cannot use the state directory {}: {why}{}", path.display(), as_root(why))
            }
            Self::Checkpoint(path, why) => write!(f, "in the state directory {}: {why}", path.display()),
            Self::Record(why) => write!(f, "cannot record failures in the journal: {why}"),
            Self::NotUnderstood(path, line) => write!(
                f,
                "could not read the log {}: no line of it begins as a log daemon writes it; its first is: {line}",
                path.display()
            ),
            Self::Output(why) => write!(f, "cannot write the output: {why}"),
            Self::Busy => write!(f, "another scan is running; try again when it has ended"),
        }
    }
}

/// What helps, where that is known.
fn as_root(why: &io::Error) -> &'static str {
    if why.kind() == io::ErrorKind::PermissionDenied { "; run this as root" } else { "" }
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
        whole::dry_run(options, style, &mut out, watch)
    } else {
        pass::run(options, config, state_dir, style, &mut out, watch)
    };
    let flushed = out.flush().map_err(Error::Output);
    result.and_then(|report| flushed.map(|()| report))
}

/// What is recorded of `count` attempts in a row. Only what goes to the journal needs an origin.
fn event(row: &Row, count: u32, class: Class, origin: Option<String>, here: &ThisMachine) -> Event {
    let mut event = blank();
    put_row(row, count, class, here.is(&row.host), &mut event);
    Event { origin, ..event }
}

/// The same into an event that is not needed any more, in the memory that it has.
/// `is_here`: the machine of the row is this one.
fn put_row(row: &Row, count: u32, class: Class, is_here: bool, event: &mut Event) {
    // A container's numbers are those of no process here.
    let pid = if row.container == 0 { row.pid } else { 0 };
    let texts = Texts {
        host: if is_here { "" } else { &row.host },
        service: &row.service,
        user: &row.user,
        rhost: &row.rhost,
        tty: &row.tty,
        ruser: &row.ruser,
    };
    put(row.happened(), class, count, pid, &texts, event);
    event.origin = origin_of_claim(&row.class);
}

/// Of a login that nobody records, what [`Event::is_claimed`] looks for.
fn origin_of_claim(class: &str) -> Option<String> {
    (class == rules::CLAIMED).then(|| ":::s".to_owned())
}

/// What of an event of a log is text.
struct Texts<'a> {
    host: &'a str,
    service: &'a str,
    user: &'a str,
    rhost: &'a str,
    tty: &'a str,
    ruser: &'a str,
}

/// Make `event` what a log tells of this time, in microseconds of the epoch.
fn put(time: i64, class: Class, count: u32, pid: u32, texts: &Texts<'_>, event: &mut Event) {
    event.time = Timestamp::from_microsecond(time).unwrap_or(Timestamp::UNIX_EPOCH);
    (event.route, event.class, event.count) = (Route::Log, class, count);
    (event.pid, event.ppid, event.uid, event.origin) = (pid, 0, 0, None);
    let Texts { host, service, user, rhost, tty, ruser } = *texts;
    for (text, new) in [
        (&mut event.host, host),
        (&mut event.service, service),
        (&mut event.user, user),
        (&mut event.rhost, rhost),
        (&mut event.tty, tty),
        (&mut event.ruser, ruser),
    ] {
        // Not more memory than is needed: many events are held, and names may be long.
        if text.capacity() < new.len() {
            *text = new.to_owned();
        } else {
            new.clone_into(text);
        }
    }
}

/// An event to put a row into.
pub(crate) fn blank() -> Event {
    Event {
        time: Timestamp::UNIX_EPOCH,
        host: String::new(),
        route: Route::Log,
        class: Class::Failure,
        count: 0,
        service: String::new(),
        pid: 0,
        ppid: 0,
        user: String::new(),
        rhost: String::new(),
        tty: String::new(),
        ruser: String::new(),
        uid: 0,
        origin: None,
    }
}
