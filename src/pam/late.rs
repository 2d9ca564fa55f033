//! Functions of the C library, and one of libpam, that most logins do not need, looked up when one does: each one that
//! the module names is looked up at every login that loads it, used or not.

use std::ffi::{CStr, c_int, c_void};
use std::mem;

/// The function of this name, in the first library that has it; nothing where none has.
///
/// # Safety
///
/// `F` is a function pointer of the type that the C library declares for the name.
pub unsafe fn function<F: Copy>(name: &CStr) -> Option<F> {
    const { assert!(mem::size_of::<F>() == mem::size_of::<*mut c_void>()) };
    // SAFETY: a C string; no handle, but the search that the host's own names go through.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    // SAFETY: the caller promises the type; the sizes are the same.
    (!found.is_null()).then(|| unsafe { mem::transmute_copy::<*mut c_void, F>(&found) })
}

type Select = unsafe extern "C-unwind" fn(
    c_int,
    *mut libc::fd_set,
    *mut libc::fd_set,
    *mut libc::fd_set,
    *mut libc::timeval,
) -> c_int;

/// As libpam waits: until the time is over or a signal comes. "C-unwind": the host may cancel the thread in here.
pub fn wait(mut time: libc::timeval) {
    let none = std::ptr::null_mut();
    // SAFETY: as <sys/select.h> declares it; no descriptors, and `time` outlives the call.
    unsafe {
        if let Some(select) = function::<Select>(c"select") {
            select(0, none, none, none, &mut time);
        }
    }
}

type Syslog = unsafe extern "C" fn(c_int, *const libc::c_char, ...);

/// `syslog`, where there is one.
pub fn syslog() -> Option<Syslog> {
    // SAFETY: as <syslog.h> declares it.
    unsafe { function(c"syslog") }
}
