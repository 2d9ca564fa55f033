//! Of what nobody knows whether it arrived, and what surely did not.

use super::*;

#[test]
fn after_an_unknown_outcome_the_same_bytes_go_out_again_a_minute_later_and_not_before() {
    let world = World::new(Scripted::default());
    world.answer(&[unknown(), unknown()]);
    world.pass_with(Duration::ZERO, 3);
    world.pass_with(50 * SECOND, 2);
    assert_eq!(world.sent().len(), 1, "not within the minute");
    world.pass_with(11 * SECOND, 0);
    world.pass_with(119 * SECOND - 11 * SECOND, 0);
    assert_eq!(world.sent().len(), 2, "then twice as long");
    let served = world.pass_with(30 * SECOND, 0);
    let sent = world.sent();
    assert_eq!(sent[0], sent[1]);
    assert_eq!(sent[1], sent[2], "the same number, the same text");
    // What came meanwhile is in the next one.
    assert_eq!((served.sent.len(), world.state().totals.posted), (2, 5));
}

#[test]
fn what_a_login_began_and_left_unknown_is_sent_again_by_a_process_of_its_own() {
    let mut world = World::new(Scripted::default());
    world.request.context = Context::Login;
    world.answer(&[unknown()]);
    world.pass_with(Duration::ZERO, 3);
    // Logins that end in the middle of a request would else make it wait twice as long each time.
    for _ in 0..4 {
        world.pass_with(50 * SECOND, 1);
    }
    assert_eq!(world.sent().len(), 1);
    world.request.context = Context::Command;
    world.pass_with(SECOND, 0);
    assert_eq!(world.sent().len(), 3, "the same again, then what came since");
    assert_eq!(world.sent()[0], world.sent()[1]);
    // Where no such process comes, a login does it in the end.
    let mut world = World::new(Scripted::default());
    world.request.context = Context::Login;
    world.answer(&[unknown()]);
    world.pass_with(Duration::ZERO, 3);
    world.pass_with(5 * MINUTE, 0);
    assert_eq!(world.sent().len(), 2);
}

#[test]
fn where_a_message_costs_money_one_that_was_answered_by_something_else_is_tried_again_a_few_times() {
    let failing = || Outcome::Unproved { until: None, why: "the service fails".into() };
    let world = World::new(Scripted { costs_money: true, ..Scripted::default() });
    world.answer(&[failing(), failing()]);
    world.pass_with(Duration::ZERO, 1);
    assert_eq!((world.sent().len(), world.state().totals.unclear), (1, 0));
    for _ in 0..2 {
        world.pass(7 * 60 * MINUTE, |_, _| {});
    }
    let sent = world.sent();
    assert!(sent.len() == 3 && sent.iter().all(|text| *text == sent[0]), "{sent:?}");
    let state = world.state();
    assert_eq!((state.totals.posted, state.totals.unclear, state.unsettled()), (1, 0, 0));
    // Whatever it does for ever: it is asked eight times, and then the doubt is counted.
    world.answer(&vec![failing(); 20]);
    world.pass_with(7 * 60 * MINUTE, 1);
    for _ in 0..12 {
        world.pass(7 * 60 * MINUTE, |_, _| {});
    }
    assert_eq!((world.sent().len(), world.state().totals.unclear), (3 + 8, 1));
    // One that breaks off behind an answer is the last.
    world.receiver.answers.lock().unwrap().clear();
    world.answer(&[failing(), unknown()]);
    world.pass_with(7 * 60 * MINUTE, 1);
    for _ in 0..3 {
        world.pass(7 * 60 * MINUTE, |_, _| {});
    }
    assert_eq!((world.sent().len(), world.state().totals.unclear), (3 + 8 + 2, 2));
}

