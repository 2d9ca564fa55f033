//! sudo in its own words.

use super::words::{cut, leading_number};
use super::{Evidence, Kind, Line};
use crate::scan::header::token;
use crate::scan::stamp::skip_blanks;

/// `     bob : 3 incorrect password attempts ; TTY=pts/0 ; PWD=… ; USER=root ; COMMAND=…`
pub(super) fn classify(message: &[u8]) -> Line<'_> {
    if let Some(json) = message.strip_prefix(b"@cee:") {
        return as_json(skip_blanks(json));
    }
    let Some((ruser, rest)) = cut(skip_blanks(message), b" : ") else {
        return Line::Other;
    };
    let Some((tries, rest)) = leading_number(rest) else {
        return ran(ruser, rest);
    };
    if !is_refusal(rest) {
        return Line::Other;
    }
    let mut evidence = Evidence::new(Kind::Program, "sudo-incorrect-password", b"sudo");
    evidence.weight = tries;
    // sudo asks for the password of the one who calls it.
    (evidence.ruser, evidence.user) = (ruser, ruser);
    if let Some((_, tty)) = cut(rest, b" TTY=") {
        evidence.tty = token(tty).0;
    }
    Line::Evidence(evidence)
}

/// `TTY=pts/3 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/id`: what stands before that in other lines is why it
/// was not run.
fn ran<'a>(ruser: &'a [u8], fields: &'a [u8]) -> Line<'a> {
    let names_a_field =
        cut(token(fields).0, b"=").is_some_and(|(key, _)| key.iter().all(u8::is_ascii_uppercase));
    if !names_a_field || cut(fields, b"COMMAND=").is_none() {
        return Line::Nothing("authorisation, not authentication");
    }
    let tty = fields.strip_prefix(b"TTY=").map_or(&b""[..], |tty| token(tty).0);
    Line::Evidence(Evidence { user: ruser, ruser, tty, ..Evidence::success(b"sudo") })
}

/// The same where sudoers has `log_format=json`: `{"sudo":{"reject":{…,"reason":"3 incorrect password attempts",…`.
/// A quote inside a value is escaped, so no value can pose as a field.
fn as_json(json: &[u8]) -> Line<'_> {
    let Some(json) = json.strip_prefix(b"{\"sudo\":{\"") else { return Line::Other };
    let ruser = field(json, b"\"submituser\":\"");
    let tty = field(json, b"\"ttyname\":\"");
    if json.starts_with(b"accept\":") {
        return Line::Evidence(Evidence { user: ruser, ruser, tty, ..Evidence::success(b"sudo") });
    }
    let Some(tries) = leading_number(field(json, b"\"reason\":\"")).filter(|(_, rest)| is_refusal(rest))
    else {
        return Line::Nothing("authorisation, not authentication");
    };
    let mut evidence = Evidence::new(Kind::Program, "sudo-incorrect-password", b"sudo");
    (evidence.weight, evidence.user, evidence.ruser, evidence.tty) = (tries.0, ruser, ruser, tty);
    Line::Evidence(evidence)
}

fn field<'a>(json: &'a [u8], key: &'static [u8]) -> &'a [u8] {
    let value = cut(json, key).map_or(&b""[..], |(_, value)| value);
    &value[..memchr::memchr(b'"', value).unwrap_or(0)]
}

/// What follows the number of wrong passwords.
fn is_refusal(text: &[u8]) -> bool {
    text.starts_with(b" incorrect password attempt") || text.starts_with(b" incorrect authentication attempt")
}
