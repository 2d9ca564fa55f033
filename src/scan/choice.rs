//! Which logs a pass reads.
//!
//! What the command line names, else what the configuration names, else what this machine has: a log
//! daemon's file where one is written, else the systemd journal. A log daemon may come and go. So a file
//! is not believed because it is there: where the systemd journal has a newer entry than it, nobody writes
//! it any more. And a source that is not chosen any more is read on for a while, as its last lines may be
//! in no other; what two of them tell is recorded once.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::checkpoint::Checkpoint;
use super::source::{self, DEFAULT_FILES};
use super::{Error, ScanOptions, ScanReport, journald};
use crate::config;

/// A log that was not written for so long, in seconds, is probably not written at all.
const STALE: i64 = 2 * 86400;
/// A log that was written so recently is in use, in seconds.
const IN_USE: i64 = 30;
/// A log daemon is no slower than this, in seconds.
const SLOW: i64 = 5;

/// The logs of a pass.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Files, by the names that they have when they are not rotated.
    pub(crate) files: Vec<PathBuf>,
    /// The systemd journal.
    pub(crate) journald: bool,
    /// Sources of earlier passes that are read on for a while.
    pub(crate) leaving: Vec<String>,
    /// Since when the one that was replaced is silent.
    pub(crate) silent_since: Option<Timestamp>,
    /// Nobody named a log for this pass.
    pub(crate) is_regular: bool,
}

impl Choice {
    /// What the command line says, else the configuration, else what this machine has.
    pub(crate) fn of(
        options: &ScanOptions,
        config: &config::Scan,
        checkpoint: &Checkpoint,
        report: &mut ScanReport,
    ) -> Result<Self, Error> {
        if !options.files.is_empty() || options.journald {
            let files = options.files.clone();
            return Ok(Self { files, journald: options.journald, ..Self::default() });
        }
        let mut choice = match &config.files {
            Some(files) => Self::configured(files, config.journald == Some(true), checkpoint, report)?,
            None => {
                let files: Vec<PathBuf> = DEFAULT_FILES.iter().map(PathBuf::from).collect();
                let systemd = Systemd { is_there: &journald::is_there, newest: &journald::newest };
                Self::found(&files, config.journald, checkpoint, report, &systemd)?
            }
        };
        choice.is_regular = true;
        choice.leaving = choice.leaving(checkpoint);
        Ok(choice)
    }

    fn configured(
        files: &[PathBuf],
        journald: bool,
        checkpoint: &Checkpoint,
        report: &mut ScanReport,
    ) -> Result<Self, Error> {
        let (here, missing): (Vec<_>, Vec<_>) =
            files.iter().cloned().partition(|path| is_here(path, checkpoint));
        if here.is_empty() && !journald && !missing.is_empty() {
            return Err(Error::Missing(missing));
        }
        for path in missing {
            report
                .warnings
                .push(format!("{} of [scan] files in the configuration does not exist", path.display()));
        }
        Ok(Self { files: here, journald, ..Self::default() })
    }

    fn found(
        files: &[PathBuf],
        journald: Option<bool>,
        checkpoint: &Checkpoint,
        report: &mut ScanReport,
        systemd: &Systemd<'_>,
    ) -> Result<Self, Error> {
        let mut files: Vec<PathBuf> =
            files.iter().filter(|path| is_here(path, checkpoint)).cloned().collect();
        if files.is_empty() {
            let is_there = journald != Some(false) && (systemd.is_there)();
            return if is_there {
                Ok(Self { journald: true, ..Self::default() })
            } else {
                Err(Error::NoSource)
            };
        }
        if journald.is_some() {
            return Ok(Self { files, journald: journald == Some(true), ..Self::default() });
        }
        let now = Timestamp::now();
        // One that is just being rotated has no time of its own.
        let written: Option<Vec<Timestamp>> = files.iter().map(|path| written(path)).collect();
        let latest = written.and_then(|times| times.into_iter().max());
        let Some(latest) = latest.filter(|time| now.duration_since(*time).as_secs() > IN_USE) else {
            return Ok(Self { files, ..Self::default() });
        };
        match (systemd.is_there)().then(systemd.newest).flatten() {
            Some(entry) if entry.duration_since(latest).as_secs() > SLOW => {
                report.warnings.push(format!(
                    "{} was last written {latest:.0}, and the systemd journal has newer entries: that is read instead",
                    files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ")
                ));
                files.clear();
                Ok(Self { journald: true, silent_since: Some(latest), ..Self::default() })
            }
            _ => {
                let age = now.duration_since(latest).as_secs();
                if age > STALE {
                    report.warnings.push(format!(
                        "{} was last written {} days ago; if nothing writes it any more, name another log in [scan]",
                        files[0].display(),
                        age / 86400
                    ));
                }
                Ok(Self { files, ..Self::default() })
            }
        }
    }

