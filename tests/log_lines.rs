//! What log lines mean, program by program: small logs, and how many attempts they tell of.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test, functions included

use std::fs;
use std::path::Path;

use authalert::config;
use authalert::scan::attempts::Open;
use authalert::scan::intake::{Intake, Source};
use authalert::scan::{ScanOptions, Uncounted, each, run};

/// `COUNT USER from RHOST (SERVICE)` of each row, in the order of the log.
fn rows(log: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("auth.log");
    fs::write(&path, log).unwrap();
    let options = ScanOptions { files: vec![path], dry_run: true, json: true, ..ScanOptions::default() };
    let mut out = Vec::new();
    run(&options, &config::Scan::default(), Path::new("/nonexistent"), &mut out, &mut |_, _, _| {}).unwrap();
    let mut rows: Vec<serde_json::Value> =
        out.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    rows.sort_by_key(|row| row["line"].as_u64());
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| {
            let [user, rhost, service] = ["user", "rhost", "service"].map(|key| text(row, key));
            format!("{} {user} from {rhost} ({service})", row["count"])
        })
        .collect()
}

type Case<'a> = (&'a str, &'a [&'a str], &'a [&'a str]);

/// Each case: what it shows, its lines, its rows. Lines are `TIME TAG: MESSAGE`, of one day and machine.
fn check(cases: &[Case<'_>]) {
    for (what, lines, expected) in cases {
        let log: String = lines.iter().map(|line| format!("Nov  3 {line}\n")).collect();
        let dated = log.replace("Nov  3 ", "2026-11-03T");
        let precise: String =
            dated.lines().map(|line| line.replacen(' ', ".250000+01:00 ", 1) + "\n").collect();
        for log in [log, precise] {
            assert_eq!(rows(&log), *expected, "{what}:\n{log}");
        }
    }
}

const PAM: &str = "authentication failure; logname= uid=0 euid=0";

const ROOT: &[&str] = &["1 root from 192.0.2.7 (sshd)"];
const ALICE: &[&str] = &["1 alice from 192.0.2.7 (sshd)"];

const ENDED_WHILE_AUTHENTICATING: &[Case] = &[
    (
        "reset",
        &["10:00:02 web1 sshd[20]: Connection reset by authenticating user root 192.0.2.7 port 64 [preauth]"],
        ROOT,
    ),
    (
        "disconnected",
        &[
            "10:00:02 web1 sshd-session[20]: Received disconnect from 192.0.2.7 port 64:11: Bye Bye [preauth]",
            "10:00:02 web1 sshd-session[20]: Disconnected from authenticating user root 192.0.2.7 port 64 [preauth]",
        ],
        ROOT,
    ),
    (
        "without a number",
        &["10:00:02 web1 sshd: Connection closed by authenticating user root 192.0.2.7 port 64 [preauth]"],
        ROOT,
    ),
    (
        "two connections without a number",
        &[
            "10:00:02 web1 sshd: Connection closed by authenticating user root 192.0.2.7 port 64 [preauth]",
            "10:00:02 web1 sshd: Connection closed by authenticating user root 192.0.2.7 port 65 [preauth]",
        ],
        &["1 root from 192.0.2.7 (sshd)", "1 root from 192.0.2.7 (sshd)"],
    ),
    (
        "one number, used twice",
        &[
            "10:00:02 web1 sshd[20]: Connection closed by authenticating user root 192.0.2.7 port 64 [preauth]",
            "10:03:02 web1 sshd[20]: Connection closed by authenticating user root 192.0.2.7 port 65 [preauth]",
        ],
        &["1 root from 192.0.2.7 (sshd)", "1 root from 192.0.2.7 (sshd)"],
    ),
    (
        "several keys",
        &[
            "10:00:02 web1 sshd[20]: Failed publickey for alice from 192.0.2.7 port 64 ssh2: RSA SHA256:a",
            "10:00:02 web1 sshd[20]: Failed publickey for alice from 192.0.2.7 port 64 ssh2: ED25519 SHA256:b",
            "10:00:02 web1 sshd[20]: error: maximum authentication attempts exceeded for alice from 192.0.2.7 port 64 ssh2 [preauth]",
            "10:00:02 web1 sshd[20]: Disconnecting authenticating user alice 192.0.2.7 port 64: Too many authentication failures [preauth]",
        ],
        ALICE,
    ),
    (
        "keys of nobody",
        &[
            "10:00:02 web1 sshd[20]: Invalid user x from 192.0.2.7 port 64",
            "10:00:02 web1 sshd[20]: Failed publickey for invalid user x from 192.0.2.7 port 64 ssh2: RSA SHA256:a",
            "10:00:02 web1 sshd[20]: Failed publickey for invalid user x from 192.0.2.7 port 64 ssh2: RSA SHA256:b",
            "10:00:02 web1 sshd[20]: Connection closed by invalid user x 192.0.2.7 port 64 [preauth]",
        ],
        &["1 x from 192.0.2.7 (sshd)"],
    ),
    (
        "OpenSSH 10",
        &[
            "10:00:02 web1 sshd-auth[21]: Invalid user x from 192.0.2.7 port 64",
            "10:00:02 web1 sshd-session[20]: Connection closed by invalid user x 192.0.2.7 port 64 [preauth]",
        ],
        &["1 x from 192.0.2.7 (sshd)"],
    ),
    (
        "the address comes at the end",
        &[
            "10:00:02 web1 sshd[20]: Disconnecting: Too many authentication failures for alice [preauth]",
            "10:00:02 web1 sshd[20]: Connection closed by 192.0.2.7 [preauth]",
        ],
        ALICE,
    ),
    (
        "an account that is locked",
        &[
            "10:00:02 web1 sshd[20]: User alice not allowed because account is locked",
            "10:00:02 web1 sshd[20]: input_userauth_request: invalid user alice [preauth]",
            "10:00:02 web1 sshd[20]: Received disconnect from 192.0.2.7: 11: Bye [preauth]",
        ],
        ALICE,
    ),
    (
        "an old sshd",
        &["10:00:02 web1 sshd[20]: Disconnecting: Too many authentication failures for alice [preauth]"],
        &["1 alice from  (sshd)"],
    ),
    (
        "OpenSSH 6.7 to 7.4",
        &[
            "10:00:02 web1 sshd[20]: Disconnecting: Too many authentication failures for root from 192.0.2.7 port 64 ssh2 [preauth]",
        ],
        ROOT,
    ),
    (
        "a name like the end of such a line, of an older one",
        &[
            "10:00:02 web1 sshd[20]: Invalid user x from 198.51.100.9 port 22 ssh2 from 192.0.2.7",
            "10:00:02 web1 sshd[20]: Disconnecting: Too many authentication failures for invalid user x from 198.51.100.9 port 22 ssh2 [preauth]",
        ],
        &["1 x from 198.51.100.9 port 22 ssh2 from 192.0.2.7 (sshd)"],
    ),
    (
        "the same of one that does not say that it is no account's",
        &[
            "10:00:02 web1 sshd[20]: Invalid user x from 198.51.100.9 port 22 ssh2 from 192.0.2.7",
            "10:00:02 web1 sshd[20]: Disconnecting: Too many authentication failures for x from 198.51.100.9 port 22 ssh2 [preauth]",
        ],
        &["1 x from 198.51.100.9 port 22 ssh2 from 192.0.2.7 (sshd)"],
    ),
    (
        "not allowed, old",
        &[
            "10:00:02 web1 sshd[20]: User alice from 192.0.2.7 not allowed because none of user's groups are listed in AllowGroups",
            "10:00:02 web1 sshd[20]: input_userauth_request: invalid user alice [preauth]",
            "10:00:02 web1 sshd[20]: Connection closed by 192.0.2.7 [preauth]",
        ],
        ALICE,
    ),
    (
        "root refused",
        &[
            "10:00:02 web1 sshd[20]: ROOT LOGIN REFUSED FROM 192.0.2.7 port 64",
            "10:00:02 web1 sshd[20]: Connection closed by authenticating user root 192.0.2.7 port 64 [preauth]",
        ],
        ROOT,
    ),
    (
        "keys, then passwords",
        &[
            "10:00:02 web1 sshd[20]: Failed publickey for alice from 192.0.2.7 port 64 ssh2: RSA SHA256:a",
            "10:00:05 web1 sshd[20]: Failed password for alice from 192.0.2.7 port 64 ssh2",
            "10:00:08 web1 sshd[20]: Failed password for alice from 192.0.2.7 port 64 ssh2",
            "10:00:09 web1 sshd[20]: Connection closed by authenticating user alice 192.0.2.7 port 64 [preauth]",
        ],
        &["1 alice from 192.0.2.7 (sshd)", "1 alice from 192.0.2.7 (sshd)"],
    ),
    (
        "not allowed, with a password",
        &[
            "10:00:02 web1 sshd[20]: User alice from 192.0.2.7 not allowed because not listed in AllowUsers",
            "10:00:05 web1 sshd[20]: Failed password for invalid user alice from 192.0.2.7 port 64 ssh2",
            "10:00:09 web1 sshd[20]: Connection closed by invalid user alice 192.0.2.7 port 64 [preauth]",
        ],
        ALICE,
    ),
    (
        "left while the child asked",
        &[
            "10:00:00 web1 sshd[21]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=alice",
            "10:00:01 web1 sshd[20]: Connection closed by authenticating user alice 192.0.2.7 port 64 [preauth]",
        ],
        ALICE,
    ),
];

#[test]
fn sshd_that_ended_while_authenticating_and_told_nothing_else_is_one_attempt() {
    check(ENDED_WHILE_AUTHENTICATING);
}

#[test]
fn sshd_that_let_somebody_in_or_names_nobody_is_none() {
    check(&[
        (
            "a key before the good one",
            &[
                "10:00:02 web1 sshd[20]: Failed publickey for alice from 192.0.2.7 port 64 ssh2: RSA SHA256:a",
                "10:00:02 web1 sshd[20]: Accepted publickey for alice from 192.0.2.7 port 64 ssh2: ED25519 SHA256:b",
                "10:30:02 web1 sshd[20]: Disconnected from user alice 192.0.2.7 port 64",
            ],
            &[],
        ),
        (
            "a key before the good password",
            &[
                "10:00:02 web1 sshd[20]: Failed publickey for alice from 192.0.2.7 port 64 ssh2: RSA SHA256:a",
                "10:01:40 web1 sshd[20]: Accepted password for alice from 192.0.2.7 port 64 ssh2",
            ],
            &[],
        ),
        (
            "nobody named",
            &[
                "10:00:02 web1 sshd[20]: Connection closed by 192.0.2.7 port 64 [preauth]",
                "10:00:03 web1 sshd[21]: Connection reset by 192.0.2.7 port 64 [preauth]",
                "10:00:04 web1 sshd[22]: Disconnected from 192.0.2.7 port 64 [preauth]",
                "10:00:05 web1 sshd[23]: Received disconnect from 192.0.2.7 port 64:11: Bye [preauth]",
                "10:00:06 web1 sshd[24]: Connection closed by authenticating user",
            ],
            &[],
        ),
        (
            "a prompt left",
            &[
                "10:00:02 web1 sshd[20]: error: PAM: Conversation error for alice from 192.0.2.7",
                "10:00:02 web1 sshd[20]: Connection closed by authenticating user alice 192.0.2.7 port 64 [preauth]",
            ],
            &[],
        ),
        (
            "a login without a number excuses one connection",
            &[
                "10:00:01 web1 sshd: Accepted publickey for alice from 192.0.2.7 port 63 ssh2: ED25519 SHA256:b",
                "10:00:02 web1 sshd: Failed password for alice from 192.0.2.7 port 64 ssh2",
                "10:00:03 web1 sshd: Accepted password for alice from 192.0.2.7 port 64 ssh2",
                "10:00:09 web1 sshd: Connection closed by authenticating user root 192.0.2.7 port 65 [preauth]",
            ],
            &["1 alice from 192.0.2.7 (sshd)", "1 root from 192.0.2.7 (sshd)"],
        ),
        (
            "another's login is no excuse",
            &[
                "10:00:02 web1 sshd[20]: Connection closed by authenticating user root 192.0.2.7 port 64 [preauth]",
                "10:00:03 web1 sshd[21]: Accepted publickey for alice from 192.0.2.7 port 65 ssh2: ED25519 SHA256:b",
            ],
            &["1 root from 192.0.2.7 (sshd)"],
        ),
    ]);
}

/// What it shows, its lines, how many attempts they tell of.
const GOT_IN: &[(&str, &[&str], usize)] = &[
    (
        "su",
        &[
            "03:21:16 web1 su[7]: pam_unix(su:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts/3 ruser=alice rhost=  user=root",
            "03:21:16 web1 su[7]: (to root) alice on pts/3",
        ],
        0,
    ),
    (
        "su, slow",
        &[
            "03:21:16 web1 su[7]: pam_krb5(su:auth): authentication failure; logname=root uid=7001 euid=0 tty=/dev/pts/3 ruser=alice rhost=",
            "03:21:19 web1 su[7]: (to root) alice on pts/3",
        ],
        0,
    ),
    (
        "su, PAM without a number",
        &[
            "03:21:16 web1 su: pam_unix(su:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts/3 ruser=alice rhost=  user=root",
            "03:21:16 web1 su[7]: (to root) alice on pts/3",
        ],
        0,
    ),
    (
        "su of shadow",
        &[
            "03:21:16 web1 su[7]: pam_unix(su:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts/3 ruser=alice rhost=  user=root",
            "03:21:16 web1 su[7]: Successful su for root by alice",
        ],
        0,
    ),
    (
        "su, busybox",
        &[
            "03:21:16 web1 su: pam_unix(su:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts/3 ruser=alice rhost=  user=root",
            "03:21:16 web1 su: + pts/3 alice:root",
        ],
        0,
    ),
    (
        "su, session alone",
        &[
            "03:21:16 web1 su: pam_unix(su:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts/3 ruser=alice rhost=  user=root",
            "03:21:16 web1 su: pam_unix(su:session): session opened for user root(uid=0) by alice(uid=7001)",
        ],
        0,
    ),
    (
        "su wrong, then another su",
        &[
            "03:21:16 web1 su: pam_unix(su:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts/3 ruser=alice rhost=  user=root",
            "03:21:18 web1 su[7]: FAILED SU (to root) alice on pts/3",
            "03:21:21 web1 su[8]: (to root) alice on pts/3",
        ],
        1,
    ),
    (
        "su of another user",
        &[
            "03:21:16 web1 su: pam_unix(su:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts/3 ruser=alice rhost=  user=root",
            "03:21:16 web1 su[8]: (to bob) eve on pts/4",
        ],
        1,
    ),
    (
        "sudo with a number",
        &[
            "03:21:16 web1 sudo[7]: pam_unix(sudo:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts/3 ruser=alice rhost=  user=alice",
            "03:21:16 web1 sudo[7]:    alice : TTY=pts/3 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id",
        ],
        0,
    ),
    (
        "sudo, the next second",
        &[
            "03:21:16 web1 sudo: pam_unix(sudo:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts/3 ruser=alice rhost=  user=alice",
            "03:21:17 web1 sudo:    alice : TTY=pts/3 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id",
        ],
        0,
    ),
    (
        "sudo, wrong and then right",
        &[
            "03:21:16 web1 sudo: pam_unix(sudo:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts/3 ruser=alice rhost=  user=alice",
            "03:21:20 web1 sudo:    alice : TTY=pts/3 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id",
        ],
        1,
    ),
    (
        "sudo, wrong, then right by the second module",
        &[
            "03:21:16 web1 sudo: pam_unix(sudo:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts/3 ruser=alice rhost=  user=alice",
            "03:21:20 web1 sudo:    alice : TTY=pts/3 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id",
            "03:21:20 web1 sudo: PAM 1 more authentication failure; logname= uid=7001 euid=0 tty=/dev/pts/3 ruser=alice rhost=  user=alice",
        ],
        1,
    ),
    (
        "sudo, at another terminal",
        &[
            "03:21:16 web1 sudo: pam_unix(sudo:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts/3 ruser=alice rhost=  user=alice",
            "03:21:16 web1 sudo:    alice : TTY=pts/4 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id",
        ],
        1,
    ),
    (
        "sudo, another user",
        &[
            "03:21:16 web1 sudo: pam_unix(sudo:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts/3 ruser=alice rhost=  user=alice",
            "03:21:16 web1 sudo:    bob : TTY=pts/3 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id",
        ],
        1,
    ),
    (
        "sudo, not allowed",
        &[
            "03:21:16 web1 sudo: pam_unix(sudo:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts/3 ruser=alice rhost=  user=alice",
            "03:21:16 web1 sudo:    alice : command not allowed ; TTY=pts/3 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id",
        ],
        1,
    ),
    (
        "sudo as JSON",
        &[
            "03:21:16 web1 sudo: pam_unix(sudo:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts/3 ruser=alice rhost=  user=alice",
            r#"03:21:16 web1 sudo: @cee:{"sudo":{"accept":{"uuid":"b","submituser":"alice","command":"/bin/id","ttyname":"/dev/pts/3"}}}"#,
        ],
        0,
    ),
    (
        "doas, slow",
        &[
            "03:21:42 web1 doas: pam_unix(doas:auth): authentication failure; logname= uid=0 euid=0 tty=pts/3 ruser=alice rhost=  user=alice",
            "03:21:45 web1 doas: alice ran command id as root from /",
        ],
        0,
    ),
    (
        "doas, wrong and then another",
        &[
            "03:21:42 web1 doas: pam_unix(doas:auth): authentication failure; logname= uid=0 euid=0 tty=pts/3 ruser=alice rhost=  user=alice",
            "03:21:44 web1 doas: failed auth for alice",
            "03:21:47 web1 doas: alice ran command id as root from /",
        ],
        1,
    ),
    (
        "login, slow",
        &[
            "12:00:01 web1 login[9]: pam_unix(login:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/tty1 ruser= rhost=  user=alice",
            "12:00:08 web1 login[9]: LOGIN ON tty1 BY alice",
        ],
        0,
    ),
    (
        "login, wrong and then right",
        &[
            "12:00:01 web1 login[9]: pam_unix(login:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/tty1 ruser= rhost=  user=alice",
            "12:00:04 web1 login[9]: FAILED LOGIN (1) on '/dev/tty1' FOR 'alice', Authentication failure",
            "12:00:08 web1 login[9]: pam_unix(login:session): session opened for user alice(uid=1000) by LOGIN(uid=0)",
        ],
        1,
    ),
    (
        "two of gdm",
        &[
            "12:05:01 web1 gdm-password][200]: pam_unix(gdm-password:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/tty1 ruser= rhost=  user=alice",
            "12:05:09 web1 gdm-password][201]: pam_unix(gdm-password:session): session opened for user alice(uid=1000) by (uid=0)",
        ],
        1,
    ),
    (
        "vsftpd without a number",
        &[
            "12:05:01 web1 vsftpd: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=alice rhost=192.0.2.7  user=alice",
            "12:05:01 web1 vsftpd: pam_unix(vsftpd:session): session opened for user alice(uid=1000) by (uid=0)",
        ],
        0,
    ),
    (
        "vsftpd, somebody else",
        &[
            "12:05:01 web1 vsftpd: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=alice rhost=192.0.2.7  user=alice",
            "12:05:01 web1 vsftpd: pam_unix(vsftpd:session): session opened for user bob(uid=1000) by (uid=0)",
        ],
        1,
    ),
    (
        "dropbear",
        &[
            "12:05:01 web1 dropbear[7]: pam_unix(dropbear:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=192.0.2.7  user=alice",
            "12:05:04 web1 dropbear[7]: PAM password auth succeeded for 'alice' from 192.0.2.7:4000",
        ],
        0,
    ),
    (
        "dovecot, whose login is another process",
        &[
            "12:05:01 web1 auth[7]: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=alice rhost=192.0.2.7  user=alice",
            "12:05:01 web1 dovecot: imap-login: Login: user=<alice>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1",
        ],
        0,
    ),
    (
        "dovecot, from elsewhere",
        &[
            "12:05:01 web1 auth[7]: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=alice rhost=192.0.2.7  user=alice",
            "12:05:01 web1 dovecot: imap-login: Login: user=<alice>, method=PLAIN, rip=192.0.2.8, lip=192.0.2.1",
        ],
        1,
    ),
    (
        "dovecot 2.4",
        &[
            "12:05:01 web1 auth[7]: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=alice rhost=192.0.2.7  user=alice",
            "12:05:01 web1 dovecot[9]: imap-login: Logged in: user=<alice>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1",
        ],
        0,
    ),
    (
        "xrdp, whose child has the session",
        &[
            "12:05:01 web1 xrdp-sesman[7]: pam_unix(xrdp-sesman:auth): authentication failure; logname= uid=0 euid=0 tty=xrdp-sesman ruser= rhost=  user=alice",
            "12:05:01 web1 xrdp-sesman[8]: pam_unix(xrdp-sesman:session): session opened for user alice by (uid=0)",
        ],
        0,
    ),
    (
        "xrdp, after a refusal that counts",
        &[
            "12:05:01 web1 xrdp-sesman[7]: pam_unix(xrdp-sesman:auth): authentication failure; logname= uid=0 euid=0 tty=xrdp-sesman ruser= rhost=  user=alice",
            "12:05:06 web1 xrdp-sesman[8]: pam_unix(xrdp-sesman:session): session opened for user alice by (uid=0)",
        ],
        1,
    ),
    (
        "xrdp, somebody else",
        &[
            "12:05:01 web1 xrdp-sesman[7]: pam_unix(xrdp-sesman:auth): authentication failure; logname= uid=0 euid=0 tty=xrdp-sesman ruser= rhost=  user=alice",
            "12:05:01 web1 xrdp-sesman[8]: pam_unix(xrdp-sesman:session): session opened for user bob by (uid=0)",
        ],
        1,
    ),
    (
        "cron is nobody's login",
        &[
            "12:05:01 web1 sudo: pam_unix(sudo:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts/3 ruser=alice rhost=  user=alice",
            "12:05:01 web1 CRON[7]: pam_unix(cron:session): session opened for user alice(uid=1000) by (uid=0)",
        ],
        1,
    ),
];

#[test]
fn who_got_in_owes_what_the_program_itself_refused() {
    for (what, lines, expected) in GOT_IN {
        let log: String = lines.iter().map(|line| format!("Nov  3 {line}\n")).collect();
        assert_eq!(rows(&log).len(), *expected, "{what}:\n{log}\n{:?}", rows(&log));
    }
}

#[test]
fn what_pam_adds_at_the_end_of_a_login_is_the_good_password() {
    let ssh = "logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7";
    let unix =
        format!("10:00:01 web1 sshd[20]: pam_unix(sshd:auth): authentication failure; {ssh}  user=alice");
    let failed = "10:00:03 web1 sshd[20]: Failed password for alice from 192.0.2.7 port 64 ssh2";
    let accepted = "10:00:07 web1 sshd[20]: Accepted password for alice from 192.0.2.7 port 64 ssh2";
    let more = |time: &str, n: u32| {
        format!("{time} web1 sshd[20]: PAM {n} more authentication failures; {ssh}  user=alice")
    };
    let alice = "1 alice from 192.0.2.7 (sshd)";
    check(&[
        ("hours later", &[&unix, failed, accepted, &more("15:30:00", 1)], &[alice]),
        ("good at once", &[&unix, accepted, &more("15:30:00", 1)], &[]),
        ("not let in", &[&unix, failed, &more("10:00:12", 2)], &[alice, "2 alice from 192.0.2.7 (sshd)"]),
        (
            "that number again",
            &[&unix, failed, accepted, &unix.replace("10:00:01", "15:00:01"), &more("15:00:09", 1)],
            &[alice, alice, alice],
        ),
        ("PAM alone", &[&unix, &more("10:00:09", 1)], &[alice, alice]),
    ]);
    let login = "logname=LOGIN uid=0 euid=0 tty=/dev/tty1 ruser= rhost=";
    check(&[(
        "login",
        &[
            &format!(
                "10:00:01 web1 login[20]: pam_unix(login:auth): authentication failure; {login}  user=alice"
            ),
            "10:00:04 web1 login[20]: FAILED LOGIN (1) on '/dev/tty1' FOR 'alice', Authentication failure",
            "10:00:09 web1 login[20]: pam_unix(login:session): session opened for user alice(uid=1000) by LOGIN(uid=0)",
            &format!("12:00:09 web1 login[20]: PAM 1 more authentication failure; {login}  user=alice"),
        ],
        &["1 alice from  (login)"],
    )]);
}

#[test]
fn polkits_helper_tells_and_polkitd_does_not() {
    let daemon = "polkitd[700]: Operator of unix-session:2 FAILED to authenticate to gain authorization for action a for unix-process:1:2 [x] (owned by unix-user:alice)";
    let helper = "polkit-agent-helper-1[16]: pam_unix(polkit-1:auth): authentication failure; logname= uid=1 euid=0 tty= ruser=root rhost=  user=root";
    check(&[
        ("dismissed", &[&format!("10:00:01 web1 {daemon}")], &[]),
        (
            "another's password, twice",
            &[
                &format!("10:00:01 web1 {helper}"),
                &format!("10:00:09 web1 {}", helper.replace("[16]", "[17]")),
                &format!("10:00:11 web1 {daemon}"),
            ],
            &["1 root from  (polkit-1)", "1 root from  (polkit-1)"],
        ),
        (
            "without PAM",
            &[
                "10:00:01 web1 polkit-agent-helper-1[16]: authentication failure [uid=1000] trying to authenticate 'root'",
                &format!("10:00:02 web1 {daemon}"),
            ],
            &["1 root from  (polkit-1)"],
        ),
    ]);
}

/// Stacks in which several modules have a say about one password, or ask for more than one.
const SEVERAL_MODULES: &[Case] = &[
    (
        "the password right by the second module, the code wrong",
        &[
            "10:00:02 web1 sshd[20]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=alice",
            "10:00:02 web1 sshd[20]: pam_sss(sshd:auth): authentication success; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7 user=alice",
            "10:00:02 web1 sshd(pam_google_authenticator)[20]: Invalid verification code for alice",
            "10:00:02 web1 sshd[20]: Failed password for alice from 192.0.2.7 port 64 ssh2",
        ],
        ALICE,
    ),
    (
        "the same twice with Duo, then both right; pam_unix tells the rest at the end",
        &[
            "10:00:02 web1 sshd[20]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=alice",
            "10:00:02 web1 sshd[20]: pam_sss(sshd:auth): authentication success; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7 user=alice",
            "10:00:02 web1 pam_duo[20]: Failed Duo login for 'alice' from 192.0.2.7",
            "10:00:02 web1 sshd[20]: Failed password for alice from 192.0.2.7 port 64 ssh2",
            "10:00:06 web1 sshd[20]: pam_sss(sshd:auth): authentication success; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7 user=alice",
            "10:00:06 web1 pam_duo[20]: Failed Duo login for 'alice' from 192.0.2.7",
            "10:00:06 web1 sshd[20]: Failed password for alice from 192.0.2.7 port 64 ssh2",
            "10:00:12 web1 sshd[20]: pam_sss(sshd:auth): authentication success; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7 user=alice",
            "10:00:12 web1 sshd[20]: Accepted password for alice from 192.0.2.7 port 64 ssh2",
            "10:05:00 web1 sshd[20]: PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=alice",
        ],
        &["1 alice from 192.0.2.7 (sshd)", "1 alice from 192.0.2.7 (sshd)"],
    ),
    (
        "the password right by the second module, of an account that is not let in",
        &[
            "10:00:02 web1 sshd[20]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=alice",
            "10:00:02 web1 sshd[20]: pam_sss(sshd:auth): authentication success; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7 user=alice",
            "10:00:02 web1 sshd[20]: Failed password for alice from 192.0.2.7 port 64 ssh2",
            "10:00:02 web1 sshd[20]: fatal: Access denied for user alice by PAM account configuration [preauth]",
        ],
        &[],
    ),
    (
        "sudo: the code wrong, then password and code right",
        &[
            "10:00:02 web1 sudo[20]: pam_unix(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice",
            "10:00:02 web1 sudo[20]: pam_sss(sudo:auth): authentication success; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice",
            "10:00:02 web1 sudo(pam_google_authenticator)[20]: Invalid verification code for alice",
            "10:00:06 web1 sudo[20]: pam_sss(sudo:auth): authentication success; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice",
            "10:00:12 web1 sudo(pam_google_authenticator)[20]: Accepted google_authenticator for alice",
            "10:00:12 web1 sudo[20]:   alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id",
        ],
        &["1 alice from  (sudo)"],
    ),
    (
        "a server that asks again in the same process: wrong, then right by the second module",
        &[
            "10:00:02 web1 vsftpd[20]: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=alice rhost=192.0.2.7  user=alice",
            "10:00:02 web1 vsftpd[20]: pam_sss(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=alice rhost=192.0.2.7  user=alice",
            "10:00:12 web1 vsftpd[20]: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=alice rhost=192.0.2.7  user=alice",
            "10:00:12 web1 vsftpd[20]: pam_sss(vsftpd:auth): authentication success; logname= uid=0 euid=0 tty=ftp ruser=alice rhost=192.0.2.7  user=alice",
        ],
        &["1 alice from 192.0.2.7 (vsftpd)"],
    ),
    (
        "sudo: nobody answered the prompt, and the second module refuses that",
        &[
            "10:00:02 web1 sudo[20]: pam_unix(sudo:auth): auth could not identify password for [alice]",
            "10:00:02 web1 sudo[20]: pam_sss(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice",
        ],
        &[],
    ),
    (
        "the same without a number",
        &[
            "10:00:02 web1 sudo: pam_unix(sudo:auth): auth could not identify password for [alice]",
            "10:00:02 web1 sudo: pam_sss(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice",
        ],
        &[],
    ),
    (
        "who types something wrong then is refused by the first module",
        &[
            "10:00:02 web1 sudo[20]: pam_unix(sudo:auth): auth could not identify password for [alice]",
            "10:00:02 web1 sudo[21]: pam_unix(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice",
            "10:00:02 web1 sudo[21]: pam_sss(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice",
        ],
        &["1 alice from  (sudo)"],
    ),
    (
        "the same without a number, and then the summary",
        &[
            "10:00:02 web1 sudo: pam_unix(sudo:auth): auth could not identify password for [alice]",
            "10:00:02 web1 sudo: pam_unix(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice",
            "10:00:02 web1 sudo: pam_sss(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice",
            "10:00:06 web1 sudo:   alice : 1 incorrect password attempt ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id",
        ],
        &["1 alice from  (sudo)"],
    ),
    (
        "sudo without a number, thrice wrong",
        &[
            "10:00:02 web1 sudo: pam_unix(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice",
            "10:00:02 web1 sudo: pam_sss(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice",
            "10:00:06 web1 sudo: pam_sss(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice",
            "10:00:12 web1 sudo: pam_sss(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice",
            "10:00:12 web1 sudo:   alice : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id",
        ],
        &["1 alice from  (sudo)", "1 alice from  (sudo)", "1 alice from  (sudo)"],
    ),
    (
        "sudo without a number, and a module that does not say who asked",
        &[
            "10:00:02 web1 sudo: pam_unix(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice",
            "10:00:02 web1 sudo: pam_winbind(sudo:auth): user 'alice' denied access (incorrect password or invalid membership)",
            "10:00:06 web1 sudo: pam_winbind(sudo:auth): user 'alice' denied access (incorrect password or invalid membership)",
            "10:00:06 web1 sudo:   alice : 2 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id",
        ],
        &["1 alice from  (sudo)", "1 alice from  (sudo)"],
    ),
    (
        "sudo without a number, twice wrong and then right",
        &[
            "10:00:02 web1 sudo: pam_sss(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice",
            "10:00:06 web1 sudo: pam_sss(sudo:auth): authentication success; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice",
            "10:00:06 web1 sudo:   alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id",
            "10:00:12 web1 sudo: pam_sss(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice",
            "10:00:19 web1 sudo: pam_sss(sudo:auth): authentication success; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice",
            "10:00:19 web1 sudo:   alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id",
        ],
        &["1 alice from  (sudo)", "1 alice from  (sudo)"],
    ),
    (
        "Dovecot without a number, and a module that does not say from where",
        &[
            "10:00:02 web1 auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=alice rhost=192.0.2.7  user=alice",
            "10:00:02 web1 auth: pam_winbind(dovecot:auth): user 'alice' denied access (incorrect password or invalid membership)",
        ],
        &["1 alice from 192.0.2.7 (dovecot)"],
    ),
    (
        "of two clients at once each has its own",
        &[
            "10:00:02 web1 auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=alice rhost=192.0.2.7  user=alice",
            "10:00:02 web1 auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=alice rhost=192.0.2.8  user=alice",
            "10:00:02 web1 auth: pam_winbind(dovecot:auth): user 'alice' denied access (incorrect password or invalid membership)",
            "10:00:02 web1 auth: pam_winbind(dovecot:auth): user 'alice' denied access (incorrect password or invalid membership)",
        ],
        &["1 alice from 192.0.2.7 (dovecot)", "1 alice from 192.0.2.8 (dovecot)"],
    ),
    (
        "of another user it is another attempt",
        &[
            "10:00:02 web1 auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=alice rhost=192.0.2.7  user=alice",
            "10:00:02 web1 auth: pam_winbind(dovecot:auth): user 'bob' denied access (incorrect password or invalid membership)",
        ],
        &["1 alice from 192.0.2.7 (dovecot)", "1 bob from  (dovecot)"],
    ),
];

#[test]
fn modules_that_stand_in_one_stack_tell_each_attempt_once() {
    check(SEVERAL_MODULES);
}

const IN_THEIR_OWN_WORDS: &[Case] = &[
    (
        "a code at sshd, whose parent has the address",
        &[
            "10:00:01 web1 sshd(pam_google_authenticator)[21]: Invalid verification code for alice",
            "10:00:03 web1 sshd[20]: error: PAM: Authentication failure for alice from 192.0.2.7",
        ],
        &["1 alice from 192.0.2.7 (sshd)"],
    ),
    (
        "Duo at sshd",
        &[
            "10:00:01 web1 pam_duo[21]: Failed Duo login for 'alice' from 192.0.2.7",
            "10:00:03 web1 sshd[20]: error: PAM: Authentication failure for alice from 192.0.2.7",
        ],
        &["1 alice from 192.0.2.7 (sshd)"],
    ),
    (
        "Duo at su",
        &[
            "10:00:01 web1 pam_duo[21]: Failed Duo login for 'root'",
            "10:00:03 web1 su[21]: FAILED SU (to root) alice on pts/0",
        ],
        &["1 root from  (su)"],
    ),
    ("Duo agreed", &["10:00:01 web1 pam_duo[21]: Successful Duo login for 'alice' from 192.0.2.7"], &[]),
    (
        "two modules, one password",
        &[
            "10:00:01 web1 vsftpd[21]: pam_pwdfile(vsftpd:auth): wrong password for user alice",
            "10:00:01 web1 vsftpd[21]: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=alice rhost=192.0.2.7  user=alice",
        ],
        &["1 alice from 192.0.2.7 (vsftpd)"],
    ),
    (
        "pwdfile, a name that is not there, then the system's own",
        &[
            "10:00:01 web1 vsftpd[21]: pam_pwdfile(vsftpd:auth): user not found in password database",
            "10:00:01 web1 vsftpd[21]: pam_unix(vsftpd:session): session opened for user alice(uid=1000) by (uid=0)",
        ],
        &[],
    ),
    ("tacplus", &["10:00:01 web1 PAM-tacplus[21]: auth failed: 2"], &["1  from  (PAM-tacplus)"]),
    (
        "three users of one daemon",
        &[
            "10:00:01 web1 proxmox-backup-api[6]: authentication failure; rhost=[2001:db8::7]:50694 user=a@pbs msg=x",
            "10:00:01 web1 proxmox-backup-api[6]: authentication failure; rhost=[::ffff:192.0.2.7]:5 user=b@pam msg=x",
            "10:00:02 web1 proxmox-backup-api[6]: authentication failure; rhost=192.0.2.8:5 user=c@pam msg=x",
        ],
        &[
            "1 a@pbs from 2001:db8::7 (proxmox-backup-api)",
            "1 b@pam from 192.0.2.7 (proxmox-backup-api)",
            "1 c@pam from 192.0.2.8 (proxmox-backup-api)",
        ],
    ),
    (
        "names that dropbear does not know",
        &[
            "10:00:01 web1 dropbear[7]: Login attempt for nonexistent user from 192.0.2.7:4000",
            "10:00:02 web1 dropbear[7]: Login attempt for nonexistent user from 192.0.2.7:4000",
            "10:00:03 web1 dropbear[7]: Login attempt for nonexistent user from 192.0.2.7:4000",
            "10:00:04 web1 dropbear[7]: Exit before auth from <192.0.2.7:4000>: Exited normally",
        ],
        &["3  from 192.0.2.7 (dropbear)"],
    ),
    (
        "the address comes at the end",
        &[
            "10:00:01 web1 dropbear[7]: Login attempt for nonexistent user",
            "10:00:04 web1 dropbear[7]: Exit before auth from <192.0.2.7:4000>: Exited normally",
        ],
        &["1  from 192.0.2.7 (dropbear)"],
    ),
    (
        "an invalid shell",
        &[
            "10:00:02 web1 dropbear[7]: User 'www' has invalid shell, rejected",
            "10:00:03 web1 dropbear[7]: Exit before auth from <192.0.2.7:4000>: (user 'www', 2 fails): Exited normally",
        ],
        &["2 www from 192.0.2.7 (dropbear)"],
    ),
    (
        "told before",
        &[
            "10:00:01 web1 dropbear[7]: Bad password attempt for 'root' from 192.0.2.7:4000",
            "10:00:02 web1 dropbear[7]: Bad password attempt for 'root' from 192.0.2.7:4000",
            "10:00:03 web1 dropbear[7]: Exit before auth from <192.0.2.7:4000>: (user 'root', 2 fails): Exited normally",
        ],
        &["1 root from 192.0.2.7 (dropbear)", "1 root from 192.0.2.7 (dropbear)"],
    ),
    (
        "nothing failed",
        &[
            "10:00:03 web1 dropbear[7]: Exit before auth from <192.0.2.7:4000>: (user 'root', 0 fails): Exited normally",
        ],
        &[],
    ),
    (
        "Postfix and the helper that it asked",
        &[
            "10:00:00 web1 saslauthd[7]: pam_unix(smtp:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=bob",
            "10:00:01 web1 saslauthd[7]: do_auth         : auth failure: [user=bob] [service=smtp] [realm=] [mech=pam] [reason=PAM auth error]",
            "10:00:01 web1 postfix/smtpd[31]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: authentication failure, sasl_username=bob",
            "10:00:09 web1 postfix/smtpd[32]: warning: unknown[192.0.2.8]: SASL PLAIN authentication failed: authentication failure",
        ],
        &["1 bob from 192.0.2.7 (smtp)", "1  from 192.0.2.8 (smtp)"],
    ),
    (
        "Dovecot's login, which sums up what PAM said",
        &[
            "10:00:01 web1 auth[8]: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=bob rhost=192.0.2.7  user=bob",
            "10:00:09 web1 dovecot: imap-login: Disconnected (auth failed, 2 attempts in 9 secs): user=<bob>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1",
        ],
        &["1 bob from 192.0.2.7 (dovecot)", "1 bob from 192.0.2.7 (dovecot)"],
    ),
    ("AIX", &["10:00:01 web1 su: BAD SU from bob to root at /dev/pts/0"], &["1 root from  (su)"]),
    (
        "Webmin, a name that is not there",
        &["10:00:01 web1 webmin[61]: Non-existent login as x from 192.0.2.7"],
        &["1 x from 192.0.2.7 (webmin)"],
    ),
    (
        "OpenVPN beside PAM",
        &[
            "10:00:01 web1 openvpn[61]: pam_unix(openvpn:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=bob",
            "10:00:03 web1 openvpn[61]: AUTH-PAM: BACKGROUND: user 'bob' failed to authenticate: Authentication failure",
        ],
        &["1 bob from  (openvpn)"],
    ),
];

#[test]
fn modules_and_servers_in_their_own_words() {
    check(IN_THEIR_OWN_WORDS);
}

#[test]
fn the_order_of_lines_in_the_log_does_not_matter() {
    let oldest_first = [
        "2026-11-03T10:00:01Z web1 sshd[21]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=alice",
        "2026-11-03T10:00:03Z web1 sshd[20]: error: PAM: Authentication failure for alice from 192.0.2.7",
        "2026-11-03T10:00:03Z web1 sshd[20]: Failed keyboard-interactive/pam for alice from 192.0.2.7 port 4 ssh2",
        "2026-11-03T10:00:05Z web1 su: pam_unix(su:auth): authentication failure; logname= uid=1 euid=0 tty=/dev/pts/0 ruser=bob rhost=  user=root",
        "2026-11-03T10:00:05Z web1 su[30]: (to root) bob on pts/0",
        "2026-11-03T10:00:07Z web1 unix_chkpwd[41]: password check failed for user (carol)",
        "2026-11-03T10:00:07Z web1 login[40]: pam_unix(login:auth): authentication failure; logname= uid=0 euid=0 tty=tty1 ruser= rhost=  user=carol",
    ];
    let expected = vec!["1 alice from 192.0.2.7 (sshd)", "1 carol from  (login)"];
    assert_eq!(rows(&oldest_first.join("\n")), expected);
    let mut newest_first = oldest_first;
    newest_first.reverse();
    let mut back = rows(&newest_first.join("\n"));
    back.reverse();
    assert_eq!(back, expected);
    let short = |line: &str| format!("Nov  3 {}", line.replace("2026-11-03T", "").replace('Z', ""));
    let mut back = rows(&newest_first.map(short).join("\n"));
    back.reverse();
    assert_eq!(back, expected);
}

#[test]
fn a_line_of_the_journal_that_its_writer_cannot_know_of_counts_for_nothing() {
    let entry = |uid: u32, exe: &str, comm: &str, tag: &str, message: &str| {
        format!(
            r#"{{"__REALTIME_TIMESTAMP":"1795839972000000","_HOSTNAME":"web1","_PID":"7","_UID":"{uid}","_EXE":"{exe}","_COMM":"{comm}","SYSLOG_IDENTIFIER":"{tag}","MESSAGE":"{message}"}}"#
        ) + "\n"
    };
    let failed = "Failed password for root from 192.0.2.7 port 4 ssh2";
    let pam = "pam_unix(nginx:auth): authentication failure; logname= uid=33 euid=33 tty= ruser= rhost=192.0.2.8  user=bob";
    let su = "FAILED SU (to root) alice on pts/0";
    let cyrus = "badlogin: c.example.org [192.0.2.9] PLAIN (carol) [SASL(-13): authentication failure: Password verification failed]";
    let log = entry(0, "/usr/sbin/sshd", "sshd", "sshd", failed)
        + &entry(1000, "/usr/bin/logger", "logger", "sshd", failed)
        + &entry(33, "/usr/sbin/nginx", "nginx", "nginx", pam)
        + &entry(33, "/usr/bin/logger", "logger", "nginx", pam)
        + &entry(101, "/usr/lib/cyrus/bin/imapd", "imapd", "cyrus/imaps", cyrus)
        + &entry(101, "/usr/bin/logger", "logger", "cyrus/imaps", cyrus)
        + &entry(1000, "/usr/nowhere/bin/su", "su", "su", su)
        + &entry(1000, "/home/eve/su", "su", "su", su);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.json");
    fs::write(&path, &log).unwrap();
    assert_eq!(
        rows(&log),
        [
            "1 root from 192.0.2.7 (sshd)",
            "1 bob from 192.0.2.8 (nginx)",
            "1 carol from 192.0.2.9 (imap)",
            "1 root from  (su)"
        ]
    );
    let options = ScanOptions { files: vec![path], dry_run: true, explain: true, ..ScanOptions::default() };
    let mut out = Vec::new();
    let report =
        run(&options, &config::Scan::default(), Path::new("/nonexistent"), &mut out, &mut |_, _, _| {})
            .unwrap();
    assert_eq!((report.found, report.uncounted.forged), (4, 4));
    assert_eq!(String::from_utf8(out).unwrap().matches("  forged ").count(), 4);
}

/// An entry of the systemd journal; without a program where that had ended before the journal looked which it was.
fn entry_of(uid: u32, pid: u32, exe: &str, tag: &str, message: &str) -> String {
    let comm = exe.rsplit('/').next().unwrap();
    let program = if exe.is_empty() { String::new() } else { format!(r#""_EXE":"{exe}","_COMM":"{comm}","#) };
    format!(
        r#"{{"__REALTIME_TIMESTAMP":"1795839972000000","_HOSTNAME":"web1","_PID":"{pid}","_UID":"{uid}",{program}"SYSLOG_IDENTIFIER":"{tag}","MESSAGE":"{message}"}}"#
    ) + "\n"
}

/// Rows of the entries, and the lines of them that count for nothing.
fn rows_and_uncounted(log: &str) -> (Vec<String>, Uncounted) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.json");
    fs::write(&path, log).unwrap();
    let uncounted = each(&path, &mut |_, _, _| {}, &mut |_| {}).unwrap();
    (rows(log), uncounted)
}

const SUDO: &str =
    "pam_unix(sudo:auth): authentication failure; logname= uid=1001 euid=0 tty= ruser=bob rhost=  user=bob";

/// As a Debian 13 wrote it whose processors were busy: a third of sudo's short commands, and half of its last words.
#[test]
fn a_line_of_a_program_that_had_ended_is_not_called_forged_and_no_failure_is_lost_by_it() {
    let sudo = "/usr/bin/sudo";
    let command = "   alice : PWD=/ ; USER=root ; COMMAND=/usr/bin/true";
    let session = "pam_unix(sudo:session): session opened for user root(uid=0) by (uid=1000)";
    let last = "     bob : 3 incorrect password attempts ; PWD=/ ; USER=root ; COMMAND=/usr/bin/true";
    let log = entry_of(1000, 158, "", "sudo", command)
        + &entry_of(1000, 158, "", "sudo", session)
        + &entry_of(1001, 321, sudo, "sudo", SUDO)
        + &entry_of(1001, 321, "", "sudo", last)
        // Of root it is known by its user alone.
        + &entry_of(0, 400, "", "unix_chkpwd", "password check failed for user (alice)");
    let (rows, uncounted) = rows_and_uncounted(&log);
    assert_eq!(rows, ["1 bob from  (sudo)", "2 bob from  (sudo)", "1 alice from  (unix_chkpwd)"]);
    assert_eq!(uncounted, Uncounted { unattributed: 2, ..Uncounted::default() });
    // Whoever ends as soon as he has written says nothing, and nothing is called sshd's that is not root's.
    let failed = "Failed password for root from 192.0.2.7 port 4 ssh2";
    let log = entry_of(1000, 9, "", "sudo", last)
        + &entry_of(1000, 10, "", "su", "FAILED SU (to root) bob on pts/0")
        + &entry_of(1000, 11, "", "sshd", failed)
        + &entry_of(1000, 12, sudo, "sshd", failed);
    let (rows, uncounted) = rows_and_uncounted(&log);
    assert_eq!(rows, [""; 0]);
    assert_eq!(uncounted, Uncounted { unattributed: 2, forged: 2, not_understood: 0 });
}

#[test]
fn what_authalert_itself_tests_is_neither_a_failure_nor_forged() {
    let checked = "password check failed for user (nobody)";
    let pam = "pam_unix(sudo:auth): authentication failure; logname= uid=65534 euid=0 tty= ruser= rhost=  user=nobody";
    let chkpwd = "/usr/sbin/unix_chkpwd";
    for exe in ["/usr/nowhere/authalert", ""] {
        let log = entry_of(0, 7, chkpwd, "unix_chkpwd", checked) + &entry_of(65534, 6, exe, "authalert", pam);
        assert_eq!(rows_and_uncounted(&log), (Vec::new(), Uncounted::default()), "{exe}");
    }
    // Whoever calls su or sudo so, or asks as another user, hides nothing by it.
    let log = entry_of(1001, 8, "/usr/nowhere/sudo", "authalert", SUDO)
        + &entry_of(1001, 9, "/usr/nowhere/authalert", "authalert", SUDO);
    let expected = Uncounted { forged: 1, ..Uncounted::default() };
    assert_eq!(rows_and_uncounted(&log), (vec!["1 bob from  (sudo)".into()], expected));
}

#[test]
fn logins_are_kept_where_they_are_wanted_and_count_as_no_attempt() {
    let log = "Nov  3 10:00:01 web1 sshd[20]: Accepted publickey for alice from 192.0.2.7 port 64 ssh2: ED25519 SHA256:b
Nov  3 10:00:01 web1 sshd[20]: pam_unix(sshd:session): session opened for user alice(uid=1000) by (uid=0)
Nov  3 10:00:02 web1 CRON[21]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)
Nov  3 10:00:03 web1 sudo:    alice : TTY=pts/3 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id
Nov  3 10:00:03 web1 sudo: pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)
Nov  3 10:00:04 web1 su[22]: (to root) bob on pts/0
Nov  3 10:00:05 web1 gdm-password][23]: pam_unix(gdm-password:session): session opened for user carol(uid=1001) by (uid=0)
Nov  3 10:00:06 web1 login[24]: LOGIN ON tty1 BY dave
Nov  3 10:00:07 web1 sshd[25]: Failed password for root from 192.0.2.8 port 65 ssh2
Nov  3 10:00:08 web1 exim[338]: 1xXZyb-00005S-00 <= erin@example.org H=(client) [192.0.2.7]:59521 I=[192.0.2.1]:2525 P=esmtpa A=plain:erin S=208
Nov  3 10:00:08 web1 exim[339]: 1xXZyb-00005S-00 => :blackhole: <bob@localhost> R=all
Nov  3 10:00:09 web1 exim[340]: 1xXZyc-00005U-00 <= \"x H=(y) [192.0.2.9] P=esmtpa A=plain:root S=1\"@example.org H=(client) [192.0.2.7] P=esmtp S=208
Nov  3 10:00:09 web1 exim[341]: 1xXZyd-00005V-00 <= eve@example.org H=(client) [192.0.2.7] P=esmtp S=208 id=x A=plain:root S=1
";
    let logins = |wanted: bool| {
        let mut intake = Intake::new(true, false, Open::default());
        if wanted {
            intake.attempts.keep_logins();
        }
        let source = Source::stream(Path::new("-"), log.as_bytes(), jiff::Timestamp::UNIX_EPOCH);
        intake.read(source, &mut |_, _, _| {}, &mut |_| Ok(())).unwrap();
        intake.attempts.finish();
        assert_eq!(intake.attempts.take_settled().len(), 1);
        let logins = intake.attempts.take_logins();
        logins
            .iter()
            .map(|row| format!("{} {} {}", row.service, row.user, row.place.line))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        logins(true),
        ["sshd alice 1", "sudo alice 4", "su root 6", "gdm-password carol 7", "login dave 8", "exim erin 10"]
    );
    assert!(logins(false).is_empty());
}

