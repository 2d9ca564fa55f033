//! What must hold in every state, and what has to be met on the way for that to mean something.

use stateright::Property;

use super::hub::Phase;
use super::{Bounds, World};

pub(crate) const ONE_ALERT: &str =
    "each failure is in one alert: no two numbers tell of the same, no number of two things";
pub(crate) const SETTLED: &str = "what is settled was shown";
pub(crate) const ENTERED: &str = "each request is in the ledger before it is made";
pub(crate) const BUDGET: &str = "no more requests are made than the budget has";
pub(crate) const FENCED: &str = "a hub that was overtaken writes nothing";
pub(crate) const ALL_SHOWN: &str = "left alone from here, every failure is shown, or the budget is used up";

const PATIENCE: usize = 200;

pub(crate) fn all(bounds: &Bounds) -> Vec<Property<Bounds>> {
    let mut all = vec![
        Property::always(ONE_ALERT, |_, world: &World| {
            let shown = &world.shown;
            shown.iter().enumerate().all(|(at, alert)| {
                shown[..at].iter().all(|other| {
                    alert == other
                        || (alert.number != other.number
                            && (alert.after >= other.up_to || other.after >= alert.up_to))
                })
            })
        }),
        Property::always(SETTLED, |_, world: &World| {
            (1..=world.ledger.settled).all(|record| {
                world.shown.iter().any(|alert| (alert.after + 1..=alert.up_to).contains(&record))
            })
        }),
        Property::always(ENTERED, |_, world: &World| world.asked <= world.ledger.requests),
        Property::always(BUDGET, |bounds: &Bounds, world: &World| world.asked <= bounds.budget),
        Property::always(FENCED, |_, world: &World| !world.overwritten),
        Property::always(ALL_SHOWN, |bounds, world: &World| ends_well(world, bounds)),
        Property::sometimes("everything is shown", |_, world: &World| {
            world.left.failures == 0 && world.ledger.settled == world.stored
        }),
    ];
    if bounds.stalls > 0 && bounds.hole.is_none() && bounds.rollbacks == 0 {
        all.push(Property::sometimes("both hubs believe that they lead", |_, world: &World| {
            world.hubs.iter().all(|hub| !matches!(hub.phase, Phase::Contends | Phase::HasLease))
        }));
        all.push(Property::sometimes(
            "two requests for one alert are on the wire",
            |_, world: &World| matches!(&world.wire[..], [one, other, ..] if one.alert == other.alert),
        ));
    }
    all
}

fn ends_well(world: &World, bounds: &Bounds) -> bool {
    let (mut world, mut steps) = (world.clone(), Vec::new());
    for _ in 0..PATIENCE {
        steps.clear();
        world.next_steps(bounds, &mut steps);
        let Some(step) = steps.first().cloned() else {
            return world.ledger.settled == world.stored || world.ledger.requests >= bounds.budget;
        };
        world.take(&step, bounds);
    }
    false
}
