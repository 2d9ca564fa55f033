//! Events nearly in the order of time are put in order, as [`crate::detect`] wants them.
//!
//! The log route records a failure up to minutes after those of the module, and a log hands a failure over when its
//! process has ended. So an event is held back until others are [`WINDOW`] later.

use std::mem;

use jiff::{SignedDuration, Timestamp};

use crate::accounts::AccountKind;
use crate::event::Event;

const WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// So many are held at most: in a flood the oldest half goes early.
const HELD: usize = 16_384;

/// Holds events back.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// Each with what its user is here.
    held: Vec<(Event, AccountKind)>,
}

impl Order {
    /// Take `event` in; hands on what is old enough by now.
    pub(crate) fn push(
        &mut self,
        event: Event,
        kind: AccountKind,
        each: &mut dyn FnMut(&Event, AccountKind),
    ) {
        self.held.push((event, kind));
        if self.held.len() >= HELD {
            self.held.sort_by_key(|(event, _)| event.time);
            let latest = self.held.last().map_or(Timestamp::MIN, |(event, _)| event.time);
            let until = latest.checked_sub(WINDOW).unwrap_or(Timestamp::MIN);
            let old_enough = self.held.partition_point(|(event, _)| event.time <= until);
            let rest = self.held.split_off(old_enough.max(HELD / 2));
            mem::replace(&mut self.held, rest).iter().for_each(|(event, kind)| each(event, *kind));
        }
    }

    /// Hands on the rest.
    pub(crate) fn finish(mut self, each: &mut dyn FnMut(&Event, AccountKind)) {
        self.held.sort_by_key(|(event, _)| event.time);
        self.held.iter().for_each(|(event, kind)| each(event, *kind));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::summary::tests::failure;

    #[test]
    fn what_is_a_quarter_of_an_hour_late_is_put_in_its_place_and_nothing_is_lost() {
        let mut order = Order::default();
        let mut times = Vec::new();
        for i in 0..3 * HELD as i64 {
            let late = if i % 7 == 0 { 800 } else { 0 };
            let at = 1000 + i / 10 - late;
            order.push(failure(at, "root", "192.0.2.7"), AccountKind::Root, &mut |event, _| {
                times.push(event.time)
            });
        }
        order.finish(&mut |event, _| times.push(event.time));
        assert_eq!(times.len(), 3 * HELD);
        assert!(times.is_sorted());
    }
}
