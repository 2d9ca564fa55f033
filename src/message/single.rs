//! The wording of one record: who, from where, through what.

use super::summary::Sample;
use super::time::number;
use super::weight::cut;
use crate::accounts::AccountKind;

/// Longest name, address and terminal that a text shows.
const SHOWN: usize = 45;

/// What may be said of names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names {
    /// Whether names of no account here are shown; they may be passwords.
    pub(super) unknown: bool,
}

impl Names {
    /// The tried name as it may be shown: `root`, or for a name of no account `unknown user`, or
    /// `unknown user "x"`.
    pub(super) fn user(self, user: &str, standing: AccountKind) -> String {
        match standing {
            AccountKind::Unknown if self.unknown && !user.is_empty() => {
                format!("unknown user {}", quoted(user))
            }
            AccountKind::Unknown => "unknown user".into(),
            _ if user.is_empty() => "an unnamed account".into(),
            _ => cut(user, SHOWN),
        }
    }
}

/// A name of no account, in quotation marks that it cannot end.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", cut(&name.replace('"', "'"), SHOWN))
}

/// `wrong password for root from 192.0.2.7 (sshd[32239])`; for several failures
/// `3 failed logins for root from …`.
///
/// "Wrong password" is said only where a password was compared: sshd hands PAM a made-up one for
/// root while root may not log in with a password (the default), and an account without a login has none.
/// An account that AllowUsers refuses is the case that cannot be told from here.
pub(super) fn sentence(told: &Sample, count: u64, names: Names) -> String {
    let user = names.user(&told.user, told.user_kind);
    let unknown = told.user_kind == AccountKind::Unknown;
    let compared = match told.user_kind {
        AccountKind::Existing => true,
        AccountKind::Root => told.service != "sshd",
        AccountKind::System | AccountKind::Unknown => false,
    };
    let what = match count {
        1 if compared => "wrong password".into(),
        1 => "failed login".into(),
        n => format!("{} failed logins", number(n)),
    };
    if switches_user(told) {
        let what = if unknown && count == 1 { "unknown user".into() } else { what };
        return format!("{what} at {}{}", switch(told, names), process(told));
    }
    let subject = match (unknown, count) {
        (true, 1) => user,
        (true, _) => format!("{what} for {}{user}", if user.ends_with('"') { "" } else { "an " }),
        (false, _) => format!("{what} for {user}"),
    };
    format!("{subject}{}{}", place(told), process(told))
}

/// The same for one among a few: `root from 192.0.2.7 (sshd[32239])`, `su: bob -> root on pts/0`.
pub(super) fn item(told: &Sample, names: Names, with_process: bool) -> String {
    let process = if with_process { process(told) } else { String::new() };
    let times = if told.count > 1 { format!(" ×{}", number(told.count.into())) } else { String::new() };
    if switches_user(told) {
        return format!("{}{process}{times}", switch(told, names));
    }
    format!("{}{}{process}{times}", names.user(&told.user, told.user_kind), place(told))
}

/// The same for one among many, with the service only where that says what was tried.
pub(super) fn among(told: &Sample, names: Names) -> String {
    let service = if told.is_local() && !switches_user(told) && !told.service.is_empty() {
        format!("{}: ", cut(&told.service, SHOWN))
    } else {
        String::new()
    };
    format!("{service}{}", item(told, names, false))
}

/// Whether two records differ in nothing but time, process and count.
pub(super) fn alike(a: &Sample, b: &Sample) -> bool {
    let key = |t: &Sample| {
        (t.user_kind, t.service.clone(), t.user.clone(), t.rhost.clone(), t.tty.clone(), t.ruser.clone())
    };
    key(a) == key(b)
}

/// Whether somebody who is logged in asks to be another.
fn switches_user(told: &Sample) -> bool {
    told.is_local() && !told.ruser.is_empty() && told.ruser != told.user
}

fn switch(told: &Sample, names: Names) -> String {
    let to = match told.user_kind {
        AccountKind::Unknown if names.unknown && !told.user.is_empty() => quoted(&told.user),
        AccountKind::Unknown => "?".into(),
        _ => cut(&told.user, SHOWN),
    };
    format!("{}: {} -> {to}{}", cut(&told.service, SHOWN), cut(&told.ruser, SHOWN), terminal(told))
}

fn place(told: &Sample) -> String {
    match told.rhost.as_str() {
        "" if !told.is_local() => " from an unknown address".into(),
        "" => terminal(told),
        rhost => format!(" from {}", cut(rhost, SHOWN)),
    }
}

