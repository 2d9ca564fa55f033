//! The wording of logins: one of many, one after many failures, one from a new place.
//!
//! Each function gives forms of the same text, the fullest first.

use std::net::IpAddr;

use super::content::{After, BreakIn, NewSource, UnderAttack};
use super::reveal::Reveal;
use super::sample::Sample;
use super::single::{SHOWN, item, place, process, switches_user, user};
use super::time::{Clock, counted, number};
use super::weight::cut;

/// What asks for a password in the middle of a session: who passes it is in already.
const ASKED_AGAIN: [&str; 4] = ["sudo", "doas", "polkit", "vlock"];

/// `alice logged in from 203.0.113.9 (sshd[4711])`, `bob became root on pts/0 (su[4321])`; for several
/// `3 logins: alice from …`.
pub(super) fn sentence(sample: &Sample, count: u64, reveal: Reveal, with_process: bool) -> String {
    if count != 1 {
        let one = Sample { count: 1, ..sample.clone() };
        return format!("{}: {}", counted(count, "login"), item(&one, reveal, with_process));
    }
    let process = if with_process { process(sample, reveal) } else { String::new() };
    let user = user(sample, reveal);
    let place = place(sample, reveal);
    if switches_user(sample) {
        let asker = reveal.asker(sample).map_or_else(|| "somebody".into(), |name| cut(name, SHOWN));
        return format!("{asker} became {user}{place}{process}");
    }
    match reveal.service(&sample.service) {
        Some(service) if sample.is_local() && ASKED_AGAIN.contains(&service) => {
            format!("{user} used {service}{place}{process}")
        }
        _ => format!("{user} logged in{place}{process}"),
    }
}

/// `alice logged in from 203.0.113.9 (sshd[4711]) 12:03:09 after 37 failed logins from there since 11:20.`
pub(super) fn break_in(content: &BreakIn, clock: &Clock<'_>, reveal: Reveal) -> Vec<String> {
    let login = &content.login;
    let who = |with_process| sentence(login, 1, reveal, with_process);
    let time = clock.time(login.time);
    let failed = match (content.after, content.failures) {
        (After::Asker, 1) => "1 failed attempt".into(),
        (After::Asker, n) => format!("{} failed attempts", number(n)),
        (_, n) => counted(n, "failed login"),
    };
    let of = match content.after {
        After::Source => "from there",
        After::Account => "for this account",
        After::Asker => "by the same user",
    };
    let more = more(content.more);
    // Who has an account here may break in to that to be named in the place of another one.
    let mut also: Vec<String> = content.also.iter().map(|login| user(login, reveal)).collect();
    also.dedup();
    let named = if also.is_empty() { more.clone() } else { format!("{more} ({})", also.join(", ")) };
    let since = clock.minute(content.since);
    // Of one account, from many addresses: who has these is not somebody who mistyped.
    let from = match content.more_sources {
        0 | 1 => String::new(),
        n => format!(" from {}", counted(n, "source")),
    };
    let full = format!("{} {time} after {failed} {of} since {since}{named}{from}.", who(true));
    vec![
        format!("{full}\n{}", next(login, content.after, reveal)),
        full,
        format!("{} {time} after {failed} {of} since {since}{named}{from}", who(false)),
        format!("{} {time} after {failed}{more}", who(false)),
        format!("{} after {} failed", who(false), number(content.failures)),
    ]
}

/// `new source under attack: root logged in from 198.51.100.7 (sshd[4711]) 12:03:09; 412 failed logins for
/// this account from 39 sources since Nov 22 11:20.`
pub(super) fn under_attack(content: &UnderAttack, clock: &Clock<'_>, reveal: Reveal) -> Vec<String> {
    let login = &content.login;
    let who = |with_process| format!("new source under attack: {}", sentence(login, 1, reveal, with_process));
    let time = clock.time(login.time);
    let failed = counted(content.failures, "failed login");
    let sources = counted(content.sources, "source");
    let (more, since) = (more(content.more), clock.minute(content.since));
    let full = |with_process| {
        format!("{} {time}; {failed} for this account from {sources} since {since}{more}.", who(with_process))
    };
    vec![
        format!("{}\n{}", full(true), next(login, After::Account, reveal)),
        full(true),
        full(false),
        format!("{} {time}; {failed}{more}", who(false)),
        format!(
            "new source under attack: {}{}; {} failed",
            user(login, reveal),
            place(login, reveal),
            number(content.failures)
        ),
    ]
}

/// `new source: alice logged in from 203.0.113.9 (sshd[4711]) 12:03:09`
pub(super) fn new_source(content: &NewSource, clock: &Clock<'_>, reveal: Reveal) -> Vec<String> {
    let time = clock.time(content.login.time);
    [true, false]
        .map(|with_process| {
            let who = sentence(&content.login, 1, reveal, with_process);
            format!("new source: {who} {time}{}", more(content.more))
        })
        .into()
}

/// What to look at next, with root's rights; for texts with room. The log has every login; `last` has not, and newer
/// systems have no `last`. Of the failures those that speak against the login, `after` says which.
fn next(login: &Sample, after: After, reveal: Reveal) -> String {
    let mut commands = Vec::new();
    if login.pid > 0 {
        commands.push(format!("journalctl _PID={}", login.pid));
    }
    let option = match after {
        After::Account => {
            reveal.user(login).filter(|name| is_word(name)).map(|name| format!(" --user {name}"))
        }
        _ => reveal.remote(&login.rhost).map(|rhost| format!(" --from {}", counted_with(rhost))),
    };
    commands.push(format!("authalert failures{}", option.unwrap_or_default()));
    format!("Look, as root, at: {}", commands.join("; "))
}

