//! Heads around heads: what relays, containers and tools put before the head of a line, and lines that have none.
//!
//! Only what a collector wrote is skipped. What follows must have a complete head of its own, or be a sentence that
//! sshd or Exim alone begins so: `sshd -e` in a container and Exim's own log have no tag.

use super::hash::short;
use super::header::{Header, decimal, is_facility, plain, token};
use super::rules::{Line, classify};
use super::stamp::{self, Stamp, skip_blanks};

/// Heads in one another that are taken off.
const DEPTH: u32 = 4;
/// A file's name before a line is hardly longer.
const LONGEST_NAME: usize = 255;

/// How sshd begins what it says at its usual levels.
const OF_SSHD: [&[u8]; 24] = [
    b"Failed password for ",
    b"Failed none for ",
    b"Failed publickey for ",
    b"Failed keyboard-interactive",
    b"Failed hostbased for ",
    b"Failed gssapi",
    b"Accepted password for ",
    b"Accepted publickey for ",
    b"Accepted keyboard-interactive",
    b"Accepted hostbased for ",
    b"Accepted gssapi",
    b"Invalid user ",
    b"Connection closed by ",
    b"Connection reset by ",
    b"Connection from ",
    b"Disconnected from ",
    b"Disconnecting ",
    b"Received disconnect from ",
    b"error: PAM: ",
    b"error: maximum authentication attempts exceeded for ",
    b"ROOT LOGIN REFUSED FROM ",
    b"Access denied for user ",
    b"fatal: Access denied for user ",
    b"Server listening on ",
];

/// Take a line apart that has no plain head.
pub(super) fn parse(line: &[u8]) -> Option<Header<'_>> {
    inside(line, Stamp::Missing, b"", DEPTH)
}

/// The line in the message of a relay that gives no tag.
pub(super) fn behind<'a>(header: &Header<'a>) -> Option<Header<'a>> {
    inside(header.message, header.stamp, header.host, DEPTH - 1)
}

/// What a container wrote whose id or runtime is the tag: `e8d820bf982c[2136]: Feb 19 11:37:15 sshd[58]: …`; or what
/// stands behind a facility in its place: `auth.info: sshd[58]: …`
pub(super) fn of_container<'a>(header: &Header<'a>) -> Option<Header<'a>> {
    let is_id = matches!(header.program.len(), 12 | 64) && header.program.iter().all(u8::is_ascii_hexdigit);
    let is_runtime = matches!(header.program, b"docker" | b"dockerd" | b"podman" | b"conmon" | b"containerd");
    let of_container = is_id || is_runtime;
    let within = (of_container || is_facility(header.program))
        .then(|| inside(skip_blanks(header.message), header.stamp, header.host, DEPTH - 1))??;
    if of_container { in_container(within, header.program, header.pid) } else { Some(within) }
}

/// A line of the container that is known by this tag and number.
///
/// What a container wrote tells of nobody who got in, under whatever tag and number: any program in it may show a client's
/// words at the start of a line, and its accounts are not those of this machine. A refusal that is none does little harm;
/// that somebody got in would be a login here, and excuse refusals. Its processes are none of this machine either, whatever
/// their numbers.
pub(super) fn in_container<'a>(header: Header<'a>, tag: &[u8], pid: u32) -> Option<Header<'a>> {
    if matches!(classify(&header), Line::Evidence(evidence) if evidence.kind.excuses()) {
        return None;
    }
    // One in another: whatever the inner one says, it is in the outer one.
    let container = short(&[tag, &pid.to_le_bytes(), &header.container.to_le_bytes()]).max(1);
    Some(Header { container, ..header })
}

