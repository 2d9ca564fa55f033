//! The single failures behind a receiver's number of pending ones.
//!
//! A receiver's state holds only their counts. Which they are follows from the journal: everything that pends there
//! behind the place up to which all is settled.

use std::io;
use std::path::Path;

use crate::accounts::Accounts;
use crate::config::{self, Config};
use crate::event::{Class, Event};

use super::Policy;
use super::announced::Announced;
use super::follow::{Found, follow};
use super::intake::{Rules, is_ignored};
use super::route::Routes;
use super::status::Reading;

/// What is pending for one receiver.
#[derive(Clone, Debug, Default)]
pub struct Unsent {
    /// The receiver.
    pub receiver: String,
    /// Each failure, in the order of the journal.
    pub failures: Vec<Event>,
    /// How many failures `status` counts at the same moment. It is another number only where the settings changed
    /// since a pass read them, or where their records are gone.
    pub counted: u64,
}

/// Every failure that `receiver` has not been sent; none named: the first one. `None` where there is no receiver of
/// that name.
pub fn unsent(directory: &Path, config: &Config, receiver: Option<&str>) -> io::Result<Option<Unsent>> {
    let routes = Routes::of(config);
    let named = |r: &&config::Receiver| receiver.is_none_or(|name| r.name == name);
    let Some(receiver) = routes.receivers.iter().find(named) else { return Ok(None) };
    let Reading { state, saved, segments, spilled, .. } =
        Reading::take(directory, config, &routes, receiver)?;
    let policy = Policy::from(&config.alerts_of(receiver));
    let mut pending = Pending {
        rules: Rules { ignore: &config.ignore, policy: &policy, receiver, by_hub: false },
        announced: Announced::default(),
        failures: Vec::new(),
    };
    // What was announced shortly before that place may have been made behind it.
    let mut settled_to = saved.settled_to;
    follow(&mut Vec::new(), &segments, Some(&settled_to), &mut |found| match found {
        Found::Event(event) if event.class == Class::Test => pending.announced.note(&event),
        _ => {}
    })?;
    // What a pass has read it judged by what it could ask; the rest nobody has read yet.
    let (mut read, mut unread) = (Accounts::outside_login(), Accounts::in_login());
    follow(&mut settled_to, &segments, Some(&saved.cursors), &mut |found| pending.take(found, &mut read))?;
    if saved.pending.failures() == 0 && saved.alert.is_none() {
        pending.failures.clear();
    }
    follow(&mut saved.cursors.clone(), &segments, None, &mut |found| pending.take(found, &mut unread))?;
    for spilled in spilled {
        pending.take(Found::Event(Box::new(spilled.failure)), &mut unread);
    }
    let (receiver, counted) = (receiver.name.clone(), state.unsettled());
    Ok(Some(Unsent { receiver, failures: pending.failures, counted }))
}

struct Pending<'a> {
    rules: Rules<'a>,
    announced: Announced,
    failures: Vec<Event>,
}

impl Pending<'_> {
    fn take(&mut self, found: Found, accounts: &mut Accounts) {
        let Found::Event(event) = found else { return };
        match event.class {
            Class::Test => self.announced.note(&event),
            Class::Failure if !self.announced.covers(&event) && !is_ignored(&event, self.rules.ignore) => {
                if self.rules.includes(&event, accounts.tried(&event)) {
                    self.failures.push(*event);
                }
            }
            Class::Failure | Class::Aborted | Class::Login | Class::Address => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::{Context, Request, deliver, prepare, status};
    use crate::journal::Journal;
    use crate::message::summary::tests::failure;

    struct World {
        directory: tempfile::TempDir,
        config: Config,
    }

    impl World {
        fn new(text: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            prepare(&directory.path().join("state")).unwrap();
            let mut world = Self { directory, config: Config::default() };
            world.configure(text);
            world
        }

        fn configure(&mut self, text: &str) {
            let file = self.directory.path().join("config.toml");
            std::fs::write(&file, text).unwrap();
            self.config = Config::load(Some(&file)).unwrap();
        }

        fn state(&self) -> std::path::PathBuf {
            self.directory.path().join("state")
        }

        fn record(&self, events: &[Event]) {
            Journal::new(&self.state()).append(events).unwrap();
        }

        fn pass(&self) {
            deliver(&Request::new(&self.state(), Some(&self.config.path), Context::Command)).unwrap();
        }

        /// The users of what is listed, which is what is counted.
        fn pending(&self, receiver: &str) -> Vec<String> {
            let found = unsent(&self.state(), &self.config, Some(receiver)).unwrap().unwrap();
            let status = status::take(&self.state(), &self.config).unwrap();
            let counters = &status.receivers.iter().find(|named| named.name == receiver).unwrap().counters;
            let listed: u64 = found.failures.iter().map(|event| u64::from(event.count)).sum();
            assert_eq!((listed, found.counted), (counters.pending, counters.pending), "{found:?}");
            found.failures.into_iter().map(|event| event.user).collect()
        }
    }

    #[test]
    fn what_a_delivered_alert_covers_is_sent_and_what_came_later_is_not() {
        let world = World::new("receiver = \"timeline\"\n[ignore]\nusers = [\"nagios\"]\n");
        let aborted = Event { class: Class::Aborted, ..failure(3, "carol", "192.0.2.7") };
        world.record(&[failure(1, "root", "192.0.2.7"), failure(2, "nagios", "192.0.2.7"), aborted]);
        assert_eq!(world.pending("timeline"), ["root"]);
        world.pass();
        assert_eq!(world.pending("timeline"), [""; 0]);
        let three = Event { count: 3, ..failure(5, "mail", "192.0.2.8") };
        world.record(&[failure(4, "root", "192.0.2.8"), three]);
        world.pass();
        assert_eq!(world.pending("timeline"), ["root", "mail"], "read, and its turn has not come");
        world.record(&[failure(6, "root", "192.0.2.9")]);
        assert_eq!(world.pending("timeline"), ["root", "mail", "root"]);
        assert!(unsent(&world.state(), &world.config, Some("none")).unwrap().is_none());
    }

    #[test]
    fn what_was_before_a_receiver_is_not_pending_for_it_before_its_first_pass_and_after() {
        let mut world = World::new("");
        world.record(&[failure(1, "root", "192.0.2.7")]);
        assert_eq!(world.pending("timeline"), ["root"], "the first of all begin where the journal does");
        world.pass();
        world.record(&[failure(2, "mail", "192.0.2.7")]);
        world.configure("[[receiver]]\nkind = \"command\"\nargv = [\"/nonexistent/program\"]\n");
        assert_eq!(world.pending("command"), [""; 0]);
        world.pass();
        assert_eq!(world.pending("command"), [""; 0]);
        world.record(&[failure(3, "bin", "192.0.2.7")]);
        assert_eq!(world.pending("command"), ["bin"]);
        world.pass();
        assert_eq!(world.pending("command"), ["bin"]);
    }

    #[test]
    fn a_test_that_was_announced_before_the_newest_alert_and_made_after_it_is_not_pending() {
        let world = World::new("");
        let test = Event { class: Class::Test, pid: 17, service: "su".into(), ..failure(2, "", "") };
        world.record(&[failure(1, "root", "192.0.2.7"), test]);
        world.pass();
        let made = Event { pid: 17, service: "su".into(), ..failure(3, "nobody", "") };
        world.record(&[made, failure(4, "mail", "192.0.2.7")]);
        assert_eq!(world.pending("timeline"), ["mail"]);
        world.pass();
        assert_eq!(world.pending("timeline"), ["mail"]);
    }
}
