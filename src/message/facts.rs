//! The figures of a message by the names of the Elastic Common Schema, for receivers that are programs.
//!
//! These fields are a contract; further ones may come, none changes its meaning:
//!
//! | field | what it is |
//! |---|---|
//! | `@timestamp` | when the message was composed; all times are UTC, to the millisecond |
//! | `ecs.version` | `8.11.0` |
//! | `event.kind` | `alert` |
//! | `event.module`, `event.dataset` | `authalert`, `authalert.alert` |
//! | `event.category` | `["authentication"]`; with `"intrusion_detection"` for a break-in; `["host"]` for what authalert says of itself |
//! | `event.type` | `["start"]` for attempts and logins, else `["info"]` |
//! | `event.action` | `failed-login`, `break-in`, `new-source-under-attack`, `new-source`, `login`, `heartbeat`, `health`, `weekly-summary`, `test` |
//! | `event.outcome` | `failure`, `success` (of logins), or `unknown` |
//! | `event.start`, `event.end` | the first and the last of what it covers |
//! | `event.reason` | `health`: what is wrong |
//! | `host.name` | the machine, where it is one |
//! | `observer.hostname`, `observer.product` | the machine that alerts, `authalert` |
//! | `source.address`, `source.ip` | the remote host, where it is one; `ip` only for an address |
//! | `user.name` | the account, where it is one and an account of this machine |
//! | `service.name`, `process.pid` | PAM service and process, where it is one |
//! | `authalert.number` | of the message, in the receiver's own sequence |
//! | `authalert.count` | failures (logins, for `login`) that it covers; exact |
//! | `authalert.asker` | who asked (su, sudo), as `user.name` |
//! | `authalert.unknown_users`, `authalert.local` | attempts with names of no account, and at the machine itself |
//! | `authalert.dropped`, `authalert.unreadable` | what is missing from `count` |
//! | `authalert.sources`, `.accounts`, `.services`, `.hosts` | `{"distinct": 139, "more": false, "top": [{"name", "count", "exact"}]}`, at most ten; `more`: there were more than could be told apart; not `exact`: at least that many |
//! | `authalert.source_count`, `authalert.logins`, `authalert.break_ins`, `authalert.alerts`, `authalert.watches`, `authalert.cleared` | what the kinds of messages that have them say |
//!
//! Names that are no accounts here are in none of them unless `post_unknown_users` says so, nor is a
//! service, terminal or host that has not the shape of one.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::content::{Content, Dispatch, Weekly};
use super::listing::{machines, sole};
use super::reveal::Reveal;
use super::sample::Sample;
use super::summary::Summary;
use super::tally::{Distinct, Tally};

/// Names of a kind that are listed.
const TOP: usize = 10;

/// The facts of a message from the machine called `here`.
pub(super) fn facts(content: Content<'_>, dispatch: Dispatch, here: &str, reveal: Reveal) -> Value {
    let (category, kind, action, outcome) = classified(content);
    let mut facts = Facts { root: Map::new(), reveal, here };
    facts.set("@timestamp", &[], time(dispatch.now));
    facts.set("ecs", &["version"], json!("8.11.0"));
    facts.set("event", &["kind"], json!("alert"));
    facts.set("event", &["module"], json!("authalert"));
    facts.set("event", &["dataset"], json!("authalert.alert"));
    facts.set("event", &["category"], json!(category));
    facts.set("event", &["type"], json!([kind]));
    facts.set("event", &["action"], json!(action));
    facts.set("event", &["outcome"], json!(outcome));
    facts.set("observer", &["hostname"], json!(here));
    facts.set("observer", &["product"], json!("authalert"));
    facts.set("authalert", &["number"], json!(dispatch.number));
    facts.fill(content);
    Value::Object(facts.root)
}

/// The same in numbers alone, without a word that somebody else than this machine chose: for a message whose first text was
/// refused.
pub(crate) fn in_numbers(mut facts: Value) -> Value {
    let here = facts["observer"]["hostname"].clone();
    let Some(root) = facts.as_object_mut() else { return facts };
    root.retain(|field, value| match field.as_str() {
        "user" | "source" | "service" => false,
        "host" => value["name"] == here,
        _ => true,
    });
    if let Some(event) = root.get_mut("event").and_then(Value::as_object_mut) {
        event.remove("reason");
    }
    if let Some(own) = root.get_mut("authalert").and_then(Value::as_object_mut) {
        own.retain(|_, value| match value {
            Value::Object(tally) => tally.insert("top".into(), json!([])).is_some(),
            value => value.is_number() || value.is_boolean(),
        });
    }
    facts
}

