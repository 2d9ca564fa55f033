//! A process that serves a receiver, step by step. Whatever stands in its memory is gone with it.

use super::disk::{Alert, State};
use super::receiver::{Receiver, Repeats};
use super::service::{Reply, Request};
use super::{Bounds, Hole, World};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    #[default]
    Idle,
    /// It has read the configuration.
    Begun,
    Held,
    /// The state is of an earlier epoch, or only staged.
    Older,
    Adopted,
    Loaded,
    /// It looks for what is due.
    Sending,
    Attempting,
    Staged,
    Checked,
    Put,
    Connected,
    Waiting,
    Answered(Reply),
    /// The service has it.
    Delivered,
    Acknowledging,
    /// To be saved, and then there may be more to send, or not.
    ToSave {
        goes_on: bool,
    },
    Saving {
        goes_on: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    ReadConfiguration,
    TakeLock,
    Overtake,
    Load,
    AdoptSaves,
    AdoptForgets,
    TakeIn,
    IsDeliveredAlready,
    SkipsUnknown,
    Compose,
    NothingIsDue,
    Stage,
    NoteChecks,
    NotePuts,
    NoteChecksAgain,
    Ask,
    Settle,
    AcknowledgeChecks,
    HistoryAdds,
    SaveChecks,
    Saves,
}

