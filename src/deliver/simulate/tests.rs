//! Attacks of days and weeks, told in virtual time.

use jiff::tz::TimeZone;

use super::*;
use crate::config::Alerts;
use crate::message::summary::tests::failure;
use crate::message::weight::{LIMIT, weight};
use crate::message::{Composer, Content, Dispatch, Style, count_in};

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
fn under_attack_a_phone_buzzes_at_most_twenty_times_a_day_and_nothing_waits_longer_than_the_policy_says() {
    for (failures, days, sources) in [(4489, 1.2, 139), (4737, 1.3, 70), (3830, 4.5, 78), (1930, 8.0, 973)] {
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
        let user = if random.below(100) < 60 { "root".into() } else { format!("guess{}", random.below(90)) };
        let mut event = Event { route, ..failure(second, &user, &rhost) };
        if random.below(100) < here {
            let uid = 1000 + random.below(20) as u32;
            event =
                Event { service: "su".into(), rhost: String::new(), ruser: format!("u{uid}"), uid, ..event };
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
            let su = Event { service: "su".into(), uid: 1000 + minute as u32 % 50, ..failure(0, "root", "") };
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
