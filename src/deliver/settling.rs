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

const MOMENT: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(50);
/// What started us is that new; it is read from that far before the end.
const NEW: SignedDuration = SignedDuration::from_secs(10);
const TAIL: u64 = 64 << 10;

/// Wait for [`MOMENT`], or until a login is recorded.
pub fn settle(state: &Path) {
    let directory = Journal::new(state).directory().to_path_buf();
    let (begun, mut read) = (Instant::now(), Vec::new());
    let since = Timestamp::now().checked_sub(NEW).unwrap_or(Timestamp::UNIX_EPOCH);
    loop {
        let segments = segment::list(&directory).unwrap_or_default();
        if segments.iter().any(|segment| has_login(segment, &mut read, since)) || begun.elapsed() >= MOMENT {
            return;
        }
        thread::sleep(LOOK);
    }
}

/// Whether a login was recorded there since the last look, or at the first one since `since`. `read`: inode of each
/// segment, and how far it was read.
fn has_login(segment: &Segment, read: &mut Vec<(u64, u64)>, since: Timestamp) -> bool {
    let at = read.iter().position(|(inode, _)| *inode == segment.inode).unwrap_or_else(|| {
        // Perhaps in the middle of a line, which is no record then.
        read.push((segment.inode, segment.size.saturating_sub(TAIL)));
        read.len() - 1
    });
    if read[at].1 >= segment.size {
        return false;
    }
    let mut found = false;
    let mut look = |_, line| {
        if let Line::Event(event) = line {
            found |= event.class == Class::Login && event.time >= since;
        }
    };
    if let Ok(end) = read::read(segment, read[at].1, &mut look) {
        read[at].1 = end;
    }
    found
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
            settle(state.path());
            begun.elapsed()
        };
        assert!(waited() >= MOMENT);
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(300));
                journal.append(&[now(Class::Login)]).unwrap();
            });
            let waited = waited();
            assert!(waited >= Duration::from_millis(300) && waited < Duration::from_secs(2), "{waited:?}");
        });
        assert!(waited() < Duration::from_secs(1), "it is there already");
    }
}
