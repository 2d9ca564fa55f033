//! Keeping the journal within its bounds: sealing the segment that everybody appends to, deleting
//! sealed ones that are read and old, or that are in the way.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::config::{self, Config};
use crate::journal::Journal;
use crate::journal::segment::{self, Segment};

use super::lock::Lock;
use super::place::Place;
use super::route::Routes;
use super::state::State;
use super::{Request, follow};

/// A slow writer that had a segment open when it was sealed has finished by then.
const SETTLED: Duration = Duration::from_secs(10);
const DAY: Duration = Duration::from_secs(86_400);

/// Seal and delete as the configuration says. Under the locks of all receivers: a segment is deleted only when all
/// of it is in their states on disk, and they forget it then. Where one is being served nothing is deleted this
/// time, but there is always room to be made for writers.
pub fn keep_within_bounds(request: &Request, config: &Config, routes: &Routes) -> io::Result<()> {
    let journal = Journal::new(&request.state);
    let segments = segment::list(journal.directory())?;
    let plan = Plan::of(&segments, &config.journal, true);
    if plan.is_empty() {
        segment::sweep(journal.directory());
        return Ok(());
    }
    let (mut held, mut all) = (Vec::new(), true);
    // The timeline, which is the last, is the one that seals. One that is not in the configuration and not forgotten has
    // still to read what is there.
    let mut names: Vec<String> =
        routes.receivers.iter().rev().map(|receiver| receiver.name.clone()).collect();
    let others = Place::all(&request.state)?.into_iter().filter(|name| !names.contains(name));
    let others: Vec<String> = others.collect();
    names.extend(others);
    for name in names {
        let place = Place::new(&request.state, &name);
        match Lock::take(&place, request.patience())? {
            // One whose state cannot be read must not make the journal keep everything.
            Some(lock) => held.push((State::load(&place, true).ok().flatten().map(|l| l.state), lock, place)),
            None if name == config::TIMELINE => return Ok(()),
            None => all = false,
        }
    }
    let mut states: Vec<&mut State> = held.iter_mut().filter_map(|(state, ..)| state.as_mut()).collect();
    if !tidy(&journal, &mut states, all, &config.journal)? {
        return Ok(());
    }
    for (state, lock, place) in &mut held {
        if let Some(state) = state {
            lock.token().check()?;
            state.save(place, lock.token().epoch())?;
        }
    }
    Ok(())
}

/// What is due.
struct Plan {
    delete: Vec<Segment>,
    /// The limit of the next one.
    seal: Option<u64>,
    /// The current one has no first line that can be read.
    is_damaged: bool,
}

impl Plan {
    /// `may_delete`: otherwise the next one gets what all that is there leaves.
    fn of(segments: &[Segment], limits: &config::Journal, may_delete: bool) -> Self {
        let part = (limits.max_size / 8).clamp(16 << 10, 8 << 20);
        let mut total: u64 = segments.iter().map(|s| s.size).sum();
        let (mut kept, mut delete) = (0, Vec::new());
        for segment in segments.iter().filter(|s| !s.current) {
            let age = age(&segment.path);
            // Room for one more part, so that writers always find some.
            let in_the_way = total + part > limits.max_size;
            if may_delete && (age > limits.keep || (in_the_way && age > SETTLED)) {
                total -= segment.size;
                delete.push(segment.clone());
            } else {
                kept += segment.size;
            }
        }
        let room = |kept: u64| limits.max_size.saturating_sub(kept).max(part);
        let current = segments.iter().find(|s| s.current);
        let is_due = current.is_none_or(|s| {
            // A first line that cannot be read tells writers nothing, or something wrong.
            s.id.is_empty()
                || s.limit > room(kept)
                || s.limit < room(kept) / 2
                || s.size >= part
                || (s.size > 4096 && born(s).is_some_and(|age| age > DAY))
        });
        let seal = is_due.then(|| room(kept + current.map_or(0, |s| s.size)));
        Self { delete, seal, is_damaged: current.is_some_and(|s| s.id.is_empty()) }
    }

    fn is_empty(&self) -> bool {
        self.delete.is_empty() && self.seal.is_none()
    }
}

/// The same for `states`, which are `all` there are or not. Says whether a segment was deleted: what they knew of
/// it is then forgotten.
fn tidy(
    journal: &Journal,
    states: &mut [&mut State],
    all: bool,
    limits: &config::Journal,
) -> io::Result<bool> {
    let plan = Plan::of(&segment::list(journal.directory())?, limits, all);
    let mut deleted = false;
    for segment in &plan.delete {
        let read_to = |state: &State| {
            state.cursors.iter().find(|c| follow::belongs(c, segment)).map_or(0, |c| c.offset)
        };
        let read_to = states.iter().map(|state| read_to(state)).min().unwrap_or(0);
        if segment::delete(segment, read_to)? {
            states.iter_mut().for_each(|state| state.cursors.retain(|c| !follow::belongs(c, segment)));
            deleted = true;
        }
    }
    // What was not deleted takes room after all.
    let plan = Plan::of(&segment::list(journal.directory())?, limits, false);
    // A reader knows a damaged segment again as the current one.
    if let Some(limit) = plan.seal.filter(|_| all || !plan.is_damaged) {
        journal.sync()?;
        segment::seal(journal.directory(), limit)?;
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
            tidy(&self.journal, &mut [&mut self.read], true, &LIMITS).unwrap();
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
    fn what_one_receiver_has_not_read_is_not_deleted() {
        let mut world = World::new();
        world.append(100);
        world.pass();
        world.make_old(2 * DAY);
        let whole = world.read.clone();
        let mut less = whole.clone();
        less.cursors[0].offset -= 1;
        for (mut other, all, left) in
            [(less, true, 2), (State::default(), true, 2), (whole.clone(), false, 2), (whole, true, 1)]
        {
            tidy(&world.journal, &mut [&mut world.read, &mut other], all, &LIMITS).unwrap();
            assert_eq!(world.segments().len(), left, "{other:?}");
        }
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
        tidy(&world.journal, &mut [&mut world.read], true, &LIMITS).unwrap();
        assert!(world.segments()[0].size > before);
        world.pass();
        assert_eq!(world.segments().len(), 1);
        assert!(!world.read.cursors.iter().any(|c| follow::belongs(c, &sealed)), "it is forgotten");
    }
}
