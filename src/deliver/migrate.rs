//! From version 0.1's one state to a state for each receiver: nothing is lost, nothing is told twice,
//! wherever it is cut, also when an old module is still mapped in a host that lives on.
//!
//! The receiver that 0.1 sent to (X, or the timeline where there was no account) goes on where 0.1 was. With X the
//! timeline had what X accepted, and still has to be told the rest. The new states count only once
//! `state.json` is a directory: on that the old code reports an error and sends nothing. Until then all of it is
//! done anew, under the old lock.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::Deserialize;

use crate::config;
use crate::message::Summary;
use crate::receiver::Kind;
use crate::storage;

use super::alert::{Alert, Delivered};
use super::clock::Clock;
use super::history::{Entry, History};
use super::outage::Outage;
use super::place::Place;
use super::state::{Cursor, State, Totals};
use super::{Moment, Pacing, lock};

/// File name of 0.1's state; now of a directory.
pub const OLD: &str = "state.json";
/// Since when a process of 0.1 was seen to hold its lock.
pub const OLD_HOLDER: &str = ".lock-0.1";
const README: &str = "Version 0.1 of authalert had its state in a file of this name. It is a directory now, so that an old\n\
                      module that is still mapped in a running program sends nothing: that program has to be started anew.\n\
                      The state is in ../receivers.\n";

/// What of 0.1's state is carried over.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Old {
    generation: u64,
    totals: Totals,
    cursors: Vec<Cursor>,
    dropped_seen: u64,
    pending: Summary,
    alert: Option<OldAlert>,
    last_id: u64,
    plain_next: bool,
    pacing: Pacing,
    clock: Clock,
    trouble: Option<Outage>,
    last_post: Option<Delivered>,
    /// See [`State::settled_to`]: 0.1 knew it from its history alone.
    #[serde(skip)]
    settled_to: Vec<Cursor>,
}

#[derive(Debug, Deserialize)]
struct OldAlert {
    id: u64,
    text: String,
    plain: bool,
    covers: Summary,
    #[serde(default)]
    suspected: u32,
    composed: Timestamp,
    cursors: Vec<Cursor>,
    totals: Totals,
    dropped_seen: u64,
}

/// Whether 0.1 left a state that was not carried over yet.
pub fn is_needed(state: &Path) -> bool {
    let is_file = |path: PathBuf| fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file());
    !is_done(state)
        && ["", ".bak", ".next"].iter().any(|suffix| is_file(state.join(format!("{OLD}{suffix}"))))
}

/// Whether an old module can send nothing here any more.
pub fn is_done(state: &Path) -> bool {
    fs::symlink_metadata(state.join(OLD)).is_ok_and(|meta| meta.is_dir())
}

/// The states that 0.1's makes: that of the receiver which goes on, and that of the timeline. Changes nothing.
pub fn states(state: &Path, receivers: &[config::Receiver]) -> io::Result<Vec<(Place, State)>> {
    let old = load(state)?;
    let timeline = Place::new(state, config::TIMELINE);
    let Some(x) = receivers.iter().find(|receiver| receiver.kind == "x") else {
        return Ok(vec![(timeline, continued(old))]);
    };
    let timeline = (timeline, beside(&old));
    Ok(vec![(Place::new(state, &x.name), continued(old)), timeline])
}

/// Carry 0.1's state over. Under the old lock.
pub fn migrate(state: &Path, receivers: &[config::Receiver]) -> io::Result<()> {
    let newest_of_x = newest_of_x(state)?;
    for (place, mut new) in states(state, receivers)? {
        lock::prepare(&place)?;
        new.series = super::enrol::series();
        if place.name() != config::TIMELINE {
            // What it would be found again from.
            newest_of_x.iter().try_for_each(|entry| History::of(&place).add(entry))?;
        }
        new.save(&place, 0)?;
    }
    retire(state)
}

