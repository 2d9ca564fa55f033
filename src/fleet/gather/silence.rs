//! Lists that authalert itself reads: members that are not heard of, which it reports; and those that are none any more, of
//! which nothing speaks against a login.

use std::io;

use authalert::deliver::hub;
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
    let silent = state.members.iter().filter(|(_, member)| silent(member.heard));
    write(place, hub::SILENT, silent.map(|(name, _)| name.as_str()))
}

/// Write the list of those that were members.
pub fn list_gone(place: &Place, state: &State, is_member: impl Fn(&str) -> bool) -> io::Result<()> {
    write(place, hub::GONE, state.cursors.members().filter(|name| !is_member(name)))
}

fn write<'a>(place: &Place, name: &str, names: impl Iterator<Item = &'a str>) -> io::Result<()> {
    let names: String = names.map(|name| format!("{name}\n")).collect();
    let file = place.state_file(name);
    let before = storage::read(&file).unwrap_or_default();
    if before == names.as_bytes() { Ok(()) } else { storage::replace(&file, names.as_bytes()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Epoch;

    #[test]
    fn who_was_put_out_is_listed_until_it_is_let_in_again() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().to_path_buf();
        let place = Place { configuration: state.join("fleet"), state, config: None };
        place.prepare().unwrap();
        let mut state = State::load(&place).unwrap();
        ["web1", "web2", "web3"].into_iter().for_each(|name| state.cursors.counted(name, Epoch(1), 3));
        let listed = |state: &State, members: &[&str]| {
            list_gone(&place, state, |name| members.contains(&name)).unwrap();
            std::fs::read_to_string(place.state_file(hub::GONE)).unwrap()
        };
        assert_eq!(listed(&state, &["web2"]), "web1\nweb3\n");
        assert_eq!(listed(&state, &["web2", "web3", "web4"]), "web1\n");
        assert_eq!(listed(&state, &["web1", "web2", "web3"]), "");
    }
}
