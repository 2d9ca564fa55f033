//! From the configuration to the receiver that is served, and what tells that somebody changed either.

use std::path::Path;

use jiff::Timestamp;

use crate::config::{self, Config};
use crate::credentials::Stored;
use crate::receiver::{self, Receiver};

use super::outage::Kind;
use super::state::Addresses;
use super::{Context, Moment};

/// Addresses that were looked up this long ago may have moved.
const ADDRESSES_LAST: i64 = 86_400;

/// What can be served, and with what.
#[derive(Debug)]
pub struct Routes {
    /// All receivers, with all values filled in; the first is the one of version 0.1's keys.
    pub receivers: Vec<config::Receiver>,
    /// A mistake in the configuration hides that there are more.
    hides_receivers: bool,
    /// Of each.
    secrets: Stored,
    /// Differs when somebody changed the configuration, the credentials or a definition of his own.
    pub fingerprint: String,
}

impl Routes {
    /// What the configuration and the credentials make.
    pub fn of(config: &Config) -> Self {
        let path = config.credentials_path();
        let mut fingerprint = format!("{} {}", stamp(&config.path), stamp(&path));
        let secrets = Stored::usable(&path, config.credentials_mistake.as_deref());
        let mut receivers = config.receivers(secrets.has_account());
        for receiver in &mut receivers {
            receiver.tell = receiver.tell.take().or_else(|| receiver::default_tell(&receiver.kind));
            if let Some(own) = receiver::definition::own_file(&receiver.kind) {
                fingerprint.push_str(&format!(" {}", stamp(&own)));
            }
        }
        Self { receivers, hides_receivers: config.hides_receivers, secrets, fingerprint }
    }

    /// Whether one that had a state here may be meant that is called otherwise now, as by a letter too many in its kind.
    pub fn may_hide_receivers(&self) -> bool {
        let is_wrong = |receiver: &config::Receiver| {
            matches!(self.build(receiver, Context::Command, None), Err((Kind::Config, _)))
        };
        self.hides_receivers || self.receivers.iter().any(is_wrong)
    }

    /// The receiver that `config` describes. An error is what kind of outage it is, and what to do.
    pub fn build(
        &self,
        config: &config::Receiver,
        context: Context,
        addresses: Option<&Addresses>,
    ) -> Result<Box<dyn Receiver>, (Kind, String)> {
        let known = |a: &&Addresses| context == Context::Login && is_fresh(a, config);
        let preset = addresses.filter(known).map(|a| a.list.clone()).unwrap_or_default();
        receiver::build_with(config, &self.secrets, preset).map_err(|e| match e {
            receiver::Error::Config(_) | receiver::Error::Definition(_) => (Kind::Config, e.to_string()),
            receiver::Error::Credentials(_) => (Kind::Credentials, e.to_string()),
        })
    }
}

/// What tells to which values of a receiver its addresses belong.
pub fn values(config: &config::Receiver) -> u32 {
    crc32fast::hash(format!("{config:?}").as_bytes())
}

/// Addresses that were just used.
pub fn used(config: &config::Receiver, list: Vec<std::net::SocketAddr>) -> Addresses {
    Addresses { of: values(config), list, time: Timestamp::now(), stale_since: None }
}

/// Since when a login found the addresses stale.
pub fn stale_since(addresses: Option<&Addresses>) -> Option<Moment> {
    addresses.and_then(|a| a.stale_since)
}

fn stamp(path: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).map_or("-".into(), |m| {
        format!("{}.{}.{}.{}.{:o}", m.ino(), m.size(), m.ctime(), m.ctime_nsec(), m.mode())
    })
}

fn is_fresh(addresses: &Addresses, config: &config::Receiver) -> bool {
    let age = Timestamp::now().duration_since(addresses.time).as_secs();
    addresses.stale_since.is_none() && addresses.of == values(config) && (0..ADDRESSES_LAST).contains(&age)
}
