//! What the module saw and what a log tells of are kept apart, and count once.

use super::*;

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
