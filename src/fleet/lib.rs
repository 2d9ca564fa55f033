//! One account and one budget for many machines: members send what they record to a hub, which alerts for all.
//!
//! - [`protocol`]: what is said, and the steps of both sides, without input or output.
//! - [`engine`]: the NATS server between them. [`identity`]: who a machine is. [`members`]: who is in the fleet.
//! - [`uplink`]: the member. [`gather`]: the hub.
//! - [`setup`]: authority, certificates, the engine's configuration.
//! - [`cli`]: what can be typed. [`place`]: where files are.
#![deny(unsafe_code)]

pub mod cli;
pub mod engine;
pub mod gather;
pub mod identity;
pub mod members;
pub mod place;
pub mod protocol;
pub mod setup;
pub mod stop;
pub mod uplink;
