//! Files that survive crashes, and who may write them.
//!
//! - `replace`: a file written whole or not at all, also where there is no room for a new one.
//!   `room`: whether there is any. `paragraph`: one more at the end of a text, and out again.
//! - `json`: a checksummed value in such a file, with a second copy. `owner`: whether it is root's alone, and what it says then.
//! - `said`: what the system says of a failure, as a person reads it.

mod json;
mod owner;
mod paragraph;
mod replace;
mod room;
mod said;

pub use json::*;
pub use owner::{dangling, is_ours, others_can_write, read_trusted, read_trusted_text, remedy, trusted};
pub use paragraph::{gap, without_gap};
pub use replace::{open, probe, publish, read, replace, sync_directory};
pub use room::lacking;
pub use said::plain;
