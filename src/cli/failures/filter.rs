//! Which records are shown, and how.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;

use crate::event::{Class, Event};
use crate::message::shown_as;

/// What to show, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Not before.
    pub since: Option<Timestamp>,
    /// The account that was tried, exactly.
    pub user: Option<String>,
    /// Where it came from.
    pub from: Option<From>,
    /// PAM service, or what alerts call it: `su` is `su-l` too.
    pub service: Option<String>,
    /// Logins too.
    pub logins: bool,
    /// One JSON object a line.
    pub json: bool,
    /// One JSON object a line, by the names of the Elastic Common Schema.
    pub ecs: bool,
    /// Wait for more.
    pub follow: bool,
}

/// Where an attempt came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// An address, or a network.
    Net(IpNet),
    /// A name.
    Name(String),
}

impl From {
    /// As a person types it.
    pub fn parse(text: &str) -> Result<Self, String> {
        // As alerts write it, so that no service makes a link of it.
        let text = &text.replace("[.]", ".").replace("[:]", ":").replace("[/]", "/");
        Ok(match (text.parse::<IpAddr>(), text.parse::<IpNet>()) {
            (Ok(ip), _) => Self::Net(IpNet::from(ip.to_canonical())),
            (_, Ok(net)) => Self::Net(net),
            // 300.1.1.1 is not a name of a machine either, and would fit nothing.
            _ if text.contains(['/', ':']) || text.chars().all(|c| c.is_ascii_digit() || c == '.') => {
                return Err(
                    "expected an address such as 192.0.2.7 or 2001:db8::1, a network such as 192.0.2.0/24, or a name".into(),
                );
            }
            _ => Self::Name(text.into()),
        })
    }

    fn covers(&self, rhost: &str) -> bool {
        match self {
            Self::Net(net) => rhost.parse::<IpAddr>().is_ok_and(|ip| net.contains(&ip.to_canonical())),
            Self::Name(name) => rhost.eq_ignore_ascii_case(name),
        }
    }
}

impl Options {
    pub(super) fn wants(&self, event: &Event) -> bool {
        (self.logins || event.class != Class::Login)
            && self.since.is_none_or(|since| event.time >= since)
            && self.user.as_ref().is_none_or(|user| event.user == *user)
            && self.service.as_deref().is_none_or(|service| is_named(event, service))
            && self.from.as_ref().is_none_or(|from| from.covers(&event.rhost))
    }
}

fn is_named(event: &Event, service: &str) -> bool {
    event.service == service || shown_as(&event.service) == service
}
