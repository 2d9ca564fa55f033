//! The head of a log line: time, host, program and pid. What follows is the message.
//!
//! Everything here stands before the first byte that a remote user can influence, so it is parsed
//! from the left, and nothing in the message is ever asked for it.

use super::stamp::{self, Stamp, skip_blanks};
use super::tag::{self, is_tag, name_and_module, tagged};
use super::wrapped;

/// What the systemd journal says of who wrote a line, beside what the line says of itself. In a text log nobody says
/// anything of that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Nothing speaks against it.
    #[default]
    Believed,
    /// The journal does not say which program wrote it, and anybody may have.
    Unattributed,
    /// Somebody wrote it who cannot have seen what it tells.
    Forged,
    /// `authalert test` wrote it: what it tells is no attempt.
    Test,
}

/// A line, taken apart as far as the log daemon wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its time.
    pub stamp: Stamp,
    /// The machine that logged; empty where the form has none.
    pub host: &'a [u8],
    /// The tag without path, pid and brackets: `sshd`, `su`.
    pub program: &'a [u8],
    /// What stood in parentheses after it: `pam_unix` in `sshd(pam_unix)[71]`.
    pub module: &'a [u8],
    /// The process; 0 where the form has none.
    pub pid: u32,
    /// What the program wrote.
    pub message: &'a [u8],
    /// Whether that follows the program, a colon and a blank at once.
    pub plain: bool,
    /// Whether who wrote it can have seen what it tells.
    pub trust: Trust,
    /// The user whose process wrote it, where the journal says so, and it is not root.
    pub uid: u32,
    /// The name of its program's file, where the journal says that.
    pub exe: &'a [u8],
    /// The container that wrote it, by tag and number of what collects its lines; 0: none did. Host, program and process
    /// are its own words then.
    pub container: u32,
}

impl<'a> Header<'a> {
    /// Of nobody yet, and nothing speaks against it.
    pub(super) fn bare(stamp: Stamp, host: &'a [u8], message: &'a [u8]) -> Self {
        Self {
            stamp,
            host,
            program: b"",
            module: b"",
            pid: 0,
            message,
            plain: false,
            trust: Trust::Believed,
            uid: 0,
            exe: b"",
            container: 0,
        }
    }
}

/// Take a line apart. `None`: it has no form of a log line.
pub fn parse(line: &[u8]) -> Option<Header<'_>> {
    let line = trim(line);
    match plain(line) {
        Some(header) if header.program.is_empty() => {
            wrapped::parse(line).or_else(|| wrapped::behind(&header)).or(Some(header))
        }
        Some(header) => wrapped::of_container(&header).or(Some(header)),
        None => wrapped::parse(line),
    }
}

/// Take a line apart that begins with its head.
pub(super) fn plain(line: &[u8]) -> Option<Header<'_>> {
    let (numbered, rest) = priority(line);
    if let Some(header) = version_one(rest, numbered) {
        return Some(header);
    }
    let Some((stamp, mut rest)) = stamp::parse(rest) else {
        return unstamped(rest);
    };
    if let Some(header) = tag::of_vsftpd(stamp, rest).or_else(|| tag::of_log_show(stamp, rest)) {
        return Some(header);
    }
    let mut host: &[u8] = b"";
    if let Some((bracketed, after)) = host_in_brackets(rest) {
        (host, rest) = (bracketed, after);
    } else {
        let (first, behind) = token(rest);
        let (second, after) = token(behind);
        match (is_tag(first), is_facility(first)) {
            (true, _) => {}
            (false, true) if is_tag(second) => rest = behind,
            (false, true) => (host, rest) = (second, after),
            // As nearly always: neither of what follows ends so.
            (false, false) if second.ends_with(b":") => (host, rest) = (first, behind),
            (false, false) if is_facility(second) => (host, rest) = (first, after),
            (false, false) if is_severity(second) && is_tag(token(after).0) => (host, rest) = (first, after),
            // nginx names the machine itself, to a daemon that does so too.
            (false, false) if first == second && is_tag(token(after).0) => (host, rest) = (first, after),
            // cPanel's own log: `[2026-11-03 09:05:01 +0100] info [cpaneld] …`
            (false, false) if is_severity(first) && is_of_cpanel(second) => rest = behind,
            (false, false) => (host, rest) = (first, behind),
        }
    }
    Some(tagged(stamp, host, rest))
}

/// `srv sshd[71]: hello`, as some tools show the systemd journal: only a tag with a number tells
/// such a line from any other text. A blank at its start: journalctl sets so the further lines of a
/// message, which may be anybody's text.
fn unstamped(text: &[u8]) -> Option<Header<'_>> {
    if text.starts_with(b" ") {
        return None;
    }
    let (word, rest) = token(text);
    let (host, rest) = if word.ends_with(b"]:") { (&b""[..], text) } else { (word, rest) };
    let header = tagged(Stamp::Missing, host, rest);
    (header.pid != 0).then_some(header)
}

