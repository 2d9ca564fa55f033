//! authalert: every wrong password on a Linux machine reaches the administrator's phone.
//!
//! The map, in the order in which a failure travels:
//!
//! - [`event`]: what happened. [`neutral`]: what the attacker wrote, made harmless and bounded.
//! - `pam/` (packages of their own): the module in the login's stack, and what its worker loads.
//! - [`journal`]: the durable queue of failures, which is also the history.
//! - [`scan`]: the log route; failures that the module could not record.
//! - [`deliver`]: the pass that ties journal, message and receiver: state, pacing, outages.
//! - [`detect`]: what a login means after the failures before it.
//! - [`message`]: the text of an alert. [`accounts`]: who exists here.
//! - [`receiver`]: X, and the timeline kept on this machine.
//! - [`report`]: the history as pictures and figures.
//! - [`cli`]: what can be typed. [`check`]: what is wrong. [`installation`]: where the module stands.
//! - `fleet/` (a package of its own): many machines that share one account.
//! - [`config`], [`credentials`]: what the administrator says. [`storage`]: crash-safe files. `output`: what a program prints.
#![deny(unsafe_code)]

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
compile_error!(
    "authalert needs Linux with glibc: a module is loaded by programs of the system's own C library, and no other was tried"
);

pub mod accounts;
pub mod check;
pub mod cli;
pub mod config;
pub mod credentials;
pub mod deliver;
pub mod detect;
pub mod event;
pub mod installation;
pub mod journal;
pub mod message;
pub mod neutral;
pub(crate) mod output;
pub mod receiver;
pub mod report;
pub mod scan;
pub mod storage;
pub(crate) mod zone;
