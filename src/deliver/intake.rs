//! Taking in what is new in the journal: each failure is ignored, aborted, left out, or pending.

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use crate::accounts::{AccountKind, Accounts};
use crate::config;
use crate::event::{Class, Event};
use crate::journal::read::{self, Line};
use crate::journal::segment::{self, Segment};
use crate::journal::spill::Spilled;
use crate::journal::{Journal, append};

use super::state::{Cursor, State};
use super::{Matter, Moment, Policy};

/// A last line without its end that is older than this will not get one.
const TORN_AFTER_SECONDS: u64 = 60;
/// Of so many segments that are gone it is remembered how far they were read: more than a journal has.
const GONE_REMEMBERED: usize = 64;

/// What was read.
#[derive(Debug, Default)]
pub struct Taken {
    /// Bytes.
    pub bytes: u64,
    /// The beginnings of lines that could not be read, a bounded number of them.
    pub unreadable: Vec<Vec<u8>>,
    /// Files in which something was new.
    pub files: Vec<PathBuf>,
    /// How large each segment was, by inode, when it was read to its end.
    pub seen: Vec<(u64, u64)>,
    /// A segment was deleted between being listed and being read: without the lock, what was read
    /// is then of no single moment.
    pub vanished: bool,
}

/// The rules by which failures are taken in for one receiver.
#[derive(Debug)]
pub struct Rules<'a> {
    /// What to ignore.
    pub ignore: &'a config::Ignore,
    /// When alerts are due.
    pub policy: &'a Policy,
    /// What it is told.
    pub receiver: &'a config::Receiver,
}

impl Rules<'_> {
    /// Whether this failure will be in an alert for the receiver.
    pub(super) fn includes(&self, failure: &Event, standing: AccountKind) -> bool {
        Matter::of(failure, standing).pends(|kind| self.receiver.tells(kind))
    }
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
    take_from(state, &segments, journal, rules, accounts, now)
}

/// The same with `segments`, which were listed before `state` was loaded.
pub fn take_from(
    state: &mut State,
    segments: &[Segment],
    journal: &Journal,
    rules: &Rules<'_>,
    accounts: &mut Accounts,
    now: Moment,
) -> io::Result<Taken> {
    let mut taken = Taken::default();
    for segment in segments {
        let at = cursor_of(state, segment, segments)?;
        take_segment(state, at, segment, rules, accounts, now, &mut taken)?;
    }
    forget_the_longest_gone(state, segments);
    take_dropped(state, journal, now, &mut taken);
    Ok(taken)
}

/// What is gone was not deleted by us (see `retention`), and may come back: a journal that was moved away
/// while a pass came by, or put back from a backup, is not told once more.
fn forget_the_longest_gone(state: &mut State, segments: &[Segment]) {
    let is_gone = |c: &Cursor| !segments.iter().any(|s| belongs(c, s));
    let gone = state.cursors.iter().filter(|c| is_gone(c)).count();
    let mut too_many = gone.saturating_sub(GONE_REMEMBERED);
    state.cursors.retain(|c| {
        let forget = too_many > 0 && is_gone(c);
        too_many -= usize::from(forget);
        !forget
    });
}

/// Settle what was spilled, for who looks without taking it over.
pub fn take_spilled(
    state: &mut State,
    spilled: &[Spilled],
    rules: &Rules<'_>,
    accounts: &mut Accounts,
    now: Moment,
) {
    spilled.iter().for_each(|record| settle(state, &record.failure, rules, accounts, now));
}

/// The place of the cursor of `segment`; a new one where nothing of it was read.
fn cursor_of(state: &mut State, segment: &Segment, segments: &[Segment]) -> io::Result<usize> {
    if let Some(at) = state.cursors.iter().position(|c| belongs(c, segment)) {
        return Ok(at);
    }
    if !segment::is_named(&segment.id) {
        let missed = |c: &Cursor| !segments.iter().any(|s| belongs(c, s));
        let missed = state.cursors.iter().enumerate().filter(|(_, c)| missed(c));
        // It was known by its inode, and that is another, as in a copy: the bytes before the cursor tell.
        if let Some(file) = segment.open()? {
            let is_copy = |c: &Cursor| {
                (1..=segment.size).contains(&c.offset)
                    && c.check.is_some_and(|check| read::check(&file, c.offset).is_ok_and(|of| of == check))
            };
            let copy = missed.clone().filter(|(_, c)| is_copy(c)).max_by_key(|(_, c)| c.offset);
            if let Some((at, _)) = copy {
                return Ok(at);
            }
        }
        // Its first line is damaged too. Then it is the newest that is missed; where it is not, the same
        // bytes tell.
        let newest = missed.max_by_key(|(_, c)| &c.segment).filter(|_| segment.id.is_empty());
        if let Some((at, _)) = newest {
            return Ok(at);
        }
    }
    state.cursors.push(Cursor::at_the_beginning(segment));
    Ok(state.cursors.len() - 1)
}

