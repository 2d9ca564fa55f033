//! Keeping the journal within its bounds: sealing the segment that everybody appends to, deleting
//! sealed ones that are read and old, or that are in the way.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::config;
use crate::journal::Journal;
use crate::journal::segment::{self, Segment};

use super::intake;
use super::state::State;

/// A slow writer that had a segment open when it was sealed has finished by then.
const SETTLED: Duration = Duration::from_secs(10);
const DAY: Duration = Duration::from_secs(86_400);

/// Seal and delete as `limits` say, after `state` was saved: a segment is deleted only when all of
/// it is in the state on disk. Says whether one was deleted: what `state` knew of it is then forgotten.
pub fn tidy(journal: &Journal, state: &mut State, limits: &config::Journal) -> io::Result<bool> {
    let part = (limits.max_size / 8).clamp(16 << 10, 8 << 20);
    let segments = segment::list(journal.directory())?;
    let mut total: u64 = segments.iter().map(|s| s.size).sum();
    let sealed: Vec<&Segment> = segments.iter().filter(|s| !s.current).collect();
    let (mut kept, mut deleted) = (0, false);
    for segment in sealed {
        let age = age(&segment.path);
        // Room for one more part, so that writers always find some.
        let in_the_way = total + part > limits.max_size;
        let over = age > limits.keep || (in_the_way && age > SETTLED);
        let cursor = state.cursors.iter().find(|c| intake::belongs(c, segment));
        if over && segment::delete(segment, cursor.map_or(0, |c| c.offset))? {
            state.cursors.retain(|c| !intake::belongs(c, segment));
            deleted = true;
            total -= segment.size;
        } else {
            kept += segment.size;
        }
    }
    let room = |kept: u64| limits.max_size.saturating_sub(kept).max(part);
    let (due, sealed) = match segments.iter().find(|s| s.current) {
        None => (true, 0),
        Some(s) => {
            // A first line that cannot be read tells writers nothing, or something wrong.
            let due = s.id.is_empty()
                || s.limit > room(kept)
                || s.limit < room(kept) / 2
                || s.size >= part
                || (s.size > 4096 && born(s).is_some_and(|age| age > DAY));
            (due, s.size)
        }
    };
    if due {
        journal.sync()?;
        segment::seal(journal.directory(), room(kept + sealed))?;
    }
    segment::sweep(journal.directory());
    Ok(deleted)
}

/// Make the directories that installing makes, where they are missing. Says whether it had to.
pub fn prepare(state: &Path) -> io::Result<bool> {
    use std::os::unix::fs::DirBuilderExt;
    let directory = state.join(crate::journal::DIRECTORY);
    if directory.is_dir() {
        return Ok(false);
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
    Ok(true)
}

fn age(path: &Path) -> Duration {
    let modified = std::fs::metadata(path).and_then(|m| m.modified());
    modified.ok().and_then(|m| m.elapsed().ok()).unwrap_or_default()
}

/// How long ago the segment was made, from its id.
fn born(segment: &Segment) -> Option<Duration> {
    let nanoseconds = u64::from_str_radix(segment.id.get(..16)?, 16).ok()?;
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::state::Cursor;
    use crate::journal::append::append;
    use crate::journal::record::{encode, tests::record};

    const LIMITS: config::Journal = config::Journal { max_size: 64 << 10, keep: DAY };

    struct World {
        _state: tempfile::TempDir,
        journal: Journal,
        read: State,
    }

    impl World {
        fn new() -> Self {
            let state = tempfile::tempdir().unwrap();
            prepare(state.path()).unwrap();
            Self { journal: Journal::new(state.path()), _state: state, read: State::default() }
        }

        fn append(&self, records: usize) -> usize {
            let line = encode(&record(b"root"));
            (0..records)
                .filter(|_| append(self.journal.directory().as_os_str().as_encoded_bytes(), &line).is_ok())
                .count()
        }

        fn segments(&self) -> Vec<Segment> {
            segment::list(self.journal.directory()).unwrap()
        }

        /// Read everything, then tidy.
        fn pass(&mut self) {
            self.read.cursors = self
                .segments()
                .iter()
                .map(|s| Cursor { offset: s.size, ..Cursor::at_the_beginning(s) })
                .collect();
            tidy(&self.journal, &mut self.read, &LIMITS).unwrap();
        }

        fn make_old(&self, age: Duration) {
            for segment in self.segments() {
                let file = std::fs::File::options().append(true).open(&segment.path).unwrap();
                file.set_modified(SystemTime::now() - age).unwrap();
            }
        }
    }

    #[test]
    fn a_pass_with_nothing_new_seals_nothing() {
        let mut world = World::new();
        world.append(100);
        world.pass();
        assert_eq!(world.segments().len(), 2);
        for _ in 0..10 {
            world.pass();
        }
        assert_eq!(world.segments().len(), 2);
    }

    #[test]
    fn the_journal_stays_within_its_size_and_room_is_made_as_segments_go() {
        let mut world = World::new();
        let mut written = 0;
        for _ in 0..20 {
            written += world.append(60);
            world.pass();
            let total: u64 = world.segments().iter().map(|s| s.size).sum();
            assert!(total <= LIMITS.max_size, "{total}");
            assert!(world.segments().len() < 12);
            world.make_old(2 * SETTLED);
        }
        assert_eq!(written, 1200, "nothing had to be dropped");
    }

    #[test]
    fn what_was_not_read_is_not_deleted_however_old() {
        let mut world = World::new();
        world.append(100);
        world.pass();
        world.make_old(2 * DAY);
        let sealed = world.segments().remove(0);
        let before = sealed.size;
        let mut late = std::fs::File::options().append(true).open(&sealed.path).unwrap();
        std::io::Write::write_all(&mut late, &encode(&record(b"late"))).unwrap();
        drop(late);
        world.make_old(2 * DAY);
        tidy(&world.journal, &mut world.read, &LIMITS).unwrap();
        assert!(world.segments()[0].size > before);
        world.pass();
        assert_eq!(world.segments().len(), 1);
        assert!(!world.read.cursors.iter().any(|c| intake::belongs(c, &sealed)), "it is forgotten");
    }
}