/// The line in `text`, of a collector that wrote `stamp` and `host`.
fn inside<'a>(text: &'a [u8], stamp: Stamp, host: &'a [u8], depth: u32) -> Option<Header<'a>> {
    let depth = depth.checked_sub(1)?;
    if OF_SSHD.iter().any(|words| text.starts_with(words)) {
        return Some(Header { program: b"sshd", ..Header::bare(stamp, host, text) });
    }
    if token(text).1.starts_with(b"authenticator failed ") {
        return Some(Header { program: b"exim", ..Header::bare(stamp, host, text) });
    }
    // What stands behind one word may be anybody's text.
    if let Some((program, pid)) = own(text).filter(|_| host.is_empty()) {
        return Some(Header { program, pid, ..Header::bare(stamp, host, text) });
    }
    let within = |header: Header<'a>| {
        // The collector's clock has a zone more often than the one of what it collects.
        let stamp = if stamp == Stamp::Missing { header.stamp } else { stamp };
        let host = if header.host.is_empty() { host } else { header.host };
        Header { stamp, host, ..header }
    };
    // At the outermost level that was tried before.
    if depth + 1 < DEPTH {
        if let Some(header) = plain(text).filter(|header| !header.program.is_empty()) {
            return Some(within(header));
        }
    }
    if let Some((pid, rest)) = of_dropbear(text) {
        let (own, message) = stamp::parse(rest)?;
        let stamp = if stamp == Stamp::Missing { own } else { stamp };
        return Some(Header { program: b"dropbear", pid, ..Header::bare(stamp, host, message) });
    }
    if let Some((own, rest)) = stamp::parse(text) {
        let stamp = if stamp == Stamp::Missing { own } else { stamp };
        let (word, after) = token(rest);
        if matches!(word, b"stdout" | b"stderr") {
            // A whole line or part of one, as Kubernetes has it.
            let (kind, message) = token(after);
            return matches!(kind, b"F" | b"P")
                .then(|| inside(message, stamp, host, depth))?
                .and_then(|header| in_container(header, b"", 0));
        }
        return inside(rest, stamp, host, depth)
            .or_else(|| inside(after, stamp, word, depth).filter(|header| has_head(header, after)));
    }
    if let Some(rest) = past_service(text) {
        let name = token(text).0;
        return inside(rest, stamp, host, depth).and_then(|header| in_container(header, name, 0));
    }
    let rest = past_socklog(text).or_else(|| past_file_name(text))?;
    inside(rest, stamp, host, depth)
}

/// Whose line it is in a log in which one program alone writes, without a tag; perhaps with a number.
fn own(text: &[u8]) -> Option<(&'static [u8], u32)> {
    let (pid, words) = of_dropbear(text).unwrap_or((0, text));
    let (first, rest) = token(words);
    if rest.starts_with(b"authenticator failed ") || (rest.starts_with(b"<= ") && is_exims_mail(first)) {
        return Some((b"exim", pid));
    }
    if rest.starts_with(b"TLS Auth Error: Auth ") || rest.starts_with(b"TLS: Username/Password auth") {
        return Some((b"openvpn", 0));
    }
    let rest = rest.strip_prefix(b"] ").filter(|_| first.ends_with(b"[INFO"))?;
    let is_xrdps = rest.starts_with(b"AUTHFAIL: user=") || rest.starts_with(b"++ created session (access ");
    is_xrdps.then_some((b"xrdp-sesman", 0))
}

/// Whether this is how Exim numbers a mail: `1xXZyb-00005S-00`, `1xXZyb-000000005S0-00Ab`.
fn is_exims_mail(word: &[u8]) -> bool {
    let mut parts = word.split(|b| *b == b'-');
    let lengths = [(); 4].map(|()| parts.next().map_or(0, <[u8]>::len));
    let is_it = matches!(lengths, [6, 6, 2, 0] | [6, 11, 4, 0]);
    is_it && word.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
}

/// Whether a line behind a host has a head or is sshd's: what stands behind one word may be anybody's text.
fn has_head(header: &Header<'_>, text: &[u8]) -> bool {
    header.message.len() < text.len() || header.program == b"sshd"
}

/// `[71] Nov 03 09:05:01 …`, as dropbear writes to its standard error.
fn of_dropbear(text: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = token(text);
    Some((decimal(word.strip_prefix(b"[")?.strip_suffix(b"]")?)?, rest))
}

/// socklog: `@4000000065982f3b00000000 auth.info: …`, `2026-11-03_09:05:01.12345 auth.info: …`, `auth.info: …`
fn past_socklog(text: &[u8]) -> Option<&[u8]> {
    let (word, after) = token(text);
    let is_tai = word.len() == 25 && word[0] == b'@' && word[1..].iter().all(u8::is_ascii_hexdigit);
    let is_time = word.len() >= 19 && word[10] == b'_' && word[..4].iter().all(u8::is_ascii_digit);
    let rest = if is_tai || is_time { after } else { text };
    let (facility, after) = token(rest);
    let (facility, level) = split(facility.strip_suffix(b":")?, b'.')?;
    let is_word =
        |word: &[u8]| !word.is_empty() && word.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    (facility.starts_with(b"auth") || [&b"security"[..], b"daemon", b"user"].contains(&facility))
        .then_some(after)
        .filter(|_| is_word(facility) && is_word(level))
}

