//! Jobs, from the login's thread to the worker's. Keyed by pid: sshd authenticates
//! keyboard-interactive in a forked child, and a child must not touch what its parent's threads hold.
//!
//! On the login's thread nothing is allocated but with malloc, whose failure is handled: Rust's own
//! allocations stop the thread that they fail on (see [`crate::memory`]), and that may be a worker alone.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};

/// Jobs that may wait; the journal has all failures anyway.
const BACKLOG: usize = 64;

/// As the module passes it (see `worker.rs` there).
#[repr(C)]
pub struct Job {
    state: [u8; 256],
    config: [u8; 256],
}

/// A copy of a job on its way to the worker.
pub struct Handed(NonNull<Job>);

// SAFETY: plain bytes, of which it is the only owner.
unsafe impl Send for Handed {}

impl Handed {
    /// None where memory has run out.
    fn copy(job: &Job) -> Option<Self> {
        // SAFETY: a plain allocation, and a copy of plain bytes into it; null is handled.
        unsafe {
            let copy = NonNull::new(libc::malloc(size_of::<Job>()).cast::<Job>())?;
            ptr::copy_nonoverlapping(job, copy.as_ptr(), 1);
            Some(Self(copy))
        }
    }

    /// As the worker keeps it.
    pub fn task(&self) -> Task {
        // SAFETY: a whole job, until it is dropped.
        Task::from(unsafe { self.0.as_ref() })
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        // SAFETY: from malloc, freed once.
        unsafe { libc::free(self.0.as_ptr().cast()) };
    }
}

/// A job as the worker keeps it.
pub struct Task {
    /// State directory.
    pub state: PathBuf,
    /// Configuration file.
    pub config: PathBuf,
}

impl From<&Job> for Task {
    fn from(job: &Job) -> Self {
        let path = |bytes: &[u8]| -> PathBuf {
            let path = CStr::from_bytes_until_nul(bytes).unwrap_or_default();
            Path::new(OsStr::from_bytes(path.to_bytes())).into()
        };
        Self { state: path(&job.state), config: path(&job.config) }
    }
}

/// The jobs of one process.
pub struct Queue {
    pid: u32,
    /// Whether a thread works on them.
    running: AtomicBool,
    sender: Sender<Handed>,
    receiver: Receiver<Handed>,
}

static QUEUE: AtomicPtr<Queue> = AtomicPtr::new(ptr::null_mut());

/// This process's queue, if it has one. Allocates nothing.
pub fn existing() -> Option<&'static Queue> {
    // SAFETY: null, or a queue that was leaked below and so lives for ever; in a forked child it is
    // a copy, of which only the pid is looked at.
    unsafe { QUEUE.load(Ordering::Acquire).as_ref() }.filter(|queue| queue.pid == std::process::id())
}

/// This process's queue. Made once, and never freed: another thread may be using it.
pub fn of_this_process() -> &'static Queue {
    let found = QUEUE.load(Ordering::Acquire);
    if let Some(queue) = existing() {
        return queue;
    }
    let pid = std::process::id();
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
        if let Some(copy) = Handed::copy(job) {
            let _ = self.sender.try_send(copy);
        }
        // It may have ended just now, without having seen the job.
        self.running.load(Ordering::Acquire) || self.receiver.is_empty()
    }

    /// Do a job and all that come meanwhile, unless another thread does already.
    pub fn work(&self, job: &Job, work: impl Fn(Task, &Receiver<Handed>)) {
        if let Some(copy) = Handed::copy(job) {
            let _ = self.sender.try_send(copy);
        }
        // Whoever sends after a worker has ended finds `running` false, and starts one; what was
        // sent before that is found here.
        while !self.receiver.is_empty() && !self.running.swap(true, Ordering::AcqRel) {
            let ended = Ended(&self.running);
            while let Ok(handed) = self.receiver.try_recv() {
                work(handed.task(), &self.receiver);
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
