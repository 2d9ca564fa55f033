//! The rules, one by one, and somebody who knows them.

use std::collections::BTreeSet;

use super::draw::Draw;
use super::*;

const HOUR: i64 = 3600;

fn event(class: Class, at: i64, user: &str, rhost: &str) -> Event {
    Event {
        time: Timestamp::from_second(1_790_000_000 + at).unwrap(),
        host: String::new(),
        route: Route::Pam,
        class,
        count: 1,
        service: "sshd".into(),
        // No two attempts of these tests are of one process.
        pid: u32::try_from(1000 + at.rem_euclid(1 << 30)).unwrap(),
        ppid: 1,
        user: user.into(),
        rhost: rhost.into(),
        tty: "ssh".into(),
        ruser: String::new(),
        uid: 0,
        origin: None,
    }
}

/// The one finding, where there is one.
fn first(found: Vec<Finding>) -> Option<Finding> {
    assert!(found.len() <= 1, "{found:?}");
    found.into_iter().next()
}

/// A detector at a time of its own.
#[derive(Default)]
struct Watch {
    detector: Detector,
    at: i64,
    pid: u32,
    rules: Rules,
}

impl Watch {
    fn take(&mut self, mut event: Event) -> Option<Finding> {
        self.pid += 1;
        event.pid = 100_000 + self.pid;
        let kind = match event.user.as_str() {
            "root" => AccountKind::Root,
            name if name.starts_with("guess") => AccountKind::Unknown,
            _ => AccountKind::Existing,
        };
        let now = event.time;
        let json = (self.pid % 17 == 0).then(|| serde_json::to_string(&self.detector).unwrap());
        if let Some(json) = json {
            self.detector = serde_json::from_str(&json).unwrap();
        }
        first(self.detector.observe(&event, kind, now, &self.rules))
    }

    /// Without a look at what is kept on disk: where there are thousands.
    fn observe(&mut self, event: Event) -> Vec<Finding> {
        self.pid += 1;
        let event = Event { pid: 100_000 + self.pid, ..event };
        self.detector.observe(&event, AccountKind::Existing, event.time, &self.rules)
    }

    fn fail(&mut self, times: usize, user: &str, rhost: &str) {
        for _ in 0..times {
            self.at += 10;
            assert_eq!(self.take(event(Class::Failure, self.at, user, rhost)), None);
        }
    }

    fn login(&mut self, user: &str, rhost: &str) -> Finding {
        self.at += 10;
        self.take(event(Class::Login, self.at, user, rhost)).unwrap()
    }

    fn is_break_in(&mut self, user: &str, rhost: &str) -> bool {
        matches!(self.login(user, rhost).verdict, Verdict::BreakIn { .. })
    }
}

fn su(class: Class, at: i64, service: &str, user: &str, uid: u32) -> Event {
    Event {
        service: service.into(),
        uid,
        ruser: format!("u{uid}"),
        tty: "/dev/pts/0".into(),
        ..event(class, at, user, "")
    }
}

#[test]
fn five_failures_from_a_source_within_a_day_and_then_in() {
    for (failures, break_in) in [(4, false), (5, true), (37, true)] {
        let mut watch = Watch::default();
        watch.fail(failures, "alice", "203.0.113.9");
        let finding = watch.login("alice", "203.0.113.9");
        assert_eq!(finding.verdict == Verdict::BreakIn { after: After::Source }, break_in, "{failures}");
        if break_in {
            let of = &finding.failures;
            assert_eq!((of.count, of.of_account, of.names), (failures as u64, failures as u64, 1));
            assert_eq!(of.accounts, ["alice"]);
            assert_eq!(of.since.unwrap(), event(Class::Failure, 10, "", "").time);
            assert!(finding.proven);
        }
    }
    // Whoever it tried.
    let mut watch = Watch::default();
    ["root", "guess1", "guess2", "bob", "guess3"].iter().for_each(|user| watch.fail(1, user, "203.0.113.9"));
    let finding = watch.login("alice", "203.0.113.9");
    assert_eq!(finding.verdict, Verdict::BreakIn { after: After::Source });
    assert_eq!(finding.failures.accounts, ["bob", "root"], "no name of no account");
    assert_eq!((finding.failures.count, finding.failures.of_account), (5, 0));
}

#[test]
fn from_where_failures_came_may_be_told_apart_from_them() {
    let nameless = |class, at, rhost| Event { service: "smtp".into(), ..event(class, at, "alice", rhost) };
    let address =
        |at, count| Event { route: Route::Log, count, ..nameless(Class::Address, at, "203.0.113.9") };
    for (told, break_in) in [(&[][..], false), (&[2, 2], false), (&[2, 3], true), (&[5, 2], true)] {
        for is_late in [false, true] {
            let mut watch = Watch::default();
            (1..8).for_each(|at| assert_eq!(watch.take(nameless(Class::Failure, at, "")), None));
            let login = nameless(Class::Login, 100, "203.0.113.9");
            let early = if is_late { watch.take(login.clone()) } else { None };
            let mut found: Vec<Finding> = Vec::new();
            for (at, count) in told.iter().enumerate() {
                found.extend(watch.take(address(1 + at as i64, *count)));
            }
            // The account failed as often as is recorded.
            let moment = Login { at: 1_790_000_050, end: i64::MAX };
            let attack = watch.detector.attack(&account(&address(0, 1)), moment);
            assert!(is_late || attack.total() == 7, "{attack:?}");
            found.extend(early.or_else(|| watch.take(login)));
            let alarms: Vec<_> = found.iter().filter(|found| found.verdict.is_alarm()).collect();
            assert_eq!(alarms.len(), usize::from(break_in), "{told:?} {is_late} {found:?}");
            if let [alarm] = alarms[..] {
                assert_eq!(alarm.verdict, Verdict::BreakIn { after: After::Source });
                assert_eq!(alarm.failures.of_account, alarm.failures.count);
                assert!(alarm.failures.count >= 5 && !alarm.proven, "a line of a log says so");
            }
        }
    }
}

#[test]
fn addresses_told_apart_are_sources_that_an_account_is_attacked_from() {
    let mail = |class, at, rhost: &str| Event { service: "smtp".into(), ..event(class, at, "alice", rhost) };
    for (sources, under_attack) in [(2, false), (3, true)] {
        let mut watch = Watch::default();
        for at in 1..7 {
            assert_eq!(watch.take(mail(Class::Failure, at, "")), None);
            let address = mail(Class::Address, at, &format!("198.51.{}.9", at % sources));
            assert_eq!(watch.take(Event { route: Route::Log, ..address }), None);
        }
        let moment = Login { at: 1_790_000_050, end: i64::MAX };
        let attack = watch.detector.attack(&account(&mail(Class::Login, 0, "")), moment);
        assert_eq!((attack.total(), attack.parts()), (6, sources as usize), "each counts once");
        let finding = watch.take(mail(Class::Login, 100, "203.0.113.9")).unwrap();
        assert_eq!(finding.verdict == Verdict::UnderAttack, under_attack, "{finding:?}");
        // Of whom it is not recorded that he failed, he is no source.
        watch.take(Event { route: Route::Log, ..mail(Class::Address, 9, "192.0.2.9") });
        assert_eq!(watch.detector.attack(&account(&mail(Class::Login, 0, "")), moment).total(), 6);
    }
}

#[test]
fn failures_of_another_day_or_another_source_are_not_counted() {
    let mut watch = Watch::default();
    watch.fail(4, "alice", "203.0.113.9");
    watch.at += 29 * HOUR;
    watch.fail(1, "alice", "203.0.113.9");
    watch.fail(20, "guess", "203.0.113.10");
    assert!(!watch.is_break_in("alice", "203.0.113.9"));
}

#[test]
fn all_of_an_ipv6_network_of_64_bits_is_one_source() {
    let mut watch = Watch::default();
    (0..5).for_each(|i| watch.fail(1, "alice", &format!("2001:db8:1:2::{i}")));
    assert!(!watch.is_break_in("bob", "2001:db8:1:3::1"));
    assert!(watch.is_break_in("alice", "2001:db8:1:2:ffff::9"));
}

#[test]
fn two_typos_and_then_right_two_hundred_times_is_no_break_in() {
    let mut watch = Watch::default();
    for _ in 0..200 {
        watch.fail(2, "alice", "203.0.113.9");
        assert!(!watch.is_break_in("alice", "203.0.113.9"));
        for service in ["su", "sudo"] {
            let user = if service == "su" { "root" } else { "alice" };
            for class in [Class::Failure, Class::Failure, Class::Login] {
                watch.at += 5;
                let found = watch.take(su(class, watch.at, service, user, 1000));
                assert!(found.is_none_or(|found| found.verdict == Verdict::Login));
            }
        }
    }
}

#[test]
fn su_and_sudo_by_a_user_who_failed_often() {
    for (service, user) in [("su", "root"), ("sudo", "u1000"), ("doas", "u1000")] {
        let mut watch = Watch::default();
        for _ in 0..7 {
            watch.at += 5;
            watch.take(su(Class::Failure, watch.at, service, user, 1000));
        }
        // Another user is not meant.
        let other = watch.take(su(Class::Login, watch.at, service, user, 1001)).unwrap();
        assert_eq!(other.verdict, Verdict::Login);
        let found = watch.take(su(Class::Login, watch.at + 1, service, user, 1000)).unwrap();
        assert_eq!(found.verdict, Verdict::BreakIn { after: After::Asker }, "{service}");
        assert_eq!(found.failures.count, 7);
    }
}

