//! What a pass leaves for the next one, of one receiver.
//!
//! Everything that is counted stands in one file that is replaced as a whole, so the sum
//!
//! ```text
//! recorded = posted + pending + ignored + aborted + left_out
//! ```
//!
//! holds after every crash: a failure moves from the unread end of the journal into `pending`, from
//! there into `alert`, and from there into `posted`, each time together with what it leaves.

use std::io;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::journal::segment::Segment;
use crate::message::Summary;
use crate::storage;

use super::alert::{Alert, Delivered, Queue};
use super::announced::Announced;
use super::clock::Clock;
use super::findings::Findings;
use super::health::Health;
use super::heartbeat::Heartbeat;
use super::history::{Entry, History};
use super::outage::Outage;
use super::place::Place;
use super::refused::Refused;
use super::requests::Requests;
use super::{Moment, Pacing};

/// Of the form in which this is stored. Version 0.1 wrote none.
pub const VERSION: u32 = 2;

/// The state of one receiver.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// See [`VERSION`].
    pub version: u32,
    /// Counts the times it was written; tells the newer of two copies.
    pub generation: u64,
    /// What makes this receiver's messages its own among those of all machines.
    pub series: String,
    /// What is settled.
    pub totals: Totals,
    /// How far each segment of the journal was read.
    pub cursors: Vec<Cursor>,
    /// Where they were when the newest settled alert was composed, or when this receiver began: every failure that is
    /// not settled lies behind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub settled_to: Vec<Cursor>,
    /// How much of the journal's count of dropped records was taken in.
    pub dropped_seen: u64,
    /// Failures that are in no alert yet.
    pub pending: Summary,
    /// The alert that is being sent.
    pub alert: Option<Alert>,
    /// Messages that tell of something else than failures.
    #[serde(skip_serializing_if = "Queue::is_empty")]
    pub queue: Queue,
    /// What logins mean that no message tells yet.
    #[serde(skip_serializing_if = "Findings::is_empty")]
    pub findings: Findings,
    /// Of the timeline: bytes of the journal that were read since what is known of logins was kept.
    pub unjudged: u64,
    /// Up to when a failure may have been before a login that was taken in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_login: Option<Timestamp>,
    /// A failure from before it was taken in after it, by this pass.
    #[serde(skip)]
    pub has_late: bool,
    /// Since when nothing was said.
    pub heartbeat: Heartbeat,
    /// What is wrong with authalert itself.
    #[serde(skip_serializing_if = "Health::is_empty")]
    pub health: Health,
    /// When the next weekly summary is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary_due: Option<Timestamp>,
    /// Up to where the last one went: the next one begins there, also where a Monday was missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary_from: Option<Timestamp>,
    /// Sequence of messages; the number of the newest.
    pub last_id: u64,
    /// The receiver refused a text: the next one says numbers only.
    pub plain_next: bool,
    /// How often it refused what tells of failures, or called it one that it does not like; see also [`Alert::refusals`].
    pub refusals: u32,
    /// Attempts that root announced, whose failures are tests.
    #[serde(skip_serializing_if = "Announced::is_empty")]
    pub announced: Announced,
    /// When the next alert is due.
    pub pacing: Pacing,
    /// How many requests may still be made.
    pub requests: Requests,
    /// The clock that pacing and waits go by.
    pub clock: Clock,
    /// Why nothing is sent at the moment.
    pub outage: Option<Outage>,
    /// The newest text that it refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// The newest message that was delivered.
    pub last_post: Option<Delivered>,
    /// Addresses of the service's host, for a worker in a login, which must not ask the name service.
    pub addresses: Option<Addresses>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            version: VERSION,
            generation: 0,
            series: String::new(),
            totals: Totals::default(),
            cursors: Vec::new(),
            settled_to: Vec::new(),
            dropped_seen: 0,
            pending: Summary::default(),
            alert: None,
            queue: Queue::default(),
            findings: Findings::default(),
            unjudged: 0,
            last_login: None,
            has_late: false,
            heartbeat: Heartbeat::default(),
            health: Health::default(),
            summary_due: None,
            summary_from: None,
            last_id: 0,
            plain_next: false,
            refusals: 0,
            announced: Announced::default(),
            pacing: Pacing::default(),
            requests: Requests::default(),
            clock: Clock::default(),
            outage: None,
            refused: None,
            last_post: None,
            addresses: None,
        }
    }
}

/// Failures that are settled, and what else is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Failures told in delivered alerts.
    pub posted: u64,
    /// Failures that the configuration says to ignore.
    pub ignored: u64,
    /// Prompts that were left unanswered.
    pub aborted: u64,
    /// Failures of a kind that this receiver is not told.
    pub left_out: u64,
    /// Failures that root announced as tests.
    pub tests: u64,
    /// Successful authentications that the journal has.
    pub logins: u64,
    /// Delivered messages.
    pub posts: u64,
    /// Of these: nobody knows whether they arrived, and they were not repeated.
    pub unclear: u64,
    /// Texts that the receiver refused; what they told went out in numbers alone.
    pub refused: u64,
    /// Failures that found no room in the journal.
    pub dropped: u64,
    /// Lines of the journal that could not be read.
    pub unreadable: u64,
}

