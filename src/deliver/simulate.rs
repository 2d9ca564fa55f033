//! What the pacing would have made of a log: the real code, in virtual time.
//!
//! Between failures somebody looks once a minute, as cron does; at a failure the module's worker looks
//! at once. So an alert goes out at the first look after it is due.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::findings::{Findings, Proven};
use super::pacing::{Due, Moment, Pacing};
use super::policy::{Policy, human};
use crate::accounts::AccountKind;
use crate::config::Kind;
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
                "\nbreak-ins     {} in {} more alerts, longest wait {}",
                self.break_ins,
                self.break_in_alerts,
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

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::config::Alerts;
    use crate::message::summary::tests::failure;
    use crate::message::text::{Composer, count_in};
    use crate::message::weight::{LIMIT, weight};
    use crate::message::{Content, Dispatch, Style};

    fn policy() -> Policy {
        Policy::from(&Alerts::default())
    }

    struct Random(u64);

    impl Random {
        fn below(&mut self, n: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) % n
        }
    }

    fn standing(name: &str) -> AccountKind {
        match name {
            "root" => AccountKind::Root,
            "mail" | "backup" | "www-data" => AccountKind::System,
            "alice" | "git" => AccountKind::Existing,
            _ => AccountKind::Unknown,
        }
    }

    /// An attacked server: bursts of one source each, spread over the days.
    fn attacked(failures: u64, seconds: u64, sources: u64) -> Vec<(Timestamp, Event)> {
        let mut random = Random(failures ^ 0x9e37_79b9_7f4a_7c15);
        let mut all = Vec::new();
        while (all.len() as u64) < failures {
            let rhost = format!("198.51.{}.{}", random.below(sources) / 250, random.below(sources) % 250);
            let start = random.below(seconds);
            for i in 0..(1 + random.below(2 * failures / sources)).min(failures - all.len() as u64) {
                let user = match random.below(100) {
                    0..60 => "root".into(),
                    60..64 => ["mail", "backup", "www-data", "git"][random.below(4) as usize].into(),
                    n => format!("guess{n}"),
                };
                let second = ((start + i * 3) % seconds) as i64;
                let failure = failure(second, &user, &rhost);
                all.push((failure.time, failure));
            }
        }
        all.sort_by_key(|(time, _)| *time);
        all
    }

    fn run(log: Vec<(Timestamp, Event)>, policy: &Policy) -> Simulation {
        let composer = Composer::new("web1", TimeZone::UTC, None, false);
        let mut id = 0;
        let result = simulate(log, policy, &Rules::default(), standing, |time, sent| {
            let Sent::Failures(summary) = sent else { return };
            id += 1;
            let text = composer.text(&Style::x(), Content::Failures(&summary), Dispatch::new(id, time));
            assert!(weight(&text) <= LIMIT, "{text}");
            assert_eq!(count_in(&text), summary.failures(), "{text}");
        });
        assert_eq!(result.covered, result.failures);
        assert_eq!(result.alerts, id);
        result
    }

    #[test]
    fn under_attack_a_phone_buzzes_at_most_twenty_times_a_day_and_nothing_waits_longer_than_the_policy_says()
    {
        for (failures, days, sources) in
            [(4489, 1.2, 139), (4737, 1.3, 70), (3830, 4.5, 78), (1930, 8.0, 973)]
        {
            let log = attacked(failures, (days * 86_400.0) as u64, sources);
            let result = run(log, &policy());
            assert_eq!(result.failures, failures);
            assert!(result.busiest_day <= 20, "{result}");
            assert!(result.alerts_per_day() >= 3.0, "{result}");
            // A look comes at most a minute late.
            assert!(result.longest_wait < policy().max_interval + Duration::from_secs(60), "{result}");
        }
    }

    #[test]
    fn on_a_workstation_each_failure_is_told_within_a_minute_or_with_the_last_one() {
        let mut random = Random(43);
        let mut log: Vec<_> = (0..43)
            .map(|_| {
                let second = random.below(57 * 86_400) as i64;
                let failure =
                    Event { service: "sudo".into(), ruser: "alice".into(), ..failure(second, "alice", "") };
                (failure.time, failure)
            })
            .collect();
        log.sort_by_key(|(time, _)| *time);
        let result = run(log, &policy());
        assert_eq!((result.failures, result.alerts), (43, 43));
        assert!(result.longest_wait < Duration::from_secs(60), "{result}");
        assert!((0.5..1.0).contains(&result.alerts_per_day()), "{result}");
    }

    #[test]
    fn a_day_never_has_more_alerts_than_allowed_however_hard_somebody_tries_at_the_machine_itself() {
        let log = (0..200_000).map(|i| {
            let failure = Event { service: "su".into(), ..failure(i * 2, "root", "") };
            (failure.time, failure)
        });
        let result = run(log.collect(), &policy());
        assert!((36..=48).contains(&result.busiest_day), "{result}");
        assert_eq!(result.covered, 200_000);
        assert!(result.longest_wait <= policy().refill() + Duration::from_secs(60), "{result}");
    }

    #[test]
    fn an_alert_goes_out_at_the_first_look_after_it_is_due_while_nothing_arrives() {
        let log = [0, 61].map(|second| {
            let failure = failure(second, "root", "192.0.2.7");
            (failure.time, failure)
        });
        let result = run(log.into(), &policy());
        let seconds: Vec<_> =
            result.sent.iter().map(|t| t.as_second() - failure(0, "", "").time.as_second()).collect();
        assert_eq!(seconds, [0, 600]);
        assert_eq!(result.longest_wait, Duration::from_secs(539));
        assert_eq!(
            result.to_string(),
            "failures      2 in 1m 1s\nalerts        2, 2.0 a day, 2 in the busiest 24 hours\n\
             longest wait  8m 59s\ncovered       2 of 2"
        );
    }

    #[test]
    fn times_out_of_order_or_absurd_do_no_harm() {
        let times = [Timestamp::MAX, Timestamp::MIN, failure(0, "", "").time, Timestamp::MIN];
        let log = times.map(|time| (time, failure(0, "root", "192.0.2.7")));
        assert_eq!(run(log.into(), &policy()).covered, 4);
        let log = [Timestamp::MIN, Timestamp::MAX].map(|time| (time, failure(0, "root", "192.0.2.7")));
        assert_eq!(run(log.into(), &policy()).covered, 2);
        assert_eq!(run(Vec::new(), &policy()), Simulation::default());
    }

    const SECOND: i64 = 1;
    const MINUTE: i64 = 60 * SECOND;
    const HOUR: i64 = 60 * MINUTE;
    const DAYS: i64 = 30;

    type Log = Vec<(Timestamp, Event)>;

    /// Thirty days of failures at the pace of `gap` seconds on average, from `sources` sources, with `here` of a hundred
    /// at the machine itself, and break-ins in between at random; when each of those was, and into which account.
    fn attacked_and_broken_into(
        seed: u64,
        gap: u64,
        sources: u64,
        here: u64,
        route: crate::event::Route,
    ) -> (Log, Vec<(Timestamp, String)>) {
        let mut random = Random(seed ^ 0x9e37_79b9_7f4a_7c15);
        let mut log = Vec::new();
        let mut second = 0;
        while second < DAYS * 24 * HOUR {
            second += 1 + random.below(2 * gap) as i64;
            let number = random.below(sources);
            let rhost = format!("198.{}.{}.7", 18 + number / 250, number % 250);
            let user =
                if random.below(100) < 60 { "root".into() } else { format!("guess{}", random.below(90)) };
            let mut event = Event { route, ..failure(second, &user, &rhost) };
            if random.below(100) < here {
                let uid = 1000 + random.below(20) as u32;
                event = Event {
                    service: "su".into(),
                    rhost: String::new(),
                    ruser: format!("u{uid}"),
                    uid,
                    ..event
                };
            }
            log.push((event.time, event));
        }
        let mut break_ins = Vec::new();
        let mut begin = HOUR;
        while begin < DAYS * 24 * HOUR {
            let account = ["alice", "git"][random.below(2) as usize];
            let rhost = format!("203.0.{}.{}", random.below(250), random.below(250));
            let tries = 5 + random.below(40) as i64;
            for i in 0..=tries {
                let class = if i == tries { Class::Login } else { Class::Failure };
                let event = Event { class, route, ..failure(begin + i * 7, account, &rhost) };
                log.push((event.time, event));
            }
            break_ins.push((failure(begin + tries * 7, "", "").time, account.to_owned()));
            begin += 12 * HOUR + random.below(4 * 24 * HOUR as u64) as i64;
        }
        log.sort_by_key(|(time, _)| *time);
        // No two of these events are of one process.
        log.iter_mut().zip(1u32..).for_each(|((_, event), pid)| (event.pid, event.ppid) = (pid * 2, 1));
        (log, break_ins)
    }

    #[test]
    fn each_break_in_of_thirty_days_is_told_at_once_whatever_goes_on() {
        use crate::event::Route::{Log, Pam};
        let mut seen = 0;
        for (seed, (gap, sources, here, route)) in (1..).zip([
            (40, 50, 0, Pam),
            (300, 1000, 0, Pam),
            (1800, 200, 0, Pam),
            (5400, 1000, 0, Pam),
            (40, 50, 50, Pam),
            (1800, 40, 90, Pam),
            (60, 1000, 0, Log),
            (60, 50, 50, Log),
        ]) {
            let (log, break_ins) = attacked_and_broken_into(seed, gap, sources, here, route);
            let failures = log.iter().filter(|(_, event)| event.class == Class::Failure).count() as u64;
            let mut told = Vec::new();
            let result = simulate(log, &policy(), &Rules::default(), standing, |time, sent| {
                if let Sent::BreakIn(found) = sent {
                    told.push((time, found.content.login.user));
                }
            });
            assert_eq!(told, break_ins, "{gap} {sources} {here} {route:?}");
            assert_eq!(result.longest_break_in_wait, Duration::ZERO);
            assert_eq!((result.failures, result.covered), (failures, failures));
            let most = if here == 0 { 20 } else { u64::from(policy().most_in_a_day()) };
            assert!(result.busiest_day <= most, "{gap} {sources} {here} {route:?}: {result}");
            seen += told.len();
        }
        assert!(seen > 60, "{seen}");
    }

    /// He has an account of his own, and knows all of the rules: he spends what he can before he goes for alice.
    #[test]
    fn whoever_knows_the_rules_hides_no_break_in() {
        for own in [1, 3] {
            let mut log = Vec::new();
            let mut pid = 0;
            let mut add = |second: i64, event: Event| {
                pid += 2;
                let event = Event { time: failure(second, "", "").time, pid, ppid: 1, ..event };
                log.push((event.time, event));
            };
            for minute in 0..24 * 60 {
                let second = minute * MINUTE;
                // Su in a loop, a spray over all accounts, and break-ins into accounts that are his.
                let su =
                    Event { service: "su".into(), uid: 1000 + minute as u32 % 50, ..failure(0, "root", "") };
                add(second, su);
                add(second + 1, failure(0, "git", &format!("198.51.100.{}", minute % 250)));
                let mine = format!("mallory{}", minute % own);
                for i in 0..5 {
                    add(second + 2 + i, failure(0, &mine, "198.51.100.251"));
                }
                add(second + 9, Event { class: Class::Login, ..failure(0, &mine, "198.51.100.251") });
            }
            let begin = 24 * HOUR;
            (0..6).for_each(|i| add(begin + i, failure(0, "alice", "198.51.100.252")));
            add(begin + 9, Event { class: Class::Login, ..failure(0, "alice", "198.51.100.252") });
            let mut told = None;
            let result = simulate(log, &policy(), &Rules::default(), standing, |time, sent| {
                if let Sent::BreakIn(found) = sent {
                    told = told.or((found.content.login.user == "alice").then_some(time));
                }
            });
            assert_eq!(told, Some(failure(begin + 9, "", "").time), "{own}: {result}");
            let all = result.busiest_day + result.break_in_alerts;
            assert!(all <= 2 * u64::from(policy().most_in_a_day()), "{result}");
        }
    }
}
