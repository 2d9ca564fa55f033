//! Damage: every byte flipped in turn, and every file cut at every length, on a small state. One damage
//! at a time. No pass fails for it, nothing is counted or told twice, and what could not be read is said.
//!
//! What may be lost, precisely: a journal record that was not yet taken in, and is damaged itself, is
//! lost and counted as unreadable; of a file that is cut, the records that were in the part cut off. Of
//! everything else there are two copies, or it is not needed again.
//!
//! `HARNESS_EVERY=1` tries every byte in every way (about half an hour); without it a sample is tried.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test, functions included

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use authalert::alert::count_in;
use authalert::config::Config;
use authalert::deliver::status::{self, Status};
use authalert::deliver::{Order, Setting, deliver};
use authalert::failure::{Class, Failure, Route};
use authalert::journal::Journal;
use jiff::Timestamp;
use serde_json::{Value, json};

/// An X that knows texts, and nothing else.
#[derive(Clone, Default)]
struct X {
    texts: Arc<Mutex<HashSet<String>>>,
    /// Answer 503 to so many; their posts exist all the same if the second is true.
    failing: Arc<Mutex<(usize, bool)>>,
}

impl X {
    fn start(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, x) = (listener.local_addr().unwrap().port(), self.clone());
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| x.serve(stream)));
        port
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut length, mut line) = (0, String::new());
        while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
            if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
                length = n.trim().parse().unwrap();
            }
            line.clear();
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let text = serde_json::from_slice::<Value>(&body).unwrap()["text"].as_str().unwrap().to_owned();
        let mut failing = self.failing.lock().unwrap();
        let (status, body) = if failing.0 > 0 {
            failing.0 -= 1;
            if failing.1 {
                self.texts.lock().unwrap().insert(text);
            }
            (503, json!({"title": "Service Unavailable", "status": 503}))
        } else if self.texts.lock().unwrap().insert(text.clone()) {
            (201, json!({"data": {"id": "1", "text": text}}))
        } else {
            (403, json!({"detail": "You are not allowed to create a Tweet with duplicate content."}))
        };
        let body = body.to_string();
        let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\n");
        let _ = (&stream).write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    fn fail(&self, times: usize, exists: bool) {
        *self.failing.lock().unwrap() = (times, exists);
    }

    fn told(&self) -> u64 {
        self.texts.lock().unwrap().iter().map(|text| count_in(text)).sum()
    }
}

