//! What an answer of X means for the alert that was posted.
//!
//! X's error bodies are not stable, so the HTTP status decides first; then words in the fields that X itself writes
//! (`type`, `title`, `detail`, codes). Nothing requires JSON. A body that may quote the
//! post is never searched for words: a user name in it would be an attacker's instruction.
//!
//! Sources of the table: X's documentation and answers seen in the wild, dated in the notes of the project.

use std::time::SystemTime;

use serde_json::Value;
use ureq::http::HeaderMap;

use self::problem::Problem;
use self::rules::{Kind, REAUTHORIZE};
use super::limits;
use crate::neutral;
use crate::receiver::Outcome;
use crate::receiver::http::{Reply, WORDS_LIMIT};

mod problem;
mod rules;

/// The meaning of `reply` to a post, received at `now`.
///
/// 201 means that the post exists, whatever its body says. Another success means it only with a post's id in the
/// body, because a captive portal answers 200 to everything.
pub fn classify(reply: &Reply, now: SystemTime) -> Outcome {
    let problem = Problem::read(reply);
    match reply.status {
        // Not an answer to a request of ours: whoever says that read it, or not.
        ..=199 => Outcome::ambiguous(problem.line("this is not an answer; check x.api_url and x.proxy")),
        201 => Outcome::Accepted { id: post_id(&reply.body).unwrap_or_default() },
        200..=299 => match post_id(&reply.body) {
            Some(id) => Outcome::Accepted { id },
            None => Outcome::ambiguous(
                problem.line("this is not X's answer to a post; check x.api_url and x.proxy"),
            ),
        },
        300..=399 => Outcome::ambiguous(problem.line(&redirected(&reply.headers))),
        401 => Outcome::Stop { why: unauthorized(&problem, &reply.headers, now) },
        402 => Outcome::Pause { why: problem.line("add credits in the developer console (console.x.com)") },
        429 => match problem.rule().filter(|rule| rule.kind == Kind::Pause) {
            Some(rule) => Outcome::Pause { why: problem.line(rule.advice) },
            None => Outcome::Limited {
                until: limits::until(&reply.headers, now),
                why: problem.line("too many requests; alerts are sent when the limit resets"),
            },
        },
        408 | 425 | 500.. => Outcome::Ambiguous {
            until: limits::retry_after(&reply.headers, now),
            why: problem.line("X has an outage; it will be tried again"),
        },
        // A page is not X's API but something before it.
        _ if problem.html => Outcome::ambiguous(
            problem.line("a web page came instead of an answer of the API; it will be tried again"),
        ),
        403 if !reply.complete => {
            Outcome::ambiguous(problem.line("the answer cannot be read; it will be tried again"))
        }
        status => match (problem.rule(), status) {
            (Some(rule), _) => rule.kind.answer(problem.line(rule.advice)),
            (None, 400 | 413 | 422) => {
                Outcome::Refused { why: problem.line("X does not accept this text; see alerts.text") }
            }
            (None, 404 | 405 | 406 | 410 | 415) => Outcome::Stop {
                why: problem
                    .line("this is not where posts go; check x.api_url, or install a newer authalert"),
            },
            (None, _) => Outcome::Suspect {
                why: problem.line("X refuses without a known reason; look at the account on x.com"),
            },
        },
    }
}

/// The meaning of `reply` to a direct message.
pub fn classify_direct(reply: &Reply, now: SystemTime) -> Outcome {
    if reply.status == 201 {
        return Outcome::Accepted { id: id_at(&reply.body, "dm_event_id").unwrap_or_default() };
    }
    let problem = Problem::read(reply);
    if reply.status == 403 && problem.has_code(&[150, 151, 349]) {
        return Outcome::Stop {
            why: problem.line(
                "the person takes no messages from this account: write to it from the phone first, or allow messages \
                 from everybody",
            ),
        };
    }
    if problem.has_code(&[354]) {
        return Outcome::Refused { why: problem.line("the text is too long") };
    }
    classify(reply, now)
}

/// The id of the post in a body `{"data":{"id":"…"}}`.
fn post_id(body: &[u8]) -> Option<String> {
    id_at(body, "id")
}

