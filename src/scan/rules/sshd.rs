//! sshd's own lines: `auth_log` and `input_userauth_request` of OpenSSH.

use super::{Evidence, Kind, Line, cut, cut_last, rfind};
use crate::scan::header::{decimal, token};

pub(super) fn classify(message: &[u8]) -> Line<'_> {
    let message = message.strip_suffix(b" [preauth]").unwrap_or(message);
    if let Some(rest) = message.strip_prefix(b"Failed ") {
        return failed(rest);
    }
    if let Some(rest) = message.strip_prefix(b"Accepted ") {
        return accepted(rest);
    }
    if let Some(rest) =
        message.strip_prefix(b"Invalid user ").or_else(|| message.strip_prefix(b"Illegal user "))
    {
        let mut evidence = Evidence::new(Kind::SshdInvalidUser, "sshd-invalid-user", b"sshd");
        fill(&mut evidence, rest);
        return Line::Evidence(evidence);
    }
    let plain = message.strip_prefix(b"error: ").unwrap_or(message);
    if let Some(rest) = plain.strip_prefix(b"PAM: ") {
        return pam_error(rest);
    }
    for (start, why) in [
        (&b"maximum authentication attempts exceeded"[..], "restates attempts already told"),
        (b"Disconnecting", "restates attempts already told"),
        (b"Too many authentication failures", "restates attempts already told"),
        (b"Connection ", "the end of a connection"),
        (b"Disconnected from ", "the end of a connection"),
        (b"Received disconnect from ", "the end of a connection"),
        (b"input_userauth_request: ", "beside a line that is counted"),
        (b"Postponed ", "an exchange that goes on"),
        (b"Partial ", "an exchange that goes on"),
        (b"User ", "authorisation, not authentication"),
        (b"ROOT LOGIN REFUSED", "authorisation, not authentication"),
        (b"Could not get shadow information", "beside a line that is counted"),
    ] {
        if plain.starts_with(start) {
            return Line::Nothing(why);
        }
    }
    Line::Other
}

/// `password for invalid user X from 192.0.2.7 port 50310 ssh2`
fn failed(text: &[u8]) -> Line<'_> {
    let (method, rest) = token(text);
    let Some(rest) = rest.strip_prefix(b"for ") else {
        return Line::Other;
    };
    let (rest, invalid) =
        match rest.strip_prefix(b"invalid user ").or_else(|| rest.strip_prefix(b"illegal user ")) {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
    let (kind, class) = match method.split(|b| *b == b'/').next().unwrap_or_default() {
        b"none" => return Line::Nothing("the protocol's opening move"),
        b"password" => (Kind::SshdPassword, "sshd-failed-password"),
        b"keyboard-interactive" | b"challenge-response" | b"bsdauth" | b"skey" | b"pam" => {
            (Kind::SshdKeyboard, "sshd-failed-keyboard-interactive")
        }
        _ if invalid => (Kind::SshdKey, "sshd-failed-key"),
        _ => return Line::Nothing("a client tries several keys before a good one"),
    };
    let mut evidence = Evidence::new(kind, class, b"sshd");
    fill(&mut evidence, rest);
    Line::Evidence(evidence)
}

fn accepted(text: &[u8]) -> Line<'_> {
    let (method, rest) = token(text);
    let Some(rest) = rest.strip_prefix(b"for ") else {
        return Line::Other;
    };
    let mut evidence = Evidence::new(Kind::SshdAccepted, "sshd-accepted", b"sshd");
    fill(&mut evidence, rest);
    evidence.module = method;
    evidence.weight = 0;
    Line::Evidence(evidence)
}

