//! Which names are accounts of this machine.
//!
//! `/etc/passwd` is read directly. Inside a login nothing else is asked: a name-service module may
//! talk to the network, take locks, or be the very one that is authenticating. Outside of one (cron, the
//! systemd unit, the command) `getent` is asked too, in a process of its own, where `/etc/nsswitch.conf` names
//! sources such as sss or ldap.

mod getent;
mod kind;
pub mod member;
mod passwd;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub use getent::Getent;
pub use kind::AccountKind;
use passwd::parse_line;

use crate::event::Event;

/// More of passwd is not read; at 80 bytes an account that is 100,000 of them.
const LARGEST: u64 = 8 << 20;

/// The accounts of this machine.
#[derive(Debug)]
pub struct Accounts {
    passwd: PathBuf,
    /// Device, inode, size and change time of the file that `local` was read from.
    stamp: Option<(u64, u64, u64, i64, i64)>,
    local: HashMap<String, AccountKind>,
    getent: Option<Getent>,
}

impl Accounts {
    /// As they can be asked for inside a login: `/etc/passwd` alone.
    pub fn in_login() -> Self {
        Self::new("/etc/passwd".into(), None)
    }

    /// As they can be asked for anywhere else: other sources of the name service too.
    pub fn outside_login() -> Self {
        let getent = Getent::if_needed(Path::new("/etc/nsswitch.conf"), "/usr/bin/getent".into());
        Self::new("/etc/passwd".into(), getent)
    }

    /// The accounts in `passwd`, and those that `getent` knows.
    pub fn new(passwd: PathBuf, getent: Option<Getent>) -> Self {
        let mut accounts = Self { passwd, stamp: None, local: HashMap::new(), getent };
        accounts.refresh();
        accounts
    }

    /// Look again, at the beginning of a pass: read passwd if it changed, forget what getent said.
    pub fn refresh(&mut self) {
        if let Some(getent) = &mut self.getent {
            getent.forget();
        }
        let Ok(file) = File::open(&self.passwd) else { return };
        let Ok(meta) = file.metadata() else { return };
        let stamp = (meta.dev(), meta.ino(), meta.len(), meta.ctime(), meta.ctime_nsec());
        if self.stamp == Some(stamp) {
            return;
        }
        // A file that cannot be read is no machine without accounts: what was known stays.
        if let Ok(local) = read(file) {
            self.local = local;
            self.stamp = Some(stamp);
        }
    }

    /// What `name` is here.
    pub fn standing(&mut self, name: &str) -> AccountKind {
        if let Some(standing) = self.local.get(name) {
            return *standing;
        }
        match &mut self.getent {
            _ if name == "root" => AccountKind::Root,
            Some(getent) if is_plausible(name) => getent.standing(name),
            _ => AccountKind::Unknown,
        }
    }

    /// What the tried name of `event` is on the machine where it was tried.
    pub fn tried(&mut self, event: &Event) -> AccountKind {
        member::Origin::of(event).map_or_else(|| self.standing(&event.user), |origin| origin.user)
    }

    /// What the asker's name of `event` is on that machine.
    pub fn asker(&mut self, event: &Event) -> AccountKind {
        member::Origin::of(event).map_or_else(|| self.standing(&event.ruser), |origin| origin.ruser)
    }
}

fn read(file: File) -> io::Result<HashMap<String, AccountKind>> {
    let mut data = Vec::new();
    file.take(LARGEST).read_to_end(&mut data)?;
    // Names are compared with neutral text, which has no invalid UTF-8 in it either.
    Ok(String::from_utf8_lossy(&data).lines().filter_map(parse_line).collect())
}

/// Whether `name` can be one that a directory knows: only such are asked for. A number is none:
/// getent takes it for a user id.
fn is_plausible(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._$@\\-".contains(&b))
        && !name.starts_with('-')
        && name.bytes().any(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
        toor:x:0:0::/root:/bin/sh\n\
        mail:x:8:8:mail:/var/mail:/usr/sbin/nologin\n\
        sync:x:4:65534:sync:/bin:/bin/sync\n\
        alice:x:1000:1000:Alice,,,:/home/alice:/bin/bash\n\
        carol:x:1001:1001::/home/carol:\n\
        broken line\n+::::::\n-mallory::::::\n::0:0:::\n";

    fn accounts(passwd: &[u8]) -> (tempfile::TempDir, Accounts) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("passwd");
        std::fs::write(&file, passwd).unwrap();
        (dir, Accounts::new(file, None))
    }

    #[test]
    fn names_in_passwd_are_accounts_and_others_are_not() {
        let (_dir, mut accounts) = accounts(PASSWD.as_bytes());
        for (name, standing) in [
            ("root", AccountKind::Root),
            ("toor", AccountKind::Root),
            ("mail", AccountKind::System),
            ("sync", AccountKind::System),
            ("alice", AccountKind::Existing),
            ("carol", AccountKind::Existing),
            ("Alice", AccountKind::Unknown),
            ("mallory", AccountKind::Unknown),
            ("broken line", AccountKind::Unknown),
            ("+", AccountKind::Unknown),
            ("", AccountKind::Unknown),
            ("alice\nroot", AccountKind::Unknown),
        ] {
            assert_eq!(accounts.standing(name), standing, "{name}");
        }
    }

    #[test]
    fn a_new_account_is_known_after_the_next_look_and_a_vanished_file_changes_nothing() {
        let (dir, mut accounts) = accounts(PASSWD.as_bytes());
        let file = dir.path().join("passwd");
        assert_eq!(accounts.standing("bob"), AccountKind::Unknown);
        std::fs::write(&file, format!("{PASSWD}bob:x:1002:1002::/home/bob:/bin/sh\n")).unwrap();
        accounts.refresh();
        assert_eq!(accounts.standing("bob"), AccountKind::Existing);
        std::fs::remove_file(&file).unwrap();
        accounts.refresh();
        assert_eq!(accounts.standing("bob"), AccountKind::Existing);
    }

    #[test]
    fn without_a_readable_file_root_alone_is_known() {
        let mut accounts = Accounts::new("/nonexistent/passwd".into(), None);
        assert_eq!(accounts.standing("root"), AccountKind::Root);
        assert_eq!(accounts.standing("alice"), AccountKind::Unknown);
        let (_dir, mut accounts) = self::accounts(&[0xff, b':', 0, b'\n', 0x80]);
        assert_eq!(accounts.standing("alice"), AccountKind::Unknown);
    }

    #[test]
    fn only_plausible_names_are_asked_for() {
        for name in ["alice", "a", "DOM\\alice", "alice@example", "web-1$", "x.y_z"] {
            assert!(is_plausible(name), "{name}");
        }
        for name in ["", "0", "1000", "-h", "a b", "a:b", "a;b", "a/b", "jürgen", "a\nb", &"x".repeat(33)] {
            assert!(!is_plausible(name), "{name}");
        }
    }

    #[test]
    fn this_machine_has_a_root() {
        assert_eq!(Accounts::in_login().standing("root"), AccountKind::Root);
    }
}