#[test]
fn a_right_password_of_an_account_that_is_not_let_in_is_no_failure() {
    let bob = &["1 bob from 192.0.2.7 (sshd)"][..];
    let access =
        "10:00:01 srv sshd[51]: pam_access(sshd:account): access denied for user `bob' from `192.0.2.7'";
    let failed = "10:00:01 srv sshd[51]: Failed password for bob from 192.0.2.7 port 40 ssh2";
    let denied =
        "10:00:01 srv sshd[51]: fatal: Access denied for user bob by PAM account configuration [preauth]";
    let child = "10:00:01 srv sshd[52]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=bob";
    let expired = "10:00:01 srv sshd[51]: error: PAM: User account has expired for bob from 192.0.2.7";
    let keyboard =
        "10:00:01 srv sshd[51]: Failed keyboard-interactive/pam for bob from 192.0.2.7 port 40 ssh2";
    let end =
        "10:00:03 srv sshd[51]: Connection closed by authenticating user bob 192.0.2.7 port 40 [preauth]";
    check(&[
        ("a local account", &[access, failed, denied], &[]),
        (
            "of a directory, which pam_unix does not know",
            &[
                "10:00:01 srv sshd[51]: pam_sss(sshd:auth): authentication success; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7 user=bob",
                "10:00:01 srv sshd[51]: pam_sss(sshd:account): Access denied for user bob: 6 (Permission denied)",
                failed,
                denied,
                "10:00:01 srv sshd[51]: PAM 1 more authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=bob",
            ],
            &[],
        ),
        (
            "by key",
            &[
                "10:00:01 srv sshd[51]: Failed publickey for bob from 192.0.2.7 port 40 ssh2: RSA SHA256:a",
                denied,
            ],
            &[],
        ),
        (
            "wrong, then right",
            &["09:59:57 srv sshd[51]: Failed password for bob from 192.0.2.7 port 40 ssh2", failed, denied],
            bob,
        ),
        (
            "without numbers",
            &[
                "10:00:01 srv sshd: Failed password for bob from 192.0.2.7 port 40 ssh2",
                "10:00:01 srv sshd: Failed password for eve from 192.0.2.8 port 40 ssh2",
                "10:00:01 srv sshd: Access denied for user bob by PAM account configuration [preauth]",
            ],
            &["1 eve from 192.0.2.8 (sshd)"],
        ),
        ("keyboard-interactive", &[expired, keyboard, end], &[]),
        ("keyboard-interactive of a directory", &[child, expired, keyboard, end], &[]),
        (
            "keyboard-interactive, wrong and right",
            &[
                "09:59:53 srv sshd[49]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=bob",
                "09:59:55 srv sshd[51]: error: PAM: Authentication failure for bob from 192.0.2.7",
                "09:59:55 srv sshd[51]: Failed keyboard-interactive/pam for bob from 192.0.2.7 port 40 ssh2",
                expired,
                keyboard,
                end,
            ],
            bob,
        ),
    ]);
}

