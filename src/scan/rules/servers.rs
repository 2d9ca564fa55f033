//! Servers other than sshd, in words of their own: dropbear, proftpd, vsftpd, saslauthd, Proxmox, xrdp, Webmin.

use std::net::IpAddr;

use super::modules::duo;
use super::{Evidence, Kind, Line, cut, cut_last, leading_number, quoted};
use crate::scan::header::{Header, decimal, token};
use crate::scan::stamp::{self, skip_blanks};

pub(super) fn classify<'a>(header: &Header<'a>, message: &'a [u8]) -> Line<'a> {
    let program = header.program;
    match program {
        b"dropbear" => dropbear(header, message),
        b"proftpd" => proftpd(message),
        b"vsftpd" => vsftpd(message),
        b"saslauthd" => saslauthd(message),
        b"xrdp-sesman" | b"xrdp-sesexec" => xrdp(message),
        b"pvedaemon" | b"pveproxy" | b"pmgdaemon" | b"pmgproxy" => proxmox(program, message),
        // Backup Server and Datacenter Manager.
        _ if program.starts_with(b"proxmox-") => proxmox(program, message),
        b"dovecot" => dovecot(message),
        b"login_duo" => login_duo(message),
        b"pure-ftpd" => pure_ftpd(message),
        b"webmin" | b"usermin" => webmin(program, message),
        _ => Line::Other,
    }
}

/// `Bad password attempt for 'root' from 192.0.2.7:5543`
fn dropbear<'a>(header: &Header<'a>, message: &'a [u8]) -> Line<'a> {
    let message = past_own_stamp(message);
    if let Some(evidence) = dropbear_let_in(message) {
        return Line::Evidence(evidence);
    }
    let word = memchr::memmem::find(&message[..message.len().min(24)], b" attempt");
    let bad = [&b"Bad "[..], b"bad ", b"Too-long "].iter().any(|start| message.starts_with(start));
    if let (Some(at), true) = (word, bad) {
        let Some(rest) = message[at..].strip_prefix(b" attempt for ") else { return Line::Other };
        if !message[..at].ends_with(b"password") {
            return Line::Other;
        }
        let mut evidence = Evidence::new(Kind::Program, "dropbear-bad-password", b"dropbear");
        let (user, from) = cut_last(rest, b" from ").unwrap_or((rest, b""));
        evidence.user = quoted(user);
        (evidence.rhost, evidence.port) = endpoint(from);
        return Line::Evidence(evidence);
    }
    let unknown = message
        .strip_prefix(b"Login attempt for nonexistent user")
        .or_else(|| message.strip_prefix(b"login attempt for nonexistent user"));
    if let Some(rest) = unknown {
        let mut evidence = Evidence::new(Kind::UnknownUser, "dropbear-unknown-user", b"dropbear");
        let (user, from) = cut_last(rest, b"from ").unwrap_or((rest, b""));
        evidence.user = quoted(skip_blanks(user.strip_suffix(b" ").unwrap_or(user)));
        (evidence.rhost, evidence.port) = endpoint(from);
        return Line::Evidence(evidence);
    }
    dropbear_exit(header, message).map_or(Line::Other, Line::Evidence)
}

