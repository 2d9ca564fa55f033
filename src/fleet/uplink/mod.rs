//! The member: one more reader of the journal, which sends records instead of texts.
//!
//! - [`offline`]: the half that needs no connection. [`intake`]: from the journal into the outbox, numbered.
//!   [`conceal`]: what leaves the member of names. [`outgoing`]: from the outbox to the engine.
//! - [`outbox`]: what the hub does not have yet. [`state`]: what outlives the process.
//!   [`epochs`]: where both begin.
//! - [`session`]: the steps of [`crate::protocol::member`] on a connection. [`wake`]: when the journal grew.
//!
//! It runs as a service, or once for cron. What the hub has is removed here; what it does not have stays, for
//! as long as there is room.

mod conceal;
mod epochs;
mod intake;
mod offline;
mod outbox;
mod outgoing;
mod session;
mod state;
mod wake;
#[cfg(test)]
mod world;

use std::io;
use std::time::{Duration, Instant};

use authalert::deliver::Notice;
use authalert::journal::Journal;

pub use offline::Uplink;
use session::{Broken, Session};
use wake::Wake;

use crate::engine::Engine;
use crate::identity::Identity;
use crate::place::Place;
use crate::protocol::Name;
use crate::protocol::member::Step;
use crate::stop::Stop;

/// So often the watermark is read, and whether the hub lives.
const READ_EACH: Duration = Duration::from_secs(30);
/// The first time after something was sent; then after twice as long, until the hub has it: it may ask for it again.
const READ_FIRST: Duration = Duration::from_secs(5);
/// Between attempts to connect.
const CONNECT_EACH: Duration = Duration::from_secs(10);
/// A run for cron reads the watermark so often.
const READ_SOON: Duration = Duration::from_millis(50);
/// A run for cron waits so long for the hub to have everything.
const PATIENCE: Duration = Duration::from_secs(10);
const STOPPED: &str = "somebody else sends to the hub under this member's name: a copy of this machine, or of its key; \
    nothing is sent until `authalert-fleet join` has been run with a new file, after `authalert-fleet renew` on the hub";

/// What a run for cron came to.
#[derive(Debug)]
pub struct Done {
    /// The hub has everything.
    pub settled: bool,
    /// Records that it does not have yet.
    pub waiting: u64,
}

/// Send what there is and wait until the hub has it, at most for a while.
pub async fn once(place: &Place, identity: &Identity, name: &Name) -> io::Result<Done> {
    let Some(mut uplink) = Uplink::open(place, identity.names)? else {
        return Err(io::Error::other("an uplink is running already"));
    };
    let result = attempt_once(&mut uplink, identity, name).await;
    uplink.look_after()?;
    uplink.save()?;
    match result {
        Ok(settled) => Ok(Done { settled, waiting: uplink.waiting() }),
        Err(Broken::Disk(e)) => Err(e),
        Err(Broken::Engine(e)) => Err(io::Error::other(e.to_string())),
    }
}

async fn attempt_once(uplink: &mut Uplink, identity: &Identity, name: &Name) -> Result<bool, Broken> {
    let engine = Engine::connect(identity).await?;
    let mut session = Session::new(uplink, engine, name);
    let began = Instant::now();
    let mut step = Step::LookUp;
    loop {
        let next = match step {
            Step::Send => match session.send().await {
                Ok(Some(step)) => Ok(step),
                Ok(None) if session.is_settled() => return Ok(true),
                Ok(None) if began.elapsed() > PATIENCE => return Ok(false),
                Ok(None) => {
                    tokio::time::sleep(READ_SOON).await;
                    session.read_mark().await
                }
                Err(e) => Err(e),
            },
            Step::LookUp | Step::BeginAnew => session.look_up().await,
            Step::SendFloor => session.send_floor().await,
            Step::Wait if began.elapsed() > PATIENCE => return Ok(false),
            Step::Wait => {
                tokio::time::sleep(session.next_wait()).await;
                session.look_up().await
            }
            Step::Stop => {
                session.uplink().stop(STOPPED)?;
                return Err(Broken::Disk(io::Error::other(STOPPED)));
            }
        };
        step = match next {
            // The engine may be there before the hub has made its streams.
            Err(Broken::Engine(_)) if began.elapsed() <= PATIENCE => Step::Wait,
            next => next?,
        };
    }
}

