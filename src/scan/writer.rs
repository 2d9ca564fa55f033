//! Whether who wrote an entry of the systemd journal can have seen what it tells.
//!
//! Anybody may write to the log under any tag and number. The journal keeps, beside that, whom the kernel says it was.
//! Root's own processes, and programs that run with root's rights whoever starts them, are believed. A service that runs
//! as an account of the system is believed in what it says under its own name, as nginx and PostgreSQL ask PAM in such
//! processes. Anybody else is not. In a text log this is lost.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::rules::{Family, family};

/// Accounts from here on are of people (`UID_MIN` of login.defs).
const PEOPLE: i64 = 1000;
/// `comm` is cut to so many bytes.
const COMM: usize = 15;
const SET_ID: u32 = 0o6000;

/// The programs that ask for passwords with root's rights, for a journal of another machine.
const SET_ID_PROGRAMS: [&[u8]; 16] = [
    b"su",
    b"sudo",
    b"sudo-rs",
    b"doas",
    b"pkexec",
    b"unix_chkpwd",
    b"polkit-agent-helper-1",
    b"newgrp",
    b"sg",
    b"chsh",
    b"chfn",
    b"passwd",
    b"kcheckpass",
    b"xscreensaver-auth",
    b"vlock",
    b"ksu",
];

/// Whom the kernel says an entry is of.
pub(super) struct Writer<'a> {
    /// Its real user id.
    pub uid: i64,
    /// Its program file; empty where the journal does not say.
    pub exe: &'a [u8],
    /// Its name.
    pub comm: &'a [u8],
}

impl Writer<'_> {
    /// Whether it may tell of what `program` did.
    pub fn may_tell_of(&self, program: &[u8]) -> bool {
        if self.uid == 0 || self.has_roots_rights() {
            return true;
        }
        let name = self.exe_path().file_name().map_or(&b""[..], |name| name.as_bytes());
        let cut = &program[..program.len().min(COMM)];
        let is_itself = !cut.is_empty() && (name == program || self.comm == cut);
        (1..PEOPLE).contains(&self.uid) && family(program) == Family::Other && is_itself
    }

    fn exe_path(&self) -> &Path {
        // Of a program that was upgraded while it ran.
        let exe = self.exe.strip_suffix(b" (deleted)").unwrap_or(self.exe);
        Path::new(std::ffi::OsStr::from_bytes(exe))
    }

    /// Whether its file is root's and gives it more rights than whoever starts it has: such a process says nothing in
    /// another's name.
    fn has_roots_rights(&self) -> bool {
        let path = self.exe_path();
        if !path.is_absolute() {
            return false;
        }
        match path.metadata() {
            Ok(file) => file.uid() == 0 && file.is_file() && file.mode() & SET_ID != 0,
            Err(_) => {
                let of_system = ["/usr/", "/bin/", "/sbin/"].iter().any(|start| path.starts_with(start));
                let of_people = path.starts_with("/usr/local");
                let name = path.file_name().map_or(&b""[..], |name| name.as_bytes());
                of_system && !of_people && SET_ID_PROGRAMS.contains(&name)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn may(uid: i64, exe: &str, comm: &str, program: &str) -> bool {
        Writer { uid, exe: exe.as_bytes(), comm: comm.as_bytes() }.may_tell_of(program.as_bytes())
    }

    #[test]
    fn root_and_what_has_roots_rights_are_believed() {
        assert!(may(0, "/usr/bin/logger", "logger", "sshd"), "root may write what it likes");
        assert!(may(1000, "/usr/bin/passwd", "passwd", "passwd"));
        assert!(may(1000, "/usr/bin/passwd (deleted)", "passwd", "passwd"));
        assert!(may(1000, "/usr/lib/nowhere/doas", "doas", "doas"), "of another machine");
        assert!(!may(1000, "/usr/bin/true", "su", "su"));
        assert!(!may(1000, "/usr/local/nowhere/doas", "doas", "doas"));
        assert!(!may(1000, "/home/eve/su", "su", "su"));
        assert!(!may(1000, "", "su", "su"));
    }

    #[test]
    fn a_file_of_root_is_believed_for_its_bits_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("locker");
        std::fs::write(&path, "").unwrap();
        let of = |mode: u32| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            may(1000, path.to_str().unwrap(), "locker", "locker")
        };
        let is_root = path.metadata().unwrap().uid() == 0;
        assert_eq!((of(0o755), of(0o4755), of(0o2755)), (false, is_root, is_root));
    }

    #[test]
    fn a_service_is_believed_in_what_is_its_own() {
        assert!(may(33, "/usr/sbin/nginx", "nginx", "nginx"));
        assert!(may(104, "/usr/lib/postgresql/17/bin/postgres", "postgres", "postgres"));
        assert!(may(110, "", "a-program-with-", "a-program-with-a-long-name"));
        assert!(!may(33, "/usr/bin/logger", "logger", "sshd"));
        assert!(!may(33, "/usr/bin/sshd", "sshd", "sshd"), "sshd runs as root");
        assert!(!may(1000, "/usr/sbin/nginx", "nginx", "nginx"));
    }
}
