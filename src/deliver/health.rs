//! What is wrong with authalert itself: said once, and again when it is well.
//!
//! Who looks gives what he sees at each look. What comes and goes, as while a package is upgraded, is waited for
//! before it is said, and before it is said to be well; what keeps coming and going is said once a day.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::pacing::Moment;
use super::place::Place;
use super::route::Routes;
use super::state::State;
use crate::neutral;

const DAY: Duration = Duration::from_secs(86_400);
/// A restart, an upgrade, a pass that came late.
const PASSING: Duration = Duration::from_secs(15 * 60);
/// Faults that are remembered; there are a few services and receivers.
const REMEMBERED: usize = 64;

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The module is gone from the stack of this service, which it guarded.
    ModuleGone(String),
    /// The module is in the stack of this service, and records nothing of what the log tells of it.
    ModuleSilent(String),
    /// The scan has no log to read.
    NoLog,
    /// The clock is off.
    ClockOff,
    /// Something in the configuration cannot be used.
    Mistake,
    /// Nothing can be delivered to this receiver.
    Stuck(String),
    /// On the hub of a fleet: this member is not heard of.
    MemberSilent(String),
    /// On a member of a fleet: the hub is not heard of.
    HubAway,
}

impl Fault {
    /// How long it must last until it is said.
    fn patience(&self) -> Duration {
        match self {
            Self::Stuck(_) => DAY,
            // They were waited for.
            Self::MemberSilent(_) | Self::HubAway => Duration::ZERO,
            _ => PASSING,
        }
    }

    /// One line, for people.
    pub fn what(&self) -> String {
        match self {
            Self::ModuleGone(service) => {
                format!(
                    "the module is gone from the stack of {}; run: authalert check",
                    neutral::name(service)
                )
            }
            Self::ModuleSilent(service) => format!(
                "the module records nothing at {}, of which the log tells; run: authalert check",
                neutral::name(service)
            ),
            Self::NoLog => "the scan has no log to read; run: authalert check".into(),
            Self::Mistake => {
                "the configuration has a mistake: a default holds, or a receiver gets nothing; run: \
                              authalert check"
                    .into()
            }
            Self::ClockOff => "the clock of this machine is off; run: timedatectl".into(),
            Self::MemberSilent(member) => format!(
                "{} has not been heard of for a day; on it run: authalert-fleet status",
                neutral::name(member)
            ),
            Self::HubAway => {
                "the hub of the fleet has not been heard of for an hour: this machine alerts by itself; \
                 run: authalert-fleet status"
                    .into()
            }
            Self::Stuck(receiver) => {
                format!("nothing gets through to {}; run: authalert status", neutral::name(receiver))
            }
        }
    }

    /// Whether `receiver` is the one to say it through: not the one that is stuck.
    pub fn is_for(&self, receiver: &str) -> bool {
        !matches!(self, Self::Stuck(stuck) if stuck == receiver)
    }
}

/// The receivers of which nothing takes what is sent to them.
pub fn stuck(state: &Path, routes: &Routes) -> Vec<Fault> {
    let is_stuck = |name: &str| {
        let loaded = State::load(&Place::new(state, name), true).ok().flatten();
        loaded.is_some_and(|loaded| loaded.state.outage.is_some())
    };
    let names = routes.receivers.iter().map(|receiver| receiver.name.as_str());
    names.filter(|name| is_stuck(name)).map(|name| Fault::Stuck(name.into())).collect()
}

/// A fault that is to be reported, or that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it is.
    pub fault: Fault,
    /// For how long it lasted so far.
    pub lasted: Duration,
    /// It is well again.
    pub cleared: bool,
}

/// Faults that were seen; part of the state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Health(Vec<(Fault, Course)>);

/// How it went with a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Course {
    since: Moment,
    /// The last look at which it was there, and the last at which it was not.
    there: Moment,
    /// It is reported and not yet over.
    open: bool,
    /// When it was reported last.
    reported: Option<Moment>,
}

