//! Which hub reads, posts and moves watermarks: the one whose lease is the last message of its subject.
//!
//! The lease is written anew each few seconds, each time only if it is still the one that was written before. Another
//! hub takes it when it has not changed for a while by its own clock. Who finds it changed stops at once.

use std::time::{Duration, Instant};

use super::state::State;
use crate::engine::{Engine, Error};
use crate::protocol::member::Answer;
use crate::protocol::{Epoch, LEASE, Lease, MARKS, VERSION};

/// Written anew so often.
const RENEW: Duration = Duration::from_secs(5);
/// A lease that did not change for so long is over.
const LASTS: Duration = Duration::from_secs(20);
/// The holder does nothing more when it could not renew it for so long.
const SAFE: Duration = Duration::from_secs(12);

/// A lease that is held.
#[derive(Debug)]
pub struct Held {
    lease: Lease,
    /// The engine's number of the message.
    sequence: u64,
    renewed: Instant,
}

/// What a look at another's lease came to.
#[derive(Debug)]
pub enum Look {
    /// It is ours; the hub that had it before.
    Held(Held, Option<Epoch>),
    /// Another hub has it; its machine.
    Others(String),
    /// It is this hub's own, which knew more of itself then.
    Older,
}

/// Waits for another's lease to end.
#[derive(Debug)]
pub struct Candidate {
    lease: Lease,
    /// See [`State::read`](super::state::State::read).
    read: Option<u64>,
    seen: Option<(u64, Instant)>,
}

impl Candidate {
    /// For the hub with this state, as this process on this machine.
    pub fn new(state: &State, inst: Epoch, machine: &str) -> Self {
        let (hub, generation, machine) = (state.hub, state.generation(), machine.to_owned());
        let lease = Lease { v: VERSION, hub, inst, generation, machine, over: false };
        Self { lease, read: state.read, seen: None }
    }

    /// Take the lease if nobody has it, or if it is this hub's own, from before it was ended. Where that process goes on,
    /// as on the machine that this state was copied from, it finds the lease changed.
    pub async fn look(&mut self, engine: &Engine) -> Result<Look, Error> {
        let began = Instant::now();
        let found = engine.last_of(MARKS, LEASE).await?;
        let sequence = found.as_ref().map_or(0, |found| found.sequence);
        let lease = found.and_then(|found| serde_json::from_slice::<Lease>(&found.body).ok());
        let before = lease.as_ref().map(|lease| lease.hub);
        let is_own = |lease: &Lease| lease.hub == self.lease.hub;
        if lease
            .as_ref()
            .is_some_and(|lease| is_own(lease) && self.read.is_some_and(|read| read < lease.generation))
        {
            return Ok(Look::Older);
        }
        if let Some(lease) = lease.filter(|lease| lease.hub != self.lease.hub && !lease.over) {
            let since = self.seen.filter(|(seen, _)| *seen == sequence).map_or(began, |(_, since)| since);
            self.seen = Some((sequence, since));
            if since.elapsed() < LASTS {
                return Ok(Look::Others(authalert::neutral::name(lease.machine)));
            }
        }
        let mut held = Held { lease: self.lease.clone(), sequence, renewed: began };
        Ok(match held.write(engine, false).await? {
            true => Look::Held(held, before),
            false => Look::Others("another hub".into()),
        })
    }
}

impl Held {
    /// Whether it is certain that no other hub has it.
    pub fn is_safe(&self) -> bool {
        self.renewed.elapsed() < SAFE
    }

    /// The state was written down so often.
    pub fn written(&mut self, generation: u64) {
        self.lease.generation = generation;
    }

    /// Write it anew if it is time. False where another hub has it.
    pub async fn renew(&mut self, engine: &Engine) -> Result<bool, Error> {
        if self.renewed.elapsed() < RENEW { Ok(true) } else { self.write(engine, false).await }
    }

    /// Write it anew now, as after the engine was lost. False where another hub has it.
    pub async fn assert(&mut self, engine: &Engine) -> Result<bool, Error> {
        self.write(engine, false).await
    }

    /// Let another hub take it at once.
    pub async fn release(&mut self, engine: &Engine) {
        let _ = self.write(engine, true).await;
    }

    async fn write(&mut self, engine: &Engine, over: bool) -> Result<bool, Error> {
        let lease = Lease { over, ..self.lease.clone() };
        let body = serde_json::to_vec(&lease).map_err(|e| Error::Away(e.to_string()))?;
        // Once more where the answer was lost, or the engine lost what was there.
        for _ in 0..3 {
            let began = Instant::now();
            match engine.append(LEASE, self.sequence, body.clone()).await {
                Answer::Stored(sequence) => {
                    (self.sequence, self.renewed) = (sequence, began);
                    return Ok(true);
                }
                Answer::Refused(why) => return Err(Error::Refused(0, why)),
                Answer::NoRoom => return Err(Error::Refused(0, "the engine is full".into())),
                Answer::WrongLast | Answer::Unknown => {}
            }
            let found = engine.last_of(MARKS, LEASE).await?;
            let is_ours = |body: &[u8]| {
                let found = serde_json::from_slice::<Lease>(body);
                found.is_ok_and(|found| (found.hub, found.inst) == (self.lease.hub, self.lease.inst))
            };
            match found {
                None => self.sequence = 0,
                Some(found) if is_ours(&found.body) => self.sequence = found.sequence,
                // One from before, which the engine came back to, is older.
                Some(found) if found.sequence < self.sequence => self.sequence = found.sequence,
                Some(_) => return Ok(false),
            }
        }
        Err(Error::Away("the lease could not be written".into()))
    }
}
