//! The text of an alert.
//!
//! Whatever was tried, and whatever the template says:
//! - it weighs at most 280, links, mentions and tags nothing, and every character in it is visible;
//! - it tells the exact number of failures it covers, and bears the alert's id, so that two
//!   alerts never have the same text (X refuses a repeated one).
//!
//! Built-in texts begin with the short name of the machine and end in `·a` and the number of the alert:
//!
//! ```text
//! web1: wrong password for alice from 192.0.2.7 (sshd[32239]) 12:01:47 ·a17
//! web1: wrong password at su: bob -> root on pts/0 (su[4321]) 12:01:47 ·a18
//! web1: 3 failed logins for root from 192.0.2.7 (sshd[32239]) 12:01:47 to 12:01:55 ·a19
//! web1: 4,489 failed logins from 139 sources (sshd), Nov 22 06:12:01 to Nov 23 12:01:47. Tried: …
//! ```
//!
//! How many failures a text covers can be read from it: see [`count_in`].

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::digest;
use super::harmless::harmless;
use super::single::Names;
use super::summary::Summary;
use super::time::{Clock, number};
use super::weight::{LIMIT, cut, weight};
use crate::accounts::AccountKind;
use crate::config::Alerts;
use crate::config::template::{Placeholder, Template};
use crate::zone;

/// Of the machine's name; more would take the room of what happened.
const HOST: usize = 32;

/// Writes the texts of alerts.
#[derive(Clone, Debug)]
pub struct Composer {
    host: String,
    zone: TimeZone,
    template: Option<Template>,
    names: Names,
}

impl Composer {
    /// For this machine, as the administrator wants it.
    pub fn of_this_machine(alerts: &Alerts) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let template = alerts.text.as_deref().and_then(|t| Template::parse(t).ok());
        Self::new(&host, zone::local(), template, alerts.post_unknown_users)
    }

    /// For the machine called `host`, of which the first label is shown, and times of `zone`.
    pub fn new(host: &str, zone: TimeZone, template: Option<Template>, post_unknown_users: bool) -> Self {
        Self { host: short(host), zone, template, names: Names { unknown: post_unknown_users } }
    }

    /// The text of alert number `id`, composed at `now`, which covers all of `summary`.
    pub fn compose(&self, summary: &Summary, id: u64, now: Timestamp) -> String {
        match &self.template {
            Some(template) if summary.latest().is_some() => self.templated(template, summary, id, now),
            // A template has nothing to say of failures that were not recorded.
            _ => {
                let room = LIMIT - weight(&self.enclosed("", id));
                self.enclosed(&digest::wording(summary, &self.clock(now), self.names, room), id)
            }
        }
    }

    /// A text of counts alone, without a character that an attacker or a template chose: for an
    /// alert whose first text was refused.
    pub fn plain(&self, summary: &Summary, id: u64, now: Timestamp) -> String {
        self.enclosed(&digest::counts(summary, &self.clock(now)), id)
    }

    fn clock(&self, now: Timestamp) -> Clock<'_> {
        Clock { zone: &self.zone, now }
    }

    /// `HOST: TEXT ·aID`, with the text cut to what is left.
    fn enclosed(&self, text: &str, id: u64) -> String {
        let (before, after) = (format!("{}: ", self.host), format!(" ·{}", tag(id)));
        let room = LIMIT - weight(&before) - weight(&after);
        format!("{before}{}{after}", cut(&harmless(text), room))
    }

    fn templated(&self, template: &Template, summary: &Summary, id: u64, now: Timestamp) -> String {
        let missing = |without_count: bool, without_id: bool| {
            let mut text = String::new();
            if without_count {
                text.push_str(&format!(" ({} failed)", number(summary.failures())));
            }
            if without_id {
                text.push_str(&format!(" ·{}", tag(id)));
            }
            text
        };
        let after = missing(!template.says(Placeholder::Count), !template.says(Placeholder::Id));
        // Foreign values give way first, all alike.
        for longest in [64, 40, 24, 12] {
            let fill = |room| harmless(&template.fill(|p| self.value(p, summary, id, now, longest, room)));
            let others = weight(&fill(0)) + weight(&after);
            let text = fill(LIMIT.saturating_sub(others)) + &after;
            if weight(&text) <= LIMIT {
                return text;
            }
        }
        // The template alone is too long: what it says last is lost, but not the number and the id.
        let after = missing(true, true);
        let text = template.fill(|p| self.value(p, summary, id, now, 12, 0));
        cut(&harmless(&text), LIMIT - weight(&after)) + &after
    }

    /// The value of a placeholder: foreign text of at most `longest` characters, a summary within `room`.
    fn value(
        &self,
        placeholder: Placeholder,
        summary: &Summary,
        id: u64,
        now: Timestamp,
        longest: usize,
        room: usize,
    ) -> String {
        let clock = self.clock(now);
        let latest = summary.latest();
        let foreign = |text: Option<&String>| cut(text.map_or("", String::as_str), longest);
        match placeholder {
            Placeholder::Count => number(summary.failures()),
            Placeholder::Host => self.host.clone(),
            Placeholder::Id => tag(id),
            Placeholder::Service => foreign(latest.map(|told| &told.service)),
            Placeholder::Pid => match latest.map_or(0, |told| told.pid) {
                0 => "?".into(),
                pid => pid.to_string(),
            },
            Placeholder::User => latest
                .map(|told| match told.user_kind {
                    AccountKind::Unknown if !self.names.unknown => "(unknown)".into(),
                    _ => cut(&told.user, longest),
                })
                .unwrap_or_default(),
            Placeholder::Rhost => foreign(latest.map(|told| &told.rhost)),
            Placeholder::Tty => foreign(latest.map(|told| &told.tty)),
            Placeholder::Ruser => foreign(latest.map(|told| &told.ruser)),
            Placeholder::First => clock.time(summary.first().unwrap_or(now)),
            Placeholder::Last => clock.time(summary.last().unwrap_or(now)),
            Placeholder::Summary if room == 0 => String::new(),
            Placeholder::Summary => cut(&harmless(&digest::wording(summary, &clock, self.names, room)), room),
        }
    }
}

