//! How texts read, in the styles of several services.

use jiff::tz::TimeZone;

use super::content::{After, BreakIn, Content, Dispatch, Health, Heartbeat, NewSource, UnderAttack, Weekly};
use super::count::count_in;
use super::sample::Sample;
use super::style::{Style, Unit};
use super::summary::Summary;
use super::summary::tests::failure;
use super::text::Composer;
use crate::accounts::AccountKind::{self, Existing, Root, System, Unknown};
use crate::config::template::Template;
use crate::event::Event;

fn composer() -> Composer {
    Composer::new("web1.example.com", TimeZone::UTC, None, false)
}

fn templated(template: &str) -> Composer {
    Composer::new("web1", TimeZone::UTC, Some(Template::parse(template).unwrap()), false)
}

/// Number 17, at 12:03:17.
fn dispatch() -> Dispatch {
    Dispatch::new(17, failure(90, "", "").time)
}

fn x(content: Content<'_>) -> String {
    composer().text(&Style::x(), content, dispatch())
}

fn sms(limit: usize, content: Content<'_>) -> String {
    composer().text(&Style::new(Unit::Gsm7, limit), content, dispatch())
}

fn summary(events: &[(Event, AccountKind, AccountKind)]) -> Summary {
    let mut summary = Summary::default();
    events.iter().for_each(|(event, kind, ruser_kind)| summary.add(event, *kind, *ruser_kind));
    summary
}

fn su(second: i64, host: &str) -> Event {
    let (service, tty, ruser) = ("su".into(), "/dev/pts/0".into(), "bob".into());
    Event { host: host.into(), service, tty, ruser, pid: 4321, ..failure(second, "root", "") }
}

/// A day of a honeypot, and somebody at the machine.
fn flood(other: &str) -> Summary {
    let mut flood = Summary::default();
    for i in 0..4480i64 {
        let rhost = format!("198.51.100.{}", if i % 3 == 0 { 200 } else { i % 137 });
        let (user, kind) = match i % 7 {
            0 => (format!("guess{}", i % 57), Unknown),
            1 if i % 5 == 0 => ("mail".into(), System),
            _ => ("root".into(), Root),
        };
        let host = if i % 5 == 0 { other.into() } else { String::new() };
        flood.add(&Event { host, ..failure((i - 4480) * 20, &user, &rhost) }, kind, Unknown);
    }
    flood.add(&su(-30, ""), Root, Existing);
    flood
}

fn login() -> Sample {
    Sample::of(&Event { pid: 4711, ..failure(82, "alice", "203.0.113.9") }, Existing, Unknown)
}

fn break_in() -> BreakIn {
    let since = failure(-2500, "", "").time;
    BreakIn {
        login: login(),
        failures: 37,
        since,
        after: After::Source,
        more: 0,
        more_sources: 0,
        also: Vec::new(),
    }
}

#[test]
fn a_break_in_says_who_from_where_through_what_after_how_many() {
    let content = break_in();
    assert_eq!(
        x(Content::BreakIn(&content)),
        "BREAK-IN? web1: alice logged in from 203.0.113.9 (sshd[4711]) 12:03:09 after 37 failed logins \
         from there since 11:20. ·a17"
    );
    assert_eq!(
        sms(70, Content::BreakIn(&content)),
        "BREAK-IN? web1: alice logged in from 203.0.113.9 after 37 failed -a17"
    );
    let ntfy = Style { lines: true, ..Style::new(Unit::Bytes, 4000) };
    let text = composer().text(&ntfy, Content::BreakIn(&content), dispatch());
    assert!(text.ends_with(
        "since 11:20.\nLook, as root, at: journalctl _PID=4711; authalert failures --from 203.0.113.9 ·a17"
    ));
    let elsewhere = BreakIn { login: Sample { host: "db1.example.com".into(), ..login() }, ..break_in() };
    assert!(x(Content::BreakIn(&elsewhere)).starts_with("BREAK-IN? db1: alice logged in"));
    assert_eq!(
        composer().plain(&Style::x(), Content::BreakIn(&content), dispatch()),
        "BREAK-IN? web1: a login 12:03:09 after 37 failed logins ·a17"
    );
}

