//! The wording of an alert that covers many failures: how many, from where, which accounts, when,
//! and the number of whatever was left out.

use super::harmless::harmless;
use super::single::{Names, alike, among, item, quoted, sentence};
use super::summary::{Sample, Summary};
use super::tally::{Counted, Distinct, Tally};
use super::time::{Clock, counted, number};
use super::weight::{cut, weight};

/// How many names of each kind are listed.
#[derive(Clone, Copy, Debug, Default)]
struct Detail {
    notable: bool,
    accounts: usize,
    system: usize,
    strangers: usize,
    sources: usize,
    services: usize,
}

/// In which order details are added while there is room.
const WISHES: [fn(&mut Detail); 19] = [
    |d| d.notable = true,
    |d| d.accounts = 1,
    |d| d.system = 1,
    |d| d.sources = 1,
    |d| d.accounts = 2,
    |d| d.system = 2,
    // Naming the last of a kind takes less room than counting it: what did not fit may fit now.
    |d| d.sources = d.sources.max(1),
    |d| d.services = 2,
    |d| d.accounts = 3,
    |d| d.sources = 2,
    |d| d.strangers = 1,
    |d| d.accounts = 4,
    |d| d.sources = 3,
    |d| d.services = 3,
    |d| d.strangers = 2,
    |d| d.accounts = 6,
    |d| d.sources = 5,
    |d| d.strangers = 4,
    |d| d.system = 4,
];

/// What there is to tell of `summary`, as much as fits in `room`. Not cut: for a room below
/// about 150 it may be longer.
pub(super) fn wording(summary: &Summary, clock: &Clock<'_>, names: Names, room: usize) -> String {
    let fits = |text: &String| weight(&harmless(text)) <= room;
    let lost = lost(summary);
    if let Some(text) = few(summary, clock, names, &lost).into_iter().find(fits) {
        return text;
    }
    let mut detail = Detail::default();
    let mut best = many(summary, clock, names, detail, &lost);
    for wish in WISHES {
        let mut wished = detail;
        wish(&mut wished);
        let text = many(summary, clock, names, wished, &lost);
        if fits(&text) {
            (detail, best) = (wished, text);
        }
    }
    best
}

/// Counts alone, without a character that an attacker chose.
pub(super) fn counts(summary: &Summary, clock: &Clock<'_>) -> String {
    let mut text = counted(summary.failures(), "failed login");
    text.push_str(&origin(summary, false));
    text.push_str(&when(summary, clock, ", "));
    let known = [
        in_all(summary.accounts(), "account", " of this machine"),
        in_all(summary.system(), "system account", ""),
    ];
    for all in known.into_iter().flatten() {
        text.push_str(&format!(". {all}"));
    }
    if !summary.strangers().is_empty() {
        text.push_str(&format!(". Unknown users ×{}", number(summary.strangers().total())));
    }
    text.push_str(&lost(summary));
    text
}

/// The records one by one, if they are few: the fullest form first.
fn few(summary: &Summary, clock: &Clock<'_>, names: Names, lost: &str) -> Vec<String> {
    let Some((first, rest)) = summary.few().split_first() else { return Vec::new() };
    if rest.iter().all(|told| alike(told, first)) {
        // Several processes: none of them stands for all.
        let same = rest.iter().all(|told| told.pid == first.pid);
        let told = if same { first.clone() } else { Sample { pid: 0, ..first.clone() } };
        let text = sentence(&told, summary.failures(), names);
        return vec![format!("{text}{}{lost}", when(summary, clock, " "))];
    }
    let list = |with_process| {
        let items: Vec<String> = summary
            .few()
            .iter()
            .map(|told| format!("{} {}", item(told, names, with_process), clock.time(told.time)))
            .collect();
        format!("{}: {}{lost}", counted(summary.failures(), "failed login"), items.join("; "))
    };
    vec![list(true), list(false)]
}

