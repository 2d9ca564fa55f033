//! The wording of what authalert says of itself, and of a week.

use super::content::{Health, Heartbeat, Weekly};
use super::digest::Digest;
use super::listing::origin;
use super::reveal::known_as;
use super::time::{Clock, counted};
use crate::neutral;

/// Longest word of what is wrong.
const LONGEST: usize = 200;

/// `all quiet: authalert watches sshd, su, sudo and the logs; 3 failed logins since Nov 16 12:01`
pub(super) fn heartbeat(content: &Heartbeat, clock: &Clock<'_>) -> Vec<String> {
    let mut watched: Vec<String> = content.services.iter().map(|s| neutral::name(known_as(s))).collect();
    watched.dedup();
    let failed = match content.failures {
        0 => "no failed login".into(),
        n => counted(n, "failed login"),
    };
    let failed = format!("{failed} since {}", clock.minute(content.since));
    let few = match (watched.len(), content.logs) {
        (0, true) => "the logs".into(),
        (0, false) => "nothing".into(),
        (n, true) => format!("{} and the logs", counted(n as u64, "service")),
        (n, false) => counted(n as u64, "service"),
    };
    if content.logs {
        watched.push("the logs".into());
    }
    let all = match watched.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => "nothing".into(),
    };
    let watches = |what| format!("all quiet: authalert watches {what}; {failed}");
    vec![watches(all), watches(few), format!("all quiet, {failed}")]
}

/// `authalert needs you: the scan has no source, since 11:20`, `well again: …`
pub(super) fn health(content: &Health, clock: &Clock<'_>) -> Vec<String> {
    let (what, since) = (neutral::text(&content.what, LONGEST), clock.minute(content.since));
    vec![if content.cleared {
        format!("well again: {what} (it was so since {since})")
    } else {
        format!("authalert needs you: {what}, since {since}")
    }]
}

/// Three lines: the numbers, who was tried, from where.
pub(super) fn weekly(content: &Weekly, digest: &Digest<'_>) -> Vec<String> {
    let failures = &content.failures;
    let numbers = format!(
        "since {}: {}{}, {}, {}, {}",
        digest.clock.minute(content.since),
        counted(failures.failures(), "failed login"),
        origin(failures, Some(digest.reveal)),
        counted(content.logins, "login"),
        counted(content.break_ins, "break-in warning"),
        counted(content.alerts, "alert"),
    );
    let mut forms: Vec<String> = [8, 4, 2, 1]
        .into_iter()
        .map(|most| {
            let names = digest.names(most);
            let named = |word: &str| names.iter().find(|clause| clause.starts_with(word)).cloned();
            let lines: Vec<String> =
                [Some(numbers.clone()), named("Tried"), named("From")].into_iter().flatten().collect();
            digest.joined(&lines)
        })
        .collect();
    forms.extend(
        digest
            .names(2)
            .iter()
            .find(|clause| clause.starts_with("Tried"))
            .map(|tried| digest.joined(&[numbers.clone(), tried.clone()])),
    );
    forms.push(numbers);
    forms
}
