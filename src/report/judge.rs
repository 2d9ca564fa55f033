//! Logins after failures: each login is judged as at delivery, and what somebody should look at is kept.

use std::collections::VecDeque;

use crate::accounts::{AccountKind, Accounts};
use crate::detect::{Detector, Rules};
use crate::event::Event;
use crate::message::Reveal;

use super::numbers::Found;

/// Logins after failures that are shown one by one.
pub(super) const FOUND: usize = 200;

/// Judges logins, and keeps those that came after failures.
#[derive(Debug, Default)]
pub(super) struct Judge {
    detector: Detector,
    rules: Rules,
    count: u64,
    /// Each with what its account is, and who asked where that is its source.
    found: VecDeque<(Found, AccountKind)>,
}

impl Judge {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// How many logins came after failures.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Take in the next event; `kind` is what its user is here.
    pub(super) fn observe(&mut self, event: &Event, kind: AccountKind, accounts: &mut Accounts) {
        let Some(finding) = self.detector.observe(event, kind, event.time, &self.rules) else { return };
        let Some(verdict) = Found::verdict_of(&finding) else { return };
        self.count += 1;
        if self.found.len() >= FOUND {
            self.found.pop_front();
        }
        let login = &finding.login;
        let (source, asker) = match login.rhost.as_str() {
            "" => (&login.ruser, accounts.asker(login)),
            _ => (&login.rhost, AccountKind::Existing),
        };
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        self.found.push_back((
            Found {
                time: login.time,
                verdict,
                account: some(&login.user),
                source: some(source),
                service: some(&login.service),
                failures: finding.failures.count,
                proven: finding.proven,
                host: login.host.clone(),
            },
            asker,
        ));
    }

    /// The latest of them, with what may be shown.
    pub(super) fn findings(self, reveal: Reveal) -> Vec<Found> {
        self.found.into_iter().map(|found| revealed(found, reveal)).collect()
    }
}

/// A finding with what may be shown of it.
fn revealed((found, asker): (Found, AccountKind), reveal: Reveal) -> Found {
    let shown =
        |text: Option<String>, show: &dyn Fn(&str) -> Option<String>| text.and_then(|text| show(&text));
    let named = |kind: AccountKind| reveal.unknown || kind.is_account();
    Found {
        // Who got in is an account, if not of this machine, then of that which wrote the log.
        account: found.account,
        source: shown(found.source.filter(|_| named(asker)), &|text| reveal.remote(text).map(str::to_owned)),
        service: shown(found.service, &|text| reveal.service(text).map(str::to_owned)),
        host: reveal.remote(&found.host).unwrap_or_default().to_owned(),
        ..found
    }
}
