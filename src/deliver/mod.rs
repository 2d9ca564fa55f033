//! The pass that ties journal, alerts and receivers.
//!
//! Each receiver is a reader of the journal of its own: its own state, lock, cursor, pace and outages. A pass
//! serves all of them side by side; one that hangs or fails holds up no other. Any process of root's may
//! run one at any time: the module's worker, cron, a systemd unit, a person. It can be cut at every step, and the
//! next one goes on. For each receiver:
//!
//! 1. What is new is settled or pending (`intake`); the records stay in the journal until that is saved.
//! 2. What is due is composed with its final text (`walk`, `compose`).
//! 3. The request is entered against a bounded rate, on disk, before its first byte (`requests`).
//! 4. It is sent. What becomes of it is saved (`settle`); where that is cut off, the next pass sends the same
//!    bytes again after a while, which the receiver knows again or a person does.
//! 5. Its history gets it, once (`history`): that of the timeline is what `authalert timeline` shows.
//!
//! Around that: `enrol` and `migrate`, which receivers have a state; `retention`, how long the journal is kept;
//! `status`, how things stand.

mod alert;
mod announce;
pub(crate) mod announced;
mod clock;
mod compose;
mod enrol;
mod findings;
mod follow;
mod gate;
pub mod health;
pub mod heartbeat;
pub mod history;
pub mod hub;
mod intake;
mod judge;
mod lock;
mod migrate;
mod mistakes;
mod notice;
pub mod outage;
mod pacing;
pub mod place;
mod policy;
mod quarantine;
mod reader;
mod requests;
mod retention;
mod route;
mod settle;
mod settled;
mod settling;
pub mod simulate;
mod skip;
pub mod state;
pub mod status;
#[cfg(test)]
mod tests;
mod unsent;
mod walk;
mod weekly;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::config::{self, Config, TIMELINE};
use crate::journal::{Journal, append, spill};
use crate::storage;

pub use alert::{Alert, Delivered, Queue};
pub use enrol::{begin, forget};
pub use follow::{Found, Read, belongs, follow_some, is_ahead};
use gate::Gate;
pub use health::Fault;
pub use intake::is_ignored;
use lock::Lock;
pub use notice::{Level, Notice};
pub use pacing::{Due, Matter, Moment, Pacing};
use place::Place;
pub use policy::{Policy, human};
use reader::Reader;
use retention::keep_within_bounds;
pub(crate) use retention::prepare;
use route::Routes;
pub use settled::is_settled;
pub use settling::settle;
pub use skip::skip_numbers;
pub use unsent::{Unsent, unsent};

/// File name of the lock on the whole state directory: version 0.1's, and that under which receivers begin.
pub const LOCK: &str = "lock";
/// A command waits so long for a lock. In a login nobody waits.
const PATIENCE: Duration = Duration::from_secs(3);
/// Of a thread that serves a receiver, as of the module's worker.
const STACK: usize = 1 << 20;

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
    fn includes(self, receiver: &config::Receiver) -> bool {
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

    fn is_let_go(&self) -> bool {
        self.let_go.is_some_and(|flag| flag.load(Ordering::Acquire))
    }

    fn patience(&self) -> Duration {
        if self.context == Context::Command { PATIENCE } else { Duration::ZERO }
    }
}

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

/// Make a pass.
pub fn deliver(request: &Request) -> Result<Report, Error> {
    let config = match Config::load(request.config.as_deref()) {
        Ok(config) if request.context == Context::Login && !config.deliver.in_process => {
            return Ok(Report::default());
        }
        Ok(config) => config,
        Err(e) => {
            unusable(request, &e);
            return Err(Error::Config(e));
        }
    };
    pass(request, &config).map_err(|e| Error::State(request.state.clone(), e))
}

fn pass(request: &Request, config: &Config) -> io::Result<Report> {
    let by_a_command = request.context == Context::Command;
    let routes = Routes::of(config);
    if request.serve == Serve::Commands && !routes.receivers.iter().any(|r| request.serve.includes(r)) {
        return Ok(Report::default());
    }
    if by_a_command && prepare(&request.state)? {
        Notice::info(format!("made the missing directory {}", request.state.display())).send();
    }
    storage::trusted(&request.state, &[Journal::new(&request.state).directory()])?;
    if !enrol::enrol(&request.state, config, &routes, request.patience())? {
        let busy = |receiver: &config::Receiver| Served {
            name: receiver.name.clone(),
            busy: true,
            ..Served::default()
        };
        return Ok(Report { receivers: routes.receivers.iter().map(busy).collect() });
    }
    storage::trusted(&request.state, &[&request.state.join(place::RECEIVERS)])?;
    take_over_spilled(request)?;
    mistakes::say(&request.state, config)?;
    let report = serve_all(request, config, &routes);
    if by_a_command && request.serve != Serve::Commands {
        let gone = enrol::forget_removed(&request.state, &routes)?;
        gone.iter().for_each(|gone| gone.notice().send());
        keep_within_bounds(request, config, &routes)?;
    }
    Ok(report)
}

