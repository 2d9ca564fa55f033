//! Taking in what is new in the journal: each failure is ignored, aborted, left out, or pending.

use std::io;
use std::net::IpAddr;

use jiff::SignedDuration;

use crate::accounts::member::Origin;
use crate::accounts::{AccountKind, Accounts};
use crate::config;
use crate::detect::CLOCKS_APART;
use crate::event::{Class, Event};
use crate::journal::segment::Segment;
use crate::journal::spill::Spilled;
use crate::journal::{Journal, dropped};

use super::follow::{self, Found, Read};
use super::hub::Link;
use super::state::{Cursor, State};
use super::{Matter, Moment, Policy};

/// What was taken in.
#[derive(Debug, Default)]
pub struct Taken {
    /// What was read.
    pub read: Read,
    /// The beginnings of lines that could not be read, a bounded number of them.
    pub unreadable: Vec<Vec<u8>>,
}

/// The rules by which failures are taken in for one receiver.
#[derive(Debug)]
pub struct Rules<'a> {
    /// What to ignore.
    pub ignore: &'a config::Ignore,
    /// When alerts are due.
    pub policy: &'a Policy,
    /// What it is told.
    pub receiver: &'a config::Receiver,
    /// The fleet's hub alerts of it.
    pub by_hub: bool,
}

impl Rules<'_> {
    /// Whether this failure will be in an alert for the receiver.
    pub(super) fn includes(&self, failure: &Event, standing: AccountKind) -> bool {
        !self.by_hub && Matter::of(failure, standing).pends(|kind| self.receiver.tells(kind))
    }
}

/// Read the journal from where `state` left it to its end, and note in `state` where that is. `segments` were listed
/// before `state` was loaded.
pub fn take_in(
    state: &mut State,
    segments: &[Segment],
    journal: &Journal,
    rules: &Rules<'_>,
    accounts: &mut Accounts,
    now: Moment,
) -> io::Result<Taken> {
    let mut taken = take_until(state, segments, None, rules, accounts, now)?;
    take_dropped(state, journal, now, &mut taken.unreadable);
    Ok(taken)
}

