//! Units, where the system has a manager. Otherwise it is said what is to be run.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use authalert::storage;

use super::engine::Engine;
use crate::place::Place;

const DROP_IN: &str = "/etc/systemd/system/nats-server.service.d/authalert.conf";
const SYSTEMCTL: &str = "/usr/bin/systemctl";

/// Whether a manager runs here whose units are this machine's `place`. Others, which were named at the command line, are
/// whoever's started them.
pub fn runs(place: &Place) -> bool {
    place.is_default() && Path::new("/run/systemd/system").is_dir()
}

/// What gives Debian's unit of the server its configuration and a place.
pub fn drop_in(engine: &Engine, is_cluster: bool) -> String {
    // Engines of a cluster know one another by their names.
    let name = if is_cluster { " --name %H" } else { "" };
    format!(
        "# Made by authalert-fleet.\n\
         [Service]\n\
         ExecStart=\n\
         ExecStart={} -c {}{name}\n\
         StateDirectory=authalert-engine\n\
         StateDirectoryMode=0700\n\
         Restart=always\n\
         RestartSec=2\n\
         LimitNOFILE=65536\n\
         NoNewPrivileges=yes\n\
         ProtectSystem=strict\n\
         ProtectHome=yes\n\
         PrivateDevices=yes\n\
         RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX\n",
        engine.program.display(),
        engine.file().display()
    )
}

/// Have the server start with this configuration, now and at boot.
pub fn start_engine(engine: &Engine, is_cluster: bool) -> io::Result<()> {
    let path = Path::new(DROP_IN);
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    storage::publish(path, drop_in(engine, is_cluster).as_bytes())?;
    systemctl(&["daemon-reload"])?;
    systemctl(&["enable", "nats-server.service"])?;
    systemctl(&["restart", "nats-server.service"])
}

/// What the other engines of a cluster need of this one.
pub fn how_to_carry(engine: &Engine) -> String {
    format!(
        "carry {} and {DROP_IN} to each engine over a safe way, owners and modes as they are",
        engine.directory.display()
    )
}

/// Have the server read its configuration again; connections stay.
///
/// Twice: the server of Debian 12 (2.9) makes a new account at the first, and what
/// that imports reaches nobody until the second.
pub fn reload_engine() -> io::Result<()> {
    systemctl(&["reload-or-restart", "nats-server.service"])?;
    // Two signals at once may come as one.
    std::thread::sleep(Duration::from_secs(1));
    systemctl(&["reload-or-restart", "nats-server.service"])
}

/// Start a unit, now and at boot.
pub fn enable(unit: &str) -> io::Result<()> {
    systemctl(&["enable", unit])?;
    systemctl(&["restart", unit])
}

/// Stop a unit, now and at boot.
pub fn disable(unit: &str) -> io::Result<()> {
    systemctl(&["disable", "--now", unit])
}

fn systemctl(arguments: &[&str]) -> io::Result<()> {
    let done = Command::new(SYSTEMCTL)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .output()?;
    if done.status.success() {
        return Ok(());
    }
    let why = authalert::neutral::text(&done.stderr, 300);
    Err(io::Error::other(format!("systemctl {}: {why}", arguments.join(" "))))
}