fn terminal(told: &Sample) -> String {
    match told.tty.trim_start_matches("/dev/") {
        "" | "ssh" => String::new(),
        tty => format!(" on {}", cut(tty, SHOWN)),
    }
}

/// ` (sshd[32239])`, as far as it is known.
fn process(told: &Sample) -> String {
    match (told.service.as_str(), told.pid) {
        ("", 0) => String::new(),
        ("", pid) => format!(" (pid {pid})"),
        (service, 0) => format!(" ({})", cut(service, SHOWN)),
        (service, pid) => format!(" ({}[{pid}])", cut(service, SHOWN)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::summary::Summary;
    use super::super::summary::tests::failure;
    use super::*;
    use crate::event::Event;

    fn told(failure: &Event, standing: AccountKind) -> Sample {
        let mut summary = Summary::default();
        summary.add(failure, standing, AccountKind::Existing);
        summary.latest().unwrap().clone()
    }

    fn su(service: &str, ruser: &str, user: &str) -> Event {
        Event {
            service: service.into(),
            pid: 4321,
            tty: "/dev/pts/0".into(),
            ruser: ruser.into(),
            ..failure(0, user, "")
        }
    }

    #[test]
    fn each_kind_of_failure_reads_as_a_sentence() {
        use AccountKind::*;
        let hidden = Names { unknown: false };
        for (failure, standing, text) in [
            (
                failure(0, "alice", "192.0.2.7"),
                Existing,
                "wrong password for alice from 192.0.2.7 (sshd[32239])",
            ),
            (failure(0, "root", "192.0.2.7"), Root, "failed login for root from 192.0.2.7 (sshd[32239])"),
            (
                failure(0, "mail", "2001:db8::1"),
                System,
                "failed login for mail from 2001:db8::1 (sshd[32239])",
            ),
            (failure(0, "hunter2", "192.0.2.7"), Unknown, "unknown user from 192.0.2.7 (sshd[32239])"),
            (failure(0, "", "192.0.2.7"), Unknown, "unknown user from 192.0.2.7 (sshd[32239])"),
            (failure(0, "root", ""), Root, "failed login for root from an unknown address (sshd[32239])"),
            (su("su", "bob", "root"), Root, "wrong password at su: bob -> root on pts/0 (su[4321])"),
            (su("su", "bob", "hunter2"), Unknown, "unknown user at su: bob -> ? on pts/0 (su[4321])"),
            (su("sudo", "bob", "bob"), Existing, "wrong password for bob on pts/0 (sudo[4321])"),
            (su("login", "", "root"), Root, "wrong password for root on pts/0 (login[4321])"),
            (su("login", "", "hunter2"), Unknown, "unknown user on pts/0 (login[4321])"),
        ] {
            assert_eq!(sentence(&told(&failure, standing), 1, hidden), text);
        }
    }

    #[test]
    fn several_alike_are_one_sentence_with_their_number() {
        let hidden = Names { unknown: false };
        let remote = told(&failure(0, "root", "192.0.2.7"), AccountKind::Root);
        assert_eq!(sentence(&remote, 3, hidden), "3 failed logins for root from 192.0.2.7 (sshd[32239])");
        let stranger = told(&failure(0, "hunter2", "192.0.2.7"), AccountKind::Unknown);
        assert_eq!(
            sentence(&stranger, 3, hidden),
            "3 failed logins for an unknown user from 192.0.2.7 (sshd[32239])"
        );
        let local = told(&su("su", "bob", "root"), AccountKind::Root);
        assert_eq!(sentence(&local, 2, hidden), "2 failed logins at su: bob -> root on pts/0 (su[4321])");
    }

    #[test]
    fn an_unknown_name_is_shown_in_quotation_marks_when_that_is_wished() {
        let shown = Names { unknown: true };
        let stranger = told(&failure(0, "o\"ra\"cle", "192.0.2.7"), AccountKind::Unknown);
        assert_eq!(sentence(&stranger, 1, shown), "unknown user \"o'ra'cle\" from 192.0.2.7 (sshd[32239])");
        let local = told(&su("su", "bob", "oracle"), AccountKind::Unknown);
        assert_eq!(sentence(&local, 1, shown), "unknown user at su: bob -> \"oracle\" on pts/0 (su[4321])");
        assert_eq!(item(&local, shown, false), "su: bob -> \"oracle\" on pts/0");
    }
}
