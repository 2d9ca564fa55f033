//! The wording of an alert that covers many failures, or of many logins: how many, from where, which
//! accounts, when, and the number of whatever was left out. As much as there is room for.

use super::detail::{Detail, LARGE, MORE_WISHES, WISHES};
use super::listing::{in_all, listed, origin, sole};
use super::machine::another;
use super::reveal::Reveal;
use super::sample::Sample;
use super::single::{alike, among, item, sentence};
use super::style::Style;
use super::summary::Summary;
use super::time::{Clock, counted, number};
use super::weight::cut;
use super::{listing, login};

/// Below this a text says what is worst rather than when and from how many places.
const SMALL: usize = 200;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noun {
    FailedLogin,
    Login,
}

/// What to put into words, for whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digest<'a> {
    pub(super) summary: &'a Summary,
    pub(super) noun: Noun,
    /// This machine's name, to be told from the others.
    pub(super) here: &'a str,
    pub(super) clock: &'a Clock<'a>,
    pub(super) reveal: Reveal,
    pub(super) style: &'a Style,
}

impl Digest<'_> {
    /// What there is to report, as much as fits in `room`. Not cut: for a small room it may be longer, and
    /// begins with the count.
    pub(super) fn wording(&self, room: usize) -> String {
        let fits = |text: &String| self.style.measure_safe(text) <= room;
        if let Some(text) = self.few().into_iter().find(fits) {
            return text;
        }
        for (untimed, untotalled) in [(false, false), (true, false), (true, true)] {
            let base = Detail { untimed, untotalled, ..Detail::default() };
            let (detail, text) = self.as_much_as_fits(base, room);
            if fits(&text) && (room >= SMALL || self.says_worst(detail)) {
                return text;
            }
        }
        let [longer, shorter] = self.tiny();
        if fits(&longer) { longer } else { shorter }
    }

    fn says_worst(&self, detail: Detail) -> bool {
        let only = self.only().is_some();
        match self.summary.notable() {
            Some(_) if self.says_more(only) => detail.notable,
            _ => only || detail.accounts + detail.system > 0,
        }
    }

    fn as_much_as_fits(&self, mut detail: Detail, room: usize) -> (Detail, String) {
        let mut best = self.many(detail);
        let more = if room >= LARGE { MORE_WISHES.as_slice() } else { &[] };
        for wish in WISHES.iter().chain(more) {
            let mut wished = detail;
            wish(&mut wished);
            let text = self.many(wished);
            // Most wishes change nothing where there are few names: not measured again.
            if text == best || self.style.measure_safe(&text) <= room {
                (detail, best) = (wished, text);
            }
        }
        (detail, best)
    }

    /// Counts alone, without a character that an attacker chose.
    pub(super) fn counts(&self) -> String {
        let summary = self.summary;
        let mut clauses = vec![format!("{}{}{}", self.count(), origin(summary, None), self.when(", "))];
        let known = [
            in_all(summary.accounts(), "account", " of this machine"),
            in_all(summary.system(), "system account", ""),
        ];
        clauses.extend(known.into_iter().flatten());
        if !summary.strangers().is_empty() {
            clauses.push(format!("Unknown users ×{}", number(summary.strangers().total())));
        }
        clauses.extend(self.lost());
        self.joined(&clauses)
    }

    pub(super) fn joined(&self, clauses: &[String]) -> String {
        clauses.join(if self.style.lines { "\n" } else { ". " })
    }

    fn count(&self) -> String {
        let noun = match self.noun {
            Noun::FailedLogin => "failed login",
            Noun::Login => "login",
        };
        counted(self.summary.failures(), noun)
    }

    /// The records one by one, if they are few: the fullest form first.
    fn few(&self) -> Vec<String> {
        let (summary, reveal) = (self.summary, self.reveal);
        let Some((first, rest)) = summary.few().split_first() else { return Vec::new() };
        if rest.iter().all(|sample| alike(sample, first)) {
            // Several processes: none of them stands for all.
            let same = rest.iter().all(|sample| sample.pid == first.pid);
            let sample = if same { first.clone() } else { Sample { pid: 0, ..first.clone() } };
            let text = |with_process| match self.noun {
                Noun::FailedLogin => sentence(&sample, summary.failures(), reveal, with_process),
                Noun::Login => login::sentence(&sample, summary.failures(), reveal, with_process),
            };
            return [true, false]
                .map(|with_process| {
                    let mut clauses = vec![format!("{}{}", text(with_process), self.when(" "))];
                    clauses.extend(self.lost());
                    self.joined(&clauses)
                })
                .into();
        }
        let list = |with_process| {
            let items: Vec<String> = summary.few().iter().map(|s| self.listed_one(s, with_process)).collect();
            let (first, between) = if self.style.lines { ("\n", "\n") } else { (" ", "; ") };
            let text = format!("{}:{first}{}", self.count(), items.join(between));
            self.joined(&[vec![text], self.lost()].concat())
        };
        vec![list(true), list(false)]
    }

    fn listed_one(&self, sample: &Sample, with_process: bool) -> String {
        let item = item(sample, self.reveal, with_process);
        format!("{}{item} {}", self.machine_of(sample), self.clock.time(sample.time))
    }

    /// `web1: `, where the text is about several machines.
    fn machine_of(&self, sample: &Sample) -> String {
        if listing::machines(self.summary) < 2 {
            return String::new();
        }
        format!("{}: ", self.host(&sample.host))
    }

    pub(super) fn host(&self, host: &str) -> String {
        if host.is_empty() { self.here.to_owned() } else { another(host, self.reveal) }
    }

    fn many(&self, detail: Detail) -> String {
        let summary = self.summary;
        let mut text = self.count();
        let only = self.only();
        if let Some(only) = &only {
            let by = if self.noun == Noun::Login { "by" } else { "for" };
            text.push_str(&format!(" {by} {only}"));
        }
        text.push_str(&origin(summary, Some(self.reveal)));
        if let Some(service) = sole(summary.services()).and_then(|name| self.reveal.service(name)) {
            text.push_str(&format!(" ({})", cut(service, 32)));
        }
        if !detail.untimed {
            text.push_str(&self.when(", "));
        }
        let mut clauses = vec![text];
        // From where, and who asked: the counts do not say it of a single one.
        if let Some(sample) = summary.notable().filter(|_| detail.notable && self.says_more(only.is_some())) {
            clauses.push(format!("Among them: {}", self.one(sample)));
        }
        if let Some(sample) = summary.latest().filter(|s| detail.latest && Some(*s) != summary.notable()) {
            clauses.push(format!("The latest: {}", self.one(sample)));
        }
        clauses.extend(self.clauses(detail, only.as_deref()));
        clauses.extend(self.lost());
        self.joined(&clauses)
    }

    fn one(&self, sample: &Sample) -> String {
        let what = among(sample, self.reveal);
        format!("{}{what} {}", self.machine_of(sample), self.clock.time(sample.time))
    }

    /// For an SMS and less: the count and the worst, without when and from how many places.
    fn tiny(&self) -> [String; 2] {
        let count = number(self.summary.failures());
        let short = match self.noun {
            Noun::FailedLogin => format!("{count} failed"),
            Noun::Login => format!("{count} logins"),
        };
        [self.count(), short].map(|count| match self.worst() {
            Some(worst) => format!("{count}, {worst}"),
            None => count,
        })
    }

    /// The failure at this machine itself or of an account that somebody logs in to, or else the account
    /// that was tried most.
    fn worst(&self) -> Option<String> {
        let summary = self.summary;
        if let Some(sample) = summary.notable().or(summary.latest().filter(|_| summary.failures() == 1)) {
            return Some(format!("{}{}", self.machine_of(sample), among(sample, self.reveal)));
        }
        let most = |list: Vec<String>| list.into_iter().next();
        let show = |name: &str| cut(name, 32);
        most(listed(summary.accounts(), 1, "", show)).or(most(listed(summary.system(), 1, "", show))).or_else(
            || {
                let show =
                    |name: &str| format!("from {}", cut(self.reveal.remote(name).unwrap_or("(unknown)"), 40));
                most(listed(summary.sources(), 1, "", show))
            },
        )
    }

    fn when(&self, before: &str) -> String {
        match (self.summary.first(), self.summary.last()) {
            (Some(first), Some(last)) => format!("{before}{}", self.clock.span(first, last)),
            _ => format!("{before}{}", self.clock.time(self.clock.now)),
        }
    }

    /// What is missing from the counts, reported as numbers.
    fn lost(&self) -> Vec<String> {
        let (dropped, unreadable) = (self.summary.dropped(), self.summary.unreadable());
        let mut lost = Vec::new();
        if dropped > 0 {
            let verb = if dropped == 1 { "was" } else { "were" };
            lost.push(format!("{} more {verb} not recorded", number(dropped)));
        }
        if unreadable > 0 {
            lost.push(format!("{} could not be read", counted(unreadable, "record")));
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::super::summary::tests::failure;
    use super::super::weight::weight;
    use super::*;
    use crate::accounts::AccountKind;

    fn worded(summary: &Summary, unknown: bool, room: usize) -> String {
        let clock = &Clock { zone: &TimeZone::UTC, now: failure(3600 * 24, "", "").time };
        let (style, reveal) = (&Style::x(), Reveal { unknown });
        Digest { summary, noun: Noun::FailedLogin, here: "web1", clock, reveal, style }.wording(room)
    }

    #[test]
    fn what_there_is_one_of_is_said_once() {
        let mut summary = Summary::default();
        (0..9).for_each(|i| {
            summary.add(&failure(i, "alice", "192.0.2.7"), AccountKind::Existing, AccountKind::Existing)
        });
        assert_eq!(
            worded(&summary, false, 280),
            "9 failed logins for alice from 192.0.2.7 (sshd), Nov 23 12:01:47 to 12:01:55"
        );
        let mut summary = Summary::default();
        (0..9).for_each(|i| {
            summary.add(&failure(i, "hunter2", "192.0.2.7"), AccountKind::Unknown, AccountKind::Existing)
        });
        assert!(
            worded(&summary, false, 280).starts_with("9 failed logins for an unknown user from 192.0.2.7")
        );
        assert!(worded(&summary, true, 280).starts_with("9 failed logins for unknown user \"hunter2\" from"));
    }

    #[test]
    fn unknown_names_are_listed_only_when_that_is_wished() {
        let mut summary = Summary::default();
        for i in 0..30 {
            summary.add(
                &failure(i, ["oracle", "test", "admin"][i as usize % 3], "192.0.2.7"),
                AccountKind::Unknown,
                AccountKind::Existing,
            );
        }
        assert_eq!(
            worded(&summary, false, 280),
            "30 failed logins for unknown users from 192.0.2.7 (sshd), Nov 23 12:01:47 to 12:02:16"
        );
        assert!(
            worded(&summary, true, 280).ends_with(". Unknown: \"admin\" ×10, \"oracle\" ×10, \"test\" ×10")
        );
    }

    #[test]
    fn less_room_means_fewer_names_and_never_a_lost_count() {
        let mut summary = Summary::default();
        for i in 0..500i64 {
            summary.add(
                &failure(i, &format!("user{}", i % 20), &format!("192.0.2.{}", i % 50)),
                AccountKind::Existing,
                AccountKind::Existing,
            );
        }
        let texts = [280, 200, 150, 130].map(|room| worded(&summary, false, room));
        assert!(texts.iter().map(|text| weight(text)).is_sorted_by(|a, b| a > b), "{texts:?}");
        // In little room what is worst comes before when.
        assert_eq!(
            texts[3],
            "500 failed logins from 50 sources (sshd). Among them: user19 from 192.0.2.49 Nov 23 12:10:06. \
             From: 192.0.2.0 ×10, 49 more ×490"
        );
        assert!(texts[0].contains(". Among them: user19 from 192.0.2.49 Nov 23 12:10:06. "), "{texts:?}");
        for text in texts {
            for clause in text.split(". ").skip(1).filter(|clause| !clause.starts_with("Among them")) {
                let counts = clause.split('×').skip(1);
                let counts = counts.map(|n| n.split(',').next().unwrap().parse::<u64>().unwrap());
                assert_eq!(counts.sum::<u64>(), 500, "{text}");
            }
        }
    }

    #[test]
    fn in_a_flood_beyond_counting_bounds_are_told_as_bounds() {
        let mut summary = Summary::default();
        for i in 0..20_000i64 {
            let rhost = if i % 4 == 0 { "192.0.2.7".into() } else { format!("2001:db8::{i:x}") };
            summary.add(&failure(i / 10, "root", &rhost), AccountKind::Root, AccountKind::Existing);
        }
        assert_eq!(
            worded(&summary, false, 280),
            "20,000 failed logins for root from more than 4,096 sources (sshd), Nov 23 12:01:47 to 12:35:06. \
             From: 192.0.2.7 ×5,000, over 4,095 more ×15,000"
        );
    }
}
