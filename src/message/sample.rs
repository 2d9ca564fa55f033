//! One record as an alert keeps it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::accounts::AccountKind;
use crate::event::{Event, is_local};
use crate::neutral;

/// What is kept of a single record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When it happened.
    pub time: Timestamp,
    /// The machine it happened on; empty: this one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// How many events it stands for.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u32,
    /// What the tried name is here.
    #[serde(alias = "standing")]
    pub user_kind: AccountKind,
    /// PAM service.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service: String,
    /// Process, 0 where it is not known.
    #[serde(default, skip_serializing_if = "is_zero_pid")]
    pub pid: u32,
    /// Name that was tried.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Remote host.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rhost: String,
    /// Terminal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tty: String,
    /// Who asked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ruser: String,
    /// What that name is here: some programs give the tried name as the asker's too, and it may be a
    /// password. Version 0.1 did not ask.
    #[serde(default = "unknown", skip_serializing_if = "is_unknown")]
    pub ruser_kind: AccountKind,
}

impl Sample {
    /// What is kept of `event`, whose names are of these kinds here.
    pub fn of(event: &Event, user_kind: AccountKind, ruser_kind: AccountKind) -> Self {
        Self {
            time: event.time,
            host: neutral::name(&event.host),
            count: event.count,
            user_kind,
            service: neutral::name(&event.service),
            pid: event.pid,
            user: neutral::name(&event.user),
            rhost: neutral::name(&event.rhost),
            tty: neutral::name(&event.tty),
            ruser: neutral::name(&event.ruser),
            ruser_kind,
        }
    }

    /// Whether it was tried at this machine itself, as [`Event::is_local`] has it.
    pub fn is_local(&self) -> bool {
        is_local(&self.service, &self.rhost)
    }
}

fn one() -> u32 {
    1
}

fn is_one(n: &u32) -> bool {
    *n == 1
}

fn unknown() -> AccountKind {
    AccountKind::Unknown
}

fn is_unknown(kind: &AccountKind) -> bool {
    *kind == AccountKind::Unknown
}

fn is_zero_pid(n: &u32) -> bool {
    *n == 0
}
