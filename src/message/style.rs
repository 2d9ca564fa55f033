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
    /// The longest text. From 70 on a text says how many failures, on which machine, the worst of
    /// them and the number of the alert; below that it is cut.
    pub limit: usize,
    /// Characters that the service would read as markup (`*`, `_`, a backtick …): each is replaced by a look-alike or
    /// dropped, so that foreign text shows as it is and formats nothing. Letters, digits, blanks and `:,.()` stay
    /// whatever is written here: texts and addresses consist of them, and alone they format nothing.
    pub markup: String,
    /// Whether a text may have several lines, one idea each.
    pub lines: bool,
    /// Whether the service or its programs make a link of a bare IPv4 address: then it is written `192.0.2[.]7`.
    pub links_addresses: bool,
}

impl Style {
    /// One line of at most `limit` `unit`s, in which nothing is markup.
    pub fn new(unit: Unit, limit: usize) -> Self {
        Self { unit, limit, markup: String::new(), lines: false, links_addresses: false }
    }

    /// As a post on X wants it.
    pub fn x() -> Self {
        Self::new(Unit::X, super::weight::LIMIT)
    }
}
