//! What the engine hands out: always asked for before it comes, never more than fits.

use std::time::Duration;

use async_nats::Subscriber;
use futures_util::StreamExt;
use tokio::time::Instant;

use crate::engine::{Engine, Error};
use crate::protocol::{CONSUMER, Name, RECORDS, member_of};

/// Messages that are asked for at once: of the longest, 8 MB.
const MOST: usize = 32;
/// A request lasts so long: an engine of a cluster that goes takes those that were made of it along.
const LASTS: Duration = Duration::from_secs(5);
/// After something came and nothing more did, it is asked again.
const QUIET: Duration = Duration::from_secs(1);
/// What is taken together, so that one sync serves it, in bytes.
const TOGETHER: usize = 1 << 20;

/// One message.
#[derive(Debug)]
pub struct Handed {
    /// Whose it is, by its subject alone.
    pub member: Option<Name>,
    /// What it says.
    pub body: Vec<u8>,
    /// Where its acknowledgement goes.
    pub ack: String,
    /// The engine's number.
    pub sequence: u64,
    /// When the engine stored it, in its own nanoseconds.
    pub time: u64,
    /// Messages that wait behind it.
    pub behind: u64,
}

/// What was asked for.
#[derive(Debug)]
pub struct Pull {
    inbox: String,
    /// The number of the request that is answered now; what is said of one before it does not matter.
    number: u64,
    messages: Subscriber,
    /// How many of those that were asked for may still come.
    left: usize,
    until: Instant,
}

impl Pull {
    /// Nothing yet.
    pub async fn on(engine: &Engine) -> Result<Self, Error> {
        let (inbox, messages) = engine.inbox("pull").await?;
        Ok(Self { inbox, number: 0, messages, left: 0, until: Instant::now() })
    }

    /// What came, at least one message unless `patience` is over; and what else is there already.
    pub async fn some(&mut self, engine: &Engine, patience: Duration) -> Result<Vec<Handed>, Error> {
        let (deadline, mut taken, mut bytes) = (Instant::now() + patience, Vec::new(), 0);
        while bytes < TOGETHER && taken.len() < 256 {
            if self.left == 0 || self.until <= Instant::now() {
                let consumer = format!("{RECORDS}.{CONSUMER}");
                self.number += 1;
                let inbox = format!("{}.{}", self.inbox, self.number);
                engine.pull(&consumer, &inbox, MOST, LASTS).await?;
                (self.left, self.until) = (MOST, Instant::now() + LASTS);
            }
            let wait = if taken.is_empty() { deadline.min(self.until) } else { Instant::now() };
            let message = match tokio::time::timeout_at(wait, self.messages.next()).await {
                Ok(Some(message)) => message,
                Ok(None) => return Err(Error::Away("the connection is gone".into())),
                Err(_) if taken.is_empty() && Instant::now() < deadline => continue,
                Err(_) => break,
            };
            match message.reply {
                Some(reply) if message.status.is_none() && is_ack(&reply) => {
                    self.left = self.left.saturating_sub(1);
                    bytes += message.payload.len();
                    taken.push(Handed {
                        member: member_of(&message.subject),
                        body: message.payload.to_vec(),
                        sequence: part(&reply, 3),
                        time: part(&reply, 1),
                        behind: part(&reply, 0),
                        ack: reply.to_string(),
                    });
                }
                // Nobody hands out anything: there is no such consumer, or no engine that leads it.
                _ if message.status == Some(async_nats::StatusCode::NO_RESPONDERS) => {
                    self.left = 0;
                    return Err(Error::Away("it has no consumer for the hub".into()));
                }
                // Nothing now (404), no more for this request (408, 409).
                _ if message.subject.ends_with(&format!(".{}", self.number)) => {
                    self.left = 0;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                _ => {}
            }
        }
        if !taken.is_empty() {
            // What is lost of a request shall not be waited for long.
            self.until = self.until.min(Instant::now() + QUIET);
        }
        Ok(taken)
    }
}

/// Whether it is where the engine awaits an acknowledgement: the hub answers nowhere else, whoever asks.
fn is_ack(reply: &str) -> bool {
    reply.starts_with(&format!("$JS.ACK.{RECORDS}.{CONSUMER}."))
}

/// A number of `$JS.ACK.STREAM.CONSUMER.DELIVERED.SEQUENCE.CONSUMED.TIME.PENDING`, counted from the end.
fn part(reply: &str, from_the_end: usize) -> u64 {
    reply.rsplit('.').nth(from_the_end).and_then(|part| part.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_an_acknowledgement_goes_says_which_message_it_is() {
        let reply = "$JS.ACK.AAF.hub.1.4711.9.1767225600000000000.12";
        assert_eq!((part(reply, 3), part(reply, 0), part("x", 3)), (4711, 12, 0));
        assert_eq!(part(reply, 1), 1_767_225_600_000_000_000);
        assert!(is_ack(reply));
        for other in ["aa.lease", "aa.ack.web1", "$JS.ACK.AAF.x.1.4711.9.1.12", "$JS.API.STREAM.PURGE.AAF"] {
            assert!(!is_ack(other), "{other}");
        }
    }
}