#[test]
fn a_terminal_is_one_however_a_line_names_it() {
    let at = |class, tty: &str, at: i64, user: &str| Event {
        service: "login".into(),
        tty: tty.into(),
        ruser: String::new(),
        ..event(class, at, user, "")
    };
    for (tty, break_in) in [("tty1", true), ("/dev/tty1", true), ("tty2", false)] {
        let mut watch = Watch::default();
        (0..7).for_each(|n| drop(watch.take(at(Class::Failure, "/dev/tty1", 5 * n, "alice"))));
        let found = watch.take(at(Class::Login, tty, 60, "bob")).unwrap();
        assert_eq!(matches!(found.verdict, Verdict::BreakIn { .. }), break_in, "{tty}: {:?}", found.verdict);
    }
}

#[test]
fn who_comes_from_where_he_came_before_may_mistype_as_often_as_he_likes_but_not_other_names() {
    let mut watch = Watch::default();
    watch.login("alice", "203.0.113.9");
    watch.fail(30, "alice", "203.0.113.9");
    assert!(!watch.is_break_in("alice", "203.0.113.9"));
    // Bob tries alice from an address from which she came too: other names tell.
    watch.fail(3, "alice", "203.0.113.9");
    watch.fail(5, "carol", "203.0.113.9");
    assert!(watch.is_break_in("alice", "203.0.113.9"));
    // From her network, a few.
    let mut watch = Watch::default();
    watch.login("alice", "203.0.113.9");
    watch.fail(9, "alice", "203.0.77.1");
    assert!(!watch.is_break_in("alice", "203.0.77.1"));
    watch.fail(10, "alice", "203.0.78.1");
    assert!(watch.is_break_in("alice", "203.0.78.1"), "who shares her network and guesses is not excused");
}

#[test]
fn who_logs_in_to_his_own_account_in_between_hides_nothing() {
    let mut watch = Watch::default();
    watch.login("mallory", "198.51.100.1");
    for _ in 0..3 {
        watch.fail(3, "alice", "198.51.100.1");
        watch.login("mallory", "198.51.100.1");
    }
    let finding = watch.login("alice", "198.51.100.1");
    assert_eq!(finding.verdict, Verdict::BreakIn { after: After::Source });
    assert_eq!(finding.failures.count, 9);
}

#[test]
fn an_account_under_attack_from_many_sources_that_is_in_from_a_new_network() {
    let mut watch = Watch::default();
    watch.login("root", "192.0.2.1");
    for i in 0..200 {
        watch.fail(1, "root", &format!("198.51.{}.7", i % 50));
    }
    assert_eq!(watch.login("root", "192.0.99.99").verdict, Verdict::NewSource { network_known: true });
    let finding = watch.login("root", "203.0.113.9");
    assert_eq!(finding.verdict, Verdict::UnderAttack);
    assert_eq!(finding.failures.count, 200);
    assert_eq!(watch.login("root", "203.0.113.9").verdict, Verdict::Login, "once for a network");
    watch.rules.expected = vec!["100.64.0.0/10".parse().unwrap()];
    assert_eq!(watch.login("root", "100.64.1.1").verdict, Verdict::Login);
    // Four from each of many sources of one network, and then in.
    let mut watch = Watch::default();
    (0..10).for_each(|i| watch.fail(4, "alice", &format!("198.51.100.{i}")));
    assert_eq!(watch.login("alice", "198.51.100.3").verdict, Verdict::UnderAttack);
}

#[test]
fn a_new_source_is_one_once_and_again_after_it_was_long_not_seen() {
    let mut watch = Watch::default();
    let new = |network_known| Verdict::NewSource { network_known };
    assert_eq!(watch.login("alice", "203.0.113.9").verdict, new(false));
    assert_eq!(watch.login("alice", "203.0.113.9").verdict, Verdict::Login);
    assert_eq!(watch.login("alice", "203.0.113.10").verdict, new(true));
    assert_eq!(watch.login("bob", "203.0.113.9").verdict, new(false));
    watch.at += known::KEPT + 100;
    assert_eq!(watch.login("alice", "203.0.113.9").verdict, new(false));
}

#[test]
fn a_source_that_broke_in_does_not_become_known_by_it() {
    let mut watch = Watch::default();
    watch.fail(8, "alice", "203.0.113.9");
    assert!(watch.is_break_in("alice", "203.0.113.9"));
    assert!(!watch.is_break_in("alice", "203.0.113.9"), "reported once");
    watch.at += 48 * HOUR;
    assert!(!watch.is_break_in("alice", "203.0.113.9"));
    watch.fail(8, "alice", "203.0.113.9");
    assert!(watch.is_break_in("alice", "203.0.113.9"), "and again when it fails again");
}

#[test]
fn lines_of_a_log_excuse_nobody_whom_the_module_saw() {
    let logged = |event: Event| Event { route: Route::Log, ..event };
    let mut watch = Watch::default();
    // A user of the machine forges logins, to make the address known and to have the failures taken back.
    watch.take(logged(event(Class::Login, 5, "alice", "203.0.113.9")));
    for _ in 0..4 {
        watch.fail(2, "alice", "203.0.113.9");
        watch.at += 5;
        watch.take(logged(event(Class::Login, watch.at, "alice", "203.0.113.9")));
    }
    let found = watch.login("alice", "203.0.113.9");
    assert!(matches!(found.verdict, Verdict::BreakIn { .. }) && found.proven);
    // What he forges against alice is reported, and is not proven.
    let mut watch = Watch::default();
    for _ in 0..9 {
        watch.at += 5;
        watch.take(logged(event(Class::Failure, watch.at, "alice", "203.0.113.9")));
    }
    let found = watch.login("alice", "203.0.113.9");
    assert!(matches!(found.verdict, Verdict::BreakIn { .. }) && !found.proven);
}

#[test]
fn what_the_module_recorded_and_the_log_tells_of_again_counts_once() {
    let mut detector = Detector::default();
    let mut take =
        |event: Event| first(detector.observe(&event, AccountKind::Existing, event.time, &Rules::default()));
    for i in 0..4 {
        let pam = Event { pid: 50, ..event(Class::Failure, i, "alice", "203.0.113.9") };
        take(pam.clone());
        take(Event { route: Route::Log, pid: 50, ..pam });
    }
    let login = event(Class::Login, 9, "alice", "203.0.113.9");
    let first = take(Event { pid: 51, ppid: 50, ..login.clone() }).unwrap();
    assert_eq!(first.verdict, Verdict::NewSource { network_known: false }, "four, not eight");
    // The same as a session, and in the log.
    assert_eq!(take(Event { pid: 50, ..login.clone() }), None);
    assert_eq!(take(Event { route: Route::Log, pid: 50, ..login.clone() }), None);
    // The log says more than the module saw.
    let six =
        Event { route: Route::Log, count: 6, pid: 60, ..event(Class::Failure, 20, "bob", "203.0.113.8") };
    take(Event { route: Route::Pam, count: 2, ..six.clone() });
    take(six);
    let found = take(Event { pid: 61, ..event(Class::Login, 30, "bob", "203.0.113.8") }).unwrap();
    assert_eq!(found.failures.count, 6);
}

fn forged(count: u32, pid: u32, event: Event) -> Event {
    Event { route: Route::Log, service: "vsftpd".into(), count, pid, ppid: 0, ..event }
}

#[test]
fn no_line_of_a_log_takes_away_what_the_module_sees() {
    const LISTENER: u32 = 700;
    // Of the process that is the parent of all that log in, of those that fail, and of the very same attempts.
    let of_parent = |_: u32| LISTENER;
    let of_itself = |pid: u32| pid;
    type Which = fn(u32) -> u32;
    for (of, user, rhost) in [
        (of_parent as Which, "x", "198.51.100.9"),
        (of_parent, "alice", "203.0.113.5"),
        (of_itself, "x", "198.51.100.9"),
        (of_itself, "alice", "203.0.113.5"),
    ] {
        let mut detector = Detector::default();
        let mut take = |event: Event| {
            first(detector.observe(&event, AccountKind::Existing, event.time, &Rules::default()))
        };
        for n in 0..199 {
            let pid = 1000 + n;
            let at = i64::from(n);
            take(forged(1000, of(pid), event(Class::Failure, at, user, rhost)));
            take(Event { pid, ppid: LISTENER, ..event(Class::Failure, at, "alice", "203.0.113.5") });
        }
        for name in ["alice", "root"] {
            take(forged(1, of(2000), event(Class::Login, 200, name, "203.0.113.5")));
        }
        let login = event(Class::Login, 201, "alice", "203.0.113.5");
        let found = take(Event { pid: 2000, ppid: LISTENER, ..login.clone() }).unwrap();
        assert_eq!(found.verdict, Verdict::BreakIn { after: After::Source }, "{user} {rhost}");
        assert!(found.proven && found.failures.count >= 199, "{found:?}");
        // The module sees it again, as a session.
        assert_eq!(take(Event { pid: 2001, ppid: 2000, ..login }), None);
    }
}

#[test]
fn a_login_that_only_a_log_told_of_is_judged_when_the_module_sees_it() {
    let mut detector = Detector::default();
    let mut take =
        |event: Event| first(detector.observe(&event, AccountKind::Root, event.time, &Rules::default()));
    let login = event(Class::Login, 10, "root", "203.0.113.5");
    assert!(take(forged(1, 50, Event { rhost: "192.0.2.1".into(), ..login.clone() })).is_some());
    let found = take(Event { pid: 50, ..login.clone() }).unwrap();
    assert_eq!((found.verdict, found.proven), (Verdict::NewSource { network_known: false }, true));
    assert_eq!(take(Event { pid: 51, ppid: 50, ..login.clone() }), None);
    assert_eq!(take(forged(1, 50, login)), None);
}

