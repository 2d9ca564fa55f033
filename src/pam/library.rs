//! Finding the heavy half: HTTP, TLS, composing. It is a library of its own, so that a login pays
//! for none of it; the worker loads it when the first failure is on disk.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem;
use std::ptr;

use authalert::journal::path::join;
use rustix::fs::{Mode, stat};

use crate::late;

const NAME: &CStr = c"libauthalert_sender.so";
/// Where it is installed. Looked for beside the module first: that place is as trusted.
const PLACES: [&[u8]; 2] = [b"/usr/lib/authalert", b"/usr/local/lib/authalert"];
/// The number is that of the calling convention: after an upgrade, an old module in a long-lived
/// host may meet a newer library, and then must not call it.
const SYMBOL: &CStr = c"authalert_take_3";

/// Has a pass that is under way end at its next step, and give the delivery lock back.
const LET_GO: &CStr = c"authalert_let_go";

/// The addresses of the library's functions; null where there are none.
pub struct Found {
    /// Takes a job.
    pub take: *mut c_void,
    /// Lets go.
    pub let_go: *mut c_void,
}

/// Load the library. It is never unloaded.
pub fn find() -> Found {
    let own = own_path();
    let owner = own.and_then(|path| stat(path).ok()).map(|s| s.st_uid);
    let beside = own.and_then(|path| {
        let path = path.to_bytes();
        path.get(..path.iter().rposition(|b| *b == b'/')?)
    });
    for directory in beside.into_iter().chain(PLACES) {
        let mut buffer = [0; 512];
        let Ok(path) = join(&mut buffer, directory, NAME.to_bytes()) else { continue };
        if path.to_bytes().starts_with(b"/") && trusted(path, owner) {
            let found = open(path);
            // One without the other is of another version.
            if !found.take.is_null() && !found.let_go.is_null() {
                return found;
            }
        }
    }
    Found { take: ptr::null_mut(), let_go: ptr::null_mut() }
}

fn own_path() -> Option<&'static CStr> {
    type Address = unsafe extern "C" fn(*const c_void, *mut libc::Dl_info) -> c_int;
    // SAFETY: dladdr as <dlfcn.h> declares it. The structure is written by it before it is read; the name is a C
    // string that lives as long as the module, which is never unloaded.
    unsafe {
        let mut info: libc::Dl_info = mem::zeroed();
        let found = late::function::<Address>(c"dladdr")?(
            own_path as fn() -> Option<&'static CStr> as *const c_void,
            &mut info,
        );
        (found != 0 && !info.dli_fname.is_null()).then(|| CStr::from_ptr(info.dli_fname))
    }
}

/// Owned by root, or by whoever owns the module, and writable by nobody else.
fn trusted(path: &CStr, module_owner: Option<u32>) -> bool {
    let others = Mode::WGRP | Mode::WOTH;
    stat(path).is_ok_and(|s| {
        (s.st_uid == 0 || Some(s.st_uid) == module_owner)
            && !Mode::from_raw_mode(s.st_mode).intersects(others)
    })
}

fn open(path: &CStr) -> Found {
    type Open = unsafe extern "C" fn(*const c_char, c_int) -> *mut c_void;
    // SAFETY: dlopen as <dlfcn.h> declares it; C strings; the library is linked `nodelete` and never closed.
    unsafe {
        let library = late::function::<Open>(c"dlopen")
            .map_or(ptr::null_mut(), |open| open(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL));
        let symbol = |name: &CStr| {
            if library.is_null() { ptr::null_mut() } else { libc::dlsym(library, name.as_ptr()) }
        };
        Found { take: symbol(SYMBOL), let_go: symbol(LET_GO) }
    }
}
