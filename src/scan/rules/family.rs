//! Which programs belong together.

/// Whose lines these are: which group of rules, and which processes may be one login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// sshd and what it starts.
    Sshd,
    /// su, runuser.
    Su,
    /// sudo, doas: whoever calls proves to be who they are.
    Sudo,
    /// login at a terminal.
    Login,
    /// polkit's agent helper.
    Polkit,
    /// unix_chkpwd.
    CheckPassword,
    /// A PAM module under its own tag, in the process of whichever program.
    Module,
    /// Anything else that speaks through PAM.
    Other,
}

/// The family of a program.
pub fn family(program: &[u8]) -> Family {
    match program {
        b"sshd" | b"sshd-session" | b"sshd-auth" => Family::Sshd,
        b"su" | b"su-l" | b"runuser" => Family::Su,
        b"sudo" | b"sudo-i" | b"sudo-rs" | b"doas" => Family::Sudo,
        b"login" => Family::Login,
        b"polkit-agent-helper-1" | b"polkitd" => Family::Polkit,
        b"unix_chkpwd" => Family::CheckPassword,
        _ if program.starts_with(b"sshd-") => Family::Sshd,
        _ if [&b"pam_"[..], b"PAM_", b"PAM-"].iter().any(|start| program.starts_with(start)) => {
            Family::Module
        }
        _ => Family::Other,
    }
}

/// The tags of the programs whose words no file of rules is about: they are read by hand.
pub const BY_HAND: [&str; 13] = [
    "sshd",
    "sshd-session",
    "sshd-auth",
    "su",
    "su-l",
    "runuser",
    "sudo",
    "sudo-rs",
    "login",
    "rlogin",
    "telnetd",
    "in.telnetd",
    "unix_chkpwd",
];
