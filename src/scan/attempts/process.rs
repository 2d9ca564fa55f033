//! A process that spoke, and what has been told of it so far.

use std::hash::Hasher;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::Row;
pub(super) use crate::scan::hash::hash;
use crate::scan::rules::Family;

/// Modules of one process that are told apart.
const MODULES: usize = 8;

/// What tells a process apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Key {
    pub host: u64,
    pub pid: u32,
    /// Without a pid: program and whose it is.
    pub who: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Process {
    pub key: Key,
    /// Tells it from those that had its key before.
    #[serde(skip)]
    pub number: u64,
    pub family: Family,
    pub first: i64,
    pub last: i64,
    pub port: u32,
    pub rhost: CompactString,
    /// Told by sshd: refused passwords and keys.
    pub direct: u64,
    pub keyboard: u64,
    pub pam_error: u64,
    /// Told by su, sudo, login.
    pub program: u64,
    pub program_too: u64,
    /// Told by each PAM module, and by `N more`.
    pub modules: Vec<(CompactString, u64)>,
    pub more: u64,
    pub total: u64,
    /// A user who does not exist: an attempt when nothing else is told.
    pub unknown: Option<Box<Row>>,
    pub aborted: bool,
    /// The program has said its last word (known only where a pid is missing).
    pub ended: bool,
    pub rows: Vec<Row>,
}

impl Process {
    pub fn told_by_program(&self) -> u64 {
        self.direct + self.keyboard.max(self.pam_error) + self.program.max(self.program_too)
    }

    pub fn told_by_pam(&self) -> u64 {
        let more = self.more;
        let most = self.modules.iter().map(|(name, n)| if name == "pam_unix" { n + more } else { *n }).max();
        most.unwrap_or(0).max(more)
    }

    pub fn told_by_module(&mut self, module: &str, attempts: u64) {
        match self.modules.iter().position(|(name, _)| name == module) {
            Some(at) => self.modules[at].1 += attempts,
            None if self.modules.len() < MODULES => self.modules.push((module.into(), attempts)),
            None => {}
        }
    }

    pub fn pam_only(&self) -> bool {
        self.told_by_program() == 0 && self.total > 0
    }
}

/// Keys are hashes and process numbers, and the table is bounded: mixing them is enough.
#[derive(Default)]
pub(super) struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(23) ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }
}

/// One number for a name, so that most processes of others are passed over without a look at them;
/// 0 where it is not told.
pub(super) fn name(name: &str) -> u64 {
    if name.is_empty() { 0 } else { hash(&[name.as_bytes()]).max(1) }
}
