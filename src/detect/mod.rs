//! Break-ins: what a login means after the failures before it.
//!
//! The rules, for a login by the account A from the source S (an address, of IPv6 its network of 64 bits; the user
//! who asked su, sudo or doas; the terminal where nobody was logged in yet):
//!
//! 1. S failed [`Rules::break_in_after`] times or more within a day, whoever it tried: a **break-in**. Not where A came
//!    from S before and S failed for other accounts less often than that; nor where A came from S's network (/16, of
//!    IPv6 /48) before, and S failed less often for others, and for A less than twice as often.
//! 2. A failed as often, from [`MANY`] sources or more, and never came from S's network: **a new source while the account
//!    is under attack**. Servers have root under attack all day, and their owners come from changing addresses: this
//!    is no break-in by itself.
//! 3. A never came from S: **a new source**. Else it is a login.
//!
//! A login takes back the failures of A from S (somebody mistyped), and makes S known for A, for [`known::KEPT`];
//! a break-in does neither, and S does not become known for A later either.
//!
//! What is known is as good as where it came from: any user can write lines of a log. So failures and logins of the
//! module and of the log are kept apart; a line of the log takes back no failure that the module saw, and makes no
//! source known for a login that the module saw. A login that was recorded by both counts once.
//!
//! A failure that becomes known only after a login that it was before speaks against that login ([`late`]); one that was
//! after a login that becomes known only later does not ([`spans`]).
//!
//! Everything is bounded, see [`table`]; each member of a fleet has tables of its own, and all of them together a bound
//! ([`members`]). What others of them tell speaks against a login too; a break-in by their word alone bears the name of who told, and is a login in all
//! that is remembered ([`elsewhere`]). Names of no account are not kept. No clock is asked.

mod doubles;
#[cfg(test)]
mod draw;
mod elsewhere;
mod evidence;
mod failure;
mod finding;
mod key;
mod known;
mod late;
mod members;
mod room;
mod row;
mod source;
mod spans;
mod table;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::accounts::AccountKind;
pub use crate::config::Logins as Rules;
use crate::event::{Class, Event, Route};

use doubles::Doubles;
use elsewhere::Elsewhere;
use evidence::{Evidence, speaks_against};
pub use finding::{After, Failures, Finding, Verdict};
use key::Key;
use known::Known;
use late::{Before, Judged, Late, Teller};
pub(crate) use members::CLOCKS_APART;
use members::Members;
pub(crate) use row::REACH;
use row::{Login, Row};
use source::Source;
use table::Table;

/// A [`Finding`] lists at most so many accounts.
pub const NAMES: usize = 8;
/// Sources of one account, and names tried from one source, are told apart up to this number.
pub const TOLD_APART: usize = table::PARTS;
/// From so many sources an account fails that is under attack.
pub const MANY: usize = 3;

/// The rules, for people: one line a rule.
pub fn in_words(rules: &Rules) -> Vec<String> {
    let after = rules.break_in_after;
    let mut words = vec![
        format!(
            "a break-in: a login from a source (an address, or who asks su, sudo or doas) that failed {after} times \
             or more within a day"
        ),
        format!(
            "none: where the account came from that address before, and others were tried from there less than {after} \
             times; or from its network (/16, of IPv6 /48), and the account failed less than {} times",
            2 * after
        ),
        format!(
            "a new source under attack: the account failed {after} times or more within a day from {MANY} sources or \
             more, and is in from a network that it never came from"
        ),
    ];
    if !rules.expected.is_empty() {
        let networks: Vec<String> = rules.expected.iter().map(ToString::to_string).collect();
        words.push(format!("no new source: {}", networks.join(", ")));
    }
    words
}

/// What is remembered of failures and logins; part of the state that a pass leaves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detector {
    module: Seen,
    log: Seen,
    known: Known,
    doubles: Doubles,
    late: Late,
    /// This machine's clock was ahead when something was recorded. What the module records behind it was later.
    #[serde(skip)]
    has_ahead: bool,
    /// The same of each member of a fleet.
    #[serde(skip_serializing_if = "Members::is_empty")]
    members: Members,
}

/// Failures that came by one route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Seen {
    /// By source, told apart by the name that was tried; empty for all that are no accounts.
    sources: Table,
    /// By account, told apart by source.
    accounts: Table,
}

impl Detector {
    /// Take in an event, and judge it if it is a login, or the logins that it should have been known before. `kind` is
    /// what its user is on its machine, as far as that is known; `now` is the time of the machine: an event cannot be later.
    /// Events come in the order of the journal.
    pub fn observe(
        &mut self,
        event: &Event,
        kind: AccountKind,
        now: Timestamp,
        rules: &Rules,
    ) -> Vec<Finding> {
        let (time, now) = (event.time.as_second(), now.as_second());
        // A member tells by its own clock, and in its own time.
        if members::member(event).is_empty() {
            if spans::is_ahead(time, now) {
                self.has_ahead = true;
            } else if event.route == Route::Pam && std::mem::take(&mut self.has_ahead) {
                self.set_back(time);
            }
        }
        let at = if event.class.is_of_failures() { spans::set_back(time, now) } else { time.min(now) };
        self.take_in(event, kind, at, rules, true)
    }