const WITH_PASSWORDS_OF_THEIR_OWN: &[Case] = &[
    (
        "pure-ftpd, beside PAM that was given a name for the client",
        &[
            "10:00:01 web1 pure-ftpd[31]: (?@192.0.2.7) [INFO] New connection from 192.0.2.7",
            "10:00:02 web1 pure-ftpd[31]: pam_unix(pure-ftpd:auth): check pass; user unknown",
            "10:00:02 web1 pure-ftpd[31]: pam_unix(pure-ftpd:auth): authentication failure; logname= uid=0 euid=0 tty=pure-ftpd ruser=x rhost=web1",
            "10:00:08 web1 pure-ftpd[31]: (?@192.0.2.7) [WARNING] Authentication failed for user [x]",
            "10:00:08 web1 pure-ftpd[31]: (?@192.0.2.7) [INFO] Logout.",
        ],
        &["1 x from 192.0.2.7 (pure-ftpd)"],
    ),
    (
        "pure-ftpd as it is on Debian: without a number, of one account from two places at a time",
        &[
            "10:00:01 web1 pure-ftpd: (?@192.0.2.7) [INFO] New connection from 192.0.2.7",
            "10:00:01 web1 pure-ftpd: pam_unix(pure-ftpd:auth): authentication failure; logname= uid=0 euid=0 tty=pure-ftpd ruser=alice rhost=web1  user=alice",
            "10:00:02 web1 pure-ftpd: (?@192.0.2.8) [INFO] New connection from 192.0.2.8",
            "10:00:02 web1 pure-ftpd: pam_unix(pure-ftpd:auth): authentication failure; logname= uid=0 euid=0 tty=pure-ftpd ruser=alice rhost=web1  user=alice",
            "10:00:07 web1 pure-ftpd: (?@192.0.2.7) [WARNING] Authentication failed for user [alice]",
            "10:00:07 web1 pure-ftpd: pam_unix(pure-ftpd:auth): authentication failure; logname= uid=0 euid=0 tty=pure-ftpd ruser=alice rhost=web1  user=alice",
            "10:00:08 web1 pure-ftpd: (?@192.0.2.8) [WARNING] Authentication failed for user [alice]",
            "10:00:19 web1 pure-ftpd: (?@192.0.2.7) [WARNING] Authentication failed for user [alice]",
            "10:00:19 web1 pure-ftpd: (?@192.0.2.7) [INFO] Logout.",
            "10:00:30 web1 pure-ftpd: pam_unix(pure-ftpd:auth): check pass; user unknown",
            "10:00:30 web1 pure-ftpd: pam_unix(pure-ftpd:auth): authentication failure; logname= uid=0 euid=0 tty=pure-ftpd ruser=no body rhost=web1 ",
            "10:00:36 web1 pure-ftpd: (?@192.0.2.7) [WARNING] Authentication failed for user [no body]",
            "10:00:40 web1 pure-ftpd: pam_unix(pure-ftpd:session): session opened for user bob(uid=1001) by (uid=0)",
            "10:00:40 web1 pure-ftpd: pam_unix(pure-ftpd:session): session closed for user bob",
            "10:00:40 web1 pure-ftpd: (?@192.0.2.8) [INFO] bob is now logged in",
        ],
        &[
            "1 alice from 192.0.2.7 (pure-ftpd)",
            "1 alice from 192.0.2.8 (pure-ftpd)",
            "1 alice from 192.0.2.7 (pure-ftpd)",
            "1 no body from 192.0.2.7 (pure-ftpd)",
        ],
    ),
    (
        "pure-ftpd alone, and a login",
        &[
            "10:00:08 web1 pure-ftpd[31]: (?@192.0.2.7) [WARNING] Authentication failed for user [x]",
            "10:00:18 web1 pure-ftpd[32]: (?@192.0.2.8) [INFO] bob is now logged in",
        ],
        &["1 x from 192.0.2.7 (pure-ftpd)"],
    ),
    (
        "the ftpd of inetutils, of a client whose place it does not know",
        &[
            "10:00:01 web1 ftpd[602]: connection from ",
            "10:00:02 web1 ftpd[602]: FTP LOGIN FAILED FROM , alice",
            "10:00:05 web1 ftpd[602]: FTP LOGIN FAILED FROM , alice",
            "10:00:09 web1 ftpd[637]: connection from ",
            "10:00:10 web1 ftpd[637]: FTP LOGIN FROM  as alice",
        ],
        &["1 alice from  (ftpd)", "1 alice from  (ftpd)"],
    ),
    (
        "nginx through the socket of a daemon that names the machine as nginx does",
        &[
            "10:00:01 web1 web1 nginx: 2026/11/03 10:00:01 [error] 584#584: *1 user \"alice\": password mismatch, client: 192.0.2.7, server: , request: \"GET / HTTP/1.1\", host: \"192.0.2.1:8080\"",
            "10:00:03 web1 web1 nginx: 2026/11/03 10:00:03 [error] 584#584: *3 user \"nobodyx\" was not found in \"/etc/nginx/pw\", client: 192.0.2.8, server: , request: \"GET / HTTP/1.1\", host: \"192.0.2.1:8080\"",
        ],
        &["1 alice from 192.0.2.7 (nginx)", "1 nobodyx from 192.0.2.8 (nginx)"],
    ),
    (
        "Apache with digests, of a name that is not there too",
        &[
            "10:00:01 web1 apache2[16859]: [auth_digest:error] [pid 16859:tid 16889] [client 192.0.2.7:53992] AH01794: user alice: password mismatch: /d",
            "10:00:03 web1 apache2[16858]: [auth_digest:error] [pid 16858:tid 16866] [client 192.0.2.8:54002] AH01790: user `ghost' in realm `real' not found: /d",
            "10:00:05 web1 apache2[16858]: [authz_core:error] [pid 16858:tid 16878] [client 192.0.2.9:53958] AH01631: user alice: authorization failure for \"/u\": ",
        ],
        &["1 alice from 192.0.2.7 (apache2)", "1 ghost from 192.0.2.8 (apache2)"],
    ),
    (
        "Apache with a digest of the first standard, and with a provider that refuses",
        &[
            "10:00:01 web1 apache2[16859]: [auth_digest:error] [pid 16859:tid 16889] [client 192.0.2.7:53992] AH01792: user alice: password mismatch: /d",
            "10:00:03 web1 httpd[16858]: [auth_digest:error] [pid 16858] [client 192.0.2.8:54002] AH01791: user `bob' in realm `real' denied by provider: /d",
        ],
        &["1 alice from 192.0.2.7 (apache2)", "1 bob from 192.0.2.8 (httpd)"],
    ),
    (
        "MySQL 5.7",
        &[
            "10:00:01 db mysqld[71]: 2026-11-03T10:00:01.250000Z 6 [Note] Access denied for user 'alice'@'192.0.2.7' (using password: YES)",
            "10:00:04 db mysqld[71]: 2026-11-03T10:00:04.250000Z 7 [Note] Access denied for user 'alice'@'192.0.2.7' (using password: NO)",
        ],
        &["1 alice from 192.0.2.7 (mysql)"],
    ),
    (
        "Sendmail and Cyrus with names that SASL has no secret of, and in no word of other programs",
        &[
            "10:00:01 mx sm-mta[71]: 14NNwaRl065696: AUTH failure (DIGEST-MD5): user not found (-20) SASL(-13): user not found: unable to canonify user and get auxprops, user=ghost, relay=[192.0.2.7]",
            "10:00:04 mx cyrus/imap[72]: badlogin: c.example.org [192.0.2.8] CRAM-MD5 [SASL(-13): user not found: no secret in database]",
        ],
        &["1 ghost from 192.0.2.7 (smtp)", "1  from 192.0.2.8 (imap)"],
    ),
    (
        "Cyrus, of scripts for Sieve",
        &[
            "10:00:01 mx cyrus/sieve[71]: badlogin: c.example.org [192.0.2.7] PLAIN authentication failure",
            "10:00:04 mx cyrus/sieve[72]: badlogin: [192.0.2.8] PLAIN authentication failure",
            "10:00:09 mx cyrus/sieve[73]: login: [192.0.2.8] bob PLAIN User logged in",
        ],
        &["1  from 192.0.2.7 (imap)", "1  from 192.0.2.8 (imap)"],
    ),
    (
        "Webmin, beside PAM under the interpreter's name",
        &[
            "10:00:01 web1 perl[61]: pam_unix(webmin:auth): authentication failure; logname= uid=0 euid=0 tty=10000 ruser= rhost=192.0.2.7  user=root",
            "10:00:03 web1 webmin[61]: Invalid login as root from 192.0.2.7 ",
            "10:00:20 web1 webmin[62]: Successful login as root from 192.0.2.7",
            "10:00:30 web1 webmin[63]: Invalid login as bob from 192.0.2.8",
        ],
        &["1 root from 192.0.2.7 (webmin)", "1 bob from 192.0.2.8 (webmin)"],
    ),
    (
        "LuCI, through one process of uhttpd",
        &[
            "10:00:01 ap uhttpd[1561]: [info] luci: failed login on / for root from 192.0.2.7",
            "10:00:04 ap uhttpd[1561]: [info] luci: failed login on /admin/status for root from 192.0.2.7",
            "10:00:09 ap uhttpd[1561]: [info] luci: accepted login on / for root from 192.0.2.7",
        ],
        &["1 root from 192.0.2.7 (luci)", "1 root from 192.0.2.7 (luci)"],
    ),
    (
        "Sendmail, beside saslauthd that says it too",
        &[
            "10:00:01 mx saslauthd[753]: pam_unix(smtp:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=bob",
            "10:00:03 mx saslauthd[753]: do_auth         : auth failure: [user=bob] [service=smtp] [realm=] [mech=pam] [reason=PAM auth error]",
            "10:00:03 mx sm-mta[71]: x2TMXH7Y023221: AUTH failure (LOGIN): authentication failure (-13) SASL(-13): authentication failure: checkpass failed, user=bob, relay=[192.0.2.7]",
            "10:00:20 mx sm-mta[72]: AUTH=server, relay=c.example.org [192.0.2.8], authid=alice, mech=LOGIN, bits=0",
        ],
        &["1 bob from 192.0.2.7 (smtp)"],
    ),
    (
        "Sendmail, of an address that has no name",
        &[
            "10:00:03 mx sm-mta[71]: x2TMXH7Y023221: AUTH failure (LOGIN): authentication failure (-13) SASL(-13): authentication failure: checkpass failed, user=bob, relay=[192.0.2.7] (may be forged)",
        ],
        &["1 bob from 192.0.2.7 (smtp)"],
    ),
    (
        "Postfix that gives ports, or no reason; and one whose helper is gone",
        &[
            "10:00:01 mx postfix/smtpd[31]: warning: unknown[192.0.2.7]:55729: SASL LOGIN authentication failed: authentication failure",
            "10:00:02 mx postfix/submission/smtpd[32]: warning: unknown[192.0.2.8]: SASL PLAIN authentication failed:",
            "10:00:03 mx postfix/smtpd[33]: warning: unknown[192.0.2.9]: SASL LOGIN authentication failed: Connection lost to authentication server",
        ],
        &["1  from 192.0.2.7 (smtp)", "1  from 192.0.2.8 (smtp)"],
    ),
    (
        "Postfix and Cyrus, with right passwords while saslauthd is down",
        &[
            "10:00:01 mx postfix/smtpd[166]: warning: SASL authentication failure: cannot connect to saslauthd server: No such file or directory",
            "10:00:01 mx postfix/smtpd[166]: warning: SASL authentication failure: Password verification failed",
            "10:00:01 mx postfix/smtpd[166]: warning: unknown[192.0.2.7]: SASL PLAIN authentication failed: generic failure, sasl_username=alice",
            "10:00:09 mx postfix/smtpd[166]: warning: unknown[192.0.2.7]:4000: SASL LOGIN authentication failed: generic failure",
            "10:00:11 mx cyrus/imap[512]: SASL cannot connect to saslauthd server: No such file or directory",
            "10:00:11 mx cyrus/imap[512]: badlogin: [192.0.2.7] plaintext (alice) [SASL(-1): generic failure: checkpass failed]",
            "10:00:16 mx cyrus/imap[512]: badlogin: [192.0.2.7] PLAIN (alice) [SASL(-1): generic failure: Password verification failed]",
            "10:00:20 mx postfix/smtpd[166]: warning: unknown[192.0.2.8]: SASL PLAIN authentication failed: authentication failure, sasl_username=generic failure, sasl_username=bob",
        ],
        &["1 generic failure, sasl_username=bob from 192.0.2.8 (smtp)"],
    ),
    (
        "Cyrus, of what SASL takes for no name",
        &[
            "10:00:01 mx cyrus/imap[351]: SASL bad userid authenticated",
            "10:00:01 mx cyrus/imap[351]: badlogin: [192.0.2.7] plaintext (zoC+ \"q) invalid user",
            "10:00:02 mx cyrus/imap[393]: SASL bad userid authenticated",
            "10:00:02 mx cyrus/imap[393]: badlogin: [192.0.2.8] PLAIN (-notset-) [SASL(-6): can't request information until later in exchange: Information that was requested is not yet available.]",
        ],
        &["1 zoC+ \"q from 192.0.2.7 (imap)", "1  from 192.0.2.8 (imap)"],
    ),
    (
        "Samba, which tells twice, of a name that it takes for a guest, and of an account that has expired",
        &[
            "10:00:01 srv smbd[71]:   Auth: [SMB2,(null)] user [W]\\[bob] at [Tue, 03 Nov 2026 10:00:01.368490 UTC] with [NTLMv2] status [NT_STATUS_WRONG_PASSWORD] workstation [VM] remote host [ipv4:192.0.2.7:52068] mapped to [W]\\[bob]. local host [ipv4:192.0.2.1:445] ",
            "10:00:01 srv smbd[71]:   {\"timestamp\": \"2026-11-03T10:00:01.369748+0000\", \"type\": \"Authentication\", \"Authentication\": {\"version\": {\"major\": 1, \"minor\": 3}, \"eventId\": 4625, \"logonId\": \"0\", \"logonType\": 3, \"status\": \"NT_STATUS_WRONG_PASSWORD\", \"localAddress\": \"ipv4:192.0.2.1:445\", \"remoteAddress\": \"ipv4:192.0.2.7:52068\", \"serviceDescription\": \"SMB2\", \"authDescription\": null, \"clientDomain\": \"W\", \"clientAccount\": \"bob\", \"workstation\": \"VM\", \"becameAccount\": null, \"mappedAccount\": \"bob\", \"passwordType\": \"NTLMv2\", \"duration\": 3462}}",
            "10:00:02 srv smbd[72]:   {\"timestamp\": \"2026-11-03T10:00:01.369748+0000\", \"type\": \"Authentication\", \"Authentication\": {\"version\": {\"major\": 1, \"minor\": 3}, \"eventId\": 4625, \"logonId\": \"0\", \"logonType\": 3, \"status\": \"NT_STATUS_NO_SUCH_USER\", \"localAddress\": \"ipv4:192.0.2.1:445\", \"remoteAddress\": \"ipv4:192.0.2.7:52070\", \"serviceDescription\": \"SMB2\", \"authDescription\": null, \"clientDomain\": \"W\", \"clientAccount\": \"eve\", \"workstation\": \"VM\", \"becameAccount\": null, \"mappedAccount\": \"eve\", \"passwordType\": \"NTLMv2\", \"duration\": 3462}}",
            "10:00:03 srv smbd[73]:   {\"timestamp\": \"2026-11-03T10:00:01.369748+0000\", \"type\": \"Authentication\", \"Authentication\": {\"version\": {\"major\": 1, \"minor\": 3}, \"eventId\": 4625, \"logonId\": \"0\", \"logonType\": 3, \"status\": \"NT_STATUS_OK\", \"localAddress\": \"ipv4:192.0.2.1:445\", \"remoteAddress\": \"ipv4:192.0.2.7:52072\", \"serviceDescription\": \"SMB2\", \"authDescription\": null, \"clientDomain\": \"W\", \"clientAccount\": \"bob\", \"workstation\": \"VM\", \"becameAccount\": null, \"mappedAccount\": \"bob\", \"passwordType\": \"NTLMv2\", \"duration\": 3462}}",
            "10:00:03 srv smbd[73]: pam_unix(samba:session): session opened for user bob(uid=1001) by (uid=0)",
            "10:00:04 srv smbd[74]: pam_unix(samba:account): account carol has expired (account expired)",
            "10:00:04 srv smbd[74]:   smb_pam_accountcheck: PAM: Account Validation Failed - Rejecting User carol!",
            "10:00:04 srv smbd[74]:   {\"timestamp\": \"2026-11-03T10:00:01.369748+0000\", \"type\": \"Authentication\", \"Authentication\": {\"version\": {\"major\": 1, \"minor\": 3}, \"eventId\": 4625, \"logonId\": \"0\", \"logonType\": 3, \"status\": \"NT_STATUS_WRONG_PASSWORD\", \"localAddress\": \"ipv4:192.0.2.1:445\", \"remoteAddress\": \"ipv4:192.0.2.7:52074\", \"serviceDescription\": \"SMB2\", \"authDescription\": null, \"clientDomain\": \"W\", \"clientAccount\": \"carol\", \"workstation\": \"VM\", \"becameAccount\": null, \"mappedAccount\": \"carol\", \"passwordType\": \"NTLMv2\", \"duration\": 3462}}",
        ],
        &["1 bob from 192.0.2.7 (samba)"],
    ),
    (
        "MariaDB, with accounts of its own and of PAM",
        &[
            "10:00:01 db mariadbd[71]: 2026-11-03 10:00:01 4 [Warning] IP address '192.0.2.7' could not be resolved: Temporary failure in name resolution",
            "10:00:01 db mariadbd[71]: 2026-11-03 10:00:01 4 [Warning] Access denied for user 'alice'@'192.0.2.7' (using password: YES)",
            "10:00:01 db mariadbd[71]: 2026-11-03 10:00:01 5 [Warning] Access denied for user 'alice'@'192.0.2.7' (using password: YES)",
            "10:00:04 db auth_pam_tool: pam_unix(mariadb:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=dave",
            "10:00:06 db mariadbd[71]: 2026-11-03 10:00:06 6 [Warning] Access denied for user 'dave'@'192.0.2.7' (using password: NO)",
            "10:00:07 db auth_pam_tool: pam_unix(mariadb:account): account carol has expired (account expired)",
            "10:00:07 db mariadbd[71]: 2026-11-03 10:00:07 7 [Warning] Access denied for user 'carol'@'192.0.2.7' (using password: NO)",
        ],
        &["1 alice from 192.0.2.7 (mysql)", "1 alice from 192.0.2.7 (mysql)", "1 dave from  (mariadb)"],
    ),
    (
        "PostgreSQL, with passwords of its own and of PAM",
        &[
            "10:00:01 db postgres[71]: [7-1] 2026-11-03 10:00:01.428 UTC [71] LOG:  connection received: host=192.0.2.7 port=36052",
            "10:00:01 db postgres[71]: [8-1] 2026-11-03 10:00:01.464 UTC [71] alice@d FATAL:  password authentication failed for user \"alice\"",
            "10:00:01 db postgres[71]: [8-2] 2026-11-03 10:00:01.464 UTC [71] alice@d DETAIL:  Connection matched file \"/etc/pg_hba.conf\" line 3: \"host all all 192.0.2.0/24 md5\"",
            "10:00:02 db postgres[72]: [8-1] 2026-11-03 10:00:02.380 UTC [72] bob@d LOG:  connection authenticated: identity=\"bob\" method=md5 (/etc/pg_hba.conf:3)",
            "10:00:03 db postgres[73]: pam_unix(postgresql:auth): authentication failure; logname= uid=103 euid=103 tty= ruser= rhost=192.0.2.7  user=bob",
            "10:00:05 db postgres[73]: [8-1] 2026-11-03 10:00:05.223 UTC [73] bob@d LOG:  pam_authenticate failed: Authentication failure",
            "10:00:05 db postgres[73]: [9-1] 2026-11-03 10:00:05.224 UTC [73] bob@d FATAL:  PAM authentication failed for user \"bob\"",
        ],
        &["1 alice from  (postgresql)", "1 bob from 192.0.2.7 (postgresql)"],
    ),
    (
        "Courier, for which PAM has no stack",
        &[
            "10:00:01 mx imapd: Connection, ip=[::ffff:192.0.2.7], port=[44684]",
            "10:00:01 mx authdaemond: PAM _pam_init_handlers: no default config other",
            "10:00:01 mx authdaemond: PAM error reading PAM configuration file",
            "10:00:01 mx authdaemond: PAM pam_start: failed to initialize handlers",
            "10:00:01 mx imapd: LOGIN FAILED, user=alice, ip=[::ffff:192.0.2.7], port=[44684]",
            "10:00:09 mx imapd: LOGIN FAILED, user=alice, ip=[::ffff:192.0.2.8], port=[44686]",
        ],
        &["1 alice from 192.0.2.8 (imap)"],
    ),
];

