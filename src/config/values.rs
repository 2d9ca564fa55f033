//! The forms that values take: durations, sizes, networks, names.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use super::Heartbeat;
use crate::neutral;

const DURATION_UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86400)];

/// A duration: `90s`, `10m`, `6h`, `30d`, or a whole number of seconds.
pub fn parse_duration(text: &str) -> Option<Duration> {
    parse_scaled(text, &DURATION_UNITS).map(Duration::from_secs)
}

pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    scaled(deserializer, "a duration such as 90s, 10m, 6h or 30d", &DURATION_UNITS).map(Duration::from_secs)
}

pub(super) fn optional_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

/// `off`, or a duration; it is no alarm clock, so of an hour or more.
pub(super) fn heartbeat<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Heartbeat, D::Error> {
    const AT_LEAST: Duration = Duration::from_secs(3600);
    let text = String::deserialize(deserializer)?;
    if text == "off" {
        return Ok(Heartbeat(None));
    }
    let after = parse_duration(&text).filter(|after| *after >= AT_LEAST);
    let why =
        || de::Error::custom("heartbeat must be \"off\", or a duration of an hour or more, such as \"7d\"");
    after.map(|after| Heartbeat(Some(after))).ok_or_else(why)
}

/// A number with an optional unit behind it.
fn parse_scaled(text: &str, units: &[(char, u64)]) -> Option<u64> {
    let unit = units.iter().find(|(suffix, _)| text.ends_with(*suffix));
    let (digits, factor) = match unit {
        Some((suffix, factor)) => (text.strip_suffix(*suffix)?, *factor),
        None => (text, 1),
    };
    let n: u64 = digits.trim().parse().ok()?;
    n.checked_mul(factor).filter(|n| *n < 1 << 50)
}

/// A size: `64K`, `64M`, `1G`, or a whole number of bytes.
pub(super) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let units = [('K', 1 << 10), ('M', 1 << 20), ('G', 1 << 30)];
    scaled(deserializer, "a size such as 512K, 64M or 1G", &units)
}

fn scaled<'de, D: Deserializer<'de>>(
    deserializer: D,
    expecting: &'static str,
    units: &[(char, u64)],
) -> Result<u64, D::Error> {
    struct Scaled<'a>(&'static str, &'a [(char, u64)]);

    impl Visitor<'_> for Scaled<'_> {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_i64<E: de::Error>(self, n: i64) -> Result<u64, E> {
            u64::try_from(n).map_err(|_| E::invalid_value(de::Unexpected::Signed(n), &self))
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
            parse_scaled(text, self.1).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }

    deserializer.deserialize_any(Scaled(expecting, units))
}

/// A whole number in this range.
pub(crate) fn whole<'de, const LEAST: u32, const MOST: u32, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<u32, D::Error> {
    struct Whole<const LEAST: u32, const MOST: u32>;

    impl<const LEAST: u32, const MOST: u32> Visitor<'_> for Whole<LEAST, MOST> {
        type Value = u32;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a whole number from {LEAST} to {MOST}")
        }

        fn visit_i64<E: de::Error>(self, n: i64) -> Result<u32, E> {
            let fits = u32::try_from(n).ok().filter(|n| (LEAST..=MOST).contains(n));
            fits.ok_or_else(|| E::invalid_value(de::Unexpected::Signed(n), &self))
        }
    }

    deserializer.deserialize_any(Whole::<LEAST, MOST>)
}

pub(super) fn optional_whole<'de, const LEAST: u32, const MOST: u32, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u32>, D::Error> {
    whole::<LEAST, MOST, D>(deserializer).map(Some)
}

pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts
        .iter()
        .map(|text| {
            network(text).ok_or_else(|| {
                de::Error::custom(format!(
                    "\"{text}\" is neither an address nor a network such as 192.0.2.0/24 or 2001:db8::/32"
                ))
            })
        })
        .collect()
}

/// An address or a CIDR block; a block of mapped addresses (`::ffff:192.0.2.0/120`) as IPv4.
fn network(text: &str) -> Option<IpNet> {
    let net = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => text.parse::<IpNet>().ok()?,
    };
    match net {
        IpNet::V6(v6) => match (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(96)) {
            (Some(v4), Some(prefix)) => IpNet::new(v4.into(), prefix).ok(),
            _ => Some(net),
        },
        IpNet::V4(_) => Some(net),
    }
}

/// Names, as those of failures are kept.
pub(super) fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Vec::<String>::deserialize(deserializer)?.iter().map(neutral::name).collect())
}
