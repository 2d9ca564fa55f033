//! States of other versions, damaged ones, and their bounds.

use super::*;

#[test]
fn a_state_of_version_0_1_is_read() {
    let json = r#"{"interval":1200000,"noticed":5000,"sent":4000,"pending":5000,"urgent":true,"full":6000,"seen":{"alice":5000}}"#;
    let pacing: Pacing = serde_json::from_str(json).unwrap();
    assert_eq!(pacing.last_failure, Some(Moment(5000)));
    assert_eq!(pacing.accounts.last("alice"), Some(Moment(5000)));
    assert_eq!(pacing.interval(&policy()), Duration::from_secs(1200));
    assert_eq!(pacing.due(Moment(6000), &policy()), Due::Now);
    assert_eq!(serde_json::from_str::<Pacing>(&serde_json::to_string(&pacing).unwrap()).unwrap(), pacing);
}

#[test]
fn a_damaged_or_older_state_never_makes_an_alert_wait_longer_than_the_policy_says() {
    let json = r#"{"interval":18446744073709551615,"noticed":9e3,"sent":18446744073709551615,
        "pending":18446744073709551615,"full":18446744073709551615,"some_day":1}"#
        .replace("9e3", "18446744073709551615");
    let pacing: Pacing = serde_json::from_str(&json).unwrap();
    let Due::At(at) = pacing.due(Moment(5), &policy()) else { panic!() };
    assert!(at.since(Moment(5)) <= policy().max_interval, "{at:?}");
    let json = serde_json::to_string(&pacing).unwrap();
    assert_eq!(serde_json::from_str::<Pacing>(&json).unwrap(), pacing);
}

#[test]
fn the_accounts_seen_are_bounded() {
    let mut pacing = Pacing::default();
    for i in 0..3000u64 {
        assert!(pacing.accounts.is_first_in(DAY, &format!("user{i}"), Moment(i)));
    }
    assert_eq!(pacing.accounts.len(), recent::REMEMBERED);
    assert!(!pacing.accounts.is_first_in(DAY, "user2999", Moment(3000)));
}
