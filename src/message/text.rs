//! The text of a message.
//!
//! Whatever was tried, and whatever the template says:
//! - it is within the limit of the style in its unit, holds nothing that a service would act on, and every
//!   character in it is visible;
//! - a text about failures says the exact number that it covers, and every text bears its number, so that
//!   two messages never have the same text (X refuses a repeated one) and a person sees a repeat.
//!
//! Built-in texts begin with the short name of the machine and end in `·a` and the number of the message:
//!
//! ```text
//! web1: wrong password for alice from 192.0.2.7 (sshd[32239]) 12:01:47 ·a17
//! web1: wrong password at su: bob -> root on pts/0 (su[4321]) 12:01:47 ·a18
//! web1: 3 failed logins for root from 192.0.2.7 (sshd[32239]) 12:01:47 to 12:01:55 ·a19
//! web1: 4,489 failed logins from 139 sources (sshd), Nov 22 06:12:01 to Nov 23 12:01:47. Tried: …
//! 3 machines: 40 failed logins from 2 sources (sshd), 12:01:47 to 12:03:09. Machines: db1 ×30, …
//! BREAK-IN? web1: alice logged in from 203.0.113.9 (sshd[4711]) 12:03:09 after 37 failed logins from there
//! since 11:20. ·a20
//! ```
//!
//! In an SMS the dot is a dash, `-a17`: the alphabet has none. How many failures a text covers can be
//! read from it: see [`count_in`](super::count_in).

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::content::{Content, Dispatch};
use super::digest::{Digest, Noun};
use super::frame::Frame;
use super::machine::{HOST, short};
use super::reveal::Reveal;
use super::style::Style;
use super::summary::Summary;
use super::time::{Clock, counted, number};
use super::title::{BREAK_IN, title};
use super::{facts, login, watch};
use crate::config::Alerts;
use crate::config::template::Template;
use crate::zone;

/// A title is read at a glance.
const TITLE: usize = 100;
/// From here on a text has room for what to do next.
const LARGE: usize = 500;