#[test]
fn servers_with_passwords_of_their_own_tell_each_attempt() {
    check(WITH_PASSWORDS_OF_THEIR_OWN);
}

const MAIL_AND_REMOTE_DESKTOPS: &[Case] = &[
    (
        "Dovecot, for whatever reason the client is gone",
        &[
            "10:00:01 mx dovecot: imap-login: Disconnected: Too many invalid commands (auth failed, 2 attempts in 0 secs): user=<bob>, rip=192.0.2.7, lip=192.0.2.1, session=<a>",
            "10:00:02 mx dovecot: submission-login: Remote closed connection (auth failed, 1 attempts in 2 secs): user=<bob>, method=PLAIN, rip=192.0.2.8, lip=192.0.2.1",
            "10:00:03 mx dovecot: imap-login: Disconnected: Connection closed: read(size=1003) failed: Connection reset by peer (no auth attempts in 0 secs): user=<>, rip=192.0.2.9, lip=192.0.2.1",
        ],
        &["2 bob from 192.0.2.7 (dovecot)", "1 bob from 192.0.2.8 (dovecot)"],
    ),
    (
        "Dovecot, of a client that tried two names",
        &[
            "10:00:01 mx auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=alice rhost=192.0.2.7  user=alice",
            "10:00:05 mx auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=bob rhost=192.0.2.7  user=bob",
            "10:00:09 mx dovecot: imap-login: Disconnected: Aborted login by logging out (auth failed, 2 attempts in 8 secs): user=<bob>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, session=<a>",
        ],
        &["1 alice from 192.0.2.7 (dovecot)", "1 bob from 192.0.2.7 (dovecot)"],
    ),
    (
        "Courier's, whose command holds a password",
        &[
            "10:00:01 mx courieresmtpd: error,relay=::ffff:192.0.2.7,port=43632,msg=\"535 Authentication failed.\",cmd: AUTH PLAIN AAAAbob",
            "10:00:02 mx courierpop3login: LOGIN FAILED, user=bob, ip=[::ffff:192.0.2.8]",
        ],
        &["1  from 192.0.2.7 (smtp)", "1 bob from 192.0.2.8 (imap)"],
    ),
    (
        "proftpd of before 1.3, with a blank behind",
        &[
            "10:00:01 ftp proftpd[71]: ftp.example.org (c[192.0.2.7]) - USER bob: no such user found from c [192.0.2.7] to 192.0.2.1:21 ",
            "10:00:02 ftp proftpd[71]: ftp.example.org (c[192.0.2.7]) - Maximum login attempts (3) exceeded ",
        ],
        &["1 bob from 192.0.2.7 (proftpd)"],
    ),
    (
        "OpenVPN, whose plugin asks under another service",
        &[
            "10:00:01 gw ovpn-server[61]: pam_unix(login:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=bob",
            "10:00:03 gw ovpn-server[60]: 192.0.2.7:64480 TLS Auth Error: Auth Username/Password verification failed for peer",
            "10:00:09 gw ovpn-server[60]: 192.0.2.8:64481 TLS Auth Error: Auth Username/Password verification failed for peer",
            "10:00:19 gw ovpn-server[60]: udp4:192.0.2.9:64482 TLS Auth Error: Auth Username/Password verification failed for peer",
            "10:00:29 gw ovpn-server[60]: tcp6-server:[2001:db8::7]:64483 TLS Auth Error: Auth Username/Password verification failed for peer",
        ],
        &[
            "1 bob from 192.0.2.7 (login)",
            "1  from 192.0.2.8 (openvpn)",
            "1  from 192.0.2.9 (openvpn)",
            "1  from 2001:db8::7 (openvpn)",
        ],
    ),
    (
        "pfSense and OPNsense, which says it three times",
        &[
            "10:00:01 gw php-fpm[433]: /index.php: webConfigurator authentication error for user 'admin' from: 192.0.2.7",
            "10:00:01 gw sshguard[48]: Attack from \"192.0.2.7\" on service unknown service with danger 10.",
            "10:00:02 gw audit[24]: user root failed authentication for WebGui on OPNsense\\Auth via OPNsense\\Local",
            "10:00:02 gw audit[24]: user root could not authenticate for WebGui. [using OPNsense\\Auth]",
            "10:00:02 gw audit[24]: /index.php: Web GUI authentication error for 'root' from 192.0.2.8",
            "10:00:09 gw php-fpm[434]: /index.php: Successful login for user 'admin' from: 192.0.2.7 (Local Database)",
        ],
        &["1 admin from 192.0.2.7 (webgui)", "1 root from 192.0.2.8 (webgui)"],
    ),
    (
        "Cockpit without a number: wrong, and right a moment later; and one that another module knew",
        &[
            "10:00:01 web1 cockpit-session: pam_unix(cockpit:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=192.0.2.7  user=alice",
            "10:00:03 web1 cockpit-session: pam_ssh_add: Failed adding some keys",
            "10:00:03 web1 cockpit-session: pam_unix(cockpit:session): session opened for user alice(uid=1000) by (uid=0)",
            "10:00:20 web1 cockpit-session: pam_unix(cockpit:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=192.0.2.8  user=bob",
            "10:00:20 web1 cockpit-session: pam_unix(cockpit:session): session opened for user bob(uid=1001) by (uid=0)",
            "10:00:30 web1 cockpit-session: pam_unix(cockpit:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=192.0.2.9  user=carol",
            "10:00:34 web1 cockpit-session: pam_sss(cockpit:auth): authentication success; logname= uid=0 euid=0 tty= ruser= rhost=192.0.2.9 user=carol",
            "10:00:34 web1 cockpit-session: pam_unix(cockpit:session): session opened for user carol(uid=1002) by (uid=0)",
        ],
        &["1 alice from 192.0.2.7 (cockpit)"],
    ),
    (
        "macOS' screen",
        &[
            "10:00:01 mac screensharingd[35]: Authentication: FAILED :: User Name: bob :: Viewer Address: 192.0.2.7 :: Type: DH",
            "10:00:08 mac screensharingd[35]: Authentication: SUCCEEDED :: User Name: bob :: Viewer Address: 192.0.2.7 :: Type: N/A",
        ],
        &["1 bob from 192.0.2.7 (screensharingd)"],
    ),
];