#[test]
fn of_failures_that_the_log_told_of_first_there_are_as_many_as_by_the_route_that_says_more() {
    for (by_log, by_module) in [(4, 4), (4, 2), (1, 4)] {
        let mut detector = Detector::default();
        let mut take = |event: Event| {
            first(detector.observe(&event, AccountKind::Existing, event.time, &Rules::default()))
        };
        let tried = event(Class::Failure, 5, "alice", "203.0.113.5");
        let tried = Event { pid: 60, ..tried };
        take(Event { route: Route::Log, count: by_log, ..tried.clone() });
        (0..by_module).for_each(|_| _ = take(tried.clone()));
        let login = event(Class::Login, 9, "alice", "203.0.113.5");
        let found = take(Event { pid: 61, ..login.clone() }).unwrap();
        assert_eq!(found.verdict, Verdict::NewSource { network_known: false }, "{by_log} {by_module}");
        // The same after a login that they were before: they come late.
        let mut detector = Detector::default();
        let mut take = |event: Event| {
            first(detector.observe(&event, AccountKind::Existing, event.time, &Rules::default()))
        };
        take(Event { pid: 61, ..login });
        assert_eq!(take(Event { route: Route::Log, count: by_log, ..tried.clone() }), None);
        (0..by_module).for_each(|_| assert_eq!(take(tried.clone()), None));
    }
}

#[test]
fn a_flood_of_a_log_does_not_make_the_module_see_twice() {
    let mut detector = Detector::default();
    let mut take =
        |event: Event| first(detector.observe(&event, AccountKind::Existing, event.time, &Rules::default()));
    let login = event(Class::Login, 10, "alice", "203.0.113.5");
    take(Event { pid: 50, ..login.clone() });
    (0..5000).for_each(|n| _ = take(forged(1, 5000 + n, event(Class::Failure, 11, "guess", "198.51.100.9"))));
    assert_eq!(take(Event { pid: 51, ppid: 50, ..login }), None);
}

#[test]
fn a_source_that_only_a_log_knows_is_new_to_the_module() {
    let new = |network_known| Verdict::NewSource { network_known };
    for (forged_from, from) in [("203.0.113.5", "203.0.113.5"), ("203.0.77.1", "203.0.113.5")] {
        let mut watch = Watch::default();
        watch.take(forged(1, 50, event(Class::Login, 5, "alice", forged_from)));
        watch.at = 1000;
        assert_eq!(watch.login("alice", from).verdict, new(false), "{forged_from}");
        assert_eq!(watch.login("alice", from).verdict, Verdict::Login);
        // Nor does it keep quiet an account that is under attack.
        watch.take(forged(1, 50, event(Class::Login, 2000, "root", forged_from)));
        watch.at = 3000;
        (0..9).for_each(|n| watch.fail(1, "root", &format!("198.51.{n}.7")));
        assert_eq!(watch.login("root", from).verdict, Verdict::UnderAttack);
    }
}

#[test]
fn machines_of_a_fleet_have_accounts_of_their_own_and_attackers_in_common() {
    let at = |host: &str, event: Event| Event { host: host.into(), ..event };
    let mut watch = Watch::default();
    for (i, host) in ["web1", "web2", "web3", "web1", "web2"].iter().enumerate() {
        watch.take(at(host, event(Class::Failure, i as i64, "guess", "203.0.113.9")));
    }
    let found = watch.take(at("db1", event(Class::Login, 9, "guess", "203.0.113.9"))).unwrap();
    assert!(matches!(found.verdict, Verdict::BreakIn { .. }));
    // What a name is on another machine is not known here: typos are taken back all the same.
    for i in 0..50i64 {
        let at_web1 =
            |class, second: i64| at("web1", event(class, 1000 + i * 10 + second, "guess7", "192.0.2.9"));
        watch.take(at_web1(Class::Failure, 0));
        watch.take(at_web1(Class::Failure, 1));
        let found = watch.take(at_web1(Class::Login, 2)).unwrap();
        assert!(!matches!(found.verdict, Verdict::BreakIn { .. }), "{i}");
    }
}

#[test]
fn a_million_sources_take_bounded_memory_and_do_not_push_out_who_failed_more() {
    let mut watch = Watch { pid: 1, ..Watch::default() };
    let flood = |watch: &mut Watch, n: u32, of_log: bool| {
        let address = std::net::Ipv4Addr::from(0x0b00_0000 + n * 61);
        let mut event = event(Class::Failure, watch.at, "guess", &address.to_string());
        event.route = if of_log { Route::Log } else { Route::Pam };
        event.pid = 0;
        watch.at += i64::from(n % 20 == 0);
        let now = event.time;
        watch.detector.observe(&event, AccountKind::Unknown, now, &watch.rules);
    };
    for tries in 0..6 {
        watch.fail(1, "alice", "203.0.113.9");
        // In between, between two of his tries, those of the network and forged ones.
        (0..170_000).for_each(|n| flood(&mut watch, tries * 170_000 + n, n % 2 == 0));
    }
    assert!(watch.detector.module.sources.len() <= 2048 + 256);
    let size = serde_json::to_string(&watch.detector).unwrap().len();
    assert!(size < 1 << 20, "{size}");
    let found = watch.login("alice", "203.0.113.9");
    assert!(matches!(found.verdict, Verdict::BreakIn { .. }), "{found:?}");
    assert_eq!(found.failures.count, 6);
}

#[test]
fn one_network_cannot_fill_the_table_and_the_largest_rows_stay_within_the_size() {
    let mut table = Table::default();
    for n in 0..0x1_0000u64 {
        table.add(&format!("620010db80001{n:04x}").as_str().into(), &Key::default(), false, 1, n as i64);
    }
    assert!(table.len() <= 2 * table::OF_ONE_NETWORK, "{}", table.len());
    // Each source with many names, all day.
    let mut table = Table::default();
    for n in 0..400_000i64 {
        let key = format!("4{:08x}", (n % 5000) * 65_536);
        table.add(&key.as_str().into(), &format!("name{}", n / 5000 % 40).as_str().into(), true, 1, n / 5);
    }
    let size = serde_json::to_string(&table).unwrap().len();
    assert!(size < 1 << 20, "{size}");
}

#[test]
fn what_is_known_is_bounded_and_what_the_module_saw_stays_longest() {
    let mut known = Known::default();
    let came = |known: &mut Known, account: &str, source: &str, proven: bool, at: i64| {
        let (account, source) = (account.into(), source.into());
        let place = known.place(&account, &source);
        known.came(&account, (&source, place), proven, at);
    };
    came(&mut known, " alice", "4cb007109", true, 5);
    for n in 0..60_000u32 {
        came(&mut known, &format!(" user{}", n % 3000), &format!("4{n:08x}"), false, 10 + i64::from(n));
    }
    assert!(known.len() <= 4096, "{}", known.len());
    (0..1000u32).for_each(|n| came(&mut known, " alice", &format!("4{n:08x}"), false, 70_000));
    let login = Login { at: 70_000, end: 70_000 };
    let source = Source::of(&event(Class::Login, 0, "alice", "203.0.113.9")).unwrap();
    assert_eq!(&**source.key(), "4cb007109");
    assert!(known.before(&" alice".into(), &source, login, true).1.address);
}

#[test]
fn a_forged_time_makes_nothing_old_and_a_damaged_state_is_no_end() {
    let mut watch = Watch::default();
    watch.fail(6, "alice", "203.0.113.9");
    let far = Event {
        time: Timestamp::MAX,
        route: Route::Log,
        ..event(Class::Failure, 0, "guess", "198.51.100.1")
    };
    let now = event(Class::Failure, watch.at, "", "").time;
    for rhost in 0..5000 {
        let far = Event { rhost: format!("198.{}.100.{}", rhost / 250, rhost % 250), ..far.clone() };
        watch.detector.observe(&far, AccountKind::Unknown, now, &watch.rules);
    }
    assert!(watch.is_break_in("alice", "203.0.113.9"));
    let json = r#"{"some_day":1,"module":{"sources":{"now":9223372036854775807,"rows":{"4cb007109":
        [{"counts":[[9223372036854775807,0,4294967295],[-9223372036854775808,7,4294967295]],"first":0,"last":0}]}}}}"#;
    let detector: Detector = serde_json::from_str(json).unwrap();
    let mut watch = Watch { detector, ..Watch::default() };
    watch.fail(6, "alice", "203.0.113.9");
    watch.login("alice", "203.0.113.9");
    assert_eq!(serde_json::from_str::<Detector>("{}").unwrap(), Detector::default());
}

#[test]
fn a_whole_history_is_judged_by_the_same_rules() {
    let mut history: Vec<Event> = (0..8).map(|i| event(Class::Failure, i, "alice", "203.0.113.9")).collect();
    history.push(event(Class::Login, 20, "alice", "203.0.113.9"));
    history.push(event(Class::Login, 30, "bob", "192.0.2.1"));
    let rules = Rules::default();
    let found: Vec<Verdict> =
        findings(history, |_| AccountKind::Existing, &rules).map(|found| found.verdict).collect();
    assert_eq!(
        found,
        [Verdict::BreakIn { after: After::Source }, Verdict::NewSource { network_known: false }]
    );
}

fn of_the_log(at: i64, user: &str, rhost: &str) -> Event {
    Event { route: Route::Log, ..event(Class::Failure, at, user, rhost) }
}

