//! The counters, at this moment, without any lock.
//!
//! What the last pass saved and what the journal holds beyond that are two readings. They fit
//! together in this order: the segments are listed, then the state is loaded, then what it had not
//! read is read. A segment is deleted only after a state was saved that had read all of it, so only
//! where one vanished meanwhile everything is done again.

use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use crate::accounts::Accounts;
use crate::config::{self, Config, Kind};
use crate::journal::Journal;
use crate::journal::segment::{self, Segment};
use crate::journal::spill::{self, Spilled};
use crate::storage;

use super::alert::Delivered;
use super::intake::{self, Rules};
use super::place::Place;
use super::refused::Refused;
use super::route::Routes;
use super::state::{State, Totals};
use super::{Context, Due, Moment, Policy, clock, enrol, human, migrate};

/// The counters of all receivers. What stands at the top speaks of the first one.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Found no room in the journal.
    pub dropped: u64,
    /// Lines of the journal that could not be read.
    pub unreadable: u64,
    /// Successful authentications that were recorded.
    pub logins: u64,
    /// Failures that root announced as tests.
    pub tests: u64,
    /// Of the first receiver.
    #[serde(flatten)]
    pub first: Counters,
    /// Of each receiver; the timeline is the last.
    pub receivers: Vec<Named>,
}

/// One receiver.
#[derive(Clone, Debug, Serialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// How it does.
    #[serde(flatten)]
    pub counters: Counters,
}

/// The counters of one receiver, and what there is to say beside them.
#[derive(Clone, Debug, Serialize)]
pub struct Counters {
    /// Failures in the journal since it began: the sum of the next five.
    pub recorded: u64,
    /// Told in delivered alerts.
    pub posted: u64,
    /// In no delivered alert yet.
    pub pending: u64,
    /// The configuration says to ignore them.
    pub ignored: u64,
    /// Prompts left without an answer.
    pub aborted: u64,
    /// Of a kind that it is not told.
    pub left_out: u64,
    /// Delivered messages.
    pub posts: u64,
    /// Of these: nobody knows whether they arrived.
    pub unclear: u64,
    /// Texts that the service refused; what they told went out in numbers alone.
    pub refused: u64,
    /// The newest of them, until something is changed, for a week at most.
    #[serde(skip)]
    pub last_refused: Option<Refused>,
    /// Messages of other kinds that wait.
    pub queued: u64,
    /// Break-ins that wait for their turn, to go out in one message: such as were reported before.
    pub break_ins_waiting: u64,
    /// The newest of the delivered.
    pub last_post: Option<Delivered>,
    /// Why nothing is sent.
    pub last_error: Option<String>,
    /// Since when.
    pub error_since: Option<Timestamp>,
    /// It is nothing but a wait that the service asked for.
    #[serde(skip)]
    pub is_passing: bool,
    /// Seconds until the next attempt; absent where nothing waits.
    pub next_attempt_seconds: Option<u64>,
    /// Why not now.
    pub waits_because: Option<String>,
    /// The interval that the next alert waits while failures keep coming.
    pub interval: String,
}

/// Take the counters of the state directory `directory`.
pub fn take(directory: &Path, config: &Config) -> io::Result<Status> {
    let routes = Routes::of(config);
    let mut taken = Vec::new();
    for receiver in &routes.receivers {
        taken.push((receiver, take_one(directory, config, &routes, receiver)?));
    }
    let named = |(receiver, (counters, _)): &(&config::Receiver, (Counters, Totals))| Named {
        name: receiver.name.clone(),
        kind: receiver.kind.clone(),
        counters: counters.clone(),
    };
    let receivers: Vec<Named> = taken.iter().map(named).collect();
    // The timeline is always there, and began with the journal.
    let (Some(first), Some((_, (_, totals)))) = (receivers.first(), taken.last()) else {
        return Err(io::Error::other("there is no receiver"));
    };
    let Totals { dropped, unreadable, logins, tests, .. } = *totals;
    Ok(Status { dropped, unreadable, logins, tests, first: first.counters.clone(), receivers })
}

