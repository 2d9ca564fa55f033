//! Break-ins go first, and hide none.

use super::*;

#[test]
fn a_break_in_does_not_wait_for_the_next_attempt_at_another() {
    let failing = || Outcome::Unproved { until: None, why: "the service fails".into() };
    for (first, second) in [(true, true), (false, false), (true, false)] {
        let world = World::new(Scripted::default());
        let push = |proven: bool| {
            move |state: &mut State, _: Moment| {
                state.last_id += 1;
                assert!(state.queue.push(Alert { proven, ..alert(state.last_id, Kind::BreakIn) }));
            }
        };
        world.answer(&[failing(), failing(), failing(), failing()]);
        world.pass(Duration::ZERO, push(first));
        for _ in 0..3 {
            world.pass(7 * 60 * MINUTE, |_, _| {});
        }
        world.pass(SECOND, push(second));
        let sent = world.sent();
        assert_eq!((sent.len(), &*sent[4].1, world.state().queue.len()), (5, "alert 2", 1));
        world.pass(9 * MINUTE, |_, _| {});
        assert_eq!(world.sent()[5].1, "alert 1");
    }
}

#[test]
fn a_break_in_goes_first_past_an_outage_and_from_its_reserve() {
    let world = World::new(Scripted::default());
    world.answer(&[Outcome::Stop { why: "look at the account".into() }]);
    world.pass_with(Duration::ZERO, 3);
    assert_eq!(world.sent().len(), 1);
    // Left alone for hours, and asked as often as is allowed.
    let policy = Policy::from(&world.config.alerts);
    world.pass(SECOND, |state, now| {
        while state.requests.next(now, &policy, false).0 == now {
            state.requests.enter(now, &policy, requests::Purse::Ordinary);
        }
        state.last_id += 1;
        let id = state.last_id;
        assert!(state.queue.push(Alert { proven: true, ..alert(id, Kind::BreakIn) }));
        state.last_id += 1;
        assert!(state.queue.push(alert(id + 1, Kind::Login)));
    });
    let state = world.state();
    assert_eq!(world.sent().last().unwrap().1, format!("alert {}", state.last_id - 1));
    assert_eq!((world.sent().len(), state.queue.len(), state.unsettled()), (2, 1, 3));
    assert!(state.outage.is_none(), "it is over: the service took something");
}

#[test]
fn the_next_attempt_is_that_of_a_break_in_which_waits_for_no_outage() {
    let stop = || Outcome::Stop { why: "the token is wrong".into() };
    let world = World::new(Scripted::default());
    world.answer(&[stop(), stop()]);
    let served = world.pass_with(Duration::ZERO, 3);
    assert!(served.next.is_some_and(|next| next > 60 * MINUTE), "{:?}", served.next);
    let served = world.pass_with_logins(SECOND, &[finding("alice", true, BREAK_IN)]);
    assert!(world.state().outage.is_some());
    assert!(served.next.is_some_and(|next| next <= MINUTE), "{:?}", served.next);
}

#[test]
fn a_break_in_that_has_no_purse_hides_no_other_one() {
    let world = World::new(Scripted::default());
    let policy = Policy::from(&world.config.alerts);
    let served = world.pass(SECOND, |state, now| {
        while state.requests.next(now, &policy, false).0 == now {
            state.requests.enter(now, &policy, requests::Purse::Ordinary);
        }
        let retry = Alert { proven: true, not_before: now.plus(MINUTE), ..alert(1, Kind::BreakIn) };
        assert!(state.queue.push(retry) && state.queue.push(alert(2, Kind::BreakIn)));
        state.last_id = 2;
    });
    assert_eq!(world.sent(), []);
    assert!(served.next.is_some_and(|next| next <= MINUTE), "{:?}", served.next);
    world.pass(MINUTE, |_, _| {});
    assert_eq!(world.sent(), [(1, "alert 1".to_owned())]);
}

#[test]
fn break_ins_of_several_accounts_are_each_told_at_once_and_more_than_there_is_room_for_are_counted() {
    let world = World::new(Scripted::default());
    let accounts: Vec<String> = (0..40).map(|n| format!("user{n}")).collect();
    let of_its_own = |name: &String| from(&format!("{name}.example"), finding(name, true, BREAK_IN));
    let findings: Vec<Finding> = accounts.iter().map(of_its_own).collect();
    world.pass_with_logins(Duration::ZERO, &findings);
    let texts = world.texts();
    assert!(texts.len() > 2 && texts.iter().all(|text| text.starts_with("BREAK-IN?")), "{texts:?}");
    let more: usize = texts
        .iter()
        .filter_map(|text| text.split_once(", and ")?.1.split(' ').next()?.parse::<usize>().ok())
        .sum();
    assert_eq!(texts.len() + more, 40, "{texts:?}");
    assert!(world.state().findings.is_empty());
}