#[test]
fn failures_that_come_late_speak_against_the_login_that_they_were_before_once() {
    let mut watch = Watch { at: 1000, ..Watch::default() };
    watch.fail(2, "alice", "192.0.2.7");
    assert!(!watch.is_break_in("alice", "192.0.2.7"));
    let login = watch.at;
    // As many as were forgiven, and those that the log tells of now, are five.
    for n in 0..2 {
        assert_eq!(watch.take(of_the_log(900 + n, "alice", "192.0.2.7")), None);
    }
    let found = watch.take(of_the_log(903, "alice", "192.0.2.7")).unwrap();
    assert!(matches!(found.verdict, Verdict::BreakIn { .. }) && !found.proven, "{found:?}");
    assert_eq!((found.login.time.as_second() - 1_790_000_000, found.failures.count), (login, 5));
    // Once, and what it does not know is not held against who comes next.
    for n in 0..9 {
        assert_eq!(watch.take(of_the_log(910 + n, "alice", "192.0.2.7")), None);
    }
}

#[test]
fn who_mistyped_and_is_in_owes_nothing_for_what_the_log_tells_later() {
    let mut watch = Watch::default();
    for _ in 0..9 {
        watch.at += 100;
        let before = watch.at;
        assert!(!watch.is_break_in("alice", "192.0.2.7"));
        for n in 1..3 {
            assert_eq!(watch.take(of_the_log(before - n, "alice", "192.0.2.7")), None);
        }
    }
    // From an address that was known before, or too long before, or after the login: no break-in.
    for at in [watch.at - 50, watch.at - 100_000, watch.at + 1] {
        for n in 0..7 {
            assert_eq!(watch.take(of_the_log(at + n, "alice", "192.0.2.7")), None);
        }
    }
}

/// Which logins these failures, told late, make break-ins: account and second.
fn told_late(watch: &mut Watch, failures: impl IntoIterator<Item = Event>) -> Vec<(String, i64)> {
    let found: Vec<Finding> = failures.into_iter().flat_map(|failure| watch.observe(failure)).collect();
    assert!(found.iter().all(|found| matches!(found.verdict, Verdict::BreakIn { .. })), "{found:?}");
    found.into_iter().map(|found| (found.login.user, found.login.time.as_second() - 1_790_000_000)).collect()
}

#[test]
fn who_logs_in_as_often_as_he_likes_pushes_out_no_login() {
    let logged = |event: Event| Event { route: Route::Log, ..event };
    for by_log in [false, true] {
        let mut watch = Watch { at: 1000, ..Watch::default() };
        let route = |event: Event| if by_log { logged(event) } else { event };
        watch.observe(route(event(Class::Login, watch.at, "alice", "203.0.113.9")));
        for n in 0..4000 {
            watch.at += 1;
            // As she, whose password he has now, and as himself: from there, and from many other addresses.
            for (user, rhost) in [
                ("alice", "203.0.113.9".to_owned()),
                ("mallory", "203.0.113.9".to_owned()),
                (["alice", "mallory"][n % 2], format!("198.51.{}.{}", n % 1500 / 250, n % 250)),
            ] {
                watch.observe(route(event(Class::Login, watch.at, user, &rhost)));
            }
            // After failures of his own, so that one login is not like the other.
            if n % 100 < 4 {
                watch.observe(route(event(Class::Failure, watch.at, "mallory", "203.0.113.9")));
            }
            // Lines of a log can be written by the thousand.
            if !by_log {
                let rhost = format!("100.64.{}.{}", n / 250, n % 250);
                for user in ["alice", "root"] {
                    watch.observe(logged(event(Class::Login, watch.at, user, &rhost)));
                }
            }
        }
        let late = (0..5).map(|n| of_the_log(990 + n, "alice", "203.0.113.9"));
        let found = told_late(&mut watch, late);
        assert!(found.contains(&("alice".to_owned(), 1000)), "{by_log} {found:?}");
    }
}

#[test]
fn logins_that_are_remembered_take_bounded_memory_and_of_equals_the_newest_stay() {
    let mut watch = Watch::default();
    let from = |n: usize| format!("198.{}.{}.7", n / 250, n % 250);
    for n in 0..2 * late::REMEMBERED {
        // Some of them in the same second.
        watch.at += i64::from(n % 3 == 0);
        let user = format!("somebody with a long name {n}");
        watch.observe(event(Class::Login, watch.at, &user, &from(n)));
        assert!(watch.detector.late.len() <= late::REMEMBERED);
    }
    let size = watch.detector.late.heap();
    assert!(size < 4 << 20, "{size}");
    let newest = 2 * late::REMEMBERED - late::REMEMBERED * 3 / 4;
    let late = |n: usize| (0..5).map(move |at| of_the_log(at - 100, "root", &from(n)));
    assert_eq!(told_late(&mut watch, late(newest)).len(), 1);
    assert_eq!(told_late(&mut watch, late(1)).len(), 0);
    // What is older than a member may be away goes first.
    watch.at += late::KEPT + 100;
    for n in 0..late::REMEMBERED / 2 {
        watch.observe(event(Class::Login, watch.at, "alice", &from(n)));
    }
    assert_eq!(watch.detector.late.len(), late::REMEMBERED / 2);
}

/// As the hub records it.
fn of_member(member: &str, event: Event) -> Event {
    let origin = Some(format!("fleet:0000000000000007:{}:ee", event.pid));
    Event { host: member.into(), origin, ..event }
}

#[test]
fn a_member_that_fills_its_tables_pushes_out_nothing_that_another_one_tells() {
    let mut watch = Watch::default();
    for _ in 0..6 {
        watch.at += 1;
        watch.take(of_member("web1", event(Class::Failure, watch.at, "alice", "203.0.113.9")));
    }
    // Each more often than that, from everywhere, for all names, by both routes; and logins of all.
    for n in 0..3000_u32 {
        watch.at += 1;
        let rhost = format!("{}.{}.7.9", 11 + n % 180, n / 180);
        for (route, pid) in [(Route::Pam, 2_000_000 + n), (Route::Log, 3_000_000 + n)] {
            let lie = Event { route, pid, ..event(Class::Failure, watch.at, &format!("user{n}"), &rhost) };
            let lie = of_member("web2", Event { count: 8, ..lie });
            watch.detector.observe(&lie, AccountKind::Existing, lie.time, &Rules::default());
        }
        let login = of_member("web2", event(Class::Login, watch.at, &format!("other{n}"), "192.0.2.1"));
        watch.detector.observe(&login, AccountKind::Existing, login.time, &Rules::default());
    }
    assert!(watch.detector.members.of("web2").unwrap().module.sources.len() > table::ROWS / 2);
    watch.at += 1;
    let login = of_member("web1", event(Class::Login, watch.at, "alice", "203.0.113.9"));
    let found = watch.take(login).unwrap();
    assert!(matches!(found.verdict, Verdict::BreakIn { .. }));
    assert_eq!((found.failures.count, found.failures.of_account), (6, 6));
}

#[test]
fn who_fails_at_one_machine_of_a_fleet_and_is_in_at_another_breaks_in() {
    let machine = |name: &str, event: Event| if name.is_empty() { event } else { of_member(name, event) };
    for (failed, came) in [("web1", "web2"), ("web1", ""), ("", "web1")] {
        // The last failure is known before the login, or only after it.
        for late in [false, true] {
            let mut watch = Watch::default();
            let failure = |at| machine(failed, event(Class::Failure, at, "guess", "203.0.113.9"));
            (0..4).for_each(|at| assert_eq!(watch.take(failure(at)), None));
            let login = machine(came, event(Class::Login, 10, "alice", "203.0.113.9"));
            let found = if late {
                assert!(!matches!(watch.take(login).unwrap().verdict, Verdict::BreakIn { .. }));
                watch.take(failure(5))
            } else {
                watch.take(failure(5));
                watch.take(login)
            };
            let found = found.unwrap();
            assert!(matches!(found.verdict, Verdict::BreakIn { .. }), "{failed} {came} {late}");
            assert_eq!((found.failures.count, found.login.host.as_str()), (5, came));
        }
    }
    // At another machine a user of the same number is another one.
    let mut watch = Watch::default();
    (0..9).for_each(|at| drop(watch.take(of_member("web1", su(Class::Failure, at, "su", "root", 1000)))));
    let found = watch.take(of_member("web2", su(Class::Login, 10, "su", "root", 1000))).unwrap();
    assert_eq!(found.verdict, Verdict::Login);
}

#[test]
fn a_failure_that_comes_late_speaks_against_every_login_of_its_source_and_those_to_come() {
    let mut detector = Detector::default();
    let mut take =
        |event: Event| detector.observe(&event, AccountKind::Existing, event.time, &Rules::default());
    let by_log = |class, at, user: &str, pid| Event {
        route: Route::Log,
        pid,
        service: "dovecot".into(),
        ..event(class, at, user, "192.0.2.7")
    };
    for (pid, user) in [(1, "sync"), (2, "root")] {
        let found = take(by_log(Class::Login, 100, user, pid));
        assert!(found.iter().all(|found| !matches!(found.verdict, Verdict::BreakIn { .. })));
    }
    let late = Event { count: 9, ..by_log(Class::Failure, 50, "guess", 3) };
    let users = |found: Vec<Finding>| -> Vec<String> {
        let of = found.into_iter().filter(|found| matches!(found.verdict, Verdict::BreakIn { .. }));
        of.map(|found| found.login.user).collect()
    };
    assert_eq!(users(take(late)), ["sync", "root"]);
    assert_eq!(users(take(by_log(Class::Login, 200, "alice", 4))), ["alice"]);
}

