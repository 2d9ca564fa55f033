//! Names of a member of a fleet: whether there is such an account is known there, and travels in the origin of its
//! records.
//!
//! ```text
//! fleet:18b0c1d2e3f40516:4711:eu    epoch, number, what the tried name is, what the asker's name is
//! ```
//!
//! The same origin says which record it is, so that none is recorded twice.

use std::fmt::{self, Write as _};

use super::AccountKind;
use crate::event::{CLAIMED, Event};

const PREFIX: &str = "fleet:";
/// Behind the kinds: the member alerted of it itself.
const TOLD: char = 't';

/// What the origin of a member's record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// When the member's numbers began.
    pub epoch: u64,
    /// Its number.
    pub number: u64,
    /// What the tried name is on the member.
    pub user: AccountKind,
    /// What the asker's name is on the member.
    pub ruser: AccountKind,
    /// The member alerted of it by its own receivers.
    pub told: bool,
    /// See [`Event::is_claimed`].
    pub claimed: bool,
}

impl Origin {
    /// That of `event`, where a member's record it is.
    pub fn of(event: &Event) -> Option<Self> {
        let text = event.origin.as_deref()?.strip_prefix(PREFIX)?;
        if event.host.is_empty() {
            return None;
        }
        let mut parts = text.split(':');
        let (epoch, number, kinds) = (parts.next()?, parts.next()?, parts.next()?);
        let mut letters = kinds.chars();
        Some(Self {
            epoch: u64::from_str_radix(epoch, 16).ok()?,
            number: number.parse().ok()?,
            user: kind_of(letters.next()?)?,
            ruser: kind_of(letters.next()?)?,
            told: letters.as_str().contains(TOLD),
            claimed: letters.as_str().contains(CLAIMED),
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, number, user, ruser, told, claimed } = *self;
        write!(f, "{PREFIX}{epoch:016x}:{number}:{}{}", letter(user), letter(ruser))?;
        [(told, TOLD), (claimed, CLAIMED)]
            .into_iter()
            .filter(|(is_so, _)| *is_so)
            .try_for_each(|(_, mark)| f.write_char(mark))
    }
}

fn letter(kind: AccountKind) -> char {
    match kind {
        AccountKind::Existing => 'e',
        AccountKind::Root => 'r',
        AccountKind::System => 's',
        AccountKind::Unknown => 'u',
    }
}

fn kind_of(letter: char) -> Option<AccountKind> {
    Some(match letter {
        'e' => AccountKind::Existing,
        'r' => AccountKind::Root,
        's' => AccountKind::System,
        'u' => AccountKind::Unknown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Class, Route};

    fn event(host: &str, origin: &str) -> Event {
        Event {
            time: jiff::Timestamp::UNIX_EPOCH,
            host: host.into(),
            route: Route::Pam,
            class: Class::Failure,
            count: 1,
            service: "sshd".into(),
            pid: 1,
            ppid: 0,
            user: "alice".into(),
            rhost: String::new(),
            tty: String::new(),
            ruser: String::new(),
            uid: 0,
            origin: Some(origin.into()),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for (told, claimed) in [(false, false), (true, false), (false, true), (true, true)] {
            let (user, ruser) = (AccountKind::Existing, AccountKind::System);
            let origin = Origin { epoch: 0xaffe, number: 4711, user, ruser, told, claimed };
            let event = event("web1", &origin.to_string());
            assert_eq!(Origin::of(&event), Some(origin));
            let login = Event { class: Class::Login, route: Route::Log, ..event };
            assert_eq!(login.is_claimed(), claimed);
        }
    }

    #[test]
    fn a_place_in_a_log_is_none() {
        for origin in ["/var/log/auth.log:4711", "fleet:", "fleet:x:1:ee", "fleet:1:1:e", "fleet:1:1:xx"] {
            assert_eq!(Origin::of(&event("web1", origin)), None, "{origin}");
        }
        // Of this machine itself.
        assert_eq!(Origin::of(&event("", "fleet:1:1:ee")), None);
    }
}
