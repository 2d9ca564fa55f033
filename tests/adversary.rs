//! Thirty days of somebody who knows the rules and means to hide a break-in, in virtual time: each one is reported at
//! once, whatever he spends, forges or floods before it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test, functions included

use std::collections::BTreeMap;
use std::time::Duration;

use authalert::accounts::AccountKind;
use authalert::config::{Alerts, Logins};
use authalert::deliver::Policy;
use authalert::deliver::simulate::{Sent, Simulation, simulate};
use authalert::event::{Class, Event, Route};
use jiff::Timestamp;

const DAYS: i64 = 30;
const DAY: i64 = 86_400;
const START: i64 = 1_790_000_000;
/// Of the machine; the attacker's own two are not among them.
const VICTIMS: i64 = 12;

/// xorshift64*: the same run each time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: i64) -> i64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as i64 % n
    }
}

/// What happened, in whatever order it is said.
#[derive(Default)]
struct History(Vec<Event>);

impl History {
    fn put(&mut self, at: i64, class: Class, user: &str, rhost: &str) -> &mut Event {
        // No two attempts are of one process.
        let pid = 10_000 + 2 * u32::try_from(self.0.len()).unwrap();
        self.0.push(Event {
            time: Timestamp::from_second(START + at).unwrap(),
            host: String::new(),
            route: Route::Pam,
            class,
            count: 1,
            service: "sshd".into(),
            pid,
            ppid: 1,
            user: user.into(),
            rhost: rhost.into(),
            tty: "ssh".into(),
            ruser: String::new(),
            uid: 0,
            origin: None,
        });
        self.0.last_mut().unwrap()
    }

    fn su(&mut self, at: i64, uid: u32) -> &mut Event {
        let event = self.put(at, Class::Failure, "root", "");
        (event.service, event.tty, event.ruser) = ("su".into(), "pts/0".into(), format!("u{uid}"));
        event.uid = uid;
        event
    }

    /// Six failures of one address and the login that they were for, by the account `user`.
    fn break_in(&mut self, at: i64, user: &str, rhost: &str, route: Route) {
        for second in (at - 30..at).step_by(5) {
            self.put(second, Class::Failure, user, rhost).route = route;
        }
        self.put(at, Class::Login, user, rhost).route = route;
    }
}

fn address(n: i64) -> String {
    format!("{}.{}.{}.{}", 20 + n / 16_777_216 % 100, n / 65_536 % 256, n / 256 % 256, n % 256)
}

/// Nothing but guesses, from everywhere.
fn flood(history: &mut History, random: &mut Random) {
    for at in (0..DAYS * DAY).step_by(20) {
        let name = ["root", "guess", "victim3", "mail"][random.below(4) as usize];
        history.put(at, Class::Failure, name, &address(random.below(1 << 30)));
    }
}

/// A user of the machine, as often as su lets him.
fn su_loop(history: &mut History, _: &mut Random) {
    for at in (0..DAYS * DAY).step_by(10) {
        history.su(at, 1001);
    }
}

/// A user of the machine who writes lines of a log: failures in all names, and break-ins of everybody.
fn forger(history: &mut History, random: &mut Random) {
    for at in (0..DAYS * DAY).step_by(60) {
        let event = history.su(at, 0);
        (event.route, event.ruser) = (Route::Log, format!("u{}", random.below(1000)));
    }
    for at in (600..DAYS * DAY).step_by(1200) {
        let victim = format!("victim{}", random.below(VICTIMS));
        history.break_in(at, &victim, &address(random.below(1 << 30)), Route::Log);
    }
}

/// Somebody with two accounts of his own, who breaks in to them over and over before he does to another.
fn many_of_his_own(history: &mut History, random: &mut Random) {
    for at in (600..DAYS * DAY).step_by(900) {
        let own = format!("mallory{}", random.below(2));
        history.break_in(at, &own, &address(random.below(1 << 30)), Route::Pam);
    }
}

/// Somebody with an account of his own and as many addresses as he likes, and with the log: break-ins of all, each from a
/// source of its own.
fn drain(history: &mut History, random: &mut Random) {
    for at in (600..DAYS * DAY).step_by(300) {
        history.break_in(at, "mallory0", &address(random.below(1 << 30)), Route::Pam);
        let victim = format!("victim{}", random.below(VICTIMS));
        history.break_in(at + 31, &victim, &address(random.below(1 << 30)), Route::Log);
    }
}

/// He comes from where he failed less often than counts, by way of a thousand addresses, and fails the rest here.
fn spread(history: &mut History, random: &mut Random) {
    for at in (0..DAYS * DAY).step_by(30) {
        let victim = format!("victim{}", random.below(VICTIMS));
        history.put(at, Class::Failure, &victim, &address(random.below(1000)));
    }
}

type Style = fn(&mut History, &mut Random);

