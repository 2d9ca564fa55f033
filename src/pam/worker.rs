//! The worker: one detached thread a process, which delivers while libpam keeps its delay.
//!
//! The thread loads the sender library and works there, until nothing is left to do. A process that
//! has one already only hands the library another job. All that is shared is kept there, by pid:
//! sshd authenticates keyboard-interactive in a forked child, and a child must not touch what its
//! parent's threads hold.
//!
//! The failure is on disk before the worker is woken. What the worker does not finish, because
//! the process ends, the next one does, or cron.

use std::ffi::{CStr, c_int, c_void};
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering};

use rustix::thread::{Timespec, nanosleep};

use crate::{fork, guard, late, library};

/// TLS, JSON and the file formats need about a tenth of this; it is only reserved.
const STACK: usize = 1 << 20;
/// A host without a failure delay ends the transaction now: it should not meet the loading of the
/// library, for which the loader takes a lock.
const NAP: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// What the worker is to do, by value, as it goes to the sender library.
#[repr(C)]
pub struct Job {
    state: [u8; 256],
    config: [u8; 256],
}

impl Job {
    /// Nothing yet.
    pub const EMPTY: Self = Self { state: [0; 256], config: [0; 256] };

    /// Deliver for this state directory and configuration file. Filled in place, once: a login's
    /// stack may be small.
    pub fn fill(&mut self, state: &CStr, config: &CStr) {
        // Both are shorter, and the last byte stays 0.
        self.state.iter_mut().zip(state.to_bytes()).for_each(|(place, byte)| *place = *byte);
        self.config.iter_mut().zip(config.to_bytes()).for_each(|(place, byte)| *place = *byte);
    }
}

/// The library's function that takes a job: on the login's thread, to hand it to a worker that
/// runs already, or on the worker's own. Says whether a worker has it.
pub type Take = unsafe extern "C" fn(job: *const Job, on_worker: bool) -> bool;

/// Null until a worker has loaded the library.
static TAKE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// The library's function that has its worker let go; null where there is none.
static LET_GO: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// Since the last failure somebody got in: a worker that starts only now is to leave it to others.
static IS_IN: AtomicBool = AtomicBool::new(false);

/// The process in which a thread was started that has not begun to work yet; 0 for none.
static STARTING: AtomicI32 = AtomicI32::new(0);

/// Give the worker something to do; start it if need be. Never waits.
///
/// One that is about to start will read the journal, and what was recorded by now with it. So a host
/// that fails by the hundred while the loader is slow does not get a hundred threads. A failure of
/// another state directory is left to the command, then.
pub fn wake(job: &Job) {
    IS_IN.store(false, Ordering::Release);
    if let Some(take) = loaded() {
        // SAFETY: a function of the library, with a job that outlives the call.
        if unsafe { take(job, false) } {
            return;
        }
    }
    let pid = rustix::process::getpid().as_raw_pid();
    if STARTING.swap(pid, Ordering::AcqRel) == pid {
        return;
    }
    // SAFETY: a plain allocation, and a copy of plain bytes into it; null is handled.
    unsafe {
        let copy = libc::calloc(1, mem::size_of::<Job>()).cast::<Job>();
        if !copy.is_null() {
            ptr::copy_nonoverlapping(job, copy, 1);
            if start(copy) {
                return;
            }
            libc::free(copy.cast());
        }
    }
    STARTING.store(0, Ordering::Release);
}

/// Whether one may run in this process: it belongs to root, who rationed nothing in it. In su and sudo, which
/// belong to the caller, nothing runs but the record; the path unit or cron delivers.
pub fn may_run() -> bool {
    guard::is_roots_own() && !guard::is_rationed()
}

/// The host's verdict is a success: what the worker does must not hold up anybody from here on, while the process
/// lives on as the parent of somebody's session.
pub fn let_go() {
    IS_IN.store(true, Ordering::Release);
    let function = LET_GO.load(Ordering::Acquire);
    if !function.is_null() {
        // SAFETY: what `library::find` gave for a function of that type.
        unsafe { mem::transmute::<*mut c_void, unsafe extern "C" fn()>(function)() };
    }
}

