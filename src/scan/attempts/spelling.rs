//! Names and addresses in one spelling, so that they can be compared and shown.

use compact_str::CompactString;

use crate::neutral;

/// Whether two names may mean the same: one is not told, or they are equal.
pub(super) fn agree(known: &str, told: &[u8]) -> bool {
    known.is_empty() || told.is_empty() || known.as_bytes() == told || known == text(told)
}

pub(super) fn is_address(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
}

/// An address in one spelling, or neutral text.
pub(super) fn address(bytes: &[u8]) -> CompactString {
    // Plain IPv4 is what nearly every line has.
    if bytes.len() <= 15 && bytes.iter().all(|b| b.is_ascii_digit() || *b == b'.') {
        return text(bytes);
    }
    let bare = bytes.split(|b| *b == b'%').next().unwrap_or(bytes);
    match std::str::from_utf8(bare).ok().and_then(|t| t.parse::<std::net::IpAddr>().ok()) {
        Some(address) => address.to_canonical().to_string().into(),
        None => neutral::text(bytes, 255).into(),
    }
}

/// A name as neutral text.
pub(super) fn text(bytes: &[u8]) -> CompactString {
    let plain = bytes.len() <= neutral::NAME_LIMIT && bytes.iter().all(|b| (b' '..=b'~').contains(b));
    match std::str::from_utf8(bytes) {
        Ok(text) if plain => text.into(),
        _ => neutral::name(bytes).into(),
    }
}