/// `Exit before auth from <192.0.2.7:5543>: (user 'x', 3 fails): …`, in older ones without the address. For a name
/// that does not exist it names nobody, and is the only line with the address; where root or a shell is refused
/// unread, it is all there is.
fn dropbear_exit<'a>(header: &Header<'a>, message: &'a [u8]) -> Option<Evidence<'a>> {
    let rest =
        message.strip_prefix(b"Exit before auth").or_else(|| message.strip_prefix(b"exit before auth"))?;
    // What else it says names neither a user nor an address, and the search for candidates passes it over.
    if !rest.starts_with(b" ") {
        return None;
    }
    let mut evidence = Evidence::new(Kind::Client, "dropbear-exit", b"dropbear");
    evidence.weight = 0;
    let rest = match rest.strip_prefix(b" from <").and_then(|rest| cut(rest, b">")) {
        Some((from, rest)) => {
            (evidence.rhost, evidence.port) = endpoint(from);
            rest.strip_prefix(b":").unwrap_or(rest)
        }
        None => rest,
    };
    // A name of an account here, which holds no quote.
    let counted = || {
        let (user, rest) = cut(rest.strip_prefix(b" (user '")?, b"', ")?;
        let (fails, rest) = leading_number(rest)?;
        rest.starts_with(b" fails)").then_some((user, fails, rest))
    };
    let Some((user, fails, rest)) = counted().filter(|(_, fails, _)| *fails > 0) else {
        return Some(evidence);
    };
    if evidence.rhost.is_empty() {
        // `Max auth tries reached - user 'x' from 192.0.2.7:5543`
        (evidence.rhost, evidence.port) =
            cut_last(rest, b"' from ").map_or((&b""[..], 0), |(_, from)| endpoint(from));
    }
    // Without a number it cannot be said whose count it is.
    if header.pid != 0 {
        (evidence.kind, evidence.weight, evidence.user) = (Kind::ProgramTotal, fails, user);
    }
    Some(evidence)
}

/// `Password auth succeeded for 'x' from 192.0.2.7:5543`, `Pubkey auth succeeded for 'x' with …`
fn dropbear_let_in(message: &[u8]) -> Option<Evidence<'_>> {
    let (method, rest) = cut(message, b" auth succeeded for '")?;
    if ![&b"Password"[..], b"password", b"PAM password", b"Pubkey", b"pubkey"].contains(&method) {
        return None;
    }
    let mut evidence = Evidence::success(b"dropbear");
    let (user, rest) = cut(rest, b"'")?;
    evidence.user = user;
    (evidence.rhost, evidence.port) =
        cut_last(rest, b" from ").map_or((&b""[..], 0), |(_, from)| endpoint(from));
    Some(evidence)
}

/// `imap-login: Login: user=<bob>, method=PLAIN, rip=192.0.2.7, …`; the name is quoted where it holds such a bracket.
fn dovecot(message: &[u8]) -> Line<'_> {
    let Some((user, rest)) = cut(message, b"-login: Login: user=<")
        .filter(|(kind, _)| kind.iter().all(|b| b.is_ascii_alphanumeric()))
        .and_then(|(_, rest)| cut(rest, b">"))
    else {
        return Line::Other;
    };
    let rhost = cut(rest, b" rip=").map_or(&b""[..], |(_, rhost)| token(rhost).0);
    let rhost = rhost.strip_suffix(b",").unwrap_or(rhost);
    Line::Evidence(Evidence { user, rhost, ..Evidence::success(b"dovecot") })
}

/// `(?@192.0.2.7) [WARNING] Authentication failed for user [bob]`, `(?@192.0.2.7) [INFO] bob is now logged in`
fn pure_ftpd(message: &[u8]) -> Line<'_> {
    let Some((rhost, rest)) = message.strip_prefix(b"(?@").and_then(|rest| cut(rest, b") ")) else {
        return Line::Other;
    };
    if let Some(user) = rest.strip_prefix(b"[INFO] ").and_then(|rest| rest.strip_suffix(b" is now logged in"))
    {
        return Line::Evidence(Evidence { user, rhost, ..Evidence::success(b"pure-ftpd") });
    }
    let user = rest.strip_prefix(b"[WARNING] Authentication failed for user [");
    let Some(user) = user.and_then(|user| user.strip_suffix(b"]")) else { return Line::Other };
    let evidence = Evidence::new(Kind::Program, "ftp-failed", b"pure-ftpd");
    Line::Evidence(Evidence { user, rhost, ..evidence })
}

/// `Invalid login as bob from 192.0.2.7`, `Successful login as bob from 192.0.2.7`
fn webmin<'a>(program: &'a [u8], message: &'a [u8]) -> Line<'a> {
    let (word, evidence) = match message.starts_with(b"Invalid ") {
        true => (&b"Invalid"[..], Evidence::new(Kind::Program, "webmin-failed", program)),
        false => (&b"Successful"[..], Evidence::success(program)),
    };
    let told = message.strip_prefix(word).and_then(|rest| rest.strip_prefix(b" login as "));
    let Some((user, rhost)) = told.and_then(|told| cut_last(told, b" from ")) else { return Line::Other };
    Line::Evidence(Evidence { user, rhost: token(rhost).0, ..evidence })
}

