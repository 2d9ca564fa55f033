//! Any answer to a message of any built-in definition, and of one that reads lines of text: it has a meaning, what is said about it is one bounded neutral
//! line, and only a status of success makes a message accepted.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use authalert::neutral::is_visible;
use authalert::receiver::Outcome;
use authalert::receiver::definition::{Definition, list};
use authalert::receiver::http::Reply;
use libfuzzer_sys::fuzz_target;
use ureq::http::{HeaderMap, HeaderValue};

/// Behind the built-in ones, that each input of the corpus stays with the definition that it was found for.
static DEFINITIONS: LazyLock<Vec<Definition>> = LazyLock::new(|| {
    let built_in = list(Path::new("/nonexistent")).into_iter().filter_map(|entry| entry.definition.ok());
    built_in.chain(Definition::parse("gate", "gate.toml", GATE).ok()).collect()
});
/// A gateway that answers a line of text.
const GATE: &str = r#"
title = "Gate"
summary = "SMS"
phone = ["Nothing is to be done."]
[text]
unit = "gsm7"
limit = 160
[request]
method = "GET"
url = "https://gate.example/send"
query = { text = "{text}" }
[answer]
success = [200]
body_begins = "OK"
wait = { body_begins = "ERR 9 wait", unit = "seconds" }
[[answer.rule]]
body_begins = "ERR 9"
outcome = "limited"
[[answer.rule]]
body_begins = "ERR"
outcome = "stop"
"#;
const LONGEST_WAIT: Duration = Duration::from_secs(25 * 3600);

fuzz_target!(|data: &[u8]| {
    let [which, first, second, rest @ ..] = data else { return };
    let definition = &DEFINITIONS[usize::from(*which) % DEFINITIONS.len()];
    let status = 100 + (u16::from(*first) << 8 | u16::from(*second)) % 500;
    let mut parts = rest.splitn(2, |b| *b == 0x1e);
    let body = parts.next().unwrap_or_default().to_vec();
    let mut headers = HeaderMap::new();
    if let Some(value) = parts.next().and_then(|value| HeaderValue::from_bytes(value).ok()) {
        headers.insert("retry-after", value);
    }
    let complete = first & 1 == 0;
    let now = UNIX_EPOCH + Duration::from_secs(1_795_435_307);
    let outcome = definition.meaning(&Reply { status, headers, body, complete }, now);
    let why = outcome.why();
    assert!(why.chars().all(is_visible), "{why:?}");
    assert!(why.chars().count() <= 500, "{why}");
    match &outcome {
        Outcome::Accepted { id } => {
            assert!((200..300).contains(&status));
            assert!(id.chars().count() <= 64 && id.chars().all(is_visible), "{id:?}");
        }
        Outcome::Limited { until: Some(until), .. } | Outcome::Ambiguous { until: Some(until), .. } => {
            assert!(until.duration_since(now).is_ok_and(|wait| wait <= LONGEST_WAIT));
        }
        Outcome::NotSent { .. } | Outcome::Suspect { .. } => panic!("{outcome:?}"),
        _ => {}
    }
});
