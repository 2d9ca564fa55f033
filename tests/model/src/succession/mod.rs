//! Two hubs, one of which leads: one budget, and each failure in one alert, when the lease runs out, a hub dies or is
//! replaced by a machine with an empty disk, and requests or answers are lost or late.
//!
//! What is in the engine here is synced: on an engine that loses its last minutes the ledger is no ground to stand on,
//! which a test shows.

mod hub;
mod properties;
mod tests;

use stateright::{Model, Property};

use hub::{Hub, Phase};

/// A rule that is left out on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hole {
    /// Who has the lease writes without comparing sequence or token.
    LeaseWithoutToken,
    /// The request is entered when its answer is there.
    EnteredAfterRequest,
    /// The engine forgets what is counted, though it is not settled.
    PurgedWhenCounted,
    /// An alert that is open at a takeover is composed anew, with all that is counted by then.
    OpenAlertComposedAnew,
}

/// How much happens at most.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub failures: u8,
    /// Requests that may be made.
    pub budget: u8,
    /// The service shows an alert once, however often it comes.
    pub knows_repeats: bool,
    pub network: u8,
    /// Crashes, and machines that are replaced.
    pub crashes: u8,
    /// Times that the lease runs out under a holder that lives.
    pub stalls: u8,
    /// Times that the engine loses what was written last into the ledger.
    pub rollbacks: u8,
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
    network: u8,
    crashes: u8,
    stalls: u8,
    rollbacks: u8,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Lease {
    pub holder: Option<usize>,
    /// Its sequence in the engine: the holder's token.
    pub token: u8,
    pub is_over: bool,
}

/// One message in the engine, changed by comparing its sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ledger {
    pub sequence: u8,
    /// Of the holder that wrote it.
    pub token: u8,
    /// The number of the newest alert, and the last record in it.
    pub alert: u8,
    pub up_to: u8,
    /// What became of it is not known.
    pub is_open: bool,
    /// Up to here the records are in alerts that the service has.
    pub settled: u8,
    pub requests: u8,
}

/// An alert, as it is sent and shown: its number, and the records after `after` up to `up_to`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Alert {
    pub number: u8,
    pub after: u8,
    pub up_to: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Request {
    pub by: usize,
    pub alert: Alert,
    /// Whoever sent it still waits.
    pub is_awaited: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// Records in the stream, and those at its beginning that it has forgotten.
    stored: u8,
    purged: u8,
    lease: Lease,
    ledger: Ledger,
    /// As it was before the last write.
    ledger_before: Ledger,
    hubs: [Hub; 2],
    wire: Vec<Request>,
    /// What the service has shown, in order.
    shown: Vec<Alert>,
    /// Requests that were made.
    asked: u8,
    /// A hub wrote over what one with a newer token had written.
    overwritten: bool,
    left: Left,
}

/// See README.md. The number is the hub's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    MemberPublishes,
    LeaseRunsOut,
    HubTakesLease(usize),
    HubTakesLedger(usize),
    HubCounts(usize),
    HubReserves(usize),
    HubPosts(usize),
    ServiceTakes(usize),
    RequestIsLost(usize),
    AnswerIsLost(usize),
    HubTimesOut(usize),
    HubSettles(usize),
    HubPurges(usize),
    HubCrashes(usize),
    HubIsReplaced(usize),
    EngineLosesLedger,
}

impl World {
    fn next_steps(&self, bounds: &Bounds, steps: &mut Vec<Step>) {
        steps.extend((0..self.wire.len()).map(Step::ServiceTakes));
        for (at, hub) in self.hubs.iter().enumerate() {
            hub.next_steps(at, self, bounds, steps);
        }
        let is_idle = |holder: usize| matches!(self.hubs[holder].phase, Phase::Contends);
        if !self.lease.is_over && self.lease.holder.is_some_and(is_idle) {
            steps.push(Step::LeaseRunsOut);
        }
    }

    fn faults(&self, steps: &mut Vec<Step>) {
        if self.left.failures > 0 {
            steps.push(Step::MemberPublishes);
        }
        if self.left.stalls > 0 && !self.lease.is_over && self.lease.holder.is_some() {
            steps.push(Step::LeaseRunsOut);
        }
        if self.left.network > 0 {
            for at in 0..self.wire.len() {
                steps.extend([Step::RequestIsLost(at), Step::AnswerIsLost(at)]);
            }
        }
        if self.left.crashes > 0 {
            for at in 0..self.hubs.len() {
                steps.extend([Step::HubCrashes(at), Step::HubIsReplaced(at)]);
            }
        }
        if self.left.rollbacks > 0 && self.ledger != self.ledger_before {
            steps.push(Step::EngineLosesLedger);
        }
    }

