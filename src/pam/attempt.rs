//! One attempt: from our line in the stack to libpam's verdict.
//!
//! Two items are borrowed meanwhile and given back with the verdict: `PAM_FAIL_DELAY`, which libpam
//! calls at the end of every `pam_authenticate` with the final status (libpam/pam_delay.c), and
//! `PAM_CONV`, whose `appdata_ptr` it hands to that call. So the verdict finds its attempt by that
//! pointer, and where somebody replaced the conversation, by the thread that it is on.

use std::ffi::{c_int, c_void};
use std::mem;
use std::ptr;

use pam::items::User;
use pam::module::PamHandle;

use crate::abi::{Conv, ConvFn};
use crate::arguments::Arguments;
use crate::libpam::{self, DelayFn};
use crate::prompts::Prompts;
use crate::record::item;
use crate::waiting;

/// What is put in the place of the application's items.
#[derive(Clone, Copy)]
pub struct Hooks {
    /// Its conversation function. It gets the [`Attempt`].
    pub watch: ConvFn,
    /// Its delay function.
    pub verdict: DelayFn,
}

/// What is remembered from our line to the verdict. Lives as long as the handle.
pub struct Attempt {
    /// The handle; valid, as the attempt is freed with it.
    pamh: *mut PamHandle,
    hooks: Hooks,
    arguments: Arguments<'static>,
    /// The application's own.
    pub conv: Conv,
    delay: Option<DelayFn>,
    /// What was asked and answered, last.
    pub prompts: Prompts,
    /// Between our line and the verdict.
    going_on: bool,
    /// `authfail` did it already.
    recorded: bool,
    /// The login that came of it is in the journal.
    pub login_recorded: bool,
}

/// An attempt that is over: everything that the verdict needs.
pub struct Ended {
    /// The handle, with the application's items back in place.
    pub pamh: *mut PamHandle,
    /// What the stack's line says.
    pub arguments: Arguments<'static>,
    /// Whether `authfail` recorded it already.
    pub recorded: bool,
    /// What was asked and answered.
    pub prompts: Prompts,
    /// The application's delay function and the argument that it expects.
    pub delay: Option<DelayFn>,
    /// The application's.
    pub appdata: *mut c_void,
}

/// Our line was reached. Says whether a failure is to be recorded now: the line is in the failure
/// branch, and no line above it waits for the verdict.
pub fn begin(pamh: &mut PamHandle, arguments: &Arguments<'_>, hooks: Hooks) -> bool {
    let Some(attempt) = find(pamh).or_else(|| create(pamh, hooks)) else {
        // The verdict cannot be waited for.
        return arguments.authfail;
    };
    // SAFETY: it belongs to this handle, which one thread at a time may use (pam(3)).
    let attempt = unsafe { &mut *attempt };
    // A second line of the stack, or a transaction that is resumed: one verdict is enough.
    if attempt.going_on && libpam::fail_delay(pamh).is_some_and(|f| attempt.is_ours(f)) {
        return false;
    }
    attempt.start(pamh, arguments);
    arguments.authfail && !mem::replace(&mut attempt.recorded, arguments.authfail)
}

/// The handle's last attempt, if our line saw one.
pub fn of(pamh: &mut PamHandle) -> Option<&mut Attempt> {
    // SAFETY: as in `begin`; it lives as long as the handle.
    find(pamh).map(|attempt| unsafe { &mut *attempt })
}

/// Find the verdict's attempt and give the items back.
pub fn end(appdata: *mut c_void) -> Option<Ended> {
    let found = waiting::take(appdata)?;
    // SAFETY: only attempts of living handles wait; this is the handle's own thread.
    let attempt = unsafe { &mut *found.cast::<Attempt>() };
    attempt.going_on = false;
    // SAFETY: the handle of the `pam_authenticate` that calls us.
    let pamh = unsafe { &mut *attempt.pamh };
    if libpam::conversation(pamh).is_some_and(|c| c.appdata == found) {
        libpam::set_conversation(pamh, &attempt.conv);
    }
    libpam::set_fail_delay(pamh, attempt.delay);
    Some(Ended {
        pamh: attempt.pamh,
        arguments: attempt.arguments,
        recorded: attempt.recorded,
        prompts: attempt.prompts,
        delay: attempt.delay,
        appdata: attempt.conv.appdata,
    })
}

