//! The pass that ties journal, alert and receiver.
//!
//! A pass takes the lock, takes in what is new in the journal, and sends what is due. Any process
//! may run one at any time: the module's worker, cron, a systemd unit, a person. It can be cut at
//! every step, and the next one goes on:
//!
//! 1. What is new is settled or pending; the records stay in the journal until that is saved.
//! 2. An alert is composed and saved with its final text, marked as perhaps sent.
//! 3. It is sent. What becomes of it is saved; where that is cut off, the next pass sends the same
//!    bytes again, and X refuses them as a duplicate if they were there: then it was delivered.
//! 4. The timeline gets it, once.

mod clock;
mod intake;
mod lock;
mod notice;
mod pacing;
mod policy;
mod retention;
mod route;
mod send;
pub mod simulate;
pub mod state;
pub mod status;
pub mod trouble;

use std::fmt;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::accounts::Accounts;
use crate::config::{self, Config};
use crate::journal::{CURRENT, Journal, append, aside, segment};
use crate::neutral;

use clock::Reading;
pub use intake::is_ignored;
use intake::{Rules, Taken};
use lock::{Held, Lock};
pub use notice::{Level, Notice};
pub use pacing::{Due, Moment, Pacing};
pub use policy::{Policy, human};
pub(crate) use retention::prepare;
use retention::tidy;
use state::State;
use trouble::{Kind, Trouble};

/// File name of the lock in the state directory.
pub const LOCK: &str = "lock";
/// In a login the state is not written for so few bytes: the next pass reads them again.
const WORTH_SAVING: u64 = 64 << 10;
/// A command waits so long for the lock: users who start and end su in a loop shall not keep it out.
/// In a login nobody waits.
const PATIENCE: Duration = Duration::from_secs(3);
/// So often a pass looks again for what came while it worked; then it leaves it to the next one.
const ROUNDS: usize = 20;

/// Where a pass runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// In the worker, inside the program that authenticates: no name service, quick.
    Login,
    /// In a process of its own.
    Command,
}

/// What a pass is to do.
#[derive(Clone, Debug)]
pub struct Order {
    /// State directory.
    pub state: PathBuf,
    /// Configuration file; absent: the default one.
    pub config: Option<PathBuf>,
    /// Where it runs.
    pub setting: Setting,
    /// Try now: before its turn, and however long X is to be left alone.
    pub at_once: bool,
}

