//! What a line says about an authentication, by program.
//!
//! The patterns follow the `syslog` calls in the programs' own sources. Each is anchored at the
//! start of the message; text that a remote user chose is delimited from both ends, so it cannot
//! pose as another field.

mod local;
mod login;
mod modules;
mod pam;
mod servers;
mod sshd;
mod su;
mod sudo;

use super::header::{Header, behind_title, decimal};
use super::stamp::skip_blanks;

/// What a line was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// sshd: a password was refused.
    SshdPassword,
    /// sshd: keyboard-interactive was refused.
    SshdKeyboard,
    /// sshd: a key, or another method without a password, was refused; an attempt when nothing else is told of
    /// the process.
    SshdKey,
    /// sshd: a user who is not let in, as [`Kind::SshdKey`].
    SshdLeft,
    /// The same, and the connection is over.
    SshdEnd,
    /// sshd: `error: PAM: …`, told beside or instead of [`Kind::SshdKeyboard`].
    SshdPamError,
    /// sshd: a user who does not exist; an attempt when nothing else is told of the process.
    SshdInvalidUser,
    /// sshd: the password or key was right, and its owner is not let in.
    SshdDenied,
    /// sshd: somebody got in.
    SshdAccepted,
    /// Another program: somebody got in.
    Success,
    /// A PAM module refused.
    PamFailure,
    /// A PAM module refused as often again as the line says.
    PamMore,
    /// A PAM module accepted.
    PamSuccess,
    /// A PAM session began.
    PamSession,
    /// Nobody answered the prompt.
    PamAborted,
    /// The program's own word: `FAILED SU`, `3 incorrect password attempts`.
    Program,
    /// The program's second line for the same attempt.
    ProgramToo,
    /// The program's count so far: `TOO MANY LOGIN TRIES (3)`.
    ProgramTotal,
    /// dropbear: a user who does not exist.
    UnknownUser,
    /// sshd, dropbear: where the client of this process was.
    Client,
    /// pam_unix's helper; its own process beside the one that authenticates.
    CheckPassword,
}

/// What one line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence<'a> {
    /// What it was taken for.
    pub kind: Kind,
    /// The stable word for it, as printed in `class`.
    pub class: &'static str,
    /// How many attempts.
    pub weight: u32,
    /// PAM service, where the line has one; else the program's usual one.
    pub service: &'a [u8],
    /// The PAM module that spoke.
    pub module: &'a [u8],
    /// Who was tried.
    pub user: &'a [u8],
    /// From where.
    pub rhost: &'a [u8],
    /// By whom, on this machine.
    pub ruser: &'a [u8],
    /// Terminal.
    pub tty: &'a [u8],
    /// The client's port; 0: not told.
    pub port: u32,
}

impl<'a> Evidence<'a> {
    /// Somebody got in, by the word of `service`.
    fn success(service: &'a [u8]) -> Self {
        Self { weight: 0, ..Self::new(Kind::Success, "login", service) }
    }

    fn new(kind: Kind, class: &'static str, service: &'a [u8]) -> Self {
        let empty: &[u8] = b"";
        Self {
            kind,
            class,
            weight: 1,
            service,
            module: empty,
            user: empty,
            rhost: empty,
            ruser: empty,
            tty: empty,
            port: 0,
        }
    }

    /// Whether it says from which host or at which terminal.
    pub fn has_place(&self) -> bool {
        !self.place().is_empty()
    }

    /// The host, else the terminal without its directory.
    pub fn place(&self) -> &'a [u8] {
        if self.rhost.is_empty() { self.tty.strip_prefix(b"/dev/").unwrap_or(self.tty) } else { self.rhost }
    }
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// It tells of an attempt, or of how one ended.
    Evidence(Evidence<'a>),
    /// `last message repeated N times`: again what the line before it said.
    Again(u32),
    /// It speaks of authentication and is no attempt; why.
    Nothing(&'static str),
    /// It tells of an attempt, or of how one ended, and somebody wrote it who cannot know.
    Forged,
    /// It speaks of something else.
    Other,
}

/// Whose lines these are: which group of rules, and which processes may be one login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// sshd and what it starts.
    Sshd,
    /// su, runuser.
    Su,
    /// sudo, doas: whoever calls proves to be who they are.
    Sudo,
    /// login at a terminal.
    Login,
    /// polkit's agent helper.
    Polkit,
    /// unix_chkpwd.
    CheckPassword,
    /// A PAM module under its own tag, in the process of whichever program.
    Module,
    /// Anything else that speaks through PAM.
    Other,
}

