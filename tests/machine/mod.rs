//! A machine with a state directory, and an X for it, in this process.

#![allow(dead_code, clippy::unwrap_used)] // each test uses a part of it

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use authalert::config::Config;
use authalert::deliver::status::{self, Status};
use authalert::deliver::{Context, Report, Request, deliver};
use authalert::event::{Class, Event, Route};
use authalert::journal::Journal;
use authalert::message::count_in;
use jiff::Timestamp;
use serde_json::{Value, json};

/// An X that knows texts, and nothing else.
#[derive(Clone, Default)]
pub struct X {
    pub texts: Arc<Mutex<HashSet<String>>>,
    /// Outcome 503 to so many; their posts exist all the same if the second is true.
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

    pub fn fail(&self, times: usize, exists: bool) {
        *self.failing.lock().unwrap() = (times, exists);
    }

    pub fn told(&self) -> u64 {
        self.texts.lock().unwrap().iter().map(|text| count_in(text)).sum()
    }
}

pub struct Machine {
    pub x: X,
    pub config: PathBuf,
    pub state: PathBuf,
    _directory: tempfile::TempDir,
}

impl Machine {
    pub fn new() -> Self {
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
    pub fn record(&self, users: &[&str]) {
        // Each time somebody else asks: one asker is urgent once per interval.
        static ASKERS: AtomicU32 = AtomicU32::new(0);
        let asker = ASKERS.fetch_add(1, Ordering::Relaxed);
        let failures: Vec<Event> = users
            .iter()
            .map(|user| Event {
                time: Timestamp::now(),
                host: String::new(),
                route: Route::Pam,
                class: if *user == "aborted" { Class::Aborted } else { Class::Failure },
                count: 1,
                service: "su".into(),
                pid: 4711,
                ppid: 0,
                user: (*user).into(),
                rhost: String::new(),
                tty: "pts/0".into(),
                ruser: format!("bob{asker}"),
                uid: 1000 + asker,
                origin: None,
            })
            .collect();
        Journal::new(&self.state).append(&failures).unwrap();
    }

    /// A pass that asks X now.
    pub fn pass(&self) -> Result<(), String> {
        self.pass_of(Context::Command, true).map(|_| ())
    }

    pub fn pass_of(&self, context: Context, at_once: bool) -> Result<Report, String> {
        let request = Request { at_once, ..Request::new(&self.state, Some(&self.config), context) };
        let report = deliver(&request).map_err(|e| e.to_string())?;
        match report.receivers.iter().find_map(|served| served.error.as_ref()) {
            Some(why) => Err(why.to_string()),
            None => Ok(report),
        }
    }

    pub fn status(&self) -> Status {
        status::take(&self.state, &Config::load(Some(&self.config)).unwrap()).unwrap()
    }

    /// Every file in the state directory.
    pub fn files(&self) -> Vec<PathBuf> {
        let directories = [self.state.clone(), self.state.join("journal"), self.state.join("receivers")];
        let entries = directories.iter().filter_map(|d| fs::read_dir(d).ok()).flat_map(Iterator::flatten);
        entries.filter(|e| e.file_type().unwrap().is_file()).map(|e| e.path()).collect()
    }

    /// What is in them.
    pub fn snapshot(&self) -> HashMap<PathBuf, Vec<u8>> {
        self.files().into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }

    /// Put back what was there: in the files that it was in, or in others, as a copy of the
    /// directory has them.
    pub fn restore(&self, snapshot: &HashMap<PathBuf, Vec<u8>>, copy: bool) {
        for path in self.files() {
            fs::remove_file(path).unwrap();
        }
        for (path, bytes) in snapshot {
            if !copy {
                fs::hard_link(self.original(path), path).unwrap();
            }
            fs::write(path, bytes).unwrap();
        }
    }

    pub fn original(&self, path: &Path) -> PathBuf {
        self.config.with_file_name(format!("original-{}", path.file_name().unwrap().to_str().unwrap()))
    }
}
