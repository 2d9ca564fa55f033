//! The heavy half: HTTP, TLS, composing. It is a library of its own, so that a login pays for none
//! of it; the worker loads it when the first failure is on disk.

use std::ffi::{CStr, CString, OsStr, c_void};
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};
use std::time::Duration;

use crate::fork;

/// File name, beside the module or in one of [`PLACES`].
const LIBRARY: &str = "libauthalert_sender.so";
const PLACES: [&str; 2] = ["/usr/lib/authalert", "/usr/local/lib/authalert"];
/// The number is that of the calling convention: after an upgrade, an old module in a long-lived
/// host may meet a newer library, and then must not call it.
const SYMBOL: &CStr = c"authalert_deliver_1";

/// State directory, configuration file; milliseconds to the next step, or 0 for none.
type Deliver = unsafe extern "C" fn(*const u8, usize, *const u8, usize) -> u64;

/// One delivery pass. Gives the time to the next step, if one is known.
pub fn deliver(state: &Path, config: &Path) -> Option<Duration> {
    let function = load()?;
    let (state, config) = (state.as_os_str().as_bytes(), config.as_os_str().as_bytes());
    // SAFETY: the library's function of this name takes two byte slices and keeps neither.
    let pause = unsafe { function(state.as_ptr(), state.len(), config.as_ptr(), config.len()) };
    (pause > 0).then(|| Duration::from_millis(pause))
}

fn load() -> Option<Deliver> {
    static FUNCTION: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
    static MISSING: AtomicU8 = AtomicU8::new(0);
    let mut symbol = FUNCTION.load(Ordering::Acquire);
    if symbol.is_null() {
        symbol =
            fork::apart(|| candidates().iter().find_map(|path| open(path))).unwrap_or(std::ptr::null_mut());
        FUNCTION.store(symbol, Ordering::Release);
    }
    if symbol.is_null() {
        if MISSING.swap(1, Ordering::Relaxed) == 0 {
            let text = c"pam_authalert: %s not found; failures are recorded, cron or systemd delivers";
            // SAFETY: a constant format with one C string.
            fork::apart(|| unsafe {
                libc::syslog(
                    libc::LOG_AUTHPRIV | libc::LOG_WARNING,
                    text.as_ptr(),
                    c"libauthalert_sender.so".as_ptr(),
                );
            });
        }
        return None;
    }
    // SAFETY: dlsym gave the address of a function of that type, see `SYMBOL`.
    Some(unsafe { mem::transmute::<*mut c_void, Deliver>(symbol) })
}

/// Beside the module first: that place is as trusted as the module itself.
fn candidates() -> Vec<PathBuf> {
    let beside = own_path().and_then(|path| Some(path.parent()?.join(LIBRARY)));
    beside.into_iter().chain(PLACES.iter().map(|p| Path::new(p).join(LIBRARY))).collect()
}

fn own_path() -> Option<PathBuf> {
    // SAFETY: the structure is written by dladdr before it is read; the name is a C string that
    // lives as long as the module, which is never unloaded.
    unsafe {
        let mut info: libc::Dl_info = mem::zeroed();
        let here = own_path as fn() -> Option<PathBuf> as *const c_void;
        if libc::dladdr(here, &mut info) == 0 || info.dli_fname.is_null() {
            return None;
        }
        Some(Path::new(OsStr::from_bytes(CStr::from_ptr(info.dli_fname).to_bytes())).into())
    }
}

fn open(path: &Path) -> Option<*mut c_void> {
    if !path.is_absolute() || !trusted(path) {
        return None;
    }
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: a C string; the library is linked `nodelete` and never closed.
    unsafe {
        let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
        if library.is_null() {
            return None;
        }
        let symbol = libc::dlsym(library, SYMBOL.as_ptr());
        (!symbol.is_null()).then_some(symbol)
    }
}

/// Owned by root, or by whoever owns the module, and writable by nobody else.
fn trusted(path: &Path) -> bool {
    let owner = own_path().and_then(|own| own.metadata().ok()).map(|m| m.uid());
    path.metadata().is_ok_and(|m| (m.uid() == 0 || Some(m.uid()) == owner) && m.mode() & 0o022 == 0)
}