#[test]
fn clocks_of_two_machines_may_be_apart_in_whatever_order_they_tell() {
    let machine = |name: &str, event: Event| if name.is_empty() { event } else { of_member(name, event) };
    for (failed, came) in [("web1", "web2"), ("web1", ""), ("", "web1")] {
        for (apart, is_break_in) in [(-60, true), (0, true), (60, true), (61, false)] {
            for late in [false, true] {
                let mut watch = Watch::default();
                let login = machine(came, event(Class::Login, 1000, "alice", "203.0.113.9"));
                let failure = event(Class::Failure, 1000 + apart, "root", "203.0.113.9");
                let failure = machine(failed, Event { count: 5, route: Route::Log, ..failure });
                let events = if late { [login, failure] } else { [failure, login] };
                // As the hub gets them, which is later.
                let now = event(Class::Failure, 2000, "", "").time;
                let mut found = Vec::new();
                for event in events {
                    found.extend(watch.detector.observe(&event, AccountKind::Existing, now, &watch.rules));
                }
                let break_ins = found.iter().filter(|found| found.verdict.is_alarm()).count();
                assert_eq!(break_ins == 1, is_break_in, "{failed} {came} {apart} {late}");
            }
        }
    }
    // On one machine there is one clock.
    let mut watch = Watch::default();
    watch.take(event(Class::Login, 1000, "alice", "203.0.113.9"));
    assert_eq!(told_late(&mut watch, (1..9).map(|n| of_the_log(1000 + n, "root", "203.0.113.9"))), []);
}

#[test]
fn a_login_told_hours_late_is_held_against_what_failed_in_the_day_before_it() {
    for hours in [1, 20, 30, 60] {
        let mut watch = Watch { at: HOUR, ..Watch::default() };
        watch.fail(8, "alice", "203.0.113.9");
        watch.at += 60;
        let login = Event { route: Route::Log, ..event(Class::Login, watch.at, "alice", "203.0.113.9") };
        let at = watch.at - 1;
        // Others fail meanwhile; and she logs in from there in time, to whom that is too long ago.
        for hour in 1..=hours {
            watch.at = at + hour * HOUR;
            (0..20).for_each(|n| watch.fail(1, "root", &format!("198.51.{n}.7")));
            if hour >= 30 {
                assert!(!watch.is_break_in("alice", "203.0.113.9"));
            }
        }
        let found = watch.take(login).unwrap();
        assert!(matches!(found.verdict, Verdict::BreakIn { .. }), "{hours}: {found:?}");
        assert_eq!(found.failures.count, 8);
    }
}

#[test]
fn failures_told_days_late_speak_against_the_first_login_from_there_and_the_last() {
    for hours in [3, 30, 100] {
        let mut watch = Watch { at: 100 * HOUR, ..Watch::default() };
        let first = watch.at + 10;
        watch.login("alice", "203.0.113.9");
        let mut last = first;
        for _ in 0..hours {
            watch.at += HOUR;
            last = watch.at + 10;
            watch.login("alice", "203.0.113.9");
            (0..50).for_each(|n| drop(watch.login("bob", &format!("198.51.{n}.7"))));
        }
        let before = |at: i64| (0..5).map(move |n| of_the_log(at - 100 + n, "root", "203.0.113.9"));
        assert_eq!(
            told_late(&mut watch, before(first)).first(),
            Some(&("alice".to_owned(), first)),
            "{hours}"
        );
        let found = told_late(&mut watch, before(last));
        assert_eq!(found, [("alice".to_owned(), last)], "{hours}");
    }
}

/// Its account comes from there every day, before and after.
#[test]
fn failures_told_days_late_speak_against_a_login_in_between() {
    for every in [1, 10, 24] {
        let mut watch = Watch::default();
        for hour in (0..=170).step_by(every) {
            let login = event(Class::Login, hour * HOUR, "alice", "203.0.113.9");
            watch.observe(of_member("web2", login));
        }
        let failed =
            |n| of_member("web1", event(Class::Failure, 120 * HOUR - 600 + n, "root", "203.0.113.9"));
        for failures in [4_i64, 5] {
            let mut watch = Watch { detector: watch.detector.clone(), ..Watch::default() };
            let found = told_late(&mut watch, (0..failures).map(failed));
            assert_eq!(found.is_empty(), failures < 5, "{every}: {found:?}");
        }
    }
}

#[test]
fn what_one_member_tells_late_speaks_against_logins_at_every_other() {
    let mut detector = Detector::default();
    let mut take =
        |event: Event| detector.observe(&event, AccountKind::Existing, event.time, &Rules::default());
    let of = |member: &str, class, at, user: &str| of_member(member, event(class, at, user, "192.0.2.7"));
    for member in ["web1", "web2", "web3"] {
        take(of(member, Class::Login, 100, "alice"));
    }
    let found = take(Event { count: 9, ..of("web4", Class::Failure, 50, "root") });
    let hosts: Vec<_> = found.into_iter().map(|found| found.login.host).collect();
    assert_eq!(hosts, ["web1", "web2", "web3"]);
}

#[test]
fn a_break_in_by_the_word_of_another_member_bears_its_name() {
    let machine = |name: &str, event: Event| if name.is_empty() { event } else { of_member(name, event) };
    let told_by = |tellers: &[(&str, i64)], came: &str, late: bool| {
        let mut watch = Watch::default();
        let login = || machine(came, event(Class::Login, 100, "alice", "203.0.113.9"));
        if late {
            assert!(!matches!(watch.take(login()).unwrap().verdict, Verdict::BreakIn { .. }));
        }
        let mut found = None;
        for (teller, failures) in tellers {
            for at in 0..*failures {
                let failure = machine(teller, event(Class::Failure, at, "root", "203.0.113.9"));
                found = found.or(watch.take(failure));
            }
        }
        let found = if late { found } else { watch.take(login()) }.unwrap();
        assert!(matches!(found.verdict, Verdict::BreakIn { .. }), "{tellers:?} {came} {late}");
        found.told_by.unwrap_or_default()
    };
    for late in [false, true] {
        assert_eq!(told_by(&[("web1", 5)], "web2", late), "web1");
        assert_eq!(told_by(&[("web1", 5)], "", late), "web1");
        assert_eq!(told_by(&[("web3", 2), ("web1", 3)], "web2", late), "web1", "who told of most");
        assert_eq!(told_by(&[("web2", 4), ("web1", 1)], "web2", late), "web1", "it is one by that alone");
        assert_eq!(told_by(&[("web2", 5)], "web2", late), "");
        assert_eq!(told_by(&[("", 5)], "web2", late), "", "the hub is trusted");
        assert_eq!(told_by(&[("", 2), ("web2", 3)], "web2", late), "");
    }
    assert_eq!(told_by(&[("web1", 9), ("web2", 5)], "web2", false), "", "it is one without that");
    // Nor is then anything proven by what another one tells.
    let mut watch = Watch::default();
    for at in 0..5 {
        watch.take(of_member("web1", event(Class::Failure, at, "root", "203.0.113.9")));
        let by_log = Event { route: Route::Log, ..event(Class::Failure, at, "root", "203.0.113.9") };
        watch.take(of_member("web2", by_log));
    }
    let found = watch.take(of_member("web2", event(Class::Login, 9, "alice", "203.0.113.9"))).unwrap();
    assert_eq!((found.proven, found.seen, found.told_by, found.failures.count), (false, true, None, 10));
}

#[test]
fn a_member_that_lies_takes_nothing_of_the_word_of_another() {
    let of = |member: &str, class, at, user: &str| of_member(member, event(class, at, user, "203.0.113.9"));
    let by_log = |event: Event| Event { route: Route::Log, count: 100, ..event };
    let login = || of("web2", Class::Login, 100, "alice");
    // It tells of more.
    let mut watch = Watch::default();
    (0..5).for_each(|at| drop(watch.take(of("web1", Class::Failure, at, "root"))));
    watch.take(by_log(of("web9", Class::Failure, 6, "root")));
    let found = watch.take(login()).unwrap();
    assert!(matches!(found.verdict, Verdict::BreakIn { .. }));
    assert_eq!((found.told_by, found.proven, found.seen), (None, false, true));
    // Its word is needed where the other's is not enough.
    let mut watch = Watch::default();
    (0..4).for_each(|at| drop(watch.take(of("web1", Class::Failure, at, "root"))));
    watch.take(by_log(of("web9", Class::Failure, 6, "root")));
    assert_eq!(watch.take(login()).unwrap().told_by.as_deref(), Some("web9"));
    // It speaks before the other one, whose scan comes later: before the login, and after it.
    for in_time in [true, false] {
        let mut watch = Watch::default();
        let lie = by_log(of("web9", Class::Failure, 6, "root"));
        let found = if in_time {
            watch.take(lie);
            watch.take(login())
        } else {
            watch.take(login());
            watch.take(lie)
        };
        assert_eq!(found.unwrap().told_by.as_deref(), Some("web9"));
        let found: Vec<_> =
            (0..9).filter_map(|at| watch.take(of("web1", Class::Failure, at, "root"))).collect();
        assert_eq!(found.len(), 1, "{in_time}");
        assert_eq!((found[0].told_by.as_deref(), found[0].failures.count), (Some("web1"), 5));
        assert!(watch.take(by_log(of("web9", Class::Failure, 7, "root"))).is_none(), "each once");
    }
}

