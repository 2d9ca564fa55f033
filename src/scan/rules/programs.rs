//! Lines of programs, and what is found in them. Those that are rules as data have more in `rules/*.toml`.

use super::tests::{TABLE_HEAD, taken};
use super::{Kind, Line, book};

type Told = Option<(&'static str, u32, [String; 4])>;

/// Class, weight, user, rhost, ruser, tty.
fn told(tag: &str, message: &str) -> Told {
    let line: &'static str = format!("{TABLE_HEAD}{tag}: {message}").leak();
    match taken(line) {
        Line::Evidence(e) if e.kind != Kind::Success => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            Some((e.class, e.weight, [text(e.user), text(e.rhost), text(e.ruser), text(e.tty)]))
        }
        _ => None,
    }
}

type Refusal = (&'static str, &'static str, &'static str, u32, [&'static str; 4]);

const AT_THE_MACHINE: &[Refusal] = &[
    ("su[7]", "FAILED SU (to alice) bob on pts/0", "su-failed", 1, ["alice", "", "bob", "pts/0"]),
    ("su[7]", "FAILED SU (to x) y on z) bob on pts/0", "su-failed", 1, ["x) y on z", "", "bob", "pts/0"]),
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
    ("su", "message repeated 2 times: [ - none bob:root]", "su-failed", 2, ["root", "", "bob", "none"]),
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
        "FAILED LOGIN (1) on 'pts/0' FOR `UNKNOWN', User not known to the underlying authentication module",
        "login-failed",
        1,
        ["UNKNOWN", "", "", "pts/0"],
    ),
    (
        "login[7]",
        "FAILED LOGIN (2) on `ttyp0' from `a.example.org' FOR `root', Authentication failure",
        "login-failed",
        1,
        ["root", "a.example.org", "", "ttyp0"],
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
    ("login[7]", "invalid password for 'UNKNOWN' on 'tty1'", "login-failed", 1, ["UNKNOWN", "", "", "tty1"]),
    (
        "login[7]",
        "invalid password for 'x' on 'y' on 'pts/3' from '192.0.2.7'",
        "login-failed",
        1,
        ["x' on 'y", "192.0.2.7", "", "pts/3"],
    ),
    ("newgrp[7]", "Invalid password for group 'staff' from 'bob'", "group-failed", 1, ["bob", "", "bob", ""]),
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
];

const SERVERS: &[Refusal] = &[
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
    ("vsftpd[7]", "[bob] FAIL LOGIN: Client \"192.0.2.7\"", "ftp-failed", 1, ["bob", "192.0.2.7", "", ""]),
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
];

#[test]
fn each_program_in_its_own_words() {
    for (tag, message, class, weight, fields) in AT_THE_MACHINE.iter().chain(SERVERS) {
        assert_eq!(
            told(tag, message),
            Some((*class, *weight, fields.map(str::to_owned))),
            "{tag}: {message}"
        );
    }
}

const NO_ATTEMPTS: &[(&str, &str)] = &[
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
];

const NO_ATTEMPTS_OF_SERVERS: &[(&str, &str)] = &[
    ("dropbear[7]", "root login rejected"),
    ("proftpd[7]", "ftp.example.org (c[192.0.2.7]) - USER bob (Login failed): Password expired"),
    ("proftpd[7]", "ftp.example.org (c[192.0.2.7]) - USER bob (Login failed): Invalid shell: '/bin/false'"),
    ("proftpd[7]", "ftp.example.org (c[192.0.2.7]) - USER bob: Login successful."),
    ("proftpd[7]", "ftp.example.org - USER bob (Login failed): Incorrect password"),
    ("proftpd[7]", "ftp.example.org (c[192.0.2.7]) - Maximum login attempts (3) exceeded"),
    ("vsftpd[7]", "[bob] FAIL LOGIN: Client \"192.0.2.7\", \"User is not in the allow user list.\""),
    ("vsftpd[7]", "[bob] OK LOGIN: Client \"192.0.2.7\""),
    // A file of such a name, and a command before anybody was named.
    ("vsftpd[7]", "FTP command: Client \"192.0.2.7\", \"USER x] FAIL LOGIN: Client \"198.51.100.9\""),
];