/// Duo's second factor as a login shell: `Failed Duo login for 'bob' from 192.0.2.7`
fn login_duo(message: &[u8]) -> Line<'_> {
    let Some((user, rhost)) = duo(message, b"Failed") else { return Line::Other };
    let evidence = Evidence::new(Kind::Program, "duo-failed", b"login_duo");
    Line::Evidence(Evidence { user, rhost, ..evidence })
}

/// Without the `[71] Nov 03 09:05:01 ` that dropbear writes where it does not log to syslog.
fn past_own_stamp(message: &[u8]) -> &[u8] {
    let skip = || {
        let (pid, rest) = token(message.strip_prefix(b"[")?);
        decimal(pid.strip_suffix(b"]")?)?;
        Some(stamp::parse(rest)?.1)
    };
    skip().unwrap_or(message)
}

/// `192.0.2.7:5543`, `[2001:db8::7]:5543`, `2001:db8::7:5543`, as dropbear writes it.
fn endpoint(text: &[u8]) -> (&[u8], u32) {
    let text = token(text).0;
    match cut_last(text, b":") {
        Some((host, port)) if decimal(port).is_some() => {
            let host = host.strip_prefix(b"[").and_then(|h| h.strip_suffix(b"]")).unwrap_or(host);
            (host, decimal(port).unwrap_or(0))
        }
        _ => (text, 0),
    }
}

/// `ftp.example.org (client[192.0.2.7]) - USER root (Login failed): Incorrect password`, in its own log
/// with `: ` for ` - `; or `USER x: no such user found from client [192.0.2.7] to 192.0.2.1:21`. Only
/// the name is the client's word: what proftpd takes from a name server holds no brackets.
fn proftpd(message: &[u8]) -> Line<'_> {
    let client =
        cut(message, b" (").and_then(|(_, rest)| cut(rest, b"[")).and_then(|(_, rest)| cut(rest, b"])"));
    let Some((rhost, rest)) = client else { return Line::Other };
    let Some(rest) = rest.strip_prefix(b" - ").or_else(|| rest.strip_prefix(b": ")) else {
        return Line::Other;
    };
    if let Some(user) = rest.strip_prefix(b"USER ").and_then(|rest| rest.strip_suffix(b": Login successful."))
    {
        return Line::Evidence(Evidence { user, rhost, ..Evidence::success(b"proftpd") });
    }
    let mut evidence = Evidence::new(Kind::Program, "ftp-failed", b"proftpd");
    evidence.rhost = rhost;
    // Older ones say so in small letters, and with a full stop.
    let refused = rest.strip_prefix(b"SECURITY VIOLATION: ");
    if refused.is_some_and(|rest| [&b"Root login attempted"[..], b"root login attempted."].contains(&rest)) {
        evidence.user = b"root";
        return Line::Evidence(evidence);
    }
    let Some(rest) = rest.strip_prefix(b"USER ") else { return Line::Other };
    let refused = cut_last(rest, b" (Login failed): ");
    let password = refused.filter(|(_, reason)| {
        let reason = reason.strip_suffix(b".").unwrap_or(reason);
        [&b"Incorrect password"[..], b"No such user found"].contains(&reason)
    });
    if let Some((user, _)) = password.or_else(|| cut_last(rest, b": no such user found from ")) {
        evidence.user = user;
        return Line::Evidence(evidence);
    }
    refused.map_or(Line::Other, |_| Line::Nothing("authorisation, not authentication"))
}