/// Send what comes, until this process is to end.
pub async fn serve(place: &Place, identity: &Identity, name: &Name, stop: &Stop) -> io::Result<()> {
    let Some(mut uplink) = Uplink::open(place, identity.names)? else {
        return Err(io::Error::other("an uplink is running already"));
    };
    let wake = Wake::on(Journal::new(&place.state).directory());
    let mut said = String::new();
    loop {
        match Engine::connect(identity).await {
            Ok(engine) => {
                said.clear();
                let session = Session::new(&mut uplink, engine, name);
                match on_connection(session, &wake, stop).await {
                    Ok(()) => return uplink.save(),
                    Err(Broken::Disk(e)) => return Err(e),
                    // It comes back by itself; here only what a new connection may help.
                    Err(Broken::Engine(_)) => {}
                }
            }
            Err(e) => {
                let why = e.to_string();
                if why != said {
                    Notice::error(format!("nothing reaches the hub: {why}")).send();
                    said = why;
                }
            }
        }
        if pause(&mut uplink, CONNECT_EACH, &wake, stop).await? {
            return uplink.save();
        }
    }
}

/// Until this process is to end.
async fn on_connection(mut session: Session<'_>, wake: &Wake, stop: &Stop) -> Result<(), Broken> {
    let mut step = Step::LookUp;
    let mut read_in = READ_FIRST;
    loop {
        let done = match step {
            Step::LookUp | Step::BeginAnew => session.look_up().await.map(Some),
            Step::Send => session.send().await,
            Step::SendFloor => session.send_floor().await.map(Some),
            Step::Wait => {
                let (wait, remade) = (session.next_wait(), session.remade());
                tokio::select! {
                    ends = pause(session.uplink(), wait, wake, stop) => if ends? { return Ok(()) },
                    // What it waited for may be there now.
                    () = remade => {}
                }
                Ok(Some(Step::LookUp))
            }
            Step::Stop => {
                session.uplink().stop(STOPPED)?;
                while !pause(session.uplink(), READ_EACH, wake, stop).await? {}
                return Ok(());
            }
        };
        step = match done {
            Ok(Some(next)) => {
                if step == Step::Send {
                    read_in = READ_FIRST;
                }
                next
            }
            Err(Broken::Engine(_)) => Step::Wait,
            Err(e) => return Err(e),
            // Nothing to send.
            Ok(None) => {
                session.uplink().look_after()?;
                tokio::select! {
                    () = stop.requested() => return Ok(()),
                    () = wake.grown() => Step::Send,
                    () = session.remade() => Step::LookUp,
                    () = tokio::time::sleep(read_in) => {
                        let waits_long = read_in == READ_EACH && !session.is_settled();
                        let read = if waits_long { session.look_again().await } else { session.read_mark().await };
                        read_in = if session.is_settled() { READ_EACH } else { READ_EACH.min(read_in * 2) };
                        read.unwrap_or(Step::Wait)
                    }
                }
            }
        };
    }
}

/// Wait, and meanwhile do what needs no connection. Says whether this process is to end.
async fn pause(uplink: &mut Uplink, time: Duration, wake: &Wake, stop: &Stop) -> io::Result<bool> {
    let until = tokio::time::Instant::now() + time;
    loop {
        uplink.look_after()?;
        tokio::select! {
            () = stop.requested() => return Ok(true),
            () = tokio::time::sleep_until(until) => return Ok(false),
            // Who alerts alone does it at once.
            () = wake.grown(), if uplink.is_alone() => {}
        }
    }
}

/// How the uplink is, without touching anything.
#[derive(Debug)]
pub struct Stands {
    /// Records that the hub does not have yet.
    pub waiting: u64,
    /// Failures that found no room.
    pub lost: u64,
    /// Why nothing is sent.
    pub stopped: Option<String>,
}

/// See [`Stands`].
pub fn look(place: &Place) -> io::Result<Stands> {
    let state = state::State::peek(place)?;
    let Some(state) = state else { return Ok(Stands { waiting: 0, lost: 0, stopped: None }) };
    // Those that were given a number; a batch that is being made now is none yet.
    let waiting =
        outbox::records_in(&epochs::directory_of(place, state.member.epoch), state.member.watermark)?;
    Ok(Stands { waiting, lost: state.lost, stopped: state.stopped })
}

/// A person has given this machine a certificate: what was stopped begins anew. Records that wait are kept.
pub fn forgive(place: &Place, identity: &Identity) -> io::Result<()> {
    let Some(mut uplink) = Uplink::open(place, identity.names)? else {
        return Err(io::Error::other("an uplink is running already; end it first"));
    };
    uplink.begin_after_a_stop()
}

/// Remove what waits: this machine is no member any more.
pub fn forget(place: &Place) -> io::Result<()> {
    epochs::remove_all(place)
}
