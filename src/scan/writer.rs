//! Whether who wrote an entry of the systemd journal can have seen what it tells.
//!
//! Anybody may write to the log under any tag and number. The journal keeps, beside that, whom the kernel says it was.
//! Root's own processes are believed, and, under their own names, programs that run with root's rights whoever starts them,
//! and services that run as an account of the system, as nginx and PostgreSQL ask PAM in such processes. Anybody else is
//! not. In a text log this is lost.
//!
//! The user and the process come with the line, from the kernel. Which program it was the journal asks /proc for, a
//! moment later: of a process that has ended by then it does not know, which happens to each third short command of sudo
//! on a busy machine. Such a line of root's is believed all the same. One of a user may be sudo's or his own: it is not
//! believed, and not called forged either, unless it tells of himself (see [`super::rules::classify`]). (The group says
//! nothing: sudo's may be 0, and so may that of a member of root's group.) What tells of a failure is rarely lost by that:
//! PAM's line is written two seconds before its process ends, and whose line was believed is believed to the end.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::OnceLock;

use super::header::{Trust, decimal};
use super::rules::{Family, family};

/// Accounts from here on are of people (`UID_MIN` of login.defs).
pub(super) const PEOPLE: u32 = 1000;
/// `authalert test --pam` asks PAM itself, as nobody where su and sudo are asked by an ordinary user.
const TESTER: &[u8] = b"authalert";
const TESTED: i64 = 65534;
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
    /// Its name, which any process may choose for itself.
    pub comm: &'a [u8],
    /// All that it calls itself in the log; the program is its end.
    pub tag: &'a [u8],
    /// What it says.
    pub message: &'a [u8],
    /// Whether it is what a program writes to its output. The tag of that is chosen by whoever gave it that output.
    pub is_output: bool,
    /// Whether the accounts of this machine are those of its own.
    pub is_here: bool,
}

impl<'a> Writer<'a> {
    /// Whether it can have seen what it tells of `program`.
    pub fn trust_in(&self, program: &[u8]) -> Trust {
        // sudo prompts in the words of whoever calls it, as root, and su says them after him: not to the log, but to an output that
        // he may have made one (systemd-cat). What they log themselves is not written there.
        if self.is_output && (self.exe.is_empty() || self.has_roots_rights()) {
            return Trust::Forged;
        }
        if program == TESTER && matches!(self.uid, 0 | TESTED) && self.is_tester() {
            return Trust::Test;
        }
        // What su itself says begins with the name that it was started under, with a colon and a blank behind it at once: that
        // is no word for the log, but goes there where its output is the socket of that, which the journal does not know.
        if self.uid != 0 && !self.is_sudo() && self.message.ends_with(b":") && self.speaks_for_itself() {
            return Trust::Forged;
        }
        let is_believed = match (self.uid, family(program)) {
            // sudo says some of that as root.
            (0, family) => !self.speaks_for_itself() || self.is_named_as(program, family),
            // It runs as root, and nobody else starts it with root's rights.
            (_, Family::Sshd) => return Trust::Forged,
            (_, family) => {
                (self.is_named_as(program, family) && self.has_roots_rights())
                    || (family == Family::Other && self.is_service(program))
            }
        };
        match (is_believed, self.exe.is_empty()) {
            (true, _) => Trust::Believed,
            (false, true) => Trust::Unattributed,
            (false, false) => Trust::Forged,
        }
    }

    /// Whether it is that program, as an account of the system: of another service's program it is not, whatever it calls
    /// itself, nor is one of which only the name is known that it gave itself.
    fn is_service(&self, program: &[u8]) -> bool {
        let is_of_system = (1..i64::from(PEOPLE)).contains(&self.uid) && !self.exe.is_empty();
        is_of_system && (self.is_itself(program) || self.is_part()) && !self.is_of_another_account(program)
    }

    /// Whether it is one of the programs that ask for passwords, of which each has a name of its own.
    fn speaks_for_itself(&self) -> bool {
        SET_ID_PROGRAMS.contains(&self.exe_stem()) && self.has_roots_rights()
    }

