//! What the pacing would have made of a log: the real code, in virtual time.
//!
//! Between failures somebody looks once a minute, as cron does; at a failure the module's worker looks
//! at once. So an alert goes out at the first look after it is due.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::accounts::AccountKind;
use crate::config::Kind;
use crate::deliver::findings::{Findings, Proven};
use crate::deliver::pacing::{Due, Moment, Pacing};
use crate::deliver::policy::{Policy, human};
use crate::detect::{Detector, Finding, Rules, Verdict};
use crate::event::{Class, Event};
use crate::message::Summary;

const LOOK: u64 = 60_000;
const DAY: u64 = 86_400_000;

/// What came out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Simulation {
    /// Failures in the log.
    pub failures: u64,
    /// Failures that alerts covered; the same number.
    pub covered: u64,
    /// Alerts sent, beside those of break-ins.
    pub alerts: u64,
    /// From the first failure to the last.
    pub duration: Duration,
    /// How long the failure waited that waited longest.
    pub longest_wait: Duration,
    /// Most alerts in any 24 hours.
    pub busiest_day: u64,
    /// When each alert went out.
    pub sent: Vec<Timestamp>,
    /// Break-ins in the log.
    pub break_ins: u64,
    /// Alerts that told of them, beside the others.
    pub break_in_alerts: u64,
    /// How long the break-in waited that waited longest, of those that are named.
    pub longest_break_in_wait: Duration,
}

/// What went out.
#[derive(Debug)]
pub enum Sent {
    /// An alert of failures.
    Failures(Box<Summary>),
    /// An alert of a break-in, and of others that are counted in it.
    BreakIn(Box<Proven>),
}

impl Simulation {
    /// Alerts a day, over the time that the log covers but at least one day.
    pub fn alerts_per_day(&self) -> f64 {
        self.alerts as f64 / (self.duration.as_secs_f64() / 86_400.0).max(1.0)
    }
}

impl fmt::Display for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "failures      {} in {}", self.failures, human(self.duration))?;
        writeln!(
            f,
            "alerts        {}, {:.1} a day, {} in the busiest 24 hours",
            self.alerts,
            self.alerts_per_day(),
            self.busiest_day
        )?;
        writeln!(f, "longest wait  {}", human(self.longest_wait))?;
        write!(f, "covered       {} of {}", self.covered, self.failures)?;
        if self.break_ins > 0 {
            write!(
                f,
                "\nbreak-ins     {} in {} more alert{}, longest wait {}",
                self.break_ins,
                self.break_in_alerts,
                if self.break_in_alerts == 1 { "" } else { "s" },
                human(self.longest_break_in_wait)
            )?;
        }
        Ok(())
    }
}

/// Run detection and pacing over `events`, failures and logins, in the order in which they stand; a time that is earlier
/// than the one before counts as the same time. `kind_of` tells what a name is here. Each alert is given to `sent`.
pub fn simulate(
    events: impl IntoIterator<Item = (Timestamp, Event)>,
    policy: &Policy,
    rules: &Rules,
    mut kind_of: impl FnMut(&str) -> AccountKind,
    sent: impl FnMut(Timestamp, Sent),
) -> Simulation {
    let mut run = Run {
        pacing: Pacing::default(),
        policy,
        pending: None,
        findings: Findings::default(),
        recent: VecDeque::new(),
        start: None,
        result: Simulation::default(),
        sent,
    };
    let mut detector = Detector::default();
    let mut now = Moment(0);
    for (time, event) in events {
        let start = *run.start.get_or_insert(time);
        let since = time.as_millisecond().saturating_sub(start.as_millisecond());
        let arrival = Moment(u64::try_from(since).unwrap_or(0)).max(now);
        run.look_until(arrival, now);
        now = arrival;
        let kind = kind_of(&event.user);
        let found = detector.observe(&event, kind, time, rules);
        if event.class == Class::Failure {
            run.on_failure(now, &event, kind, kind_of(&event.ruser));
        }
        for finding in found.iter().filter(|finding| matches!(finding.verdict, Verdict::BreakIn { .. })) {
            // It may be another login than this event.
            let login = &finding.login;
            run.on_break_in(now, finding, (kind_of(&login.user), kind_of(&login.ruser)));
        }
        run.look(now);
    }
    run.look_until(Moment(u64::MAX), now);
    run.result
}

struct Run<'a, F> {
    pacing: Pacing,
    policy: &'a Policy,
    pending: Option<(Moment, Summary)>,
    findings: Findings,
    /// Alerts of the last 24 hours.
    recent: VecDeque<Moment>,
    /// The time of the first event.
    start: Option<Timestamp>,
    result: Simulation,
    sent: F,
}

impl<F: FnMut(Timestamp, Sent)> Run<'_, F> {
    fn on_failure(&mut self, now: Moment, failure: &Event, kind: AccountKind, asker: AccountKind) {
        self.pacing.on_failure(now, failure, kind, self.policy);
        self.pending.get_or_insert_with(|| (now, Summary::default())).1.add(failure, kind, asker);
        self.result.failures += u64::from(failure.count);
        self.result.duration = now.since(Moment(0));
    }

    fn on_break_in(&mut self, now: Moment, finding: &Finding, kinds: (AccountKind, AccountKind)) {
        let turn = self.pacing.on_finding(now, finding, Kind::BreakIn, self.policy);
        self.findings.add(finding, Kind::BreakIn, turn, kinds);
        self.result.break_ins += 1;
    }

    /// The looks between `now` and `until` at which something is due.
    fn look_until(&mut self, until: Moment, now: Moment) {
        let mut now = now;
        loop {
            let break_in = self.pacing.break_in_due(now, self.policy, self.findings.turns());
            let dues = [break_in, self.pacing.due(now, self.policy)];
            let at = dues.into_iter().filter_map(|due| match due {
                Due::At(at) => Some(at),
                Due::Now => Some(now),
                Due::Nothing => None,
            });
            let Some(at) = at.min() else { return };
            let look = Moment(at.0.div_ceil(LOOK).saturating_mul(LOOK));
            if look >= until {
                return;
            }
            now = look;
            self.look(now);
        }
    }

    fn look(&mut self, now: Moment) {
        let time = self.start.and_then(|start| start.checked_add(Duration::from_millis(now.0)).ok());
        let time = time.unwrap_or(Timestamp::MAX);
        let when = (now, self.policy);
        for found in self.findings.take_break_ins(&mut self.pacing, when, false, usize::MAX) {
            self.result.break_in_alerts += 1;
            let waited = now.since(found.turn.since);
            self.result.longest_break_in_wait = self.result.longest_break_in_wait.max(waited);
            (self.sent)(time, Sent::BreakIn(Box::new(found)));
        }
        if self.pacing.due(now, self.policy) == Due::Now {
            self.pacing.sent(now, self.policy);
            if let Some((since, summary)) = self.pending.take() {
                self.count(now, since, &summary, time);
                (self.sent)(time, Sent::Failures(Box::new(summary)));
            }
        }
    }

    fn count(&mut self, now: Moment, since: Moment, summary: &Summary, time: Timestamp) {
        let result = &mut self.result;
        result.alerts += 1;
        result.covered += summary.failures();
        result.longest_wait = result.longest_wait.max(now.since(since));
        result.sent.push(time);
        self.recent.push_back(now);
        while self.recent.front().is_some_and(|first| now.0 - first.0 >= DAY) {
            self.recent.pop_front();
        }
        result.busiest_day = result.busiest_day.max(self.recent.len() as u64);
    }
}
