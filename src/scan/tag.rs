//! The tag of a line: the program, its process, and the PAM module where it stands there.

use super::header::{Header, decimal, token};
use super::stamp::Stamp;

/// The tag, its pid and the message.
pub(super) fn tagged<'a>(stamp: Stamp, host: &'a [u8], rest: &'a [u8]) -> Header<'a> {
    let mut header = Header::bare(stamp, host, rest);
    let (word, after) = token(rest);
    // `[sshd] message`, as metalog writes it, or `[sshd]: message`.
    let bare = word.strip_suffix(b":").unwrap_or(word);
    // A number alone is that of a process, and says not of which program.
    let name = bare.strip_prefix(b"[").and_then(|w| w.strip_suffix(b"]"));
    if let Some(name) = name.filter(|name| decimal(name).is_none()) {
        header.message = after;
        (header.program, header.module) = name_and_module(name);
        return header;
    }
    // login names itself by the rest of its title, which is `login -- root`: `-- root[71]: ROOT LOGIN ON tty1`.
    if word == b"--" {
        let (name, message) = token(after);
        if let Some(tag) = name.strip_suffix(b":") {
            return Header { program: b"login", pid: name_and_pid(tag).1, message, ..header };
        }
    }
    let Some(tag) = word.strip_suffix(b":") else {
        // proftpd's own log has the server and the client before the colon.
        if word.starts_with(b"proftpd[") {
            header.message = after;
            (header.program, header.pid) = name_and_pid(word);
        } else if let Some((host, rest)) = forwarded(rest) {
            // AIX.
            return tagged(stamp, host, rest);
        } else if let Some(message) = behind_title(rest) {
            header.message = message;
        }
        return header;
    };
    header.message = rest.get(word.len() + 1..).unwrap_or(b"");
    // `%syslogtag% %msg%`: what rsyslog takes for the message begins with the blank already. Samba's own begin with two.
    if let [b' ', message @ ..] = header.message {
        if message.first() != Some(&b' ') {
            header.message = message;
        }
    }
    let (name, pid) = name_and_pid(tag);
    header.pid = pid;
    (header.program, header.module) = name_and_module(name);
    header.plain = tag.ends_with(header.program) && rest.get(word.len()) == Some(&b' ');
    behind_own_head(header)
}

/// proftpd that systemd runs in the foreground has a head of its own behind the journal's, with the number of the session:
/// `proftpd[70]: 2026-11-03 09:05:01,123 srv proftpd[71] ftp.example.org (c[192.0.2.7]): …`, `proftpd[70]: session[71] …`.
pub(super) fn behind_own_head(header: Header<'_>) -> Header<'_> {
    if header.program != b"proftpd" {
        return header;
    }
    let (date, after) = token(header.message);
    let is_date = date.len() == 10 && date.iter().all(|b| b.is_ascii_digit() || *b == b'-');
    // Behind the date are time and host.
    let own = if is_date { token(token(after).1).1 } else { header.message };
    let (word, message) = token(own);
    match name_and_pid(word) {
        (b"proftpd" | b"session", pid @ 1..) if word.ends_with(b"]") => Header { pid, message, ..header },
        _ => header,
    }
}

/// `Message forwarded from box: sshd[71]: …`
fn forwarded(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (host, rest) = token(text.strip_prefix(b"Message forwarded from ")?);
    let host = host.strip_suffix(b":")?;
    (!host.is_empty() && is_tag(token(rest).0)).then_some((host, rest))
}

/// What macOS shows of its log: thread, type, activity, process, and perhaps how long it is kept, all before the name of the
/// process; behind it may be a library and a subsystem, in brackets.
pub(super) fn of_log_show(stamp: Stamp, rest: &[u8]) -> Option<Header<'_>> {
    if !rest.starts_with(b"0x") {
        return None;
    }
    let (kind, rest) = token(token(rest).1);
    let (activity, rest) = token(rest);
    let (number, rest) = token(rest);
    let is_it = [&b"Default"[..], b"Error", b"Info", b"Debug", b"Fault"].contains(&kind);
    let pid = decimal(number).filter(|_| is_it && activity.starts_with(b"0x"))?;
    let (word, after) = token(rest);
    let (word, mut message) = if decimal(word).is_some() { token(after) } else { (word, after) };
    let program = word.strip_suffix(b":").filter(|name| !name.is_empty())?;
    for (open, close) in [(b'(', &b") "[..]), (b'[', b"] ")] {
        if message.first() == Some(&open) {
            message = memchr::memmem::find(message, close).map_or(message, |at| &message[at + 2..]);
        }
    }
    Some(Header { program, pid, ..Header::bare(stamp, b"", message) })
}

