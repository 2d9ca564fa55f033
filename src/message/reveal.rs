//! What may be shown of a record: the one rule for every field that can hold what somebody typed.
//!
//! A name is shown if it is an account of this machine: any other may be a password typed in the wrong
//! field, and programs put the tried name into the asker's field too. A service, a terminal, a remote host
//! and a machine are shown in the shape that they have; what a forged log line puts there is not. All
//! of it is shown where the administrator says so (`post_unknown_users`).

use std::net::IpAddr;

use super::sample::Sample;
use super::summary::UNKNOWN_ADDRESS;
use crate::accounts::AccountKind;

/// What may be said of names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reveal {
    /// Whether names of no account here are shown; they may be passwords.
    pub(crate) unknown: bool,
}

impl Reveal {
    /// The tried name, if it may be shown and there is one.
    pub(super) fn user(self, sample: &Sample) -> Option<&str> {
        self.name(&sample.user, sample.user_kind)
    }

    /// Who asked, if it may be shown and is known.
    pub(super) fn asker(self, sample: &Sample) -> Option<&str> {
        self.name(&sample.ruser, sample.ruser_kind)
    }

    /// A service as a person knows it; none where it has not the shape of one.
    pub(crate) fn service(self, service: &str) -> Option<&str> {
        let shown = is_service(service) || self.unknown && !service.is_empty();
        shown.then(|| shown_as(service))
    }

    /// A terminal without `/dev/`; none where it says nothing.
    pub(super) fn terminal(self, tty: &str) -> Option<&str> {
        let name = tty.strip_prefix("/dev/").unwrap_or(tty);
        match name {
            "" | "ssh" => None,
            name => (is_terminal(name) || self.unknown).then_some(name),
        }
    }

    /// A remote host: an address or a name.
    pub(crate) fn remote(self, rhost: &str) -> Option<&str> {
        let shaped = rhost.parse::<IpAddr>().is_ok() || rhost == UNKNOWN_ADDRESS || is_host(rhost);
        (shaped || self.unknown && !rhost.is_empty()).then_some(rhost)
    }

    /// Another machine that it happened on: the first label of its name, an address whole.
    pub(super) fn machine(self, host: &str) -> Option<&str> {
        let label = label(host);
        let shaped = is_host(host.strip_suffix('.').unwrap_or(host)) || host.parse::<IpAddr>().is_ok();
        (shaped || self.unknown && !label.is_empty()).then_some(label)
    }

    fn name(self, name: &str, kind: AccountKind) -> Option<&str> {
        (!name.is_empty() && (kind.is_account() || self.unknown)).then_some(name)
    }
}

/// The first label of a machine's name; an address stays whole.
pub(super) fn label(host: &str) -> &str {
    if host.parse::<IpAddr>().is_ok() { host } else { host.split('.').next().unwrap_or_default() }
}

/// A service as alerts name it.
pub(crate) fn shown_as(service: &str) -> &str {
    if service == HELPER { "password helper" } else { known_as(service) }
}

/// What a person calls a service whose PAM name, or program, says something else.
pub(super) fn known_as(service: &str) -> &str {
    match service {
        "su-l" => "su",
        "sudo-i" => "sudo",
        "sshd-session" | "sshd-auth" => "sshd",
        "polkit-1" | "polkitd" | "polkit-agent-helper-1" => "polkit",
        "gdm-password" | "gdm-fingerprint" | "gdm-smartcard" => "gdm",
        service => service,
    }
}

/// pam_unix asks it for a program that may not read the passwords itself: it is never what somebody
/// used, and comes last where services are listed.
pub(super) const HELPER: &str = "unix_chkpwd";

fn is_service(name: &str) -> bool {
    name.len() <= 40
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.@+".contains(&b))
}

/// `pts/0`, `tty1`, `ttyS0`, `ttyUSB0`, `hvc0`, `console`, `:0`, `:10.0`.
fn is_terminal(name: &str) -> bool {
    let number =
        |text: &str| (1..=7).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if let Some(display) = name.strip_prefix("pts/").or_else(|| name.strip_prefix(':')) {
        return number(display);
    }
    let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let counted = number(&name[kind.len()..]);
    let serial = |kind: &str| kind.len() <= 4 && kind.bytes().all(|b| b.is_ascii_uppercase());
    match kind {
        "console" => name == kind,
        "hvc" | "xvc" | "lxc/tty" => counted,
        kind => counted && kind.strip_prefix("tty").is_some_and(serial),
    }
}

/// Letters, digits, `-`, `_` and dots between them.
fn is_host(name: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    edge(name.chars().next())
        && edge(name.chars().next_back())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::failure;
    use super::*;
    use crate::event::Event;

    const HIDDEN: Reveal = Reveal { unknown: false };
    const OPEN: Reveal = Reveal { unknown: true };

    #[test]
    fn a_name_of_no_account_is_hidden_in_whatever_field_it_stands() {
        let event = Event { ruser: "hunter2".into(), ..failure(0, "hunter2", "192.0.2.7") };
        let sample = Sample::of(&event, AccountKind::Unknown, AccountKind::Unknown);
        assert_eq!((HIDDEN.user(&sample), HIDDEN.asker(&sample)), (None, None));
        assert_eq!((OPEN.user(&sample), OPEN.asker(&sample)), (Some("hunter2"), Some("hunter2")));
        let sample = Sample::of(&event, AccountKind::System, AccountKind::Existing);
        assert_eq!((HIDDEN.user(&sample), HIDDEN.asker(&sample)), (Some("hunter2"), Some("hunter2")));
    }

    #[test]
    fn terminals_services_and_hosts_are_shown_in_their_shape_alone() {
        for tty in ["/dev/pts/0", "tty1", "ttyS0", "ttyUSB0", "hvc0", "console", ":0", ":10.0"] {
            assert_eq!(HIDDEN.terminal(tty), Some(tty.trim_start_matches("/dev/")), "{tty}");
        }
        for tty in
            ["hunter2", "tty", "ttyhunter2", "pts/", "pts/x", ":hunter", "/dev/hunter2", "console1", "tty 1"]
        {
            assert_eq!(HIDDEN.terminal(tty), None, "{tty}");
            assert!(OPEN.terminal(tty).is_some());
        }
        assert_eq!((OPEN.terminal("ssh"), OPEN.terminal("")), (None, None));
        for (service, shown) in [
            ("sshd", Some("sshd")),
            ("sudo-i", Some("sudo")),
            ("unix_chkpwd", Some("password helper")),
            ("vmware-authd", Some("vmware-authd")),
            ("", None),
            ("my secret", None),
            ("Tr0ub4dor&3", None),
            ("7days", None),
        ] {
            assert_eq!(HIDDEN.service(service), shown, "{service}");
        }
        for host in ["192.0.2.7", "2001:db8::1", "mail.example.org", "desk7", UNKNOWN_ADDRESS] {
            assert_eq!(HIDDEN.remote(host), Some(host));
        }
        for host in ["", "a b", "@here", "x!", "-x", "東"] {
            assert_eq!(HIDDEN.remote(host), None, "{host}");
        }
        assert_eq!(HIDDEN.machine("web1.example.com"), Some("web1"));
        assert_eq!(HIDDEN.machine("2001:db8::1"), Some("2001:db8::1"));
        assert_eq!(HIDDEN.machine("a: 7 failed"), None);
        // The whole is judged, not what would be shown of it.
        assert_eq!(HIDDEN.machine("hunter2.x and more"), None);
        assert_eq!(HIDDEN.machine("web1.example.com."), Some("web1"));
    }
}
