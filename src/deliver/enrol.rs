//! Which receivers have a state here: one that is new begins now, one that is gone from the configuration is
//! forgotten, and the first of all begin where the journal does.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::{self, Config};
use crate::event::Class;
use crate::journal::read::{self, Line};
use crate::journal::segment::{self, Segment};
use crate::journal::{Journal, dropped};
use crate::storage;

use super::follow::{self, Found};
use super::lock::{self, Lock};
use super::old_lock;
use super::place::Place;
use super::request::PATIENCE;
use super::route::Routes;
use super::state::{Cursor, State};
use super::{LOCK, Notice, migrate};

/// A configuration that was written longer ago says nothing of when a receiver was added: its state is lost.
const LATELY: SignedDuration = SignedDuration::from_hours(1);

/// See to it that each receiver has a state. False where another pass does that at this moment.
pub fn enrol(state: &Path, config: &Config, routes: &Routes, patience: Duration) -> io::Result<bool> {
    if is_complete(state, routes)? {
        return Ok(true);
    }
    // Of version 0.1: none of its passes shall come in between. One that stands still, as whoever started it may
    // have it do, keeps nobody out for ever; it can save nothing once its state is a directory.
    let (path, noted) = (state.join(LOCK), state.join(migrate::OLD_HOLDER));
    let whole = old_lock::take(&path, patience)?;
    if whole.is_none() && !old_lock::stands_still(&path, &noted)? {
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
        let begun = if is_first { State::default() } else { beginning_now(state, config)? };
        let epoch = place.newest_lock()?.unwrap_or(0);
        own.token().check()?;
        State { series: series(), ..begun }.save(&place, epoch)?;
    }
    migrate::retire(state)?;
    let _ = std::fs::remove_file(state.join(super::unusable::UNUSABLE));
    Ok(true)
}

/// Let those that the configuration has more begin at this moment, and not with the next pass. Where there is no
/// journal yet, there is nothing to begin with.
pub fn begin(state: &Path, config: &Config) -> io::Result<()> {
    let journal = Journal::new(state);
    if !journal.directory().is_dir() {
        return Ok(());
    }
    storage::trusted(state, &[journal.directory()])?;
    enrol(state, config, &Routes::of(config), PATIENCE).map(drop)
}

/// Forget those that the configuration has no more, at this moment: each by its name, and how many failures were
/// pending for it.
pub fn forget(state: &Path, config: &Config) -> io::Result<Vec<(String, u64)>> {
    storage::trusted(state, &[])?;
    let gone = forget_removed(state, &Routes::of(config), || Some(Routes::of(config)))?;
    gone.iter().for_each(|gone| gone.notice().send());
    Ok(gone.into_iter().map(|gone| (gone.name, gone.pending)).collect())
}

/// A receiver that was forgotten.
pub struct Gone {
    name: String,
    pending: u64,
}

impl Gone {
    /// For the log.
    pub fn notice(&self) -> Notice {
        let Self { name, pending } = self;
        Notice::info(format!(
            "the receiver {name} is not in the configuration any more and is forgotten, with {pending} failure(s) that \
             were pending for it"
        ))
    }
}

/// Forget the receivers that neither `routes` nor the configuration as it is `now` have any more: a pass may have taken
/// minutes, and another one begun what was added meanwhile. One that is being served is left to the next pass.
pub fn forget_removed(
    state: &Path,
    routes: &Routes,
    now: impl FnOnce() -> Option<Routes>,
) -> io::Result<Vec<Gone>> {
    let has = |routes: &Routes, name: &str| routes.receivers.iter().any(|receiver| receiver.name == name);
    let mut gone = Place::all(state)?;
    gone.retain(|name| !has(routes, name));
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    // Behind that list: whoever is in it stood in the configuration before. One of which a mistake there hides what it is
    // called is not gone.
    let Some(routes) = now().filter(|now| !now.may_hide_receivers()) else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for name in gone.into_iter().filter(|name| !has(&routes, name)) {
        let place = Place::new(state, &name);
        let Some(_lock) = Lock::take(&place, Duration::ZERO)? else { continue };
        let pending = State::load(&place, true)?.map_or(0, |loaded| loaded.state.unsettled());
        place.remove()?;
        all.push(Gone { name, pending });
    }
    Ok(all)
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

/// The state of a receiver that is new: what is in the journal is past. But who has just written it into the
/// configuration wants to hear of what failed since then, and not only since the first pass.
pub(super) fn beginning_now(state: &Path, config: &Config) -> io::Result<State> {
    let journal = Journal::new(state);
    let segments = segment::list(journal.directory())?;
    let until = match written(config) {
        Some(since) => Some(places_at(&segments, since)?),
        None => None,
    };
    let mut new = State::default();
    follow::follow(&mut new.cursors, &segments, until.as_deref(), &mut |found| match found {
        Found::Event(event) if event.class == Class::Test => new.announced.note(&event),
        _ => {}
    })?;
    new.settled_to.clone_from(&new.cursors);
    new.dropped_seen = dropped::total(journal.directory()).unwrap_or(0);
    Ok(new)
}

/// When the configuration or the credentials were written, if that was lately.
fn written(config: &Config) -> Option<Timestamp> {
    let written = |path: &Path| Timestamp::try_from(path.metadata().ok()?.modified().ok()?).ok();
    let (now, latest) = (Timestamp::now(), written(&config.path).max(written(&config.credentials_path())));
    latest.filter(|at| (SignedDuration::ZERO..LATELY).contains(&now.duration_since(*at)))
}

/// Where each segment's first record since then begins; its end, where there is none.
fn places_at(segments: &[Segment], since: Timestamp) -> io::Result<Vec<Cursor>> {
    let mut places = Vec::new();
    for segment in segments {
        let mut first = None;
        let end = read::read(segment, 0, &mut |offset, line| {
            if let Line::Event(event) = line {
                if event.time >= since {
                    first.get_or_insert(offset);
                }
            }
        })?;
        places.push(Cursor { offset: first.unwrap_or(end), ..Cursor::at_the_beginning(segment) });
    }
    Ok(places)
}
