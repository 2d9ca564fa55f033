//! What is wrong with this installation, and how to put it right: one line a finding.
//!
//! - `stacks`: the module's lines in the PAM stacks, and the files they name.
//! - `sshd`: whether it asks PAM. `loader`: whether what is named can be loaded.
//! - `schedule`: who starts a pass each minute. `directory`: that of the state. `logs`: what the scan can read.
//! - `delivery`: how it stands with each receiver.
//! - `account`: configuration, credentials, what X says of them, the clock. `receivers`: each that is set up.
//! - `definitions`, `rules`: the administrator's own.
//! - `watch`: the same for a pass, which tells the administrator of it.

mod account;
mod definitions;
mod delivery;
mod directory;
mod loader;
mod logs;
mod receivers;
mod rules;
mod schedule;
mod sshd;
mod stacks;
mod watch;

use std::path::Path;

use crate::config::{self, Config};
use crate::installation;
use crate::receiver::definition::OWN;
use crate::storage::plain;

pub use schedule::each_minute;
pub use watch::look;

/// Stands before the command that puts right what is wrong.
const CURE: &str = "; run: ";

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Fine,
    /// It works, and may not do what is expected.
    Warning,
    /// Failures are missed, or alerts do not arrive.
    Error,
}

/// One line of the check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub what: String,
    /// What to do; empty where nothing has to be done.
    pub fix: String,
}

impl Finding {
    fn fine(what: impl Into<String>) -> Self {
        Self { level: Level::Fine, what: plain(what.into()), fix: String::new() }
    }

    fn warning(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Warning, what: plain(what.into()), fix: fix.into() }
    }

    fn error(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Error, what: plain(what.into()), fix: fix.into() }
    }

    /// The same where what is wrong says itself what to run: that is what to do, and what is to be done then.
    fn with_its_cure(self) -> Self {
        let Some((what, cure)) = self.what.split_once(CURE) else { return self };
        let fix = match self.fix.find("then '") {
            Some(at) => format!("{cure}; {}", &self.fix[at..]),
            None => cure.to_owned(),
        };
        Self { what: what.to_owned(), fix, ..self }
    }
}

/// Look at everything. `ask_x`: also ask X what it thinks of the credentials.
pub fn check(state: &Path, config: &Result<Config, config::Error>, ask_x: bool) -> Vec<Finding> {
    let defaults = Config::default();
    let mut findings = account::configuration(config);
    let is_usable = config.is_ok();
    let config = config.as_ref().unwrap_or(&defaults);
    let lines = installation::lines();
    findings.extend(stacks::check(&lines, Path::new("/")));
    if let Some(closed) = directory::may_not_look(state) {
        findings.extend([schedule::each_minute(), closed]);
        return findings;
    }
    findings.extend(stacks::lost(&lines, state));
    findings.extend(directory::check(state));
    findings.push(schedule::each_minute());
    findings.extend(schedule::stale(state));
    findings.extend(logs::check(state, config));
    // What it says of receivers nobody knows where it cannot be read.
    if is_usable {
        findings.extend(account::check(config, ask_x));
        findings.extend(receivers::check(config));
    }
    findings.extend(definitions::check(Path::new(OWN)));
    findings.extend(rules::check(Path::new(crate::scan::rules::book::OWN)));
    // What cannot be used is why nothing is sent: one line for it is enough.
    let said = |why: &str| findings.iter().any(|finding: &Finding| finding.what.contains(why));
    let delivery = delivery::check(state, config, said);
    findings.extend(delivery);
    once(findings).into_iter().map(Finding::with_its_cure).collect()
}

/// Without what another finding says as well: a mistake is one line, with what comes of it.
fn once(mut findings: Vec<Finding>) -> Vec<Finding> {
    let mut at = 0;
    while let Some(finding) = findings.get(at) {
        let what = finding.what.trim_end_matches(config::MEANWHILE);
        let same = |other: &Finding| other.level >= finding.level && other.what.contains(what);
        let is_said = findings
            .iter()
            .enumerate()
            .any(|(i, other)| i != at && same(other) && (i < at || other.what != finding.what));
        match is_said && finding.level > Level::Fine {
            true => drop(findings.remove(at)),
            false => at += 1,
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_puts_it_right_is_behind_the_arrow() {
        let cure = "chown root a && chmod 600 a";
        for (fix, shown) in [
            ("mend it in the credentials, then 'authalert test ntfy'", "; then 'authalert test ntfy'"),
            ("then 'authalert deliver --now'", "; then 'authalert deliver --now'"),
            ("correct the configuration, see authalert.toml(5)", ""),
        ] {
            let found = Finding::error(format!("ntfy gets nothing: a is open to others; run: {cure}"), fix);
            let expected = ("ntfy gets nothing: a is open to others".to_owned(), format!("{cure}{shown}"));
            let Finding { what, fix, .. } = found.with_its_cure();
            assert_eq!((what, fix), expected);
        }
        let other = Finding::warning("two contradict each other", "change [alerts]");
        assert_eq!(other.clone().with_its_cure(), other);
        let denied = std::io::Error::from_raw_os_error(13);
        assert_eq!(Finding::fine(format!("a: {denied}")).what, "a: Permission denied");
    }

    #[test]
    fn a_mistake_is_one_line_with_what_comes_of_it() {
        let found = [
            Finding::error("credentials.toml is open to others", "chmod"),
            Finding::fine("the receiver a can be used"),
            Finding::error(
                "the receivers a and b get nothing: credentials.toml is open to others",
                "mend it",
            ),
            Finding::error("gate.toml: line 3: title is missing", "correct it"),
            Finding::error("the receiver c gets nothing: gate.toml: line 3: title is missing", "mend it"),
            Finding::error(
                format!("line 2: x.proxy must be http://HOST:PORT{}", config::MEANWHILE),
                "correct it",
            ),
            Finding::error(
                "the receiver x cannot be used: line 2: x.proxy must be http://HOST:PORT",
                "change it",
            ),
            Finding::warning("twice", ""),
            Finding::warning("twice", ""),
            Finding::fine("the receiver a can be used"),
        ];
        let left: Vec<_> = once(found.into()).into_iter().map(|finding| finding.what).collect();
        assert_eq!(
            left,
            [
                "the receiver a can be used",
                "the receivers a and b get nothing: credentials.toml is open to others",
                "the receiver c gets nothing: gate.toml: line 3: title is missing",
                "the receiver x cannot be used: line 2: x.proxy must be http://HOST:PORT",
                "twice",
                "the receiver a can be used",
            ]
        );
    }
}
