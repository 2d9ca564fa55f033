//! The rules, one by one.

use super::*;

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
