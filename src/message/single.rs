//! The wording of one record: who, from where, through what.

use super::reveal::Reveal;
use super::sample::Sample;
use super::time::number;
use super::weight::cut;
use crate::accounts::AccountKind;

/// Longest name, address and terminal that a text shows.
pub(super) const SHOWN: usize = 45;

/// The tried name as it may be shown: `root`, or for a name of no account `unknown user`, or
/// `unknown user "x"`.
pub(super) fn user(sample: &Sample, reveal: Reveal) -> String {
    match (sample.user_kind, reveal.user(sample)) {
        (AccountKind::Unknown, Some(name)) => format!("unknown user {}", quoted(name)),
        (AccountKind::Unknown, None) => "unknown user".into(),
        (_, Some(name)) => cut(name, SHOWN),
        (_, None) => "an unnamed account".into(),
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
pub(super) fn sentence(sample: &Sample, count: u64, reveal: Reveal, with_process: bool) -> String {
    let user = user(sample, reveal);
    let unknown = sample.user_kind == AccountKind::Unknown;
    let compared = match sample.user_kind {
        AccountKind::Existing => true,
        AccountKind::Root => sample.service != "sshd",
        AccountKind::System | AccountKind::Unknown => false,
    };
    let process = if with_process { process(sample, reveal) } else { String::new() };
    let what = match count {
        1 if compared => "wrong password".into(),
        1 => "failed login".into(),
        n => format!("{} failed logins", number(n)),
    };
    if switches_user(sample) {
        let what = if unknown && count == 1 { "unknown user".into() } else { what };
        return format!("{what} at {}{process}", switch(sample, reveal));
    }
    let subject = match (unknown, count) {
        (true, 1) => user,
        (true, _) => format!("{what} for {}{user}", if user.ends_with('"') { "" } else { "an " }),
        (false, _) => format!("{what} for {user}"),
    };
    format!("{subject}{}{process}", place(sample, reveal))
}

/// The same for one among a few: `root from 192.0.2.7 (sshd[32239])`, `su: bob -> root on pts/0`.
pub(super) fn item(sample: &Sample, reveal: Reveal, with_process: bool) -> String {
    let process = if with_process { process(sample, reveal) } else { String::new() };
    let times = if sample.count > 1 { format!(" ×{}", number(sample.count.into())) } else { String::new() };
    if switches_user(sample) {
        return format!("{}{process}{times}", switch(sample, reveal));
    }
    format!("{}{}{process}{times}", user(sample, reveal), place(sample, reveal))
}

/// The same for one among many, with the service only where that says what was tried.
pub(super) fn among(sample: &Sample, reveal: Reveal) -> String {
    let service = match reveal.service(&sample.service) {
        Some(service) if sample.is_local() && !switches_user(sample) => format!("{}: ", cut(service, SHOWN)),
        _ => String::new(),
    };
    format!("{service}{}", item(sample, reveal, false))
}

/// Whether two records differ in nothing but time, process and count.
pub(super) fn alike(a: &Sample, b: &Sample) -> bool {
    let key = |s: &Sample| Sample { time: a.time, pid: 0, count: 1, ..s.clone() };
    key(a) == key(b)
}

/// Whether somebody who is logged in asks to be another.
pub(super) fn switches_user(sample: &Sample) -> bool {
    sample.is_local() && !sample.ruser.is_empty() && sample.ruser != sample.user
}

fn switch(sample: &Sample, reveal: Reveal) -> String {
    let service = reveal.service(&sample.service).unwrap_or("unknown service");
    let asker = match (reveal.asker(sample), sample.ruser_kind) {
        (Some(name), AccountKind::Unknown) => quoted(name),
        (Some(name), _) => cut(name, SHOWN),
        (None, _) => "?".into(),
    };
    let to = match (reveal.user(sample), sample.user_kind) {
        (Some(name), AccountKind::Unknown) => quoted(name),
        (Some(name), _) => cut(name, SHOWN),
        (None, AccountKind::Unknown) => "?".into(),
        (None, _) => "an unnamed account".into(),
    };
    format!("{}: {asker} -> {to}{}", cut(service, SHOWN), terminal(sample, reveal))
}

/// ` from 192.0.2.7`, ` on pts/0`.
pub(super) fn place(sample: &Sample, reveal: Reveal) -> String {
    match reveal.remote(&sample.rhost) {
        None if sample.is_local() => terminal(sample, reveal),
        None => " from an unknown address".into(),
        Some(rhost) => format!(" from {}", cut(rhost, SHOWN)),
    }
}

fn terminal(sample: &Sample, reveal: Reveal) -> String {
    reveal.terminal(&sample.tty).map_or_else(String::new, |tty| format!(" on {}", cut(tty, SHOWN)))
}

/// ` (sshd[32239])`, as far as it is known.
pub(super) fn process(sample: &Sample, reveal: Reveal) -> String {
    match (reveal.service(&sample.service), sample.pid) {
        (None, 0) => String::new(),
        (None, pid) => format!(" (pid {pid})"),
        (Some(service), 0) => format!(" ({})", cut(service, SHOWN)),
        (Some(service), pid) => format!(" ({}[{pid}])", cut(service, SHOWN)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::failure;
    use super::*;
    use crate::event::Event;

    fn sample(failure: &Event, standing: AccountKind) -> Sample {
        Sample::of(failure, standing, AccountKind::Existing)
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
        let hidden = Reveal { unknown: false };
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
            (
                Event { service: "smtp".into(), ..failure(0, "root", "") },
                Root,
                "wrong password for root from an unknown address (smtp[32239])",
            ),
            (su("su", "bob", "root"), Root, "wrong password at su: bob -> root on pts/0 (su[4321])"),
            (su("su", "bob", "hunter2"), Unknown, "unknown user at su: bob -> ? on pts/0 (su[4321])"),
            (su("sudo", "bob", "bob"), Existing, "wrong password for bob on pts/0 (sudo[4321])"),
            (su("login", "", "root"), Root, "wrong password for root on pts/0 (login[4321])"),
            (su("login", "", "hunter2"), Unknown, "unknown user on pts/0 (login[4321])"),
        ] {
            assert_eq!(sentence(&sample(&failure, standing), 1, hidden, true), text);
        }
    }

    #[test]
    fn several_alike_are_one_sentence_with_their_number() {
        let hidden = Reveal { unknown: false };
        let remote = sample(&failure(0, "root", "192.0.2.7"), AccountKind::Root);
        assert_eq!(
            sentence(&remote, 3, hidden, true),
            "3 failed logins for root from 192.0.2.7 (sshd[32239])"
        );
        let stranger = sample(&failure(0, "hunter2", "192.0.2.7"), AccountKind::Unknown);
        assert_eq!(
            sentence(&stranger, 3, hidden, true),
            "3 failed logins for an unknown user from 192.0.2.7 (sshd[32239])"
        );
        let local = sample(&su("su", "bob", "root"), AccountKind::Root);
        assert_eq!(
            sentence(&local, 2, hidden, true),
            "2 failed logins at su: bob -> root on pts/0 (su[4321])"
        );
    }

    #[test]
    fn an_unknown_name_is_shown_in_quotation_marks_when_that_is_wished() {
        let shown = Reveal { unknown: true };
        let stranger = sample(&failure(0, "o\"ra\"cle", "192.0.2.7"), AccountKind::Unknown);
        assert_eq!(
            sentence(&stranger, 1, shown, true),
            "unknown user \"o'ra'cle\" from 192.0.2.7 (sshd[32239])"
        );
        let local = sample(&su("su", "bob", "oracle"), AccountKind::Unknown);
        assert_eq!(
            sentence(&local, 1, shown, true),
            "unknown user at su: bob -> \"oracle\" on pts/0 (su[4321])"
        );
        assert_eq!(item(&local, shown, false), "su: bob -> \"oracle\" on pts/0");
    }
}
