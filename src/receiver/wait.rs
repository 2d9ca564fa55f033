//! When to try again, as a server says it in its header fields. Every value is hostile until bounded.

use std::time::{Duration, SystemTime};

use jiff::fmt::rfc2822::DateTimeParser;
use ureq::http::HeaderMap;

/// Longest wait that is believed: the longest window of any service is 24 hours.
pub const MAX_WAIT: Duration = Duration::from_secs(25 * 3600);

/// The server's clock, from the `Date` field.
pub fn date(headers: &HeaderMap) -> Option<SystemTime> {
    parse_date(headers.get("date")?.to_str().ok()?)
}

/// When to retry by `Retry-After` alone, in this machine's time.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<SystemTime> {
    after(asked_for(headers, date(headers).unwrap_or(now)), now)
}

/// `wait` from now, bounded; none where there is nothing to wait for.
pub(super) fn after(wait: Option<Duration>, now: SystemTime) -> Option<SystemTime> {
    now.checked_add(wait.filter(|wait| !wait.is_zero())?.min(MAX_WAIT))
}

/// How long `Retry-After` asks to wait: seconds, or a date by the `server`'s clock.
pub(super) fn asked_for(headers: &HeaderMap, server: SystemTime) -> Option<Duration> {
    let value = headers.get("retry-after")?.to_str().ok()?.trim();
    match value.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => parse_date(value)?.duration_since(server).ok(),
    }
}

fn parse_date(text: &str) -> Option<SystemTime> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    // The parser takes any length; a date has 29 characters.
    if text.len() > 40 {
        return None;
    }
    let seconds = PARSER.parse_timestamp(text).ok()?.as_second();
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds.try_into().ok()?))
}
