//! The calls of libpam that pam-bindings does not have.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr;

use pam::module::PamHandle;

use crate::abi::Conv;
use crate::late;

/// Item: the conversation (security/_pam_types.h).
const PAM_CONV: c_int = 5;
/// Item: the application's function that waits after a failure.
const PAM_FAIL_DELAY: c_int = 10;

/// What libpam calls at the end of `pam_authenticate`: status, delay in microseconds, and the
/// `appdata_ptr` of the conversation (libpam/pam_delay.c).
pub type DelayFn = unsafe extern "C-unwind" fn(c_int, c_uint, *mut c_void);

/// What libpam calls when the handle ends, or the data is replaced.
pub type CleanupFn = unsafe extern "C" fn(*mut PamHandle, *mut c_void, c_int);

/// The name of our data; no other module's begins with it.
const DATA: &CStr = c"pam_authalert:attempt";

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_get_item(pamh: *const PamHandle, item: c_int, value: *mut *const c_void) -> c_int;
    fn pam_set_item(pamh: *mut PamHandle, item: c_int, value: *const c_void) -> c_int;
    fn pam_get_data(pamh: *const PamHandle, name: *const c_char, data: *mut *const c_void) -> c_int;
    fn pam_set_data(
        pamh: *mut PamHandle,
        name: *const c_char,
        data: *mut c_void,
        cleanup: CleanupFn,
    ) -> c_int;
}

/// The application's conversation, copied.
pub fn conversation(pamh: &PamHandle) -> Option<Conv> {
    let mut value = ptr::null();
    // SAFETY: `pamh` is the handle of the call we are in, and `value` outlives the call.
    let code = unsafe { pam_get_item(pamh, PAM_CONV, &mut value) };
    // SAFETY: on success libpam gives null or a pointer to its own pam_conv, valid until the item
    // is set again; it is copied here, before anybody can.
    (code == 0 && !value.is_null()).then(|| unsafe { *value.cast::<Conv>() })
}

/// Put `conv` in place; libpam copies it.
pub fn set_conversation(pamh: &mut PamHandle, conv: &Conv) -> bool {
    // SAFETY: libpam copies the structure during the call.
    unsafe { pam_set_item(pamh, PAM_CONV, ptr::from_ref(conv).cast()) == 0 }
}

/// The application's delay function, if it set one.
pub fn fail_delay(pamh: &PamHandle) -> Option<DelayFn> {
    let mut value = ptr::null();
    // SAFETY: as in `conversation`.
    let code = unsafe { pam_get_item(pamh, PAM_FAIL_DELAY, &mut value) };
    if code != 0 || value.is_null() {
        return None;
    }
    // SAFETY: this item holds a function of that type or null (pam_fail_delay(3)); function and
    // data pointers have one size on every platform that Linux-PAM runs on.
    Some(unsafe { std::mem::transmute::<*const c_void, DelayFn>(value) })
}

/// Put a delay function in place, or none.
pub fn set_fail_delay(pamh: &mut PamHandle, function: Option<DelayFn>) -> bool {
    let value = function.map_or(ptr::null(), |f| f as *const c_void);
    // SAFETY: libpam keeps the pointer; the module is linked `nodelete`, so it stays valid.
    unsafe { pam_set_item(pamh, PAM_FAIL_DELAY, value) == 0 }
}

/// What [`set_data`] left, or null. pam-bindings' own takes a `&str` and allocates.
pub fn data(pamh: &PamHandle) -> *mut c_void {
    let mut data = ptr::null();
    // SAFETY: as in `conversation`; the name is a C string.
    let code = unsafe { pam_get_data(pamh, DATA.as_ptr(), &mut data) };
    if code == 0 { data.cast_mut() } else { ptr::null_mut() }
}

/// Leave `data` with the handle until it ends; then `cleanup` gets it.
pub fn set_data(pamh: &mut PamHandle, data: *mut c_void, cleanup: CleanupFn) -> bool {
    // SAFETY: libpam copies the name and keeps both pointers; the module is linked `nodelete`.
    unsafe { pam_set_data(pamh, DATA.as_ptr(), data, cleanup) == 0 }
}

/// A variable of the PAM environment, which modules and the application set, not the caller.
pub fn variable<'a>(pamh: &'a mut PamHandle, name: &CStr) -> Option<&'a CStr> {
    type GetEnv = unsafe extern "C" fn(*mut PamHandle, *const c_char) -> *const c_char;
    // SAFETY: as <security/pam_appl.h> declares it; `name` is a C string; the value belongs to the handle, which is
    // borrowed for 'a.
    unsafe {
        let value = late::function::<GetEnv>(c"pam_getenv")?(pamh, name.as_ptr());
        (!value.is_null()).then(|| CStr::from_ptr(value))
    }
}
