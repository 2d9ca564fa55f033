//! What the module's worker loads when a failure is on disk: a delivery pass, TLS and all.
//!
//! One function for the worker, which runs on the worker's thread alone. Nothing may get out of
//! here into the host: no panic, no message, no abort.

mod memory;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::slice;

use authalert::config::DEFAULT_PATH;
use authalert::deliver::{Error, Notice, Order, Setting, deliver};

/// Make a delivery pass for the state directory and the configuration file that are named by
/// address and length. Gives the milliseconds until a next step is due, or 0 for none.
///
/// # Safety
///
/// Both addresses point to as many bytes as is said, for the time of the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn authalert_deliver_1(
    state: *const u8,
    state_len: usize,
    config: *const u8,
    config_len: usize,
) -> u64 {
    std::panic::set_hook(Box::new(|_| {}));
    let path = |start: *const u8, len| -> PathBuf {
        // SAFETY: the caller promises `len` bytes.
        let bytes = unsafe { slice::from_raw_parts(start, len) };
        Path::new(OsStr::from_bytes(bytes)).into()
    };
    let order = Order {
        state: path(state, state_len),
        // The default file may be absent; one that the stack names must be there.
        config: Some(path(config, config_len)).filter(|p| p != Path::new(DEFAULT_PATH)),
        setting: Setting::Login,
        at_once: false,
    };
    catch_unwind(|| pass(&order)).unwrap_or(0)
}

fn pass(order: &Order) -> u64 {
    match deliver(order) {
        Ok(report) => {
            report.next.map_or(0, |next| u64::try_from(next.as_millis()).unwrap_or(u64::MAX).max(1))
        }
        // The pass itself told of it, and it stands in the state.
        Err(Error::Config(_)) => 0,
        Err(error @ Error::State(..)) => {
            Notice::error(format!("alerts are not delivered: {error}")).send();
            0
        }
    }
}