    /// What is later than the second `now` was before it: a clock that was ahead once makes nothing old that is new.
    pub(crate) fn set_back(&mut self, now: i64) {
        for seen in [&mut self.module, &mut self.log] {
            seen.sources.set_back(now);
            seen.accounts.set_back(now);
        }
        self.known.set_back(now);
        self.late.set_back(now);
        self.members.set_back(now);
    }

    /// The same where only logins after failures matter: of others there is no finding, which is a copy of each. The
    /// time of an event is what it says.
    pub(crate) fn observe_alarms(&mut self, event: &Event, kind: AccountKind, rules: &Rules) -> Vec<Finding> {
        self.take_in(event, kind, event.time.as_second(), rules, false)
    }

    /// `plain`: plain logins are to be found too.
    fn take_in(
        &mut self,
        event: &Event,
        kind: AccountKind,
        at: i64,
        rules: &Rules,
        plain: bool,
    ) -> Vec<Finding> {
        let member = members::member(event);
        let found = match event.class {
            Class::Failure | Class::Address => self.fail(event, member, kind, at, rules),
            Class::Login => {
                let told = self.elsewhere(event, member, at);
                let (found, takes_back) = self.of_mut(member).login(event, told, at, rules, plain);
                if takes_back {
                    self.take_back_elsewhere(event, member, at);
                }
                found
            }
            Class::Aborted | Class::Test => return Vec::new(),
        };
        if !member.is_empty() {
            self.members.on_event(member, event, at);
        }
        found
    }

    /// Forget what those told that are no members of the fleet any more.
    pub(crate) fn keep_members(&mut self, is_member: &dyn Fn(&str) -> bool) {
        self.members.keep(is_member);
        self.late.forget_tellers(is_member);
    }

    /// `told`: what its source failed at the hub and at other machines of a fleet. Also whether the login takes back what its
    /// account failed.
    fn login(
        &mut self,
        event: &Event,
        told: Option<(Evidence, Elsewhere)>,
        at: i64,
        rules: &Rules,
        plain: bool,
    ) -> (Vec<Finding>, bool) {
        let source = Source::of(event);
        let mut found = Vec::new();
        if self.doubles.is_known_login(event, source.as_ref().and_then(Source::address), at) {
            return (found, false);
        }
        let account = account(event);
        let login = Login { at, end: end(event, at) };
        let mut failed = self.evidence(event, &account, source.as_ref(), login);
        let [by_module, by_log] = [&failed.module, &failed.log].map(|row| !row.is_empty());
        if let Some(taken_back) = source.as_ref().and_then(|at| self.late.taken_back(event, at.key(), login))
        {
            failed.merge(taken_back);
        }
        let (at_hub, elsewhere) = told.unwrap_or_default();
        let own = failed.with(&at_hub);
        let evidence = elsewhere.with(&own);
        let (place, before) = source.as_ref().map_or_else(Default::default, |source| {
            self.known.before(&account, source, login, event.route == Route::Pam)
        });
        let verdict = self.judge(event, source.as_ref(), &evidence, before, login, rules);
        let is_break_in = matches!(verdict, Verdict::BreakIn { .. });
        let after = u64::from(rules.break_in_after.max(1));
        let speaks = |evidence: &Evidence| {
            source.as_ref().is_some_and(|at| speaks_against(&self.known, event, at, evidence, before, after))
        };
        let is_alone = is_break_in && speaks(&own);
        let teller = if is_break_in && !is_alone { elsewhere.teller(&own, speaks) } else { None };
        if plain || verdict.is_alarm() {
            let finding = self.finding(event, verdict, &account, &evidence, login, rules);
            found.push(if is_break_in { finding.by(teller.as_deref(), &own, after) } else { finding });
        }
        let takes_back = source.is_some() && !is_alone && !event.is_claimed();
        if let Some(source) = source {
            let proven = event.route == Route::Pam;
            if is_alone {
                self.known.suspect(&account, (source.key(), place), own.proves(event, after), at);
            } else {
                // There is nothing else to take back than what speaks against it.
                if proven && by_module {
                    self.module.forgive(&account, &event.user, source.key(), login);
                }
                if by_log && takes_back {
                    self.log.forgive(&account, &event.user, source.key(), login);
                }
                if takes_back {
                    self.late.forgive(event, source.key(), Teller::Itself, login);
                    self.known.came(&account, (source.key(), place), proven, at);
                }
                // By a clock that is ahead, what comes would seem to be from before it.
                if spans::is_ahead(event.time.as_second(), at) {
                    return (found, takes_back);
                }
                let mut judged = Judged::new((event, at), failed, at_hub, elsewhere, before);
                if is_break_in {
                    judged.report(teller);
                }
                self.late.remember(source.key(), judged);
            }
        }
        (found, takes_back)
    }

