//! Lines of PAM modules, whatever program they speak from.
//!
//! `pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root`

use super::super::header::{Header, decimal, token};
use super::super::stamp::skip_blanks;
use super::{Evidence, Family, Kind, Line, cut, cut_last, family, leading_number, modules, places, rfind};

/// Remote names may hold ` rhost=` many times; more splits than this are not tried.
const SPLITS: usize = 1024;

pub(super) fn classify<'a>(header: &Header<'a>, message: &'a [u8]) -> Line<'a> {
    let Some((module, service, text)) = speaker(header, message) else {
        return Line::Other;
    };
    let mut evidence = Evidence::new(Kind::PamFailure, "pam-failure", service);
    evidence.module = module;
    if let Some(fields) = text
        .strip_prefix(b"authentication failure;")
        .or_else(|| text.strip_prefix(b"Authentication failure;"))
    {
        return with_fields(header, evidence, skip_blanks(fields));
    }
    if let Some((times, rest)) = leading_number(text) {
        let Some(rest) = rest.strip_prefix(b" more authentication failure") else {
            return Line::Other;
        };
        let Some(fields) = rest.strip_prefix(b"s;").or_else(|| rest.strip_prefix(b";")) else {
            return Line::Other;
        };
        evidence.kind = Kind::PamMore;
        evidence.class = "pam-more-failures";
        evidence.weight = times;
        return with_fields(header, evidence, skip_blanks(fields));
    }
    if let Some(fields) = text.strip_prefix(b"authentication success;") {
        evidence.kind = Kind::PamSuccess;
        evidence.class = "pam-success";
        return with_fields(header, evidence, skip_blanks(fields));
    }
    if let Some(user) = text.strip_prefix(b"session opened for user ") {
        evidence.kind = Kind::PamSession;
        evidence.class = "pam-session";
        let bare = |name: &'a [u8]| cut(name, b"(uid=").map_or(name, |(name, _)| name);
        let (user, by) = token(user);
        evidence.user = bare(user);
        evidence.ruser = by.strip_prefix(b"by ").map_or(b"", |by| bare(token(by).0));
        evidence.weight = 0;
        return Line::Evidence(evidence);
    }
    if text.starts_with(b"conversation failed") || text.starts_with(b"auth could not identify password for [")
    {
        evidence.kind = Kind::PamAborted;
        evidence.class = "pam-aborted";
        evidence.weight = 0;
        if let Some((_, user)) = cut(text, b"password for [") {
            evidence.user = user.strip_suffix(b"]").unwrap_or(user);
        }
        return Line::Evidence(evidence);
    }
    if let Some(evidence) = modules::classify(evidence, text) {
        return Line::Evidence(evidence);
    }
    Line::Nothing("a PAM line that tells of no attempt")
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

fn with_fields<'a>(header: &Header<'a>, mut evidence: Evidence<'a>, text: &'a [u8]) -> Line<'a> {
    if let Some(rest) = text.strip_prefix(b"(uid=") {
        // `(uid=0) -> root for ssh service`
        if let Some((_, rest)) = cut(rest, b"->") {
            let rest = skip_blanks(rest);
            if let Some((user, service)) = cut_last(rest, b" for ") {
                evidence.user = user;
                evidence.service = match token(service).0 {
                    b"ssh" => b"sshd",
                    service => service,
                };
            }
        }
        return Line::Evidence(evidence);
    }
    if let Some(user) = text.strip_prefix(b"user=") {
        evidence.user = user;
        return Line::Evidence(evidence);
    }
    let Some(rest) = text.strip_prefix(b"logname=") else {
        return Line::Evidence(evidence);
    };
    // Numbers and a terminal: nothing before ` ruser=` is the remote user's word.
    let Some((before, rest)) = cut(rest, b" ruser=") else {
        evidence.rhost = cut(rest, b" rhost=").map_or(b"", |(_, rhost)| token(rhost).0);
        return Line::Evidence(evidence);
    };
    evidence.tty = cut(before, b" tty=").map_or(b"", |(_, tty)| tty);
    if evidence.module.starts_with(b"pam_krb5") && memchr::memmem::find(rest, b" user=").is_none() {
        return with_tried_logname(evidence, text);
    }
    if let Some(split) = split(&evidence, rest) {
        evidence.ruser = split.ruser;
        evidence.rhost = split.rhost;
        evidence.user = split.user;
        // pam_unix does not name who does not exist; a server that asked on behalf of a remote
        // client gives the name that was tried as ruser.
        let local = matches!(family(header.program), Family::Su | Family::Sudo | Family::Polkit);
        let of_server = !split.rhost.is_empty() || evidence.tty == header.program;
        if split.user.is_empty() && of_server && !local {
            evidence.user = split.ruser;
        }
    }
    Line::Evidence(evidence)
}

