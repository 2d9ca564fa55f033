//! Members that are not heard of: authalert itself reports them, by a list that it reads.

use std::io;

use authalert::storage;
use jiff::{SignedDuration, Timestamp};

use super::state::State;
use crate::place::Place;

/// A member that has nothing to say says so each hour.
pub const SILENT: SignedDuration = SignedDuration::from_hours(24);

/// Write the list of silent members.
pub fn look(place: &Place, state: &State) -> io::Result<()> {
    let now = Timestamp::now();
    let silent = |heard: Timestamp| now.duration_since(heard) >= SILENT;
    let names: String = state
        .members
        .iter()
        .filter(|(_, member)| silent(member.heard))
        .map(|(name, _)| format!("{name}\n"))
        .collect();
    let file = place.state_file(authalert::deliver::hub::SILENT);
    let before = storage::read(&file).unwrap_or_default();
    if before == names.as_bytes() { Ok(()) } else { storage::replace(&file, names.as_bytes()) }
}
