//! Where the files are.
//!
//! ```text
//! /etc/authalert/fleet/     member.toml            who this machine is in the fleet, with its key
//!                           hub.toml               the same on the hub
//!                           authority.pem, .key    what certificates are made with, on the hub
//!                           members.json           the members, on the hub
//! /var/lib/authalert/fleet/ uplink.json, outbox/, link.json, uplink.lock    on a member
//!                           gather.json, gather.lock                        on the hub
//!                           faults                 what authalert itself is to report
//! ```

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// Where the administrator's part is.
pub const CONFIGURATION: &str = "/etc/authalert/fleet";
/// Name of the directory in the state directory.
pub const STATE: &str = authalert::deliver::hub::DIRECTORY;

/// The directories of one machine.
#[derive(Clone, Debug)]
pub struct Place {
    /// authalert's state directory.
    pub state: PathBuf,
    /// authalert's configuration file; absent: the default one.
    pub config: Option<PathBuf>,
    /// Certificates and keys.
    pub configuration: PathBuf,
}

impl Place {
    /// Whether it is the one that the units have.
    pub fn is_default(&self) -> bool {
        self.state == Path::new(authalert::config::DEFAULT_STATE)
            && self.configuration == Path::new(CONFIGURATION)
    }

    /// A file of the state.
    pub fn state_file(&self, name: &str) -> PathBuf {
        self.state.join(STATE).join(name)
    }

    /// A file of the administrator's.
    pub fn configuration_file(&self, name: &str) -> PathBuf {
        self.configuration.join(name)
    }

    /// Make the directory of the state; root's alone.
    pub fn prepare(&self) -> io::Result<()> {
        for directory in [self.state.join(authalert::journal::DIRECTORY), self.state.join(STATE)] {
            if !directory.is_dir() {
                fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
            }
        }
        authalert::storage::trusted(&self.state, &[&self.state.join(STATE)])
    }

    /// Take the lock of that name, for as long as the file is open; none where another process has it.
    pub fn lock(&self, name: &str) -> io::Result<Option<File>> {
        lock(&self.state_file(name))
    }
}

/// Take a lock; none where another process has it.
pub fn lock(path: &Path) -> io::Result<Option<File>> {
    let options = &mut File::options();
    let file = authalert::storage::open(options.write(true).create(true).truncate(false).mode(0o600), path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(e) => Err(e.into()),
    }
}