#[test]
fn mail_servers_and_remote_desktops_tell_each_attempt_once() {
    check(MAIL_AND_REMOTE_DESKTOPS);
}

const RIGHT_OR_NOT_LOOKED_AT: &[Case] = &[
    (
        "Courier: wrong, and right while authdaemond is down",
        &[
            "10:00:01 mx authdaemond: pam_unix(imap:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=::ffff:192.0.2.7  user=alice",
            "10:00:01 mx imapd: LOGIN FAILED, user=alice, ip=[::ffff:192.0.2.7], port=[42640]",
            "10:00:11 mx imapd: authdaemon: s_connect() failed: Connection refused",
            "10:00:11 mx imapd: [Hint: perhaps authdaemond is not running?]",
            "10:00:11 mx imapd: LOGIN FAILED, user=alice, ip=[::ffff:192.0.2.7], port=[50720]",
            "10:00:11 mx imapd: authentication error: Connection refused",
            "10:00:12 mx pop3d: authdaemon: s_connect() failed: Connection refused",
            "10:00:12 mx pop3d: LOGIN FAILED, user=alice, ip=[::ffff:192.0.2.7], port=[57174]",
            "10:00:13 mx imapd: authdaemon: s_connect() failed: Connection refused",
            "10:00:13 mx imapd: LOGIN FAILED, method=PLAIN, ip=[::ffff:192.0.2.7], port=[50724]",
            "10:00:20 mx imapd: LOGIN FAILED, method=PLAIN, ip=[::ffff:192.0.2.8], port=[50725]",
        ],
        &["1 alice from 192.0.2.7 (imap)", "1  from 192.0.2.8 (imap)"],
    ),
    (
        "Courier: right, of an account that has expired; then wrong",
        &[
            "10:00:01 mx authdaemond: pam_unix(imap:account): account exp has expired (account expired)",
            "10:00:01 mx authdaemond: Your account has expired; please contact your system administrator.",
            "10:00:01 mx imapd: LOGIN FAILED, user=exp, ip=[::ffff:192.0.2.7], port=[39354]",
            "10:00:07 mx authdaemond: pam_unix(imap:account): account exp has expired (account expired)",
            "10:00:07 mx imapd: LOGIN FAILED, method=PLAIN, ip=[::ffff:192.0.2.7], port=[39358]",
            "10:00:14 mx authdaemond: pam_unix(pop3:account): expired password for user old (root enforced)",
            "10:00:14 mx pop3d: LOGIN FAILED, user=old, ip=[::ffff:192.0.2.7], port=[38648]",
            "10:00:16 mx pop3d: LOGIN FAILED, user=old, ip=[::ffff:192.0.2.7], port=[38650]",
        ],
        &["1 old from 192.0.2.7 (imap)"],
    ),
    (
        "Cyrus and Sendmail: right, of an account that has expired, and wrong",
        &[
            "10:00:01 mx saslauthd[27777]: pam_unix(imap:account): account exp has expired (account expired)",
            "10:00:01 mx saslauthd[27777]:                 : auth failure: [user=exp] [service=imap] [realm=] [mech=pam] [reason=PAM acct error]",
            "10:00:01 mx cyrus/imap[27878]: badlogin: localhost [192.0.2.7] plaintext (exp) [SASL(-13): authentication failure: checkpass failed]",
            "10:00:04 mx saslauthd[12915]: pam_unix(smtp:account): account exp has expired (account expired)",
            "10:00:04 mx saslauthd[12915]: DEBUG: auth_pam: pam_acct_mgmt failed: Authentication failure",
            "10:00:04 mx saslauthd[12915]:                 : auth failure: [user=exp] [service=smtp] [realm=] [mech=pam] [reason=PAM acct error]",
            "10:00:04 mx sendmail[23051]: 6ATC5WGH023051: AUTH failure (PLAIN): authentication failure (-13) SASL(-13): authentication failure: Password verification failed, user=exp, relay=localhost [192.0.2.7]",
            "10:00:08 mx saslauthd[12915]: pam_unix(smtp:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=exp",
            "10:00:08 mx saslauthd[12915]:                 : auth failure: [user=exp] [service=smtp] [realm=] [mech=pam] [reason=PAM auth error]",
            "10:00:08 mx sendmail[23190]: 6ATC5Zgp023190: AUTH failure (PLAIN): authentication failure (-13) SASL(-13): authentication failure: Password verification failed, user=exp, relay=localhost [192.0.2.7]",
        ],
        &["1 exp from 192.0.2.7 (smtp)"],
    ),
    (
        "Sendmail, while saslauthd is down, and while what it asks is",
        &[
            "10:00:01 mx sendmail[23526]: 6ATC5ga7023526: AUTH failure (PLAIN): generic failure (-1) SASL(-1): generic failure: Password verification failed, user=alice, relay=localhost [192.0.2.7]",
            "10:00:02 mx sendmail[23578]: 6ATC5hv3023578: AUTH failure (LOGIN): generic failure (-1) SASL(-1): generic failure: checkpass failed, user=alice, relay=localhost [192.0.2.7]",
            "10:00:05 mx saslauthd[23641]: ldap_simple_bind() failed -1 (Can't contact LDAP server).",
            "10:00:05 mx saslauthd[23641]: Authentication failed for alice: Retry condition (ldap server connection reset or broken) (-3)",
            "10:00:05 mx saslauthd[23641]:                 : auth failure: [user=alice] [service=smtp] [realm=] [mech=ldap] [reason=Unknown]",
            "10:00:05 mx sendmail[23722]: 6ATC5ka6023722: AUTH failure (PLAIN): authentication failure (-13) SASL(-13): authentication failure: Password verification failed, user=alice, relay=localhost [192.0.2.7]",
            "10:00:06 mx saslauthd[23789]: auth_rimap: couldn't connect to 127.0.0.1/1",
            "10:00:06 mx saslauthd[23789]:                 : auth failure: [user=alice] [service=smtp] [realm=] [mech=rimap] [reason=[ALERT] Couldn't contact remote authentication server]",
            "10:00:06 mx sendmail[23894]: 6ATC5nQZ023894: AUTH failure (PLAIN): authentication failure (-13) SASL(-13): authentication failure: Password verification failed, user=alice, relay=localhost [192.0.2.7]",
            "10:00:12 mx saslauthd[23641]:                 : auth failure: [user=eve] [service=ldap] [realm=] [mech=sasldb] [reason=Unknown]",
            "10:00:19 mx sendmail[23895]: 6ATC5nQZ023895: AUTH failure (PLAIN): authentication failure (-13) SASL(-13): authentication failure: Password verification failed, user=bob, relay=localhost [192.0.2.7]",
        ],
        &["1 eve from  (ldap)", "1 bob from 192.0.2.7 (smtp)"],
    ),
    (
        "proftpd, pure-ftpd and su: right, of an account that has expired, and wrong",
        &[
            "10:00:01 ftp proftpd: pam_unix(proftpd:account): account exp has expired (account expired)",
            "10:00:01 ftp proftpd[27449]: localhost (localhost[192.0.2.7]) - mod_auth_pam/1.2: PAM(exp): Authentication failure",
            "10:00:01 ftp proftpd[27449]: localhost (localhost[192.0.2.7]) - account for user 'exp' disabled due to password expiration",
            "10:00:01 ftp proftpd[27449]: localhost (localhost[192.0.2.7]) - USER exp (Login failed): Incorrect password",
            "10:00:05 ftp proftpd[27450]: localhost (localhost[192.0.2.7]) - USER exp (Login failed): Incorrect password",
            "10:00:10 ftp pure-ftpd: pam_unix(pure-ftpd:account): account exp has expired (account expired)",
            "10:00:10 ftp pure-ftpd: pam_unix(pure-ftpd:account): conversation failed",
            "10:00:17 ftp pure-ftpd: (?@192.0.2.7) [WARNING] Authentication failed for user [exp]",
            "10:00:40 ftp su: pam_unix(su:account): account exp has expired (account expired)",
            "10:00:40 ftp su[27649]: FAILED SU (to exp) alice on pts/0",
            "10:00:45 ftp su[27651]: FAILED SU (to exp) alice on pts/0",
        ],
        &["1 exp from 192.0.2.7 (proftpd)", "1 exp from  (su)"],
    ),
    (
        "what is excused of one user is not of another, nor at another program",
        &[
            "10:00:01 ftp proftpd: pam_unix(proftpd:account): account exp has expired (account expired)",
            "10:00:01 ftp proftpd[27449]: localhost (localhost[192.0.2.7]) - USER bob (Login failed): Incorrect password",
            "10:00:01 ftp su[27651]: FAILED SU (to exp) alice on pts/0",
        ],
        &["1 bob from 192.0.2.7 (proftpd)", "1 exp from  (su)"],
    ),
];

