//! The clock and the rate limits that X reports in its header fields.
//!
//! Reset times are Unix times of X's clock. They become a duration by X's own `Date`, so that a wrong
//! clock here neither shortens nor stretches a wait. Every value is hostile until bounded.

use std::time::{Duration, SystemTime};

use ureq::http::HeaderMap;

use crate::receiver::wait::{after, asked_for};
pub use crate::receiver::wait::{date, retry_after};

/// Smaller differences are the network's and a leap second's, not a wrong clock.
const SKEW_NOTED: Duration = Duration::from_secs(60);
/// The first is documented; the other two X sends without documenting them (node-twitter-api-v2 issue 495, pull 618).
const WINDOWS: [&str; 3] = ["x-rate-limit", "x-app-limit-24hour", "x-user-limit-24hour"];

/// When the last exhausted window resets, in this machine's time; none if X does not say.
pub fn until(headers: &HeaderMap, now: SystemTime) -> Option<SystemTime> {
    let server = date(headers).unwrap_or(now);
    let resets = WINDOWS.iter().filter_map(|window| {
        let exhausted = number(headers, &format!("{window}-remaining")).is_none_or(|n| n == 0);
        let reset = number(headers, &format!("{window}-reset")).filter(|_| exhausted)?;
        since_epoch(server).and_then(|date| Duration::from_secs(reset).checked_sub(date))
    });
    after(resets.chain(asked_for(headers, server)).max(), now)
}

/// How wrong this machine's clock is, in words, if it is by more than a minute.
pub fn skew(headers: &HeaderMap, now: SystemTime) -> Option<String> {
    let server = date(headers)?;
    let (difference, direction) = match now.duration_since(server) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    (difference > SKEW_NOTED).then(|| format!("this machine's clock is {} {direction} X's", span(difference)))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn since_epoch(time: SystemTime) -> Option<Duration> {
    time.duration_since(SystemTime::UNIX_EPOCH).ok()
}

/// A length of time in its largest unit.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::wait::MAX_WAIT;

    /// Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
    const DATE: u64 = 784_111_777;

    fn headers(fields: &[(&'static str, String)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        map.insert("date", "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        for (name, value) in fields {
            map.insert(*name, value.parse().unwrap());
        }
        map
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn the_latest_reset_among_exhausted_windows_counts() {
        let map = headers(&[
            ("x-rate-limit-remaining", "39999".into()),
            ("x-rate-limit-reset", (DATE + 9000).to_string()),
            ("x-app-limit-24hour-remaining", "0".into()),
            ("x-app-limit-24hour-reset", (DATE + 700).to_string()),
            ("x-user-limit-24hour-remaining", "0".into()),
            ("x-user-limit-24hour-reset", (DATE + 3600).to_string()),
        ]);
        assert_eq!(until(&map, at(DATE)), Some(at(DATE + 3600)));
    }

    #[test]
    fn a_wrong_clock_here_does_not_change_the_wait() {
        let map = headers(&[("x-rate-limit-reset", (DATE + 900).to_string())]);
        for now in [DATE - 1_000_000, DATE, DATE + 1_000_000] {
            assert_eq!(until(&map, at(now)), Some(at(now + 900)));
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let seconds = headers(&[("retry-after", "120".into())]);
        assert_eq!(until(&seconds, at(DATE)), Some(at(DATE + 120)));
        let date = headers(&[("retry-after", "Sun, 06 Nov 1994 09:49:37 GMT".into())]);
        assert_eq!(until(&date, at(DATE)), Some(at(DATE + 3600)));
    }

    #[test]
    fn what_is_past_absent_absurd_or_no_number_is_bounded_or_none() {
        for (value, expected) in [
            (String::new(), None),
            ("soon".into(), None),
            ("-1".into(), None),
            ((DATE - 1).to_string(), None),
            (DATE.to_string(), None),
            (u64::MAX.to_string(), Some(at(DATE) + MAX_WAIT)),
        ] {
            let map = headers(&[("x-rate-limit-reset", value.clone())]);
            assert_eq!(until(&map, at(DATE)), expected, "{value:?}");
        }
        assert_eq!(until(&headers(&[]), at(DATE)), None);
        assert_eq!(
            until(&headers(&[("retry-after", u64::MAX.to_string())]), at(DATE)),
            Some(at(DATE) + MAX_WAIT)
        );
    }

    #[test]
    fn a_clock_that_is_off_by_more_than_a_minute_is_said_in_words() {
        let map = headers(&[]);
        assert_eq!(skew(&map, at(DATE + 60)), None);
        assert_eq!(skew(&map, at(DATE - 60)), None);
        assert_eq!(skew(&map, at(DATE + 90)).unwrap(), "this machine's clock is 90 seconds ahead of X's");
        assert_eq!(skew(&map, at(DATE - 7300)).unwrap(), "this machine's clock is 2 hours behind X's");
        assert_eq!(skew(&HeaderMap::new(), at(DATE)), None);
        let mut map = HeaderMap::new();
        map.insert("date", "x".repeat(10_000).parse().unwrap());
        assert_eq!(skew(&map, at(DATE)), None);
    }
}
