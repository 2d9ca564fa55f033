//! Jobs, from the login's thread to the worker's. Keyed by pid: sshd authenticates
//! keyboard-interactive in a forked child, and a child must not touch what its parent's threads hold.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use authalert::journal::record::LONGEST;
use crossbeam_channel::{Receiver, Sender, bounded};

/// Jobs that may wait; the journal has all failures anyway.
const BACKLOG: usize = 64;

/// As the module passes it (see `worker.rs` there).
#[repr(C)]
pub struct Job {
    state: [u8; 256],
    config: [u8; 256],
    line: [u8; LONGEST],
    line_len: usize,
}

/// A job as the worker keeps it.
pub struct Task {
    /// State directory.
    pub state: PathBuf,
    /// Configuration file.
    pub config: PathBuf,
    /// A line that could not be written.
    pub unrecorded: Option<Vec<u8>>,
}

impl From<&Job> for Task {
    fn from(job: &Job) -> Self {
        let path = |bytes: &[u8]| -> PathBuf {
            let path = CStr::from_bytes_until_nul(bytes).unwrap_or_default();
            Path::new(OsStr::from_bytes(path.to_bytes())).into()
        };
        let line = job.line.get(..job.line_len).filter(|line| !line.is_empty());
        Self { state: path(&job.state), config: path(&job.config), unrecorded: line.map(<[u8]>::to_vec) }
    }
}

/// The jobs of one process.
pub struct Queue {
    pid: u32,
    /// Whether a thread works on them.
    running: AtomicBool,
    sender: Sender<Task>,
    receiver: Receiver<Task>,
}

static QUEUE: AtomicPtr<Queue> = AtomicPtr::new(ptr::null_mut());

/// This process's queue. Made once, and never freed: another thread may be using it.
pub fn of_this_process() -> &'static Queue {
    let pid = std::process::id();
    let found = QUEUE.load(Ordering::Acquire);
    // SAFETY: null, or a queue that was leaked below and so lives for ever; in a forked child it is
    // a copy, of which only the pid is looked at.
    if let Some(queue) = unsafe { found.as_ref() }.filter(|queue| queue.pid == pid) {
        return queue;
    }
    let (sender, receiver) = bounded(BACKLOG);
    let fresh = Box::into_raw(Box::new(Queue { pid, running: AtomicBool::new(false), sender, receiver }));
    let winner = match QUEUE.compare_exchange(found, fresh, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => fresh,
        Err(other) => {
            // SAFETY: nobody has seen it; another thread of this process was faster.
            drop(unsafe { Box::from_raw(fresh) });
            other
        }
    };
    // SAFETY: published, and from then on never freed.
    unsafe { &*winner }
}

impl Queue {
    /// Leave a job for the worker that runs; false where none does. Never waits.
    pub fn hand_over(&self, job: &Job) -> bool {
        if !self.running.load(Ordering::Acquire) {
            return false;
        }
        // Full: the worker has enough to do, and the journal has the failure.
        let _ = self.sender.try_send(Task::from(job));
        // It may have ended just now, without having seen the job.
        self.running.load(Ordering::Acquire) || self.receiver.is_empty()
    }

    /// Do a job and all that come meanwhile, unless another thread does already.
    pub fn work(&self, job: &Job, work: impl Fn(Task, &Receiver<Task>)) {
        let _ = self.sender.try_send(Task::from(job));
        // Whoever sends after a worker has ended finds `running` false, and starts one; what was
        // sent before that is found here.
        while !self.receiver.is_empty() && !self.running.swap(true, Ordering::AcqRel) {
            let ended = Ended(&self.running);
            while let Ok(task) = self.receiver.try_recv() {
                work(task, &self.receiver);
            }
            drop(ended);
        }
    }
}

/// A panic in the work must not leave the queue without a worker for ever.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