/// Whether it is one word for a shell, no option, and nothing that a service would act on.
fn is_word(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
    name.len() <= SHOWN && !name.starts_with('-') && name.bytes().all(is_plain)
}

/// What failures from there are counted with: of IPv6 the network of 64 bits, whose other addresses may have failed.
fn counted_with(rhost: &str) -> String {
    match rhost.parse().map(|address: IpAddr| address.to_canonical()) {
        Ok(IpAddr::V6(_)) => format!("{rhost}/64"),
        _ => cut(rhost, SHOWN),
    }
}

fn more(n: u64) -> String {
    if n == 0 { String::new() } else { format!(", and {} more like it", number(n)) }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::super::harmless::harmless;
    use super::super::summary::tests::failure;
    use super::*;
    use crate::accounts::AccountKind;
    use crate::event::Event;

    const HIDDEN: Reveal = Reveal { unknown: false };

    fn local(service: &str, ruser: &str, user: &str) -> Sample {
        let tty = "/dev/pts/0".into();
        let event =
            Event { service: service.into(), pid: 4321, tty, ruser: ruser.into(), ..failure(82, user, "") };
        Sample::of(&event, AccountKind::Existing, AccountKind::Existing)
    }

    #[test]
    fn each_kind_of_login_reads_as_a_sentence() {
        let remote =
            Sample::of(&failure(0, "alice", "192.0.2.7"), AccountKind::Existing, AccountKind::Unknown);
        for (sample, text) in [
            (remote.clone(), "alice logged in from 192.0.2.7 (sshd[32239])"),
            (local("su-l", "bob", "root"), "bob became root on pts/0 (su[4321])"),
            (local("sudo", "bob", "bob"), "bob used sudo on pts/0 (sudo[4321])"),
            (local("login", "", "alice"), "alice logged in on pts/0 (login[4321])"),
            (
                Sample { ruser_kind: AccountKind::Unknown, ..local("su", "hunter2", "root") },
                "somebody became root on pts/0 (su[4321])",
            ),
        ] {
            assert_eq!(sentence(&sample, 1, HIDDEN, true), text);
        }
        assert_eq!(sentence(&remote, 3, HIDDEN, true), "3 logins: alice from 192.0.2.7 (sshd[32239])");
    }

    #[test]
    fn a_break_in_by_an_asker_says_whose_failures_they_were() {
        let clock = Clock { zone: &TimeZone::UTC, now: failure(90, "", "").time };
        let content = BreakIn {
            login: local("su", "bob", "root"),
            failures: 8,
            since: failure(0, "", "").time,
            after: After::Asker,
            more: 2,
            more_sources: 1,
            also: Vec::new(),
        };
        let forms = break_in(&content, &clock, HIDDEN);
        assert_eq!(
            forms[0],
            "bob became root on pts/0 (su[4321]) 12:03:09 after 8 failed attempts by the same user since 12:01, \
             and 2 more like it.\nLook, as root, at: journalctl _PID=4321; authalert failures"
        );
        let at_a_terminal = BreakIn { login: local("login", "", "alice"), ..content.clone() };
        let shown = break_in(&at_a_terminal, &clock, HIDDEN);
        assert!(
            shown[0].ends_with("\nLook, as root, at: journalctl _PID=4321; authalert failures"),
            "{shown:?}"
        );
        let unknown = BreakIn { login: Sample { pid: 0, ..local("sudo", "bob", "bob") }, ..content.clone() };
        assert!(break_in(&unknown, &clock, HIDDEN)[0].ends_with("\nLook, as root, at: authalert failures"));
        assert_eq!(forms[4], "bob became root on pts/0 after 8 failed");
        let also = vec![content.login.clone(), local("su", "bob", "alice")];
        let named = break_in(&BreakIn { also, ..content.clone() }, &clock, HIDDEN);
        assert!(named[1].ends_with("since 12:01, and 2 more like it (root, alice)."), "{named:?}");
        let many = break_in(&BreakIn { more: 12, more_sources: 9, ..content }, &clock, HIDDEN);
        assert!(many[1].ends_with("by the same user since 12:01, and 12 more like it from 9 sources."));
        assert!(forms.iter().map(String::len).is_sorted_by(|a, b| a > b), "{forms:?}");
    }

    #[test]
    fn the_command_that_is_named_shows_the_failures_that_speak_against_the_login() {
        let from = |rhost: &str, user: &str| {
            Sample::of(&failure(0, user, rhost), AccountKind::Existing, AccountKind::Unknown)
        };
        for (login, after, command) in [
            (from("192.0.2.7", "alice"), After::Source, "failures --from 192.0.2.7"),
            (from("::ffff:192.0.2.7", "alice"), After::Source, "failures --from ::ffff:192.0.2.7"),
            // Another address of the same network may have failed.
            (from("2001:db8:9:8:7::1", "alice"), After::Source, "failures --from 2001:db8:9:8:7::1/64"),
            (from("host.example", "alice"), After::Source, "failures --from host.example"),
            // Where the login came from nobody failed.
            (from("192.0.2.7", "alice"), After::Account, "failures --user alice"),
            (from("192.0.2.7", "-a;b"), After::Account, "failures"),
            (from("192.0.2.7", "a.lice"), After::Account, "failures"),
            (local("su", "bob", "root"), After::Asker, "failures"),
        ] {
            let said = next(&login, after, HIDDEN);
            assert!(said.ends_with(&format!("; authalert {command}")), "{login:?}: {said}");
            // It can be copied; of a name it is known what alerts make of it.
            assert!(harmless(&said) == said || login.rhost.contains("example"), "{said}");
        }
    }
}
