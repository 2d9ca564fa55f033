//! What a tried name is on this machine.

use serde::{Deserialize, Serialize};

/// What a tried name is on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountKind {
    /// An account that somebody can log in to.
    Existing,
    /// An account with user id 0.
    Root,
    /// An account whose shell refuses a login (`nologin`, `false`): `mail`, `backup`, `www-data`.
    /// Word lists are full of these names, so one of them is no reason to hurry.
    System,
    /// No account here. The name may be a password that was typed in the wrong field.
    Unknown,
}
