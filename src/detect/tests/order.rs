//! What is found where failures and logins become known in another order than they happened.

use std::collections::BTreeSet;

use super::super::draw::Draw;
use super::super::*;

const FROM: &str = "203.0.113.9";

/// At a member of a fleet, or at the hub.
fn event(member: &str, class: Class, route: Route, at: i64, user: &str) -> Event {
    let pid = 1000 + at as u32;
    Event {
        time: Timestamp::from_second(1_790_000_000 + at).unwrap(),
        host: member.into(),
        route,
        class,
        count: 1,
        service: "sshd".into(),
        pid,
        ppid: 0,
        user: user.into(),
        rhost: FROM.into(),
        tty: "ssh".into(),
        ruser: String::new(),
        uid: 0,
        origin: (!member.is_empty()).then(|| format!("fleet:0000000000000007:{pid}:ee")),
    }
}

fn failed(member: &str, route: Route, at: i64, user: &str) -> Event {
    event(member, Class::Failure, route, at, user)
}

fn came(member: &str, route: Route, at: i64, user: &str) -> Event {
    event(member, Class::Login, route, at, user)
}

/// Which logins are break-ins: member, account, second, and by whose word; in the order in which they are found.
type Found = Vec<(String, String, i64, Option<String>)>;

fn break_ins(events: &[Event]) -> Found {
    let mut detector = Detector::default();
    let now = Timestamp::from_second(1_790_000_000 + 40 * 3600).unwrap();
    let mut found = Vec::new();
    for (n, event) in events.iter().enumerate() {
        if n % 5 == 4 {
            let json = serde_json::to_string(&detector).unwrap();
            detector = serde_json::from_str(&json).unwrap();
        }
        found.extend(detector.observe(event, AccountKind::Existing, now, &Rules::default()));
    }
    found.retain(|found| matches!(found.verdict, Verdict::BreakIn { .. }));
    let of = |found: Finding| {
        let at = found.login.time.as_second() - 1_790_000_000;
        (found.login.host, found.login.user, at, found.told_by.map(Into::into))
    };
    found.into_iter().map(of).collect()
}

fn in_order(events: &[Event]) -> Found {
    let mut events = events.to_vec();
    events.sort_by_key(|event| event.time);
    break_ins(&events)
}

fn of_whom(found: &Found) -> Vec<(&str, i64)> {
    found.iter().map(|(_, user, at, _)| (user.as_str(), *at)).collect()
}

/// Three people behind one address mistype twice each at what only a log tells of, and get in; the log is read last.
#[test]
fn a_failure_told_after_the_login_that_takes_it_back_speaks_against_nobody_behind_that() {
    for (member, other) in [("", ""), ("web1", "web1"), ("web1", "web2"), ("web1", ""), ("", "web1")] {
        for again in [false, true] {
            let mut events = Vec::new();
            for (first, user) in [(0, "alice"), (20, "bob"), (40, "dora")] {
                events.push(came(member, Route::Pam, first + 9, user));
                if again {
                    // Who stands for the one before.
                    events.push(came(member, Route::Pam, first + 100, user));
                }
            }
            events.push(came(other, Route::Pam, 80, "carol"));
            for (first, user) in [(0, "alice"), (20, "bob"), (40, "dora")] {
                events.extend((0..2).map(|n| failed(member, Route::Log, first + n, user)));
            }
            assert_eq!(break_ins(&events), [], "{member} {other} {again}");
            // Nobody takes back what failed behind his login.
            events.extend((0..5).map(|n| failed(member, Route::Log, 60 + n, "guess")));
            let found = break_ins(&events);
            assert!(of_whom(&found).contains(&("carol", 80)), "{member} {other} {again}: {found:?}");
        }
    }
}

