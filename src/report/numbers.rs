//! What a report shows, as plain data. Its JSON is a contract: authalert-json(7).

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use crate::accounts::AccountKind;
use crate::detect::{Finding, Verdict};

/// A report.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Report {
    /// The first moment that it covers: as it was asked for, or of the first event.
    pub(crate) since: Option<Timestamp>,
    /// The last one: as it was asked for, or of the last event.
    pub(crate) until: Option<Timestamp>,
    /// What was read.
    pub(crate) read: Vec<String>,
    /// Failed attempts. Exact.
    pub(crate) failures: u64,
    /// Prompts that were left unanswered; not among the failures.
    pub(crate) aborted: u64,
    /// Failures that root announced; not among the others.
    pub(crate) tests: u64,
    /// Lines of the logs that somebody wrote who cannot know of an attempt; they count for nothing.
    pub(crate) lines_forged: u64,
    /// Lines of which the systemd journal does not know which program wrote them; they count for nothing.
    pub(crate) lines_unattributed: u64,
    /// Lines that hold words of an attempt and do not begin as a log daemon writes them; they count for nothing.
    pub(crate) lines_not_understood: u64,
    /// Logins that are recorded.
    pub(crate) logins: u64,
    /// Of these: after so many failures that somebody should look.
    pub(crate) logins_after_failures: u64,
    /// The latest of those, oldest first.
    pub(crate) findings: Vec<Found>,
    /// Sources: addresses, or names where no address is known.
    pub(crate) by_source: Vec<Counted>,
    /// What the rows of `by_source` leave out.
    pub(crate) sources: Distinct,
    /// Networks of which more than one address failed.
    pub(crate) by_network: Vec<OfNetwork>,
    /// What the rows of `by_network` leave out.
    pub(crate) networks: Distinct,
    /// Accounts that were tried.
    pub(crate) by_account: Vec<OfAccount>,
    /// What the rows of `by_account` leave out.
    pub(crate) accounts: Distinct,
    /// By what the tried names are on this machine. Exact.
    pub(crate) by_kind: Vec<OfKind>,
    /// Services.
    pub(crate) by_service: Vec<Counted>,
    /// Machines, where there are several.
    pub(crate) by_host: Vec<Counted>,
    /// Countries, where a database says them.
    pub(crate) by_country: Vec<Counted>,
    /// Hours of the day, in the machine's zone; all 24. Exact.
    pub(crate) by_hour: Vec<OfHour>,
    /// By weekday, Monday first, and hour. Exact.
    pub(crate) by_weekday: Vec<[u64; 24]>,
    /// Days that have a failure, oldest first. Exact.
    pub(crate) by_day: Vec<OfDay>,
    /// The longest campaigns, the longest first.
    pub(crate) campaigns: Vec<Lasting>,
    /// What each receiver was sent.
    pub(crate) receivers: Vec<Sent>,
    /// What the reader should know of these figures.
    pub(crate) notes: Vec<String>,
    /// Names of no account are left out.
    pub(crate) names_hidden: bool,
}

/// A name and its count.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Counted {
    /// What is counted; `null`: what may be a password.
    pub(crate) name: Option<String>,
    /// So often, at least.
    pub(crate) failures: u64,
    /// At most so many more; 0: exact.
    pub(crate) may_be_more: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<Timestamp>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) country: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) operator: String,
}

/// What a list of the most frequent leaves out.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Distinct {
    /// How many were told apart; a lower bound where `may_be_off_by` is not 0.
    pub(crate) distinct: u64,
    /// Failures of those that are not listed.
    pub(crate) others: u64,
    /// No count is too low by more than this.
    pub(crate) may_be_off_by: u64,
}

/// A network.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct OfNetwork {
    pub(crate) network: String,
    pub(crate) failures: u64,
    pub(crate) may_be_more: u64,
    /// Different addresses; of IPv6 at least so many.
    pub(crate) addresses: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) country: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) operator: String,
}

/// A tried name.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct OfAccount {
    /// `null`: names of no account, which may be passwords, all of them together.
    pub(crate) name: Option<String>,
    pub(crate) kind: AccountKind,
    pub(crate) failures: u64,
    pub(crate) may_be_more: u64,
}

/// What names are on this machine.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct OfKind {
    pub(crate) kind: AccountKind,
    pub(crate) failures: u64,
}

/// An hour of the day.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct OfHour {
    pub(crate) hour: usize,
    pub(crate) failures: u64,
}

/// A day.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct OfDay {
    pub(crate) day: Date,
    pub(crate) failures: u64,
}

/// A campaign.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Lasting {
    /// The address, or the network where there were several; `null`: what may be a password.
    pub(crate) source: Option<String>,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) failures: u64,
    /// Those tried most, and that may be named.
    pub(crate) accounts: Vec<String>,
    /// There were others.
    pub(crate) more_accounts: bool,
}

/// A login after failures.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Found {
    pub(crate) time: Timestamp,
    /// What it is: `break-in`, or `under-attack` where the account fails from many places all day.
    pub(crate) verdict: &'static str,
    pub(crate) account: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) failures: u64,
    /// The source is who asked for the account.
    #[serde(skip)]
    pub(crate) is_by: bool,
    /// The module saw it; else it rests on lines of a log.
    pub(crate) proven: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) host: String,
}

impl Found {
    /// The word for a verdict that is to be shown; none for a plain login.
    pub(crate) fn verdict_of(finding: &Finding) -> Option<&'static str> {
        match finding.verdict {
            Verdict::BreakIn { .. } => Some("break-in"),
            Verdict::UnderAttack => Some("under-attack"),
            Verdict::NewSource { .. } | Verdict::Login => None,
        }
    }
}

/// What one receiver was sent.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sent {
    pub(crate) name: String,
    /// Messages in the time of the report.
    pub(crate) messages: u64,
    /// Failures that they reported.
    pub(crate) failures: u64,
}
