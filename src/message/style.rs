//! How a receiver wants its texts: how long, counted in what, and what must not stand in them.

use serde::{Deserialize, Serialize};

/// In what a service counts the length of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Unicode scalar values.
    Characters,
    /// Bytes of UTF-8.
    Bytes,
    /// UTF-16 code units.
    Utf16,
    /// Septets of the GSM 7-bit default alphabet (3GPP 23.038). The text is transliterated to it.
    Gsm7,
    /// Weights of twitter-text, configuration version 3.
    X,
}

/// How a receiver wants its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Style {
    /// What `limit` is counted in.
    pub unit: Unit,
    /// The longest text.
    pub limit: usize,
    /// Characters that the service would read as markup (`*`, `_`, a backtick …): each is replaced by a look-alike or
    /// dropped, so that foreign text shows as it is and formats nothing.
    pub markup: String,
}
