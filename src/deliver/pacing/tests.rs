//! What pacing promises, and what somebody who knows it can make of it.

use super::*;
use crate::config::Alerts;
use crate::deliver::findings::{Findings, Proven};
use crate::detect::Verdict;
use crate::message::summary::tests::failure;

const MINUTE: u64 = 60_000;

fn policy() -> Policy {
    Policy::from(&Alerts::default())
}

fn remote(pacing: &mut Pacing, at: u64, user: &str, standing: AccountKind) {
    pacing.on_failure(Moment(at), &failure(0, user, "192.0.2.7"), standing, &policy());
}

/// Send whenever an alert is due, up to `until`; the minutes at which that happened.
fn sent_until(pacing: &mut Pacing, from: u64, until: u64) -> Vec<u64> {
    let mut sent = Vec::new();
    let mut now = from;
    while now <= until {
        match pacing.due(Moment(now), &policy()) {
            Due::Nothing => break,
            Due::At(at) => now = at.0,
            Due::Now => {
                pacing.sent(Moment(now), &policy());
                sent.push(now / MINUTE);
            }
        }
    }
    sent
}

/// Of alerts at these minutes, the most in 24 hours.
fn busiest(sent: &[u64]) -> usize {
    let within = |(i, from): (usize, &u64)| sent[i..].partition_point(|at| *at < from + 1440);
    sent.iter().enumerate().map(within).max().unwrap_or(0)
}

#[test]
fn the_first_failure_goes_out_at_once_and_the_next_ones_wait_ever_longer() {
    let mut pacing = Pacing::default();
    assert_eq!(pacing.due(Moment(0), &policy()), Due::Nothing);
    let mut sent = Vec::new();
    for minute in 0..3000 {
        remote(&mut pacing, minute * MINUTE, "root", AccountKind::Root);
        sent.extend(sent_until(&mut pacing, minute * MINUTE, minute * MINUTE));
    }
    assert_eq!(sent, [0, 10, 30, 70, 150, 310, 630, 990, 1350, 1710, 2070, 2430, 2790]);
}

#[test]
fn what_was_sent_at_another_pace_is_as_many_alerts_at_this_one() {
    let at = |max_per_day: u32| Policy::from(&Alerts { max_per_day, ..Alerts::default() });
    for (before, after) in [(1, 48), (5, 48), (48, 5), (10_000, 48), (48, 10_000), (48, 48)] {
        let (mut changed, mut never) = (Pacing::default(), Pacing::default());
        for _ in 0..2 {
            changed.bucket.take(Claim::Common, Moment(0), &at(before));
            never.bucket.take(Claim::Common, Moment(0), &at(after));
        }
        let (now, token) = (Moment(0), at(after).refill().as_millis() as u64);
        for claim in [Claim::Common, Claim::Here, Claim::Account, Claim::BreakIn, Claim::BreakInLogged] {
            let next = |pacing: &Pacing| pacing.bucket.when(claim, now, &at(after)).0;
            // A small bucket had to take from what is kept for others.
            assert!(next(&changed) <= next(&never) + 2 * token, "{before} {after} {claim:?}");
            assert_eq!(changed.has(claim, now, &at(after)), next(&changed) == now.0);
        }
        assert!(changed.has(Claim::BreakIn, now, &at(after)), "{before} {after}");
    }
}

