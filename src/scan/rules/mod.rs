//! What a line says about an authentication, by program.
//!
//! The patterns follow the `syslog` calls in the programs' own sources. Each is anchored at the
//! start of the message; text that a remote user chose is delimited from both ends, so it cannot
//! pose as another field.
//!
//! - [`evidence`]: what a line says. [`family`](mod@family): which programs belong together.
//! - [`before`]: what stands before a program's own words. [`attribution`]: who may say what of whom.
//! - [`mod@book`]: rules as data, for programs and PAM modules whose lines speak for themselves.
//! - [`sshd`], [`pam`], [`su`], [`sudo`], [`login`]: by hand, where lines have many forms or belong to each other.

mod attribution;
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

use super::header::{Header, decimal};
use attribution::Judged;
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
        match attribution::judge(header, evidence) {
            Judged::Counts => evidence.weight = attribution::weight(header, evidence, times),
            Judged::CountsOnce => {}
            Judged::Otherwise(line) => return line,
        }
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

    /// From where and by whom, of a line that a user other than root wrote in the program of that file.
    pub fn told_by(uid: u32, exe: &str, tag: &str, message: &str) -> Option<[String; 2]> {
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