    /// Regular sources of earlier passes that are none of this one.
    fn leaving(&self, checkpoint: &Checkpoint) -> Vec<String> {
        let names = checkpoint.streams.iter().filter(|(name, stream)| {
            let was_regular =
                stream.is_regular || *name == journald::NAME || DEFAULT_FILES.contains(&name.as_str());
            was_regular && !self.has(name)
        });
        names.map(|(name, _)| name.clone()).collect()
    }

    fn has(&self, name: &str) -> bool {
        if name == journald::NAME {
            self.journald
        } else {
            self.files.iter().any(|path| path == Path::new(name))
        }
    }

    /// What a new source begins with on a machine on which others were read before: what was logged since
    /// the last pass, or since the replaced source fell silent, and a little before; nothing from before this
    /// installation.
    pub(crate) fn begins(&self, checkpoint: &Checkpoint, now: Timestamp) -> Option<Timestamp> {
        const OVERLAP: SignedDuration = super::checkpoint::OVERLAP;
        const LONGEST: SignedDuration = SignedDuration::from_hours(24);
        let is_known = self.is_regular && checkpoint.saved > 0 && !checkpoint.streams.is_empty();
        let saved =
            i64::try_from(checkpoint.saved).ok().and_then(|time| Timestamp::from_microsecond(time).ok());
        let last = saved.filter(|_| is_known)?;
        let from = self.silent_since.map_or(last, |since| since.min(last)).checked_sub(OVERLAP).ok()?;
        Some(checkpoint.not_before_the_first_pass(from.max(now.checked_sub(LONGEST).ok()?)))
    }
}

/// The systemd journal of this machine.
struct Systemd<'a> {
    is_there: &'a dyn Fn() -> bool,
    /// When its newest entry of authentications was written; for that a program is run.
    newest: &'a dyn Fn() -> Option<Timestamp>,
}

fn is_here(path: &Path, checkpoint: &Checkpoint) -> bool {
    path.exists() || is_being_rotated(path, checkpoint)
}

/// Between the renaming of a log and the next line there is none of that name. It would be wrong to
/// turn to another log for that moment.
fn is_being_rotated(path: &Path, checkpoint: &Checkpoint) -> bool {
    let known = path.to_str().and_then(|name| checkpoint.streams.get(name));
    known.is_some_and(|stream| !stream.files.is_empty())
        && source::predecessors(path).iter().any(|path| {
            written(path).is_some_and(|time| Timestamp::now().duration_since(time).as_secs() < STALE)
        })
}