#[test]
fn a_password_that_was_right_or_that_nobody_looked_at_is_no_wrong_one() {
    check(RIGHT_OR_NOT_LOOKED_AT);
}

const BY_ANOTHER_WAY: &[Case] = &[
    (
        "Postfix, of a client that begins with what asks for more than a password",
        &[
            "10:00:00 mx postfix/smtpd[470]: connect from c.example.org[192.0.2.7]",
            "10:00:01 mx postfix/smtpd[470]: warning: c.example.org[192.0.2.7]: SASL CRAM-MD5 authentication failed: authentication failure, sasl_username=alice",
            "10:00:01 mx postfix/smtpd[470]: warning: c.example.org[192.0.2.7]: SASL DIGEST-MD5 authentication failed: authentication failure, sasl_username=alice",
            "10:00:02 mx postfix/smtpd[470]: 01842A2A0D2: client=c.example.org[192.0.2.7], sasl_method=PLAIN, sasl_username=alice",
            "10:00:05 mx postfix/smtpd[470]: warning: c.example.org[192.0.2.7]: SASL GSSAPI authentication failed: (reason unavailable), sasl_username=(unavailable)",
            "10:00:05 mx postfix/smtpd[470]: warning: c.example.org[192.0.2.7]: SASL CRAM-MD5 authentication failed: authentication failure, sasl_username=alice",
            "10:00:06 mx postfix/smtpd[470]: 01842A2A0D3: client=c.example.org[192.0.2.7], sasl_method=PLAIN, sasl_username=alice",
        ],
        &[],
    ),
    (
        "Postfix, of one that guesses before",
        &[
            "10:00:01 mx postfix/smtpd[470]: warning: c.example.org[192.0.2.7]: SASL CRAM-MD5 authentication failed: authentication failure, sasl_username=alice",
            "10:00:02 mx postfix/smtpd[470]: warning: c.example.org[192.0.2.7]: SASL CRAM-MD5 authentication failed: authentication failure, sasl_username=alice",
            "10:00:03 mx postfix/smtpd[470]: 01842A2A0D2: client=c.example.org[192.0.2.7], sasl_method=PLAIN, sasl_username=alice",
        ],
        &["1 alice from 192.0.2.7 (smtp)", "1 alice from 192.0.2.7 (smtp)"],
    ),
    (
        "Postfix, of a password that was wrong and then right, of others, and of a while ago",
        &[
            "10:00:01 mx postfix/smtpd[470]: warning: c.example.org[192.0.2.7]: SASL LOGIN authentication failed: authentication failure, sasl_username=alice",
            "10:00:02 mx postfix/smtpd[470]: 01842A2A0D2: client=c.example.org[192.0.2.7], sasl_method=PLAIN, sasl_username=alice",
            "10:01:01 mx postfix/smtpd[471]: warning: unknown[192.0.2.7]: SASL CRAM-MD5 authentication failed: authentication failure, sasl_username=bob",
            "10:01:02 mx postfix/smtpd[471]: 01842A2A0D2: client=c.example.org[192.0.2.7], sasl_method=PLAIN, sasl_username=alice",
            "10:02:01 mx postfix/smtpd[472]: warning: unknown[192.0.2.8]: SASL CRAM-MD5 authentication failed: authentication failure, sasl_username=alice",
            "10:02:02 mx postfix/smtpd[472]: 01842A2A0D2: client=c.example.org[192.0.2.7], sasl_method=PLAIN, sasl_username=alice",
            "10:03:01 mx postfix/smtpd[473]: warning: unknown[192.0.2.7]: SASL CRAM-MD5 authentication failed: authentication failure, sasl_username=alice",
            "10:03:31 mx postfix/smtpd[473]: 01842A2A0D2: client=c.example.org[192.0.2.7], sasl_method=PLAIN, sasl_username=alice",
        ],
        &[
            "1 alice from 192.0.2.7 (smtp)",
            "1 bob from 192.0.2.7 (smtp)",
            "1 alice from 192.0.2.8 (smtp)",
            "1 alice from 192.0.2.7 (smtp)",
        ],
    ),
    (
        "Postfix, of what is no answer, or none at all",
        &[
            "10:00:01 mx postfix/smtpd[662]: warning: c.example.org[192.0.2.7]: SASL NTLM authentication aborted",
            "10:00:02 mx postfix/smtpd[662]: warning: c.example.org[192.0.2.7]: SASL FOO authentication failed: no mechanism available, sasl_username=(unavailable)",
            "10:00:03 mx postfix/smtpd[662]: warning: c.example.org[192.0.2.7]: SASL PLAIN authentication failed: bad protocol / cancel, sasl_username=(unavailable)",
        ],
        &[],
    ),
    (
        "Cyrus",
        &[
            "10:00:01 mx cyrus/imap[731]: badlogin: c.example.org [192.0.2.7] CRAM-MD5 (-notset-) [SASL(-13): user not found: user: alice@mx property: cmusaslsecretCRAM-MD5 not found in sasldb]",
            "10:00:04 mx cyrus/imap[731]: badlogin: c.example.org [192.0.2.7] GSSAPI (-notset-) [SASL(-6): can't request information until later in exchange: Information that was requested is not yet available.]",
            "10:00:07 mx cyrus/imap[731]: login: c.example.org [192.0.2.7] alice PLAIN User logged in SESSIONID=<cyrus-1796009385-731-1-4060016833773969823>",
            "10:01:01 mx cyrus/imap[732]: badlogin: c.example.org [192.0.2.8] PLAIN (alice) [SASL(-13): authentication failure: Password verification failed]",
            "10:01:05 mx cyrus/imap[732]: login: c.example.org [192.0.2.8] alice CRAM-MD5+TLS User logged in SESSIONID=<x>",
        ],
        &["1 alice from 192.0.2.8 (imap)"],
    ),
    (
        "Cyrus, of one that guesses before",
        &[
            "10:00:01 mx cyrus/imap[731]: badlogin: c.example.org [192.0.2.7] SCRAM-SHA-1 (alice) [SASL(-13): authentication failure: incorrect digest response]",
            "10:00:04 mx cyrus/imap[731]: login: c.example.org [192.0.2.7] alice SCRAM-SHA-1+TLS User logged in SESSIONID=<x>",
        ],
        &["1 alice from 192.0.2.7 (imap)"],
    ),
    (
        "Sendmail",
        &[
            "10:00:01 mx sm-mta[71]: 14NNwaRl065696: AUTH failure (DIGEST-MD5): user not found (-20) SASL(-13): user not found: unable to canonify user and get auxprops, user=bob, relay=c.example.org [192.0.2.7]",
            "10:00:02 mx sm-mta[71]: AUTH=server, relay=c.example.org [192.0.2.7], authid=bob, mech=LOGIN, bits=0",
        ],
        &[],
    ),
    (
        "pure-ftpd, which asks PAM and then its own database",
        &[
            "10:00:03 vm pure-ftpd: (?@192.0.2.7) [INFO] New connection from 192.0.2.7",
            "10:00:03 vm pure-ftpd: pam_unix(pure-ftpd:auth): check pass; user unknown",
            "10:00:03 vm pure-ftpd: pam_unix(pure-ftpd:auth): authentication failure; logname= uid=0 euid=0 tty=pure-ftpd ruser=virt rhost=vm ",
            "10:00:09 vm pure-ftpd: (?@192.0.2.7) [INFO] virt is now logged in",
            "10:01:03 vm pure-ftpd[71]: pam_unix(pure-ftpd:auth): authentication failure; logname= uid=0 euid=0 tty=pure-ftpd ruser=alice rhost=vm  user=alice",
            "10:01:08 vm pure-ftpd[71]: (?@192.0.2.7) [INFO] alice is now logged in",
            "10:02:03 vm pure-ftpd[72]: pam_unix(pure-ftpd:auth): authentication failure; logname= uid=0 euid=0 tty=pure-ftpd ruser=alice rhost=vm  user=alice",
            "10:02:09 vm pure-ftpd[72]: (?@192.0.2.7) [WARNING] Authentication failed for user [alice]",
            "10:02:14 vm pure-ftpd[72]: (?@192.0.2.7) [INFO] alice is now logged in",
        ],
        &["1 alice from 192.0.2.7 (pure-ftpd)"],
    ),
    (
        "proftpd, which asks PAM and then a file",
        &[
            "10:00:02 vm proftpd: pam_unix(proftpd:auth): check pass; user unknown",
            "10:00:02 vm proftpd: pam_unix(proftpd:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/ftpd1172 ruser=virt rhost=192.0.2.7 ",
            "10:00:04 vm proftpd[1172]: vm (192.0.2.7[192.0.2.7]) - USER virt: Login successful.",
            "10:01:02 vm proftpd: pam_unix(proftpd:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/ftpd1187 ruser=alice rhost=192.0.2.7  user=alice",
            "10:01:04 vm proftpd[1187]: vm (192.0.2.7[192.0.2.7]) - USER alice (Login failed): Incorrect password",
            "10:01:09 vm proftpd[1187]: vm (192.0.2.7[192.0.2.7]) - USER alice: Login successful.",
        ],
        &["1 alice from 192.0.2.7 (proftpd)"],
    ),
    (
        "servers that say each refusal themselves, where the second module is slow",
        &[
            "10:00:00 vm perl[89]: pam_unix(webmin:auth): authentication failure; logname= uid=0 euid=0 tty=10000 ruser= rhost=192.0.2.7  user=bob",
            "10:00:04 vm webmin[89]: Successful login as bob from 192.0.2.7",
            "10:00:10 vm perl[90]: pam_unix(webmin:auth): authentication failure; logname= uid=0 euid=0 tty=10000 ruser= rhost=192.0.2.7  user=carol",
            "10:00:12 vm webmin[90]: Invalid login as carol from 192.0.2.7 ",
            "10:00:16 vm webmin[90]: Successful login as carol from 192.0.2.7",
            "10:02:00 vm saslauthd[91]: pam_unix(imap:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=bob",
            "10:02:04 vm saslauthd[91]: auth success: [user=bob] [service=imap] [realm=] [mech=pam]",
        ],
        &["1 carol from 192.0.2.7 (webmin)"],
    ),
];

