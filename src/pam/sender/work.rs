//! What the worker does: deliver what is due, wait a little for more.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use authalert::config::DEFAULT_PATH;
use authalert::deliver::{Context, Error, Notice, Request, deliver};
use crossbeam_channel::Receiver;

use crate::queue::{Handed, Task};

/// A next step that is due sooner is waited for, if the process lives.
const PATIENCE: Duration = Duration::from_secs(10);

/// Set when somebody got in: the process is his session's now, and has better things to do.
pub static LET_GO: AtomicBool = AtomicBool::new(false);

/// Do `task` and what comes while it lasts.
pub fn work(mut task: Task, more: &Receiver<Handed>) {
    loop {
        while let Ok(next) = more.try_recv() {
            task = next.task();
        }
        let Some(pause) = pass(&task).filter(|pause| *pause <= PATIENCE) else { return };
        if LET_GO.load(Ordering::Acquire) {
            return;
        }
        if let Ok(next) = more.recv_timeout(pause) {
            task = next.task();
        }
    }
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
        // The pass itself reported it, and it is in the state.
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
