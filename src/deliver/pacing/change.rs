//! Another pace: what was taken by one is as many tokens by the other.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::moment::Moment;

const DAY: Duration = Duration::from_secs(86_400);

/// By which pace something is reckoned: the milliseconds of a token, and how many there are at most. Zeros where that is
/// not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::deliver) struct Pace {
    pub(in crate::deliver) one: u64,
    pub(in crate::deliver) size: u64,
}

/// From one pace to another.
#[derive(Clone, Copy, Debug)]
pub(in crate::deliver) struct Change {
    before: u64,
    one: u64,
    /// What a smaller pace had no room for was cut within a day.
    is_recent: bool,
}

impl Pace {
    /// Reckon by `pace` from now on. The change, where it is another one.
    pub(in crate::deliver) fn change(
        &mut self,
        pace: Self,
        cut_at: &mut Moment,
        now: Moment,
    ) -> Option<Change> {
        let before = std::mem::replace(self, pace);
        if before == pace || before.one == 0 {
            return None;
        }
        let is_recent = now.since(std::mem::replace(cut_at, now)) < DAY;
        Some(Change { before: before.one, one: pace.one, is_recent })
    }
}

impl Change {
    /// What is missing until something is full, in milliseconds by the new pace, of which `most` can be; the rest is `cut`,
    /// and counts again at a pace that has room for it: who changes it to and fro gets nothing by that.
    pub(in crate::deliver) fn of(self, missing: u64, most: u64, cut: &mut u64) -> u64 {
        let of = |time: u64| {
            let time = (u128::from(time) * u128::from(self.one)).div_ceil(u128::from(self.before.max(1)));
            u64::try_from(time).unwrap_or(u64::MAX)
        };
        let all = of(missing).saturating_add(if self.is_recent { of(*cut) } else { 0 });
        *cut = all.saturating_sub(most);
        all.min(most)
    }
}
