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
    }
}

#[test]
fn a_sendmail_gets_recipients_as_arguments_and_the_letter_with_plain_line_ends() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("sendmail");
    let got = directory.path().join("got");
    let body = format!("#!/bin/sh\necho \"$@\" > {0}\ncat >> {0}\nexit ${{0##*-}}\n", got.display());
    for (status, expected) in [(0, "Accepted"), (75, "NotSent"), (67, "Stop")] {
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
        assert!(got.starts_with("-i -f a@b.c -- -f@example.org\nFrom: ") && !got.contains('\r'), "{got}");
    }
}
