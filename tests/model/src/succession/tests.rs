use super::properties::{ALL_SHOWN, BUDGET, ENTERED, FENCED, ONE_ALERT, SETTLED};
use super::{Bounds, Hole};
use crate::explore::{finds, holds};

const CALM: Bounds = Bounds {
    failures: 2,
    budget: 6,
    knows_repeats: true,
    network: 0,
    crashes: 0,
    stalls: 0,
    rollbacks: 0,
    hole: None,
};

#[test]
fn succession_one_alert_and_one_budget_when_hubs_die_stall_and_are_replaced() {
    holds("succession", Bounds { network: 1, crashes: 2, stalls: 1, ..CALM });
}

#[test]
fn succession_a_service_that_knows_no_repeats_shows_one_number_at_most_again() {
    let bounds = Bounds { network: 1, crashes: 1, stalls: 2, knows_repeats: false, ..CALM };
    holds("succession, a service that knows no repeats", bounds);
}

#[test]
fn succession_a_budget_that_is_used_up_is_not_exceeded() {
    holds("succession, small budget", Bounds { budget: 2, network: 2, crashes: 2, stalls: 1, ..CALM });
}

#[test]
fn hole_lease_without_token_is_found() {
    let hole = Some(Hole::LeaseWithoutToken);
    finds("lease without token", Bounds { stalls: 1, hole, ..CALM }, FENCED);
    finds("lease without token", Bounds { stalls: 1, hole, ..CALM }, ONE_ALERT);
    finds("lease without token", Bounds { stalls: 1, budget: 2, hole, ..CALM }, BUDGET);
}

#[test]
fn hole_entered_after_the_request_is_found() {
    let hole = Some(Hole::EnteredAfterRequest);
    finds("entered after the request", Bounds { crashes: 1, hole, ..CALM }, ENTERED);
}

#[test]
fn hole_purged_when_it_is_only_counted_is_found() {
    let hole = Some(Hole::PurgedWhenCounted);
    finds("purged when counted", Bounds { crashes: 1, hole, ..CALM }, ALL_SHOWN);
}

#[test]
fn hole_an_open_alert_that_is_composed_anew_is_found() {
    let hole = Some(Hole::OpenAlertComposedAnew);
    finds("open alert composed anew", Bounds { crashes: 1, hole, ..CALM }, SETTLED);
    let shown_again = Bounds { crashes: 1, hole, knows_repeats: false, ..CALM };
    finds("open alert composed anew", shown_again, ONE_ALERT);
}

#[test]
fn hole_a_ledger_in_an_engine_that_loses_minutes_is_found() {
    finds("a ledger that is lost", Bounds { rollbacks: 1, ..CALM }, SETTLED);
    finds("a ledger that is lost", Bounds { rollbacks: 1, knows_repeats: false, ..CALM }, ONE_ALERT);
}
