//! Attempts that wait for their verdict, of all threads: libpam's call names its attempt by a pointer,
//! or, where the application put another conversation in place, by the thread that it is on.

use std::ffi::c_void;
use std::iter;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// Have `attempt` wait on this thread; false where memory has run out.
pub fn add(attempt: *mut c_void) -> bool {
    static TURNS: AtomicUsize = AtomicUsize::new(0);
    let thread = this_thread();
    remove(attempt);
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

/// It waits no longer.
pub fn remove(attempt: *const c_void) {
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
pub fn take(appdata: *mut c_void) -> Option<*mut c_void> {
    let held = |slot: &'static Slot| {
        let attempt = slot.attempt.load(Ordering::Acquire);
        (!attempt.is_null()).then_some((slot, attempt))
    };
    let thread = this_thread();
    let exact = slots().filter_map(held).find(|(_, attempt)| *attempt == appdata);
    let of_this_thread = || {
        let own = slots().filter_map(held).filter(|(slot, _)| slot.thread.load(Ordering::Acquire) == thread);
        own.max_by_key(|(slot, _)| slot.turn.load(Ordering::Relaxed))
    };
    let (_, attempt) = exact.or_else(of_this_thread)?;
    remove(attempt);
    Some(attempt)
}

/// Of all threads. Thread-local storage would cost every
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
    attempt: AtomicPtr<c_void>,
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

/// Where this thread keeps its errno: unique among living threads, kept over a fork. Not pthread_self(3): opening a file
/// needs errno anyway, and each further function is looked up at each login.
pub fn this_thread() -> usize {
    // SAFETY: a call without arguments that cannot fail.
    unsafe { libc::__errno_location() as usize }
}

fn blocks() -> impl Iterator<Item = &'static Block> {
    // SAFETY: null, or a block that was published whole and is never freed.
    iter::successors(Some(&SLOTS), |block| unsafe { block.next.load(Ordering::Acquire).as_ref() })
}

fn slots() -> impl Iterator<Item = &'static Slot> {
    blocks().flat_map(|block| block.slots.iter())
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
