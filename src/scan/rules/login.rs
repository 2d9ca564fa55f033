//! login in its dialects: util-linux, shadow, busybox, BSD.

use super::words::{cut, cut_last, leading_number, quoted};
use super::{Evidence, Kind, Line};
use crate::scan::header::{decimal, token};
use crate::scan::stamp::skip_blanks;

/// shadow and util-linux:
/// `FAILED LOGIN (2) on '/dev/tty1' from 'host' FOR 'root', Authentication failure`,
/// `FAILED LOGIN 2 FROM host FOR root, Authentication failure`, and `FAILED LOGIN SESSION` for the
/// last one. BSD: `2 LOGIN FAILURES ON ttyv0`, `LOGIN FAILURE FROM host, root`.
pub(super) fn classify<'a>(program: &'a [u8], message: &'a [u8]) -> Line<'a> {
    let mut evidence = Evidence::new(Kind::Program, "login-failed", program);
    let rest = if let Some(rest) = message.strip_prefix(b"FAILED LOGIN ") {
        let rest = rest.strip_prefix(b"SESSION ").unwrap_or(rest);
        counted(rest).map_or(rest, |(_, rest)| rest)
    } else if let Some(rest) = message.strip_prefix(b"TOO MANY LOGIN TRIES ") {
        let Some((tries, rest)) = counted(rest) else { return Line::Other };
        evidence.kind = Kind::ProgramTotal;
        evidence.weight = tries;
        rest
    } else if let Some(rest) = message.strip_prefix(b"invalid password for ") {
        // busybox: `invalid password for 'root' on 'tty1' from 'host'`; shadow has two blanks.
        if let Some((user, place)) = cut_last(rest, b" on ") {
            evidence.user = quoted(user.strip_suffix(b" ").unwrap_or(user));
            evidence.tty = quoted(token(place).0);
            evidence.rhost = place_of(place, b"from ");
        }
        return Line::Evidence(evidence);
    } else if let Some(evidence) = got_in(program, message) {
        return Line::Evidence(evidence);
    } else {
        let (times, rest) = leading_number(message).unwrap_or((1, message));
        let rest = skip_blanks(rest);
        let Some(rest) = rest.strip_prefix(b"LOGIN FAILURE") else { return Line::Other };
        evidence.weight = times;
        let rest = skip_blanks(rest.strip_prefix(b"S").unwrap_or(rest));
        let (place, user) = cut(rest, b", ").unwrap_or((rest, b""));
        // BSD says it twice: for all to read, and then with the name.
        if user.is_empty() {
            evidence.kind = Kind::ProgramToo;
        }
        evidence.user = user;
        match place.strip_prefix(b"FROM ") {
            Some(host) => evidence.rhost = host,
            None => evidence.tty = place.strip_prefix(b"ON ").unwrap_or(place),
        }
        return Line::Evidence(evidence);
    };
    // Terminal and host stand before the name, the reason after it; the name may be anything.
    let (place, rest) = if let Some(rest) = rest.strip_prefix(b"FOR ") {
        (&b""[..], rest)
    } else {
        cut(rest, b" FOR ").unwrap_or((rest, b""))
    };
    evidence.tty = place_of(place, b"on ");
    evidence.rhost = place_of(place, b"from ");
    if evidence.rhost.is_empty() {
        evidence.rhost = place_of(place, b"FROM ");
    }
    if evidence.rhost == b"(null)" {
        evidence.rhost = b"";
    }
    // util-linux names the terminal where there is no host.
    if [&b"pts/"[..], b"tty", b"console"].iter().any(|name| evidence.rhost.starts_with(name)) {
        (evidence.tty, evidence.rhost) = (evidence.rhost, b"");
    }
    // shadow of 2008 opens the quote with a grave accent.
    evidence.user = match rest.strip_prefix(b"'").or_else(|| rest.strip_prefix(b"`")) {
        Some(inner) => cut_last(inner, b"'").map_or(inner, |(user, _)| user),
        None => cut_last(rest, b", ").map_or(rest, |(user, _)| user),
    };
    Line::Evidence(evidence)
}

/// util-linux and BSD: `LOGIN ON tty1 BY bob FROM host`, `ROOT LOGIN ON tty1`, `DIALUP AT ttyS0 BY bob`; shadow:
/// `ROOT LOGIN  on '/dev/tty1' from 'host'`.
fn got_in<'a>(program: &'a [u8], message: &'a [u8]) -> Option<Evidence<'a>> {
    let mut evidence = Evidence::success(program);
    let place = if let Some(place) = message.strip_prefix(b"ROOT LOGIN ") {
        evidence.user = b"root";
        skip_blanks(place)
    } else {
        let rest = message.strip_prefix(b"LOGIN ON ").or_else(|| message.strip_prefix(b"DIALUP AT "))?;
        let (tty, rest) = token(rest);
        (evidence.tty, evidence.user) = (tty, token(rest.strip_prefix(b"BY ")?).0);
        evidence.rhost = place_of(rest, b"FROM ");
        return Some(evidence);
    };
    // BSD: `ROOT LOGIN (toor) ON ttyv0 FROM host`
    let place = match token(place) {
        (name, place) if name.starts_with(b"(") && name.ends_with(b")") => place,
        _ => place,
    };
    evidence.tty = place.strip_prefix(b"ON ").map_or_else(|| place_of(place, b"on "), |tty| token(tty).0);
    let hosts = [&b"FROM "[..], b"from "].map(|word| place_of(place, word));
    evidence.rhost = if hosts[0].is_empty() { hosts[1] } else { hosts[0] };
    Some(evidence)
}

/// `(2)` or `2` and what follows.
fn counted(text: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = token(text);
    let number = word.strip_prefix(b"(").and_then(|w| w.strip_suffix(b")")).unwrap_or(word);
    Some((decimal(number)?, rest))
}

/// What follows `word`, quoted or not.
fn place_of<'a>(text: &'a [u8], word: &[u8]) -> &'a [u8] {
    let rest = match text.strip_prefix(word) {
        Some(rest) => Some(rest),
        None => memchr::memmem::find_iter(text, word)
            .find(|at| *at > 0 && text[at - 1] == b' ')
            .map(|at| &text[at + word.len()..]),
    };
    rest.map_or(&[], |rest| quoted(token(rest).0))
}
