//! Whoever is done lingers while others of the pass are at work, and looks again: a receiver may wait a minute for its
//! service, and what starts a pass starts no second one beside it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// So often it is looked whether something new came; in a flood each look finds something, and writes a state.
const LOOK: Duration = Duration::from_millis(200);
/// After so long a pass ends as soon as each is done: two that always find something new would keep each other for ever.
const LONGEST: Duration = Duration::from_secs(120);

/// How many of a pass are at work, and since when it runs.
#[derive(Debug)]
pub struct AtWork {
    number: AtomicUsize,
    begun: Instant,
}

impl Default for AtWork {
    fn default() -> Self {
        Self { number: AtomicUsize::new(0), begun: Instant::now() }
    }
}

/// One that is at work until this is dropped.
#[derive(Debug)]
pub struct Worker<'a>(&'a AtWork);

impl AtWork {
    /// One more is at work. Said for those that will begin before the first does, which would not wait for them.
    pub fn begin(&self) -> Worker<'_> {
        self.number.fetch_add(1, Ordering::AcqRel);
        Worker(self)
    }
}

impl Worker<'_> {
    /// Wait until `is_new` says so, and give true, or until nobody is at work any more.
    pub fn linger(&self, is_new: impl Fn() -> bool) -> bool {
        let AtWork { number, begun } = self.0;
        number.fetch_sub(1, Ordering::AcqRel);
        let mut goes_on = false;
        while !goes_on && number.load(Ordering::Acquire) > 0 && begun.elapsed() < LONGEST {
            thread::sleep(LOOK);
            goes_on = is_new();
        }
        number.fetch_add(1, Ordering::AcqRel);
        goes_on
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        self.0.number.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

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
