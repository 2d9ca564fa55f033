//! A new state, and where the batches of each epoch are.

use std::io;
use std::path::PathBuf;

use authalert::deliver::follow_some;
use authalert::deliver::hub::Link;
use authalert::journal::{Journal, segment};

use super::outbox::Outbox;
use super::state::State;
use crate::place::Place;
use crate::protocol::Epoch;

/// Batches are kept by epoch.
const OUTBOX: &str = "outbox-";

/// Where the batches of an epoch are.
pub fn directory_of(place: &Place, epoch: Epoch) -> PathBuf {
    place.state_file(&format!("{OUTBOX}{epoch}"))
}

/// The epochs of which there are batches.
pub fn outboxes(place: &Place) -> io::Result<Vec<(Epoch, PathBuf)>> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(place.state_file(""))? {
        let file = file?;
        let name = file.file_name().to_string_lossy().into_owned();
        if let Some(epoch) = name.strip_prefix(OUTBOX).and_then(Epoch::parse) {
            found.push((epoch, file.path()));
        }
    }
    Ok(found)
}

/// Remove the batches of all epochs.
pub fn remove_all(place: &Place) -> io::Result<()> {
    outboxes(place)?.into_iter().try_for_each(|(_, path)| std::fs::remove_dir_all(path))
}

/// Remove the batches of all epochs but this one.
pub fn remove_others(place: &Place, epoch: Epoch) -> io::Result<()> {
    for (_, path) in outboxes(place)?.into_iter().filter(|(other, _)| *other != epoch) {
        std::fs::remove_dir_all(path)?;
    }
    Ok(())
}

/// A new state: from now on; where there was one before that cannot be read, from where batches and link say.
pub fn begin(place: &Place, link: Option<&Link>) -> io::Result<State> {
    for (epoch, path) in outboxes(place)? {
        let outbox = Outbox::open(&path)?;
        let Some(newest) = outbox.entries().last() else { continue };
        let (head, _) = outbox.read(newest)?;
        let mut state = State::new(head.cursors)?;
        state.member.epoch = epoch;
        state.member.begun = true;
        // The hub may have more; what it has it passes over.
        state.member.gone = outbox.entries().first().map_or(0, |entry| entry.first - 1);
        state.member.watermark = state.member.gone;
        (state.next, state.lost) = (newest.last + 1, head.lost);
        return Ok(state);
    }
    let mut cursors = link.map(|link| link.until().to_vec()).unwrap_or_default();
    if link.is_none() {
        let segments = segment::list(Journal::new(&place.state).directory())?;
        follow_some(&mut cursors, &segments, None, u64::MAX, &mut |_| {})?;
    }
    State::new(cursors)
}
