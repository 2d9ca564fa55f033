//! What was found out about a login.

use std::fmt;

use compact_str::CompactString;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::source::Source;
use crate::event::Event;
use crate::neutral;

/// A login, and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is.
    pub verdict: Verdict,
    /// The login itself: time, machine, account, source, who asked, service, process.
    pub login: Event,
    /// The failures that it came after; none counted for a plain login.
    #[serde(default)]
    pub failures: Failures,
    /// The module saw the login, and enough of the failures for the verdict. What rests on lines of a log can be
    /// written there by any user of the machine: it is reported, and takes no token that is kept for what is proven.
    #[serde(default)]
    pub proven: bool,
    /// The module saw a part of it: the login, or enough of the failures. Who writes lines of a log alone does not get so far.
    #[serde(default)]
    pub seen: bool,
    /// It is a break-in by the word of this member of a fleet, which told of failures of its source that the machine of
    /// the login knows nothing of; none where what that machine itself saw is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_by: Option<CompactString>,
}

impl Finding {
    /// Where the login came from, as failures are counted by; empty where nothing is known.
    pub fn source(&self) -> CompactString {
        Source::of(&self.login).map_or_else(CompactString::default, |source| (**source.key()).into())
    }
}

/// One line for the terminal. The text of an alert is the message's.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (login, failures) = (&self.login, &self.failures);
        let what = match self.verdict {
            Verdict::BreakIn { .. } => "BREAK-IN?",
            Verdict::UnderAttack => "new source while the account is under attack:",
            Verdict::NewSource { .. } => "new source:",
            Verdict::Login => "login:",
        };
        write!(f, "{what} {} through {}", neutral::name(&login.user), neutral::name(&login.service))?;
        match (login.rhost.as_str(), login.ruser.as_str()) {
            ("", "") => {}
            ("", by) => write!(f, " by {}", neutral::name(by))?,
            (from, _) => write!(f, " from {}", neutral::name(from))?,
        }
        match failures.count {
            0 => Ok(()),
            1 => write!(f, " after 1 failed login"),
            n => write!(f, " after {n} failed logins"),
        }
    }
}

/// What a login is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Who is in now failed `break_in_after` times or more within a day.
    BreakIn {
        /// What the failures have in common with the login.
        after: After,
    },
    /// The account failed often within a day, from many sources, and is in from a network that it never came
    /// from: "a new source, while the account is under attack", not a break-in.
    UnderAttack,
    /// The account never came from this address.
    NewSource {
        /// But from others of its network (/16, /48).
        network_known: bool,
    },
    /// Nothing but a login.
    Login,
}

impl Verdict {
    /// Whether somebody should look at the login.
    pub(crate) fn is_alarm(self) -> bool {
        matches!(self, Self::BreakIn { .. } | Self::UnderAttack)
    }
}

/// What failures have in common with the login that followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum After {
    /// The source: an address (of IPv6 the network of 64 bits), or the terminal where nobody was logged in yet.
    Source,
    /// Who asked, at the machine itself (su, sudo, doas).
    Asker,
}

/// Failures of the day before a login.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failures {
    /// How many. For [`Verdict::BreakIn`] those of the source, or of the user who asked; for
    /// [`Verdict::UnderAttack`] those of the account, from wherever.
    pub count: u64,
    /// The first of them, to within four hours where they went on for longer than a day.
    pub since: Option<Timestamp>,
    /// The last of them.
    pub last: Option<Timestamp>,
    /// Of these how many tried the account that is in now.
    pub of_account: u64,
    /// How many names were tried; a lower bound from [`super::TOLD_APART`] on.
    pub names: u64,
    /// Tried names that are accounts, most often tried first; at most [`super::NAMES`]. Names of no account are
    /// never here: they may be passwords.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// From how many sources; a lower bound from [`super::TOLD_APART`] on.
    pub sources: u64,
}