/// vsftpd's own log has its number in the place of a tag: `[pid 71] [bob] FAIL LOGIN: Client "192.0.2.7"`.
pub(super) fn of_vsftpd(stamp: Stamp, rest: &[u8]) -> Option<Header<'_>> {
    let (number, message) = rest.strip_prefix(b"[pid ").map(token)?;
    let pid = decimal(number.strip_suffix(b"]")?)?;
    Some(Header { program: b"vsftpd", pid, ..Header::bare(stamp, b"", message) })
}

/// A server that shows its work in its title logs under that: `ker process: pam_unix(nginx:auth): …`, `stgres
/// 192.0.2.7(45370) authentication: pam_unix(postgresql:auth): …`. What PAM says behind it.
///
/// The name of a user or a database may stand in the title, and PAM ends with one: where either holds such
/// words too, all that is certain is that somebody failed. PostgreSQL's title has two names of 63 bytes and
/// a host's.
pub fn behind_title(rest: &[u8]) -> Option<&[u8]> {
    const LONGEST: usize = 512;
    let of_auth = |message: &[u8]| {
        let open = memchr::memchr(b'(', &message[..message.len().min(32)])?;
        let close = memchr::memchr(b')', &message[open..])?;
        let (service, after) = message[open..].split_at(close);
        Some(service.ends_with(b":auth") && after.starts_with(b"): "))
    };
    let mut found = memchr::memmem::find_iter(rest, b": pam_");
    let at = found.next().filter(|at| (1..=LONGEST).contains(at))?;
    // What ends in a number is the tag of a line in this one.
    if rest[..at].ends_with(b"]") {
        return None;
    }
    // One that is of no authentication may be the true one.
    if found.next().is_some() {
        return memchr::memmem::find(rest, b":auth): authentication failure;")
            .map(|_| &b"pam_unix(?:auth): authentication failure;"[..]);
    }
    let message = &rest[at + 2..];
    of_auth(message)?.then_some(message)
}

/// Program and module of `sshd(pam_unix)`, `/usr/sbin/sshd`, `gdm-password]`, `ssh.service`.
pub fn name_and_module(name: &[u8]) -> (&[u8], &[u8]) {
    // As most are: nothing is to be taken off.
    if !name.iter().any(|b| matches!(b, b'(' | b'/' | b'.' | b']')) {
        return (name, b"");
    }
    let name = name.strip_suffix(b"]").unwrap_or(name);
    let (name, module) = match (memchr::memchr(b'(', name), name.strip_suffix(b")")) {
        (Some(open), Some(inner)) => (&name[..open], &inner[open + 1..]),
        _ => (name, &b""[..]),
    };
    let name = match memchr::memrchr(b'/', name) {
        // The unit of a user's own manager, named by that user: only the one it runs in says whose it is.
        Some(slash) if name[..slash].ends_with(UNIT) => &name[..slash],
        Some(slash) => &name[slash + 1..],
        None => name,
    };
    // What WordPress has there is the host that the client asked for, who may call it pam_unix.
    let module = if matches!(name, b"wordpress" | b"wp") { &b""[..] } else { module };
    (name.strip_suffix(UNIT).map_or(name, of_unit), module)
}

const UNIT: &[u8] = b".service";

/// The program that logs from a unit, which `journalctl -o with-unit` shows in its place: of
/// `ssh@3-192.0.2.1:22-192.0.2.7:50310` it is sshd.
fn of_unit(unit: &[u8]) -> &[u8] {
    let name = memchr::memchr(b'@', unit).map_or(unit, |at| &unit[..at]);
    match name {
        b"ssh" => b"sshd",
        b"getty" | b"serial-getty" | b"console-getty" | b"container-getty" => b"login",
        b"polkit" => b"polkitd",
        name => name,
    }
}

