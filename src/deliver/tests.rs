//! The walk of a message to a receiver that answers as it is told to.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::alert::tests::alert;
use super::lock::Lock;
use super::place::Place;
use super::reader::{Pass, Reader};
use super::route::Routes;
use super::state::State;
use super::*;
use crate::accounts::AccountKind;
use crate::detect::{After, Failures, Finding, Verdict};
use crate::message::summary::tests::failure;
use crate::message::{LIMIT, Style, Unit};
use crate::receiver::{Before, Kind, Message, Outcome, Receiver};

/// Answers in turn, then accepts; keeps what it was sent.
#[derive(Clone, Debug, Default)]
struct Scripted {
    answers: Arc<Mutex<Vec<Outcome>>>,
    sent: Arc<Mutex<Vec<(u64, String)>>>,
    /// Titles and facts of these.
    beside: Arc<Mutex<Vec<String>>>,
    knows_repeats: bool,
    costs_money: bool,
}

impl Receiver for Scripted {
    fn style(&self) -> Style {
        Style::new(Unit::X, LIMIT)
    }

    fn knows_repeats(&self) -> bool {
        self.knows_repeats
    }

    fn costs_money(&self) -> bool {
        self.costs_money
    }

    fn send(&self, message: &Message<'_>, before: Before) -> Outcome {
        let mut answers = self.answers.lock().unwrap();
        let answer =
            if answers.is_empty() { Outcome::Accepted { id: String::new() } } else { answers.remove(0) };
        if !matches!(answer, Outcome::NotSent { .. }) {
            if let Err(e) = before() {
                return Outcome::NotSent { why: e.to_string() };
            }
            self.sent.lock().unwrap().push((message.number, message.text.to_owned()));
            self.beside.lock().unwrap().push(format!("{} {}", message.title, message.facts));
        }
        answer
    }
}

/// A state directory with one receiver besides the timeline.
struct World {
    directory: tempfile::TempDir,
    config: Config,
    request: Request,
    receiver: Scripted,
}

impl World {
    fn new(receiver: Scripted) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        prepare(&state).unwrap();
        let config =
            Config::parse("[[receiver]]\nkind = \"other\"\n", Path::new("/nonexistent/config.toml")).unwrap();
        let request = Request::new(&state, None, Context::Command);
        assert!(enrol::enrol(&state, &config, &Routes::of(&config), Duration::ZERO).unwrap());
        Self { directory, config, request, receiver }
    }

    fn place(&self) -> Place {
        Place::new(&self.directory.path().join("state"), "other")
    }

    fn state(&self) -> State {
        State::load(&self.place(), true).unwrap().unwrap().state
    }

    fn answer(&self, answers: &[Outcome]) {
        self.receiver.answers.lock().unwrap().extend_from_slice(answers);
    }

    fn sent(&self) -> Vec<(u64, String)> {
        self.receiver.sent.lock().unwrap().clone()
    }

    /// A pass that finds the state as `change` makes it, `later` than the last one.
    fn pass(&self, later: Duration, change: impl FnOnce(&mut State, Moment)) -> Served {
        let routes = Routes::of(&self.config);
        let reader = Reader::new(
            &self.request,
            &self.config,
            &routes,
            &routes.receivers[0],
            std::sync::Arc::default(),
        );
        let lock = Lock::take(&self.place(), Duration::ZERO).unwrap().unwrap();
        let (mut state, mut notices) = (self.state(), Vec::new());
        state.clock.advance(&clock::Reading::now());
        state.clock.skip(later);
        let now = state.clock.advance(&clock::Reading::now());
        change(&mut state, now);
        let mut pass = Pass::new(&reader, lock, state, self.request.at_once, &mut notices);
        pass.tick();
        pass.look_after_itself();
        pass.send_what_is_due(Some(Box::new(self.receiver.clone()))).unwrap();
        pass.save().unwrap();
        pass.served
    }

    /// A pass that finds `failures` more, by a user of this machine who was not urgent before.
    fn pass_with(&self, later: Duration, failures: u32) -> Served {
        self.pass(later, |state, now| {
            let uid = 1000 + u32::try_from(state.recorded()).unwrap();
            for n in 0..failures {
                let event =
                    crate::event::Event { service: "su".into(), uid, ..failure(n.into(), "root", "") };
                state.pending.add(&event, AccountKind::Root, AccountKind::Unknown);
                state.pacing.on_failure(now, &event, AccountKind::Root, &Policy::from(&self.config.alerts));
            }
        })
    }
}

