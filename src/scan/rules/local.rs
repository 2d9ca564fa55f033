//! Programs at the machine itself, in words of their own: polkit, lockers, newgrp.

use super::{Evidence, Family, Kind, Line, cut, cut_last, login, quoted, servers, su, sudo};
use crate::scan::header::{Header, token};

pub(super) fn classify<'a>(family: Family, header: &Header<'a>, message: &'a [u8]) -> Line<'a> {
    let program = header.program;
    match family {
        Family::Su => su::classify(header, message),
        Family::Sudo if program == b"doas" => sudo::doas(message),
        Family::Sudo => sudo::classify(message),
        Family::Login => login::classify(program, message),
        Family::Polkit => polkit(message),
        Family::CheckPassword => check_password(message),
        _ => match program {
            b"xscreensaver" | b"xscreensaver-auth" => locker(program, message),
            b"kcheckpass" => kcheckpass(message),
            b"newgrp" | b"sg" => group(program, message),
            b"rlogin" | b"rlogind" | b"in.rlogind" | b"telnetd" | b"in.telnetd" => {
                login::classify(program, message)
            }
            _ => servers::classify(header, message),
        },
    }
}

/// The helper speaks through PAM, or without it says `authentication failure [uid=1000] trying to authenticate
/// 'root'`. polkitd's own `Operator of unix-session:1 FAILED to authenticate …` comes after that, and after a
/// dialogue that was dismissed: it counts nothing. That somebody did authenticate is its word alone.
fn polkit(message: &[u8]) -> Line<'_> {
    if let Some(rest) = message.strip_prefix(b"authentication failure [uid=") {
        let mut evidence = Evidence::new(Kind::Program, "polkit-helper-failed", b"polkit-1");
        evidence.user = cut(rest, b"] trying to authenticate ").map_or(b"", |(_, user)| quoted(user));
        return Line::Evidence(evidence);
    }
    let Some((_, rest)) = message.strip_prefix(b"Operator of ").map(token) else { return Line::Other };
    if rest.starts_with(b"FAILED to authenticate ") {
        return Line::Nothing("polkit's helper has told each attempt");
    }
    let Some(rest) = rest.strip_prefix(b"successfully authenticated as unix-user:") else {
        return Line::Other;
    };
    Line::Evidence(Evidence { user: token(rest).0, ..Evidence::success(b"polkit-1") })
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
    use super::super::tests::taken;
    use super::super::{Kind, Line};

    /// Class, weight, user, rhost, ruser, tty.
    pub fn told(tag: &str, message: &str) -> Option<(&'static str, u32, [String; 4])> {
        let line = format!("Nov  3 09:05:01 srv {tag}: {message}");
        match taken(&line) {
            Line::Evidence(e) if e.kind != Kind::Success => {
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
                "Operator of unix-session:1 FAILED to authenticate to gain authorization for action a.b for system-bus-name::1.2 [x (owned by unix-user:root)] (owned by unix-user:bob)",
            ),
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

    #[test]
    fn each_program_has_a_word_for_who_got_in() {
        for (tag, message, fields) in [
            ("su[7]", "(to root) bob on pts/0", ["root", "", "bob", "pts/0"]),
            ("su[7]", "Successful su for root by bob", ["root", "", "bob", ""]),
            ("su", "+ pts/0 bob:root", ["root", "", "bob", "pts/0"]),
            ("su", "bob to root on /dev/pts/0", ["root", "", "bob", "/dev/pts/0"]),
            ("su", "'su root' succeeded for bob on /dev/pts/1", ["root", "", "bob", "/dev/pts/1"]),
            ("sudo", "  bob : TTY=pts/3 ; PWD=/ ; USER=root ; COMMAND=/bin/id", ["bob", "", "bob", "pts/3"]),
            ("sudo[7]", "bob : PWD=/ ; USER=root ; COMMAND=list", ["bob", "", "bob", ""]),
            (
                "sudo",
                r#"@cee:{"sudo":{"accept":{"uuid":"b7","submituser":"bob","command":"/bin/id","ttyname":"/dev/pts/3"}}}"#,
                ["bob", "", "bob", "/dev/pts/3"],
            ),
            ("doas", "bob ran command id as root from /home/bob", ["bob", "", "bob", ""]),
            ("login[7]", "LOGIN ON tty1 BY bob FROM 192.0.2.7", ["bob", "192.0.2.7", "", "tty1"]),
            ("login[7]", "ROOT LOGIN ON tty1", ["root", "", "", "tty1"]),
            ("login[7]", "DIALUP AT ttyS0 BY bob", ["bob", "", "", "ttyS0"]),
            (
                "login[7]",
                "ROOT LOGIN  on '/dev/tty1' from '192.0.2.7'",
                ["root", "192.0.2.7", "", "/dev/tty1"],
            ),
            (
                "polkitd[7]",
                "Operator of unix-session:1 successfully authenticated as unix-user:bob to gain x",
                ["bob", "", "", ""],
            ),
            ("vsftpd[7]", "[bob] OK LOGIN: Client \"192.0.2.7\"", ["bob", "192.0.2.7", "", ""]),
            ("proftpd[7]", "srv (c[192.0.2.7]) - USER bob: Login successful.", ["bob", "192.0.2.7", "", ""]),
            (
                "dropbear[7]",
                "PAM password auth succeeded for 'bob' from 192.0.2.7:4000",
                ["bob", "192.0.2.7", "", ""],
            ),
        ] {
            let line = format!("Nov  3 09:05:01 srv {tag}: {message}");
            let Line::Evidence(e) = taken(&line) else { panic!("{line}") };
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            assert_eq!((e.kind, e.weight), (Kind::Success, 0), "{line}");
            assert_eq!([text(e.user), text(e.rhost), text(e.ruser), text(e.tty)], fields, "{line}");
        }
        for (tag, message) in [
            ("sudo", "bob : command not allowed ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id"),
            ("sudo", "bob : a password is required ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id"),
            ("sudo", "bob : 1 incorrect password attempt ; TTY=pts/0 ; USER=root ; COMMAND=/bin/su (to x) y"),
            ("sudo", r#"@cee:{"sudo":{"reject":{"reason":"command not allowed","submituser":"bob"}}}"#),
            ("su[7]", "FAILED SU (to root) bob on pts/0"),
            ("su[7]", "pam_unix(su:auth): x (to root) bob on pts/0"),
            ("polkitd[7]", "Registered Authentication Agent for unix-session:1"),
            ("vsftpd[7]", "[x] OK LOGIN: Client \"198.51.100.9\"] OK LOGIN: Client \"192.0.2.7\""),
        ] {
            let line = format!("Nov  3 09:05:01 srv {tag}: {message}");
            assert!(
                !matches!(taken(&line), Line::Evidence(e) if e.kind == Kind::Success),
                "{line}: {:?}",
                taken(&line)
            );
        }
    }

    #[test]
    fn a_summary_of_sudo_as_json_gives_the_same() {
        let json = |reason: &str, user: &str, command: &str| {
            format!(
                r#"@cee:{{"sudo":{{"reject":{{"uuid":"b7","reason":"{reason}","server_time":{{"seconds":1,"localtime":"Nov 28 03:21:37"}},"submituser":"{user}","command":"{command}","runuser":"root","ttyname":"/dev/pts/3"}}}}}}"#
            )
        };
        let of = |json: String| told("sudo", &json).map(|(_, weight, fields)| (weight, fields.join(" ")));
        let three = "3 incorrect password attempts";
        assert_eq!(of(json(three, "bob", "/bin/id")), Some((3, "bob  bob /dev/pts/3".into())));
        let forged = r#"x\"submituser\":\"eve\",\"ttyname\":\"x\""#;
        assert_eq!(of(json(three, "bob", forged)), Some((3, "bob  bob /dev/pts/3".into())));
        assert_eq!(
            of(json("1 incorrect password attempt", "bob", "x")),
            Some((1, "bob  bob /dev/pts/3".into()))
        );
        assert_eq!(of(json("command not allowed", "bob", three)), None);
        // Cut short by a log daemon.
        let cut = json(three, "bob", &"x".repeat(90));
        assert_eq!(of(cut[..cut.len() - 90].to_owned()), Some((3, "bob  bob ".into())));
    }
}
