//! One attempt: from our line in the stack to libpam's verdict.
//!
//! Two items are borrowed meanwhile and given back with the verdict: `PAM_FAIL_DELAY`, which libpam
//! calls at the end of every `pam_authenticate` with the final status (libpam/pam_delay.c), and
//! `PAM_CONV`, whose `appdata_ptr` it hands to that call. So the verdict finds its attempt by that
//! pointer, and where somebody replaced the conversation, by what this thread began last.

use std::cell::Cell;
use std::ffi::{CStr, c_void};
use std::mem;
use std::ptr;

use pam::module::PamHandle;

use crate::conversation::{self, Prompts};
use crate::entry::Arguments;
use crate::libpam::{self, Conv, DelayFn};
use crate::{record, verdict};

/// What is remembered between our line and the verdict.
pub struct Attempt {
    /// The handle; valid while `pam_authenticate` runs on this thread.
    pamh: *mut PamHandle,
    /// The attempt that was going on when this one began (a stack within a conversation).
    outer: *mut Attempt,
    config: Option<&'static CStr>,
    state: Option<&'static CStr>,
    debug: bool,
    /// The application's own.
    pub conv: Conv,
    delay: Option<DelayFn>,
    /// What was asked and answered.
    pub prompts: Prompts,
    /// `authfail` did it already.
    recorded: bool,
}

/// An attempt that is over, by value: everything the verdict needs.
pub struct Ended {
    /// The handle, with the application's items back in place.
    pub pamh: *mut PamHandle,
    /// Where to record, if that was not done yet.
    pub to_record: Option<Arguments<'static>>,
    /// What was asked and answered.
    pub prompts: Prompts,
    /// The application's delay function and the argument that it expects.
    pub delay: Option<DelayFn>,
    /// The application's.
    pub appdata: *mut c_void,
}

thread_local! {
    static INNERMOST: Cell<*mut Attempt> = const { Cell::new(ptr::null_mut()) };
}

/// Our line was reached.
pub fn begin(pamh: &mut PamHandle, arguments: Arguments<'_>) {
    if let Some(going_on) = going_on(pamh) {
        // A second line in the stack, or a transaction that is resumed: one verdict is enough.
        // SAFETY: `going_on` gives attempts of this thread that have not ended.
        let attempt = unsafe { &mut *going_on };
        if arguments.authfail && !attempt.recorded && !attempt.watches() {
            attempt.recorded = true;
            record::failure(pamh, &attempt.arguments(), &attempt.prompts, verdict::AUTH_ERR);
        }
        return;
    }
    let borrowed = borrow(pamh, arguments);
    if arguments.authfail {
        record::failure(pamh, &arguments, &Prompts::default(), verdict::AUTH_ERR);
        if let Some(attempt) = borrowed {
            // SAFETY: just made, and only this thread knows it.
            unsafe { (*attempt).recorded = true };
        }
    }
}

impl Attempt {
    /// Whether the verdict will record: not where the line stood in the failure branch only.
    fn watches(&self) -> bool {
        !self.recorded
    }

    fn arguments(&self) -> Arguments<'static> {
        Arguments { config: self.config, state: self.state, authfail: false, debug: self.debug }
    }
}

/// Take the verdict's attempt off this thread's list and give the items back.
pub fn end(appdata: *mut c_void) -> Option<Ended> {
    let mut link = INNERMOST.get();
    let mut found = ptr::null_mut::<Attempt>();
    while !link.is_null() {
        if link.cast() == appdata {
            found = link;
            break;
        }
        // SAFETY: the list holds attempts that were not freed; only this thread touches it.
        link = unsafe { (*link).outer };
    }
    let found = if found.is_null() { INNERMOST.get() } else { found };
    if found.is_null() {
        return None;
    }
    unlink(found);
    // SAFETY: it came from `borrow` (calloc, written whole), and is off the list: ours alone.
    let attempt = unsafe { ptr::read(found) };
    // SAFETY: as above; nobody points to it any more once the conversation is back in place,
    // which happens before anything else can run on this handle.
    let pamh = unsafe { &mut *attempt.pamh };
    if libpam::conversation(pamh).is_some_and(|c| c.appdata == found.cast()) {
        libpam::set_conversation(pamh, &attempt.conv);
    }
    libpam::set_fail_delay(pamh, attempt.delay);
    // SAFETY: from calloc, freed once.
    unsafe { libc::free(found.cast()) };
    Some(Ended {
        pamh: attempt.pamh,
        to_record: (!attempt.recorded).then(|| attempt.arguments()),
        prompts: attempt.prompts,
        delay: attempt.delay,
        appdata: attempt.conv.appdata,
    })
}

/// The attempt that this thread began on this handle and whose verdict has not come.
fn going_on(pamh: &PamHandle) -> Option<*mut Attempt> {
    let ours = libpam::fail_delay(pamh).is_some_and(|f| f as usize == verdict::verdict as DelayFn as usize);
    if !ours {
        return None;
    }
    let mut link = INNERMOST.get();
    while !link.is_null() {
        // SAFETY: as in `end`.
        let attempt = unsafe { &*link };
        if ptr::eq(attempt.pamh, pamh) {
            return Some(link);
        }
        link = attempt.outer;
    }
    None
}

/// Put our functions in place. Without memory nothing changes and nothing is watched.
fn borrow(pamh: &mut PamHandle, arguments: Arguments<'_>) -> Option<*mut Attempt> {
    let conv = libpam::conversation(pamh)?;
    // A handle that moved to another thread between attempts may still hold our function.
    let ours = verdict::verdict as DelayFn;
    let delay = libpam::fail_delay(pamh).filter(|f| *f as usize != ours as usize);
    // SAFETY: a plain allocation; null is handled. Not Box: out of memory must not abort a login.
    let attempt = unsafe { libc::calloc(1, mem::size_of::<Attempt>()) }.cast::<Attempt>();
    if attempt.is_null() {
        return None;
    }
    // SAFETY: the arguments belong to the handle's stack, which outlives `pam_authenticate`, and
    // the attempt does not outlive that; 'static only says that the compiler cannot see it.
    let lasting =
        |word: Option<&CStr>| unsafe { mem::transmute::<Option<&CStr>, Option<&'static CStr>>(word) };
    // SAFETY: the allocation is large enough and aligned for any type of that size.
    unsafe {
        attempt.write(Attempt {
            pamh,
            outer: INNERMOST.get(),
            config: lasting(arguments.config),
            state: lasting(arguments.state),
            debug: arguments.debug,
            conv,
            delay,
            prompts: Prompts::default(),
            recorded: false,
        });
    }
    let watching = Conv { function: Some(conversation::watch), appdata: attempt.cast() };
    let placed = libpam::set_conversation(pamh, &watching) && libpam::set_fail_delay(pamh, Some(ours));
    if !placed {
        libpam::set_conversation(pamh, &conv);
        // SAFETY: nobody knows it yet.
        unsafe { libc::free(attempt.cast()) };
        return None;
    }
    INNERMOST.set(attempt);
    Some(attempt)
}

fn unlink(found: *mut Attempt) {
    // SAFETY: `found` is on the list, and the list is this thread's alone.
    unsafe {
        let mut link = INNERMOST.get();
        if ptr::eq(link, found) {
            INNERMOST.set((*found).outer);
            return;
        }
        while !link.is_null() {
            if ptr::eq((*link).outer, found) {
                (*link).outer = (*found).outer;
                return;
            }
            link = (*link).outer;
        }
    }
}
