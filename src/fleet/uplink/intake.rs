//! From the journal into the outbox: what is new gets its number and its final bytes.

use std::fs::File;
use std::io;
use std::time::Duration;

use authalert::accounts::Accounts;
use authalert::deliver::hub::{AWAY, LOCK, Link};
use authalert::deliver::state::Cursor;
use authalert::deliver::{Found, Notice, follow_some, is_ahead};
use authalert::event::{Class, Event};
use authalert::journal::Journal;
use authalert::journal::segment::{self, Segment};
use jiff::Timestamp;

use super::conceal::Concealer;
use super::epochs::{begin, directory_of, remove_others};
use super::outbox::{Entry, Head, Outbox};
use super::state::State;
use crate::identity::Names;
use crate::place::Place;
use crate::protocol::batch::{LARGEST, Received};
use crate::protocol::member::{Own, Step};
use crate::protocol::{Batch, Epoch, Item, Mark, VERSION};

/// Bytes of the journal in one batch: hidden names make an item at most 2.3 times as long as its line.
const BYTES: u64 = 96 << 10;
/// Of the outbox. What comes beyond it is counted.
const ROOM: u64 = 64 << 20;
/// What the hub has and has not alerted of stays while there are no more batches, and half of that room is free.
const KEPT: usize = 4096;
/// So often the link is written where nothing else makes it.
const LINK_EACH: Duration = Duration::from_secs(60);

/// The member's half that needs no connection.
#[derive(Debug)]
pub struct Uplink {
    place: Place,
    pub(super) state: State,
    pub(super) outbox: Outbox,
    pub(super) link: Link,
    concealer: Concealer,
    /// This process.
    pub(super) inst: Epoch,
    room: u64,
    _lock: File,
}

impl Uplink {
    /// Open what there is, or begin with what comes from now on. None where another process has it.
    pub fn open(place: &Place, names: Names) -> io::Result<Option<Self>> {
        place.prepare()?;
        let Some(lock) = place.lock(LOCK)? else { return Ok(None) };
        let link = Link::load(&place.state)?;
        let state = match State::load(place)? {
            Some(state) => state,
            None => begin(place, link.as_ref())?,
        };
        let outbox = Outbox::open(&directory_of(place, state.member.epoch))?;
        let link = link.unwrap_or_else(|| Link::new(Timestamp::now(), &state.cursors));
        let concealer = Concealer::new(&state.secret, names, Accounts::outside_login());
        let inst = Epoch::random()?;
        let mut uplink =
            Self { place: place.clone(), state, outbox, link, concealer, inst, room: ROOM, _lock: lock };
        uplink.catch_up()?;
        uplink.save()?;
        remove_others(place, uplink.state.member.epoch)?;
        Ok(Some(uplink))
    }