#[test]
fn who_is_let_in_by_another_way_was_not_refused_by_the_first() {
    check(BY_ANOTHER_WAY);
}

#[test]
fn login_says_each_attempt_for_all_to_read_and_with_the_name() {
    check(&[
        (
            "login of BSD, which says it for all to read, and with the name",
            &[
                "10:00:01 srv login: 1 LOGIN FAILURE ON ttyv0",
                "10:00:01 srv login: 1 LOGIN FAILURE ON ttyv0, bob",
                "10:00:31 srv login: 2 LOGIN FAILURES ON ttyv0",
                "10:00:31 srv login: 2 LOGIN FAILURES ON ttyv0, root",
                "10:01:31 srv login: 1 LOGIN FAILURE FROM 192.0.2.7",
                "10:01:31 srv login: 1 LOGIN FAILURE FROM 192.0.2.7, root",
                "10:02:31 srv login: 1 LOGIN FAILURE FROM 192.0.2.8",
            ],
            &[
                "1 bob from  (login)",
                "2 root from  (login)",
                "1 root from 192.0.2.7 (login)",
                "1  from 192.0.2.8 (login)",
            ],
        ),
        (
            "what PAM adds at the end is of the service that it named before",
            &[
                "10:00:01 pc sddm-helper[20]: pam_unix(sddm:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=bob",
                "10:00:09 pc sddm-helper[20]: PAM 1 more authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=bob",
            ],
            &["1 bob from  (sddm)", "1 bob from  (sddm)"],
        ),
    ]);
}

