//! The engine: one stream, a subject for each member, and the watermark of `web1`.

use super::{Bounds, Hole, Name};

/// A batch as the stream has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Message {
    /// Where its certificate may publish: who it is from.
    pub subject: Name,
    /// Who its text says that it is from.
    pub says: Name,
    pub epoch: u8,
    /// The number of its first record.
    pub first: u8,
    /// What was recorded.
    pub records: Vec<u8>,
    pub sequence: u8,
}

impl Message {
    pub fn last(&self) -> u8 {
        self.first + self.records.len() as u8 - 1
    }
}

/// A batch of `web1` on the wire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Publication {
    pub first: u8,
    pub records: Vec<u8>,
    /// The last sequence of its subject, as the member knows it.
    pub expected: u8,
    /// Its answer comes to an inbox that is still there.
    pub is_awaited: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Stored(u8),
    WrongSequence,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Engine {
    pub log: Vec<Message>,
    /// Of `web1`; 0: none.
    pub watermark: u8,
}

impl Engine {
    /// The newest message of a subject.
    pub fn newest(&self, subject: Name) -> Option<&Message> {
        self.log.iter().rev().find(|message| message.subject == subject)
    }

    pub fn last_sequence(&self) -> u8 {
        self.log.last().map_or(0, |message| message.sequence)
    }

    /// A message of `web1` arrives.
    pub fn take(&mut self, publication: &Publication, bounds: &Bounds) -> Answer {
        let Publication { first, records, expected, .. } = publication;
        if bounds.has(Hole::MessageIds) {
            let known = self.log.iter().find(|message| (message.epoch, message.first) == (1, *first));
            if let Some(message) = known {
                return Answer::Stored(message.sequence);
            }
        }
        let last = self.newest(Name::Web1).map_or(0, |message| message.sequence);
        if last != *expected {
            return Answer::WrongSequence;
        }
        let records = records.clone();
        let (subject, says) = (Name::Web1, Name::Web1);
        Answer::Stored(self.store(Message { subject, says, epoch: 1, first: *first, records, sequence: 0 }))
    }

    pub fn store(&mut self, message: Message) -> u8 {
        let sequence = self.last_sequence() + 1;
        self.log.push(Message { sequence, ..message });
        sequence
    }

    /// Back at an earlier point. The sequences that are gone are given again.
    pub fn lose_minutes(&mut self, messages: usize, watermark: u8) {
        self.log.truncate(messages);
        self.watermark = watermark;
    }
}
