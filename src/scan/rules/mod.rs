//! What a line says about an authentication, by program.
//!
//! The patterns follow the `syslog` calls in the programs' own sources. Each is anchored at the
//! start of the message; text that a remote user chose is delimited from both ends, so it cannot
//! pose as another field.
//!
//! - [`evidence`]: what a line says. [`family`](mod@family): which programs belong together.
//! - [`before`]: what stands before a program's own words.
//! - [`mod@book`]: rules as data, for programs and PAM modules whose lines speak for themselves.
//! - [`sshd`], [`pam`], [`su`], [`sudo`], [`login`]: by hand, where lines have many forms or belong to each other.

mod before;
pub mod book;
mod evidence;
mod family;
mod login;
mod pam;
#[cfg(test)]
mod programs;
mod sshd;
mod su;
mod sudo;
mod words;

use super::header::{Header, Trust, decimal};
use super::origin::ThisMachine;
use super::writer::{PEOPLE, account_of, is_account_of, is_account_of_another, is_of};
use crate::installation::is_in_a_stack;
pub use before::is_repeated;
use book::book;
pub use evidence::{CLAIMED, Evidence, Kind, Line, TEST};
pub use family::{BY_HAND, Family, family};

/// What the line under this header says.
///
/// The kernel authenticates nobody, and what it prints holds names of processes and files that any
/// user may choose, line feeds included: rsyslog's imklog turns
/// `process '/tmp/x\nsshd[7]: Failed password …' started with executable stack` into a line of its
/// own. So nothing under its tag counts, but what PAM says of su, which may be started under the name of the kernel: in a text
/// log anybody may make that up under any tag. In the journal it is known who is not the kernel.
pub fn classify<'a>(header: &Header<'a>) -> Line<'a> {
    if header.program == b"kernel" && header.uid == 0 && header.exe.is_empty() {
        return under_the_kernels_tag(header);
    }
    let message = before::past_clock(header, before::solaris(header.message));
    if let Some(times) = before::repeated_before(message) {
        return Line::Again(times);
    }
    let message = before::past_title(header, message);
    let (message, times) = before::repeated(message).unwrap_or((message, 1));
    let mut line = pam::classify(header, message);
    if line == Line::Other {
        line = by_hand(header, message);
    }
    if line == Line::Other {
        line = book().of_program(header, before::past_own_stamp(header, message));
    }
    if let Line::Evidence(evidence) = &mut line {
        if names_another(header, evidence) {
            evidence.ruser = account_of(header.uid);
        }
        evidence.of_user = evidence.kind == Kind::CheckPassword && header.uid != 0;
        match (header.trust, evidence.kind) {
            (Trust::Believed, _) if accuses_another(header, evidence) || is_of_others(header, evidence) => {
                return Line::Forged;
            }
            (Trust::Believed, _) => is_of_who_started(header, evidence),
            // sshd's process of the user himself writes of its end, which says nothing of an attempt.
            (_, Kind::Client) => return Line::Nothing("the end of a connection"),
            (Trust::Unattributed | Trust::Forged, kind @ (Kind::PamFailure | Kind::Success))
                if accuses_himself(header, evidence) =>
            {
                if kind == Kind::Success {
                    (evidence.kind, evidence.class) = (Kind::Claimed, CLAIMED);
                }
                return line;
            }
            // It ends before the journal looks which program it was, each third time. A screen locker that runs as its user may
            // not speak for itself there, so nothing else would tell of what was typed in it.
            (Trust::Unattributed, Kind::CheckPassword) if is_account_of(evidence.user, header.uid) => {
                return line;
            }
            (Trust::Unattributed, _) => return Line::Unattributed,
            (Trust::Forged, _) => return Line::Forged,
            (Trust::Test, _) => evidence.class = TEST,
        }
        evidence.weight = evidence.weight.saturating_mul(times);
    }
    line
}

/// `kernel: pam_unix(su:auth): authentication failure; …`, of `exec -a kernel su`.
fn under_the_kernels_tag<'a>(header: &Header<'a>) -> Line<'a> {
    let is_su = |evidence: &Evidence<'_>| family(evidence.service) == Family::Su && evidence.rhost.is_empty();
    match pam::classify(header, header.message) {
        Line::Evidence(evidence) if is_su(&evidence) => Line::Evidence(evidence),
        _ => Line::Other,
    }
}