/// `[bob] FAIL LOGIN: Client "192.0.2.7"`, where vsftpd logs to syslog.
fn vsftpd(message: &[u8]) -> Line<'_> {
    let named = |words: &[u8]| message.strip_prefix(b"[").and_then(|rest| cut_last(rest, words));
    let Some((user, rest)) = named(b"] FAIL LOGIN: Client \"") else {
        let Some((user, client)) = named(b"] OK LOGIN: Client \"") else { return Line::Other };
        // Of a name that holds such words it is not sure.
        let rhost = client.strip_suffix(b"\"").filter(|_| !user.contains(&b']'));
        let success = |rhost| Evidence { user, rhost, ..Evidence::success(b"vsftpd") };
        return rhost.map_or(Line::Other, |rhost| Line::Evidence(success(rhost)));
    };
    // More may follow where a list of names, and no password, kept the client out.
    let Some(rhost) = rest.strip_suffix(b"\"").filter(|rhost| !rhost.contains(&b'"')) else {
        return Line::Nothing("authorisation, not authentication");
    };
    // What a client who is in did to a file that has such a name: `[bob] OK DELETE: Client "A", "FILE"`.
    if cut(user, b"\", \"").is_some() {
        return Line::Other;
    }
    let mut evidence = Evidence::new(Kind::Program, "ftp-failed", b"vsftpd");
    (evidence.user, evidence.rhost) = (user, rhost);
    Line::Evidence(evidence)
}

/// `[INFO ] AUTHFAIL: user=bob ip=::ffff:192.0.2.7 time=1649351466`, in older versions
/// `ip=192.0.2.7:50310 - socket: 12`. PAM's line beside it has no address.
fn xrdp(message: &[u8]) -> Line<'_> {
    let told = || {
        let message = message.strip_prefix(b"[INFO ] ").unwrap_or(message);
        let (rest, time) = cut_last(message.strip_prefix(b"AUTHFAIL: user=")?, b" time=")?;
        decimal(time)?;
        cut_last(rest, b" ip=")
    };
    let Some((user, from)) = told() else { return Line::Other };
    let mut evidence = Evidence::new(Kind::Program, "xrdp-failed", b"xrdp-sesman");
    evidence.user = user;
    let from = token(from).0;
    let is_address = std::str::from_utf8(from).is_ok_and(|from| from.parse::<IpAddr>().is_ok());
    (evidence.rhost, evidence.port) = if is_address { (from, 0) } else { endpoint(from) };
    Line::Evidence(evidence)
}

/// `do_auth         : auth failure: [user=bob] [service=imap] [realm=] [mech=pam] [reason=…]`; the
/// name and the realm may be anything.
fn saslauthd(message: &[u8]) -> Line<'_> {
    let message = message.strip_prefix(b"do_auth").map_or(message, skip_blanks);
    let message = message.strip_prefix(b": ").unwrap_or(message);
    let Some(rest) = message.strip_prefix(b"auth failure: [user=") else {
        return Line::Other;
    };
    let mut evidence = Evidence::new(Kind::Program, "sasl-failed", b"saslauthd");
    // Said twice, one of them is forged.
    if let Some((user, rest)) = cut(rest, SERVICE) {
        evidence.user = user;
        if cut(rest, SERVICE).is_none() {
            evidence.service = cut(rest, b"]").map_or(b"saslauthd", |(service, _)| service);
        }
    }
    Line::Evidence(evidence)
}

const SERVICE: &[u8] = b"] [service=";

/// Proxmox: `authentication failure; rhost=192.0.2.7 user=root@pam msg=…`
fn proxmox<'a>(program: &'a [u8], message: &'a [u8]) -> Line<'a> {
    let Some(rest) = message.strip_prefix(b"authentication failure; rhost=") else {
        return Line::Other;
    };
    let mut evidence = Evidence::new(Kind::Program, "proxmox-failed", program);
    let (rhost, rest) = token(rest);
    // The newer ones have a port, and the address in brackets.
    let bare = std::str::from_utf8(rhost).is_ok_and(|rhost| rhost.parse::<IpAddr>().is_ok());
    (evidence.rhost, evidence.port) = if bare { (rhost, 0) } else { endpoint(rhost) };
    if let Some(rest) = rest.strip_prefix(b"user=") {
        evidence.user = cut_last(rest, b" msg=").map_or(rest, |(user, _)| user);
    }
    Line::Evidence(evidence)
}

#[cfg(test)]
mod tests {
    use super::super::local::tests::told;

