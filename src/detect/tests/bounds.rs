//! However much somebody does, memory is bounded, and nobody is pushed out who matters.

use super::*;

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