fn take_segment(
    state: &mut State,
    at: usize,
    segment: &Segment,
    rules: &Rules<'_>,
    accounts: &mut Accounts,
    now: Moment,
    taken: &mut Taken,
) -> io::Result<()> {
    let Some(mut file) = segment.open()? else {
        taken.vanished = true;
        return Ok(());
    };
    let size = file.metadata()?.len();
    let mut cursor = state.cursors[at].clone();
    let known = cursor.offset;
    let had_a_header = segment::is_named(&cursor.segment);
    let cut = was_cut(&cursor, segment, &file, size)?;
    let mut floor = None;
    if cut {
        // What begins beyond the place up to which it was read is new. What begins before it is read
        // again, and its time tells; but all is new where the file was cut to nothing.
        if had_a_header && segment.headless || size == 0 {
            cursor = Cursor::at_the_beginning(segment);
        }
        floor = cursor.newest;
        cursor.offset = 0;
        unreadable(state, taken, b"the segment was cut or written over".to_vec(), now);
    }
    let before = cursor.offset;
    let end = read::read_file(&mut file, before, &mut |at, line| match line {
        Line::Event(failure) => {
            if at < known && floor.is_some_and(|floor| failure.time <= floor) {
                return;
            }
            cursor.newest = cursor.newest.max(Some(failure.time));
            settle(state, &failure, rules, accounts, now);
        }
        // That there is damage was counted when it was seen that the file was cut.
        Line::Unknown => {}
        Line::Unreadable(_) if cut && at < known => {}
        Line::Unreadable(bytes) => unreadable(state, taken, bytes, now),
    })?;
    cursor.offset = end;
    taken.seen.push((segment.inode, end.max(size)));
    if end < size && is_old(&file) {
        unreadable(state, taken, Vec::new(), now);
        cursor.offset = size;
    }
    cursor.inode = segment.inode;
    if !segment.id.is_empty() {
        cursor.segment.clone_from(&segment.id);
    }
    if cursor.offset > before {
        taken.bytes += cursor.offset - before;
        taken.files.push(segment.path.clone());
    }
    if cut || cursor.offset > before {
        cursor.check = Some(read::check(&file, cursor.offset)?);
    }
    state.cursors[at] = cursor;
    Ok(())
}

/// Whether the file is no longer what was read up to the cursor, with more behind it.
fn was_cut(cursor: &Cursor, segment: &Segment, file: &File, size: u64) -> io::Result<bool> {
    if size < cursor.offset || (segment.headless && segment::is_named(&cursor.segment)) {
        return Ok(true);
    }
    match cursor.check {
        Some(check) => Ok(read::check(file, cursor.offset)? != check),
        None => Ok(false),
    }
}

fn settle(state: &mut State, event: &Event, rules: &Rules<'_>, accounts: &mut Accounts, now: Moment) {
    let (count, totals) = (u64::from(event.count), &mut state.totals);
    match event.class {
        Class::Login => totals.logins += count,
        Class::Test => state.announced.note(event),
        Class::Failure | Class::Aborted if state.announced.covers(event) => totals.tests += count,
        Class::Aborted => totals.aborted += count,
        Class::Failure if is_ignored(event, rules.ignore) => totals.ignored += count,
        Class::Failure => {
            let standing = accounts.standing(&event.user);
            if !rules.includes(event, standing) {
                totals.left_out += count;
                return;
            }
            state.pending.add(event, standing, accounts.standing(&event.ruser));
            state.pacing.on_failure(now, event, standing, rules.policy);
        }
    }
}

/// Whether the configuration says not to post this failure.
pub fn is_ignored(failure: &Event, ignore: &config::Ignore) -> bool {
    ignore.users.contains(&failure.user)
        || ignore.services.contains(&failure.service)
        || (!ignore.networks.is_empty()
            && failure.rhost.parse::<IpAddr>().is_ok_and(|ip| {
                let ip = ip.to_canonical();
                ignore.networks.iter().any(|network| network.contains(&ip))
            }))
}

fn take_dropped(state: &mut State, journal: &Journal, now: Moment, taken: &mut Taken) {
    // Without the file nothing was dropped, or the journal is away and comes back.
    let Some(dropped) = append::dropped(journal.directory()) else { return };
    match dropped.checked_sub(state.dropped_seen) {
        Some(0) => {}
        Some(fresh) => {
            state.totals.dropped += fresh;
            state.pending.add_dropped(fresh);
            state.pacing.mark_pending(now);
        }
        // How many of them are new cannot be known; none is counted twice.
        None => unreadable(state, taken, b"the count of dropped records became smaller".to_vec(), now),
    }
    state.dropped_seen = dropped;
}

fn unreadable(state: &mut State, taken: &mut Taken, bytes: Vec<u8>, now: Moment) {
    state.totals.unreadable += 1;
    state.pending.add_unreadable(1);
    state.pacing.mark_pending(now);
    if taken.unreadable.len() < 16 {
        taken.unreadable.push(bytes);
    }
}

/// A segment never gets an id later: one without was made by a writer, or its first line was
/// damaged since. An inode alone says little, as a new file may get that of a deleted one.
pub fn belongs(cursor: &Cursor, segment: &Segment) -> bool {
    if segment.id.is_empty() {
        cursor.inode == segment.inode
    } else {
        cursor.segment == segment.id || segment.id == segment::unnamed(cursor.inode)
    }
}

fn is_old(file: &File) -> bool {
    let modified = file.metadata().and_then(|m| m.modified());
    modified.is_ok_and(|m| m.elapsed().is_ok_and(|age| age.as_secs() > TORN_AFTER_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_segments_that_are_gone_the_latest_are_remembered() {
        let segment = |n: usize| Segment {
            id: format!("{n:04}"),
            limit: 0,
            path: PathBuf::new(),
            inode: n as u64,
            size: 0,
            current: false,
            headless: false,
        };
        let mut state = State::default();
        state.cursors.extend((0..200).map(|n| Cursor::at_the_beginning(&segment(n))));
        forget_the_longest_gone(&mut state, &[segment(0), segment(199)]);
        let left: Vec<u64> = state.cursors.iter().map(|c| c.inode).collect();
        let latest = 199 - GONE_REMEMBERED as u64..200;
        assert_eq!(left, [0].into_iter().chain(latest).collect::<Vec<_>>());
    }
}