fn many(summary: &Summary, clock: &Clock<'_>, names: Names, detail: Detail, lost: &str) -> String {
    let (accounts, system, strangers) = (summary.accounts(), summary.system(), summary.strangers());
    let mut text = counted(summary.failures(), "failed login");
    let only = match (sole(accounts), sole(system), strangers.is_empty()) {
        (Some(only), _, true) if system.is_empty() => Some(cut(only, 32)),
        (_, Some(only), true) if accounts.is_empty() => Some(cut(only, 32)),
        (_, _, false) if accounts.is_empty() && system.is_empty() => Some(match sole(strangers) {
            Some(only) if names.unknown && !only.is_empty() => format!("unknown user {}", quoted(only)),
            Some(_) => "an unknown user".into(),
            None => "unknown users".into(),
        }),
        _ => None,
    };
    if let Some(only) = &only {
        text.push_str(&format!(" for {only}"));
    }
    text.push_str(&origin(summary, true));
    if let Some(service) = sole(summary.services()).filter(|name| !name.is_empty()) {
        text.push_str(&format!(" ({})", cut(service, 32)));
    }
    text.push_str(&when(summary, clock, ", "));

    let mut clauses = Vec::new();
    if let Some(told) = summary.notable().filter(|_| detail.notable && says_more(summary, only.is_some())) {
        // From where, and who asked: the counts below do not say it of a single one.
        clauses.push(format!("Among them: {} {}", among(told, names), clock.time(told.time)));
    }
    if only.is_none() {
        let mut list = Vec::new();
        let show = |name: &str| cut(name, 32);
        let kinds = [
            (
                listed(accounts, detail.accounts, "more accounts", show),
                in_all(accounts, "account", " of this machine"),
            ),
            (listed(system, detail.system, "more", show), in_all(system, "system account", "")),
        ];
        for (names, all) in kinds {
            if names.is_empty() { list.extend(all) } else { list.extend(names) }
        }
        if !strangers.is_empty() {
            list.push(format!("unknown users ×{}", number(strangers.total())));
        }
        if !list.is_empty() {
            clauses.push(format!("Tried: {}", list.join(", ")));
        }
    }
    if names.unknown && detail.strangers > 0 && (only.is_none() || sole(strangers).is_none()) {
        let list = listed(strangers, detail.strangers, "more", quoted);
        if !list.is_empty() {
            clauses.push(format!("Unknown: {}", list.join(", ")));
        }
    }
    let places = summary.sources().distinct().at_least() + u64::from(summary.local() > 0);
    if detail.sources > 0 && places > 1 {
        let here = (summary.local() > 0).then(|| format!("this machine ×{}", number(summary.local())));
        let list = listed(summary.sources(), detail.sources, "more", |name| cut(name, 40));
        let list: Vec<_> = here.into_iter().chain(list).collect();
        if !list.is_empty() {
            clauses.push(format!("From: {}", list.join(", ")));
        }
    }
    if detail.services > 0 && summary.services().distinct().at_least() > 1 {
        let list = listed(summary.services(), detail.services, "more", |name| cut(name, 32));
        if !list.is_empty() {
            clauses.push(format!("By: {}", list.join(", ")));
        }
    }
    for clause in clauses {
        text.push_str(". ");
        text.push_str(&clause);
    }
    text + lost
}

/// Whether the notable failure is not all that there is.
fn says_more(summary: &Summary, one_account: bool) -> bool {
    let places = summary.sources().distinct().at_least() + u64::from(summary.local() > 0);
    !one_account || places > 1 || summary.local() > 0
}

/// The most frequent names with their counts, and the others as a number.
fn listed<const N: usize, const B: usize, const S: usize>(
    tally: &Tally<N, B, S>,
    most: usize,
    others: &str,
    show: impl Fn(&str) -> String,
) -> Vec<String> {
    // A lower bound that is nothing beside the sum says only that names came and went.
    let worth = |counted: &Counted<'_>| counted.exact || counted.count >= tally.total() / 100;
    let shown: Vec<_> = tally.ranking().into_iter().filter(worth).take(most).collect();
    if shown.is_empty() {
        return Vec::new();
    }
    let mut list: Vec<String> = shown
        .iter()
        .map(|Counted { name, count, exact }| {
            let name = if name.is_empty() { "(none)".into() } else { show(name) };
            format!("{name} ×{}{}", number(*count), if *exact { "" } else { " or more" })
        })
        .collect();
    let told: u64 = shown.iter().map(|counted| counted.count).sum();
    let left = tally.total().saturating_sub(told);
    let (left_names, more) = match tally.distinct() {
        Distinct::Exactly(n) => (n.saturating_sub(shown.len() as u64), ""),
        Distinct::MoreThan(n) => (n.saturating_sub(shown.len() as u64), "over "),
    };
    if left_names > 0 {
        // With counts that are lower bounds, what is left is an upper bound.
        let at_most = if shown.iter().all(|c| c.exact) { "" } else { "up to " };
        list.push(format!("{more}{} {others} ×{at_most}{}", number(left_names), number(left)));
    }
    list
}

