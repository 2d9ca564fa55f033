//! What member, engine and hub say to one another, and the steps of both sides, without any input or output.
//!
//! ```text
//! member                          engine                           hub
//! journal ─ take_in ─ outbox      stream AAF, aa.f.NAME            journal of the hub
//!           send ───────────────▶ append if last is S ──pull─────▶ judge ─ record ─ sync
//!           trim ◀─ read ──────── stream AAK, aa.ack.NAME ◀──CAS── mark ─ ack ─ (purge)
//! ```
//!
//! - [`batch`]: one message, numbered items of one epoch. [`name`]: who may be called what.
//! - [`member`]: what the member knows, and its next step. [`hub`]: what the hub has, and what a batch is to it.
//! - [`mark`]: the watermark and the lease, which the hub writes.
//!
//! Every record keeps its number for ever: a member numbers what it reads from its journal without holes, in an
//! *epoch* that began when its state was made. A number is settled when the hub has it on its own disk; that
//! is what the watermark says, and nothing else does: not the engine's answer, not an acknowledgement.

pub mod batch;
pub mod hub;
pub mod mark;
pub mod member;
pub mod name;

pub use batch::{Batch, Epoch, Item};
pub use mark::{Lease, Mark};
pub use name::Name;

/// Of the messages below.
pub const VERSION: u32 = 1;
/// The stream of records, one subject a member.
pub const RECORDS: &str = "AAF";
/// The stream of what the hub writes: watermarks, and the lease.
pub const MARKS: &str = "AAK";
/// The hub's consumer.
pub const CONSUMER: &str = "hub";
/// Subject of the lease.
pub const LEASE: &str = "aa.lease";
/// Subjects of records begin so.
const RECORDS_OF: &str = "aa.f.";
/// Subjects of watermarks begin so.
const MARK_OF: &str = "aa.ack.";

/// Where `name` writes.
pub fn records_of(name: &Name) -> String {
    format!("{RECORDS_OF}{name}")
}

/// Where the hub writes how far it has what `name` wrote.
pub fn mark_of(name: &Name) -> String {
    format!("{MARK_OF}{name}")
}

/// Who wrote a message with this subject: the engine lets nobody else write there.
pub fn member_of(subject: &str) -> Option<Name> {
    Name::new(subject.strip_prefix(RECORDS_OF)?)
}
