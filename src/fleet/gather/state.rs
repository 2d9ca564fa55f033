//! What the hub leaves for its next run.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use authalert::accounts::member::Origin;
use authalert::deliver::state::Cursor as JournalCursor;
use authalert::deliver::{Found, follow_some};
use authalert::journal::Journal;
use authalert::journal::segment;
use authalert::storage;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::place::Place;
use crate::protocol::Epoch;
use crate::protocol::hub::Cursors;

/// Of the form in which this is stored.
const VERSION: u32 = 1;
/// Name of the file.
pub const FILE: &str = "gather.json";

/// The state of the hub.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    version: u32,
    generation: u64,
    /// This hub, as its lease has it.
    pub hub: Epoch,
    /// How often it had been written when this process read it, until this process has the lease.
    #[serde(skip)]
    pub read: Option<u64>,
    /// See [`State::succeed`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    after_loss: bool,
    /// Hubs whose disk is lost.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub lost: BTreeSet<Epoch>,
    /// How far each member's records are in the journal.
    pub cursors: Cursors,
    /// Where the journal ended when that was so.
    journal: Vec<JournalCursor>,
    /// What is known of each member.
    pub members: BTreeMap<String, Member>,
    /// Messages that waited at the engine, when one was handed out last.
    pub backlog: u64,
    /// When this was written.
    pub written: Timestamp,
}

/// What is known of a member.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Member {
    /// When it was heard of last.
    pub heard: Timestamp,
    /// When the engine stored the newest message that was read.
    pub newest: u64,
    /// Records that were taken over.
    pub records: u64,
    /// Failures that found no room at the member.
    pub lost: u64,
    /// Messages that were no batch.
    pub refused: u64,
    /// Records of a class that a later version writes.
    pub unreadable: u64,
    /// Something is missing between its batches.
    pub gap: bool,
}

impl Default for Member {
    fn default() -> Self {
        let heard = Timestamp::UNIX_EPOCH;
        Self { heard, newest: 0, records: 0, lost: 0, refused: 0, unreadable: 0, gap: false }
    }
}

impl Member {
    /// A message of it was read, which the engine stored at that time. The newest one is handed out anew to each hub,
    /// and says only once that the member lives.
    pub fn on_message(&mut self, stored: u64) {
        if stored > self.newest {
            (self.newest, self.heard) = (stored, Timestamp::now());
        }
    }
}

impl State {
    /// Read it, and what the journal has beyond it; new where there is none.
    pub fn load(place: &Place) -> io::Result<Self> {
        let found = storage::load::<Self>(&place.state_file(FILE), |state| state.generation, false)?;
        let mut state = match found.value {
            Some(state) if state.version > VERSION => {
                return Err(io::Error::other(format!(
                    "{} was written by a newer authalert-fleet; install that",
                    place.state_file(FILE).display()
                )));
            }
            Some(state) => state,
            None => Self {
                version: VERSION,
                generation: 0,
                hub: Epoch::random()?,
                read: None,
                after_loss: false,
                lost: BTreeSet::new(),
                cursors: Cursors::default(),
                journal: Vec::new(),
                members: BTreeMap::new(),
                backlog: 0,
                written: Timestamp::UNIX_EPOCH,
            },
        };
        state.read = Some(state.generation);
        state.recover(place)?;
        Ok(state)
    }

    /// Only to look at.
    pub fn peek(place: &Place) -> io::Result<Option<Self>> {
        Ok(storage::load::<Self>(&place.state_file(FILE), |state| state.generation, true)?.value)
    }

    /// What was recorded after this was written is counted: a crash in between leaves it in the journal alone.
    fn recover(&mut self, place: &Place) -> io::Result<()> {
        let journal = Journal::new(&place.state);
        // What a crash left there must last before it is counted.
        journal.sync()?;
        let (segments, cursors) = (segment::list(journal.directory())?, &mut self.cursors);
        let mut from = std::mem::take(&mut self.journal);
        follow_some(&mut from, &segments, None, u64::MAX, &mut |found| {
            let Found::Event(event) = found else { return };
            if let Some(origin) = Origin::of(&event) {
                cursors.recover(&event.host, Epoch(origin.epoch), origin.number);
            }
        })?;
        Ok(())
    }

