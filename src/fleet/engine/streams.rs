//! The two streams and the consumer, which the hub makes where they are missing.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::connection::{Engine, Error};
use crate::protocol::{CONSUMER, LEASE, MARKS, Name, RECORDS, batch, records_of};

/// Messages of one member that wait at most: none crowds out another.
const WAITING: u64 = 1000;
/// Of all members together.
const BYTES: u64 = 4 << 30;
/// A name is in use by something with other settings: it is there.
const IN_USE: [u64; 3] = [10058, 10012, 10013];

/// Make what is missing; `replicas` engines keep each message.
pub async fn ensure(engine: &Engine, replicas: u64) -> Result<(), Error> {
    let records = json!({
        "name": RECORDS, "subjects": ["aa.f.*"], "storage": "file", "retention": "limits", "discard": "new",
        "discard_new_per_subject": true, "max_msgs_per_subject": WAITING, "max_bytes": BYTES,
        "max_msg_size": batch::LARGEST, "allow_direct": true, "num_replicas": replicas,
        "duplicate_window": 100_000_000,
    });
    let marks = json!({
        "name": MARKS, "subjects": ["aa.ack.*", LEASE], "storage": "file", "max_msgs_per_subject": 1,
        "allow_direct": true, "num_replicas": replicas,
    });
    make(engine, &format!("STREAM.CREATE.{RECORDS}"), &records).await?;
    make(engine, &format!("STREAM.CREATE.{MARKS}"), &marks).await
}

/// Make the consumer anew, so that all that is there is handed out in its order: what was handed out before and was
/// not acknowledged would come behind what follows it. Only who holds the lease may.
pub async fn consume(engine: &Engine) -> Result<(), Error> {
    let consumer = json!({
        "stream_name": RECORDS,
        "config": {
            "durable_name": CONSUMER, "deliver_policy": "all", "ack_policy": "explicit", "max_ack_pending": 4096,
        },
    });
    match engine.api(&format!("CONSUMER.DELETE.{RECORDS}.{CONSUMER}"), &json!({})).await {
        Err(Error::Refused(..)) | Ok(_) => {}
        Err(away) => return Err(away),
    }
    make(engine, &format!("CONSUMER.DURABLE.CREATE.{RECORDS}.{CONSUMER}"), &consumer).await
}

/// The newest message of a member that the hub has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest {
    /// The engine's number.
    pub sequence: u64,
    /// When the engine stored it, in its own nanoseconds.
    pub time: u64,
}

/// Remove the messages of `member` before this one. It stays: the member's next one builds upon it.
///
/// An engine that came back with a disk of before gives its numbers anew, to messages that the hub does not have; and it can
/// be there before the hub knows of another connection. So only what stands before the very message is removed.
pub async fn purge(engine: &Engine, member: &Name, newest: Newest) -> Result<(), Error> {
    let subject = records_of(member);
    let request = json!({ "seq": newest.sequence });
    match engine.api(&format!("STREAM.MSG.GET.{RECORDS}"), &request).await {
        Ok(found) if is_message(&found, &subject, newest.time) => {}
        Ok(_) | Err(Error::Refused(..)) => return Ok(()),
        Err(away) => return Err(away),
    }
    let body = json!({ "filter": subject, "seq": newest.sequence });
    engine.api(&format!("STREAM.PURGE.{RECORDS}"), &body).await.map(drop)
}

/// Whether what the engine found is a message of that subject which it stored then.
fn is_message(found: &Value, subject: &str, time: u64) -> bool {
    let of = |key: &str| found.get("message").and_then(|message| message.get(key)).and_then(Value::as_str);
    let stored = of("time").and_then(|text| text.parse::<Timestamp>().ok());
    of("subject") == Some(subject) && stored.is_some_and(|at| at.as_nanosecond() == i128::from(time))
}

async fn make(engine: &Engine, subject: &str, body: &Value) -> Result<(), Error> {
    match engine.api(subject, body).await {
        Err(Error::Refused(code, _)) if IN_USE.contains(&code) => Ok(()),
        other => other.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_message_with_the_same_number_is_known_by_its_subject_and_its_time() {
        let found = json!({
            "type": "io.nats.jetstream.api.v1.stream_msg_get_response",
            "message": {"subject": "aa.f.web1", "seq": 195, "data": "e30=", "time": "2026-01-01T00:00:00.123456789Z"},
        });
        let time = 1_767_225_600_123_456_789;
        assert!(is_message(&found, "aa.f.web1", time));
        assert!(!is_message(&found, "aa.f.web1", time + 1));
        assert!(!is_message(&found, "aa.f.web2", time));
        assert!(!is_message(&json!({}), "aa.f.web1", time));
    }
}
