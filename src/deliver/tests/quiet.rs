//! What is told of a quiet week, and of a week in numbers.

use super::*;

#[test]
fn after_a_quiet_week_one_line_says_so_and_what_is_wrong_is_said_once() {
    let mut world = World::new(Scripted::default());
    let day = 24 * 60 * MINUTE;
    let gone = Fault::ModuleGone("sshd".into());
    world.request.watch = Some(Watch { services: vec!["su".into()], logs: true, faults: vec![gone] });
    for _ in 0..3 {
        world.pass(10 * MINUTE, |_, _| {});
    }
    world.request.watch =
        Some(Watch { services: vec!["sshd".into(), "su".into()], logs: true, faults: Vec::new() });
    for _ in 0..20 {
        world.pass(day, |_, _| {});
    }
    let texts = world.texts();
    assert!(texts[0].contains("the module is gone from the stack of sshd"), "{texts:?}");
    assert!(texts[1].contains("well again"), "{texts:?}");
    assert!(texts[2].contains("all quiet: authalert watches sshd, su and the logs"), "{texts:?}");
    assert_eq!(texts.len(), 4, "a heartbeat a week: {texts:?}");
    world.config =
        Config::parse("heartbeat = \"off\"\n[[receiver]]\nkind = \"other\"\n", Path::new("/x")).unwrap();
    world.pass(30 * day, |_, _| {});
    assert_eq!(world.sent().len(), 4);
}

#[test]
fn a_week_in_numbers_goes_out_when_it_is_due_to_who_asked_for_it() {
    let mut world = World::new(Scripted::default());
    let text = "[[receiver]]\nkind = \"other\"\ntell = [\"summary\"]\n";
    world.config = Config::parse(text, Path::new("/nonexistent/config.toml")).unwrap();
    let now = jiff::Timestamp::now();
    let recent = |n: i64| crate::event::Event { time: now - SECOND, ..failure(n, "root", "192.0.2.7") };
    let old = crate::event::Event { time: now - 8 * 24 * 60 * MINUTE, ..failure(0, "root", "192.0.2.7") };
    crate::journal::Journal::new(&world.request.state).append(&[old, recent(1), recent(2)]).unwrap();
    world.pass(Duration::ZERO, |_, _| {});
    assert_eq!(world.sent().len(), 0, "not before Monday");
    world.pass(SECOND, |state, _| state.summary_due = Some(now - SECOND));
    world.pass(SECOND, |_, _| {});
    let texts = world.texts();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].contains("2 failed logins") && texts[0].contains("Tried: root"), "{texts:?}");
    // The next one begins where that one ended; one that is weeks late is made up once, and leaves out nothing.
    world.pass(SECOND, |state, _| {
        assert!(state.summary_due.is_some_and(|due| due > now) && state.summary_from.is_some());
        state.summary_due = Some(now - SECOND);
        state.summary_from = Some(now - 20 * 24 * 60 * MINUTE);
    });
    for _ in 0..3 {
        world.pass(10 * MINUTE, |_, _| {});
    }
    let texts = world.texts();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[1].contains("3 failed logins"), "{texts:?}");
    // A clock that was ahead planned it for a year that does not come; who is not told any more has no plan.
    world.pass(SECOND, |state, _| state.summary_due = Some(now + 1000 * 24 * 60 * MINUTE));
    world.pass(SECOND, |state, _| {
        assert!(state.summary_due.is_some_and(|due| due < now + 8 * 24 * 60 * MINUTE));
    });
    world.config = Config::parse("[[receiver]]\nkind = \"other\"\n", Path::new("/x")).unwrap();
    world.pass(SECOND, |_, _| {});
    assert_eq!((world.state().summary_due, world.state().summary_from), (None, None));
}
