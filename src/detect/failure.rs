//! A failure, as it counts for the logins to come and against those before it that are judged already: in whatever order the
//! two become known, as in the order of time.
//!
//! A login takes back what its account failed before. What becomes known of that only later speaks against the login itself
//! and those before it, not against those behind it. A login that this makes a break-in took nothing back: what it did take
//! speaks against those behind it, and those to come.

use std::borrow::Cow;

use jiff::Timestamp;
use smallvec::{SmallVec, smallvec};

use super::doubles::Twice;
use super::evidence::{Evidence, speaks_against};
use super::key::Key;
use super::late::{Earlier, Judged, Teller};
use super::members::CLOCKS_APART;
use super::row::Login;
use super::source::Source;
use super::spans::Span;
use super::{Detector, Finding, Rules, Seen, account, break_in, end, members, spans};
use crate::accounts::AccountKind;
use crate::event::packed::Packed;
use crate::event::{Class, Event, Route};

/// A failure as it counts.
pub(super) struct Failed<'a> {
    event: Cow<'a, Event>,
    source: Option<Source>,
    /// Empty for a name of no account.
    name: Key,
    is_account: bool,
    /// Its second, and how often it counts; of those that a login took back, of all in the order of time.
    counts: SmallVec<[Span; 1]>,
    /// Of these the log told before.
    twice: Vec<Twice>,
    /// Those that a login of this time took back, which is a break-in.
    after: Timestamp,
}

/// What comes of a failure.
#[derive(Default)]
pub(super) struct Spoken {
    found: Vec<Finding>,
    /// What break-ins among them took back.
    put_back: Vec<Failed<'static>>,
}

/// Against which logins a failure speaks: those later than the one, and no later than the other.
#[derive(Clone, Copy)]
pub(super) struct Reach<'a> {
    after: Timestamp,
    until: Timestamp,
    /// And this one, which stands for another one.
    taker: Option<&'a Packed>,
}

impl Failed<'_> {
    /// As it was before logins, whose clocks it may be so many seconds ahead of.
    fn earlier(&self, ahead: i64) -> Option<Earlier<'_>> {
        Some(Earlier { event: &self.event, source: self.source.as_ref()?, at: self.at(), ahead })
    }

    /// Whether it may have been before a login of this time, whose clock may be apart.
    pub(super) fn is_before(&self, time: Timestamp) -> bool {
        self.earlier(CLOCKS_APART).is_some_and(|earlier| earlier.is_before(time))
    }

    /// What was put together with others may have been as early as the first of them.
    fn at(&self) -> i64 {
        self.counts.last().map_or(0, |span| span.first())
    }

    /// Let it speak against a login, as the word of `teller`.
    fn speak_against(&self, judged: &mut Judged, teller: Teller<'_>, ahead: i64) {
        let login = Login { at: judged.at, end: judged.at.saturating_add(ahead) };
        let Some(evidence) = judged.evidence_of(teller) else { return };
        self.twice.iter().for_each(|twice| _ = evidence.log.subtract(&self.name, twice.count, twice.at));
        for span in self.counts.iter().filter(|span| spans::speaks(span.first(), login)) {
            let at = span.last().min(login.end);
            evidence.of_route(self.event.route).add(&self.name, self.is_account, span.count(), at);
        }
    }

    /// What a login took back of what failed at its machine, by each route. What may have been before one that it stands for,
    /// that one took back.
    fn taken_back_by(judged: &Judged) -> Vec<Failed<'static>> {
        let login = judged.login.event();
        let moment = Login { at: judged.at, end: end(&login, judged.at) };
        let Evidence { module, log } = judged.evidence.taken_back_by(&judged.login, moment);
        let mut all = Vec::new();
        for (route, row) in [(Route::Pam, module), (Route::Log, log)] {
            let mut spans: SmallVec<[Span; 1]> = row.spans().collect();
            for after in judged.logins() {
                let is_of_it = |span: &Span| after == login.time || span.first() <= after.as_second();
                let (counts, behind): (SmallVec<_>, _) = spans.into_iter().partition(is_of_it);
                spans = behind;
                if !counts.is_empty() {
                    all.push(Failed {
                        source: Source::of(&login),
                        name: login.user.as_str().into(),
                        is_account: true,
                        counts,
                        twice: Vec::new(),
                        after,
                        event: Cow::Owned(Event {
                            time: after,
                            route,
                            class: Class::Failure,
                            ..login.clone()
                        }),
                    });
                }
            }
        }
        all
    }
}

impl Reach<'_> {
    fn has(&self, login: &Packed) -> bool {
        self.taker == Some(login) || (self.after < login.time() && login.time() <= self.until)
    }
}

impl Detector {
    /// Who failed before logins that are judged already, here or at another machine of a fleet, speaks against each of
    /// them, up to the one that takes it back. What none takes back is kept for those to come.
    pub(super) fn fail(
        &mut self,
        event: &Event,
        member: &str,
        kind: AccountKind,
        at: i64,
        rules: &Rules,
    ) -> Vec<Finding> {
        let Some(failure) = self.of_mut(member).count(event, kind, at) else { return Vec::new() };
        let mut spoken = Spoken::default();
        self.fail_once(&failure, rules, &mut spoken);
        while let Some(failure) = spoken.put_back.pop() {
            self.fail_once(&failure, rules, &mut spoken);
        }
        spoken.found
    }

