//! Who is in the fleet, on the hub.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use authalert::storage;
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;
const FILE: &str = "members.json";
/// In a cluster: one of them may be gone.
const REPLICAS: u64 = 3;

/// The fleet, as the hub's administrator set it up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fleet {
    version: u32,
    /// `host:port` of each engine, as members reach it.
    pub servers: Vec<String>,
    /// Where the engine listens.
    pub listen: String,
    /// Where the engine keeps its streams.
    pub store: PathBuf,
    /// Each server is an engine of its own, of one cluster.
    #[serde(default)]
    pub is_cluster: bool,
    /// Serial of the hub's own certificate.
    pub hub: String,
    /// The members, by name.
    pub members: BTreeMap<String, Member>,
}

/// A member.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Member {
    /// Of its certificate.
    pub serial: String,
    /// The last day on which that is good.
    pub until: String,
}

impl Fleet {
    /// A new one.
    pub fn new(servers: Vec<String>, listen: String, store: PathBuf, hub: String) -> Self {
        Self { version: VERSION, servers, listen, store, is_cluster: false, hub, members: BTreeMap::new() }
    }

    /// Engines that keep each message.
    pub fn replicas(&self) -> u64 {
        if self.is_cluster { REPLICAS } else { 1 }
    }

    /// That of a directory; none where this machine is no hub.
    pub fn load(directory: &Path) -> io::Result<Option<Self>> {
        let file = directory.join(FILE);
        match storage::read(&file) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            read => {
                let fleet: Self = serde_json::from_slice(&read?)
                    .map_err(|e| io::Error::other(format!("{}: {e}", file.display())))?;
                Ok(Some(fleet))
            }
        }
    }

    /// Write it; durable when this returns.
    pub fn save(&self, directory: &Path) -> io::Result<()> {
        storage::replace(&directory.join(FILE), &serde_json::to_vec_pretty(self)?)
    }
}

/// What the engine knows a client as.
pub fn user(name: &str, serial: &str) -> String {
    format!("{name}.{serial}")
}
