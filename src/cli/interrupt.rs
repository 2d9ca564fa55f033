//! Ctrl-C while a service is waited for: the command ends with a line that says what was done and what was not.

use std::io;
use std::process;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// What there is to say at this moment; nothing, and a signal does what it always does.
static SAID: Mutex<Option<String>> = Mutex::new(None);

/// While it lives, SIGINT and SIGTERM end the command with what it was given to say.
pub(super) struct Interrupt(());

impl Interrupt {
    /// Say `what`, in a line behind the command's name. Where no signal can be waited for, they end it as ever.
    pub fn says(what: impl Into<String>) -> Self {
        static WAITS: OnceLock<io::Result<()>> = OnceLock::new();
        WAITS.get_or_init(wait);
        *SAID.lock().unwrap_or_else(PoisonError::into_inner) = Some(what.into());
        Self(())
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        *SAID.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn wait() -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().spawn(move || {
        for signal in signals.forever() {
            let said = SAID.lock().unwrap_or_else(PoisonError::into_inner).take();
            let Some(said) = said else {
                let _ = emulate_default_handler(signal);
                continue;
            };
            // Behind what the terminal shows of the key, and past the lock on stderr that the command holds.
            let line = format!("\nauthalert: interrupted: {said}\n");
            let _ = rustix::io::write(io::stderr(), line.as_bytes());
            process::exit(128 + signal);
        }
    })?;
    Ok(())
}
