//! The rules as tests of the whole detector, and what they share.

mod adversary;
mod bounds;
mod clocks;
mod fleet;
mod lateness;
mod order;
mod routes;
mod rules;

use super::*;

const HOUR: i64 = 3600;

fn event(class: Class, at: i64, user: &str, rhost: &str) -> Event {
    Event {
        time: Timestamp::from_second(1_790_000_000 + at).unwrap(),
        host: String::new(),
        route: Route::Pam,
        class,
        count: 1,
        service: "sshd".into(),
        // No two attempts of these tests are of one process.
        pid: u32::try_from(1000 + at.rem_euclid(1 << 30)).unwrap(),
        ppid: 1,
        user: user.into(),
        rhost: rhost.into(),
        tty: "ssh".into(),
        ruser: String::new(),
        uid: 0,
        origin: None,
    }
}

/// The one finding, where there is one.
fn first(found: Vec<Finding>) -> Option<Finding> {
    assert!(found.len() <= 1, "{found:?}");
    found.into_iter().next()
}

/// A detector at a time of its own.
#[derive(Default)]
struct Watch {
    detector: Detector,
    at: i64,
    pid: u32,
    rules: Rules,
}

impl Watch {
    fn take(&mut self, mut event: Event) -> Option<Finding> {
        self.pid += 1;
        event.pid = 100_000 + self.pid;
        let kind = match event.user.as_str() {
            "root" => AccountKind::Root,
            name if name.starts_with("guess") => AccountKind::Unknown,
            _ => AccountKind::Existing,
        };
        let now = event.time;
        let json = (self.pid % 17 == 0).then(|| serde_json::to_string(&self.detector).unwrap());
        if let Some(json) = json {
            self.detector = serde_json::from_str(&json).unwrap();
        }
        first(self.detector.observe(&event, kind, now, &self.rules))
    }

    /// Without a look at what is kept on disk: where there are thousands.
    fn observe(&mut self, event: Event) -> Vec<Finding> {
        self.pid += 1;
        let event = Event { pid: 100_000 + self.pid, ..event };
        self.detector.observe(&event, AccountKind::Existing, event.time, &self.rules)
    }

    fn fail(&mut self, times: usize, user: &str, rhost: &str) {
        for _ in 0..times {
            self.at += 10;
            assert_eq!(self.take(event(Class::Failure, self.at, user, rhost)), None);
        }
    }

    fn login(&mut self, user: &str, rhost: &str) -> Finding {
        self.at += 10;
        self.take(event(Class::Login, self.at, user, rhost)).unwrap()
    }

    fn is_break_in(&mut self, user: &str, rhost: &str) -> bool {
        matches!(self.login(user, rhost).verdict, Verdict::BreakIn { .. })
    }
}

fn su(class: Class, at: i64, service: &str, user: &str, uid: u32) -> Event {
    Event {
        service: service.into(),
        uid,
        ruser: format!("u{uid}"),
        tty: "/dev/pts/0".into(),
        ..event(class, at, user, "")
    }
}

fn forged(count: u32, pid: u32, event: Event) -> Event {
    Event { route: Route::Log, service: "vsftpd".into(), count, pid, ppid: 0, ..event }
}

fn of_the_log(at: i64, user: &str, rhost: &str) -> Event {
    Event { route: Route::Log, ..event(Class::Failure, at, user, rhost) }
}

/// Which logins these failures, told late, make break-ins: account and second.
fn told_late(watch: &mut Watch, failures: impl IntoIterator<Item = Event>) -> Vec<(String, i64)> {
    let found: Vec<Finding> = failures.into_iter().flat_map(|failure| watch.observe(failure)).collect();
    assert!(found.iter().all(|found| matches!(found.verdict, Verdict::BreakIn { .. })), "{found:?}");
    found.into_iter().map(|found| (found.login.user, found.login.time.as_second() - 1_790_000_000)).collect()
}

/// As the hub records it.
fn of_member(member: &str, event: Event) -> Event {
    let origin = Some(format!("fleet:0000000000000007:{}:ee", event.pid));
    Event { host: member.into(), origin, ..event }
}
