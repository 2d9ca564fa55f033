//! Where this machine is a member of a fleet: what the hub alerts of, and what its own receivers do.
//!
//! The uplink reads the journal too, and writes into a small file how far it is. What it read while the hub was heard
//! of is the hub's; the receivers here leave it out. What it read after an hour without the hub is theirs,
//! and the hub, which gets it later all the same, leaves it out. So both go by the same places of
//! the journal, whoever of them comes first, and nothing is told twice or by nobody.
//!
//! An uplink that stands still for as long is overtaken: the pass that sees it decides in its place. Who decides holds
//! the uplink's lock.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::journal::Journal;
use crate::journal::segment::{self, Segment};
use crate::storage;

use super::follow;
use super::state::Cursor;

/// Name of the fleet's directory in the state directory.
pub const DIRECTORY: &str = "fleet";
/// How far the uplink is.
pub const LINK: &str = "link.json";
/// Held by who writes it.
pub const LOCK: &str = "uplink.lock";
/// On the hub: the members that are not heard of, one a line.
pub const SILENT: &str = "silent";
/// After so long without the hub, or without the uplink, the member alerts by itself.
pub const AWAY: Duration = Duration::from_secs(3600);

const VERSION: u32 = 1;
/// Spans that are kept; two that meet become one where there are more.
const SPANS: usize = 32;

/// What was decided of the journal of a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    version: u32,
    generation: u64,
    /// One after another; what is behind the last one is not decided yet.
    spans: Vec<Span>,
    /// When the hub was heard of last.
    pub heard: Timestamp,
    /// When the uplink wrote it.
    pub written: Timestamp,
}

/// A part of the journal, from the end of the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Whether the receivers here alert of it; otherwise the hub does.
    pub own: bool,
    /// Where it ends.
    pub until: Vec<Cursor>,
}

impl Link {
    /// Of a member that begins now, with the journal read up to `until`: what is before that is its own.
    pub fn new(now: Timestamp, until: &[Cursor]) -> Self {
        let span = |own| Span { own, until: until.to_vec() };
        let spans = vec![span(true), span(false)];
        Self { version: VERSION, generation: 0, spans, heard: now, written: now }
    }

    /// That of `state`; none where this machine is no member.
    pub fn load(state: &Path) -> io::Result<Option<Self>> {
        let found = storage::load::<Self>(&file(state), |link| link.generation, true)?;
        Ok(found.value.filter(|link| link.version == VERSION))
    }

    /// Write it; durable when this returns.
    pub fn save(&mut self, state: &Path) -> io::Result<()> {
        self.generation += 1;
        storage::save_both(&file(state), self)
    }

    /// Up to where it is decided.
    pub fn until(&self) -> &[Cursor] {
        self.spans.last().map(|span| &span.until[..]).unwrap_or_default()
    }

    /// Whether the receivers here alert of what comes now.
    pub fn is_own(&self) -> bool {
        self.spans.last().is_some_and(|span| span.own)
    }

    /// Decide of the journal up to `until`.
    pub fn extend(&mut self, own: bool, until: &[Cursor]) {
        match self.spans.last_mut() {
            Some(last) if last.own == own => last.until = until.to_vec(),
            _ => self.spans.push(Span { own, until: until.to_vec() }),
        }
        if self.spans.len() > SPANS {
            // Rather twice than never.
            let first = self.spans.remove(0);
            self.spans[0].own |= first.own;
        }
    }

    /// The span that who read up to `cursors` comes to next; none at the end of what is decided.
    pub fn next(&self, cursors: &[Cursor], segments: &[Segment]) -> Option<&Span> {
        self.spans.iter().find(|span| follow::is_ahead(&span.until, cursors, segments))
    }

    /// Whether nobody decided for so long that another has to.
    fn is_stale(&self, now: Timestamp) -> bool {
        let since = now.duration_since(self.written);
        since > SignedDuration::try_from(AWAY).unwrap_or(SignedDuration::MAX) || since.is_negative()
    }
}

/// What is decided; where the uplink stands still, after deciding in its place.
pub(super) fn decided(state: &Path) -> io::Result<Option<Link>> {
    let Some(link) = Link::load(state)? else { return Ok(None) };
    if !link.is_stale(Timestamp::now()) {
        return Ok(Some(link));
    }
    let lock = storage::open(
        File::options().write(true).create(true).truncate(false),
        &state.join(DIRECTORY).join(LOCK),
    )?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        // It only has been busy.
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(Some(link)),
        other => other?,
    }
    let Some(mut link) = Link::load(state)? else { return Ok(None) };
    if link.is_stale(Timestamp::now()) {
        let segments = segment::list(Journal::new(state).directory())?;
        let mut until = link.spans.last().map(|span| span.until.clone()).unwrap_or_default();
        follow::follow(&mut until, &segments, None, &mut |_| {})?;
        link.extend(true, &until);
        link.save(state)?;
    }
    Ok(Some(link))
}

/// Whether the receivers of this machine, if it is a member, alert by themselves now.
pub fn is_alone(state: &Path) -> bool {
    Link::load(state).ok().flatten().is_some_and(|link| link.is_own() || link.is_stale(Timestamp::now()))
}

fn file(state: &Path) -> PathBuf {
    state.join(DIRECTORY).join(LINK)
}
