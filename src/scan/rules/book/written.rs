//! A file of rules as it is written.

use serde::Deserialize;
use toml::Spanned;

/// What a line means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Means {
    /// Somebody was refused.
    Failure,
    /// The program's second line about the same attempt.
    FailureToo,
    /// Somebody was refused by another process, a helper of the server, which may say so itself.
    FailureOfHelper,
    /// Somebody was refused who does not exist: an attempt where nothing else is reported of the process.
    UnknownUser,
    /// How often somebody was refused so far in this process.
    FailuresSoFar,
    /// Somebody got in.
    Success,
    /// Nobody answered a prompt.
    Aborted,
    /// Whoever is refused next was right, or nobody could look.
    Excuse,
    /// Where the client of the process is.
    Client,
    /// No attempt.
    Nothing,
}

impl Means {
    /// Its word in a file.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::FailureToo => "failure-too",
            Self::FailureOfHelper => "failure-of-helper",
            Self::UnknownUser => "unknown-user",
            Self::FailuresSoFar => "failures-so-far",
            Self::Success => "success",
            Self::Aborted => "aborted",
            Self::Excuse => "excuse",
            Self::Client => "client",
            Self::Nothing => "nothing",
        }
    }

    /// Whether it says that somebody was refused.
    pub(super) fn is_failure(self) -> bool {
        matches!(
            self,
            Self::Failure
                | Self::FailureToo
                | Self::FailureOfHelper
                | Self::UnknownUser
                | Self::FailuresSoFar
        )
    }

    /// Whether such a line is to be found wherever it stands, and not only behind a failure.
    pub(super) fn is_searched(self) -> bool {
        self.is_failure() || matches!(self, Self::Aborted | Self::Excuse)
    }
}

/// The keys that stand above the first table.
pub(super) const TOP: [&str; 5] = ["about", "programs", "modules", "service", "unconfirmed"];

/// A file as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) about: String,
    #[serde(default)]
    pub(super) programs: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) modules: Vec<Spanned<String>>,
    pub(super) service: Option<String>,
    #[serde(default)]
    pub(super) unconfirmed: Vec<String>,
    pub(super) rule: Spanned<Vec<WrittenRule>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenRule {
    pub(super) means: Spanned<Means>,
    pub(super) lines: Spanned<Vec<Spanned<String>>>,
    pub(super) class: Option<String>,
    pub(super) user: Option<String>,
    pub(super) why: Option<String>,
    #[serde(default)]
    pub(super) samples: Vec<Spanned<Sample>>,
    #[serde(default)]
    pub(super) not: Vec<Spanned<String>>,
}

/// A line as the program writes it, and what is to be found in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sample {
    /// The line, without its head.
    pub line: String,
    pub(super) user: String,
    pub(super) rhost: String,
    pub(super) ruser: String,
    pub(super) tty: String,
    pub(super) port: u32,
    pub(super) count: Option<u32>,
    pub(super) service: String,
    pub(super) method: String,
}
