//! What happened: one failed authentication, or several of one log line; or a login.

pub(crate) mod packed;

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
    /// No attempt, but from where failures came that are recorded without an address: saslauthd gives PAM none, and
    /// the log of the mail server has it. In no total and no alert; it speaks against who gets in from there.
    Address,
}

impl Class {
    /// Whether it speaks against who gets in afterwards.
    pub fn is_of_failures(self) -> bool {
        matches!(self, Self::Failure | Self::Address)
    }
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
        is_local(&self.service, &self.rhost)
    }

    /// Whether it is a login that somebody tells of himself, in a log that does not know him for the program that would: it
    /// may be a break-in, and takes nothing back.
    pub fn is_claimed(&self) -> bool {
        is_claimed(self.class, self.route, self.origin.as_deref().unwrap_or_default())
    }

    /// Who asked, if it was somebody who is logged in here or stands before the machine. Where that is a
    /// row of a log ([`Route::Log`]) it is what the row claims.
    ///
    /// That no remote host is given is not enough: some services of the network (VPN, mail, web) give none,
    /// and have their passwords checked by a helper that runs as a system account, without a terminal. Nor is
    /// `ruser` by itself, where such a service may have put what a client typed.
    pub fn asker(&self) -> Option<Asker<'_>> {
        const PROGRAMS: [&str; 8] = ["su", "su-l", "sudo", "sudo-i", "doas", "runuser", "polkit-1", "vlock"];
        if !self.is_local() {
            return None;
        }
        let terminal =
            ["/dev/", "tty", "pts/", ":", "console", "hvc"].iter().any(|t| self.tty.starts_with(t));
        let by_a_person = PROGRAMS.contains(&self.service.as_str());
        match self.uid {
            0 if by_a_person && !self.ruser.is_empty() => Some(Asker::User(&self.ruser)),
            0 if terminal => Some(Asker::Terminal(&self.tty)),
            0 if by_a_person || self.service == "login" => Some(Asker::Terminal("")),
            0 => None,
            uid if is_of_a_person(uid) || terminal => Some(Asker::Uid(uid)),
            _ => None,
        }
    }
}

/// What mail servers, and the helpers that they have ask, call what a client wants.
pub(crate) const MAIL: [&str; 11] =
    ["dovecot", "exim", "imap", "imaps", "lmtp", "pop", "pop3", "sieve", "smtp", "smtpd", "submission"];

/// Whether what came from `rhost` was tried at this machine itself. Where a service of the network gives no address, it is unknown
/// (saslauthd).
pub(crate) fn is_local(service: &str, rhost: &str) -> bool {
    rhost.is_empty() && service != "sshd" && !MAIL.contains(&service)
}

/// What says so of a member's record, behind the kinds of its names in the origin.
pub(crate) const CLAIMED: char = 'c';

/// What says so is behind the machine in the origin of a log's line.
fn is_claimed(class: Class, route: Route, origin: &str) -> bool {
    if (class, route) != (Class::Login, Route::Log) || origin.is_empty() {
        return false;
    }
    let mark = origin.split(':').nth(3).unwrap_or_default();
    if origin.starts_with("fleet:") { mark.contains(CLAIMED) } else { mark.ends_with('s') }
}

/// Who asked at the machine itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asker<'a> {
    /// The real user id of the program that asked for the password, which the kernel vouches for.
    Uid(u32),
    /// Who the program says runs it.
    User(&'a str),
    /// Nobody is logged in yet: the terminal, empty where it is not named.
    Terminal(&'a str),
}

/// Accounts of people have ids from 1000 on, by the `login.defs` of every distribution; `nobody` is none.
fn is_of_a_person(uid: u32) -> bool {
    const FIRST: u32 = 1000;
    const NOBODY: [u32; 2] = [65_534, u32::MAX];
    uid >= FIRST && !NOBODY.contains(&uid)
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

    fn event(service: &str, rhost: &str, tty: &str, ruser: &str, uid: u32) -> Event {
        Event {
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
        }
    }

    #[test]
    fn whoever_asks_at_the_machine_is_known_by_what_he_cannot_choose() {
        for (service, tty, ruser, uid, asker) in [
            ("sudo", "/dev/pts/0", "bob", 1000, Asker::Uid(1000)),
            ("su", "", "bob", 1000, Asker::Uid(1000)),
            ("su", "/dev/pts/1", "bob", 0, Asker::User("bob")),
            ("su", "", "", 0, Asker::Terminal("")),
            ("polkit-1", "", "", 1000, Asker::Uid(1000)),
            ("my-locker", "", "", 1000, Asker::Uid(1000)),
            ("login", "/dev/tty1", "", 0, Asker::Terminal("/dev/tty1")),
            ("gdm-password", "/dev/tty1", "", 0, Asker::Terminal("/dev/tty1")),
            ("lightdm", ":0", "", 0, Asker::Terminal(":0")),
            ("su", "/dev/pts/3", "www-data", 33, Asker::Uid(33)),
        ] {
            assert_eq!(event(service, "", tty, ruser, uid).asker(), Some(asker), "{service} {uid}");
        }
    }

    #[test]
    fn a_service_of_the_network_that_gives_no_remote_host_is_nobody_here() {
        for (service, rhost, tty, ruser, uid) in [
            ("openvpn", "", "", "", 0),
            ("openvpn", "", "", "typed", 0),
            ("dovecot", "", "dovecot", "", 0),
            ("smtp", "", "", "", 0),
            ("imap", "", "", "bob", 1000),
            ("sshd", "", "ssh", "", 0),
            ("login", "192.0.2.7", "/dev/pts/0", "", 0),
            ("su", "192.0.2.7", "/dev/pts/0", "bob", 1000),
            // A web server's password checker: set-user-id, run by www-data, or by nobody.
            ("pwauth", "", "", "", 33),
            ("pwauth", "", "", "www-data", 33),
            ("su", "", "", "www-data", 33),
            ("pwauth", "", "", "", 65_534),
        ] {
            assert_eq!(event(service, rhost, tty, ruser, uid).asker(), None, "{service} {uid}");
        }
    }
}
