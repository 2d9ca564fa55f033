//! The history as pictures and figures: how bad it is, who it is, whether it gets worse, whether anybody got in.
//!
//! - [`collect`]: events are counted as they come, in bounded memory; [`top`], [`calendar`], [`campaign`], [`network`]:
//!   what is counted. [`judge`]: logins after failures; [`order`]: events in the order of time, as it wants them; [`held`]: until then.
//!   [`geo`]: where addresses are.
//! - [`outcome`]: what was collected, as a report; [`days`]: over time. [`numbers`]: what it shows, as plain data; as JSON
//!   it is a contract, see authalert-json(7).
//! - [`source`]: where the events come from; [`pipeline`]: how they get there. [`sent`]: what receivers were sent.
//! - [`terminal`], [`plain`]: as text. [`html`], [`tables`], [`picture`]: as a page. [`weekly`]: by mail, each Monday.
//! - [`prometheus`]: the counters of now for a monitoring system.

mod calendar;
mod campaign;
mod collect;
mod days;
mod geo;
mod held;
mod html;
mod judge;
mod network;
mod numbers;
mod order;
mod outcome;
mod picture;
mod pipeline;
mod plain;
pub(crate) mod prometheus;
mod sent;
mod source;
mod tables;
pub(crate) mod terminal;
mod top;
pub mod weekly;
mod words;

pub(crate) use html::page;
pub(crate) use numbers::Report;
pub(crate) use plain::write as write_plain;
pub use source::Error;
pub(crate) use source::{Request, make};

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::collect::Collector;
    use super::geo::Geo;
    use super::judge::Judge;
    use super::numbers::Report;
    use crate::accounts::Accounts;
    use crate::detect::Rules;
    use crate::event::{Class, Event};
    use crate::message::summary::tests::failure;

    /// What an attacker would have a report say: markup, quotes, wide and long names, in every field.
    pub(super) fn hostile(names_hidden: bool) -> Report {
        let mut accounts = Accounts::in_login();
        let mut collector = Collector::new(TimeZone::UTC, Geo::default(), &mut accounts);
        let mut judge = Judge::new(Rules::default(), Timestamp::MIN);
        let mut take = |event: Event| {
            if let Some(kind) = collector.add(&event) {
                judge.take(&event, kind);
            }
        };
        let names = [
            "root",
            "<script>alert(1)</script>",
            "\"><img src=x onerror=alert(1)>",
            "東京東京東京東京東京東京",
            "hunter2",
        ];
        for i in 0..4000_i64 {
            let name = names[i as usize % names.len()];
            let rhost = if i % 3 == 0 { "203.0.113.9".into() } else { format!("192.0.2.{}", i % 7) };
            let service = if i % 11 == 0 { "</title><b>" } else { "sshd" };
            take(Event { service: service.into(), ..failure(i * 600, name, &rhost) });
        }
        take(failure(5, "alice", "<svg onload=alert(1)>"));
        take(Event { class: Class::Login, ..failure(4000 * 600, "root", "203.0.113.9") });
        collector.finish(judge, names_hidden)
    }

    #[test]
    fn totals_are_exact_and_each_list_adds_up_to_them() {
        for hidden in [false, true] {
            let report = hostile(hidden);
            assert_eq!(report.failures, 4001);
            let sum = |rows: &mut dyn Iterator<Item = u64>| rows.sum::<u64>();
            let sources = sum(&mut report.by_source.iter().map(|row| row.failures));
            assert_eq!(sources + report.sources.others, 4001);
            assert_eq!(
                sum(&mut report.by_account.iter().map(|row| row.failures)) + report.accounts.others,
                4001
            );
            assert_eq!(sum(&mut report.by_kind.iter().map(|row| row.failures)), 4001);
            assert_eq!(sum(&mut report.by_service.iter().map(|row| row.failures)), 4001);
            assert_eq!(sum(&mut report.by_day.iter().map(|row| row.failures)), 4001);
            assert_eq!(sum(&mut report.by_hour.iter().map(|row| row.failures)), 4001);
            assert_eq!((report.logins, report.logins_after_failures), (1, 1));
        }
    }

    #[test]
    fn what_may_be_a_password_is_in_no_field_of_a_report_that_leaves_the_machine() {
        let text = serde_json::to_string(&hostile(true)).unwrap();
        for secret in ["hunter2", "script", "onload", "<b>", "東京"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        assert!(text.contains("\"root\"") && text.contains("203.0.113.9"), "{text}");
        assert!(serde_json::to_string(&hostile(false)).unwrap().contains("hunter2"));
    }
}
