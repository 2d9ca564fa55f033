//! Programs at the machine itself, in words of their own: su, sudo, login, doas, polkit, lockers.

use super::{Evidence, Family, Kind, Line, cut, cut_last, leading_number, quoted, servers};
use crate::scan::header::{Header, decimal, token};
use crate::scan::stamp::skip_blanks;

pub(super) fn classify<'a>(family: Family, header: &Header<'a>, message: &'a [u8]) -> Line<'a> {
    let program = header.program;
    match family {
        Family::Su => su(header, message),
        Family::Sudo => sudo(message),
        Family::Login => login(program, message),
        Family::Polkit => polkit(message),
        Family::CheckPassword => check_password(message),
        _ => match program {
            b"doas" => doas(message),
            b"xscreensaver" | b"xscreensaver-auth" => locker(program, message),
            b"kcheckpass" => kcheckpass(message),
            b"newgrp" | b"sg" => group(program, message),
            b"rlogin" | b"rlogind" | b"in.rlogind" | b"telnetd" | b"in.telnetd" => login(program, message),
            _ => servers::classify(header, message),
        },
    }
}

/// util-linux and coreutils: `FAILED SU (to alice) bob on pts/0`; shadow: `FAILED su for alice by
/// bob`; FreeBSD: `BAD SU bob to alice on /dev/pts/0`; Solaris: `'su alice' failed for bob on …`;
/// busybox: `- pts/0 bob:alice`.
fn su<'a>(header: &Header<'a>, message: &'a [u8]) -> Line<'a> {
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

/// `     bob : 3 incorrect password attempts ; TTY=pts/0 ; PWD=… ; USER=root ; COMMAND=…`
fn sudo(message: &[u8]) -> Line<'_> {
    let Some((ruser, rest)) = cut(skip_blanks(message), b" : ") else {
        return Line::Other;
    };
    let Some((tries, rest)) = leading_number(rest) else {
        return Line::Nothing("authorisation, not authentication");
    };
    let rest = match rest.strip_prefix(b" incorrect password attempt") {
        Some(rest) => rest,
        None => match rest.strip_prefix(b" incorrect authentication attempt") {
            Some(rest) => rest,
            None => return Line::Other,
        },
    };
    let mut evidence = Evidence::new(Kind::Program, "sudo-incorrect-password", b"sudo");
    evidence.weight = tries;
    // sudo asks for the password of the one who calls it.
    (evidence.ruser, evidence.user) = (ruser, ruser);
    if let Some((_, tty)) = cut(rest, b" TTY=") {
        evidence.tty = token(tty).0;
    }
    Line::Evidence(evidence)
}

/// shadow and util-linux:
/// `FAILED LOGIN (2) on '/dev/tty1' from 'host' FOR 'root', Authentication failure`,
/// `FAILED LOGIN 2 FROM host FOR root, Authentication failure`, and `FAILED LOGIN SESSION` for the
/// last one. BSD: `2 LOGIN FAILURES ON ttyv0`, `LOGIN FAILURE FROM host, root`.
fn login<'a>(program: &'a [u8], message: &'a [u8]) -> Line<'a> {
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
    } else {
        let (times, rest) = leading_number(message).unwrap_or((1, message));
        let rest = skip_blanks(rest);
        let Some(rest) = rest.strip_prefix(b"LOGIN FAILURE") else { return Line::Other };
        evidence.weight = times;
        let rest = skip_blanks(rest.strip_prefix(b"S").unwrap_or(rest));
        let (place, user) = cut(rest, b", ").unwrap_or((rest, b""));
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
    evidence.user = match rest.strip_prefix(b"'") {
        Some(inner) => cut_last(inner, b"'").map_or(inner, |(user, _)| user),
        None => cut_last(rest, b", ").map_or(rest, |(user, _)| user),
    };
    Line::Evidence(evidence)
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

/// `failed auth for bob`
fn doas(message: &[u8]) -> Line<'_> {
    let Some(user) = message.strip_prefix(b"failed auth for ") else {
        return Line::Other;
    };
    let mut evidence = Evidence::new(Kind::Program, "doas-failed", b"doas");
    (evidence.user, evidence.ruser) = (user, user);
    Line::Evidence(evidence)
}

