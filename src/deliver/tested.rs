//! A test message that a receiver took shows that what kept alerts from it is over.

use std::io;
use std::path::Path;

use super::Notice;
use super::lock::Lock;
use super::outage::Kind;
use super::place::Place;
use super::request::PATIENCE;
use super::state::State;

/// The receiver called `name` took a test message: its outage ends, and what waits goes out with the next pass, within
/// the bounded rate of requests. One in which it refuses texts stays: a test has another text. Where a pass is at it, that
/// one sees to it.
pub fn came_through(state: &Path, name: &str) -> io::Result<()> {
    let place = Place::new(state, name);
    if !State::load(&place, true)?.is_some_and(|loaded| is_over(&loaded.state)) {
        return Ok(());
    }
    let Some(lock) = Lock::take(&place, PATIENCE)? else { return Ok(()) };
    // One that has to be found again from the history is a pass's.
    let loaded = State::load(&place, true)?.filter(|loaded| !loaded.recovered && is_over(&loaded.state));
    let Some(mut state) = loaded.map(|loaded| loaded.state) else { return Ok(()) };
    let Some(outage) = state.outage.take() else { return Ok(()) };
    lock.token().check()?;
    state.save(&place, lock.token().epoch())?;
    // Syslog may block, and nobody should wait for it with the lock held.
    drop(lock);
    Notice::info(format!("a test message came through to {name}; since {}: {}", outage.since, outage.why))
        .send();
    Ok(())
}

fn is_over(state: &State) -> bool {
    state.outage.as_ref().is_some_and(|outage| outage.kind != Kind::Refused)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::deliver::outage::Outage;
    use crate::deliver::{Moment, lock, prepare};

    #[test]
    fn a_test_that_came_through_ends_what_it_disproves_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        prepare(directory.path()).unwrap();
        came_through(directory.path(), "nobody").unwrap();
        std::fs::create_dir_all(Place::new(directory.path(), "x").directory()).unwrap();
        for (kind, stays) in [
            (Kind::Config, false),
            (Kind::Credentials, false),
            (Kind::Network, false),
            (Kind::Unclear, false),
            (Kind::Limited, false),
            (Kind::Paused, false),
            (Kind::Stopped, false),
            (Kind::Refused, true),
        ] {
            let name = format!("{kind:?}").to_lowercase();
            let place = Place::new(directory.path(), &name);
            lock::prepare(&place).unwrap();
            let now = (Moment(0), Timestamp::UNIX_EPOCH);
            let outage = Outage::record(None, kind, "why".into(), now, None, String::new()).0;
            let mut before = State { outage: Some(outage), last_id: 7, ..State::default() };
            before.save(&place, 0).unwrap();
            came_through(directory.path(), &name).unwrap();
            let after = State::load(&place, true).unwrap().unwrap().state;
            assert_eq!((after.outage.is_some(), after.last_id), (stays, 7), "{kind:?}");
        }
    }
}
