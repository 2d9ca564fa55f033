//! What becomes known after the login that it was before, and the other way round.

use super::*;

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
