//! Clocks that are ahead, behind, or apart.

use super::*;

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
