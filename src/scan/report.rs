//! What a scan prints: rows as JSON or text, and a summary for a person.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

use foldhash::fast::RandomState;
use jiff::Timestamp;
use serde::Serialize;

use super::attempts::Row;
use super::{ScanReport, Uncounted};
use crate::message::counted;

/// Lines of a summary's table.
const SHOWN: usize = 10;
/// Different sources that a summary tells apart; more are counted together.
const COUNTED: usize = 10_000;

/// How rows are printed.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// One JSON object a row.
    pub json: bool,
    /// Rows among explained lines.
    pub explain: bool,
}

/// A row of `scan --json`.
#[derive(Serialize)]
struct Json<'a> {
    time: Timestamp,
    host: &'a str,
    service: &'a str,
    pid: u32,
    user: &'a str,
    rhost: &'a str,
    ruser: &'a str,
    tty: &'a str,
    class: &'a str,
    count: u32,
    file: &'a str,
    line: u64,
}

impl Style {
    /// Print a row that is not recorded, as the module saw no such attempt.
    pub fn doubt(&self, out: &mut dyn Write, file: &Path, row: &Row) -> io::Result<()> {
        if self.explain {
            self.row(out, file, row, row.count)?;
            writeln!(
                out,
                "    not recorded: the module records in {}, and saw no such attempt",
                row.service
            )?;
        }
        Ok(())
    }

    /// Print a row as `count` attempts.
    pub fn row(&self, out: &mut dyn Write, file: &Path, row: &Row, count: u32) -> io::Result<()> {
        let time = Timestamp::from_microsecond(row.time).unwrap_or(Timestamp::UNIX_EPOCH);
        if self.json {
            let json = Json {
                time,
                host: &row.host,
                service: &row.service,
                pid: row.pid,
                user: &row.user,
                rhost: &row.rhost,
                ruser: &row.ruser,
                tty: &row.tty,
                class: &row.class,
                count,
                file: &file.to_string_lossy(),
                line: row.place.line,
            };
            serde_json::to_writer(&mut *out, &json)?;
            return out.write_all(b"\n");
        }
        if self.explain {
            writeln!(
                out,
                "  = {count} x {} {} user={} rhost={} (line {})",
                row.service, row.class, row.user, row.rhost, row.place.line
            )?;
        }
        Ok(())
    }
}

/// Who failed how often.
#[derive(Debug, Default)]
pub struct Summary {
    attempts: u64,
    rows: HashMap<String, (u64, i64, i64), RandomState>,
    key: String,
}

impl Summary {
    /// Count a row.
    pub fn add(&mut self, row: &Row) {
        self.attempts += u64::from(row.count);
        let from = if row.rhost.is_empty() { "this machine" } else { &row.rhost };
        self.key.clear();
        for part in [&row.service, " from ", from] {
            self.key.push_str(part);
        }
        let count = |(count, first, last): &mut (u64, i64, i64)| {
            *count += u64::from(row.count);
            (*first, *last) = ((*first).min(row.time), (*last).max(row.time));
        };
        if let Some(known) = self.rows.get_mut(&self.key) {
            return count(known);
        }
        if self.rows.len() >= COUNTED {
            "others".clone_into(&mut self.key);
        }
        count(self.rows.entry(self.key.clone()).or_insert((0, row.time, row.time)));
    }

    /// The most frequent, and the total.
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{} failed attempt{}", self.attempts, if self.attempts == 1 { "" } else { "s" })?;
        let mut rows: Vec<_> = self.rows.iter().collect();
        rows.sort_by_key(|(key, (count, ..))| (std::cmp::Reverse(*count), (*key).clone()));
        for (what, (count, first, last)) in rows.iter().take(SHOWN) {
            let zone = crate::zone::local();
            let day =
                |t: i64| zone.to_datetime(Timestamp::from_microsecond(t).unwrap_or(Timestamp::UNIX_EPOCH));
            let (first, last) = (day(*first).strftime("%F %T"), day(*last).strftime("%F %T"));
            writeln!(out, "{count:>8}  {what}, {first} to {last}")?;
        }
        let more = rows.len().saturating_sub(SHOWN);
        if more > 0 {
            writeln!(out, "          and {more} more sources")?;
        }
        Ok(())
    }
}

/// How many lines hold words of an attempt and count for nothing.
pub fn uncounted(out: &mut dyn Write, lines: Uncounted) -> io::Result<()> {
    lines.sentences().iter().try_for_each(|sentence| writeln!(out, "{sentence}"))
}

/// The last line of a pass.
pub fn closing(out: &mut dyn Write, report: &ScanReport, dry_run: bool) -> io::Result<()> {
    for note in &report.notes {
        writeln!(out, "{note}")?;
    }
    if report.doubted > 0 {
        writeln!(
            out,
            "{} not recorded: the module records in these services, and saw no such attempt",
            report.doubted
        )?;
    }
    if report.logins > 0 {
        writeln!(out, "{} after failures", counted(report.logins, "login"))?;
    }
    let verb = if dry_run { "to record" } else { "recorded" };
    let seen = report.found - report.recorded;
    writeln!(
        out,
        "{} {verb}, {seen} recorded before, {} waiting for the next pass ({})",
        report.recorded,
        report.open,
        report.sources.join(", ")
    )?;
    uncounted(out, report.uncounted)
}
