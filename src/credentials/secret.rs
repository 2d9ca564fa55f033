//! A value that must not be seen: not in an error, not in `Debug`, and not in memory once it is not needed.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

/// One secret value. Wiped when it is dropped.
#[derive(Clone)]
pub struct Secret {
    value: Zeroizing<String>,
    /// The line of the credentials file that it is in; none where it is from elsewhere.
    line: Option<usize>,
}

/// The secrets of one receiver, by the name of the parameter.
pub type Secrets = BTreeMap<String, Secret>;

impl Secret {
    /// Of this text.
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: Zeroizing::new(value.into()), line: None }
    }

    /// The same, read from this line.
    pub(super) fn in_line(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }

    /// The value itself, for the request that needs it.
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// `why` it cannot be used, with its line before it.
    pub fn says(&self, why: &str) -> String {
        self.line.map_or_else(|| why.to_owned(), |line| format!("line {line}: {why}"))
    }

    pub(super) fn line(&self) -> Option<usize> {
        self.line
    }
}

/// In another line it is the same secret.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}
