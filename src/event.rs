//! What happened: one failed authentication, or several that one log line told of; or a login.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// By which way the failure came to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// The module, inside the program that authenticated.
    Pam,
    /// The log scan.
    Log,
}

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A wrong answer, or a refusal without a question.
    Failure,
    /// A prompt that was left unanswered (Ctrl-C, Ctrl-D, client gone). Kept, not posted.
    Aborted,
    /// A successful authentication; kept to tell a break-in from noise. Counted apart.
    Login,
    /// No attempt, but the word of root that the process `pid` is about to fail at `service` on purpose
    /// (the installer's proof, `test --pam`). What that process fails within a minute is counted as a
    /// test, and is in no alert.
    Test,
}

/// One failed authentication, or login. All text is neutral and bounded (see [`crate::neutral`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When the verdict fell, or the time in the log line.
    pub time: Timestamp,
    /// The machine it happened on, where that is not this one (a log server, a member of a fleet).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// How it came to us.
    pub route: Route,
    /// A wrong answer or none.
    pub class: Class,
    /// How many attempts this stands for; 1 from the module.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u32,
    /// PAM service: `sshd`, `su`, `sudo`, `login` …
    pub service: String,
    /// Process that authenticated; 0 where a log line has none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pid: u32,
    /// Its parent, when the module recorded it: sshd authenticates keyboard-interactive in a
    /// child, and logs part of it from the parent.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ppid: u32,
    /// Account that was tried.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Remote host: an address wherever one is known, without zone, mapped IPv4 as IPv4.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rhost: String,
    /// Terminal, as PAM has it (`ssh`, `/dev/pts/0`).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tty: String,
    /// Who asked (su, sudo).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ruser: String,
    /// Real user id of the process that authenticated.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub uid: u32,
    /// Where a log line stood (`source:offset`), so that a scan that was killed between recording
    /// and remembering its position does not record it twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

impl Event {
    /// Whether it was tried at this machine itself (su, sudo, login), not over the network.
    pub fn is_local(&self) -> bool {
        self.rhost.is_empty() && self.service != "sshd"
    }

    /// Whether somebody who is logged in, or stands before the machine, tried it: such a failure waits
    /// for no interval. That no remote host is given is not enough: some services of the network (VPN,
    /// mail, web) give none, and whoever attacks them would have every alert go out at once.
    pub fn is_of_somebody_here(&self) -> bool {
        const PROGRAMS: [&str; 9] =
            ["su", "su-l", "sudo", "sudo-i", "doas", "login", "polkit-1", "runuser", "vlock"];
        let terminal =
            ["/dev/", "tty", "pts/", ":", "console", "hvc"].iter().any(|t| self.tty.starts_with(t));
        self.is_local()
            && (self.uid != 0
                || !self.ruser.is_empty()
                || terminal
                || PROGRAMS.contains(&self.service.as_str()))
    }
}

fn one() -> u32 {
    1
}

fn is_one(n: &u32) -> bool {
    *n == 1
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_of_the_network_that_gives_no_remote_host_is_nobody_here() {
        let of = |service: &str, rhost: &str, tty: &str, ruser: &str, uid: u32| {
            let failure = Event {
                time: Timestamp::UNIX_EPOCH,
                host: String::new(),
                route: Route::Pam,
                class: Class::Failure,
                count: 1,
                service: service.into(),
                pid: 1,
                ppid: 1,
                user: "alice".into(),
                rhost: rhost.into(),
                tty: tty.into(),
                ruser: ruser.into(),
                uid,
                origin: None,
            };
            failure.is_of_somebody_here()
        };
        assert!(of("su", "", "", "", 0) && of("sudo", "", "/dev/pts/0", "bob", 1000));
        assert!(of("gdm-password", "", "/dev/tty1", "", 0) && of("lightdm", "", ":0", "", 0));
        assert!(of("polkit-1", "", "", "bob", 1000) && of("my-locker", "", "", "", 1000));
        assert!(!of("openvpn", "", "", "", 0) && !of("dovecot", "", "dovecot", "", 0));
        assert!(!of("sshd", "", "ssh", "", 0) && !of("login", "192.0.2.7", "/dev/pts/0", "", 0));
    }
}
