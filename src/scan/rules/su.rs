//! The lines of su that have no words which others do not have too: busybox's, and FreeBSD's of who got in.

use super::words::{cut, cut_last};
use super::{Evidence, Kind, Line};
use crate::scan::header::{Header, token};

/// `- pts/0 bob:alice`, and with a `+` of who got in.
pub(super) fn classify<'a>(header: &Header<'a>, message: &'a [u8]) -> Line<'a> {
    let names = |sign: &[u8]| {
        let (tty, names) = token(message.strip_prefix(sign)?);
        let (ruser, user) = cut_last(names, b":")?;
        Some((tty, ruser, user))
    };
    if let Some((tty, ruser, user)) = names(b"+ ") {
        return Line::Evidence(Evidence { user, ruser, tty, ..Evidence::success(b"su") });
    }
    let Some((tty, ruser, user)) = names(b"- ") else {
        return got_in(message).map_or(Line::Other, Line::Evidence);
    };
    // shadow's su says so too, under its number, where busybox has none. Without its tag nothing
    // tells such a line from others.
    if !header.plain || header.program != b"su" {
        return Line::Nothing("no attempt by itself");
    }
    Line::Evidence(Evidence { user, ruser, tty, ..Evidence::new(Kind::Program, "su-failed", b"su") })
}

/// `bob to root on /dev/pts/0`
fn got_in(message: &[u8]) -> Option<Evidence<'_>> {
    let (names, tty) = cut_last(message, b" on ").filter(|(_, tty)| tty.starts_with(b"/dev/"))?;
    let (ruser, user) = cut(names, b" to ")?;
    let is_name = |name: &[u8]| !name.is_empty() && !name.contains(&b' ');
    (is_name(user) && is_name(ruser)).then(|| Evidence { user, ruser, tty, ..Evidence::success(b"su") })
}
