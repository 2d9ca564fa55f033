//! Mail, against a server that does what it is told.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use authalert::credentials::{Secret, Secrets};
use authalert::receiver::{Kind, Outcome};
use serde_json::{Value, json};

use super::standin::certificates;
use super::{message, receiver, word};

struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
    port: u16,
}

impl Server {
    fn start(scenario: Value) -> Self {
        let mut child = Command::new("python3")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/standin/smtp.py"))
            .arg(scenario.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is needed for this test");
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        Self { child, out, port: line.trim().parse().unwrap() }
    }

    /// The next letter that it has.
    fn letter(&mut self) -> Value {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn config(port: u16, tls: &str, user: bool) -> String {
    let ca = certificates().join("ca.pem");
    let user = if user { "user = \"me@example.org\"\n" } else { "" };
    format!(
        "kind = \"mail\"\nname = \"mail\"\nto = \"admin@example.org, two@example.org\"\nfrom = \"authalert@example.org\"\n\
         server = \"127.0.0.1\"\nport = {port}\ntls = \"{tls}\"\nca_file = \"{}\"\ntimeout = \"2s\"\n{user}",
        ca.display()
    )
}

fn password(value: &str) -> Secrets {
    [("password".to_owned(), Secret::new(value))].into_iter().collect()
}

/// What becomes of one message, and whether it was noted before it began.
fn send(text: &str, secrets: &Secrets) -> (Outcome, bool) {
    let noted = Arc::new(AtomicBool::new(false));
    let note = noted.clone();
    let before = Box::new(move || {
        note.store(true, Ordering::SeqCst);
        Ok(())
    });
    let outcome =
        receiver(text, secrets).send(&message(Kind::BreakIn, "BREAK-IN? web1", ".\nline two\n.\né"), before);
    (outcome, noted.load(Ordering::SeqCst))
}

#[test]
fn a_letter_arrives_whole_over_each_protection_and_login() {
    let certificate = certificates().join("server.pem");
    for (tls, mechanisms) in [("starttls", "PLAIN LOGIN"), ("implicit", "LOGIN"), ("none", "")] {
        let with_login = tls != "none";
        let login = if with_login { json!(["me@example.org", "hush ü:x"]) } else { Value::Null };
        let scenario =
            json!({ "tls": tls, "certificate": certificate, "login": login, "mechanisms": mechanisms });
        let mut server = Server::start(scenario);
        let secrets = if with_login { password("hush ü:x") } else { Secrets::new() };
        let (outcome, noted) = send(&config(server.port, tls, with_login), &secrets);
        assert_eq!(word(&outcome), "Accepted", "{tls}: {outcome:?}");
        assert!(noted);
        let letter = server.letter();
        assert_eq!(letter["to"], json!(["admin@example.org", "two@example.org"]));
        assert_eq!((&letter["from"], &letter["tls"]), (&json!("authalert@example.org"), &json!(with_login)));
        let python = "import sys, email, email.policy\n\
                      m = email.message_from_string(sys.stdin.read(), policy=email.policy.default)\n\
                      print(m['subject'], m['message-id'], m['auto-submitted'], m['importance'], repr(m.get_content()))";
        let mut parsed = Command::new("python3")
            .args(["-c", python])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(
            &mut parsed.stdin.take().unwrap(),
            letter["letter"].as_str().unwrap().as_bytes(),
        )
        .unwrap();
        let shown = String::from_utf8(parsed.wait_with_output().unwrap().stdout).unwrap();
        assert!(shown.starts_with("BREAK-IN? web1 <aabbccdd-7@"), "{shown}");
        assert!(shown.contains("> auto-generated high '.\\nline two\\n.\\né"), "{shown}");
    }
}

#[test]
fn what_the_server_says_decides_and_only_after_the_last_dot_nobody_knows() {
    for (scenario, expected, noted) in [
        (json!({ "say": { "": "421 too busy" } }), "NotSent", false),
        (json!({ "say": { "": "554 go away" } }), "Stop", false),
        (json!({ "say": { "EHLO": "500 what" } }), "Stop", false),
        (json!({ "say": { "MAIL": "451 later" } }), "NotSent", true),
        (json!({ "say": { "MAIL": "550 no" } }), "Stop", true),
        (json!({ "say": { "RCPT": "450 greylisted" } }), "NotSent", true),
        (json!({ "say": { "RCPT": "550 nobody of that name" } }), "Stop", true),
        (json!({ "say": { "DATA": "451 later" } }), "NotSent", true),
        (json!({ "say": { ".": "451 later" } }), "NotSent", true),
        (json!({ "say": { ".": "552 too much" } }), "Refused", true),
        (json!({ "say": { ".": "354 what" } }), "Ambiguous", true),
        (json!({ "say": { ".": "HTTP/1.1 200 OK" } }), "Ambiguous", true),
        (json!({ "drop": "" }), "NotSent", false),
        (json!({ "drop": "MAIL" }), "NotSent", true),
        (json!({ "drop": "DATA" }), "NotSent", true),
        (json!({ "drop": "late" }), "Ambiguous", true),
        (json!({ "drop": "." }), "Ambiguous", true),
        (json!({ "hang": "" }), "NotSent", false),
        (json!({ "hang": "." }), "Ambiguous", true),
        (json!({ "flood": "EHLO" }), "NotSent", false),
    ] {
        let server = Server::start(scenario.clone());
        let began = Instant::now();
        let (outcome, was_noted) = send(&config(server.port, "none", false), &Secrets::new());
        assert_eq!((word(&outcome).as_str(), was_noted), (expected, noted), "{scenario}: {outcome:?}");
        assert!(began.elapsed() < Duration::from_secs(4), "{scenario}");
        assert!(outcome.why().starts_with("127.0.0.1: ") && outcome.why().len() < 400, "{outcome:?}");
    }
}

#[test]
fn no_password_goes_where_it_could_be_seen_and_none_is_shown() {
    let certificates = certificates();
    let login = json!(["me@example.org", "another"]);
    for (scenario, tls, expected) in [
        // The server quotes what it was sent.
        (
            json!({ "tls": "implicit", "certificate": certificates.join("server.pem"), "login": login }),
            "implicit",
            "535",
        ),
        (json!({ "tls": "none", "login": login }), "starttls", "offers no STARTTLS"),
        (
            json!({ "tls": "starttls", "certificate": certificates.join("other.pem"), "login": login }),
            "starttls",
            "no trusted TLS",
        ),
        (
            json!({ "tls": "starttls", "certificate": certificates.join("stranger.pem"), "login": login }),
            "starttls",
            "no trusted TLS",
        ),
        (
            json!({ "tls": "implicit", "certificate": certificates.join("expired.pem"), "login": login }),
            "implicit",
            "no trusted TLS",
        ),
        (
            json!({ "tls": "starttls", "inject": true, "certificate": certificates.join("server.pem"), "login": login }),
            "starttls",
            "between STARTTLS and TLS",
        ),
        (
            json!({ "tls": "implicit", "certificate": certificates.join("server.pem") }),
            "implicit",
            "neither AUTH PLAIN",
        ),
    ] {
        let server = Server::start(scenario.clone());
        let (outcome, noted) = send(&config(server.port, tls, true), &password("hush-hush"));
        let shown = format!("{outcome:?}");
        assert!(shown.contains(expected) && !noted, "{scenario}: {shown}");
        assert!(!shown.contains("hush") && !shown.contains("aHVzaC1odXNo"), "{shown}");
        // As AUTH PLAIN says it, and as AUTH LOGIN does.
        assert!(!shown.contains("AGh1c2gt") && !shown.contains("AG1lQGV4"), "{shown}");
    }
}

#[test]
fn a_password_that_a_server_quotes_is_hidden_before_its_words_are_cut_off() {
    for at in [0, 140, 150, 155, 158, 400] {
        let said = format!("535 {}hush-hush and AG1lQGV4YW1wbGUub3JnAGh1c2gtaHVzaA==", "x".repeat(at));
        let scenario =
            json!({ "tls": "none", "login": ["me@example.org", "another"], "say": { "AUTH": said } });
        let server = Server::start(scenario);
        let (outcome, _) = send(&config(server.port, "none", true), &password("hush-hush"));
        let shown = format!("{outcome:?}");
        assert!(word(&outcome) == "Stop" && shown.contains("535"), "{shown}");
        assert!(!shown.contains("hu") && !shown.contains("AG1"), "{at}: {shown}");
    }
}

#[test]
fn an_address_that_the_server_does_not_take_costs_the_others_nothing() {
    let (gone, later) = ("550 5.1.1 gone", "450 4.2.1 busy");
    for (first, second, expected, to) in [
        (gone, "250 ok", "Accepted", json!(["two@example.org"])),
        ("250 ok", gone, "Accepted", json!(["admin@example.org"])),
        (later, "250 ok", "Accepted", json!(["two@example.org"])),
        (gone, gone, "Stop", Value::Null),
        (gone, later, "NotSent", Value::Null),
        (later, gone, "NotSent", Value::Null),
        ("250 ok", "421 4.3.2 going down", "NotSent", Value::Null),
    ] {
        let say = json!({ "RCPT admin@example.org": first, "RCPT two@example.org": second });
        let mut server = Server::start(json!({ "tls": "none", "say": say }));
        let receiver = receiver(&config(server.port, "none", false), &Secrets::new());
        let outcome = receiver.send(&message(Kind::BreakIn, "t", "text"), Box::new(|| Ok(())));
        assert_eq!(word(&outcome), expected, "{first} {second}: {outcome:?}");
        if expected == "Accepted" {
            assert_eq!(server.letter()["to"], to);
            let missed = receiver.missed().unwrap();
            let refused = if to[0] == "two@example.org" { "admin@example.org" } else { "two@example.org" };
            assert!(missed.starts_with(&format!("127.0.0.1: not for {refused}: ")), "{missed}");
        } else {
            assert_eq!(receiver.missed(), None);
        }
    }
}

#[test]
fn letters_that_are_not_ascii_are_in_an_address_only_where_the_server_takes_them() {
    for (utf8, expected) in [(true, "Accepted"), (false, "Stop")] {
        let mut server = Server::start(json!({ "tls": "none", "utf8": utf8 }));
        let text = config(server.port, "none", false).replace("admin@", "jürgen@");
        let (outcome, noted) = send(&text, &Secrets::new());
        assert_eq!(word(&outcome), expected, "{outcome:?}");
        assert!(noted);
        if utf8 {
            assert_eq!(server.letter()["to"], json!(["jürgen@example.org", "two@example.org"]));
        }
    }
}

#[test]
fn whoever_listens_is_taken_leave_of_whatever_it_said() {
    for (say, login, expected) in [
        (json!({}), Value::Null, "Accepted"),
        (json!({ "EHLO": "502 what" }), Value::Null, "Stop"),
        (json!({ "AUTH": "535 no" }), json!(["me@example.org", "hush-hush"]), "Stop"),
        (json!({ "RCPT": "450 later" }), Value::Null, "NotSent"),
        (json!({ "DATA": "451 later" }), Value::Null, "NotSent"),
        (json!({ ".": "554 no" }), Value::Null, "Suspect"),
    ] {
        let with_login = login.is_array();
        let scenario = json!({ "tls": "none", "say": say, "login": login, "ends": true });
        let mut server = Server::start(scenario);
        let secrets = if with_login { password("hush-hush") } else { Secrets::new() };
        let (outcome, _) = send(&config(server.port, "none", with_login), &secrets);
        assert_eq!(word(&outcome), expected, "{say}: {outcome:?}");
        if expected == "Accepted" {
            server.letter();
        }
        assert_eq!(server.letter(), json!({ "quit": true }), "{say}");
    }
}

#[test]
fn a_sendmail_gets_recipients_as_arguments_and_the_letter_with_plain_line_ends() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("sendmail");
    let got = directory.path().join("got");
    let body = format!("#!/bin/sh\necho \"$@\" > {0}\ncat >> {0}\nexit ${{0##*-}}\n", got.display());
    for (status, expected) in
        [(0, "Accepted"), (65, "Stop"), (67, "Stop"), (69, "NotSent"), (75, "NotSent"), (76, "Unproved")]
    {
        let path = script.with_file_name(format!("sendmail-{status}"));
        std::fs::write(&path, &body).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let text = format!(
            "kind = \"mail\"\nname = \"m\"\nto = \"-f@example.org\"\nfrom = \"a@b.c\"\nsendmail = \"{}\"",
            path.display()
        );
        let (outcome, noted) = send(&text, &Secrets::new());
        assert!(word(&outcome) == expected && noted, "{outcome:?}");
        let got = std::fs::read_to_string(&got).unwrap();
        assert!(got.starts_with("-i -f a@b.c -- -f@example.org\n") && !got.contains('\r'), "{got}");
        assert!(got.contains("From: \"authalert\" <a@b.c>\n"), "{got}");
    }
}

#[test]
fn without_a_sender_the_mail_program_says_whom_a_letter_is_from() {
    let directory = tempfile::tempdir().unwrap();
    let (path, got) = (directory.path().join("sendmail"), directory.path().join("got"));
    std::fs::write(&path, format!("#!/bin/sh\necho \"$@\" > {0}\ncat >> {0}\n", got.display())).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let text = format!("kind = \"mail\"\nname = \"m\"\nto = \"a@b.c\"\nsendmail = \"{}\"", path.display());
    let (outcome, _) = send(&text, &Secrets::new());
    assert_eq!(word(&outcome), "Accepted", "{outcome:?}");
    let got = std::fs::read_to_string(&got).unwrap();
    assert!(got.starts_with("-i -F authalert -- a@b.c\n") && !got.contains("\nFrom:"), "{got}");
}
