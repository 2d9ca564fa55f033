//! sshd's own lines: `auth_log` and `input_userauth_request` of OpenSSH.

mod address;

use std::net::IpAddr;

use super::words::{cut, cut_last};
use super::{Evidence, Kind, Line};
use crate::scan::header::{decimal, token};
use address::{fill, fill_bare, fill_to_end};

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
        fill_to_end(&mut evidence, rest);
        return Line::Evidence(evidence);
    }
    if let Some(evidence) = denied(message) {
        return Line::Evidence(evidence);
    }
    let plain = message.strip_prefix(b"error: ").unwrap_or(message);
    if let Some(rest) = plain.strip_prefix(b"PAM: ") {
        return pam_error(rest);
    }
    if let Some(evidence) = left(plain) {
        return Line::Evidence(evidence);
    }
    if let Some(evidence) = client(plain) {
        return Line::Evidence(evidence);
    }
    for (start, why) in [
        (&b"maximum authentication attempts exceeded"[..], "names nobody"),
        (b"Disconnecting", "names nobody"),
        (b"Too many authentication failures", "names nobody"),
        (b"Connection ", "the end of a connection"),
        (b"Disconnected from ", "the end of a connection"),
        (b"Received disconnect from ", "the end of a connection"),
        (b"input_userauth_request: ", "no attempt by itself"),
        (b"Postponed ", "an exchange that goes on"),
        (b"Partial ", "an exchange that goes on"),
        (b"User ", "authorisation, not authentication"),
        (b"Could not get shadow information", "no attempt by itself"),
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
    let rest =
        rest.strip_prefix(b"invalid user ").or_else(|| rest.strip_prefix(b"illegal user ")).unwrap_or(rest);
    let (kind, class) = match method.split(|b| *b == b'/').next().unwrap_or_default() {
        b"none" => return Line::Nothing("the protocol's opening move"),
        b"password" => (Kind::SshdPassword, "sshd-failed-password"),
        b"keyboard-interactive" | b"challenge-response" | b"bsdauth" | b"skey" | b"pam" => {
            (Kind::SshdKeyboard, "sshd-failed-keyboard-interactive")
        }
        // A client tries several keys before a good one: that none was good shows at the end.
        _ => (Kind::SshdKey, "sshd-failed-key"),
    };
    let mut evidence = Evidence::new(kind, class, b"sshd");
    fill(&mut evidence, rest);
    Line::Evidence(evidence)
}

/// PAM's account stack kept somebody out whose password or key was right: sshd told of that as refused in the line
/// before. `fatal: Access denied for user bob by PAM account configuration`
fn denied(text: &[u8]) -> Option<Evidence<'_>> {
    let user = text
        .strip_prefix(b"fatal: ")
        .unwrap_or(text)
        .strip_prefix(b"Access denied for user ")?
        .strip_suffix(b" by PAM account configuration")?;
    Some(Evidence { user, weight: 0, ..Evidence::new(Kind::SshdDenied, "sshd-account-denied", b"sshd") })
}

/// How a connection ended, or will, that named a user and was not let in. Where nothing else is told of the
/// process, that is an attempt: keys were refused, or the account is not allowed in.
///
/// `Connection closed by authenticating user root 192.0.2.7 port 64535`, `maximum authentication attempts
/// exceeded for root from 192.0.2.7 port 4000 ssh2`, `User root from 192.0.2.7 not allowed because …`.
fn left(text: &[u8]) -> Option<Evidence<'_>> {
    let mut evidence = Evidence::new(Kind::SshdLeft, "sshd-not-let-in", b"sshd");
    for end in [
        &b"Connection closed by "[..],
        b"Connection reset by ",
        b"Disconnected from ",
        b"Disconnecting ",
        b"Connection terminated by ",
    ] {
        let Some(rest) = text.strip_prefix(end) else { continue };
        let rest =
            rest.strip_prefix(b"authenticating user ").or_else(|| rest.strip_prefix(b"invalid user "))?;
        evidence.kind = Kind::SshdEnd;
        fill_bare(&mut evidence, rest);
        return Some(evidence);
    }
    if let Some(rest) = text.strip_prefix(b"maximum authentication attempts exceeded for ") {
        fill(&mut evidence, rest.strip_prefix(b"invalid user ").unwrap_or(rest));
        return Some(evidence);
    }
    let many = text.strip_prefix(b"Disconnecting: ").unwrap_or(text);
    if let Some(user) = many.strip_prefix(b"Too many authentication failures for ") {
        // Versions 6.7 to 7.4 alone give an address. An older one says of no name that it is no account's, and such a name may
        // hold the words of an address: it is believed as in lines about keys, where nothing else tells one.
        let unknown = user.strip_prefix(b"invalid user ");
        if unknown.is_none() {
            fill(&mut evidence, user);
            evidence.kind = Kind::SshdKey;
        }
        if evidence.port == 0 {
            (evidence.user, evidence.rhost) = (unknown.unwrap_or(user), b"");
        }
        return Some(evidence);
    }
    if let Some(rest) = text.strip_prefix(b"ROOT LOGIN REFUSED FROM ") {
        let (rhost, rest) = token(rest);
        evidence.user = b"root";
        evidence.rhost = rhost;
        evidence.port = rest.strip_prefix(b"port ").and_then(decimal).unwrap_or(0);
        return Some(evidence);
    }
    // The reason is sshd's, and may hold a list of names; the user's name, from the client, may hold the same words.
    let (who, _) = cut_last(text.strip_prefix(b"User ")?, b" not allowed because ")?;
    (evidence.user, evidence.rhost) = cut_last(who, b" from ").unwrap_or((who, b""));
    Some(evidence)
}

