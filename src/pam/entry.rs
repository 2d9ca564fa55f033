//! The six functions that libpam looks for. Each returns `PAM_IGNORE`: the module decides nothing.
//!
//! They are written out rather than made by `pam_hooks!`, whose functions return `PAM_ABORT` for a
//! panic or bad arguments, and collect the arguments on the heap.

use std::ffi::{c_char, c_int};

use authalert::event::Class;
use pam::constants::PamResultCode;
use pam::module::PamHandle;

use crate::arguments::Arguments;
use crate::attempt::{self, Hooks};
use crate::{conversation, guard, login, record, verdict};

const IGNORE: c_int = PamResultCode::PAM_IGNORE as c_int;

/// Our line in the auth stack was reached.
///
/// "C-unwind", as `conversation::watch`: around "C" the compiler puts a handler that ends the process should
/// a panic come by, and with it all that a panic needs is linked. There is nothing here that panics.
///
/// # Safety
///
/// libpam passes the handle of the transaction, and `argc` C strings that live as long as it.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn pam_sm_authenticate(
    pamh: *mut PamHandle,
    _flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: the handle of the transaction, or null from a test.
    if let Some(pamh) = unsafe { pamh.as_mut() } {
        // SAFETY: as libpam promises, see above.
        let arguments = unsafe { Arguments::parse(argc, argv) };
        let hooks = Hooks { watch: conversation::watch, verdict: verdict::verdict };
        guard::uncancelled(|| {
            if attempt::begin(pamh, &arguments, hooks) {
                record::failure(pamh, &arguments, Class::Failure);
            }
        });
    }
    IGNORE
}

/// Our line in the session stack was reached: somebody is in.
///
/// # Safety
///
/// As [`pam_sm_authenticate`].
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn pam_sm_open_session(
    pamh: *mut PamHandle,
    _flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: the handle of the transaction, or null from a test.
    if let Some(pamh) = unsafe { pamh.as_mut() } {
        // SAFETY: as libpam promises, see above.
        let arguments = unsafe { Arguments::parse(argc, argv) };
        guard::uncancelled(|| login::session_opened(pamh, &arguments));
    }
    IGNORE
}

macro_rules! ignore {
    ($($name:ident)*) => {$(
        /// Nothing is done here.
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(_: *mut PamHandle, _: c_int, _: c_int, _: *const *const c_char) -> c_int {
            IGNORE
        }
    )*};
}

ignore!(pam_sm_setcred pam_sm_acct_mgmt pam_sm_close_session pam_sm_chauthtok);
