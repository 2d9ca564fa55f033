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
/// On the hub: those that were members and are none any more, one a line.
pub const GONE: &str = "gone";
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
        let offset = |of: &[Cursor], segment: &Segment| {
            of.iter().find(|cursor| follow::belongs(cursor, segment)).map_or(0, |cursor| cursor.offset)
        };
        // Not beyond the end of a segment that was cut since.
        let is_left = |span: &Span, segment: &Segment| {
            offset(&span.until, segment).min(segment.size) > offset(cursors, segment)
        };
        self.spans.iter().find(|span| segments.iter().any(|segment| is_left(span, segment)))
    }

    /// Whether nobody decided for so long that another has to.
    fn is_stale(&self, now: Timestamp) -> bool {
        let since = now.duration_since(self.written);
        since > SignedDuration::try_from(AWAY).unwrap_or(SignedDuration::MAX) || since.is_negative()
    }
}

/// What is decided; where the uplink stands still, after deciding in its place, unless that is left to another pass.
pub(super) fn decided(state: &Path, may_decide: bool) -> io::Result<Option<Link>> {
    let Some(link) = Link::load(state)? else { return Ok(None) };
    if !may_decide || !link.is_stale(Timestamp::now()) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::prepare;
    use crate::message::summary::tests::failure;

    fn end(state: &Path) -> (Vec<Cursor>, Vec<Segment>) {
        let (mut cursors, segments) = (Vec::new(), segment::list(Journal::new(state).directory()).unwrap());
        follow::follow(&mut cursors, &segments, None, &mut |_| {}).unwrap();
        (cursors, segments)
    }

    fn state() -> tempfile::TempDir {
        let state = tempfile::tempdir().unwrap();
        prepare(state.path()).unwrap();
        std::fs::create_dir(state.path().join(DIRECTORY)).unwrap();
        state
    }

    fn fail(state: &Path) {
        Journal::new(state).append(&[failure(0, "alice", "192.0.2.7")]).unwrap();
    }

    #[test]
    fn each_part_of_the_journal_is_decided_once() {
        let state = state();
        fail(state.path());
        let (first, _) = end(state.path());
        let mut link = Link::new(Timestamp::now(), &first);
        fail(state.path());
        let (second, _) = end(state.path());
        link.extend(false, &second);
        fail(state.path());
        let (third, segments) = end(state.path());
        link.extend(true, &third);
        let own = |cursors: &[Cursor]| link.next(cursors, &segments).map(|span| span.own);
        assert_eq!(
            (own(&[]), own(&first), own(&second), own(&third)),
            (Some(true), Some(false), Some(true), None)
        );
    }

    #[test]
    fn spans_are_bounded_and_what_is_folded_is_alerted_of_here() {
        let mut link = Link::new(Timestamp::now(), &[]);
        for n in 0..200 {
            link.extend(n % 2 == 0, &[]);
        }
        assert_eq!(link.spans.len(), SPANS);
        assert!(link.spans[0].own);
    }

    #[test]
    fn a_segment_that_was_cut_holds_nobody_up() {
        let state = state();
        fail(state.path());
        let (mut cursors, segments) = end(state.path());
        cursors[0].offset += 1000;
        let link = Link::new(Timestamp::now(), &cursors);
        let (read, _) = end(state.path());
        assert!(link.next(&read, &segments).is_none());
    }

    #[test]
    fn who_finds_the_uplink_standing_still_decides_unless_it_only_is_busy() {
        let state = state();
        let mut link = Link::new(Timestamp::now(), &[]);
        link.save(state.path()).unwrap();
        fail(state.path());
        let (until, _) = end(state.path());
        assert_eq!(decided(state.path(), true).unwrap().unwrap().until(), []);
        assert!(!is_alone(state.path()));
        link.written = Timestamp::now().checked_sub(AWAY * 2).unwrap();
        link.save(state.path()).unwrap();
        assert!(is_alone(state.path()));
        let file = File::create(state.path().join(DIRECTORY).join(LOCK)).unwrap();
        flock(&file, FlockOperation::LockExclusive).unwrap();
        assert_eq!(decided(state.path(), true).unwrap().unwrap().until(), []);
        drop(file);
        assert_eq!(decided(state.path(), false).unwrap().unwrap().until(), []);
        let link = decided(state.path(), true).unwrap().unwrap();
        assert_eq!((link.until(), link.is_own()), (&until[..], true));
        assert_eq!(Link::load(state.path()).unwrap().unwrap(), link);
        assert!(decided(Path::new("/nonexistent"), true).unwrap().is_none());
    }
}
