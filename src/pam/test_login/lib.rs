//! The other side of libpam: an application that gives a wrong password.
//!
//! `authalert test --pam SERVICE` proves with it that a service's stack reaches the module.

use std::ffi::{CStr, CString, NulError, c_char, c_int, c_void};
use std::ptr;

#[path = "../abi.rs"]
mod abi;
use abi::{Conv, Message, Response};

const SUCCESS: c_int = 0;
const CONV_ERR: c_int = 19;
const PROMPT_ECHO_OFF: c_int = 1;
const PROMPT_ECHO_ON: c_int = 2;
const MOST_MESSAGES: c_int = 32;
const ITEM_TTY: c_int = 3;
const ITEM_RHOST: c_int = 4;

#[repr(C)]
struct Handle {
    _private: [u8; 0],
}

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start(
        service: *const c_char,
        user: *const c_char,
        conv: *const Conv,
        pamh: *mut *mut Handle,
    ) -> c_int;
    fn pam_set_item(pamh: *mut Handle, item: c_int, value: *const c_void) -> c_int;
    fn pam_authenticate(pamh: *mut Handle, flags: c_int) -> c_int;
    fn pam_end(pamh: *mut Handle, status: c_int) -> c_int;
    fn pam_strerror(pamh: *mut Handle, code: c_int) -> *const c_char;
}

/// How an authentication ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it succeeded, which a wrong password should not.
    pub success: bool,
    /// What libpam calls it.
    pub message: String,
}

/// One `pam_authenticate` through `service` for `user`, answering every prompt with `password`.
///
/// `rhost` and `tty` are set where given. Without a remote host the attempt is made as su and sudo
/// make theirs, for an ordinary caller: `pam_rootok` would let a real user id 0 in without a question.
/// Errors: a text with a zero byte.
pub fn authenticate(
    service: &str,
    user: &str,
    password: &str,
    rhost: Option<&str>,
    tty: Option<&str>,
) -> Result<Outcome, NulError> {
    let (service, user, password) = (CString::new(service)?, CString::new(user)?, CString::new(password)?);
    let items = [(ITEM_RHOST, rhost), (ITEM_TTY, tty)];
    let mut values = Vec::new();
    for (item, value) in items {
        if let Some(value) = value {
            values.push((item, CString::new(value)?));
        }
    }
    let _caller = rhost.is_none().then(OrdinaryCaller::become_one);
    let conv = Conv { function: Some(answer), appdata: password.as_ptr().cast_mut().cast() };
    let mut pamh = ptr::null_mut();
    // SAFETY: C strings and a structure that outlive the transaction; libpam copies the items; the
    // handle is used between a successful pam_start and pam_end only.
    unsafe {
        let mut code = pam_start(service.as_ptr(), user.as_ptr(), &conv, &mut pamh);
        if code == SUCCESS {
            for (item, value) in &values {
                pam_set_item(pamh, *item, value.as_ptr().cast());
            }
            code = pam_authenticate(pamh, 0);
        }
        let text = pam_strerror(pamh, code);
        let message =
            if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() };
        if !pamh.is_null() {
            pam_end(pamh, code);
        }
        Ok(Outcome { success: code == SUCCESS, message })
    }
}

/// The real user id is nobody's until this is dropped; the effective one stays.
struct OrdinaryCaller(libc::uid_t);

impl OrdinaryCaller {
    const NOBODY: libc::uid_t = 65534;

    fn become_one() -> Self {
        // SAFETY: calls that touch no memory; if the second fails the attempt is made as it was.
        unsafe {
            let before = libc::getuid();
            libc::setreuid(Self::NOBODY, libc::uid_t::MAX);
            Self(before)
        }
    }
}

impl Drop for OrdinaryCaller {
    fn drop(&mut self) {
        // SAFETY: touches no memory; root may always become itself again.
        unsafe { libc::setreuid(self.0, libc::uid_t::MAX) };
    }
}

extern "C-unwind" fn answer(
    count: c_int,
    messages: *mut *const Message,
    responses: *mut *mut Response,
    appdata: *mut c_void,
) -> c_int {
    if !(1..=MOST_MESSAGES).contains(&count) || messages.is_null() || responses.is_null() {
        return CONV_ERR;
    }
    // SAFETY: libpam passes `count` messages (pam_conv(3)); the answers are allocated as it frees
    // them, with the allocator of C; `appdata` is the password of `authenticate`, a C string.
    unsafe {
        let answers = libc::calloc(count as usize, size_of::<Response>()).cast::<Response>();
        if answers.is_null() {
            return CONV_ERR;
        }
        for i in 0..count as usize {
            let message = *messages.add(i);
            if !message.is_null() && matches!((*message).style, PROMPT_ECHO_OFF | PROMPT_ECHO_ON) {
                (*answers.add(i)).answer = libc::strdup(appdata.cast());
            }
        }
        *responses = answers;
    }
    SUCCESS
}
