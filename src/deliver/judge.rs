//! What the logins that a pass took in mean, judged by the history before them.
//!
//! The history is the journal: the detector is what comes of reading it from the beginning, and a file keeps how far
//! that went, so that it need not be read again for each login. Nothing rests on the file. It stays behind what the
//! states have taken in, whoever is cut off; what is between is read again, and where it is missing, damaged, or
//! ahead of a receiver that was left behind, all of the journal is. So each receiver, also one that began a moment
//! ago, judges by all that is recorded, and finds each login once: as it takes it in.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use compact_str::CompactString;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::accounts::Accounts;
use crate::config;
use crate::detect::{Detector, Finding, Rules};
use crate::event::{Class, Event};
use crate::journal::segment::Segment;
use crate::storage;

use super::announced::Announced;
use super::follow::{self, Found};
use super::hub;
use super::intake::is_from_ignored;
use super::state::Cursor;

/// File name in the state directory.
const FILE: &str = "detector.json";
/// Of the form in which it is stored; another one is not read.
const VERSION: u32 = 3;
/// So many bytes of the journal may be between what is kept and what is taken in: a few thousand records. They are read
/// again before the next login is judged, and nobody should have to wait for that.
const BEHIND: u64 = 512 << 10;
/// Or one part in so many of what the file has, which takes longer to read.
const PART: u64 = 4;

/// A detector, and how far the journal was read for it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Judge {
    version: u32,
    cursors: Vec<Cursor>,
    announced: Announced,
    detector: Detector,
    /// Of the members of a fleet that are none any more, those of which nothing is kept.
    gone: BTreeSet<CompactString>,
}

/// By what is judged.
#[derive(Clone, Copy, Debug)]
pub struct Grounds<'a> {
    /// The segments of the journal, as they were taken in.
    pub segments: &'a [Segment],
    /// What the administrator says of logins.
    pub rules: &'a Rules,
    /// Whose failures speak against nobody.
    pub ignore: &'a config::Ignore,
    /// The fleet's hub tells of it.
    pub by_hub: bool,
}

impl Judge {
    /// One that has read what is before `at`, or less.
    pub fn before(state: &Path, at: &[Cursor], grounds: Grounds<'_>) -> Self {
        // What cannot be read is made anew.
        let kept = storage::load::<Self>(&file(state), |_| 0, true).ok().and_then(|found| found.value);
        kept.filter(|kept| kept.version == VERSION && !follow::is_ahead(&kept.cursors, at, grounds.segments))
            .unwrap_or(Self { version: VERSION, ..Self::default() })
    }

    /// Whether nothing of a long journal is read: what was kept is missing, or cannot be used.
    pub fn is_anew(&self, grounds: Grounds<'_>) -> bool {
        self.cursors.is_empty() && grounds.segments.iter().map(|segment| segment.size).sum::<u64>() >= BEHIND
    }

    /// Read on to `until`; each login is given to `judged` with what it is.
    pub fn read_to(
        &mut self,
        until: &[Cursor],
        grounds: Grounds<'_>,
        accounts: &mut Accounts,
        judged: &mut dyn FnMut(Finding, &mut Accounts),
    ) -> io::Result<()> {
        let now = Timestamp::now();
        let Self { cursors, announced, detector, .. } = self;
        detector.set_back(now.as_second());
        follow::follow(cursors, grounds.segments, Some(until), &mut |found| {
            let Found::Event(event) = found else { return };
            if event.class == Class::Test {
                announced.note(&event);
            }
            if speaks(&event, announced, grounds.ignore) {
                let kind = accounts.tried(&event);
                for finding in detector.observe(&event, kind, now, grounds.rules) {
                    judged(finding, accounts);
                }
            }
        })?;
        Ok(())
    }

    /// Forget what those told that are no members of the fleet any more. Once: one may come back under its name.
    pub fn forget_gone(&mut self, state: &Path) {
        let text = match storage::read(&state.join(hub::DIRECTORY).join(hub::GONE)) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            // Nobody knows who is on it, and who was forgotten already is not again.
            Err(_) => return,
        };
        let gone: BTreeSet<_> = String::from_utf8_lossy(&text).lines().map(CompactString::from).collect();
        if !gone.is_subset(&self.gone) {
            self.detector.keep_members(&|name| self.gone.contains(name) || !gone.contains(name));
        }
        self.gone = gone;
    }

    /// Keep it for the passes to come.
    pub fn save(&self, state: &Path) -> io::Result<()> {
        storage::save(&file(state), self)
    }
}

/// Whether what is kept is far behind, where `unjudged` bytes came since.
pub fn is_far_behind(state: &Path, unjudged: u64) -> bool {
    let size = || std::fs::metadata(file(state)).map_or(0, |meta| meta.len());
    unjudged >= BEHIND && unjudged >= size() / PART
}