    #[test]
    fn each_server_in_its_own_words() {
        for (tag, message, class, weight, fields) in [
            (
                "dropbear[7]",
                "bad password attempt for 'root' from 192.0.2.7:5543",
                "dropbear-bad-password",
                1,
                ["root", "192.0.2.7", "", ""],
            ),
            (
                "dropbear[7]",
                "Bad PAM password attempt for 'a' from 198.51.100.9:1' from 2001:db8::7:5543",
                "dropbear-bad-password",
                1,
                ["a' from 198.51.100.9:1", "2001:db8::7", "", ""],
            ),
            (
                "dropbear[7]",
                "Login attempt for nonexistent user from 192.0.2.7:5543",
                "dropbear-unknown-user",
                1,
                ["", "192.0.2.7", "", ""],
            ),
            (
                "dropbear[7]",
                "Exit before auth from <192.0.2.7:4000>: (user 'root', 2 fails): Exited normally",
                "dropbear-exit",
                2,
                ["root", "192.0.2.7", "", ""],
            ),
            (
                "dropbear[7]",
                "Exit before auth (user 'root', 3 fails): Max auth tries reached - user 'root' from 192.0.2.7:1",
                "dropbear-exit",
                3,
                ["root", "192.0.2.7", "", ""],
            ),
            (
                "dropbear[7]",
                "Exit before auth from <[2001:db8::7]:4000>: Exited normally",
                "dropbear-exit",
                0,
                ["", "2001:db8::7", "", ""],
            ),
            (
                "dropbear[7]",
                "Exit before auth from <192.0.2.7:4000>: (user 'root', 0 fails): Exited normally",
                "dropbear-exit",
                0,
                ["", "192.0.2.7", "", ""],
            ),
            (
                "pure-ftpd[7]",
                "(?@192.0.2.7) [WARNING] Authentication failed for user [a] (?@198.51.100.9) b]",
                "ftp-failed",
                1,
                ["a] (?@198.51.100.9) b", "192.0.2.7", "", ""],
            ),
            (
                "webmin[7]",
                "Invalid login as x from 198.51.100.9 from 192.0.2.7 ",
                "webmin-failed",
                1,
                ["x from 198.51.100.9", "192.0.2.7", "", ""],
            ),
            (
                "proxmox-backup-proxy[7]",
                "authentication failure; rhost=[::ffff:192.0.2.7]:50694 user=root@pam msg=authentication failed",
                "proxmox-failed",
                1,
                ["root@pam", "::ffff:192.0.2.7", "", ""],
            ),
            (
                "proxmox-datacenter-privileged-api[7]",
                "authentication failure; rhost=192.0.2.7:50694 user=x@pbs msg=y",
                "proxmox-failed",
                1,
                ["x@pbs", "192.0.2.7", "", ""],
            ),
            (
                "pveproxy[7]",
                "authentication failure; rhost=2001:db8::7 user=root@pam msg=no such user",
                "proxmox-failed",
                1,
                ["root@pam", "2001:db8::7", "", ""],
            ),
            (
                "login_duo[7]",
                "Failed Duo login for 'bob' from 192.0.2.7: Invalid passcode",
                "duo-failed",
                1,
                ["bob", "192.0.2.7", "", ""],
            ),
            (
                "dropbear[7]",
                "[8] Nov 03 09:05:01 Bad password attempt for 'root' from 192.0.2.7:5543",
                "dropbear-bad-password",
                1,
                ["root", "192.0.2.7", "", ""],
            ),
            (
                "xrdp-sesman[7]",
                "[INFO ] AUTHFAIL: user=bob ip=::ffff:192.0.2.7 time=1649351466",
                "xrdp-failed",
                1,
                ["bob", "::ffff:192.0.2.7", "", ""],
            ),
            (
                "xrdp-sesman[7]",
                "AUTHFAIL: user=x ip=198.51.100.9 time=1 ip=192.0.2.7:50310 - socket: 12 time=1649351466",
                "xrdp-failed",
                1,
                ["x ip=198.51.100.9 time=1", "192.0.2.7", "", ""],
            ),
            (
                "proftpd[7]",
                "ftp.example.org (192.0.2.7[192.0.2.7]) - USER bob (Login failed): Incorrect password.",
                "ftp-failed",
                1,
                ["bob", "192.0.2.7", "", ""],
            ),
            (
                "proftpd[7]",
                "ftp.example.org (client.example.org[::ffff:192.0.2.7]) - USER x: no such user found from client.example.org [::ffff:192.0.2.7] to ::ffff:192.0.2.1:21",
                "ftp-failed",
                1,
                ["x", "::ffff:192.0.2.7", "", ""],
            ),
            (
                "proftpd[7]",
                "ftp.example.org (c[192.0.2.7]) - USER x (c[198.51.100.9]) - USER y: no such user found from c [198.51.100.9] to 192.0.2.1:21 (Login failed): Incorrect password",
                "ftp-failed",
                1,
                [
                    "x (c[198.51.100.9]) - USER y: no such user found from c [198.51.100.9] to 192.0.2.1:21",
                    "192.0.2.7",
                    "",
                    "",
                ],
            ),
            (
                "proftpd[7]",
                "ftp.example.org (c[192.0.2.7]) - SECURITY VIOLATION: Root login attempted",
                "ftp-failed",
                1,
                ["root", "192.0.2.7", "", ""],
            ),
            (
                "proftpd[7]",
                "ftp.example.org (c[192.0.2.7]): SECURITY VIOLATION: root login attempted.",
                "ftp-failed",
                1,
                ["root", "192.0.2.7", "", ""],
            ),
            (
                "vsftpd[7]",
                "[bob] FAIL LOGIN: Client \"192.0.2.7\"",
                "ftp-failed",
                1,
                ["bob", "192.0.2.7", "", ""],
            ),
            (
                "vsftpd[7]",
                "[x] FAIL LOGIN: Client \"198.51.100.9\"] FAIL LOGIN: Client \"::ffff:192.0.2.7\"",
                "ftp-failed",
                1,
                ["x] FAIL LOGIN: Client \"198.51.100.9\"", "::ffff:192.0.2.7", "", ""],
            ),
            (
                "saslauthd[7]",
                "do_auth         : auth failure: [user=bob] [service=imap] [realm=x] [service=y] [mech=pam] [reason=PAM auth error]",
                "sasl-failed",
                1,
                ["bob", "", "", ""],
            ),
            (
                "pvedaemon[7]",
                "authentication failure; rhost=::ffff:192.0.2.7 user=root@pam rhost=198.51.100.9 msg=x msg=Authentication failure",
                "proxmox-failed",
                1,
                ["root@pam rhost=198.51.100.9 msg=x", "::ffff:192.0.2.7", "", ""],
            ),
        ] {
            assert_eq!(
                told(tag, message),
                Some((class, weight, fields.map(str::to_owned))),
                "{tag}: {message}"
            );
        }
    }

