//! What a delivery pass leaves for the next one.
//!
//! Everything that is counted stands in one file that is replaced as a whole, so the sum
//!
//! ```text
//! recorded = posted + pending + ignored + aborted
//! ```
//!
//! holds after every crash: a failure moves from the unread end of the journal into `pending`, from
//! there into `alert`, and from there into `posted`, each time together with what it leaves.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::deliver::history::History;
use crate::deliver::{Moment, Pacing};
use crate::journal::segment::Segment;
use crate::message::Summary;

use super::clock::Clock;
use super::trouble::Trouble;
use crate::storage;

/// File name in the state directory.
pub const FILE: &str = "state.json";

/// The delivery state.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Counts the times it was written; tells the newer of two copies.
    pub generation: u64,
    /// What is settled.
    pub totals: Totals,
    /// How far each segment of the journal was read.
    pub cursors: Vec<Cursor>,
    /// How much of the journal's count of dropped records was taken in.
    pub dropped_seen: u64,
    /// Failures that are in no alert yet.
    pub pending: Summary,
    /// The alert that is being sent.
    pub alert: Option<Composed>,
    /// Sequence of alerts; the number of the newest.
    pub last_id: u64,
    /// X refused a text: the next one says numbers only.
    pub plain_next: bool,
    /// When the next alert is due.
    pub pacing: Pacing,
    /// The clock that pacing and backoff go by.
    pub clock: Clock,
    /// Why nothing is sent at the moment.
    pub trouble: Option<Trouble>,
    /// The newest alert that was delivered.
    pub last_post: Option<Post>,
    /// Addresses of the API's host, for a worker in a login, which must not ask the name service.
    pub addresses: Option<Addresses>,
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
    /// Delivered alerts.
    pub posts: u64,
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

/// An alert with its final text. A retry sends the same bytes: X knows it by them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Composed {
    /// Its number.
    pub id: u64,
    /// What is posted.
    pub text: String,
    /// Numbers only.
    pub plain: bool,
    /// What it tells of.
    pub covers: Summary,
    /// An attempt may have succeeded without our knowing.
    pub unsure: bool,
    /// How often in a row X refused it, or called it a text it does not like.
    pub suspected: u32,
    /// When it was composed.
    pub composed: Timestamp,
    /// Where the journal was read to, and what was settled, when it was composed: with this the
    /// state can be found again from the timeline.
    pub cursors: Vec<Cursor>,
    /// See `cursors`.
    pub totals: Totals,
    /// See `cursors`.
    pub dropped_seen: u64,
}

/// A delivered alert.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Post {
    /// Its number.
    pub id: u64,
    /// When it was accepted.
    pub time: Timestamp,
    /// Failures in it.
    pub failures: u64,
}

/// What the name service said.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Addresses {
    /// `api_url` that they belong to.
    pub api_url: String,
    /// Host's addresses.
    pub list: Vec<std::net::SocketAddr>,
    /// When they were looked up.
    pub time: Timestamp,
    /// Since when a login did not get through to them: then somebody has to look them up again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubted: Option<Moment>,
}

/// A state and what had to be done to get it.
#[derive(Debug)]
pub struct Loaded {
    /// The state.
    pub state: State,
    /// Damaged files that were set aside.
    pub set_aside: Vec<PathBuf>,
    /// It was found again from the timeline.
    pub recovered: bool,
}

impl State {
    /// Read the state in `directory`. Where both copies are damaged, it is found again from the
    /// timeline, which says for each alert what was settled with it.
    pub fn load(directory: &Path, look_only: bool) -> io::Result<Loaded> {
        let found = storage::load::<Self>(&directory.join(FILE), |s| s.generation, look_only)?;
        let (state, recovered) = match found.value {
            Some(state) => (state, false),
            None => match History::timeline(directory).newest()? {
                Some(entry) => (Self::from_timeline(entry), true),
                None => (Self::default(), false),
            },
        };
        Ok(Loaded { state, set_aside: found.set_aside, recovered })
    }

    /// Make it count, quickly; [`State::save_both`] has to follow.
    pub fn stage(&mut self, directory: &Path) -> io::Result<()> {
        self.staging(directory)?.put()
    }

    /// The same, to be done later.
    pub fn staging(&mut self, directory: &Path) -> io::Result<storage::Staging> {
        self.generation += 1;
        storage::Staging::of(&directory.join(FILE), self)
    }

    /// Write it and its copy; durable when this returns.
    pub fn save_both(&mut self, directory: &Path) -> io::Result<()> {
        self.generation += 1;
        storage::save_both(&directory.join(FILE), self)
    }

    /// Failures that are recorded, read, and not settled.
    pub fn unsettled(&self) -> u64 {
        self.pending.failures() + self.alert.as_ref().map_or(0, |a| a.covers.failures())
    }

    fn from_timeline(entry: super::history::Entry) -> Self {
        Self {
            totals: entry.totals,
            cursors: entry.cursors,
            dropped_seen: entry.dropped_seen,
            last_id: entry.id,
            last_post: Some(Post { id: entry.id, time: entry.time, failures: entry.failures }),
            ..Self::default()
        }
    }
}
