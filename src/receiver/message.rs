//! What a receiver is asked to send, and what it is.

use std::fmt::Debug;

use serde_json::Value;

use super::Outcome;
use super::transport::Before;
use crate::config::Kind;
use crate::message::Style;

/// One message, final to the last byte: a retry sends the same.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// Number in the receiver's own sequence; the text bears it as `·aN`.
    pub number: u64,
    /// The same in every attempt at this message, and in no other message of any machine: what a
    /// service can know a repeat by. ASCII letters, digits and `-`, at most 64.
    pub key: &'a str,
    /// What it is about.
    pub kind: Kind,
    /// One short line: the machine, and what it is about. Written in the same style as the text.
    pub title: &'a str,
    /// The text, written in the receiver's [`Style`].
    pub text: &'a str,
    /// The alert's figures by the names of the Elastic Common Schema; names that may be passwords
    /// are not in it unless the administrator says so.
    pub facts: &'a Value,
    /// The same as a page, where there is one and the receiver can carry it (mail).
    pub html: Option<&'a str>,
}

/// Somewhere that messages go. One value serves one pass.
pub trait Receiver: Debug + Send {
    /// In what a text for it is measured, how long it may be, and what must not stand in it.
    fn style(&self) -> Style;

    /// Whether it can carry a message as a page too.
    fn carries_pages(&self) -> bool {
        false
    }

    /// Whether the service knows a repeated message and does not show it twice.
    fn knows_repeats(&self) -> bool;

    /// Send, within the receiver's time limit. `before` is called once, when everything is ready and
    /// nothing has been sent: where it fails, nothing is sent and the outcome is [`Outcome::NotSent`].
    fn send(&self, message: &Message<'_>, before: Before) -> Outcome;

    /// Whether each message costs money: then one of which nobody knows whether it arrived is not
    /// repeated, unless the configuration says so.
    fn costs_money(&self) -> bool {
        false
    }

    /// What the service answered last, as a person may see it: bounded, without secrets; none where nothing was.
    fn answered(&self) -> Option<String> {
        None
    }

    /// Whom the message that was accepted last did not reach, and why, in one line as of [`Outcome`]; none where it reached
    /// everybody.
    fn missed(&self) -> Option<String> {
        None
    }

    /// Addresses that were used, to be kept for a pass in a login, which looks no name up.
    fn addresses(&self) -> Vec<std::net::SocketAddr> {
        Vec::new()
    }
}
