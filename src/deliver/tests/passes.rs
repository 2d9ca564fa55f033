//! Passes: one after another, one that is cut, one that lingers.

use super::*;

#[test]
fn a_pace_that_was_raised_holds_for_what_waits_already() {
    let mut world = World::new(Scripted::default());
    world.config.alerts.max_per_day = 24;
    let policy = Policy::from(&world.config.alerts);
    world.pass(SECOND, |state, now| (0..20).for_each(|_| state.pacing.sent(now, &policy)));
    world.pass_with(SECOND, 1);
    assert_eq!(world.sent(), []);
    world.config.alerts.max_per_day = 48;
    let refill = Policy::from(&world.config.alerts).refill();
    let next = world.pass(SECOND, |_, _| {}).next.unwrap();
    assert!(next > SECOND && next <= 12 * refill, "{next:?}");
    world.pass(next + SECOND, |_, _| {});
    assert_eq!(world.sent().len(), 1);
}

#[test]
fn a_pass_that_is_to_let_go_begins_nothing_more() {
    let mut world = World::new(Scripted::default());
    let flag: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(true)));
    world.request.let_go = Some(flag);
    world.pass_with(Duration::ZERO, 3);
    assert!(world.sent().is_empty());
    flag.store(false, Ordering::Release);
    world.pass_with(Duration::ZERO, 0);
    assert_eq!(world.sent().len(), 1);
}

#[test]
fn a_pass_that_was_overtaken_sends_nothing() {
    let world = World::new(Scripted::default());
    let routes = Routes::of(&world.config);
    let reader =
        Reader::new(&world.request, &world.config, &routes, &routes.receivers[0], std::sync::Arc::default());
    let lock = Lock::take(&world.place(), Duration::ZERO).unwrap().unwrap();
    let mut state = world.state();
    state.pending.add(&failure(0, "root", ""), AccountKind::Root, AccountKind::Unknown);
    state.plain_next = true;
    let mut notices = Vec::new();
    let mut pass = Pass::new(&reader, lock, state, false, &mut notices);
    std::fs::write(world.place().lock_file(1), "").unwrap();
    assert!(pass.send_what_is_due(Some(Box::new(world.receiver.clone()))).is_err());
    assert!(pass.save().is_err());
    assert!(world.sent().is_empty() && world.state().unsettled() == 0);
}

#[test]
fn what_a_pass_that_was_cut_has_staged_is_saved_before_anything_is_staged_over_it() {
    let world = World::new(Scripted::default());
    let (place, mut state) = (world.place(), world.state());
    state.alert = Some(Alert { maybe_sent: true, not_before: Moment(u64::MAX), ..alert(1, Kind::Digest) });
    state.staging(&place, 0).unwrap().put().unwrap();
    let routes = Routes::of(&world.config);
    let reader = Reader::new(&world.request, &world.config, &routes, &routes.receivers[0], Arc::default());
    assert!(reader.serve(AtWork::default().begin()).error.is_none());
    std::fs::write(place.directory().join("other.json.next"), "torn").unwrap();
    assert_eq!(world.state().alert.map(|alert| (alert.id, alert.maybe_sent)), Some((1, true)));
}

/// The process ends between the note and the answer.
#[derive(Debug)]
struct Dies;

impl Receiver for Dies {
    fn style(&self) -> Style {
        Style::x()
    }

    fn knows_repeats(&self) -> bool {
        true
    }

    fn send(&self, _: &Message<'_>, before: Before) -> Outcome {
        before().unwrap();
        panic!("cut")
    }
}

#[test]
fn what_a_login_did_not_live_to_write_into_the_timeline_is_there_with_the_next_pass() {
    for (context, kind) in [Context::Login, Context::Command]
        .into_iter()
        .flat_map(|context| [Kind::Digest, Kind::BreakIn].map(|kind| (context, kind)))
    {
        let world = World::new(Scripted::default());
        let routes = Routes::of(&world.config);
        let timeline = routes.receivers.last().unwrap();
        let place = Place::new(&world.request.state, &timeline.name);
        let mut state = State::load(&place, true).unwrap().unwrap().state;
        match kind {
            Kind::Digest => state.alert = Some(alert(1, kind)),
            _ => assert!(state.queue.push(alert(1, kind))),
        }
        state.last_id = 1;
        let reader = Reader::new(&world.request, &world.config, &routes, timeline, Arc::default());
        let cut = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let (lock, mut notices) = (Lock::take(&place, Duration::ZERO).unwrap().unwrap(), Vec::new());
            let mut pass = Pass::new(&reader, lock, state, true, &mut notices);
            pass.state.alert.iter_mut().for_each(|alert| alert.maybe_sent = true);
            pass.send_what_is_due(Some(Box::new(Dies)))
        }));
        assert!(cut.is_err());
        let request = Request { context, ..world.request.clone() };
        let reader = Reader::new(&request, &world.config, &routes, timeline, Arc::default());
        let sent =
            || reader.serve(AtWork::default().begin()).sent.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!((sent(), sent()), (vec![1], vec![]), "{context:?} {kind:?}");
    }
}

#[test]
fn who_lingers_tries_again_where_somebody_else_had_the_lock_for_long() {
    let world = World::new(Scripted::default());
    world.fail(0);
    let (begun, until) = (Instant::now(), clock::Reading::now().since_boot_ms + 60_000);
    let holder = lock::tests::holder(&Place::new(&world.request.state, TIMELINE), 0, until);
    let holder = Mutex::new(Some(holder));
    let served = world.serve_the_timeline(|sent| {
        if begun.elapsed() > request::PATIENCE + SECOND {
            holder.lock().unwrap().take().into_iter().for_each(lock::tests::end);
        }
        sent > 0
    });
    assert_eq!((served.sent.len(), served.busy), (1, false));
}

#[test]
fn who_lingers_sends_what_falls_due() {
    let mut world = World::new(Scripted::default());
    let pace =
        "[alerts]\nburst = 1000\nmax_per_day = 10000\ngroup_interval = \"4s\"\nmax_interval = \"4s\"\n";
    world.config = Config::parse(pace, Path::new("/nonexistent/config.toml")).unwrap();
    world.fail(0);
    let failed = AtomicBool::new(false);
    let served = world.serve_the_timeline(|sent| {
        if sent == 1 && !failed.swap(true, Ordering::AcqRel) {
            world.fail(1);
        }
        sent == 2
    });
    assert_eq!(served.sent.len(), 2);
}

#[test]
fn a_test_that_was_announced_just_before_a_week_is_none_of_its_failures() {
    use crate::event::{Class, Event};
    let world = World::new(Scripted::default());
    let of = |second, class| Event { pid: 17, service: "su".into(), class, ..failure(second, "root", "") };
    let recorded = [of(0, Class::Test), of(5, Class::Failure), of(200, Class::Failure)];
    Journal::new(&world.request.state).append(&recorded).unwrap();
    let routes = Routes::of(&world.config);
    let reader = Reader::new(&world.request, &world.config, &routes, &routes.receivers[0], Arc::default());
    let at = |second| failure(second, "root", "").time;
    assert_eq!(weekly::week(&reader, at(2), at(1000)).unwrap().failures.failures(), 1);
}
