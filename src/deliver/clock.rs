//! A clock that only goes forward, across processes, reboots and steps of the wall clock.
//!
//! Pacing and backoff must not be fooled by a clock that is set. Within one boot the kernel's
//! CLOCK_BOOTTIME tells how much time went by; across a reboot the wall clock has to do, and where
//! it went back, no time went by.

use std::fs;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::deliver::Moment;

/// More is taken for a wall clock that was wrong before or after a reboot: 60 days.
const LONGEST_REBOOT_MS: u64 = 60 * 86_400_000;

/// What the clocks showed when the state was last written, and the moment that this was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Clock {
    boot: String,
    since_boot_ms: u64,
    wall_ms: u64,
    moment_ms: u64,
}

/// What the clocks show.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The kernel's id of this boot.
    pub boot: String,
    /// CLOCK_BOOTTIME, milliseconds.
    pub since_boot_ms: u64,
    /// CLOCK_REALTIME, milliseconds since 1970.
    pub wall_ms: u64,
}

impl Reading {
    /// Look at this machine's clocks.
    pub fn now() -> Self {
        let ms = |id| {
            let t = clock_gettime(id);
            u64::try_from(t.tv_sec).unwrap_or(0) * 1000 + u64::try_from(t.tv_nsec).unwrap_or(0) / 1_000_000
        };
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self {
            boot: boot.trim().into(),
            since_boot_ms: ms(ClockId::Boottime),
            wall_ms: ms(ClockId::Realtime),
        }
    }
}

impl Clock {
    /// Go forward to `reading` and give the moment that it is.
    pub fn advance(&mut self, reading: &Reading) -> Moment {
        let same_boot = !reading.boot.is_empty() && reading.boot == self.boot;
        let passed = if same_boot {
            reading.since_boot_ms.saturating_sub(self.since_boot_ms)
        } else if self.boot.is_empty() && self.wall_ms == 0 {
            0
        } else {
            reading.wall_ms.saturating_sub(self.wall_ms).min(LONGEST_REBOOT_MS)
        };
        // A container that was restored may show less than before: then the old reading stays, so
        // that the same time is not counted twice.
        if !same_boot || reading.since_boot_ms >= self.since_boot_ms {
            *self = Self {
                boot: reading.boot.clone(),
                since_boot_ms: reading.since_boot_ms,
                wall_ms: reading.wall_ms,
                moment_ms: self.moment_ms.saturating_add(passed),
            };
        }
        Moment(self.moment_ms)
    }
}

#[cfg(test)]
impl Clock {
    /// As if that much time had gone by.
    pub fn skip(&mut self, time: std::time::Duration) {
        self.moment_ms += u64::try_from(time.as_millis()).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(boot: &str, since_boot_ms: u64, wall_ms: u64) -> Reading {
        Reading { boot: boot.into(), since_boot_ms, wall_ms }
    }

    #[test]
    fn steps_of_the_wall_clock_are_not_time() {
        let mut clock = Clock::default();
        assert_eq!(clock.advance(&reading("a", 1000, 1_000_000)), Moment(0));
        assert_eq!(clock.advance(&reading("a", 1500, 1_000_000 + 3_600_000)), Moment(500));
        assert_eq!(clock.advance(&reading("a", 2500, 0)), Moment(1500));
    }

    #[test]
    fn a_reboot_is_bridged_by_the_wall_clock_and_never_goes_back() {
        let mut clock = Clock::default();
        clock.advance(&reading("a", 5000, 1_000_000));
        assert_eq!(clock.advance(&reading("b", 10, 1_060_000)), Moment(60_000));
        assert_eq!(clock.advance(&reading("c", 10, 500)), Moment(60_000));
        assert_eq!(clock.advance(&reading("c", 20, 400)), Moment(60_010));
    }
}
