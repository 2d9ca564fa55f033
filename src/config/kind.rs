//! What a message is about, and what a receiver is sent.

/// What a message is about. `tell` of a receiver names these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A login after many failures. Never waits.
    BreakIn,
    /// An account of this machine fails, or somebody at the machine itself.
    Urgent,
    /// Everything that is pending, at its turn.
    Digest,
    /// Nothing was said for a week: the watch stands.
    Heartbeat,
    /// An account is in from a source that it never came from.
    NewSource,
    /// A successful login.
    Login,
    /// The weekly report.
    Summary,
    /// Something of authalert itself needs somebody.
    Health,
    /// `authalert test`.
    Test,
}