    /// What the source failed. Its row may have given way to others in a flood; what it failed for this very
    /// account stands with the account too, where sources cannot push it out.
    fn evidence(&self, event: &Event, account: &Key, source: Option<&Source>, login: Login) -> Evidence {
        let of = |seen: &Seen| {
            let Some(source) = source else { return Row::default() };
            let by_source = seen.sources.before(source.key(), login);
            let by_account = seen.accounts.only_before(account, source.key(), &event.user, login);
            if by_account.total() > by_source.total() { by_account } else { by_source }
        };
        Evidence { module: of(&self.module), log: of(&self.log) }
    }

    fn judge(
        &self,
        event: &Event,
        source: Option<&Source>,
        evidence: &Evidence,
        before: Before,
        login: Login,
        rules: &Rules,
    ) -> Verdict {
        let Some(source) = source else { return Verdict::Login };
        let after = u64::from(rules.break_in_after.max(1));
        if speaks_against(&self.known, event, source, evidence, before, after) {
            return break_in(source);
        }
        if source.network().is_none() || is_expected(event, rules) {
            return Verdict::Login;
        }
        let is_under_attack = |attack: Row| attack.total() >= after && attack.parts() >= MANY;
        if !before.network && is_under_attack(self.attack(&account(event), login)) {
            return Verdict::UnderAttack;
        }
        if before.address { Verdict::Login } else { Verdict::NewSource { network_known: before.network } }
    }

    /// What `account` failed, from wherever.
    fn attack(&self, account: &Key, login: Login) -> Row {
        let mut row = self.module.accounts.before(account, login);
        row.merge(self.log.accounts.before(account, login));
        row
    }

    fn finding(
        &self,
        event: &Event,
        verdict: Verdict,
        account: &Key,
        evidence: &Evidence,
        login: Login,
        rules: &Rules,
    ) -> Finding {
        let enough = u64::from(rules.break_in_after.max(1));
        let by_module = event.route == Route::Pam;
        let seen = evidence.sees(event, enough);
        let (failures, proven) = match verdict {
            Verdict::BreakIn { .. } => {
                let mut all = evidence.module.clone();
                all.merge(evidence.log.clone());
                let accounts = all.accounts();
                let failures = Failures {
                    of_account: all.of(&event.user),
                    names: all.parts() as u64,
                    sources: 1,
                    accounts,
                    ..failures(&all)
                };
                (failures, evidence.proves(event, enough))
            }
            Verdict::UnderAttack => {
                let all = self.attack(account, login);
                let failures = Failures {
                    of_account: all.total(),
                    names: 1,
                    sources: all.parts() as u64,
                    accounts: vec![event.user.clone()],
                    ..failures(&all)
                };
                let by_the_module = self.module.accounts.before(account, login);
                (failures, by_module && by_the_module.total() >= enough && by_the_module.parts() >= MANY)
            }
            Verdict::NewSource { .. } | Verdict::Login => (Failures::default(), by_module),
        };
        Finding { verdict, login: event.clone(), failures, proven, seen, told_by: None }
    }
}

impl Seen {
    /// Who mistyped got in.
    fn forgive(&mut self, account: &Key, user: &str, source: &Key, login: Login) {
        self.sources.take_back(source, user, login);
        self.accounts.take_back(account, source, login);
    }
}

/// What the rules say of a whole history, in the order of time: each login with its verdict. `kind_of` tells what the
/// user of an event is on its machine.
pub fn findings<'a>(
    history: impl IntoIterator<Item = Event> + 'a,
    mut kind_of: impl FnMut(&Event) -> AccountKind + 'a,
    rules: &'a Rules,
) -> impl Iterator<Item = Finding> + 'a {
    let mut detector = Detector::default();
    history.into_iter().flat_map(move |event| {
        let kind = kind_of(&event);
        detector.observe(&event, kind, event.time, rules)
    })
}

fn break_in(source: &Source) -> Verdict {
    Verdict::BreakIn { after: if source.is_asker() { After::Asker } else { After::Source } }
}

/// What failed later than this was after a login at the second `at`. The module records at once, so what stands before its
/// record in the journal was before, whatever became of the clock; what a log tells is recorded late.
fn end(login: &Event, at: i64) -> i64 {
    if login.route == Route::Log { at } else { i64::MAX }
}

/// An account of one machine.
fn account(event: &Event) -> Key {
    Key::of(&[&event.host, " ", &event.user])
}

fn is_expected(event: &Event, rules: &Rules) -> bool {
    // Mostly nothing is, and each login from a network is asked.
    !rules.expected.is_empty()
        && event.rhost.parse::<IpAddr>().is_ok_and(|address| {
            let address = address.to_canonical();
            rules.expected.iter().any(|network| network.contains(&address))
        })
}

fn failures(row: &Row) -> Failures {
    let time = |second: i64| Timestamp::from_second(second).ok();
    Failures { count: row.total(), since: time(row.first()), last: time(row.last()), ..Failures::default() }
}
