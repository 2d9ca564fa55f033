//! Whoever is done lingers while others of the pass are at work, and looks again: a receiver may wait a minute for its
//! service, and what starts a pass starts no second one beside it.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So often it is looked whether something new came: in a flood each look finds something, which costs a pass of its own.
const LOOK: Duration = Duration::from_secs(1);
/// After so long a pass ends as soon as each is done: two that always find something new would keep each other for ever.
const LONGEST: Duration = Duration::from_secs(120);

/// How many of a pass are at work, and since when it runs.
#[derive(Debug)]
pub struct AtWork {
    number: Mutex<usize>,
    all_done: Condvar,
    begun: Instant,
}

impl Default for AtWork {
    fn default() -> Self {
        Self { number: Mutex::new(0), all_done: Condvar::new(), begun: Instant::now() }
    }
}

/// One that is at work until this is dropped.
#[derive(Debug)]
pub struct Worker<'a>(&'a AtWork);

impl AtWork {
    /// One more is at work. Said for those that will begin before the first does, which would not wait for them.
    pub fn begin(&self) -> Worker<'_> {
        self.count(|number| number + 1);
        Worker(self)
    }

    fn count(&self, change: impl FnOnce(usize) -> usize) {
        let mut number = self.number.lock().unwrap_or_else(PoisonError::into_inner);
        *number = change(*number);
        if *number == 0 {
            self.all_done.notify_all();
        }
    }

    /// Whether nobody is at work any more, waiting a moment for that.
    fn is_done(&self) -> bool {
        let number = self.number.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.all_done.wait_timeout_while(number, LOOK, |number| *number > 0);
        *waited.unwrap_or_else(PoisonError::into_inner).0 == 0
    }
}

impl Worker<'_> {
    /// Wait until `is_new` says so, and give true, or until nobody is at work any more.
    pub fn linger(&self, is_new: impl Fn() -> bool) -> bool {
        self.0.count(|number| number - 1);
        let mut goes_on = false;
        while !goes_on && self.0.begun.elapsed() < LONGEST && !self.0.is_done() {
            goes_on = is_new();
        }
        self.0.count(|number| number + 1);
        goes_on
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        self.0.count(|number| number - 1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn who_is_done_looks_until_something_new_came_or_the_last_is_done() {
        let (at_work, came) = (AtWork::default(), AtomicBool::new(false));
        let is_new = || came.swap(false, Ordering::AcqRel);
        let first = at_work.begin();
        assert!(!first.linger(is_new), "alone there is nobody to wait for");
        let second = at_work.begin();
        thread::scope(|scope| {
            let waits = scope.spawn(|| (first.linger(is_new), first.linger(is_new)));
            thread::sleep(2 * LOOK);
            came.store(true, Ordering::Release);
            while came.load(Ordering::Acquire) {
                thread::sleep(LOOK);
            }
            assert!(!waits.is_finished());
            drop(second);
            assert_eq!(waits.join().unwrap(), (true, false));
        });
    }
}
