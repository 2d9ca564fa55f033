//! From the journal into the outbox: what is new gets its number and its final bytes.

use std::fs::File;
use std::io;

use authalert::deliver::state::Cursor;
use authalert::deliver::{Found, Notice, follow_some};
use authalert::event::{Class, Event};

use super::offline::Uplink;
use super::outbox::Head;
use super::state::State;
use crate::protocol::batch::LARGEST;
use crate::protocol::{Batch, Item, VERSION};

/// Bytes of the journal in one batch: hidden names make an item at most 2.3 times as long as its line.
const BYTES: u64 = 96 << 10;
/// Of the outbox. What comes beyond it is counted.
pub(super) const ROOM: u64 = 64 << 20;
/// What the hub has and has not alerted of stays while there are no more batches, and half of that room is free.
const KEPT: usize = 4096;

impl Uplink {
    /// Read on in the journal, as much as fits a batch. Says whether something was read.
    pub fn take_in(&mut self) -> io::Result<bool> {
        let (segments, alone) = (self.segments()?, self.is_alone());
        let span = self.link.next(&self.state.cursors, &segments).cloned();
        let own = span.as_ref().map_or(alone, |span| span.own);
        let (mut cursors, mut events) = (self.state.cursors.clone(), Vec::new());
        let until = span.as_ref().map(|span| &span.until[..]);
        let read = follow_some(&mut cursors, &segments, until, BYTES, &mut |found| match found {
            Found::Event(event) => events.push(*event),
            // The timeline counts it, and keeps it.
            Found::Unreadable(_) => {}
        })?;
        if read.bytes == 0 && events.is_empty() {
            self.state.cursors = cursors;
            return Ok(false);
        }
        // A power cut must not take what is numbered here out of the journal.
        for path in &read.files {
            match File::open(path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                file => file?.sync_data()?,
            }
        }
        self.keep(events, &cursors, own)?;
        self.state.cursors = cursors;
        if span.is_none() {
            let until = self.state.cursors.clone();
            let changes = self.link.is_own() != own;
            self.link.extend(own, &until);
            if own || changes {
                self.save()?;
            }
        }
        Ok(true)
    }

