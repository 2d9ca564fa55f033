//! From a member's journal through the engine into the hub's: each failure once, whatever is cut, lost, late, repeated or
//! forged on the way.
//!
//! One honest member, `web1`; one that lies and has a valid certificate; the engine; one hub.

mod engine;
mod hub;
mod member;
mod properties;
mod tests;

use stateright::{Model, Property};

use engine::{Answer, Engine, Message, Publication};
use hub::Hub;
use member::Member;

/// Whose certificate, subject or name it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Name {
    Web1,
    Liar,
}

/// A rule that is left out on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hole {
    /// The watermark is published before the hub's journal is synced.
    WatermarkBeforeSync,
    /// The hub believes what the text says of its sender.
    IdentityFromText,
    /// Messages bear an id by which the engine knows repeats, for the whole stream.
    MessageIds,
    /// A member sends what a power cut may still take from its journal.
    SentBeforeSync,
    /// The hub publishes no watermark after a batch that was a repeat.
    SilentAboutRepeats,
    /// A member forgets its records when the engine has them.
    TrimmedWhenStored,
    /// A member never goes back to the watermark by itself.
    NeverGoesBack,
}

/// How much happens at most.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub failures: u8,
    /// Messages and answers that are lost, late or repeated.
    pub network: u8,
    /// Crashes and power cuts, of member and hub.
    pub crashes: u8,
    /// Times that the engine loses its last minutes.
    pub rollbacks: u8,
    /// Messages of the member that lies.
    pub lies: u8,
    /// The liar knows where answers for others are awaited.
    pub guessable_inbox: bool,
    pub hole: Option<Hole>,
}

impl Bounds {
    fn has(&self, hole: Hole) -> bool {
        self.hole == Some(hole)
    }
}

/// What may still go wrong.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Left {
    failures: u8,
    network: u8,
    crashes: u8,
    rollbacks: u8,
    lies: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    member: Member,
    /// On the wire to the engine.
    wire: Vec<Publication>,
    /// On the wire to the member: of the message that it awaits an answer to.
    answer: Option<Answer>,
    engine: Engine,
    hub: Hub,
    left: Left,
}

/// See README.md.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    MemberRecords,
    MemberPublishes,
    MemberHearsAnswer,
    MemberTimesOut,
    MemberTimesOutEarly,
    MemberReadsWatermark,
    MemberGoesBackToWatermark,
    MemberGoesBackEarly,
    MemberCrashes,
    MemberLosesPower,
    MessageIsLost(usize),
    /// The engine takes it: stores or refuses.
    EngineTakes(usize),
    /// It comes once more later.
    EngineTakesAndItIsRepeated(usize),
    AnswerIsLost,
    EngineLosesMinutes {
        messages: usize,
        watermark: u8,
    },
    HubReads,
    HubWrites,
    HubSyncs,
    HubPublishesWatermark,
    HubMovesPlace,
    HubCrashes,
    HubCrashesInWrite,
    HubLosesPower,
    LiarPublishes {
        epoch: u8,
        first: u8,
        last: u8,
    },
    LiarForgesAnswer,
}

impl World {
    /// The steps that need nothing to go wrong, in the order in which they are taken where all goes well.
    fn next_steps(&self, bounds: &Bounds, steps: &mut Vec<Step>) {
        steps.extend((0..self.wire.len()).map(Step::EngineTakes));
        if self.answer.is_some() {
            steps.push(Step::MemberHearsAnswer);
        }
        self.hub.next_steps(&self.engine, bounds, steps);
        self.member.next_steps(self, bounds, steps);
    }

    /// The steps in which something happens, or goes wrong.
    fn faults(&self, bounds: &Bounds, steps: &mut Vec<Step>) {
        if self.left.failures > 0 {
            steps.push(Step::MemberRecords);
        }
        if self.left.network > 0 {
            for at in 0..self.wire.len() {
                steps.extend([Step::MessageIsLost(at), Step::EngineTakesAndItIsRepeated(at)]);
            }
            if self.answer.is_some() {
                steps.push(Step::AnswerIsLost);
            }
            if self.member.awaited.is_some() {
                steps.push(Step::MemberTimesOutEarly);
            } else if self.member.stored_to > self.member.trimmed && !bounds.has(Hole::NeverGoesBack) {
                steps.push(Step::MemberGoesBackEarly);
            }
        }
        if self.left.crashes > 0 {
            steps.extend([
                Step::MemberCrashes,
                Step::MemberLosesPower,
                Step::HubCrashes,
                Step::HubLosesPower,
            ]);
            if self.hub.can_be_cut_in_write(bounds) {
                steps.push(Step::HubCrashesInWrite);
            }
        }
        if self.left.rollbacks > 0 {
            for messages in 0..=self.engine.log.len() {
                for watermark in 0..=self.engine.watermark {
                    if (messages, watermark) != (self.engine.log.len(), self.engine.watermark) {
                        steps.push(Step::EngineLosesMinutes { messages, watermark });
                    }
                }
            }
        }
        if self.left.lies > 0 {
            for (epoch, first, last) in [(1, 1, 2), (1, 3, 3), (2, 1, 1), (2, 2, 2)] {
                steps.push(Step::LiarPublishes { epoch, first, last });
            }
            if bounds.guessable_inbox && self.member.awaited.is_some() {
                steps.push(Step::LiarForgesAnswer);
            }
        }
    }