/// `sshd-1  | …` of compose, `[pod/ssh-0/sshd] …` of kubectl.
fn past_service(text: &[u8]) -> Option<&[u8]> {
    let (name, after) = token(text);
    if let Some(rest) = after.strip_prefix(b"| ") {
        return Some(rest);
    }
    (name.starts_with(b"[pod/") && name.ends_with(b"]")).then_some(after)
}

/// `/var/log/auth.log:`, `auth.log.1:12:`, `12:` of grep and its like.
fn past_file_name(text: &[u8]) -> Option<&[u8]> {
    let (name, rest) = split(&text[..text.len()], b':').filter(|(name, _)| name.len() <= LONGEST_NAME)?;
    let is_name = name.iter().any(|b| matches!(b, b'/' | b'.'))
        || [&b"secure"[..], b"messages", b"syslog"].contains(&name)
        || decimal(name).is_some();
    if !is_name || name.contains(&b' ') {
        return None;
    }
    match split(rest, b':') {
        Some((number, rest)) if decimal(number).is_some() => Some(rest),
        _ => Some(rest),
    }
}

fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(at, text)?;
    Some((&text[..end], &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::super::header;
    use super::*;

    fn shown(line: &str) -> Option<(String, String, u32, String)> {
        let header = header::parse(line.as_bytes()).filter(|header| !header.program.is_empty())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some((
            text(header.host),
            text(header.program),
            header.pid,
            text(header.message).trim_start().to_owned(),
        ))
    }

    const FAILED: &str = "Failed password for root from 192.0.2.7 port 4000 ssh2";

    #[test]
    fn exims_own_log_has_no_tag() {
        let words = "login authenticator failed for (x) [192.0.2.7]: 535 Incorrect authentication data";
        let expected = Some((String::new(), "exim".into(), 0, words.into()));
        assert_eq!(shown(&format!("2026-11-03 09:05:01 {words}")), expected);
        assert_eq!(shown(&format!("2026-11-03 09:05:01 x y {words}")), None);
        let expected = Some((String::new(), "exim".into(), 71, format!("[71] {words}")));
        assert_eq!(shown(&format!("2026-11-03 09:05:01 [71] {words}")), expected);
        assert_eq!(shown(&format!("2026-11-03 09:05:01 x [71] {words}")), None);
        let mail = "<= bob@example.org H=(x) [192.0.2.7] P=esmtpa A=plain:bob S=208";
        for number in ["1xXZyb-00005S-00", "1xXZyb-000000005S0-00Ab"] {
            let words = format!("{number} {mail}");
            let expected = Some((String::new(), "exim".into(), 0, words.clone()));
            assert_eq!(shown(&format!("2026-11-03 09:05:01 {words}")), expected);
        }
        assert_eq!(shown(&format!("2026-11-03 09:05:01 x {mail}")), None);
    }

    #[test]
    fn nor_have_those_of_openvpn_and_xrdp() {
        for (words, program) in [
            ("192.0.2.7:4000 TLS Auth Error: Auth Username/Password verification failed for peer", "openvpn"),
            ("[INFO ] AUTHFAIL: user=bob ip=192.0.2.7 time=1649351466", "xrdp-sesman"),
            (
                "[INFO ] ++ created session (access granted): username bob, ip 192.0.2.7:4000 - socket: 12",
                "xrdp-sesman",
            ),
            ("(71)(140145709626688)[INFO ] AUTHFAIL: user=bob ip=192.0.2.7 time=1649351466", "xrdp-sesman"),
        ] {
            let expected = Some((String::new(), program.into(), 0, words.into()));
            for stamp in ["[20261103-09:05:01] ", "2026-11-03 09:05:01 ", "Tue Nov  3 09:05:01 2026 "] {
                assert_eq!(shown(&format!("{stamp}{words}")), expected, "{stamp}{words}");
            }
            assert_eq!(shown(&format!("[20261103-09:05:01] x {words}")), None, "{words}");
        }
    }

    #[test]
    fn heads_around_a_head_are_taken_off() {
        for (before, host, program, pid) in [
            ("Nov  3 09:05:01 relay Nov  3 09:05:01 srv sshd[71]: ", "srv", "sshd", 71),
            ("Nov  3 09:05:01 relay 2026-11-03T09:05:01+01:00 srv sshd[71]: ", "srv", "sshd", 71),
            ("2026-11-03T09:05:01Z relay Nov  3 09:05:01 srv sshd[71]: ", "srv", "sshd", 71),
            ("Nov 03 09:05:01 Nov  3 09:05:01 srv sshd[71]: ", "srv", "sshd", 71),
            ("Nov  3 09:05:01 relay Nov  3 09:05:01 sshd[71]: ", "relay", "sshd", 71),
            ("<38>1 2026-11-03T09:05:01Z relay - - - - Nov  3 09:05:01 srv sshd[71]: ", "srv", "sshd", 71),
            ("Nov  3 09:05:01 srv e8d820bf982c[2136]: Nov  3 08:05:01 sshd[58]: ", "srv", "sshd", 58),
            (
                "Nov  3 09:05:01 srv docker/e8d820bf982c[2136]: Nov  3 08:05:01 box sshd[58]: ",
                "box",
                "sshd",
                58,
            ),
            ("Nov  3 09:05:01 srv e8d820bf982c[2136]: ", "srv", "sshd", 0),
            ("Nov  3 09:05:01 srv dockerd[2136]: sshd[58]: ", "srv", "sshd", 58),
            ("@4000000065982f3b00000000 auth.info: Nov  3 09:05:01 sshd[71]: ", "", "sshd", 71),
            ("2026-11-03_09:05:01.12345 auth.info: Nov  3 09:05:01 sshd[71]: ", "", "sshd", 71),
            ("2026-11-03_09:05:01.12345 authpriv.notice: sshd[71]: ", "", "sshd", 71),
            ("auth.info: Nov  3 09:05:01 srv sshd[71]: ", "srv", "sshd", 71),
            ("2026-11-03 09:05:01.123456789  auth.info: sshd[71]: ", "", "sshd", 71),
            ("2026-11-03T09:05:01.123456789Z stderr F ", "", "sshd", 0),
            ("2026-11-03T09:05:01.123456789+01:00 stdout F Nov  3 09:05:01 sshd[71]: ", "", "sshd", 71),
            ("2026-11-03T09:05:01.123456789Z ", "", "sshd", 0),
            ("2026-11-03T09:05:01.123456789Z sshd[71]: ", "", "sshd", 71),
            ("12:Nov  3 09:05:01 srv sshd[71]: ", "srv", "sshd", 71),
            ("sshd-1  | ", "", "sshd", 0),
            ("sshd-1  | 2026-11-03T09:05:01.123456789Z ", "", "sshd", 0),
            ("[pod/ssh-0/sshd] ", "", "sshd", 0),
            ("", "", "sshd", 0),
            ("/var/log/auth.log:Nov  3 09:05:01 srv sshd[71]: ", "srv", "sshd", 71),
            ("/var/log/auth.log.1:1234:Nov  3 09:05:01 srv sshd[71]: ", "srv", "sshd", 71),
            ("auth.log:2026-11-03T09:05:01Z srv sshd[71]: ", "srv", "sshd", 71),
            ("secure:Nov  3 09:05:01 srv sshd[71]: ", "srv", "sshd", 71),
            ("Nov  3 09:05:01 srv ", "srv", "sshd", 0),
        ] {
            let line = format!("{before}{FAILED}");
            let expected = (host.to_owned(), program.to_owned(), pid, FAILED.to_owned());
            assert_eq!(shown(&line), Some(expected), "{line}");
        }
        let (_, program, pid, message) =
            shown("[71] Nov 03 09:05:01 Bad password attempt for 'root' from 192.0.2.7:1").unwrap();
        assert_eq!((program.as_str(), pid), ("dropbear", 71));
        assert!(message.starts_with("Bad password"));
    }

    #[test]
    fn a_container_says_of_nobody_that_he_got_in() {
        let accepted = "Accepted password for root from 198.51.100.9 port 4000 ssh2";
        for before in [
            "Nov  3 09:05:01 srv e8d820bf982c[2136]: ",
            "Nov  3 09:05:01 srv docker/e8d820bf982c[2136]:  ",
            "Nov  3 09:05:01 srv dockerd[2136]: ",
            "Nov  3 09:05:01 srv podman: 2026-11-03T09:05:01Z ",
            "Nov  3 09:05:01 srv conmon: Nov  3 08:05:01 sshd: ",
            "2026-11-03T09:05:01.123456789Z stdout F ",
            "web-1  | ",
            "web-1  | 2026-11-03T09:05:01.123456789Z ",
            "[pod/web-0/app] ",
        ] {
            let is_sshds = |text: &str| shown(&format!("{before}{text}")).is_some_and(|it| it.1 == "sshd");
            assert!(!is_sshds(accepted) && is_sshds(FAILED), "{before}");
        }
        for before in ["", "auth.log:", "Nov  3 09:05:01 srv sshd[71]: ", "auth.info: "] {
            assert_eq!(shown(&format!("{before}{accepted}")).unwrap().1, "sshd", "{before}");
        }
    }

    #[test]
    fn nor_does_it_under_the_tag_and_number_of_any_program() {
        let pam = "logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7";
        for (text, is_refusal) in [
            ("sshd[58]: Accepted password for root from 198.51.100.9 port 4000 ssh2", false),
            (
                "sshd-session[58]: Accepted publickey for root from 198.51.100.9 port 4000 ssh2: ED25519 SHA256:a",
                false,
            ),
            (&format!("sshd[58]: pam_sss(sshd:auth): authentication success; {pam}  user=alice"), false),
            ("sshd[58]: fatal: Access denied for user alice by PAM account configuration [preauth]", false),
            ("su[58]: (to root) bob on pts/0", false),
            ("su[58]: pam_unix(su:session): session opened for user root(uid=0) by bob(uid=1000)", false),
            ("sudo[58]:      bob : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh", false),
            ("login[58]: LOGIN ON tty1 BY alice", false),
            ("su[58]: pam_unix(su:auth): auth could not identify password for [alice]", false),
            ("dropbear[58]: Password auth succeeded for 'root' from 198.51.100.9:4000", false),
            (&format!("sshd[58]: {FAILED}"), true),
            (&format!("sshd[58]: pam_unix(sshd:auth): authentication failure; {pam}  user=root"), true),
            ("su[58]: FAILED SU (to root) bob on pts/0", true),
        ] {
            let is_evidence = |line: &str| {
                let header = header::parse(line.as_bytes()).unwrap();
                matches!(classify(&header), Line::Evidence(_))
            };
            assert!(is_evidence(&format!("Nov  3 09:05:01 srv {text}")), "{text}");
            for before in [
                "Nov  3 09:05:01 srv e8d820bf982c[2136]: ",
                "Nov  3 09:05:01 srv e8d820bf982c[2136]: Nov  3 08:05:01 ",
                "Nov  3 09:05:01 srv docker/e8d820bf982c[2136]: Nov  3 08:05:01 box ",
                "Nov  3 09:05:01 srv dockerd[2136]: ",
                "Nov  3 09:05:01 srv conmon: ",
                "2026-11-03T09:05:01.123456789Z stdout F Nov  3 09:05:01 ",
            ] {
                assert_eq!(is_evidence(&format!("{before}{text}")), is_refusal, "{before}{text}");
            }
            // Under the tag of any other program it is text.
            for before in ["Nov  3 09:05:01 srv app[5]: ", "Nov  3 09:05:01 srv web-1[5]: Nov  3 09:05:01 "] {
                assert!(!is_evidence(&format!("{before}{text}")), "{before}{text}");
            }
        }
    }

    #[test]
    fn a_collectors_time_goes_before_that_of_the_line() {
        let stamp = |line: &str| header::parse(line.as_bytes()).unwrap().stamp;
        let outer = "2026-11-03T09:05:01Z relay ";
        let line = format!("{outer}Nov  3 10:05:01 srv sshd[71]: {FAILED}");
        assert_eq!(stamp(&line), Stamp::Exact(1_793_696_701_000_000));
        assert!(matches!(
            stamp(&format!("auth.log:Nov  3 10:05:01 srv sshd[71]: {FAILED}")),
            Stamp::Wall { .. }
        ));
    }

    #[test]
    fn what_somebody_wrote_into_a_message_is_no_head() {
        for line in [
            format!("Nov  3 09:05:01 srv x[5]: Nov  3 09:05:01 srv sshd[71]: {FAILED}"),
            format!("Nov  3 09:05:01 srv x[5]: {FAILED}"),
            format!("Nov  3 09:05:01 srv app: sshd-1 | {FAILED}"),
            format!("2026-11-03T09:05:01Z srv x[5]: stderr F {FAILED}"),
            format!("Nov  3 09:05:01 srv deadbeef[5]: {FAILED}"),
        ] {
            assert_ne!(shown(&line).unwrap().1, "sshd", "{line}");
        }
        for line in [
            "192.0.2.7 - - [05/Jan/2026:12:00:01 +0000] \"GET / HTTP/1.1\" 200 1",
            "http://x.example/Failed password for root from 192.0.2.7 port 4000 ssh2",
            "-- Boot 0123 --",
            "x | y",
            "[pod/x] y",
            "auth.info: ",
            "auth.log:",
            "[71] x",
        ] {
            assert_eq!(shown(line), None, "{line}");
        }
    }
}
