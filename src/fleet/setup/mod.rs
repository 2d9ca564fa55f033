//! Setting up a fleet: an authority and the engine's configuration on the hub, one file for each member.
//!
//! - [`authority`]: certificates. [`engine`]: the NATS server's configuration.
//! - [`hub`]: `init-hub`, `add-member`, `renew`, `revoke`. [`member`]: `join`, `leave`. [`status`]: how things are.
//! - [`systemd`]: units, where there is a manager.

pub mod authority;
pub mod engine;
pub mod hub;
pub mod member;
pub mod status;
pub mod systemd;

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// In the place of a file's name: standard output of `add-member`, standard input of `join`.
pub const PIPE: &str = "-";

/// A directory that is root's alone.
fn private_directory(path: &Path) -> io::Result<()> {
    if !path.is_dir() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    }
    Ok(())
}
