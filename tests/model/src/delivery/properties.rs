//! What must hold in every state, and what has to be met on the way for that to mean something.

use stateright::Property;

use super::disk::{Alert, State};
use super::receiver::{Class, Receiver, Repeats};
use super::{Bounds, World};

pub(crate) const ADDS_UP: &str =
    "recorded = posted + pending + ignored + aborted + left_out, for each receiver";
pub(crate) const ONE_NUMBER: &str =
    "each failure is in one number at most, and each number tells of one thing";
pub(crate) const SHOWN_ONCE: &str = "where the service knows repeats, each failure is shown once at most";
pub(crate) const POSTED: &str = "what counts as posted was shown, or is not repeated on purpose";
pub(crate) const BUCKET: &str = "each request is on disk before its first byte, and the bucket has no more";
pub(crate) const HISTORY: &str = "an alert stands in the history once";
pub(crate) const UNREAD: &str = "nothing is deleted that a receiver has not read";
pub(crate) const ALL_TOLD: &str =
    "left alone from here, each receiver is told everything, whatever holds up the others";

const PATIENCE: usize = 200;

fn each(world: &World, holds: impl Fn(&Receiver) -> bool) -> bool {
    world.receivers.iter().all(holds)
}

fn once(shown: &[Alert]) -> bool {
    let mut seen = 0;
    shown.iter().all(|alert| {
        let is_new = seen & alert.covers == 0;
        seen |= alert.covers;
        is_new
    })
}

pub(crate) fn all(bounds: &Bounds) -> Vec<Property<Bounds>> {
    let mut all = vec![
        Property::always(ADDS_UP, |_, world: &World| {
            each(world, |receiver| {
                let both = receiver.disk.states.iter().flat_map(|(_, files)| [&files.saved, &files.staged]);
                both.flatten().all(State::adds_up)
            })
        }),
        Property::always(ONE_NUMBER, |_, world: &World| {
            each(world, |receiver| {
                let mut numbers = receiver.service.shown.clone();
                numbers.sort();
                numbers.dedup();
                once(&numbers) && numbers.windows(2).all(|pair| pair[0].id != pair[1].id)
            })
        }),
        Property::always(SHOWN_ONCE, |bounds: &Bounds, world: &World| {
            let mut with_kind = world.receivers.iter().zip(&bounds.receivers);
            with_kind.all(|(receiver, kind)| kind.repeats == Repeats::Shown || once(&receiver.service.shown))
        }),
        Property::always(POSTED, |bounds: &Bounds, world: &World| {
            let mut with_kind = world.receivers.iter().zip(&bounds.receivers);
            with_kind.all(|(receiver, kind)| {
                let shown = receiver.service.shown.iter().fold(0, |all, alert| all | alert.covers);
                let posted = receiver.disk.newest().map_or(0, |state| state.posted);
                kind.skips_unknown || posted & !shown == 0
            })
        }),
        Property::always(BUCKET, |bounds: &Bounds, world: &World| {
            each(world, |receiver| match receiver.disk.newest() {
                Some(state) => receiver.service.asked <= state.requests.min(bounds.bucket),
                None => true,
            })
        }),
        Property::always(HISTORY, |_, world: &World| each(world, |receiver| once(&receiver.disk.history))),
        Property::always(UNREAD, |_, world: &World| {
            each(world, |receiver| {
                let newest = receiver.disk.newest().filter(|_| receiver.is_configured);
                newest.is_none_or(|state| state.cursor >= world.deleted)
            })
        }),
        Property::always(ALL_TOLD, |bounds: &Bounds, world: &World| {
            (0..world.receivers.len()).all(|at| ends_well(world, at, bounds))
        }),
        Property::sometimes("everything is told", |bounds: &Bounds, world: &World| {
            world.left.failures == 0 && (0..world.receivers.len()).all(|at| is_told(world, at, bounds))
        }),
    ];
    if bounds.stalls > 0 && bounds.hole.is_none() {
        all.push(Property::sometimes(
            "one that was overtaken still believes that it holds the lock",
            |_, world: &World| {
                world.receivers.iter().any(|receiver| {
                    let mut passes = receiver.passes.iter();
                    passes.any(|pass| !pass.is_idle() && pass.epoch < receiver.disk.epoch)
                })
            },
        ));
    }
    if bounds.network > 0 && bounds.hole.is_none() {
        all.push(Property::sometimes("a request for the same alert is made again", |_, world: &World| {
            world.receivers.iter().any(|receiver| {
                receiver.disk.newest().is_some_and(|state| state.requests > state.last_id % 16)
            })
        }));
    }
    all
}

fn is_told(world: &World, at: usize, bounds: &Bounds) -> bool {
    let receiver = &world.receivers[at];
    let Some(state) = receiver.disk.newest().filter(|_| receiver.is_configured) else {
        return !receiver.is_configured;
    };
    let to_tell = (state.begun..world.recorded)
        .filter(|at_| bounds.receivers[at].classes[usize::from(*at_)] == Class::Pending)
        .fold(0, |all, failure| all | 1 << failure);
    let used_up = state.requests >= bounds.bucket;
    state.cursor == world.recorded && (state.posted == to_tell || used_up) && receiver.disk.holder.is_none()
}

/// Nothing goes wrong any more at this one; the others stand still.
fn ends_well(world: &World, at: usize, bounds: &Bounds) -> bool {
    let (mut world, mut steps) = (world.clone(), Vec::new());
    for _ in 0..PATIENCE {
        steps.clear();
        world.next_steps(at, bounds, &mut steps);
        let Some(step) = steps.first().cloned() else { return is_told(&world, at, bounds) };
        world.take(&step, bounds);
    }
    false
}
