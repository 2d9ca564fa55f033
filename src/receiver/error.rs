//! Why a server cannot be called at all.

use std::fmt;

/// Why there is no client. `Display` says what to change.
#[derive(Debug)]
pub enum Error {
    /// A setting cannot be used.
    Setting {
        /// Its key, as the administrator wrote it.
        key: String,
        /// What is wrong, and what is accepted.
        why: String,
    },
    /// The name of the server or the proxy has no address.
    Resolve(String),
}

impl Error {
    pub(super) fn setting(key: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Setting { key: key.into(), why: why.into() }
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting { key, why } => write!(f, "{key}: {why}"),
            Self::Resolve(why) => f.write_str(why),
        }
    }
}
