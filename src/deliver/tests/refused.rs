//! Texts that a receiver refuses.

use super::*;

#[test]
fn a_refused_text_is_kept_apart_and_its_failures_are_told_in_numbers() {
    let world = World::new(Scripted::default());
    world.answer(&[Outcome::Refused { why: "not this text".into() }]);
    let served = world.pass_with(Duration::ZERO, 3);
    assert_eq!((served.sent.len(), world.sent().len()), (1, 2));
    assert_ne!(world.sent()[0].1, world.sent()[1].1);
    assert!(world.place().rejected().exists());
    assert_eq!((world.state().totals.posted, world.state().totals.refused), (3, 1));
}

#[test]
fn a_break_in_whose_text_is_refused_goes_out_in_numbers_in_the_same_pass() {
    let world = World::new(Scripted::default());
    world.answer(&[Outcome::Stop { why: "the token is wrong".into() }, refuses()]);
    world.pass_with_logins(Duration::ZERO, &[finding("alice", true, BREAK_IN)]);
    assert!(world.state().outage.is_some());
    let served = world.pass_with_logins(2 * MINUTE, &[]);
    let (sent, state) = (world.sent(), world.state());
    assert_eq!((sent.len(), served.sent.len(), state.queue.len()), (3, 1, 0));
    assert!(sent[1].1.contains("alice") && sent[1].1 == sent[0].1);
    assert!(
        sent[2].1.starts_with("BREAK-IN?") && sent[2].1.contains("after 8 failed logins"),
        "{}",
        sent[2].1
    );
    assert!(!sent[2].1.contains(['[', '(']) && !sent[2].1.contains("alice") && sent[2].0 == sent[1].0);
    let refused = state.refused.unwrap();
    assert!(refused.is_break_in && refused.why == "not this text" && refused.id == sent[1].0);
    assert_eq!((state.totals.refused, state.totals.posts), (1, 1));
    // Who answered that is somebody who knows us.
    assert!(state.outage.is_none());
    assert!(world.place().rejected().exists());
}

#[test]
fn a_break_in_is_tried_again_ever_later_where_numbers_alone_are_refused_too() {
    let world = World::new(Scripted::default());
    world.answer(&[refuses(), refuses(), refuses()]);
    world.pass_with_logins(Duration::ZERO, &[finding("alice", true, BREAK_IN)]);
    let state = world.state();
    assert_eq!((world.sent().len(), state.queue.len(), state.totals.refused), (2, 1, 1));
    assert!(state.outage.unwrap().why.contains("numbers alone"));
    world.pass_with_logins(30 * SECOND, &[]);
    assert_eq!(world.sent().len(), 2);
    world.pass_with_logins(MINUTE, &[]);
    assert_eq!((world.sent().len(), world.state().queue.len()), (3, 1));
    world.pass_with_logins(MINUTE + 30 * SECOND, &[]);
    assert_eq!(world.sent().len(), 3);
    world.pass_with_logins(MINUTE, &[]);
    assert_eq!((world.sent().len(), world.state().queue.len(), world.state().totals.posts), (4, 0, 1));
    assert!(world.state().outage.is_none());
}

#[test]
fn another_message_is_given_up_when_numbers_alone_are_refused() {
    let world = World::new(Scripted::default());
    world.answer(&[refuses(), refuses()]);
    let other = Alert { in_numbers: Some("web1: still here".into()), ..alert(7, Kind::Heartbeat) };
    world.pass(Duration::ZERO, |state, _| assert!(state.queue.push(other)));
    assert_eq!((world.sent().len(), world.state().queue.len(), world.state().totals.refused), (2, 0, 1));
    assert_eq!(world.sent()[1].1, "web1: still here");
}

#[test]
fn what_may_be_refused_for_its_text_goes_out_in_numbers_before_a_person_is_asked() {
    let rejects = || Outcome::Rejected { why: "invalid request".into() };
    let world = World::new(Scripted::default());
    world.answer(&[rejects()]);
    world.pass_with(Duration::ZERO, 3);
    assert_eq!((world.sent().len(), world.state().totals.posted), (2, 3));
    world.answer(&[rejects()]);
    world.pass_with_logins(Duration::ZERO, &[finding("alice", true, BREAK_IN)]);
    assert_eq!((world.sent().len(), world.state().totals.posts), (4, 2));
    assert!(world.state().outage.is_none());
    // Where it was not the text: nothing is given up, and what is asked is bounded.
    world.answer(&[rejects(), rejects()]);
    let other = Alert { in_numbers: Some("web1: still here".into()), ..alert(7, Kind::Heartbeat) };
    world.pass(60 * MINUTE, |state, _| assert!(state.queue.push(other)));
    let state = world.state();
    assert_eq!(
        (world.sent().len(), state.queue.len(), state.outage.unwrap().kind),
        (6, 1, outage::Kind::Stopped)
    );
    world.pass(60 * MINUTE, |_, _| {});
    assert_eq!(world.sent().len(), 6);
    world.pass(7 * 60 * MINUTE, |_, _| {});
    assert_eq!((world.sent().len(), world.state().queue.len()), (7, 0));
}

