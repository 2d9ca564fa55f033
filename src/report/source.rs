//! Where the events of a report come from: this machine's own journal, or any logs.

use std::cmp::Reverse;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::collect::Collector;
use super::geo::Geo;
use super::judge::Judge;
use super::numbers::Report;
use super::pipeline::{self, Batches};
use super::sent;
use crate::accounts::{AccountKind, Accounts};
use crate::config::{Config, Ignore};
use crate::deliver::announced::Announced;
use crate::deliver::is_from_ignored;
use crate::event::{Class, Event};
use crate::journal::{self, Journal};
use crate::neutral;
use crate::scan::{self, Rows, Uncounted, Watch};
use crate::storage;
use crate::zone;

/// So long before a login a failure speaks against it.
const SPEAKS: SignedDuration = SignedDuration::from_hours(24);

/// What a report is to cover.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Logs; none: the journal, or else what this machine logs.
    pub(crate) files: Vec<PathBuf>,
    /// The systemd journal.
    pub(crate) journald: bool,
    /// Not before.
    pub(crate) since: Option<Timestamp>,
    /// Not after.
    pub(crate) until: Option<Timestamp>,
    /// Databases that say where addresses are.
    pub(crate) geo: Vec<PathBuf>,
    /// Leave out names of no account: they may be passwords.
    pub(crate) names_hidden: bool,
}

/// Why there is no report.
#[derive(Debug)]
pub enum Error {
    /// A log, or all of them.
    Scan(scan::Error),
    /// The journal of this machine.
    Journal(PathBuf, io::Error),
    /// A database.
    Geo(String),
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scan(why) => why.fmt(f),
            Self::Journal(path, why) => {
                write!(f, "cannot read {}: {why}; run this as root, or name logs", path.display())
            }
            Self::Geo(why) => f.write_str(why),
        }
    }
}

/// Make a report. Where some logs could be read and others not, the report says which; the errors come beside it.
pub(crate) fn make(
    request: &Request,
    state: &Path,
    config: &Config,
    watch: Watch<'_>,
) -> Result<(Report, Vec<scan::Error>), Error> {
    if request.files.is_empty() && !request.journald && is_there(&Journal::new(state))? {
        return of_journal(request, state, config).map(|report| (report, Vec::new()));
    }
    let logs = logs(request, state, config)?;
    let (mut read, mut uncounted, mut errors) = (Vec::new(), Uncounted::default(), Vec::new());
    // What cannot be read announces nothing: who is not root reads the logs that may be read.
    let announced = Announced::of_journal(&Journal::new(state)).unwrap_or_default();
    // The journal of systemd may be large: of what is before the report only what is needed is read.
    let from = request.since.map(|since| since.checked_sub(SPEAKS).unwrap_or(Timestamp::MIN));
    let mut report = collected(request, config, announced, |batches| {
        for log in logs {
            let mut has_rows = false;
            let mut take = |rows: &mut Rows| {
                has_rows = true;
                batches.take_rows(rows);
            };
            let result = match &log {
                Some(path) => scan::each(path, watch, &mut take),
                None => scan::each_of_journald(from, watch, &mut take),
            };
            match result {
                Ok(lines) => {
                    uncounted += lines;
                    read.push(log.map_or("the systemd journal".into(), |path| path.display().to_string()));
                }
                Err(why) => errors.push((why, has_rows)),
            }
        }
        Ok(())
    })?;
    if read.is_empty() {
        let first = errors.into_iter().next().map(|(why, _)| why);
        return Err(Error::Scan(first.unwrap_or(scan::Error::NoSource)));
    }
    report.read = read.iter().map(|name| neutral::text(name, 200)).collect();
    let Uncounted { forged, unattributed, not_understood } = uncounted;
    (report.lines_forged, report.lines_unattributed) = (forged, unattributed);
    report.lines_not_understood = not_understood;
    report.notes.extend(uncounted.sentences().iter().map(|sentence| format!("{sentence}.")));
    let left_out = errors.iter().map(|(why, has_rows)| {
        let what = if *has_rows { "Only the beginning is in it" } else { "Not in it" };
        format!("{what}: {}", neutral::text(storage::plain(why), 300))
    });
    report.notes.extend(left_out);
    Ok((report, errors.into_iter().map(|(why, _)| why).collect()))
}

