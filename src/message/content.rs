//! What a message says, as plain data: filled in by who found it, put into words by
//! [`Composer`](super::Composer).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::sample::Sample;
use super::summary::Summary;

/// What one message says.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// Failures, all that are pending. The template of the administrator is for these.
    Failures(&'a Summary),
    /// Somebody is in after many failures.
    BreakIn(&'a BreakIn),
    /// An account that fails all day is in from where it never came from: worth a look, not a break-in.
    UnderAttack(&'a UnderAttack),
    /// An account is in from where it never came from.
    NewSource(&'a NewSource),
    /// Logins, a [`Summary`] of events of the class `login` alone.
    Logins(&'a Summary),
    /// Nothing was said for days: the watch stands.
    Heartbeat(&'a Heartbeat),
    /// Something of authalert itself needs somebody, or does no longer.
    Health(&'a Health),
    /// The weekly report.
    Weekly(&'a Weekly),
    /// `authalert test`.
    Test,
}

/// Under which number a message goes out, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// Number in the receiver's own sequence; the text ends in `·aN`.
    pub number: u64,
    /// When it is composed.
    pub now: Timestamp,
    /// The number of an earlier message that counts as sent though nobody knows whether it came; the
    /// text says so where it has room.
    pub unclear: Option<u64>,
}

impl Dispatch {
    /// Message `number`, composed at `now`, with no doubt about an earlier one.
    pub fn new(number: u64, now: Timestamp) -> Self {
        Self { number, now, unclear: None }
    }
}

/// A login after many failures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakIn {
    /// Who is in, from where, through what: [`Sample::of`] the event.
    pub login: Sample,
    /// Failures before it that speak against it.
    pub failures: u64,
    /// The first of them.
    pub since: Timestamp,
    /// What the failures have in common with the login.
    pub after: After,
    /// Further break-ins that this text stands for, 0 as a rule.
    #[serde(default)]
    pub more: u64,
    /// From how many sources these were; a lower bound from 64 on.
    #[serde(default)]
    pub more_sources: u64,
    /// Of these such as are of other accounts; a few of them, root first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Sample>,
}

/// What failures have in common with the login that followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum After {
    /// The remote address: `after 37 failed logins from there`.
    Source,
    /// The account: `after 37 failed logins for this account`.
    Account,
    /// Who asked, at the machine itself (su, sudo): `after 37 failed attempts by bob`.
    Asker,
}

/// An account that failed from many places is in from one that it never came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderAttack {
    /// Who is in, from where, through what.
    pub login: Sample,
    /// Failures for this account before it.
    pub failures: u64,
    /// From how many addresses they came.
    pub sources: u64,
    /// The first of them.
    pub since: Timestamp,
    /// Further ones that this text stands for.
    #[serde(default)]
    pub more: u64,
}

/// An account is in from where it never came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSource {
    /// Who is in, from where, through what.
    pub login: Sample,
    /// Further ones that this text stands for.
    #[serde(default)]
    pub more: u64,
}

/// The watch stands, and there was nothing to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// PAM services whose stacks have the module.
    pub services: Vec<String>,
    /// Whether the logs are read too.
    pub logs: bool,
    /// Failures since `since`.
    pub failures: u64,
    /// When something was said last, or the watch began.
    pub since: Timestamp,
}

/// Something of authalert itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What is wrong, in one neutral line that says what to do: `the module is gone from the stack of sshd`.
    pub what: String,
    /// Since when.
    pub since: Timestamp,
    /// It is over: the text says that it is well again.
    pub cleared: bool,
}

/// A week in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weekly {
    /// Where it begins; it ends when the text is composed.
    pub since: Timestamp,
    /// The failures.
    pub failures: Summary,
    /// Logins that were recorded.
    pub logins: u64,
    /// Break-ins that were reported.
    pub break_ins: u64,
    /// Alerts that were sent.
    pub alerts: u64,
}
