//! Names and addresses in one spelling, so that they can be compared and shown.

use std::borrow::Cow;

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
    borrowed_address(bytes).into()
}

/// A name as neutral text.
pub(super) fn text(bytes: &[u8]) -> CompactString {
    borrowed_text(bytes).into()
}

/// The same as [`address`], without a copy where it is written so.
pub(in crate::scan) fn borrowed_address(bytes: &[u8]) -> Cow<'_, str> {
    // Plain IPv4 is what nearly every line has.
    let is_digits = |is_digits: bool, b: &u8| is_digits & (b.is_ascii_digit() | (*b == b'.'));
    if bytes.len() <= 15 && bytes.iter().fold(true, is_digits) {
        return std::str::from_utf8(bytes).unwrap_or_default().into();
    }
    let bare = bytes.split(|b| *b == b'%').next().unwrap_or(bytes);
    match std::str::from_utf8(bare).ok().and_then(|t| t.parse::<std::net::IpAddr>().ok()) {
        Some(address) => address.to_canonical().to_string().into(),
        None => neutral::text(bytes, 255).into(),
    }
}

/// The same as [`text`], without a copy where it is neutral as it stands.
pub(in crate::scan) fn borrowed_text(bytes: &[u8]) -> Cow<'_, str> {
    if bytes.is_empty() {
        return Cow::default();
    }
    // Without an end in the middle, so that several bytes are looked at in one step.
    let is_plain = bytes.iter().fold(true, |is_plain, b| is_plain & (b' '..=b'~').contains(b));
    match std::str::from_utf8(bytes) {
        Ok(text) if is_plain && bytes.len() <= neutral::NAME_LIMIT => text.into(),
        _ => neutral::name(bytes).into(),
    }
}
