//! `authalert deliver`: one delivery pass.

use std::io::Write;
use std::path::Path;

use crate::check;
use crate::config::Config;
use crate::deliver::{Context, Report, Request, Serve, Served, deliver, human, next_attempt, wait_for_burst};

use crate::report::weekly;

use super::Error;

/// Send what is due, and say what was sent and what waits. `settling`: first let what is going on come to an end.
pub fn run(
    state: &Path,
    config: Option<&Path>,
    now: bool,
    serve: Serve,
    settling: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    if settling {
        wait_for_burst(state);
    }
    // What cannot be read is told by the pass itself.
    let watch = Config::load(config).ok().map(|config| check::look(state, &config));
    let request = Request {
        at_once: now,
        serve,
        watch,
        page: Some(weekly::page),
        ..Request::new(state, config, Context::Command)
    };
    let report = deliver(&request).map_err(|e| Error::Failed(e.to_string()))?;
    show(&report, state, out)
}

/// What a pass did, for a person. An error where something that should have gone out did not.
pub fn show(report: &Report, state: &Path, out: &mut dyn Write) -> Result<(), Error> {
    for (number, served) in report.receivers.iter().enumerate() {
        for (_, text) in &served.sent {
            match number {
                0 => writeln!(out, "{text}")?,
                _ => writeln!(out, "{}: {text}", served.name)?,
            }
        }
    }
    for served in &report.receivers {
        for number in &served.skipped {
            writeln!(
                out,
                "{}: nobody knows whether message {number} arrived, and it is not repeated (after_unknown)",
                served.name
            )?;
        }
    }
    if !report.receivers.is_empty() && report.receivers.iter().all(|served| served.busy) {
        writeln!(out, "another delivery pass is running; it sees to everything")?;
        return Ok(());
    }
    for served in report.receivers.iter().filter(|served| served.busy) {
        writeln!(out, "{}: another delivery pass is at it", served.name)?;
    }
    let wrong: Vec<String> = report.receivers.iter().filter_map(|served| wrong(served, state)).collect();
    if !wrong.is_empty() {
        return Err(Error::Failed(wrong.join("\n")));
    }
    for served in report.receivers.iter().filter(|served| served.pending > 0) {
        let next = served.next.map(|next| format!(" in {}", human(next))).unwrap_or_default();
        let Served { name, pending, .. } = served;
        let s = if *pending == 1 { " waits" } else { "s wait" };
        writeln!(out, "{name}: {pending} failure{s} for the next alert{next}")?;
    }
    Ok(())
}

/// Why something that should have gone out to a receiver did not.
fn wrong(served: &Served, state: &Path) -> Option<String> {
    let name = &served.name;
    if let Some(why) = &served.error {
        return Some(format!("{name}: cannot use the state in {}: {why}", state.display()));
    }
    if let Some(why) = &served.outage {
        let next = served.next.map(|next| format!("; next attempt {}", next_attempt(next.as_secs())));
        let next = next.unwrap_or_default();
        return Some(format!("{name}: {why}{next}"));
    }
    served.forbidden.map(|wait| {
        format!(
            "{name}: nothing is sent, as it was asked too often lately (however its answers were); in {} it may be \
             asked again",
            human(wait)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_skipped_is_not_shown_as_delivered() {
        let served = |name: &str, sent: &[(u64, &str)], skipped: &[u64]| Served {
            name: name.into(),
            sent: sent.iter().map(|(number, text)| (*number, (*text).to_owned())).collect(),
            skipped: skipped.into(),
            ..Served::default()
        };
        let report = Report {
            receivers: vec![served("sms", &[(8, "eight")], &[7]), served("timeline", &[(3, "three")], &[])],
        };
        let mut out = Vec::new();
        show(&report, Path::new("/var/lib/authalert"), &mut out).unwrap();
        let unknown = "sms: nobody knows whether message 7 arrived, and it is not repeated (after_unknown)";
        assert_eq!(String::from_utf8(out).unwrap(), format!("eight\ntimeline: three\n{unknown}\n"));
    }
}
