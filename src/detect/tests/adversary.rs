//! Random histories, and somebody who knows the rules.

use std::collections::BTreeSet;

use super::super::draw::Draw;
use super::*;

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