#[test]
fn a_login_that_is_a_break_in_after_all_took_nothing_back() {
    for (known, late) in [(4, 1), (1, 4), (3, 2)] {
        for order in [["root", "alice"], ["alice", "root"]] {
            for other in ["", "web1"] {
                let mut events: Vec<_> = (0..known).map(|n| failed("", Route::Pam, n, "alice")).collect();
                events.push(came("", Route::Pam, 10, "alice"));
                let root = came(other, Route::Pam, 200, "root");
                let fifth = (0..late).map(|n| failed("", Route::Log, 5 + n, "alice"));
                // Root is in before the rest is told, or after it.
                if order[0] == "root" {
                    events.push(root);
                    events.extend(fifth);
                } else {
                    events.extend(fifth);
                    events.push(root);
                }
                let found = break_ins(&events);
                assert_eq!(of_whom(&found), [("alice", 10), ("root", 200)], "{known} {order:?} {other}");
            }
        }
    }
    // Nor where it is what others failed that makes it one.
    let mut events: Vec<_> = (0..3).map(|n| failed("", Route::Pam, n, "bob")).collect();
    events.extend([came("", Route::Pam, 10, "bob"), came("", Route::Pam, 20, "root")]);
    events.extend((0..2).map(|n| failed("", Route::Log, 5 + n, "guess")));
    assert_eq!(of_whom(&break_ins(&events)), [("bob", 10), ("root", 20)]);
}

#[test]
fn a_failure_of_a_name_that_was_no_account_when_it_was_told_is_taken_back_by_nobody() {
    let mut detector = Detector::default();
    let rules = Rules::default();
    let mut take = |event: &Event, kind| detector.observe(event, kind, event.time, &rules);
    take(&came("", Route::Pam, 10, "alice"), AccountKind::Existing);
    for n in 0..5 {
        let found = take(&failed("", Route::Log, n, "alice"), AccountKind::Unknown);
        assert_eq!(found.len(), usize::from(n == 4));
    }
    let found = take(&came("", Route::Pam, 20, "root"), AccountKind::Root);
    assert!(matches!(found[..], [Finding { verdict: Verdict::BreakIn { .. }, .. }]), "{found:?}");
}

#[test]
fn a_login_that_a_log_tells_of_late_takes_back_what_speaks_against_logins_behind_it_at_members_too() {
    for member in ["", "web1"] {
        for other in ["", "web1", "web2"] {
            let mut events = vec![came(other, Route::Pam, 100, "carol")];
            for (first, user) in [(0, "alice"), (20, "bob"), (40, "dora")] {
                events.extend((0..3).map(|n| failed(member, Route::Log, first + n, user)));
                events.push(came(member, Route::Log, first + 9, user));
            }
            assert_eq!(break_ins(&events), [], "{member} {other}");
            events.retain(|event| event.class == Class::Failure || event.user == "carol");
            assert_eq!(of_whom(&break_ins(&events)), [("carol", 100)], "{member} {other}");
        }
    }
    // What failed at the hub is taken back by nobody at a member.
    let mut events = vec![came("web1", Route::Pam, 100, "carol")];
    events.extend((0..4).map(|n| failed("", Route::Log, n, "alice")));
    events.extend([came("web1", Route::Log, 9, "alice"), failed("", Route::Log, 90, "guess")]);
    assert_eq!(of_whom(&break_ins(&events)), [("carol", 100)]);
}

/// Whoever says between his guesses that he is in would else be in after as many as he likes.
#[test]
fn what_somebody_claims_of_himself_takes_back_nothing_in_whatever_order_it_is_told() {
    let origin = |mark: &str| Some(format!("0000000000000001:7:00000001:00000001{mark}:1"));
    for (mark, is_claimed) in [("s", true), ("ws", true), ("", false), ("w", false)] {
        let claim = Event { origin: origin(mark), ..came("", Route::Log, 10, "root") };
        let mut events: Vec<_> = (0..4).map(|n| failed("", Route::Log, n, "root")).collect();
        events.push(claim.clone());
        // A second one stands for the first.
        events.push(Event { time: came("", Route::Log, 12, "root").time, pid: 1012, ..claim });
        events.extend((20..24).map(|n| failed("", Route::Log, n, "root")));
        events.push(came("", Route::Log, 30, "root"));
        assert_eq!(in_order(&events).is_empty(), !is_claimed);
        for _ in 0..if is_claimed { events.len() } else { 0 } {
            assert_eq!(of_whom(&break_ins(&events)), [("root", 30)], "{mark}: {events:#?}");
            events.rotate_left(1);
        }
    }
}

#[test]
fn a_member_that_lies_of_a_login_leaves_it_what_it_takes_back_elsewhere() {
    let mut events = vec![came("web2", Route::Pam, 100, "carol")];
    for (first, user) in [(0, "alice"), (20, "bob"), (40, "dora")] {
        events.extend((0..5).map(|n| failed("web9", Route::Log, first + n, &format!("guess{n}"))));
        events.extend((0..2).map(|n| failed("web1", Route::Log, first + 3 + n, user)));
        events.push(came("web1", Route::Log, first + 9, user));
    }
    let found = break_ins(&events);
    assert!(found.iter().all(|(.., teller)| teller.as_deref() == Some("web9")), "{found:?}");
}

