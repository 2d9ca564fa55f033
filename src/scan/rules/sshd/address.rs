//! User, address and port in sshd's lines, whatever a client calls itself.

use super::super::Evidence;
use super::super::words::rfind;
use crate::scan::header::decimal;

/// User, address and port of `X from 192.0.2.7`, with or without ` port 50310` (old sshds leave it
/// out of some lines) at its end; the name may be anything.
pub(super) fn fill_to_end<'a>(evidence: &mut Evidence<'a>, text: &'a [u8]) {
    evidence.user = text;
    for at in places(text) {
        if let Some(place) = address(text, at).filter(|place| place.end == text.len()) {
            return place.tell(evidence, text);
        }
    }
}

/// The same of `X from 192.0.2.7 port 50310 ssh2`, and with words about a key after `: `.
///
/// What follows may be a certificate's id, or the user at the client's side: text that the client
/// chose, as the name is. But sshd cuts a name off at its first colon (`user:style`), so the first
/// place that ends the line or has `: ` after it is the true one.
pub(super) fn fill<'a>(evidence: &mut Evidence<'a>, text: &'a [u8]) {
    evidence.user = text;
    let (mut first, mut bare) = (None, None);
    for at in places(text) {
        let Some(place) = address(text, at) else { continue };
        let after = &text[place.end..];
        if place.port == 0 {
            // Cut short by a log daemon: sshd itself always tells the port here.
            bare = bare.or(Some(place).filter(|_| after.is_empty()));
        } else if after.is_empty() || after.starts_with(b": ") {
            first = Some(place);
        }
    }
    if let Some(place) = first.or(bare) {
        place.tell(evidence, text);
    }
}

/// Every ` from `, the last first.
fn places(text: &[u8]) -> impl Iterator<Item = usize> {
    std::iter::successors(rfind(text, FROM), |at| rfind(&text[..*at], FROM))
}

const FROM: &[u8] = b" from ";

/// An address, and where it stands.
struct Address<'a> {
    at: usize,
    rhost: &'a [u8],
    port: u32,
    end: usize,
}

impl<'a> Address<'a> {
    fn tell(self, evidence: &mut Evidence<'a>, text: &'a [u8]) {
        (evidence.user, evidence.rhost, evidence.port) = (&text[..self.at], self.rhost, self.port);
    }
}

/// ` from 192.0.2.7`, with ` port 50310`, with ` ssh2`, at a place in the text.
fn address(text: &[u8], at: usize) -> Option<Address<'_>> {
    let start = at + FROM.len();
    let rest = &text[start..];
    let len = memchr::memchr(b' ', rest).unwrap_or(rest.len());
    let rhost = &rest[..len];
    if rhost.is_empty() {
        return None;
    }
    let mut end = start + len;
    let Some(digits) = text[end..].strip_prefix(PORT) else {
        return Some(Address { at, rhost, port: 0, end });
    };
    let digits = &digits[..digits.iter().take_while(|b| b.is_ascii_digit()).count()];
    let port = decimal(digits)?;
    end += PORT.len() + digits.len();
    for protocol in [&b" ssh2"[..], b" ssh1", b" ssh"] {
        if text[end..].starts_with(protocol) {
            end += protocol.len();
            break;
        }
    }
    Some(Address { at, rhost, port, end })
}

const PORT: &[u8] = b" port ";

/// User, address and port of `X 192.0.2.7 port 64535`, with or without a reason after `: `; the name may be
/// anything without a colon.
pub(super) fn fill_bare<'a>(evidence: &mut Evidence<'a>, text: &'a [u8]) {
    evidence.user = text;
    let mut place = None;
    for at in std::iter::successors(rfind(text, PORT), |at| rfind(&text[..*at], PORT)) {
        let digits = &text[at + PORT.len()..];
        let digits = &digits[..digits.iter().take_while(|b| b.is_ascii_digit()).count()];
        let after = &text[at + PORT.len() + digits.len()..];
        if let Some(port) = decimal(digits).filter(|_| after.is_empty() || after.starts_with(b": ")) {
            place = Some((at, port));
        }
    }
    let Some((at, port)) = place else { return };
    // Without a name there is the blank before the address alone.
    let start = memchr::memrchr(b' ', &text[..at]).map_or(0, |blank| blank + 1);
    (evidence.user, evidence.rhost) = (&text[..start.saturating_sub(1)], &text[start..at]);
    evidence.port = port;
}
