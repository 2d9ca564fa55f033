//! What a line says.

/// What a line was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// sshd: a password was refused.
    SshdPassword,
    /// sshd: keyboard-interactive was refused.
    SshdKeyboard,
    /// sshd: a key, or another method without a password, was refused; an attempt when nothing else is told of
    /// the process.
    SshdKey,
    /// sshd: a user who is not let in, as [`Kind::SshdKey`].
    SshdLeft,
    /// The same, and the connection is over.
    SshdEnd,
    /// sshd: `error: PAM: …`, told beside or instead of [`Kind::SshdKeyboard`].
    SshdPamError,
    /// sshd: a user who does not exist; an attempt when nothing else is told of the process.
    SshdInvalidUser,
    /// sshd: the password or key was right, and its owner is not let in.
    SshdDenied,
    /// sshd: somebody got in.
    SshdAccepted,
    /// Another program: somebody got in.
    Success,
    /// Somebody says so of himself, whom the journal takes for another program: it takes nothing back.
    Claimed,
    /// A PAM module refused.
    PamFailure,
    /// A PAM module refused as often again as the line says.
    PamMore,
    /// A PAM module accepted.
    PamSuccess,
    /// A PAM session began.
    PamSession,
    /// Nobody answered the prompt.
    PamAborted,
    /// The program's own word: `FAILED SU`, `3 incorrect password attempts`.
    Program,
    /// The program's second line for the same attempt.
    ProgramToo,
    /// A server's word for what it asked another process about, which may have told it too.
    Relayed,
    /// The program's count so far: `TOO MANY LOGIN TRIES (3)`.
    ProgramTotal,
    /// dropbear: a user who does not exist.
    UnknownUser,
    /// The password was right and its owner is not let in, or nobody could look at it: the refusal told next is none.
    Excuse,
    /// sshd, dropbear: where the client of this process was.
    Client,
    /// pam_unix's helper; its own process beside the one that authenticates.
    CheckPassword,
}

impl Kind {
    /// Whether it says that a password was right, or that nobody typed one: a refusal beside it is excused by it.
    pub fn excuses(self) -> bool {
        matches!(
            self,
            Self::SshdAccepted
                | Self::SshdDenied
                | Self::Success
                | Self::PamSuccess
                | Self::PamSession
                | Self::PamAborted
                | Self::Excuse
        )
    }
}

/// The class of what `authalert test` did: no attempt, and nobody else's.
pub const TEST: &str = "test";
/// The class of [`Kind::Claimed`].
pub const CLAIMED: &str = "claimed";

/// What one line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence<'a> {
    /// What it was taken for.
    pub kind: Kind,
    /// The stable word for it, as printed in `class`.
    pub class: &'a str,
    /// How many attempts.
    pub weight: u32,
    /// PAM service, where the line has one; else the program's usual one.
    pub service: &'a [u8],
    /// The PAM module that spoke; of sshd, and of servers whose client has a choice, how it proved who it is.
    pub module: &'a [u8],
    /// Who was tried.
    pub user: &'a [u8],
    /// From where.
    pub rhost: &'a [u8],
    /// By whom, on this machine.
    pub ruser: &'a [u8],
    /// Terminal.
    pub tty: &'a [u8],
    /// The client's port; 0: not told.
    pub port: u32,
    /// Whether the systemd journal says that unix_chkpwd was started by a user, who may start it himself: sudo and su start it
    /// as root.
    pub of_user: bool,
}

impl<'a> Evidence<'a> {
    /// Somebody got in, by the word of `service`.
    pub(super) fn success(service: &'a [u8]) -> Self {
        Self { weight: 0, ..Self::new(Kind::Success, "login", service) }
    }

    pub(super) fn new(kind: Kind, class: &'a str, service: &'a [u8]) -> Self {
        let empty: &[u8] = b"";
        Self {
            kind,
            class,
            weight: 1,
            service,
            module: empty,
            user: empty,
            rhost: empty,
            ruser: empty,
            tty: empty,
            port: 0,
            of_user: false,
        }
    }

    /// Whether it says from which host or at which terminal.
    pub fn has_place(&self) -> bool {
        !self.place().is_empty()
    }

    /// The host, else the terminal without its directory.
    pub fn place(&self) -> &'a [u8] {
        if self.rhost.is_empty() { self.tty.strip_prefix(b"/dev/").unwrap_or(self.tty) } else { self.rhost }
    }
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// It tells of an attempt, or of how one ended.
    Evidence(Evidence<'a>),
    /// `last message repeated N times`: again what the line before it said.
    Again(u32),
    /// It speaks of authentication and is no attempt; why.
    Nothing(&'a str),
    /// It tells of an attempt, or of how one ended, and the journal does not say which program wrote it.
    Unattributed,
    /// It tells of an attempt, or of how one ended, and somebody wrote it who cannot know.
    Forged,
    /// It speaks of something else.
    Other,
}
