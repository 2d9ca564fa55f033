//! A head start for the first receiver: the others are served beside it a moment later, or as soon as it has its
//! answer, so that its alert does not come later for their sake on a machine with few processors.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Nobody waits longer.
const HEAD_START: Duration = Duration::from_millis(20);

/// Closed until the first receiver was served once.
#[derive(Debug, Default)]
pub struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    /// Let the others in. Again and again is the same as once.
    pub fn open(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.opened.notify_all();
    }

    /// Wait until it is open, or the head start is over.
    pub fn wait(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.opened.wait_timeout_while(open, HEAD_START, |open| !*open));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn who_waits_gets_in_when_it_opens_and_at_the_latest_after_the_head_start() {
        let gate = Gate::default();
        let begun = Instant::now();
        gate.wait();
        assert!(begun.elapsed() >= HEAD_START);
        gate.open();
        let begun = Instant::now();
        (0..1000).for_each(|_| gate.wait());
        assert!(begun.elapsed() < 1000 * HEAD_START);
    }
}
