//! What the worker does: record what could not be, deliver what is due, wait a little for more.

use std::io;
use std::path::Path;
use std::time::Duration;

use authalert::config::DEFAULT_PATH;
use authalert::deliver::{Error, Notice, Order, Setting, deliver};
use authalert::journal::record::Encoded;
use authalert::journal::{self, append};
use crossbeam_channel::Receiver;

use crate::queue::{Handed, Task};

/// A next step that is due sooner is waited for, if the process lives.
const PATIENCE: Duration = Duration::from_secs(10);
/// So often recording is tried again, once a second.
const TRIES: u32 = 60;

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
    let order = Order {
        state: task.state.clone(),
        // The default file may be absent; one that the stack names must be there.
        config: Some(task.config.clone()).filter(|p| p != Path::new(DEFAULT_PATH)),
        setting: Setting::Login,
        at_once: false,
    };
    match deliver(&order) {
        Ok(report) => report.next,
        // The pass itself told of it, and it stands in the state.
        Err(Error::Config(_)) => None,
        Err(error @ Error::State(..)) => {
            complain(&error);
            None
        }
    }
}

/// Where nothing can be recorded the module has said so; what is left is what only delivery needs.
fn complain(error: &Error) {
    if let Error::State(_, why) = error {
        if !matches!(why.kind(), io::ErrorKind::NotFound) {
            Notice::error(format!("alerts are not delivered: {error}")).send();
        }
    }
}
