//! Composing an alert, sending it, and what becomes of it.

use std::io;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::deliver::history::{Entry, History};
use crate::deliver::{Due, Moment, Policy};
use crate::message::Composer;
use crate::receiver::x::X;
use crate::receiver::{Outcome, Receiver};

use super::route::{self, Route};
use super::state::{Addresses, Composed, Post};
use super::trouble::Kind;
use super::{Notice, Pass, Report, Setting, meet};

/// Stale addresses are left so long to a command, which comes each minute where one comes at all. In a flood
/// each login would find that it is time to try again before a command does, and fail as the one before.
const LEFT_TO_A_COMMAND: Duration = Duration::from_secs(180);

/// What to do next in this pass.
enum Next {
    /// There may be more to send.
    Go,
    /// Nothing more can be sent now.
    Stop,
}

impl Pass<'_> {
    /// Send alerts until nothing is due. Says whether the state has to be written.
    pub(super) fn send_what_is_due(&mut self, policy: &Policy, report: &mut Report) -> io::Result<bool> {
        let mut changed = false;
        let mut route = None;
        loop {
            if !self.has_one_to_send(policy, report) {
                return Ok(changed);
            }
            changed = true;
            if route.is_none() {
                match route::choose(self.config, self.order.setting, self.state.addresses.as_ref()) {
                    Ok(chosen) => route = Some(chosen),
                    Err((kind, why)) => {
                        self.meet(kind, why, None);
                        return Ok(true);
                    }
                }
            }
            let Some(chosen) = &route else { return Ok(true) };
            match self.send(chosen, report)? {
                Next::Go => {}
                Next::Stop => return Ok(true),
            }
        }
    }

    /// Whether an alert is composed and may be sent now; compose one if it is due.
    fn has_one_to_send(&mut self, policy: &Policy, report: &mut Report) -> bool {
        if let Some(until) = self.held_until() {
            report.next = Some(until.since(self.now));
            return false;
        }
        if self.state.alert.is_some() {
            return true;
        }
        if self.state.pending.is_empty() {
            return false;
        }
        match self.state.pacing.due(self.now, policy) {
            _ if self.state.plain_next => {}
            Due::Now => {}
            Due::At(moment) => {
                report.next = Some(moment.since(self.now));
                return false;
            }
            Due::Nothing => return false,
        }
        self.compose(policy);
        true
    }

    /// Until when X is left alone, if it is.
    fn held_until(&self) -> Option<Moment> {
        let trouble = self.state.trouble.as_ref()?;
        if self.order.at_once || trouble.fingerprint != route::fingerprint(self.config) {
            return None;
        }
        let doubted = self.state.addresses.as_ref().and_then(|a| a.doubted);
        let until = match (doubted, self.order.setting) {
            (Some(_), Setting::Command) if trouble.kind == Kind::Network => self.now,
            (Some(since), Setting::Login) => trouble.next.max(since.min(self.now).plus(LEFT_TO_A_COMMAND)),
            _ => trouble.next,
        };
        (until > self.now).then_some(until)
    }

    fn compose(&mut self, policy: &Policy) {
        let state = &mut *self.state;
        let (now, id) = (Timestamp::now(), state.last_id + 1);
        let composer = Composer::of_this_machine(&self.config.alerts);
        let plain = std::mem::take(&mut state.plain_next);
        let covers = std::mem::take(&mut state.pending);
        let text = if plain { composer.plain(&covers, id, now) } else { composer.compose(&covers, id, now) };
        state.pacing.sent(self.now, policy);
        state.last_id = id;
        state.alert = Some(Composed {
            id,
            text,
            plain,
            covers,
            unsure: false,
            suspected: 0,
            composed: now,
            cursors: state.cursors.clone(),
            totals: state.totals,
            dropped_seen: state.dropped_seen,
        });
    }

    fn send(&mut self, route: &Route, report: &mut Report) -> io::Result<Next> {
        let Some(alert) = self.state.alert.as_mut() else { return Ok(Next::Stop) };
        let (unsure_before, text) = (alert.unsure, alert.text.clone());
        self.lock.check()?;
        match route {
            Route::Timeline => {
                alert.unsure = true;
                self.state.stage(&self.order.state)?;
                let answer = Outcome::Accepted { id: String::new() };
                self.became(answer, "timeline", unsure_before, report)
            }
            Route::X(x) => {
                let answer = if unsure_before {
                    // Who cannot note that X is to be left alone must not ask it again and again.
                    self.save()?;
                    x.post(&text)
                } else {
                    self.post_first(x, &text)?
                };
                self.note_addresses(x, &answer);
                self.became(answer, "x", unsure_before, report)
            }
        }
    }

    /// Post a text that was never sent. Only when there is a connection, before the first byte, it is
    /// noted that X may have it: who dies in a look-up or a handshake has sent nothing, and knows it.
    fn post_first(&mut self, x: &X, text: &str) -> io::Result<Outcome> {
        let directory = &self.order.state;
        // Where there is no room for this, X is not even called.
        self.state.staging(directory)?.write()?;
        if let Some(alert) = self.state.alert.as_mut() {
            alert.unsure = true;
        }
        let (lock, staging) = (self.lock.clone(), self.state.staging(directory)?);
        let (failed, failure) = mpsc::channel();
        let note = move || {
            lock.check().and_then(|()| staging.put()).map_err(|e| {
                let shown = io::Error::other(e.to_string());
                let _ = failed.send(e);
                shown
            })
        };
        let answer = x.post_after(text, Some(Box::new(note)));
        let Ok(failed) = failure.try_recv() else { return Ok(answer) };
        // Nothing was sent: the note, which may be there although it could not be made durable, is taken back.
        if let Some(alert) = self.state.alert.as_mut() {
            alert.unsure = false;
        }
        self.lock.check()?;
        self.state.staging(directory)?.write()?;
        Err(failed)
    }

    fn note_addresses(&mut self, x: &X, answer: &Outcome) {
        let (known, used) = (self.state.addresses.as_mut(), x.addresses());
        match (self.order.setting, known) {
            (Setting::Command, _) if !used.is_empty() => {
                let api_url = self.config.x.api_url.clone();
                let time = Timestamp::now();
                self.state.addresses = Some(Addresses { api_url, list: used, time, doubted: None });
            }
            // They cannot be looked up: the old ones are as good as any.
            (Setting::Command, Some(known)) => known.doubted = None,
            (Setting::Login, Some(known)) if matches!(answer, Outcome::NotSent { .. }) => {
                known.doubted = Some(self.now);
            }
            _ => {}
        }
    }

    fn became(
        &mut self,
        answer: Outcome,
        receiver: &str,
        unsure_before: bool,
        report: &mut Report,
    ) -> io::Result<Next> {
        let Some(alert) = self.state.alert.as_mut() else { return Ok(Next::Stop) };
        alert.unsure = unsure_before || matches!(answer, Outcome::Ambiguous { .. });
        alert.suspected = match answer {
            Outcome::Refused { .. } | Outcome::Suspect { .. } => alert.suspected.saturating_add(1),
            Outcome::NotSent { .. } => alert.suspected,
            _ => 0,
        };
        // X may have accepted it before: then a refusal is more likely X's trouble than the text's.
        let (refused, suspect) = if unsure_before { (5, 3) } else { (1, 2) };
        match answer {
            Outcome::Accepted { id } => self.delivered(receiver, id, report),
            Outcome::Duplicate if unsure_before => self.delivered(receiver, String::new(), report),
            Outcome::Duplicate => {
                self.refused("X says it has this text already, and it was never sent".into())
            }
            Outcome::NotSent { why } => self.hold(Kind::Network, why, None),
            Outcome::Ambiguous { until, why } => self.hold(Kind::Unclear, why, wait(until)),
            Outcome::Limited { until, why } => self.hold(Kind::Limited, why, wait(until)),
            Outcome::Pause { why } => self.hold(Kind::Paused, why, None),
            Outcome::Suspect { why } if alert.suspected >= suspect => self.refused(why),
            Outcome::Suspect { why } => self.hold(Kind::Paused, why, None),
            Outcome::Stop { why } => self.hold(Kind::Stopped, why, None),
            Outcome::Refused { why } if alert.suspected >= refused => self.refused(why),
            Outcome::Refused { why } => self.hold(Kind::Unclear, why, None),
        }
    }

    fn delivered(&mut self, receiver: &str, post: String, report: &mut Report) -> io::Result<Next> {
        self.lock.check()?;
        let Some(alert) = self.state.alert.take() else { return Ok(Next::Stop) };
        let time = Timestamp::now();
        let failures = alert.covers.failures();
        // What is settled with this alert: as it was when the alert was composed, and the alert.
        let mut totals = alert.totals;
        totals.posted += failures;
        totals.posts += 1;
        History::timeline(&self.order.state).add(&Entry {
            id: alert.id,
            time,
            receiver: receiver.into(),
            post,
            failures,
            text: alert.text.clone(),
            totals,
            cursors: alert.cursors,
            dropped_seen: alert.dropped_seen,
        })?;
        self.state.totals.posted += failures;
        self.state.totals.posts += 1;
        self.state.last_post = Some(Post { id: alert.id, time, failures });
        report.sent.push((alert.id, alert.text));
        if let Some(trouble) = self.state.trouble.take() {
            self.notices.push(Notice::info(format!(
                "alerts are delivered again; since {}: {}",
                trouble.since, trouble.why
            )));
        }
        self.save()?;
        Ok(Next::Go)
    }

    /// X will not take this text: its failures are told in the next alert, which has another.
    fn refused(&mut self, why: String) -> io::Result<Next> {
        self.lock.check()?;
        let Some(alert) = self.state.alert.take() else { return Ok(Next::Stop) };
        let (id, plain) = (alert.id, alert.plain);
        self.set_text_aside(&alert.text, id, &why)?;
        let mut covers = alert.covers;
        covers.merge(std::mem::take(&mut self.state.pending));
        self.state.pending = covers;
        self.state.pacing.pending(self.now);
        self.state.plain_next = true;
        self.notices.push(Notice::error(format!(
            "X refused the text of alert {id}, which tells its failures anew: {why}"
        )));
        if plain {
            return self.hold(Kind::Refused, format!("X refuses even a text of numbers alone: {why}"), None);
        }
        self.save()?;
        Ok(Next::Go)
    }

    /// Leave X alone for a while.
    fn hold(&mut self, kind: Kind, why: String, until: Option<Duration>) -> io::Result<Next> {
        self.meet(kind, why, until);
        self.save()?;
        Ok(Next::Stop)
    }

    fn meet(&mut self, kind: Kind, why: String, until: Option<Duration>) {
        let fingerprint = route::fingerprint(self.config);
        let (trouble, tell) = meet(self.state, kind, why, self.now, until, fingerprint);
        if tell {
            self.notices.push(Notice::error(format!("alerts are not delivered: {}", trouble.why)));
        }
        self.state.trouble = Some(trouble);
    }

    fn set_text_aside(&self, text: &str, id: u64, why: &str) -> io::Result<()> {
        let path = self.order.state.join("refused.jsonl");
        let mut kept = crate::storage::read(&path).unwrap_or_default();
        if kept.len() > 256 << 10 {
            kept.clear();
        }
        let line = serde_json::json!({ "id": id, "time": Timestamp::now(), "text": text, "why": why });
        kept.extend_from_slice(format!("{line}\n").as_bytes());
        crate::storage::replace(&path, &kept)
    }
}

fn wait(until: Option<SystemTime>) -> Option<Duration> {
    until?.duration_since(SystemTime::now()).ok()
}