/// Whether an event counts: not what root announced, nor what comes from a network that is to be ignored.
fn speaks(event: &Event, announced: &Announced, ignore: &config::Ignore) -> bool {
    !is_from_ignored(event, ignore) && (event.class != Class::Failure || !announced.covers(event))
}

fn file(state: &Path) -> PathBuf {
    state.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::AccountKind;
    use crate::deliver::prepare;
    use crate::detect::Verdict;
    use crate::event::Route;
    use crate::journal::{Journal, segment};
    use crate::message::summary::tests::failure;

    struct World {
        directory: tempfile::TempDir,
        journal: Journal,
        ignore: config::Ignore,
    }

    impl World {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            prepare(directory.path()).unwrap();
            let journal = Journal::new(directory.path());
            Self { directory, journal, ignore: config::Ignore::default() }
        }

        fn append(&self, events: impl IntoIterator<Item = Event>) {
            self.journal.append(&events.into_iter().collect::<Vec<_>>()).unwrap();
        }

        /// Where the journal ends.
        fn end(&self) -> Vec<Cursor> {
            let mut cursors = Vec::new();
            follow::follow(&mut cursors, &self.segments(), None, &mut |_| {}).unwrap();
            cursors
        }

        fn segments(&self) -> Vec<Segment> {
            segment::list(self.journal.directory()).unwrap()
        }

        /// What there is to say of the logins after `from`, and the judge that said it.
        fn judged(&self, from: &[Cursor]) -> (Vec<Verdict>, Judge) {
            let (segments, rules) = (self.segments(), Rules::default());
            let grounds = Grounds { segments: &segments, rules: &rules, ignore: &self.ignore, by_hub: false };
            let mut accounts = Accounts::in_login();
            let mut judge = Judge::before(self.directory.path(), from, grounds);
            judge.read_to(from, grounds, &mut accounts, &mut |_, _| {}).unwrap();
            let mut verdicts = Vec::new();
            let mut judged = |finding: Finding, _: &mut Accounts| verdicts.push(finding.verdict);
            judge.read_to(&self.end(), grounds, &mut accounts, &mut judged).unwrap();
            (verdicts, judge)
        }
    }

    fn tries(first: u32, count: u32, rhost: &str) -> impl Iterator<Item = Event> {
        (first..first + count).map(move |n| Event {
            pid: 2 * n + 10,
            ppid: 1,
            ..failure(n.into(), "root", rhost)
        })
    }

    fn login(n: u32, rhost: &str) -> Event {
        Event { class: Class::Login, pid: 2 * n + 10, ppid: 1, ..failure(n.into(), "root", rhost) }
    }

    fn break_ins(verdicts: &[Verdict]) -> usize {
        verdicts.iter().filter(|verdict| matches!(verdict, Verdict::BreakIn { .. })).count()
    }

    #[test]
    fn wherever_a_reader_and_the_file_are_each_login_is_judged_by_everything_before_it() {
        let world = World::new();
        let mut ends = vec![Vec::new()];
        for step in 0..4 {
            world.append(tries(step * 3, 3, "198.51.100.7"));
            ends.push(world.end());
        }
        world.append([login(20, "198.51.100.7"), login(21, "192.0.2.7")]);
        ends.push(world.end());
        for kept in &ends {
            // The file as a pass left it that ended there.
            let segments = world.segments();
            let rules = Rules::default();
            let grounds =
                Grounds { segments: &segments, rules: &rules, ignore: &world.ignore, by_hub: false };
            let mut judge = Judge { version: VERSION, ..Judge::default() };
            judge.read_to(kept, grounds, &mut Accounts::in_login(), &mut |_, _| {}).unwrap();
            judge.save(world.directory.path()).unwrap();
            for from in &ends {
                let verdicts = world.judged(from).0;
                let fresh = if *from == ends[5] { 0 } else { 2 };
                assert_eq!((verdicts.len(), break_ins(&verdicts)), (fresh, fresh / 2));
            }
        }
        for damage in ["", "{", "{\"crc\":\"00000000\",\"state\":{}}\n"] {
            std::fs::write(file(world.directory.path()), damage).unwrap();
            assert_eq!(break_ins(&world.judged(&ends[4]).0), 1, "{damage}");
        }
    }

    #[test]
    fn where_nothing_usable_is_kept_of_a_long_journal_that_is_known() {
        let world = World::new();
        let rules = Rules::default();
        for (first, is_long) in [(0, false), (100, true)] {
            world.append(tries(first, if is_long { 5000 } else { 100 }, "198.51.100.7"));
            let (segments, end) = (world.segments(), world.end());
            let grounds =
                Grounds { segments: &segments, rules: &rules, ignore: &world.ignore, by_hub: false };
            let mut judge = Judge::before(world.directory.path(), &end, grounds);
            assert_eq!(judge.is_anew(grounds), is_long);
            judge.read_to(&end, grounds, &mut Accounts::in_login(), &mut |_, _| {}).unwrap();
            judge.save(world.directory.path()).unwrap();
            assert!(!Judge::before(world.directory.path(), &end, grounds).is_anew(grounds));
            Judge { version: VERSION - 1, ..judge }.save(world.directory.path()).unwrap();
        }
    }

    /// As the hub records it.
    fn told(member: &str, event: Event) -> Event {
        Event {
            host: member.into(),
            origin: Some(format!("fleet:0000000000000007:{}:ee", event.pid)),
            ..event
        }
    }

    #[test]
    fn what_a_member_told_that_was_put_out_is_forgotten_once() {
        let world = World::new();
        let list = |names: &str| {
            let directory = world.directory.path().join(hub::DIRECTORY);
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join(hub::GONE), names).unwrap();
        };
        // Each account for the first time: where it came from before speaks for it.
        let login = |n: u32| told("web2", Event { user: format!("user{n}"), ..login(n, "198.51.100.7") });
        let mut verdicts = Vec::new();
        let (mut judge, mut judged_to) = (Judge { version: VERSION, ..Judge::default() }, Vec::new());
        for (round, names) in ["", "web1\n", "web1\n", "", "web1\n"].into_iter().enumerate() {
            let first = round as u32 * 100;
            // It tells, is put out or not, and then somebody is in.
            world.append(tries(first, 6, "198.51.100.7").map(|event| told("web1", event)));
            let (segments, rules) = (world.segments(), Rules::default());
            let grounds =
                Grounds { segments: &segments, rules: &rules, ignore: &world.ignore, by_hub: false };
            judge.read_to(&world.end(), grounds, &mut Accounts::in_login(), &mut |_, _| {}).unwrap();
            // A moment at which the list cannot be read is none at which nobody is on it.
            let file = world.directory.path().join(hub::DIRECTORY).join(hub::GONE);
            let _ = std::fs::remove_file(&file);
            std::fs::create_dir_all(&file).unwrap();
            judge.forget_gone(world.directory.path());
            std::fs::remove_dir(&file).unwrap();
            list(names);
            judge.forget_gone(world.directory.path());
            judge.save(world.directory.path()).unwrap();
            world.append([login(first + 50)]);
            let segments = world.segments();
            let grounds = Grounds { segments: &segments, ..grounds };
            judged_to = world.end();
            judge = Judge::before(world.directory.path(), &judged_to, grounds);
            let mut judged = |finding: Finding, _: &mut Accounts| verdicts.push(finding.told_by.is_some());
            judge.read_to(&judged_to, grounds, &mut Accounts::in_login(), &mut judged).unwrap();
        }
        // The second time it is still on the list, and tells as one that was let in again.
        assert_eq!(verdicts, [true, false, true, true, false]);
        assert!(!judged_to.is_empty());
    }

    #[test]
    fn what_is_kept_of_members_that_fill_their_tables_is_read_again() {
        let world = World::new();
        let mut judge = Judge { version: VERSION, ..Judge::default() };
        let rules = Rules::default();
        for n in 0..40_000_u32 {
            let rhost = format!("{}.{}.7.9", 11 + n / 100 % 180, n / 100 / 180);
            let event =
                Event { route: Route::Log, ..failure(n.into(), &format!("a-name-that-is-long-{n}"), &rhost) };
            let event = told(&format!("web{}", n % 100), Event { pid: n + 10, ppid: 0, count: 8, ..event });
            judge.detector.observe(&event, AccountKind::Existing, event.time, &rules);
        }
        judge.save(world.directory.path()).unwrap();
        assert!(file(world.directory.path()).metadata().unwrap().len() > 4 << 20);
        let grounds = Grounds { segments: &[], rules: &rules, ignore: &world.ignore, by_hub: false };
        let read = Judge::before(world.directory.path(), &[], grounds);
        assert!(read.detector == judge.detector);
    }

    #[test]
    fn what_root_announced_and_ignored_networks_speak_against_nobody() {
        let mut world = World::new();
        world.ignore.networks.push("198.51.100.0/24".parse().unwrap());
        world.append(tries(0, 9, "198.51.100.7"));
        world.append([login(20, "198.51.100.7")]);
        let tests = tries(30, 9, "203.0.113.7")
            .flat_map(|failure| [Event { class: Class::Test, ..failure.clone() }, failure]);
        world.append(tests);
        world.append([login(50, "203.0.113.7")]);
        assert_eq!(break_ins(&world.judged(&[]).0), 0);
        world.append(tries(60, 5, "192.0.2.8"));
        world.append([login(70, "192.0.2.8")]);
        assert_eq!(break_ins(&world.judged(&[]).0), 1);
    }
}