#[test]
fn however_many_members_tell_of_a_source_what_they_tell_counts() {
    let mut watch = Watch::default();
    for member in 0..12 {
        let name = format!("web{member}");
        watch.take(of_member(&name, event(Class::Failure, member, "root", "203.0.113.9")));
    }
    let found = watch.take(of_member("db1", event(Class::Login, 100, "alice", "203.0.113.9"))).unwrap();
    assert!(matches!(found.verdict, Verdict::BreakIn { .. }));
    assert_eq!((found.told_by, found.failures.count), (None, 12));
}

#[test]
fn a_failure_counts_for_as_long_whether_it_comes_in_time_or_late() {
    for hours in [1, 20, 23, 24, 25, 26, 27, 28, 29, 40] {
        let is_break_in = |late: bool| {
            let login = event(Class::Login, 100 * HOUR, "alice", "203.0.113.9");
            let failed = event(Class::Failure, (100 - hours) * HOUR, "alice", "203.0.113.9");
            let failed = Event { count: 9, route: Route::Log, ..failed };
            let mut events = [failed, login];
            if late {
                events.reverse();
            }
            let mut watch = Watch::default();
            let found = events.map(|event| watch.take(event));
            found.into_iter().flatten().any(|found| matches!(found.verdict, Verdict::BreakIn { .. }))
        };
        assert_eq!(is_break_in(false), is_break_in(true), "{hours}");
        assert_eq!(is_break_in(true), hours <= 24 || (hours < 28 && is_break_in(false)), "{hours}");
    }
}

#[test]
fn the_module_saw_a_part_where_it_saw_the_login_or_enough_of_the_failures() {
    for (failures, login, proven, seen) in [
        (Route::Pam, Route::Pam, true, true),
        (Route::Log, Route::Pam, false, true),
        (Route::Pam, Route::Log, false, true),
        (Route::Log, Route::Log, false, false),
    ] {
        let mut watch = Watch::default();
        for at in 0..5 {
            watch.take(Event { route: failures, ..event(Class::Failure, at, "alice", "203.0.113.9") });
        }
        let login = Event { route: login, ..event(Class::Login, 9, "alice", "203.0.113.9") };
        let found = watch.take(login).unwrap();
        assert!(matches!(found.verdict, Verdict::BreakIn { .. }));
        assert_eq!((found.proven, found.seen), (proven, seen));
    }
}

#[test]
fn what_other_members_tell_leaves_no_trace_at_the_machine_of_a_login() {
    let mut watch = Watch::default();
    let of =
        |member: &str, class, at: i64, user: &str| of_member(member, event(class, at, user, "203.0.113.9"));
    let by_log = |event: Event| Event { route: Route::Log, ..event };
    // One tells of failures before each login of somebody who mistypes now and then.
    let mut told = 0;
    for n in 0..20 {
        let at = n * 1000;
        (0..5).for_each(|more| drop(watch.take(of("web9", Class::Failure, at + more, "guess"))));
        (0..2).for_each(|more| drop(watch.take(of("web1", Class::Failure, at + 10 + more, "alice"))));
        let found = watch.take(of("web1", Class::Login, at + 20, "alice")).unwrap();
        assert_eq!(found.told_by.as_deref(), Some("web9"), "{n}");
        told += 1;
    }
    assert_eq!(told, 20);
    // What her own machine tells late of the last of them makes it one by itself, and that once.
    let mut found = Vec::new();
    for more in 0..9 {
        found.extend(watch.take(by_log(of("web1", Class::Failure, 19_000 + more, "root"))));
        found.extend(watch.take(of("web9", Class::Failure, 19_000 + more, "root")));
    }
    let by: Vec<_> = found.iter().map(|found| (&*found.login.host, found.told_by.as_deref())).collect();
    assert_eq!(by, [("web1", None)]);
}

#[test]
fn what_other_members_tell_is_not_kept_with_each_login_that_it_made_a_break_in() {
    let mut watch = Watch::default();
    let told = |at: i64| event(Class::Failure, at, &format!("name{}", at / HOUR % 16), "203.0.113.9");
    for at in (0..24 * HOUR).step_by(900) {
        watch.take(of_member("web9", told(at)));
    }
    for n in 0..40 {
        watch.take(of_member("web1", event(Class::Login, 24 * HOUR + n, "alice", "203.0.113.9")));
    }
    let kept = watch.detector.members.of("web1").unwrap();
    assert_eq!(kept.late, serde_json::from_str(&serde_json::to_string(&kept.late).unwrap()).unwrap());
    let size = serde_json::to_string(kept).unwrap().len();
    assert!(size < 20 * 1024, "{size}");
}

#[test]
fn a_clock_that_was_ahead_once_blinds_nobody_when_it_is_right_again() {
    for ahead in [30 * 24 * HOUR, 300 * 24 * HOUR] {
        let mut watch = Watch { at: ahead, ..Watch::default() };
        // Of the source itself, of the account, and of somebody else.
        watch.fail(1, "alice", "203.0.113.9");
        watch.fail(1, "alice", "198.51.100.7");
        assert!(!watch.is_break_in("bob", "192.0.2.7"));
        watch.at = 0;
        watch.detector.set_back(event(Class::Failure, watch.at, "", "").time.as_second());
        for n in 0..3000 {
            watch.fail(1, "guess", &format!("100.{}.{}.1", n / 250, n % 250));
        }
        watch.fail(8, "alice", "203.0.113.9");
        let found = watch.login("alice", "203.0.113.9");
        assert_eq!((found.verdict, found.failures.count), (Verdict::BreakIn { after: After::Source }, 9));
        // Bob's break-in to come is no old one.
        watch.fail(8, "bob", "192.0.2.7");
        watch.fail(5, "carol", "192.0.2.7");
        assert!(watch.is_break_in("bob", "192.0.2.7"));
    }
}

/// What is found in `events` that are read at the second `now`.
fn read_at(detector: &mut Detector, now: i64, events: &[Event]) -> Vec<Finding> {
    let now = event(Class::Failure, now, "", "").time;
    detector.set_back(now.as_second());
    let of = |event: &Event| detector.observe(event, AccountKind::Existing, now, &Rules::default());
    events.iter().flat_map(of).collect()
}

#[test]
fn a_login_of_a_clock_that_was_ahead_is_not_judged_again_by_what_comes_behind_it() {
    let login = |at: i64| Event { pid: 7, ..su(Class::Login, at, "su", "root", 1000) };
    let failed = |n: i64| Event { pid: 10 + n as u32, ..su(Class::Failure, n * 10, "su", "root", 1000) };
    for ahead in [600, 10 * HOUR, 300 * 24 * HOUR] {
        // Read while the clock is ahead, or after it was set right.
        for read in [ahead + 5, 5] {
            let mut detector = Detector::default();
            read_at(&mut detector, read, &[login(ahead)]);
            let failures: Vec<_> = (1..9).map(failed).collect();
            assert_eq!(read_at(&mut detector, 90, &failures), [], "{ahead} {read}");
            let found = read_at(&mut detector, 300, &[Event { pid: 8, ..login(290) }]);
            assert!(matches!(found[0].verdict, Verdict::BreakIn { .. }), "{ahead} {read}: {found:?}");
            assert_eq!(found[0].failures.count, 8);
        }
    }
}

#[test]
fn what_is_recorded_while_a_pass_reads_or_by_a_clock_some_seconds_ahead_is_of_now() {
    let log =
        |class, at: i64, pid| Event { route: Route::Log, pid, ..event(class, at, "alice", "203.0.113.9") };
    for ahead in [1, 59] {
        // After her login, which only the log tells of, and that later.
        let mut detector = Detector::default();
        let failures: Vec<_> = (0..8)
            .map(|_| event(Class::Failure, 1000 + ahead, "root", "203.0.113.9"))
            .map(|event| Event { pid: 7, ..event })
            .collect();
        read_at(&mut detector, 1000, &failures);
        let found = read_at(&mut detector, 1100, &[log(Class::Login, 990, 99)]);
        assert!(!found.iter().any(|found| found.verdict.is_alarm()), "{ahead}: {found:?}");
        // Before a login that is remembered for what the log tells late.
        let mut detector = Detector::default();
        read_at(&mut detector, 1000, &[event(Class::Login, 1000 + ahead, "alice", "203.0.113.9")]);
        let late: Vec<_> = (0..8).map(|n| log(Class::Failure, 900 + n, n as u32 + 10)).collect();
        let found = read_at(&mut detector, 1001, &late);
        assert!(found.iter().any(|found| found.verdict.is_alarm()), "{ahead}");
    }
}

#[test]
fn a_member_whose_clock_is_ahead_moves_nothing_of_another() {
    let mut detector = Detector::default();
    let now = 10 * HOUR;
    let failures: Vec<_> = (0..8)
        .map(|n| Event { pid: 20 + n as u32, ..event(Class::Failure, now - 100, "root", "203.0.113.9") })
        .collect();
    read_at(&mut detector, now, &failures);
    read_at(
        &mut detector,
        now,
        &[of_member("web1", event(Class::Failure, now + 600, "root", "198.51.100.7"))],
    );
    // One that was away tells of what was hours ago.
    read_at(&mut detector, now, &[of_member("web2", event(Class::Failure, HOUR, "root", "198.51.100.8"))]);
    let log = Event { route: Route::Log, ..event(Class::Login, now - 200, "alice", "203.0.113.9") };
    assert!(!read_at(&mut detector, now + 60, &[log]).iter().any(|found| found.verdict.is_alarm()));
}