fn classified(content: Content<'_>) -> (&'static [&'static str], &'static str, &'static str, &'static str) {
    const LOGIN: &[&str] = &["authentication"];
    const INTRUSION: &[&str] = &["authentication", "intrusion_detection"];
    const HOST: &[&str] = &["host"];
    match content {
        Content::Failures(_) => (LOGIN, "start", "failed-login", "failure"),
        Content::BreakIn(_) => (INTRUSION, "start", "break-in", "success"),
        Content::UnderAttack(_) => (INTRUSION, "start", "new-source-under-attack", "success"),
        Content::NewSource(_) => (LOGIN, "start", "new-source", "success"),
        Content::Logins(_) => (LOGIN, "start", "login", "success"),
        Content::Heartbeat(_) => (HOST, "info", "heartbeat", "unknown"),
        Content::Health(_) => (HOST, "info", "health", "unknown"),
        Content::Weekly(_) => (LOGIN, "info", "weekly-summary", "unknown"),
        Content::Test => (HOST, "info", "test", "unknown"),
    }
}

struct Facts<'a> {
    root: Map<String, Value>,
    reveal: Reveal,
    here: &'a str,
}

impl Facts<'_> {
    fn set(&mut self, field: &str, path: &[&str], value: Value) {
        let [name] = path else {
            self.root.insert(field.into(), value);
            return;
        };
        let object = self.root.entry(field).or_insert_with(|| json!({}));
        if let Value::Object(object) = object {
            object.insert((*name).into(), value);
        }
    }

    fn fill(&mut self, content: Content<'_>) {
        match content {
            Content::Failures(summary) | Content::Logins(summary) => self.summary(summary),
            Content::BreakIn(content) => {
                self.login(&content.login, content.since, content.failures);
                if content.more > 0 {
                    self.set("authalert", &["more"], json!(content.more));
                    self.set("authalert", &["more_sources"], json!(content.more_sources));
                }
            }
            Content::UnderAttack(content) => {
                self.login(&content.login, content.since, content.failures);
                self.set("authalert", &["source_count"], json!(content.sources));
            }
            Content::NewSource(content) => self.login(&content.login, content.login.time, 1),
            Content::Heartbeat(content) => {
                self.set("event", &["start"], time(content.since));
                self.set("host", &["name"], json!(self.here));
                self.set("authalert", &["count"], json!(content.failures));
                self.set("authalert", &["watches"], json!(content.services));
            }
            Content::Health(content) => {
                self.set("event", &["start"], time(content.since));
                self.set("event", &["reason"], json!(crate::neutral::text(&content.what, 200)));
                self.set("host", &["name"], json!(self.here));
                self.set("authalert", &["cleared"], json!(content.cleared));
            }
            Content::Weekly(content) => self.weekly(content),
            Content::Test => self.set("host", &["name"], json!(self.here)),
        }
    }

    fn weekly(&mut self, content: &Weekly) {
        self.summary(&content.failures);
        self.set("event", &["start"], time(content.since));
        self.set("authalert", &["logins"], json!(content.logins));
        self.set("authalert", &["break_ins"], json!(content.break_ins));
        self.set("authalert", &["alerts"], json!(content.alerts));
    }

    fn login(&mut self, login: &Sample, since: Timestamp, count: u64) {
        self.set("event", &["start"], time(since));
        self.set("event", &["end"], time(login.time));
        self.set("authalert", &["count"], json!(count));
        self.machine(&login.host);
        if let Some(name) = self.reveal.user(login) {
            self.set("user", &["name"], json!(name));
        }
        if let Some(name) = self.reveal.asker(login) {
            self.set("authalert", &["asker"], json!(name));
        }
        self.source(&login.rhost);
        self.service(&login.service);
        if login.pid != 0 {
            self.set("process", &["pid"], json!(login.pid));
        }
    }

    fn summary(&mut self, summary: &Summary) {
        let reveal = self.reveal;
        if let (Some(first), Some(last)) = (summary.first(), summary.last()) {
            self.set("event", &["start"], time(first));
            self.set("event", &["end"], time(last));
        }
        for (name, value) in [
            ("count", summary.failures()),
            ("unknown_users", summary.strangers().total()),
            ("local", summary.local()),
            ("dropped", summary.dropped()),
            ("unreadable", summary.unreadable()),
        ] {
            self.set("authalert", &[name], json!(value));
        }
        self.set("authalert", &["sources"], tallied(summary.sources(), |name| reveal.remote(name)));
        self.set("authalert", &["services"], tallied(summary.services(), |name| reveal.service(name)));
        self.set("authalert", &["hosts"], tallied(summary.hosts(), |name| reveal.machine(name)));
        let accounts = [tallied(summary.accounts(), Some), tallied(summary.system(), Some)];
        self.set("authalert", &["accounts"], joined(accounts));
        if machines(summary) == 1 {
            self.machine(sole(summary.hosts()).unwrap_or_default());
        }
        if let (Some(address), 0) = (sole(summary.sources()), summary.local()) {
            self.source(address);
        }
        if let Some(service) = sole(summary.services()) {
            self.service(service);
        }
        let known = [sole(summary.accounts()), sole(summary.system())];
        let unknown = sole(summary.strangers()).filter(|name| reveal.unknown && !name.is_empty());
        let tried = summary.failures();
        let total = |total: u64, name: Option<&str>| name.filter(|_| total == tried).map(str::to_owned);
        let only = total(summary.accounts().total(), known[0])
            .or(total(summary.system().total(), known[1]))
            .or(total(summary.strangers().total(), unknown));
        if let Some(name) = only {
            self.set("user", &["name"], json!(name));
        }
        self.of_few(summary.few());
    }

    /// What the records have in common, where they are few.
    fn of_few(&mut self, few: &[Sample]) {
        let Some((first, rest)) = few.split_first() else { return };
        if first.pid != 0 && rest.iter().all(|sample| sample.pid == first.pid) {
            self.set("process", &["pid"], json!(first.pid));
        }
        if let Some(name) =
            self.reveal.asker(first).filter(|_| rest.iter().all(|sample| sample.ruser == first.ruser))
        {
            self.set("authalert", &["asker"], json!(name));
        }
    }

    fn machine(&mut self, host: &str) {
        let name = if host.is_empty() { Some(self.here) } else { self.reveal.machine(host) };
        if let Some(name) = name {
            self.set("host", &["name"], json!(name));
        }
    }

    fn source(&mut self, rhost: &str) {
        let Some(address) = self.reveal.remote(rhost) else { return };
        self.set("source", &["address"], json!(address));
        if address.parse::<IpAddr>().is_ok() {
            self.set("source", &["ip"], json!(address));
        }
    }

    fn service(&mut self, service: &str) {
        if let Some(name) = self.reveal.service(service) {
            self.set("service", &["name"], json!(name));
        }
    }
}