fn name_and_pid(tag: &[u8]) -> (&[u8], u32) {
    let split = || {
        let inner = tag.strip_suffix(b"]")?;
        let open = memchr::memrchr(b'[', inner)?;
        Some((&inner[..open], decimal(&inner[open + 1..])?))
    };
    split().unwrap_or((tag, 0))
}

/// Whether a word is a tag and not a host: `sshd[71]:`, `su:`.
pub(super) fn is_tag(word: &[u8]) -> bool {
    word.ends_with(b"]:")
        || (word.ends_with(b":") && !word[..word.len() - 1].contains(&b':'))
        || (word.starts_with(b"[") && word.ends_with(b"]"))
}

#[cfg(test)]
mod tests {
    use crate::scan::header::tests::shown;

    #[test]
    fn login_is_known_by_the_rest_of_its_title() {
        for head in ["Nov  3 09:05:01 srv  -- root[71]:", "Nov  3 09:05:01 srv -- root[71]:"] {
            let expected = ("srv".into(), "login".into(), String::new(), 71, "ROOT LOGIN ON tty1".into());
            assert_eq!(shown(&format!("{head} ROOT LOGIN ON tty1")), expected);
        }
        assert_eq!(shown("Nov  3 09:05:01 srv -- MARK --").1, "");
    }

    #[test]
    fn the_host_that_a_client_asked_wordpress_for_is_no_module() {
        for host in ["example.org", "example.org:8443", "pam_unix", "x)[7]", "[2001:db8::1]"] {
            let expected = ("srv".into(), "wordpress".into(), String::new(), 71, "x".into());
            assert_eq!(shown(&format!("Nov  3 09:05:01 srv wordpress({host})[71]: x")), expected, "{host}");
        }
    }

    #[test]
    fn proftpd_in_the_foreground_has_a_head_of_its_own() {
        let message = "ftp.example.org (c[192.0.2.7]): USER bob: Login successful.";
        let expected = ("srv".into(), "proftpd".into(), String::new(), 71, message.into());
        for own in ["proftpd[71]", "session[71]", "2026-11-03 09:05:01,123 srv proftpd[71]"] {
            assert_eq!(shown(&format!("Nov  3 09:05:01 srv proftpd[70]: {own} {message}")), expected);
        }
        for other in ["session[71]: x", "sshd[71] x", "2026-11-03 x", "processing 'proftpd[71] x'"] {
            let expected = ("srv".into(), "proftpd".into(), String::new(), 70, other.into());
            assert_eq!(shown(&format!("Nov  3 09:05:01 srv proftpd[70]: {other}")), expected);
        }
    }

    #[test]
    fn pam_is_heard_behind_a_servers_title() {
        let failure = "pam_unix(nginx:auth): authentication failure; logname= uid=33 euid=33 tty= ruser= rhost=192.0.2.7  user=alice";
        let long =
            format!("stgres {} {} {}(4) authentication", "u".repeat(63), "d".repeat(63), "h".repeat(253));
        for title in [
            "ker process",
            "stgres 192.0.2.7(45370) authentication",
            "alice template1 ::1(4) authentication",
            &long,
        ] {
            let line = format!("2026-11-25T17:53:04.082048+00:00 srv {title}: {failure}");
            let expected = ("srv".into(), String::new(), String::new(), 0, failure.into());
            assert_eq!(shown(&line), expected);
        }
        // A name of the client's with such words in it says nothing of who and where, and hides nothing.
        let forged = "stgres x: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=198.51.100.1  user=root";
        for line in [
            format!("{forged} 192.0.2.7(4) authentication: {failure}"),
            format!("stgres u d authentication: {failure} {forged}"),
            format!("{forged} [local] startup: pam_unix(postgresql:session): session opened for user alice"),
            format!("{forged} [local] startup: pam_permit: {failure}"),
        ] {
            let line = format!("2026-11-25T17:53:04+00:00 srv {line}");
            assert_eq!(shown(&line).4, "pam_unix(?:auth): authentication failure;", "{line}");
        }
        let session =
            "2026-11-25T17:53:04+00:00 srv ker process: pam_unix(nginx:session): session opened for user x";
        assert_eq!(shown(session).4, "ker process: pam_unix(nginx:session): session opened for user x");
    }
}
