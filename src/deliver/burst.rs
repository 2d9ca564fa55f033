//! Waiting a moment before a pass, so that one run covers a burst, and the module's own worker comes first. Whoever
//! is in after failures is not waited for.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use crate::event::Class;
use crate::journal::Journal;
use crate::journal::read::{self, Line};
use crate::journal::segment::{self, Segment};

/// How long the first ones are waited for: the module's own worker begins within it, where there is one.
const FIRST: Duration = Duration::from_millis(150);
/// How long a burst is.
const MOMENT: Duration = Duration::from_secs(3);
/// More records than a few people make within [`MOMENT`].
const BURST: usize = 4;
const LOOK: Duration = Duration::from_millis(50);
/// What started us is that new; it is read from that far before the end.
const NEW: SignedDuration = SignedDuration::from_secs(10);
const TAIL: u64 = 64 << 10;

/// Wait for [`FIRST`], in a burst for [`MOMENT`]; or until a login is recorded.
pub fn wait_for_burst(state: &Path) {
    let directory = Journal::new(state).directory().to_path_buf();
    let now = Timestamp::now();
    let before = |by: SignedDuration| now.checked_sub(by).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut tail = Tail {
        logins_since: before(NEW),
        burst_since: before(MOMENT.try_into().unwrap_or(NEW)),
        ..Tail::default()
    };
    let begun = Instant::now();
    loop {
        for segment in segment::list(&directory).unwrap_or_default() {
            tail.look(&segment);
        }
        let patience = if tail.recent > BURST { MOMENT } else { FIRST };
        if tail.has_login || begun.elapsed() >= patience {
            return;
        }
        thread::sleep(LOOK);
    }
}

/// What came lately.
#[derive(Debug, Default)]
struct Tail {
    logins_since: Timestamp,
    burst_since: Timestamp,
    /// Inode of each segment, and how far it was read.
    read: Vec<(u64, u64)>,
    has_login: bool,
    recent: usize,
}

impl Tail {
    fn look(&mut self, segment: &Segment) {
        let at = self.read.iter().position(|(inode, _)| *inode == segment.inode).unwrap_or_else(|| {
            // Perhaps in the middle of a line, which is no record then.
            self.read.push((segment.inode, segment.size.saturating_sub(TAIL)));
            self.read.len() - 1
        });
        if self.read[at].1 >= segment.size {
            return;
        }
        let (mut has_login, mut recent) = (false, 0);
        let mut look = |_, line| {
            if let Line::Event(event) = line {
                has_login |= event.class == Class::Login && event.time >= self.logins_since;
                recent += usize::from(event.time >= self.burst_since);
            }
        };
        if let Ok(end) = read::read(segment, self.read[at].1, &mut look) {
            self.read[at].1 = end;
        }
        self.has_login |= has_login;
        self.recent += recent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::prepare;
    use crate::event::Event;
    use crate::message::summary::tests::failure;

    #[test]
    fn a_burst_is_waited_for_and_a_login_is_not() {
        let state = tempfile::tempdir().unwrap();
        prepare(state.path()).unwrap();
        let journal = Journal::new(state.path());
        let now = |class| Event { class, time: Timestamp::now(), ..failure(0, "root", "192.0.2.7") };
        let old = Event { class: Class::Login, ..failure(0, "root", "192.0.2.7") };
        journal.append(&[old, now(Class::Failure)]).unwrap();
        let waited = || {
            let begun = Instant::now();
            wait_for_burst(state.path());
            begun.elapsed()
        };
        assert!(waited() < MOMENT, "a single failure");
        journal.append(&vec![now(Class::Failure); BURST]).unwrap();
        assert!(waited() >= MOMENT);
        journal.append(&vec![now(Class::Failure); BURST + 1]).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(300));
                journal.append(&[now(Class::Login)]).unwrap();
            });
            let waited = waited();
            assert!(waited >= Duration::from_millis(300) && waited < MOMENT, "{waited:?}");
        });
        assert!(waited() < MOMENT, "it is there already");
    }
}
