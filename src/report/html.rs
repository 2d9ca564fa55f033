//! A report as one page: no script, nothing fetched, light and dark, on paper too.
//!
//! By maud: what is put into a page is escaped where its type says that it is text, when the program is compiled; a
//! template engine does the same at run time, and a misspelt field shows then. What stands unescaped is [`STYLE`] and what
//! plotters drew of numbers, dates and our own words.

use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::days;
use super::numbers::Report;
use super::picture::{self, Picture};
use super::plain;
use super::tables::{ROWS, campaigns, counted, networks, of, receivers};
use super::words::{self, LONG_WEEKDAYS, number};

/// A bar a day for a year.
const STEPS: usize = 370;
/// Nothing may be loaded, and nothing run, whatever should get into the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
const STYLE: &str = include_str!("page.css");

/// The page. `open`: the tables behind the pictures are shown, as a mail program may show no picture.
pub(crate) fn page(report: &Report, machine: &str, zone: &TimeZone, open: bool) -> String {
    let title = format!("Failed logins on {}", where_it_was(report).as_deref().unwrap_or(machine));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (head(report, &title, zone))
                    (findings(report, zone))
                    @if report.failures > 0 {
                        (over_time(report, open))
                        (week(report, open))
                    }
                    (sources(report, zone))
                    (networks(report))
                    (counted("Countries", &report.by_country, report.by_country.len() as u64, zone))
                    @if report.failures > 0 {
                        (accounts(report, open))
                    }
                    (counted("Services", &report.by_service, report.by_service.len() as u64, zone))
                    @if report.by_host.len() > 1 {
                        (counted("Machines", &report.by_host, report.by_host.len() as u64, zone))
                    }
                    (campaigns(report, zone))
                    (receivers(report))
                    (foot(report))
                }
            }
        }
    };
    page.into_string()
}

/// The machines that the log of others tells of; none where something happened on this one.
fn where_it_was(report: &Report) -> Option<String> {
    let elsewhere: u64 = report.by_host.iter().map(|row| row.failures).sum();
    match report.by_host.as_slice() {
        _ if elsewhere < report.failures => None,
        [one] => one.name.clone(),
        several => (!several.is_empty()).then(|| format!("{} machines", several.len())),
    }
}

fn head(report: &Report, title: &str, zone: &TimeZone) -> Markup {
    let figures = [
        (report.failures, ["failed login", "failed logins"], false),
        (report.sources.distinct, ["source", "sources"], false),
        (report.logins, ["login", "logins"], false),
        (
            report.logins_after_failures,
            ["login after failures", "logins after failures"],
            report.logins_after_failures > 0,
        ),
    ];
    html! {
        header {
            h1 { bdi { (title) } }
            p { (words::period(report, zone)) "; read: " bdi { (report.read.join(", ")) } }
            // What is not in it is said before what is.
            @for note in &report.notes { p { bdi { (note) } } }
            ul.figures {
                @for (n, what, alarms) in figures {
                    li.alarm[alarms] { b { (number(n)) } " " (what[usize::from(n != 1)]) }
                }
            }
        }
    }
}

fn findings(report: &Report, zone: &TimeZone) -> Markup {
    html! {
        section {
            h2 { "Logins after failures" }
            @if report.findings.is_empty() {
                p { "None: nobody got in after so many failures that you should look." }
            } @else {
                ul.findings {
                    @for found in report.findings.iter().rev().take(ROWS) {
                        li { time { (words::minute(found.time, zone)) } " " bdi { (plain::finding(found)) } }
                    }
                }
            }
        }
    }
}

fn over_time(report: &Report, open: bool) -> Markup {
    let (unit, steps) = days::steps(&report.by_day, STEPS);
    let rows = steps.iter().filter(|step| step.failures > 0);
    html! {
        section {
            h2 { "By " (unit.name()) }
            (drawn(&format!("Failed logins by {}", unit.name()), picture::over_time(&steps)))
            (behind(open, &[unit.name(), "failed logins"], html! {
                @for step in rows { tr { td { (step.label) } td.n { (number(step.failures)) } } }
            }))
        }
    }
}

fn week(report: &Report, open: bool) -> Markup {
    let most = report.by_weekday.iter().flatten().copied().max().unwrap_or(0);
    html! {
        section {
            h2 { "By weekday and hour" }
            (drawn("Failed logins by weekday and hour, the darker the more", picture::week(&report.by_weekday)))
            p { small { "The strongest colour: " (words::counted(most, "failed login")) " in that hour, all weeks together." } }
            (behind(open, &["hour", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], html! {
                @for hour in 0..24 {
                    tr {
                        td { (format!("{hour:02}")) }
                        @for (day, _) in report.by_weekday.iter().zip(LONG_WEEKDAYS) { td.n { (number(day[hour])) } }
                    }
                }
            }))
        }
    }
}

fn sources(report: &Report, zone: &TimeZone) -> Markup {
    counted("Sources", &report.by_source, report.sources.distinct, zone)
}

