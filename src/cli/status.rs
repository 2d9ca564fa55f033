//! `authalert status`: how things stand.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use crate::config::{self, Config, ReceiverWord, Receivers};
use crate::credentials::Credentials;
use crate::deliver::status::{self, Status};
use crate::deliver::{Policy, human};
use crate::installation::{self, Line};
use crate::scan::ScanState;
use crate::zone::local as local_zone;

use super::Error;

/// Show the counters. Works with a configuration that cannot be used, and says so.
pub fn run(
    state: &Path,
    config: &Result<Config, config::Error>,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let defaults = Config::default();
    let (config, wrong) = match config {
        Ok(config) => (config, None),
        Err(e) => (&defaults, Some(e.to_string())),
    };
    let mut status = status::take(state, config).map_err(|e| {
        Error::Told(format!("cannot read the state in {}: {e}; run this as root", state.display()))
    })?;
    if wrong.is_some() {
        status.last_error = wrong;
    }
    let receiver = receiver(config);
    if let Err(why) = &receiver {
        status.last_error.get_or_insert_with(|| why.clone());
    }
    if let Some(why) = cannot_record(state) {
        status.last_error = Some(why);
    }
    let lines = installation::lines();
    if let Some(line) = lines.iter().find(|line| line.is_missing()) {
        status.last_error.get_or_insert_with(|| {
            let (module, file) = (&line.module, line.file.display());
            format!(
                "{module} is missing, which line {} of {file} names: nothing is caught there",
                line.number
            )
        });
    }
    let schedule = Policy::from(&config.alerts).schedule();
    let name = receiver.as_ref().map_or("none", |name| *name);
    if json {
        let mut object = serde_json::to_value(&status).map_err(|e| Error::Told(e.to_string()))?;
        if let Some(map) = object.as_object_mut() {
            map.insert("receiver".into(), name.into());
            map.insert("schedule".into(), schedule.into());
            map.insert("active_in".into(), lines.iter().map(|l| l.service.clone()).collect());
            if let Ok(scan) = ScanState::of(state, &config.scan) {
                map.insert("scan".into(), serde_json::to_value(scan).unwrap_or_default());
            }
        }
        writeln!(out, "{object}")?;
    } else {
        show(&status, name, &lines, &schedule, out)?;
        for line in ScanState::lines(state, &config.scan) {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

fn show(
    status: &Status,
    receiver: &str,
    lines: &[Line],
    schedule: &[String],
    out: &mut dyn Write,
) -> Result<(), Error> {
    let Status { recorded, posted, pending, ignored, aborted, posts, .. } = status;
    writeln!(
        out,
        "recorded  {recorded} = {posted} posted + {pending} pending + {ignored} ignored + {aborted} aborted"
    )?;
    writeln!(out, "posts     {posts}, to {receiver}")?;
    if let Some(post) = &status.last_post {
        let time = local_zone().to_datetime(post.time);
        writeln!(out, "last      {} ({} failures)", time.strftime("%Y-%m-%d %H:%M:%S"), post.failures)?;
    }
    if status.dropped > 0 {
        writeln!(out, "dropped   {} more found no room in the journal ([journal] max_size)", status.dropped)?;
    }
    if status.unreadable > 0 {
        writeln!(out, "damaged   {} line(s) of the journal could not be read", status.unreadable)?;
    }
    if let Some(why) = &status.last_error {
        writeln!(out, "error     {why}")?;
    }
    if let Some(seconds) = status.next_attempt_seconds {
        writeln!(
            out,
            "next      attempt {}",
            if seconds == 0 { "now".into() } else { format!("in {}", human(Duration::from_secs(seconds))) }
        )?;
    }
    match lines {
        [] => writeln!(out, "module    in no PAM service: nothing is caught at its source")?,
        lines => {
            let services: Vec<&str> = lines.iter().map(|l| l.service.as_str()).collect();
            writeln!(out, "module    in {}", services.join(", "))?;
        }
    }
    for (i, line) in schedule.iter().enumerate() {
        writeln!(out, "{}{line}", if i == 0 { "schedule  " } else { "          " })?;
    }
    Ok(())
}

/// Why the module finds no place for a record, where it runs with our rights.
fn cannot_record(state: &Path) -> Option<String> {
    if !state.is_dir() {
        return Some(format!(
            "the state directory {} is missing: nothing is recorded; 'authalert deliver' makes it",
            state.display()
        ));
    }
    match rustix::fs::access(state, rustix::fs::Access::WRITE_OK) {
        Ok(()) => None,
        Err(e) => {
            let why = std::io::Error::from(e);
            Some(format!("nothing can be recorded in {}: {why}", state.display()))
        }
    }
}

/// Where alerts go, or why nowhere.
fn receiver(config: &Config) -> Result<&'static str, String> {
    if config.receiver == Receivers::Word(ReceiverWord::Timeline) {
        return Ok("timeline");
    }
    match Credentials::load(&config.credentials_path()) {
        Ok(Some(_)) => Ok("x"),
        Ok(None) if config.receiver == Receivers::Word(ReceiverWord::X) => {
            Err("receiver = \"x\" and no credentials; run 'authalert authorize'".into())
        }
        Ok(None) => Ok("timeline"),
        Err(e) => Err(e.to_string()),
    }
}