    #[test]
    fn what_is_no_attempt_counts_nothing() {
        let server = "ftp.example.org (c[192.0.2.7]) -";
        for (tag, message) in [
            ("dropbear[7]", "root login rejected"),
            ("proftpd[7]", &format!("{server} USER bob (Login failed): Password expired")),
            ("proftpd[7]", &format!("{server} USER bob (Login failed): Invalid shell: '/bin/false'")),
            ("proftpd[7]", &format!("{server} USER bob: Login successful.")),
            ("proftpd[7]", "ftp.example.org - USER bob (Login failed): Incorrect password"),
            ("proftpd[7]", &format!("{server} Maximum login attempts (3) exceeded")),
            ("vsftpd[7]", "[bob] FAIL LOGIN: Client \"192.0.2.7\", \"User is not in the allow user list.\""),
            ("vsftpd[7]", "[bob] OK LOGIN: Client \"192.0.2.7\""),
            // A file of such a name, and a command before anybody was named.
            (
                "vsftpd[7]",
                "[bob] FAIL DELETE: Client \"192.0.2.7\", \"/x] FAIL LOGIN: Client \"198.51.100.9\"",
            ),
            ("vsftpd[7]", "FTP command: Client \"192.0.2.7\", \"USER x] FAIL LOGIN: Client \"198.51.100.9\""),
        ] {
            assert_eq!(told(tag, message), None, "{tag}: {message}");
        }
    }
}