/// How many failures a text covers.
///
/// Built-in texts that cover several begin `HOST: N failed`, with commas in N; without that it is 1. A text
/// by a template that does not say `{count}` itself ends in `(N failed)`, before the id if that was added too.
pub fn count_in(text: &str) -> u64 {
    let end = match text.rsplit_once(" ·a") {
        Some((before, id)) if id.bytes().all(|b| b.is_ascii_digit()) => before,
        _ => text,
    };
    let appended = end.strip_suffix(" failed)").and_then(|t| t.rsplit_once(" (")).map(|(_, n)| n);
    let leading = text.split_once(": ").and_then(|(_, t)| t.split_once(" failed")).map(|(n, _)| n);
    let parse = |n: &str| n.replace(',', "").parse().ok();
    appended.and_then(parse).or(leading.and_then(parse)).unwrap_or(1)
}

fn tag(id: u64) -> String {
    format!("a{id}")
}

/// The first label of the machine's name; an address stays whole.
fn short(host: &str) -> String {
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    let label = if is_address { host } else { host.split('.').next().unwrap_or_default() };
    // A blank could make it look as if the text began earlier.
    match cut(&harmless(&harmless(label).replace(' ', "_")), HOST) {
        empty if empty.is_empty() => "this machine".into(),
        label => label,
    }
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::failure;
    use super::*;
    use crate::event::Event;

    fn now() -> Timestamp {
        failure(20, "", "").time
    }

    fn composer(template: Option<&str>) -> Composer {
        let template = template.map(|text| Template::parse(text).unwrap());
        Composer::new("web1.example.com", TimeZone::UTC, template, false)
    }

    fn summary(failures: &[(Event, AccountKind)]) -> Summary {
        let mut summary = Summary::default();
        failures
            .iter()
            .for_each(|(failure, standing)| summary.add(failure, *standing, AccountKind::Existing));
        summary
    }

    fn local(second: i64, service: &str, ruser: &str, user: &str) -> Event {
        Event {
            service: service.into(),
            pid: 4321,
            tty: "/dev/pts/0".into(),
            ruser: ruser.into(),
            ..failure(second, user, "")
        }
    }

    /// A day of a honeypot: 4,489 failures of 139 sources.
    fn flood() -> Summary {
        let mut flood = Summary::default();
        for i in 0..4480i64 {
            let rhost = format!("198.51.100.{}", if i % 3 == 0 { 200 } else { i % 137 });
            let (user, standing) = match i % 7 {
                0 => (format!("guess{}", i % 57), AccountKind::Unknown),
                1 if i % 5 == 0 => ("mail".into(), AccountKind::System),
                _ => ("root".into(), AccountKind::Root),
            };
            flood.add(&failure(i * 20 - 4480 * 20, &user, &rhost), standing, AccountKind::Existing);
        }
        flood.add(
            &Event { count: 7, ..failure(-60, "alice", "203.0.113.9") },
            AccountKind::Existing,
            AccountKind::Existing,
        );
        flood.add(&local(-30, "su", "bob", "root"), AccountKind::Root, AccountKind::Existing);
        flood.add(&local(-20, "sudo", "bob", "bob"), AccountKind::Existing, AccountKind::Existing);
        flood
    }

    #[test]
    fn a_single_failure_reads_on_a_lock_screen() {
        let one = summary(&[(failure(0, "alice", "192.0.2.7"), AccountKind::Existing)]);
        assert_eq!(
            composer(None).compose(&one, 17, now()),
            "web1: wrong password for alice from 192.0.2.7 (sshd[32239]) 12:01:47 ·a17"
        );
        let su = summary(&[(local(0, "su", "bob", "root"), AccountKind::Root)]);
        assert_eq!(
            composer(None).compose(&su, 18, now()),
            "web1: wrong password at su: bob -> root on pts/0 (su[4321]) 12:01:47 ·a18"
        );
    }

    #[test]
    fn the_same_thing_a_few_times_is_one_sentence() {
        let three: Vec<_> =
            (0..3).map(|i| (failure(4 * i, "root", "192.0.2.7"), AccountKind::Root)).collect();
        assert_eq!(
            composer(None).compose(&summary(&three), 19, now()),
            "web1: 3 failed logins for root from 192.0.2.7 (sshd[32239]) 12:01:47 to 12:01:55 ·a19"
        );
        let told_at_once = Event { count: 3, pid: 0, ..failure(0, "root", "192.0.2.7") };
        assert_eq!(
            composer(None).compose(&summary(&[(told_at_once, AccountKind::Root)]), 19, now()),
            "web1: 3 failed logins for root from 192.0.2.7 (sshd) 12:01:47 ·a19"
        );
    }

    #[test]
    fn a_few_different_ones_are_listed() {
        let three = summary(&[
            (failure(0, "root", "192.0.2.7"), AccountKind::Root),
            (local(5, "su", "bob", "root"), AccountKind::Root),
            (Event { count: 2, ..failure(9, "hunter2", "198.51.100.2") }, AccountKind::Unknown),
        ]);
        assert_eq!(
            composer(None).compose(&three, 20, now()),
            "web1: 4 failed logins: root from 192.0.2.7 (sshd[32239]) 12:01:47; \
             su: bob -> root on pts/0 (su[4321]) 12:01:52; \
             unknown user from 198.51.100.2 (sshd[32239]) ×2 12:01:56 ·a20"
        );
    }

    #[test]
    fn a_flood_is_a_digest_with_exact_counts() {
        let text = composer(None).compose(&flood(), 21, now());
        assert_eq!(
            text,
            "web1: 4,489 failed logins from 139 sources and this machine, Nov 22 11:08:27 to Nov 23 12:01:27. \
             Among them: sudo: bob on pts/0 12:01:27. \
             Tried: alice ×7, bob ×1, root ×3,713, mail ×128, unknown users ×640. \
             From: this machine ×2, 198.51.100.200 ×1,494, 138 more ×2,993 ·a21"
        );
        assert_eq!(count_in(&text), 4489);
        let mut more = flood();
        more.add_dropped(12);
        more.add_unreadable(1);
        let text = composer(None).compose(&more, 21, now());
        assert!(text.contains(". 12 more were not recorded. 1 record could not be read ·a21"), "{text}");
        assert!(weight(&text) <= LIMIT);
    }

    #[test]
    fn failures_that_were_not_recorded_are_told_even_alone() {
        let mut lost = Summary::default();
        lost.add_dropped(1);
        for composer in [composer(None), composer(Some("{user} {summary}"))] {
            assert_eq!(
                composer.compose(&lost, 3, now()),
                "web1: 0 failed logins, 12:02:07. 1 more was not recorded ·a3"
            );
        }
    }

    #[test]
    fn the_plain_text_holds_nothing_that_an_attacker_or_a_template_wrote() {
        let text = composer(Some("{user} {rhost}")).plain(&flood(), 22, now());
        assert_eq!(
            text,
            "web1: 4,489 failed logins from 139 sources and this machine, Nov 22 11:08:27 to Nov 23 12:01:27. \
             2 accounts of this machine ×8. 2 system accounts ×3,841. Unknown users ×640 ·a22"
        );
        let one = summary(&[(failure(0, "evil.com", "evil.com"), AccountKind::Unknown)]);
        assert_eq!(
            composer(None).plain(&one, 23, now()),
            "web1: 1 failed login from 1 source, 12:01:47. Unknown users ×1 ·a23"
        );
    }

    #[test]
    fn a_template_shows_the_latest_failure_and_hides_unknown_names() {
        let two = summary(&[
            (failure(5, "hunter2", "192.0.2.8"), AccountKind::Unknown),
            (failure(0, "root", "192.0.2.7"), AccountKind::Root),
        ]);
        let sample = "{first} {service}[{pid}]: authentication failures; uid=0 tty={tty} ruser={ruser} rhost={rhost} user={user}";
        assert_eq!(
            composer(Some(sample)).compose(&two, 24, now()),
            "12:01:47 sshd[32239]: authentication failures; uid=0 tty=ssh ruser= rhost=192.0.2.8 user=(unknown) (2 failed) ·a24"
        );
        assert_eq!(composer(Some("{count}/{id}: {user}")).compose(&two, 24, now()), "2/a24: (unknown)");
        let open = Composer { names: Names { unknown: true }, ..composer(Some("{count}/{id}: {user}")) };
        assert_eq!(open.compose(&two, 24, now()), "2/a24: hunter2");
        let text = composer(Some("On {host}: {summary}")).compose(&flood(), 24, now());
        assert!(text.starts_with("On web1: 4,489 failed logins from 139 sources"), "{text}");
        assert!(text.ends_with(" (4,489 failed) ·a24") && weight(&text) <= LIMIT, "{text}");
        assert!(text.contains("Tried: alice ×7, bob ×1, root ×3,713"), "{text}");
    }

    #[test]
    fn the_name_of_the_machine_is_short_and_harmless() {
        for (host, shown) in [
            ("web1.example.com", "web1"),
            ("web1", "web1"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("", "this machine"),
            ("a: 7 failed", "a:_7_failed"),
            ("@x", "[@]x"),
            (&"x".repeat(99), &format!("{}~", "x".repeat(31))),
        ] {
            assert_eq!(short(host), shown);
        }
    }

    #[test]
    fn the_count_of_failures_can_be_read_from_any_text_and_not_be_forged() {
        for (text, count) in [
            ("web1: 4,489 failed logins from 139 sources", 4489),
            ("web1: 1 failed login from 1 source, 12:01:47 ·a1", 1),
            ("web1: failed login for root from 192.0.2.7 12:01:47 ·a17", 1),
            ("web1: unknown user \"7 failed\" from 192.0.2.7 12:01:47 ·a17", 1),
            ("web1: 7 failed (3 failed) ·a17", 3),
            ("a17 web1: 7 (9 failed) (1,003 failed)", 1003),
        ] {
            assert_eq!(count_in(text), count, "{text}");
        }
    }
}
