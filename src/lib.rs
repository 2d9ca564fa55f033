//! authalert: every wrong password on a Linux machine reaches the administrator's phone.
//!
//! The map, in the order in which a failure travels:
//!
//! - [`failure`]: what happened. [`neutral`]: what the attacker wrote, made harmless and bounded.
//! - `pam/` (packages of their own): the module in the login's stack, and what its worker loads.
//! - [`journal`]: the durable queue of failures, which is also the history.
//! - [`scan`]: the log route; failures that the module could not record.
//! - [`alert`]: grouping, pacing and the text of an alert.
//! - [`deliver`]: the pass that ties journal, alert and receiver, and the state it keeps.
//! - [`receiver`]: X, and the timeline kept on this machine.
//! - [`cli`]: what can be typed. [`check`]: what is wrong. [`installation`]: where the module stands.
//! - [`config`], [`credentials`]: what the administrator says.
#![deny(unsafe_code)]

pub mod alert;
pub mod check;
pub mod cli;
pub mod config;
pub mod credentials;
pub mod deliver;
pub mod failure;
pub mod installation;
pub mod journal;
pub mod neutral;
pub mod receiver;
pub mod scan;
