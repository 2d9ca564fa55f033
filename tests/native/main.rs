//! Receivers that are code, and setting receivers up.
//!
//! - `mail`: against a mail server of every mood, and by a sendmail. `setup`: the conversation at a terminal and in a pipe.

// Everything here is a test, also what clippy does not know as one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod direct;
mod mail;
mod setup;
#[path = "../standin/mod.rs"]
mod standin;

use authalert::config;
use authalert::credentials::Secrets;
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
