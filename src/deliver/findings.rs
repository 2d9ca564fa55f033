//! Findings that wait to be told to one receiver: bounded, whatever comes.

use std::collections::BTreeSet;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::pacing::{Claim, Pacing, Turn};
use super::{Moment, Policy};
use crate::accounts::AccountKind;
use crate::config::{self, Kind};
use crate::detect::{self, Finding, Verdict};
use crate::message::{self, BreakIn, NewSource, Sample, Summary, UnderAttack};

/// Of a kind that are kept with all that there is to say of them; further ones are counted.
const KEPT: usize = 16;
/// Sources of break-ins that one message tells of are told apart up to this number.
const SOURCES: usize = 64;
/// Of other accounts that one message of a break-in stands for so many are named.
const NAMED: usize = 4;

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
    /// See [`Finding::seen`].
    #[serde(default)]
    pub seen: bool,
    /// See [`Finding::told_by`]; else empty.
    #[serde(default)]
    pub told_by: CompactString,
    /// When it may go out.
    #[serde(default)]
    pub turn: Turn,
    /// See [`Finding::source`].
    #[serde(default)]
    source: CompactString,
    /// Those of the others that the message stands for.
    #[serde(default)]
    others: BTreeSet<CompactString>,
}

impl Proven {
    /// What is reported first is lower: by its worth, what was not reported yet, root.
    fn rank(&self) -> (Worth, bool, bool) {
        let again = matches!(self.turn.claim, Claim::BreakInAgain | Claim::BreakInLoggedAgain);
        (self.worth(), again, self.content.login.user_kind != AccountKind::Root)
    }

    fn worth(&self) -> Worth {
        match (self.told_by.is_empty(), self.proven, self.seen) {
            (true, true, _) => Worth::Proven,
            (true, false, true) => Worth::Seen,
            (true, false, false) => Worth::Logged,
            (false, ..) => Worth::Told,
        }
    }

    /// Stand for `other` too, and for all that it stands for.
    fn fold(&mut self, other: Self) {
        let more = 1_u64.saturating_add(other.content.more);
        self.content.more = self.content.more.saturating_add(more);
        self.others.extend(other.others);
        self.others.insert(other.source);
        while self.others.len() > SOURCES {
            self.others.pop_last();
        }
        self.content.more_sources = self.others.len() as u64;
        let BreakIn { login, also, .. } = &mut self.content;
        for folded in std::iter::once(other.content.login).chain(other.content.also) {
            if !is_same(&folded, login) && !also.iter().any(|known| is_same(known, &folded)) {
                also.push(folded);
            }
        }
        also.sort_by_key(|folded| folded.user_kind != AccountKind::Root);
        also.truncate(NAMED);
    }

    /// Whether one message tells of both: they are from one source, or one member tells of them.
    fn is_with(&self, other: &Self) -> bool {
        if self.worth() == Worth::Told {
            return self.told_by == other.told_by;
        }
        let place = |found: &Self| (found.worth(), found.content.login.host.clone(), found.source.clone());
        !self.source.is_empty() && place(self) == place(other)
    }
}