/// Writes the texts of messages.
#[derive(Clone, Debug)]
pub struct Composer {
    pub(super) host: String,
    zone: TimeZone,
    template: Option<Template>,
    pub(super) reveal: Reveal,
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
        Self { host: short(host), zone, template, reveal: Reveal { unknown: post_unknown_users } }
    }

    /// The text of a message, in the receiver's style.
    pub fn text(&self, style: &Style, content: Content<'_>, dispatch: Dispatch) -> String {
        let clock = self.clock(dispatch.now);
        let forms = match content {
            Content::Failures(summary) => match &self.template {
                Some(template) if summary.latest().is_some() => {
                    return self.templated(template, style, summary, dispatch);
                }
                // A template has nothing to say of failures that were not recorded.
                _ => return self.digest(style, Noun::FailedLogin, summary, dispatch),
            },
            Content::Logins(summary) => return self.digest(style, Noun::Login, summary, dispatch),
            Content::BreakIn(content) => login::break_in(content, &clock, self.reveal),
            Content::UnderAttack(content) => login::under_attack(content, &clock, self.reveal),
            Content::NewSource(content) => login::new_source(content, &clock, self.reveal),
            Content::Heartbeat(content) => watch::heartbeat(content, &clock),
            Content::Health(content) => watch::health(content, &clock),
            Content::Weekly(content) => {
                watch::weekly(content, &self.of(style, Noun::FailedLogin, &content.failures, &clock))
            }
            Content::Test => test(&clock.time(dispatch.now)),
        };
        let with_advice =
            matches!(content, Content::BreakIn(_) | Content::UnderAttack(_)) && style.limit < LARGE;
        let frame = self.frame(style, content, dispatch);
        frame.first_that_fits(&forms[usize::from(with_advice)..])
    }

    /// A text of counts alone, without a character that an attacker or a template chose: for a
    /// message whose first text was refused.
    pub fn plain(&self, style: &Style, content: Content<'_>, dispatch: Dispatch) -> String {
        let clock = self.clock(dispatch.now);
        let of = |noun, summary| self.of(style, noun, summary, &clock).counts();
        let (before, text) = match content {
            Content::Failures(summary) => ("", of(Noun::FailedLogin, summary)),
            Content::Logins(summary) => ("", of(Noun::Login, summary)),
            Content::BreakIn(content) => {
                let time = clock.time(content.login.time);
                (BREAK_IN, format!("a login {time} after {}", counted(content.failures, "failed login")))
            }
            Content::UnderAttack(content) => {
                let failed = counted(content.failures, "failed login");
                ("", format!("new source under attack: a login {}; {failed}", clock.time(content.login.time)))
            }
            Content::NewSource(content) => {
                ("", format!("a login from a new source {}", clock.time(content.login.time)))
            }
            Content::Heartbeat(_) | Content::Health(_) | Content::Weekly(_) | Content::Test => {
                ("", format!("{}, {}", title(content, self.reveal).1, clock.time(dispatch.now)))
            }
        };
        Frame::new(style, before, &self.host, least(content), dispatch).first_that_fits(&[text])
    }

    /// One short line: the machine, and what it is about.
    pub fn title(&self, style: &Style, content: Content<'_>) -> String {
        let (before, what) = title(content, self.reveal);
        let one_line = Style { lines: false, ..style.clone() };
        let machine = one_line.fitted(&self.machine(content), HOST.min(style.limit / 4));
        one_line.fitted(&format!("{before}{machine}: {what}"), TITLE.min(style.limit))
    }

    /// The figures of a message by the names of the Elastic Common Schema; see [`super::facts`].
    pub fn facts(&self, content: Content<'_>, dispatch: Dispatch) -> serde_json::Value {
        facts::facts(content, dispatch, &self.host, self.reveal)
    }

    pub(super) fn clock(&self, now: Timestamp) -> Clock<'_> {
        Clock { zone: &self.zone, now }
    }

    pub(super) fn of<'a>(
        &'a self,
        style: &'a Style,
        noun: Noun,
        summary: &'a Summary,
        clock: &'a Clock<'a>,
    ) -> Digest<'a> {
        Digest { summary, noun, here: &self.host, clock, reveal: self.reveal, style }
    }

    fn digest(&self, style: &Style, noun: Noun, summary: &Summary, dispatch: Dispatch) -> String {
        let clock = self.clock(dispatch.now);
        let content = if noun == Noun::Login { Content::Logins(summary) } else { Content::Failures(summary) };
        let frame = self.frame(style, content, dispatch);
        let text = self.of(style, noun, summary, &clock).wording(frame.room());
        frame.first_that_fits(&[text])
    }

    fn frame<'a>(&self, style: &'a Style, content: Content<'_>, dispatch: Dispatch) -> Frame<'a> {
        let before = if matches!(content, Content::BreakIn(_)) { BREAK_IN } else { "" };
        Frame::new(style, before, &self.machine(content), least(content), dispatch)
    }
}

/// A test, with the characters of alerts: a service that refuses one of these is to do so now.
fn test(time: &str) -> Vec<String> {
    let short = format!("this is a test of authalert, {time}");
    let sample = "an alert may hold: bob -> root ×2 from 192.0.2.7 (su[4711])";
    vec![format!("{short}; {sample}"), short]
}

/// What a text must hold whatever the limit, beside its frame.
fn least(content: Content<'_>) -> String {
    match content {
        Content::Failures(summary) => format!("{} failed", number(summary.failures())),
        Content::Logins(summary) => format!("{} logins", number(summary.failures())),
        _ => String::new(),
    }
}

pub(super) fn tag(id: u64) -> String {
    format!("a{id}")
}