/// Put the directory in the place of the old state, which counts from then on no more.
pub fn retire(state: &Path) -> io::Result<()> {
    let (old, fresh) = (state.join(OLD), state.join(".state.json.0.2"));
    if !is_done(state) {
        if fs::symlink_metadata(&fresh).is_ok_and(|meta| meta.is_file()) {
            fs::remove_file(&fresh)?;
        }
        match DirBuilder::new().mode(0o700).create(&fresh) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
        storage::replace(&fresh.join("README"), README.as_bytes())?;
        match renameat_with(CWD, &fresh, CWD, &old, RenameFlags::EXCHANGE) {
            Ok(()) => {}
            Err(rustix::io::Errno::NOENT) => fs::rename(&fresh, &old)?,
            // This file system cannot. Cut in between, the copies are 0.1's state still.
            Err(_) => {
                fs::rename(&old, state.join(".state.json.0.1"))?;
                fs::rename(&fresh, &old)?;
            }
        }
        storage::sync_directory(&old)?;
    }
    for left in [
        OLD_HOLDER,
        ".state.json.0.2",
        ".state.json.0.1",
        "state.json.bak",
        "state.json.next",
        "state.json.new",
    ] {
        match fs::remove_file(state.join(left)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

fn load(state: &Path) -> io::Result<Old> {
    let found = storage::load::<Old>(&state.join(OLD), |old| old.generation, true)?;
    let newest = History::timeline(state).newest()?;
    let mut old = match (found.value, &newest) {
        (Some(old), _) => old,
        (None, Some(entry)) => Old {
            totals: entry.totals,
            cursors: entry.cursors.clone(),
            dropped_seen: entry.dropped_seen,
            last_id: entry.id,
            last_post: Some(Delivered { id: entry.id, time: entry.time, failures: entry.failures }),
            ..Old::default()
        },
        (None, None) => Old::default(),
    };
    old.settled_to = newest.as_ref().map(|entry| entry.cursors.clone()).unwrap_or_default();
    // It was delivered, and 0.1 was cut before it could save that.
    if let Some(entry) = newest.filter(|entry| old.alert.as_ref().is_some_and(|alert| alert.id == entry.id)) {
        let covered = old.alert.take().map_or(0, |alert| alert.covers.failures());
        old.totals.posted += covered;
        old.totals.posts += 1;
        old.last_post = Some(Delivered { id: entry.id, time: entry.time, failures: entry.failures });
        old.trouble = None;
    }
    Ok(old)
}

/// The receiver that goes on where 0.1 was.
fn continued(old: Old) -> State {
    let refusals = old.alert.as_ref().map_or(0, |alert| alert.suspected);
    State {
        totals: old.totals,
        cursors: old.cursors,
        settled_to: old.settled_to,
        dropped_seen: old.dropped_seen,
        pending: old.pending,
        alert: old.alert.map(|alert| Alert {
            id: alert.id,
            proven: false,
            kind: Kind::Digest,
            title: String::new(),
            text: alert.text,
            facts: serde_json::Value::Null,
            html: None,
            plain: alert.plain,
            in_numbers: None,
            covers: alert.covers,
            // Whether it was or not: the same bytes go out again.
            maybe_sent: true,
            unknown: 0,
            unproved: 0,
            refusals: 0,
            not_before: Moment(0),
            composed: alert.composed,
            cursors: alert.cursors,
            totals: alert.totals,
            dropped_seen: alert.dropped_seen,
        }),
        last_id: old.last_id,
        plain_next: old.plain_next,
        refusals,
        pacing: old.pacing,
        clock: old.clock,
        outage: old.trouble,
        last_post: old.last_post,
        ..State::default()
    }
}

/// The timeline beside an account: what was accepted stands in it, the rest has to be told.
fn beside(old: &Old) -> State {
    let mut pending = old.alert.as_ref().map_or_else(Summary::default, |alert| alert.covers.clone());
    pending.merge(old.pending.clone());
    let (mut clock, mut pacing) = (old.clock.clone(), Pacing::default());
    if !pending.is_empty() {
        pacing.mark_pending(clock.advance(&super::clock::Reading::now()));
    }
    State {
        totals: old.totals,
        cursors: old.cursors.clone(),
        settled_to: old.settled_to.clone(),
        dropped_seen: old.dropped_seen,
        pending,
        last_id: old.last_id,
        pacing,
        clock,
        last_post: old.last_post.clone(),
        ..State::default()
    }
}

/// The newest alert in the timeline that X accepted.
fn newest_of_x(state: &Path) -> io::Result<Option<Entry>> {
    let mut newest = None;
    History::timeline(state)
        .read(0, &mut |entry| newest = entry.filter(|e| e.receiver == "x").or(newest.take()))?;
    Ok(newest)
}
