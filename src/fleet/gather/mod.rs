//! The hub: from the engine into its own journal, each record once; then it alerts as ever.
//!
//! - [`pull`]: what the engine hands out. [`record`]: items as records. [`state`]: what outlives the process.
//! - [`marks`]: watermarks. [`lease`]: which hub it is. [`alerts`]: the passes that deliver; [`alerted`]: what they have
//!   delivered.
//!
//! The steps and what each may rely on are in [`crate::protocol::hub`].

mod alerted;
mod alerts;
mod lease;
mod marks;
mod pull;
mod record;
mod round;
mod silence;
pub mod state;

use std::io;
use std::time::Duration;

use authalert::deliver::{Notice, skip_numbers};

use alerts::Alerts;
use lease::{Candidate, Held, Look};
use marks::Marks;
use pull::Pull;
use round::{Round, Turn};
use state::State;

use crate::engine::{Engine, Error, consume, ensure};
use crate::identity::Identity;
use crate::place::Place;
use crate::protocol::Epoch;
use crate::stop::Stop;

const LOCK: &str = "gather.lock";
/// Between attempts to connect, and looks at another hub's lease.
const AGAIN: Duration = Duration::from_secs(2);
/// After the engine did not answer.
const BREATH: Duration = Duration::from_millis(200);

/// What ends a hub's turn.
#[derive(Debug)]
pub enum Broken {
    /// The engine.
    Engine(Error),
    /// This machine.
    Disk(io::Error),
    /// Another hub took over.
    Fenced,
    /// This hub had more than its state says.
    Older,
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// Gather until this process is to end, or another hub takes over.
pub async fn serve(place: &Place, identity: &Identity, replicas: u64, stop: &Stop) -> io::Result<()> {
    place.prepare()?;
    let Some(_lock) = place.lock(LOCK)? else {
        return Err(io::Error::other("a hub is running here already"));
    };
    let mut state = State::load(place)?;
    state.save(place)?;
    let alerts = Alerts::start(place)?;
    let mut said = String::new();
    loop {
        let result = match Engine::connect(identity).await {
            Ok(engine) => {
                said.clear();
                gather(place, &engine, replicas, (&mut state, &alerts), stop).await
            }
            Err(e) => Err(Broken::Engine(e)),
        };
        match result {
            Ok(()) => return state.save(place),
            Err(Broken::Engine(e)) => {
                let why = e.to_string();
                if why != said {
                    Notice::error(format!("nothing comes from the members: {why}")).send();
                    said = why;
                }
            }
            Err(Broken::Disk(e)) => return Err(e),
            Err(Broken::Older) => {
                Notice::error(
                    "the state of the hub is older than what it had (restored from a copy?); what was not alerted \
                     of is taken from the members again",
                )
                .send();
                take_over(place, &mut state)?;
            }
            Err(Broken::Fenced) => {
                Alerts::let_go();
                // It may be a copy of the one that took over, and not the hub any more by their common id.
                state.hub = Epoch::random()?;
                state.save(place)?;
                return Err(io::Error::other("another hub has taken over; this one stops"));
            }
        }
        tokio::select! {
            () = stop.requested() => return state.save(place),
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

/// Have the next turn begin in the place of a hub that is gone with its disk.
pub fn succeed(place: &Place) -> io::Result<()> {
    place.prepare()?;
    let Some(_lock) = place.lock(LOCK)? else {
        return Err(io::Error::other("a hub is running here; end it first"));
    };
    take_over(place, &mut State::load(place)?)
}

/// A hub had more than the state here says: what that is comes again, under numbers that it did not give out.
fn take_over(place: &Place, state: &mut State) -> io::Result<()> {
    skip_numbers(&place.state)?;
    state.succeed()?;
    state.save(place)
}

/// On one connection, which comes back by itself.
async fn gather(
    place: &Place,
    engine: &Engine,
    replicas: u64,
    (state, alerts): (&mut State, &Alerts),
    stop: &Stop,
) -> Result<(), Broken> {
    ensure(engine, replicas).await?;
    let Some((mut held, before)) = wait_for_lease(engine, state, stop).await? else { return Ok(()) };
    state.take_lease_of(before);
    state.save(place)?;
    let mut made = engine.made();
    made.borrow_and_update();
    consume(engine).await?;
    let mut round = Round::new(place, engine, Pull::on(engine).await?, Marks::of(state.hub));
    alerts.wake();
    let mut again = false;
    let result = loop {
        if again || made.has_changed().unwrap_or(false) {
            made.borrow_and_update();
            // Until it is done: cut in the middle it leaves no consumer.
            again = true;
            // It may have lost what it had, or all of it; and what was handed out is handed out anew, in order.
            match after_a_gap(engine, replicas, &mut held, &mut round).await {
                Ok(()) => again = false,
                Err(Broken::Engine(_)) if held.is_safe() => tokio::time::sleep(BREATH).await,
                Err(e) => break Err(e),
            }
            continue;
        }
        match round.make(state, &mut held, alerts, stop).await {
            Ok(Turn::Go) => {}
            Ok(Turn::End) => break Ok(()),
            Err(Broken::Engine(e)) if held.is_safe() => {
                if let Error::Refused(..) = e {
                    Notice::error(e.to_string()).send();
                }
                again = true;
                tokio::time::sleep(BREATH).await;
            }
            Err(e) => break Err(e),
        }
    };
    if result.is_ok() {
        held.release(engine).await;
    }
    result
}

/// The lease, and whose it was before.
async fn wait_for_lease(
    engine: &Engine,
    state: &State,
    stop: &Stop,
) -> Result<Option<(Held, Option<Epoch>)>, Broken> {
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let inst = Epoch::random().map_err(Broken::Disk)?;
    let mut candidate = Candidate::new(state, inst, &machine);
    let mut said = false;
    loop {
        match candidate.look(engine).await? {
            Look::Held(held, before) => return Ok(Some((held, before))),
            Look::Older => return Err(Broken::Older),
            Look::Others(machine) if !said => {
                Notice::info(format!("the hub is {machine}; this one waits for its turn")).send();
                said = true;
            }
            Look::Others(_) => {}
        }
        tokio::select! {
            () = stop.requested() => return Ok(None),
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

async fn after_a_gap(
    engine: &Engine,
    replicas: u64,
    held: &mut Held,
    round: &mut Round<'_>,
) -> Result<(), Broken> {
    ensure(engine, replicas).await?;
    if !held.assert(engine).await? {
        return Err(Broken::Fenced);
    }
    consume(engine).await?;
    round.reconnected().await
}