/// The severity alone, as F5's BIG-IP and SONiC have it before the tag: `srv notice sshd[71]: …`, `srv ERR sshd[71]: …`
fn is_severity(word: &[u8]) -> bool {
    const WORDS: [&[u8]; 10] =
        [b"debug", b"info", b"notice", b"warn", b"warning", b"err", b"error", b"crit", b"alert", b"emerg"];
    word.first().is_some_and(u8::is_ascii_alphabetic)
        && WORDS.iter().any(|severity| word.eq_ignore_ascii_case(severity))
}

fn is_of_cpanel(word: &[u8]) -> bool {
    matches!(word, b"[cpaneld]" | b"[whostmgrd]" | b"[webmaild]" | b"[cpsrvd]" | b"[cpdavd]")
}

/// A line without NUL bytes and carriage returns around it. Blanks stay: a name may end in one.
pub fn trim(line: &[u8]) -> &[u8] {
    let mut line = line;
    while let [0 | b'\r', rest @ ..] = line {
        line = rest;
    }
    while let [rest @ .., 0 | b'\r' | b'\n'] = line {
        line = rest;
    }
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
}

/// The whole of `text` as a number.
pub fn decimal(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 10 {
        return None;
    }
    let mut value = 0_u64;
    for digit in text {
        value = value * 10 + u64::from(digit.checked_sub(b'0').filter(|d| *d < 10)?);
    }
    u32::try_from(value).ok()
}

/// RFC 5424: `1 STAMP HOST APP PROCID MSGID [DATA] MESSAGE`.
fn version_one(line: &[u8], numbered: bool) -> Option<Header<'_>> {
    let rest = line.strip_prefix(b"1 ")?;
    let (stamp, rest) = match rest.strip_prefix(b"- ") {
        Some(rest) if numbered => (Stamp::Missing, rest),
        _ => stamp::parse(rest)?,
    };
    let (host, rest) = token(rest);
    let (app, rest) = token(rest);
    let (procid, rest) = token(rest);
    let (_msgid, rest) = token(rest);
    let message = after_data(rest)?;
    // rsyslog's own template for this form keeps the blank that came after the tag.
    let message = skip_blanks(message);
    let message = message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message);
    let (program, module) = name_and_module(app);
    let host = if host == b"-" { b"" } else { host };
    let pid = decimal(procid).unwrap_or(0);
    let header = Header { program, module, pid, ..Header::bare(stamp, host, message) };
    // rsyslog leaves the tag in the message when it forwards some sources.
    if program == b"-" { Some(tagged(stamp, host, message)) } else { Some(header) }
}

/// What follows the structured data; brackets inside quotes are part of a value.
fn after_data(text: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = text.strip_prefix(b"-") {
        return Some(rest);
    }
    if text.first() != Some(&b'[') {
        return None;
    }
    let (mut quoted, mut escaped) = (false, false);
    for (i, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted && text.get(i + 1) != Some(&b'[') => return Some(&text[i + 1..]),
            _ => {}
        }
    }
    None
}

/// Skip `<38>` or BSD's `<auth.info>`; whether it was a number.
fn priority(line: &[u8]) -> (bool, &[u8]) {
    let skip = || {
        let inner = line.strip_prefix(b"<")?;
        let end = inner.iter().take(24).position(|b| *b == b'>')?;
        Some((decimal(&inner[..end]).is_some(), skip_blanks(&inner[end + 1..])))
    };
    skip().unwrap_or((false, line))
}

/// `<auth.info>` or `<4.6>` of BSD, busybox's `auth.info`, or AIX's `auth|security:info`, between host and tag.
pub(super) fn is_facility(word: &[u8]) -> bool {
    let Some(dot) = word.iter().position(|b| matches!(b, b'.' | b':')) else { return false };
    if let [b'<', facility @ .., b'.', severity, b'>'] = word {
        if decimal(facility).is_some_and(|n| n < 24) && (b'0'..=b'7').contains(severity) {
            return true;
        }
    }
    let (facility, severity) = (&word[..dot], &word[dot + 1..]);
    let (facility, severity) = match (facility.strip_prefix(b"<"), severity.strip_suffix(b">")) {
        (Some(facility), Some(severity)) => (facility, severity),
        _ => (facility, severity),
    };
    matches!(
        facility,
        b"auth" | b"auth|security" | b"authpriv" | b"security" | b"user" | b"daemon" | b"local0" | b"syslog"
    ) && matches!(
        severity,
        b"emerg"
            | b"alert"
            | b"crit"
            | b"err"
            | b"error"
            | b"warn"
            | b"warning"
            | b"notice"
            | b"info"
            | b"debug"
    )
}