    /// Write it and its copy; everything that the cursors count is in the journal, on disk.
    pub fn save(&mut self, place: &Place) -> io::Result<()> {
        self.journal = end_of_journal(place)?;
        self.generation += 1;
        self.written = Timestamp::now();
        storage::save_both(&place.state_file(FILE), self)
    }

    /// This is another hub than the one that has the lease before it, which is gone with its disk: what that one had not
    /// alerted of, and is not in a copy of its state here, is taken again.
    pub fn succeed(&mut self) -> io::Result<()> {
        self.hub = Epoch::random()?;
        self.after_loss = true;
        Ok(())
    }

    /// How often it was written.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// This hub takes the lease of that one.
    pub fn take_lease_of(&mut self, before: Option<Epoch>) {
        self.read = None;
        if std::mem::take(&mut self.after_loss) {
            self.lost.extend(before.filter(|before| *before != self.hub));
        }
    }

    /// Members that were put out are not known any more, but for how far their records are here: one that is let in
    /// again under its old name goes on from there.
    pub fn keep_members(&mut self, is_member: impl Fn(&str) -> bool) {
        self.members.retain(|name, _| is_member(name));
        self.cursors.keep_newest_of(|name| !is_member(name));
    }

    /// What is known of `member`, to be changed.
    pub fn member(&mut self, member: &str) -> &mut Member {
        self.members.entry(member.to_owned()).or_default()
    }
}

/// Where the journal ends. Others record meanwhile, and may be in the middle of a line: none of it is a member's.
pub fn end_of_journal(place: &Place) -> io::Result<Vec<JournalCursor>> {
    let segments = segment::list(Journal::new(&place.state).directory())?;
    let end = |s: &segment::Segment| JournalCursor { offset: s.size, ..JournalCursor::at_the_beginning(s) };
    Ok(segments.iter().map(end).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_handed_out_again_does_not_say_that_the_member_lives() {
        let mut member = Member::default();
        member.on_message(7);
        assert!(member.heard > Timestamp::UNIX_EPOCH);
        member.heard = Timestamp::UNIX_EPOCH;
        member.on_message(7);
        member.on_message(5);
        assert_eq!(member.heard, Timestamp::UNIX_EPOCH);
        member.on_message(8);
        assert!(member.heard > Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn a_member_that_was_put_out_is_forgotten_but_for_what_is_counted() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().to_path_buf();
        let place = Place { configuration: state.join("fleet"), state, config: None };
        place.prepare().unwrap();
        let mut state = State::load(&place).unwrap();
        for name in ["web1", "web2"] {
            state.member(name).records = 7;
            state.cursors.counted(name, Epoch(1), 3);
            state.cursors.counted(name, Epoch(2), 4);
        }
        state.keep_members(|name| name == "web1");
        assert_eq!(state.members.keys().collect::<Vec<_>>(), ["web1"]);
        let last = |name: &str, epoch| state.cursors.of(name, Epoch(epoch)).map(|cursor| cursor.last);
        assert_eq!([last("web1", 1), last("web1", 2)], [Some(3), Some(4)]);
        assert_eq!([last("web2", 1), last("web2", 2)], [None, Some(4)]);
    }

    #[test]
    fn a_hub_that_takes_the_place_of_another_is_not_that_one() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().to_path_buf();
        let place = Place { configuration: state.join("fleet"), state, config: None };
        place.prepare().unwrap();
        let mut copy = State::load(&place).unwrap();
        let before = copy.hub;
        copy.succeed().unwrap();
        assert_ne!(copy.hub, before);
        copy.save(&place).unwrap();
        let mut copy = State::load(&place).unwrap();
        copy.take_lease_of(Some(before));
        assert_eq!(copy.lost, BTreeSet::from([before]));
        // Once: whoever has the lease later has a disk.
        copy.take_lease_of(Some(Epoch(7)));
        assert_eq!(copy.lost.len(), 1);
    }
}
