//! The administrator's own wording of an alert, filled in.

use super::content::{Content, Dispatch};
use super::digest::Noun;
use super::style::Style;
use super::summary::Summary;
use super::text::{Composer, tag};
use super::time::number;
use super::weight::cut;
use crate::config::template::{Placeholder, Template};

impl Composer {
    /// By `template`, with the count and the id at its end where it says neither.
    pub(super) fn templated(
        &self,
        template: &Template,
        style: &Style,
        summary: &Summary,
        dispatch: Dispatch,
    ) -> String {
        let missing = |without_count: bool, without_id: bool| {
            let mut text = String::new();
            if without_count {
                text.push_str(&format!(" ({} failed)", number(summary.failures())));
            }
            if without_id {
                text.push_str(&format!(" ·{}", tag(dispatch.number)));
            }
            style.safe(&text)
        };
        let after = missing(!template.says(Placeholder::Count), !template.says(Placeholder::Id));
        // Foreign values give way first, all alike.
        for longest in [64, 40, 24, 12] {
            let fill =
                |room| style.safe(&template.fill(|p| self.value(p, style, summary, dispatch, longest, room)));
            let others = style.unit.measure(&fill(0)) + style.unit.measure(&after);
            let text = fill(style.limit.saturating_sub(others)) + &after;
            if style.unit.measure(&text) <= style.limit {
                return text;
            }
        }
        // The template alone is too long: what it says last is lost, but not the number and the id.
        let after = missing(true, true);
        let text = template.fill(|p| self.value(p, style, summary, dispatch, 12, 0));
        let room = style.limit.saturating_sub(style.unit.measure(&after));
        style.cut(&(style.fitted(&text, room) + &after), style.limit)
    }

    /// The value of a placeholder: foreign text of at most `longest` characters, a summary within `room`.
    fn value(
        &self,
        placeholder: Placeholder,
        style: &Style,
        summary: &Summary,
        dispatch: Dispatch,
        longest: usize,
        room: usize,
    ) -> String {
        let (clock, reveal, now) = (self.clock(dispatch.now), self.reveal, dispatch.now);
        let Some(latest) = summary.latest() else { return String::new() };
        let foreign = |raw: &str, shown: Option<&str>| match shown {
            Some(shown) => cut(shown, longest),
            None if raw.is_empty() => String::new(),
            None => "(unknown)".into(),
        };
        match placeholder {
            Placeholder::Count => number(summary.failures()),
            Placeholder::Host => self.machine(Content::Failures(summary)),
            Placeholder::Id => tag(dispatch.number),
            Placeholder::Service => foreign(&latest.service, reveal.service(&latest.service)),
            Placeholder::Pid => match latest.pid {
                0 => "?".into(),
                pid => pid.to_string(),
            },
            Placeholder::User => foreign(&latest.user, reveal.user(latest)),
            Placeholder::Rhost => foreign(&latest.rhost, reveal.remote(&latest.rhost)),
            Placeholder::Tty if latest.tty == "ssh" => "ssh".into(),
            Placeholder::Tty => foreign(&latest.tty, reveal.terminal(&latest.tty)),
            Placeholder::Ruser => foreign(&latest.ruser, reveal.asker(latest)),
            Placeholder::First => clock.time(summary.first().unwrap_or(now)),
            Placeholder::Last => clock.time(summary.last().unwrap_or(now)),
            Placeholder::Summary if room == 0 => String::new(),
            Placeholder::Summary => {
                let one_line = Style { lines: false, ..style.clone() };
                let digest = self.of(&one_line, Noun::FailedLogin, summary, &clock);
                one_line.fitted(&digest.wording(room), room)
            }
        }
    }
}
