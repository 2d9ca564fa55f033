//! Counted names as a list, and the others as a number.

use super::reveal::{HELPER, Reveal};
use super::single::SHOWN;
use super::summary::{Summary, UNKNOWN_ADDRESS};
use super::tally::{Counted, Distinct, Tally};
use super::time::{counted, number};
use super::weight::cut;

/// The most frequent names with their counts, and the others as a number, with `noun` (` account`) if
/// there is one.
pub(super) fn listed<const N: usize, const B: usize, const S: usize>(
    tally: &Tally<N, B, S>,
    most: usize,
    noun: &str,
    show: impl Fn(&str) -> String,
) -> Vec<String> {
    // A lower bound that is nothing beside the sum says only that names came and went.
    let worth = |counted: &Counted<'_>| counted.exact || counted.count >= tally.total() / 100;
    let mut ranking: Vec<_> = tally.ranking().into_iter().filter(worth).collect();
    ranking.sort_by_key(|counted| counted.name == HELPER);
    let shown: Vec<_> = ranking.into_iter().take(most).collect();
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
    let named: u64 = shown.iter().map(|counted| counted.count).sum();
    let left = tally.total().saturating_sub(named);
    let (left_names, more) = match tally.distinct() {
        Distinct::Exactly(n) => (n.saturating_sub(shown.len() as u64), ""),
        Distinct::MoreThan(n) => (n.saturating_sub(shown.len() as u64), "over "),
    };
    if left_names > 0 {
        // With counts that are lower bounds, what is left is an upper bound.
        let at_most = if shown.iter().all(|c| c.exact) { "" } else { "up to " };
        let plural = if noun.is_empty() || left_names == 1 { "" } else { "s" };
        list.push(format!("{more}{} more{noun}{plural} ×{at_most}{}", number(left_names), number(left)));
    }
    list
}

/// ` from 192.0.2.7`, ` from 139 sources and this machine`; without `reveal` no name.
pub(super) fn origin(summary: &Summary, reveal: Option<Reveal>) -> String {
    let sources = summary.sources();
    let remote = match (sole(sources), reveal) {
        _ if sources.is_empty() => None,
        (Some(only), Some(reveal)) => Some(cut(reveal.remote(only).unwrap_or(UNKNOWN_ADDRESS), SHOWN)),
        _ => Some(distinct(sources.distinct(), "source")),
    };
    match (remote, summary.local()) {
        (None, 0) => String::new(),
        (None, _) if machines(summary) > 1 => format!(" at {}", itself(summary)),
        (None, _) => " at this machine itself".into(),
        (Some(remote), 0) => format!(" from {remote}"),
        (Some(remote), _) => format!(" from {remote} and {}", itself(summary)),
    }
}

/// How many sources there are at least, this machine counted as one.
pub(super) fn places(summary: &Summary) -> u64 {
    summary.sources().distinct().at_least() + u64::from(summary.local() > 0)
}

/// What stands for the place of failures that came over no network.
pub(super) fn itself(summary: &Summary) -> &'static str {
    if machines(summary) > 1 { "the machines themselves" } else { "this machine" }
}

/// On how many machines it happened at least.
pub(super) fn machines(summary: &Summary) -> u64 {
    let here = summary.failures() > summary.hosts().total();
    summary.hosts().distinct().at_least() + u64::from(here)
}

fn distinct(distinct: Distinct, word: &str) -> String {
    match distinct {
        Distinct::Exactly(n) => counted(n, word),
        Distinct::MoreThan(n) => format!("more than {}", counted(n, word)),
    }
}

/// `3 system accounts ×12`, if there is any.
pub(super) fn in_all<const N: usize, const B: usize, const S: usize>(
    tally: &Tally<N, B, S>,
    noun: &str,
    whose: &str,
) -> Option<String> {
    let all = || format!("{}{whose} ×{}", distinct(tally.distinct(), noun), number(tally.total()));
    (!tally.is_empty()).then(all)
}

/// The name, if there was only one.
pub(super) fn sole<const N: usize, const B: usize, const S: usize>(tally: &Tally<N, B, S>) -> Option<&str> {
    match (tally.ranking().as_slice(), tally.distinct()) {
        ([only], Distinct::Exactly(1)) => Some(only.name),
        _ => None,
    }
}
