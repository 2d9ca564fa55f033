//! Which receiver an alert goes to, and why none.

use std::path::Path;

use jiff::Timestamp;

use crate::config::{Config, ReceiverWord, Receivers};
use crate::credentials::Credentials;
use crate::receiver::x::X;

use super::Setting;
use super::state::Addresses;
use super::trouble::Kind;

/// Addresses that were looked up this long ago may have moved.
const ADDRESSES_LAST: i64 = 86_400;

/// Where alerts go.
pub enum Route {
    /// The account.
    X(Box<X>),
    /// This machine.
    Timeline,
}

/// Choose the receiver that the configuration and the credentials make.
///
/// An error is what kind of trouble it is, and what to do.
pub fn choose(
    config: &Config,
    setting: Setting,
    addresses: Option<&Addresses>,
) -> Result<Route, (Kind, String)> {
    if config.receiver == Receivers::Word(ReceiverWord::Timeline) {
        return Ok(Route::Timeline);
    }
    let path = config.credentials_path();
    match Credentials::load(&path) {
        Ok(Some(credentials)) => {
            let preset =
                addresses.filter(|a| setting == Setting::Login && fresh(a, config)).map(|a| a.list.clone());
            X::new(&config.x, credentials, preset.unwrap_or_default())
                .map(|x| Route::X(Box::new(x)))
                .map_err(|e| (Kind::Credentials, e.to_string()))
        }
        Ok(None) if config.receiver == Receivers::Word(ReceiverWord::X) => Err((
            Kind::Credentials,
            format!("receiver = \"x\" and no credentials in {}; run 'authalert authorize'", path.display()),
        )),
        Ok(None) => Ok(Route::Timeline),
        Err(e) => Err((Kind::Credentials, e.to_string())),
    }
}

/// What tells whether somebody changed the configuration or the credentials.
pub fn fingerprint(config: &Config) -> String {
    let of = |path: &Path| {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).map_or("-".into(), |m| {
            format!("{}.{}.{}.{}.{:o}", m.ino(), m.size(), m.ctime(), m.ctime_nsec(), m.mode())
        })
    };
    format!("{} {}", of(&config.path), of(&config.credentials_path()))
}

fn fresh(addresses: &Addresses, config: &Config) -> bool {
    let age = Timestamp::now().duration_since(addresses.time).as_secs();
    addresses.doubted.is_none() && addresses.api_url == config.x.api_url && (0..ADDRESSES_LAST).contains(&age)
}
