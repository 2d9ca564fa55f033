//! What an alert about many failures says while there is room, and in which order it says more.

/// From here on a text has room for more than a post has.
pub(super) const LARGE: usize = 500;

/// How many names of each kind are listed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Detail {
    /// Without when, and without the totals of accounts: what is worst matters more.
    pub(super) untimed: bool,
    pub(super) untotalled: bool,
    pub(super) notable: bool,
    pub(super) latest: bool,
    pub(super) hosts: usize,
    pub(super) accounts: usize,
    pub(super) system: usize,
    pub(super) strangers: usize,
    pub(super) sources: usize,
    pub(super) services: usize,
}

/// In which order details are added while there is room.
pub(super) const WISHES: [fn(&mut Detail); 22] = [
    |d| d.notable = true,
    |d| d.hosts = 2,
    |d| d.accounts = 1,
    |d| d.system = 1,
    |d| d.sources = 1,
    |d| d.accounts = 2,
    |d| d.system = 2,
    // Naming the last of a kind takes less room than counting it: what did not fit may fit now.
    |d| d.sources = d.sources.max(1),
    |d| d.services = 2,
    |d| d.accounts = 3,
    |d| d.sources = 2,
    |d| d.strangers = 1,
    |d| d.accounts = 4,
    |d| d.sources = 3,
    |d| d.services = 3,
    |d| d.hosts = 4,
    |d| d.strangers = 2,
    |d| d.accounts = 6,
    |d| d.sources = 5,
    |d| d.strangers = 4,
    |d| d.services = 4,
    |d| d.system = 4,
];

/// The same where there is more room than a post has.
pub(super) const MORE_WISHES: [fn(&mut Detail); 13] = [
    |d| d.latest = true,
    |d| d.hosts = 8,
    |d| d.accounts = 12,
    |d| d.sources = 10,
    |d| d.services = 8,
    |d| d.system = 8,
    |d| d.strangers = 10,
    |d| d.hosts = 16,
    |d| d.accounts = 30,
    |d| d.sources = 25,
    |d| d.services = 16,
    |d| d.strangers = 30,
    |d| d.sources = 50,
];