/// Whoever sends what is allowed, at paces that change to and fro, across restarts.
#[test]
fn whatever_the_pace_is_changed_to_no_day_has_more_than_the_largest_and_break_ins_keep_what_is_theirs() {
    let of = |(max_per_day, burst)| Policy::from(&Alerts { max_per_day, burst, ..Alerts::default() });
    let paces =
        [(1, 1), (5, 5), (12, 10), (23, 10), (24, 10), (48, 10), (48, 1), (49, 11), (200, 30)].map(of);
    let others = [Claim::Common, Claim::Logged, Claim::Here, Claim::Account];
    let break_ins = [Claim::BreakIn, Claim::BreakInAgain, Claim::BreakInSeen, Claim::BreakInLogged];
    let mut seed = 3_u64;
    let mut below = |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % n
    };
    for round in 0..400 {
        let used: Vec<&Policy> = (0..2 + round % 2).map(|_| &paces[below(paces.len())]).collect();
        let (mut bucket, mut policy, mut now, mut sent) =
            (Bucket::default(), used[0], Moment(9_000_000), vec![]);
        let step = [1, 60_000, 1_800_000][below(3)];
        for _ in 0..600 {
            now = Moment(now.0 + below(2) as u64 * step);
            if below(8) == 0 {
                policy = used[below(used.len())];
                bucket = serde_json::from_str(&serde_json::to_string(&bucket).unwrap()).unwrap();
                // A pass that has nothing to send, or none before the next change.
                (0..below(2)).for_each(|_| bucket.settle(now, policy));
            }
            let claims = if round % 2 == 0 { &others } else { &break_ins };
            let claim = if below(4) == 0 { claims[below(4)] } else { others[below(4)] };
            if bucket.has(claim, now, policy) {
                bucket.take(claim, now, policy);
                sent.push(now.0);
            }
            if round % 2 == 0 {
                assert!(used.iter().all(|policy| bucket.has(Claim::BreakIn, now, policy)), "{round}");
            }
        }
        let holds = used.iter().map(|policy| policy.capacity()).max().unwrap();
        let comes = used.iter().map(|policy| 86_400_000 / policy.refill().as_millis() as u64).max().unwrap();
        for (n, from) in sent.iter().enumerate() {
            let within = sent[n..].partition_point(|at| *at < from + 86_400_000);
            assert!(within as u64 <= holds + comes, "{round}: {within}, {holds} and {comes}");
        }
    }
}

#[test]
fn a_pace_that_was_raised_holds_from_then_on_though_nothing_more_happens() {
    let at = |max_per_day: u32| Policy::from(&Alerts { max_per_day, ..Alerts::default() });
    for (before, after) in [(1, 48), (5, 48), (5, 10_000)] {
        let (before, after) = (at(before), at(after));
        let mut pacing = Pacing::default();
        (0..20).for_each(|_| pacing.bucket.take(Claim::BreakIn, Moment(0), &before));
        assert!(pacing.settle(Moment(0), &after));
        let next = pacing.bucket.when(Claim::BreakIn, Moment(0), &after);
        assert!(next.0 <= 2 * after.refill().as_millis() as u64, "{next:?}");
        assert!(!pacing.settle(next, &after) && pacing.has(Claim::BreakIn, next, &after));
    }
}

