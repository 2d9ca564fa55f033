//! One attempt: from our line in the stack to libpam's verdict.
//!
//! Two items are borrowed meanwhile and given back with the verdict: `PAM_FAIL_DELAY`, which libpam
//! calls at the end of every `pam_authenticate` with the final status (libpam/pam_delay.c), and
//! `PAM_CONV`, whose `appdata_ptr` it hands to that call. So the verdict finds its attempt by that
//! pointer, and where somebody replaced the conversation, by the thread that it is on.

use std::ffi::{CStr, c_int, c_void};
use std::iter;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use pam::module::PamHandle;

use crate::conversation::{self, Prompts};
use crate::entry::Arguments;
use crate::libpam::{self, Conv, DelayFn};
use crate::{record, verdict};

/// What is remembered from our line to the verdict. Lives as long as the handle.
pub struct Attempt {
    /// The handle; valid, as the attempt is freed with it.
    pamh: *mut PamHandle,
    config: Option<&'static CStr>,
    state: Option<&'static CStr>,
    debug: bool,
    /// The application's own.
    pub conv: Conv,
    delay: Option<DelayFn>,
    /// What was asked and answered.
    pub prompts: Prompts,
    /// Between our line and the verdict.
    going_on: bool,
    /// `authfail` did it already.
    recorded: bool,
}

/// An attempt that is over: everything that the verdict needs.
pub struct Ended {
    /// The handle, with the application's items back in place.
    pub pamh: *mut PamHandle,
    /// How to record, if that was not done yet.
    pub to_record: Option<Arguments<'static>>,
    /// What was asked and answered.
    pub prompts: Prompts,
    /// The application's delay function and the argument that it expects.
    pub delay: Option<DelayFn>,
    /// The application's.
    pub appdata: *mut c_void,
}

/// Our line was reached.
pub fn begin(pamh: &mut PamHandle, arguments: Arguments<'_>) {
    let attempt = match libpam::data(pamh).cast::<Attempt>() {
        known if !known.is_null() => known,
        _ => match create(pamh) {
            Some(fresh) => fresh,
            None => return without_memory(pamh, &arguments),
        },
    };
    // SAFETY: it belongs to this handle, which one thread at a time may use (pam(3)).
    let attempt = unsafe { &mut *attempt };
    // A second line of the stack, or a transaction that is resumed: one verdict is enough.
    let resumed = attempt.going_on && attempt.has_borrowed(pamh);
    if !resumed {
        attempt.start(pamh, &arguments);
    }
    // Where a line above this one waits for the verdict, that records.
    if arguments.authfail && !resumed && !attempt.recorded {
        attempt.recorded = true;
        record::failure(pamh, &arguments, &Prompts::default(), verdict::AUTH_ERR);
    }
}

/// Find the verdict's attempt and give the items back.
pub fn end(appdata: *mut c_void) -> Option<Ended> {
    let found = take_slot(appdata)?;
    // SAFETY: only attempts of living handles have a slot; this is the handle's own thread.
    let attempt = unsafe { &mut *found };
    attempt.going_on = false;
    // SAFETY: the handle of the `pam_authenticate` that calls us.
    let pamh = unsafe { &mut *attempt.pamh };
    if libpam::conversation(pamh).is_some_and(|c| c.appdata == found.cast()) {
        libpam::set_conversation(pamh, &attempt.conv);
    }
    libpam::set_fail_delay(pamh, attempt.delay);
    Some(Ended {
        pamh: attempt.pamh,
        to_record: (!attempt.recorded).then(|| attempt.arguments()),
        prompts: attempt.prompts,
        delay: attempt.delay,
        appdata: attempt.conv.appdata,
    })
}

impl Attempt {
    fn arguments(&self) -> Arguments<'static> {
        Arguments { config: self.config, state: self.state, authfail: false, debug: self.debug }
    }

    fn has_borrowed(&self, pamh: &PamHandle) -> bool {
        libpam::fail_delay(pamh).is_some_and(is_ours)
    }

    /// Put our functions in place.
    fn start(&mut self, pamh: &mut PamHandle, arguments: &Arguments<'_>) {
        // SAFETY: the arguments belong to the handle's stack, and so live as long as the attempt;
        // 'static only says that the compiler cannot see it.
        let lasting =
            |word: Option<&CStr>| unsafe { mem::transmute::<Option<&CStr>, Option<&'static CStr>>(word) };
        (self.config, self.state) = (lasting(arguments.config), lasting(arguments.state));
        (self.debug, self.recorded, self.prompts) = (arguments.debug, false, Prompts::default());
        let own: *mut c_void = ptr::from_mut(self).cast();
        // What is still ours was left by a verdict that never came: then we know the application's.
        match libpam::conversation(pamh) {
            Some(conv) if conv.appdata == own => {}
            Some(conv) => self.conv = conv,
            None => return,
        }
        match libpam::fail_delay(pamh) {
            Some(function) if is_ours(function) => {}
            other => self.delay = other,
        }
        if !take_a_slot(self) {
            return;
        }
        let watching = Conv { function: Some(conversation::watch), appdata: own };
        self.going_on =
            libpam::set_conversation(pamh, &watching) && libpam::set_fail_delay(pamh, Some(verdict::verdict));
        if !self.going_on {
            libpam::set_conversation(pamh, &self.conv);
            release_slot(self);
        }
    }
}

fn is_ours(function: DelayFn) -> bool {
    function as usize == verdict::verdict as DelayFn as usize
}

