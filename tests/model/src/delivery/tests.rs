use super::properties::{BUCKET, HISTORY, ONE_NUMBER, UNREAD};
use super::receiver::{Class, Kind, Repeats};
use super::{Bounds, Hole};
use crate::explore::{finds, holds};

const X: Kind = Kind { repeats: Repeats::Refused, skips_unknown: false, classes: &[Class::Pending; 3] };
const NTFY: Kind =
    Kind { repeats: Repeats::Recognised, classes: &[Class::LeftOut, Class::Pending, Class::Ignored], ..X };
const MAIL: Kind = Kind { repeats: Repeats::Shown, ..X };
const SMS: Kind = Kind { skips_unknown: true, ..MAIL };

fn calm(receivers: &[Kind]) -> Bounds {
    Bounds {
        receivers: receivers.to_vec(),
        passes: 1,
        last_comes_and_goes: false,
        failures: 2,
        bucket: 8,
        crashes: 0,
        network: 0,
        stalls: 0,
        power_cuts: 0,
        hole: None,
    }
}

#[test]
fn delivery_with_crashes_and_unknown_outcomes_where_a_repeat_is_refused() {
    holds("delivery, repeats refused", Bounds { crashes: 2, network: 2, ..calm(&[X]) });
}

#[test]
fn delivery_with_crashes_and_unknown_outcomes_where_a_repeat_is_recognised() {
    let ntfy = Kind { classes: X.classes, ..NTFY };
    holds("delivery, repeats recognised", Bounds { crashes: 2, network: 2, ..calm(&[ntfy]) });
}

#[test]
fn delivery_with_crashes_and_unknown_outcomes_where_a_repeat_is_shown() {
    holds("delivery, repeats shown", Bounds { crashes: 2, network: 2, ..calm(&[MAIL]) });
    holds(
        "delivery, what may have arrived is not repeated",
        Bounds { crashes: 2, network: 2, ..calm(&[SMS]) },
    );
}

#[test]
fn delivery_when_a_holder_stands_still_and_is_overtaken() {
    holds("delivery, overtaken", Bounds { passes: 2, stalls: 1, crashes: 1, network: 1, ..calm(&[X]) });
    holds("delivery, overtaken twice", Bounds { passes: 3, stalls: 2, ..calm(&[MAIL]) });
}

#[test]
fn delivery_when_the_power_is_cut() {
    for receiver in [X, MAIL] {
        let bounds = Bounds { crashes: 2, network: 1, power_cuts: 2, ..calm(&[receiver]) };
        holds("delivery, power cuts", bounds);
    }
}

#[test]
fn delivery_with_a_bucket_that_is_used_up() {
    let bounds = Bounds { bucket: 2, crashes: 2, network: 2, passes: 2, ..calm(&[MAIL]) };
    holds("delivery, small bucket", bounds);
}

#[test]
fn delivery_to_one_receiver_goes_on_whatever_holds_up_another() {
    let aborted = Kind { classes: &[Class::Aborted, Class::Pending, Class::Pending], ..MAIL };
    holds("delivery, two receivers", Bounds { crashes: 1, network: 1, ..calm(&[NTFY, aborted]) });
}

#[test]
fn delivery_to_a_receiver_that_is_added_and_removed() {
    let both = Bounds { crashes: 1, last_comes_and_goes: true, ..calm(&[NTFY, MAIL]) };
    holds("delivery, a receiver comes and goes", both);
    let two_passes = Bounds { passes: 2, network: 1, last_comes_and_goes: true, ..calm(&[MAIL]) };
    holds("delivery, a receiver goes while it is served", two_passes);
}

#[test]
fn hole_saved_after_the_request_is_found() {
    let hole = Some(Hole::SavedAfterRequest);
    for property in [BUCKET, ONE_NUMBER] {
        finds("saved after the request", Bounds { crashes: 1, hole, ..calm(&[X]) }, property);
    }
    finds("saved after the request", Bounds { crashes: 1, hole, ..calm(&[MAIL]) }, BUCKET);
}

#[test]
fn hole_lease_without_epoch_is_found() {
    let hole = Some(Hole::LeaseWithoutEpoch);
    for property in [BUCKET, ONE_NUMBER] {
        finds("lease without epoch", Bounds { passes: 2, stalls: 1, hole, ..calm(&[X]) }, property);
    }
}

#[test]
fn hole_no_look_at_the_lock_after_the_note_is_found() {
    let hole = Some(Hole::NoCheckAfterNote);
    finds("no check after the note", Bounds { passes: 2, stalls: 1, hole, ..calm(&[X]) }, BUCKET);
}

#[test]
fn hole_deleted_when_one_receiver_has_read_it_is_found() {
    let hole = Some(Hole::DeletedWhenOneHasRead);
    finds("deleted when one has read", Bounds { hole, ..calm(&[NTFY, X]) }, UNREAD);
}

#[test]
fn hole_staged_over_the_only_copy_is_found() {
    let hole = Some(Hole::StagedOverTheOnlyCopy);
    for property in [BUCKET, ONE_NUMBER] {
        let bounds = Bounds { crashes: 1, power_cuts: 1, hole, ..calm(&[MAIL]) };
        finds("staged over the only copy", bounds, property);
    }
}

#[test]
fn hole_only_the_newest_of_the_history_looked_at_is_found() {
    let hole = Some(Hole::OnlyNewestOfHistory);
    finds("only the newest", Bounds { passes: 2, stalls: 1, hole, ..calm(&[X]) }, HISTORY);
}

#[test]
fn hole_a_forgotten_receiver_is_begun_anew_is_found() {
    let hole = Some(Hole::ForgottenBeginsAnew);
    let bounds = Bounds { passes: 2, last_comes_and_goes: true, hole, ..calm(&[X]) };
    finds("a forgotten receiver begun anew", bounds, ONE_NUMBER);
}