fn time(time: Timestamp) -> Value {
    json!(time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

fn tallied<'a, const N: usize, const B: usize, const S: usize>(
    tally: &'a Tally<N, B, S>,
    show: impl Fn(&'a str) -> Option<&'a str>,
) -> Value {
    let (distinct, more) = match tally.distinct() {
        Distinct::Exactly(n) => (n, false),
        Distinct::MoreThan(n) => (n, true),
    };
    let top: Vec<Value> = tally
        .ranking()
        .into_iter()
        .filter_map(|counted| {
            let name = show(counted.name).filter(|name| !name.is_empty())?;
            Some(json!({"name": name, "count": counted.count, "exact": counted.exact}))
        })
        .take(TOP)
        .collect();
    json!({"distinct": distinct, "more": more, "top": top})
}

/// Accounts that somebody logs in to come before the others.
fn joined([mut accounts, system]: [Value; 2]) -> Value {
    let distinct = accounts["distinct"].as_u64().unwrap_or(0) + system["distinct"].as_u64().unwrap_or(0);
    let more = accounts["more"] == json!(true) || system["more"] == json!(true);
    let mut top = accounts["top"].as_array().cloned().unwrap_or_default();
    top.extend(system["top"].as_array().into_iter().flatten().cloned());
    top.truncate(TOP);
    accounts = json!({"distinct": distinct, "more": more, "top": top});
    accounts
}