/// `[web1.example.org] sshd[71]: …`, and what follows the host. metalog's tag in brackets has no dot, and no tag behind it.
fn host_in_brackets(text: &[u8]) -> Option<(&[u8], &[u8])> {
    text.first().filter(|first| **first == b'[')?;
    let (word, after) = token(text);
    let name = word.strip_prefix(b"[")?.strip_suffix(b"]")?;
    (name.contains(&b'.') && token(after).0.ends_with(b"]:")).then_some((name, after))
}

/// The first word and what follows the blanks after it.
pub fn token(text: &[u8]) -> (&[u8], &[u8]) {
    // Words are too short for a search with vector instructions to pay.
    match text.iter().position(|b| *b == b' ') {
        Some(end) => (&text[..end], skip_blanks(&text[end..])),
        None => (text, b""),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn shown(line: &str) -> (String, String, String, u32, String) {
        let header = parse(line.as_bytes()).unwrap_or_else(|| panic!("{line:?} is no log line"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(header.host), text(header.program), text(header.module), header.pid, text(header.message))
    }

    fn is_shown(line: &str, host: &str, program: &str, module: &str, pid: u32) {
        let expected = (host.into(), program.into(), module.into(), pid, "hello".into());
        assert_eq!(shown(line), expected, "{line:?}");
    }

    #[test]
    fn host_program_module_pid_and_message_come_from_every_form() {
        for (line, host, program, module, pid) in [
            ("Nov  3 09:05:01 srv sshd[71]: hello", "srv", "sshd", "", 71),
            ("Nov  3 09:05:01 srv sshd(pam_unix)[71]: hello", "srv", "sshd", "pam_unix", 71),
            ("Nov  3 09:05:01 srv su: hello", "srv", "su", "", 0),
            ("<85>Nov  3 09:05:01 srv notice sshd[71]: hello", "srv", "sshd", "", 71),
            ("Nov  3 09:05:01.123456 srv ERR su: hello", "srv", "su", "", 0),
            ("Nov  3 09:05:01 srv srv nginx: hello", "srv", "nginx", "", 0),
            ("Nov  3 09:05:01 info sshd[71]: hello", "info", "sshd", "", 71),
            ("Nov  3 09:05:01 sshd[71]: hello", "", "sshd", "", 71),
            ("Nov  3 09:05:01 su: hello", "", "su", "", 0),
            ("Nov  3 09:05:01 srv /usr/sbin/sshd[71]: hello", "srv", "sshd", "", 71),
            ("Nov  3 09:05:01 srv gdm-password]: hello", "srv", "gdm-password", "", 0),
            ("Nov  3 09:05:01 srv gdm-password][71]: hello", "srv", "gdm-password", "", 71),
            (
                "Nov  3 09:05:01 srv polkitd(authority=local)[71]: hello",
                "srv",
                "polkitd",
                "authority=local",
                71,
            ),
            ("Nov  3 09:05:01 [web1.example.org] sshd[71]: hello", "web1.example.org", "sshd", "", 71),
            ("Nov  3 09:05:01 srv auth.info sshd[71]: hello", "srv", "sshd", "", 71),
            ("Nov  3 09:05:01 <auth.info> srv sshd[71]: hello", "srv", "sshd", "", 71),
            ("Nov  3 09:05:01 <4.6> srv sshd[71]: hello", "srv", "sshd", "", 71),
            ("Nov  3 09:05:01 <10.6> srv sshd[71]: hello", "srv", "sshd", "", 71),
            ("Nov  3 09:05:01 srv <auth.info> sshd[71]: hello", "srv", "sshd", "", 71),
            ("<38>Nov  3 09:05:01 srv sshd[71]: hello", "srv", "sshd", "", 71),
            ("<auth.info>Nov  3 09:05:01 srv sshd[71]: hello", "srv", "sshd", "", 71),
            ("2026-11-03 09:05:01.123456-0700  srv sshd[71]: hello", "srv", "sshd", "", 71),
            ("Nov  3 09:05:01 [sshd] hello", "", "sshd", "", 0),
            ("Nov  3 09:05:01 [sshd]: hello", "", "sshd", "", 0),
            ("Nov  3 09:05:01 srv [sshd]: hello", "srv", "sshd", "", 0),
            ("srv sshd[71]: hello", "srv", "sshd", "", 71),
            ("Tue Nov  3 09:05:01 2026 [pid 71] hello", "", "vsftpd", "", 71),
            ("Tue 2026-11-03 09:05:01 CET srv ssh.service[71]: hello", "srv", "sshd", "", 71),
            (
                "Tue 2026-11-03 09:05:01 CET srv ssh@3-192.0.2.1:22-192.0.2.7:50310.service[71]: hello",
                "srv",
                "sshd",
                "",
                71,
            ),
            ("Tue 2026-11-03 09:05:01 CET srv getty@tty1.service[71]: hello", "srv", "login", "", 71),
            ("Tue 2026-11-03 09:05:01 CET srv dropbear.service[71]: hello", "srv", "dropbear", "", 71),
            ("Tue 2026-11-03 09:05:01 CET srv session-3.scope[71]: hello", "srv", "session-3.scope", "", 71),
            (
                "Tue 2026-11-03 09:05:01 CET srv user@1000.service/sshd.service[71]: hello",
                "srv",
                "user",
                "",
                71,
            ),
            ("2026 Nov  3 09:05:01 srv sshd[71]: hello", "srv", "sshd", "", 71),
            ("2026-11-03 09:05:01,123 srv proftpd[71] hello", "srv", "proftpd", "", 71),
            ("sshd[71]: hello", "", "sshd", "", 71),
            ("Nov  3 09:05:01 2001:db8::7 sshd[71]: hello", "2001:db8::7", "sshd", "", 71),
            ("2026-11-03T09:05:01.123456+01:00 srv sshd-session[71]: hello", "srv", "sshd-session", "", 71),
            ("2026-11-03 09:05:01 srv sshd[71]: hello", "srv", "sshd", "", 71),
            ("Tue 2026-11-03 09:05:01 CET srv sshd[71]: hello", "srv", "sshd", "", 71),
            ("<38>1 2026-11-03T09:05:01Z srv sshd 71 - - hello", "srv", "sshd", "", 71),
            (
                "<38>1 2026-11-03T09:05:01Z srv sshd 71 - [a b=\"]\\\"] \" c=\"[\"][d] hello",
                "srv",
                "sshd",
                "",
                71,
            ),
            ("1 2026-11-03T09:05:01Z srv sshd 71 ID7 [m@1 x=\"y\"] \u{feff}hello", "srv", "sshd", "", 71),
            ("<38>1 2026-11-03T09:05:01Z srv sshd 71 - -  hello", "srv", "sshd", "", 71),
            ("<38>1 - srv sshd 71 - - hello", "srv", "sshd", "", 71),
            ("\0\0\0Nov  3 09:05:01 srv sshd[71]: hello\r", "srv", "sshd", "", 71),
        ] {
            is_shown(line, host, program, module, pid);
        }
    }

    #[test]
    fn so_they_do_from_the_forms_of_aix_macos_and_cpanel() {
        for (line, host, program, pid) in [
            ("[2026-11-03 09:05:01 +0100] info [cpaneld] hello", "", "cpaneld", 0),
            ("[2026-11-03 09:05:01 +0100] info [whostmgrd] hello", "", "whostmgrd", 0),
            ("Nov  3 09:05:01 srv auth|security:info sshd[71]: hello", "srv", "sshd", 71),
            (
                "Nov  3 09:05:01 relay auth|security:info Message forwarded from box: sshd[71]: hello",
                "box",
                "sshd",
                71,
            ),
            ("Nov  3 09:05:01 srv Message forwarded from box: sshd[71]: hello", "box", "sshd", 71),
            (
                "2026-11-03 09:05:01.123456+0100 0x1b6a4    Default     0x0                  71     0    sshd: hello",
                "",
                "sshd",
                71,
            ),
            (
                "2026-11-03 09:05:01.123456+0100 0x1b6a4    Error       0x0                  71     sudo: (libpam.2.dylib) [com.example:a b] hello",
                "",
                "sudo",
                71,
            ),
        ] {
            is_shown(line, host, program, "", pid);
        }
    }

    #[test]
    fn a_forged_head_inside_the_message_stays_in_the_message() {
        let (host, program, _, pid, message) =
            shown("Nov  3 09:05:01 srv sshd[71]: Invalid user x Nov  3 09:05:01 b su[1]: y from 192.0.2.7");
        assert_eq!((host.as_str(), program.as_str(), pid), ("srv", "sshd", 71));
        assert!(message.starts_with("Invalid user x Nov"));
    }

    #[test]
    fn a_message_keeps_its_blanks() {
        assert_eq!(shown("Nov  3 09:05:01 srv sudo:     bob : x ").4, "    bob : x ");
    }

    #[test]
    fn what_is_no_log_line_is_none() {
        for line in [
            "",
            "hello",
            "Nov",
            "hello su: x",
            "a b sshd[71]: x",
            "x sshd[0]: x",
            "    sshd[71]: x",
            "<38>",
            "<38>1 ",
            "1 2 3",
            "{}",
        ] {
            assert_eq!(parse(line.as_bytes()), None, "{line:?}");
        }
    }
}
