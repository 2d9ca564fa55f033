//! Where alerts go: the X account, and the timeline kept on this machine.
//!
//! - [`x`]: one post, and who the account is.
//! - [`timeline`]: this machine itself. [`build`](fn@build): from the configuration to a receiver.
//! - [`http`]: one bounded HTTPS call, over the connections of `transport`, to whom `roots` trusts;
//!   [`body`]: what comes back, bounded.
//! - [`definition`]: every other service, each described by a file.

pub mod body;
mod build;
pub mod definition;
mod error;
mod exchange;
pub mod http;
mod message;
mod outcome;
mod roots;
pub mod timeline;
mod transport;
mod wait;
pub mod x;

pub use crate::config::Kind;
pub use build::{Error, build, default_tell, serves_in_login};
pub use message::{Message, Receiver};
pub use outcome::Outcome;
pub use transport::Before;