#[test]
fn a_longest_wait_that_was_lowered_holds_for_a_break_in_that_waits_already() {
    let lower = Policy { max_interval: Duration::from_secs(600), ..policy() };
    for from in [6 * 60 * MINUTE, u64::MAX] {
        let turn: Turn = serde_json::from_str(&format!(r#"{{"since":60000,"from":{from}}}"#)).unwrap();
        let until = Moment(11 * MINUTE);
        for minute in 1..=11 {
            assert_eq!(turn.from(Moment(minute * MINUTE), &lower), until, "{minute}");
        }
        assert!(turn.from(until, &policy()) > until);
    }
}

#[test]
fn quiet_resets_the_wait() {
    // Two and a half times 160 minutes are more than four hours, two and a half times ten are not.
    for (alerts, gap, next) in [(1, 240, 10), (1, 239, 20), (5, 400, 10), (5, 399, 320)] {
        let mut pacing = Pacing::default();
        let mut now = 0;
        for i in 0..alerts {
            now += (10 * MINUTE) << i;
            remote(&mut pacing, now, "root", AccountKind::Root);
            assert_eq!(pacing.due(Moment(now), &policy()), Due::Now);
            pacing.sent(Moment(now), &policy());
        }
        now += gap * MINUTE;
        remote(&mut pacing, now, "root", AccountKind::Root);
        assert_eq!(pacing.due(Moment(now), &policy()), Due::Now);
        pacing.sent(Moment(now), &policy());
        assert_eq!(pacing.interval(&policy()), Duration::from_secs(next * 60), "{alerts} {gap}");
    }
}

/// One failure every so many minutes, for days: what an attacker does who hides below thresholds.
#[test]
fn a_slow_attack_of_any_pace_makes_at_most_twenty_alerts_a_day() {
    for gap in 1..=400u64 {
        let mut pacing = Pacing::default();
        let mut sent = Vec::new();
        for i in 0..(10 * 1440 / gap) {
            sent.extend(sent_until(&mut pacing, i.saturating_sub(1) * gap * MINUTE, i * gap * MINUTE));
            remote(&mut pacing, i * gap * MINUTE, "root", AccountKind::Root);
            sent.extend(sent_until(&mut pacing, i * gap * MINUTE, i * gap * MINUTE));
        }
        assert!(busiest(&sent) <= 20, "one in {gap} minutes: {sent:?}");
    }
}

/// The worst that somebody can do who knows the rule: wait exactly as long as it takes each time.
#[test]
fn whoever_knows_the_rule_gets_no_more_than_twenty_alerts_a_day() {
    for steps in 1..8 {
        let mut pacing = Pacing::default();
        let (mut now, mut sent) = (0, Vec::new());
        while now < 5 * DAY.as_millis() as u64 {
            for _ in 0..steps {
                now = now.max(pacing.turn(Moment(now), &policy()).0);
                remote(&mut pacing, now, "root", AccountKind::Root);
                sent.extend(sent_until(&mut pacing, now, now));
            }
            now += policy().quiet(pacing.interval(&policy())).as_millis() as u64;
        }
        assert!(busiest(&sent) <= 20, "{steps}: {sent:?}");
    }
}

#[test]
fn an_account_for_the_first_time_in_a_day_and_this_machine_itself_do_not_wait() {
    let mut pacing = Pacing::default();
    remote(&mut pacing, 0, "root", AccountKind::Root);
    pacing.sent(Moment(0), &policy());
    let waits = Due::At(Moment(10 * MINUTE));
    for (user, standing, due) in [
        ("root", AccountKind::Root, waits),
        ("mail", AccountKind::System, waits),
        ("hunter2", AccountKind::Unknown, waits),
        ("alice", AccountKind::Existing, Due::Now),
    ] {
        remote(&mut pacing, MINUTE, user, standing);
        assert_eq!(pacing.due(Moment(MINUTE), &policy()), due, "{user}");
    }
    pacing.sent(Moment(MINUTE), &policy());
    // It was no step of the doubling, and the wait begins anew.
    remote(&mut pacing, 2 * MINUTE, "alice", AccountKind::Existing);
    assert_eq!(pacing.due(Moment(2 * MINUTE), &policy()), Due::At(Moment(11 * MINUTE)));
    let local = Event { service: "su".into(), ..failure(0, "root", "") };
    pacing.on_failure(Moment(2 * MINUTE), &local, AccountKind::Root, &policy());
    assert_eq!(pacing.due(Moment(2 * MINUTE), &policy()), Due::Now);
    pacing.sent(Moment(2 * MINUTE), &policy());
    // A day without alice, and she is new again.
    remote(&mut pacing, 3 * MINUTE, "root", AccountKind::Root);
    let next_day = 2 * MINUTE + DAY.as_millis() as u64;
    remote(&mut pacing, next_day - 1, "bob", AccountKind::Existing);
    assert!(!pacing.accounts.is_first_in(DAY, "bob", Moment(next_day - 1)));
    assert!(pacing.accounts.is_first_in(DAY, "alice", Moment(next_day)));
}

#[test]
fn an_administrator_at_the_keyboard_waits_for_nothing_and_what_he_sends_is_counted() {
    let mut pacing = Pacing::default();
    pacing.flush();
    assert_eq!(pacing, Pacing::default());
    for alert in 0..20 {
        remote(&mut pacing, alert, "root", AccountKind::Root);
        pacing.flush();
        assert_eq!(pacing.due(Moment(alert), &policy()), Due::Now, "{alert}");
        pacing.sent(Moment(alert), &policy());
    }
    // All of the bucket is gone, but nothing beyond it: the next one waits no longer than it takes to fill.
    remote(&mut pacing, 20, "alice", AccountKind::Existing);
    let Due::At(at) = pacing.due(Moment(20), &policy()) else { panic!() };
    assert!(at <= Moment(20).plus(policy().refill() * 4), "{at:?}");
}

fn su(uid: u32) -> Event {
    Event { service: "su".into(), ruser: format!("user{uid}"), uid, ..failure(0, "root", "") }
}

/// Each account from an address of its own.
fn break_in(user: &str, proven: bool) -> Finding {
    break_in_from(&format!("{user}.example"), user, proven)
}

fn break_in_from(rhost: &str, user: &str, proven: bool) -> Finding {
    let login = Event { class: crate::event::Class::Login, ..failure(0, user, rhost) };
    let verdict = Verdict::BreakIn { after: crate::detect::After::Source };
    let failures = crate::detect::Failures::default();
    Finding { verdict, login, failures, proven, seen: proven, told_by: None }
}

/// `on_failure`, and the alert that is due at once; whether there was one.
fn told_at_once(pacing: &mut Pacing, at: u64, failure: &Event, kind: AccountKind) -> bool {
    pacing.on_failure(Moment(at), failure, kind, &policy());
    let now = pacing.due(Moment(at), &policy()) == Due::Now;
    if now {
        pacing.sent(Moment(at), &policy());
    }
    now
}

#[test]
fn one_asker_is_urgent_once_in_a_group_interval() {
    let mut pacing = Pacing::default();
    let mut sent = Vec::new();
    for second in 0..7200 {
        if told_at_once(&mut pacing, second * 1000, &su(1000), AccountKind::Root) {
            sent.push(second / 60);
        }
    }
    // The first of them is the first after quiet. Once what is common and what is kept for the machine
    // itself is used up, as it is refilled; that is slower as long as the latter is not full again.
    assert_eq!(sent[..5], [0, 10, 20, 30, 40]);
    assert!(sent.len() <= 8, "{sent:?}");
    // Another asker does not wait for the first one's turn, and is one of his own.
    let mut pacing = Pacing::default();
    assert!(told_at_once(&mut pacing, 0, &su(1000), AccountKind::Root));
    assert!(!told_at_once(&mut pacing, MINUTE, &su(1000), AccountKind::Root));
    assert!(told_at_once(&mut pacing, MINUTE, &su(1001), AccountKind::Root));
}

#[test]
fn whoever_spends_the_bucket_at_the_machine_keeps_no_account_from_the_network_waiting() {
    for askers in [1, 16, 1000] {
        let mut pacing = Pacing::default();
        for i in 0..16 {
            told_at_once(&mut pacing, i * 300, &su(1000 + (i as u32 % askers)), AccountKind::Root);
        }
        let alice = failure(0, "alice", "192.0.2.7");
        assert!(told_at_once(&mut pacing, 6000, &alice, AccountKind::Existing), "{askers} askers");
    }
}

#[test]
fn who_asks_each_half_hour_all_day_keeps_nobody_else_waiting() {
    let mut pacing = Pacing::default();
    for half_hour in 0..96 {
        let at = half_hour * 30 * MINUTE;
        told_at_once(&mut pacing, at, &su(1000), AccountKind::Root);
        if half_hour % 8 == 7 {
            let user = format!("alice{half_hour}");
            let alice = failure(0, &user, "192.0.2.7");
            assert!(told_at_once(&mut pacing, at + MINUTE, &alice, AccountKind::Existing), "{half_hour}");
        }
    }
}

#[test]
fn a_spray_over_all_accounts_leaves_what_is_kept_for_the_machine_itself_and_for_break_ins() {
    let mut pacing = Pacing::default();
    for i in 0..500u64 {
        let event = failure(0, &format!("user{i}"), "192.0.2.7");
        told_at_once(&mut pacing, i * 1000, &event, AccountKind::Existing);
    }
    assert!(told_at_once(&mut pacing, 500_000, &su(1000), AccountKind::Root));
    assert!(is_told(&mut pacing, 500_001, &break_in("alice", true)));
}

#[test]
fn rows_of_the_log_take_nothing_that_is_kept_and_do_not_make_a_proven_failure_the_second_of_its_day() {
    let mut pacing = Pacing::default();
    for i in 0..5000u32 {
        let su = Event { route: Route::Log, ..su(1000 + i) };
        told_at_once(&mut pacing, u64::from(i), &su, AccountKind::Root);
        let alice = Event { route: Route::Log, ..failure(0, &format!("alice{}", i % 50), "192.0.2.7") };
        told_at_once(&mut pacing, u64::from(i), &alice, AccountKind::Existing);
        is_told(&mut pacing, i.into(), &break_in(&format!("user{i}"), false));
    }
    let alice = failure(0, "alice7", "192.0.2.7");
    assert!(told_at_once(&mut pacing, 5001, &alice, AccountKind::Existing));
    assert!(told_at_once(&mut pacing, 5001, &su(1000), AccountKind::Root));
    for user in ["alice", "bob", "carol", "dave"] {
        assert!(is_told(&mut pacing, 5002, &break_in(user, true)), "{user}");
    }
}

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

/// What goes out at the moment `at`, at which this was found.
fn tell(pacing: &mut Pacing, waiting: &mut Findings, at: u64, finding: Option<&Finding>) -> Vec<Proven> {
    let now = Moment(at);
    if let Some(finding) = finding {
        let turn = pacing.on_finding(now, finding, Kind::BreakIn, &policy());
        waiting.add(finding, Kind::BreakIn, turn, (AccountKind::Existing, AccountKind::Unknown));
    }
    let is_due = pacing.break_in_due(now, &policy(), waiting.turns()) == Due::Now;
    let told = waiting.take_break_ins(pacing, (now, &policy()), false, usize::MAX);
    assert_eq!(is_due, !told.is_empty());
    told
}

/// Whether this break-in goes out at the moment `at`, where no other waits.
fn is_told(pacing: &mut Pacing, at: u64, finding: &Finding) -> bool {
    !tell(pacing, &mut Findings::default(), at, Some(finding)).is_empty()
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
fn an_empty_bucket_makes_the_next_alert_wait_and_never_loses_it() {
    let mut pacing = Pacing::default();
    let mut sent = Vec::new();
    for second in 0..7200u64 {
        pacing.on_failure(Moment(second * 1000), &su(1000 + second as u32), AccountKind::Root, &policy());
        sent.extend(sent_until(&mut pacing, second * 1000, second * 1000));
    }
    assert_eq!(sent[..6], [0, 0, 0, 0, 0, 38], "four, and the one that is kept for the machine itself");
    assert!(sent.len() < 10, "{sent:?}");
    let Due::At(at) = pacing.due(Moment(7_199_000), &policy()) else { panic!() };
    assert!(at <= Moment(7_199_000).plus(policy().refill() * 4), "{at:?}");
}

#[test]
fn a_state_of_version_0_1_is_read() {
    let json = r#"{"interval":1200000,"noticed":5000,"sent":4000,"pending":5000,"urgent":true,"full":6000,"seen":{"alice":5000}}"#;
    let pacing: Pacing = serde_json::from_str(json).unwrap();
    assert_eq!(pacing.last_failure, Some(Moment(5000)));
    assert_eq!(pacing.accounts.last("alice"), Some(Moment(5000)));
    assert_eq!(pacing.interval(&policy()), Duration::from_secs(1200));
    assert_eq!(pacing.due(Moment(6000), &policy()), Due::Now);
    assert_eq!(serde_json::from_str::<Pacing>(&serde_json::to_string(&pacing).unwrap()).unwrap(), pacing);
}

#[test]
fn what_a_refused_alert_covered_waits_its_turn_again() {
    let mut pacing = Pacing::default();
    remote(&mut pacing, 0, "root", AccountKind::Root);
    pacing.sent(Moment(0), &policy());
    pacing.mark_pending(Moment(MINUTE));
    assert_eq!(pacing.due(Moment(MINUTE), &policy()), Due::At(Moment(10 * MINUTE)));
}

#[test]
fn a_damaged_or_older_state_never_makes_an_alert_wait_longer_than_the_policy_says() {
    let json = r#"{"interval":18446744073709551615,"noticed":9e3,"sent":18446744073709551615,
        "pending":18446744073709551615,"full":18446744073709551615,"some_day":1}"#
        .replace("9e3", "18446744073709551615");
    let pacing: Pacing = serde_json::from_str(&json).unwrap();
    let Due::At(at) = pacing.due(Moment(5), &policy()) else { panic!() };
    assert!(at.since(Moment(5)) <= policy().max_interval, "{at:?}");
    let json = serde_json::to_string(&pacing).unwrap();
    assert_eq!(serde_json::from_str::<Pacing>(&json).unwrap(), pacing);
}

#[test]
fn the_accounts_seen_are_bounded() {
    let mut pacing = Pacing::default();
    for i in 0..3000u64 {
        assert!(pacing.accounts.is_first_in(DAY, &format!("user{i}"), Moment(i)));
    }
    assert_eq!(pacing.accounts.len(), recent::REMEMBERED);
    assert!(!pacing.accounts.is_first_in(DAY, "user2999", Moment(3000)));
}

/// Failures of every kind at random moments, a look every minute: the promises hold.
#[test]
fn none_waits_longer_than_max_interval_and_no_day_has_more_than_max_per_day() {
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    for round in 0..60 {
        let policy = match round % 3 {
            0 => policy(),
            1 => Policy { max_per_day: 1 + next(60) as u32, burst: 1 + next(8) as u32, ..policy() },
            _ => Policy {
                group_interval: Duration::from_secs(1 + next(7200)),
                max_interval: Duration::from_secs(7200 + next(100_000)),
                ..policy()
            },
        };
        // While what is kept fills, what is common comes slower: at worst in four times its time.
        let longest = policy.max_interval.max(policy.refill() * 4);
        let mut pacing = Pacing::default();
        let (mut now, mut oldest, mut sent) = (0, None, Vec::<u64>::new());
        let pace = [1_000, 60_000, 1_800_000, 40_000_000][next(4) as usize];
        for _ in 0..1500 {
            let arrival = now + next(pace);
            // Everything that becomes due before the next failure arrives.
            while let (Some(since), Due::At(at)) = (oldest, pacing.due(Moment(now), &policy)) {
                assert!(at > Moment(now));
                if at.0 > arrival {
                    break;
                }
                now = at.0;
                assert_eq!(pacing.due(at, &policy), Due::Now);
                assert!(at.since(Moment(since)) <= longest, "{policy:?} {pacing:?}");
                pacing.sent(at, &policy);
                sent.push(at.0);
                oldest = None;
            }
            now = arrival;
            let (user, standing) = match next(4) {
                0 => ("root".into(), AccountKind::Root),
                1 => ("?".into(), AccountKind::Unknown),
                _ => (format!("user{}", next(40)), AccountKind::Existing),
            };
            let rhost = if next(20) == 0 { "" } else { "192.0.2.7" };
            // The time in the failure is years off: it must not matter.
            let old = Event { service: "login".into(), ..failure(-(next(1 << 30) as i64), &user, rhost) };
            pacing.on_failure(Moment(now), &old, standing, &policy);
            oldest.get_or_insert(now);
            if pacing.due(Moment(now), &policy) == Due::Now {
                pacing.sent(Moment(now), &policy);
                sent.push(now);
                oldest = None;
            }
        }
        let day = DAY.as_millis() as u64;
        for (i, start) in sent.iter().enumerate() {
            let within = sent[i..].iter().take_while(|at| **at < start + day).count();
            assert!(within <= policy.max_per_day as usize, "{within} in a day: {policy:?}");
        }
    }
}

#[test]
fn a_member_that_lies_hurries_no_more_than_its_share_and_leaves_the_others_theirs() {
    let (policy, mut pacing) = (policy(), Pacing::default());
    let of = |member: &str, user: &str, number: u64| Event {
        host: member.into(),
        origin: Some(format!("fleet:0000000000000007:{number}:eu")),
        ..failure(0, user, "192.0.2.7")
    };
    let mut hurried = 0;
    for second in 0..DAY.as_secs() / 10 {
        let now = Moment(second * 10_000);
        pacing.on_failure(now, &of("web1", &format!("user{second}"), second), AccountKind::Existing, &policy);
        if pacing.urgent {
            hurried += 1;
            pacing.urgent = false;
        }
    }
    assert!((1..=(policy.max_per_day / SHARES).max(1)).contains(&hurried), "{hurried}");
    pacing.on_failure(
        Moment(DAY.as_millis() as u64),
        &of("web2", "alice", 1),
        AccountKind::Existing,
        &policy,
    );
    assert!(pacing.urgent);
}

/// As `member` tells of what failed elsewhere.
fn told_by(member: &str, finding: Finding) -> Finding {
    Finding { told_by: Some(member.into()), ..finding }
}

fn at_host(host: &str, finding: Finding) -> Finding {
    let origin = Some("fleet:0000000000000007:1:eu".into());
    Finding { login: Event { host: host.into(), origin, ..finding.login }, ..finding }
}

#[test]
fn a_member_that_lies_about_where_others_log_in_from_has_one_message_in_a_group_interval() {
    let (mut pacing, mut waiting) = (Pacing::default(), Findings::default());
    let (mut by_lies, mut covered) = (0, 0);
    for second in (0..2 * DAY.as_secs()).step_by(20) {
        let (at, n) = (second * 1000, second / 20);
        // Whoever logs in anywhere, root too, in the same second as others; the same accounts over and over.
        for more in 0..3 {
            let user = if n % 5 == 0 { "root".into() } else { format!("user{}", n % 40) };
            let lie = break_in_from(&format!("198.51.{}.{more}", n % 250), &user, more != 1);
            let lie = told_by("web9", at_host(&format!("web{}", n % 8), lie));
            let turn = pacing.on_finding(Moment(at), &lie, Kind::BreakIn, &policy());
            waiting.add(&lie, Kind::BreakIn, turn, (AccountKind::Existing, AccountKind::Unknown));
        }
        let told = tell(&mut pacing, &mut waiting, at, None);
        by_lies += told.len();
        covered += told.iter().map(|found| 1 + found.content.more).sum::<u64>();
        if n % 600 == 599 {
            // What a machine saw itself, of accounts of which it lied, and what another member tells.
            let user = format!("user{}", 7 * (n / 600) % 40);
            let own = at_host(&format!("web{}", n / 600), break_in(&user, true));
            let spread = told_by(&format!("db{n}"), break_in(&format!("carol{n}"), true));
            let by_log = break_in(&user, false);
            for (what, truth) in [("own", own), ("spread", spread), ("by log", by_log)] {
                let told = tell(&mut pacing, &mut waiting, at, Some(&truth));
                let is_it = |found: &Proven| found.content.login.user == truth.login.user;
                assert!(told.iter().any(is_it), "{what} {n} {told:?}");
            }
        }
    }
    assert!(by_lies <= 2 * 24 * 6 && covered > 20_000, "{by_lies} {covered}");
}

#[test]
fn one_member_that_lies_spends_what_is_kept_for_what_is_certain_once_a_day() {
    for lie in [|member: &str, finding| at_host(member, finding), told_by] {
        let (mut pacing, mut waiting) = (Pacing::default(), Findings::default());
        let mut told = Vec::new();
        for n in 0..40 {
            let finding = lie("web9", break_in(&format!("user{n}"), true));
            let turn = pacing.on_finding(Moment(0), &finding, Kind::BreakIn, &policy());
            waiting.add(&finding, Kind::BreakIn, turn, (AccountKind::Existing, AccountKind::Unknown));
        }
        for second in 0..600 {
            told.extend(tell(&mut pacing, &mut waiting, second * 1000, None));
        }
        let certain =
            told.iter().filter(|found| matches!(found.turn.claim, Claim::BreakIn | Claim::BreakInAgain));
        assert_eq!(certain.count(), 1, "{told:?}");
    }
}

#[test]
fn lies_take_the_place_of_nothing_that_waits() {
    let mut waiting = Findings::default();
    let turn = |pacing: &Pacing, finding: &Finding| pacing.repeats.turn(Moment(0), finding, &policy());
    let pacing = Pacing::default();
    let kinds = (AccountKind::Existing, AccountKind::Unknown);
    for n in 0..30 {
        let findings = [
            told_by("web9", break_in(&format!("lie{n}"), true)),
            at_host("web9", break_in(&format!("own{n}"), true)),
        ];
        for finding in findings {
            waiting.add(&finding, Kind::BreakIn, Some(turn(&pacing, &finding)), kinds);
        }
    }
    let seen = Finding { seen: true, ..break_in("seen", false) };
    let certain = at_host("web1", break_in("certain", true));
    let truths = [certain, seen, break_in("by log", false), told_by("web2", break_in("told", true))];
    for truth in &truths {
        waiting.add(truth, Kind::BreakIn, Some(turn(&pacing, truth)), kinds);
    }
    let told = waiting.take_break_ins(&mut Pacing::default(), (Moment(0), &policy()), true, usize::MAX);
    for truth in &truths {
        let is_it = |found: &&Proven| found.content.login.user == truth.login.user;
        assert!(told.iter().any(|found| is_it(&found)) || waiting_has(&waiting, truth), "{truth:?}");
    }
}

/// Whether it waits with all that there is to say of it.
fn waiting_has(waiting: &Findings, finding: &Finding) -> bool {
    let json = serde_json::to_value(waiting).unwrap();
    json["break_ins"].as_array().unwrap().iter().any(|found| found["login"]["user"] == finding.login.user)
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

#[test]
fn what_a_member_tells_of_is_one_message_and_hides_nothing_that_others_saw() {
    let (mut pacing, mut waiting) = (Pacing::default(), Findings::default());
    let at_web1 = |user: &str| at_host("web1", break_in_from("192.0.2.7", user, true));
    let lies = [at_web1("alice"), at_host("web2", break_in("bob", true)), at_web1("carol")]
        .map(|lie| told_by("web9", lie));
    for finding in lies.iter().chain([&at_web1("dave")]) {
        let turn = pacing.on_finding(Moment(0), finding, Kind::BreakIn, &policy());
        waiting.add(finding, Kind::BreakIn, turn, (AccountKind::Existing, AccountKind::Unknown));
    }
    let told = tell(&mut pacing, &mut waiting, 0, None);
    let of: Vec<_> =
        told.iter().map(|found| (found.content.login.user.as_str(), found.content.more)).collect();
    assert_eq!(of, [("dave", 0), ("alice", 2)]);
    // It was a lie; now she is in whom nobody should be.
    assert!(is_told(&mut pacing, MINUTE, &told_by("web3", at_host("web1", break_in("alice", true)))));
    assert!(is_told(&mut pacing, MINUTE, &at_host("web4", break_in("alice", true))));
    let own = break_in("erin", true);
    assert!(
        is_told(&mut pacing, 2 * MINUTE, &told_by("web5", own.clone()))
            && is_told(&mut pacing, 3 * MINUTE, &own)
    );
}