/// People behind one address, or somebody who guesses, at programs that the module guards and others; logs are read after
/// minutes, each by itself, and members tell after up to an hour. Whatever is told is what the same events are in the order of
/// time, or were when it was told; and whatever that is comes out, or what follows it from there.
#[test]
fn what_is_found_is_what_it_is_in_the_order_of_time() {
    let mut draw = Draw(17);
    let mut below = |n: u64| draw.below(n) as i64;
    let (mut hits, mut made_up, mut missed) = (0, 0, 0);
    for round in 0..3000 {
        let members: &[&str] = if round % 2 == 0 { &[""] } else { &["web1", "web2", ""] };
        let within = [300, 1800, 3600][below(3) as usize];
        let lags: Vec<i64> = (0..6).map(|_| [60, 300, 900][below(3) as usize]).collect();
        let away: Vec<i64> = (0..3).map(|_| [1, 1, 1000, 3000][below(4) as usize]).collect();
        let times: BTreeSet<i64> = (0..6 + below(14)).map(|_| 1 + below(within)).collect();
        let (mut user, mut machine, mut log, mut by_log) = ("alice", 0, 0, true);
        let mut events = Vec::new();
        for at in times {
            if below(3) == 0 {
                user = ["alice", "bob", "dora", "root"][below(4) as usize];
                machine = below(members.len() as u64) as usize;
            }
            if below(3) == 0 {
                (by_log, log) = (below(2) == 0, below(2) as usize);
            }
            let class = if below(3) == 0 { Class::Login } else { Class::Failure };
            let lag = if by_log { lags[2 * machine + log] } else { 1 };
            let recorded = (at / lag + i64::from(by_log)) * lag;
            let told = (recorded + away[machine] - 1) / away[machine] * away[machine];
            let route = if by_log { Route::Log } else { Route::Pam };
            events.push((told, recorded, event(members[machine], class, route, at, user)));
        }
        events.sort_by_key(|(told, recorded, event)| (*told, *recorded, event.time));
        let events: Vec<Event> = events.into_iter().map(|(.., event)| event).collect();
        let whom = |found: &Found| -> BTreeSet<(String, String, i64)> {
            found.iter().map(|(member, user, at, _)| (member.clone(), user.clone(), *at)).collect()
        };
        let (found, truth) = (whom(&break_ins(&events)), whom(&in_order(&events)));
        let at_some_time: BTreeSet<_> =
            (1..=events.len()).flat_map(|known| whom(&in_order(&events[..known]))).collect();
        hits += truth.len();
        made_up += found.difference(&at_some_time).count();
        let is_found =
            |one: &&(String, String, i64)| found.iter().any(|other| (&other.0, &other.1) == (&one.0, &one.1));
        missed += truth.len() - truth.iter().filter(is_found).count();
    }
    assert!(hits > 1000 && made_up * 100 < hits && missed * 100 < 2 * hits, "{hits} {made_up} {missed}");
}

/// Of two logins that the same is to be said of, the later one is remembered.
#[test]
fn who_was_in_between_two_logins_that_are_one_break_in_came_after_what_the_first_did_not_take_back() {
    for by_asker in [false, true] {
        for known in [0, 2] {
            let mut events: Vec<_> = (0..known).map(|n| failed("", Route::Log, n, "alice")).collect();
            events.push(came("", Route::Pam, 10, "alice"));
            events.push(came("", Route::Pam, 50, "root"));
            events.extend((0..known).map(|n| failed("", Route::Log, 60 + n, "alice")));
            events.push(came("", Route::Pam, 100, "alice"));
            events.extend((0..5).map(|n| failed("", Route::Log, 3 + n, "alice")));
            for event in &mut events {
                // Of who is at the machine it is not asked whether he was there before.
                if by_asker {
                    event.rhost.clear();
                    (event.ruser, event.service) = ("bob".into(), "su".into());
                }
            }
            let (found, truth) = (break_ins(&events), in_order(&events));
            assert!(of_whom(&truth).contains(&("root", 50)), "{by_asker} {known}: {truth:?}");
            assert!(of_whom(&found).contains(&("root", 50)), "{by_asker} {known}: {found:?}");
        }
    }
}

