//! Findings that wait to be told to one receiver: bounded, whatever comes.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::pacing::Claim;
use crate::accounts::AccountKind;
use crate::config::{self, Kind};
use crate::detect::{self, Finding, Verdict};
use crate::message::{self, BreakIn, NewSource, Sample, Summary, UnderAttack};

/// Of a kind that are kept with all that there is to say of them; further ones are counted.
const KEPT: usize = 16;

/// Findings that wait; part of a receiver's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Findings {
    break_ins: Vec<Proven>,
    under_attack: Vec<UnderAttack>,
    new_sources: Vec<NewSource>,
    logins: Summary,
}

/// A break-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proven {
    /// What there is to say.
    #[serde(flatten)]
    pub content: BreakIn,
    /// See [`Finding::proven`].
    pub proven: bool,
    /// One of the same account or from the same source was reported within a day.
    #[serde(default)]
    again: bool,
    /// See [`Finding::source`].
    #[serde(default)]
    source: CompactString,
}

impl Proven {
    /// What is reported first is lower: what the module saw, what was not reported yet, root.
    fn rank(&self) -> (bool, bool, bool) {
        (!self.proven, self.again, self.content.login.user_kind != AccountKind::Root)
    }

    /// By what it asks for a message of its own.
    fn claim(&self) -> Claim {
        match (self.proven, self.again) {
            (false, _) => Claim::BreakInLogged,
            (true, false) => Claim::BreakIn,
            (true, true) => Claim::BreakInAgain,
        }
    }

    fn is_from_where(&self, other: &Self) -> bool {
        let place = |found: &Self| (found.proven, found.content.login.host.clone(), found.source.clone());
        !self.source.is_empty() && place(self) == place(other)
    }
}

/// What goes out beside break-ins.
#[derive(Clone, Debug)]
pub enum Other {
    /// A new source while the account is under attack.
    UnderAttack(UnderAttack),
    /// A new source.
    NewSource(NewSource),
    /// Logins.
    Logins(Box<Summary>),
}

/// As what a receiver is told of a login with this verdict: of what it is told of, the most urgent.
pub fn told_as(verdict: Verdict, receiver: &config::Receiver) -> Option<Kind> {
    let kinds: &[Kind] = match verdict {
        Verdict::BreakIn { .. } => &[Kind::BreakIn, Kind::Login],
        Verdict::UnderAttack => &[Kind::Urgent, Kind::NewSource, Kind::Login],
        Verdict::NewSource { .. } => &[Kind::NewSource, Kind::Login],
        Verdict::Login => &[Kind::Login],
    };
    kinds.iter().copied().find(|kind| receiver.tells(*kind))
}

