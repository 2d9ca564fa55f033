//! Items of members as records of the hub's own journal: bounded and made neutral here once more, as a member may lie.

use std::collections::HashMap;
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
/// A member's clock may be ahead by so much; what is later still happened now.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);
/// For so long a clock is held to be ahead after it was seen to be.
const SEEN_AHEAD: SignedDuration = SignedDuration::from_hours(1);
/// What is older happened then.
const OLDEST: SignedDuration = SignedDuration::from_hours(24 * 366);

/// By how much the clocks of members are ahead. Nothing happened later than now; and what comes in late is dated by the same
/// clock as the login that it came before, so that clock is set right, and not each time alone.
#[derive(Debug, Default)]
pub struct Clocks(HashMap<Name, Ahead>);

#[derive(Clone, Copy, Debug)]
struct Ahead {
    by: SignedDuration,
    seen: Timestamp,
}

impl Clocks {
    /// When it happened, what `member` says to have happened at `time`.
    pub fn set_right(&mut self, member: &Name, time: Timestamp, now: Timestamp) -> Timestamp {
        let ahead = time.duration_since(now);
        if ahead > AHEAD {
            return now;
        }
        let known = self.0.get(member).filter(|known| now.duration_since(known.seen) <= SEEN_AHEAD).copied();
        let known = known.map_or(SignedDuration::ZERO, |known| known.by);
        let by = known.max(ahead);
        // Less than that does not keep it: a clock that was set right is believed an hour later.
        if ahead.is_positive() && ahead >= known {
            self.0.insert(member.clone(), Ahead { by, seen: now });
        }
        time.checked_sub(by).unwrap_or(time).min(now)
    }
}

/// One item, as it is recorded. `number` is its place in the member's `epoch`.
pub fn event_of(
    (member, epoch, number): (&Name, Epoch, u64),
    item: Item,
    clocks: &mut Clocks,
    now: Timestamp,
) -> Event {
    let Item { event, user, ruser, told, claimed } = item;
    let latest = clocks.set_right(member, event.time, now);
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
        origin: Some(Origin { epoch: epoch.0, number, user, ruser, told, claimed }.to_string()),
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
            claimed: false,
        }
    }

    fn recorded(text: &str) -> Event {
        let now: Timestamp = "2026-01-05T12:00:00Z".parse().unwrap();
        event_of((&Name::new("web1").unwrap(), Epoch(7), 5), item(text), &mut Clocks::default(), now)
    }

    #[test]
    fn what_somebody_claimed_of_himself_at_the_member_is_a_claim_at_the_hub() {
        let login = r#"{"time":"2026-01-05T11:00:00Z","route":"log","class":"login","service":"su","user":"root","ruser":"alice"}"#;
        for claimed in [true, false] {
            let item = Item { claimed, ..item(login) };
            let now: Timestamp = "2026-01-05T12:00:00Z".parse().unwrap();
            let event =
                event_of((&Name::new("web1").unwrap(), Epoch(7), 5), item, &mut Clocks::default(), now);
            assert_eq!(event.is_claimed(), claimed);
        }
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
        for ahead in ["2099-01-01T00:00:00Z", "2026-01-05T12:05:00Z", "2026-01-05T12:00:01Z"] {
            assert_eq!(at(ahead, "pam", 1).time.to_string(), "2026-01-05T12:00:00Z", "{ahead}");
        }
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
    fn what_a_clock_that_is_ahead_says_stays_in_its_order() {
        let start: Timestamp = "2026-01-05T12:00:00Z".parse().unwrap();
        let at = |second: i64| start + SignedDuration::from_secs(second);
        let (mut clocks, web1) = (Clocks::default(), Name::new("web1").unwrap());
        // Its clock is three minutes ahead. The login comes in at once, the failures before it that its scan found, later.
        let login = clocks.set_right(&web1, at(60 + 180), at(60));
        let failure = clocks.set_right(&web1, at(40 + 180), at(150));
        assert_eq!((login, failure), (at(60), at(40)));
        // What is said of another one, and by a clock that is right since, is as it was said.
        assert_eq!(clocks.set_right(&Name::new("web2").unwrap(), at(40), at(150)), at(40));
        assert_eq!(clocks.set_right(&web1, at(7200), at(7300)), at(7200));
        // It was set right, but for the time that the way takes less than it did.
        for hour in 0..4 {
            let now = at(20_000 + hour * 1800);
            clocks.set_right(
                &Name::new("web3").unwrap(),
                now.checked_add(AHEAD / if hour == 0 { 1 } else { 1000 }).unwrap(),
                now,
            );
        }
        assert_eq!(
            clocks.set_right(&Name::new("web3").unwrap(), at(27_000), at(27_000)).duration_since(at(27_000)),
            -(AHEAD / 1000)
        );
        // Who dates something far ahead sets no clock.
        assert_eq!(clocks.set_right(&web1, at(99_999), at(7300)), at(7300));
        assert_eq!(clocks.set_right(&web1, at(7200), at(7300)), at(7200));
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
