//! No secret is seen, whatever goes wrong and whatever a server quotes.

use std::sync::Mutex;

use authalert::credentials::Secret;
use authalert::receiver::Receiver;
use authalert::receiver::definition::Http;
use serde_json::json;

use crate::standin::Standin;
use crate::{definition, given, kinds, receiver, send};

#[test]
fn no_secret_is_seen_in_an_error_a_debug_text_or_an_outcome_also_where_the_server_quotes_it() {
    let standin = Standin::plain();
    let seen = Mutex::new(String::new());
    let note = |text: String| seen.lock().unwrap().push_str(&text);
    let mut all = Vec::new();
    for name in kinds() {
        let (config, secrets) = given(&standin, &name);
        let receiver = receiver(&standin, &name);
        note(format!("{receiver:?} {:?} {secrets:?}", receiver.style()));
        for secret in secrets.values().map(Secret::expose) {
            let escaped: String = secret.bytes().map(|b| format!("%{b:02X}")).collect();
            let quoted = format!("{secret} {} {escaped}", secret.replace(':', "%3A").replace('+', "%2B"));
            let said = json!({
                "error": quoted, "description": quoted, "message": quoted, "error_text": quoted, "text": quoted,
                "errors": [quoted], "errorDescription": quoted, "response_msg": quoted, "detail": quoted,
                "messages": [{ "status": "2", "error-text": quoted, "error_text": quoted }],
                "id": quoted, "event": "message",
            });
            for status in [400, 401, 418, 200, 500] {
                standin.next_of(&name, json!({ "status": status, "body": said.to_string() }));
                note(format!("{:?}", send(&receiver, "aa-1-1", "text")));
            }
            standin.next_of(&name, json!({ "redirect": format!("https://192.0.2.1/{secret}") }));
            note(format!("{:?}", send(&receiver, "aa-1-1", "text")));
            // What a person mistypes may still be most of a secret.
            for broken in
                [format!("{secret}\n"), format!(" {secret}"), format!("{secret}{}", "x".repeat(3000))]
            {
                let broken = secrets.keys().map(|key| (key.clone(), Secret::new(broken.as_str()))).collect();
                let refused = Http::new(definition(&name), &config, &broken, Vec::new());
                note(format!("{}", refused.map(drop).unwrap_err()));
            }
            // The whole of it, and what stands behind the host of an address.
            all.push(secret.rsplit('/').next().unwrap().to_owned());
        }
        let mut unreachable = given(&standin, &name);
        unreachable.0.proxy = Some("http://127.0.0.1:1".into());
        let receiver = Http::new(definition(&name), &unreachable.0, &unreachable.1, Vec::new()).unwrap();
        let got = send(&receiver, "aa-1-1", "text");
        assert_eq!(got.kind(), "not sent", "{name}: {got:?}");
        note(format!("{got:?}"));
    }
    let seen = seen.into_inner().unwrap();
    assert!(all.len() > 15 && seen.contains("[hidden]"));
    for secret in all {
        let at = seen.find(&secret);
        assert!(at.is_none(), "{secret} in {}", &seen[at.unwrap().saturating_sub(200)..][..300]);
    }
}
