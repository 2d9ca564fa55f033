//! A member for tests: a journal to write, and what would be sent of it.

use authalert::event::{Class, Event, Route};
use authalert::journal::Journal;
use jiff::Timestamp;

use super::offline::Uplink;
use crate::identity::Names;
use crate::place::Place;
use crate::protocol::batch::Received;
use crate::protocol::{Batch, Epoch, Mark, VERSION};

/// A member's directory.
pub struct World {
    directory: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        let world = Self { directory: tempfile::tempdir().unwrap() };
        world.place().prepare().unwrap();
        world
    }

    pub fn place(&self) -> Place {
        let state = self.directory.path().to_path_buf();
        Place { configuration: state.join("fleet"), state, config: None }
    }

    pub fn uplink(&self) -> Uplink {
        Uplink::open(&self.place(), Names::Shown).unwrap().unwrap()
    }

    pub fn fail(&self, users: std::ops::Range<u32>) {
        let event = |n| Event {
            time: Timestamp::now(),
            host: String::new(),
            route: Route::Pam,
            class: Class::Failure,
            count: 1,
            service: "sshd".into(),
            pid: n,
            ppid: 0,
            user: format!("user{n}"),
            rhost: "192.0.2.7".into(),
            tty: String::new(),
            ruser: String::new(),
            uid: 0,
            origin: None,
        };
        Journal::new(self.directory.path()).append(&users.map(event).collect::<Vec<_>>()).unwrap();
    }
}

/// The batches that would be sent one after another, with everything stored.
pub fn sent(uplink: &mut Uplink) -> Vec<Received> {
    let mut all = Vec::new();
    while let Some((entry, message)) = uplink.next_to_send().unwrap() {
        uplink.state.member.stored = entry.last;
        all.push(Batch::decode(&message).unwrap());
    }
    all
}

pub fn mark(epoch: Epoch, last: u64, alerted: u64) -> Mark {
    Mark { v: VERSION, epoch, last, gap: false, alerted, hub: Epoch(1) }
}

pub fn users(batches: &[Received]) -> Vec<(u64, u32)> {
    let items = batches.iter().flat_map(|read| (read.batch.first..).zip(&read.items));
    items.map(|(number, item)| (number, item.as_ref().map_or(0, |item| item.event.pid))).collect()
}
