//! Lines of PAM modules, whatever program they speak from.
//!
//! `pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root`

mod fields;

use super::book::book;
use super::words::{cut, cut_last, leading_number};
use super::{Evidence, Family, Kind, Line, family};
use crate::scan::header::{Header, decimal, token};
use crate::scan::stamp::skip_blanks;
use fields::with_fields;

pub(super) fn classify<'a>(header: &Header<'a>, message: &'a [u8]) -> Line<'a> {
    let Some((module, service, text)) = speaker(header, message) else {
        return Line::Other;
    };
    let evidence = Evidence { module, ..Evidence::new(Kind::PamFailure, "pam-failure", service) };
    let refused = text.strip_prefix(b"authentication failure;");
    if let Some(fields) = refused.or_else(|| text.strip_prefix(b"Authentication failure;")) {
        return with_fields(header, evidence, skip_blanks(fields));
    }
    if let Some((times, rest)) = leading_number(text) {
        return more(header, evidence, times, rest);
    }
    if let Some(fields) = text.strip_prefix(b"authentication success;") {
        let accepted = Evidence { kind: Kind::PamSuccess, class: "pam-success", ..evidence };
        return with_fields(header, accepted, skip_blanks(fields));
    }
    if let Some(user) = text.strip_prefix(b"session opened for user ") {
        return Line::Evidence(session(evidence, user));
    }
    let left = text.strip_prefix(b"auth could not identify password for [");
    if left.is_some() || text.starts_with(b"conversation failed") {
        let user = left.map_or(&b""[..], |user| user.strip_suffix(b"]").unwrap_or(user));
        return Line::Evidence(Evidence {
            kind: Kind::PamAborted,
            class: "pam-aborted",
            weight: 0,
            user,
            ..evidence
        });
    }
    match book().of_module(evidence, text) {
        Line::Other => Line::Nothing("a PAM line that tells of no attempt"),
        line => line,
    }
}

/// `2 more authentication failures; logname= …`
fn more<'a>(header: &Header<'a>, evidence: Evidence<'a>, times: u32, rest: &'a [u8]) -> Line<'a> {
    let rest = rest.strip_prefix(b" more authentication failure");
    let Some(fields) = rest.and_then(|rest| rest.strip_prefix(b"s;").or_else(|| rest.strip_prefix(b";")))
    else {
        return Line::Other;
    };
    let evidence = Evidence { kind: Kind::PamMore, class: "pam-more-failures", weight: times, ..evidence };
    with_fields(header, evidence, skip_blanks(fields))
}

/// `session opened for user root(uid=0) by bob(uid=1000)`
fn session<'a>(evidence: Evidence<'a>, user: &'a [u8]) -> Evidence<'a> {
    let bare = |name: &'a [u8]| cut(name, b"(uid=").map_or(name, |(name, _)| name);
    let (user, by) = token(user);
    let ruser = by.strip_prefix(b"by ").map_or(&b""[..], |by| bare(token(by).0));
    Evidence { kind: Kind::PamSession, class: "pam-session", weight: 0, user: bare(user), ruser, ..evidence }
}

/// pam_unix's helper: `password check failed for user (bob)`
pub(super) fn check_password(message: &[u8]) -> Line<'_> {
    let Some(rest) = message.strip_prefix(b"password check failed for user (") else {
        return Line::Other;
    };
    let user = rest.strip_suffix(b")").unwrap_or(rest);
    let evidence = Evidence::new(Kind::CheckPassword, "password-check-failed", b"unix_chkpwd");
    Line::Evidence(Evidence { user, ..evidence })
}

/// Module, service and text of a PAM line.
fn speaker<'a>(header: &Header<'a>, message: &'a [u8]) -> Option<(&'a [u8], &'a [u8], &'a [u8])> {
    let usual = usual_service(header.program);
    // `pam_unix(sshd:auth): text`
    if message.starts_with(b"pam_") {
        let (word, text) = token(message);
        let module = &word[..word.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count()];
        let inner = word[module.len()..].strip_prefix(b"(").and_then(|w| w.strip_suffix(b"):"));
        if let Some(inner) = inner {
            let service = cut_last(inner, b":").map_or(&b""[..], |(service, _)| service);
            return Some((module, if service.is_empty() { usual } else { service }, text));
        }
        // `pam_unix: text`, and `pam_krb5[71]: text` of Red Hat.
        let after = word[module.len()..].strip_suffix(b":")?;
        let number = after.strip_prefix(b"[").and_then(|after| after.strip_suffix(b"]"));
        let plain = after.is_empty() || number.and_then(decimal).is_some();
        return plain.then_some((module, usual, text));
    }
    // `PAM 2 more authentication failures`, logged while no module runs.
    if let Some(text) = message.strip_prefix(b"PAM ") {
        return text.first()?.is_ascii_digit().then_some((b"pam_unix", usual, text));
    }
    // `(pam_unix) text`, of Debian before 2007.
    if message.starts_with(b"(pam_") {
        let (word, text) = token(message);
        return Some((word.strip_prefix(b"(")?.strip_suffix(b")")?, usual, text));
    }
    // `sshd(pam_unix)[71]: text`
    if header.module.starts_with(b"pam_") {
        return Some((header.module, usual, message));
    }
    // `sshd[71]: authentication failure; logname=`: who stripped the module from the tag is unknown.
    if message.starts_with(b"authentication failure; logname=") {
        return Some((b"pam_unix", usual, message));
    }
    // `PAM_unix[71]: authentication failure; (uid=0) -> root for ssh service`, `pam_duo[71]: Failed Duo login …`
    if family(header.program) == Family::Module {
        return Some((header.program, usual, message));
    }
    None
}

