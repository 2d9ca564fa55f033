//! Which receivers have a state here: one that is new begins now, one that is gone from the configuration is
//! forgotten, and the first of all begin where the journal does.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use crate::accounts::Accounts;
use crate::config::{self, Config};
use crate::journal::Journal;

use super::intake::{self, Rules};
use super::lock::{self, Lock};
use super::place::Place;
use super::route::Routes;
use super::state::State;
use super::{LOCK, Moment, Notice, Policy, migrate};

/// See to it that each receiver has a state. False where another pass does that at this moment.
pub fn enrol(state: &Path, config: &Config, routes: &Routes, patience: Duration) -> io::Result<bool> {
    if is_complete(state, routes)? {
        return Ok(true);
    }
    // Of version 0.1: none of its passes shall come in between. One that stands still, as whoever started it may
    // have it do, keeps nobody out for ever; it can save nothing once its state is a directory.
    let (path, noted) = (state.join(LOCK), state.join(migrate::OLD_HOLDER));
    let whole = lock::take_whole(&path, patience)?;
    if whole.is_none() && !lock::stands_still(&path, &noted)? {
        return Ok(false);
    }
    let timeline = Place::new(state, config::TIMELINE);
    match DirBuilder::new().mode(0o700).create(timeline.directory()) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    let Some(own) = Lock::take(&timeline, patience)? else { return Ok(false) };
    if is_complete(state, routes)? {
        return Ok(true);
    }
    if migrate::is_needed(state) {
        migrate::migrate(state, &routes.receivers)?;
    }
    // The timeline comes last: until it is there, this is the first time.
    let is_first = timeline.states()?.is_empty();
    for receiver in &routes.receivers {
        let place = Place::new(state, &receiver.name);
        if !place.states()?.is_empty() {
            continue;
        }
        lock::prepare(&place)?;
        let begun = if is_first { State::default() } else { beginning_now(state, config, receiver)? };
        let epoch = place.newest_lock()?.unwrap_or(0);
        own.token().check()?;
        State { series: series(), ..begun }.save(&place, epoch)?;
    }
    migrate::retire(state)?;
    let _ = std::fs::remove_file(state.join(super::UNUSABLE));
    Ok(true)
}

/// Forget the receivers that the configuration has no more. One that is being served is left to the next pass.
pub fn forget_removed(state: &Path, routes: &Routes) -> io::Result<Vec<Notice>> {
    let mut notices = Vec::new();
    for name in Place::all(state)? {
        let place = Place::new(state, &name);
        if routes.receivers.iter().any(|receiver| receiver.name == name) {
            continue;
        }
        let Some(_lock) = Lock::take(&place, Duration::ZERO)? else { continue };
        let pending = State::load(&place, true)?.map_or(0, |loaded| loaded.state.unsettled());
        place.remove()?;
        notices.push(Notice::info(format!(
            "the receiver {name} is not in the configuration any more and is forgotten, with {pending} failure(s) that \
             were pending for it"
        )));
    }
    Ok(notices)
}

/// What tells a receiver's messages from those of all other machines.
pub fn series() -> String {
    let mut bytes = [0; 8];
    // Without random numbers two machines may have the same: then a service may take two for one.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::NONBLOCK);
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn is_complete(state: &Path, routes: &Routes) -> io::Result<bool> {
    if !migrate::is_done(state) {
        return Ok(false);
    }
    for receiver in &routes.receivers {
        if Place::new(state, &receiver.name).states()?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The state of a receiver to which everything that is in the journal is past.
fn beginning_now(state: &Path, config: &Config, receiver: &config::Receiver) -> io::Result<State> {
    let untold = config::Receiver { tell: Some(Vec::new()), ..receiver.clone() };
    let policy = Policy::from(&config.alerts_of(receiver));
    let rules = Rules { ignore: &config.ignore, policy: &policy, receiver: &untold, by_hub: false };
    let mut past = State::default();
    intake::take_in(&mut past, &Journal::new(state), &rules, &mut Accounts::in_login(), Moment(0))?;
    Ok(State {
        cursors: past.cursors,
        dropped_seen: past.dropped_seen,
        announced: past.announced,
        ..State::default()
    })
}