/// Make a report of the records that this machine keeps.
pub(crate) fn of_journal(request: &Request, state: &Path, config: &Config) -> Result<Report, Error> {
    let journal = Journal::new(state);
    let mut report = collected(request, config, Announced::default(), |batches| {
        journal
            .read_since(Timestamp::MIN, &mut |event| batches.take(event))
            .map_err(|why| Error::Journal(journal.directory().into(), why))
    })?;
    report.read = vec![format!(
        "the records in {}",
        neutral::text(journal.directory().to_string_lossy().as_bytes(), 200)
    )];
    let since = request.since.unwrap_or(Timestamp::MIN);
    report.receivers = sent::of(state, config, since, request.until.unwrap_or(Timestamp::MAX));
    Ok(report)
}

/// A report of what `read` reads.
fn collected(
    request: &Request,
    config: &Config,
    announced: Announced,
    read: impl FnOnce(&mut Batches) -> Result<(), Error>,
) -> Result<Report, Error> {
    let geo = Geo::open(&request.geo).map_err(Error::Geo)?;
    let (since, until) = (request.since.unwrap_or(Timestamp::MIN), request.until.unwrap_or(Timestamp::MAX));
    let mut accounts = Accounts::outside_login();
    let collector = Collector::new(zone::local(), geo, &mut accounts);
    let intake = Intake { since, until, announced, ignore: &config.ignore, collector };
    let judge = Judge::new(config.logins.clone(), since);
    let (read, intake, judge) = pipeline::run(intake, judge, read);
    read?;
    let mut report = intake.collector.finish(judge, request.names_hidden);
    report.since = request.since.or(report.since);
    report.until = request.until.or(report.until);
    Ok(report)
}

/// Counts what falls into the time of the report, tests apart.
pub(super) struct Intake<'a> {
    since: Timestamp,
    until: Timestamp,
    announced: Announced,
    ignore: &'a Ignore,
    collector: Collector<'a>,
}

impl Intake<'_> {
    /// Gives what the user of an event is that is to be judged. What is before the report is not counted, but speaks for
    /// or against the logins in it.
    pub(super) fn take(&mut self, event: &Event) -> Option<AccountKind> {
        if event.time > self.until {
            return None;
        }
        let is_counted = event.time >= self.since;
        let kind = match event.class {
            Class::Test => {
                self.announced.note(event);
                return None;
            }
            Class::Failure if self.announced.covers(event) => {
                if is_counted {
                    self.collector.add_test(event.count);
                }
                return None;
            }
            _ if is_counted => self.collector.add(event),
            _ => self.collector.standing(event),
        };
        kind.filter(|_| !is_from_ignored(event, self.ignore))
    }
}

/// Whether this machine keeps records, and we may read them. Where it keeps none, its logs are read.
fn is_there(journal: &Journal) -> Result<bool, Error> {
    match journal::segment::list(journal.directory()) {
        Ok(segments) => Ok(!segments.is_empty()),
        // Who is not root reads the logs that may be read.
        Err(why) if why.kind() == io::ErrorKind::PermissionDenied => Ok(false),
        Err(why) => Err(Error::Journal(journal.directory().into(), why)),
    }
}

/// The logs to read, the oldest of a rotation first; none: the systemd journal.
fn logs(request: &Request, state: &Path, config: &Config) -> Result<Vec<Option<PathBuf>>, Error> {
    let mut files = request.files.clone();
    files.sort_by_cached_key(|path| rotation(path));
    // `auth.log auth.log*` names one twice.
    files.dedup();
    let mut logs: Vec<Option<PathBuf>> = files.into_iter().map(Some).collect();
    if request.journald {
        logs.push(None);
    }
    if logs.is_empty() {
        let known = scan::ScanState::of(state, &config.scan).map_err(Error::Scan)?;
        // The first alone: others may tell the same.
        logs.extend(known.sources.into_iter().take(1).map(|source| source.path));
    }
    Ok(logs)
}

