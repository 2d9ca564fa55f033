//! Which logs a pass reads.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::position::State;
use super::source::{self, DEFAULT_FILES};
use super::{Error, ScanOptions, ScanReport, journald};
use crate::config;

/// A log that was not written for so long, in seconds, is probably not written at all.
const STALE: i64 = 2 * 86400;

/// The logs of a pass.
pub struct Plan {
    /// Files, by the names that they have when they are not rotated.
    pub files: Vec<PathBuf>,
    /// The systemd journal.
    pub journald: bool,
}

impl Plan {
    /// What the command line says, else the configuration, else what this machine has.
    pub fn of(
        options: &ScanOptions,
        config: &config::Scan,
        state: &State,
        report: &mut ScanReport,
    ) -> Result<Self, Error> {
        if !options.files.is_empty() || options.journald {
            return Ok(Self { files: options.files.clone(), journald: options.journald });
        }
        let is_here = |path: &Path| path.exists() || is_being_rotated(path, state);
        if let Some(files) = &config.files {
            let present: Vec<PathBuf> = files.iter().filter(|path| is_here(path)).cloned().collect();
            for path in files.iter().filter(|path| !is_here(path)) {
                report.warnings.push(format!("{} of the configuration does not exist", path.display()));
            }
            if present.is_empty() && config.journald != Some(true) && !files.is_empty() {
                return Err(Error::NoSource);
            }
            return Ok(Self { files: present, journald: config.journald == Some(true) });
        }
        let files: Vec<PathBuf> =
            DEFAULT_FILES.iter().map(PathBuf::from).filter(|path| is_here(path)).collect();
        let journald = config.journald.unwrap_or(files.is_empty());
        if files.is_empty() && (!journald || !journald::is_there()) {
            return Err(Error::NoSource);
        }
        for path in &files {
            let age = age(path).unwrap_or(0);
            if age > STALE && !journald {
                report.warnings.push(format!(
                    "{} was last written {} days ago; if rsyslog is gone, set journald = true in [scan]",
                    path.display(),
                    age / 86400
                ));
            }
        }
        Ok(Self { files, journald })
    }
}

/// Between the renaming of a log and the next line there is none of that name. It would be wrong to
/// turn to another log for that moment.
fn is_being_rotated(path: &Path, state: &State) -> bool {
    let known = path.to_str().and_then(|name| state.streams.get(name));
    known.is_some_and(|stream| !stream.files.is_empty())
        && source::predecessors(path).iter().any(|path| age(path).is_some_and(|age| age < STALE))
}

/// Seconds since a file was written.
fn age(path: &Path) -> Option<i64> {
    let written = Timestamp::try_from(path.metadata().ok()?.modified().ok()?).ok()?;
    Some(Timestamp::now().duration_since(written).as_secs())
}

#[cfg(test)]
mod tests {
    use super::super::position::{Known, Stream};
    use super::*;

    #[test]
    fn a_log_that_is_just_being_rotated_is_still_a_log() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("auth.log");
        let config = config::Scan { files: Some(vec![log.clone()]), journald: None };
        let mut state = State::default();
        let plan = |state: &State| {
            let mut report = ScanReport::default();
            let plan = Plan::of(&ScanOptions::default(), &config, state, &mut report);
            (plan.is_ok_and(|plan| plan.files == [log.clone()]), report.warnings.len())
        };
        std::fs::write(directory.path().join("auth.log.1"), "x\n").unwrap();
        assert_eq!(plan(&state), (false, 1), "nobody ever read it");
        let known = Stream { files: vec![Known::default()], ..Stream::default() };
        state.streams.insert(log.to_str().unwrap().into(), known);
        assert_eq!(plan(&state), (true, 0));
        std::fs::remove_file(directory.path().join("auth.log.1")).unwrap();
        assert_eq!(plan(&state), (false, 1), "it is gone for good");
    }
}
