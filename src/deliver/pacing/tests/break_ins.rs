//! What is kept for break-ins.

use super::*;

#[test]
fn an_attacker_who_breaks_in_to_an_account_of_his_own_over_and_over_hides_no_other_break_in() {
    let (mut pacing, mut waiting) = (Pacing::default(), Findings::default());
    let (mut reports, minutes) = (Vec::new(), 3 * 1440);
    for minute in 0..minutes {
        // From as many addresses as he has.
        let mallory = break_in_from(&format!("198.51.{}.{}", minute / 200, minute % 200), "mallory", true);
        let mut told = tell(&mut pacing, &mut waiting, minute * MINUTE, Some(&mallory));
        if minute % 300 == 299 {
            let alice = break_in(&format!("alice{minute}"), true);
            told.extend(tell(&mut pacing, &mut waiting, minute * MINUTE, Some(&alice)));
            assert!(told.iter().any(|found| found.content.login.user == alice.login.user), "{minute}");
        }
        told.retain(|found| found.content.login.user == "mallory");
        reports
            .extend(told.into_iter().map(|found| (minute, found.content.more, found.content.more_sources)));
    }
    let at: Vec<u64> = reports.iter().map(|(minute, ..)| *minute).collect();
    assert_eq!(at[..8], [0, 10, 30, 70, 150, 310, 630, 990], "twice as long each time, up to six hours");
    assert!(at.windows(2).all(|two| two[1] - two[0] <= 360), "{at:?}");
    assert_eq!(reports[2], (30, 19, 19), "nineteen more, each from an address of its own");
    assert_eq!(reports[7], (990, 359, 64), "told apart up to a number");
    let told: u64 = reports.iter().map(|(_, more, _)| 1 + more).sum();
    assert_eq!(told, reports.last().unwrap().0 + 1, "each is counted once");
}

#[test]
fn break_ins_that_only_a_log_tells_of_go_out_at_once_whoever_empties_the_bucket_by_the_log() {
    let su = |second: u64| Event { route: Route::Log, ..su(1000 + (second / 600) as u32 % 50) };
    let mut pacing = Pacing::default();
    for second in (0..2 * DAY.as_secs()).step_by(5) {
        told_at_once(&mut pacing, second * 1000, &su(second), AccountKind::Root);
    }
    // Four in half an hour, then one each three hours.
    let begin = 2 * DAY.as_secs() * 1000;
    let at = |n: u64| begin + MINUTE * if n < 4 { 10 * n } else { 180 * (n - 3) };
    let mut second = begin / 1000;
    for n in 0..20 {
        while second * 1000 < at(n) {
            told_at_once(&mut pacing, second * 1000, &su(second), AccountKind::Root);
            second += 5;
        }
        assert!(is_told(&mut pacing, at(n), &break_in(&format!("user{n}"), false)), "{n}");
    }
}

#[test]
fn one_account_of_which_the_log_tells_over_and_over_keeps_no_other_waiting() {
    let (mut pacing, mut waiting) = (Pacing::default(), Findings::default());
    for minute in 0..3 * 1440 {
        let at = minute * MINUTE;
        let mallory = break_in_from(&format!("198.51.{}.{}", minute / 200, minute % 200), "mallory", false);
        tell(&mut pacing, &mut waiting, at, Some(&mallory));
        if minute % 300 == 299 {
            let alice = break_in(&format!("alice{minute}"), false);
            let told = tell(&mut pacing, &mut waiting, at, Some(&alice));
            assert!(told.iter().any(|found| found.content.login.user == alice.login.user), "{minute}");
        }
    }
}

