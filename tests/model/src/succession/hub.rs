//! What a hub does with the lease, and what it writes into the ledger.

use super::{Alert, Bounds, Hole, Ledger, Step, World};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// It leads not, and would.
    #[default]
    Contends,
    HasLease,
    /// It has the ledger too, and nothing is under way.
    Leads,
    /// The next request is in the ledger.
    Reserved,
    Asked,
    Answered,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Hub {
    pub phase: Phase,
    pub token: u8,
    /// As it wrote or read it last; not kept over a crash.
    pub ledger: Ledger,
    /// Up to here the records are in its own journal, on disk.
    pub counted: u8,
}

impl Hub {
    pub fn next_steps(&self, at: usize, world: &World, bounds: &Bounds, steps: &mut Vec<Step>) {
        match self.phase {
            Phase::Contends if world.lease.holder.is_none() || world.lease.is_over => {
                steps.push(Step::HubTakesLease(at));
            }
            Phase::Contends => {}
            Phase::HasLease => steps.push(Step::HubTakesLedger(at)),
            Phase::Leads => {
                // What the engine has forgotten cannot be read.
                if self.counted < world.stored && self.counted >= world.purged {
                    steps.push(Step::HubCounts(at));
                }
                if world.purged < self.may_purge(bounds) {
                    steps.push(Step::HubPurges(at));
                }
                // An open alert too only when its records are in the own journal: they are forgotten once it is settled.
                let has_some = if self.ledger.is_open {
                    self.counted >= self.ledger.up_to
                } else {
                    self.counted > self.ledger.settled
                };
                if has_some && self.ledger.requests < bounds.budget {
                    let early = bounds.has(Hole::EnteredAfterRequest);
                    steps.push(if early { Step::HubPosts(at) } else { Step::HubReserves(at) });
                }
            }
            Phase::Reserved => steps.push(Step::HubPosts(at)),
            Phase::Asked => {
                if !world.wire.iter().any(|request| request.by == at && request.is_awaited) {
                    steps.push(Step::HubTimesOut(at));
                }
            }
            Phase::Answered => steps.push(Step::HubSettles(at)),
        }
    }

    /// The ledger with the alert that comes next and its request: the open one as it is, or all that is counted.
    pub fn reservation(&self, bounds: &Bounds) -> Ledger {
        let mut next = Ledger { requests: self.ledger.requests + 1, is_open: true, ..self.ledger.clone() };
        if !self.ledger.is_open {
            next.alert += 1;
        }
        if !self.ledger.is_open || bounds.has(Hole::OpenAlertComposedAnew) {
            next.up_to = self.counted;
        }
        next
    }

    /// The alert that is reserved.
    pub fn alert(&self, bounds: &Bounds) -> Alert {
        let early = bounds.has(Hole::EnteredAfterRequest);
        let reserved = if early { self.reservation(bounds) } else { self.ledger.clone() };
        Alert { number: reserved.alert, after: reserved.settled, up_to: reserved.up_to }
    }

    /// The ledger once the service has the alert.
    pub fn settlement(&self, bounds: &Bounds) -> Ledger {
        let early = bounds.has(Hole::EnteredAfterRequest);
        let reserved = if early { self.reservation(bounds) } else { self.ledger.clone() };
        Ledger { is_open: false, settled: reserved.up_to, ..reserved }
    }

    /// Up to here the engine may forget.
    pub fn may_purge(&self, bounds: &Bounds) -> u8 {
        if bounds.has(Hole::PurgedWhenCounted) { self.counted } else { self.ledger.settled }
    }
}