#[test]
fn what_failed_by_a_clock_that_was_ahead_was_before_a_login_that_only_a_log_tells_of() {
    let log =
        |class, at: i64, pid| Event { route: Route::Log, pid, ..event(class, at, "alice", "203.0.113.9") };
    for ahead in [200, HOUR, 30 * HOUR] {
        for read in [ahead + 100, 5] {
            let mut detector = Detector::default();
            let failures: Vec<_> = (0..8).map(|n| log(Class::Failure, ahead + n, n as u32 + 10)).collect();
            read_at(&mut detector, read, &failures);
            let found = read_at(&mut detector, 90, &[log(Class::Login, 30, 99)]);
            assert!(matches!(found[0].verdict, Verdict::BreakIn { .. }), "{ahead} {read}: {found:?}");
        }
    }
}

#[test]
fn what_failed_by_a_clock_that_was_ahead_is_not_of_today_for_ever() {
    let ahead = 300 * 24 * HOUR;
    let mut events: Vec<_> = (0..8).map(|n| event(Class::Failure, ahead + n, "bob", "203.0.113.9")).collect();
    events.push(event(Class::Failure, 24 * HOUR, "carol", "192.0.2.7"));
    for (days, is_break_in) in [(1, true), (4, false)] {
        let login = event(Class::Login, days * 24 * HOUR + 5, "alice", "203.0.113.9");
        let all = [&events[..], &[login]].concat();
        let found = read_at(&mut Detector::default(), days * 24 * HOUR + 10, &all);
        assert_eq!(matches!(found[0].verdict, Verdict::BreakIn { .. }), is_break_in, "{days}: {found:?}");
    }
}

#[test]
fn one_process_that_serves_many_clients_hides_none_behind_another() {
    for route in [Route::Pam, Route::Log] {
        let (mut detector, rules) = (Detector::default(), Rules::default());
        let mut take = |class, at, rhost: &str| {
            let event = Event { route, pid: 4711, ..event(class, at, "alice", rhost) };
            detector.observe(&event, AccountKind::Existing, event.time, &rules)
        };
        (0..8).for_each(|n| _ = take(Class::Failure, n, "203.0.113.9"));
        take(Class::Login, 20, "192.0.2.1");
        let found = take(Class::Login, 25, "203.0.113.9");
        assert!(matches!(found[..], [Finding { verdict: Verdict::BreakIn { .. }, .. }]), "{found:?}");
        assert!(take(Class::Login, 26, "203.0.113.9").is_empty(), "once");
    }
}

#[test]
fn what_failed_after_a_login_that_only_a_log_tells_of_later_does_not_speak_against_it() {
    for (before, after, is_break_in) in [(0, 30, false), (4, 300, false), (5, 0, true), (6, 300, true)] {
        let mut watch = Watch::default();
        watch.fail(before, "alice", "203.0.113.9");
        watch.at += 10;
        let login = Event { route: Route::Log, ..event(Class::Login, watch.at, "alice", "203.0.113.9") };
        watch.fail(after, "alice", "203.0.113.9");
        let found = watch.take(login).unwrap();
        assert_eq!(matches!(found.verdict, Verdict::BreakIn { .. }), is_break_in, "{before} {after}");
        assert_eq!(found.failures.count, if is_break_in { before as u64 } else { 0 });
        // What was after it is not taken back by it.
        assert!(after == 0 || watch.is_break_in("alice", "203.0.113.9"), "{before} {after}");
    }
    // An account under attack from everywhere, after its owner was in.
    let mut watch = Watch::default();
    watch.at += 10;
    let login = Event { route: Route::Log, ..event(Class::Login, watch.at, "root", "203.0.113.9") };
    (0..9).for_each(|n| watch.fail(3, "root", &format!("198.51.100.{n}")));
    assert_eq!(watch.take(login).unwrap().verdict, Verdict::NewSource { network_known: false });
    // What the module records is in order, whatever became of the clock.
    for back in [20, 600, 4 * HOUR, 20 * HOUR] {
        let mut watch = Watch { at: 2 * HOUR, ..Watch::default() };
        watch.fail(8, "alice", "203.0.113.9");
        watch.at -= back;
        assert!(watch.is_break_in("alice", "203.0.113.9"), "{back}");
    }
    // At the end of a slot.
    let mut watch = Watch { at: row::SLOT - 1_790_000_000 % row::SLOT - 75, ..Watch::default() };
    watch.fail(8, "alice", "203.0.113.9");
    watch.at -= 20;
    assert!(watch.is_break_in("alice", "203.0.113.9"));
}

#[test]
fn what_no_later_login_took_back_counts_once_for_an_earlier_one() {
    let by_log = |at, user: &str| Event { route: Route::Log, ..event(Class::Login, at, user, "203.0.113.9") };
    for user in ["alice", "bob"] {
        for (failures, is_break_in) in [(3, false), (4, false), (5, true)] {
            let mut watch = Watch::default();
            (0..failures).for_each(|n| _ = watch.take(event(Class::Failure, n, "alice", "203.0.113.9")));
            // A line of a log takes nothing back that the module saw.
            let later = watch.take(by_log(20, "alice")).unwrap();
            let earlier = watch.take(by_log(10, user)).unwrap();
            let found = [later, earlier].map(|found| matches!(found.verdict, Verdict::BreakIn { .. }));
            assert_eq!(found.contains(&true), is_break_in, "{user} {failures}");
        }
    }
    // Nor does a login at a member what failed at the hub.
    for (failures, is_break_in) in [(3, false), (5, true)] {
        let mut watch = Watch::default();
        (0..failures).for_each(|n| _ = watch.take(event(Class::Failure, n, "alice", "203.0.113.9")));
        let later = watch.take(of_member("web1", event(Class::Login, 20, "alice", "203.0.113.9"))).unwrap();
        let earlier = watch.take(of_member("web1", by_log(10, "alice"))).unwrap();
        let found = [later, earlier].map(|found| matches!(found.verdict, Verdict::BreakIn { .. }));
        assert_eq!(found.contains(&true), is_break_in, "{failures}");
    }
}

/// Several people behind one address, who mistype and get in at services that only a log tells of.
#[test]
fn who_comes_after_others_who_mistyped_and_got_in_owes_nothing_however_late_a_log_tells() {
    let by_log = |event: Event| Event { route: Route::Log, ..event };
    let from = "203.0.113.9";
    for (gets_in, is_break_in) in [(true, false), (false, true)] {
        let mut watch = Watch::default();
        let mut found = vec![watch.take(event(Class::Login, 100, "carol", from))];
        for (first, user) in [(0, "alice"), (20, "bob"), (40, "dora")] {
            for n in 0..3 {
                found.push(watch.take(by_log(event(Class::Failure, first + n, user, from))));
            }
            if gets_in {
                found.push(watch.take(by_log(event(Class::Login, first + 9, user, from))));
            }
        }
        let mut found = found.into_iter().flatten();
        let is_any = found.any(|found| matches!(found.verdict, Verdict::BreakIn { .. }));
        assert_eq!(is_any, is_break_in, "{gets_in}");
    }
    // Only what was before.
    let mut watch = Watch::default();
    watch.take(event(Class::Login, 100, "carol", from));
    assert!(watch.take(by_log(event(Class::Login, 10, "alice", from))).is_some());
    let late = (0..5).filter_map(|n| watch.take(by_log(event(Class::Failure, 50 + n, "alice", from))));
    assert_eq!(late.count(), 1);
}

#[test]
fn who_comes_after_others_who_mistyped_and_got_in_at_another_member_owes_nothing() {
    let tell = |watch: &mut Watch, member: &str, class, at, user: &str| {
        watch.take(of_member(member, event(class, at, user, "203.0.113.9")))
    };
    for (gets_in, is_break_in) in [(true, false), (false, true)] {
        let mut watch = Watch::default();
        let mut found = vec![tell(&mut watch, "web2", Class::Login, 100, "carol")];
        for (first, user) in [(0, "alice"), (20, "bob"), (40, "dora")] {
            for n in 0..3 {
                found.push(tell(&mut watch, "web1", Class::Failure, first + n, user));
            }
            if gets_in {
                found.push(tell(&mut watch, "web1", Class::Login, first + 9, user));
            }
        }
        let mut found = found.into_iter().flatten();
        let is_any = found.any(|found| matches!(found.verdict, Verdict::BreakIn { .. }));
        assert_eq!(is_any, is_break_in, "{gets_in}");
    }
    // What a third member told stays.
    let mut watch = Watch::default();
    tell(&mut watch, "web2", Class::Login, 100, "carol");
    (0..4).for_each(|n| _ = tell(&mut watch, "web3", Class::Failure, n, "alice"));
    tell(&mut watch, "web1", Class::Login, 9, "alice");
    let found = tell(&mut watch, "web3", Class::Failure, 90, "alice");
    assert!(found.is_some_and(|found| matches!(found.verdict, Verdict::BreakIn { .. })));
}

