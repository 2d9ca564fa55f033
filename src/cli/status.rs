//! `authalert status`: how things stand.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use crate::check::{self, Finding, Level};
use crate::config::{self, Config};
use crate::deliver::status::{self, Counters, Named, Status};
use crate::deliver::{Policy, next_attempt};
use crate::detect;
use crate::installation::{self, Line};
use crate::message::counted;
use crate::report::prometheus::{self, Beside};
use crate::scan::{ScanState, last_pass};
use crate::storage::{self, plain};
use crate::zone::local as local_zone;

use super::{Error, cannot, lines};

/// Columns of what a line is about.
const INDENT: usize = 10;

/// How the counters are shown.
#[derive(Clone, Copy, Debug)]
pub enum Form<'a> {
    /// For a person.
    Text,
    /// One JSON object.
    Json,
    /// As metrics, to the standard output or into a file.
    Prometheus(Option<&'a Path>),
}

/// Show the counters. Works with a configuration that cannot be used, and says so.
pub fn run(
    state: &Path,
    config: &Result<Config, config::Error>,
    form: Form<'_>,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let defaults = Config::default();
    let (config, wrong, mut mistakes) = match config {
        Ok(config) => (config, None, config.mistakes.iter().map(ToString::to_string).collect::<Vec<_>>()),
        Err(e) => (&defaults, Some(e.to_string()), Vec::new()),
    };
    let mut status = status::take(state, config)
        .map_err(|e| cannot(format_args!("read the state in {}", state.display()), &e))?;
    let stacks: Vec<Line> = installation::lines().into_iter().filter(Line::is_auth).collect();
    // What keeps all of them from it comes before what one of them has.
    let error = cannot_record(state).or(wrong);
    let missing = missing(&stacks);
    status.first.last_error =
        error.clone().or(status.first.last_error).or(missing.clone()).or(mistakes.first().cloned());
    match form {
        Form::Prometheus(file) => metrics(state, &status, stacks.len(), file, out),
        Form::Json => as_json(state, config, &status, &stacks, out),
        Form::Text => {
            mistakes.extend(error.or(missing));
            show(&status, &mistakes, &stacks, out)?;
            show_list("schedule", &Policy::from(&config.alerts).schedule(), out)?;
            show_list("rules", &detect::in_words(&config.logins), out)?;
            for line in ScanState::lines(state, &config.scan) {
                writeln!(out, "{}", lines::fitted(&line, INDENT))?;
            }
            Ok(())
        }
    }
}

fn as_json(
    state: &Path,
    config: &Config,
    status: &Status,
    lines: &[Line],
    out: &mut dyn Write,
) -> Result<(), Error> {
    let mut object = serde_json::to_value(status).map_err(|e| Error::Failed(e.to_string()))?;
    if let Some(map) = object.as_object_mut() {
        let name = status.receivers.first().map_or("none", |first| &first.name);
        map.insert("receiver".into(), name.into());
        map.insert("schedule".into(), Policy::from(&config.alerts).schedule().into());
        map.insert("rules".into(), detect::in_words(&config.logins).into());
        map.insert("mistakes".into(), config.mistakes.iter().map(ToString::to_string).collect());
        map.insert("active_in".into(), lines.iter().map(|l| l.service.clone()).collect());
        if let Ok(scan) = ScanState::of(state, &config.scan) {
            map.insert("scan".into(), serde_json::to_value(scan.dated()).unwrap_or_default());
        }
    }
    Ok(writeln!(out, "{object}")?)
}

fn metrics(
    state: &Path,
    status: &Status,
    services: usize,
    file: Option<&Path>,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let last_scan =
        last_pass(state).and_then(|since_1970| Timestamp::UNIX_EPOCH.checked_add(since_1970).ok());
    let has_problem = status.first.last_error.is_some();
    let page = prometheus::page(status, &Beside { last_scan, services, has_problem });
    match file {
        None => Ok(out.write_all(page.as_bytes())?),
        Some(file) => storage::publish(file, page.as_bytes())
            .map_err(|why| Error::Failed(format!("cannot write {}: {why}", file.display()))),
    }
}

