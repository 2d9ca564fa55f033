//! How delivery stands with each receiver.

use std::path::Path;

use crate::config::Config;
use crate::deliver::place::Place;
use crate::deliver::status::{self, Named};
use crate::deliver::{Refused, next_attempt};
use crate::message::counted;
use crate::zone::local;

use super::Finding;

/// What waits at each, and why; not for a reason that was `said`.
pub fn check(state: &Path, config: &Config, said: impl Fn(&str) -> bool) -> Vec<Finding> {
    let status = match status::take(state, config) {
        Ok(status) => status,
        Err(e) => return vec![Finding::error(format!("cannot read the state: {e}"), "run this as root")],
    };
    let (mut findings, mut whys) = (Vec::new(), Vec::new());
    for Named { name, counters, .. } in status.receivers {
        findings.extend(counters.last_refused.map(|refused| refused_finding(&name, &refused, state)));
        let Some(why) = counters.last_error.filter(|why| !said(why) && !whys.contains(why)) else { continue };
        let since = counters.error_since.map(|t| local().to_datetime(t).strftime(" since %Y-%m-%d %H:%M:%S"));
        let since = since.map(|since| since.to_string()).unwrap_or_default();
        let next = counters.next_attempt_seconds.map(next_attempt);
        let next = next.map(|next| format!(", next attempt {next}")).unwrap_or_default();
        // A break-in waits as a message of its own.
        let messages = counted(counters.queued, "message");
        let failures = format!("{} pending", counted(counters.pending, "failure"));
        let waiting = match (counters.queued, counters.pending) {
            (0, _) => failures,
            (_, 0) => format!("{messages} waiting"),
            _ => format!("{messages} waiting, {failures}"),
        };
        let what = format!("{name}: {waiting}{since}{next}: {why}");
        findings.push(match counters.is_passing {
            true => Finding::fine(what),
            false => Finding::error(what, "put that right, then 'authalert deliver --now'"),
        });
        whys.push(why);
    }
    if status.dropped > 0 {
        findings.push(Finding::warning(
            format!("{} found no room in the journal, ever", counted(status.dropped, "failure")),
            "raise [journal] max_size, and see that something delivers each minute",
        ));
    }
    if status.unreadable > 0 {
        findings.push(Finding::warning(
            format!("{} of the journal could not be read, ever", counted(status.unreadable, "line")),
            format!("look at {}/unreadable.log and at the disk", state.display()),
        ));
    }
    findings
}

/// A text that the service refused: what it told came without its names.
fn refused_finding(name: &str, refused: &Refused, state: &Path) -> Finding {
    let what = if refused.is_break_in { "a break-in" } else { "a message" };
    let time = local().to_datetime(refused.time).strftime("%Y-%m-%d %H:%M:%S");
    let file = Place::new(state, name).rejected();
    Finding::warning(
        format!(
            "{name} refused the text of {what}, number {}, {time}, which goes out in numbers alone: {}",
            refused.id, refused.why
        ),
        format!(
            "the text is in {}; a service that takes fewer characters: 'markup' and 'unit' in authalert-receivers(5)",
            file.display()
        ),
    )
}