#[test]
fn who_is_in_as_many_from_one_address_does_not_keep_another_break_in_waiting() {
    // One after another, and all in one pass; fewer than are kept, and more.
    for (many, at_once) in [(12, false), (12, true), (40, false), (40, true)] {
        let world = World::new(Scripted::default());
        let logins: Vec<Finding> = (0..many).map(|n| finding(&format!("user{n}"), true, BREAK_IN)).collect();
        logins.chunks(if at_once { many } else { 1 }).for_each(|logins| {
            world.pass_with_logins(SECOND, logins);
        });
        assert_eq!(world.sent().len(), 1, "{:?}", world.texts());
        let root = from("198.51.100.1", finding("root", true, BREAK_IN));
        world.pass_with_logins(SECOND, &[root]);
        let texts = world.texts();
        assert!(texts[1].contains("root") && texts[1].contains("198.51.100.1"), "{texts:?}");
        // All of them are counted, in few messages.
        world.pass_with_logins(10 * MINUTE, &[]);
        let texts = world.texts();
        let more =
            |text: &String| -> Option<usize> { text.split_once(", and ")?.1.split(' ').next()?.parse().ok() };
        let more: usize = texts.iter().filter_map(more).sum();
        assert_eq!((texts.len() + more, texts.len() <= 3), (many + 1, true), "{texts:?}");
        assert!(world.state().findings.is_empty());
    }
}

#[test]
fn of_break_ins_that_go_out_as_one_root_is_named_and_what_was_not_reported_yet() {
    let world = World::new(Scripted::default());
    let mut logins: Vec<Finding> = (0..40).map(|n| finding(&format!("user{n}"), true, BREAK_IN)).collect();
    logins.push(from("198.51.100.1", finding("alice", true, BREAK_IN)));
    logins.push(finding("root", true, BREAK_IN));
    world.pass_with_logins(Duration::ZERO, &logins);
    let texts = world.texts();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].contains("root") && texts[1].contains("alice"), "{texts:?}");
}

#[test]
fn what_only_a_log_tells_of_does_not_keep_a_proven_break_in_waiting() {
    let world = World::new(Scripted::default());
    for round in 0..50 {
        let forged = |n| {
            let name = format!("forged{round}x{n}");
            from(&format!("{name}.example"), finding(&name, false, BREAK_IN))
        };
        let forged: Vec<Finding> = (0..20).map(forged).collect();
        world.pass_with_logins(MINUTE, &forged);
    }
    let before = world.sent().len();
    world.pass_with_logins(SECOND, &[finding("alice", true, BREAK_IN)]);
    let texts = world.texts();
    assert!(texts.len() > before && texts.last().unwrap().contains("alice"), "{texts:?}");
}

#[test]
fn in_an_outage_break_ins_are_tried_and_everything_else_is_folded_until_it_is_over() {
    let mut world = World::new(Scripted::default());
    let text = "[[receiver]]\nkind = \"other\"\ntell = [\"break-in\", \"new-source\", \"login\"]\n";
    world.config = Config::parse(text, Path::new("/nonexistent/config.toml")).unwrap();
    let limited = || Outcome::Limited { until: None, why: "not now".into() };
    world.answer(&[limited()]);
    let new_source = Verdict::NewSource { network_known: false };
    world.pass_with_logins(Duration::ZERO, &[finding("bob", true, new_source)]);
    assert_eq!(world.sent().len(), 1);
    for n in 0..100 {
        let logins = [finding(&format!("user{n}"), true, new_source), finding("bob", true, Verdict::Login)];
        world.pass_with_logins(SECOND, &logins);
    }
    assert_eq!((world.sent().len(), world.state().queue.len()), (1, 1), "it is left alone");
    world.pass_with_logins(SECOND, &[finding("alice", true, BREAK_IN)]);
    // Then what waited, as the service takes something again.
    assert!(world.texts()[1].starts_with("BREAK-IN?"), "{:?}", world.texts());
    for _ in 0..4 {
        world.pass_with_logins(10 * MINUTE, &[]);
    }
    let texts = world.texts();
    assert!(texts.iter().any(|text| text.contains(", and 99 more like it")), "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("100 logins")), "{texts:?}");
    assert!(world.state().findings.is_empty() && world.state().queue.is_empty());
}