fn take_one(
    directory: &Path,
    config: &Config,
    routes: &Routes,
    receiver: &config::Receiver,
) -> io::Result<(Counters, Totals)> {
    let mut reading = Reading::take(directory, config, routes, receiver)?;
    let (state, now) = (&mut reading.state, reading.now);
    let policy = Policy::from(&config.alerts_of(receiver));
    let totals = state.totals;
    let unusable = routes.build(receiver, Context::Command, None).err().map(|(_, why)| why);
    if unusable.is_none() {
        // As the next pass will find.
        state.outage = state.outage.take().filter(|outage| !outage.kind.is_of_this_machine());
    }
    let (next, waits_because) = next_attempt(state, now, &policy).unzip();
    let (outage, lacking) = (state.outage.as_ref(), storage::lacking(directory));
    let counters = Counters {
        recorded: state.recorded(),
        posted: totals.posted,
        pending: state.unsettled(),
        ignored: totals.ignored,
        aborted: totals.aborted,
        left_out: totals.left_out,
        posts: totals.posts,
        unclear: totals.unclear,
        refused: totals.refused,
        last_refused: state.refused.take().filter(|r| r.stands(Timestamp::now(), &routes.fingerprint)),
        queued: state.queue.len() as u64,
        is_passing: lacking.is_none() && outage.is_some_and(|o| o.is_passing((now, Timestamp::now()))),
        last_error: lacking.or_else(|| outage.map(|o| o.why.clone())).or(unusable),
        error_since: outage.map(|o| o.since),
        break_ins_waiting: state.findings.break_ins(),
        next_attempt_seconds: next.map(|next| next.since(now).as_secs()),
        waits_because: waits_because.flatten(),
        interval: human(state.pacing.interval(&policy)),
        last_post: state.last_post.take(),
    };
    Ok((counters, totals))
}

/// When something is sent next, if anything waits, and why not now.
fn next_attempt(state: &State, now: Moment, policy: &Policy) -> Option<(Moment, Option<String>)> {
    let at = |due: Due| match due {
        Due::Nothing => None,
        Due::Now => Some(now),
        Due::At(moment) => Some(moment),
    };
    let failures = match &state.alert {
        Some(alert) => Some(alert.next(now)),
        None => at(state.pacing.due(now, policy)),
    };
    let break_in = at(state.pacing.break_in_due(now, policy, state.findings.turns()));
    let held = state.outage.as_ref().map_or(now, |outage| outage.next.max(now));
    let allowed = |proven| state.requests.next(now, policy, proven).0;
    // When each is due, until when the service is left alone for it, and when there may be a request for it.
    let mut steps = Vec::new();
    steps.extend(
        break_in.map(|due| (due, now, allowed(false), Some("when the same break-in is reported again"))),
    );
    let retry = Some("when what was not accepted is tried again");
    steps.extend(failures.map(|due| (due, held, allowed(false), state.alert.as_ref().and(retry))));
    steps.extend(state.queue.iter().map(|alert| {
        let held = if alert.kind == Kind::BreakIn { now } else { held };
        (alert.next(now), held, allowed(alert.proven), retry)
    }));
    let at = |(due, held, allowed, _): &(Moment, Moment, Moment, _)| (*due).max(*held).max(*allowed);
    let first = steps.into_iter().min_by_key(at)?;
    let (next, (due, held, allowed, why)) = (at(&first), first);
    let why = if next <= now {
        None
    } else if held == next {
        Some("as it is left alone for a while after what failed".into())
    } else if allowed == next && allowed > due {
        Some("as it was asked too often lately".into())
    } else if let Some(why) = why {
        Some(why.into())
    } else if state.pacing.waits_for_a_token(now, policy) {
        Some(format!("as max_per_day lets one out every {}", human(policy.refill())))
    } else {
        let interval = human(state.pacing.interval(policy));
        Some(format!("as alerts are {interval} apart while failures keep coming"))
    };
    Some((next, why))
}

/// How things stand with one receiver at one moment.
pub(super) struct Reading {
    /// As a pass of this moment would have it.
    pub state: State,
    /// As the last pass saved it.
    pub saved: State,
    /// The journal's segments,
    pub segments: Vec<Segment>,
    /// and what was spilled beside them.
    pub spilled: Vec<Spilled>,
    /// The moment.
    pub now: Moment,
}

impl Reading {
    /// Take it, again and again until nothing vanished meanwhile.
    pub fn take(
        directory: &Path,
        config: &Config,
        routes: &Routes,
        receiver: &config::Receiver,
    ) -> io::Result<Self> {
        for _ in 0..100 {
            if let Some(taken) = Self::try_once(directory, config, routes, receiver)? {
                return Ok(taken);
            }
        }
        Err(io::Error::other("the journal changes all the time; try again"))
    }