#[test]
fn whatever_break_ins_go_on_failures_are_told_within_the_time_that_the_schedule_says() {
    let small = Policy { max_per_day: 6, burst: 1, ..policy() };
    for (policy, proven) in [(policy(), true), (policy(), false), (small, true)] {
        let (mut pacing, mut waiting) = (Pacing::default(), Findings::default());
        let (mut oldest, mut longest, mut alerts) = (None, Duration::ZERO, 0);
        for minute in 0..20 * 1440 {
            let now = Moment(minute * MINUTE);
            // Each of another account from another address, as often as one looks.
            let found = break_in(&format!("user{minute}"), proven);
            let turn = pacing.on_finding(now, &found, Kind::BreakIn, &policy);
            waiting.add(&found, Kind::BreakIn, turn, (AccountKind::Existing, AccountKind::Unknown));
            alerts += waiting.take_break_ins(&mut pacing, (now, &policy), false, usize::MAX).len();
            pacing.on_failure(now, &failure(0, "root", "192.0.2.7"), AccountKind::Root, &policy);
            let since = *oldest.get_or_insert(now);
            if pacing.due(now, &policy) == Due::Now {
                pacing.sent(now, &policy);
                longest = longest.max(now.since(since));
                oldest = None;
            }
        }
        let minute = Duration::from_secs(60);
        assert!(longest <= policy.longest_of_failures() + minute, "{longest:?} {policy:?}");
        assert!(alerts > 20, "{alerts}");
    }
    assert!(policy().longest_of_failures() <= policy().max_interval);
}

#[test]
fn who_is_in_as_many_from_one_source_spends_what_is_kept_for_it_once() {
    // Of IPv6 all of a network is one.
    let v4: fn(u64) -> String = |_| "198.51.100.1".into();
    let v6: fn(u64) -> String = |n| format!("2001:db8:1:2::{n}");
    for source in [v4, v6] {
        let mut pacing = Pacing::default();
        let mut at_once = Vec::new();
        for n in 0..500 {
            let finding = break_in_from(&source(n), &format!("user{n}"), true);
            if is_told(&mut pacing, n * 1000, &finding) {
                at_once.push(n);
            }
        }
        assert_eq!(at_once, [0], "the others wait their turn");
        // Root does not wait, whoever was in from there; nor does another source.
        assert!(is_told(&mut pacing, 500_001, &break_in_from(&source(1), "root", true)));
        for n in 0..3 {
            let other = break_in_from(&format!("203.0.113.{n}"), &format!("alice{n}"), true);
            assert!(is_told(&mut pacing, 500_002, &other), "{n}");
        }
    }
}

#[test]
fn what_a_log_says_of_a_source_makes_no_proven_break_in_from_there_wait() {
    let mut pacing = Pacing::default();
    assert!(is_told(&mut pacing, 0, &break_in_from("198.51.100.1", "user", false)));
    assert!(is_told(&mut pacing, 1, &break_in_from("198.51.100.1", "alice", true)));
}

#[test]
fn who_forges_lines_of_a_log_keeps_nothing_waiting_of_which_the_module_saw_a_part() {
    let seen = |user: &str| Finding { seen: true, ..break_in(user, false) };
    let (mut pacing, mut waiting) = (Pacing::default(), Findings::default());
    for minute in 0..2 * 1440 {
        let at = minute * MINUTE;
        // Each of another account and source, those that the others tell of among them.
        for more in 0..4 {
            let forged = break_in(&format!("user{}", 4 * minute + more), false);
            let turn = pacing.on_finding(Moment(at), &forged, Kind::BreakIn, &policy());
            waiting.add(&forged, Kind::BreakIn, turn, (AccountKind::Existing, AccountKind::Unknown));
        }
        tell(&mut pacing, &mut waiting, at, None);
        if minute % 720 == 700 {
            for truth in
                [seen(&format!("user{}", 4 * minute)), break_in(&format!("user{}", 4 * minute + 1), true)]
            {
                let told = tell(&mut pacing, &mut waiting, at, Some(&truth));
                assert!(told.iter().any(|found| found.content.login.user == truth.login.user), "{minute}");
            }
        }
    }
    // Nor does that use up what is kept for what it saw all of.
    let mut pacing = Pacing::default();
    for n in 0..50 {
        is_told(&mut pacing, n, &seen(&format!("user{n}")));
    }
    assert!(
        is_told(&mut pacing, 50, &break_in("alice", true))
            && is_told(&mut pacing, 50, &break_in("bob", true))
    );
    assert!(is_told(&mut pacing, 51, &break_in("carol", false)), "nor all that is kept for the log");
}