impl Attempt {
    /// Whether it is not known yet who authenticates.
    pub fn is_nameless(&self) -> bool {
        // SAFETY: the handle of the `pam_authenticate` that this attempt is of, which has not ended.
        item::<User<'_>>(unsafe { &*self.pamh }).is_empty()
    }

    fn is_ours(&self, function: DelayFn) -> bool {
        function as usize == self.hooks.verdict as usize
    }

    /// Put our functions in place.
    fn start(&mut self, pamh: &mut PamHandle, arguments: &Arguments<'_>) {
        // SAFETY: the arguments belong to the handle's stack, and so live as long as the attempt;
        // 'static only says that the compiler cannot see it.
        self.arguments = unsafe { mem::transmute::<Arguments<'_>, Arguments<'static>>(*arguments) };
        (self.recorded, self.login_recorded, self.prompts) = (false, false, Prompts::default());
        let own: *mut c_void = ptr::from_mut(self).cast();
        // What is still ours was left by a verdict that never came: then we know the application's.
        match libpam::conversation(pamh) {
            Some(conv) if conv.appdata == own => {}
            Some(conv) => self.conv = conv,
            None => return,
        }
        match libpam::fail_delay(pamh) {
            Some(function) if self.is_ours(function) => {}
            other => self.delay = other,
        }
        if !waiting::add(own) {
            return;
        }
        let watching = Conv { function: Some(self.hooks.watch), appdata: own };
        self.going_on = libpam::set_conversation(pamh, &watching)
            && libpam::set_fail_delay(pamh, Some(self.hooks.verdict));
        if !self.going_on {
            libpam::set_conversation(pamh, &self.conv);
            waiting::remove(own);
        }
    }
}

fn find(pamh: &PamHandle) -> Option<*mut Attempt> {
    let attempt = libpam::data(pamh).cast::<Attempt>();
    (!attempt.is_null()).then_some(attempt)
}

/// An attempt for this handle, which libpam gives back to [`forget`] when the handle ends.
fn create(pamh: &mut PamHandle, hooks: Hooks) -> Option<*mut Attempt> {
    // SAFETY: a plain allocation; null is handled. Not Box: out of memory must not abort a login.
    let attempt = unsafe { libc::calloc(1, mem::size_of::<Attempt>()) }.cast::<Attempt>();
    if attempt.is_null() {
        return None;
    }
    // SAFETY: the allocation is large enough, and aligned for any type of that size.
    unsafe {
        attempt.write(Attempt {
            pamh,
            hooks,
            arguments: Arguments::default(),
            conv: Conv { function: None, appdata: ptr::null_mut() },
            delay: None,
            prompts: Prompts::default(),
            going_on: false,
            recorded: false,
            login_recorded: false,
        });
    }
    if libpam::set_data(pamh, attempt.cast(), forget) {
        return Some(attempt);
    }
    // SAFETY: libpam did not take it.
    unsafe { libc::free(attempt.cast()) };
    None
}

/// The handle ends. It cannot while a prompt is open: libpam refuses `pam_end` as long as a module is at work, also
/// from a signal handler or another thread. So an attempt without a verdict leaves nothing to be recorded here.
unsafe extern "C" fn forget(_: *mut PamHandle, attempt: *mut c_void, _: c_int) {
    if !attempt.is_null() {
        waiting::remove(attempt);
        // SAFETY: from calloc in `create`; libpam calls this once.
        unsafe { libc::free(attempt) };
    }
}
