//! The X account: one post, and who the account is.
//!
//! [`answer`]: what each answer of X means. [`oauth`]: signatures and the PIN flow.
//! [`limits`]: the clock and the rate limits that X reports. `dm`: direct messages instead.

pub mod answer;
mod dm;
pub mod limits;
pub mod oauth;

use std::net::SocketAddr;
use std::time::SystemTime;

use serde_json::Value;

use crate::receiver::http::{Client, Error, Method, Reply, Request};
use crate::receiver::transport::Before;

use crate::config;
use crate::credentials::{Credentials, Secrets};
use crate::message::Style;
use crate::neutral;

pub(super) use dm::Direct;

use super::{Message, Outcome, Receiver, build};

const TWEETS: &str = "/2/tweets";
const ME: &str = "/2/users/me";

/// The account that alerts are posted to.
#[derive(Debug)]
pub struct X {
    client: Client,
    credentials: Credentials,
}

/// Who the credentials belong to and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name after the `@`, if X says.
    pub screen_name: Option<String>,
    /// What the app may do with the account.
    pub access: Access,
    /// X's clock.
    pub date: Option<SystemTime>,
}

/// The permission of the access token, from X's `x-access-level`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// It may post.
    Write,
    /// It may not.
    ReadOnly,
    /// X did not say, or said something unknown.
    Unknown(String),
}

impl X {
    /// The account that a receiver's values and secrets make, see [`build::build`].
    pub(crate) fn of(
        receiver: &config::Receiver,
        secrets: &Secrets,
        preset: Vec<SocketAddr>,
    ) -> Result<Self, build::Error> {
        if let Some(key) = receiver.parameters.keys().find(|key| *key != "api_url") {
            return Err(build::Error::Config(receiver.not_a_parameter(key, "api_url")));
        }
        let defaults = config::X::default();
        let settings = config::X {
            api_url: match receiver.parameters.get("api_url").map(|url| url.as_str()) {
                Some(Some(url)) => url.into(),
                Some(None) => return Err(build::Error::Config("api_url must be in quotes".into())),
                None => defaults.api_url,
            },
            ca_file: receiver.ca_file.clone(),
            proxy: receiver.proxy.clone(),
            timeout: receiver.timeout.unwrap_or(defaults.timeout),
            credentials: None,
        };
        settings.check_url().map_err(|why| build::Error::Config(format!("api_url {why}")))?;
        if secrets.is_empty() {
            return Err(build::Error::Credentials(
                "no credentials of an X account; run 'authalert authorize'".into(),
            ));
        }
        let credentials = Credentials::from_secrets(secrets).map_err(build::Error::Credentials)?;
        Self::new(&settings, credentials, preset).map_err(|e| build::Error::Config(e.to_string()))
    }

    /// Prepare; reads `ca_file`, connects to nothing.
    ///
    /// With `preset` no name is looked up: the addresses that an earlier [`X::addresses`] returned. They may
    /// have become stale; a caller who gets [`Outcome::NotSent`] leaves the next attempt to one who may look up.
    pub fn new(config: &config::X, credentials: Credentials, preset: Vec<SocketAddr>) -> Result<Self, Error> {
        Ok(Self { client: Client::new(config, preset)?, credentials })
    }

    /// Post `text`. Each call signs anew; a retry must bring the same text.
    pub fn post(&self, text: &str) -> Outcome {
        self.post_after(text, None)
    }

    /// Post `text`, and do `before` when there is a connection, before the first byte goes out: whoever dies
    /// earlier has sent nothing. Where it fails nothing is sent.
    pub fn post_after(&self, text: &str, before: Option<Before>) -> Outcome {
        let json = serde_json::json!({ "text": text }).to_string();
        match self.call(Method::Post, TWEETS, Some(json.as_bytes()), before) {
            Ok(reply) => answer::classify(&reply, SystemTime::now()),
            Err(answer) => answer,
        }
    }

    /// Ask who the account is. It costs a fraction of a cent and posts nothing.
    pub fn me(&self) -> Result<Account, Outcome> {
        let reply = self.call(Method::Get, ME, None, None)?;
        match account(&reply) {
            Some(account) if reply.status == 200 => Ok(account),
            // A captive portal says 200 to everything; and an account's id is not a post's.
            _ if reply.status < 300 => Err(Outcome::ambiguous(
                "this is not X's answer to who the account is; check x.api_url and x.proxy".into(),
            )),
            _ => Err(answer::classify(&reply, SystemTime::now())),
        }
    }

    fn call(
        &self,
        method: Method,
        path: &str,
        json: Option<&[u8]>,
        before: Option<Before>,
    ) -> Result<Reply, Outcome> {
        let authorization = oauth::sign(method, &self.client.url(path), &self.credentials);
        let mut headers = vec![("authorization", authorization.as_str())];
        headers.extend(json.map(|_| ("content-type", "application/json")));
        let request = Request { method, path, headers: &headers, body: json.unwrap_or_default() };
        let mut reply = self.client.call(&request, before).map_err(Outcome::from)?;
        // An answer that quotes the request must not carry its keys into a log.
        reply.body = self.credentials.hide(&reply.body);
        Ok(reply)
    }
}

impl Receiver for X {
    fn style(&self) -> Style {
        Style::x()
    }

    /// It refuses a text that the account posted lately.
    fn knows_repeats(&self) -> bool {
        true
    }

    fn send(&self, message: &Message<'_>, before: Before) -> Outcome {
        self.post_after(message.text, Some(before))
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.client.addresses()
    }
}

fn account(reply: &Reply) -> Option<Account> {
    let body: Value = serde_json::from_slice(&reply.body).ok()?;
    let name = body.get("data")?.get("username").and_then(Value::as_str);
    let access = reply.headers.get("x-access-level").map(|level| neutral::name(level.as_bytes()));
    Some(Account {
        screen_name: name.filter(|name| oauth::is_screen_name(name)).map(Into::into),
        access: match access.as_deref() {
            Some("read-write" | "read-write-directmessages") => Access::Write,
            Some("read") => Access::ReadOnly,
            other => Access::Unknown(other.unwrap_or_default().into()),
        },
        date: limits::date(&reply.headers),
    })
}

#[cfg(test)]
mod tests {
    use ureq::http::HeaderMap;

    use super::*;

    fn answered(level: Option<&'static str>, body: &str) -> Option<Account> {
        let mut headers = HeaderMap::new();
        if let Some(level) = level {
            headers.insert("x-access-level", level.parse().unwrap());
        }
        account(&Reply { status: 200, headers, body: body.into(), complete: true })
    }

    #[test]
    fn the_access_level_says_whether_the_app_may_post() {
        for (level, access) in [
            (Some("read-write"), Access::Write),
            (Some("read-write-directmessages"), Access::Write),
            (Some("read"), Access::ReadOnly),
            (Some("all"), Access::Unknown("all".into())),
            (None, Access::Unknown(String::new())),
        ] {
            assert_eq!(answered(level, r#"{"data":{}}"#).unwrap().access, access);
        }
    }

    #[test]
    fn a_screen_name_is_letters_digits_and_underscores_or_none() {
        let name = |name: &str| {
            answered(None, &format!(r#"{{"data":{{"username":"{name}"}}}}"#)).unwrap().screen_name
        };
        assert_eq!(name("web1_alerts"), Some("web1_alerts".into()));
        assert_eq!(name("a b"), None);
        assert_eq!(name(&"x".repeat(99)), None);
        assert_eq!(answered(None, "<html>"), None);
    }
}
