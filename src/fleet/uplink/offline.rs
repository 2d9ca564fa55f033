//! The member's half that needs no connection: what it is and knows, when its own receivers alert, and what the hub says.

use std::fs::File;
use std::io;
use std::time::Duration;

use authalert::accounts::Accounts;
use authalert::deliver::hub::{AWAY, LOCK, Link};
use authalert::deliver::{Notice, is_ahead};
use authalert::journal::Journal;
use authalert::journal::segment::{self, Segment};
use jiff::Timestamp;

use super::conceal::Concealer;
use super::epochs::{begin, directory_of, remove_others};
use super::intake::ROOM;
use super::outbox::Outbox;
use super::state::State;
use crate::identity::Names;
use crate::place::Place;
use crate::protocol::member::Step;
use crate::protocol::{Epoch, Mark};

/// So often the link is written where nothing else makes it.
const LINK_EACH: Duration = Duration::from_secs(60);

/// The member's half that needs no connection.
#[derive(Debug)]
pub struct Uplink {
    pub(super) place: Place,
    pub(super) state: State,
    pub(super) outbox: Outbox,
    pub(super) link: Link,
    pub(super) concealer: Concealer,
    /// This process.
    pub(super) inst: Epoch,
    pub(super) room: u64,
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

    /// Records that the hub does not have yet.
    pub fn waiting(&self) -> u64 {
        (self.state.next - 1).saturating_sub(self.state.member.watermark)
    }

    pub(super) fn segments(&self) -> io::Result<Vec<Segment>> {
        segment::list(Journal::new(&self.place.state).directory())
    }
}

#[cfg(test)]
mod tests {
    use super::super::world::{World, mark, sent, users};
    use super::*;
    use crate::protocol::member::Own;

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
}