/// ` from 192.0.2.7`, ` from 139 sources and this machine`.
fn origin(summary: &Summary, with_name: bool) -> String {
    let sources = summary.sources();
    let remote = match sole(sources) {
        _ if sources.is_empty() => None,
        Some(only) if with_name => Some(cut(only, 45)),
        _ => Some(told_distinct(sources.distinct(), "source")),
    };
    match (remote, summary.local()) {
        (None, 0) => String::new(),
        (None, _) => " at this machine itself".into(),
        (Some(remote), 0) => format!(" from {remote}"),
        (Some(remote), _) => format!(" from {remote} and this machine"),
    }
}

fn told_distinct(distinct: Distinct, word: &str) -> String {
    match distinct {
        Distinct::Exactly(n) => counted(n, word),
        Distinct::MoreThan(n) => format!("more than {}", counted(n, word)),
    }
}

/// `3 system accounts ×12`, if there is any.
fn in_all<const N: usize, const B: usize, const S: usize>(
    tally: &Tally<N, B, S>,
    noun: &str,
    whose: &str,
) -> Option<String> {
    let all = || format!("{}{whose} ×{}", told_distinct(tally.distinct(), noun), number(tally.total()));
    (!tally.is_empty()).then(all)
}

/// The name, if there was only one.
fn sole<const N: usize, const B: usize, const S: usize>(tally: &Tally<N, B, S>) -> Option<&str> {
    match (tally.ranking().as_slice(), tally.distinct()) {
        ([only], Distinct::Exactly(1)) => Some(only.name),
        _ => None,
    }
}

fn when(summary: &Summary, clock: &Clock<'_>, before: &str) -> String {
    match (summary.first(), summary.last()) {
        (Some(first), Some(last)) => format!("{before}{}", clock.span(first, last)),
        _ => format!("{before}{}", clock.time(clock.now)),
    }
}

/// What is missing from the counts, told as numbers.
fn lost(summary: &Summary) -> String {
    let mut text = String::new();
    if summary.dropped() > 0 {
        let verb = if summary.dropped() == 1 { "was" } else { "were" };
        text.push_str(&format!(". {} more {verb} not recorded", number(summary.dropped())));
    }
    if summary.unreadable() > 0 {
        text.push_str(&format!(". {} could not be read", counted(summary.unreadable(), "record")));
    }
    text
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::super::summary::tests::failure;
    use super::*;
    use crate::accounts::AccountKind;

    fn told(summary: &Summary, unknown: bool, room: usize) -> String {
        let clock = Clock { zone: &TimeZone::UTC, now: failure(3600 * 24, "", "").time };
        wording(summary, &clock, Names { unknown }, room)
    }

    #[test]
    fn what_there_is_one_of_is_said_once() {
        let mut summary = Summary::default();
        (0..9).for_each(|i| {
            summary.add(&failure(i, "alice", "192.0.2.7"), AccountKind::Existing, AccountKind::Existing)
        });
        assert_eq!(
            told(&summary, false, 280),
            "9 failed logins for alice from 192.0.2.7 (sshd), Nov 23 12:01:47 to 12:01:55"
        );
        let mut summary = Summary::default();
        (0..9).for_each(|i| {
            summary.add(&failure(i, "hunter2", "192.0.2.7"), AccountKind::Unknown, AccountKind::Existing)
        });
        assert!(told(&summary, false, 280).starts_with("9 failed logins for an unknown user from 192.0.2.7"));
        assert!(told(&summary, true, 280).starts_with("9 failed logins for unknown user \"hunter2\" from"));
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
            told(&summary, false, 280),
            "30 failed logins for unknown users from 192.0.2.7 (sshd), Nov 23 12:01:47 to 12:02:16"
        );
        assert!(
            told(&summary, true, 280).ends_with(". Unknown: \"admin\" ×10, \"oracle\" ×10, \"test\" ×10")
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
        let texts = [280, 200, 150, 130].map(|room| told(&summary, false, room));
        assert!(texts.iter().map(|text| weight(text)).is_sorted_by(|a, b| a > b), "{texts:?}");
        assert!(texts[3].ends_with("Tried: user0 ×25, user1 ×25, 18 more accounts ×450"), "{texts:?}");
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
            told(&summary, false, 280),
            "20,000 failed logins for root from more than 4,096 sources (sshd), Nov 23 12:01:47 to 12:35:06. \
             From: 192.0.2.7 ×5,000, over 4,095 more ×15,000"
        );
    }
}
