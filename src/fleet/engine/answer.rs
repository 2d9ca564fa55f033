//! What the engine answers, to an append and to a read.

use async_nats::header::{NATS_SEQUENCE, NATS_SUBJECT};
use async_nats::{HeaderMap, HeaderName, StatusCode};
use serde_json::Value;

use crate::protocol::member::Answer;

/// Another last message than the one that was expected.
const WRONG_LAST: u64 = 10071;
/// The subject has as many messages as it may; the stream, or the disk, is full.
const FULL: [u64; 4] = [10077, 10047, 10023, 10122];
/// JetStream is not there yet, or has no leader: nothing was decided.
const NOT_YET: [u64; 4] = [10008, 10039, 10076, 10009];

/// A message that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The engine's number.
    pub sequence: u64,
    /// Whose it is.
    pub subject: String,
    /// What it says.
    pub body: Vec<u8>,
}

/// What an append led to.
pub fn appended(body: &[u8]) -> Answer {
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return Answer::Unknown };
    match (refusal(&value), value.get("seq").and_then(Value::as_u64)) {
        (Some((WRONG_LAST, _)), _) => Answer::WrongLast,
        (Some((code, _)), _) if FULL.contains(&code) => Answer::NoRoom,
        (Some((code, _)), _) if NOT_YET.contains(&code) => Answer::Unknown,
        (Some((code, why)), _) => Answer::Refused(format!("{why} ({code})")),
        (None, Some(sequence)) if sequence > 0 => Answer::Stored(sequence),
        (None, _) => Answer::Unknown,
    }
}

/// The code and the words of an error.
pub fn refusal(value: &Value) -> Option<(u64, String)> {
    let error = value.get("error")?;
    let code = error.get("err_code").or_else(|| error.get("code")).and_then(Value::as_u64).unwrap_or(0);
    let why = error.get("description").and_then(Value::as_str).unwrap_or("refused");
    Some((code, authalert::neutral::text(why, 200)))
}

/// The message in the answer to a direct read; `Ok(None)` where there is none.
pub fn read(
    status: Option<StatusCode>,
    headers: Option<&HeaderMap>,
    body: &[u8],
) -> Result<Option<Stored>, ()> {
    if status == Some(StatusCode::NOT_FOUND) {
        return Ok(None);
    }
    let headers = headers.ok_or(())?;
    let text = |name: HeaderName| headers.get(name).map(|value| value.as_str().to_owned());
    let sequence = text(NATS_SEQUENCE).and_then(|n| n.parse().ok()).ok_or(())?;
    let subject = text(NATS_SUBJECT).ok_or(())?;
    Ok(Some(Stored { sequence, subject, body: body.to_vec() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_is_what_the_engines_of_debian_12_and_13_mean_by_it() {
        for (body, answer) in [
            (r#"{"stream":"AAF", "seq":41}"#, Answer::Stored(41)),
            (r#"{"stream":"AAF","seq":41}"#, Answer::Stored(41)),
            (
                r#"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 7"},"stream":"AAF","seq":0}"#,
                Answer::WrongLast,
            ),
            (
                r#"{"error":{"code":503,"err_code":10077,"description":"maximum messages per subject exceeded"},"stream":"AAF","seq":0}"#,
                Answer::NoRoom,
            ),
            (
                r#"{"error":{"code":503,"err_code":10008,"description":"JetStream system temporarily unavailable"},"stream":"","seq":0}"#,
                Answer::Unknown,
            ),
            (
                r#"{"error":{"code":400,"err_code":10054,"description":"message size exceeds maximum allowed"},"stream":"AAF","seq":0}"#,
                Answer::Refused("message size exceeds maximum allowed (10054)".into()),
            ),
            (r#"{"stream":"AAF","seq":0}"#, Answer::Unknown),
            ("", Answer::Unknown),
        ] {
            assert_eq!(appended(body.as_bytes()), answer, "{body}");
        }
    }
}