/// Whether who wrote a line tells in it that he himself was refused or let in, here, by a program that everybody starts.
///
/// The journal keeps for a second what it knew of a process: of one that logs a word and then becomes su, it calls what su
/// says the word of the program before. And who is gone before the journal looks, because he ended his own su, is nobody's. So
/// could whoever guesses passwords there go unheard. Who makes such a line up could as well type a wrong password; that he
/// got in takes none back.
fn accuses_himself(header: &Header<'_>, evidence: &Evidence<'_>) -> bool {
    is_anybodys(evidence) && evidence.rhost.is_empty() && is_account_of(evidence.ruser, header.uid)
}

/// Whether it tells so of another user, or of a client elsewhere. PAM is told by such a program who started it, and sudo tells
/// so itself; who writes a word before he becomes su, or has sudo prompt with it into the socket of the log, is taken for
/// them, and may name anybody in it.
fn accuses_another(header: &Header<'_>, evidence: &Evidence<'_>) -> bool {
    let is_pam = matches!(evidence.kind, Kind::PamFailure | Kind::PamMore | Kind::PamSuccess);
    let is_sudo =
        family(evidence.service) == Family::Sudo && matches!(evidence.kind, Kind::Program | Kind::Success);
    let is_elsewhere = || header.uid != 0 && is_pam && !evidence.rhost.is_empty() && !is_here(evidence.rhost);
    (is_pam || is_sudo) && is_anybodys(evidence) && (is_of_another(header, evidence) || is_elsewhere())
}

/// Whether it is what no program says that runs as another user than root: a word about sshd; or, of one that a person started
/// with root's rights, that somebody got in, or left a prompt, at another program than itself.
fn is_of_others(header: &Header<'_>, evidence: &Evidence<'_>) -> bool {
    let is_sshds = family(evidence.service) == Family::Sshd && evidence.kind != Kind::Client;
    let is_its = || {
        header.exe.is_empty()
            || header.exe.starts_with(b"busybox")
            || is_of(header.exe, evidence.service)
            // A module under its own tag says not in which program.
            || evidence.service == header.program
            || (header.exe, evidence.service) == (b"pkexec", b"polkit-1")
    };
    let is_known =
        || evidence.kind != Kind::PamSuccess || !is_here(header.host) || accepts_here(evidence.module);
    header.uid != 0
        && (is_sshds || (header.uid >= PEOPLE && evidence.kind.excuses() && !(is_its() && is_known())))
}

/// Modules of PAM that stand in the stacks of distributions and say of nobody that he got in.
const SILENT: [&str; 16] = [
    "pam_authalert",
    "pam_cap",
    "pam_deny",
    "pam_ecryptfs",
    "pam_env",
    "pam_faildelay",
    "pam_faillock",
    "pam_gnome_keyring",
    "pam_group",
    "pam_localuser",
    "pam_permit",
    "pam_rootok",
    "pam_succeed_if",
    "pam_unix",
    "pam_usertype",
    "pam_wheel",
];

/// Whether this module may say on this machine that it accepted somebody whom another refused. sudo prompts in its caller's
/// words, and a prompt that says so stands behind each guess.
fn accepts_here(module: &[u8]) -> bool {
    let name = String::from_utf8_lossy(module).to_ascii_lowercase().replace('-', "_");
    !SILENT.contains(&&*name) && is_in_a_stack(&name)
}

fn is_here(host: &[u8]) -> bool {
    ThisMachine::default().is(&String::from_utf8_lossy(host))
}

/// Of what a program says that a person started with root's rights it is certain who that was, and that he is here: he may have
/// written it himself and then started the program, or have given it that as its name, where its output is the socket of the
/// log. Nothing that anybody may start knows of a client elsewhere.
fn is_of_who_started<'a>(header: &Header<'a>, evidence: &mut Evidence<'a>) {
    if header.uid < PEOPLE {
        return;
    }
    if !is_here(evidence.rhost) {
        (evidence.rhost, evidence.port) = (b"", 0);
    }
    // Another machine has other accounts.
    let is_told = !evidence.ruser.is_empty() || is_account_of(evidence.user, header.uid);
    if is_here(header.host) && (!is_told || is_account_of_another(evidence.ruser, header.uid)) {
        evidence.ruser = account_of(header.uid);
    }
}