fn show(status: &Status, errors: &[String], stacks: &[Line], out: &mut dyn Write) -> Result<(), Error> {
    for Named { name, counters, .. } in &status.receivers {
        show_list(name, &of_receiver(counters), out)?;
    }
    let mut line = |name: &str, text: String| show_list(name, &[text], out);
    if status.tests > 0 {
        line("tests", format!("{}, announced by root and in no alert", status.tests))?;
    }
    if status.logins > 0 {
        line("logins", format!("{} recorded", status.logins))?;
    }
    if status.dropped > 0 {
        let dropped = status.dropped;
        line("dropped", format!("{dropped} more found no room in the journal ([journal] max_size)"))?;
    }
    if status.unreadable > 0 {
        let damaged = counted(status.unreadable, "line");
        line("damaged", format!("{damaged} of the journal could not be read"))?;
    }
    for why in errors {
        line("error", why.clone())?;
    }
    let Finding { level, what, fix } = check::each_minute();
    match level {
        Level::Fine => line("runs", what)?,
        Level::Warning | Level::Error => line("error", format!("{what}; {fix}"))?,
    }
    match stacks {
        [] => line("module", "in no PAM service: nothing is caught at its source".into()),
        stacks => {
            let services: Vec<&str> = stacks.iter().map(|stack| stack.service.as_str()).collect();
            line("module", format!("in {}", services.join(", ")))
        }
    }
}

fn show_list(name: &str, texts: &[String], out: &mut dyn Write) -> Result<(), Error> {
    // A longer one has its line, so that what is said of it is in the column.
    let is_long = name.chars().count() >= INDENT;
    if is_long {
        writeln!(out, "{name}")?;
    }
    for (i, text) in texts.iter().enumerate() {
        let line = format!("{:<9} {}", if i == 0 && !is_long { name } else { "" }, plain(text));
        writeln!(out, "{}", lines::fitted(&line, INDENT))?;
    }
    Ok(())
}

/// What was sent to a receiver and what waits; where every failure went since it began; why nothing is sent.
pub(super) fn of_receiver(counters: &Counters) -> Vec<String> {
    let mut line = format!("{} sent", counters.posts);
    if let Some(post) = &counters.last_post {
        let time = local_zone().to_datetime(post.time);
        line += &format!(", the last {}", time.strftime("%Y-%m-%d %H:%M:%S"));
    }
    if counters.queued > 0 {
        line += &format!("; {} waiting", counted(counters.queued, "message"));
    }
    if counters.unclear > 0 {
        line += &format!("; of {} nobody knows whether they arrived", counters.unclear);
    }
    if counters.refused > 0 {
        line += &format!("; {} refused, and sent in numbers alone", counted(counters.refused, "text"));
    }
    match counters.next_attempt_seconds {
        Some(0) => line += &format!("; next attempt {}", next_attempt(0)),
        Some(seconds) => {
            let wait = Duration::from_secs(seconds);
            line += &format!("; next attempt {}", next_attempt(seconds));
            let at = jiff::SignedDuration::try_from(wait)
                .ok()
                .and_then(|wait| Timestamp::now().checked_add(wait).ok());
            if let Some(at) = at {
                line += &format!(", at {}", local_zone().to_datetime(at).strftime("%H:%M"));
            }
            line.extend(counters.waits_because.iter().flat_map(|why| [", ", why]));
        }
        None => {}
    }
    let folded = counters.break_ins_waiting;
    if folded > 0 {
        line += &format!("; {} to be reported with it", counted(folded, "break-in"));
    }
    let Counters { recorded, posted, pending, ignored, aborted, left_out, .. } = counters;
    let left_out = if *left_out > 0 { format!(" + {left_out} left out") } else { String::new() };
    let sum = format!(
        "{recorded} recorded = {posted} posted + {pending} pending + {ignored} ignored + {aborted} aborted{left_out}"
    );
    let why = counters.last_error.as_ref().map(|why| {
        let since = counters.error_since.map(|since| local_zone().to_datetime(since));
        let since = since.map(|since| format!("since {}: ", since.strftime("%Y-%m-%d %H:%M:%S")));
        format!("{}{why}", since.unwrap_or_default())
    });
    [line, sum].into_iter().chain(why).collect()
}

/// A line of a stack whose module is not there.
fn missing(lines: &[Line]) -> Option<String> {
    lines.iter().find(|line| line.is_missing()).map(|line| {
        let (module, file) = (&line.module, line.file.display());
        format!("{module} is missing, which line {} of {file} names: nothing is caught there", line.number)
    })
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
