//! A record by the names of the Elastic Common Schema (version 8.17), as Elastic's and Wazuh's ingest take
//! it without a mapping of their own.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use crate::accounts::AccountKind;
use crate::accounts::member::Origin;
use crate::event::{Class, Event};

const VERSION: &str = "8.17.0";

/// One record. `hide` says whether a name may be a password; such a name is left out, and
/// `authalert.user_hidden` says so.
pub fn record(event: &Event, hide: &mut dyn FnMut(&str) -> bool) -> Value {
    let (outcome, kind) = match event.class {
        Class::Failure => ("failure", "start"),
        Class::Login => ("success", "start"),
        Class::Aborted | Class::Test | Class::Address => ("unknown", "info"),
    };
    let mut own = Map::new();
    own.insert("class".into(), json!(event.class));
    own.insert("route".into(), json!(event.route));
    own.insert("count".into(), json!(event.count));
    let mut record = json!({
        "@timestamp": event.time,
        "ecs": { "version": VERSION },
        "event": {
            "kind": "event", "category": ["authentication"], "type": [kind], "outcome": outcome,
            "action": "login", "module": "authalert", "dataset": "authalert.journal", "provider": event.service,
        },
        "service": { "name": event.service },
    });
    let host = if event.host.is_empty() { this_machine() } else { event.host.clone() };
    put(&mut record, "host", "name", json!(host));
    if event.pid != 0 {
        put(&mut record, "process", "pid", json!(event.pid));
    }
    if !event.rhost.is_empty() {
        put(&mut record, "source", "address", json!(event.rhost));
        if event.rhost.parse::<IpAddr>().is_ok() {
            put(&mut record, "source", "ip", json!(event.rhost));
        }
    }
    let origin = Origin::of(event);
    for (name, field) in [(&event.user, "target"), (&event.ruser, "asker")] {
        if name.is_empty() {
            continue;
        }
        // What the names of a fleet's member are is known there.
        let kind = origin.map(|origin| if field == "target" { origin.user } else { origin.ruser });
        if !kind.is_some_and(AccountKind::is_account) && hide(name) {
            own.insert("user_hidden".into(), json!(true));
        } else if field == "target" {
            put(&mut record, "user", "name", json!(name));
        } else {
            own.insert("asker".into(), json!(name));
        }
    }
    put(&mut record, "authalert", "", Value::Object(own));
    record
}

/// `value` as member `name` of object `object`, or as the object itself where there is no name.
fn put(record: &mut Value, object: &str, name: &str, value: Value) {
    if name.is_empty() {
        record[object] = value;
    } else {
        record[object][name] = value;
    }
}

fn this_machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