#[test]
fn where_a_message_costs_money_only_answers_that_are_no_word_on_it_end_its_attempts() {
    let failing = || Outcome::Unproved { until: None, why: "the service fails".into() };
    let limited = || Outcome::Limited { until: None, why: "too many".into() };
    let world = World::new(Scripted { costs_money: true, ..Scripted::default() });
    world.answer(&[limited(), limited(), limited(), limited(), failing()]);
    world.pass(Duration::ZERO, |state, _| {
        state.last_id += 1;
        assert!(state.queue.push(alert(state.last_id, Kind::BreakIn)));
    });
    for _ in 0..5 {
        world.pass(7 * 60 * MINUTE, |_, _| {});
    }
    let state = world.state();
    assert_eq!((world.sent().len(), state.totals.unclear, state.queue.len()), (6, 0, 0));
    // Nothing was heard of it while repeats were wanted, and it does not become known by not being sent again.
    let mut world = World::new(Scripted { costs_money: true, ..Scripted::default() });
    let parse = |text: &str| Config::parse(text, Path::new("/nonexistent/config.toml")).unwrap();
    for next in [Outcome::NotSent { why: "no connection".into() }, failing(), limited()] {
        world.config = parse("[[receiver]]\nkind = \"other\"\nafter_unknown = \"repeat\"\n");
        world.answer(&[unknown(), next]);
        let (sent, unclear) = (world.sent().len(), world.state().totals.unclear);
        world.pass_with(7 * 60 * MINUTE, 1);
        world.pass(7 * 60 * MINUTE, |_, _| {});
        let before = world.sent().len();
        assert!((sent + 1..=sent + 2).contains(&before));
        world.config = parse("[[receiver]]\nkind = \"other\"\n");
        world.pass(7 * 60 * MINUTE, |_, _| {});
        assert_eq!((world.sent().len(), world.state().totals.unclear), (before, unclear + 1));
    }
}

#[test]
fn where_a_message_costs_money_one_of_which_nobody_knows_is_not_repeated_unless_it_is_said() {
    let world = World::new(Scripted { costs_money: true, ..Scripted::default() });
    world.answer(&[unknown()]);
    let served = world.pass_with(Duration::ZERO, 3);
    assert_eq!((served.sent, served.skipped), (vec![], vec![world.state().last_id]));
    world.pass_with(10 * MINUTE, 0);
    let totals = world.state().totals;
    assert_eq!((world.sent().len(), totals.posted, totals.unclear, totals.posts), (1, 3, 1, 1));
    // One whose process ended in between is the same.
    let cut = |state: &mut State, now: Moment| {
        state.last_id += 1;
        let mut alert = alert(state.last_id, Kind::Digest);
        alert.covers.add(&failure(0, "root", ""), AccountKind::Root, AccountKind::Unknown);
        alert.attempt(now);
        state.alert = Some(alert);
    };
    world.pass(Duration::ZERO, cut);
    world.pass_with(2 * MINUTE, 0);
    assert_eq!((world.sent().len(), world.state().totals.unclear), (1, 2));

    let mut world = World::new(Scripted { costs_money: true, ..Scripted::default() });
    let text = "[[receiver]]\nkind = \"other\"\nafter_unknown = \"repeat\"\n";
    world.config = Config::parse(text, Path::new("/nonexistent/config.toml")).unwrap();
    world.answer(&[unknown()]);
    world.pass_with(Duration::ZERO, 3);
    world.pass_with(2 * MINUTE, 0);
    assert_eq!((world.sent().len(), world.state().totals.unclear), (2, 0));
}

#[test]
fn what_surely_did_not_arrive_is_told_with_all_that_came_since_in_one_alert() {
    let world = World::new(Scripted::default());
    let not_sent = Outcome::NotSent { why: "no connection".into() };
    for day in 0..30 {
        world.answer(std::slice::from_ref(&not_sent));
        let served = world.pass_with(24 * 60 * MINUTE, 5);
        assert_eq!((served.pending, served.sent.len()), (0, 0), "{day}");
        assert_eq!(world.state().unsettled(), 5 * (day + 1));
    }
    let served = world.pass_with(24 * 60 * MINUTE, 1);
    assert_eq!((served.sent.len(), served.sent[0].0, world.state().totals.posted), (1, 1, 151));
    assert_eq!(crate::message::count_in(&served.sent[0].1), 151);
}
