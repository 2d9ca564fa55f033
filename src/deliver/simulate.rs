//! What the pacing would have made of a log: the real code, in virtual time.
//!
//! Between failures somebody looks once a minute, as cron does; at a failure the module's worker looks
//! at once. So an alert goes out at the first look after it is due.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::pacing::{Due, Moment, Pacing};
use super::policy::{Policy, human};
use crate::accounts::AccountKind;
use crate::event::Event;
use crate::message::Summary;

const LOOK: u64 = 60_000;
const DAY: u64 = 86_400_000;

/// What came out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Simulation {
    /// Failures in the log.
    pub failures: u64,
    /// Failures that alerts covered; the same number.
    pub covered: u64,
    /// Alerts sent.
    pub alerts: u64,
    /// From the first failure to the last.
    pub duration: Duration,
    /// How long the failure waited that waited longest.
    pub longest_wait: Duration,
    /// Most alerts in any 24 hours.
    pub busiest_day: u64,
    /// When each alert went out.
    pub sent: Vec<Timestamp>,
}

impl Simulation {
    /// Alerts a day, over the time that the log covers but at least one day.
    pub fn alerts_per_day(&self) -> f64 {
        self.alerts as f64 / (self.duration.as_secs_f64() / 86_400.0).max(1.0)
    }
}

impl fmt::Display for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "failures      {} in {}", self.failures, human(self.duration))?;
        writeln!(
            f,
            "alerts        {}, {:.1} a day, {} in the busiest 24 hours",
            self.alerts,
            self.alerts_per_day(),
            self.busiest_day
        )?;
        writeln!(f, "longest wait  {}", human(self.longest_wait))?;
        write!(f, "covered       {} of {}", self.covered, self.failures)
    }
}

/// Run the pacing over `failures`, in the order in which they stand; a time that is earlier than the one
/// before counts as the same time. `standing` tells what a name is. Each alert's summary is given to `told`.
pub fn simulate(
    failures: impl IntoIterator<Item = (Timestamp, Event)>,
    policy: &Policy,
    mut standing: impl FnMut(&str) -> AccountKind,
    told: impl FnMut(Timestamp, Summary),
) -> Simulation {
    let mut run = Run { pacing: Pacing::default(), policy, pending: None, recent: VecDeque::new(), told };
    let mut result = Simulation::default();
    let mut start = None;
    let mut now = Moment(0);
    for (time, failure) in failures {
        let start = *start.get_or_insert(time);
        let since = time.as_millisecond().saturating_sub(start.as_millisecond());
        let arrival = Moment(u64::try_from(since).unwrap_or(0)).max(now);
        run.look_until(arrival, now, start, &mut result);
        now = arrival;
        let (standing, asker) = (standing(&failure.user), standing(&failure.ruser));
        run.pacing.noticed(now, &failure, standing, policy);
        run.pending.get_or_insert_with(|| (now, Summary::default())).1.add(&failure, standing, asker);
        result.failures += u64::from(failure.count);
        result.duration = now.since(Moment(0));
        if run.pacing.due(now, policy) == Due::Now {
            run.send(now, start, &mut result);
        }
    }
    if let Some(start) = start {
        run.look_until(Moment(u64::MAX), now, start, &mut result);
    }
    result
}

struct Run<'a, F> {
    pacing: Pacing,
    policy: &'a Policy,
    pending: Option<(Moment, Summary)>,
    /// Alerts of the last 24 hours.
    recent: VecDeque<Moment>,
    told: F,
}

