use super::properties::{ALL_COUNTED, NONE_LOST, OTHERS, WATERMARK};
use super::{Bounds, Hole};
use crate::explore::{finds, holds};

const CALM: Bounds =
    Bounds { failures: 2, network: 0, crashes: 0, rollbacks: 0, lies: 0, guessable_inbox: false, hole: None };

#[test]
fn fleet_each_failure_once_with_crashes_and_messages_lost_late_and_repeated() {
    holds("fleet, crashes and network", Bounds { failures: 3, network: 2, crashes: 1, ..CALM });
}

#[test]
fn fleet_each_failure_once_when_the_engine_loses_its_last_minutes() {
    holds("fleet, the engine's last minutes", Bounds { network: 1, crashes: 1, rollbacks: 2, ..CALM });
}

#[test]
fn fleet_a_member_that_lies_changes_nothing_of_others() {
    holds("fleet, one lie", Bounds { network: 1, crashes: 1, lies: 1, guessable_inbox: true, ..CALM });
    holds("fleet, two lies", Bounds { crashes: 1, lies: 2, ..CALM });
    holds("fleet, a lie and the engine's last minutes", Bounds { rollbacks: 1, lies: 1, ..CALM });
}

#[test]
fn hole_watermark_before_the_journal_is_synced_is_found() {
    let hole = Some(Hole::WatermarkBeforeSync);
    finds("watermark before sync", Bounds { crashes: 1, hole, ..CALM }, WATERMARK);
    finds("watermark before sync", Bounds { crashes: 1, hole, ..CALM }, NONE_LOST);
}

#[test]
fn hole_identity_from_the_text_is_found() {
    let hole = Some(Hole::IdentityFromText);
    finds("identity from the text", Bounds { lies: 1, hole, ..CALM }, OTHERS);
    finds("identity from the text", Bounds { lies: 1, hole, ..CALM }, NONE_LOST);
}

#[test]
fn hole_message_ids_in_a_shared_stream_are_found() {
    finds("ids in a shared stream", Bounds { lies: 1, hole: Some(Hole::MessageIds), ..CALM }, ALL_COUNTED);
}

#[test]
fn hole_sent_before_it_is_synced_is_found() {
    finds("sent before sync", Bounds { crashes: 1, hole: Some(Hole::SentBeforeSync), ..CALM }, NONE_LOST);
}

#[test]
fn hole_no_watermark_after_a_repeat_is_found() {
    let hole = Some(Hole::SilentAboutRepeats);
    finds("silent about repeats", Bounds { crashes: 1, rollbacks: 1, hole, ..CALM }, ALL_COUNTED);
}

#[test]
fn hole_forgotten_when_the_engine_has_it_is_found() {
    let hole = Some(Hole::TrimmedWhenStored);
    finds("forgotten when stored", Bounds { rollbacks: 1, hole, ..CALM }, NONE_LOST);
}

#[test]
fn hole_a_member_that_never_goes_back_is_found() {
    let hole = Some(Hole::NeverGoesBack);
    finds("never goes back", Bounds { rollbacks: 1, hole, ..CALM }, ALL_COUNTED);
}
