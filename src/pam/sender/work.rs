//! What the worker does: record what could not be, deliver what is due, wait a little for more.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use authalert::config::DEFAULT_PATH;
use authalert::deliver::{Context, Error, Notice, Request, deliver};
use authalert::journal::record::Encoded;
use authalert::journal::{self, append};
use crossbeam_channel::Receiver;

use crate::queue::{Handed, Task};

/// A next step that is due sooner is waited for, if the process lives.
const PATIENCE: Duration = Duration::from_secs(10);
/// So often recording is tried again, once a second.
const TRIES: u32 = 60;

/// Set when somebody got in: the process is his session's now, and has better things to do.
pub static LET_GO: AtomicBool = AtomicBool::new(false);

/// Do `task` and what comes while it lasts.
pub fn work(mut task: Task, more: &Receiver<Handed>) {
    let mut unrecorded: Vec<Vec<u8>> = Vec::new();
    let mut tries = 0;
    loop {
        unrecorded.extend(task.unrecorded.take());
        while let Ok(next) = more.try_recv() {
            task = next.task();
            unrecorded.extend(task.unrecorded.take());
        }
        unrecorded = record(&task.state, unrecorded);
        let mut pause = pass(&task);
        tries += 1;
        if !unrecorded.is_empty() && tries < TRIES {
            pause = Some(Duration::from_secs(1));
        }
        let Some(pause) = pause.filter(|pause| *pause <= PATIENCE) else { return };
        if LET_GO.load(Ordering::Acquire) {
            return;
        }
        if let Ok(next) = more.recv_timeout(pause) {
            task = next.task();
        }
    }
}

/// Gives back what still cannot be recorded.
fn record(state: &Path, mut lines: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let directory = state.join(journal::DIRECTORY);
    lines.retain(|line| match Encoded::copy_of(line) {
        Some(line) => append::append(directory.as_os_str().as_encoded_bytes(), &line).is_err(),
        None => false,
    });
    lines
}

/// A delivery pass; gives the time until a next step is due.
fn pass(task: &Task) -> Option<Duration> {
    // The default file may be absent; one that the stack names must be there.
    let config = Some(task.config.as_path()).filter(|path| *path != Path::new(DEFAULT_PATH));
    let request = Request { let_go: Some(&LET_GO), ..Request::new(&task.state, config, Context::Login) };
    match deliver(&request) {
        Ok(report) => {
            let errors = report.receivers.iter().filter_map(|served| served.error.as_ref());
            errors.for_each(complain);
            report.next()
        }
        // The pass itself told of it, and it stands in the state.
        Err(Error::Config(_)) => None,
        Err(Error::State(_, why)) => {
            complain(&why);
            None
        }
    }
}

/// Where nothing can be recorded the module has said so; what is left is what only delivery needs.
fn complain(why: &io::Error) {
    if why.kind() != io::ErrorKind::NotFound {
        Notice::error(format!("alerts are not delivered: {why}")).send();
    }
}