    /// What PAM says of su, or su itself behind its number, behind all of the name that it was started under, which is its tag:
    /// whoever starts su chooses that, and the journal takes it for the tag up to its first colon. Where it is not known which
    /// program that is, nobody is told of but himself. Others go by their own names, and have in their lines what a caller or
    /// a client chose: sudo and pkexec a command and a directory, Exim a name.
    pub fn behind_name(&self, pid: u32) -> Option<&'a [u8]> {
        let behind = |end: &[u8], skip: usize| Some(memchr::memmem::rfind(self.message, end)? + skip);
        let number = format!("[{pid}]: ");
        let at = behind(b": pam_", 2).max(behind(number.as_bytes(), number.len()))?;
        let rest = &self.message[at..];
        let is_of_su = |name: &[u8]| family(name) == Family::Su;
        let may_be_su =
            if self.has_roots_rights() { is_of_su(self.exe_stem()) } else { self.uid >= i64::from(PEOPLE) };
        (self.uid != 0 && may_be_su && pam_service(rest).is_none_or(is_of_su)).then_some(rest)
    }

    fn exe_stem(&self) -> &[u8] {
        self.exe_name().split(|byte| *byte == b'.').next().unwrap_or_default()
    }

    fn is_sudo(&self) -> bool {
        self.exe_name().starts_with(b"sudo")
    }

    fn is_itself(&self, program: &[u8]) -> bool {
        let name = self.exe_name();
        let cut = &program[..program.len().min(COMM)];
        // Debian's exim4 logs as exim.
        let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let names = [name, &name[..name.len() - digits]];
        !cut.is_empty() && (names.contains(&program) || self.comm == cut)
    }

    /// Whether it is one program of several, that log under what they belong to, as Cyrus' `cyrus/imaps`, which is
    /// `/usr/lib/cyrus/bin/imapd`.
    fn is_part(&self) -> bool {
        let Some(slash) = memchr::memchr(b'/', self.tag) else { return false };
        let mut path = self.exe_path().components().skip(1).map(|of| of.as_os_str().as_bytes());
        path.next() == Some(b"usr")
            && matches!(path.next(), Some(b"lib" | b"lib64" | b"libexec"))
            && path.next() == Some(&self.tag[..slash])
    }

    /// Whether the program, or what it belongs to (`postfix/smtpd`, `postfix-out/smtpd`), has an account of its own here, and
    /// this is another.
    fn is_of_another_account(&self, program: &[u8]) -> bool {
        let end = self.tag.iter().position(|byte| matches!(byte, b'/' | b'-')).unwrap_or(self.tag.len());
        let uid = u32::try_from(self.uid).unwrap_or(0);
        self.is_here && [program, &self.tag[..end]].into_iter().any(|name| is_account_of_another(name, uid))
    }

    /// The name of its program file.
    pub fn exe_name(&self) -> &'a [u8] {
        self.exe_path().file_name().map_or(&b""[..], |name| name.as_bytes())
    }

    /// Whether its file has the program's name, as `sudo` and `sudo.ws` have that of `sudo-i`. Which file it is, is known a
    /// moment after the line: who starts passwd right behind a word of his own is passwd by then, and that says nothing in
    /// another's name. Nor does what PAM says in it, under whatever tag: whoever starts su chooses that.
    fn is_named_as(&self, program: &[u8], family: Family) -> bool {
        let name = self.exe_name();
        let is_its = |of: &[u8]| is_of(name, of);
        // A module speaks in any program, and all of busybox is one. A tag that tells for whom it speaks is a name to start su
        // under.
        (family == Family::Module && !self.tag.contains(&b'('))
            || name.starts_with(b"busybox")
            || is_its(program)
            || pam_service(self.message).is_some_and(is_its)
    }

    /// Whether it is this program, or may be. What it says counts for nothing, so no more is asked.
    fn is_tester(&self) -> bool {
        let path = self.exe_path();
        let name = path.file_name().map(|name| name.as_bytes());
        self.exe.is_empty() || (name == Some(TESTER) && path.metadata().map_or(true, |file| file.uid() == 0))
    }

    fn exe_path(&self) -> &'a Path {
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

/// Whether a name, or a service of PAM, is that of the program in this file.
pub(super) fn is_of(exe: &[u8], name: &[u8]) -> bool {
    let stem = |text: &[u8]| text.iter().position(|b| matches!(b, b'-' | b'.')).unwrap_or(text.len());
    !exe.is_empty() && exe[..stem(exe)] == name[..stem(name)]
}