/// The pam_krb5 of Debian names in `logname=` who was tried, and has no `user=`. That name, and `ruser=`, may be
/// anything; the host stands last.
fn with_tried_logname<'a>(mut evidence: Evidence<'a>, text: &'a [u8]) -> Line<'a> {
    let fields = || {
        let (rest, rhost) = cut_last(text, b" rhost=")?;
        let (rest, ruser) = cut_last(rest, b" ruser=")?;
        let (rest, _) = cut_last(rest, b" uid=")?;
        Some((rest.strip_prefix(b"logname=")?, ruser, token(rhost).0))
    };
    if let Some(fields) = fields() {
        (evidence.user, evidence.ruser, evidence.rhost) = fields;
    }
    Line::Evidence(evidence)
}

#[derive(Clone, Copy)]
struct Split<'a> {
    ruser: &'a [u8],
    rhost: &'a [u8],
    user: &'a [u8],
    named: bool,
}

/// Split `RUSER rhost=RHOST  user=USER`, where RUSER and USER may be anything at all, ` rhost=` included.
///
/// sshd and most others leave RUSER empty, or name a local user: the first is the true one. Servers that fill it give
/// the name that was tried, as USER is: there it is the one in which both agree. pam_unix names an account that exists
/// here, which holds no such words, and else nobody: of its lines the last is the true one.
fn split<'a>(evidence: &Evidence<'_>, text: &'a [u8]) -> Option<Split<'a>> {
    let mut found = places(text, b" rhost=").take(SPLITS).filter_map(|at| split_at(text, at));
    if evidence.tty == b"ssh" || evidence.service == b"sshd" {
        return found.next();
    }
    let names_the_tried = [&b"ftp"[..], b"dovecot", b"pure-ftpd"].contains(&evidence.tty)
        || evidence.tty.starts_with(b"/dev/ftpd");
    let last = rfind(text, b" rhost=").and_then(|at| split_at(text, at));
    if evidence.module.starts_with(b"pam_unix") && last.is_some_and(|last| !last.named || !names_the_tried) {
        return last;
    }
    if names_the_tried {
        let agree = |split: &Split<'_>| split.named && split.ruser == split.user && !split.user.is_empty();
        return found.find(agree).or(last);
    }
    found.next()
}

