//! A point on the clock that pacing goes by.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds on a clock that never goes back, across processes and restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl Moment {
    /// This moment and `duration`.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(milliseconds(duration)))
    }

    /// How long after `earlier` this is; zero if it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// `duration` in whole milliseconds, not shorter.
    pub(in crate::deliver) fn round_up(duration: Duration) -> Duration {
        Duration::from_millis(duration.as_nanos().div_ceil(1_000_000).try_into().unwrap_or(u64::MAX))
    }
}

/// `duration` in milliseconds, cut.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
