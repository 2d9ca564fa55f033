//! The two streams and the consumer, which the hub makes where they are missing.

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

/// Remove the messages of `member` before the one with this number, which is on the hub's disk. That one stays: the
/// member's next one builds upon it.
pub async fn purge(engine: &Engine, member: &Name, newest: u64) -> Result<(), Error> {
    let body = json!({ "filter": records_of(member), "seq": newest });
    engine.api(&format!("STREAM.PURGE.{RECORDS}"), &body).await.map(drop)
}

async fn make(engine: &Engine, subject: &str, body: &Value) -> Result<(), Error> {
    match engine.api(subject, body).await {
        Err(Error::Refused(code, _)) if IN_USE.contains(&code) => Ok(()),
        other => other.map(drop),
    }
}