/// Whether what su itself says, or PAM of a session, names somebody else: whose session it is, perhaps of another one. Of
/// whom it is the kernel knows.
fn names_another(header: &Header<'_>, evidence: &Evidence<'_>) -> bool {
    let is_its_own = matches!(evidence.kind, Kind::Program | Kind::Success) && evidence.service == b"su";
    header.trust == Trust::Believed
        && (is_its_own || evidence.kind == Kind::PamSession)
        && is_anybodys(evidence)
        && is_of_another(header, evidence)
}

fn is_of_another(header: &Header<'_>, evidence: &Evidence<'_>) -> bool {
    is_account_of_another(evidence.ruser, header.uid)
        // Another machine has other accounts.
        && is_here(header.host)
}

/// Of a program that everybody starts. The tag of what PAM says is chosen by who does, as its name.
fn is_anybodys(evidence: &Evidence<'_>) -> bool {
    matches!(family(evidence.service), Family::Su | Family::Sudo) || evidence.service == b"polkit-1"
}

fn by_hand<'a>(header: &Header<'a>, message: &'a [u8]) -> Line<'a> {
    match family(header.program) {
        Family::Sshd => sshd::classify(message),
        Family::Su => su::classify(header, message),
        Family::Sudo if header.program != b"doas" => sudo::classify(message),
        Family::Login => login::classify(header.program, message),
        Family::CheckPassword => pam::check_password(message),
        _ => match header.program {
            b"rlogin" | b"rlogind" | b"in.rlogind" | b"telnetd" | b"in.telnetd" => {
                login::classify(header.program, message)
            }
            _ => Line::Other,
        },
    }
}

