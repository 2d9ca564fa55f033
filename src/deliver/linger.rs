//! Whoever is done lingers while others of the pass are at work, and looks again: a receiver may wait a minute for its
//! service, and what starts a pass starts no second one beside it.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So often it is looked whether something new came: in a flood each look finds something, which costs a pass of its own.
const LOOK: Duration = Duration::from_secs(1);
/// After so long nobody waits for who found something new while he lingered: two that always do would keep each other for
/// ever.
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
pub struct Worker<'a> {
    of: &'a AtWork,
    is_counted: bool,
}

impl AtWork {
    /// One more is at work. Said for those that will begin before the first does, which would not wait for them.
    pub fn begin(&self) -> Worker<'_> {
        self.count(|number| number + 1);
        Worker { of: self, is_counted: true }
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
    pub fn linger(&mut self, is_new: impl Fn() -> bool) -> bool {
        self.leave();
        while !self.of.is_done() {
            if is_new() {
                if self.of.begun.elapsed() < LONGEST {
                    self.of.count(|number| number + 1);
                    self.is_counted = true;
                }
                return true;
            }
        }
        false
    }

    fn leave(&mut self) {
        if std::mem::take(&mut self.is_counted) {
            self.of.count(|number| number - 1);
        }
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        self.leave();
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
        let mut first = at_work.begin();
        assert!(!first.linger(is_new), "alone there is nobody to wait for");
        let (second, mut first) = (at_work.begin(), at_work.begin());
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

    #[test]
    fn one_that_is_at_work_for_very_long_is_lingered_for_and_who_lingered_is_then_not_waited_for() {
        let begun = Instant::now().checked_sub(LONGEST).unwrap();
        let at_work = AtWork { begun, ..AtWork::default() };
        let (mut first, mut second, third) = (at_work.begin(), at_work.begin(), at_work.begin());
        assert!(first.linger(|| true) && second.linger(|| true), "the third is at work");
        drop(third);
        assert!(!first.linger(|| true), "the second found something new, which is nothing to wait for");
    }
}