#[test]
fn what_only_speaks_of_a_new_source_is_no_break_in() {
    let since = failure(-90_000, "", "").time;
    let content = UnderAttack { login: login(), failures: 412, sources: 39, since, more: 0 };
    assert_eq!(
        x(Content::UnderAttack(&content)),
        "web1: new source under attack: alice logged in from 203.0.113.9 (sshd[4711]) 12:03:09; \
         412 failed logins for this account from 39 sources since Nov 22 11:01. ·a17"
    );
    assert_eq!(
        x(Content::NewSource(&NewSource { login: login(), more: 2 })),
        "web1: new source: alice logged in from 203.0.113.9 (sshd[4711]) 12:03:09, and 2 more like it ·a17"
    );
}

#[test]
fn logins_are_told_one_by_one_or_together() {
    let alice = Event { pid: 4711, ..failure(0, "alice", "203.0.113.9") };
    let one = summary(&[(alice.clone(), Existing, Unknown)]);
    assert_eq!(x(Content::Logins(&one)), "web1: alice logged in from 203.0.113.9 (sshd[4711]) 12:01:47 ·a17");
    let few = summary(&[(alice, Existing, Unknown), (su(5, ""), Root, Existing)]);
    assert_eq!(
        x(Content::Logins(&few)),
        "web1: 2 logins: alice from 203.0.113.9 (sshd[4711]) 12:01:47; \
         su: bob -> root on pts/0 (su[4321]) 12:01:52 ·a17"
    );
    assert!(
        x(Content::Logins(&flood(""))).starts_with("web1: 4,481 logins from 138 sources and this machine")
    );
}

#[test]
fn the_watch_speaks_of_itself() {
    let since = failure(-604_800, "", "").time;
    let services = ["sshd", "su", "su-l", "sudo"].map(String::from).into();
    let heartbeat = Heartbeat { services, logs: true, failures: 1, since };
    assert_eq!(
        x(Content::Heartbeat(&heartbeat)),
        "web1: all quiet: authalert watches sshd, su, sudo and the logs; 1 failed login since Nov 16 12:01 ·a17"
    );
    let mut health = Health { what: "the scan has no source\u{202e}".into(), since, cleared: false };
    assert_eq!(
        x(Content::Health(&health)),
        "web1: authalert needs you: the scan has no source\\xe2\\x80\\xae, since Nov 16 12:01 ·a17"
    );
    health.cleared = true;
    assert!(x(Content::Health(&health)).starts_with("web1: well again: the scan has no source"));
    assert_eq!(
        x(Content::Test),
        "web1: this is a test of authalert, 12:03:17; an alert may hold: bob -> root ×2 from 192.0.2.7 (su[4711]) ·a17"
    );
}

#[test]
fn a_week_is_three_lines() {
    let since = failure(-604_800, "", "").time;
    let weekly = Weekly { since, failures: flood(""), logins: 31, break_ins: 1, alerts: 12 };
    let style = Style { lines: true, ..Style::new(Unit::Utf16, 4096) };
    let text = composer().text(&style, Content::Weekly(&weekly), dispatch());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "web1: since Nov 16 12:01: 4,481 failed logins from 138 sources and this machine, 31 logins, \
         1 break-in warning, 12 alerts"
    );
    assert!(lines[1].starts_with("Tried: root ×3,713, mail ×128, unknown users ×640"), "{text}");
    assert!(lines[2].starts_with("From: this machine ×1, 198.51.100.200 ×1,494, "), "{text}");
    assert!(lines.len() == 3 && lines[2].ends_with(" ·a17"), "{text}");
}

#[test]
fn an_sms_says_how_many_where_the_worst_and_the_number() {
    let flood = flood("");
    assert_eq!(
        sms(160, Content::Failures(&flood)),
        "web1: 4,481 failed logins from 138 sources and this machine. Among them: su: bob -> root on pts/0 \
         12:01:17. By: sshd x4,480, su x1 -a17"
    );
    let text = sms(70, Content::Failures(&flood));
    assert_eq!(text, "web1: 4,481 failed logins, su: bob -> root on pts/0 -a17");
    assert_eq!(count_in(&text), 4481);
    let one = summary(&[(failure(0, "jörg", "2001:db8::1"), Existing, Unknown)]);
    assert_eq!(
        sms(70, Content::Failures(&one)),
        "web1: wrong password for jörg from 2001:db8::1 12:01:47 -a17"
    );
}

