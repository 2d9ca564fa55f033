//! What does not wait, and who cannot spend it.

use super::*;

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