/// A key by which the parts of a rotated log come in order: `auth.log.2.gz`, `auth.log.1`, `auth.log`, and likewise
/// `secure-20260101`, `secure`.
fn rotation(path: &Path) -> (String, u8, Reverse<u64>, u64) {
    let name = path.to_string_lossy();
    let packed = [".gz", ".xz", ".zst", ".bz2"].iter().find_map(|end| name.strip_suffix(end));
    let name = packed.unwrap_or(&name);
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number: Option<u64> = name[stem.len()..].parse().ok();
    match (number, stem.strip_suffix('.'), stem.strip_suffix('-')) {
        (Some(number), Some(base), _) => (base.into(), 0, Reverse(number), 0),
        (Some(date), _, Some(base)) => (base.into(), 0, Reverse(0), date),
        _ => (name.into(), 1, Reverse(0), 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_rotated_log_come_in_the_order_in_which_they_were_written() {
        let mut names: Vec<PathBuf> =
            ["a/auth.log", "a/auth.log.1", "a/auth.log.10.gz", "a/auth.log.2.gz"].map(Into::into).into();
        names.sort_by_cached_key(|path| rotation(path));
        let shown: Vec<&str> = names.iter().filter_map(|path| path.to_str()).collect();
        assert_eq!(shown, ["a/auth.log.10.gz", "a/auth.log.2.gz", "a/auth.log.1", "a/auth.log"]);
        let mut names: Vec<PathBuf> =
            ["secure", "secure-20260301.xz", "secure-20260208"].map(Into::into).into();
        names.sort_by_cached_key(|path| rotation(path));
        let shown: Vec<&str> = names.iter().filter_map(|path| path.to_str()).collect();
        assert_eq!(shown, ["secure-20260208", "secure-20260301.xz", "secure"]);
    }

    #[test]
    fn of_a_log_that_ends_in_the_middle_it_is_said_that_its_beginning_is_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let line = |n: u32| {
            format!(
                "2026-01-05T12:00:00Z srv sshd[{n}]: Failed password for root from 192.0.2.{} port {n} ssh2\n",
                n % 250
            )
        };
        let text: String = (1..20_000).map(line).collect();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut packed, text.as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        std::fs::write(path("cut.log.1.gz"), &packed[..packed.len() / 2]).unwrap();
        std::fs::write(path("nothing.log.1.gz"), "no such form").unwrap();
        std::fs::write(path("whole.log"), line(1)).unwrap();
        let request = Request {
            files: ["whole.log", "cut.log.1.gz", "nothing.log.1.gz"].map(path).into(),
            journald: false,
            since: None,
            until: None,
            geo: Vec::new(),
            names_hidden: false,
        };
        let (report, errors) =
            make(&request, directory.path(), &Config::default(), &mut |_, _, _| {}).unwrap();
        assert!(report.failures > 1 && report.failures < 19_999, "{}", report.failures);
        let said = |what: &str, name: &str| {
            report.notes.iter().any(|note| note.starts_with(what) && note.contains(name))
        };
        assert!(said("Only the beginning is in it: ", "cut.log"), "{:?}", report.notes);
        assert!(said("Not in it: ", "nothing.log"), "{:?}", report.notes);
        assert_eq!(errors.len(), 2);
    }

    #[test]
    fn a_login_is_judged_by_what_was_before_the_report_and_by_the_settings() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("auth.log");
        let line = |minute: u32, what: &str| {
            format!(
                "2026-01-05T12:{minute:02}:00Z srv sshd[{minute}]: {what} password for root from 192.0.2.7 port 9 ssh2\n"
            )
        };
        let failures: String = (1..=7).map(|minute| line(minute, "Failed")).collect();
        std::fs::write(&log, failures + &line(9, "Accepted")).unwrap();
        let of = |since: &str, config: &str| {
            let request = Request {
                // One that is named twice is read once.
                files: vec![log.clone(), log.clone()],
                journald: false,
                since: Some(since.parse().unwrap()),
                until: None,
                geo: Vec::new(),
                names_hidden: false,
            };
            let config = toml::from_str(config).unwrap();
            let (report, _) = make(&request, directory.path(), &config, &mut |_, _, _| {}).unwrap();
            let (found, told) =
                (report.logins_after_failures, report.findings.iter().map(|f| f.failures).sum());
            (report.failures, report.logins, found, told)
        };
        assert_eq!(of("2026-01-05T12:00:00Z", ""), (7, 1, 1, 7));
        // What is before the report is not counted in it, and speaks against who is in.
        assert_eq!(of("2026-01-05T12:08:00Z", ""), (0, 1, 1, 7));
        assert_eq!(of("2026-01-05T12:10:00Z", ""), (0, 0, 0, 0));
        // As an alert would have it.
        assert_eq!(of("2026-01-05T12:00:00Z", "[logins]\nbreak_in_after = 8"), (7, 1, 0, 0));
        assert_eq!(of("2026-01-05T12:00:00Z", "[ignore]\nnetworks = [\"192.0.2.0/24\"]"), (7, 1, 0, 0));
    }
}
