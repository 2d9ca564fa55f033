//! A gateway that nobody knows, which answers a line of text, described in a file of the administrator's own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::SystemTime;

use authalert::config;
use authalert::credentials::{Secret, Secrets};
use authalert::receiver::definition::{Definition, Http};
use authalert::receiver::{Outcome, Receiver};

use crate::send;

const GATE: &str = r#"
title = "Gate"
summary = "SMS; each costs"
costs_money = true
phone = ["Nothing is to be done."]

[[parameter]]
name = "server"
type = "server"
find = "where it is"

[[parameter]]
name = "to"
type = "text"
find = "the number"

[[parameter]]
name = "user"
type = "text"
find = "the account"

[[parameter]]
name = "password"
type = "text"
secret = true
find = "its password"

[text]
unit = "gsm7"
limit = 160

[request]
method = "GET"
url = "{server}/send"
basic = ["{user}", "{password}"]
query = { to = "{to}", text = "{text}" }

[answer]
success = [200]
ANSWER
wait = { body_begins = "ERR: 9 wait", unit = "seconds" }

[[answer.rule]]
body_begins = "ERR: 9"
outcome = "limited"

[[answer.rule]]
body_begins = "ERR: 1"
outcome = "stop"
advice = "give another password"

[[answer.rule]]
body_begins = "ERR: 3"
outcome = "pause"
advice = "buy credit"
"#;

/// A server that answers each request with the next of these; gives its address.
fn gateway(answers: Vec<String>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, requests) = mpsc::channel();
    thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = String::new();
            let mut lines = BufReader::new(stream.try_clone().unwrap().take(64 << 10));
            while !head.ends_with("\r\n\r\n") && lines.read_line(&mut head).unwrap() > 0 {}
            let quoted = answer.replace("REQUEST", &head.replace("\r\n", " "));
            asked.send(head).unwrap();
            let length = quoted.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(quoted.as_bytes()).unwrap();
        }
    });
    (format!("http://{address}"), requests)
}

#[test]
fn a_gateway_that_answers_a_line_of_text_is_understood_and_what_it_said_is_shown_without_the_secret() {
    for success in ["body_begins = \"OK\"", "any_body = true"] {
        let cases = [
            ("OK 12345\n", "accepted"),
            ("ERR: 101 wrong password\n", "stop"),
            ("ERR: 3\n", "pause"),
            ("ERR: 9 wait 60\n", "limited"),
            ("ERR: 9 wait 99999999999999999999999\n", "limited"),
            ("ERR: 9 REQUEST ERR: 9 wait 7\n", "limited"),
            ("ERR: 1 REQUEST hush-password\n", "stop"),
        ];
        let (server, requests) = gateway(cases.iter().map(|(answer, _)| (*answer).to_owned()).collect());
        let text = GATE.replace("ANSWER", success);
        let definition = Definition::parse("gate", "gate.toml", &text).unwrap_or_else(|e| panic!("{e}"));
        let table =
            format!("kind = \"gate\"\nserver = \"{server}\"\nto = \"358401234567\"\nuser = \"admin\"\n");
        let config: config::Receiver = toml::from_str(&table).unwrap();
        let secrets = Secrets::from([("password".to_owned(), Secret::new("hush-password"))]);
        let receiver = Http::new(definition, &config, &secrets, Vec::new()).unwrap();
        assert_eq!(receiver.answered(), None);
        for (answer, expected) in cases {
            let got = send(&receiver, "aa-1-1", "three failed logins");
            assert_eq!(got.kind(), expected, "{success} {answer}: {got:?}");
            if let Outcome::Limited { until, .. } = &got {
                let wait = until.map(|until| until.duration_since(SystemTime::now()).unwrap().as_secs());
                match answer.split_whitespace().nth(3) {
                    Some("60") => assert!((50..=60).contains(&wait.unwrap()), "{wait:?}"),
                    Some(_) if answer.contains("REQUEST") => assert_eq!(wait, None, "{answer}"),
                    _ => assert!((24 * 3600..=25 * 3600).contains(&wait.unwrap()), "{wait:?}"),
                }
            }
            let request = requests.recv().unwrap();
            assert!(
                request.contains("to=358401234567&text=three+failed+logins")
                    || request.contains("text=three+failed+logins&to=358401234567"),
                "{request}"
            );
            let shown = receiver.answered().unwrap();
            assert!(shown.starts_with("200: ") && shown.contains(&answer[..5]), "{shown}");
            assert!(!shown.contains('\n') && shown.len() < 800, "{shown}");
            let all = format!("{shown} {got:?}");
            // Also not as the request has it.
            for secret in ["hush-password", "YWRtaW46aHVzaC1wYXNzd29yZA"] {
                assert!(!all.contains(secret), "{all}");
            }
        }
    }
}