impl Move {
    pub fn begins(self) -> bool {
        matches!(self, Self::ReadConfiguration | Self::TakeLock | Self::Overtake)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Pass {
    phase: Phase,
    pub epoch: u8,
    pub state: State,
    maybe_before: bool,
}

impl Pass {
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    pub fn is_connecting(&self) -> bool {
        self.phase == Phase::Staged
    }

    pub fn hear(&mut self, reply: Reply) {
        if self.phase == Phase::Waiting {
            self.phase = Phase::Answered(reply);
        }
    }

    /// Nothing was sent: as if nothing had been tried.
    pub fn connection_fails(&mut self) {
        self.state.take_back();
        self.phase = Phase::ToSave { goes_on: false };
    }

    pub fn next(&self, world: &World, at: usize, bounds: &Bounds) -> Option<Move> {
        let disk = &world.receivers[at].disk;
        Some(match self.phase {
            Phase::Idle => {
                let state = disk.newest().filter(|_| world.receivers[at].is_configured)?;
                let can_ask = state.requests < bounds.bucket;
                let is_due = state.pending > 0 || state.alert.is_some();
                if state.cursor == world.recorded && !(is_due && can_ask) {
                    return None;
                }
                Move::ReadConfiguration
            }
            Phase::Begun => match disk.holder {
                None => Move::TakeLock,
                Some(_) if disk.lease_is_over => Move::Overtake,
                Some(_) => return None,
            },
            Phase::Held => Move::Load,
            Phase::Older => Move::AdoptSaves,
            Phase::Adopted => Move::AdoptForgets,
            Phase::Loaded => Move::TakeIn,
            Phase::Sending => self.due(&disk.history, at, bounds),
            Phase::Attempting => Move::Stage,
            Phase::Staged => Move::NoteChecks,
            Phase::Checked => Move::NotePuts,
            Phase::Put => Move::NoteChecksAgain,
            Phase::Connected => Move::Ask,
            Phase::Waiting => return None,
            Phase::Answered(_) => Move::Settle,
            Phase::Delivered => Move::AcknowledgeChecks,
            Phase::Acknowledging => Move::HistoryAdds,
            Phase::ToSave { .. } => Move::SaveChecks,
            Phase::Saving { .. } => Move::Saves,
        })
    }

    fn due(&self, history: &[Alert], at: usize, bounds: &Bounds) -> Move {
        let state = &self.state;
        let is_due = state.pending > 0 || state.alert.is_some();
        if !is_due || state.requests >= bounds.bucket {
            Move::NothingIsDue
        } else if state.maybe_sent && state.alert.as_ref().is_some_and(|alert| history.contains(alert)) {
            Move::IsDeliveredAlready
        } else if state.maybe_sent && skips(at, bounds) {
            Move::SkipsUnknown
        } else {
            Move::Compose
        }
    }
}

fn skips(at: usize, bounds: &Bounds) -> bool {
    bounds.receivers[at].repeats == Repeats::Shown && bounds.receivers[at].skips_unknown
}

impl Receiver {
    /// The process ends, for whatever reason, and with it its lock.
    pub fn end(&mut self, number: usize) {
        let disk = &mut self.disk;
        if disk.holder == Some(number) && disk.epoch == self.passes[number].epoch {
            (disk.holder, disk.lease_is_over) = (None, false);
        }
        self.passes[number] = Pass::default();
        let waits = |request: &&mut Request| request.by == Some(number);
        self.service.wire.iter_mut().filter(waits).for_each(|request| request.by = None);
        self.service.wire.sort();
    }

    /// Whether the process still holds the lock; one that was overtaken ends.
    fn check(&mut self, number: usize) -> bool {
        let holds = self.passes[number].epoch == self.disk.epoch && !self.disk.states.is_empty();
        if !holds {
            self.end(number);
        }
        holds
    }

    fn check_and_reach(&mut self, number: usize, phase: Phase) {
        if self.check(number) {
            self.reach(number, phase);
        }
    }

    fn reach(&mut self, number: usize, phase: Phase) {
        self.passes[number].phase = phase;
    }

    pub fn step(&mut self, number: usize, next: Move, recorded: u8, at: usize, bounds: &Bounds) {
        let epoch = self.passes[number].epoch;
        match next {
            Move::ReadConfiguration => self.reach(number, Phase::Begun),
            Move::TakeLock | Move::Overtake | Move::Load | Move::AdoptSaves => {
                self.take_hold(number, next, bounds);
            }
            Move::AdoptForgets if self.check(number) => {
                self.disk.forget_before(epoch);
                self.reach(number, Phase::Loaded);
            }
            Move::AdoptForgets => {}
            Move::TakeIn => {
                let pass = &mut self.passes[number];
                pass.state.take_in(recorded, bounds.receivers[at].classes);
                pass.state.take_back();
                self.reach(number, Phase::Sending);
            }
            Move::IsDeliveredAlready | Move::SkipsUnknown => self.reach(number, Phase::Delivered),
            Move::NothingIsDue => self.reach(number, Phase::ToSave { goes_on: false }),
            Move::Compose => {
                if self.check(number) {
                    if self.passes[number].state.alert.is_none() {
                        self.passes[number].state.compose();
                    }
                    self.reach(number, Phase::Attempting);
                }
            }
            Move::Stage => {
                self.disk.stage(epoch, self.passes[number].state.clone());
                let late = bounds.has(Hole::SavedAfterRequest);
                self.reach(number, if late { Phase::Connected } else { Phase::Staged });
            }
            Move::NoteChecks => self.check_and_reach(number, Phase::Checked),
            Move::NotePuts => self.put_note(number, bounds),
            Move::NoteChecksAgain => self.check_and_reach(number, Phase::Connected),
            Move::Ask => self.ask(number, bounds),
            Move::Settle => self.settle(number, at, bounds),
            Move::AcknowledgeChecks => self.check_and_reach(number, Phase::Acknowledging),
            Move::HistoryAdds => {
                if let Some(alert) = self.passes[number].state.alert.clone() {
                    self.disk.add_to_history(&alert, bounds.has(Hole::OnlyNewestOfHistory));
                }
                self.passes[number].state.acknowledge();
                self.reach(number, Phase::ToSave { goes_on: true });
            }
            Move::SaveChecks => {
                if let (true, Phase::ToSave { goes_on }) = (self.check(number), self.passes[number].phase) {
                    self.reach(number, Phase::Saving { goes_on });
                }
            }
            Move::Saves => {
                self.disk.save(epoch, self.passes[number].state.clone());
                match self.passes[number].phase {
                    Phase::Saving { goes_on: true } => self.reach(number, Phase::Sending),
                    _ => self.end(number),
                }
            }
        }
    }

    /// The lock, and the state that is there.
    fn take_hold(&mut self, number: usize, next: Move, bounds: &Bounds) {
        let epoch = self.passes[number].epoch;
        match next {
            Move::TakeLock | Move::Overtake => {
                self.disk.epoch += u8::from(next == Move::Overtake && !bounds.has(Hole::LeaseWithoutEpoch));
                (self.disk.holder, self.disk.lease_is_over) = (Some(number), false);
                self.passes[number].epoch = self.disk.epoch;
                self.reach(number, Phase::Held);
            }
            Move::Load => {
                if self.disk.states.is_empty() && bounds.has(Hole::ForgottenBeginsAnew) {
                    self.begin_at(0);
                }
                let Some((of, state, is_staged)) = self.disk.load() else { return self.end(number) };
                self.passes[number].state = state.clone();
                // The next staging goes over this one.
                let is_saved = !is_staged || bounds.has(Hole::StagedOverTheOnlyCopy);
                let is_own = of == epoch && is_saved;
                self.reach(number, if is_own { Phase::Loaded } else { Phase::Older });
            }
            Move::AdoptSaves => {
                self.disk.save(epoch, self.passes[number].state.clone());
                self.reach(number, Phase::Adopted);
            }
            _ => {}
        }
    }

    /// The request is entered, before its first byte.
    fn put_note(&mut self, number: usize, bounds: &Bounds) {
        let pass = &mut self.passes[number];
        pass.maybe_before = pass.state.maybe_sent;
        pass.state.enter();
        self.disk.put(pass.epoch, pass.state.clone());
        let unchecked = bounds.has(Hole::NoCheckAfterNote);
        self.reach(number, if unchecked { Phase::Connected } else { Phase::Put });
    }

    fn ask(&mut self, number: usize, bounds: &Bounds) {
        let pass = &mut self.passes[number];
        if bounds.has(Hole::SavedAfterRequest) {
            pass.maybe_before = pass.state.maybe_sent;
            pass.state.enter();
        }
        if let Some(alert) = pass.state.alert.clone() {
            pass.phase = Phase::Waiting;
            self.service.asked += 1;
            self.service.send(Request { by: Some(number), alert });
        }
    }

    /// What becomes of the alert.
    fn settle(&mut self, number: usize, at: usize, bounds: &Bounds) {
        let pass = &mut self.passes[number];
        let Phase::Answered(reply) = pass.phase else { return };
        let maybe_before = pass.maybe_before;
        pass.state.maybe_sent = maybe_before || reply == Reply::Unknown;
        pass.phase = match reply {
            Reply::Accepted => Phase::Delivered,
            Reply::Duplicate if maybe_before => Phase::Delivered,
            Reply::Unknown if skips(at, bounds) => Phase::Delivered,
            Reply::Duplicate | Reply::Refused if !maybe_before => {
                pass.state.reject();
                Phase::ToSave { goes_on: true }
            }
            Reply::Duplicate | Reply::Refused | Reply::Limited | Reply::Unknown => {
                pass.state.take_back();
                Phase::ToSave { goes_on: false }
            }
        };
    }
}