/// `Authentication failure for illegal user X from 192.0.2.7`
fn pam_error(text: &[u8]) -> Line<'_> {
    if text.starts_with(b"Conversation error") || text.starts_with(b"conversation") {
        return Line::Nothing("a prompt that was left unanswered");
    }
    // The words of pam_strerror hold ` for ` themselves in one case.
    let exhausted: &[u8] = b"Have exhausted maximum number of retries for service";
    let after = match text.strip_prefix(exhausted) {
        Some(after) => after.strip_prefix(b" for "),
        None => cut(text, b" for ").map(|(_, rest)| rest),
    };
    let Some(rest) = after else {
        return Line::Nothing("an error of PAM that is no attempt");
    };
    let rest =
        rest.strip_prefix(b"illegal user ").or_else(|| rest.strip_prefix(b"invalid user ")).unwrap_or(rest);
    let Some((user, host)) = cut_last(rest, b" from ") else {
        return Line::Nothing("an error of PAM that is no attempt");
    };
    let mut evidence = Evidence::new(Kind::SshdPamError, "sshd-pam-error", b"sshd");
    evidence.user = user;
    evidence.rhost = token(host).0;
    Line::Evidence(evidence)
}

/// User, address and port of `X from 192.0.2.7 port 50310 ssh2`; the name may be anything.
fn fill<'a>(evidence: &mut Evidence<'a>, text: &'a [u8]) {
    evidence.user = text;
    let mut keyed = None;
    let (mut rest, mut tries) = (text, 32);
    while let Some(at) = rfind(rest, b" from ").filter(|_| tries > 0) {
        rest = &text[..at];
        tries -= 1;
        let Some((rhost, port, end)) = address(&text[at + 6..]) else { continue };
        let end = at + 6 + end;
        let found = (&text[..at], rhost, port);
        if end == text.len() {
            (evidence.user, evidence.rhost, evidence.port) = found;
            return;
        }
        // `ssh2: RSA SHA256:…`: what follows may be a certificate's id, which the client wrote, so
        // nothing that stands in it is believed while an earlier place will do.
        if text[end..].starts_with(b": ") {
            keyed = Some(found);
        }
    }
    if let Some(found) = keyed {
        (evidence.user, evidence.rhost, evidence.port) = found;
    }
}

/// `192.0.2.7`, or `192.0.2.7 port 50310`, or `192.0.2.7 port 50310 ssh2`; and where it ends.
fn address(text: &[u8]) -> Option<(&[u8], u32, usize)> {
    let host_end = memchr::memchr(b' ', text).unwrap_or(text.len());
    let rhost = &text[..host_end];
    if rhost.is_empty() {
        return None;
    }
    let Some(rest) = text[host_end..].strip_prefix(b" port ") else {
        return (host_end == text.len()).then_some((rhost, 0, host_end));
    };
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let port = decimal(&rest[..digits])?;
    let mut end = host_end + b" port ".len() + digits;
    for protocol in [&b" ssh2"[..], b" ssh1", b" ssh"] {
        if text[end..].starts_with(protocol) {
            end += protocol.len();
            break;
        }
    }
    Some((rhost, port, end))
}

#[cfg(test)]
mod tests {
    use super::super::tests::told;

