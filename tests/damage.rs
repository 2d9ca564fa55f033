//! Damage: every byte flipped in turn, and every file cut at every length, on a small state. One damage
//! at a time. No pass fails for it, nothing is counted or told twice, and what could not be read is said.
//!
//! What may be lost, precisely: a journal record that was not yet taken in, and is damaged itself, is
//! lost and counted as unreadable; of a file that is cut, the records that were in the part cut off. Of
//! everything else there are two copies, or it is not needed again.
//!
//! `HARNESS_EVERY=1` tries every byte in every way; without it a sample is tried, of which `HARNESS_SAMPLE` thins
//! out: each so many-th case of it (default: 3). All are some 330,000 cases of two to four passes each, and a matter
//! of minutes with `--profile quick` only.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // a test, functions included

mod machine;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use authalert::deliver::Context;
use machine::Machine;

/// What one state has to come to, damaged or not.
struct Case<'a> {
    machine: &'a Machine,
    snapshot: HashMap<PathBuf, Vec<u8>>,
    texts: HashSet<String>,
    /// Failures that are to be told, and how many records were not yet taken in.
    failures: u64,
    fresh: u64,
    settled: u64,
}

impl<'a> Case<'a> {
    fn of(machine: &'a Machine, fresh: u64) -> Self {
        let status = machine.status();
        let (texts, snapshot) = (machine.x.texts.lock().unwrap().clone(), machine.snapshot());
        let failures = status.first.posted + status.first.pending;
        for path in snapshot.keys() {
            let _ = fs::remove_file(machine.original(path));
            fs::hard_link(path, machine.original(path)).unwrap();
        }
        Self {
            machine,
            snapshot,
            texts,
            failures,
            fresh,
            settled: status.first.ignored + status.first.aborted,
        }
    }

    fn try_all(&self) {
        let mut tried = 0;
        let number = |name| std::env::var(name).ok().and_then(|n| n.parse::<usize>().ok());
        let (every, thinner) = (number("HARNESS_EVERY"), number("HARNESS_SAMPLE").unwrap_or(3));
        for (path, bytes) in &self.snapshot {
            let name = path.strip_prefix(&self.machine.state).unwrap().display().to_string();
            let step = every.unwrap_or(thinner * if name.starts_with("journal") { 7 } else { 101 });
            for at in (0..bytes.len()).step_by(step) {
                let mut flipped = bytes.clone();
                flipped[at] ^= [0x01, 0x80, 0x04, 0xff][at % 4];
                for copy in [false, true] {
                    for early in [false, true] {
                        let turn = at / step % 4 == 2 * usize::from(copy) + usize::from(early);
                        if !turn && every.is_none() {
                            continue;
                        }
                        let where_and_when = format!("in a copy {copy}, written to before the pass {early}");
                        self.with(
                            path,
                            &flipped,
                            copy,
                            early,
                            &format!("{name}: byte {at} flipped, {where_and_when}"),
                        );
                        let cut = format!("{name}: cut to {at} bytes, {where_and_when}");
                        self.with(path, &bytes[..at], copy, early, &cut);
                        tried += 2;
                    }
                }
            }
        }
        println!("# {tried} cases of damage to a state of {} files", self.snapshot.len());
    }

    fn with(&self, path: &Path, damaged: &[u8], copy: bool, early: bool, what: &str) {
        let machine = self.machine;
        machine.restore(&self.snapshot, copy);
        fs::write(path, damaged).unwrap();
        machine.x.texts.lock().unwrap().clone_from(&self.texts);
        let first = machine.status();
        // What comes after the damage is never lost by it, whether or not a pass saw the damage before.
        let two_passes = || {
            for _ in 0..2 {
                machine.pass().unwrap_or_else(|e| panic!("{what}: {e}"));
            }
        };
        if !early {
            two_passes();
        }
        machine.record(&["alice", "ignored"]);
        two_passes();
        let (status, told) = (machine.status(), machine.x.told());
        let sum = status.first.posted + status.first.pending + status.first.ignored + status.first.aborted;
        assert_eq!(status.first.recorded, sum, "{what}");
        assert_eq!(status.first.pending, 0, "{what}: {status:?}");
        assert_eq!(told, status.first.posted, "{what}: the posts and the counter differ: {status:?}");
        let most = self.failures + 1;
        assert!(told <= most, "{what}: told {told} of {most}");
        assert!(
            status.first.recorded >= first.first.recorded + 2,
            "{what}: from {} to {}",
            first.first.recorded,
            status.first.recorded
        );
        // Lost: at most what was not taken in, and of that what was hit; never without saying so.
        let lost = most + self.settled + 1 - status.first.recorded;
        let cut = what.contains("cut to");
        assert!(lost <= if cut { self.fresh } else { self.fresh.min(1) }, "{what}: {lost} lost: {status:?}");
        assert!(lost == 0 || cut || status.unreadable > 0, "{what}: {lost} lost in silence");
        assert!(lost == 0 || what.starts_with("journal"), "{what}: {lost} lost");
        let aside = machine.files().iter().any(|p| p.extension().is_some_and(|e| e == "damaged"));
        let kept = what.contains(".json:") || what.contains(".json.bak:");
        assert!(!kept || aside, "{what}: the damaged file was not set aside");
    }
}