impl<F: FnMut(Timestamp, Summary)> Run<'_, F> {
    /// The looks between `now` and `until` at which something is due.
    fn look_until(&mut self, until: Moment, now: Moment, start: Timestamp, result: &mut Simulation) {
        let mut now = now;
        while let Due::At(at) = self.pacing.due(now, self.policy) {
            let look = Moment(at.0.div_ceil(LOOK).saturating_mul(LOOK));
            if look >= until {
                return;
            }
            now = look;
            if self.pacing.due(now, self.policy) == Due::Now {
                self.send(now, start, result);
            }
        }
    }

    fn send(&mut self, now: Moment, start: Timestamp, result: &mut Simulation) {
        self.pacing.sent(now, self.policy);
        let Some((since, summary)) = self.pending.take() else { return };
        result.alerts += 1;
        result.covered += summary.failures();
        result.longest_wait = result.longest_wait.max(now.since(since));
        self.recent.push_back(now);
        while self.recent.front().is_some_and(|first| now.0 - first.0 >= DAY) {
            self.recent.pop_front();
        }
        result.busiest_day = result.busiest_day.max(self.recent.len() as u64);
        let time = start.checked_add(Duration::from_millis(now.0)).unwrap_or(Timestamp::MAX);
        result.sent.push(time);
        (self.told)(time, summary);
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::config::Alerts;
    use crate::message::summary::tests::failure;
    use crate::message::text::{Composer, count_in};
    use crate::message::weight::{LIMIT, weight};

    fn policy() -> Policy {
        Policy::from(&Alerts::default())
    }

    struct Random(u64);

    impl Random {
        fn below(&mut self, n: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) % n
        }
    }

    fn standing(name: &str) -> AccountKind {
        match name {
            "root" => AccountKind::Root,
            "mail" | "backup" | "www-data" => AccountKind::System,
            "alice" | "git" => AccountKind::Existing,
            _ => AccountKind::Unknown,
        }
    }

    /// An attacked server: bursts of one source each, spread over the days.
    fn attacked(failures: u64, seconds: u64, sources: u64) -> Vec<(Timestamp, Event)> {
        let mut random = Random(failures ^ 0x9e37_79b9_7f4a_7c15);
        let mut all = Vec::new();
        while (all.len() as u64) < failures {
            let rhost = format!("198.51.{}.{}", random.below(sources) / 250, random.below(sources) % 250);
            let start = random.below(seconds);
            for i in 0..(1 + random.below(2 * failures / sources)).min(failures - all.len() as u64) {
                let user = match random.below(100) {
                    0..60 => "root".into(),
                    60..64 => ["mail", "backup", "www-data", "git"][random.below(4) as usize].into(),
                    n => format!("guess{n}"),
                };
                let second = ((start + i * 3) % seconds) as i64;
                let failure = failure(second, &user, &rhost);
                all.push((failure.time, failure));
            }
        }
        all.sort_by_key(|(time, _)| *time);
        all
    }

    fn run(log: Vec<(Timestamp, Event)>, policy: &Policy) -> Simulation {
        let composer = Composer::new("web1", TimeZone::UTC, None, false);
        let mut id = 0;
        let result = simulate(log, policy, standing, |time, summary| {
            id += 1;
            let text = composer.compose(&summary, id, time);
            assert!(weight(&text) <= LIMIT, "{text}");
            assert_eq!(count_in(&text), summary.failures(), "{text}");
        });
        assert_eq!(result.covered, result.failures);
        assert_eq!(result.alerts, id);
        result
    }

    #[test]
    fn under_attack_a_phone_buzzes_at_most_twenty_times_a_day_and_nothing_waits_longer_than_the_policy_says()
    {
        for (failures, days, sources) in
            [(4489, 1.2, 139), (4737, 1.3, 70), (3830, 4.5, 78), (1930, 8.0, 973)]
        {
            let log = attacked(failures, (days * 86_400.0) as u64, sources);
            let result = run(log, &policy());
            assert_eq!(result.failures, failures);
            assert!(result.busiest_day <= 20, "{result}");
            assert!(result.alerts_per_day() >= 3.0, "{result}");
            // A look comes at most a minute late.
            assert!(result.longest_wait < policy().max_interval + Duration::from_secs(60), "{result}");
        }
    }

    #[test]
    fn on_a_workstation_each_failure_is_told_within_a_minute() {
        let mut random = Random(43);
        let mut log: Vec<_> = (0..43)
            .map(|_| {
                let second = random.below(57 * 86_400) as i64;
                let failure =
                    Event { service: "sudo".into(), ruser: "alice".into(), ..failure(second, "alice", "") };
                (failure.time, failure)
            })
            .collect();
        log.sort_by_key(|(time, _)| *time);
        let result = run(log, &policy());
        assert_eq!((result.failures, result.alerts), (43, 43));
        assert!(result.longest_wait < Duration::from_secs(60), "{result}");
        assert!((0.5..1.0).contains(&result.alerts_per_day()), "{result}");
    }

    #[test]
    fn a_day_never_has_more_alerts_than_allowed_however_hard_somebody_tries_at_the_machine_itself() {
        let log = (0..200_000).map(|i| {
            let failure = Event { service: "su".into(), ..failure(i * 2, "root", "") };
            (failure.time, failure)
        });
        let result = run(log.collect(), &policy());
        assert_eq!(result.busiest_day, 48);
        assert_eq!(result.covered, 200_000);
        assert!(result.longest_wait <= Duration::from_secs(33 * 60), "{result}");
    }

    #[test]
    fn an_alert_goes_out_at_the_first_look_after_it_is_due_while_nothing_arrives() {
        let log = [0, 61].map(|second| {
            let failure = failure(second, "root", "192.0.2.7");
            (failure.time, failure)
        });
        let result = run(log.into(), &policy());
        let seconds: Vec<_> =
            result.sent.iter().map(|t| t.as_second() - failure(0, "", "").time.as_second()).collect();
        assert_eq!(seconds, [0, 600]);
        assert_eq!(result.longest_wait, Duration::from_secs(539));
        assert_eq!(
            result.to_string(),
            "failures      2 in 1m 1s\nalerts        2, 2.0 a day, 2 in the busiest 24 hours\n\
             longest wait  8m 59s\ncovered       2 of 2"
        );
    }

    #[test]
    fn times_out_of_order_or_absurd_do_no_harm() {
        let times = [Timestamp::MAX, Timestamp::MIN, failure(0, "", "").time, Timestamp::MIN];
        let log = times.map(|time| (time, failure(0, "root", "192.0.2.7")));
        assert_eq!(run(log.into(), &policy()).covered, 4);
        let log = [Timestamp::MIN, Timestamp::MAX].map(|time| (time, failure(0, "root", "192.0.2.7")));
        assert_eq!(run(log.into(), &policy()).covered, 2);
        assert_eq!(run(Vec::new(), &policy()), Simulation::default());
    }
}