fn split_at(text: &[u8], at: usize) -> Option<Split<'_>> {
    let rest = &text[at + b" rhost=".len()..];
    let (rhost, _) = token(rest);
    let tail = &rest[rhost.len()..];
    // A host that is not there leaves nothing before the blanks; what follows is `user=` or the end.
    let after = skip_blanks(tail);
    let (user, named) = match after.strip_prefix(b"user=") {
        Some(user) => (user, true),
        None if after.is_empty() || after == b"[preauth]" => (&b""[..], false),
        None => return None,
    };
    Some(Split { ruser: &text[..at], rhost, user, named })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(tag: &str, message: &str) -> Evidence<'static> {
        let line: &'static str = format!("Nov  3 09:05:01 srv {tag}: {message}").leak();
        match super::super::tests::taken(line) {
            Line::Evidence(evidence) => evidence,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn fields(evidence: &Evidence<'static>) -> [&'static str; 5] {
        [evidence.service, evidence.user, evidence.rhost, evidence.ruser, evidence.tty]
            .map(|f| std::str::from_utf8(f).unwrap())
    }

    const SSH: &str = "logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7";

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
        let evidence = told("PAM_pwdb[7]", "authentication failure; (uid=0) -> root for ssh service");
        assert_eq!(fields(&evidence), ["sshd", "root", "", "", ""]);
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
    fn a_forged_name_does_not_move_the_host() {
        let forged = "x rhost=198.51.100.9  user=x";
        // sshd: the name can only come last.
        let evidence =
            told("sshd[7]", &format!("pam_sss(sshd:auth): authentication failure; {SSH} user={forged}"));
        assert_eq!(fields(&evidence)[1..3], [forged, "192.0.2.7"]);
        // ftp: it comes before the host, and after it where the account exists.
        for tail in [String::new(), format!(" user={forged}")] {
            let message = format!(
                "pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser={forged} rhost=192.0.2.7 {tail}"
            );
            let evidence = told("vsftpd", &message);
            assert_eq!(fields(&evidence)[1..4], [forged, "192.0.2.7", forged], "{message}");
        }
        let many = " rhost=198.51.100.9 ".repeat(1000);
        let evidence =
            told("sshd[7]", &format!("pam_sss(sshd:auth): authentication failure; {SSH} user={many}"));
        assert_eq!(fields(&evidence)[2], "192.0.2.7");
    }

    #[test]
    fn a_name_made_of_fields_moves_no_host_whichever_field_it_stands_in() {
        let own = " rhost=192.0.2.7 ";
        for name in [
            " rhost=198.51.100.9 user=".to_owned(),
            " rhost=198.51.100.9 user=".repeat(300),
            format!("{own} rhost=198.51.100.9 user="),
            format!("x rhost=198.51.100.9 user={own}user=x"),
            "x rhost=198.51.100.9 user= rhost=192.0.2.7 user=x".to_owned(),
        ] {
            for (service, tty) in [
                ("vsftpd", "ftp"),
                ("dovecot", "dovecot"),
                ("pure-ftpd", "pure-ftpd"),
                ("proftpd", "/dev/ftpd7"),
            ] {
                // pam_unix knows no such account; pam_sss names whom it was asked for.
                for (module, tail) in [("pam_unix", " ".to_owned()), ("pam_sss", format!(" user={name}"))] {
                    let message = format!(
                        "{module}({service}:auth): authentication failure; logname= uid=0 euid=0 tty={tty} ruser={name} rhost=192.0.2.7{tail}"
                    );
                    assert_eq!(fields(&told(service, &message))[2], "192.0.2.7", "{message}");
                }
            }
            let message = format!(
                "pam_sss(cockpit:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=192.0.2.7 user={name}"
            );
            assert_eq!(fields(&told("cockpit-session", &message))[2], "192.0.2.7", "{message}");
            let message = format!(
                "pam_unix(rsh:auth): authentication failure; logname= uid=0 euid=0 tty=rsh ruser={name} rhost=192.0.2.7  user=bob"
            );
            assert_eq!(fields(&told("rshd", &message))[2], "192.0.2.7", "{message}");
            let message = format!(
                "pam_sss(su:auth): authentication failure; logname=bob uid=1000 euid=0 tty=/dev/pts/0 ruser=bob rhost= user={name}"
            );
            assert_eq!(fields(&told("su", &message))[2], "", "{message}");
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
            assert!(!matches!(super::super::tests::taken(&line), Line::Evidence(_)), "{message}");
        }
    }

    #[test]
    fn the_name_that_pam_krb5_has_in_logname_moves_no_host() {
        for name in
            ["bob", "", "x uid=0 euid=0 tty=y ruser=z rhost=198.51.100.9", " ruser= rhost=198.51.100.9 "]
        {
            for ruser in ["", name] {
                let message = format!(
                    "pam_krb5(ftp:auth): authentication failure; logname={name} uid=0 euid=0 tty=ftp ruser={ruser} rhost=192.0.2.7"
                );
                let evidence = told("vsftpd[7]", &message);
                assert_eq!(evidence.rhost, b"192.0.2.7", "{message}");
                assert!(evidence.user.starts_with(name.as_bytes()), "{message}");
            }
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
