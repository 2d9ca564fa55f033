//! Any answer from the network: it is classified, and what is said about it is one bounded neutral
//! line. Only a status of success makes an alert delivered.
#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use authalert::neutral::is_visible;
use authalert::receiver::http::Reply;
use authalert::receiver::{Outcome, x::answer::classify};
use libfuzzer_sys::fuzz_target;
use ureq::http::{HeaderMap, HeaderName, HeaderValue};

const NAMES: [&str; 6] =
    ["date", "location", "retry-after", "x-rate-limit-reset", "x-app-limit-24hour-reset", "content-type"];
const LONGEST_WAIT: Duration = Duration::from_secs(25 * 3600 + 60);

fuzz_target!(|data: &[u8]| {
    let [first, second, rest @ ..] = data else { return };
    let status = 200 + (u16::from(*first) << 8 | u16::from(*second)) % 400;
    let mut parts = rest.split(|b| *b == 0x1e);
    let body = parts.next().unwrap_or_default().to_vec();
    let mut headers = HeaderMap::new();
    for (i, value) in parts.take(12).enumerate() {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(HeaderName::from_static(NAMES[i % NAMES.len()]), value);
        }
    }
    let now = UNIX_EPOCH + Duration::from_secs(1_795_435_307);
    let answer = classify(&Reply { status, headers, body, complete: first & 1 == 0 }, now);
    let why = answer.why();
    assert!(why.chars().all(is_visible), "{why:?}");
    assert!(why.chars().count() <= 1000, "{why}");
    match &answer {
        Outcome::Accepted { id } => {
            assert!((200..300).contains(&status));
            assert!(id.len() <= 32 && id.bytes().all(|b| b.is_ascii_digit()), "{id:?}");
        }
        Outcome::Duplicate => assert!((400..500).contains(&status), "{status}"),
        Outcome::Limited { until: Some(until), .. } | Outcome::Ambiguous { until: Some(until), .. } => {
            assert!(until.duration_since(now).unwrap_or_default() <= LONGEST_WAIT);
        }
        _ => {}
    }
});
