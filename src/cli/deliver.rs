//! `authalert deliver`: one delivery pass.

use std::io::Write;
use std::path::Path;

use crate::deliver::{Order, Report, Setting, deliver};

use super::Error;

/// Send what is due, and say what was sent and what waits.
pub fn run(state: &Path, config: Option<&Path>, now: bool, out: &mut dyn Write) -> Result<(), Error> {
    let order = Order {
        state: state.into(),
        config: config.map(Into::into),
        setting: Setting::Command,
        at_once: now,
    };
    let report = deliver(&order).map_err(|e| Error::Told(e.to_string()))?;
    show(&report, out)
}

/// What a pass did, for a person.
pub fn show(report: &Report, out: &mut dyn Write) -> Result<(), Error> {
    for (_, text) in &report.sent {
        writeln!(out, "{text}")?;
    }
    if report.busy {
        writeln!(out, "another delivery pass is running; it sees to everything")?;
        return Ok(());
    }
    if let Some(why) = &report.trouble {
        return Err(Error::Told(match report.next {
            Some(next) => format!("{why}; next attempt in {}", crate::deliver::human(next)),
            None => why.clone(),
        }));
    }
    if report.pending > 0 {
        let next = report.next.map(|n| format!(" in {}", crate::deliver::human(n))).unwrap_or_default();
        writeln!(out, "{} failure(s) wait for the next alert{next}", report.pending)?;
    }
    Ok(())
}