/// The family of a program.
pub fn family(program: &[u8]) -> Family {
    match program {
        b"sshd" | b"sshd-session" | b"sshd-auth" => Family::Sshd,
        b"su" | b"su-l" | b"runuser" => Family::Su,
        b"sudo" | b"sudo-i" | b"sudo-rs" | b"doas" => Family::Sudo,
        b"login" => Family::Login,
        b"polkit-agent-helper-1" | b"polkitd" => Family::Polkit,
        b"unix_chkpwd" => Family::CheckPassword,
        _ if program.starts_with(b"sshd-") => Family::Sshd,
        _ if [&b"pam_"[..], b"PAM_", b"PAM-"].iter().any(|start| program.starts_with(start)) => {
            Family::Module
        }
        _ => Family::Other,
    }
}

/// What the line under this header says.
///
/// The kernel authenticates nobody, and what it prints holds names of processes and files that any
/// user may choose, line feeds included: rsyslog's imklog turns
/// `process '/tmp/x\nsshd[7]: Failed password …' started with executable stack` into a line of its
/// own. So nothing under its tag counts.
pub fn classify<'a>(header: &Header<'a>) -> Line<'a> {
    if header.program == b"kernel" {
        return Line::Other;
    }
    let message = past_clock(header, solaris(header.message));
    if let Some(times) = repeated_before(message) {
        return Line::Again(times);
    }
    let message = past_title(header, message);
    let (message, times) = match repeated(message) {
        Some((inner, times)) => (inner, times),
        None => (message, 1),
    };
    let mut line = pam::classify(header, message);
    if line == Line::Other {
        line = match family(header.program) {
            Family::Sshd => sshd::classify(message),
            family => local::classify(family, header, message),
        };
    }
    if let Line::Evidence(evidence) = &mut line {
        if header.forged {
            return Line::Forged;
        }
        evidence.weight = evidence.weight.saturating_mul(times);
    }
    line
}

/// The process whose line this is; 0 where it is not told. proftpd has PAM log without a number, and
/// gives it as the terminal.
pub fn process(header: &Header<'_>, evidence: &Evidence<'_>) -> u32 {
    if header.pid == 0 && header.program == b"proftpd" {
        return evidence.tty.strip_prefix(b"/dev/ftpd").and_then(decimal).unwrap_or(0);
    }
    header.pid
}

/// `message repeated 2 times: [ Failed password … ]`, from rsyslog and others.
fn repeated(message: &[u8]) -> Option<(&[u8], u32)> {
    let rest = message.strip_prefix(b"message repeated ")?;
    let (times, rest) = leading_number(rest)?;
    let rest = rest.strip_prefix(b" times: [")?;
    let inner = rest.strip_suffix(b"]").unwrap_or(rest);
    Some((inner.strip_prefix(b" ").unwrap_or(inner), times))
}

/// `last message repeated 2 times`, from sysklogd; `last message buffered` from metalog is none.
fn repeated_before(message: &[u8]) -> Option<u32> {
    let rest = message.strip_prefix(b"last message repeated ")?;
    let (times, rest) = leading_number(rest)?;
    rest.starts_with(b" time").then_some(times)
}

/// A number at the start and what follows it.
fn leading_number(text: &[u8]) -> Option<(u32, &[u8])> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    Some((decimal(&text[..digits])?, &text[digits..]))
}

/// Without Solaris' `[ID 800047 auth.info] `.
fn solaris(message: &[u8]) -> &[u8] {
    let skip = || {
        let rest = message.strip_prefix(b"[ID ")?;
        let end = memchr::memchr(b']', &rest[..rest.len().min(40)])?;
        rest[end + 1..].strip_prefix(b" ")
    };
    skip().unwrap_or(message)
}