/// When a file was last written.
pub(crate) fn written(path: &Path) -> Option<Timestamp> {
    Timestamp::try_from(path.metadata().ok()?.modified().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::super::checkpoint::{Known, Stream};
    use super::*;

    fn known() -> Stream {
        Stream { files: vec![Known::default()], ..Stream::default() }
    }

    #[test]
    fn a_log_that_is_just_being_rotated_is_still_a_log() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("auth.log");
        let config = config::Scan { files: Some(vec![log.clone()]), journald: None };
        let mut checkpoint = Checkpoint::default();
        let is_chosen = |checkpoint: &Checkpoint| {
            let mut report = ScanReport::default();
            match Choice::of(&ScanOptions::default(), &config, checkpoint, &mut report) {
                Ok(choice) => choice.files == [log.clone()],
                Err(Error::Missing(missing)) => {
                    assert_eq!(missing, std::slice::from_ref(&log));
                    false
                }
                Err(e) => panic!("{e}"),
            }
        };
        std::fs::write(directory.path().join("auth.log.1"), "x\n").unwrap();
        assert!(!is_chosen(&checkpoint), "nobody ever read it");
        checkpoint.streams.insert(log.to_str().unwrap().into(), known());
        assert!(is_chosen(&checkpoint));
        std::fs::remove_file(directory.path().join("auth.log.1")).unwrap();
        assert!(!is_chosen(&checkpoint), "it is gone for good");
    }

    #[test]
    fn a_file_that_is_older_than_the_systemd_journals_newest_entry_is_not_the_source() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("auth.log");
        let now = Timestamp::now();
        let seconds = |ago: i64| now.checked_sub(SignedDuration::from_secs(ago)).unwrap();
        // None: no systemd journal.
        let choose = |written_ago: i64, entry_ago: Option<Option<i64>>, journald: Option<bool>| {
            let file = std::fs::File::create(&log).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(written_ago as u64)).unwrap();
            let newest = || entry_ago.flatten().map(seconds);
            let systemd = Systemd { is_there: &|| entry_ago.is_some(), newest: &newest };
            let (checkpoint, mut report) = (Checkpoint::default(), ScanReport::default());
            let files = [log.clone()];
            let choice = Choice::found(&files, journald, &checkpoint, &mut report, &systemd).unwrap();
            (choice.files.len(), choice.journald, choice.silent_since.is_some(), report.warnings.len())
        };
        let (file, systemd) = ((1, false, false, 0), (0, true, true, 1));
        assert_eq!(choose(600, Some(Some(20)), None), systemd);
        assert_eq!(choose(20, Some(Some(0)), None), file, "written a moment ago");
        assert_eq!(choose(600, Some(Some(597)), None), file, "a log daemon may be slow");
        assert_eq!(choose(600, Some(Some(900)), None), file);
        assert_eq!(choose(600, Some(None), None), file, "nothing is in the systemd journal");
        assert_eq!(choose(600, None, None), file);
        assert_eq!(choose(3 * 86400, None, None), (1, false, false, 1));
        assert_eq!(choose(600, Some(Some(20)), Some(false)), file, "the administrator says so");
        assert_eq!(choose(600, Some(Some(20)), Some(true)), (1, true, false, 0));
        let (checkpoint, mut report) = (Checkpoint::default(), ScanReport::default());
        std::fs::remove_file(&log).unwrap();
        let mut none = |journald, is_there: bool| {
            let newest = || panic!("that it is there is enough");
            let systemd = Systemd { is_there: &|| is_there, newest: &newest };
            Choice::found(std::slice::from_ref(&log), journald, &checkpoint, &mut report, &systemd)
                .is_ok_and(|c| c.journald)
        };
        assert!(none(None, true) && none(Some(true), true) && !none(None, false) && !none(Some(false), true));
    }

    #[test]
    fn a_source_that_is_replaced_is_read_on_and_its_successor_begins_where_it_fell_silent() {
        let mut checkpoint = Checkpoint::default();
        let now = Timestamp::now();
        let choice = Choice { journald: true, is_regular: true, ..Choice::default() };
        assert_eq!(choice.begins(&checkpoint, now), None, "a first pass begins now");
        checkpoint.saved = u64::try_from(now.as_microsecond()).unwrap();
        for (name, is_regular) in [("/var/log/auth.log", false), ("/srv/log", true), ("/tmp/once", false)] {
            checkpoint.streams.insert(name.into(), Stream { is_regular, ..known() });
        }
        assert_eq!(choice.leaving(&checkpoint), ["/srv/log", "/var/log/auth.log"]);
        let ago_by = |choice: &Choice, checkpoint: &Checkpoint| {
            now.duration_since(choice.begins(checkpoint, now).unwrap()).as_secs()
        };
        let ago = |choice: &Choice| ago_by(choice, &checkpoint);
        assert_eq!(ago(&choice), 600);
        let silent = |hours| Some(now.checked_sub(SignedDuration::from_hours(hours)).unwrap());
        assert_eq!(ago(&Choice { silent_since: silent(2), ..choice }), 2 * 3600 + 600);
        let choice = Choice { is_regular: true, silent_since: silent(48), ..Choice::default() };
        assert_eq!(ago(&choice), 24 * 3600, "not what was long ago");
        checkpoint.begun = now.as_microsecond() - 300_000_000;
        assert_eq!(ago_by(&choice, &checkpoint), 300, "not what was before this installation");
        checkpoint.begun = now.as_microsecond() + 300_000_000;
        assert_eq!(ago_by(&choice, &checkpoint), 24 * 3600, "by a clock that was ahead");
        let named = Choice { is_regular: false, ..choice };
        assert_eq!(named.begins(&checkpoint, now), None, "a log that somebody names");
    }
}
