//! The module: what libpam loads into every login.
//!
//! - [`entry`]: the six functions. Each returns `PAM_IGNORE`, whatever happens. [`arguments`]: the stack's line.
//! - [`attempt`]: from one `pam_authenticate` to its verdict; the items that are borrowed meanwhile.
//!   [`waiting`]: attempts without a verdict.
//! - [`conversation`]: was anybody asked, and did anybody answer ([`prompts`])?
//! - [`verdict`]: libpam says how it ended; it is recorded, and then libpam's own delay kept.
//! - [`record`]: from PAM's items to a line on disk; [`mod@file`]: the file; [`guard`]: past the caller's
//!   limits and signals.
//! - [`marks`]: what failed within a day; [`login`]: who is in after that, or opens a session.
//! - [`worker`]: the detached thread; [`library`]: finding the heavy half, which only it loads;
//!   [`fork`]: what a fork of the host must not cut.
//! - [`libpam`]: the calls that pam-bindings does not have; [`abi`]: libpam's structures; [`clock`]: the time;
//!   [`mod@address`]: a text as an address; [`late`]: what of the C library few logins need.
//!
//! Nothing here prints, prompts, reads a password or the environment, or waits for anybody.
//!
//! A login pays for what is linked here: each function of another library is looked up, each page
//! with addresses is relocated. So nothing here allocates through Rust or can panic, and a release
//! build holds neither std's panic machinery nor an unwinder (a test looks). What needs more is in
//! `sender/`.
#![warn(missing_docs)]

mod abi;
mod address;
mod arguments;
mod attempt;
mod clock;
mod conversation;
mod entry;
mod file;
mod fork;
mod guard;
mod late;
mod libpam;
mod library;
mod login;
mod marks;
mod prompts;
mod record;
mod verdict;
mod waiting;
mod worker;
