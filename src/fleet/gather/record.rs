//! Items of members as records of the hub's own journal: bounded and made neutral here once more, as a member may lie.

use std::io;
use std::os::unix::fs::MetadataExt;

use authalert::accounts::member::Origin;
use authalert::event::{Event, Route};
use authalert::journal::{CURRENT, Journal, segment};
use jiff::{SignedDuration, Timestamp};

use crate::protocol::{Epoch, Item, Name};

/// A row of a log may stand for some, where syslog counted repetitions. Beyond this a member has to send more items: one
/// that lies shall not outweigh the evidence about the others with a few.
const MOST_IN_ONE: u32 = 100;
/// A member's clock may be off by so much; what is later happened now.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);
/// What is older happened then.
const OLDEST: SignedDuration = SignedDuration::from_hours(24 * 366);

/// One item, as it is recorded. `number` is its place in the member's `epoch`.
pub fn event_of(member: &Name, epoch: Epoch, number: u64, item: Item, now: Timestamp) -> Event {
    let Item { event, user, ruser, told } = item;
    let latest = now.checked_add(AHEAD).map_or(event.time, |latest| event.time.min(latest));
    let most = match event.route {
        Route::Pam => 1,
        Route::Log => MOST_IN_ONE,
    };
    let oldest = now.checked_sub(OLDEST).unwrap_or(Timestamp::UNIX_EPOCH);
    Event {
        time: latest.max(oldest),
        // Whatever it says of machines: the engine lets nobody else write under this name.
        host: member.to_string(),
        count: event.count.clamp(1, most),
        origin: Some(Origin { epoch: epoch.0, number, user, ruser, told }.to_string()),
        ..event
    }
}

/// Record as many of them as there is room for, in order; on disk when it returns. What is left, and why.
pub fn record<'a>(journal: &Journal, events: &'a [Event]) -> (&'a [Event], io::Result<()>) {
    let before = current(journal);
    let (recorded, result) = journal.append_as_fits(events);
    let synced = if current(journal) == before { Ok(()) } else { sync_all(journal) };
    (events.get(recorded..).unwrap_or_default(), result.and(synced))
}

/// The segment that records go to.
fn current(journal: &Journal) -> Option<u64> {
    std::fs::metadata(journal.directory().join(CURRENT)).ok().map(|meta| meta.ino())
}

/// It was sealed meanwhile: some of them may be in the one before.
fn sync_all(journal: &Journal) -> io::Result<()> {
    for segment in segment::list(journal.directory())? {
        if let Some(file) = segment.open()? {
            file.sync_data()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use authalert::accounts::AccountKind;

    use super::*;

    fn item(text: &str) -> Item {
        Item {
            event: serde_json::from_str(text).unwrap(),
            user: AccountKind::Existing,
            ruser: AccountKind::Unknown,
            told: false,
        }
    }

    fn recorded(text: &str) -> Event {
        let now: Timestamp = "2026-01-05T12:00:00Z".parse().unwrap();
        event_of(&Name::new("web1").unwrap(), Epoch(7), 5, item(text), now)
    }

    #[test]
    fn a_member_speaks_for_itself_alone() {
        let event = recorded(
            r#"{"time":"2026-01-05T11:00:00Z","host":"db1","route":"pam","class":"failure","service":"sshd","user":"alice","origin":"fleet:8:1:rr"}"#,
        );
        assert_eq!(event.host, "web1");
        let origin = Origin::of(&event).unwrap();
        assert_eq!((origin.epoch, origin.number, origin.user), (7, 5, AccountKind::Existing));
    }

    #[test]
    fn what_it_says_of_time_and_number_is_bounded() {
        let at = |time: &str, route: &str, count: u32| {
            recorded(&format!(
                r#"{{"time":"{time}","route":"{route}","class":"failure","service":"sshd","count":{count}}}"#
            ))
        };
        assert_eq!(at("2099-01-01T00:00:00Z", "pam", 1).time.to_string(), "2026-01-05T12:05:00Z");
        assert_eq!(at("1970-01-01T00:00:00Z", "pam", 1).time.to_string(), "2025-01-04T12:00:00Z");
        for (route, said, count) in [
            ("pam", 0, 1),
            ("pam", 2, 1),
            ("pam", u32::MAX, 1),
            ("log", 0, 1),
            ("log", 6, 6),
            ("log", 100, 100),
            ("log", 101, 100),
            ("log", u32::MAX, 100),
        ] {
            assert_eq!(at("2026-01-01T00:00:00Z", route, said).count, count, "{route} {said}");
        }
    }

    #[test]
    fn what_is_recorded_is_neutral_and_bounded_whatever_was_sent() {
        let state = tempfile::tempdir().unwrap();
        std::fs::create_dir(state.path().join("journal")).unwrap();
        let journal = Journal::new(state.path());
        let foul = format!("a\\u001b[31m\\n\\u202e{}", "x".repeat(1000));
        let text = format!(
            r#"{{"time":"2026-01-05T11:00:00Z","route":"pam","class":"failure","service":"{foul}","user":"{foul}","rhost":"{foul}","tty":"{foul}","ruser":"{foul}"}}"#
        );
        record(&journal, &[recorded(&text)]).1.unwrap();
        let mut read = Vec::new();
        journal.read_since(Timestamp::UNIX_EPOCH, &mut |event| read.push(event)).unwrap();
        let Event { service, user, rhost, tty, ruser, .. } = &read[0];
        for field in [service, user, rhost, tty, ruser] {
            assert!(
                field.chars().all(authalert::neutral::is_visible) && field.chars().count() <= 64,
                "{field}"
            );
        }
    }
}
