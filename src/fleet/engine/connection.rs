//! A connection that comes back by itself, and requests over it.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::{Client, Event, HeaderMap, Request, ServerAddr, Subscriber};
use serde_json::Value;
use tokio::sync::watch;

use super::answer::{self, Stored};
use crate::identity::Identity;
use crate::protocol::Epoch;
use crate::protocol::member::Answer;

const PATIENCE: Duration = Duration::from_secs(5);
const LONGEST_DELAY: Duration = Duration::from_secs(15);
/// Of requests that were begun and not sent yet.
const UNDER_WAY: usize = 256;

const NONE: &str = "its answer cannot be read";

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// No connection, or no answer in time.
    Away(String),
    /// The engine said no: code and words.
    Refused(u64, String),
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(why) => write!(f, "the engine does not answer: {why}"),
            Self::Refused(code, why) => write!(f, "the engine refuses: {why} ({code})"),
        }
    }
}

impl Error {
    fn away(why: impl fmt::Display) -> Self {
        Self::Away(authalert::neutral::text(why.to_string(), 200))
    }
}

/// A connection to the engine.
#[derive(Debug)]
pub struct Engine {
    client: Client,
    /// How often it was made.
    made: watch::Receiver<u64>,
    /// What the engine said last that was no answer: a right that is missing.
    said: Arc<Mutex<Option<String>>>,
    inbox: String,
}

impl Engine {
    /// Connect. Later it is connected again by itself, as often as that takes.
    pub async fn connect(identity: &Identity) -> Result<Self, Error> {
        let servers: Result<Vec<ServerAddr>, _> =
            identity.servers.iter().map(|server| format!("tls://{server}").parse()).collect();
        let servers = servers.map_err(Error::away)?;
        let (count, made) = watch::channel(0);
        let said = Arc::new(Mutex::new(None));
        let heard = said.clone();
        // Guessed by nobody: whoever knows it could send answers there.
        let random = || Epoch::random().map_err(Error::away);
        let inbox = format!("_INBOX.{}.{}{}", identity.name, random()?, random()?);
        let client = identity
            .options()
            .name(format!("authalert-fleet {}", identity.name))
            .custom_inbox_prefix(inbox.clone())
            .connection_timeout(PATIENCE)
            .request_timeout(Some(PATIENCE))
            .ping_interval(Duration::from_secs(20))
            .client_capacity(UNDER_WAY)
            .ignore_discovered_servers()
            .max_reconnects(None)
            .reconnect_delay_callback(|attempts| {
                let doubled = Duration::from_millis(100).saturating_mul(1 << attempts.min(10));
                if attempts == 0 { Duration::ZERO } else { doubled.min(LONGEST_DELAY) }
            })
            .event_callback(move |event| {
                match event {
                    Event::Connected => count.send_modify(|n| *n += 1),
                    Event::ServerError(e) => note(&heard, &e),
                    Event::ClientError(e) => note(&heard, &e),
                    _ => {}
                }
                std::future::ready(())
            })
            .connect(servers)
            .await
            .map_err(Error::away)?;
        Ok(Self { client, made, said, inbox })
    }

    /// Changes whenever a connection was made.
    pub fn made(&self) -> watch::Receiver<u64> {
        self.made.clone()
    }

    /// Whether there is a connection now.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }

    /// What the engine said last that was no answer.
    pub fn said(&self) -> Option<String> {
        self.said.lock().ok()?.clone()
    }

    /// Append to `subject` if its last message is `expected`.
    pub async fn append(&self, subject: &str, expected: u64, body: Vec<u8>) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Expected-Last-Subject-Sequence", expected.to_string().as_str());
        let request = Request::new().headers(headers).payload(body.into());
        match self.client.send_request(subject.to_owned(), request).await {
            Ok(message) if message.status.is_none() => answer::appended(&message.payload),
            Ok(_) | Err(_) => Answer::Unknown,
        }
    }

    /// The last message of `subject`, if there is one.
    pub async fn last_of(&self, stream: &str, subject: &str) -> Result<Option<Stored>, Error> {
        let request = Request::new();
        let message = self
            .client
            .send_request(format!("$JS.API.DIRECT.GET.{stream}.{subject}"), request)
            .await
            .map_err(|e| self.why(e))?;
        let found =
            answer::read(message.status, message.headers.as_ref(), &message.payload).map_err(|()| {
                match serde_json::from_slice(&message.payload) {
                    Ok(value) => answer::refusal(&value)
                        .map_or(Error::away(NONE), |(code, why)| Error::Refused(code, why)),
                    // Before the hub has made the streams nobody answers for them.
                    Err(_) => Error::away(message.description.as_deref().unwrap_or(NONE)),
                }
            })?;
        // Nobody else's, whatever the answer says.
        found
            .map(
                |stored| {
                    if stored.subject == subject { Ok(stored) } else { Err(Error::away("another subject")) }
                },
            )
            .transpose()
    }

    /// A request of JetStream's.
    pub async fn api(&self, subject: &str, body: &Value) -> Result<Value, Error> {
        let request = Request::new().payload(body.to_string().into());
        let message =
            self.client.send_request(format!("$JS.API.{subject}"), request).await.map_err(|e| self.why(e))?;
        let value: Value = serde_json::from_slice(&message.payload).map_err(|_| Error::away(NONE))?;
        match answer::refusal(&value) {
            Some((code, why)) => Err(Error::Refused(code, why)),
            None => Ok(value),
        }
    }

    /// Have messages handed out: at most `most` of them, for as long as `lasts`.
    pub async fn pull(&self, consumer: &str, inbox: &str, most: usize, lasts: Duration) -> Result<(), Error> {
        let body = serde_json::json!({ "batch": most, "expires": lasts.as_nanos() as u64 });
        self.client
            .publish_with_reply(
                format!("$JS.API.CONSUMER.MSG.NEXT.{consumer}"),
                inbox.to_owned(),
                body.to_string().into(),
            )
            .await
            .map_err(Error::away)
    }

    /// What comes to the inboxes of that name on this connection; their common beginning.
    pub async fn inbox(&self, name: &str) -> Result<(String, Subscriber), Error> {
        let subject = format!("{}.{name}", self.inbox);
        let messages = self.client.subscribe(format!("{subject}.*")).await.map_err(Error::away)?;
        Ok((subject, messages))
    }

    /// Send without waiting for an answer.
    pub async fn publish(&self, subject: &str, body: &'static str) -> Result<(), Error> {
        self.client.publish(subject.to_owned(), body.into()).await.map_err(Error::away)
    }

    /// Wait until what was published is on its way.
    pub async fn flush(&self) -> Result<(), Error> {
        tokio::time::timeout(PATIENCE, self.client.flush()).await.map_err(Error::away)?.map_err(Error::away)
    }

    fn why(&self, error: impl fmt::Display) -> Error {
        match self.said() {
            Some(said) => Error::away(format!("{error}; it said: {said}")),
            None => Error::away(error),
        }
    }
}

fn note(said: &Mutex<Option<String>>, what: &dyn fmt::Display) {
    if let Ok(mut said) = said.lock() {
        *said = Some(authalert::neutral::text(what.to_string(), 200));
    }
}
