//! The walk of a message to a receiver that answers as it is told to.

mod break_ins;
mod passes;
mod quiet;
mod receivers;
mod refused;
mod unclear;

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
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

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

fn refuses() -> Outcome {
    Outcome::Refused { why: "not this text".into() }
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