#[test]
fn what_is_shown_beside_numbers_alone_is_numbers_alone() {
    let world = World::new(Scripted::default());
    world.answer(&[refuses()]);
    world.pass_with_logins(Duration::ZERO, &[finding("alice", true, BREAK_IN)]);
    world.answer(&[refuses()]);
    world.pass(Duration::ZERO, |state, now| {
        let event = failure(0, "root", "spam.example.com");
        state.pending.add(&event, AccountKind::Root, AccountKind::Unknown);
        state.pacing.on_failure(now, &event, AccountKind::Root, &Policy::from(&world.config.alerts));
    });
    let beside = world.receiver.beside.lock().unwrap();
    for (refused, numbers, name) in [
        (&beside[0], &beside[1], "alice"),
        (&beside[0], &beside[1], "203.0.113"),
        (&beside[2], &beside[3], "spam"),
    ] {
        assert!(refused.contains(name) && !numbers.contains(name), "{numbers}");
        assert!(numbers.contains("authentication") && numbers.contains("\"count\":"), "{numbers}");
    }
    assert!(beside[1].starts_with("BREAK-IN? ") && beside[1].contains("\"count\":8"), "{}", beside[1]);
    assert_eq!(world.state().totals.posted, 1);
}

#[test]
fn how_often_a_text_was_refused_is_no_matter_of_the_messages_between() {
    let world = World::new(Scripted::default());
    world.answer(&[unknown()]);
    world.pass_with_logins(Duration::ZERO, &[finding("alice", true, BREAK_IN)]);
    for n in 0..5 {
        world.answer(&[refuses()]);
        world.pass_with_logins(60 * MINUTE, &[]);
        world.pass(Duration::ZERO, |state, _| {
            state.outage = None;
            assert!(n == 4 || state.queue.push(alert(70 + n, Kind::Heartbeat)));
        });
    }
    let sent = world.sent();
    assert_eq!((sent.len(), world.state().totals.posts), (11, 5));
    assert!(sent[10].1.contains("a login") && sent[10].1.contains("after 8"), "{sent:?}");
}

#[test]
fn that_it_takes_no_text_at_all_lasts_until_it_takes_one() {
    let world = World::new(Scripted::default());
    world.answer(&[refuses(), refuses()]);
    world.pass_with(Duration::ZERO, 3);
    let first = world.state().outage.unwrap();
    for hours in [2, 5] {
        world.answer(&[refuses()]);
        world.pass_with(hours * 60 * MINUTE, 0);
        let outage = world.state().outage.unwrap();
        assert_eq!((outage.kind, outage.since), (first.kind, first.since));
        let waits = outage.next.since(world.state().clock.advance(&clock::Reading::now()));
        assert!(waits > 85 * MINUTE, "{waits:?}");
    }
    assert_eq!((world.sent().len(), world.state().unsettled()), (4, 3));
    world.pass_with(7 * 60 * MINUTE, 0);
    assert_eq!((world.state().unsettled(), world.state().totals.posted), (0, 3));
    assert!(world.state().outage.is_none());
}

#[test]
fn a_text_that_was_refused_is_paid_for_once() {
    let paid = |answers: &[Outcome]| {
        let world = World::new(Scripted::default());
        world.answer(answers);
        world.pass_with(Duration::ZERO, 3);
        assert_eq!(world.state().totals.posted, 3);
        let pacing = serde_json::to_value(&world.state().pacing).unwrap();
        pacing["full"].as_u64().unwrap() - pacing["sent"].as_u64().unwrap()
    };
    assert_eq!(paid(&[refuses()]), paid(&[]));
    assert_ne!(paid(&[]), 0);
}

#[test]
fn a_break_in_goes_out_in_numbers_also_where_its_text_cannot_be_kept() {
    let world = World::new(Scripted::default());
    std::fs::create_dir_all(world.place().rejected()).unwrap();
    world.answer(&[refuses()]);
    world.pass_with_logins(Duration::ZERO, &[finding("alice", true, BREAK_IN)]);
    assert_eq!((world.sent().len(), world.state().queue.len(), world.state().totals.posts), (2, 0, 1));
}
