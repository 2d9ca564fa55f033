//! The structures of libpam, as `security/_pam_types.h` has them. The module and the caller of
//! `test --pam` are on different sides of them.

use std::ffi::{c_char, c_int, c_void};

/// `struct pam_message`.
#[repr(C)]
pub struct Message {
    pub style: c_int,
    pub text: *const c_char,
}

/// `struct pam_response`. The module never reads the answer, only whether there is one.
#[repr(C)]
pub struct Response {
    pub answer: *mut c_char,
    pub retcode: c_int,
}

/// `pam_conv.conv`. "C-unwind": a thread of the host may be cancelled while it waits in there.
pub type ConvFn =
    unsafe extern "C-unwind" fn(c_int, *mut *const Message, *mut *mut Response, *mut c_void) -> c_int;

/// `struct pam_conv`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Conv {
    pub function: Option<ConvFn>,
    pub appdata: *mut c_void,
}
