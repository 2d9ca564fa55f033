//! Receivers that are code, and setting receivers up.
//!
//! - `mail`: against a mail server of every mood, and by a sendmail. `setup`: the conversation at a terminal and in a pipe.
//! - `direct`: messages on X. `wiped`: that no secret stays in memory.

// Everything here is a test, also what clippy does not know as one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod direct;
mod mail;
mod setup;
#[path = "../standin/mod.rs"]
mod standin;
mod wiped;

use authalert::config;
use authalert::credentials::Secrets;
use authalert::receiver::service;
use authalert::receiver::{Kind, Message, Outcome, Receiver, build};

fn receiver(text: &str, secrets: &Secrets) -> Box<dyn Receiver> {
    let config: config::Receiver = toml::from_str(text).unwrap();
    build(&config, secrets, Vec::new()).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn message<'a>(kind: Kind, title: &'a str, text: &'a str) -> Message<'a> {
    Message { number: 7, key: "aabbccdd-7", kind, title, text, facts: &serde_json::Value::Null, html: None }
}

fn word(outcome: &Outcome) -> String {
    format!("{outcome:?}").split([' ', '(']).next().unwrap().to_owned()
}

#[test]
fn the_manual_names_every_kind_that_is_code_with_what_it_asks_for_and_what_is_unconfirmed() {
    let page = include_str!("../../packaging/man/authalert-receivers.5");
    let page = page.replace("\\fB", "").replace("\\fR", "").replace("\\-", "-").replace('\n', " ");
    let described = page.split(".SH X, MAIL AND COMMANDS").nth(1).unwrap().split(".SH ").next().unwrap();
    for kind in ["x", "x-dm", "mail", "command"] {
        let service = service::find(kind).unwrap().unwrap();
        let entry = described.split(&format!(".TP .B {kind} ")).nth(1).unwrap_or_else(|| panic!("{kind}"));
        let entry = entry.split(".TP").next().unwrap();
        let summary = service.summary.split(':').next().unwrap();
        assert!(entry.starts_with(summary), "{kind}: {summary}: {entry}");
        for parameter in &service.parameters {
            let name = parameter.name.get_ref();
            let mark = if parameter.is_required() { "*" } else { "" };
            let secret = if parameter.secret { " (secret)" } else { "" };
            assert!(entry.contains(&format!("{name}{mark}{secret}")), "{kind}: {name}");
        }
        assert!(service.unconfirmed.iter().all(|line| entry.contains(line)), "{kind}");
    }
}
