//! What became of a message that was sent.

use std::time::SystemTime;

use super::http::Failure;

/// What became of a message. Every `why` is one neutral, bounded line that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The service has it.
    Accepted {
        /// The service's number for it; empty if it has none or it could not be read.
        id: String,
    },
    /// The service has this message already. After an [`Outcome::Ambiguous`] attempt: delivered.
    Duplicate,
    /// Nothing of the request reached the service. Safe to retry.
    NotSent {
        /// What happened.
        why: String,
    },
    /// Nothing was heard of it, and the service may have it. Retry with the same bytes only.
    Ambiguous {
        /// Not before, as in [`Outcome::Limited`], if the server asks for that.
        until: Option<SystemTime>,
        /// What happened.
        why: String,
    },
    /// The service answered, and its answer says nothing of the message: it failed, or is something else. Most likely it
    /// has not taken it. Retry with the same bytes only.
    Unproved {
        /// Not before, as in [`Outcome::Limited`], if the server asks for that.
        until: Option<SystemTime>,
        /// What happened.
        why: String,
    },
    /// Too many requests.
    Limited {
        /// When to retry, in this machine's time and at most 25 hours ahead; none if the service does not say.
        until: Option<SystemTime>,
        /// What happened.
        why: String,
    },
    /// Nothing is accepted for hours: money or a cap.
    Pause {
        /// What happened.
        why: String,
    },
    /// The service distrusts the sender or this text: back off for hours, reject the text if it happens again.
    Suspect {
        /// What happened.
        why: String,
    },
    /// The service does not accept this request, and does not say whether the text is to blame or what was configured: what
    /// it tells is tried in numbers alone before a person is asked.
    Rejected {
        /// What happened.
        why: String,
    },
    /// Nothing will be accepted until a person acts.
    Stop {
        /// What happened.
        why: String,
    },
    /// The service will never accept this text.
    Refused {
        /// What happened.
        why: String,
    },
}

impl Outcome {
    /// The service may have it, and nobody says when to try again.
    pub(crate) fn ambiguous(why: String) -> Self {
        Self::Ambiguous { until: None, why }
    }

    /// Its name, in a word or two.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Duplicate => "duplicate",
            Self::NotSent { .. } => "not sent",
            Self::Ambiguous { .. } => "ambiguous",
            Self::Unproved { .. } => "unproved",
            Self::Limited { .. } => "limited",
            Self::Pause { .. } => "pause",
            Self::Suspect { .. } => "suspect",
            Self::Rejected { .. } => "rejected",
            Self::Stop { .. } => "stop",
            Self::Refused { .. } => "refused",
        }
    }

    /// The line for the administrator; empty for what needs none.
    pub fn why(&self) -> &str {
        match self {
            Self::Accepted { .. } => "",
            Self::Duplicate => "the service has this message already",
            Self::NotSent { why }
            | Self::Ambiguous { why, .. }
            | Self::Unproved { why, .. }
            | Self::Limited { why, .. }
            | Self::Pause { why }
            | Self::Suspect { why }
            | Self::Rejected { why }
            | Self::Stop { why }
            | Self::Refused { why } => why,
        }
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        if failure.sent { Self::ambiguous(failure.why) } else { Self::NotSent { why: failure.why } }
    }
}