impl Health {
    /// What is to be said after a look at which `faults` were there.
    pub fn look(&mut self, now: Moment, faults: &[Fault]) -> Vec<Change> {
        for fault in faults {
            let has_room = self.0.len() < REMEMBERED;
            match self.0.iter_mut().find(|(known, _)| known == fault) {
                // Seen after a while in which it was well: it begins anew.
                Some((_, course)) => {
                    if now.since(course.there) >= PASSING && !course.open {
                        course.since = now;
                    }
                    course.there = now;
                }
                None if has_room => {
                    self.0.push((fault.clone(), Course { since: now, there: now, ..Course::default() }));
                }
                None => {}
            }
        }
        let changes = self.0.iter_mut().filter_map(|(fault, course)| course.change(fault, now)).collect();
        // What is over and was not said for a day is forgotten.
        self.0.retain(|(_, course)| {
            let lately = course.reported.is_some_and(|reported| now.since(reported) < DAY);
            course.open || lately || now.since(course.there) < PASSING
        });
        changes
    }

    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong now, and was reported.
    pub fn open(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter().filter(|(_, course)| course.open).map(|(fault, _)| fault)
    }
}

impl Course {
    fn change(&mut self, fault: &Fault, now: Moment) -> Option<Change> {
        let change = |lasted, cleared| Some(Change { fault: fault.clone(), lasted, cleared });
        let is_there = self.there >= now;
        let lately = self.reported.is_some_and(|reported| now.since(reported) < DAY);
        if self.open && now.since(self.there) >= PASSING {
            self.open = false;
            return change(self.there.since(self.since), true);
        }
        if !self.open && is_there && !lately && now.since(self.since) >= fault.patience() {
            (self.open, self.reported) = (true, Some(now));
            return change(now.since(self.since), false);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    /// A look a minute; at which minutes what was said.
    fn watch(minutes: u64, fault: &Fault, is_there: impl Fn(u64) -> bool) -> Vec<(u64, bool)> {
        let (mut health, mut said) = (Health::default(), Vec::new());
        for minute in 0..minutes {
            let faults = if is_there(minute) { vec![fault.clone()] } else { Vec::new() };
            for change in health.look(Moment(minute * MINUTE), &faults) {
                assert_eq!(change.fault, *fault);
                said.push((minute, change.cleared));
            }
            // As it is kept between two looks.
            health = serde_json::from_str(&serde_json::to_string(&health).unwrap()).unwrap();
        }
        assert!(health.open().count() <= 1);
        said
    }

    #[test]
    fn a_fault_is_said_once_and_when_it_is_well_again() {
        let gone = Fault::ModuleGone("sshd".into());
        assert_eq!(watch(5000, &gone, |m| (100..2000).contains(&m)), [(115, false), (2014, true)]);
        let stuck = Fault::Stuck("phone".into());
        assert_eq!(watch(5000, &stuck, |m| (100..2000).contains(&m)), [(1540, false), (2014, true)]);
        assert!(!stuck.is_for("phone") && stuck.is_for("timeline"));
    }

    #[test]
    fn what_passes_by_itself_is_not_said_and_what_comes_and_goes_once_a_day() {
        assert_eq!(watch(5000, &Fault::NoLog, |m| m % 60 < 10), []);
        let said = watch(3 * 1440, &Fault::ClockOff, |m| m % 60 < 30);
        assert_eq!(said.iter().filter(|(_, cleared)| !cleared).count(), 3, "{said:?}");
        assert_eq!(said.len(), 6, "each with its end: {said:?}");
    }

    #[test]
    fn what_it_says_has_nothing_in_it_that_is_not_neutral_and_its_memory_is_bounded() {
        let fault = Fault::ModuleGone("ss\u{202e}hd\n".into());
        assert!(!fault.what().contains(['\u{202e}', '\n']), "{}", fault.what());
        let mut health = Health::default();
        for i in 0..10_000 {
            health.look(Moment(i), &[Fault::Stuck(format!("r{i}"))]);
        }
        assert!(health.0.len() <= REMEMBERED);
    }
}