/// `su` of `pam_unix(su:auth): …`
fn pam_service(message: &[u8]) -> Option<&[u8]> {
    let rest = message.strip_prefix(b"pam_")?;
    let inner = &rest[memchr::memchr(b'(', rest)? + 1..];
    Some(&inner[..memchr::memchr2(b':', b' ', inner)?])
}

/// Whether `name` is that of this user, as far as this machine's own accounts say.
pub(super) fn is_account_of(name: &[u8], uid: u32) -> bool {
    uid != 0 && ids_of(name).contains(&uid)
}

/// Whether `name` is that of another user than this one, as far as they say.
pub(super) fn is_account_of_another(name: &[u8], uid: u32) -> bool {
    let ids = ids_of(name);
    uid != 0 && !ids.is_empty() && !ids.contains(&uid)
}

/// The account of this user; empty where they name none.
pub(super) fn account_of(uid: u32) -> &'static [u8] {
    accounts().find(|(_, id)| *id == uid).map_or(&[], |(name, _)| name)
}

fn ids_of(name: &[u8]) -> Vec<u32> {
    if name.is_empty() { Vec::new() } else { accounts().filter(|of| of.0 == name).map(|of| of.1).collect() }
}

/// The accounts by name and number.
fn accounts() -> impl Iterator<Item = (&'static [u8], u32)> {
    // A mail server tells of itself in each second line; one pass does without accounts that are made meanwhile.
    static ACCOUNTS: OnceLock<Vec<u8>> = OnceLock::new();
    let accounts = ACCOUNTS.get_or_init(|| std::fs::read("/etc/passwd").unwrap_or_default());
    accounts.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        Some((fields.next()?, fields.nth(1).and_then(decimal)?))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::scan::tag::name_and_module;

    fn may(uid: i64, exe: &str, comm: &str, program: &str) -> bool {
        trust(uid, exe, comm, program) == Trust::Believed
    }

    fn trust(uid: i64, exe: &str, comm: &str, program: &str) -> Trust {
        trust_of_machine(uid, exe, comm, program, false)
    }

    fn trust_of_machine(uid: i64, exe: &str, comm: &str, program: &str, is_here: bool) -> Trust {
        let (exe, comm, tag) = (exe.as_bytes(), comm.as_bytes(), program.as_bytes());
        Writer { uid, exe, comm, tag, message: b"x", is_output: false, is_here }
            .trust_in(name_and_module(tag).0)
    }

    #[test]
    fn a_line_is_forged_only_where_it_is_known_that_another_program_wrote_it() {
        for program in ["su", "sudo", "unix_chkpwd", "nginx", "login"] {
            // Of a process that was ending its name is known still, and anybody may have taken that.
            for comm in ["", program] {
                assert_eq!(trust(1000, "", comm, program), Trust::Unattributed, "{program}");
                assert_eq!(trust(0, "", comm, program), Trust::Believed, "{program}");
            }
            assert_eq!(trust(1000, "/usr/bin/logger", program, program), Trust::Forged, "{program}");
        }
        for program in ["sshd", "sshd-session", "sshd-auth"] {
            assert_eq!(trust(1000, "", "", program), Trust::Forged, "root alone runs it");
            assert_eq!(trust(1000, "/usr/bin/passwd", "passwd", program), Trust::Forged);
            assert_eq!(trust(0, "", "", program), Trust::Believed);
        }
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
    fn what_authalert_tests_is_a_test_and_nothing_that_another_program_or_person_does() {
        for uid in [0, 65534] {
            for exe in ["", "/usr/nowhere/authalert", "/usr/nowhere/authalert (deleted)"] {
                assert_eq!(trust(uid, exe, "authalert", "authalert"), Trust::Test, "{exe}");
            }
            assert_ne!(trust(uid, "/usr/bin/passwd", "authalert", "authalert"), Trust::Test, "su, renamed");
            assert_ne!(trust(uid, "/usr/nowhere/authalert", "authalert", "su"), Trust::Test);
        }
        assert_eq!(trust(1000, "/usr/nowhere/authalert", "authalert", "authalert"), Trust::Forged);
        assert_eq!(trust(1000, "", "authalert", "authalert"), Trust::Unattributed);
    }

    #[test]
    fn a_program_with_roots_rights_is_believed_in_its_own_name() {
        for (exe, program) in [
            ("/usr/bin/sudo", "sudo-i"),
            ("/usr/bin/su", "su-l"),
            ("/usr/nowhere/sudo-rs", "sudo"),
            ("/usr/nowhere/polkit-agent-helper-1", "polkit-agent-helper-1"),
            ("/usr/bin/passwd", "PAM-pwdb"),
        ] {
            assert!(may(1000, exe, "x", program), "{exe}: {program}");
        }
        for program in ["vsftpd", "login", "nginx", "sudo", "passwdd", ""] {
            // Started from a link of that name.
            assert!(!may(1000, "/usr/bin/passwd", program, program), "{program}");
        }
        // Who starts su chooses the tag of what PAM says in it.
        for (message, believed) in [
            ("pam_unix(su:auth): authentication failure; logname= uid=1000", true),
            ("pam_unix(su-l:auth): authentication failure; logname= uid=1000", true),
            ("pam_unix(vsftpd:auth): authentication failure; logname= uid=1000", false),
            ("pam_unix(su", false),
            ("[root] FAIL LOGIN: Client \"192.0.2.7\"", false),
        ] {
            let writer = Writer {
                uid: 1000,
                exe: b"/usr/bin/su",
                comm: b"x",
                tag: b"vsftpd",
                message: message.as_bytes(),
                is_output: false,
                is_here: true,
            };
            assert_eq!(writer.trust_in(b"vsftpd") == Trust::Believed, believed, "{message}");
        }
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
        assert!(may(101, "/usr/sbin/exim4", "exim4", "exim"), "under a name without its number");
        assert!(!may(1000, "/usr/sbin/exim4", "exim4", "exim"));
        assert!(!may(101, "/usr/sbin/4", "4", ""));
        let long = "a-program-with-a-long-name";
        assert!(may(110, "/usr/bin/python3.13", "a-program-with-", long));
        assert_eq!(trust(110, "", "a-program-with-", long), Trust::Unattributed, "it gave itself that name");
        assert!(!may(33, "/usr/bin/logger", "logger", "sshd"));
        assert!(!may(33, "/usr/bin/sshd", "sshd", "sshd"), "sshd runs as root");
        assert!(!may(1000, "/usr/sbin/nginx", "nginx", "nginx"));
    }

    #[test]
    fn one_program_of_several_is_believed_under_what_they_belong_to() {
        for (exe, comm, program, expected) in [
            ("/usr/lib/postfix/sbin/smtpd", "smtpd", "postfix/smtpd", true),
            ("/usr/libexec/postfix/smtpd", "smtpd", "postfix/submission/smtpd", true),
            ("/usr/lib/postfix/sbin/smtpd", "smtpd", "postfix-out/smtpd", true),
            ("/usr/lib/cyrus/bin/imapd", "imapd", "cyrus/imaps", true),
            ("/usr/lib/cyrus/bin/imapd", "imapd", "postfix/smtps", false),
            ("/usr/bin/logger", "logger", "postfix/smtpd", false),
            ("/usr/bin/logger", "logger", "bin/smtpd", false),
            ("/usr/bin/logger", "logger", "/smtpd", false),
            ("/home/www/lib/postfix/x", "x", "postfix/smtpd", false),
            ("/usr/share/postfix/x", "x", "postfix/smtpd", false),
        ] {
            assert_eq!(may(101, exe, comm, program), expected, "{exe}: {program}");
            assert!(!may(1000, exe, comm, program), "{exe}: {program}");
        }
    }

    #[test]
    fn what_has_an_account_of_its_own_is_believed_as_no_other() {
        // Of the accounts that there may be, root's is on every machine.
        for (program, expected) in [
            ("nowhere-else", true),
            ("nowhere-else/smtpd", true),
            ("root", false),
            ("root/smtpd", false),
            ("root-out/smtpd", false),
            ("nowhere-else/root", false),
        ] {
            let name = program.rsplit('/').next().unwrap();
            let exe = format!("/usr/sbin/{name}");
            let is_believed =
                |is_here| trust_of_machine(998, &exe, name, program, is_here) == Trust::Believed;
            assert_eq!((is_believed(true), is_believed(false)), (expected, true), "{program}");
        }
    }
}
