//! What became of a pass.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::config;

/// What a pass did.
#[derive(Debug, Default)]
pub struct Report {
    /// For each receiver that was served, in the order of the configuration; the timeline is the last.
    pub receivers: Vec<Served>,
}

/// What a pass did for one receiver.
#[derive(Debug, Default)]
pub struct Served {
    /// Its name.
    pub name: String,
    /// Another pass was at it; it sees to everything.
    pub busy: bool,
    /// Messages that were delivered: number and text.
    pub sent: Vec<(u64, String)>,
    /// The numbers of those of which nobody knows whether they arrived, and which are not repeated.
    pub skipped: Vec<u64>,
    /// Failures that are in no delivered alert yet.
    pub pending: u64,
    /// The next step, if one is known.
    pub next: Option<Duration>,
    /// Why nothing is sent.
    pub outage: Option<String>,
    /// Something could go out at once, but for the bounded rate of requests; in how long it may.
    pub forbidden: Option<Duration>,
    /// What is wrong with its state.
    pub error: Option<io::Error>,
}

impl Report {
    /// The next step of any receiver.
    pub fn next(&self) -> Option<Duration> {
        self.receivers.iter().filter_map(|served| served.next).min()
    }

    /// What was done for the receiver `name`.
    pub fn of(&self, name: &str) -> Option<&Served> {
        self.receivers.iter().find(|served| served.name == name)
    }
}

/// Why a pass could not be made.
#[derive(Debug)]
pub enum Error {
    /// The configuration.
    Config(config::Error),
    /// The state directory.
    State(PathBuf, io::Error),
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(e) => e.fmt(f),
            Self::State(path, e) if e.kind() == io::ErrorKind::PermissionDenied => {
                write!(f, "cannot use the state in {}: {e}; run this as root", path.display())
            }
            Self::State(path, e) => write!(f, "cannot use the state in {}: {e}", path.display()),
        }
    }
}
