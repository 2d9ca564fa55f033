//! Direct messages on X.

use authalert::credentials::{Secret, Secrets};
use authalert::receiver::{Kind, Outcome};
use serde_json::json;

use super::standin::{Standin, credentials};
use super::{message, receiver, word};

fn secrets() -> Secrets {
    let keys = credentials();
    [
        ("api_key", &keys.api_key),
        ("api_secret", &keys.api_secret),
        ("access_token", &keys.access_token),
        ("access_token_secret", &keys.access_token_secret),
    ]
    .map(|(key, value)| (key.to_owned(), Secret::new(value.expose())))
    .into_iter()
    .collect()
}

#[test]
fn a_message_goes_to_the_person_signed_and_each_answer_has_its_meaning() {
    let standin = Standin::plain();
    let text = format!(
        "kind = \"x-dm\"\nname = \"dm\"\nparticipant_id = \"6253282\"\napi_url = \"{}\"",
        standin.url()
    );
    let dm = receiver(&text, &secrets());
    let path = "/2/dm_conversations/with/6253282/messages";
    for (status, body, expected) in [
        (201, json!({}), "Accepted"),
        (403, json!({ "errors": [{ "code": 349, "message": "cannot send" }] }), "Stop"),
        (400, json!({ "errors": [{ "code": 354, "message": "too long" }] }), "Refused"),
        (401, json!({ "title": "Unauthorized" }), "Stop"),
        (402, json!({}), "Pause"),
        (429, json!({}), "Limited"),
        (503, json!({}), "Ambiguous"),
        (200, json!({}), "Ambiguous"),
    ] {
        if status != 201 {
            standin.control(json!({ "oauth": { "status": status, "body": body.to_string() } }));
        }
        let outcome = dm.send(&message(Kind::Digest, "t", "3 failed logins é"), Box::new(|| Ok(())));
        assert_eq!(word(&outcome), expected, "{status}: {outcome:?}");
        if status == 201 {
            assert_eq!(outcome, Outcome::Accepted { id: "4711".into() });
        }
    }
    let asked = standin.requests();
    assert!(asked.iter().all(|request| request["path"] == path && request["method"] == "POST"), "{asked:?}");
}
