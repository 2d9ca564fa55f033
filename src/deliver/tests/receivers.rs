//! Receivers that come, go, and have mistakes.

use super::*;

#[test]
fn a_receiver_that_is_removed_while_a_pass_goes_on_is_not_begun_anew() {
    let world = World::new(Scripted::default());
    Journal::new(&world.request.state).append(&[failure(0, "root", "192.0.2.7")]).unwrap();
    let routes = Routes::of(&world.config);
    let reader = Reader::new(&world.request, &world.config, &routes, &routes.receivers[0], Arc::default());
    world.place().remove().unwrap();
    assert!(reader.serve(AtWork::default().begin()).busy);
    assert!(world.place().states().unwrap().is_empty());
}

#[test]
fn a_state_of_a_newer_version_is_refused_and_left_as_it_is() {
    let world = World::new(Scripted::default());
    let file = world.place().state_file(0);
    storage::save_both(
        &file,
        &serde_json::json!({ "version": 3, "generation": 9, "totals": "of another kind" }),
    )
    .unwrap();
    let before = std::fs::read(&file).unwrap();
    let why = State::load(&world.place(), false).unwrap_err().to_string();
    assert!(why.contains("newer authalert") && why.contains("version 3"), "{why}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn a_receiver_that_is_new_begins_now_and_one_that_is_gone_is_forgotten() {
    let mut world = World::new(Scripted::default());
    let state = world.request.state.clone();
    crate::journal::Journal::new(&state)
        .append(&[failure(0, "root", "192.0.2.7"), failure(1, "root", "192.0.2.7")])
        .unwrap();
    let text = "[[receiver]]\nkind = \"other\"\n[[receiver]]\nkind = \"other\"\nname = \"new\"\n";
    world.config = Config::parse(text, Path::new("/nonexistent/config.toml")).unwrap();
    assert!(enrol::enrol(&state, &world.config, &Routes::of(&world.config), Duration::ZERO).unwrap());
    let status = status::take(&state, &world.config).unwrap();
    let recorded: Vec<u64> = status.receivers.iter().map(|r| r.counters.recorded).collect();
    assert_eq!(recorded, [2, 0, 2]);
    // Who has just written it into the configuration hears of what failed since then.
    let path = world.directory.path().join("config.toml");
    std::fs::write(&path, text.replace("new", "newer")).unwrap();
    let at = path.metadata().unwrap().modified().unwrap() + SECOND;
    let now = crate::event::Event {
        time: jiff::Timestamp::try_from(at).unwrap(),
        ..failure(2, "root", "192.0.2.7")
    };
    crate::journal::Journal::new(&state).append(&[now]).unwrap();
    world.config = Config::parse(&text.replace("new", "newer"), &path).unwrap();
    let status = status::take(&state, &world.config).unwrap();
    let newer = |status: &status::Status| {
        status.receivers.iter().find(|r| r.name == "newer").unwrap().counters.pending
    };
    assert_eq!(newer(&status), 1, "as it will be");
    assert!(enrol::enrol(&state, &world.config, &Routes::of(&world.config), Duration::ZERO).unwrap());
    assert_eq!(newer(&status::take(&state, &world.config).unwrap()), 1, "as it is");
    world.config = Config::parse("receiver = \"timeline\"\n", Path::new("/nonexistent/config.toml")).unwrap();
    let notices =
        enrol::forget_removed(&state, &Routes::of(&world.config), || Some(Routes::of(&world.config)))
            .unwrap();
    assert_eq!((notices.len(), Place::all(&state).unwrap()), (3, vec!["timeline".to_owned()]));
}

#[test]
fn a_receiver_with_a_mistake_keeps_what_is_its_own_and_one_that_a_mistake_hides_is_not_forgotten() {
    let mut world = World::new(Scripted::default());
    let state = world.request.state.clone();
    let path = world.directory.path().join("config.toml");
    let right = "[[receiver]]\nkind = \"ntfy\"\ntopic = \"a\"\ntell = [\"login\"]\n\
                 [[receiver]]\nkind = \"command\"\nname = \"two\"\nargv = [\"/bin/true\"]\n";
    let mut pass = |text: &str| {
        std::fs::write(&path, text).unwrap();
        world.request.config = Some(path.clone());
        deliver(&world.request).unwrap()
    };
    pass(right);
    crate::journal::Journal::new(&state).append(&[failure(0, "root", "192.0.2.7")]).unwrap();
    let names = || Place::all(&state).unwrap();
    // What is typed, whether it is known whose mistake it is, and what it is called then.
    for (from, to, is_known, name) in [
        ("argv", "tell = urgent\nargv", true, ""),
        ("argv", "tell = 5\nargv", true, ""),
        ("argv", "argb", true, ""),
        ("\"two\"", "two", false, ""),
        ("\"two\"", "2", false, ""),
        ("\"two\"", "\"ntfy\"", false, ""),
        ("\"command\"\nname = \"two\"", "command", false, ""),
        ("name = \"two\"", "nmae = \"two\"", true, "command"),
        ("\"command\"\nname = \"two\"", "\"comand\"", true, "comand"),
    ] {
        let text = right.replace(from, to);
        let report = pass(&text);
        assert!(names().contains(&"two".to_owned()), "{text}");
        let two = report.of(if name.is_empty() { "two" } else { name });
        assert_eq!(two.is_some(), is_known, "{text}");
        let loaded = State::load(&Place::new(&state, "two"), true).unwrap().unwrap().state;
        assert_eq!((loaded.recorded(), loaded.unsettled()), (1, 1), "{text}");
        assert_eq!(state.join("mistakes").exists(), !is_known, "{text}");
    }
    let report = pass(right);
    assert_eq!(report.of("two").unwrap().sent.len(), 1);
    assert!(!state.join("mistakes").exists());
    assert_eq!(names(), ["ntfy", "timeline", "two"]);
    pass("[[receiver]]\nkind = \"ntfy\"\ntopic = \"a\"\ntell = [\"login\"]\n");
    assert_eq!(names(), ["ntfy", "timeline"], "one that is gone is forgotten");
}