/// An attempt for this handle, which libpam gives back to [`forget`] when the handle ends.
fn create(pamh: &mut PamHandle) -> Option<*mut Attempt> {
    // SAFETY: a plain allocation; null is handled. Not Box: out of memory must not abort a login.
    let attempt = unsafe { libc::calloc(1, mem::size_of::<Attempt>()) }.cast::<Attempt>();
    if attempt.is_null() {
        return None;
    }
    // SAFETY: the allocation is large enough, and aligned for any type of that size.
    unsafe {
        attempt.write(Attempt {
            pamh,
            config: None,
            state: None,
            debug: false,
            conv: Conv { function: None, appdata: ptr::null_mut() },
            delay: None,
            prompts: Prompts::default(),
            going_on: false,
            recorded: false,
        });
    }
    if libpam::set_data(pamh, attempt.cast(), forget) {
        return Some(attempt);
    }
    // SAFETY: libpam did not take it.
    unsafe { libc::free(attempt.cast()) };
    None
}

/// The handle ends.
unsafe extern "C" fn forget(_: *mut PamHandle, attempt: *mut c_void, _: c_int) {
    if !attempt.is_null() {
        release_slot(attempt.cast());
        // SAFETY: from calloc in `create`; libpam calls this once.
        unsafe { libc::free(attempt) };
    }
}

/// The verdict cannot be waited for; a line in the failure branch still knows it.
fn without_memory(pamh: &mut PamHandle, arguments: &Arguments<'_>) {
    if arguments.authfail {
        record::failure(pamh, arguments, &Prompts::default(), verdict::AUTH_ERR);
    }
}

/// Attempts that wait for their verdict, of all threads. Thread-local storage would cost every
/// login that loads the module, and a lock could be held by a thread that is gone after a fork.
static SLOTS: Block = Block { slots: [const { Slot::free() }; MANY], next: AtomicPtr::new(ptr::null_mut()) };
/// As many as one block holds. Where more wait at once another one is added, and kept.
const MANY: usize = 64;

struct Block {
    slots: [Slot; MANY],
    next: AtomicPtr<Block>,
}

struct Slot {
    /// Who waits; 0 where the slot is free.
    thread: AtomicUsize,
    /// The later it was begun the higher.
    turn: AtomicUsize,
    attempt: AtomicPtr<Attempt>,
}

impl Slot {
    const fn free() -> Self {
        Self {
            thread: AtomicUsize::new(0),
            turn: AtomicUsize::new(0),
            attempt: AtomicPtr::new(ptr::null_mut()),
        }
    }
}

/// The address of this thread's control block: unique among living threads, kept over a fork.
fn this_thread() -> usize {
    // SAFETY: a call without arguments that cannot fail.
    unsafe { libc::pthread_self() as usize }
}

fn blocks() -> impl Iterator<Item = &'static Block> {
    // SAFETY: null, or a block that was published whole and is never freed.
    iter::successors(Some(&SLOTS), |block| unsafe { block.next.load(Ordering::Acquire).as_ref() })
}

fn slots() -> impl Iterator<Item = &'static Slot> {
    blocks().flat_map(|block| block.slots.iter())
}

fn take_a_slot(attempt: *mut Attempt) -> bool {
    static TURNS: AtomicUsize = AtomicUsize::new(0);
    let thread = this_thread();
    release_slot(attempt);
    loop {
        for slot in slots() {
            if slot.thread.compare_exchange(0, thread, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                slot.turn.store(TURNS.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
                slot.attempt.store(attempt, Ordering::Release);
                return true;
            }
        }
        if !add_a_block() {
            return false;
        }
    }
}

fn add_a_block() -> bool {
    // SAFETY: a plain allocation; all bytes zero is a block of free slots.
    let fresh = unsafe { libc::calloc(1, mem::size_of::<Block>()) }.cast::<Block>();
    if fresh.is_null() {
        return false;
    }
    let none = ptr::null_mut();
    // Somebody else may add one at the same moment: then behind that.
    let added = blocks()
        .any(|last| last.next.compare_exchange(none, fresh, Ordering::AcqRel, Ordering::Relaxed).is_ok());
    if !added {
        // SAFETY: nobody has seen it.
        unsafe { libc::free(fresh.cast()) };
    }
    true
}

fn release_slot(attempt: *const Attempt) {
    for slot in slots() {
        if ptr::eq(slot.attempt.load(Ordering::Acquire), attempt) {
            slot.attempt.store(ptr::null_mut(), Ordering::Release);
            slot.thread.store(0, Ordering::Release);
        }
    }
}

/// The attempt that `appdata` is, whichever thread began it; or else, where the application put
/// another conversation in the place of ours, the one that this thread began last. An earlier one
/// may be of a thread that is gone and had the same address.
fn take_slot(appdata: *mut c_void) -> Option<*mut Attempt> {
    let held = |slot: &'static Slot| {
        let attempt = slot.attempt.load(Ordering::Acquire);
        (!attempt.is_null()).then_some((slot, attempt))
    };
    let thread = this_thread();
    let exact = slots().filter_map(held).find(|(_, attempt)| attempt.cast() == appdata);
    let of_this_thread = || {
        let own = slots().filter_map(held).filter(|(slot, _)| slot.thread.load(Ordering::Acquire) == thread);
        own.max_by_key(|(slot, _)| slot.turn.load(Ordering::Relaxed))
    };
    let (_, attempt) = exact.or_else(of_this_thread)?;
    release_slot(attempt);
    Some(attempt)
}
