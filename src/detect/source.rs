//! Where an attempt came from, as something to count by.

use std::net::IpAddr;

use super::key::Key;
use crate::event::{Asker, Event, Route};
use crate::journal::address::{self, network as counted};

/// Where an attempt came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    key: Key,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Address(IpAddr),
    Name,
    Asker,
    Terminal,
}

/// Digits of a key that are the network: its kind, and 16 bits of IPv4 or 48 of IPv6.
const V4_NETWORK: usize = 1 + 4;
const V6_NETWORK: usize = 1 + 12;
/// All of such a key.
const V4_KEY: usize = 1 + 8;
const V6_KEY: usize = 1 + 16;

impl Source {
    /// Of an attempt; none where nothing is known.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let of = |kind, key| Some(Self { key, kind });
        if !event.rhost.is_empty() {
            return match address::parse(&event.rhost) {
                Some(v4 @ IpAddr::V4(_)) => of(Kind::Address(v4), Key::of_number(b'4', 8, counted(v4))),
                Some(v6 @ IpAddr::V6(_)) => of(Kind::Address(v6), Key::of_number(b'6', 16, counted(v6))),
                None => of(Kind::Name, Key::of(&["n", &event.rhost])),
            };
        }
        let host = &event.host;
        match event.asker()? {
            // The lines of one attempt in a log do not all have the id; those that have it have the name too.
            _ if event.route == Route::Log && !event.ruser.is_empty() => {
                of(Kind::Asker, Key::of(&["a", host, " ", &event.ruser]))
            }
            Asker::Uid(uid) => of(Kind::Asker, Key::of(&["a", host, " ", &uid.to_string()])),
            Asker::User(user) => of(Kind::Asker, Key::of(&["a", host, " ", user])),
            // PAM names it with its directory, and login without.
            Asker::Terminal(terminal) => {
                let terminal = terminal.strip_prefix("/dev/").unwrap_or(terminal);
                of(Kind::Terminal, Key::of(&["t", host, " ", terminal]))
            }
        }
    }

    /// What it is counted by.
    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// Which address it is.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self.kind {
            Kind::Address(address) => Some(address),
            _ => None,
        }
    }

    /// Whether it is a user of the machine who asked for another account, or for more rights.
    pub(super) fn is_asker(&self) -> bool {
        self.kind == Kind::Asker
    }

    /// The beginning of its key that the others of its network have too; none at the machine itself.
    pub(super) fn network(&self) -> Option<&[u8]> {
        match self.kind {
            Kind::Address(_) | Kind::Name => Some(network(&self.key)),
            Kind::Asker | Kind::Terminal => None,
        }
    }
}

/// The beginning of a source's key that the others of its network have too; all of it where it has none.
pub(super) fn network(key: &Key) -> &[u8] {
    let key = key.bytes();
    let length = match key.first() {
        Some(b'4') => V4_NETWORK,
        Some(b'6') => V6_NETWORK,
        _ => key.len(),
    };
    key.get(..length).unwrap_or(key)
}

/// The same of the key of an address; none of every other key.
pub(super) fn network_of_address(key: &[u8]) -> Option<&[u8]> {
    let length = match (key.len(), key.first()?) {
        (V4_KEY, b'4') => V4_NETWORK,
        (V6_KEY, b'6') => V6_NETWORK,
        _ => return None,
    };
    // The key of an account has a blank, and before it what its machine is called.
    if key.contains(&b' ') { None } else { key.get(..length) }
}