#[cfg(test)]
mod tests {
    use super::super::count::count_in;
    use super::super::summary::tests::failure;
    use super::super::weight::{LIMIT, weight};
    use super::*;
    use crate::accounts::AccountKind;
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
            composer(None).text(&Style::x(), Content::Failures(&one), Dispatch::new(17, now())),
            "web1: wrong password for alice from 192.0.2.7 (sshd[32239]) 12:01:47 ·a17"
        );
        let su = summary(&[(local(0, "su", "bob", "root"), AccountKind::Root)]);
        assert_eq!(
            composer(None).text(&Style::x(), Content::Failures(&su), Dispatch::new(18, now())),
            "web1: wrong password at su: bob -> root on pts/0 (su[4321]) 12:01:47 ·a18"
        );
    }

    #[test]
    fn the_same_thing_a_few_times_is_one_sentence() {
        let three: Vec<_> =
            (0..3).map(|i| (failure(4 * i, "root", "192.0.2.7"), AccountKind::Root)).collect();
        assert_eq!(
            composer(None).text(&Style::x(), Content::Failures(&summary(&three)), Dispatch::new(19, now())),
            "web1: 3 failed logins for root from 192.0.2.7 (sshd[32239]) 12:01:47 to 12:01:55 ·a19"
        );
        let logged_at_once = Event { count: 3, pid: 0, ..failure(0, "root", "192.0.2.7") };
        assert_eq!(
            composer(None).text(
                &Style::x(),
                Content::Failures(&summary(&[(logged_at_once, AccountKind::Root)])),
                Dispatch::new(19, now())
            ),
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
            composer(None).text(&Style::x(), Content::Failures(&three), Dispatch::new(20, now())),
            "web1: 4 failed logins: root from 192.0.2.7 (sshd[32239]) 12:01:47; \
             su: bob -> root on pts/0 (su[4321]) 12:01:52; \
             unknown user from 198.51.100.2 (sshd[32239]) ×2 12:01:56 ·a20"
        );
    }

    #[test]
    fn a_flood_is_a_digest_with_exact_counts() {
        let text = composer(None).text(&Style::x(), Content::Failures(&flood()), Dispatch::new(21, now()));
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
        let text = composer(None).text(&Style::x(), Content::Failures(&more), Dispatch::new(21, now()));
        assert!(text.contains(". 12 more were not recorded. 1 record could not be read ·a21"), "{text}");
        assert!(weight(&text) <= LIMIT);
    }

    #[test]
    fn failures_that_were_not_recorded_are_told_even_alone() {
        let mut lost = Summary::default();
        lost.add_dropped(1);
        for composer in [composer(None), composer(Some("{user} {summary}"))] {
            assert_eq!(
                composer.text(&Style::x(), Content::Failures(&lost), Dispatch::new(3, now())),
                "web1: 0 failed logins, 12:02:07. 1 more was not recorded ·a3"
            );
        }
    }

    #[test]
    fn the_plain_text_holds_nothing_that_an_attacker_or_a_template_wrote() {
        let text = composer(Some("{user} {rhost}")).plain(
            &Style::x(),
            Content::Failures(&flood()),
            Dispatch::new(22, now()),
        );
        assert_eq!(
            text,
            "web1: 4,489 failed logins from 139 sources and this machine, Nov 22 11:08:27 to Nov 23 12:01:27. \
             2 accounts of this machine ×8. 2 system accounts ×3,841. Unknown users ×640 ·a22"
        );
        let one = summary(&[(failure(0, "evil.com", "evil.com"), AccountKind::Unknown)]);
        assert_eq!(
            composer(None).plain(&Style::x(), Content::Failures(&one), Dispatch::new(23, now())),
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
            composer(Some(sample)).text(&Style::x(), Content::Failures(&two), Dispatch::new(24, now())),
            "12:01:47 sshd[32239]: authentication failures; uid=0 tty=ssh ruser= rhost=192.0.2.8 user=(unknown) (2 failed) ·a24"
        );
        assert_eq!(
            composer(Some("{count}/{id}: {user}")).text(
                &Style::x(),
                Content::Failures(&two),
                Dispatch::new(24, now())
            ),
            "2/a24: (unknown)"
        );
        let open = Composer { reveal: Reveal { unknown: true }, ..composer(Some("{count}/{id}: {user}")) };
        assert_eq!(
            open.text(&Style::x(), Content::Failures(&two), Dispatch::new(24, now())),
            "2/a24: hunter2"
        );
        let text = composer(Some("On {host}: {summary}")).text(
            &Style::x(),
            Content::Failures(&flood()),
            Dispatch::new(24, now()),
        );
        assert!(text.starts_with("On web1: 4,489 failed logins from 139 sources"), "{text}");
        assert!(text.ends_with(" (4,489 failed) ·a24") && weight(&text) <= LIMIT, "{text}");
        assert!(text.contains("Tried: alice ×7, bob ×1, root ×3,713"), "{text}");
    }
}