fn unknown() -> Outcome {
    Outcome::Ambiguous { until: None, why: "it broke off".into() }
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

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
fn a_receiver_that_is_removed_while_a_pass_goes_on_is_not_begun_anew() {
    let world = World::new(Scripted::default());
    Journal::new(&world.request.state).append(&[failure(0, "root", "192.0.2.7")]).unwrap();
    let routes = Routes::of(&world.config);
    let reader = Reader::new(&world.request, &world.config, &routes, &routes.receivers[0], Arc::default());
    world.place().remove().unwrap();
    assert!(reader.serve(AtWork::default().begin()).busy);
    assert!(world.place().states().unwrap().is_empty());
}

impl World {
    /// The timeline is served beside a receiver that is at work until `meanwhile` says, of what was sent, that it is over.
    fn serve_the_timeline(&self, meanwhile: impl Fn(u64) -> bool) -> Served {
        let (routes, at_work) = (Routes::of(&self.config), AtWork::default());
        let timeline = routes.receivers.last().unwrap();
        let reader = Reader::new(&self.request, &self.config, &routes, timeline, Arc::default());
        let (own, other) = (at_work.begin(), at_work.begin());
        thread::scope(|scope| {
            let served = scope.spawn(|| reader.serve(own));
            let place = Place::new(&self.request.state, TIMELINE);
            let sent = || State::load(&place, true).unwrap().unwrap().state.last_id;
            let until = Instant::now() + 20 * SECOND;
            while !meanwhile(sent()) && Instant::now() < until {
                thread::sleep(SECOND / 10);
            }
            drop(other);
            served.join().unwrap()
        })
    }

    fn fail(&self, at: i64) {
        Journal::new(&self.request.state).append(&[failure(at, "root", "192.0.2.7")]).unwrap();
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

fn refuses() -> Outcome {
    Outcome::Refused { why: "not this text".into() }
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

fn finding(account: &str, proven: bool, verdict: Verdict) -> Finding {
    let login =
        crate::event::Event { class: crate::event::Class::Login, ..failure(9, account, "203.0.113.9") };
    let failures = Failures { count: 8, sources: 4, ..Failures::default() };
    Finding { verdict, login, failures, proven, seen: proven, told_by: None }
}

fn from(rhost: &str, finding: Finding) -> Finding {
    Finding { login: crate::event::Event { rhost: rhost.into(), ..finding.login }, ..finding }
}

const BREAK_IN: Verdict = Verdict::BreakIn { after: After::Source };

impl World {
    /// A pass that finds these logins, `later` than the last one.
    fn pass_with_logins(&self, later: Duration, findings: &[Finding]) -> Served {
        let policy = Policy::from(&self.config.alerts);
        let routes = Routes::of(&self.config);
        self.pass(later, |state, now| {
            for finding in findings {
                let kind = findings::told_as(finding.verdict, &routes.receivers[0]).unwrap();
                let turn = state.pacing.on_finding(now, finding, kind, &policy);
                let kind_of = match finding.login.user.as_str() {
                    "root" => AccountKind::Root,
                    _ => AccountKind::Existing,
                };
                state.findings.add(finding, kind, turn, (kind_of, AccountKind::Unknown));
            }
        })
    }

    fn texts(&self) -> Vec<String> {
        self.sent().into_iter().map(|(_, text)| text).collect()
    }
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