    fn take(&mut self, step: &Step, bounds: &Bounds) {
        match step {
            Step::MemberRecords => {
                self.left.failures -= 1;
                self.member.journal.push(bounds.failures - self.left.failures);
            }
            Step::MemberPublishes => self.member.publish(&mut self.wire, bounds),
            Step::MemberHearsAnswer => self.member.hear(self.answer.take(), &self.engine, bounds),
            Step::MemberTimesOut => self.member.publish_again(&mut self.wire),
            Step::MemberTimesOutEarly => {
                self.left.network -= 1;
                self.nobody_awaits();
                self.member.publish_again(&mut self.wire);
            }
            Step::MemberReadsWatermark => self.member.read_watermark(&self.engine),
            Step::MemberGoesBackToWatermark => self.member.go_back(),
            Step::MemberGoesBackEarly => {
                self.left.network -= 1;
                self.member.go_back();
            }
            Step::MemberCrashes | Step::MemberLosesPower => {
                self.left.crashes -= 1;
                self.nobody_awaits();
                self.member.start_again(*step == Step::MemberLosesPower);
            }
            Step::MessageIsLost(at) => {
                self.left.network -= 1;
                self.wire.remove(*at);
            }
            Step::EngineTakes(at) => {
                let taken = self.wire.remove(*at);
                self.arrives(&taken, bounds);
            }
            Step::EngineTakesAndItIsRepeated(at) => {
                self.left.network -= 1;
                let taken = self.wire.remove(*at);
                self.arrives(&taken, bounds);
                self.wire.push(Publication { is_awaited: false, ..taken });
                self.wire.sort();
            }
            Step::AnswerIsLost => {
                self.left.network -= 1;
                self.answer = None;
            }
            Step::EngineLosesMinutes { messages, watermark } => {
                self.left.rollbacks -= 1;
                self.engine.lose_minutes(*messages, *watermark);
            }
            Step::HubReads => self.hub.read(&self.engine),
            Step::HubWrites => self.hub.write(bounds),
            Step::HubSyncs => self.hub.sync(),
            Step::HubPublishesWatermark => self.hub.publish_watermark(&mut self.engine),
            Step::HubMovesPlace => self.hub.move_place(),
            Step::HubCrashes | Step::HubCrashesInWrite | Step::HubLosesPower => {
                self.left.crashes -= 1;
                if *step == Step::HubCrashesInWrite {
                    self.hub.write_some(bounds);
                }
                self.hub.start_again(*step == Step::HubLosesPower);
            }
            Step::LiarPublishes { epoch, first, last } => {
                self.left.lies -= 1;
                // Its text says that it is web1's, and bears the id that web1's message would.
                self.engine.store(Message {
                    subject: Name::Liar,
                    says: Name::Web1,
                    epoch: *epoch,
                    first: *first,
                    records: (*first..=*last).map(|number| number + 100).collect(),
                    sequence: 0,
                });
            }
            Step::LiarForgesAnswer => {
                self.left.lies -= 1;
                self.answer = Some(Answer::Stored(9));
            }
        }
    }

    fn arrives(&mut self, taken: &Publication, bounds: &Bounds) {
        let answer = self.engine.take(taken, bounds);
        if taken.is_awaited {
            self.answer = Some(answer);
        }
    }

    /// Answers to what is on the wire come to an inbox that is there no more.
    fn nobody_awaits(&mut self) {
        self.answer = None;
        self.wire.iter_mut().for_each(|publication| publication.is_awaited = false);
        self.wire.sort();
    }
}

impl Model for Bounds {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        let Self { failures, network, crashes, rollbacks, lies, .. } = *self;
        vec![World {
            member: Member::default(),
            wire: Vec::new(),
            answer: None,
            engine: Engine::default(),
            hub: Hub::default(),
            left: Left { failures, network, crashes, rollbacks, lies },
        }]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        world.next_steps(self, steps);
        world.faults(self, steps);
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        let mut next = world.clone();
        next.take(&step, self);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}