    type Told = Option<(&'static str, u32, String, String)>;

    fn sshd(message: &str) -> Told {
        told("sshd[7]", message)
    }

    fn is(class: &'static str, weight: u32, user: &str, rhost: &str) -> Told {
        Some((class, weight, user.into(), rhost.into()))
    }

    #[test]
    fn refusals_by_method() {
        for (message, expected) in [
            (
                "Failed password for root from 192.0.2.7 port 50310 ssh2",
                is("sshd-failed-password", 1, "root", "192.0.2.7"),
            ),
            (
                "Failed password for invalid user x y from 2001:db8::7 port 1 ssh2",
                is("sshd-failed-password", 1, "x y", "2001:db8::7"),
            ),
            (
                "Failed password for illegal user x from 192.0.2.7 port 1",
                is("sshd-failed-password", 1, "x", "192.0.2.7"),
            ),
            (
                "Failed password for invalid user  from 192.0.2.7 port 1 ssh2",
                is("sshd-failed-password", 1, "", "192.0.2.7"),
            ),
            (
                "Failed password for invalid user x  from 192.0.2.7 port 1 ssh2 [preauth]",
                is("sshd-failed-password", 1, "x ", "192.0.2.7"),
            ),
            (
                "Failed keyboard-interactive/pam for root from 192.0.2.7 port 1 ssh2",
                is("sshd-failed-keyboard-interactive", 1, "root", "192.0.2.7"),
            ),
            (
                "Failed publickey for invalid user x from 192.0.2.7 port 1 ssh2: RSA SHA256:abc",
                is("sshd-failed-key", 1, "x", "192.0.2.7"),
            ),
            ("Failed publickey for root from 192.0.2.7 port 1 ssh2: RSA SHA256:abc", None),
            ("Failed none for invalid user x from 192.0.2.7 port 1 ssh2", None),
            (
                "error: PAM: Authentication failure for root from 192.0.2.7",
                is("sshd-pam-error", 1, "root", "192.0.2.7"),
            ),
            (
                "error: PAM: User not known to the underlying authentication module for illegal user x for y from 192.0.2.7",
                is("sshd-pam-error", 1, "x for y", "192.0.2.7"),
            ),
            (
                "error: PAM: authentication error for root from ssh.example.org via 192.0.2.7",
                is("sshd-pam-error", 1, "root", "ssh.example.org"),
            ),
            (
                "error: PAM: Have exhausted maximum number of retries for service for root from 192.0.2.7",
                is("sshd-pam-error", 1, "root", "192.0.2.7"),
            ),
            ("error: PAM: Conversation error for root from 192.0.2.7", None),
            ("Invalid user x from 192.0.2.7 port 40000", is("sshd-invalid-user", 1, "x", "192.0.2.7")),
            ("Illegal user x from 192.0.2.7", is("sshd-invalid-user", 1, "x", "192.0.2.7")),
            ("Invalid user  from 192.0.2.7 port 40000", is("sshd-invalid-user", 1, "", "192.0.2.7")),
        ] {
            assert_eq!(sshd(message), expected, "{message}");
        }
    }

    #[test]
    fn what_only_restates_counts_nothing() {
        for message in [
            "error: maximum authentication attempts exceeded for root from 192.0.2.7 port 1 ssh2 [preauth]",
            "Disconnecting authenticating user root 192.0.2.7 port 1: Too many authentication failures [preauth]",
            "Connection closed by invalid user Failed password for root from 198.51.100.9 192.0.2.7 port 1 [preauth]",
            "input_userauth_request: invalid user x [preauth]",
            "User root from 192.0.2.7 not allowed because not listed in AllowUsers",
            "PAM service(sshd) ignoring max retries; 6 > 3",
            "Postponed keyboard-interactive for root from 192.0.2.7 port 1 ssh2 [preauth]",
        ] {
            assert_eq!(sshd(message), None, "{message}");
        }
    }

    #[test]
    fn a_forged_name_moves_neither_address_nor_count() {
        for forged in [
            "x from 198.51.100.9 port 22 ssh2",
            "x from 198.51.100.9",
            "root from 198.51.100.9 port 22 ssh2: RSA SHA256:abc",
            "Accepted password for root from 198.51.100.9 port 22 ssh2",
            "x rhost=198.51.100.9 ",
            " from ",
            "from",
            "\u{7f}\\033[2J",
        ] {
            for line in [
                "Failed password for invalid user {} from 192.0.2.7 port 1 ssh2",
                "Invalid user {} from 192.0.2.7 port 1",
            ] {
                let line = line.replace("{}", forged);
                let (_, weight, user, rhost) = sshd(&line).unwrap();
                assert_eq!((weight, user.as_str(), rhost.as_str()), (1, forged, "192.0.2.7"), "{line}");
            }
            let (_, weight, user, rhost) =
                sshd(&format!("error: PAM: Authentication failure for illegal user {forged} from 192.0.2.7"))
                    .unwrap();
            assert_eq!((weight, user.as_str(), rhost.as_str()), (1, forged, "192.0.2.7"));
        }
        let certificate = "Failed publickey for invalid user x from 192.0.2.7 port 1 ssh2: ED25519-CERT SHA256:a ID y from 198.51.100.9 port 2 ssh2: z";
        assert_eq!(sshd(certificate).unwrap().3, "192.0.2.7");
    }
}
