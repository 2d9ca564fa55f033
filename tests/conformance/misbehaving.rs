//! A service in every other state.

use std::sync::Arc;
use std::time::{Duration, Instant};

use authalert::receiver::definition::Http;
use serde_json::json;

use crate::standin::Standin;
use crate::{definition, given, kinds, send};

const TIMEOUT: Duration = Duration::from_secs(3);

#[test]
fn whatever_a_service_does_the_call_ends_in_time_and_is_not_taken_for_success() {
    let standin = Arc::new(Standin::plain());
    let page = "<!DOCTYPE html><html><body>Log in to the hotel</body></html>";
    let deep = "[".repeat(15_000);
    let behaviours = vec![
        (json!({ "hang": true }), "ambiguous"),
        (json!({ "status": 200, "slow": 0.1 }), "ambiguous"),
        (json!({ "close": "request" }), "ambiguous"),
        (json!({ "garbage": 5000 }), "ambiguous"),
        (json!({ "huge_header": 100_000 }), "ambiguous"),
        (json!({ "status": 503, "body": page, "type": "text/html" }), "unproved anywhere"),
        (json!({ "status": 404, "body": page, "type": "text/html" }), "limited"),
        (json!({ "redirect": "https://192.0.2.1/x?a=b" }), "unproved anywhere"),
        (json!({ "redirect": "https://192.0.2.1/x", "status": 307 }), "unproved anywhere"),
        (json!({ "status": 418, "gzip": true, "huge_body": 3_000_000 }), "ambiguous"),
        (json!({ "status": 418, "huge_body": 300_000 }), "ambiguous"),
        (json!({ "status": 418, "endless": true }), "ambiguous"),
        (json!({ "status": 418, "body": deep }), "rejected"),
        (
            json!({ "status": 418, "body": r#"{"code":{"x":[1]},"messages":7,"error":null,"errcode":true}"# }),
            "rejected",
        ),
        // Where a status alone is no proof.
        (json!({ "status": 200, "body": page, "type": "text/html" }), "unproved"),
        (json!({ "status": 200, "body": "" }), "unproved"),
        (
            json!({ "status": 200, "body": r#"{"id":null,"event":7,"messages":"0","ok":"yes","status":[1]}"# }),
            "unproved",
        ),
        (json!({ "status": 200, "endless": true }), "cut off"),
        (json!({ "status": 200, "gzip": true, "body": "{}" }), "unproved"),
    ];
    let served: Vec<_> = kinds()
        .into_iter()
        .map(|name| {
            let (standin, behaviours) = (standin.clone(), behaviours.clone());
            std::thread::spawn(move || {
                let (mut config, secrets) = given(&standin, &name);
                config.timeout = Some(TIMEOUT);
                let receiver = Http::new(definition(&name), &config, &secrets, Vec::new()).unwrap();
                for (answer, expected) in behaviours {
                    if ["unproved", "cut off"].contains(&expected) && ["teams", "webhook"].contains(&&*name) {
                        continue;
                    }
                    standin.next_of(&name, answer.clone());
                    let begun = Instant::now();
                    let got = send(&receiver, "aa-1-1", "text");
                    // Two seconds more: twenty of them at once on a small machine.
                    assert!(
                        begun.elapsed() < TIMEOUT + Duration::from_secs(2),
                        "{name} {answer}: {:?}",
                        begun.elapsed()
                    );
                    let expected = match expected {
                        "unproved anywhere" => "unproved",
                        "cut off" => "ambiguous",
                        other => other,
                    };
                    assert_eq!(got.kind(), expected, "{name} {answer}: {got:?}");
                    let why = got.why();
                    assert!(why.chars().count() < 600 && why.chars().all(|c| !c.is_control()), "{got:?}");
                }
            })
        })
        .collect();
    let failed = served.into_iter().filter_map(|thread| thread.join().err()).count();
    assert_eq!(failed, 0);
    assert!(standin.messages().is_empty());
}
