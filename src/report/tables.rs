//! The lists of a page, as tables: names with their counts, networks, campaigns, what was sent.

use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::numbers::{Counted, Report};
use super::plain;
use super::words::{self, number};

/// Rows of a list.
pub(super) const ROWS: usize = 25;

/// A list of names with their counts.
pub(super) fn counted(title: &str, rows: &[Counted], all: u64, zone: &TimeZone) -> Markup {
    let placed = rows.iter().any(|row| !words::place(row).is_empty());
    let timed = rows.iter().any(|row| row.first.is_some());
    let time = |time: Option<_>| time.map(|time| words::minute(time, zone)).unwrap_or_default();
    html! {
        @if !rows.is_empty() {
            section {
                h2 { (title) (of(rows.len().min(ROWS), all)) }
                div.scroll { table {
                    thead { tr {
                        th { "name" } th.n { "failed logins" }
                        @if timed { th.wide { "first" } th { "last" } }
                        @if placed { th { "where" } }
                    } }
                    tbody {
                        @for row in rows.iter().take(ROWS) {
                            tr {
                                td.name { bdi { (words::name(row.name.as_deref(), words::HIDDEN)) } }
                                td.n { (words::at_least(row.failures, row.may_be_more)) }
                                @if timed { td.fixed.wide { (time(row.first)) } td.fixed { (time(row.last)) } }
                                @if placed { td { (words::place(row)) } }
                            }
                        }
                    }
                } }
            }
        }
    }
}

pub(super) fn networks(report: &Report) -> Markup {
    let placed = report.by_network.iter().any(|row| !row.country.is_empty() || !row.operator.is_empty());
    html! {
        @if report.by_network.iter().any(|row| row.addresses > 2) {
            section {
                h2 { "Networks with several addresses" (of(report.by_network.len().min(ROWS), report.networks.distinct)) }
                div.scroll { table {
                    thead { tr { th { "network" } th.n { "failed logins" } th.n { "addresses" } @if placed { th { "where" } } } }
                    tbody {
                        @for row in report.by_network.iter().take(ROWS) {
                            tr {
                                td.name { (row.network) }
                                td.n { (words::at_least(row.failures, row.may_be_more)) }
                                td.n { (words::addresses(row)) }
                                @if placed { td { (row.country) " " (row.operator) } }
                            }
                        }
                    }
                } }
            }
        }
    }
}

pub(super) fn campaigns(report: &Report, zone: &TimeZone) -> Markup {
    html! {
        @if !report.campaigns.is_empty() {
            section {
                h2 { "Longest campaigns" }
                p { "Failures from one address or network without a pause of a day." }
                div.scroll { table {
                    thead { tr { th { "source" } th { "lasted" } th.n { "failed logins" } th.wide { "since" } th { "against" } } }
                    tbody {
                        @for row in &report.campaigns {
                            tr {
                                td.name { bdi { (row.source.as_deref().unwrap_or(words::HIDDEN)) } }
                                td.fixed { (words::duration(row.last.duration_since(row.first).as_secs())) }
                                td.n { (number(row.failures)) }
                                td.fixed.wide { (words::minute(row.first, zone)) }
                                td.name { bdi { (plain::against(row)) } }
                            }
                        }
                    }
                } }
            }
        }
    }
}

pub(super) fn receivers(report: &Report) -> Markup {
    html! {
        @if !report.receivers.is_empty() {
            section {
                h2 { "What was sent" }
                div.scroll { table {
                    thead { tr { th { "receiver" } th.n { "messages" } th.n { "failed logins in them" } } }
                    tbody {
                        @for row in &report.receivers {
                            tr { td.name { (row.name) } td.n { (number(row.messages)) } td.n { (number(row.failures)) } }
                        }
                    }
                } }
            }
        }
    }
}

/// ` 25 of 1,234`
pub(super) fn of(shown: usize, all: u64) -> Markup {
    html! { @if all > shown as u64 { small { " " (shown) " of " (number(all)) } } }
}