/// Runs a history with break-ins put in at random; each of them has to be reported within a minute of its login.
fn run(styles: &[Style], seed: u64) -> Simulation {
    let (mut history, mut random) = (History::default(), Random(seed));
    styles.iter().for_each(|style| style(&mut history, &mut random));
    // A day at least between two of one account: a second one of the same day is the owner's to expect.
    let mut real = BTreeMap::new();
    let mut at = 1000;
    for n in 0.. {
        at += 3600 + random.below(2 * DAY);
        if at >= DAYS * DAY {
            break;
        }
        let victim = format!("victim{}", n % VICTIMS);
        history.break_in(at, &victim, &address((1 << 30) + n * 70_000), Route::Pam);
        real.insert((victim, START + at), None);
    }
    assert!(real.len() >= 20, "{}", real.len());
    history.0.sort_by_key(|event| event.time);
    let kind_of = |name: &str| match name {
        "root" => AccountKind::Root,
        "mail" => AccountKind::System,
        "guess" => AccountKind::Unknown,
        _ => AccountKind::Existing,
    };
    let events = history.0.into_iter().map(|event| (event.time, event));
    let policy = Policy::from(&Alerts::default());
    let simulation = simulate(events, &policy, &Logins::default(), kind_of, |time, sent| {
        let Sent::BreakIn(found) = sent else { return };
        let login = (found.content.login.user.clone(), found.content.login.time.as_second());
        if let Some(reported) = real.get_mut(&login).filter(|_| found.proven) {
            *reported = Some(time.as_second() - login.1);
        }
    });
    let late: Vec<_> = real.iter().filter(|(_, waited)| waited.is_none_or(|waited| waited > 60)).collect();
    assert!(late.is_empty(), "of {} break-ins: {late:?}", real.len());
    assert_eq!(simulation.covered, simulation.failures);
    // Whatever break-ins go on, the others come out; somebody looks once a minute.
    let longest = policy.longest_of_failures() + Duration::from_secs(60);
    assert!(simulation.longest_wait <= longest, "{simulation}");
    simulation
}

#[test]
fn each_break_in_is_reported_at_once_and_beside_them_at_most_twenty_alerts_a_day() {
    for (name, style) in [("flood", flood as Style), ("spread", spread)] {
        for seed in 1..=3 {
            let simulation = run(&[style], seed);
            println!("{name}: {simulation}");
            assert!(simulation.busiest_day <= 20, "{name}: {simulation}");
        }
    }
}

#[test]
fn no_loop_of_su_no_forged_lines_and_no_break_ins_of_his_own_hide_one() {
    for (name, style) in
        [("su", su_loop as Style), ("forger", forger), ("own", many_of_his_own), ("drain", drain)]
    {
        for seed in 1..=3 {
            println!("{name}: {}", run(&[style], seed));
        }
    }
}

#[test]
fn nor_do_all_of_it_together() {
    let simulation = run(&[flood, su_loop, forger, many_of_his_own, drain, spread], 7);
    println!("{simulation}");
    assert!(
        simulation.longest_wait <= Policy::from(&Alerts::default()).max_interval + Duration::from_secs(60)
    );
}

/// Where only the log tells: of break-ins of accounts that are not the attacker's each is reported at once, while he
/// empties the bucket by way of the log and breaks in to his own.
#[test]
fn an_own_account_and_a_loop_of_su_hide_no_break_in_that_only_the_log_tells_of() {
    let (mut history, mut random) = (History::default(), Random(11));
    for at in (0..DAYS * DAY).step_by(20) {
        history.su(at, 0).route = Route::Log;
    }
    for at in (600..DAYS * DAY).step_by(300) {
        history.break_in(at, "mallory0", &address(random.below(1 << 30)), Route::Log);
    }
    let (mut real, mut at) = (BTreeMap::new(), 1000);
    for n in 0.. {
        at += 3600 + random.below(DAY);
        if at >= DAYS * DAY {
            break;
        }
        let victim = format!("victim{n}");
        history.break_in(at, &victim, &address((1 << 30) + n * 70_000), Route::Log);
        real.insert(victim, (START + at, None));
    }
    history.0.sort_by_key(|event| event.time);
    let kind_of = |name: &str| if name == "root" { AccountKind::Root } else { AccountKind::Existing };
    let events = history.0.into_iter().map(|event| (event.time, event));
    let policy = Policy::from(&Alerts::default());
    simulate(events, &policy, &Logins::default(), kind_of, |time, sent| {
        let Sent::BreakIn(found) = sent else { return };
        if let Some((login, waited)) = real.get_mut(&found.content.login.user) {
            *waited = Some(time.as_second() - *login);
        }
    });
    let late: Vec<_> =
        real.iter().filter(|(_, (_, waited))| waited.is_none_or(|waited| waited > 60)).collect();
    assert!(real.len() > 30 && late.is_empty(), "of {} break-ins: {late:?}", real.len());
}
