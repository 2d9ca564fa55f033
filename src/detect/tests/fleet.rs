//! A fleet: members, what they tell of each other, and those that lie.

use super::*;

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
fn accounts_of_a_machine_whose_name_looks_like_an_address_are_of_no_network() {
    let mut table = Table::default();
    for n in 0..500 {
        table.add(&format!("4cb00 user{n}").as_str().into(), &"nhost".into(), false, 1, n);
    }
    assert_eq!(table.len(), 500);
}
