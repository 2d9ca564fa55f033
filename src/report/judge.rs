//! Logins after failures: each login is judged as at delivery, and what somebody should look at is kept.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::accounts::{AccountKind, Accounts};
use crate::detect::{Detector, Finding, Rules};
use crate::event::Event;
use crate::message::Reveal;

use super::numbers::Found;

/// Logins after failures that are shown one by one.
pub(super) const FOUND: usize = 200;

/// Judges logins, and keeps those that came after failures.
#[derive(Debug)]
pub(super) struct Judge {
    detector: Detector,
    rules: Rules,
    /// Logins before it are no part of the report.
    since: Timestamp,
    count: u64,
    found: VecDeque<Finding>,
}

impl Judge {
    pub(super) fn new(rules: Rules, since: Timestamp) -> Self {
        Self { detector: Detector::default(), rules, since, count: 0, found: VecDeque::new() }
    }

    /// Take in the next event in the order of time; `kind` is what its user is here.
    pub(super) fn take(&mut self, event: &Event, kind: AccountKind) {
        for finding in self.detector.observe_alarms(event, kind, &self.rules) {
            if finding.login.time < self.since {
                continue;
            }
            self.count += 1;
            if self.found.len() >= FOUND {
                self.found.pop_front();
            }
            self.found.push_back(finding);
        }
    }

    /// How many logins came after failures, and the latest of them, with what may be shown.
    pub(super) fn finish(self, accounts: &mut Accounts, reveal: Reveal) -> (u64, Vec<Found>) {
        let found = self.found.into_iter().filter_map(|finding| revealed(finding, accounts, reveal));
        (self.count, found.collect())
    }
}

/// A finding with what may be shown of it.
fn revealed(finding: Finding, accounts: &mut Accounts, reveal: Reveal) -> Option<Found> {
    let verdict = Found::verdict_of(&finding)?;
    let Finding { login, failures, proven, .. } = finding;
    // Who asked, where that is its source.
    let (source, asker) = match login.rhost.as_str() {
        "" => (&login.ruser, accounts.asker(&login)),
        _ => (&login.rhost, AccountKind::Existing),
    };
    let source = Some(source).filter(|_| reveal.unknown || asker.is_account());
    let shown = |text: &str, shown: Option<&str>| shown.filter(|_| !text.is_empty()).map(str::to_owned);
    Some(Found {
        time: login.time,
        verdict,
        source: source.and_then(|text| shown(text, reveal.remote(text))),
        service: shown(&login.service, reveal.service(&login.service)),
        failures: failures.count,
        is_by: login.rhost.is_empty(),
        proven,
        host: reveal.remote(&login.host).unwrap_or_default().to_owned(),
        // Who got in is an account, if not of this machine, then of that which wrote the log.
        account: Some(login.user).filter(|user| !user.is_empty()),
    })
}
