//! The pass that ties journal, alerts and receivers.
//!
//! Each receiver is a reader of the journal of its own: its own state, lock, cursor, pace and outages. A pass
//! serves all of them side by side; one that hangs or fails holds up no other. Any process of root's may
//! run one at any time: the module's worker, cron, a systemd unit, a person. It can be cut at every step, and the
//! next one goes on. For each receiver:
//!
//! 1. What is new is settled or pending (`intake`); the records stay in the journal until that is saved.
//! 2. What is due is composed with its final text (`walk`, `compose`).
//! 3. The request is entered against a bounded rate, on disk, before its first byte (`requests`).
//! 4. It is sent. What becomes of it is saved (`settle`); where that is cut off, the next pass sends the same
//!    bytes again after a while, which the receiver knows again or a person does.
//! 5. Its history gets it, once (`history`): that of the timeline is what `authalert timeline` shows.
//!
//! Around that: `enrol` and `migrate`, which receivers have a state; `retention`, how long the journal is kept;
//! `status`, how things stand.

mod alert;
mod announce;
pub(crate) mod announced;
mod burst;
mod clock;
mod compose;
mod enrol;
mod findings;
mod follow;
mod gate;
pub mod health;
pub mod heartbeat;
pub mod history;
pub mod hub;
mod intake;
mod judge;
mod linger;
mod lock;
mod migrate;
mod mistakes;
mod notice;
mod old_lock;
pub mod outage;
mod pacing;
pub mod place;
mod policy;
mod quarantine;
mod reader;
mod refused;
mod request;
mod requests;
mod retention;
mod route;
mod served;
mod settle;
mod settled;
pub mod simulate;
mod skip;
pub mod state;
pub mod status;
mod tested;
#[cfg(test)]
mod tests;
mod unsent;
mod unusable;
mod walk;
mod weekly;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use crate::config::{self, Config, TIMELINE};
use crate::journal::{Journal, dropped, spill};
use crate::storage;

pub use alert::{Alert, Delivered, Queue};
pub use burst::wait_for_burst;
pub use enrol::{begin, forget};
pub use follow::{Found, Read, belongs, follow_some, is_ahead};
use gate::Gate;
pub use health::Fault;
pub use intake::{is_from_ignored, is_ignored};
use linger::AtWork;
use lock::Lock;
pub use notice::{Level, Notice};
pub use pacing::{Due, Matter, Moment, Pacing};
use place::Place;
pub use policy::{Policy, human, next_attempt};
use reader::Reader;
pub use refused::Refused;
pub use request::{Context, MakePage, Request, Serve, Watch};
use retention::keep_within_bounds;
pub(crate) use retention::prepare;
use route::Routes;
pub use served::{Error, Report, Served};
pub use settled::is_settled;
pub use skip::skip_numbers;
pub use tested::came_through;
pub use unsent::{Unsent, unsent};
use unusable::unusable;

/// File name of the lock on the whole state directory: version 0.1's, and that under which receivers begin.
pub const LOCK: &str = "lock";
/// Of a thread that serves a receiver, as of the module's worker.
const STACK: usize = 1 << 20;

/// Make a pass.
pub fn deliver(request: &Request) -> Result<Report, Error> {
    let config = match Config::load(request.config.as_deref()) {
        Ok(config) if request.context == Context::Login && !config.deliver.in_process => {
            return Ok(Report::default());
        }
        Ok(config) => config,
        Err(e) => {
            unusable(request, &e);
            return Err(Error::Config(e));
        }
    };
    pass(request, &config).map_err(|e| Error::State(request.state.clone(), e))
}

fn pass(request: &Request, config: &Config) -> io::Result<Report> {
    let by_a_command = request.context == Context::Command;
    let routes = Routes::of(config);
    if request.serve == Serve::Commands && !routes.receivers.iter().any(|r| request.serve.includes(r)) {
        return Ok(Report::default());
    }
    if by_a_command && prepare(&request.state)? {
        Notice::info(format!("made the missing directory {}", request.state.display())).send();
    }
    storage::trusted(&request.state, &[Journal::new(&request.state).directory()])?;
    if !enrol::enrol(&request.state, config, &routes, request.patience())? {
        let busy = |receiver: &config::Receiver| Served {
            name: receiver.name.clone(),
            busy: true,
            ..Served::default()
        };
        return Ok(Report { receivers: routes.receivers.iter().map(busy).collect() });
    }
    storage::trusted(&request.state, &[&request.state.join(place::RECEIVERS)])?;
    take_over_spilled(request)?;
    mistakes::say(&request.state, config)?;
    let report = serve_all(request, config, &routes);
    if by_a_command && request.serve != Serve::Commands {
        let now = || Config::load(request.config.as_deref()).ok().map(|now| Routes::of(&now));
        let gone = enrol::forget_removed(&request.state, &routes, now)?;
        gone.iter().for_each(|gone| gone.notice().send());
        keep_within_bounds(request, config, &routes)?;
    }
    Ok(report)
}

/// Serve the receivers side by side: each in a thread of its own, but for the first, for which nothing has to
/// start, and where there is no thread to be had.
fn serve_all(request: &Request, config: &Config, routes: &Routes) -> Report {
    let served_here = |receiver: &&config::Receiver| {
        let by_a_command = request.context == Context::Command;
        request.serve.includes(receiver) && (by_a_command || crate::receiver::serves_in_login(&receiver.kind))
    };
    let gate = Arc::<Gate>::default();
    let stuck = if request.watch.is_some() { health::stuck(&request.state, routes) } else { Vec::new() };
    let readers: Vec<Reader<'_>> = routes
        .receivers
        .iter()
        .filter(served_here)
        .map(|receiver| Reader {
            stuck: stuck.clone(),
            ..Reader::new(request, config, routes, receiver, gate.clone())
        })
        .collect();
    let Some((first, others)) = readers.split_first() else { return Report::default() };
    let at_work = AtWork::default();
    let receivers = thread::scope(|scope| {
        let begun = at_work.begin();
        let started: Vec<_> = others
            .iter()
            .map(|reader| {
                let thread = thread::Builder::new().stack_size(STACK);
                let begun = at_work.begin();
                let served = move || {
                    reader.gate.wait();
                    reader.serve(begun)
                };
                (reader, thread.spawn_scoped(scope, served))
            })
            .collect();
        let of_the_first = first.serve(begun);
        let of_others = started.into_iter().map(|(reader, thread)| match thread {
            Ok(thread) => thread.join().unwrap_or_else(|_| failed(reader)),
            Err(_) => reader.serve(at_work.begin()),
        });
        std::iter::once(of_the_first).chain(of_others).collect()
    });
    Report { receivers }
}

fn failed(reader: &Reader<'_>) -> Served {
    let error = Some(io::Error::other("serving it failed; the next pass tries again"));
    Served { name: reader.receiver.name.clone(), error, ..Served::default() }
}

/// Take what was spilled into the journal, before anybody reads it.
fn take_over_spilled(request: &Request) -> io::Result<()> {
    let journal = Journal::new(&request.state);
    if !spill::is_any(&journal)? {
        return dropped::settle(journal.directory());
    }
    match Lock::take(&Place::new(&request.state, TIMELINE), request.patience())? {
        Some(_lock) => {
            spill::take_over(&journal)?;
            dropped::settle(journal.directory())
        }
        None => Ok(()),
    }
}

/// The state directory that is meant when none is named.
pub fn default_state() -> &'static Path {
    Path::new(config::DEFAULT_STATE)
}