/// How far one segment was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The segment's id; empty where its first line was damaged.
    pub segment: String,
    /// Its inode, which knows it again in that case.
    pub inode: u64,
    /// Bytes.
    pub offset: u64,
    /// The latest time read in it: what tells new records from old ones in a file that was cut.
    pub newest: Option<Timestamp>,
    /// Of the bytes before `offset`: tells whether they are still the ones that were read.
    #[serde(default)]
    pub check: Option<u32>,
}

impl Cursor {
    /// Of a segment of which nothing was read.
    pub fn at_the_beginning(segment: &Segment) -> Self {
        Self { segment: segment.id.clone(), inode: segment.inode, offset: 0, newest: None, check: None }
    }
}

/// What the name service said.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Addresses {
    /// Of the receiver's values that they belong to.
    pub of: u32,
    /// The host's addresses.
    pub list: Vec<std::net::SocketAddr>,
    /// When they were looked up.
    pub time: Timestamp,
    /// Since when a login did not get through to them: then somebody has to look them up again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_since: Option<Moment>,
}

/// A state and what had to be done to get it.
#[derive(Debug)]
pub struct Loaded {
    /// The state.
    pub state: State,
    /// The epoch that it was written in; none where there was no readable state.
    pub epoch: Option<u64>,
    /// It was staged and not saved.
    pub is_staged: bool,
    /// Damaged files, where they were put.
    pub quarantined: Vec<PathBuf>,
    /// It was found again from the history.
    pub recovered: bool,
}

/// What is looked at before the rest is believed.
#[derive(Deserialize)]
#[serde(default)]
struct Head {
    version: u32,
    generation: u64,
}

impl Default for Head {
    fn default() -> Self {
        Self { version: VERSION, generation: 0 }
    }
}

impl State {
    /// Read the state of a receiver, the newest epoch's; none where it has none. Where all copies are
    /// damaged, it is found again from its history, which says for each alert what was settled with it.
    pub fn load(place: &Place, look_only: bool) -> io::Result<Option<Loaded>> {
        let mut quarantined = Vec::new();
        let epochs = place.states()?;
        for epoch in epochs.iter().rev() {
            let file = place.state_file(*epoch);
            let head = storage::load::<Head>(&file, |head| head.generation, true)?.value;
            if let Some(head) = head.filter(|head| head.version > VERSION) {
                return Err(io::Error::other(format!(
                    "{} was written by a newer authalert (version {} of the state, {VERSION} is known here); install that",
                    file.display(),
                    head.version
                )));
            }
            let found = storage::load::<Self>(&file, |state| state.generation, look_only)?;
            quarantined.extend(found.quarantined);
            if let Some(state) = found.value {
                let (epoch, is_staged) = (Some(*epoch), found.is_staged);
                return Ok(Some(Loaded { state, epoch, is_staged, quarantined, recovered: false }));
            }
        }
        if epochs.is_empty() && quarantined.is_empty() {
            return Ok(None);
        }
        let newest = History::of(place).newest()?;
        let recovered = newest.is_some();
        let state = newest.map(Self::from_history).unwrap_or_default();
        Ok(Some(Loaded { state, epoch: None, is_staged: false, quarantined, recovered }))
    }

    /// To be put there later, quickly; [`State::save`] has to follow.
    pub fn staging(&mut self, place: &Place, epoch: u64) -> io::Result<storage::Staging> {
        self.generation += 1;
        storage::Staging::of(&place.state_file(epoch), self)
    }

    /// Write it and its copy; durable when this returns.
    pub fn save(&mut self, place: &Place, epoch: u64) -> io::Result<()> {
        self.generation += 1;
        storage::save_both(&place.state_file(epoch), self)
    }

    /// Failures that are recorded, read, and not settled.
    pub fn unsettled(&self) -> u64 {
        self.pending.failures() + self.alert.as_ref().map_or(0, |a| a.covers.failures())
    }

    /// Failures that were read since this receiver began.
    pub fn recorded(&self) -> u64 {
        let Totals { posted, ignored, aborted, left_out, .. } = self.totals;
        posted + ignored + aborted + left_out + self.unsettled()
    }

    fn from_history(entry: Entry) -> Self {
        Self {
            totals: entry.totals,
            settled_to: entry.cursors.clone(),
            cursors: entry.cursors,
            dropped_seen: entry.dropped_seen,
            last_id: entry.last_id.max(entry.id),
            last_post: Some(Delivered { id: entry.id, time: entry.time, failures: entry.failures }),
            ..Self::default()
        }
    }
}
