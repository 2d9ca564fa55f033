//! The words after the module's name in the stack.

use std::ffi::{CStr, c_char, c_int};
use std::slice;

/// More would be a mistake; what comes after them is not looked at.
const MOST_ARGUMENTS: usize = 32;
/// Longest path that is taken, with its zero byte.
const LONGEST_PATH: usize = 256;
/// Where the module records, and what it hands to the worker, when the stack names no other place.
const STATE: &CStr = c"/var/lib/authalert";
const CONFIG: &CStr = c"/etc/authalert/config.toml";

/// What the stack's line says.
#[derive(Clone, Copy, Default)]
pub struct Arguments<'a> {
    config: Option<&'a CStr>,
    state: Option<&'a CStr>,
    /// The line is in the failure branch: record at once.
    pub authfail: bool,
    /// Write to syslog what is recorded.
    pub debug: bool,
}

impl<'a> Arguments<'a> {
    /// # Safety
    ///
    /// `argv` is null or points to `argc` pointers, each null or a C string that lives for 'a.
    pub unsafe fn parse(argc: c_int, argv: *const *const c_char) -> Self {
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

    /// `state=DIR`, or the usual place.
    pub fn state(&self) -> &'a CStr {
        self.state.unwrap_or(STATE)
    }

    /// `config=FILE`, or the usual place.
    pub fn config(&self) -> &'a CStr {
        self.config.unwrap_or(CONFIG)
    }
}

/// The absolute path behind `prefix`. A relative one would depend on the caller's directory.
fn path<'a>(word: &'a CStr, prefix: &[u8]) -> Option<&'a CStr> {
    let bytes = word.to_bytes_with_nul().strip_prefix(prefix)?;
    let path = CStr::from_bytes_with_nul(bytes).ok()?;
    (bytes.first() == Some(&b'/') && bytes.len() <= LONGEST_PATH).then_some(path)
}
