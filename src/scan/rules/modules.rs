//! PAM modules that do not say `authentication failure; logname=…`, in their own words.

use super::{Evidence, Kind, cut, cut_last, quoted};
use crate::scan::header::token;

/// Refusals whose words end in the name that was tried.
const WRONG: [&[u8]; 7] = [
    // pam_google_authenticator
    b"Invalid verification code for ",
    // pam_pwdfile
    b"wrong password for user ",
    b"bad password for user ",
    b"incorrect password for user ",
    b"invalid password for user ",
    b"authentication failed for user ",
    b"Authentication failed for user ",
];
/// Refusals that name nobody: an older pam_google_authenticator, pam_pwdfile, pam_tacplus.
const WRONG_OF_NOBODY: [&[u8]; 3] =
    [b"Invalid verification code", b"user not found in password database", b"auth failed"];

/// What `text` tells, where the module has words of its own for it.
pub(super) fn classify<'a>(mut evidence: Evidence<'a>, text: &'a [u8]) -> Option<Evidence<'a>> {
    let success = |user: &'a [u8]| Evidence {
        kind: Kind::PamSuccess,
        class: "pam-success",
        weight: 0,
        user,
        ..evidence
    };
    if let Some(user) = WRONG.iter().find_map(|words| text.strip_prefix(*words)) {
        evidence.user = quoted(user.strip_suffix(b".").unwrap_or(user));
        return Some(evidence);
    }
    if WRONG_OF_NOBODY.iter().any(|words| text.starts_with(words)) {
        return Some(evidence);
    }
    if let Some(rest) = duo(text, b"Failed") {
        (evidence.user, evidence.rhost) = rest;
        return Some(evidence);
    }
    if let Some((user, _)) = duo(text, b"Successful") {
        return Some(success(user));
    }
    if let Some(user) = text.strip_prefix(b"Accepted google_authenticator for ") {
        return Some(success(user));
    }
    // pam_winbind, pam_userdb and the pam_krb5s.
    if let Some(rest) = text.strip_prefix(b"user '").or_else(|| text.strip_prefix(b"user `")) {
        if let Some((user, _)) = cut_last(rest, b"' denied access (incorrect password") {
            evidence.user = user;
            return Some(evidence);
        }
        if let Some((user, _)) = cut_last(rest, b"' granted access") {
            return Some(success(user));
        }
    }
    if let Some((user, _)) = text.strip_prefix(b"user ").and_then(|rest| cut(rest, b" authenticated as ")) {
        return Some(success(user));
    }
    if let Some((user, _)) =
        text.strip_prefix(b"authentication fails for '").and_then(|rest| cut(rest, b"' ("))
    {
        evidence.user = user;
        return Some(evidence);
    }
    text.strip_prefix(b"authentication succeeds for '")
        .and_then(|rest| cut(rest, b"' ("))
        .map(|(user, _)| success(user))
}

/// User and address of `Failed Duo login for 'alice' from 192.0.2.7`, with or without a reason after `: `.
pub(super) fn duo<'a>(text: &'a [u8], word: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let rest = text.strip_prefix(word)?.strip_prefix(b" Duo login for '")?;
    // The name is that of an account; the reason is Duo's.
    let (user, after) = cut(rest, b"'")?;
    let from = after.strip_prefix(b" from ").map_or(&b""[..], |from| token(from).0);
    Some((user, from.strip_suffix(b":").unwrap_or(from)))
}