    fn take(&mut self, step: &Step, bounds: &Bounds) {
        match *step {
            Step::MemberPublishes => {
                self.left.failures -= 1;
                self.stored += 1;
            }
            Step::LeaseRunsOut => {
                let lives = |holder: usize| !matches!(self.hubs[holder].phase, Phase::Contends);
                self.left.stalls -= u8::from(self.lease.holder.is_some_and(lives));
                self.lease.is_over = true;
            }
            Step::HubTakesLease(at) => {
                self.lease = Lease { holder: Some(at), token: self.lease.token + 1, is_over: false };
                self.hubs[at].token = self.lease.token;
                self.hubs[at].phase = Phase::HasLease;
            }
            Step::HubTakesLedger(at) => self.take_ledger(at, bounds),
            Step::HubCounts(at) => self.hubs[at].counted = self.stored,
            Step::HubReserves(at) => {
                let entry = self.hubs[at].reservation(bounds);
                if self.write(at, entry, bounds) {
                    self.hubs[at].phase = Phase::Reserved;
                }
            }
            Step::HubPosts(at) => {
                let alert = self.hubs[at].alert(bounds);
                self.asked += 1;
                self.wire.push(Request { by: at, alert, is_awaited: true });
                self.wire.sort();
                self.hubs[at].phase = Phase::Asked;
            }
            Step::ServiceTakes(at) => {
                let request = self.arrives(at, bounds);
                if request.is_awaited {
                    self.hubs[request.by].phase = Phase::Answered;
                }
            }
            Step::RequestIsLost(at) => {
                self.left.network -= 1;
                self.wire.remove(at);
            }
            Step::AnswerIsLost(at) => {
                self.left.network -= 1;
                self.arrives(at, bounds);
            }
            Step::HubTimesOut(at) => self.hubs[at].phase = Phase::Leads,
            Step::HubSettles(at) => {
                let entry = self.hubs[at].settlement(bounds);
                if self.write(at, entry, bounds) {
                    self.hubs[at].phase = Phase::Leads;
                }
            }
            Step::HubPurges(at) => self.purged = self.hubs[at].may_purge(bounds),
            Step::HubCrashes(at) | Step::HubIsReplaced(at) => {
                self.left.crashes -= 1;
                let counted = if *step == Step::HubCrashes(at) { self.hubs[at].counted } else { 0 };
                self.stop(at);
                self.hubs[at].counted = counted;
            }
            Step::EngineLosesLedger => {
                self.left.rollbacks -= 1;
                self.ledger = self.ledger_before.clone();
            }
        }
    }

    /// At the service.
    fn arrives(&mut self, at: usize, bounds: &Bounds) -> Request {
        let request = self.wire.remove(at);
        let is_known = self.shown.iter().any(|shown| shown.number == request.alert.number);
        if !(bounds.knows_repeats && is_known) {
            self.shown.push(request.alert.clone());
        }
        request
    }

    /// Read it, and write it back: a holder before this one can write no more.
    fn take_ledger(&mut self, at: usize, bounds: &Bounds) {
        if self.ledger.token > self.hubs[at].token && !bounds.has(Hole::LeaseWithoutToken) {
            return self.stop(at);
        }
        let ledger = self.ledger.clone();
        let hub = &mut self.hubs[at];
        hub.counted = hub.counted.max(ledger.settled);
        hub.ledger = ledger.clone();
        hub.phase = Phase::Leads;
        self.write(at, ledger, bounds);
    }

    /// Into the ledger, if nobody else did since it was read; a hub that is refused stops at once.
    fn write(&mut self, at: usize, entry: Ledger, bounds: &Bounds) -> bool {
        let (token, known) = (self.hubs[at].token, self.hubs[at].ledger.sequence);
        if known != self.ledger.sequence && !bounds.has(Hole::LeaseWithoutToken) {
            self.stop(at);
            return false;
        }
        self.overwritten |= token < self.ledger.token;
        let sequence = self.ledger.sequence + 1;
        self.ledger_before = std::mem::replace(&mut self.ledger, Ledger { sequence, token, ..entry });
        self.hubs[at].ledger = self.ledger.clone();
        true
    }

    fn stop(&mut self, at: usize) {
        self.hubs[at] = Hub { counted: self.hubs[at].counted, ..Hub::default() };
        self.wire
            .iter_mut()
            .filter(|request| request.by == at)
            .for_each(|request| request.is_awaited = false);
        self.wire.sort();
    }
}

impl Model for Bounds {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        let Self { failures, network, crashes, stalls, rollbacks, .. } = *self;
        vec![World {
            stored: 0,
            purged: 0,
            lease: Lease::default(),
            ledger: Ledger::default(),
            ledger_before: Ledger::default(),
            hubs: Default::default(),
            wire: Vec::new(),
            shown: Vec::new(),
            asked: 0,
            overwritten: false,
            left: Left { failures, network, crashes, stalls, rollbacks },
        }]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        world.next_steps(self, steps);
        world.faults(steps);
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