/// What somebody at the machine fails for an account before each of some logins, of which the latest one is remembered, and for
/// others: all of it told late, in whatever order. No failure is of the second of a login.
#[test]
fn of_several_logins_that_are_one_each_took_back_what_was_before_it() {
    for logins in [2, 3, 5] {
        of_so_many_logins(logins);
    }
}

fn of_so_many_logins(logins: i64) {
    let mut draw = Draw(23);
    let mut below = |n: u64| draw.below(n) as i64;
    let (mut hits, mut none) = (0, 0);
    for round in 0..4000 {
        // Apart by twenty seconds or more, the last one by up to forty.
        let last = 20 * logins + 20 + 2 * below(10);
        let times = (1..logins).map(|n| 20 * n).chain([last]);
        let mut events: Vec<_> = times.map(|at| came("", Route::Pam, at, "alice")).collect();
        let is_between = below(2) == 0;
        if is_between {
            events.insert(1, came("", Route::Pam, 30, "root"));
        }
        let within = u64::try_from(last + 10).unwrap() / 2;
        let mut late: Vec<_> = (0..3 + below(9))
            .map(|_| (1 + 2 * below(within), if below(4) == 0 { "guess" } else { "alice" }))
            .map(|(at, user)| failed("", Route::Log, at, user))
            .collect();
        for at in (1..late.len()).rev() {
            late.swap(at, below(at as u64 + 1) as usize);
        }
        events.extend(late);
        for (n, event) in events.iter_mut().enumerate() {
            (event.ruser, event.service, event.pid) = ("bob".into(), "su".into(), 5000 + n as u32);
            event.rhost.clear();
        }
        let whom =
            |found: &Found| -> BTreeSet<String> { found.iter().map(|(_, user, ..)| user.clone()).collect() };
        let (found, truth) = (break_ins(&events), in_order(&events));
        // What they were when it was told, as far as it was.
        let known = events.len();
        let at_some_time: BTreeSet<_> =
            (1..=known).flat_map(|known| whom(&in_order(&events[..known]))).collect();
        let shown = || -> Vec<_> {
            events.iter().map(|e| (e.time.as_second() - 1_790_000_000, e.class, e.user.clone())).collect()
        };
        assert!(whom(&truth).is_subset(&whom(&found)), "{round}: {truth:?} {found:?} {:?}", shown());
        // From where somebody broke in the others did too, sooner than they might.
        let is_made_up = !at_some_time.contains("alice") && !whom(&found).is_subset(&at_some_time);
        assert!(!is_made_up, "{round}: {truth:?} {found:?} {:?}", shown());
        if truth.is_empty() { none += 1 } else { hits += 1 }
    }
    assert!(hits > 500 && none > 500, "{hits} {none}");
}

/// Whoever comes and goes all day mistypes now and then, where the module does not hear it.
#[test]
fn what_was_before_more_logins_than_are_known_one_by_one_is_taken_back_as_well() {
    let mut events: Vec<_> = (1..20).map(|n| came("", Route::Pam, 100 * n, "alice")).collect();
    events.extend((1..20).map(|n| failed("", Route::Log, 100 * n - 10, "alice")));
    for (n, event) in events.iter_mut().enumerate() {
        (event.ruser, event.service, event.pid) = ("bob".into(), "su".into(), 5000 + n as u32);
        event.rhost.clear();
    }
    assert_eq!(of_whom(&in_order(&events)), []);
    assert_eq!(of_whom(&break_ins(&events)), []);
}

/// Second by second, before the first of them and right behind it.
#[test]
fn who_was_in_between_two_logins_that_are_one_came_after_what_was_put_together_over_the_first() {
    let mut events: Vec<_> =
        [(10, "alice"), (50, "root"), (100, "alice")].map(|(at, user)| came("", Route::Pam, at, user)).into();
    events[0].time += jiff::SignedDuration::from_millis(500);
    events.extend([11, 10, 9, 8, 7, 6].map(|at| failed("", Route::Log, at, "alice")));
    for event in &mut events {
        event.rhost.clear();
        (event.ruser, event.service) = ("bob".into(), "su".into());
        event.pid += 10_000 * u32::from(event.class == Class::Login);
    }
    let (found, truth) = (break_ins(&events), in_order(&events));
    for found in [&found, &truth] {
        assert!(of_whom(found).contains(&("root", 50)), "{found:?}");
    }
}
