//! The single failures behind a receiver's number of pending ones.
//!
//! A receiver's state holds only their counts. Which they are follows from the journal: everything that is
//! pending there, recorded since the place up to which its newest delivered alert reaches.

use std::io;
use std::path::Path;

use crate::accounts::Accounts;
use crate::config::{self, Config};
use crate::event::{Class, Event};
use crate::journal::read::{self, Line};
use crate::journal::{Journal, segment, spill};

use super::Policy;
use super::announced::Announced;
use super::follow::belongs;
use super::history::History;
use super::intake::{Rules, is_ignored};
use super::place::Place;
use super::route::Routes;
use super::state::Cursor;

/// Hand every failure that `receiver` has not been sent to `each`; none named: the first one. `None` where there
/// is no receiver of that name.
pub fn unsent(
    directory: &Path,
    config: &Config,
    receiver: Option<&str>,
    each: &mut dyn FnMut(Event),
) -> io::Result<Option<()>> {
    let routes = Routes::of(config);
    let named = |r: &&config::Receiver| receiver.is_none_or(|name| r.name == name);
    let Some(receiver) = routes.receivers.iter().find(named) else { return Ok(None) };
    let policy = Policy::from(&config.alerts_of(receiver));
    let rules = Rules { ignore: &config.ignore, policy: &policy, receiver, by_hub: false };
    let (mut announced, mut accounts) = (Announced::default(), Accounts::in_login());
    let mut take = |event: Event| match event.class {
        Class::Test => announced.note(&event),
        Class::Failure if !announced.covers(&event) && !is_ignored(&event, rules.ignore) => {
            if rules.includes(&event, accounts.tried(&event)) {
                each(event);
            }
        }
        Class::Failure | Class::Aborted | Class::Login => {}
    };
    let journal = Journal::new(directory);
    let sent = sent_up_to(&Place::new(directory, &receiver.name))?;
    for segment in segment::list(journal.directory())? {
        let from = sent.iter().find(|cursor| belongs(cursor, &segment)).map_or(0, |cursor| cursor.offset);
        read::read(&segment, from.min(segment.size), &mut |_, line| {
            if let Line::Event(event) = line {
                take(*event);
            }
        })?;
    }
    spill::waiting(&journal)?.into_iter().for_each(|spilled| take(spilled.failure));
    Ok(Some(()))
}

/// Where the journal was read to when the newest alert that covers failures was composed.
fn sent_up_to(place: &Place) -> io::Result<Vec<Cursor>> {
    let mut cursors = Vec::new();
    History::of(place).read(0, &mut |entry| {
        if let Some(entry) = entry.filter(|entry| entry.failures > 0) {
            cursors = entry.cursors;
        }
    })?;
    Ok(cursors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::{Context, Request, deliver, prepare};
    use crate::message::summary::tests::failure;

    fn names(state: &Path, config: &Config) -> Vec<String> {
        let mut names = Vec::new();
        unsent(state, config, None, &mut |event| names.push(event.user)).unwrap().unwrap();
        names
    }

    #[test]
    fn what_a_delivered_alert_covers_is_sent_and_what_came_later_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        prepare(&state).unwrap();
        let file = directory.path().join("config.toml");
        std::fs::write(&file, "receiver = \"timeline\"\n[ignore]\nusers = [\"nagios\"]\n").unwrap();
        let config = Config::load(Some(&file)).unwrap();
        let journal = Journal::new(&state);
        let aborted = Event { class: Class::Aborted, ..failure(3, "carol", "192.0.2.7") };
        let first = [failure(1, "root", "192.0.2.7"), failure(2, "nagios", "192.0.2.7"), aborted];
        journal.append(&first).unwrap();
        assert_eq!(names(&state, &config), ["root"]);
        deliver(&Request::new(&state, Some(&file), Context::Command)).unwrap();
        assert_eq!(names(&state, &config), [""; 0]);
        journal.append(&[failure(4, "root", "192.0.2.8"), failure(5, "mail", "192.0.2.8")]).unwrap();
        deliver(&Request::new(&state, Some(&file), Context::Command)).unwrap();
        assert_eq!(names(&state, &config), ["root", "mail"], "read, and its turn has not come");
        assert!(unsent(&state, &config, Some("none"), &mut |_| {}).unwrap().is_none());
    }
}
