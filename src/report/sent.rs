//! What each receiver was sent, as its own history on this machine has it.

use std::path::Path;

use jiff::Timestamp;

use super::numbers::Sent;
use crate::config::{Config, TIMELINE};
use crate::deliver::history::History;
use crate::deliver::place::{Place, RECEIVERS};

/// Messages from `since` to `until`, of every receiver that has a history in the state directory, the timeline last.
pub(super) fn of(state: &Path, config: &Config, since: Timestamp, until: Timestamp) -> Vec<Sent> {
    // Whether there is an account of X is seen by its history.
    let mut names: Vec<String> = config.receivers(true).into_iter().map(|receiver| receiver.name).collect();
    names.retain(|name| name != TIMELINE);
    names.push(TIMELINE.into());
    let sent = names.into_iter().filter_map(|name| {
        let mut sent = Sent { name, messages: 0, failures: 0 };
        let history = History::of(&Place::new(state, &sent.name));
        if sent.name != TIMELINE && !history.path().exists() {
            return None;
        }
        let mut each = |entry: Option<crate::deliver::history::Entry>| {
            if let Some(entry) = entry.filter(|entry| entry.time >= since && entry.time <= until) {
                sent.messages += 1;
                sent.failures = sent.failures.saturating_add(entry.failures);
            }
        };
        history.read(0, &mut each).ok()?;
        Some(sent)
    });
    if state.join(RECEIVERS).is_dir() { sent.collect() } else { Vec::new() }
}