struct Machine {
    x: X,
    config: PathBuf,
    state: PathBuf,
    _directory: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        // In memory where that is possible: thousands of states are written and synced.
        let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let x = X::default();
        let config = directory.path().join("config.toml");
        let text = format!(
            "receiver = \"x\"\n[x]\napi_url = \"http://127.0.0.1:{}\"\n[alerts]\nmax_per_day = 10000\nburst = 1000\n\
             [ignore]\nusers = [\"ignored\"]\n",
            x.start()
        );
        fs::write(&config, text).unwrap();
        let mut credentials = fs::File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(directory.path().join("credentials.toml"))
            .unwrap();
        for key in ["api_key", "api_secret", "access_token", "access_token_secret"] {
            writeln!(credentials, "{key} = \"1-abcdefghijklmnop\"").unwrap();
        }
        let state = directory.path().join("state");
        fs::create_dir_all(state.join("journal")).unwrap();
        Self { x, config, state, _directory: directory }
    }

    /// Record failures of this machine itself, whose alerts do not wait.
    fn record(&self, users: &[&str]) {
        let failures: Vec<Failure> = users
            .iter()
            .map(|user| Failure {
                time: Timestamp::now(),
                route: Route::Pam,
                class: if *user == "aborted" { Class::Aborted } else { Class::Failure },
                count: 1,
                service: "su".into(),
                pid: 4711,
                ppid: 0,
                user: (*user).into(),
                rhost: String::new(),
                tty: "pts/0".into(),
                ruser: "bob".into(),
                uid: 1000,
                origin: None,
            })
            .collect();
        Journal::new(&self.state).append(&failures).unwrap();
    }

    fn pass(&self) -> Result<(), String> {
        let order = Order {
            state: self.state.clone(),
            config: Some(self.config.clone()),
            setting: Setting::Command,
            at_once: true,
        };
        deliver(&order).map(|_| ()).map_err(|e| e.to_string())
    }

    fn status(&self) -> Status {
        status::take(&self.state, &Config::load(Some(&self.config)).unwrap()).unwrap()
    }

    /// Everything in the state directory.
    fn snapshot(&self) -> HashMap<PathBuf, Vec<u8>> {
        let directories = [self.state.clone(), self.state.join("journal")];
        let entries = directories.iter().flat_map(|d| fs::read_dir(d).unwrap().flatten());
        entries.filter(|e| e.path().is_file()).map(|e| (e.path(), fs::read(e.path()).unwrap())).collect()
    }

    /// Put back what was there: in the files that it was in, or in others, as a copy of the
    /// directory has them.
    fn restore(&self, snapshot: &HashMap<PathBuf, Vec<u8>>, copy: bool) {
        for path in self.snapshot().keys() {
            fs::remove_file(path).unwrap();
        }
        for (path, bytes) in snapshot {
            if !copy {
                fs::hard_link(self.original(path), path).unwrap();
            }
            fs::write(path, bytes).unwrap();
        }
    }

    fn original(&self, path: &Path) -> PathBuf {
        self.config.with_file_name(format!("original-{}", path.file_name().unwrap().to_str().unwrap()))
    }
}

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
        let failures = status.posted + status.pending;
        for path in snapshot.keys() {
            let _ = fs::remove_file(machine.original(path));
            fs::hard_link(path, machine.original(path)).unwrap();
        }
        Self { machine, snapshot, texts, failures, fresh, settled: status.ignored + status.aborted }
    }

    fn try_all(&self) {
        let every = std::env::var("HARNESS_EVERY").ok().and_then(|n| n.parse().ok());
        for (path, bytes) in &self.snapshot {
            let name = path.strip_prefix(&self.machine.state).unwrap().display().to_string();
            let step = every.unwrap_or(if name.starts_with("journal") { 7 } else { 101 });
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
                    }
                }
            }
        }
    }

    fn with(&self, path: &Path, damaged: &[u8], copy: bool, early: bool, what: &str) {
        let machine = self.machine;
        machine.restore(&self.snapshot, copy);
        fs::write(path, damaged).unwrap();
        machine.x.texts.lock().unwrap().clone_from(&self.texts);
        let first = machine.status();
        // What comes after the damage is never lost by it, whether or not a pass saw the damage before.
        if early {
            machine.record(&["alice", "ignored"]);
        }
        for _ in 0..2 {
            machine.pass().unwrap_or_else(|e| panic!("{what}: {e}"));
        }
        if !early {
            machine.record(&["alice", "ignored"]);
        }
        for _ in 0..2 {
            machine.pass().unwrap_or_else(|e| panic!("{what}: {e}"));
        }
        let (status, told) = (machine.status(), machine.x.told());
        let sum = status.posted + status.pending + status.ignored + status.aborted;
        assert_eq!(status.recorded, sum, "{what}");
        assert_eq!(status.pending, 0, "{what}: {status:?}");
        assert_eq!(told, status.posted, "{what}: the posts and the counter differ: {status:?}");
        let most = self.failures + 1;
        assert!(told <= most, "{what}: told {told} of {most}");
        assert!(
            status.recorded >= first.recorded + 2,
            "{what}: from {} to {}",
            first.recorded,
            status.recorded
        );
        // Lost: at most what was not taken in, and of that what was hit; never without saying so.
        let lost = most + self.settled + 1 - status.recorded;
        let cut = what.contains("cut to");
        assert!(lost <= if cut { self.fresh } else { self.fresh.min(1) }, "{what}: {lost} lost: {status:?}");
        assert!(lost == 0 || cut || status.unreadable > 0, "{what}: {lost} lost in silence");
        assert!(lost == 0 || what.starts_with("journal"), "{what}: {lost} lost");
        let aside = machine.snapshot().keys().any(|p| p.extension().is_some_and(|e| e == "damaged"));
        let kept = what.starts_with("state.json") && !what.starts_with("state.json.next");
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
    assert_eq!((machine.x.told(), machine.status().posted, machine.status().dropped), (4, 4, 3));
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
fn damage_while_an_alert_may_have_been_sent_does_not_tell_it_again() {
    for exists in [true, false] {
        let machine = Machine::new();
        machine.record(&["root", "alice"]);
        machine.pass().unwrap();
        machine.record(&["root", "bob"]);
        machine.x.fail(1, exists);
        machine.pass().unwrap();
        assert_eq!((machine.x.told(), machine.status().pending), (if exists { 4 } else { 2 }, 2));
        Case::of(&machine, 0).try_all();
    }
}
