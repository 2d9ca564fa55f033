//! Whether what the journal has up to a place is settled with every receiver: then its loss would cost no alert.

use std::io;
use std::path::Path;

use crate::config::{self, Config};
use crate::journal::Journal;
use crate::journal::segment::{self, Segment};

use super::follow::is_ahead;
use super::place::Place;
use super::route::Routes;
use super::state::{Cursor, State};

/// Whether each receiver has everything that it is to have of the journal up to `until`. The timeline, a file beside the
/// journal, is left out.
pub fn is_settled(state: &Path, config: Option<&Path>, until: &[Cursor]) -> io::Result<bool> {
    let config = Config::load(config).map_err(|e| io::Error::other(e.to_string()))?;
    let segments = segment::list(Journal::new(state).directory())?;
    for receiver in Routes::of(&config).receivers.iter().filter(|r| r.name != config::TIMELINE) {
        let loaded = State::load(&Place::new(state, &receiver.name), true)?;
        if !loaded.is_some_and(|loaded| has_settled(&loaded.state, until, &segments)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn has_settled(state: &State, until: &[Cursor], segments: &[Segment]) -> bool {
    // A finding about a login may wait longer than the failures around it.
    let has_findings = !state.queue.is_empty() || !state.findings.is_empty();
    let is_waiting = state.alert.is_some() || !state.pending.is_empty();
    let settled_to = if is_waiting { &state.settled_to } else { &state.cursors };
    !has_findings && !is_ahead(until, settled_to, segments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::{follow, prepare};
    use crate::message::summary::tests::failure;

    #[test]
    fn what_waits_is_not_settled_and_what_came_before_it_is() {
        let directory = tempfile::tempdir().unwrap();
        prepare(directory.path()).unwrap();
        let journal = Journal::new(directory.path());
        let end = || {
            let (mut cursors, segments) = (Vec::new(), segment::list(journal.directory()).unwrap());
            follow::follow(&mut cursors, &segments, None, &mut |_| {}).unwrap();
            (cursors, segments)
        };
        journal.append(&[failure(0, "alice", "192.0.2.7")]).unwrap();
        let (first, _) = end();
        journal.append(&[failure(1, "alice", "192.0.2.7")]).unwrap();
        let (second, segments) = end();
        let settled = |state: &State| [&first, &second].map(|until| has_settled(state, until, &segments));
        let mut state = State::default();
        assert_eq!(settled(&state), [false, false], "nothing was read");
        state.cursors = first.clone();
        assert_eq!(settled(&state), [true, false], "nothing waits of the first");
        (state.cursors, state.settled_to) = (second.clone(), first.clone());
        state.pending.add_dropped(1);
        assert_eq!(settled(&state), [true, false], "the second waits");
        state.pending = Default::default();
        assert_eq!(settled(&state), [true, true]);
    }
}
