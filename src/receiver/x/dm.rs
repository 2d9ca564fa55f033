//! A direct message on X to one person: no follower is needed, and the phone shows it like any message.
//!
//! The person must have written to the posting account first, or allow messages from everybody. What X's own pages do
//! not say is marked as unconfirmed in the description of the kind.

use std::net::SocketAddr;
use std::time::SystemTime;

use super::{X, answer};
use crate::config;
use crate::credentials::Secrets;
use crate::message::{Style, Unit};
use crate::receiver::http::Method;
use crate::receiver::transport::Before;
use crate::receiver::{Message, Outcome, Receiver, build};

const PARAMETER: &str = "participant_id";
/// X's own limit is 10,000 characters; who reads on a phone wants less.
const TEXT_LIMIT: usize = 4000;

/// Messages to one person.
#[derive(Debug)]
pub(in crate::receiver) struct Direct {
    x: X,
    path: String,
}

impl Direct {
    /// Of a receiver's values and the account's secrets.
    pub fn of(
        receiver: &config::Receiver,
        secrets: &Secrets,
        addresses: Vec<SocketAddr>,
    ) -> Result<Self, build::Error> {
        let wrong = |why: &str| Err(build::Error::Config(format!("{PARAMETER} {why}")));
        // A number of that length does not fit into every program's integers, so people may write it in quotes.
        let id = match receiver.parameters.get(PARAMETER) {
            Some(toml::Value::String(id)) => id.clone(),
            Some(toml::Value::Integer(id)) => id.to_string(),
            Some(_) => return wrong("must be the number of the person's account, such as 6253282"),
            None => return wrong("is missing: the number of the person's account, such as 6253282"),
        };
        if !(1..=19).contains(&id.len()) || !id.bytes().all(|b| b.is_ascii_digit()) {
            return wrong("must be the number of the person's account, such as 6253282, not its name");
        }
        let mut account = receiver.clone();
        account.parameters.remove(PARAMETER);
        let x = X::of(&account, secrets, addresses)?;
        Ok(Self { x, path: format!("/2/dm_conversations/with/{id}/messages") })
    }
}

impl Receiver for Direct {
    fn style(&self) -> Style {
        // X reads no markup in a message, but links names and addresses like in a post.
        Style { lines: true, links_addresses: true, ..Style::new(Unit::Characters, TEXT_LIMIT) }
    }

    /// Unlike a post, an equal message may be accepted twice.
    fn knows_repeats(&self) -> bool {
        false
    }

    /// A cent and a half each, like a post: repeating one is cheaper than missing it.
    fn costs_money(&self) -> bool {
        false
    }

    fn send(&self, message: &Message<'_>, before: Before) -> Outcome {
        let json = serde_json::json!({ "text": message.text }).to_string();
        match self.x.call(Method::Post, &self.path, Some(json.as_bytes()), Some(before)) {
            Ok(reply) => answer::classify_direct(&reply, SystemTime::now()),
            Err(outcome) => outcome,
        }
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.x.client.addresses()
    }
}
