//! From the outbox to the engine: the batch that is next, whether one that is there is ours, and what goes out once more
//! in a new epoch.

use std::io;

use authalert::deliver::Notice;

use super::epochs::{directory_of, remove_others};
use super::offline::Uplink;
use super::outbox::{Entry, Head, Outbox};
use super::state::State;
use crate::protocol::batch::Received;
use crate::protocol::member::Own;
use crate::protocol::{Batch, Item, VERSION};

impl Uplink {
    /// The batch that is to be sent next, and its bytes. One that is damaged gives its numbers to nothing.
    pub fn next_to_send(&mut self) -> io::Result<Option<(Entry, Vec<u8>)>> {
        let Some(entry) = self.outbox.after(self.state.member.stored).cloned() else { return Ok(None) };
        let message = match self.outbox.read(&entry) {
            Ok((_, message)) => message,
            Err(e) if e.kind() == io::ErrorKind::NotFound || e.kind() == io::ErrorKind::Other => {
                Notice::error(format!("a batch for the hub cannot be read; it is kept, and counted: {e}"))
                    .send();
                self.fill(&entry)?
            }
            Err(e) => return Err(e),
        };
        self.outbox.attempt(entry.first);
        Ok(Some((entry, message)))
    }

    fn fill(&mut self, entry: &Entry) -> io::Result<Vec<u8>> {
        let records = self.outbox.quarantine(entry)?;
        self.state.lost += records;
        let State { member, lost, cursors, .. } = &self.state;
        let items = vec![serde_json::Value::Null; usize::try_from(records).unwrap_or(0)];
        let message = serde_json::json!({
            "v": VERSION, "epoch": member.epoch, "inst": self.inst, "first": entry.first, "last": entry.last,
            "lost": lost, "items": items,
        });
        let message = serde_json::to_vec(&message)?;
        let head = Head { cursors: cursors.clone(), lost: *lost, own: self.link.is_own() };
        self.outbox.put((entry.first, entry.last), &head, &message)?;
        self.outbox.sort();
        self.state.save(&self.place)?;
        Ok(message)
    }

    /// What a message on the own subject is.
    pub fn recognize(&self, sequence: u64, body: &[u8]) -> Own {
        let Ok(read) = Batch::decode(body) else { return Own::Foreign { sequence } };
        let Batch { epoch, first, last, .. } = read.batch;
        let same = if read.batch.is_heartbeat() {
            last < self.state.next
        } else {
            let entry = self.outbox.entries().iter().find(|entry| (entry.first, entry.last) == (first, last));
            entry.is_some_and(|entry| self.outbox.read(entry).is_ok_and(|(_, message)| message == body))
        };
        Own::Batch { sequence, epoch, last, same }
    }

    /// A person has seen to it that no other writes as this member: a new epoch, with what still waits.
    pub fn begin_after_a_stop(&mut self) -> io::Result<()> {
        if self.state.stopped.take().is_none() {
            return Ok(());
        }
        let (mut state, mut waiting) = (self.state.clone(), Vec::new());
        let watermark = state.member.watermark;
        for entry in self.outbox.entries() {
            waiting.push(self.outbox.read(entry)?);
        }
        state.begin_anew()?;
        state.member.sequence = 0;
        // In a directory of its own, which the state names: cut before that is written, nothing has happened.
        let mut outbox = Outbox::open(&directory_of(&self.place, state.member.epoch))?;
        std::mem::swap(&mut self.state, &mut state);
        for (head, message) in waiting {
            // What the hub has keeps its old number.
            let waits = |read: Received| {
                let numbered = (read.batch.first..).zip(read.items);
                numbered.filter(|(number, _)| *number > watermark).filter_map(|(_, item)| item).collect()
            };
            let items: Vec<Item> = Batch::decode(&message).map(waits).unwrap_or_default();
            if !items.is_empty() {
                let first = self.state.next;
                let message = self.message(first, &items)?;
                self.state.next = first + items.len() as u64;
                outbox.put((first, self.state.next - 1), &head, &message)?;
            }
        }
        self.outbox = outbox;
        self.save()?;
        remove_others(&self.place, self.state.member.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::super::epochs::outboxes;
    use super::super::world::{World, mark, sent, users};
    use super::*;

    #[test]
    fn a_damaged_batch_leaves_no_hole_in_the_numbers() {
        let world = World::new();
        let mut uplink = world.uplink();
        world.fail(1..4);
        uplink.take_in().unwrap();
        let directory = directory_of(&uplink.place, uplink.state.member.epoch);
        let file = std::fs::read_dir(directory).unwrap().next().unwrap().unwrap().path();
        std::fs::write(file, "damaged").unwrap();
        assert_eq!(users(&sent(&mut uplink)), [(1, 0), (2, 0), (3, 0)]);
        assert_eq!(uplink.state.lost, 3);
    }

    #[test]
    fn after_a_person_saw_to_it_what_waits_goes_out_in_a_new_epoch() {
        let world = World::new();
        let mut uplink = world.uplink();
        world.fail(0..1);
        uplink.take_in().unwrap();
        uplink.outbox.attempt(1);
        world.fail(1..3);
        uplink.take_in().unwrap();
        let epoch = uplink.state.member.epoch;
        uplink.on_mark(&mark(epoch, 1, 0), 7).unwrap();
        uplink.stop("a copy").unwrap();
        assert!(uplink.is_alone());
        uplink.begin_after_a_stop().unwrap();
        drop(uplink);
        let mut uplink = world.uplink();
        assert_ne!(uplink.state.member.epoch, epoch);
        assert_eq!(users(&sent(&mut uplink)), [(1, 1), (2, 2)]);
        assert_eq!(outboxes(&uplink.place).unwrap().len(), 1);
    }
}
