//! Delivery from the journal to receivers: two processes that may be cut at each step or stand still, services that do not
//! say what became of a request.
//!
//! The names are those of `src/deliver`; README.md has them in a table.

mod disk;
mod pass;
mod properties;
mod receiver;
mod service;
mod tests;

use stateright::{Model, Property};

use disk::{Disk, Staging};
use pass::Pass;
use receiver::{Kind, Receiver};
use service::{Reply, Request};

/// A rule that is left out on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hole {
    /// The state is saved after the request instead of before.
    SavedAfterRequest,
    /// Whoever takes over a lease goes on in the same epoch.
    LeaseWithoutEpoch,
    /// The second look at the lock, behind the note and before the first byte, is left out.
    NoCheckAfterNote,
    /// A segment is deleted when one receiver has read it.
    DeletedWhenOneHasRead,
    /// What a pass that was cut has staged is staged over before it is saved.
    StagedOverTheOnlyCopy,
    /// Of the history only the newest entry is looked at before another is added.
    OnlyNewestOfHistory,
    /// A receiver without a state is begun at the journal's beginning by whoever serves it.
    ForgottenBeginsAnew,
}

/// How much happens at most.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub receivers: Vec<Kind>,
    /// Processes that may serve a receiver.
    pub passes: usize,
    /// The last receiver is added later, and may be removed.
    pub last_comes_and_goes: bool,
    pub failures: u8,
    /// Requests that the bucket has.
    pub bucket: u8,
    pub crashes: u8,
    /// Requests and answers that are lost or late, texts refused, connections that fail.
    pub network: u8,
    /// Holders that stand still for longer than their lease.
    pub stalls: u8,
    pub power_cuts: u8,
    pub hole: Option<Hole>,
}

impl Bounds {
    fn has(&self, hole: Hole) -> bool {
        self.hole == Some(hole)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Left {
    failures: u8,
    crashes: u8,
    network: u8,
    stalls: u8,
    power_cuts: u8,
    changes: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// Failures in the journal, and those at its beginning whose segments are deleted.
    recorded: u8,
    deleted: u8,
    receivers: Vec<Receiver>,
    left: Left,
}

/// The first number is the receiver's, the second the process's or that of the request on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Record,
    /// What the process does next, by name.
    Pass(usize, usize, pass::Move),
    LeaseRunsOut(usize),
    /// It fails before anything is sent, and that is known.
    ConnectionFails(usize, usize),
    Arrive(usize, usize),
    ArriveAndRefuse(usize, usize),
    ArriveAndLimit(usize, usize),
    RequestIsLost(usize, usize),
    AnswerIsLost(usize, usize),
    /// Nobody waits for it any more, and it may arrive yet.
    RequestIsLate(usize, usize),
    Crash(usize, usize),
    PowerIsCut(Staging),
    Configure(usize),
    Remove(usize),
    Enrol(usize),
    ForgetRemoved(usize),
    Retain,
}

impl World {
    /// What goes on for one receiver where nothing goes wrong.
    fn next_steps(&self, at: usize, bounds: &Bounds, steps: &mut Vec<Step>) {
        let receiver = &self.receivers[at];
        steps.extend((0..receiver.service.wire.len()).map(|request| Step::Arrive(at, request)));
        let mut idle = Vec::new();
        for (number, pass) in receiver.passes.iter().enumerate() {
            match pass.next(self, at, bounds) {
                Some(next) if next.begins() => idle.push(Step::Pass(at, number, next)),
                Some(next) => steps.push(Step::Pass(at, number, next)),
                None => {}
            }
        }
        steps.extend(idle);
        if receiver.is_configured && receiver.disk.states.is_empty() {
            steps.push(Step::Enrol(at));
        }
    }

    fn faults(&self, at: usize, steps: &mut Vec<Step>) {
        let receiver = &self.receivers[at];
        let numbers = 0..receiver.passes.len();
        if self.left.crashes > 0 {
            let runs = |number: &usize| !receiver.passes[*number].is_idle();
            steps.extend(numbers.clone().filter(runs).map(|number| Step::Crash(at, number)));
        }
        if self.left.stalls > 0 && receiver.disk.holder.is_some() && !receiver.disk.lease_is_over {
            steps.push(Step::LeaseRunsOut(at));
        }
        if self.left.network > 0 {
            for (request, on_wire) in receiver.service.wire.iter().enumerate() {
                steps.extend([Step::RequestIsLost(at, request), Step::AnswerIsLost(at, request)]);
                if on_wire.by.is_some() {
                    steps.push(Step::RequestIsLate(at, request));
                    steps.push(Step::ArriveAndRefuse(at, request));
                    steps.push(Step::ArriveAndLimit(at, request));
                }
            }
            let connects = |number: &usize| receiver.passes[*number].is_connecting();
            steps.extend(numbers.filter(connects).map(|number| Step::ConnectionFails(at, number)));
        }
    }

