//! A report in words alone, as a screen reader reads them: sentences, no drawing, no columns.

use std::io::{self, Write};

use jiff::tz::TimeZone;

use super::days;
use super::numbers::{Counted, Found, Lasting, Report, Sent};
use super::words::{self, LONG_WEEKDAYS, counted, number};

const ROWS: usize = 10;
const STEPS: usize = 31;

/// Write `report`.
pub(crate) fn write(report: &Report, zone: &TimeZone, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}, {}.", counted(report.failures, "failed login"), words::period(report, zone))?;
    writeln!(out, "Read: {}.", report.read.join(", "))?;
    writeln!(out, "{}", beside(report))?;
    for note in &report.notes {
        writeln!(out, "{note}")?;
    }
    if !report.findings.is_empty() {
        writeln!(out, "\nLogins after failures:")?;
        for found in report.findings.iter().rev().take(ROWS) {
            writeln!(out, "{}, {}.", words::minute(found.time, zone), finding(found))?;
        }
    }
    let (unit, steps) = days::steps(&report.by_day, STEPS);
    if !steps.is_empty() {
        writeln!(out, "\nFailed logins by {}:", unit.name())?;
    }
    for step in steps {
        writeln!(out, "{}: {}.", step.label, number(step.failures))?;
    }
    write_week(report, out)?;
    list("Sources", &report.by_source, report.sources.distinct, out)?;
    if !report.by_network.is_empty() {
        writeln!(out, "\nNetworks with several addresses, {} of them:", number(report.networks.distinct))?;
    }
    for row in report.by_network.iter().take(ROWS) {
        let failures = words::at_least(row.failures, row.may_be_more);
        writeln!(out, "{}: {failures}, from {} addresses.", row.network, words::addresses(row))?;
    }
    list("Countries", &report.by_country, report.by_country.len() as u64, out)?;
    if !report.by_account.is_empty() {
        writeln!(out, "\nNames that were tried, {} of them:", number(report.accounts.distinct))?;
    }
    for row in report.by_account.iter().take(ROWS) {
        let name = words::name(row.name.as_deref(), words::ALL_HIDDEN);
        let failures = words::at_least(row.failures, row.may_be_more);
        writeln!(out, "{name}: {failures}, {}.", words::kind(row.kind))?;
    }
    list("Services", &report.by_service, report.by_service.len() as u64, out)?;
    if !report.campaigns.is_empty() {
        writeln!(out, "\nLongest campaigns, each without a pause of a day:")?;
    }
    for row in report.campaigns.iter().take(ROWS) {
        writeln!(out, "{}.", campaign(row, zone))?;
    }
    if !report.receivers.is_empty() {
        writeln!(out, "\nWhat was sent:")?;
    }
    report.receivers.iter().try_for_each(|row| writeln!(out, "{}.", sent(row)))
}

/// Weekdays with their worst hour.
fn write_week(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if report.failures == 0 {
        return Ok(());
    }
    writeln!(out, "\nFailed logins by weekday:")?;
    for (weekday, hours) in LONG_WEEKDAYS.iter().zip(&report.by_weekday) {
        let all: u64 = hours.iter().sum();
        let worst = hours.iter().enumerate().max_by_key(|(hour, count)| (**count, std::cmp::Reverse(*hour)));
        match worst {
            Some((hour, count)) if *count > 0 => writeln!(
                out,
                "{weekday}: {}, most from {hour:02}:00 to {:02}:00: {}.",
                number(all),
                hour + 1,
                number(*count)
            )?,
            _ => writeln!(out, "{weekday}: none.")?,
        }
    }
    Ok(())
}

fn list(title: &str, rows: &[Counted], all: u64, out: &mut dyn Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}, {} of them:", number(all))?;
    for row in rows.iter().take(ROWS) {
        let place = words::place(row);
        let place = if place.is_empty() { place } else { format!(", {place}") };
        let failures = words::at_least(row.failures, row.may_be_more);
        writeln!(out, "{}: {failures}{place}.", words::name(row.name.as_deref(), words::HIDDEN))?;
    }
    Ok(())
}