/// Without the `kernel: [  970.699396] ` that some collectors put before what a daemon said. Only
/// sshd's own, which begins no message of its own like that.
fn past_clock<'a>(header: &Header<'a>, message: &'a [u8]) -> &'a [u8] {
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
/// stand before it: what servers log may be a client's word.
fn past_title<'a>(header: &Header<'a>, message: &'a [u8]) -> &'a [u8] {
    if !matches!(family(header.program), Family::Other) || message.starts_with(b"pam_") {
        return message;
    }
    let title = |message: &'a [u8]| {
        let at = find(&message[..message.len().min(LONGEST_TITLE)], b": pam_")?;
        let words = message[..at].strip_prefix(b" ").unwrap_or(&message[..at]);
        let is_title = [&b"process"[..], b"worker process"].contains(&words)
            || words.strip_suffix(b" authentication").is_some_and(|client| {
                let place = client.rsplit(|b| *b == b' ').next().unwrap_or_default();
                place == b"[local]" || (place.ends_with(b")") && place.contains(&b'('))
            });
        is_title.then(|| behind_title(message))?
    };
    title(message).unwrap_or(message)
}

/// PostgreSQL's has two names of 63 bytes and a host's.
const LONGEST_TITLE: usize = 512;

/// Without the quotes around it.
fn quoted(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"'").and_then(|t| t.strip_suffix(b"'")).unwrap_or(text)
}

/// Split at the first `separator`.
fn cut<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = find(text, separator)?;
    Some((&text[..at], &text[at + separator.len()..]))
}

/// Split at the last `separator`.
fn cut_last<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = rfind(text, separator)?;
    Some((&text[..at], &text[at + separator.len()..]))
}

/// The first place of a short `needle`.
fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    places(text, needle).next()
}

/// The places of a short `needle`. Lines are too short for a prepared search to pay.
fn places<'a>(text: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let second = needle.get(1).or(needle.first());
    let skip = usize::from(needle.len() > 1);
    second
        .into_iter()
        .flat_map(|second| memchr::memchr_iter(*second, text))
        .filter_map(move |at| at.checked_sub(skip))
        .filter(|at| text[*at..].starts_with(needle))
}

