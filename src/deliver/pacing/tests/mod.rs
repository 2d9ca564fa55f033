//! What pacing promises, and what somebody who knows it can make of it.

mod break_ins;
mod intervals;
mod members;
mod states;
mod urgent;

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

/// As `member` tells of what failed elsewhere.
fn told_by(member: &str, finding: Finding) -> Finding {
    Finding { told_by: Some(member.into()), ..finding }
}

fn at_host(host: &str, finding: Finding) -> Finding {
    let origin = Some("fleet:0000000000000007:1:eu".into());
    Finding { login: Event { host: host.into(), origin, ..finding.login }, ..finding }
}

/// Whether it waits with all that there is to say of it.
fn waiting_has(waiting: &Findings, finding: &Finding) -> bool {
    let json = serde_json::to_value(waiting).unwrap();
    json["break_ins"].as_array().unwrap().iter().any(|found| found["login"]["user"] == finding.login.user)
}