/// The PAM service that a program uses unless it says so.
fn usual_service(program: &[u8]) -> &[u8] {
    match family(program) {
        Family::Sshd => b"sshd",
        Family::Polkit => b"polkit-1",
        _ => program,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn told(tag: &str, message: &str) -> Evidence<'static> {
        let line: &'static str = format!("Nov  3 09:05:01 srv {tag}: {message}").leak();
        match crate::scan::rules::tests::taken(line) {
            Line::Evidence(evidence) => evidence,
            other => panic!("{line}: {other:?}"),
        }
    }

    pub fn fields(evidence: &Evidence<'static>) -> [&'static str; 5] {
        [evidence.service, evidence.user, evidence.rhost, evidence.ruser, evidence.tty]
            .map(|f| std::str::from_utf8(f).unwrap())
    }

    pub const SSH: &str = "logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7";

    #[test]
    fn every_form_of_a_refusal_gives_its_fields() {
        for (tag, message) in [
            ("sshd[7]", format!("pam_unix(sshd:auth): authentication failure; {SSH}  user=root")),
            ("sshd[7]", format!("pam_sss(sshd:auth): authentication failure; {SSH} user=root")),
            ("sshd(pam_unix)[7]", format!("authentication failure; {SSH}  user=root")),
            ("sshd[7]", format!("(pam_unix) authentication failure; {SSH}  user=root")),
            ("sshd[7]", format!("PAM 2 more authentication failures; {SSH}  user=root")),
            ("sshd-session[7]", format!("PAM 1 more authentication failure; {SSH}  user=root")),
            ("sshd(pam_unix)[7]", format!("2 more authentication failures; {SSH}  user=root")),
        ] {
            let evidence = told(tag, &message);
            assert_eq!(fields(&evidence), ["sshd", "root", "192.0.2.7", "", "ssh"], "{message}");
        }
        assert_eq!(
            told("sshd[7]", &format!("PAM 2 more authentication failures; {SSH}  user=root")).weight,
            2
        );
        for (tag, message) in [
            ("sshd[7]", format!("authentication failure; {SSH}  user=root")),
            ("sshd[7]", format!("pam_unix(auth): authentication failure; {SSH}  user=root")),
            ("sshd[7]", format!("pam_unix(:auth): authentication failure; {SSH}  user=root")),
            ("sshd[7]", format!("pam_unix: authentication failure; {SSH}  user=root")),
        ] {
            let evidence = told(tag, &message);
            assert_eq!(fields(&evidence), ["sshd", "root", "192.0.2.7", "", "ssh"], "{message}");
        }
        let evidence =
            told("sshd[7]", &format!("pam_unix(sshd:auth): authentication failure; {SSH} [preauth]"));
        assert_eq!(fields(&evidence), ["sshd", "", "192.0.2.7", "", "ssh"]);
        let evidence = told("sshd[7]", "authentication failure; logname= uid=0 rhost=192.0.2.7");
        assert_eq!(fields(&evidence), ["sshd", "", "192.0.2.7", "", ""]);
        // A server that names the user nowhere else, and a local program that names the caller.
        let evidence = told(
            "pure-ftpd",
            "(pam_unix) authentication failure; logname= uid=0 euid=0 tty=pure-ftpd ruser=eve rhost=192.0.2.7 ",
        );
        assert_eq!(fields(&evidence), ["pure-ftpd", "eve", "192.0.2.7", "eve", "pure-ftpd"]);
        let evidence = told(
            "pure-ftpd[7]",
            "pam_unix(pure-ftpd:auth): authentication failure; logname= uid=0 euid=0 tty=pure-ftpd ruser=eve rhost=",
        );
        assert_eq!(fields(&evidence), ["pure-ftpd", "eve", "", "eve", "pure-ftpd"]);
        let evidence = told(
            "su",
            "pam_unix(su:auth): authentication failure; logname=bob uid=1000 euid=0 tty=pts/0 ruser=bob rhost=",
        );
        assert_eq!(fields(&evidence), ["su", "", "", "bob", "pts/0"]);
        let evidence = told("PAM_pwdb[7]", "authentication failure; (uid=0) -> root for ssh service");
        assert_eq!(fields(&evidence), ["sshd", "root", "", "", ""]);
        for (message, expected) in [
            ("LOGIN(uid=0) -> root for login service", ["login", "root", "", "", ""]),
            ("LOGIN(uid=0) -> **unknown** for login service", ["login", "", "", "", ""]),
            ("(uid=0) -> **unknown** for login service", ["login", "", "", "", ""]),
            ("bob(uid=1000) -> root for su service", ["su", "root", "", "bob", ""]),
        ] {
            let evidence = told("PAM_unix[7]", &format!("authentication failure; {message}"));
            assert_eq!(fields(&evidence), expected, "{message}");
        }
        let evidence = told(
            "su",
            "pam_unix(su-l:auth): authentication failure; logname=bob uid=1000 euid=0 tty=/dev/pts/0 ruser=bob rhost=  user=alice",
        );
        assert_eq!(fields(&evidence), ["su-l", "alice", "", "bob", "/dev/pts/0"]);
        let evidence = told(
            "auth[7]",
            "pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=eve rhost=192.0.2.7 ",
        );
        assert_eq!(fields(&evidence), ["dovecot", "eve", "192.0.2.7", "eve", "dovecot"]);
    }

    #[test]
    fn modules_in_words_of_their_own_give_the_same() {
        for (message, kind) in [
            (
                "pam_krb5[7]: authentication fails for 'root' (root@EXAMPLE.ORG): Authentication failure",
                Kind::PamFailure,
            ),
            ("pam_krb5[7]: authentication succeeds for 'root' (root@EXAMPLE.ORG)", Kind::PamSuccess),
            ("pam_krb5(sshd:auth): user root authenticated as root@EXAMPLE.ORG", Kind::PamSuccess),
            (
                "pam_winbind(sshd:auth): user 'root' denied access (incorrect password or invalid membership)",
                Kind::PamFailure,
            ),
            ("pam_userdb(sshd:auth): user `root' denied access (incorrect password)", Kind::PamFailure),
            ("pam_winbind(sshd:auth): user 'root' granted access", Kind::PamSuccess),
            ("pam_pwdfile(sshd:auth): wrong password for user root", Kind::PamFailure),
            ("pam_google_authenticator(sshd:auth): Invalid verification code for root", Kind::PamFailure),
            ("pam_google_authenticator(sshd:auth): Accepted google_authenticator for root", Kind::PamSuccess),
            (
                "pam_krb5(sshd:auth): authentication failure; logname=root uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7",
                Kind::PamFailure,
            ),
        ] {
            let evidence = told("sshd[7]", message);
            assert_eq!((evidence.kind, &fields(&evidence)[..2]), (kind, &["sshd", "root"][..]), "{message}");
        }
    }

    #[test]
    fn modules_under_a_tag_of_their_own_speak_too() {
        for (tag, message, expected) in [
            ("pam_duo[7]", "Failed Duo login for 'bob' from 192.0.2.7", ["pam_duo", "bob", "192.0.2.7"]),
            (
                "pam_duo[7]",
                "Failed Duo login for 'bob' from 192.0.2.7: Denied",
                ["pam_duo", "bob", "192.0.2.7"],
            ),
            ("pam_duo[7]", "Failed Duo login for 'bob'", ["pam_duo", "bob", ""]),
            ("vpn(pam_google_authenticator)[7]", "Invalid verification code for bob", ["vpn", "bob", ""]),
            ("vpn(pam_google_authenticator)[7]", "Invalid verification code", ["vpn", "", ""]),
            ("PAM-tacplus[7]", "auth failed: 2", ["PAM-tacplus", "", ""]),
            ("ftp[7]", "pam_pwdfile(vsftpd:auth): user not found in password database", ["vsftpd", "", ""]),
        ] {
            let evidence = told(tag, message);
            assert_eq!((evidence.kind, evidence.weight), (Kind::PamFailure, 1), "{tag}: {message}");
            assert_eq!(fields(&evidence)[..3], expected, "{tag}: {message}");
        }
        for message in [
            "Skipped Duo login for 'bob' from 192.0.2.7: Allowed unenrolled user",
            "Failsecure Duo login for 'bob'",
            "Aborted Duo login for 'bob' from 192.0.2.7: x",
            "Error in Duo login for 'bob' from 192.0.2.7: x",
        ] {
            let line = format!("Nov  3 09:05:01 srv pam_duo[7]: {message}");
            assert!(!matches!(crate::scan::rules::tests::taken(&line), Line::Evidence(_)), "{message}");
        }
    }

    #[test]
    fn an_unanswered_prompt_has_no_weight() {
        for message in [
            "pam_unix(sudo:auth): conversation failed",
            "pam_unix(sudo:auth): auth could not identify password for [bob]",
        ] {
            let evidence = told("sudo", message);
            assert_eq!((evidence.kind, evidence.weight), (Kind::PamAborted, 0));
        }
    }
}
