//! What must hold in every state, and what has to be met on the way for that to mean something.

use stateright::Property;

use super::{Bounds, Name, World};

pub(crate) const NONE_LOST: &str = "what a member has forgotten is on the hub's disk";
pub(crate) const NONE_TWICE: &str = "no failure is counted twice";
pub(crate) const WATERMARK: &str = "the watermark does not pass what is on the hub's disk";
pub(crate) const OTHERS: &str = "who lies changes nothing of others";
pub(crate) const ALL_COUNTED: &str =
    "left alone from here, every failure is counted and forgotten by its member";

/// More steps than it takes from anywhere.
const PATIENCE: usize = 150;

pub(crate) fn all(bounds: &Bounds) -> Vec<Property<Bounds>> {
    let mut all = vec![
        Property::always(NONE_LOST, |_, world: &World| {
            let on_disk = &world.hub.journal[..world.hub.synced];
            let has =
                |what: &u8| on_disk.iter().any(|record| (record.member, record.what) == (Name::Web1, *what));
            // A number that is not given yet would be forgotten before it is sent.
            let forgotten = world.member.journal.get(..usize::from(world.member.trimmed));
            forgotten.is_some_and(|forgotten| forgotten.iter().all(has))
        }),
        Property::always(NONE_TWICE, |_, world: &World| {
            let journal = &world.hub.journal;
            journal.iter().enumerate().all(|(at, record)| {
                record.member != Name::Web1 || journal[..at].iter().all(|other| other.what != record.what)
            })
        }),
        Property::always(WATERMARK, |_, world: &World| {
            world.engine.watermark <= world.hub.last_number(Name::Web1, 1, world.hub.synced)
        }),
        Property::always(OTHERS, |_, world: &World| {
            !world.member.is_stopped && world.hub.journal.iter().all(|record| record.member == record.sent_by)
        }),
        Property::always(ALL_COUNTED, |bounds, world: &World| ends_well(world, bounds)),
        Property::sometimes("everything is counted and forgotten", |_, world: &World| {
            world.left.failures == 0 && is_settled(world)
        }),
    ];
    if bounds.network + bounds.crashes > 0 && bounds.hole.is_none() {
        all.push(Property::sometimes("a batch stands in the stream twice", |_, world: &World| {
            let log = &world.engine.log;
            (1..log.len()).any(|at| log[..at].iter().any(|other| other.records == log[at].records))
        }));
    }
    if bounds.rollbacks > 0 && bounds.hole.is_none() {
        all.push(Property::sometimes(
            "the hub's place is behind the end of the stream",
            |_, world: &World| world.hub.place > world.engine.last_sequence(),
        ));
        all.push(Property::sometimes(
            "the engine's watermark is older than the member's",
            |_, world: &World| world.engine.watermark < world.member.trimmed,
        ));
    }
    all
}

fn is_settled(world: &World) -> bool {
    let counted = |what: &u8| world.hub.journal.iter().any(|record| record.what == *what);
    world.member.journal.iter().all(counted)
        && usize::from(world.member.trimmed) == world.member.journal.len()
}

/// Nothing goes wrong any more, and each does what it has to.
fn ends_well(world: &World, bounds: &Bounds) -> bool {
    let (mut world, mut steps) = (world.clone(), Vec::new());
    for _ in 0..PATIENCE {
        steps.clear();
        world.next_steps(bounds, &mut steps);
        let Some(step) = steps.first().cloned() else { return is_settled(&world) };
        world.take(&step, bounds);
    }
    false
}
