//! What there is to say of the log route between two passes: which logs it reads and since when they are
//! silent, and where the module knows better than they.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::checkpoint;
use super::choice::{self, Choice};
use super::coverage::SILENT;
use super::grace::ModuleCoverage;
use super::{Error, ScanOptions, ScanReport, journald};
use crate::config;

/// The log route, as a pass would find it now.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ScanState {
    /// The logs that a pass reads.
    pub sources: Vec<Source>,
    /// What the module was seen to do, where its line is in a service's stack.
    pub services: Vec<Service>,
    /// What is wrong with the logs.
    pub warnings: Vec<String>,
}

/// A log.
#[derive(Clone, Debug, Serialize)]
pub struct Source {
    /// Its path, or `the systemd journal`.
    pub name: String,
    /// Its path; absent of the systemd journal.
    #[serde(skip)]
    pub path: Option<PathBuf>,
    /// When it was last written; absent where that is not known.
    pub newest: Option<Timestamp>,
}

/// A service in which the module was, or was not, heard.
#[derive(Clone, Debug, Serialize)]
pub struct Service {
    /// PAM service.
    pub service: String,
    /// Its silence about an attempt counts.
    pub is_alive: bool,
    /// Attempts in succession that the log alone knows.
    pub silent: u32,
    /// Attempts that were not recorded as it said nothing of them, ever.
    pub dismissed: u64,
    /// Attempts of which it said nothing, until more is known.
    pub doubted: u64,
}

impl Service {
    /// The module should be heard there, and is not.
    pub fn has_failed(&self) -> bool {
        !self.is_alive && self.silent >= SILENT
    }
}

impl ScanState {
    /// Look at the logs of this machine, and at what the last pass left in `directory`.
    pub fn of(directory: &Path, config: &config::Scan) -> Result<Self, Error> {
        let checkpoint = checkpoint::load(directory, true)
            .map_err(|why| Error::Checkpoint(directory.to_owned(), why.to_string()))?
            .checkpoint;
        let mut report = ScanReport::default();
        let choice = Choice::of(&ScanOptions::default(), config, &checkpoint, &mut report)?;
        let files = choice.files.iter().map(|path| Source {
            name: path.display().to_string(),
            path: Some(path.clone()),
            newest: choice::written(path),
        });
        let systemd = || Source { name: "the systemd journal".into(), path: None, newest: None };
        let sources = files.chain(choice.journald.then(systemd)).collect();
        let mut doubted: BTreeMap<&str, u64> = BTreeMap::new();
        for row in checkpoint.streams.values().flat_map(|stream| &stream.doubted) {
            *doubted.entry(super::dedup::base(&row.service)).or_default() += u64::from(row.count);
        }
        let module = ModuleCoverage::of(directory);
        let services =
            checkpoint.coverage.services().filter(|(name, _)| module.is_in(name)).map(|(name, service)| {
                Service {
                    service: name.to_owned(),
                    is_alive: service.is_alive,
                    silent: service.silent,
                    dismissed: service.dismissed,
                    doubted: doubted.get(name).copied().unwrap_or(0),
                }
            });
        Ok(Self { sources, services: services.collect(), warnings: report.warnings })
    }

    /// With the time of the systemd journal's newest entry too: for that a program is run.
    pub fn dated(mut self) -> Self {
        for systemd in self.sources.iter_mut().filter(|source| source.path.is_none()) {
            systemd.newest = journald::newest();
        }
        self
    }
}

impl ScanState {
    /// The same for a person: which log, since when it is silent, and what the module knew better.
    pub fn lines(directory: &Path, config: &config::Scan) -> Vec<String> {
        let found = match Self::of(directory, config) {
            Ok(found) => found.dated(),
            Err(why) => return vec![format!("scan      {why}")],
        };
        let sources = found.sources.iter().map(|source| {
            let newest = source.newest.map(|time| crate::zone::local().to_datetime(time));
            let since = newest.map_or_else(
                || "nothing in it yet".into(),
                |time| format!("last written {}", time.strftime("%Y-%m-%d %H:%M:%S")),
            );
            format!("scan      of {}, {since}", source.name)
        });
        let services = found.services.iter().filter_map(|service| {
            let Service { service: name, dismissed, doubted, .. } = service;
            (dismissed + doubted > 0 || service.has_failed()).then(|| {
                let alone = if service.has_failed() {
                    "the module records nothing of what the log has: it is recorded from the log".into()
                } else {
                    format!("{dismissed} in a log alone and not recorded, {doubted} more not decided yet")
                };
                format!("          {name}: {alone}")
            })
        });
        sources.chain(services).collect()
    }
}

/// When the last pass saved its place, since the epoch, for `check`.
pub fn last_pass(directory: &Path) -> Option<Duration> {
    let saved = checkpoint::load(directory, true).ok()?.checkpoint.saved;
    (saved > 0).then(|| Duration::from_micros(saved))
}
