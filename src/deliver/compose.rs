//! From what is pending to an alert with its final text.

use jiff::Timestamp;

use crate::config::Alerts;
use crate::message::{Composer, Content, Dispatch, Summary, Weekly, facts_in_numbers};
use crate::receiver::{Kind, Message, Receiver};

use super::Moment;
use super::alert::Alert;
use super::findings::Proven;
use super::state::State;

/// Put everything that is pending into an alert for this receiver.
pub fn compose(state: &mut State, receiver: &dyn Receiver, alerts: &Alerts) {
    let covers = std::mem::take(&mut state.pending);
    let content = Content::Failures(&covers);
    let alert = write(state, receiver, alerts, Kind::Digest, content);
    state.alert = Some(Alert { covers, ..alert });
}

/// Put what covers no failure into the queue.
pub fn enqueue(
    state: &mut State,
    receiver: &dyn Receiver,
    alerts: &Alerts,
    kind: Kind,
    content: Content<'_>,
) {
    let alert = write(state, receiver, alerts, kind, content);
    state.queue.push(alert);
}

/// Put a weekly summary into the queue, with its page where the receiver carries one.
pub fn enqueue_week(
    state: &mut State,
    receiver: &dyn Receiver,
    alerts: &Alerts,
    week: &Weekly,
    page: impl FnOnce() -> Option<String>,
) {
    let alert = write(state, receiver, alerts, Kind::Summary, Content::Weekly(week));
    let html = if receiver.carries_pages() { page() } else { None };
    state.queue.push(Alert { html, ..alert });
}

/// Put a break-in into the queue.
pub fn enqueue_break_in(state: &mut State, receiver: &dyn Receiver, alerts: &Alerts, found: &Proven) {
    let alert = write(state, receiver, alerts, Kind::BreakIn, Content::BreakIn(&found.content));
    // What another member of a fleet tells goes behind what the machine itself saw.
    let proven = found.proven && found.told_by.is_empty();
    state.queue.push(Alert { proven, ..alert });
}

/// The next message, in this receiver's style.
fn write(
    state: &mut State,
    receiver: &dyn Receiver,
    alerts: &Alerts,
    kind: Kind,
    content: Content<'_>,
) -> Alert {
    let (now, id, style) = (Timestamp::now(), state.last_id + 1, receiver.style());
    let (composer, dispatch) = (Composer::of_this_machine(alerts), Dispatch::new(id, now));
    let in_numbers = composer.plain(&style, content, dispatch);
    state.last_id = id;
    let alert = Alert {
        id,
        kind,
        proven: false,
        title: composer.title(&style, content),
        text: composer.text(&style, content, dispatch),
        facts: composer.facts(content, dispatch),
        html: None,
        plain: false,
        in_numbers: None,
        covers: Summary::default(),
        maybe_sent: false,
        unknown: 0,
        unproved: 0,
        refusals: 0,
        not_before: Moment(0),
        composed: now,
        cursors: state.cursors.clone(),
        totals: state.totals,
        dropped_seen: state.dropped_seen,
    };
    match kind {
        Kind::Digest if state.plain_next => numbers_alone(alert, in_numbers),
        Kind::Digest => alert,
        _ => Alert { in_numbers: Some(in_numbers), ..alert },
    }
}

/// The same message as `text`, of numbers alone. Whatever a receiver shows beside it says no more: it may have been that
/// which was refused.
pub fn numbers_alone(alert: Alert, text: String) -> Alert {
    let title = text.lines().next().unwrap_or_default().to_owned();
    Alert {
        title,
        facts: facts_in_numbers(alert.facts),
        text,
        html: None,
        plain: true,
        in_numbers: None,
        ..alert
    }
}

/// Take back an alert that surely was not sent: what it covers is pending again, and its number is free.
pub fn take_back(state: &mut State) {
    let Some(alert) = state.alert.take_if(|alert| !alert.maybe_sent) else { return };
    let mut covers = alert.covers;
    covers.merge(std::mem::take(&mut state.pending));
    state.pending = covers;
    if state.last_id == alert.id {
        state.last_id -= 1;
    }
}

/// What a receiver is asked to send.
pub fn message<'a>(alert: &'a Alert, key: &'a str) -> Message<'a> {
    Message {
        number: alert.id,
        key,
        kind: alert.kind,
        title: &alert.title,
        text: &alert.text,
        facts: &alert.facts,
        html: alert.html.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::AccountKind;
    use crate::message::summary::tests::failure;
    use crate::receiver::timeline::Timeline;

    #[test]
    fn an_alert_that_was_not_sent_is_taken_back_whole_and_its_number_with_it() {
        let mut state = State::default();
        state.pending.add(&failure(0, "root", "192.0.2.7"), AccountKind::Root, AccountKind::Unknown);
        let before = state.pending.clone();
        compose(&mut state, &Timeline, &Alerts::default());
        assert_eq!((state.pending.failures(), state.last_id, state.unsettled()), (0, 1, 1));
        take_back(&mut state);
        assert_eq!((&state.pending, state.last_id), (&before, 0));
        compose(&mut state, &Timeline, &Alerts::default());
        state.alert.as_mut().unwrap().maybe_sent = true;
        take_back(&mut state);
        assert!(state.alert.is_some(), "what may have arrived keeps its text");
    }
}
