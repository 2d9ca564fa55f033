//! What stands before a program's own words: how often they were repeated, clocks, titles.

use super::words::{cut, find, leading_number};
use super::{Family, family};
use crate::scan::header::{Header, decimal, token};
use crate::scan::stamp::{self, skip_blanks};
use crate::scan::tag::behind_title;

/// `message repeated 2 times: [ Failed password … ]`, from rsyslog and others.
pub(super) fn repeated(message: &[u8]) -> Option<(&[u8], u32)> {
    let rest = message.strip_prefix(b"message repeated ")?;
    let (times, rest) = leading_number(rest)?;
    let rest = rest.strip_prefix(b" times: [")?;
    let inner = rest.strip_suffix(b"]").unwrap_or(rest);
    Some((inner.strip_prefix(b" ").unwrap_or(inner), times))
}

/// sysklogd says it every ten minutes at least; what any user can write into a log is to multiply nothing without bound.
const MOST_REPEATED: u32 = 65_535;

/// `last message repeated 2 times`: which line that is, [`is_repeated`] tells. `last message buffered` from metalog is none.
pub(super) fn repeated_before(message: &[u8]) -> Option<u32> {
    let rest = message.strip_prefix(b"last message repeated ")?;
    let (times, rest) = leading_number(rest)?;
    rest.starts_with(b" time").then_some(times.min(MOST_REPEATED))
}

/// Whether a line that says so, right behind `first`, is about it. sysklogd puts no tag before it, and BSD's syslogd its
/// own; rsyslog before 8 that of the program, some versions without a host. Under another tag it is what some program said.
pub fn is_repeated(first: &Header<'_>, header: &Header<'_>) -> bool {
    let is_daemons = matches!(header.program, b"" | b"syslogd");
    let is_same = (header.program, header.module, header.pid) == (first.program, first.module, first.pid);
    let is_hosts = header.host == first.host || (header.host.is_empty() && is_same);
    is_hosts && (is_daemons || is_same) && header.container == first.container
}

/// Without Solaris' `[ID 800047 auth.info] `.
pub(super) fn solaris(message: &[u8]) -> &[u8] {
    let skip = || {
        let rest = message.strip_prefix(b"[ID ")?;
        let end = memchr::memchr(b']', &rest[..rest.len().min(40)])?;
        rest[end + 1..].strip_prefix(b" ")
    };
    skip().unwrap_or(message)
}

/// Without the `kernel: [  970.699396] ` that some collectors put before what a daemon said. Only
/// sshd's own, which begins no message of its own like that.
pub(super) fn past_clock<'a>(header: &Header<'a>, message: &'a [u8]) -> &'a [u8] {
    if family(header.program) != Family::Sshd || header.pid == 0 {
        return message;
    }
    let skip = || {
        let rest = skip_blanks(message.strip_prefix(b"kernel:")?);
        let end = memchr::memchr(b']', &rest[..rest.len().min(24)])?;
        let (seconds, micros) = cut(skip_blanks(rest[..end].strip_prefix(b"[")?), b".")?;
        (micros.len() == 6).then_some(())?;
        decimal(seconds).and(decimal(micros))?;
        let rest = &rest[end + 1..];
        rest.strip_prefix(b":").unwrap_or(rest).strip_prefix(b" ")
    };
    skip().unwrap_or(message)
}

/// What PAM says behind the rest of a title, where a log daemon took its first word for the tag: `ker[71]: process:
/// pam_unix(nginx:auth): …`, `stgres[71]: 192.0.2.7(4) authentication: pam_unix(postgresql:auth): …`. Nothing else may
/// stand before it: what servers log may be a client's word. Who logs by its own name has no such title (dbus-daemon tells of the
/// command line of whoever asked it, pkexec of a directory), but for PostgreSQL where it was started without a path.
pub(super) fn past_title<'a>(header: &Header<'a>, message: &'a [u8]) -> &'a [u8] {
    if !matches!(family(header.program), Family::Other) || message.starts_with(b"pam_") {
        return message;
    }
    let is_by_name = header.program == header.exe && !matches!(header.exe, b"" | b"postgres");
    let title = |message: &'a [u8]| {
        let at = find(&message[..message.len().min(LONGEST_TITLE)], b": pam_")?;
        let words = message[..at].strip_prefix(b" ").unwrap_or(&message[..at]);
        let is_title = [&b"process"[..], b"worker process"].contains(&words)
            || words.strip_suffix(b" authentication").filter(|_| !is_by_name).is_some_and(|client| {
                let place = client.rsplit(|b| *b == b' ').next().unwrap_or_default();
                place == b"[local]" || (place.ends_with(b")") && place.contains(&b'('))
            });
        is_title.then(|| behind_title(message))?
    };
    title(message).unwrap_or(message)
}

/// PostgreSQL's has two names of 63 bytes and a host's.
const LONGEST_TITLE: usize = 512;

/// Without the time that some write where they do not log to syslog, or there too: `[71] Nov 03 09:05:01 ` of dropbear,
/// `2026-11-03 09:05:01 `, `[71] ` or both of Exim.
pub(super) fn past_own_stamp<'a>(header: &Header<'a>, message: &'a [u8]) -> &'a [u8] {
    let numbered = |text: &'a [u8]| {
        let (pid, rest) = token(text.strip_prefix(b"[")?);
        decimal(pid.strip_suffix(b"]")?).map(|_| rest)
    };
    let stamped = |text| stamp::parse(text).map(|(_, rest)| rest);
    if header.program.starts_with(b"exim") {
        let rest = stamped(message).filter(|_| message[0].is_ascii_digit()).unwrap_or(message);
        return numbered(rest).unwrap_or(rest);
    }
    let rest = if message.first().is_some_and(u8::is_ascii_digit) {
        stamped(message)
    } else {
        numbered(message).and_then(stamped)
    };
    rest.unwrap_or(message)
}
