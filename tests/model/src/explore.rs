//! Going through all states of a model.

use std::fmt::Debug;
use std::hash::Hash;
use std::time::{Duration, Instant};

use stateright::{Checker, Expectation, HasDiscoveries, Model};

/// A model that takes longer is too large for each change.
const LONGEST: Duration = Duration::from_secs(300);

/// Every state that is reached has the properties, and each thing that should be met on the way is met.
pub(crate) fn holds<M>(name: &str, model: M)
where
    M: Model + Send + Sync + 'static,
    M::State: Debug + Clone + PartialEq + Hash + Send + Sync,
    M::Action: Debug + Clone + PartialEq,
{
    let begun = Instant::now();
    let checker = model
        .checker()
        .threads(2)
        .timeout(LONGEST)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    println!(
        "{name}: {} states, {} steps, at most {} one after another, {:.1} s",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        begun.elapsed().as_secs_f64()
    );
    for property in checker.model().properties() {
        let word = if property.expectation == Expectation::Sometimes { "is met" } else { "always" };
        println!("    {word}: {}", property.name);
    }
    assert!(begun.elapsed() < LONGEST, "{name}: not all states were reached within {LONGEST:?}");
    for property in checker.model().properties() {
        match (property.expectation, checker.discovery(property.name)) {
            (Expectation::Sometimes, None) => panic!("{name}: never met: {}", property.name),
            (Expectation::Sometimes, Some(_)) | (_, None) => {}
            (_, Some(path)) => panic!("{name}: not so: {}\n{}", property.name, steps(path)),
        }
    }
}

/// A hole that was put in on purpose is found: the shortest way to a state without the property is shown.
pub(crate) fn finds<M>(name: &str, model: M, property: &'static str)
where
    M: Model + Send + Sync + 'static,
    M::State: Debug + Clone + PartialEq + Hash + Send + Sync,
    M::Action: Debug + Clone + PartialEq,
{
    let begun = Instant::now();
    let checker = model
        .checker()
        .threads(1)
        .timeout(LONGEST)
        .finish_when(HasDiscoveries::AllOf([property].into()))
        .spawn_bfs()
        .join();
    let Some(path) = checker.discovery(property) else {
        panic!("{name}: not found in {} states: {property}", checker.unique_state_count());
    };
    println!(
        "{name}: found in {} states, {:.1} s; not so any more: {property}\n{}",
        checker.unique_state_count(),
        begun.elapsed().as_secs_f64(),
        steps(path)
    );
}

fn steps<S: Debug, A: Debug>(path: stateright::Path<S, A>) -> String {
    let last = format!("    {:?}", path.last_state());
    let steps = path.into_vec().into_iter().filter_map(|(_, step)| step);
    steps.map(|step| format!("    {step:?}\n")).collect::<String>() + &last
}