/// `Operator of unix-session:1 FAILED to authenticate to gain authorization for action … (owned by
/// unix-user:bob)`; the command line in it belongs to the user.
fn polkit(message: &[u8]) -> Line<'_> {
    // The helper without PAM: `authentication failure [uid=1000] trying to authenticate 'root'`
    if let Some(rest) = message.strip_prefix(b"authentication failure [uid=") {
        let mut evidence = Evidence::new(Kind::Program, "polkit-helper-failed", b"polkit-1");
        evidence.user = cut(rest, b"] trying to authenticate ").map_or(b"", |(_, user)| quoted(user));
        return Line::Evidence(evidence);
    }
    let failed = message.strip_prefix(b"Operator of ").and_then(|rest| {
        let (_, rest) = token(rest);
        rest.strip_prefix(b"FAILED to authenticate ")
    });
    let Some(rest) = failed else {
        return Line::Other;
    };
    let mut evidence = Evidence::new(Kind::Polkit, "polkit-failed", b"polkit-1");
    if let Some((_, owner)) = cut_last(rest, b"(owned by unix-user:") {
        evidence.ruser = owner.strip_suffix(b")").unwrap_or(owner);
    }
    Line::Evidence(evidence)
}

/// shadow: `Invalid password for group 'staff' from 'bob'`
fn group<'a>(program: &'a [u8], message: &'a [u8]) -> Line<'a> {
    let Some(rest) = message.strip_prefix(b"Invalid password for group ") else {
        return Line::Other;
    };
    let mut evidence = Evidence::new(Kind::Program, "group-failed", program);
    evidence.ruser = cut_last(rest, b" from ").map_or(b"", |(_, user)| quoted(user));
    evidence.user = evidence.ruser;
    Line::Evidence(evidence)
}

/// `password check failed for user (bob)`
fn check_password(message: &[u8]) -> Line<'_> {
    let Some(rest) = message.strip_prefix(b"password check failed for user (") else {
        return Line::Other;
    };
    let mut evidence = Evidence::new(Kind::CheckPassword, "password-check-failed", b"unix_chkpwd");
    evidence.user = rest.strip_suffix(b")").unwrap_or(rest);
    Line::Evidence(evidence)
}

/// xscreensaver: `FAILED LOGIN 1 ON DISPLAY ":0.0", FOR "bob"`
fn locker<'a>(program: &'a [u8], message: &'a [u8]) -> Line<'a> {
    let Some(rest) = message.strip_prefix(b"FAILED LOGIN ") else {
        return Line::Other;
    };
    let mut evidence = Evidence::new(Kind::Program, "locker-failed", program);
    if let Some((place, user)) = cut(rest, b", FOR \"") {
        evidence.user = user.strip_suffix(b"\"").unwrap_or(user);
        evidence.tty =
            cut(place, b"DISPLAY \"").map_or(&[], |(_, tty)| tty.strip_suffix(b"\"").unwrap_or(tty));
    }
    Line::Evidence(evidence)
}

