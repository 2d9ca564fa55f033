//! Break-ins of one account, and from one source, that were reported: when the next one of the same may be.
//!
//! An attacker with one account of his own can break in to it as often as he likes, from as many addresses as he has.
//! So of one account the next message waits, and each further one twice as long, until there was none for a day; it
//! tells of all that came meanwhile. From one source, which may be in as any number of accounts, one goes out in a
//! group interval: nobody's waits longer for what others did, and root's not at all.
//!
//! A break-in that is one by the word of another member of a fleet alone is that member's: it has one message in a group
//! interval, and none of the machine that it tells of waits for it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bucket::Claim;
use super::moment::{Moment, milliseconds};
use crate::accounts::member::Origin;
use crate::deliver::policy::Policy;
use crate::detect::Finding;

const DAY: Duration = Duration::from_secs(86_400);
/// Names that are remembered: of each message of a break-in there are two.
const REMEMBERED: usize = 1024;

/// When a break-in may go out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Turn {
    /// For what it is paid.
    pub claim: Claim,
    /// When it was found.
    pub since: Moment,
    /// Not before.
    from: Moment,
    /// What it counts for, and whether the next one of the same waits twice as long.
    names: Vec<(String, bool)>,
    /// A member of a fleet vouches for it.
    is_members: bool,
}

impl Turn {
    /// The same, behind another one from its source that waits too.
    pub fn behind(self) -> Self {
        let claim = match self.claim {
            Claim::BreakIn if !self.is_members => Claim::BreakInAgain,
            Claim::BreakIn | Claim::BreakInSeen | Claim::BreakInLogged => Claim::BreakInLoggedAgain,
            claim => claim,
        };
        Self { claim, ..self }
    }

    /// Whether both are of one account or from one source, or a member of a fleet tells of both.
    pub fn is_with(&self, other: &Self) -> bool {
        self.names.iter().any(|name| other.names.contains(name))
    }

    /// From when on it may go out: as long after it was found as any wait is, at the most. A moment that is further off is a
    /// damaged one, or of a longer wait than is configured now.
    pub fn from(&self, now: Moment, policy: &Policy) -> Moment {
        self.from.min(self.since.min(now).plus(policy.max_interval.max(policy.group_interval)))
    }
}

/// Names, with the last message for each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Repeats(BTreeMap<String, Reported>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Reported {
    last: Moment,
    /// Milliseconds that the next one waits.
    wait: u64,
}

impl Repeats {
    /// When this break-in may go out.
    pub(super) fn turn(&self, now: Moment, finding: &Finding, policy: &Policy) -> Turn {
        let names = names(finding);
        let is_told = finding.told_by.is_some();
        // Root's does not wait for others from its source.
        let waits_for = if finding.login.user == "root" && !is_told { &names[..1] } else { &names[..] };
        let last: Vec<Option<Reported>> =
            waits_for.iter().map(|(name, _)| self.within_a_day(name, now)).collect();
        let until = |one: &Reported| one.last.min(now).plus(one.wait(policy));
        let from = last.iter().flatten().map(until).max().unwrap_or(now).max(now);
        let is_members = is_told || Origin::of(&finding.login).is_some();
        let is_again = last.iter().any(Option::is_some);
        let claim = match (finding.proven, is_again) {
            (true, false) => Claim::BreakIn,
            (false, false) if finding.seen => Claim::BreakInSeen,
            (false, false) => Claim::BreakInLogged,
            (_, true) if is_told => Claim::BreakInLoggedAgain,
            // A member that was taken over may tell of any number of accounts: what is kept for break-ins that are
            // certain it uses once a day.
            (true, true) if is_members && matches!(last[..], [None, ..]) => Claim::BreakInLogged,
            (true, true) if !is_members => Claim::BreakInAgain,
            (_, true) => Claim::BreakInLoggedAgain,
        };
        Turn { claim, since: now, from, names, is_members }
    }

    /// It went out.
    pub(super) fn reported(&mut self, now: Moment, turn: &Turn, policy: &Policy) {
        for (name, doubles) in &turn.names {
            let before = self.within_a_day(name, now).filter(|_| *doubles);
            let wait = policy.next_interval(before.map_or(Duration::ZERO, |before| before.wait(policy)));
            self.0.insert(name.clone(), Reported { last: now, wait: milliseconds(wait) });
        }
        if self.0.len() > REMEMBERED {
            self.0.retain(|_, one| now.since(one.last) < DAY);
        }
        while self.0.len() > REMEMBERED {
            let oldest = self.0.iter().min_by_key(|(_, one)| one.last).map(|(name, _)| name.clone());
            oldest.and_then(|name| self.0.remove(&name));
        }
    }

    fn within_a_day(&self, name: &str, now: Moment) -> Option<Reported> {
        self.0.get(name).copied().filter(|one| now.since(one.last) < DAY)
    }
}

impl Reported {
    fn wait(self, policy: &Policy) -> Duration {
        Duration::from_millis(self.wait).min(policy.max_interval)
    }
}

/// The account, apart for what only a log tells of: any user can write that.
pub(super) fn account(finding: &Finding) -> String {
    let told = finding.told_by.as_ref().map_or_else(String::new, |by| format!("told by {by} "));
    format!("{}{told}{} {}", route(finding), finding.login.host, finding.login.user)
}

fn route(finding: &Finding) -> &'static str {
    match (finding.proven, finding.seen) {
        (true, _) => "",
        (false, true) => "seen ",
        (false, false) => "log ",
    }
}

/// What a break-in counts for: its account first, then its source or the member of a fleet that tells of it, which is of
/// no source but itself.
fn names(finding: &Finding) -> Vec<(String, bool)> {
    let (login, of) = (&finding.login, route(finding));
    let second = match (finding.source(), &finding.told_by) {
        (_, Some(member)) => Some(format!("told by {member}")),
        _ if Origin::of(login).is_some() => Some(format!("{of}member {}", login.host)),
        (source, _) if source.is_empty() => None,
        (source, _) => Some(format!("{of}from {} {source}", login.host)),
    };
    std::iter::once((account(finding), true)).chain(second.map(|name| (name, false))).collect()
}
