//! Events nearly in the order of time are put in order, as [`crate::detect`] wants them.
//!
//! The log route records a failure up to minutes after those of the module, and a log hands a failure over when its
//! process has ended. So an event is held back until others are [`WINDOW`] later.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use super::held::Held;
use crate::accounts::AccountKind;
use crate::event::Event;

const WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// So many are held at most: in a flood the oldest half goes early.
const HELD: usize = 16_384;

/// Holds events back.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// Events; those that are not held any more leave their memory to others.
    places: Vec<Held>,
    free: Vec<usize>,
    /// What is held, and where: in order up to what came since it was last put in order.
    held: VecDeque<(Timestamp, usize)>,
    /// So many of them are old enough. One goes for each that comes, so that nobody waits for thousands at once.
    old_enough: usize,
}

impl Order {
    /// Take `event` in, whose user is of this kind here; hands on what is old enough by now.
    pub(super) fn push(&mut self, event: &Event, kind: AccountKind, each: &mut dyn FnMut(&Held)) {
        self.hand_on(self.old_enough.min(1), each);
        let place = self.free.pop().unwrap_or(self.places.len());
        match self.places.get_mut(place) {
            Some(held) => held.put(event, kind),
            None => self.places.push(Held::new(event, kind)),
        }
        self.held.push_back((event.time, place));
        if self.held.len() - self.old_enough >= HELD {
            self.put_in_order();
            let latest = self.held.back().map_or(Timestamp::MIN, |(time, _)| *time);
            let until = latest.checked_sub(WINDOW).unwrap_or(Timestamp::MIN);
            self.old_enough = self.held.partition_point(|(time, _)| *time <= until).max(HELD / 2);
        }
    }

    /// Hands on the rest.
    pub(super) fn finish(mut self, each: &mut dyn FnMut(&Held)) {
        self.hand_on(self.old_enough, each);
        self.put_in_order();
        self.hand_on(self.held.len(), each);
    }

    fn put_in_order(&mut self) {
        self.held.make_contiguous().sort_by_key(|(time, _)| *time);
    }

    /// Hands on so many, the oldest.
    fn hand_on(&mut self, many: usize, each: &mut dyn FnMut(&Held)) {
        for (_, place) in self.held.drain(..many) {
            each(&self.places[place]);
            self.free.push(place);
        }
        self.old_enough = self.old_enough.saturating_sub(many);
    }
}

#[cfg(test)]
mod tests {
    use super::super::held::Handed;
    use super::*;
    use crate::message::summary::tests::failure;

    #[test]
    fn what_is_a_quarter_of_an_hour_late_is_put_in_its_place_and_nothing_is_lost() {
        let mut order = Order::default();
        let mut handed = Handed::default();
        for i in 0..3 * HELD as i64 {
            let late = if i % 7 == 0 { 800 } else { 0 };
            let at = 1000 + i / 10 - late;
            let name = format!("name{i}");
            let kind = if i % 2 == 0 { AccountKind::Root } else { AccountKind::Unknown };
            let event = failure(at, &name, "192.0.2.7");
            order.push(&event, kind, &mut |held| handed.push(held));
        }
        assert!(order.places.len() <= HELD);
        order.finish(&mut |held| handed.push(held));
        let mut seen = Vec::new();
        handed.drain(&mut failure(0, "", ""), &mut |event, kind| {
            seen.push((event.time, event.user.clone(), kind))
        });
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