    /// What is done to receivers as such, and to the journal they share.
    fn upkeep(&self, bounds: &Bounds, steps: &mut Vec<Step>) {
        if self.left.failures > 0 {
            steps.push(Step::Record);
        }
        if self.left.power_cuts > 0 {
            steps.extend([Staging::Written, Staging::AsBefore, Staging::Torn].map(Step::PowerIsCut));
        }
        let last = self.receivers.len() - 1;
        if bounds.last_comes_and_goes {
            let receiver = &self.receivers[last];
            if self.left.changes > 0 {
                steps.push(if receiver.is_configured { Step::Remove(last) } else { Step::Configure(last) });
            }
            if !receiver.is_configured && !receiver.disk.states.is_empty() && receiver.disk.holder.is_none() {
                steps.push(Step::ForgetRemoved(last));
            }
        }
        // Under the locks of all.
        let is_free = |receiver: &Receiver| receiver.disk.holder.is_none();
        if self.receivers.len() > 1
            && self.receivers.iter().all(is_free)
            && self.read_by_all(bounds) > self.deleted
        {
            steps.push(Step::Retain);
        }
    }

    /// Up to here every receiver has read, by its state on disk.
    fn read_by_all(&self, bounds: &Bounds) -> u8 {
        let configured = self.receivers.iter().filter(|receiver| receiver.is_configured);
        let read = configured.filter_map(|receiver| receiver.disk.newest().map(|state| state.cursor));
        let of = if bounds.has(Hole::DeletedWhenOneHasRead) { read.max() } else { read.min() };
        of.unwrap_or(0)
    }

    fn take(&mut self, step: &Step, bounds: &Bounds) {
        let (recorded, kinds) = (self.recorded, &bounds.receivers);
        match *step {
            Step::Record => {
                self.left.failures -= 1;
                self.recorded += 1;
            }
            Step::Pass(at, number, next) => self.receivers[at].step(number, next, recorded, at, bounds),
            Step::LeaseRunsOut(at) => {
                self.left.stalls -= 1;
                self.receivers[at].disk.lease_is_over = true;
            }
            Step::ConnectionFails(at, number) => {
                self.left.network -= 1;
                self.receivers[at].passes[number].connection_fails();
            }
            Step::Arrive(at, request) => self.receivers[at].arrive(request, kinds[at].repeats),
            Step::ArriveAndRefuse(at, request) => self.answer(at, request, Reply::Refused),
            Step::ArriveAndLimit(at, request) => self.answer(at, request, Reply::Limited),
            Step::RequestIsLost(at, request) => self.answer(at, request, Reply::Unknown),
            Step::AnswerIsLost(at, request) => {
                let taken = self.receivers[at].service.wire[request].clone();
                self.receivers[at].service.take(&taken, kinds[at].repeats);
                self.answer(at, request, Reply::Unknown);
            }
            Step::RequestIsLate(at, request) => {
                let late = Request { by: None, ..self.receivers[at].service.wire[request].clone() };
                self.answer(at, request, Reply::Unknown);
                self.receivers[at].service.send(late);
            }
            Step::Crash(at, number) => {
                self.left.crashes -= 1;
                self.receivers[at].end(number);
            }
            Step::PowerIsCut(staging) => {
                self.left.power_cuts -= 1;
                for receiver in &mut self.receivers {
                    (0..receiver.passes.len()).for_each(|number| receiver.end(number));
                    receiver.disk.lose_power(staging);
                }
            }
            Step::Configure(at) => {
                self.left.changes -= 1;
                self.receivers[at].is_configured = true;
            }
            Step::Remove(at) => {
                self.left.changes -= 1;
                self.receivers[at].is_configured = false;
            }
            // It begins now: what is in the journal is past.
            Step::Enrol(at) => self.receivers[at].begin_at(recorded),
            // Locks are known by their inode too: none that is made later is one of these.
            Step::ForgetRemoved(at) => {
                let Receiver { disk, service, .. } = &mut self.receivers[at];
                *disk = Disk { epoch: disk.epoch + 1, ..Disk::default() };
                // The bucket is a new one when it comes back.
                service.asked = 0;
            }
            Step::Retain => self.deleted = self.read_by_all(bounds),
        }
    }

    fn answer(&mut self, at: usize, request: usize, reply: Reply) {
        self.left.network -= 1;
        self.receivers[at].answer(request, reply);
    }
}

impl Model for Bounds {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        let Self { failures, crashes, network, stalls, power_cuts, .. } = *self;
        let last = self.receivers.len() - 1;
        let receiver = |at| {
            let is_configured = !(self.last_comes_and_goes && at == last);
            let passes = vec![Pass::default(); self.passes];
            let mut receiver = Receiver { is_configured, passes, ..Receiver::default() };
            if is_configured {
                receiver.begin_at(0);
            }
            receiver
        };
        vec![World {
            recorded: 0,
            deleted: 0,
            receivers: (0..=last).map(receiver).collect(),
            left: Left { failures, crashes, network, stalls, power_cuts, changes: 2 },
        }]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        for at in 0..world.receivers.len() {
            world.next_steps(at, self, steps);
            world.faults(at, steps);
        }
        world.upkeep(self, steps);
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
