//! Attempts that root announced as tests (see [`Class::Test`]): what that process fails within a minute at
//! that service is counted as a test, and is in no alert.

use std::io;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::event::{Class, Event, Route};
use crate::journal::Journal;

const LASTS: SignedDuration = SignedDuration::from_secs(60);
/// A log may keep whole seconds: its line seems to be from before the announcement.
const WHOLE_SECOND: SignedDuration = SignedDuration::from_secs(1);
/// What a log tells is recorded later than what the module does: a source that was replaced is read back so far.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// More in a day nobody announces.
const MOST: usize = 32;
/// Nor more as long as the journal remembers.
const MOST_OF_JOURNAL: usize = 1024;

/// The announcements that may still count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Announced(Vec<(Timestamp, u32, String)>);

impl Announced {
    /// All that the journal knows of, for who reads a log that is as old.
    pub fn of_journal(journal: &Journal) -> io::Result<Self> {
        let mut all = Self::default();
        journal.read_since(Timestamp::MIN, &mut |event| {
            if event.class == Class::Test {
                all.add(&event, MOST_OF_JOURNAL);
            }
        })?;
        Ok(all)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Remember the announcement.
    pub fn note(&mut self, event: &Event) {
        debug_assert_eq!(event.class, Class::Test);
        self.0.retain(|(time, ..)| event.time.duration_since(*time) <= KEPT);
        self.add(event, MOST);
    }

    fn add(&mut self, event: &Event, most: usize) {
        if self.0.len() >= most {
            self.0.remove(0);
        }
        self.0.push((event.time, event.pid, place(event)));
    }

    /// Whether this failure was announced.
    pub fn covers(&self, failure: &Event) -> bool {
        let early = if failure.route == Route::Log { WHOLE_SECOND } else { SignedDuration::ZERO };
        self.0.iter().any(|(time, pid, at)| {
            *pid != 0
                && *pid == failure.pid
                && (-early..=LASTS).contains(&failure.time.duration_since(*time))
                && *at == place(failure)
        })
    }
}

/// The service, and the machine where that is another one: what one of a fleet announces is its own matter.
fn place(event: &Event) -> String {
    match event.host.as_str() {
        "" => event.service.clone(),
        host => format!("{host} {}", event.service),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::summary::tests::failure;

    fn at(second: i64, pid: u32, service: &str, class: Class) -> Event {
        Event { pid, service: service.into(), class, ..failure(second, "root", "") }
    }

    #[test]
    fn what_the_announced_process_fails_there_within_a_minute_is_a_test_and_nothing_else_is() {
        let mut announced = Announced::default();
        announced.note(&at(0, 17, "su", Class::Test));
        let covered = |second, pid, service| announced.covers(&at(second, pid, service, Class::Failure));
        assert!(covered(0, 17, "su") && covered(60, 17, "su"));
        assert!(!covered(61, 17, "su") && !covered(-1, 17, "su"));
        assert!(!covered(5, 18, "su") && !covered(5, 17, "sudo"));
        let mut nobody = Announced::default();
        nobody.note(&at(0, 0, "su", Class::Test));
        assert!(!nobody.covers(&at(1, 0, "su", Class::Failure)));
    }

    #[test]
    fn what_a_log_tells_of_a_test_is_one_too_in_whole_seconds_and_long_after() {
        let mut announced = Announced::default();
        let of_log = |second, pid| Event { route: Route::Log, ..at(second, pid, "sudo", Class::Failure) };
        announced.note(&at(10, 17, "sudo", Class::Test));
        assert!(announced.covers(&of_log(9, 17)) && announced.covers(&of_log(70, 17)));
        assert!(!announced.covers(&of_log(8, 17)) && !announced.covers(&of_log(71, 17)));
        assert!(!announced.covers(&of_log(12, 18)));
        // It is recorded when another test is announced.
        announced.note(&at(900, 99, "su", Class::Test));
        assert!(announced.covers(&of_log(12, 17)));
    }

    #[test]
    fn all_that_the_journal_knows_counts_for_a_log() {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::new(state.path());
        assert!(Announced::of_journal(&journal).is_ok_and(|none| none.is_empty()));
        std::fs::create_dir(journal.directory()).unwrap();
        let tests: Vec<Event> = (1..100).map(|n| at(i64::from(n) * 90_000, n, "sudo", Class::Test)).collect();
        journal.append(&tests).unwrap();
        let announced = Announced::of_journal(&journal).unwrap();
        assert!(tests.iter().all(|test| announced.covers(&Event { class: Class::Failure, ..test.clone() })));
    }

    #[test]
    fn old_announcements_are_forgotten_and_there_is_an_end_to_them() {
        let mut announced = Announced::default();
        for pid in 1..100 {
            announced.note(&at(0, pid, "su", Class::Test));
        }
        assert_eq!(announced.0.len(), MOST);
        announced.note(&at(100_000, 1, "su", Class::Test));
        assert_eq!(announced.0.len(), 1);
    }
}
