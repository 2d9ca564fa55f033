//! From what is pending to an alert with its final text.

use jiff::Timestamp;
use serde_json::Value;

use crate::config::Alerts;
use crate::message::Composer;
use crate::receiver::{Kind, Message, Receiver};

use super::Moment;
use super::alert::Alert;
use super::state::State;

/// Put everything that is pending into an alert for this receiver.
pub fn compose(state: &mut State, receiver: &dyn Receiver, alerts: &Alerts) {
    let (now, id) = (Timestamp::now(), state.last_id + 1);
    // The one place that knows how a text is written for a receiver.
    let _style = receiver.style();
    let composer = Composer::of_this_machine(alerts);
    let (covers, plain) = (std::mem::take(&mut state.pending), state.plain_next);
    let text = if plain { composer.plain(&covers, id, now) } else { composer.compose(&covers, id, now) };
    state.last_id = id;
    state.alert = Some(Alert {
        id,
        kind: Kind::Digest,
        title: title(&text),
        text,
        facts: Value::Null,
        plain,
        covers,
        maybe_sent: false,
        unknown: 0,
        not_before: Moment(0),
        composed: now,
        cursors: state.cursors.clone(),
        totals: state.totals,
        dropped_seen: state.dropped_seen,
    });
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
        html: None,
    }
}

/// The machine and what it is about: the text up to where it says from where.
fn title(text: &str) -> String {
    let end = [" from ", " (", " ·a"].iter().filter_map(|mark| text.find(mark)).min();
    text[..end.unwrap_or(text.len())].to_owned()
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

    #[test]
    fn a_title_says_what_it_is_about_and_not_from_where() {
        assert_eq!(
            title("web1: wrong password for alice from 192.0.2.7 (sshd[1]) 12:01:47 ·a17"),
            "web1: wrong password for alice"
        );
        assert_eq!(title("web1: x ·a17"), "web1: x");
    }
}
