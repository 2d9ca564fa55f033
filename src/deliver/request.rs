//! What a pass is asked to do, and where.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Fault;
use crate::config::{self, Config};

/// A command waits so long for a lock. In a login nobody waits.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// Where a pass runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// In the worker, inside the program that authenticates: no name service, quick.
    Login,
    /// In a process of its own.
    Command,
}

/// Which receivers a pass serves. Those that start a program want another sandbox than those that only talk over the
/// network; beside each other the two passes do not meet, as each receiver has its own lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Serve {
    /// All of them.
    #[default]
    All,
    /// Those that start no program.
    WithoutCommands,
    /// Those that start one, and nothing else is done.
    Commands,
}

impl Serve {
    pub(super) fn includes(self, receiver: &config::Receiver) -> bool {
        match self {
            Self::All => true,
            Self::WithoutCommands => !crate::receiver::starts_a_program(receiver),
            Self::Commands => crate::receiver::starts_a_program(receiver),
        }
    }
}

/// How authalert itself does, as who starts a pass sees it.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// PAM services whose stacks have the module.
    pub services: Vec<String>,
    /// Logs are read too.
    pub logs: bool,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// Makes the page of a weekly summary of what was recorded between two times; none where that cannot be.
pub type MakePage = fn(&Path, &Config, jiff::Timestamp, jiff::Timestamp) -> Option<String>;

/// What a pass is to do.
#[derive(Clone, Debug)]
pub struct Request {
    /// State directory.
    pub state: PathBuf,
    /// Configuration file; absent: the default one.
    pub config: Option<PathBuf>,
    /// Where it runs.
    pub context: Context,
    /// Send now what is pending, whatever pacing and outages say: somebody at the keyboard wants to see it.
    pub at_once: bool,
    /// Which receivers it serves.
    pub serve: Serve,
    /// What was seen of authalert itself; none where nobody looked.
    pub watch: Option<Watch>,
    /// Makes the page of a weekly summary, from then until then.
    pub page: Option<MakePage>,
    /// Set by another thread when the pass is to end at its next step, and let go of its locks.
    pub let_go: Option<&'static AtomicBool>,
}

impl Request {
    /// A pass over `state` that nobody stops.
    pub fn new(state: &Path, config: Option<&Path>, context: Context) -> Self {
        let (state, config) = (state.into(), config.map(Into::into));
        Self {
            state,
            config,
            context,
            at_once: false,
            serve: Serve::All,
            watch: None,
            page: None,
            let_go: None,
        }
    }

    pub(super) fn is_let_go(&self) -> bool {
        self.let_go.is_some_and(|flag| flag.load(Ordering::Acquire))
    }

    pub(super) fn patience(&self) -> Duration {
        if self.context == Context::Command { PATIENCE } else { Duration::ZERO }
    }
}