/// What a pass did.
#[derive(Debug, Default)]
pub struct Report {
    /// Another pass was going on; it sees to everything.
    pub busy: bool,
    /// Alerts that were delivered: number and text.
    pub sent: Vec<(u64, String)>,
    /// Failures that are in no delivered alert yet.
    pub pending: u64,
    /// The next step, if one is known.
    pub next: Option<Duration>,
    /// Why nothing is sent.
    pub trouble: Option<String>,
    /// What was read of the journal: inode and size of each segment.
    read: Vec<(u64, u64)>,
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
pub fn deliver(order: &Order) -> Result<Report, Error> {
    let config = Config::load(order.config.as_deref());
    if let (Setting::Login, Ok(config)) = (order.setting, &config) {
        if !config.deliver.in_process {
            return Ok(Report::default());
        }
    }
    let mut report = Report::default();
    let mut order = order.clone();
    for _ in 0..ROUNDS {
        let (round, notices) = round(&order, &config).map_err(|e| Error::State(order.state.clone(), e))?;
        // Only now: syslog may block, and nobody should wait for it with the lock held.
        notices.iter().for_each(Notice::send);
        let sent = std::mem::take(&mut report.sent);
        report = Report { sent: sent.into_iter().chain(round.sent).collect(), ..round };
        if report.busy || config.is_err() || !grew(&order, &report.read) {
            break;
        }
        // Once: what X did not take now it is not asked to take again a moment later.
        order.at_once = false;
    }
    match config {
        Err(e) => Err(Error::Config(e)),
        Ok(_) => Ok(report),
    }
}

/// One taking of the lock.
fn round(order: &Order, config: &Result<Config, config::Error>) -> io::Result<(Report, Vec<Notice>)> {
    let mut notices = Vec::new();
    if order.setting == Setting::Command && prepare(&order.state)? {
        notices.push(Notice::info(format!("made the missing directory {}", order.state.display())));
    }
    trusted(&order.state)?;
    let patience = if order.setting == Setting::Command { PATIENCE } else { Duration::ZERO };
    let Some(lock) = Lock::take(&order.state.join(LOCK), patience)? else {
        return Ok((Report { busy: true, ..Report::default() }, notices));
    };
    let loaded = State::load(&order.state, false)?;
    for path in &loaded.set_aside {
        notices.push(Notice::error(format!("the state was damaged and set aside as {}", path.display())));
    }
    if loaded.recovered {
        notices.push(Notice::info("the state was found again from the timeline"));
    }
    let mut state = loaded.state;
    let now = state.clock.advance(&Reading::now());
    let report = match config {
        Ok(config) => {
            let fresh = Vec::new();
            Pass { order, config, lock: lock.held(), state: &mut state, now, notices: &mut notices, fresh }
                .run()?
        }
        Err(e) => {
            let why = e.to_string();
            let (trouble, tell) = meet(&state, Kind::Config, why, now, None, String::new());
            if tell {
                notices.push(Notice::error(format!("nothing is sent: {}", trouble.why)));
                state.trouble = Some(trouble);
                lock.held().check()?;
                state.save_both(&order.state)?;
            }
            Report::default()
        }
    };
    Ok((report, notices))
}

/// Whoever can write into the state directory could have root write elsewhere, and forge or delete what
/// happened. So could he who can put another directory in its place.
fn trusted(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    const STICKY: u32 = 0o1000;
    let journal = Journal::new(directory);
    let above = directory.ancestors().skip(1).filter(|path| path.is_absolute());
    for path in above.chain([directory, journal.directory()]) {
        let meta = std::fs::metadata(path)?;
        let ours = [0, rustix::process::geteuid().as_raw()].contains(&meta.uid());
        let others_can_write = meta.mode() & 0o022 != 0;
        // In /tmp everybody can write, but not take away what another owns.
        let others_can_replace =
            others_can_write && (meta.mode() & STICKY == 0 || path.starts_with(directory));
        if !ours || others_can_replace {
            let or = if path.starts_with(directory) { "" } else { ", or keep the state elsewhere" };
            return Err(io::Error::other(format!(
                "{0} can be written by others than root; run: chown root {0} && chmod go-w {0}{or}",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Whether the journal grew since it was read. Whoever recorded then found the lock taken, and
/// left it to us.
fn grew(order: &Order, read: &[(u64, u64)]) -> bool {
    let segments = segment::list(Journal::new(&order.state).directory()).unwrap_or_default();
    segments.iter().any(|s| match read.iter().find(|(inode, _)| *inode == s.inode) {
        // Not beyond the last whole line: half a line that nobody finishes is nothing new.
        Some((_, size)) => s.size > *size,
        // Not one that was only made in this pass.
        None => s.headless || s.size > append::HEAD as u64,
    })
}

fn meet(
    state: &State,
    kind: Kind,
    why: String,
    now: Moment,
    until: Option<Duration>,
    fingerprint: String,
) -> (Trouble, bool) {
    let why = neutral::text(why, 600);
    Trouble::met(state.trouble.as_ref(), kind, why, (now, Timestamp::now()), until, fingerprint)
}

/// A pass that holds the lock.
struct Pass<'a> {
    order: &'a Order,
    config: &'a Config,
    lock: &'a Held,
    state: &'a mut State,
    now: Moment,
    notices: &'a mut Vec<Notice>,
    /// Files of the journal that were read and perhaps are not on disk yet.
    fresh: Vec<PathBuf>,
}

impl Pass<'_> {
    fn run(mut self) -> io::Result<Report> {
        let mended = self.mended();
        let journal = Journal::new(&self.order.state);
        let policy = Policy::from(&self.config.alerts);
        let rules = Rules { ignore: &self.config.ignore, policy: &policy };
        let mut accounts = match self.order.setting {
            Setting::Login => Accounts::in_login(),
            Setting::Command => Accounts::outside_login(),
        };
        aside::take_over(&journal)?;
        let taken = intake::take_in(self.state, &journal, &rules, &mut accounts, self.now)?;
        self.fresh.clone_from(&taken.files);
        self.set_aside(&taken)?;
        if self.order.at_once {
            self.state.pacing.hurry();
        }
        let mut report = Report::default();
        let changed = self.send_what_is_due(&policy, &mut report)?;
        // An alert that was sent keeps its failures; those that wait are kept by the journal.
        journal.sync()?;
        // Trouble that was met just now: who waits for it, a person or the worker, learns until when.
        let held = self.state.trouble.as_ref().filter(|t| t.next > self.now);
        report.next = report.next.or(held.map(|t| t.next.since(self.now)));
        let by_a_command = self.order.setting == Setting::Command;
        let worth_saving = taken.bytes > if by_a_command { 0 } else { WORTH_SAVING };
        if mended || changed || worth_saving || !taken.unreadable.is_empty() {
            self.save()?;
        }
        if by_a_command {
            self.lock.check()?;
            if tidy(&journal, self.state, &self.config.journal)? {
                self.save()?;
            }
            if taken.bytes > 0 {
                segment::reserve(&journal.directory().join(CURRENT));
            }
        }
        report.read = taken.seen;
        report.pending = self.state.unsettled();
        report.trouble = self.state.trouble.as_ref().map(|t| t.why.clone());
        Ok(report)
    }

    /// Write the state, after the records that it says were read: a power cut that took those would
    /// make room for others, which would then be passed over.
    fn save(&mut self) -> io::Result<()> {
        for path in std::mem::take(&mut self.fresh) {
            std::fs::File::open(path)?.sync_data()?;
        }
        self.lock.check()?;
        self.state.save_both(&self.order.state)
    }

    /// Trouble of this machine ends when its cause does, not only with the next alert.
    fn mended(&mut self) -> bool {
        let over = self.state.trouble.as_ref().is_some_and(|t| match t.kind {
            Kind::Config => true,
            Kind::Credentials => route::choose(self.config, self.order.setting, None).is_ok(),
            _ => false,
        });
        if over {
            self.notices.push(Notice::info("configuration and credentials can be used again"));
            self.state.trouble = None;
        }
        over
    }

    /// Keep what could not be read, neutral and bounded, and say so.
    fn set_aside(&mut self, taken: &Taken) -> io::Result<()> {
        if taken.unreadable.is_empty() {
            return Ok(());
        }
        let path = self.order.state.join("unreadable.log");
        let options = &mut std::fs::File::options();
        let mut file = crate::storage::open(options.append(true).create(true).mode(0o600), &path)?;
        if file.metadata()?.len() < 1 << 20 {
            for line in &taken.unreadable {
                writeln!(file, "{} {}", Timestamp::now(), neutral::text(line, 2048))?;
            }
        }
        self.notices.push(Notice::error(format!(
            "{} line(s) of the journal could not be read; they are counted and kept in {}",
            taken.unreadable.len(),
            path.display()
        )));
        Ok(())
    }
}

/// The state directory that is meant when none is named.
pub fn default_state() -> &'static Path {
    Path::new(config::DEFAULT_STATE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::record::{encode, tests::record};
    use std::fs;

    #[test]
    fn half_a_line_that_nobody_finishes_is_read_once_a_pass() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        prepare(&state).unwrap();
        let path = directory.path().join("config.toml");
        fs::write(&path, "receiver = \"timeline\"\n").unwrap();
        let config = Config::load(Some(&path));
        let order =
            Order { state: state.clone(), config: Some(path), setting: Setting::Login, at_once: false };
        let line = encode(&record(b"root"));
        let mut current = fs::File::create(state.join("journal").join(CURRENT)).unwrap();
        current.write_all(&line).unwrap();
        current.write_all(&line[..40]).unwrap();
        let (report, _) = round(&order, &config).unwrap();
        assert_eq!(report.sent.len(), 1);
        assert!(!grew(&order, &report.read));
        current.write_all(&line[40..]).unwrap();
        assert!(grew(&order, &report.read), "what came since is seen to at once");
    }
}
