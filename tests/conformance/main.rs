//! Every definition against a stand-in that plays its service.
//!
//! - `accepted`: what arrives at a service in health.
//! - `answers`: what its documented answers mean. `misbehaving`: every other one.
//! - `plain`: a gateway that answers a line of text.
//! - `given`: what the administrator gives. `files`: definitions of his own, and mistakes in them.
//! - `secrets`: that none is seen. `real`: the programs themselves.

// Everything here is a test, also what clippy does not know as one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod accepted;
mod answers;
mod files;
mod given;
mod manual;
mod misbehaving;
mod plain;
mod real;
mod secrets;
#[path = "../standin/mod.rs"]
mod standin;

use std::path::Path;

use authalert::config;
use authalert::credentials::{Secret, Secrets};
use authalert::receiver::definition::{Definition, Http, Type, find_in, list};
use authalert::receiver::{Kind, Message, Outcome, Receiver};
use serde_json::{Value, json};
use standin::Standin;

const NOWHERE: &str = "/nonexistent";

fn kinds() -> Vec<String> {
    list(Path::new(NOWHERE)).into_iter().map(|entry| entry.kind).collect()
}

fn definition(kind: &str) -> Definition {
    find_in(Path::new(NOWHERE), kind).unwrap().unwrap()
}

/// The configuration and the secrets that the stand-in accepts for `kind`.
fn given(standin: &Standin, kind: &str) -> (config::Receiver, Secrets) {
    let known = standin.control(json!({}))["parameters"][kind].clone();
    let mut table = toml::Table::new();
    let mut secrets = Secrets::new();
    table.insert("kind".into(), kind.into());
    table.insert("timeout".into(), "5s".into());
    for parameter in definition(kind).parameters() {
        let name = parameter.name.get_ref();
        let value = match (parameter.form, &known[name]) {
            (Type::Server, _) => toml::Value::from(standin.url()),
            (Type::Url, path) => toml::Value::from(format!("{}{}", standin.url(), path.as_str().unwrap())),
            (_, Value::String(text)) => text.as_str().into(),
            (_, Value::Number(number)) => number.as_i64().unwrap().into(),
            _ => continue,
        };
        if parameter.secret {
            secrets.insert(name.clone(), Secret::new(value.as_str().unwrap()));
        } else {
            table.insert(name.clone(), value);
        }
    }
    (table.try_into().unwrap(), secrets)
}

fn receiver(standin: &Standin, kind: &str) -> Http {
    let (config, secrets) = given(standin, kind);
    Http::new(definition(kind), &config, &secrets, Vec::new()).unwrap_or_else(|e| panic!("{kind}: {e}"))
}

fn send(receiver: &Http, key: &str, text: &str) -> Outcome {
    let facts = json!({ "host": { "name": "web1" }, "event": { "kind": "alert" } });
    let message = Message {
        number: 17,
        key,
        kind: Kind::BreakIn,
        title: "web1: break-in \"?\" {text} 東",
        text,
        facts: &facts,
        html: None,
    };
    receiver.send(&message, Box::new(|| Ok(())))
}
