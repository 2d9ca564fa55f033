//! Where an attempt came from, as something to count by.

use std::net::IpAddr;

use compact_str::{CompactString, format_compact};

use crate::event::{Asker, Event, Route};
use crate::journal::address::{self, network as counted};

/// Where an attempt came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    key: CompactString,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    V4,
    V6,
    Name,
    Asker,
    Terminal,
}

/// Digits of a key that are the network: its kind, and 16 bits of IPv4 or 48 of IPv6.
const V4_NETWORK: usize = 1 + 4;
const V6_NETWORK: usize = 1 + 12;

impl Source {
    /// Of an attempt; none where nothing is known.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let of = |kind, key: CompactString| Some(Self { key, kind });
        match address::parse(&event.rhost) {
            Some(v4 @ IpAddr::V4(_)) => return of(Kind::V4, format_compact!("4{:08x}", counted(v4))),
            Some(v6 @ IpAddr::V6(_)) => return of(Kind::V6, format_compact!("6{:016x}", counted(v6))),
            None if !event.rhost.is_empty() => return of(Kind::Name, format_compact!("n{}", event.rhost)),
            None => {}
        }
        let host = &event.host;
        match event.asker()? {
            // The lines of one attempt in a log do not all have the id; those that have it have the name too.
            _ if event.route == Route::Log && !event.ruser.is_empty() => {
                of(Kind::Asker, format_compact!("a{host} {}", event.ruser))
            }
            Asker::Uid(uid) => of(Kind::Asker, format_compact!("a{host} {uid}")),
            Asker::User(user) => of(Kind::Asker, format_compact!("a{host} {user}")),
            Asker::Terminal(terminal) => of(Kind::Terminal, format_compact!("t{host} {terminal}")),
        }
    }

    /// What it is counted by.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Whether it is a user of the machine who asked for another account, or for more rights.
    pub(super) fn is_asker(&self) -> bool {
        self.kind == Kind::Asker
    }

    /// The beginning of its key that the others of its network have too; none at the machine itself.
    pub(super) fn network(&self) -> Option<&str> {
        match self.kind {
            Kind::V4 | Kind::V6 | Kind::Name => Some(network(&self.key)),
            Kind::Asker | Kind::Terminal => None,
        }
    }
}

/// The beginning of a source's key that the others of its network have too; all of it where it has none.
pub(super) fn network(key: &str) -> &str {
    let length = match key.as_bytes().first() {
        Some(b'4') => V4_NETWORK,
        Some(b'6') => V6_NETWORK,
        _ => key.len(),
    };
    key.get(..length).unwrap_or(key)
}
