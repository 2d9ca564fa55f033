//! `web1`: keeps its records until the hub's watermark has passed them, and sends them in batches.

use super::engine::{Answer, Engine, Publication};
use super::{Bounds, Hole, Name, Step, World};

/// Records in a batch at most.
const BATCH: u8 = 2;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Member {
    /// What was recorded; the place is the number, from 1.
    pub journal: Vec<u8>,
    /// So many of them a power cut leaves.
    pub synced: u8,
    /// Up to here the hub has them, and they are forgotten here.
    pub trimmed: u8,
    /// The last sequence of its subject.
    pub expected: u8,
    /// Up to here the engine has them, as far as is known; saved together with `expected`.
    pub stored_to: u8,
    /// The batch that is in flight: its first number and its last. Not kept over a crash.
    pub awaited: Option<(u8, u8)>,
    /// Somebody else uses its name.
    pub is_stopped: bool,
}

impl Member {
    pub fn next_steps(&self, world: &World, bounds: &Bounds, steps: &mut Vec<Step>) {
        if self.is_stopped {
            return;
        }
        if world.engine.watermark > self.trimmed {
            steps.push(Step::MemberReadsWatermark);
        }
        if self.awaited.is_some() {
            if world.answer.is_none() && !world.wire.iter().any(|publication| publication.is_awaited) {
                steps.push(Step::MemberTimesOut);
            }
        } else if usize::from(self.stored_to) < self.journal.len() {
            steps.push(Step::MemberPublishes);
        } else if self.stored_to > self.trimmed.max(world.engine.watermark)
            && world.hub.has_nothing_to_do(&world.engine)
            && world.wire.is_empty()
            && !bounds.has(Hole::NeverGoesBack)
        {
            steps.push(Step::MemberGoesBackToWatermark);
        }
    }

    pub fn publish(&mut self, wire: &mut Vec<Publication>, bounds: &Bounds) {
        let last = (self.stored_to + BATCH).min(self.journal.len() as u8);
        if !bounds.has(Hole::SentBeforeSync) {
            self.synced = self.journal.len() as u8;
        }
        self.awaited = Some((self.stored_to + 1, last));
        self.publish_again(wire);
    }

    pub fn publish_again(&self, wire: &mut Vec<Publication>) {
        let Some((first, last)) = self.awaited else { return };
        let records = self.journal[usize::from(first) - 1..usize::from(last)].to_vec();
        wire.push(Publication { first, records, expected: self.expected, is_awaited: true });
        wire.sort();
    }

    pub fn hear(&mut self, answer: Option<Answer>, engine: &Engine, bounds: &Bounds) {
        let Some((_, last)) = self.awaited.take() else { return };
        match answer {
            Some(Answer::Stored(sequence)) => (self.expected, self.stored_to) = (sequence, last),
            Some(Answer::WrongSequence) => self.look_at_own_subject(engine),
            None => {}
        }
        if bounds.has(Hole::TrimmedWhenStored) {
            self.trimmed = self.trimmed.max(self.stored_to);
        }
    }

    fn look_at_own_subject(&mut self, engine: &Engine) {
        match engine.newest(Name::Web1) {
            Some(newest) if newest.sequence >= self.expected => {
                let own = self.journal.get(usize::from(newest.first) - 1..usize::from(newest.last()));
                if newest.epoch == 1 && own == Some(&newest.records) {
                    (self.expected, self.stored_to) = (newest.sequence, newest.last());
                } else {
                    self.is_stopped = true;
                }
            }
            newest => {
                self.expected = newest.map_or(0, |message| message.sequence);
                self.go_back();
            }
        }
    }

    pub fn read_watermark(&mut self, engine: &Engine) {
        self.trimmed = self.trimmed.max(engine.watermark);
        self.stored_to = self.stored_to.max(self.trimmed);
    }

    pub fn go_back(&mut self) {
        self.stored_to = self.trimmed;
    }

    pub fn start_again(&mut self, without_power: bool) {
        self.awaited = None;
        if without_power {
            self.journal.truncate(usize::from(self.synced));
        }
        self.synced = self.journal.len() as u8;
    }
}