    /// Take over what batches say that are newer than the state.
    fn catch_up(&mut self) -> io::Result<()> {
        let segments = self.segments()?;
        for entry in self.outbox.entries().to_vec() {
            let Ok((head, _)) = self.outbox.read(&entry) else { continue };
            if entry.last >= self.state.next {
                self.state.next = entry.last + 1;
                self.state.cursors.clone_from(&head.cursors);
                self.state.lost = self.state.lost.max(head.lost);
            }
            if is_ahead(&head.cursors, self.link.until(), &segments) {
                self.link.extend(head.own, &head.cursors);
            }
        }
        self.outbox.trim(self.state.member.gone)
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

    /// Write state and link.
    pub fn save(&mut self) -> io::Result<()> {
        self.state.save(&self.place)?;
        self.link.written = Timestamp::now();
        self.link.save(&self.place.state)
    }

    /// Whether the receivers of this machine alert, as the hub is away or nothing may be sent to it.
    pub fn is_alone(&self) -> bool {
        let away = Timestamp::now().duration_since(self.link.heard).unsigned_abs();
        self.state.stopped.is_some() || away >= AWAY
    }

    /// The hub lives.
    pub fn on_heard(&mut self) -> io::Result<()> {
        if self.is_alone() {
            Notice::info("the hub of the fleet is heard of again; it alerts for this machine").send();
        }
        self.link.heard = Timestamp::now();
        Ok(())
    }

    /// What has to be done from time to time, with a connection or without.
    pub fn look_after(&mut self) -> io::Result<()> {
        if self.is_alone() {
            if !self.link.is_own() {
                Notice::error("the hub of the fleet is away; this machine alerts by its own receivers")
                    .send();
            }
            while self.take_in()? {}
            let until = self.state.cursors.clone();
            if !self.link.is_own() {
                self.link.extend(true, &until);
                self.save()?;
            }
        }
        let since = Timestamp::now().duration_since(self.link.written).unsigned_abs();
        if since >= LINK_EACH { self.save() } else { Ok(()) }
    }

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

    fn open_end(&self, own: bool) -> io::Result<Option<(u64, Vec<Item>)>> {
        let Some(entry) = self.outbox.open_end() else { return Ok(None) };
        let (head, message) = self.outbox.read(entry)?;
        let Some(read) = Batch::decode(&message).ok().filter(|_| head.own == own) else { return Ok(None) };
        Ok(Some((entry.first, read.items.into_iter().flatten().collect())))
    }

    fn message(&self, first: u64, items: &[Item]) -> io::Result<Vec<u8>> {
        let State { member, lost, .. } = &self.state;
        let (epoch, inst, last) = (member.epoch, self.inst, first + items.len() as u64 - 1);
        let (floor, lost, items) = (member.gone, *lost, items.to_vec());
        Ok(Batch { v: VERSION, epoch, inst, first, last, floor, lost, items }.encode()?)
    }

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

    /// The hub's watermark: what it has alerted of goes.
    pub fn on_mark(&mut self, mark: &Mark, sequence: u64) -> io::Result<Step> {
        let before = self.state.member.clone();
        let step = self.state.member.on_mark(mark, sequence, self.state.next - 1);
        if step == Step::BeginAnew {
            self.state.begin_anew()?;
            self.outbox = Outbox::open(&directory_of(&self.place, self.state.member.epoch))?;
            self.save()?;
            remove_others(&self.place, self.state.member.epoch)?;
            Notice::error(
                "the state of the uplink is older than what the hub has (restored from a copy?); it begins anew",
            )
            .send();
        } else if self.state.member.watermark != before.watermark || self.state.member.gone != before.gone {
            // First what was so far: the heads of the batches say it no more.
            self.save()?;
            self.outbox.trim(self.state.member.gone)?;
        }
        Ok(step)
    }

    /// Somebody else writes as this member.
    pub fn stop(&mut self, why: &str) -> io::Result<()> {
        Notice::error(why).send();
        self.state.stopped = Some(why.to_owned());
        self.save()
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

    /// Records that the hub does not have yet.
    pub fn waiting(&self) -> u64 {
        (self.state.next - 1).saturating_sub(self.state.member.watermark)
    }

    fn segments(&self) -> io::Result<Vec<Segment>> {
        segment::list(Journal::new(&self.place.state).directory())
    }
}

#[cfg(test)]
mod tests {
    use authalert::event::Route;

    use super::super::epochs::outboxes;
    use super::*;

    struct World {
        directory: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let world = Self { directory: tempfile::tempdir().unwrap() };
            world.place().prepare().unwrap();
            world
        }

        fn place(&self) -> Place {
            let state = self.directory.path().to_path_buf();
            Place { configuration: state.join("fleet"), state, config: None }
        }

        fn uplink(&self) -> Uplink {
            Uplink::open(&self.place(), Names::Shown).unwrap().unwrap()
        }

        fn fail(&self, users: std::ops::Range<u32>) {
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
    fn sent(uplink: &mut Uplink) -> Vec<Received> {
        let mut all = Vec::new();
        while let Some((entry, message)) = uplink.next_to_send().unwrap() {
            uplink.state.member.stored = entry.last;
            all.push(Batch::decode(&message).unwrap());
        }
        all
    }

    fn mark(epoch: Epoch, last: u64, alerted: u64) -> Mark {
        Mark { v: VERSION, epoch, last, gap: false, alerted, hub: Epoch(1) }
    }

    fn users(batches: &[Received]) -> Vec<(u64, u32)> {
        let items = batches.iter().flat_map(|read| (read.batch.first..).zip(&read.items));
        items.map(|(number, item)| (number, item.as_ref().map_or(0, |item| item.event.pid))).collect()
    }

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
    fn what_the_hub_has_alerted_of_goes_and_nothing_else() {
        let world = World::new();
        let mut uplink = world.uplink();
        world.fail(1..3);
        uplink.take_in().unwrap();
        uplink.outbox.attempt(1);
        world.fail(3..5);
        uplink.take_in().unwrap();
        let epoch = uplink.state.member.epoch;
        uplink.on_mark(&mark(epoch, 2, 0), 7).unwrap();
        assert_eq!((uplink.waiting(), uplink.outbox.entries().len()), (2, 2));
        uplink.on_mark(&mark(epoch, 4, 2), 8).unwrap();
        assert_eq!((uplink.waiting(), uplink.outbox.entries().len()), (0, 1));
        drop(uplink);
        let mut uplink = world.uplink();
        uplink.state.member.on_own(Own::Nothing);
        assert!(uplink.next_to_send().unwrap().is_none());
        // A hub whose disk is lost, and another that knows only what that one had alerted of.
        uplink.on_mark(&Mark { gap: true, ..mark(epoch, 2, 2) }, 9).unwrap();
        assert_eq!(users(&sent(&mut uplink)), [(3, 3), (4, 4)]);
        // A hub that has more than was ever numbered: this state is a copy from before.
        assert_eq!(uplink.on_mark(&mark(epoch, 9, 0), 10).unwrap(), Step::BeginAnew);
        assert_ne!(uplink.state.member.epoch, epoch);
        world.fail(5..6);
        uplink.take_in().unwrap();
        assert_eq!(users(&sent(&mut uplink)), [(1, 5)]);
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
    fn an_hour_without_the_hub_is_alerted_of_here_and_said_to_the_hub() {
        let world = World::new();
        let mut uplink = world.uplink();
        world.fail(1..2);
        uplink.take_in().unwrap();
        uplink.link.heard = Timestamp::now().checked_sub(AWAY).unwrap();
        world.fail(2..3);
        uplink.look_after().unwrap();
        assert!(uplink.link.is_own());
        uplink.on_heard().unwrap();
        world.fail(3..4);
        uplink.take_in().unwrap();
        assert!(!uplink.link.is_own());
        let told: Vec<bool> = sent(&mut uplink)
            .into_iter()
            .flat_map(|read| read.items)
            .flatten()
            .map(|item| item.told)
            .collect();
        assert_eq!(told, [false, true, false]);
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
