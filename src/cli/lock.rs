//! One command at a time changes the configuration and the credentials: each reads a file, changes it and puts it
//! back whole, so that of two at once one's lines would be lost.

use std::fs::File;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

/// Another one holds it for milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// Held until it is dropped. It is on the state directory, which nobody but root can open, and where there is none yet on
/// that of the configuration; it leaves no file behind.
#[derive(Debug)]
pub(super) struct Lock {
    directory: File,
}

/// Closing does not unlock it where another thread is starting a program meanwhile.
impl Drop for Lock {
    fn drop(&mut self) {
        let _ = flock(&self.directory, FlockOperation::Unlock);
    }
}

impl Lock {
    /// Wait for it a while. The error says what to do.
    pub fn take(state: &Path, config: &Path) -> Result<Self, String> {
        let parent = config.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = if state.is_dir() { state } else { parent.unwrap_or(Path::new(".")) };
        let shown = parent.display();
        let directory = File::open(parent).map_err(|e| format!("cannot open {shown}: {e}"))?;
        let begun = Instant::now();
        loop {
            match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { directory }),
                Err(rustix::io::Errno::AGAIN) if begun.elapsed() < PATIENCE => thread::sleep(POLL),
                Err(rustix::io::Errno::AGAIN) => {
                    return Err(format!(
                        "another program holds the lock on {shown}; try again when it has ended"
                    ));
                }
                Err(e) => return Err(format!("cannot lock {shown}: {e}")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_waits_for_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let (state, config) = (directory.path().join("state"), directory.path().join("config.toml"));
        let first = Lock::take(&state, &config).unwrap();
        thread::scope(|scope| {
            let second = scope.spawn(|| {
                let begun = Instant::now();
                Lock::take(&state, &config).map(|_lock| begun.elapsed()).unwrap()
            });
            thread::sleep(Duration::from_millis(200));
            drop(first);
            assert!(second.join().unwrap() >= Duration::from_millis(150));
        });
        assert!(Lock::take(&state, &directory.path().join("none/config.toml")).is_err());
        std::fs::create_dir(&state).unwrap();
        let _one = Lock::take(&state, &config).unwrap();
        assert!(
            flock(File::open(directory.path()).unwrap(), FlockOperation::NonBlockingLockExclusive).is_ok()
        );
    }
}