fn accounts(report: &Report, open: bool) -> Markup {
    let kinds: Vec<(&str, u64)> =
        report.by_kind.iter().map(|row| (words::kind(row.kind), row.failures)).collect();
    html! {
        section {
            h2 { "Names that were tried" (of(report.by_account.len().min(ROWS), report.accounts.distinct)) }
            @if report.by_account.iter().any(|row| row.name.is_none()) {
                p {
                    "Names of no account on this machine are hidden: one of them may be a password that was typed in the "
                    "wrong field. " code { "authalert report --names" } " shows them in this page."
                }
            }
            (drawn("Failed logins by what the name is on this machine", picture::kinds(&kinds)))
            (behind(open, &["the name is", "failed logins"], html! {
                @for (kind, failures) in &kinds { tr { td { (kind) } td.n { (number(*failures)) } } }
            }))
            @if !report.by_account.is_empty() {
                div.scroll { table {
                    thead { tr { th { "name" } th.n { "failed logins" } th { "on this machine" } } }
                    tbody {
                        @for row in report.by_account.iter().take(ROWS) {
                            tr {
                                td.name { bdi { (words::name(row.name.as_deref(), words::ALL_HIDDEN)) } }
                                td.n { (words::at_least(row.failures, row.may_be_more)) }
                                td.fixed { (words::kind(row.kind)) }
                            }
                        }
                    }
                } }
            }
        }
    }
}

fn foot(report: &Report) -> Markup {
    html! {
        footer {
            p { (plain::beside(report)) }
            p { "Made by authalert." }
        }
    }
}

/// A picture with its title.
fn drawn(title: &str, picture: Option<Picture>) -> Markup {
    html! {
        @if let Some(picture) = picture {
            figure {
                svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label=(title)
                    viewBox=(format!("0 0 {} {}", picture.width, picture.height)) {
                    title { (title) }
                    (PreEscaped(picture.inner))
                }
            }
        }
    }
}

/// The table behind a picture.
fn behind(open: bool, head: &[&str], rows: Markup) -> Markup {
    html! {
        details open[open] {
            summary { "As a table" }
            div.scroll { table {
                thead { tr { @for (i, name) in head.iter().enumerate() { th.n[i > 0] { (name) } } } }
                tbody { (rows) }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::numbers::Counted;
    use super::super::tests::hostile;
    use super::*;

    #[test]
    fn what_attackers_wrote_is_text_also_where_it_is_shown() {
        let shown = page(&hostile(false), "srv<i>", &TimeZone::UTC, false);
        for markup in ["<script", "<img", "<svg onload", "<b>alert", "</title><b>", "srv<i>"] {
            assert!(!shown.contains(markup), "{markup}");
        }
        assert!(shown.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && shown.contains("hunter2"));
        assert!(!page(&hostile(true), "srv", &TimeZone::UTC, true).contains("hunter2"));
    }

    #[test]
    fn a_page_has_its_pictures_with_titles_and_tables_and_fetches_nothing() {
        let shown = page(&hostile(true), "srv", &TimeZone::UTC, false);
        assert_eq!(shown.matches("<svg").count(), 3);
        assert_eq!(shown.matches("role=\"img\"").count(), 3);
        assert_eq!(shown.matches("<details>").count(), 3);
        let fetched = ["src=", "url(", "@import", "http:", "https:", "<script"];
        let shown = shown.replace("http://www.w3.org/2000/svg", "");
        assert!(fetched.iter().all(|word| !shown.contains(word)));
    }

    #[test]
    fn the_title_names_the_machine_of_the_log() {
        let on = |hosts: &[(&str, u64)], failures: u64| {
            let by_host = hosts.iter().map(|(name, failures)| Counted {
                name: Some((*name).into()),
                failures: *failures,
                ..Counted::default()
            });
            let report = Report { failures, by_host: by_host.collect(), ..Report::default() };
            let shown = page(&report, "here", &TimeZone::UTC, false);
            shown.split_once("<title>").unwrap().1.split_once("</title>").unwrap().0.to_owned()
        };
        assert_eq!(on(&[("web1", 3)], 3), "Failed logins on web1");
        assert_eq!(on(&[("web1", 3), ("web2", 1)], 4), "Failed logins on 2 machines");
        assert_eq!(on(&[("web1", 3)], 4), "Failed logins on here");
        assert_eq!(on(&[], 0), "Failed logins on here");
    }

    #[test]
    fn what_is_not_in_it_is_said_before_the_figures() {
        let report = Report { notes: vec!["Not in it: a log".into()], ..hostile(true) };
        let shown = page(&report, "srv", &TimeZone::UTC, false);
        assert!(shown.find("Not in it") < shown.find("<ul"), "{shown}");
    }

    #[test]
    fn an_empty_history_gives_a_page_too() {
        let shown = page(&Report { names_hidden: true, ..Report::default() }, "srv", &TimeZone::UTC, false);
        assert!(shown.contains("no failure and no login") && !shown.contains("<svg"));
        // No table of nothing, and no word of names where none is hidden.
        assert!(!shown.contains("<table") && !shown.contains("are hidden"), "{shown}");
        assert!(page(&hostile(true), "srv", &TimeZone::UTC, false).contains("are hidden"));
    }
}
