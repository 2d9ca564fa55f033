//! The hub: from the engine into its own journal, each record once, and the watermark behind that.

use super::engine::{Engine, Message};
use super::{Bounds, Hole, Name, Step};

/// A record in the hub's journal. The last number of a member and epoch follows from these: so what is counted and up to where
/// cannot be on disk one without the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    /// The member that it is counted for.
    pub member: Name,
    pub epoch: u8,
    pub number: u8,
    pub what: u8,
    /// Who sent it, which only the model knows.
    pub sent_by: Name,
}

/// How far the message in hand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    Read,
    Written,
    Synced,
    Published,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Hub {
    pub journal: Vec<Record>,
    /// So many records a power cut leaves.
    pub synced: usize,
    /// The sequence up to which the stream is read; kept over a crash.
    pub place: u8,
    pub hand: Option<(Message, Phase)>,
    /// The message in hand had something new.
    pub had_new: bool,
}

impl Hub {
    pub fn next_steps(&self, engine: &Engine, bounds: &Bounds, steps: &mut Vec<Step>) {
        let early = bounds.has(Hole::WatermarkBeforeSync);
        let silent = bounds.has(Hole::SilentAboutRepeats) && !self.had_new;
        match &self.hand {
            None if self.to_read(engine).is_some() => steps.push(Step::HubReads),
            None => {}
            Some((_, Phase::Read)) => steps.push(Step::HubWrites),
            Some((_, Phase::Written)) if early => steps.push(Step::HubPublishesWatermark),
            Some((_, Phase::Written)) => steps.push(Step::HubSyncs),
            Some((message, Phase::Synced)) if message.subject == Name::Web1 && !silent => {
                steps.push(Step::HubPublishesWatermark);
            }
            Some((_, Phase::Synced | Phase::Published)) => steps.push(Step::HubMovesPlace),
        }
    }

    pub fn has_nothing_to_do(&self, engine: &Engine) -> bool {
        self.hand.is_none() && self.to_read(engine).is_none()
    }

    /// The next message. A stream that ends before the place lost messages: it is read from its beginning.
    fn to_read<'a>(&self, engine: &'a Engine) -> Option<&'a Message> {
        let place = if engine.last_sequence() < self.place { 0 } else { self.place };
        engine.log.iter().find(|message| message.sequence > place)
    }

    pub fn read(&mut self, engine: &Engine) {
        self.hand = self.to_read(engine).map(|message| (message.clone(), Phase::Read));
        if engine.last_sequence() < self.place {
            self.place = 0;
        }
    }

    /// The last number of a member and epoch among the first `records`.
    pub fn last_number(&self, member: Name, epoch: u8, records: usize) -> u8 {
        let of = |record: &&Record| (record.member, record.epoch) == (member, epoch);
        self.journal[..records].iter().filter(of).map(|record| record.number).max().unwrap_or(0)
    }

    /// What is new in the message in hand.
    fn new_records(&self, bounds: &Bounds) -> Vec<Record> {
        let Some((message, _)) = &self.hand else { return Vec::new() };
        let member = if bounds.has(Hole::IdentityFromText) { message.says } else { message.subject };
        let counted = self.last_number(member, message.epoch, self.journal.len());
        if message.first > counted + 1 {
            return Vec::new();
        }
        let numbered = (message.first..).zip(&message.records);
        numbered
            .filter(|(number, _)| *number > counted)
            .map(|(number, what)| Record {
                member,
                epoch: message.epoch,
                number,
                what: *what,
                sent_by: message.subject,
            })
            .collect()
    }

    pub fn write(&mut self, bounds: &Bounds) {
        let new = self.new_records(bounds);
        self.had_new = !new.is_empty();
        self.journal.extend(new);
        self.reach(Phase::Written);
    }

    pub fn can_be_cut_in_write(&self, bounds: &Bounds) -> bool {
        matches!(self.hand, Some((_, Phase::Read))) && self.new_records(bounds).len() > 1
    }

    /// The first of several records.
    pub fn write_some(&mut self, bounds: &Bounds) {
        self.journal.extend(self.new_records(bounds).into_iter().take(1));
    }

    pub fn sync(&mut self) {
        self.synced = self.journal.len();
        self.reach(Phase::Synced);
    }

    pub fn publish_watermark(&mut self, engine: &mut Engine) {
        engine.watermark = self.last_number(Name::Web1, 1, self.journal.len());
        self.reach(Phase::Published);
    }

    pub fn move_place(&mut self) {
        if let Some((message, _)) = self.hand.take() {
            self.place = message.sequence;
        }
        self.synced = self.journal.len();
        self.had_new = false;
    }

    pub fn start_again(&mut self, without_power: bool) {
        self.hand = None;
        self.had_new = false;
        if without_power {
            self.journal.truncate(self.synced);
        }
    }

    fn reach(&mut self, phase: Phase) {
        if let Some((_, reached)) = &mut self.hand {
            *reached = phase;
        }
    }
}