#[test]
fn damage_to_a_state_at_rest_loses_what_it_hit_and_tells_nothing_twice() {
    let machine = Machine::new();
    machine.record(&["root", "alice", "aborted", "ignored"]);
    fs::write(machine.state.join("journal/dropped"), "...").unwrap();
    machine.pass().unwrap();
    machine.record(&["root", "bob"]);
    machine.pass().unwrap();
    assert_eq!((machine.x.told(), machine.status().first.posted, machine.status().dropped), (4, 4, 3));
    Case::of(&machine, 0).try_all();
}

#[test]
fn damage_while_records_wait_costs_the_one_it_hit() {
    let machine = Machine::new();
    machine.record(&["root", "alice"]);
    machine.pass().unwrap();
    machine.record(&["root", "bob", "aborted"]);
    Case::of(&machine, 3).try_all();
}

#[test]
fn damage_while_an_alert_may_have_been_sent_and_was_does_not_tell_it_again() {
    damage_while_an_alert_may_have_been_sent(true);
}

#[test]
fn damage_while_an_alert_may_have_been_sent_and_was_not_tells_it_once() {
    damage_while_an_alert_may_have_been_sent(false);
}

fn damage_while_an_alert_may_have_been_sent(exists: bool) {
    let machine = Machine::new();
    machine.record(&["root", "alice"]);
    machine.pass().unwrap();
    machine.record(&["root", "bob"]);
    machine.x.fail(1, exists);
    machine.pass().unwrap();
    assert_eq!((machine.x.told(), machine.status().first.pending), (if exists { 4 } else { 2 }, 2));
    Case::of(&machine, 0).try_all();
}

#[test]
fn a_journal_that_was_away_while_passes_came_by_is_not_told_again() {
    let machine = Machine::new();
    machine.record(&["root", "alice", "aborted"]);
    fs::write(machine.state.join("journal/dropped"), "...").unwrap();
    machine.pass().unwrap();
    machine.record(&["root", "ignored"]);
    machine.pass().unwrap();
    let (journal, away) = (machine.state.join("journal"), machine.state.with_file_name("away"));
    fs::rename(&journal, &away).unwrap();
    machine.pass().unwrap();
    // The pass has made another one, to which is written meanwhile.
    machine.record(&["bob"]);
    machine.pass().unwrap();
    let before = machine.status();
    assert_eq!((before.first.recorded, before.first.posted, before.dropped, before.unreadable), (6, 4, 3, 0));
    for segment in fs::read_dir(&journal).unwrap().flatten() {
        let name = segment.file_name();
        let name = if name == "current.jsonl" { "0000-meanwhile.jsonl".into() } else { name };
        fs::rename(segment.path(), away.join(name)).unwrap();
    }
    fs::remove_dir(&journal).unwrap();
    fs::rename(&away, &journal).unwrap();
    machine.record(&["eve"]);
    machine.pass().unwrap();
    let after = machine.status();
    assert_eq!((after.first.recorded, after.first.posted, after.dropped, after.unreadable), (7, 5, 3, 0));
    assert_eq!(machine.x.told(), 5);
}

#[test]
fn a_segment_that_was_put_back_as_a_copy_is_not_told_again() {
    let machine = Machine::new();
    // Without a first line: a writer made it.
    machine.record(&["root", "alice", "aborted"]);
    machine.pass_of(Context::Login, true).unwrap();
    let current = machine.state.join("journal/current.jsonl");
    for sealed in [false, true] {
        let bytes = fs::read(&current).unwrap();
        // While the old one is there, so that its inode is not taken again.
        let copy = machine.state.with_file_name("copy");
        fs::write(&copy, bytes).unwrap();
        let inode = fs::metadata(&copy).unwrap().ino();
        let place =
            if sealed { current.with_file_name(format!("0-inode-{inode}.jsonl")) } else { current.clone() };
        fs::rename(&copy, &place).unwrap();
        if sealed {
            fs::remove_file(&current).unwrap();
        }
        machine.pass_of(Context::Login, true).unwrap();
        let status = machine.status();
        assert_eq!(
            (status.first.recorded, status.unreadable, machine.x.told()),
            (3, 0, 2),
            "sealed {sealed}"
        );
    }
}