    /// None where a segment vanished meanwhile, or what was spilled changed.
    fn try_once(
        directory: &Path,
        config: &Config,
        routes: &Routes,
        receiver: &config::Receiver,
    ) -> io::Result<Option<Self>> {
        let journal = Journal::new(directory);
        let spilled = spill::waiting(&journal)?;
        let segments = segment::list(journal.directory())?;
        let saved = saved(directory, config, routes, receiver)?;
        let mut state = saved.clone();
        let policy = Policy::from(&config.alerts_of(receiver));
        let rules = Rules { ignore: &config.ignore, policy: &policy, receiver, by_hub: false };
        let now = state.clock.advance(&clock::Reading::now());
        state.pacing.settle(now, &policy);
        state.requests.settle(now, &policy);
        let mut accounts = Accounts::in_login();
        let taken = intake::take_in(&mut state, &segments, &journal, &rules, &mut accounts, now)?;
        intake::take_spilled(&mut state, &spilled, &rules, &mut accounts, now);
        let is_steady = !taken.read.vanished && spill::waiting(&journal)? == spilled;
        Ok(is_steady.then_some(Self { state, saved, segments, spilled, now }))
    }
}

/// The state as the last pass saved it; what version 0.1's becomes, where none has carried it over yet. A receiver
/// that none has served begins now; the first of all begin where the journal does.
fn saved(
    directory: &Path,
    config: &Config,
    routes: &Routes,
    receiver: &config::Receiver,
) -> io::Result<State> {
    let found = if migrate::is_needed(directory) {
        let states = migrate::states(directory, &routes.receivers)?;
        states.into_iter().find(|(place, _)| place.name() == receiver.name).map(|(_, state)| state)
    } else if Place::new(directory, config::TIMELINE).states()?.is_empty() {
        Some(State::default())
    } else {
        State::load(&Place::new(directory, &receiver.name), true)?.map(|loaded| loaded.state)
    };
    found.map_or_else(|| enrol::beginning_now(directory, config), Ok)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::accounts::AccountKind;
    use crate::config::Alerts;
    use crate::deliver::alert::{Alert, tests::alert};
    use crate::deliver::outage::{self, Outage};
    use crate::message::summary::tests::failure;

    #[test]
    fn what_waits_says_until_when_and_why() {
        let (policy, mut state) = (Policy::from(&Alerts::default()), State::default());
        let event = failure(0, "root", "192.0.2.7");
        let fail = |state: &mut State, now| state.pacing.on_failure(now, &event, AccountKind::Root, &policy);
        let start = Moment(10_000_000);
        assert_eq!(next_attempt(&state, start, &policy), None);
        fail(&mut state, start);
        assert_eq!(next_attempt(&state, start, &policy), Some((start, None)));
        state.pacing.sent(start, &policy);
        assert_eq!(next_attempt(&state, start, &policy), None);
        fail(&mut state, start);
        let (next, why) = next_attempt(&state, start, &policy).unwrap();
        assert_eq!(next, start.plus(Duration::from_secs(600)));
        assert!(why.is_some_and(|why| why == "as alerts are 10m apart while failures keep coming"));
        let now = (start, Timestamp::UNIX_EPOCH);
        let held = Some(Duration::from_secs(3600));
        let outage = Outage::record(None, outage::Kind::Limited, "busy".into(), now, held, String::new()).0;
        state.outage = Some(outage);
        let (next, why) = next_attempt(&state, start, &policy).unwrap();
        assert!(next >= start.plus(Duration::from_secs(3600)));
        assert!(why.is_some_and(|why| why.contains("after what failed")));
        // A break-in waits for no outage, only for its own last attempt.
        let tried_at = start.plus(Duration::from_secs(60));
        state.queue.push(Alert { not_before: tried_at, ..alert(1, Kind::Health) });
        assert!(next_attempt(&state, start, &policy).unwrap().0 >= start.plus(Duration::from_secs(3600)));
        state.queue.push(Alert { not_before: tried_at, ..alert(2, Kind::BreakIn) });
        let (next, why) = next_attempt(&state, start, &policy).unwrap();
        assert_eq!(next, tried_at);
        assert!(why.is_some_and(|why| why.contains("is tried again")));
    }

    #[test]
    fn a_bucket_that_is_empty_is_why() {
        let alerts =
            Alerts { burst: 1, max_per_day: 2, group_interval: Duration::from_secs(1), ..Alerts::default() };
        let (policy, mut state) = (Policy::from(&alerts), State::default());
        let event = failure(0, "root", "192.0.2.7");
        let start = Moment(10_000_000);
        for _ in 0..4 {
            state.pacing.on_failure(start, &event, AccountKind::Root, &policy);
            state.pacing.sent(start, &policy);
        }
        state.pacing.on_failure(start, &event, AccountKind::Root, &policy);
        let (next, why) = next_attempt(&state, start, &policy).unwrap();
        assert!(next > start && why.is_some_and(|why| why.starts_with("as max_per_day lets one out every")));
    }
}