/// KDE: `Authentication failure for bob (invoked by uid 1000)`
fn kcheckpass(message: &[u8]) -> Line<'_> {
    let Some(rest) = message.strip_prefix(b"Authentication failure for ") else {
        return Line::Other;
    };
    let mut evidence = Evidence::new(Kind::Program, "locker-failed", b"kcheckpass");
    evidence.user = cut_last(rest, b" (invoked by uid ").map_or(rest, |(user, _)| user);
    Line::Evidence(evidence)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::Line;
    use super::super::tests::taken;

    /// Class, weight, user, rhost, ruser, tty.
    pub fn told(tag: &str, message: &str) -> Option<(&'static str, u32, [String; 4])> {
        let line = format!("Nov  3 09:05:01 srv {tag}: {message}");
        match taken(&line) {
            Line::Evidence(e) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                Some((e.class, e.weight, [text(e.user), text(e.rhost), text(e.ruser), text(e.tty)]))
            }
            _ => None,
        }
    }

    #[test]
    fn each_program_in_its_own_words() {
        for (tag, message, class, weight, fields) in [
            ("su[7]", "FAILED SU (to alice) bob on pts/0", "su-failed", 1, ["alice", "", "bob", "pts/0"]),
            (
                "su[7]",
                "FAILED SU (to x) y on z) bob on pts/0",
                "su-failed",
                1,
                ["x) y on z", "", "bob", "pts/0"],
            ),
            ("su[7]", "FAILED su for root by bob", "su-failed", 1, ["root", "", "bob", ""]),
            ("su", "BAD SU bob to root on /dev/pts/0", "su-failed", 1, ["root", "", "bob", "/dev/pts/0"]),
            (
                "su",
                "[ID 810491 auth.crit] 'su root' failed for bob on /dev/pts/1",
                "su-failed",
                1,
                ["root", "", "bob", "/dev/pts/1"],
            ),
            ("su", "- pts/0 bob:root", "su-failed", 1, ["root", "", "bob", "pts/0"]),
            (
                "su",
                "message repeated 2 times: [ - none bob:root]",
                "su-failed",
                2,
                ["root", "", "bob", "none"],
            ),
            (
                "sudo",
                "     bob : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls",
                "sudo-incorrect-password",
                3,
                ["bob", "", "bob", "pts/0"],
            ),
            (
                "sudo[7]",
                "bob : 1 incorrect password attempt ; PWD=/ ; USER=root ; COMMAND=/bin/ls",
                "sudo-incorrect-password",
                1,
                ["bob", "", "bob", ""],
            ),
            (
                "login[7]",
                "FAILED LOGIN (2) on '/dev/tty1' FOR 'root', Authentication failure",
                "login-failed",
                1,
                ["root", "", "", "/dev/tty1"],
            ),
            (
                "login[7]",
                "FAILED LOGIN (1) on '/dev/pts/3' from '192.0.2.7' FOR 'UNKNOWN', User not known",
                "login-failed",
                1,
                ["UNKNOWN", "192.0.2.7", "", "/dev/pts/3"],
            ),
            (
                "login[7]",
                "FAILED LOGIN 1 FROM (null) FOR root, Authentication failure",
                "login-failed",
                1,
                ["root", "", "", ""],
            ),
            (
                "login[7]",
                "FAILED LOGIN SESSION FROM tty1 FOR x, y, Authentication failure",
                "login-failed",
                1,
                ["x, y", "", "", "tty1"],
            ),
            (
                "login[7]",
                "TOO MANY LOGIN TRIES (3) on '/dev/tty1' FOR 'root'",
                "login-failed",
                3,
                ["root", "", "", "/dev/tty1"],
            ),
            ("login", "2 LOGIN FAILURES ON ttyv0", "login-failed", 2, ["", "", "", "ttyv0"]),
            ("login", "LOGIN FAILURE FROM 192.0.2.7, root", "login-failed", 1, ["root", "192.0.2.7", "", ""]),
            (
                "login[7]",
                "invalid password for 'root'  on '/dev/tty1' from '192.0.2.7'",
                "login-failed",
                1,
                ["root", "192.0.2.7", "", "/dev/tty1"],
            ),
            (
                "login[7]",
                "invalid password for 'UNKNOWN' on 'tty1'",
                "login-failed",
                1,
                ["UNKNOWN", "", "", "tty1"],
            ),
            (
                "login[7]",
                "invalid password for 'x' on 'y' on 'pts/3' from '192.0.2.7'",
                "login-failed",
                1,
                ["x' on 'y", "192.0.2.7", "", "pts/3"],
            ),
            (
                "newgrp[7]",
                "Invalid password for group 'staff' from 'bob'",
                "group-failed",
                1,
                ["bob", "", "bob", ""],
            ),
            (
                "polkit-agent-helper-1[7]",
                "authentication failure [uid=1000] trying to authenticate 'root'",
                "polkit-helper-failed",
                1,
                ["root", "", "", ""],
            ),
            ("doas", "failed auth for bob", "doas-failed", 1, ["bob", "", "bob", ""]),
            (
                "unix_chkpwd[7]",
                "password check failed for user (bob)",
                "password-check-failed",
                1,
                ["bob", "", "", ""],
            ),
            (
                "polkitd[7]",
                "Operator of unix-session:1 FAILED to authenticate to gain authorization for action a.b for system-bus-name::1.2 [x (owned by unix-user:root)] (owned by unix-user:bob)",
                "polkit-failed",
                1,
                ["", "", "bob", ""],
            ),
            (
                "xscreensaver[7]",
                "FAILED LOGIN 1 ON DISPLAY \":0.0\", FOR \"bob\"",
                "locker-failed",
                1,
                ["bob", "", "", ":0.0"],
            ),
            (
                "kcheckpass[7]",
                "Authentication failure for bob (invoked by uid 1000)",
                "locker-failed",
                1,
                ["bob", "", "", ""],
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
        for (tag, message) in [
            (
                "sudo",
                "bob : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/x : 3 incorrect password attempts ; ",
            ),
            ("sudo", "bob : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/echo 3 incorrect password attempts"),
            ("su[7]", "(to alice) bob on pts/0"),
            ("su[7]", "Successful su for root by bob"),
            ("su[7]", "- pts/0 bob:root"),
            ("su", "+ pts/0 bob:root"),
            ("su", "- pts/0"),
            ("[su]", "- pts/0 bob:root"),
            ("su-l", "- pts/0 bob:root"),
            (
                "polkitd[7]",
                "Operator of unix-session:1 successfully authenticated as unix-user:bob [FAILED to authenticate ]",
            ),
            ("unix_chkpwd[7]", "could not obtain user info (bob)"),
            ("cron[7]", "FAILED LOGIN 1"),
        ] {
            assert_eq!(told(tag, message), None, "{tag}: {message}");
        }
    }
}
