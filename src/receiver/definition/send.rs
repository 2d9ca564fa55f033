//! The receiver that a definition describes.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::Definition;
use super::expand::{self, Outgoing, Scope};
use super::given::Given;
use super::hide::Hide;
use crate::config;
use crate::credentials::Secrets;
use crate::message::Style;
use crate::neutral;
use crate::receiver::build::Error;
use crate::receiver::http::{Client, Failure, Reply, Settings};
use crate::receiver::transport::Before;
use crate::receiver::{Kind, Message, Outcome, Receiver};

const TIMEOUT: Duration = Duration::from_secs(20);
const TIMEOUTS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);
/// As many values are offered to the person who sets a receiver up.
const MAX_FOUND: usize = 20;
/// As much of an answer is shown to who tries a receiver.
const SHOWN: usize = 600;

/// A receiver that is described by a definition. Shows no secret.
pub struct Http {
    definition: Definition,
    given: Given,
    hide: Hide,
    client: Client,
    /// Status and the beginning of the body, of the last answer.
    answered: Mutex<Option<String>>,
}

/// A value that [`Http::discover`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The parameter's value.
    pub value: String,
    /// By what a person knows it; may be empty.
    pub label: String,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("kind", &self.definition.kind).field("given", &self.given).finish()
    }
}

impl Http {
    /// The receiver that `config` describes; connects to nothing. With `addresses` no name is looked up.
    pub fn new(
        definition: Definition,
        config: &config::Receiver,
        secrets: &Secrets,
        addresses: Vec<SocketAddr>,
    ) -> Result<Self, Error> {
        Self::prepare(definition, config, secrets, addresses, true)
    }

    /// Ask the service for the values that the parameter of [`Definition::discovers`] can have, newest last. The other
    /// parameters must have been given. The error says what to do.
    pub fn discover(
        definition: Definition,
        config: &config::Receiver,
        secrets: &Secrets,
    ) -> Result<Vec<Found>, String> {
        let receiver =
            Self::prepare(definition, config, secrets, Vec::new(), false).map_err(|e| e.to_string())?;
        let discover =
            receiver.definition.file.discover.as_ref().ok_or("there is nothing to ask for")?.get_ref();
        let outgoing = expand::discovery(&receiver.definition.file, discover, &receiver.scope(None))?;
        let reply = receiver.call(&outgoing, None).map_err(|failure| failure.why)?;
        let answer: Option<Value> = serde_json::from_slice(&reply.body).ok().filter(|_| reply.complete);
        let (200, Some(answer)) = (reply.status, answer) else {
            return Err(receiver.definition.meaning(&reply, SystemTime::now()).why().to_owned());
        };
        let text = |value: &Value| match value {
            Value::String(text) => neutral::name(text),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        let labels = discover.label.as_ref().map(|path| path.find(&answer)).unwrap_or_default();
        let mut found: Vec<Found> = Vec::new();
        for (i, value) in discover.path.find(&answer).into_iter().enumerate() {
            let value = text(value);
            if !value.is_empty() && !found.iter().any(|f| f.value == value) {
                found.push(Found { value, label: labels.get(i).map(|l| text(l)).unwrap_or_default() });
            }
        }
        found.drain(..found.len().saturating_sub(MAX_FOUND));
        Ok(found)
    }

    fn prepare(
        definition: Definition,
        config: &config::Receiver,
        secrets: &Secrets,
        addresses: Vec<SocketAddr>,
        all: bool,
    ) -> Result<Self, Error> {
        let file = &definition.file;
        let given = Given::read(&file.parameters, config, secrets, all)?;
        if all {
            definition
                .choices()
                .try_for_each(|choice| choice.check(|name| given.has(name)))
                .map_err(Error::Config)?;
        }
        if let Some(name) = given.in_the_clear().filter(|_| !config.plain_http) {
            return Err(Error::Config(format!(
                "{name}: http:// sends everything in the clear, and is accepted to this machine alone (localhost, 127.0.0.1, \
                 [::1]); use https://, or set plain_http = true in this [[receiver]] for a server in a network of your own"
            )));
        }
        let timeout = config.timeout.unwrap_or(TIMEOUT);
        if !TIMEOUTS.contains(&timeout) {
            return Err(Error::Config("timeout must be from 1s to 5m".into()));
        }
        let mut hide = Hide::new(&given.hidden(&file.parameters, secrets));
        let scope = Scope { given: &given, priority: file.priority.as_ref(), message: Some(&EXAMPLE) };
        let outgoing = match (&file.discover, all) {
            (Some(discover), false) => expand::discovery(file, discover.get_ref(), &scope),
            _ => expand::message(file, &scope),
        };
        let outgoing = outgoing.map_err(Error::Config)?;
        // A server that quotes the request quotes a name and a password in a coding of their own.
        let pair = outgoing.headers.iter().find_map(|(_, value)| value.strip_prefix("Basic "));
        pair.into_iter().for_each(|pair| hide.add(pair));
        let settings = Settings {
            url: &outgoing.server,
            ca_file: config.ca_file.as_deref(),
            proxy: config.proxy.as_deref(),
            timeout,
            section: "",
            url_key: "the server's address",
        };
        let client =
            Client::new(settings, addresses).map_err(|e| Error::Config(hide.line(&e.to_string())))?;
        Ok(Self { given, hide, client, definition, answered: Mutex::default() })
    }

    fn scope<'a>(&'a self, message: Option<&'a Message<'a>>) -> Scope<'a> {
        Scope { given: &self.given, priority: self.definition.file.priority.as_ref(), message }
    }

    /// Call, and take the secrets out of whatever comes back.
    fn call(&self, outgoing: &Outgoing, before: Option<Before>) -> Result<Reply, Failure> {
        let mut reply = outgoing
            .with(|request| self.client.call(request, before))
            .map_err(|failure| Failure { why: self.hide.line(&failure.why), ..failure })?;
        reply.body = self.hide.apply(&reply.body);
        Ok(reply)
    }
}

impl Receiver for Http {
    fn style(&self) -> Style {
        self.definition.style()
    }

    fn knows_repeats(&self) -> bool {
        self.definition.knows_repeats()
    }

    fn costs_money(&self) -> bool {
        self.definition.costs_money()
    }

    fn send(&self, message: &Message<'_>, before: Before) -> Outcome {
        let outgoing = match expand::message(&self.definition.file, &self.scope(Some(message))) {
            Ok(outgoing) => outgoing,
            Err(why) => return Outcome::NotSent { why },
        };
        match self.call(&outgoing, Some(before)) {
            Ok(reply) => {
                if let Ok(mut answered) = self.answered.lock() {
                    *answered = Some(shown(&reply));
                }
                self.definition.meaning(&reply, SystemTime::now())
            }
            Err(failure) => failure.into(),
        }
    }

    fn answered(&self) -> Option<String> {
        self.answered.lock().ok()?.clone()
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.client.addresses()
    }
}

/// An answer, of which the secrets are taken out already, on one line.
fn shown(reply: &Reply) -> String {
    let body = neutral::text(reply.body.trim_ascii(), SHOWN);
    let cut = if reply.complete { "" } else { " (cut off)" };
    match body.is_empty() {
        true => format!("{} with an empty body{cut}", reply.status),
        false => format!("{}: {body}{cut}", reply.status),
    }
}

/// What the parameters are tried with before there is a message.
pub(super) const EXAMPLE: Message<'static> = Message {
    number: 1,
    key: "example",
    kind: Kind::Test,
    title: "title",
    text: "text",
    facts: &Value::Null,
    html: None,
};