fn loaded() -> Option<Take> {
    let function = TAKE.load(Ordering::Acquire);
    // SAFETY: null, or what `library::find` gave for a function of that type.
    (!function.is_null()).then(|| unsafe { mem::transmute::<*mut c_void, Take>(function) })
}

type Attributes = libc::pthread_attr_t;

/// As libc declares it, but for "C-unwind": see `entry::pam_sm_authenticate`.
type Create = unsafe extern "C" fn(
    thread: *mut libc::pthread_t,
    attributes: *const Attributes,
    start: extern "C-unwind" fn(*mut c_void) -> *mut c_void,
    argument: *mut c_void,
) -> c_int;

/// What starts a thread.
struct Threads {
    init: unsafe extern "C" fn(*mut Attributes) -> c_int,
    detach: unsafe extern "C" fn(*mut Attributes, c_int) -> c_int,
    stack: unsafe extern "C" fn(*mut Attributes, usize) -> c_int,
    create: Create,
}

impl Threads {
    /// Nothing where the host has none: older C libraries keep them in a library of its own.
    fn find() -> Option<Self> {
        // SAFETY: the types are those of <pthread.h>.
        unsafe {
            Some(Self {
                init: late::function(c"pthread_attr_init")?,
                detach: late::function(c"pthread_attr_setdetachstate")?,
                stack: late::function(c"pthread_attr_setstacksize")?,
                create: late::function(c"pthread_create")?,
            })
        }
    }
}

/// A detached thread with a stack of its own size and every signal blocked: it inherits the mask.
///
/// # Safety
///
/// `job` came from malloc and is the thread's when this says true.
unsafe fn start(job: *mut Job) -> bool {
    let Some(threads) = Threads::find() else { return false };
    fork::register();
    let Some(mask) = guard::block_all_signals() else { return false };
    // SAFETY: the attributes are initialised before they are used; `run` fits, and takes the job.
    let started = unsafe {
        let mut attributes: libc::pthread_attr_t = mem::zeroed();
        let mut thread = mem::zeroed();
        (threads.init)(&mut attributes) == 0
            && (threads.detach)(&mut attributes, libc::PTHREAD_CREATE_DETACHED) == 0
            && (threads.stack)(&mut attributes, STACK) == 0
            && (threads.create)(&mut thread, &attributes, run, job.cast()) == 0
    };
    guard::restore_signals(&mask);
    started
}

extern "C-unwind" fn run(job: *mut c_void) -> *mut c_void {
    // SAFETY: sleeping, and the job that `start` handed over, freed once.
    unsafe {
        let _ = nanosleep(&NAP);
        let filtered = loaded().is_none() && guard::is_filtered();
        if loaded().is_none() && !filtered {
            let found = fork::apart(library::find);
            LET_GO.store(found.let_go, Ordering::Release);
            TAKE.store(found.take, Ordering::Release);
        }
        // From here on it looks at the journal: who records later starts another, or hands his job over.
        STARTING.store(0, Ordering::Release);
        match loaded() {
            Some(_) if IS_IN.load(Ordering::Acquire) => {}
            Some(take) => {
                take(job.cast(), true);
            }
            // The path unit or cron delivers.
            None if filtered => {}
            None => fork::apart(missing),
        }
        libc::free(job);
    }
    ptr::null_mut()
}

fn missing() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.swap(true, Ordering::Relaxed) {
        let Some(syslog) = late::syslog() else { return };
        let text = c"pam_authalert: libauthalert_sender.so is missing: failures are recorded, cron or systemd delivers them";
        let priority: c_int = libc::LOG_AUTHPRIV | libc::LOG_WARNING;
        // SAFETY: a constant format without arguments.
        unsafe { syslog(priority, text.as_ptr()) };
    }
}