#[test]
fn what_is_not_an_attempt_counts_nothing() {
    for (tag, message) in NO_ATTEMPTS.iter().chain(NO_ATTEMPTS_OF_SERVERS) {
        assert_eq!(told(tag, message), None, "{tag}: {message}");
    }
}

const GOT_IN: &[(&str, &str, [&str; 4])] = &[
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
    ("login[7]", "ROOT LOGIN  on '/dev/tty1' from '192.0.2.7'", ["root", "192.0.2.7", "", "/dev/tty1"]),
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
];

const NOT_IN: &[(&str, &str)] = &[
    ("sudo", "bob : command not allowed ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id"),
    ("sudo", "bob : a password is required ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id"),
    ("sudo", "bob : 1 incorrect password attempt ; TTY=pts/0 ; USER=root ; COMMAND=/bin/su (to x) y"),
    ("sudo", r#"@cee:{"sudo":{"reject":{"reason":"command not allowed","submituser":"bob"}}}"#),
    ("su[7]", "FAILED SU (to root) bob on pts/0"),
    ("su[7]", "pam_unix(su:auth): x (to root) bob on pts/0"),
    ("polkitd[7]", "Registered Authentication Agent for unix-session:1"),
    ("vsftpd[7]", "[x] OK LOGIN: Client \"198.51.100.9\"] OK LOGIN: Client \"192.0.2.7\""),
];

#[test]
fn each_program_has_a_word_for_who_got_in() {
    for (tag, message, fields) in GOT_IN {
        let line = format!("{TABLE_HEAD}{tag}: {message}");
        let Line::Evidence(e) = taken(&line) else { panic!("{line}") };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!((e.kind, e.weight), (Kind::Success, 0), "{line}");
        assert_eq!(&[text(e.user), text(e.rhost), text(e.ruser), text(e.tty)], fields, "{line}");
    }
    for (tag, message) in NOT_IN {
        let line = format!("{TABLE_HEAD}{tag}: {message}");
        let taken = taken(&line);
        assert!(!matches!(taken, Line::Evidence(e) if e.kind == Kind::Success), "{line}: {taken:?}");
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
    assert_eq!(of(json("1 incorrect password attempt", "bob", "x")), Some((1, "bob  bob /dev/pts/3".into())));
    assert_eq!(of(json("command not allowed", "bob", three)), None);
    // Cut short by a log daemon.
    let cut = json(three, "bob", &"x".repeat(90));
    assert_eq!(of(cut[..cut.len() - 90].to_owned()), Some((3, "bob  bob ".into())));
}

/// What follows the head of a line stands in a file of rules as it does in a log.
#[test]
fn the_lines_that_rules_bear_as_samples_are_found_in_a_log() {
    for entry in book::list(std::path::Path::new("/nonexistent")) {
        let file = entry.file.unwrap_or_else(|mistake| panic!("{mistake}"));
        for name in &file.names {
            let name = name.replace('*', "x");
            let whole = |message: &str| match file.is_of_modules {
                true if name.starts_with("pam_") => format!("{TABLE_HEAD}x[7]: {name}(x:auth): {message}"),
                true => format!("{TABLE_HEAD}{}[7]: {message}", name.replacen('x', "pam_x", 1)),
                false => format!("{TABLE_HEAD}{name}[7]: {message}"),
            };
            for sample in file.samples() {
                let line = whole(&sample.line);
                assert_ne!(taken(&line), Line::Other, "{}: {line}", entry.name);
            }
            // And where a log daemon cut it short it is searched for by what is left.
            for message in file.written(&[b'y'; 2000]) {
                let mut line = whole(std::str::from_utf8(&message).unwrap());
                line.truncate(1024);
                taken(&line);
            }
        }
    }
}