    fn keep(&mut self, events: Vec<Event>, cursors: &[Cursor], own: bool) -> io::Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        self.make_room()?;
        if self.outbox.size() >= self.room {
            let failures = events.iter().filter(|event| event.class == Class::Failure);
            let lost: u64 = failures.map(|event| u64::from(event.count)).sum();
            if self.state.lost == 0 && lost > 0 {
                Notice::error("the outbox for the hub is full; what comes is counted").send();
            }
            self.state.lost += lost;
            self.state.cursors = cursors.to_vec();
            return self.state.save(&self.place);
        }
        self.concealer.refresh();
        let mut items: Vec<Item> = events.into_iter().map(|event| self.concealer.item(event, own)).collect();
        let mut first = self.state.next;
        let mut message = self.message(first, &items)?;
        // What was never sent grows: while the hub is away each record would be a file.
        if let Some((open, before)) = self.open_end(own)? {
            let joined: Vec<Item> = before.into_iter().chain(items.iter().cloned()).collect();
            let longer = self.message(open, &joined)?;
            if longer.len() <= LARGEST {
                (first, items, message) = (open, joined, longer);
            }
        }
        let last = first + items.len() as u64 - 1;
        let head = Head { cursors: cursors.to_vec(), lost: self.state.lost, own };
        self.outbox.put((first, last), &head, &message)?;
        self.state.next = last + 1;
        Ok(())
    }

    /// Where there is little room, what the hub has goes before it has alerted of it.
    fn make_room(&mut self) -> io::Result<()> {
        let State { member, .. } = &mut self.state;
        let is_short = self.outbox.size() >= self.room / 2 || self.outbox.entries().len() > KEPT;
        if is_short && member.gone < member.watermark {
            member.gone = member.watermark;
            self.save()?;
            self.outbox.trim(self.state.member.gone)?;
        }
        Ok(())
    }

    fn open_end(&self, own: bool) -> io::Result<Option<(u64, Vec<Item>)>> {
        let Some(entry) = self.outbox.open_end() else { return Ok(None) };
        let (head, message) = self.outbox.read(entry)?;
        let Some(read) = Batch::decode(&message).ok().filter(|_| head.own == own) else { return Ok(None) };
        Ok(Some((entry.first, read.items.into_iter().flatten().collect())))
    }

    pub(super) fn message(&self, first: u64, items: &[Item]) -> io::Result<Vec<u8>> {
        let State { member, lost, .. } = &self.state;
        let (epoch, inst, last) = (member.epoch, self.inst, first + items.len() as u64 - 1);
        let (floor, lost, items) = (member.gone, *lost, items.to_vec());
        Ok(Batch { v: VERSION, epoch, inst, first, last, floor, lost, items }.encode()?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::world::{World, mark, sent, users};
    use super::*;

    #[test]
    fn what_was_there_before_it_joined_is_not_sent() {
        let world = World::new();
        world.fail(1..5);
        let mut uplink = world.uplink();
        assert!(!uplink.take_in().unwrap());
        assert!(!uplink.is_alone() && !uplink.link.is_own());
    }

    #[test]
    fn numbers_have_no_holes_whenever_it_is_killed() {
        let world = World::new();
        drop(world.uplink());
        for round in 0..6 {
            world.fail(1 + round * 3..4 + round * 3);
            let mut uplink = world.uplink();
            while uplink.take_in().unwrap() {}
            if round % 2 == 0 {
                uplink.save().unwrap();
            }
        }
        let mut uplink = world.uplink();
        assert_eq!(users(&sent(&mut uplink)), (1..=18).map(|n| (u64::from(n), n)).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_never_sent_grows_and_what_was_sent_stays_as_it_is() {
        let world = World::new();
        let mut uplink = world.uplink();
        for n in 1..=3 {
            world.fail(n..n + 1);
            uplink.take_in().unwrap();
        }
        assert_eq!(uplink.outbox.entries().len(), 1);
        let (_, before) = uplink.next_to_send().unwrap().unwrap();
        world.fail(4..5);
        uplink.take_in().unwrap();
        assert_eq!(uplink.outbox.entries().len(), 2);
        assert_eq!(uplink.next_to_send().unwrap().unwrap().1, before);
    }

    #[test]
    fn a_large_backlog_becomes_batches_that_the_engine_takes() {
        let world = World::new();
        let mut uplink = world.uplink();
        world.fail(1..3001);
        while uplink.take_in().unwrap() {
            uplink
                .outbox
                .entries()
                .last()
                .map(|entry| entry.first)
                .into_iter()
                .for_each(|n| uplink.outbox.attempt(n));
        }
        let entries = uplink.outbox.entries().to_vec();
        assert!(entries.len() > 2);
        for entry in &entries {
            assert!(uplink.outbox.read(entry).unwrap().1.len() <= LARGEST);
        }
        assert_eq!(users(&sent(&mut uplink)).len(), 3000);
    }

    #[test]
    fn what_finds_no_room_is_counted_and_said_with_what_comes_after() {
        let world = World::new();
        let mut uplink = world.uplink();
        world.fail(1..3);
        uplink.take_in().unwrap();
        uplink.room = 1;
        world.fail(3..10);
        uplink.take_in().unwrap();
        uplink.room = ROOM;
        world.fail(10..11);
        uplink.outbox.attempt(1);
        uplink.take_in().unwrap();
        let batches = sent(&mut uplink);
        assert_eq!(users(&batches), [(1, 1), (2, 2), (3, 10)]);
        assert_eq!(batches.last().unwrap().batch.lost, 7);
        drop(uplink);
        assert_eq!(world.uplink().state.lost, 7);
    }

    #[test]
    fn what_the_hub_has_makes_room_for_what_it_has_not() {
        let world = World::new();
        let mut uplink = world.uplink();
        world.fail(1..3);
        uplink.take_in().unwrap();
        uplink.outbox.attempt(1);
        let epoch = uplink.state.member.epoch;
        uplink.on_mark(&mark(epoch, 2, 0), 7).unwrap();
        uplink.room = uplink.outbox.size();
        world.fail(3..5);
        uplink.take_in().unwrap();
        assert_eq!((uplink.state.lost, uplink.state.member.gone, uplink.waiting()), (0, 2, 2));
        let (_, message) = uplink.next_to_send().unwrap().unwrap();
        assert_eq!(Batch::decode(&message).unwrap().batch.floor, 2);
    }
}
