//! The counters, at this moment, without the lock.
//!
//! What the last pass saved and what the journal holds beyond that are two readings. They fit
//! together in this order: the segments are listed, then the state is loaded, then what it had not
//! read is read. A segment is deleted only after a state was saved that had read all of it, so only
//! where one vanished meanwhile everything is done again.

use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use crate::accounts::Accounts;
use crate::config::Config;
use crate::deliver::{Due, Policy, human};
use crate::journal::{Journal, segment, spill};

use super::clock::Reading;
use super::intake::{self, Rules};
use super::state::{Post, State};

/// The counters and what there is to say beside them.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Failures in the journal, ever: the sum of the next four.
    pub recorded: u64,
    /// Told in delivered alerts.
    pub posted: u64,
    /// In no delivered alert yet.
    pub pending: u64,
    /// The configuration says to ignore them.
    pub ignored: u64,
    /// Prompts left unanswered.
    pub aborted: u64,
    /// Found no room in the journal.
    pub dropped: u64,
    /// Lines of the journal that could not be read.
    pub unreadable: u64,
    /// Delivered alerts.
    pub posts: u64,
    /// The newest of them.
    pub last_post: Option<Post>,
    /// Why nothing is sent.
    pub last_error: Option<String>,
    /// Since when.
    pub error_since: Option<Timestamp>,
    /// Seconds until the next attempt; absent where nothing waits.
    pub next_attempt_seconds: Option<u64>,
    /// The interval that the next alert waits while failures keep coming.
    pub interval: String,
}

/// Take the counters of the state directory `directory`.
pub fn take(directory: &Path, config: &Config) -> io::Result<Status> {
    let mut status = take_once(directory, config)?;
    for _ in 0..100 {
        if !status.1 {
            break;
        }
        status = take_once(directory, config)?;
    }
    Ok(status.0)
}

/// The counters, and whether a segment vanished meanwhile, or what was spilled changed.
fn take_once(directory: &Path, config: &Config) -> io::Result<(Status, bool)> {
    let journal = Journal::new(directory);
    let spilled = spill::waiting(&journal)?;
    let segments = segment::list(journal.directory())?;
    let mut state = State::load(directory, true)?.state;
    let policy = Policy::from(&config.alerts);
    let rules = Rules { ignore: &config.ignore, policy: &policy };
    let now = state.clock.advance(&Reading::now());
    let mut accounts = Accounts::in_login();
    let taken = intake::take_from(&mut state, &segments, &journal, &rules, &mut accounts, now)?;
    intake::take_spilled(&mut state, &spilled, &rules, &mut accounts, now);
    let taken_over = spill::waiting(&journal)? != spilled;
    let (totals, pending) = (state.totals, state.unsettled());
    let due = match state.pacing.due(now, &policy) {
        Due::Nothing => None,
        Due::Now => Some(now),
        Due::At(moment) => Some(moment),
    };
    let due = if state.alert.is_some() { Some(now) } else { due };
    let next = due.map(|due| state.trouble.as_ref().map_or(due, |t| due.max(t.next)));
    let status = Status {
        recorded: totals.posted + totals.ignored + totals.aborted + pending,
        posted: totals.posted,
        pending,
        ignored: totals.ignored,
        aborted: totals.aborted,
        dropped: totals.dropped,
        unreadable: totals.unreadable,
        posts: totals.posts,
        last_post: state.last_post,
        last_error: state.trouble.as_ref().map(|t| t.why.clone()),
        error_since: state.trouble.as_ref().map(|t| t.since),
        next_attempt_seconds: next.map(|next| next.since(now).as_secs()),
        interval: human(state.pacing.interval(&policy)),
    };
    Ok((status, taken.vanished || taken_over))
}
