//! What the hub writes: how far it has a member's records, and which hub it is.

use serde::{Deserialize, Serialize};

use super::{Epoch, VERSION};

/// The watermark of one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// See [`VERSION`].
    pub v: u32,
    /// Of these numbers.
    pub epoch: Epoch,
    /// Everything up to this number is on the hub's disk.
    pub last: u64,
    /// Something behind it is missing: the member sends again what follows `last`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gap: bool,
}

impl Mark {
    /// Everything up to `last` is on the hub's disk.
    pub fn new(epoch: Epoch, last: u64, gap: bool) -> Self {
        Self { v: VERSION, epoch, last, gap }
    }
}

/// Which hub reads, posts and moves watermarks. Written anew before it ends; the engine's number of the message is
/// what a later hub's is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// See [`VERSION`].
    pub v: u32,
    /// The process.
    pub hub: Epoch,
    /// Its machine, for people.
    pub machine: String,
    /// It lets go: the next one need not wait.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over: bool,
}