#[test]
fn a_text_with_room_says_more_one_idea_a_line() {
    let ntfy = Style { lines: true, ..Style::new(Unit::Bytes, 4000) };
    let text = composer().text(&ntfy, Content::Failures(&flood("")), dispatch());
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with("Nov 22 11:08:27 to Nov 23 12:01:27"), "{text}");
    assert_eq!(lines[1], "Among them: su: bob -> root on pts/0 12:01:17");
    assert_eq!(lines[2], "The latest: root from 198.51.100.200 12:01:27");
    assert_eq!(lines[3], "Tried: root ×3,713, mail ×128, unknown users ×640");
    assert!(lines[4].matches(" ×").count() > 40, "{text}");
    assert_eq!((lines.len(), lines[5]), (6, "By: sshd ×4,480, su ×1 ·a17"));
    let one_line = composer().text(&Style::new(Unit::Bytes, 4000), Content::Failures(&flood("")), dispatch());
    assert_eq!(one_line.matches(" ×").count(), text.matches(" ×").count());
    let post = x(Content::Failures(&flood("")));
    assert!(post.len() < 300 && text.len() > 1000);
}

#[test]
fn a_text_about_other_machines_names_them() {
    let there = summary(&[(su(0, "db1.example.com"), Root, Existing)]);
    assert_eq!(
        x(Content::Failures(&there)),
        "db1: wrong password at su: bob -> root on pts/0 (su[4321]) 12:01:47 ·a17"
    );
    assert_eq!(
        composer().title(&Style::x(), Content::Failures(&there)),
        "db1: wrong password at su: bob -> root on pts/0"
    );
    let both = summary(&[(su(0, "db1"), Root, Existing), (failure(9, "root", "192.0.2.7"), Root, Unknown)]);
    assert_eq!(
        x(Content::Failures(&both)),
        "2 machines: 2 failed logins: db1: su: bob -> root on pts/0 (su[4321]) 12:01:47; \
         web1: root from 192.0.2.7 (sshd[32239]) 12:01:56 ·a17"
    );
    let style = Style::new(Unit::Characters, 2000);
    let text = composer().text(&style, Content::Failures(&flood("db2.example.com")), dispatch());
    assert!(text.starts_with("2 machines: 4,481 failed logins from 138 sources and the machines themselves"));
    assert!(text.contains(". Machines: web1 ×3,585, db2 ×896. "), "{text}");
    assert_eq!(count_in(&text), 4481);
    let forged = summary(&[(su(0, "a: 7 failed"), Root, Existing)]);
    assert!(x(Content::Failures(&forged)).starts_with("unknown machine: wrong password at su"));
    assert!(
        templated("{host} {user}")
            .text(&Style::x(), Content::Failures(&there), dispatch())
            .starts_with("db1 root")
    );
}

#[test]
fn what_may_be_a_password_is_in_no_field_of_no_text() {
    // vsftpd gives the tried name as the asker's too.
    let ftp = Event {
        service: "vsftpd".into(),
        tty: "ftp".into(),
        ruser: "hunter2".into(),
        ..failure(0, "hunter2", "192.0.2.7")
    };
    // Without a remote host it is somebody who asks.
    let su = Event { service: "su".into(), ruser: "hunter2".into(), ..failure(1, "root", "") };
    // A name with blanks forges the fields of a log line.
    let forged = Event {
        tty: "hunter2".into(),
        service: "my hunter2".into(),
        rhost: "x hunter2".into(),
        ..failure(2, "root", "")
    };
    let all = "{service}|{user}|{ruser}|{tty}|{rhost}|{summary}";
    for (event, kind, filled) in [
        (ftp, Unknown, "vsftpd|(unknown)|(unknown)|(unknown)|192.0.2.7|"),
        (su, Root, "su|root|(unknown)|ssh||"),
        (forged, Root, "(unknown)|root||(unknown)|(unknown)|"),
    ] {
        let one = summary(&[(event.clone(), kind, Unknown)]);
        let five = summary(&vec![(event, kind, Unknown); 5]);
        let login = BreakIn { login: one.latest().unwrap().clone(), ..break_in() };
        assert!(templated(all).text(&Style::x(), Content::Failures(&one), dispatch()).starts_with(filled));
        for content in [Content::Failures(&one), Content::Failures(&five), Content::BreakIn(&login)] {
            for composer in [composer(), templated(all)] {
                for text in [
                    composer.text(&Style::new(Unit::Bytes, 4000), content, dispatch()),
                    composer.title(&Style::x(), content),
                    composer.facts(content, dispatch()).to_string(),
                ] {
                    assert!(!text.contains("hunter2"), "{text}");
                }
            }
        }
    }
}

