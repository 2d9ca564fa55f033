//! What the documented answers mean.

use std::time::SystemTime;

use authalert::receiver::Outcome;
use serde_json::{Value, json};

use crate::standin::Standin;
use crate::{kinds, receiver, send};

/// Answers as the services document them: service, status, body, meaning, a word of what to do.
const DOCUMENTED: &[(&str, u16, &str, &str, &str)] = &[
    ("ntfy", 403, r#"{"code":40301,"http":403,"error":"forbidden"}"#, "stop", "ntfy access"),
    ("ntfy", 401, r#"{"code":40101,"http":401,"error":"unauthorized"}"#, "stop", "token"),
    (
        "ntfy",
        400,
        r#"{"code":40014,"http":400,"error":"invalid request: attachments not allowed"}"#,
        "refused",
        "too long",
    ),
    ("ntfy", 400, r#"{"code":40024,"http":400,"error":"invalid JSON"}"#, "rejected", "parameters"),
    ("ntfy", 404, r#"{"code":40401,"http":404,"error":"page not found"}"#, "stop", "address"),
    (
        "ntfy",
        429,
        r#"{"code":42901,"http":429,"error":"limit reached: too many requests"}"#,
        "limited",
        "again",
    ),
    (
        "ntfy",
        429,
        r#"{"code":42908,"http":429,"error":"limit reached: daily message quota reached"}"#,
        "pause",
        "midnight",
    ),
    (
        "telegram",
        403,
        r#"{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}"#,
        "stop",
        "Start",
    ),
    (
        "telegram",
        400,
        r#"{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}"#,
        "stop",
        "Start",
    ),
    (
        "telegram",
        400,
        r#"{"ok":false,"error_code":400,"description":"Bad Request: message is too long"}"#,
        "refused",
        "",
    ),
    ("telegram", 401, r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#, "stop", "BotFather"),
    (
        "telegram",
        400,
        r#"{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1001}}"#,
        "stop",
        "chat_id",
    ),
    (
        "telegram",
        429,
        r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 35","parameters":{"retry_after":35}}"#,
        "limited",
        "again",
    ),
    ("telegram", 200, r#"{"ok":false,"error_code":429,"description":"?"}"#, "unproved", "address"),
    (
        "matrix",
        401,
        r#"{"errcode":"M_UNKNOWN_TOKEN","error":"Invalid access token passed."}"#,
        "stop",
        "access token",
    ),
    ("matrix", 403, r#"{"errcode":"M_FORBIDDEN","error":"User not in room"}"#, "stop", "invite"),
    ("matrix", 413, r#"{"errcode":"M_TOO_LARGE","error":"event too large"}"#, "refused", ""),
    (
        "matrix",
        429,
        r#"{"errcode":"M_LIMIT_EXCEEDED","error":"Too Many Requests","retry_after_ms":321}"#,
        "limited",
        "again",
    ),
    ("mastodon", 401, r#"{"error":"The access token is invalid"}"#, "stop", "secrets"),
    (
        "mastodon",
        422,
        r#"{"error":"Validation failed: Text character limit of 500 exceeded"}"#,
        "refused",
        "",
    ),
    (
        "mastodon",
        403,
        r#"{"error":"This action is outside the authorized scopes"}"#,
        "stop",
        "write:statuses",
    ),
    (
        "pushover",
        400,
        r#"{"token":"invalid","errors":["application token is invalid"],"status":0,"request":"r"}"#,
        "stop",
        "token",
    ),
    (
        "pushover",
        400,
        r#"{"user":"invalid","errors":["user identifier is invalid"],"status":0,"request":"r"}"#,
        "stop",
        "user key",
    ),
    ("pushover", 429, r#"{"status":0,"errors":["message limit reached"]}"#, "pause", "month"),
    ("pushover", 200, r#"{"status":0,"errors":["?"]}"#, "unproved", "address"),
    (
        "gotify",
        401,
        r#"{"error":"Unauthorized","errorCode":401,"errorDescription":"you need to provide a valid access token"}"#,
        "stop",
        "Apps",
    ),
    (
        "gotify",
        400,
        r#"{"error":"Bad Request","errorCode":400,"errorDescription":"Field 'message' is required"}"#,
        "rejected",
        "parameters",
    ),
    ("slack", 400, "invalid_payload", "refused", ""),
    ("slack", 403, "action_prohibited", "stop", "administrator"),
    ("slack", 404, "channel_not_found", "stop", "channel"),
    ("slack", 410, "channel_is_archived", "stop", "archived"),
    ("slack", 500, "rollup_error", "unproved", ""),
    ("slack", 429, "", "limited", ""),
    (
        "mattermost",
        400,
        r#"{"id":"web.incoming_webhook.channel.app_error","message":"Couldn't find the channel.","status_code":400}"#,
        "rejected",
        "find the channel",
    ),
    ("discord", 404, r#"{"message":"Unknown Webhook","code":10015}"#, "stop", "webhook"),
    ("discord", 400, r#"{"code":50035,"message":"Invalid Form Body"}"#, "refused", ""),
    ("discord", 204, "", "unproved", ""),
    (
        "discord",
        429,
        r#"{"message":"You are being rate limited.","retry_after":64.57,"global":false}"#,
        "limited",
        "again",
    ),
    (
        "teams",
        401,
        r#"{"error":{"code":"DirectApiAuthorizationRequired","message":"The request must be authenticated"}}"#,
        "stop",
        "authenticated",
    ),
    ("signal", 400, r#"{"error":"Failed to send message: [429] Rate Limited"}"#, "rejected", "Rate Limited"),
    ("twilio", 401, r#"{"code":20003,"message":"Authenticate","status":401}"#, "stop", "API key"),
    ("twilio", 429, r#"{"code":20429,"message":"Too Many Requests","status":429}"#, "limited", ""),
    (
        "twilio",
        400,
        r#"{"code":21211,"message":"Invalid 'To' Phone Number","status":400}"#,
        "stop",
        "check to",
    ),
    ("twilio", 400, r#"{"code":21608,"message":"unverified","status":400}"#, "stop", "verify"),
    ("twilio", 400, r#"{"code":21610,"message":"unsubscribed recipient","status":400}"#, "stop", "START"),
    (
        "twilio",
        400,
        r#"{"code":21617,"message":"exceeds the 1600 character limit","status":400}"#,
        "refused",
        "",
    ),
    ("twilio", 400, r#"{"code":21606,"message":"not a valid From","status":400}"#, "stop", "from"),
    (
        "vonage",
        200,
        r#"{"messages":[{"status":"1","error-text":"Throughput rate exceeded"}]}"#,
        "limited",
        "rate exceeded",
    ),
    ("vonage", 200, r#"{"messages":[{"status":"4","error-text":"Bad Credentials"}]}"#, "stop", "secret"),
    (
        "vonage",
        200,
        r#"{"messages":[{"status":"9","error-text":"Partner quota exceeded"}]}"#,
        "pause",
        "credit",
    ),
    ("vonage", 200, r#"{"messages":[{"status":"0"},{"status":"7"}]}"#, "stop", "barred"),
    ("vonage", 200, r#"{"messages":[]}"#, "unproved", ""),
    ("seven", 200, r#"{"success":"402","messages":[{"success":false}]}"#, "duplicate", ""),
    ("seven", 200, r#"{"success":"403","messages":[]}"#, "pause", "daily"),
    ("seven", 200, r#"{"success":"500","messages":[{"success":false}]}"#, "pause", "credit"),
    ("seven", 200, r#"{"success":"600","messages":[{"success":false}]}"#, "limited", ""),
    ("seven", 200, r#"{"success":"900"}"#, "stop", "API key"),
    ("seven", 200, r#"{"success":"100","messages":[{"success":false,"error_text":"?"}]}"#, "stop", ""),
    ("seven", 200, "900", "unproved", ""),
    ("46elks", 403, "Not enough credits", "stop", ""),
    ("46elks", 401, "API access requires Basic HTTP authentication.", "stop", "secrets"),
    (
        "clicksend",
        200,
        r#"{"response_code":"SUCCESS","data":{"messages":[{"status":"INSUFFICIENT_CREDIT"}]}}"#,
        "pause",
        "credit",
    ),
    (
        "clicksend",
        200,
        r#"{"response_code":"SUCCESS","data":{"messages":[{"status":"INVALID_RECIPIENT"}]}}"#,
        "stop",
        "check from and to",
    ),
    ("clicksend", 401, r#"{"http_code":401,"response_code":"UNAUTHORIZED"}"#, "stop", "secrets"),
    ("plivo", 401, "Could not verify your access level for that URL.", "stop", "secrets"),
    ("plivo", 200, r#"{"error":"?"}"#, "unproved", ""),
    ("sinch", 401, "", "stop", "secrets"),
    (
        "sinch",
        400,
        r#"{"code":"syntax_invalid_parameter_format","text":"Invalid number"}"#,
        "rejected",
        "Invalid number",
    ),
    (
        "bulksms",
        402,
        r#"{"type":"https://developer.bulksms.com/json/v1/errors#402","detail":"credits"}"#,
        "pause",
        "",
    ),
    ("smsapi", 200, r#"{"error":105,"message":"IP filter"}"#, "stop", "filter"),
    ("smsapi", 200, r#"{"error":101,"message":"Authorization failed"}"#, "stop", "Authorization failed"),
    ("webhook", 500, "", "unproved", ""),
    ("webhook", 400, "", "rejected", ""),
];

#[test]
fn every_documented_answer_has_its_meaning_on_the_wire() {
    let standin = Standin::plain();
    for (name, status, body, expected, words) in DOCUMENTED {
        let receiver = receiver(&standin, name);
        standin.next_of(name, json!({ "status": status, "body": body }));
        let got = send(&receiver, "aa-1-1", "text");
        assert_eq!(got.kind(), *expected, "{name} {status} {body}: {got:?}");
        assert!(got.why().contains(words), "{name} {status} {body}: {got:?}");
    }
    let untested: Vec<_> = kinds().into_iter().filter(|k| !DOCUMENTED.iter().any(|d| d.0 == k)).collect();
    assert!(untested.is_empty(), "{untested:?}");
    assert!(standin.messages().is_empty());
}

#[test]
fn a_wait_is_read_where_the_service_says_it() {
    let standin = Standin::plain();
    let limited = |name: &str, answer: Value| {
        standin.next_of(name, answer);
        match send(&receiver(&standin, name), "aa-1-1", "text") {
            Outcome::Limited { until, .. } => {
                until.map(|at| at.duration_since(SystemTime::now()).unwrap_or_default())
            }
            other => panic!("{name}: {other:?}"),
        }
    };
    for (name, answer, low, high) in [
        (
            "telegram",
            json!({ "status": 429, "body": r#"{"ok":false,"parameters":{"retry_after":35}}"# }),
            34.0,
            35.0,
        ),
        (
            "matrix",
            json!({ "status": 429, "body": r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":3210}"# }),
            2.5,
            3.3,
        ),
        (
            "matrix",
            json!({ "status": 429, "body": r#"{"retry_after_ms":321}"#, "headers": { "retry-after": "9" } }),
            8.0,
            9.1,
        ),
        ("discord", json!({ "status": 429, "body": r#"{"retry_after":64.57}"# }), 63.5, 64.6),
        ("slack", json!({ "status": 429, "headers": { "retry-after": "30" } }), 29.0, 30.1),
        (
            "telegram",
            json!({ "status": 429, "body": r#"{"parameters":{"retry_after":1e18}}"# }),
            89_990.0,
            90_000.1,
        ),
    ] {
        let wait = limited(name, answer).unwrap().as_secs_f64();
        assert!((low..=high).contains(&wait), "{name}: {wait}");
    }
    assert_eq!(limited("ntfy", json!({ "status": 429, "body": r#"{"code":42901}"# })), None);
}
