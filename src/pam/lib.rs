//! The module: what libpam loads into every login.
//!
//! - [`entry`]: the six functions. Each returns `PAM_IGNORE`, whatever happens.
//! - [`attempt`]: from one `pam_authenticate` to its verdict; the items that are borrowed meanwhile.
//! - [`conversation`]: was anybody asked, and did anybody answer?
//! - [`verdict`]: libpam tells how it ended; the failure is recorded, and then libpam's own delay kept.
//! - [`record`]: from PAM's items to a line on disk; [`guard`]: past the caller's limits and signals.
//! - [`worker`]: the detached thread; [`sender`]: the heavy half that only it loads; [`fork`]: what a fork must not cut.
//! - [`libpam`]: the calls that pam-bindings does not have.
//!
//! Nothing here prints, prompts, reads a password or the environment, or waits for anybody.
#![warn(missing_docs)]

mod attempt;
mod conversation;
mod entry;
mod fork;
mod guard;
mod libpam;
mod record;
mod sender;
mod verdict;
mod worker;