#[test]
fn how_much_others_log_meanwhile_changes_nothing() {
    let line = |text: String| format!("Nov  3 10:00:01 srv {text}\n");
    let session = "session opened for user bob by (uid=0)";
    let others = line("app[9]: nothing".into()).repeat(3000);
    // Long before, so that nothing is open any more.
    let before = "Nov  3 08:00:01 srv sshd[7]: Failed password for root from 192.0.2.9 port 64 ssh2\n";
    let rows = |text: &[&str]| rows(&(before.to_owned() + &text.concat())).len() - 1;
    for (tag, service) in [("su(pam_unix)[71]", ""), ("su[71]", "pam_unix(su:auth): ")] {
        let refused = line(format!("{tag}: {service}{PAM} tty=NODEVssh ruser=al rhost=192.0.2.7 user=bob"));
        let opened = line(format!("{tag}: {}{session}", service.replace("auth", "session")));
        assert_eq!(rows(&[&refused]), 1);
        assert_eq!(rows(&[&refused, &opened]), 0, "{tag}");
        assert_eq!(rows(&[&refused, &others, &opened]), 0, "{tag}");
    }
}

#[test]
fn one_number_on_two_machines_is_two_processes() {
    let line = |host: &str| {
        format!("Nov  3 10:00:01 {host} sshd[20]: Failed password for root from 192.0.2.7 port 64 ssh2\n")
    };
    let pam = |host: &str| {
        format!(
            "Nov  3 10:00:01 {host} sshd[20]: pam_unix(sshd:auth): {PAM} tty=ssh ruser= rhost=192.0.2.7  user=root\n"
        )
    };
    assert_eq!(rows(&(pam("a") + &pam("b") + &line("a") + &line("b"))).len(), 2);
    assert_eq!(rows(&(pam("a") + &line("a"))).len(), 1);
    assert_eq!(rows(&(pam("a") + &line("b"))).len(), 2);
}

#[test]
fn vsftpds_own_log_is_read() {
    let log = "Tue Nov  3 10:00:01 2026 [pid 31] CONNECT: Client \"192.0.2.7\"\n\
               Tue Nov  3 10:00:03 2026 [pid 30] [bob] FAIL LOGIN: Client \"192.0.2.7\"\n\
               Tue Nov  3 10:00:09 2026 [pid 40] [eve] OK LOGIN: Client \"192.0.2.8\"\n";
    assert_eq!(rows(log), ["1 bob from 192.0.2.7 (vsftpd)"]);
}

#[test]
fn dovecots_own_log_is_read() {
    let log = "Nov 03 10:00:01 imap-login: Info: Disconnected (no auth attempts in 0 secs): user=<>, rip=192.0.2.6, lip=192.0.2.1\n\
               Nov 03 10:00:04 pop3-login: Info: Disconnected (auth failed, 3 attempts in 12 secs): user=<bob>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, session=<a>\n\
               Nov 03 10:00:05 imap-login: Info: Login: user=<alice>, method=PLAIN, rip=192.0.2.8, lip=192.0.2.1, mpid=71, TLS, session=<b>\n\
               Nov 03 10:00:06 imap(alice): Info: Logged out in=636 out=1946\n";
    assert_eq!(rows(log), ["3 bob from 192.0.2.7 (dovecot)"]);
}

#[test]
fn own_logs_of_exim_xrdp_openvpn_and_cpanel_are_read() {
    for (log, expected) in [
        (
            "2026-11-03 10:00:01 [71] dovecot_login authenticator failed for (x) [192.0.2.7]:21298 I=[192.0.2.1]:465 Ci=71: 535 Incorrect authentication data (set_id=bob)\n\
             2026-11-03 10:00:02 [72] SMTP protocol error in \"AUTH LOGIN\" H=(y) [192.0.2.8]:60723 I=[192.0.2.1]:587 AUTH command used when not advertised\n",
            "1 bob from 192.0.2.7 (exim)",
        ),
        (
            "[20261103-10:00:01] [INFO ] Socket 12: AF_INET6 connection received from ::1 port 33856\n\
             [20261103-10:00:02] [INFO ] AUTHFAIL: user=bob ip=::ffff:192.0.2.7 time=1793700002\n\
             [20261103-10:00:09] [INFO ] ++ created session (access granted): username bob, ip ::ffff:192.0.2.7:51780 - socket: 11\n",
            "1 bob from 192.0.2.7 (xrdp-sesman)",
        ),
        (
            "2026-11-03 10:00:01 192.0.2.7:64480 TLS: Initial packet from [AF_INET]192.0.2.7:64480\n\
             2026-11-03 10:00:02 192.0.2.7:64480 TLS Auth Error: Auth Username/Password verification failed for peer\n",
            "1  from 192.0.2.7 (openvpn)",
        ),
        (
            "[2026-11-03 10:00:01 +0100] info [cpaneld] 192.0.2.7 - bob \"POST /login/?login_only=1 HTTP/1.1\" FAILED LOGIN cpaneld: user password incorrect\n\
             [2026-11-03 10:00:05 +0100] info [cpaneld] 192.0.2.8 - bob \"POST /login/?login_only=1 HTTP/1.1\" FAILED LOGIN cpaneld: root login is not permitted to cpaneld\n\
             [2026-11-03 10:00:09 +0100] info [cpsrvd] 192.0.2.7 - bob - SUCCESS LOGIN cpaneld\n",
            "1 bob from 192.0.2.7 (cpanel)",
        ),
        (
            "Timestamp                       Thread     Type        Activity             PID    TTL\n\
             2026-11-03 10:00:01.441571+0100 0x1b6a4    Default     0x0                  71     0    sshd: Failed password for root from 192.0.2.7 port 22222 ssh2\n",
            "1 root from 192.0.2.7 (sshd)",
        ),
    ] {
        assert_eq!(rows(log), [expected], "{log}");
    }
}

#[test]
fn what_a_client_wrote_into_another_servers_log_is_none_of_theirs() {
    for line in [
        "2026-11-03 10:00:01 x [71] plain authenticator failed for (y) [198.51.100.9]: 535 Incorrect authentication data",
        "2026-11-03 10:00:01 x y 198.51.100.9:4000 TLS Auth Error: Auth Username/Password verification failed for peer",
        "[20261103-10:00:01] [DEBUG] x [INFO ] AUTHFAIL: user=root ip=198.51.100.9 time=1",
        "Nov  3 10:00:01 web1 app[7]: [INFO ] AUTHFAIL: user=root ip=198.51.100.9 time=1",
        "Nov  3 10:00:01 web1 app[7]: 0x1 Default 0x0 71 0 sshd: Failed password for root from 198.51.100.9 port 22 ssh2",
        "Nov  3 10:00:01 web1 app[7]: Message forwarded from box: sshd[71]: Failed password for root from 198.51.100.9 port 22 ssh2",
        "[2026-11-03 10:00:01 +0100] info [cpaneld] 192.0.2.7 - x - SUCCESS LOGIN y \"GET / HTTP/1.1\" 200",
    ] {
        assert_eq!(rows(&format!("{line}\n")), [""; 0], "{line}");
    }
}

#[test]
fn a_blank_that_a_template_has_before_the_message_is_no_part_of_it() {
    check(&[(
        "two blanks behind the tag",
        &[
            "10:00:01 web1 sshd[20]:  Invalid user x from 192.0.2.7 port 64",
            "10:00:03 web1 sshd[20]:  Failed password for invalid user x from 192.0.2.7 port 64 ssh2",
            "10:01:01 web1 sshd[21]:  pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.8  user=bob",
            "10:01:02 web1 sshd[21]:  Accepted password for bob from 192.0.2.8 port 64 ssh2",
            "10:02:01 web1 su[22]:  FAILED SU (to root) bob on pts/0",
            "10:03:01 web1 sudo:   alice : 2 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls",
            "10:04:01 web1 dovecot:  imap-login: Disconnected (auth failed, 2 attempts): user=<bob>, method=PLAIN, rip=192.0.2.9, lip=192.0.2.1",
            "10:05:01 web1 su:  - pts/1 carol:root",
        ],
        &[
            "1 x from 192.0.2.7 (sshd)",
            "1 root from  (su)",
            "2 alice from  (sudo)",
            "2 bob from 192.0.2.9 (dovecot)",
            "1 root from  (su)",
        ],
    )]);
}

#[test]
fn the_systemd_journal_is_read_in_its_export_form_too() {
    let entry = |tag: &str, message: &str| {
        format!(
            "__CURSOR=s=1\n__REALTIME_TIMESTAMP=1795839972000000\n_HOSTNAME=web1\n_PID=7\n_UID=0\nSYSLOG_IDENTIFIER={tag}\nMESSAGE={message}\n\n"
        )
    };
    let log = entry("sshd", "Failed password for root from 192.0.2.7 port 4 ssh2")
        + &entry("su", "FAILED SU (to root) alice on pts/0");
    assert_eq!(rows(&log), ["1 root from 192.0.2.7 (sshd)", "1 root from  (su)"]);
}

#[test]
fn a_log_that_is_not_understood_is_no_log_without_attempts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let scan = |text: &str| {
        fs::write(&path, text).unwrap();
        let options = ScanOptions { files: vec![path.clone()], dry_run: true, ..ScanOptions::default() };
        let mut out = Vec::new();
        let watch = &mut |_: &Path, _, _| {};
        let report =
            run(&options, &config::Scan::default(), Path::new("/nonexistent"), &mut out, watch).unwrap();
        (report.errors, String::from_utf8(out).unwrap())
    };
    let (errors, out) = scan("192.0.2.7 - - [05/Jan/2026:12:00:01 +0000] \"GET / HTTP/1.1\" 200 1\nx\n");
    assert!(
        errors[0].contains("could not read the log") && errors[0].contains("GET / HTTP/1.1"),
        "{errors:?}"
    );
    assert_eq!(out, "");
    let (errors, _) = scan(
        "Tue 2026-11-03 10:00:01.123456 CET [s=a1b2;i=1]\n    MESSAGE=Failed password for root from 192.0.2.7 port 4 ssh2\n",
    );
    assert!(errors[0].contains("could not read the log"), "{errors:?}");
    assert_eq!(scan(""), (vec![], "0 failed attempts\n".to_owned()));
    assert_eq!(scan("x\nNov  3 10:00:01 web1 sshd[20]: hello\n").1, "0 failed attempts\n");
}

#[test]
fn pages_of_the_web_and_telephones_are_read() {
    let asterisk = |second: u32, text: &str| format!("12:05:{second:02} web1 asterisk[7]: {text}");
    let notice = |second: u32, number: u32| {
        asterisk(
            second,
            &format!(
                "NOTICE[72]: chan_sip.c:23417 in handle_request_register: Registration from '<sip:100@192.0.2.1>' failed for '192.0.2.{number}:5071' - Wrong password"
            ),
        )
    };
    let event = |second: u32, number: u32| {
        asterisk(
            second,
            &format!(
                "SECURITY[72]: res_security_log.c:114 in security_event_stasis_cb: SecurityEvent=\"InvalidPassword\",EventTV=\"1\",Severity=\"Error\",Service=\"SIP\",EventVersion=\"2\",AccountID=\"100\",SessionID=\"0x1\",LocalAddress=\"IPV4/UDP/192.0.2.1/5060\",RemoteAddress=\"IPV4/UDP/192.0.2.{number}/5071\",Challenge=\"1\""
            ),
        )
    };
    let twice = [notice(1, 7), event(1, 7), notice(2, 8), event(2, 8)];
    check(&[
        (
            "WordPress, whose host the client chose",
            &[
                "12:05:01 web1 wordpress(pam_unix)[7]: Authentication failure for bob from 192.0.2.7",
                "12:05:09 web1 wordpress(example.org)[8]: Accepted password for bob from 192.0.2.7",
            ],
            &["1 bob from 192.0.2.7 (wordpress)"],
        ),
        (
            "Asterisk says it twice, of two clients",
            &twice.each_ref().map(String::as_str),
            &["1 100 from 192.0.2.7 (asterisk)", "1 100 from 192.0.2.8 (asterisk)"],
        ),
        (
            "FreeRADIUS has the password in the line, and says it of the tunnel too",
            &[
                "12:05:01 web1 radiusd[7]: (12) Login incorrect (mschap: MS-CHAP2-Response is incorrect): [bob/secret] (from client nas1 port 0 via TLS tunnel)",
                "12:05:01 web1 radiusd[7]: (13) Login incorrect (eap: Failed continuing EAP PEAP): [bob/secret] (from client nas1 port 0 cli 02-00-00-00-53-01)",
                "12:05:09 web1 radiusd[7]: (19) Login OK: [bob/secret] (from client nas1 port 0 cli 02-00-00-00-53-01)",
            ],
            &["1  from  (radius)"],
        ),
    ]);
}
