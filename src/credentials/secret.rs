//! A value that must not be seen: not in an error, not in `Debug`, and not in memory once it is not needed.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

/// One secret value. Wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

/// The secrets of one receiver, by the name of the parameter.
pub type Secrets = BTreeMap<String, Secret>;

impl Secret {
    /// Of this text.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The value itself, for the request that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}