/// What there is beside the failures.
pub(super) fn beside(report: &Report) -> String {
    let mut text = match (report.logins, report.logins_after_failures) {
        (0, _) => "No logins.".to_owned(),
        (1, 0) => "1 login, not after so many failures that you should look.".to_owned(),
        (1, _) => "1 login, after so many failures that you should look.".to_owned(),
        (logins, after) => format!(
            "{} logins, {} of them after so many failures that you should look.",
            number(logins),
            if after == 0 { "none".to_owned() } else { number(after) }
        ),
    };
    if report.aborted > 0 {
        text += &format!(" {} aborted.", number(report.aborted));
    }
    if report.tests > 0 {
        text += &format!(" {} by root's own tests.", counted(report.tests, "failure"));
    }
    text
}

/// `break-in?: root from 192.0.2.7 through sshd after 37 failed logins`
pub(super) fn finding(found: &Found) -> String {
    let mut text = format!(
        "{}: {}",
        words::verdict(found.verdict, found.proven),
        found.account.as_deref().unwrap_or("(a hidden name)")
    );
    let from = if found.is_by { "by" } else { "from" };
    for (word, value) in [(from, found.source.as_deref()), ("through", found.service.as_deref())] {
        if let Some(value) = value {
            text += &format!(" {word} {value}");
        }
    }
    if !found.host.is_empty() {
        text += &format!(" on {}", found.host);
    }
    text + &format!(" after {}", counted(found.failures, "failed login"))
}

/// `192.0.2.7: 3 d 4 h, 12,345 failures since 2026-01-05 12:00, against root, admin and others`
pub(super) fn campaign(row: &Lasting, zone: &TimeZone) -> String {
    format!(
        "{}: {}, {} since {}, against {}",
        row.source.as_deref().unwrap_or(words::HIDDEN),
        words::duration(row.last.duration_since(row.first).as_secs()),
        counted(row.failures, "failure"),
        words::minute(row.first, zone),
        against(row)
    )
}

pub(super) fn against(row: &Lasting) -> String {
    let names: Vec<&str> = row.accounts.iter().map(|name| words::name(Some(name), words::HIDDEN)).collect();
    match (names.as_slice(), row.more_accounts) {
        ([], _) => "names that are not listed".into(),
        (names, true) => format!("{} and others", names.join(", ")),
        (names, false) => names.join(", "),
    }
}

pub(super) fn sent(row: &Sent) -> String {
    format!("{}: {} about {}", row.name, counted(row.messages, "message"), counted(row.failures, "failure"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::hostile;
    use super::*;

    #[test]
    fn logins_are_said_as_a_person_says_it() {
        let said = |logins, logins_after_failures| {
            beside(&Report { logins, logins_after_failures, ..Report::default() })
        };
        let after = "so many failures that you should look.";
        assert_eq!(said(0, 0), "No logins.");
        assert_eq!(said(1, 0), format!("1 login, not after {after}"));
        assert_eq!(said(1, 1), format!("1 login, after {after}"));
        assert_eq!(said(1234, 0), format!("1,234 logins, none of them after {after}"));
        assert_eq!(said(1234, 2), format!("1,234 logins, 2 of them after {after}"));
    }

    #[test]
    fn a_screen_reader_meets_words_and_no_drawing() {
        let mut out = Vec::new();
        write(&hostile(true), &TimeZone::UTC, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.chars().any(|c| ('\u{2500}'..'\u{2600}').contains(&c) || c == '\x1b' || c == '\t'));
        assert!(text.contains("failed logins by") || text.contains("Failed logins by day"), "{text}");
        assert!(text.contains("Longest campaigns") && text.contains("break-in?"), "{text}");
    }
}