fn id_at(body: &[u8], name: &str) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let id = body.get("data")?.get(name)?.as_str()?;
    let sane = (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit());
    sane.then(|| id.to_owned())
}

fn redirected(headers: &HeaderMap) -> String {
    let location = headers.get("location").map(|l| neutral::text(l.as_bytes(), WORDS_LIMIT));
    let location = location.as_deref().unwrap_or("nowhere");
    // The query may carry what was sent.
    let location = location.split(['?', '#']).next().unwrap_or_default();
    format!("redirected to {location}, not followed; check x.api_url and x.proxy")
}

fn unauthorized(problem: &Problem, headers: &HeaderMap, now: SystemTime) -> String {
    if let Some(skew) = limits::skew(headers, now) {
        return problem.line(&format!("{skew}; set the clock (timedatectl set-ntp true)"));
    }
    let advice = match problem.rule() {
        Some(rule) if rule.kind == Kind::Stop => rule.advice,
        _ => REAUTHORIZE,
    };
    problem.line(advice)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status, headers: HeaderMap::new(), body: body.into(), complete: true }
    }

    fn answer(status: u16, body: &str) -> Outcome {
        classify(&reply(status, body), SystemTime::now())
    }

    fn assert_sane(answer: &Outcome) {
        let why = answer.why();
        assert!(why.chars().all(neutral::is_visible), "{why:?}");
        assert!(why.chars().count() < 400, "{why:?}");
    }

    /// Bodies as they were seen: status, a word of the advice, body.
    const SEEN: &[(u16, &str, &str, &str)] = &[
        (
            400,
            "refused",
            "alerts.text",
            r#"{"errors":[{"message":"...","parameters":{"text":["..."]}}],"title":"Invalid Request","detail":"One or more parameters to your request was invalid.","type":"https://api.twitter.com/2/problems/invalid-request"}"#,
        ),
        (
            400,
            "refused",
            "alerts.text",
            r#"{"title":"Invalid Request","detail":"Your Tweet text is too long. For more information on how Twitter determines text length see https://github.com/twitter/twitter-text.","type":"https://api.twitter.com/2/problems/invalid-request"}"#,
        ),
        (
            401,
            "stop",
            "authorize",
            r#"{"title":"Unauthorized","type":"about:blank","status":401,"detail":"Unauthorized"}"#,
        ),
        (
            402,
            "pause",
            "credits",
            r#"{"account_id":2056915467785113600,"title":"CreditsDepleted","detail":"Your enrolled account [1] does not have any credits to fulfill this request.","type":"https://api.twitter.com/2/problems/credits"}"#,
        ),
        (
            402,
            "pause",
            "credits",
            r#"{"detail":"credits depleted","status":402,"title":"Payment Required","type":"https://api.x.com/2/problems/credits-depleted"}"#,
        ),
        (403, "pause", "spending limit", r#"{"title":"SpendCapReached","status":403,"type":"about:blank"}"#),
        (
            403,
            "pause",
            "spending limit",
            r#"{"title":"Forbidden","detail":"Your monthly spend cap has been reached.","type":"https://api.x.com/2/problems/spend-cap-reached"}"#,
        ),
        (
            403,
            "duplicate",
            "",
            r#"{"detail":"You are not allowed to create a Tweet with duplicate content.","type":"about:blank","title":"Forbidden","status":403}"#,
        ),
        (403, "duplicate", "", r#"{"errors":[{"code":187,"message":"Status is a duplicate."}]}"#),
        (
            403,
            "stop",
            "Read and write",
            r#"{"title":"Forbidden","status":403,"detail":"Your client app is not configured with the appropriate oauth1 app permissions for this endpoint.","type":"https://api.twitter.com/2/problems/oauth1-permissions"}"#,
        ),
        (
            403,
            "stop",
            "project",
            r#"{"client_id":"1","detail":"When authenticating requests to the Twitter API v2 endpoints, you must use keys and tokens from a Twitter developer App that is attached to a Project.","registration_url":"https://developer.twitter.com","title":"Client Forbidden","required_enrollment":"Appropriate Level of API Access","reason":"client-not-enrolled","type":"https://api.twitter.com/2/problems/client-forbidden"}"#,
        ),
        (
            403,
            "stop",
            "suspended",
            r#"{"detail":"The user used for authentication is suspended","title":"Forbidden","status":403,"type":"https://api.twitter.com/2/problems/user-suspended"}"#,
        ),
        (
            403,
            "stop",
            "plan",
            r#"{"detail":"Your account is not permitted to access this feature.","type":"about:blank","title":"Forbidden","status":403}"#,
        ),
        (
            403,
            "suspect",
            "max_per_day",
            r#"{"detail":"You are not permitted to perform this action.","type":"about:blank","title":"Forbidden","status":403}"#,
        ),
        (
            403,
            "stop",
            "may not post",
            r#"{"errors":[{"message":"You currently have access to a subset of X API V2 endpoints and limited v1.1 endpoints (e.g. media post, oauth) only.","code":453}]}"#,
        ),
        (403, "suspect", "look at the account", r#"{"title":"Forbidden","status":403}"#),
        (
            429,
            "limited",
            "too many",
            r#"{"title":"Too Many Requests","detail":"Too Many Requests","type":"about:blank","status":429}"#,
        ),
        (429, "limited", "too many", r#"{"errors":[{"code":88,"message":"Rate limit exceeded"}]}"#),
        (
            429,
            "pause",
            "cap",
            r#"{"account_id":1,"product_name":"standard-basic","title":"UsageCapExceeded","period":"Monthly","scope":"Product","detail":"Usage cap exceeded: Monthly product cap","type":"https://api.twitter.com/2/problems/usage-capped"}"#,
        ),
        (
            503,
            "ambiguous",
            "again",
            r#"{"title":"Service Unavailable","detail":"Service Unavailable","type":"about:blank","status":503}"#,
        ),
        (503, "ambiguous", "again", r#"{"errors":[{"message":"Over capacity","code":130}]}"#),
        (
            520,
            "ambiguous",
            "again",
            "<!DOCTYPE html><title>520: Web server is returning an unknown error</title>",
        ),
        (403, "ambiguous", "web page", "<html><body>Attention Required! | Cloudflare</body></html>"),
        (
            403,
            "stop",
            "callback",
            "<?xml version=\"1.0\"?><errors><error code=\"415\">Callback URL not approved for this client application.</error></errors>",
        ),
    ];

    #[test]
    fn every_answer_that_was_seen_in_the_wild_is_understood() {
        for (status, expected, advice, body) in SEEN {
            let answer = answer(*status, body);
            assert_eq!(answer.kind(), *expected, "{status} {body}: {answer:?}");
            assert!(answer.why().contains(advice), "{status} {body}: {answer:?}");
            assert_sane(&answer);
        }
    }

    #[test]
    fn every_code_of_the_old_api_is_understood() {
        for (status, code, expected) in [
            (401, 32, "stop"),
            (403, 64, "stop"),
            (410, 68, "stop"),
            (403, 87, "stop"),
            (429, 88, "limited"),
            (403, 89, "stop"),
            (401, 89, "stop"),
            (403, 92, "stop"),
            (403, 93, "stop"),
            (403, 99, "stop"),
            (503, 130, "ambiguous"),
            (500, 131, "ambiguous"),
            (401, 135, "stop"),
            (403, 150, "refused"),
            (403, 151, "refused"),
            (403, 349, "refused"),
            (403, 185, "suspect"),
            (403, 186, "refused"),
            (403, 187, "duplicate"),
            (400, 215, "stop"),
            (403, 220, "stop"),
            (403, 226, "suspect"),
            (403, 261, "stop"),
            (403, 326, "stop"),
            (403, 344, "suspect"),
            (403, 354, "refused"),
            (403, 415, "stop"),
            (401, 416, "stop"),
            (403, 416, "stop"),
            (401, 417, "stop"),
            (403, 453, "stop"),
        ] {
            let answer = answer(status, &format!(r#"{{"errors":[{{"code":{code},"message":"..."}}]}}"#));
            assert_eq!(answer.kind(), expected, "{status} {code}: {answer:?}");
        }
    }

    #[test]
    fn the_status_alone_is_enough() {
        for (status, expected) in [
            (201, "accepted"),
            (200, "ambiguous"),
            (204, "ambiguous"),
            (101, "ambiguous"),
            (199, "ambiguous"),
            (302, "ambiguous"),
            (308, "ambiguous"),
            (400, "refused"),
            (401, "stop"),
            (402, "pause"),
            (403, "suspect"),
            (404, "stop"),
            (408, "ambiguous"),
            (410, "stop"),
            (413, "refused"),
            (418, "suspect"),
            (422, "refused"),
            (429, "limited"),
            (500, "ambiguous"),
            (502, "ambiguous"),
            (503, "ambiguous"),
            (504, "ambiguous"),
            (521, "ambiguous"),
            (999, "ambiguous"),
        ] {
            assert_eq!(answer(status, "").kind(), expected, "{status}");
        }
    }

    #[test]
    fn a_post_that_exists_is_known_by_201_or_by_its_id() {
        let body = r#"{"data":{"id":"1445880548472328192","text":"Hello"}}"#;
        let accepted = Outcome::Accepted { id: "1445880548472328192".into() };
        assert_eq!(answer(201, body), accepted);
        assert_eq!(answer(200, body), accepted);
        for body in ["", "<html>", r#"{"data":{"id":17}}"#, r#"{"data":{"id":"1\n2"}}"#, r#"{"data":"#] {
            assert_eq!(answer(201, body), Outcome::Accepted { id: String::new() }, "{body}");
            assert_eq!(answer(200, body).kind(), "ambiguous", "{body}");
        }
    }

    #[test]
    fn what_a_body_quotes_of_the_post_is_no_instruction() {
        let quoted = r#"{"errors":[{"message":"user=duplicate content spend-cap is suspended","parameters":{"text":["duplicate content"]}}],"title":"Invalid Request"}"#;
        assert_eq!(answer(400, quoted).kind(), "refused");
        let elsewhere = r#"{"title":"Forbidden","value":"duplicate content","parameters":{"text":["status is a duplicate"]}}"#;
        assert_eq!(answer(403, elsewhere).kind(), "suspect");
        let cut = r#"{"title":"Forbidden","value":"duplicate content"#;
        assert_eq!(answer(403, cut).kind(), "suspect");
        let mut reply = reply(403, cut);
        reply.complete = false;
        assert_eq!(classify(&reply, SystemTime::now()).kind(), "ambiguous");
    }

    #[test]
    fn a_401_with_a_wrong_clock_names_the_clock() {
        let mut reply = reply(401, "");
        reply.headers.insert("date", "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 + 600);
        assert_eq!(
            classify(&reply, now).why(),
            "X answered 401: this machine's clock is 10 minutes ahead of X's; set the clock (timedatectl set-ntp true)"
        );
    }

    #[test]
    fn a_server_in_trouble_may_say_when_to_come_back() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (value, seconds) in [("120", 120), ("99999999", 25 * 3600)] {
            let mut reply = reply(503, "");
            reply.headers.insert("retry-after", value.parse().unwrap());
            let Outcome::Ambiguous { until: Some(until), .. } = classify(&reply, now) else { panic!() };
            assert_eq!(until, now + Duration::from_secs(seconds));
        }
        let Outcome::Ambiguous { until: None, .. } = classify(&reply(503, ""), now) else { panic!() };
    }

    #[test]
    fn a_redirect_shows_where_to_without_its_query() {
        let mut reply = reply(302, "");
        reply.headers.insert("location", "https://portal.example/login?oauth_token=abc".parse().unwrap());
        let answer = classify(&reply, SystemTime::now());
        assert!(answer.why().contains("https://portal.example/login,"), "{answer:?}");
        assert!(!answer.why().contains("abc"), "{answer:?}");
    }

    #[test]
    fn no_body_makes_an_unbounded_or_unclean_line() {
        let deep = "[".repeat(16 << 10);
        let long = format!(r#"{{"detail":"{}"}}"#, "\u{202e}x\\n".repeat(3000));
        let bodies: [&[u8]; 6] =
            [b"\xff\xfe\x00\x1b[2J", deep.as_bytes(), long.as_bytes(), &[b'a'; 16 << 10], b"a\r\nb\tc", b"<"];
        for body in bodies {
            for status in 200..600 {
                let reply = Reply { status, headers: HeaderMap::new(), body: body.into(), complete: true };
                assert_sane(&classify(&reply, SystemTime::now()));
            }
        }
    }
}
