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
use super::writer::{account_of, is_account_of, is_account_of_another};
pub use before::is_repeated;
use book::book;
pub use evidence::{CLAIMED, Evidence, Kind, Line, TEST};
pub use family::{BY_HAND, Family, family};

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
        match (header.trust, evidence.kind) {
            (Trust::Believed, _) if accuses_another(header, evidence) => return Line::Forged,
            (Trust::Believed, _) => {}
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
            (Trust::Unattributed, _) => return Line::Unattributed,
            (Trust::Forged, _) => return Line::Forged,
            (Trust::Test, _) => evidence.class = TEST,
        }
        evidence.weight = evidence.weight.saturating_mul(times);
    }
    line
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
    let is_elsewhere = || {
        let is_here = |host: &[u8]| ThisMachine::default().is(&String::from_utf8_lossy(host));
        header.uid != 0 && is_pam && !evidence.rhost.is_empty() && !is_here(evidence.rhost)
    };
    (is_pam || is_sudo) && is_anybodys(evidence) && (is_of_another(header, evidence) || is_elsewhere())
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
        && ThisMachine::default().is(&String::from_utf8_lossy(header.host))
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
            ("forged".into(), String::new())
        );
        assert_eq!(taken(0, &pam("192.0.2.7")), "");
    }

    #[test]
    fn a_user_name_cannot_pose_as_a_repetition() {
        let forged =
            "Failed password for invalid user message repeated 9 times: [ x from 192.0.2.7 port 5 ssh2";
        assert_eq!(told("sshd[7]", forged).unwrap().1, 1);
    }
}
