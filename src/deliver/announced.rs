//! Attempts that root announced as tests (see [`Class::Test`]): what that process fails within a minute at
//! that service is counted as a test, and is in no alert.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::event::{Class, Event};

const LASTS: SignedDuration = SignedDuration::from_secs(60);
/// More at once nobody announces.
const MOST: usize = 32;

/// The announcements that may still count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Announced(Vec<(Timestamp, u32, String)>);

impl Announced {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Remember the announcement.
    pub fn note(&mut self, event: &Event) {
        debug_assert_eq!(event.class, Class::Test);
        self.0.retain(|(time, ..)| is_within(*time, event.time));
        if self.0.len() == MOST {
            self.0.remove(0);
        }
        self.0.push((event.time, event.pid, place(event)));
    }

    /// Whether this failure was announced.
    pub fn covers(&self, failure: &Event) -> bool {
        self.0.iter().any(|(time, pid, at)| {
            *pid != 0 && *pid == failure.pid && is_within(*time, failure.time) && *at == place(failure)
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

fn is_within(announced: Timestamp, time: Timestamp) -> bool {
    let since = time.duration_since(announced);
    !since.is_negative() && since <= LASTS
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
    fn old_announcements_are_forgotten_and_there_is_an_end_to_them() {
        let mut announced = Announced::default();
        for pid in 1..100 {
            announced.note(&at(0, pid, "su", Class::Test));
        }
        assert_eq!(announced.0.len(), MOST);
        announced.note(&at(100, 1, "su", Class::Test));
        assert_eq!(announced.0.len(), 1);
    }
}
