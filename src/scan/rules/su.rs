//! su and runuser in their dialects: util-linux, coreutils, shadow, BSD, Solaris, busybox.

use super::{Evidence, Kind, Line, cut, cut_last};
use crate::scan::header::{Header, token};

/// util-linux and coreutils: `FAILED SU (to alice) bob on pts/0`; shadow: `FAILED su for alice by
/// bob`; FreeBSD: `BAD SU bob to alice on /dev/pts/0`; Solaris: `'su alice' failed for bob on …`;
/// busybox: `- pts/0 bob:alice`.
pub(super) fn classify<'a>(header: &Header<'a>, message: &'a [u8]) -> Line<'a> {
    let mut evidence = Evidence::new(Kind::Program, "su-failed", b"su");
    let failed =
        message.strip_prefix(b"FAILED SU (to ").or_else(|| message.strip_prefix(b"FAILED RUNUSER (to "));
    if let Some(rest) = failed {
        if let Some((names, tty)) = cut_last(rest, b" on ") {
            if let Some((user, ruser)) = cut_last(names, b") ") {
                (evidence.user, evidence.ruser, evidence.tty) = (user, ruser, tty);
                return Line::Evidence(evidence);
            }
        }
        evidence.user = cut(rest, b")").map_or(rest, |(user, _)| user);
        return Line::Evidence(evidence);
    }
    if let Some(rest) = message.strip_prefix(b"FAILED su for ") {
        (evidence.user, evidence.ruser) = cut_last(rest, b" by ").unwrap_or((rest, b""));
        return Line::Evidence(evidence);
    }
    if let Some(rest) = message.strip_prefix(b"BAD SU ") {
        let (names, tty) = cut_last(rest, b" on ").unwrap_or((rest, b""));
        (evidence.ruser, evidence.user) = cut(names, b" to ").unwrap_or((b"", names));
        evidence.tty = tty;
        return Line::Evidence(evidence);
    }
    if let Some((user, rest)) = message.strip_prefix(b"'su ").and_then(|rest| cut(rest, b"' failed for ")) {
        (evidence.ruser, evidence.tty) = cut_last(rest, b" on ").unwrap_or((rest, b""));
        evidence.user = user;
        return Line::Evidence(evidence);
    }
    if let Some(evidence) = got_in(message) {
        return Line::Evidence(evidence);
    }
    if let Some((tty, names)) = message.strip_prefix(b"- ").map(token) {
        let Some((ruser, user)) = cut_last(names, b":") else { return Line::Other };
        // shadow's su says so too, under its number, where busybox has none. Without its tag nothing
        // tells such a line from others.
        if !header.plain || header.program != b"su" {
            return Line::Nothing("no attempt by itself");
        }
        (evidence.user, evidence.ruser, evidence.tty) = (user, ruser, tty);
        return Line::Evidence(evidence);
    }
    if let Some(user) = message.strip_prefix(b"Authentication failed for ") {
        (evidence.kind, evidence.user) = (Kind::ProgramToo, user);
        return Line::Evidence(evidence);
    }
    Line::Other
}

/// util-linux: `(to root) bob on pts/0`; shadow: `Successful su for root by bob` and `+ pts/0 bob:root`, as busybox;
/// FreeBSD: `bob to root on /dev/pts/0`; Solaris: `'su root' succeeded for bob on /dev/pts/1`.
fn got_in(message: &[u8]) -> Option<Evidence<'_>> {
    let mut evidence = Evidence::success(b"su");
    if let Some((user, rest)) = message.strip_prefix(b"(to ").and_then(|rest| cut_last(rest, b") ")) {
        let (ruser, tty) = cut_last(rest, b" on ").unwrap_or((rest, b""));
        (evidence.user, evidence.ruser, evidence.tty) = (user, ruser, tty);
    } else if let Some(rest) = message.strip_prefix(b"Successful su for ") {
        (evidence.user, evidence.ruser) = cut_last(rest, b" by ")?;
    } else if let Some((tty, names)) = message.strip_prefix(b"+ ").map(token) {
        (evidence.ruser, evidence.user) = cut_last(names, b":")?;
        evidence.tty = tty;
    } else if let Some((user, rest)) =
        message.strip_prefix(b"'su ").and_then(|rest| cut(rest, b"' succeeded for "))
    {
        (evidence.ruser, evidence.tty) = cut_last(rest, b" on ").unwrap_or((rest, b""));
        evidence.user = user;
    } else {
        let (names, tty) = cut_last(message, b" on ").filter(|(_, tty)| tty.starts_with(b"/dev/"))?;
        (evidence.ruser, evidence.user) = cut(names, b" to ")?;
        if [evidence.user, evidence.ruser].iter().any(|name| name.is_empty() || name.contains(&b' ')) {
            return None;
        }
        evidence.tty = tty;
    }
    Some(evidence)
}