/// The same of a member of a fleet, as far as it is decided who alerts.
pub fn take_decided(
    state: &mut State,
    segments: &[Segment],
    journal: &Journal,
    (rules, link): (&Rules<'_>, &Link),
    accounts: &mut Accounts,
    now: Moment,
) -> io::Result<Taken> {
    let mut all = Taken::default();
    while let Some(span) = link.next(&state.cursors, segments) {
        let rules = Rules { by_hub: !span.own, ..*rules };
        let taken = take_until(state, segments, Some(&span.until), &rules, accounts, now)?;
        let nothing = taken.read.bytes == 0;
        all.read.bytes += taken.read.bytes;
        all.read.files.extend(taken.read.files);
        all.unreadable.extend(taken.unreadable);
        if nothing {
            break;
        }
    }
    // What is not decided yet is nothing new.
    all.read.seen = segments.iter().map(|segment| (segment.inode, segment.size)).collect();
    take_dropped(state, journal, now, &mut all.unreadable);
    Ok(all)
}

fn take_until(
    state: &mut State,
    segments: &[Segment],
    until: Option<&[Cursor]>,
    rules: &Rules<'_>,
    accounts: &mut Accounts,
    now: Moment,
) -> io::Result<Taken> {
    let (mut lines, mut cursors) = (Vec::new(), std::mem::take(&mut state.cursors));
    let read = follow::follow(&mut cursors, segments, until, &mut |found| match found {
        Found::Event(event) => enter(state, &event, rules, accounts, now),
        Found::Unreadable(bytes) => unreadable(state, &mut lines, bytes, now),
    });
    state.cursors = cursors;
    Ok(Taken { read: read?, unreadable: lines })
}

/// Count what was spilled, for who looks without taking it over.
pub fn take_spilled(
    state: &mut State,
    spilled: &[Spilled],
    rules: &Rules<'_>,
    accounts: &mut Accounts,
    now: Moment,
) {
    spilled.iter().for_each(|record| enter(state, &record.failure, rules, accounts, now));
}

fn enter(state: &mut State, event: &Event, rules: &Rules<'_>, accounts: &mut Accounts, now: Moment) {
    if event.class.is_of_failures() {
        note_late(state, event);
    }
    let (count, totals) = (u64::from(event.count), &mut state.totals);
    match event.class {
        Class::Login => {
            totals.logins += count;
            // By the clock of a machine that may be behind.
            let until = event.time.checked_add(clocks_apart(event)).unwrap_or(event.time);
            state.last_login = state.last_login.max(Some(until));
        }
        Class::Test => state.announced.note(event),
        Class::Failure | Class::Aborted if state.announced.covers(event) => totals.tests += count,
        Class::Aborted => totals.aborted += count,
        Class::Address => {}
        Class::Failure => {
            if is_ignored(event, rules.ignore) {
                totals.ignored += count;
                return;
            }
            state.heartbeat.on_failures(count);
            let standing = accounts.tried(event);
            if !rules.includes(event, standing) || is_told_elsewhere(event) {
                totals.left_out += count;
                return;
            }
            state.pending.add(event, standing, accounts.asker(event));
            state.pacing.on_failure(now, event, standing, rules.policy);
        }
    }
}

/// What is of failures may speak against a login that is judged already, in an alert or not.
fn note_late(state: &mut State, event: &Event) {
    let is_late = |login| event.time.duration_since(login) <= clocks_apart(event);
    state.has_late |= state.last_login.is_some_and(is_late);
}

/// How far the clock that this goes by may be from that of another machine, of which is told here as well.
fn clocks_apart(event: &Event) -> SignedDuration {
    SignedDuration::from_secs(if Origin::of(event).is_some() { CLOCKS_APART } else { 0 })
}

/// Whether a member of the fleet alerted of it by its own receivers, as its hub was away.
pub(super) fn is_told_elsewhere(event: &Event) -> bool {
    Origin::of(event).is_some_and(|origin| origin.told)
}

/// Whether the configuration says not to post this failure.
pub fn is_ignored(failure: &Event, ignore: &config::Ignore) -> bool {
    ignore.users.contains(&failure.user)
        || ignore.services.contains(&failure.service)
        || is_from_ignored(failure, ignore)
}

/// Whether it came from a network of which the configuration says to ignore failures.
pub fn is_from_ignored(event: &Event, ignore: &config::Ignore) -> bool {
    !ignore.networks.is_empty()
        && event.rhost.parse::<IpAddr>().is_ok_and(|ip| {
            let ip = ip.to_canonical();
            ignore.networks.iter().any(|network| network.contains(&ip))
        })
}

fn take_dropped(state: &mut State, journal: &Journal, now: Moment, lines: &mut Vec<Vec<u8>>) {
    // Without the file, or with a new one, nothing was dropped, or the journal is away and comes back.
    let Some(dropped) = dropped::total(journal.directory()).filter(|n| *n > 0) else { return };
    match dropped.checked_sub(state.dropped_seen) {
        Some(0) => {}
        Some(fresh) => {
            state.totals.dropped += fresh;
            state.pending.add_dropped(fresh);
            state.pacing.mark_pending(now);
        }
        // How many of them are new cannot be known; none is counted twice.
        None => unreadable(state, lines, b"the count of dropped records became smaller".to_vec(), now),
    }
    state.dropped_seen = dropped;
}

fn unreadable(state: &mut State, lines: &mut Vec<Vec<u8>>, bytes: Vec<u8>, now: Moment) {
    state.totals.unreadable += 1;
    state.pending.add_unreadable(1);
    state.pacing.mark_pending(now);
    if lines.len() < 16 {
        lines.push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use crate::deliver::route::Routes;
    use crate::message::summary::tests::failure;

    #[test]
    fn the_clocks_of_the_machines_of_a_fleet_may_be_apart() {
        let config = Config::parse("[[receiver]]\nkind = \"ntfy\"\n", Path::new("/nonexistent/config.toml"));
        let config = config.unwrap();
        let (policy, routes) = (Policy::from(&config.alerts), Routes::of(&config));
        let rules =
            Rules { ignore: &config.ignore, policy: &policy, receiver: &routes.receivers[0], by_hub: false };
        let of = |member: &str, event: Event| match member {
            "" => event,
            _ => Event { host: member.into(), origin: Some("fleet:0000000000000007:1:ee".into()), ..event },
        };
        for (failed, came, apart) in [("", "", 0), ("web1", "", 60), ("", "web1", 60), ("web1", "web1", 60)] {
            let login = Event { class: Class::Login, ..failure(1000, "alice", "192.0.2.7") };
            let is_late = |seconds: i64| {
                let (mut state, mut accounts) = (State::default(), Accounts::in_login());
                for event in
                    [of(came, login.clone()), of(failed, failure(1000 + seconds, "bob", "192.0.2.7"))]
                {
                    enter(&mut state, &event, &rules, &mut accounts, Moment(0));
                }
                state.has_late
            };
            assert!(is_late(apart) && !is_late(2 * apart + 1), "{failed} {came}");
        }
    }

    #[test]
    fn a_failure_before_a_judged_login_is_late_whether_it_is_ignored_or_not() {
        let text = "[ignore]\nusers = [\"backup\"]\nservices = [\"cron\"]\n[[receiver]]\nkind = \"ntfy\"\n";
        let config = Config::parse(text, Path::new("/nonexistent/config.toml")).unwrap();
        let (policy, routes) = (Policy::from(&config.alerts), Routes::of(&config));
        let rules =
            Rules { ignore: &config.ignore, policy: &policy, receiver: &routes.receivers[0], by_hub: false };
        let cron = Event { service: "cron".into(), ..failure(5, "alice", "192.0.2.7") };
        let login = Event { class: Class::Login, ..failure(9, "alice", "192.0.2.7") };
        for (failure, ignored) in
            [(failure(5, "alice", "192.0.2.7"), 0), (failure(5, "backup", "192.0.2.7"), 1), (cron, 1)]
        {
            let (mut state, mut accounts) = (State::default(), Accounts::in_login());
            let mut take = |state: &mut State, event: &Event| {
                enter(state, event, &rules, &mut accounts, Moment(0));
            };
            take(&mut state, &failure);
            assert!(!state.has_late, "no login yet");
            take(&mut state, &login);
            take(&mut state, &failure);
            assert!(state.has_late, "{failure:?}");
            assert_eq!(state.totals.ignored, 2 * ignored);
        }
    }
}