impl Findings {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.break_ins.is_empty() && !self.has_others()
    }

    /// Whether something waits beside break-ins.
    pub fn has_others(&self) -> bool {
        !(self.under_attack.is_empty() && self.new_sources.is_empty() && self.logins.is_empty())
    }

    /// Tell `finding` too, `kind` of message; the names in it are of these kinds here. `again`: see
    /// [`Pacing::on_finding`](super::Pacing::on_finding).
    pub fn add(
        &mut self,
        finding: &Finding,
        kind: Kind,
        again: bool,
        (user, ruser): (AccountKind, AccountKind),
    ) {
        if let (Kind::BreakIn, Some(content)) = (kind, break_in(finding, user, ruser)) {
            let source = finding.source();
            return self.add_break_in(Proven { content, proven: finding.proven, again, source });
        }
        let (login, failures) = (Sample::of(&finding.login, user, ruser), &finding.failures);
        let since = failures.since.unwrap_or(finding.login.time);
        match (kind, finding.verdict) {
            (Kind::Urgent | Kind::NewSource, Verdict::UnderAttack) => {
                let content = UnderAttack {
                    login,
                    failures: failures.count,
                    sources: failures.sources,
                    since,
                    more: 0,
                };
                let is_known = |known: &UnderAttack| is_same(&known.login, &content.login);
                match room(&mut self.under_attack, is_known) {
                    Some(other) => other.more += 1,
                    None => self.under_attack.push(content),
                }
            }
            (Kind::NewSource, _) => {
                match room(&mut self.new_sources, |known| is_same(&known.login, &login)) {
                    Some(other) => other.more += 1,
                    None => self.new_sources.push(NewSource { login, more: 0 }),
                }
            }
            _ => self.logins.add(&finding.login, user, ruser),
        }
    }

    /// Of one account one is kept, the one that is reported first. Where there is no room the one that is reported last
    /// gives way.
    fn add_break_in(&mut self, found: Proven) {
        let known =
            self.break_ins.iter_mut().find(|known| is_same(&known.content.login, &found.content.login));
        if let Some(known) = known {
            let more = known.content.more + 1;
            if found.rank() < known.rank() {
                *known = found;
            }
            known.content.more = more;
        } else {
            self.break_ins.push(found);
        }
        self.break_ins.sort_by_key(Proven::rank);
        while self.break_ins.len() > KEPT {
            let gone = self.break_ins.pop().map_or(0, |gone| 1 + gone.content.more);
            count(self.break_ins.last_mut().map(|last| &mut last.content.more), gone);
        }
    }

    /// Take the next break-in, with the others from its source.
    pub fn next_break_in(&mut self) -> Option<Proven> {
        let mut next = (!self.break_ins.is_empty()).then(|| self.break_ins.remove(0))?;
        next.content.more += self.take_break_ins(|found| found.is_from_where(&next));
        Some(next)
    }

    /// What the next break-in asks for a message of its own by.
    pub fn next_claim(&self) -> Option<Claim> {
        self.break_ins.first().map(Proven::claim)
    }

    /// How many break-ins wait that are proven or not; none of these is left.
    pub fn rest_of_break_ins(&mut self, proven: bool) -> u64 {
        self.take_break_ins(|found| found.proven == proven)
    }

    fn take_break_ins(&mut self, which: impl Fn(&Proven) -> bool) -> u64 {
        let (taken, left): (Vec<Proven>, _) = self.break_ins.drain(..).partition(|found| which(found));
        self.break_ins = left;
        taken.iter().map(|found| 1 + found.content.more).sum()
    }

    /// Take what goes out next beside break-ins: one message for each kind.
    pub fn next_other(&mut self) -> Option<Other> {
        let attacked: u64 = self.under_attack.iter().map(|found| 1 + found.more).sum();
        if let Some(first) = self.under_attack.drain(..).next() {
            return Some(Other::UnderAttack(UnderAttack { more: attacked - 1, ..first }));
        }
        let sources: u64 = self.new_sources.iter().map(|found| 1 + found.more).sum();
        if let Some(first) = self.new_sources.drain(..).next() {
            return Some(Other::NewSource(NewSource { more: sources - 1, ..first }));
        }
        (!self.logins.is_empty()).then(|| Other::Logins(Box::new(std::mem::take(&mut self.logins))))
    }
}

/// The one with which another is counted: its like, or the last where there is no room; none where it can be kept.
fn room<T>(list: &mut [T], is_known: impl Fn(&T) -> bool) -> Option<&mut T> {
    let at = list.iter().position(is_known).or_else(|| (list.len() >= KEPT).then(|| list.len() - 1));
    at.and_then(|at| list.get_mut(at))
}

fn count(more: Option<&mut u64>, by: u64) {
    if let Some(more) = more {
        *more = more.saturating_add(by);
    }
}

fn is_same(one: &Sample, other: &Sample) -> bool {
    (&one.host, &one.user) == (&other.host, &other.user)
}

/// What there is to say of a break-in; none of another finding. The names in it are of these kinds here.
pub fn break_in(finding: &Finding, user: AccountKind, ruser: AccountKind) -> Option<BreakIn> {
    let Verdict::BreakIn { after } = finding.verdict else { return None };
    Some(BreakIn {
        login: Sample::of(&finding.login, user, ruser),
        failures: finding.failures.count,
        since: finding.failures.since.unwrap_or(finding.login.time),
        after: of(after),
        more: 0,
    })
}

fn of(after: detect::After) -> message::After {
    match after {
        detect::After::Source => message::After::Source,
        detect::After::Asker => message::After::Asker,
    }
}
