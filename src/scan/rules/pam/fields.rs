//! The fields of a PAM module's line, most of which a remote user may have written.
//!
//! `logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root`

use super::super::words::{cut, cut_last, places, rfind};
use super::super::{Evidence, Family, Line, family};
use crate::scan::header::{Header, token};
use crate::scan::stamp::skip_blanks;

/// Remote names may hold ` rhost=` many times; more splits than this are not tried.
const SPLITS: usize = 1024;

pub(super) fn with_fields<'a>(header: &Header<'a>, mut evidence: Evidence<'a>, text: &'a [u8]) -> Line<'a> {
    if let Some((ruser, rest)) = cut(text, b"(uid=").filter(|(ruser, _)| !ruser.contains(&b'=')) {
        // `(uid=0) -> root for ssh service`, `bob(uid=1000) -> root for su service`
        if let Some((_, rest)) = cut(rest, b") -> ") {
            if let Some((user, service)) = cut_last(rest, b" for ") {
                evidence.user = if user == b"**unknown**" { b"" } else { user };
                // login is nobody's yet.
                evidence.ruser = if ruser == b"LOGIN" { b"" } else { ruser };
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
    use super::super::tests::{SSH, fields, told};

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
}
