//! What a record must be to be that of a row.

use super::Record;
use crate::event::Class;
use crate::scan::attempts::Row;
use crate::scan::hash::short;
use crate::scan::origin::{Log, StreamId, host, is_keyboard, name};

/// What a record is of. One stands for no line about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An attempt; one that was aborted is a failure to a log.
    Attempt,
    Login,
    /// From where attempts came.
    Address,
}

impl Kind {
    pub(super) fn of(class: Class) -> Self {
        match class {
            Class::Failure | Class::Aborted | Class::Test => Self::Attempt,
            Class::Login => Self::Login,
            Class::Address => Self::Address,
        }
    }
}

/// What a record must be to be that of a row.
pub(super) struct Sought {
    pub(super) log: Log,
    pub(super) since: i64,
    pub(super) service: u32,
    pub(super) user: u32,
    pub(super) rhost: u32,
    pub(super) ruser: u32,
    pub(super) kind: Kind,
}

impl Sought {
    pub(super) fn new(row: &Row, class: Class, stream: StreamId) -> Self {
        Self {
            log: Log {
                stream: stream.0,
                host: host(&row.host),
                relayed: row.is_relayed(),
                keyboard: is_keyboard(row),
                contained: row.container != 0,
                saved: 0,
            },
            since: row.began(),
            service: short(&[base(&row.service).as_bytes()]),
            user: name(&row.user),
            rhost: name(&row.rhost),
            ruser: name(&row.ruser),
            kind: Kind::of(class),
        }
    }

    /// Nothing speaks against it.
    pub(super) fn agrees(&self, record: &Record) -> bool {
        self.names(record).iter().all(|(a, b)| agree(*a, *b))
    }

    /// Nothing speaks against it, and a name speaks for it.
    pub(super) fn is_exactly(&self, record: &Record) -> bool {
        self.agrees(record) && self.names(record).iter().any(|(a, b)| *a != 0 && a == b)
    }

    fn names(&self, record: &Record) -> [(u32, u32); 3] {
        [(record.user, self.user), (record.rhost, self.rhost), (record.ruser, self.ruser)]
    }
}

/// A program's tag may be there for its service: `su` logs what the service `su-l` refused.
pub(crate) fn base(service: &str) -> &str {
    service.split('-').next().unwrap_or_default()
}

pub(super) fn agree(record: u32, row: u32) -> bool {
    record == 0 || row == 0 || record == row
}
