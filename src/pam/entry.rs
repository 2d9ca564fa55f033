//! The six functions that libpam looks for. Each returns `PAM_IGNORE`: the module decides nothing.
//!
//! They are written out rather than made by `pam_hooks!`, whose functions return `PAM_ABORT` for a
//! panic or bad arguments, and collect the arguments on the heap.

use std::ffi::{CStr, c_char, c_int};
use std::slice;

use pam::constants::PamResultCode;
use pam::module::PamHandle;

use crate::{attempt, guard};

const IGNORE: c_int = PamResultCode::PAM_IGNORE as c_int;
/// More would be a mistake; what comes after them is not looked at.
const MOST_ARGUMENTS: usize = 32;
/// Longest path that is taken, with its zero byte.
const LONGEST_PATH: usize = 256;

/// What stands behind the module's name in the stack.
#[derive(Clone, Copy, Default)]
pub struct Arguments<'a> {
    /// `config=FILE`
    pub config: Option<&'a CStr>,
    /// `state=DIR`
    pub state: Option<&'a CStr>,
    /// The line stands in the failure branch: record at once.
    pub authfail: bool,
    /// Say in syslog what is recorded.
    pub debug: bool,
}

impl<'a> Arguments<'a> {
    /// # Safety
    ///
    /// `argv` is null or points to `argc` pointers, each null or a C string that lives for 'a.
    unsafe fn parse(argc: c_int, argv: *const *const c_char) -> Self {
        let mut arguments = Self::default();
        let count = usize::try_from(argc).unwrap_or(0).min(MOST_ARGUMENTS);
        if argv.is_null() {
            return arguments;
        }
        // SAFETY: the caller promises `argc` pointers; no more than that are looked at.
        for &word in unsafe { slice::from_raw_parts(argv, count) } {
            if word.is_null() {
                continue;
            }
            // SAFETY: the caller promises a C string.
            let word: &'a CStr = unsafe { CStr::from_ptr(word) };
            match word.to_bytes() {
                b"authfail" => arguments.authfail = true,
                b"debug" => arguments.debug = true,
                _ => {
                    arguments.config = path(word, b"config=").or(arguments.config);
                    arguments.state = path(word, b"state=").or(arguments.state);
                }
            }
        }
        arguments
    }
}

/// The absolute path behind `prefix`. A relative one would depend on the caller's directory.
fn path<'a>(word: &'a CStr, prefix: &[u8]) -> Option<&'a CStr> {
    let bytes = word.to_bytes_with_nul().strip_prefix(prefix)?;
    let path = CStr::from_bytes_with_nul(bytes).ok()?;
    (bytes.first() == Some(&b'/') && bytes.len() <= LONGEST_PATH).then_some(path)
}

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
        guard::uncancelled(|| attempt::begin(pamh, arguments));
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

ignore!(pam_sm_setcred pam_sm_acct_mgmt pam_sm_open_session pam_sm_close_session pam_sm_chauthtok);
