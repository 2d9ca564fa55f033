//! `authalert check`: what is wrong with this installation; one line a finding.

use std::io::Write;
use std::path::Path;

use crate::check::{self, Level};
use crate::config::{self, Config};

use super::{Error, lines};

/// Show the findings; fails where one of them is an error.
pub fn run(
    state: &Path,
    config: &Result<Config, config::Error>,
    offline: bool,
    quiet: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let mut findings = check::check(state, config, !offline);
    // What is wrong stands last: that is what is on the screen.
    findings.sort_by_key(|finding| finding.level);
    for finding in findings.iter().filter(|f| !quiet || f.level > Level::Fine) {
        let word = match finding.level {
            Level::Fine => "ok",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        let fix = if finding.fix.is_empty() { String::new() } else { format!(" -> {}", finding.fix) };
        writeln!(out, "{}", lines::fitted(&format!("{word:8}{}{fix}", finding.what), 8))?;
    }
    match findings.iter().filter(|f| f.level == Level::Error).count() {
        0 => Ok(()),
        _ => Err(Error::Silent),
    }
}
