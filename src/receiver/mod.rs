//! Where alerts go.
//!
//! - [`x`]: one post, and who the account is.
//! - `mail`, `command` (over `child`, the programs that are started): never in a login.
//! - [`definition`]: services that are described by data. [`timeline`]: this machine itself.
//! - [`service`]: what kinds there are. [`build`](fn@build): from the configuration to a receiver.
//! - [`http`]: one bounded HTTPS call, over the connections of `transport`, to whom `roots` trusts;
//!   [`body`]: what comes back, bounded.
//! - [`definition`]: every other service, each described by a file.

pub mod body;
mod build;
mod child;
mod command;
pub mod definition;
mod error;
mod exchange;
pub mod http;
mod mail;
mod message;
mod outcome;
mod roots;
pub mod service;
pub mod timeline;
mod transport;
mod wait;
pub mod x;

pub use crate::config::Kind;
pub use build::{Error, build, build_with, default_tell, longest_attempt, serves_in_login, starts_a_program};
pub use message::{Message, Receiver};
pub use outcome::Outcome;
pub use transport::Before;