/// What a break-in rests on. None of the one hides another one in its message, or takes its place among those that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// The module saw it, on the machine of the login.
    Proven,
    /// It saw a part of it.
    Seen,
    /// A log alone tells of it.
    Logged,
    /// Another member of a fleet tells of the failures.
    Told,
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

    /// Tell `finding` too, `kind` of message; the names in it are of these kinds here. `turn`: of a break-in, see
    /// [`Pacing::on_finding`].
    pub fn add(
        &mut self,
        finding: &Finding,
        kind: Kind,
        turn: Option<Turn>,
        (user, ruser): (AccountKind, AccountKind),
    ) {
        if let (Some(turn), Some(content)) = (turn, break_in(finding, user, ruser)) {
            return self.add_break_in(Proven {
                content,
                proven: finding.proven,
                seen: finding.seen,
                told_by: finding.told_by.clone().unwrap_or_default(),
                turn,
                source: finding.source(),
                others: BTreeSet::new(),
            });
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

    /// Of one account one is kept, the one that is reported first. Where there is no room the one of its worth that is
    /// reported last gives way.
    fn add_break_in(&mut self, mut found: Proven) {
        let worth = found.worth();
        let known =
            self.break_ins.iter_mut().find(|known| is_same(&known.content.login, &found.content.login));
        match known {
            Some(known) => {
                if found.rank() < known.rank() {
                    std::mem::swap(known, &mut found);
                }
                known.fold(found);
            }
            None => {
                let is_root = found.content.login.user_kind == AccountKind::Root;
                if !is_root && self.break_ins.iter().any(|other| other.turn.is_with(&found.turn)) {
                    found.turn = found.turn.behind();
                }
                self.break_ins.push(found);
            }
        }
        self.break_ins.sort_by_key(Proven::rank);
        let end = self.break_ins.partition_point(|found| found.worth() <= worth);
        let begin = self.break_ins.partition_point(|found| found.worth() < worth);
        if end - begin > KEPT {
            let gone = self.break_ins.remove(end - 1);
            self.break_ins[end - 2].fold(gone);
        }
    }

    /// How many break-ins wait.
    pub fn break_ins(&self) -> u64 {
        self.break_ins.iter().map(|found| 1 + found.others.len() as u64).sum()
    }

    /// When those may go out that wait.
    pub fn turns(&self) -> impl Iterator<Item = &Turn> {
        self.break_ins.iter().map(|found| &found.turn)
    }

    /// Take the break-ins that go out now, at most so many messages, each with the others from its source; they are paid
    /// for. What is due beside the last one, and for what there is no token, is counted with it. `at_once`: one goes out
    /// in any case.
    pub fn take_break_ins(
        &mut self,
        pacing: &mut Pacing,
        (now, policy): (Moment, &Policy),
        at_once: bool,
        most: usize,
    ) -> Vec<Proven> {
        let mut taken: Vec<Proven> = Vec::new();
        let is_due = |found: &Proven| at_once || found.turn.from(now, policy) <= now;
        while taken.len() < most {
            let may_go = |found: &Proven| {
                let is_paid = at_once && taken.is_empty();
                is_due(found) && (is_paid || pacing.has(found.turn.claim, now, policy))
            };
            let Some(next) = self.break_ins.iter().position(may_go) else { break };
            let mut next = self.break_ins.remove(next);
            self.fold_into(&mut next, Proven::is_with);
            pacing.break_in_sent(now, &next.turn, policy);
            taken.push(next);
        }
        if let Some(last) = taken.last_mut() {
            self.fold_into(last, |found, last| is_due(found) && found.worth() == last.worth());
        }
        taken
    }

    fn fold_into(&mut self, one: &mut Proven, which: impl Fn(&Proven, &Proven) -> bool) {
        let (folded, left): (Vec<Proven>, _) = self.break_ins.drain(..).partition(|found| which(found, one));
        self.break_ins = left;
        folded.into_iter().for_each(|found| one.fold(found));
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
        more_sources: 0,
        also: Vec::new(),
    })
}

fn of(after: detect::After) -> message::After {
    match after {
        detect::After::Source => message::After::Source,
        detect::After::Asker => message::After::Asker,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::summary::tests::failure;

    #[test]
    fn who_breaks_in_to_an_account_of_his_own_hides_no_other_behind_it() {
        let proven = |user: &str| {
            let kind = if user == "root" { AccountKind::Root } else { AccountKind::Existing };
            let event = failure(0, user, "192.0.2.7");
            let content = BreakIn {
                login: Sample::of(&event, kind, AccountKind::Unknown),
                failures: 8,
                since: event.time,
                after: message::After::Source,
                more: 0,
                more_sources: 0,
                also: Vec::new(),
            };
            let source = "192.0.2.7".into();
            Proven {
                content,
                proven: true,
                seen: true,
                told_by: CompactString::default(),
                turn: Turn::default(),
                source,
                others: BTreeSet::new(),
            }
        };
        let mut own = proven("bob");
        for user in ["alice", "bob", "alice", "carol", "root", "dave", "erin"] {
            own.fold(proven(user));
        }
        let named: Vec<_> = own.content.also.iter().map(|login| login.user.as_str()).collect();
        assert_eq!((named, own.content.more), (vec!["root", "alice", "carol", "dave"], 7));
        let mut first = proven("carol");
        first.fold(own);
        let named: Vec<_> = first.content.also.iter().map(|login| login.user.as_str()).collect();
        assert_eq!((named, first.content.more), (vec!["root", "bob", "alice", "dave"], 8));
    }
}
