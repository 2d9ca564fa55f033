//! X away, moved, or in trouble of several kinds: who tries again, and when.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test, functions included

mod machine;

use std::fs;

use authalert::deliver::Context::{Command, Login};
use authalert::deliver::place::Place;
use authalert::deliver::state::State;
use authalert::deliver::{Moment, Report, Served};
use machine::Machine;

/// Change the state of X between two passes.
fn change(machine: &Machine, change: impl FnOnce(&mut State)) {
    let place = Place::new(&machine.state, "x");
    let mut state = State::load(&place, true).unwrap().unwrap().state;
    change(&mut state);
    state.save(&place, 0).unwrap();
}

fn x(report: &Report) -> &Served {
    report.of("x").unwrap()
}

/// A machine that reaches X by a name, and knows addresses from which X has moved away.
fn machine_with_stale_addresses() -> Machine {
    let machine = Machine::new();
    let config = fs::read_to_string(&machine.config).unwrap().replace("127.0.0.1", "localhost");
    fs::write(&machine.config, config).unwrap();
    machine.record(&["root"]);
    machine.pass().unwrap();
    assert_eq!(machine.x.told(), 1);
    change(&machine, |state| {
        // Nobody listens there.
        state.addresses.as_mut().unwrap().list = vec!["127.0.0.9:1".parse().unwrap()];
    });
    machine
}

#[test]
fn addresses_that_a_login_finds_stale_are_looked_up_by_the_next_command_at_once() {
    let machine = machine_with_stale_addresses();
    machine.record(&["root"]);
    let report = machine.pass_of(Login, false).unwrap();
    assert!(x(&report).outage.is_some() && x(&report).pending == 1, "{report:?}");
    // However often X could not be reached, and however soon it is.
    let report = machine.pass_of(Command, false).unwrap();
    assert_eq!((x(&report).pending, x(&report).outage.as_deref()), (0, None));
    machine.record(&["root"]);
    assert_eq!(x(&machine.pass_of(Login, false).unwrap()).pending, 0, "the new ones serve logins");
    assert_eq!(machine.x.told(), 3);
}

#[test]
fn a_flood_of_logins_with_stale_addresses_does_not_push_the_next_attempt_ahead_of_a_command() {
    let machine = machine_with_stale_addresses();
    machine.record(&["root"]);
    for _ in 0..20 {
        machine.pass_of(Login, false).unwrap();
        // As if the wait were over each time.
        change(&machine, |state| {
            let outage = state.outage.as_mut().unwrap();
            assert_eq!(outage.seen.values().map(|seen| seen.times).sum::<u32>(), 1, "{outage:?}");
            outage.next = Moment(0);
        });
    }
    assert_eq!(x(&machine.pass_of(Command, false).unwrap()).pending, 0);
}