#[test]
fn services_have_the_names_that_people_know() {
    let at = |i: i64, service: &str| Event { service: service.into(), ..failure(i, "alice", "") };
    let mut sudo = Summary::default();
    ["unix_chkpwd", "unix_chkpwd", "sudo", "sudo-i", "polkit-1"]
        .iter()
        .enumerate()
        .for_each(|(i, service)| sudo.add(&at(i as i64, service), Existing, Unknown));
    let text = x(Content::Failures(&sudo));
    assert!(text.contains("By: sudo ×2, polkit ×1, password helper ×2"), "{text}");
}

#[test]
fn an_earlier_message_of_which_nobody_knows_is_named() {
    let one = summary(&[(failure(0, "alice", "192.0.2.7"), Existing, Unknown)]);
    let dispatch = Dispatch { unclear: Some(16), ..dispatch() };
    assert_eq!(
        composer().text(&Style::x(), Content::Failures(&one), dispatch),
        "web1: wrong password for alice from 192.0.2.7 (sshd[32239]) 12:01:47 (a16 may not have come) ·a17"
    );
    assert_eq!(count_in("web1: 3 failed logins 12:01:47 (a16 may not have come) -a17"), 3);
}

#[test]
fn facts_bear_the_names_of_the_common_schema() {
    let facts = composer().facts(Content::BreakIn(&break_in()), dispatch());
    for (pointer, value) in [
        ("/@timestamp", "2026-11-23T12:03:17.000Z"),
        ("/event/kind", "alert"),
        ("/event/category/0", "authentication"),
        ("/event/category/1", "intrusion_detection"),
        ("/event/action", "break-in"),
        ("/event/outcome", "success"),
        ("/event/start", "2026-11-23T11:20:07.000Z"),
        ("/event/end", "2026-11-23T12:03:09.000Z"),
        ("/host/name", "web1"),
        ("/source/ip", "203.0.113.9"),
        ("/user/name", "alice"),
        ("/service/name", "sshd"),
    ] {
        assert_eq!(facts.pointer(pointer).and_then(|v| v.as_str()), Some(value), "{pointer}: {facts:#}");
    }
    for (pointer, value) in [("/process/pid", 4711), ("/authalert/count", 37), ("/authalert/number", 17)] {
        assert_eq!(facts.pointer(pointer).and_then(|v| v.as_u64()), Some(value), "{pointer}: {facts:#}");
    }
    let facts = composer().facts(Content::Failures(&flood("db2")), dispatch());
    assert_eq!(facts.pointer("/event/outcome"), Some(&"failure".into()));
    assert_eq!(facts.pointer("/authalert/count"), Some(&4481.into()));
    assert_eq!(facts.pointer("/authalert/unknown_users"), Some(&640.into()));
    assert_eq!(facts.pointer("/authalert/sources/distinct"), Some(&138.into()));
    assert_eq!(facts.pointer("/authalert/sources/top/0/name"), Some(&"198.51.100.200".into()));
    assert_eq!(facts.pointer("/authalert/hosts/top/0/count"), Some(&896.into()));
    for none in ["/host/name", "/user/name", "/source/ip", "/process/pid"] {
        assert_eq!(facts.pointer(none), None, "{none}: several");
    }
}

#[test]
fn a_summary_of_version_0_1_loads_and_hides_its_askers() {
    let json = r#"{"failures":1,"records":1,"first":"2026-11-23T12:01:47Z","last":"2026-11-23T12:01:47Z",
        "few":[{"time":"2026-11-23T12:01:47Z","standing":"root","service":"su","pid":4321,"user":"root",
        "tty":"/dev/pts/0","ruser":"bob"}],"latest":{"time":"2026-11-23T12:01:47Z","standing":"root",
        "service":"su","pid":4321,"user":"root","tty":"/dev/pts/0","ruser":"bob"},
        "sources":{"sum":0,"names":{}},"local":1,"accounts":{"sum":0,"names":{}},
        "system":{"sum":1,"names":{"root":[1,0]}},"strangers":{"sum":0,"names":{}},
        "services":{"sum":1,"names":{"su":[1,0]}}}"#;
    let summary: Summary = serde_json::from_str(json).unwrap();
    assert_eq!(
        x(Content::Failures(&summary)),
        "web1: wrong password at su: ? -> root on pts/0 (su[4321]) 12:01:47 ·a17"
    );
}