/// Where a client was whose end names nobody: older ones tell the name and the address in two lines.
/// `Connection closed by 192.0.2.7`, `Received disconnect from 192.0.2.7: 11: Bye`
fn client(text: &[u8]) -> Option<Evidence<'_>> {
    let rest = text
        .strip_prefix(b"Connection closed by ")
        .or_else(|| text.strip_prefix(b"Received disconnect from "))?;
    let host = token(rest).0;
    let host = host.strip_suffix(b":").unwrap_or(host);
    let is_address = std::str::from_utf8(host).is_ok_and(|host| host.parse::<IpAddr>().is_ok());
    let evidence = Evidence::new(Kind::Client, "sshd-client", b"sshd");
    is_address.then_some(Evidence { weight: 0, rhost: host, ..evidence })
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
        return Line::Evidence(Evidence {
            weight: 0,
            ..Evidence::new(Kind::PamAborted, "pam-aborted", b"sshd")
        });
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
    // Of an account that is not let in: the password was right, and the refusal comes after this line.
    let of_account = [
        &b"User account has expired"[..],
        b"Authentication token is no longer valid",
        b"Authentication token expired",
    ];
    let mut evidence = Evidence::new(Kind::SshdPamError, "sshd-pam-error", b"sshd");
    if of_account.iter().any(|words| text.starts_with(words)) {
        evidence = Evidence::new(Kind::SshdDenied, "sshd-account-denied", b"sshd");
        (evidence.weight, evidence.module) = (0, b"keyboard-interactive");
    }
    evidence.user = user;
    evidence.rhost = token(host).0;
    Line::Evidence(evidence)
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
            (
                "Failed publickey for root from 192.0.2.7 port 1 ssh2: RSA SHA256:abc",
                is("sshd-failed-key", 1, "root", "192.0.2.7"),
            ),
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
            ("error: PAM: Conversation error for root from 192.0.2.7", is("pam-aborted", 0, "", "")),
            (
                "error: PAM: User account has expired for root from 192.0.2.7",
                is("sshd-account-denied", 0, "root", "192.0.2.7"),
            ),
            (
                "fatal: Access denied for user alice by PAM account configuration [preauth]",
                is("sshd-account-denied", 0, "alice", ""),
            ),
            (
                "Failed password for root from 192.0.2.7 port 1 ssh1: ruser from 198.51.100.9",
                is("sshd-failed-password", 1, "root", "192.0.2.7"),
            ),
            (
                "Failed password for invalid user x from 2001:db8::7",
                is("sshd-failed-password", 1, "x", "2001:db8::7"),
            ),
            ("Invalid user x from 192.0.2.7 port 40000", is("sshd-invalid-user", 1, "x", "192.0.2.7")),
            ("Illegal user x from 192.0.2.7", is("sshd-invalid-user", 1, "x", "192.0.2.7")),
            ("Invalid user  from 192.0.2.7 port 40000", is("sshd-invalid-user", 1, "", "192.0.2.7")),
        ] {
            assert_eq!(sshd(message), expected, "{message}");
        }
    }

    #[test]
    fn who_is_not_let_in_is_known_by_the_end() {
        let port = "192.0.2.7 port 1";
        for (message, user, rhost) in [
            (format!("Connection closed by authenticating user root {port} [preauth]"), "root", "192.0.2.7"),
            (format!("Connection closed by invalid user x y {port} [preauth]"), "x y", "192.0.2.7"),
            (format!("Connection closed by invalid user  {port} [preauth]"), "", "192.0.2.7"),
            (format!("Connection reset by authenticating user root {port} [preauth]"), "root", "192.0.2.7"),
            (format!("Disconnected from authenticating user root {port} [preauth]"), "root", "192.0.2.7"),
            ("Disconnected from invalid user x 2001:db8::7 port 1".into(), "x", "2001:db8::7"),
            (
                format!(
                    "Disconnecting authenticating user root {port}: Too many authentication failures [preauth]"
                ),
                "root",
                "192.0.2.7",
            ),
            (
                format!(
                    "Disconnecting authenticating user root {port}: Change of username or service not allowed: (root,ssh-connection) -> (x 198.51.100.9 port 2,ssh-connection) [preauth]"
                ),
                "root",
                "192.0.2.7",
            ),
            (
                format!(
                    "Connection closed by invalid user Failed password for root from 198.51.100.9 {port}"
                ),
                "Failed password for root from 198.51.100.9",
                "192.0.2.7",
            ),
            (
                format!("Connection closed by invalid user x 198.51.100.9 port 2 {port} [preauth]"),
                "x 198.51.100.9 port 2",
                "192.0.2.7",
            ),
            (
                format!(
                    "error: maximum authentication attempts exceeded for root from {port} ssh2 [preauth]"
                ),
                "root",
                "192.0.2.7",
            ),
            (
                format!(
                    "error: maximum authentication attempts exceeded for invalid user x from {port} ssh2"
                ),
                "x",
                "192.0.2.7",
            ),
            ("Disconnecting: Too many authentication failures for root [preauth]".into(), "root", ""),
            (
                "Disconnecting: Too many authentication failures for root from 192.0.2.7 port 64 ssh2 [preauth]"
                    .into(),
                "root",
                "192.0.2.7",
            ),
            (
                "Disconnecting: Too many authentication failures for invalid user x from 198.51.100.9 port 22 ssh2 [preauth]"
                    .into(),
                "x from 198.51.100.9 port 22 ssh2",
                "",
            ),
            (
                "Disconnecting: Too many authentication failures for x from 198.51.100.9 [preauth]".into(),
                "x from 198.51.100.9",
                "",
            ),
            (
                "User root from 192.0.2.7 not allowed because not listed in AllowUsers".into(),
                "root",
                "192.0.2.7",
            ),
            ("User x not allowed because shell /bin/false does not exist".into(), "x", ""),
            ("ROOT LOGIN REFUSED FROM 192.0.2.7 port 1".into(), "root", "192.0.2.7"),
        ] {
            assert_eq!(sshd(&message), is("sshd-not-let-in", 1, user, rhost), "{message}");
        }
    }

    #[test]
    fn the_end_of_a_client_tells_where_it_was() {
        for message in [
            "Connection closed by 192.0.2.7 port 1 [preauth]",
            "Connection closed by 192.0.2.7 [preauth]",
            "Received disconnect from 192.0.2.7 port 1:11: authenticating user x [preauth]",
            "Received disconnect from 192.0.2.7: 11: Bye [preauth]",
        ] {
            assert_eq!(sshd(message), is("sshd-client", 0, "", "192.0.2.7"), "{message}");
        }
    }

    #[test]
    fn what_names_nobody_counts_nothing() {
        for message in [
            "Connection reset by 192.0.2.7 port 1 [preauth]",
            "Disconnected from 192.0.2.7 port 1 [preauth]",
            "Disconnected from user alice 192.0.2.7 port 1",
            "Disconnecting: Too many authentication failures [preauth]",
            "fatal: Timeout before authentication for 192.0.2.7 port 1",
            "input_userauth_request: invalid user x [preauth]",
            "User child is on pid 71",
            "PAM service(sshd) ignoring max retries; 6 > 3",
            "Postponed keyboard-interactive for root from 192.0.2.7 port 1 ssh2 [preauth]",
            "Failed none for root from 192.0.2.7 port 1 ssh2",
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
                // As sshd does.
                let forged = forged.split(':').next().unwrap();
                let line = line.replace("{}", forged);
                let (_, weight, user, rhost) = sshd(&line).unwrap();
                assert_eq!((weight, user.as_str(), rhost.as_str()), (1, forged, "192.0.2.7"), "{line}");
            }
            let (_, weight, user, rhost) =
                sshd(&format!("error: PAM: Authentication failure for illegal user {forged} from 192.0.2.7"))
                    .unwrap();
            assert_eq!((weight, user.as_str(), rhost.as_str()), (1, forged, "192.0.2.7"));
        }
        // The name, the id of a certificate and the user at the client are all the client's words.
        let key = "ED25519 SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
        let forged = "x from 198.51.100.9 port 22 ssh2: RSA SHA256:abc";
        let name = "x from 198.51.100.9 port 22 ssh2";
        for line in [
            format!("Failed publickey for invalid user {name} from 192.0.2.7 port 1 ssh2: {key}"),
            format!("Failed password for invalid user x from 192.0.2.7 port 1 ssh2: {name}"),
            format!("Failed gssapi-with-mic for invalid user x from 192.0.2.7 port 1 ssh2: {forged}"),
            format!(
                "Failed publickey for invalid user x from 192.0.2.7 port 1 ssh2: ED25519-CERT SHA256:a ID {forged} (serial 1) CA {key}"
            ),
            format!(
                "Failed publickey for invalid user x from 192.0.2.7 port 1 ssh2: ED25519-CERT SHA256:a ID {} (serial 1) CA {key}",
                forged.repeat(40)
            ),
            format!(
                "Failed hostbased for invalid user x from 192.0.2.7 port 1 ssh2: {key}, client user \"{forged}\", client host \"srv\""
            ),
        ] {
            assert_eq!(sshd(&line).unwrap().3, "192.0.2.7", "{line}");
        }
        // Before OpenSSH 7 these lines had no port; one inside the name is not the true one.
        let old = "Invalid user x from 198.51.100.9 port 22 ssh2: y from 192.0.2.7";
        assert_eq!(sshd(old).unwrap().3, "192.0.2.7");
    }
}