/// The last place of a short `needle`.
fn rfind(text: &[u8], needle: &[u8]) -> Option<usize> {
    let second = *needle.get(1).or(needle.first())?;
    let skip = usize::from(needle.len() > 1);
    memchr::memrchr_iter(second, text)
        .filter_map(|at| at.checked_sub(skip))
        .find(|at| text[*at..].starts_with(needle))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::candidates::{Reach, Search};
    use crate::scan::header;

    /// What a line is; and if it is evidence, the search for candidates must not pass over it.
    pub fn taken(line: &str) -> Line<'_> {
        let taken = classify(&header::parse(line.as_bytes()).unwrap());
        // Words of success are searched for behind a refusal alone.
        let is_searched =
            |kind| !matches!(kind, Kind::PamSession | Kind::Success | Kind::PamSuccess | Kind::Client);
        if matches!(taken, Line::Evidence(Evidence { kind, .. }) if is_searched(kind)) {
            let mut found = 0;
            Search::new(false).run(line.as_bytes(), &mut Reach::default(), &mut |_| found += 1);
            assert_eq!(found, 1, "no candidate: {line}");
        }
        taken
    }

    /// Class, weight, user and rhost of a message.
    pub fn told(tag: &str, message: &str) -> Option<(&'static str, u32, String, String)> {
        let line = format!("Nov  3 09:05:01 srv {tag}: {message}");
        match taken(&line) {
            Line::Evidence(e) => Some((
                e.class,
                e.weight,
                String::from_utf8_lossy(e.user).into_owned(),
                String::from_utf8_lossy(e.rhost).into_owned(),
            )),
            _ => None,
        }
    }

    #[test]
    fn a_repeated_message_counts_as_often_as_it_says() {
        let inner = "Failed password for root from 192.0.2.7 port 50310 ssh2";
        let expected = ("sshd-failed-password", 2, "root".to_owned(), "192.0.2.7".to_owned());
        assert_eq!(told("sshd[7]", &format!("message repeated 2 times: [ {inner}]")), Some(expected.clone()));
        assert_eq!(told("sshd[7]", &format!("message repeated 2 times: [{inner}]")), Some(expected));
        assert_eq!(told("sshd[7]", "message repeated 4294967295 times: [ PAM 9 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7 ]").unwrap().1, u32::MAX);
    }

    #[test]
    fn the_clock_of_the_kernel_may_stand_before_what_sshd_says() {
        let failed = "Failed password for bob from 192.0.2.7 port 1 ssh2";
        let expected = Some(("sshd-failed-password", 1, "bob".to_owned(), "192.0.2.7".to_owned()));
        for clock in ["kernel: [  970.699396]", "kernel:[  970.699396]:", "kernel:[12970.699396]"] {
            assert_eq!(told("sshd[7]", &format!("{clock} {failed}")), expected, "{clock}");
        }
        for (tag, clock) in [
            ("sshd[7]", "kernel: [x.699396]"),
            ("sshd[7]", "kernel: [970.6]"),
            ("sshd[7]", "kernel: [970]"),
            ("sshd[7]", "kernel: 970.699396"),
            ("sshd[7]", "x kernel: [  970.699396]"),
            ("sshd", "kernel: [  970.699396]"),
        ] {
            assert_eq!(told(tag, &format!("{clock} {failed}")), None, "{tag}: {clock}");
        }
        assert_eq!(told("su[7]", "kernel: [  970.699396] FAILED SU (to alice) bob on pts/0"), None);
    }

    #[test]
    fn pam_is_heard_behind_a_title_whose_first_word_was_taken_for_the_tag() {
        let pam = |service: &str| {
            format!(
                "pam_unix({service}:auth): authentication failure; logname= uid=33 euid=33 tty= ruser= rhost=192.0.2.7  user=bob"
            )
        };
        let expected = Some(("pam-failure", 1, "bob".to_owned(), "192.0.2.7".to_owned()));
        for (tag, before) in [
            ("ker[71]", "process: "),
            ("nginx[71]", "worker process: "),
            ("stgres[71]", "192.0.2.7(41522) authentication: "),
            ("ice[71]", "db client.example.org(41522) authentication: "),
            ("stgres[71]", "db [local] authentication: "),
        ] {
            assert_eq!(told(tag, &format!("{before}{}", pam("x"))), expected, "{tag}: {before}");
        }
        for (tag, before) in [
            ("httpd[71]", "GET /: "),
            ("httpd[71]", "process x: "),
            ("sshd[71]", "process: "),
            ("httpd[71]", "authentication: "),
        ] {
            assert_eq!(told(tag, &format!("{before}{}", pam("sshd"))), None, "{tag}: {before}");
        }
    }

    #[test]
    fn what_the_kernel_prints_tells_of_no_attempt() {
        let pam = "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.99  user=root";
        let failed = "Failed password for root from 192.0.2.99 port 22 ssh2";
        for message in [
            // A process that calls itself `x\nsshd[7]: Fai`, and one started from a file of such a name.
            "[12745.661672] sshd[7]: Fai[517]: segfault at 0 ip 000055b6 sp 00007ffc error 6 in c[115b]",
            &format!("[12745.663746] sshd[7]: {failed}' started with executable stack"),
            &format!("[12745.663746] sshd[7]: {failed}"),
            &format!("sshd[7]: {failed}"),
            &format!("[12745.663746] {pam}"),
            pam,
            &format!("message repeated 2 times: [ {pam}]"),
        ] {
            for line in [
                format!("Nov  3 09:05:01 srv kernel: {message}"),
                format!("2026-11-03T09:05:01.123456+01:00 srv kernel: {message}"),
                format!("<4>1 2026-11-03T09:05:01Z srv kernel - - -  {message}"),
            ] {
                assert_eq!(taken(&line), Line::Other, "{line}");
            }
        }
    }

    #[test]
    fn a_user_name_cannot_pose_as_a_repetition() {
        let forged =
            "Failed password for invalid user message repeated 9 times: [ x from 192.0.2.7 port 5 ssh2";
        assert_eq!(told("sshd[7]", forged).unwrap().1, 1);
    }
}