/// Serve the receivers side by side: each in a thread of its own, but for the first, for which nothing has to
/// start, and where there is no thread to be had.
fn serve_all(request: &Request, config: &Config, routes: &Routes) -> Report {
    let served_here = |receiver: &&config::Receiver| {
        let by_a_command = request.context == Context::Command;
        request.serve.includes(receiver) && (by_a_command || crate::receiver::serves_in_login(&receiver.kind))
    };
    let gate = Arc::<Gate>::default();
    let stuck = if request.watch.is_some() { health::stuck(&request.state, routes) } else { Vec::new() };
    let readers: Vec<Reader<'_>> = routes
        .receivers
        .iter()
        .filter(served_here)
        .map(|receiver| Reader {
            stuck: stuck.clone(),
            ..Reader::new(request, config, routes, receiver, gate.clone())
        })
        .collect();
    let Some((first, others)) = readers.split_first() else { return Report::default() };
    let receivers = thread::scope(|scope| {
        let started: Vec<_> = others
            .iter()
            .map(|reader| {
                let thread = thread::Builder::new().stack_size(STACK);
                let served = || {
                    reader.gate.wait();
                    reader.serve()
                };
                (reader, thread.spawn_scoped(scope, served))
            })
            .collect();
        let of_the_first = first.serve();
        let of_others = started.into_iter().map(|(reader, thread)| match thread {
            Ok(thread) => thread.join().unwrap_or_else(|_| failed(reader)),
            Err(_) => reader.serve(),
        });
        std::iter::once(of_the_first).chain(of_others).collect()
    });
    Report { receivers }
}

fn failed(reader: &Reader<'_>) -> Served {
    let error = Some(io::Error::other("serving it failed; the next pass tries again"));
    Served { name: reader.receiver.name.clone(), error, ..Served::default() }
}

/// Take what was spilled into the journal, before anybody reads it.
fn take_over_spilled(request: &Request) -> io::Result<()> {
    let journal = Journal::new(&request.state);
    if !spill::is_any(&journal)? {
        return append::settle_dropped(journal.directory());
    }
    match Lock::take(&Place::new(&request.state, TIMELINE), request.patience())? {
        Some(_lock) => {
            spill::take_over(&journal)?;
            append::settle_dropped(journal.directory())
        }
        None => Ok(()),
    }
}

/// Why the configuration cannot be used, as it was said before there was any state.
const UNUSABLE: &str = "unusable";

/// Say once that the configuration cannot be used: the timeline's state remembers that it was said, or a file of its
/// own before the first pass.
fn unusable(request: &Request, why: &config::Error) {
    let place = Place::new(&request.state, TIMELINE);
    let said = (|| {
        storage::trusted(&request.state, &[])?;
        if place.states()?.is_empty() {
            let notice = Notice::error(format!("nothing is sent: {why}"));
            let file = request.state.join(UNUSABLE);
            if !std::fs::read(&file).is_ok_and(|said| said == notice.text.as_bytes()) {
                storage::replace(&file, notice.text.as_bytes())?;
                notice.send();
            }
            return Ok(());
        }
        let Some(lock) = Lock::take(&place, Duration::ZERO)? else { return Ok(()) };
        let Some(mut loaded) = state::State::load(&place, true)? else { return Ok(()) };
        let now = loaded.state.clock.advance(&clock::Reading::now());
        let (why, time) = (crate::neutral::text(why.to_string(), 600), jiff::Timestamp::now());
        let before = loaded.state.outage.as_ref();
        let (outage, tell) =
            outage::Outage::record(before, outage::Kind::Config, why, (now, time), None, String::new());
        if tell {
            let notice = Notice::error(format!("nothing is sent: {}", outage.why));
            loaded.state.outage = Some(outage);
            lock.token().check()?;
            // First, as in a pass.
            let sent = notice.send_at_once();
            loaded.state.save(&place, lock.token().epoch())?;
            drop(lock);
            if !sent {
                notice.send();
            }
        }
        Ok::<(), io::Error>(())
    })();
    // What is wrong with the state is said by the pass that can use the configuration.
    drop(said);
}

/// The state directory that is meant when none is named.
pub fn default_state() -> &'static Path {
    Path::new(config::DEFAULT_STATE)
}
