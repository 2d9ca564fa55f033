//! Following the journal from cursors on: what was read is known by segment and place, also where a segment was
//! copied, cut or written over.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use crate::event::Event;
use crate::journal::read::{self, Line};
use crate::journal::segment::{self, Segment};

use super::state::Cursor;

/// A last line without its end that is older than this will not get one.
const TORN_AFTER_SECONDS: u64 = 60;
/// Of so many segments that are gone it is remembered how far they were read: more than a journal has.
const GONE_REMEMBERED: usize = 64;

/// What was read.
#[derive(Debug, Default)]
pub struct Read {
    /// Bytes.
    pub bytes: u64,
    /// Files in which something was new.
    pub files: Vec<PathBuf>,
    /// How large each segment was, by inode, when it was read to its end.
    pub seen: Vec<(u64, u64)>,
    /// A segment was deleted between being listed and being read: without the lock, what was read
    /// is then of no single moment.
    pub vanished: bool,
}

/// What stood there.
#[derive(Debug)]
pub enum Found {
    /// An event.
    Event(Box<Event>),
    /// The beginning of a line that cannot be read, or what else is damaged.
    Unreadable(Vec<u8>),
}

/// Read `segments` from where `cursors` left them to their ends, or to where `until` was, and note in `cursors` where
/// that is.
pub fn follow(
    cursors: &mut Vec<Cursor>,
    segments: &[Segment],
    until: Option<&[Cursor]>,
    each: &mut dyn FnMut(Found),
) -> io::Result<Read> {
    follow_some(cursors, segments, until, u64::MAX, each)
}

/// The same; ends as soon as it read about so many bytes, behind a whole line.
pub fn follow_some(
    cursors: &mut Vec<Cursor>,
    segments: &[Segment],
    until: Option<&[Cursor]>,
    most: u64,
    each: &mut dyn FnMut(Found),
) -> io::Result<Read> {
    let mut done = Read::default();
    for segment in segments {
        let end = until.map(|until| until.iter().find(|c| belongs(c, segment)).map_or(0, |c| c.offset));
        if end == Some(0) {
            continue;
        }
        if done.bytes >= most {
            break;
        }
        let at = cursor_of(cursors, segment, segments)?;
        let left = most - done.bytes;
        follow_one(&mut cursors[at], segment, (end, left), each, &mut done)?;
    }
    forget_the_longest_gone(cursors, segments);
    Ok(done)
}

/// Whether something was read that `other` had not read.
pub fn is_ahead(cursors: &[Cursor], other: &[Cursor], segments: &[Segment]) -> bool {
    let offset = |of: &[Cursor], s: &Segment| of.iter().find(|c| belongs(c, s)).map_or(0, |c| c.offset);
    segments.iter().any(|segment| offset(cursors, segment) > offset(other, segment))
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

/// What is gone was not deleted by us (see `retention`), and may come back: a journal that was moved away
/// while a pass came by, or put back from a backup, is not told once more.
fn forget_the_longest_gone(cursors: &mut Vec<Cursor>, segments: &[Segment]) {
    let is_gone = |c: &Cursor| !segments.iter().any(|s| belongs(c, s));
    let gone = cursors.iter().filter(|c| is_gone(c)).count();
    let mut too_many = gone.saturating_sub(GONE_REMEMBERED);
    cursors.retain(|c| {
        let forget = too_many > 0 && is_gone(c);
        too_many -= usize::from(forget);
        !forget
    });
}

/// The place of the cursor of `segment`; a new one where nothing of it was read.
fn cursor_of(cursors: &mut Vec<Cursor>, segment: &Segment, segments: &[Segment]) -> io::Result<usize> {
    if let Some(at) = cursors.iter().position(|c| belongs(c, segment)) {
        return Ok(at);
    }
    if !segment::is_named(&segment.id) {
        let missed = |c: &Cursor| !segments.iter().any(|s| belongs(c, s));
        let missed = cursors.iter().enumerate().filter(|(_, c)| missed(c));
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
    cursors.push(Cursor::at_the_beginning(segment));
    Ok(cursors.len() - 1)
}

fn follow_one(
    known: &mut Cursor,
    segment: &Segment,
    (until, most): (Option<u64>, u64),
    each: &mut dyn FnMut(Found),
    done: &mut Read,
) -> io::Result<()> {
    let Some(mut file) = segment.open()? else {
        done.vanished = true;
        return Ok(());
    };
    let size = file.metadata()?.len();
    let mut cursor = known.clone();
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
        each(Found::Unreadable(b"the segment was cut or written over".to_vec()));
    }
    let (before, known_to) = (cursor.offset, known.offset);
    let limit = before.saturating_add(most);
    let stop = until.unwrap_or(u64::MAX).min(limit);
    let end = read::read_until(&mut file, before, stop, &mut |at, line| match line {
        Line::Event(event) => {
            if at < known_to && floor.is_some_and(|floor| event.time <= floor) {
                return;
            }
            cursor.newest = cursor.newest.max(Some(event.time));
            each(Found::Event(event));
        }
        // That there is damage was counted when it was seen that the file was cut.
        Line::Unknown => {}
        Line::Unreadable(_) if cut && at < known_to => {}
        Line::Unreadable(bytes) => each(Found::Unreadable(bytes)),
    })?;
    cursor.offset = until.filter(|until| *until <= limit).map_or(end, |until| until.min(size));
    done.seen.push((segment.inode, end.max(size)));
    if until.is_none() && end < size && size <= limit && is_old(&file) {
        each(Found::Unreadable(Vec::new()));
        cursor.offset = size;
    }
    cursor.inode = segment.inode;
    if !segment.id.is_empty() {
        cursor.segment.clone_from(&segment.id);
    }
    if cursor.offset > before {
        done.bytes += cursor.offset - before;
        done.files.push(segment.path.clone());
    }
    if cut || cursor.offset > before {
        cursor.check = Some(read::check(&file, cursor.offset)?);
    }
    *known = cursor;
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
        let mut cursors: Vec<Cursor> = Vec::new();
        cursors.extend((0..200).map(|n| Cursor::at_the_beginning(&segment(n))));
        forget_the_longest_gone(&mut cursors, &[segment(0), segment(199)]);
        let left: Vec<u64> = cursors.iter().map(|c| c.inode).collect();
        let latest = 199 - GONE_REMEMBERED as u64..200;
        assert_eq!(left, [0].into_iter().chain(latest).collect::<Vec<_>>());
    }
}