/// Failures and logins of a few minutes, as the module and a log tell of them: the log late, and not in order.
#[test]
fn in_whatever_order_a_log_is_recorded_no_break_in_is_missed_and_none_made_up() {
    let mut draw = Draw(11);
    let mut below = |n: u64| draw.below(n);
    let (mut break_ins, mut others) = (0, 0);
    for round in 0..2000 {
        let mut events: Vec<(i64, Event)> = Vec::new();
        let login_at = 1 + below(600) as i64;
        for _ in 0..below(12) {
            let at = below(900) as i64;
            // At once by the module, or when the log is read.
            let (route, recorded) =
                if below(2) == 0 { (Route::Pam, at) } else { (Route::Log, 600 + 300 * below(3) as i64) };
            let at = if route == Route::Log { at.min(recorded) } else { at };
            events.push((recorded, Event { route, ..event(Class::Failure, at, "alice", "203.0.113.9") }));
        }
        let failed =
            events.iter().filter(|(_, event)| event.time <= self::event(Class::Login, login_at, "", "").time);
        let failed = failed.count();
        let recorded = 600 + 300 * below(3) as i64;
        events.push((
            recorded,
            Event { route: Route::Log, ..event(Class::Login, login_at, "alice", "203.0.113.9") },
        ));
        events.sort_by_key(|(recorded, _)| *recorded);
        let mut watch = Watch::default();
        let found: Vec<Finding> = events.into_iter().filter_map(|(_, event)| watch.take(event)).collect();
        let is_break_in = found.iter().any(|found| matches!(found.verdict, Verdict::BreakIn { .. }));
        assert_eq!(is_break_in, failed >= 5, "{round}: {found:?}");
        if is_break_in { break_ins += 1 } else { others += 1 }
    }
    assert!(break_ins > 100 && others > 100, "{break_ins} {others}");
}

/// Accounts that broke in, and from where, by these events in this order.
fn broken_in(events: Vec<Event>, now: Timestamp) -> BTreeSet<(String, String)> {
    let mut detector = Detector::default();
    let found = events
        .into_iter()
        .flat_map(|event| detector.observe(&event, AccountKind::Existing, now, &Rules::default()));
    let break_ins = found.filter(|found| matches!(found.verdict, Verdict::BreakIn { .. }));
    break_ins.map(|found| (found.login.user, found.login.rhost)).collect()
}

fn in_words(events: &[(i64, Event)]) -> String {
    let line = |(recorded, event): &(i64, Event)| {
        let Event { time, class, route, user, rhost, .. } = event;
        format!("{recorded} {} {class:?} {route:?} {user} {rhost}\n", time.as_second() - 1_790_000_000)
    };
    events.iter().map(line).collect()
}

/// Somebody with an account, or two, guesses for others from a few addresses for most of a day, at programs that the module
/// guards and at others, and logs in to his own in between; machines of a fleet or one alone; what logs tell comes up to
/// some hours late, in whatever order.
#[test]
fn an_adversary_who_knows_what_comes_late_hides_nothing() {
    let mut draw = Draw(5);
    let mut below = |n: usize| draw.below(n as u64) as usize;
    let (mut hits, mut exact, mut more) = (0, 0, 0);
    for round in 0..1500 {
        let (users, hours) = (["mallory", "alice", "bob", "root"], [1, 6, 19][below(3)]);
        let (late, often) = ([60, 600, 4 * HOUR as usize][below(3)], [12, 40, 120][below(3)]);
        let places = ["203.0.113.9", "203.0.77.1", "198.51.100.1"];
        let mut at = BTreeSet::new();
        (0..often).for_each(|_| _ = at.insert(below(hours * HOUR as usize) as i64));
        let events = at.into_iter().map(|at| {
            let class = if below(4) == 0 { Class::Login } else { Class::Failure };
            let user = if below(2) == 0 { users[0] } else { users[below(4)] };
            let route = if below(2) == 0 { Route::Pam } else { Route::Log };
            let recorded = if route == Route::Log { at + below(late) as i64 } else { at };
            let event = event(class, at, user, places[below(1 + round % 3)]);
            (recorded, Event { route, pid: 100_000 + at as u32, ppid: 0, ..event })
        });
        let mut events: Vec<(i64, Event)> = events.collect();
        // And from everywhere, so that what matters is forgotten.
        for n in 0..if round % 4 == 0 { 150 } else { 0 } {
            let at = below(hours * HOUR as usize) as i64;
            let user = ["mallory", "alice"][below(2)];
            let login = event(Class::Login, at, user, &format!("192.{}.2.{}", n % 3, n));
            events.push((at, Event { pid: 200_000 + n, ppid: 0, ..login }));
        }
        events.sort_by_key(|(_, event)| event.time);
        let now = event(Class::Failure, 40 * HOUR, "", "").time;
        let in_order = events.iter().map(|(_, event)| event.clone()).collect();
        events.sort_by_key(|(recorded, _)| *recorded);
        let shown = in_words(&events);
        let recorded = events.into_iter().map(|(_, event)| event).collect();
        let (truth, told) = (broken_in(in_order, now), broken_in(recorded, now));
        for (user, rhost) in &truth {
            // A login that was none by what was known of its network is told with the one that made it known.
            let network = &rhost[..6];
            let mut others = told.iter();
            let is_told = others.any(|(other, place)| other == user || place.starts_with(network));
            assert!(is_told, "{round}: {user} {rhost} {:?}\n{shown}", told);
        }
        hits += truth.len();
        exact += truth.intersection(&told).count();
        more += told.difference(&truth).count();
    }
    assert!(hits > 1000 && exact * 100 > hits * 98 && more * 50 < hits, "{hits} {exact} {more}");
}

#[test]
fn members_take_bounded_memory_whatever_they_say_and_who_says_little_loses_nothing() {
    let (mut detector, rules) = (Detector::default(), Rules::default());
    let take = |detector: &mut Detector, event: Event| {
        let found = detector.observe(&event, AccountKind::Existing, event.time, &rules);
        found.into_iter().filter(|found| matches!(found.verdict, Verdict::BreakIn { .. })).count()
    };
    // A thousand of them, each attacked as a machine on the internet is within some hours.
    let honest = |member: usize| format!("web{member}");
    for n in 0..1000 * 30 {
        let (member, at) = (n % 1000, n / 1000);
        let failed = event(Class::Failure, at as i64, "root", &format!("198.{at}.100.{}", member % 250));
        take(&mut detector, of_member(&honest(member), failed));
    }
    let size = detector.members.heap();
    assert!(size / 1000 < 10 << 10, "{size}");
    let before = detector.members.clone();
    let json = serde_json::to_string(&detector).unwrap();
    let read: Detector = serde_json::from_str(&json).unwrap();
    assert!(read == detector && read.members.heap() <= size && json.len() < size);
    // Some say what they like: from everywhere, for all names, by both routes; and logins of all.
    let mut largest = 0;
    for n in 0..30_000_u32 {
        let (member, n) = (format!("lies{}", n % 20), n / 20);
        let (at, rhost) = (i64::from(n), format!("{}.{}.7.9", 11 + n % 180, n / 180));
        for (route, pid) in [(Route::Pam, 2_000_000 + n), (Route::Log, 3_000_000 + n)] {
            let user = format!("somebody with a long name {n}");
            let lie = Event { route, pid, count: 8, ..event(Class::Failure, 100 + at, &user, &rhost) };
            take(&mut detector, of_member(&member, lie));
        }
        take(&mut detector, of_member(&member, event(Class::Login, 100 + at, &format!("other{n}"), &rhost)));
        if n % 64 == 0 {
            largest = largest.max(detector.members.heap());
        }
    }
    assert!(largest > members::ROOM * 3 / 4 && largest < members::ROOM * 9 / 8, "{largest}");
    for member in (0..1000).map(honest) {
        assert!(detector.members.of(&member) == before.of(&member), "{member}");
    }
    for liar in (0..20).map(|n| format!("lies{n}")) {
        assert!(detector.members.of(&liar).unwrap().heap() > members::ROOM / 1020, "{liar}");
    }
    // A day later there is room for all that happens then.
    for member in 0..1000 {
        for n in 0..60 {
            let at = 30 * HOUR + n;
            let failed = event(Class::Failure, at, "root", &format!("203.{n}.113.{}", member % 250));
            take(&mut detector, of_member(&honest(member), failed));
        }
    }
    assert!(detector.members.heap() < members::ROOM * 9 / 8);
    let late = event(Class::Failure, 30 * HOUR + 100, "root", "192.0.2.66");
    take(&mut detector, of_member("web7", Event { route: Route::Log, count: 5, ..late.clone() }));
    let login = Event { class: Class::Login, pid: 4, user: "alice".into(), ..late };
    assert_eq!(take(&mut detector, of_member("web7", login)), 1);
}

#[test]
fn what_a_table_keeps_is_small() {
    assert_eq!((size_of::<Key>(), size_of::<(Key, Row)>()), (24, 120));
    let mut table = Table::default();
    for n in 0..2000 {
        table.add(&format!("4{:08x}", n * 65_536).as_str().into(), &"root".into(), true, 1, n);
    }
    // By a quarter too much, and where each stands.
    let (size, rows) = (table.heap(), table.len());
    assert!(size < rows * (120 * 5 / 4 + 40), "{size} {rows}");
    // Of many names and slots.
    for n in 0..40_000 {
        let key = format!("4{:08x}", n % 100 * 65_536);
        table.add(&key.as_str().into(), &format!("name{}", n / 100 % 40).as_str().into(), true, 1, n * 2);
    }
    let size = table.heap();
    assert!(size < 1 << 20, "{size}");
    let read: Table = serde_json::from_str(&serde_json::to_string(&table).unwrap()).unwrap();
    assert!(read.heap() <= size, "{} {size}", read.heap());
    table.shrink_to(20_000);
    let (size, rows) = (table.heap(), table.len());
    assert!(size <= 20_000 && rows > 5, "{size} {rows}");
}

#[test]
fn accounts_of_a_machine_whose_name_looks_like_an_address_are_of_no_network() {
    let mut table = Table::default();
    for n in 0..500 {
        table.add(&format!("4cb00 user{n}").as_str().into(), &"nhost".into(), false, 1, n);
    }
    assert_eq!(table.len(), 500);
}
