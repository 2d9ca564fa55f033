//! Where a record of the scan came from: its line's place, its log, its machine. In a form that outlives a
//! rotation, so that it is known again.

use super::attempts::Row;
use super::hash::{hash, short};
use super::rules::CLAIMED;

/// One log, through all its rotations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamId(pub(crate) u32);

impl StreamId {
    /// Of the log that the administrator calls `name`.
    pub(crate) fn new(name: &str) -> Self {
        Self(short(&[name.as_bytes()]))
    }
}

/// One log of one machine, in origins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) stream: u32,
    pub(crate) host: u32,
    /// A mail server said it of what it had a helper ask.
    pub(crate) relayed: bool,
    /// sshd said it of its child.
    pub(crate) keyboard: bool,
    /// A container of the machine wrote it.
    pub(crate) contained: bool,
    /// When the place had been saved last.
    pub(crate) saved: u64,
}

/// The name by which logs call this machine.
#[derive(Clone, Debug)]
pub(crate) struct ThisMachine(u32);

impl Default for ThisMachine {
    fn default() -> Self {
        Self(host(&rustix::system::uname().nodename().to_string_lossy()))
    }
}

impl ThisMachine {
    /// Whether a line with this name, or with none, is of this machine.
    pub(crate) fn is(&self, name: &str) -> bool {
        let name = host(name);
        name == 0 || name == self.0
    }
}

/// Where a row's line is, in a form that outlives a rename; then its log, its machine, and
/// when the place had been saved last.
pub(crate) fn origin(row: &Row, stream: StreamId, saved: u64) -> String {
    let Row { place, host: name, .. } = row;
    let relayed = if row.is_relayed() { "r" } else { "" };
    let keyboard = if is_keyboard(row) { "k" } else { "" };
    let contained = if row.container == 0 { "" } else { "w" };
    let claimed = if row.class.as_str() == CLAIMED { "s" } else { "" };
    format!(
        "{:016x}:{}:{:08x}:{:08x}{relayed}{keyboard}{contained}{claimed}:{saved}",
        place.source,
        place.offset,
        stream.0,
        host(name)
    )
}

/// Whether sshd tells of keyboard-interactive, for which PAM runs in a child.
pub(crate) fn is_keyboard(row: &Row) -> bool {
    matches!(row.class.as_str(), "sshd-failed-keyboard-interactive" | "sshd-pam-error")
}

/// The place in an origin, as a hash, and the log. Two logs that begin with the same line have the same places for other lines,
/// so the log is in the hash where it is known.
pub(crate) fn parse(origin: &str) -> (u64, Option<Log>) {
    let mut words = origin.split(':').skip(2);
    let mut log = || {
        let stream = u32::from_str_radix(words.next()?, 16).ok()?;
        let host = words.next()?;
        // Of a login that somebody claims of himself: see `Event::is_claimed`.
        let host = host.strip_suffix('s').unwrap_or(host);
        let (host, contained) = host.strip_suffix('w').map_or((host, false), |host| (host, true));
        let (host, keyboard) = host.strip_suffix('k').map_or((host, false), |host| (host, true));
        let (host, relayed) = host.strip_suffix('r').map_or((host, false), |host| (host, true));
        let host = u32::from_str_radix(host, 16).ok()?;
        Some(Log { stream, host, relayed, keyboard, contained, saved: words.next()?.parse().ok()? })
    };
    let log = log();
    let stream = log.map_or(Vec::new(), |log| log.stream.to_le_bytes().to_vec());
    (hash(&[place(origin).as_bytes(), &stream]), log)
}

/// What of an origin says where the line is, whatever log that was.
pub(crate) fn place(origin: &str) -> &str {
    let end = origin.match_indices(':').nth(1).map_or(origin.len(), |(at, _)| at);
    &origin[..end]
}

/// A name as a number, 0 where there is none.
pub(crate) fn name(text: &str) -> u32 {
    if text.is_empty() { 0 } else { short(&[text.as_bytes()]).max(1) }
}

/// A machine under its long and its short name. 0, any: a log daemon calls its machine localhost where
/// `/etc/hosts` does, and the systemd journal does not.
pub(crate) fn host(text: &str) -> u32 {
    match text.split('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "localhost" => 0,
        short => name(short),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_known_under_its_long_and_its_short_name() {
        let here = ThisMachine(host("srv.example.org"));
        assert!(["", "srv", "SRV.example.org", "srv.local", "localhost"].iter().all(|name| here.is(name)));
        assert!(["srv2", "web.example.org"].iter().all(|name| !here.is(name)));
    }
}
