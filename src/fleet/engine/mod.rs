//! The engine, a NATS server with JetStream: the few requests that are made of it, as the rights of a member and of
//! the hub allow them, and what it answers.

mod answer;
mod connection;
mod streams;

pub use answer::{Stored, refusal};
pub use connection::{Engine, Error};
pub use streams::{Newest, consume, ensure, purge};
