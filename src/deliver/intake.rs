//! Taking in what is new in the journal: each failure is ignored, aborted, or pending.

use std::io;
use std::net::IpAddr;

use crate::alert::Accounts;
use crate::alert::Moment;
use crate::alert::Policy;
use crate::config;
use crate::failure::{Class, Failure};
use crate::journal::read::{self, Line};
use crate::journal::segment::{self, Segment};
use crate::journal::{Journal, append};

use super::state::{Cursor, State};

/// A last line without its end that is older than this will not get one.
const TORN_AFTER_SECONDS: u64 = 60;

/// What was read.
#[derive(Debug, Default)]
pub struct Taken {
    /// Records.
    pub records: u64,
    /// Bytes.
    pub bytes: u64,
    /// The beginnings of lines that could not be read, a bounded number of them.
    pub unreadable: Vec<Vec<u8>>,
}

/// The rules by which failures are taken in.
#[derive(Debug)]
pub struct Rules<'a> {
    /// What to ignore.
    pub ignore: &'a config::Ignore,
    /// When alerts are due.
    pub policy: &'a Policy,
}

/// Read the journal from where `state` left it to its end, and note in `state` where that is.
pub fn take_in(
    state: &mut State,
    journal: &Journal,
    rules: &Rules<'_>,
    accounts: &mut Accounts,
    now: Moment,
) -> io::Result<Taken> {
    let segments = segment::list(journal.directory())?;
    let mut taken = Taken::default();
    for segment in &segments {
        take_segment(state, segment, rules, accounts, now, &mut taken)?;
    }
    // Segments that are gone were read to their end before they were deleted.
    state.cursors.retain(|c| segments.iter().any(|s| belongs(c, s)));
    take_dropped(state, journal, now);
    Ok(taken)
}

/// Read what was appended to a segment that has just been deleted.
pub fn take_rest(
    state: &mut State,
    segment: &Segment,
    file: &mut std::fs::File,
    rules: &Rules<'_>,
    accounts: &mut Accounts,
    now: Moment,
) -> io::Result<()> {
    let Some(at) = state.cursors.iter().position(|c| belongs(c, segment)) else { return Ok(()) };
    let offset = state.cursors[at].offset;
    let mut failures = Vec::new();
    read::read_file(file, offset, &mut |line| {
        if let Line::Failure(failure) = line {
            failures.push(failure);
        }
    })?;
    for failure in failures {
        settle(state, &failure, rules, accounts, now);
    }
    state.cursors.remove(at);
    Ok(())
}

fn take_segment(
    state: &mut State,
    segment: &Segment,
    rules: &Rules<'_>,
    accounts: &mut Accounts,
    now: Moment,
    taken: &mut Taken,
) -> io::Result<()> {
    let at = match state.cursors.iter().position(|c| belongs(c, segment)) {
        Some(at) => at,
        None => {
            let (segment, inode) = (segment.id.clone(), segment.inode);
            state.cursors.push(Cursor { segment, inode, offset: 0, newest: None });
            state.cursors.len() - 1
        }
    };
    let mut cursor = state.cursors[at].clone();
    let mut only_after = None;
    if segment.size < cursor.offset {
        // Somebody cut the file. What is in it now may be old or new; its time tells.
        only_after = cursor.newest;
        cursor.offset = 0;
        state.totals.unreadable += 1;
        state.pending.add_unreadable(1);
    }
    let before = cursor.offset;
    let end = read::read(segment, before, &mut |line| match line {
        Line::Failure(failure) => {
            if only_after.is_some_and(|floor| failure.time <= floor) {
                return;
            }
            cursor.newest = cursor.newest.max(Some(failure.time));
            taken.records += 1;
            settle(state, &failure, rules, accounts, now);
        }
        Line::Unreadable(bytes) => unreadable(state, taken, bytes, now),
    })?;
    cursor.offset = end;
    if !segment.current && end < segment.size && is_old(segment) {
        unreadable(state, taken, Vec::new(), now);
        cursor.offset = segment.size;
    }
    cursor.inode = segment.inode;
    taken.bytes += cursor.offset.saturating_sub(before);
    state.cursors[at] = cursor;
    Ok(())
}

fn settle(state: &mut State, failure: &Failure, rules: &Rules<'_>, accounts: &mut Accounts, now: Moment) {
    let count = u64::from(failure.count);
    if failure.class == Class::Aborted {
        state.totals.aborted += count;
    } else if is_ignored(failure, rules.ignore) {
        state.totals.ignored += count;
    } else {
        let standing = accounts.standing(&failure.user);
        state.pending.add(failure, standing);
        state.pacing.noticed(now, failure, standing, rules.policy);
    }
}

/// Whether the configuration says not to post this failure.
pub fn is_ignored(failure: &Failure, ignore: &config::Ignore) -> bool {
    ignore.users.contains(&failure.user)
        || ignore.services.contains(&failure.service)
        || (!ignore.networks.is_empty()
            && failure.rhost.parse::<IpAddr>().is_ok_and(|ip| {
                let ip = ip.to_canonical();
                ignore.networks.iter().any(|network| network.contains(&ip))
            }))
}

fn take_dropped(state: &mut State, journal: &Journal, now: Moment) {
    let dropped = append::dropped(journal.directory());
    // A smaller number: somebody removed the file, and it was begun anew.
    let fresh = dropped.checked_sub(state.dropped_seen).unwrap_or(dropped);
    if fresh > 0 {
        state.totals.dropped += fresh;
        state.pending.add_dropped(fresh);
        state.pacing.pending(now);
    }
    state.dropped_seen = dropped;
}

fn unreadable(state: &mut State, taken: &mut Taken, bytes: Vec<u8>, now: Moment) {
    state.totals.unreadable += 1;
    state.pending.add_unreadable(1);
    state.pacing.pending(now);
    if taken.unreadable.len() < 16 {
        taken.unreadable.push(bytes);
    }
}

/// A segment never gets an id later: one without was made by a writer, or its first line was
/// damaged since. An inode alone says little, as a new file may get that of a deleted one.
pub fn belongs(cursor: &Cursor, segment: &Segment) -> bool {
    if segment.id.is_empty() { cursor.inode == segment.inode } else { cursor.segment == segment.id }
}

fn is_old(segment: &Segment) -> bool {
    let modified = std::fs::metadata(&segment.path).and_then(|m| m.modified());
    modified.is_ok_and(|m| m.elapsed().is_ok_and(|age| age.as_secs() > TORN_AFTER_SECONDS))
}
