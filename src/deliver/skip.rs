//! Numbers that a state from before would give out a second time.

use std::io;
use std::path::Path;

use super::lock::Lock;
use super::place::Place;
use super::request::PATIENCE;
use super::state::State;

/// More messages than a receiver is sent between two copies of a state: a year of full days.
const ROUND: u64 = 20_000;

/// Let the messages of all receivers go on with the next round number. For a state that is a copy from before: what was
/// sent since then has numbers that it does not know, and a service that knows a repeat by its key would take new
/// messages under these for what it has already. One that waits keeps its own.
///
/// # Errors
///
/// Also where a pass over a receiver goes on for so long that this would hold up the caller.
pub fn skip_numbers(state: &Path) -> io::Result<()> {
    for name in Place::all(state)? {
        let place = Place::new(state, &name);
        let Some(lock) = Lock::take(&place, PATIENCE)? else {
            return Err(io::Error::other(format!("a pass over {name} is running; try again")));
        };
        let Some(loaded) = State::load(&place, false)? else { continue };
        let mut state = loaded.state;
        if state.last_id > 0 {
            state.last_id = (state.last_id / ROUND + 1) * ROUND;
            lock.token().check()?;
            state.save(&place, lock.token().epoch())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::{lock, prepare};

    #[test]
    fn numbers_go_on_where_no_message_was_before() {
        let directory = tempfile::tempdir().unwrap();
        prepare(directory.path()).unwrap();
        std::fs::create_dir_all(Place::new(directory.path(), "x").directory()).unwrap();
        let numbers = [("new", 0, 0), ("ntfy", 18, 20_000), ("x", 20_017, 40_000)];
        for (name, before, _) in numbers {
            let place = Place::new(directory.path(), name);
            lock::prepare(&place).unwrap();
            State { last_id: before, ..State::default() }.save(&place, 0).unwrap();
        }
        skip_numbers(directory.path()).unwrap();
        for (name, _, after) in numbers {
            let loaded = State::load(&Place::new(directory.path(), name), true).unwrap().unwrap();
            assert_eq!(loaded.state.last_id, after, "{name}");
        }
    }
}
