//! Events nearly in the order of time are put in order, as [`crate::detect`] wants them.
//!
//! The log route records a failure up to minutes after those of the module, and a log hands a failure over when its
//! process has ended. So an event is held back until others are [`WINDOW`] later.

use jiff::{SignedDuration, Timestamp};

use super::held::Held;
use crate::accounts::AccountKind;
use crate::event::Event;

const WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// So many are held at most: in a flood the oldest half goes early.
const HELD: usize = 16_384;

/// Holds events back.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// Events; those that are not held any more leave their memory to others.
    places: Vec<Held>,
    free: Vec<usize>,
    /// What is held, and where: in order up to what came since it was last put in order.
    held: Vec<(Timestamp, usize)>,
    /// The one that is handed on.
    event: Option<Event>,
}

impl Order {
    /// Take `event` in, whose user is of this kind here; hands on what is old enough by now.
    pub(crate) fn push(
        &mut self,
        event: &Event,
        kind: AccountKind,
        each: &mut dyn FnMut(&Event, AccountKind),
    ) {
        self.event.get_or_insert_with(|| event.clone());
        let place = self.free.pop().unwrap_or(self.places.len());
        match self.places.get_mut(place) {
            Some(held) => held.put(event, kind),
            None => self.places.push(Held::new(event, kind)),
        }
        self.held.push((event.time, place));
        if self.held.len() >= HELD {
            self.held.sort_by_key(|(time, _)| *time);
            let latest = self.held.last().map_or(Timestamp::MIN, |(time, _)| *time);
            let until = latest.checked_sub(WINDOW).unwrap_or(Timestamp::MIN);
            let old_enough = self.held.partition_point(|(time, _)| *time <= until);
            self.hand_on(old_enough.max(HELD / 2), each);
        }
    }

    /// Hands on the rest.
    pub(crate) fn finish(mut self, each: &mut dyn FnMut(&Event, AccountKind)) {
        self.held.sort_by_key(|(time, _)| *time);
        self.hand_on(self.held.len(), each);
    }

    /// Hands on so many, the oldest.
    fn hand_on(&mut self, many: usize, each: &mut dyn FnMut(&Event, AccountKind)) {
        let Some(event) = &mut self.event else { return };
        for (_, place) in self.held.drain(..many) {
            let kind = self.places[place].get(event);
            each(event, kind);
            self.free.push(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::summary::tests::failure;

    #[test]
    fn what_is_a_quarter_of_an_hour_late_is_put_in_its_place_and_nothing_is_lost() {
        let mut order = Order::default();
        let mut seen = Vec::new();
        for i in 0..3 * HELD as i64 {
            let late = if i % 7 == 0 { 800 } else { 0 };
            let at = 1000 + i / 10 - late;
            let name = format!("name{i}");
            let kind = if i % 2 == 0 { AccountKind::Root } else { AccountKind::Unknown };
            let event = failure(at, &name, "192.0.2.7");
            order.push(&event, kind, &mut |event, kind| seen.push((event.time, event.user.clone(), kind)));
        }
        assert!(order.places.len() <= HELD);
        order.finish(&mut |event, kind| seen.push((event.time, event.user.clone(), kind)));
        assert!(seen.is_sorted_by_key(|(time, ..)| *time));
        let mut names: Vec<usize> = Vec::new();
        for (_, name, kind) in &seen {
            let number: usize = name.trim_start_matches("name").parse().unwrap();
            assert_eq!(*kind == AccountKind::Root, number % 2 == 0);
            names.push(number);
        }
        names.sort_unstable();
        assert!(names.into_iter().eq(0..3 * HELD));
    }
}