    fn fail_once(&mut self, failure: &Failed<'_>, rules: &Rules, spoken: &mut Spoken) {
        let member = members::member(&failure.event);
        let own = self.of_mut(member);
        // What stands under no name is taken back by nobody.
        let earlier = failure.earlier(0).filter(|_| !failure.name.is_empty());
        let taken_back = earlier.and_then(|earlier| own.late.taken_back_by(earlier, failure.after));
        let (until, taker) = taken_back.map_or((Timestamp::MAX, None), |(until, taker)| (until, Some(taker)));
        let reach = Reach { after: failure.after, until, taker: taker.as_ref() };
        own.speak(failure, Teller::Itself, 0, reach, rules, spoken);
        self.speak_elsewhere(failure, member, reach, rules, spoken);
        // One that took it back and is a break-in now puts it back.
        if taker.is_none() {
            self.of_mut(member).keep(failure);
        }
    }

    /// How often a failure counts that the other route may have told of too; none where not at all.
    fn count<'a>(&mut self, event: &'a Event, kind: AccountKind, at: i64) -> Option<Failed<'a>> {
        let source = Source::of(event);
        // What is an account on another machine is not known here.
        let is_account = kind != AccountKind::Unknown;
        let name = Key::from(if is_account || !event.host.is_empty() { event.user.as_str() } else { "" });
        let nowhere = Key::default();
        let place = source.as_ref().map_or(&nowhere, Source::key);
        let count = match (event.route, event.class) {
            // Each of the failures that an address is added to is recorded once.
            (Route::Log, Class::Failure) => self.doubles.not_seen(event, &name, place, at),
            _ => event.count,
        };
        if count == 0 {
            return None;
        }
        let is_seen = event.route == Route::Pam;
        let twice = if is_seen { self.take_back_from_log(event, &name, place, at) } else { Vec::new() };
        let (event, counts, after) = (Cow::Borrowed(event), smallvec![Span::at(at, count)], Timestamp::MIN);
        Some(Failed { event, source, name, is_account, counts, twice, after })
    }

    /// Let a failure speak against the logins of `reach`; `ahead`: see [`Earlier`].
    pub(super) fn speak(
        &mut self,
        failure: &Failed<'_>,
        teller: Teller<'_>,
        ahead: i64,
        reach: Reach<'_>,
        rules: &Rules,
        spoken: &mut Spoken,
    ) {
        let Some(earlier) = failure.earlier(ahead) else { return };
        for judged in self.late.after(earlier).filter(|judged| reach.has(&judged.login)) {
            failure.speak_against(judged, teller, ahead);
        }
        while let Some(found) = self.judge_one_again(earlier, rules, &mut spoken.put_back) {
            spoken.found.push(found);
        }
    }

    /// Keep a failure for the logins to come.
    fn keep(&mut self, failure: &Failed<'_>) {
        let Failed { event, source, name, is_account, counts, .. } = failure;
        let nowhere = Key::default();
        let place = source.as_ref().map_or(&nowhere, Source::key);
        for span in counts {
            if source.is_some() {
                self.seen_by(event.route).sources.add(place, name, *is_account, span.count(), span.last());
            }
            if name.is_empty() {
                continue;
            }
            let account = account(event);
            let count = match event.class {
                // The account failed already, from nowhere.
                Class::Address => {
                    let left = self.module.accounts.subtract(&account, &nowhere, span.count(), span.last());
                    span.count() - self.log.accounts.subtract(&account, &nowhere, left, span.last())
                }
                _ => span.count(),
            };
            if count > 0 {
                self.seen_by(event.route).accounts.add(&account, place, false, count, span.last());
            }
        }
    }

    fn seen_by(&mut self, route: Route) -> &mut Seen {
        if route == Route::Log { &mut self.log } else { &mut self.module }
    }

    /// The module sees failures of which the log told before, and they count once: as what the module saw.
    fn take_back_from_log(&mut self, event: &Event, name: &Key, source: &Key, at: i64) -> Vec<Twice> {
        let twice = self.doubles.counted_by_log(event, name, source, at);
        for twice in &twice {
            self.log.sources.subtract(source, name, twice.count, twice.at);
            self.log.accounts.subtract(&account(event), source, twice.count, twice.at);
        }
        twice
    }

    /// One of the logins that `failure` was before and makes break-ins. It is not looked at again.
    fn judge_one_again(
        &mut self,
        failure: Earlier<'_>,
        rules: &Rules,
        put_back: &mut Vec<Failed<'static>>,
    ) -> Option<Finding> {
        let after = u64::from(rules.break_in_after.max(1));
        let (known, source) = (&self.known, failure.source);
        let (judged, own) = self.late.after(failure).find_map(|judged| {
            let speaks = |all: &Evidence| {
                speaks_against(known, &judged.login.event(), source, all, judged.before, after)
            };
            let own = judged.own_that_speaks(after, speaks)?;
            Some((judged, own))
        })?;
        let Judged { login: packed, at, elsewhere, before, .. } = judged.clone();
        let login = packed.event();
        let speaks = |evidence: &Evidence| speaks_against(known, &login, source, evidence, before, after);
        let is_alone = speaks(&own);
        let teller = if is_alone { None } else { elsewhere.teller(&own, speaks) };
        judged.report(teller.clone());
        let account = account(&login);
        if is_alone {
            put_back.extend(Failed::taken_back_by(judged));
            self.late.forget(&packed);
            let place = self.known.place(&account, source.key());
            self.known.suspect(&account, (source.key(), place), own.proves(&login, after), at);
        }
        let all = elsewhere.with(&own);
        let moment = Login { at, end: end(&login, at) };
        let found = self.finding(&login, break_in(source), &account, &all, moment, rules);
        Some(found.by(teller.as_deref(), &own, after))
    }
}
