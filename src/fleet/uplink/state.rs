//! What the uplink leaves for its next run. What is newer than this stands in the head of the newest batch of the
//! outbox.

use std::io;

use authalert::deliver::state::Cursor;
use authalert::storage;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::place::Place;
use crate::protocol::Epoch;
use crate::protocol::member::Member;

/// Of the form in which this is stored.
const VERSION: u32 = 1;
const FILE: &str = "uplink.json";

/// The state of the uplink.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    version: u32,
    generation: u64,
    /// What the member knows.
    pub member: Member,
    /// The number that the next record gets.
    pub next: u64,
    /// How far the journal was read.
    pub cursors: Vec<Cursor>,
    /// Failures that found no room in the outbox, in this epoch.
    pub lost: u64,
    /// Key of the digests that stand for names of no account.
    pub secret: [u8; 32],
    /// When the engine took a message last.
    pub spoke: Timestamp,
    /// The engine's number of the hub's lease, when it was read last: it changes while there is a hub.
    pub lease: u64,
    /// Why nothing is sent any more, until a person looks.
    pub stopped: Option<String>,
}

impl State {
    /// Of a member that begins now, with the journal read up to `cursors`.
    pub fn new(cursors: Vec<Cursor>) -> io::Result<Self> {
        let mut secret = [0; 32];
        for part in secret.chunks_mut(8) {
            part.copy_from_slice(&Epoch::random()?.0.to_be_bytes());
        }
        Ok(Self {
            version: VERSION,
            generation: 0,
            member: Member::new(Epoch::random()?),
            next: 1,
            cursors,
            lost: 0,
            secret,
            spoke: Timestamp::UNIX_EPOCH,
            lease: 0,
            stopped: None,
        })
    }

    /// Read it; none where there is none, or none that can be read.
    pub fn load(place: &Place) -> io::Result<Option<Self>> {
        let found = storage::load::<Self>(&place.state_file(FILE), |state| state.generation, false)?;
        match found.value {
            Some(state) if state.version > VERSION => Err(io::Error::other(format!(
                "{} was written by a newer authalert-fleet; install that",
                place.state_file(FILE).display()
            ))),
            value => Ok(value),
        }
    }

    /// Only to look at.
    pub fn peek(place: &Place) -> io::Result<Option<Self>> {
        Ok(storage::load::<Self>(&place.state_file(FILE), |state| state.generation, true)?.value)
    }

    /// Write it and its copy; durable when this returns.
    pub fn save(&mut self, place: &Place) -> io::Result<()> {
        self.generation += 1;
        storage::save_both(&place.state_file(FILE), self)
    }

    /// Begin a new epoch: no number of it was given out yet.
    pub fn begin_anew(&mut self) -> io::Result<()> {
        let sequence = self.member.sequence;
        self.member = Member { sequence, ..Member::new(Epoch::random()?) };
        (self.next, self.lost) = (1, 0);
        Ok(())
    }
}
