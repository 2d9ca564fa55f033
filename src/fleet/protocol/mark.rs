//! What the hub writes: how far it has a member's records, and which hub it is.

use serde::{Deserialize, Serialize};

use super::Epoch;

/// The watermark of one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// See [`VERSION`](super::VERSION).
    pub v: u32,
    /// Of these numbers.
    pub epoch: Epoch,
    /// Everything up to this number is on the hub's disk.
    pub last: u64,
    /// Something behind it is missing: the member sends again what follows `last`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gap: bool,
    /// The hub's receivers have reported everything up to this number: where the hub's disk is lost, the next hub takes
    /// again what follows.
    #[serde(default)]
    pub alerted: u64,
    /// The hub that wrote this.
    #[serde(default = "nobody")]
    pub hub: Epoch,
}

fn nobody() -> Epoch {
    Epoch(0)
}

/// Which hub reads, posts and moves watermarks. Written anew before it ends; the engine's number of the message is
/// what a later hub's is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// See [`VERSION`](super::VERSION).
    pub v: u32,
    /// The hub, by its state.
    pub hub: Epoch,
    /// Its process: a copy of that state is another hub.
    #[serde(default = "nobody")]
    pub inst: Epoch,
    /// How often it had written its state down: where that says less, it is a copy from before.
    #[serde(default)]
    pub generation: u64,
    /// Its machine, for people.
    pub machine: String,
    /// It lets go: the next one need not wait.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over: bool,
}