/// The process whose line this is; 0 where it is not told. proftpd has PAM log without a number, and
/// gives it as the terminal.
pub fn process(header: &Header<'_>, evidence: &Evidence<'_>) -> u32 {
    if header.pid == 0 && header.program == b"proftpd" {
        return evidence.tty.strip_prefix(b"/dev/ftpd").and_then(decimal).unwrap_or(0);
    }
    header.pid
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::header;
    use crate::scan::prefilter::{Passed, Reach, Search};

    /// What stands before the tag in the lines of tests.
    pub const TABLE_HEAD: &str = "Nov  3 09:05:01 srv ";

    /// What a line is; and if it is evidence, the search for candidates must not pass over it.
    pub fn taken(line: &str) -> Line<'_> {
        let taken = classify(&header::parse(line.as_bytes()).unwrap());
        // Words of success are searched for behind a refusal alone.
        let is_searched =
            |kind| !matches!(kind, Kind::PamSession | Kind::Success | Kind::PamSuccess | Kind::Client);
        if matches!(taken, Line::Evidence(Evidence { kind, .. }) if is_searched(kind)) {
            let mut found = 0;
            Search::new(false).run(line.as_bytes(), &mut Reach::default(), &mut |_| {
                found += 1;
                Passed::default()
            });
            assert_eq!(found, 1, "no candidate: {line}");
        }
        taken
    }

    /// Class, weight, user and rhost of a message.
    pub fn told(tag: &str, message: &str) -> Option<(&'static str, u32, String, String)> {
        let line: &'static str = format!("{TABLE_HEAD}{tag}: {message}").leak();
        match taken(line) {
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
    fn who_tells_of_his_own_refusal_is_believed_whatever_the_journal_takes_him_for() {
        // An account that every machine has.
        let (name, uid) = ("nobody", 65534);
        let taken = |program: &str, trust: Trust, uid: u32, message: &str| {
            let line = format!("{TABLE_HEAD}{program}[71]: {message}");
            let header = header::parse(line.as_bytes()).unwrap();
            let line = classify(&Header { trust, uid, ..header });
            assert!(!matches!(line, Line::Evidence(evidence) if evidence.kind.excuses()), "{message}");
            matches!(line, Line::Evidence(Evidence { weight: 0 | 1, .. }))
        };
        let pam = |service: &str, ruser: &str, rhost: &str| {
            format!(
                "pam_unix({service}:auth): authentication failure; logname= uid={uid} euid=0 tty=pts/0 ruser={ruser} rhost={rhost}  user=root"
            )
        };
        for trust in [Trust::Forged, Trust::Unattributed] {
            for (program, service) in [
                ("su", "su"),
                ("x", "su"),
                ("su", "su-l"),
                ("sudo", "sudo"),
                ("polkit-agent-helper-1", "polkit-1"),
            ] {
                assert!(taken(program, trust, uid, &pam(service, name, "")), "{program}");
            }
            assert!(taken("su", trust, uid, &format!("(to root) {name} on pts/0")));
            let ran = format!("{name} : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id");
            assert!(taken("sudo", trust, uid, &ran) && !taken("sudo", trust, 12, &ran));
            let repeated = format!("message repeated 900 times: [ {}]", pam("su", name, ""));
            assert!(taken("su", trust, uid, &repeated), "once");
            for (program, uid, message) in [
                // Somebody else, or from elsewhere.
                ("su", uid, pam("su", "root", "")),
                ("su", uid, pam("su", "daemon", "")),
                ("su", uid, pam("su", "", "")),
                ("su", 0, pam("su", "", "")),
                ("su", 12, pam("su", name, "")),
                ("su", uid, pam("su", name, "192.0.2.7")),
                ("su", uid, pam("sshd", name, "")),
                ("login", uid, pam("login", name, "")),
                ("sshd", uid, pam("sshd", name, "")),
                // What takes back a refusal, or counts more than one.
                ("su", uid, "(to root) daemon on pts/0".into()),
                (
                    "su",
                    uid,
                    format!("pam_unix(su:session): session opened for user root(uid=0) by {name}(uid={uid})"),
                ),
                ("su", uid, "pam_unix(su:auth): conversation failed".into()),
                (
                    "sudo",
                    uid,
                    format!(
                        "PAM 900 more authentication failures; logname= uid={uid} euid=0 tty=pts/0 ruser={name} rhost=  user=root"
                    ),
                ),
            ] {
                assert!(!taken(program, trust, uid, &message), "{program}: {message}");
            }
        }
    }

    #[test]
    fn what_unix_chkpwd_tells_of_whoever_started_it_counts_though_it_ended_before_the_journal_looked() {
        let taken = |trust: Trust, uid: u32, message: &str| {
            let line = format!("{TABLE_HEAD}unix_chkpwd[71]: {message}");
            let header = header::parse(line.as_bytes()).unwrap();
            match classify(&Header { trust, uid, ..header }) {
                Line::Evidence(evidence) => Some((evidence.weight, evidence.of_user)),
                _ => None,
            }
        };
        let failed = "password check failed for user (nobody)";
        assert_eq!(taken(Trust::Unattributed, 65534, failed), Some((1, true)));
        assert_eq!(taken(Trust::Believed, 65534, failed), Some((1, true)));
        assert_eq!(taken(Trust::Believed, 0, failed), Some((1, false)));
        let again = format!("message repeated 900 times: [ {failed}]");
        assert_eq!(taken(Trust::Unattributed, 65534, &again), Some((1, true)), "once");
        assert_eq!(taken(Trust::Unattributed, 12, failed), None, "of another");
        assert_eq!(taken(Trust::Unattributed, 65534, &failed.replace("nobody", "root")), None, "of another");
        assert_eq!(taken(Trust::Forged, 65534, failed), None, "another program's word");
    }

    #[test]
    fn what_a_program_of_root_tells_of_another_user_than_who_started_it_is_forged() {
        let pam = |ruser: &str| {
            format!(
                "pam_unix(su:auth): authentication failure; logname= uid=65534 euid=0 tty=pts/0 ruser={ruser} rhost=  user=root"
            )
        };
        for (uid, ruser, is_forged) in [
            (65534, "daemon", true),
            (65534, "root", true),
            (65534, "nobody", false),
            (65534, "of-a-directory", false),
            (65534, "", false),
            (0, "daemon", false),
        ] {
            let is_forged_here = |message: &str| {
                let line = format!("{TABLE_HEAD}su[71]: {message}");
                let header = header::parse(line.as_bytes()).unwrap();
                let here = Header { trust: Trust::Believed, uid, host: b"localhost", ..header };
                let elsewhere = Header { host: b"another-machine", ..here };
                assert!(classify(&elsewhere) != Line::Forged, "{uid}: {message}");
                classify(&here) == Line::Forged
            };
            assert_eq!(is_forged_here(&pam(ruser)), is_forged, "{uid} {ruser}");
            // util-linux's su names who logged in, who may have become another user since.
            for said in ["FAILED SU (to root) ", "(to root) "] {
                assert!(!is_forged_here(&format!("{said}{ruser} on pts/0")), "{uid} {ruser}");
            }
            // sudo names who started it.
            for said in ["3 incorrect password attempts ; TTY=pts/0", "TTY=pts/0"] {
                let said = format!("{ruser} : {said} ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id");
                let line = format!("{TABLE_HEAD}sudo[71]: {said}");
                let header = header::parse(line.as_bytes()).unwrap();
                let taken = classify(&Header { uid, host: b"localhost", ..header });
                assert_eq!(taken == Line::Forged, is_forged, "{uid} {said}");
            }
        }
    }

    #[test]
    fn who_asked_su_is_whom_the_kernel_says_and_nobody_elsewhere() {
        let taken = |uid: u32, message: &str| {
            let line = format!("{TABLE_HEAD}su[71]: {message}");
            let header = header::parse(line.as_bytes()).unwrap();
            match classify(&Header { uid, host: b"localhost", ..header }) {
                Line::Evidence(evidence) => String::from_utf8_lossy(evidence.ruser).into_owned(),
                _ => "forged".into(),
            }
        };
        for message in [
            "FAILED SU (to root) daemon on pts/0",
            "(to root) daemon on pts/0",
            "pam_unix(su:session): session opened for user root(uid=0) by daemon(uid=1)",
        ] {
            assert_eq!(
                (taken(65534, message), taken(0, message)),
                ("nobody".into(), "daemon".into()),
                "{message}"
            );
        }
        let pam = |rhost: &str| {
            format!(
                "pam_unix(su:auth): authentication failure; logname= uid=65534 euid=0 tty= ruser= rhost={rhost}  user=root"
            )
        };
        assert_eq!(
            (taken(65534, &pam("192.0.2.7")), taken(65534, &pam(""))),
            ("forged".into(), "nobody".into())
        );
        assert_eq!(taken(0, &pam("192.0.2.7")), "");
    }

    /// From where and by whom, of a line that a user other than root wrote in the program of that file.
    fn told_by(uid: u32, exe: &str, tag: &str, message: &str) -> Option<[String; 2]> {
        let line = format!("{TABLE_HEAD}{tag}[71]: {message}");
        let header = header::parse(line.as_bytes()).unwrap();
        match classify(&Header { uid, exe: exe.as_bytes(), host: b"localhost", ..header }) {
            Line::Evidence(evidence) => {
                Some([evidence.rhost, evidence.ruser].map(|of| String::from_utf8_lossy(of).into_owned()))
            }
            _ => None,
        }
    }

    #[test]
    fn what_a_program_says_that_a_person_started_is_of_that_person_and_of_nobody_elsewhere() {
        let pam = |said: &str| {
            format!("pam_unix({said}; logname= uid=0 euid=0 tty=x ruser= rhost=192.0.2.7  user=root")
        };
        for (exe, tag, message) in [
            ("mount", "mount", &*pam("mount:auth): authentication failure")),
            ("passwd", "x", &pam("passwd:auth): authentication failure")),
            (
                "exim4",
                "exim4",
                "plain authenticator failed for (x) [192.0.2.7]: 535 Incorrect authentication data (set_id=root)",
            ),
            ("passwd", "pam_duo", "Failed Duo login for 'root' from 192.0.2.7: x"),
            ("newgrp", "newgrp", "Invalid password for group 'staff' from 'root'"),
            // `unix_chkpwd root nullok`, by whoever likes.
            ("unix_chkpwd", "unix_chkpwd", "password check failed for user (root)"),
            ("chsh", "chsh", "pam_unix(chsh:session): session opened for user root(uid=0) by (uid=0)"),
            ("su", "y", "pam_unix(su:session): session opened for user root"),
            (
                "pkexec",
                "pkexec",
                "pam_unix(polkit-1:session): session opened for user root(uid=0) by nobody(uid=65534)",
            ),
        ] {
            assert_eq!(told_by(65534, exe, tag, message), Some(["".into(), "nobody".into()]), "{message}");
        }
        let own = "password check failed for user (nobody)";
        assert_eq!(told_by(65534, "unix_chkpwd", "unix_chkpwd", own), Some(["".into(), "".into()]));
        // A service knows of its clients.
        let of_client = pam("nginx:auth): authentication failure");
        assert_eq!(told_by(12, "nginx", "nginx", &of_client), Some(["192.0.2.7".into(), "".into()]));
    }

    #[test]
    fn such_a_program_lets_in_nobody_elsewhere_and_takes_back_nothing_there() {
        for (exe, tag, message) in [
            ("chsh", "chsh", "pam_unix(smtp:account): account root has expired (account expired)"),
            ("passwd", "passwd", "pam_unix(login:session): session opened for user root(uid=0) by (uid=0)"),
            ("mount", "mount", "pam_foo(su:auth): conversation failed"),
            // `sudo -p '<38>sudo: pam_permit(sudo:auth): authentication success; …'` behind each guess.
            (
                "sudo",
                "sudo",
                "pam_permit(sudo:auth): authentication success; logname= uid=65534 euid=0 tty= ruser=nobody rhost=  user=nobody",
            ),
            (
                "sudo",
                "sudo",
                "pam_no_such(sudo:auth): authentication success; logname= uid=65534 euid=0 tty= ruser=nobody rhost=  user=nobody",
            ),
            ("sudo", "pam_no_such", "Accepted google_authenticator for nobody"),
        ] {
            assert_eq!(told_by(65534, exe, tag, message), None, "{message}");
        }
        let sshds = "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root";
        for (uid, exe) in [(65534, "mount"), (12, "nginx")] {
            assert_eq!(told_by(uid, exe, exe, sshds), None, "{exe}");
        }
    }

    #[test]
    fn su_is_heard_under_the_name_of_the_kernel() {
        let pam = |service: &str, rhost: &str| {
            format!(
                "pam_unix({service}:auth): authentication failure; logname= uid=65534 euid=0 tty=pts/0 ruser=nobody rhost={rhost}  user=root"
            )
        };
        let by_nobody = Some(["".into(), "nobody".into()]);
        for (uid, exe) in [(65534, "su"), (65534, ""), (0, "")] {
            assert_eq!(told_by(uid, exe, "kernel", &pam("su", "")), by_nobody, "{uid} {exe}");
        }
        for message in
            [pam("su", "192.0.2.7"), pam("vsftpd", ""), "FAILED SU (to root) nobody on pts/0".into()]
        {
            assert_eq!(told_by(0, "", "kernel", &message), None, "{message}");
        }
        let opened = "pam_unix(su:session): session opened for user root(uid=0) by nobody(uid=65534)";
        assert_eq!(
            [told_by(0, "", "kernel", opened), told_by(65534, "su", "kernel", opened)],
            [by_nobody.clone(), by_nobody]
        );
    }

    #[test]
    fn who_logs_by_its_own_name_has_no_title() {
        let title = "db [local] authentication: pam_unix(postgresql:auth): authentication failure; logname= uid=5 euid=5 tty= ruser= rhost=  user=root";
        assert!(
            told_by(12, "postgres", "postgres", title).is_some()
                && told_by(12, "postgres", "ice", title).is_some()
        );
        // dbus-daemon tells of the command line of whoever asked it, pkexec of a directory.
        let dbus = r#"[system] Rejected send message, 2 matched rules; type="method_call", sender=":1.5" (uid=1000 pid=7 comm="x [local] authentication: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser= rhost=192.0.2.7  user=root"#;
        assert_eq!(told_by(12, "dbus-daemon", "dbus-daemon", dbus), None);
        for uid in [0, 65534] {
            assert_eq!(told_by(uid, "pkexec", "pkexec", title), None, "{uid}");
        }
    }

    #[test]
    fn a_user_name_cannot_pose_as_a_repetition() {
        let forged =
            "Failed password for invalid user message repeated 9 times: [ x from 192.0.2.7 port 5 ssh2";
        assert_eq!(told("sshd[7]", forged).unwrap().1, 1);
    }
}
