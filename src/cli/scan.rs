//! `authalert scan`: one pass over the logs, then a delivery pass; or what the settings would make
//! of a log.

use std::io::{ErrorKind, Write, stderr};
use std::path::Path;

use jiff::Timestamp;

use crate::accounts::Accounts;
use crate::config::Config;
use crate::deliver::Policy;
use crate::deliver::Serve;
use crate::deliver::announced::Announced;
use crate::deliver::simulate::{Sent, simulate};
use crate::deliver::{Notice, is_ignored};
use crate::event::{Class, Event};
use crate::journal::Journal;
use crate::message::{Composer, Content, Dispatch, Style};
use crate::neutral;
use crate::scan::{self, ScanOptions, ScanState};
use crate::storage::plain;
use crate::zone::local as local_zone;

use super::progress::Progress;
use super::{Error, deliver};

/// Read the logs, record what the module did not, and deliver.
pub fn run(
    options: &ScanOptions,
    state: &Path,
    config: &Config,
    config_file: Option<&Path>,
    serve: Serve,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let mut progress = Progress::begin();
    let result =
        scan::run(options, &config.scan, state, out, &mut |file, read, size| progress.show(file, read, size));
    progress.end();
    let report = match result {
        Ok(report) => report,
        // Another scan sees to the logs; what is recorded is delivered all the same.
        Err(scan::Error::Busy) => return deliver::run(state, config_file, false, serve, false, out),
        Err(e) => {
            let told = match e {
                // Who reads us went away in the middle of a log.
                scan::Error::Output(e) | scan::Error::Read(_, e) if e.kind() == ErrorKind::BrokenPipe => {
                    Error::Output(e)
                }
                e => Error::Failed(e.to_string()),
            };
            // A log that cannot be read must not keep back what the module recorded.
            if !options.dry_run {
                let _ = deliver::run(state, config_file, false, serve, false, out);
            }
            return Err(told);
        }
    };
    let told = report.errors.first().map(|error| Error::Failed(error.clone()));
    if options.dry_run {
        out.flush()?;
        for warning in &report.warnings {
            let _ = writeln!(stderr(), "authalert: {}", neutral::text(plain(warning), 1000));
        }
        return told.map_or(Ok(()), Err);
    }
    for warning in report.warnings.iter().chain(report.errors.iter().skip(1)) {
        Notice::error(warning).send();
    }
    // A log that cannot be read must not keep back what the others told.
    deliver::run(state, config_file, false, serve, false, out).and(told.map_or(Ok(()), Err))
}

/// What the current settings would have posted of the failures in `file`, in the systemd journal, or where neither is
/// named in this machine's logs: each alert as it would read, then how many there are a day and how long a failure waits.
pub fn simulation(
    file: Option<&Path>,
    journald: bool,
    state: &Path,
    config: &Config,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let failures = to_simulate(file, journald, state, config).map_err(Error::Failed)?;
    // Who is not root reads a log all the same.
    let announced = Announced::of_journal(&Journal::new(state)).unwrap_or_default();
    let is_failure =
        |f: &Event| f.class == Class::Failure && !announced.covers(f) && !is_ignored(f, &config.ignore);
    let told = failures.into_iter().filter(|f| f.class == Class::Login || is_failure(f));
    let mut accounts = Accounts::outside_login();
    let policy = Policy::from(&config.alerts);
    let (composer, zone, mut id) = (Composer::of_this_machine(&config.alerts), local_zone(), 0);
    let mut shown = Ok(());
    let mut say = |time: Timestamp, content: Content<'_>| {
        id += 1;
        let text = composer.text(&Style::x(), content, Dispatch::new(id, time));
        let time = zone.to_datetime(time);
        if shown.is_ok() {
            shown = writeln!(out, "{}  {text}", time.strftime("%Y-%m-%d %H:%M:%S"));
        }
    };
    let show = |time: Timestamp, sent: Sent| match sent {
        Sent::Failures(summary) => say(time, Content::Failures(&summary)),
        Sent::BreakIn(found) => say(time, Content::BreakIn(&found.content)),
    };
    let result =
        simulate(told.map(|f| (f.time, f)), &policy, &config.logins, |name| accounts.standing(name), show);
    shown?;
    for line in policy.schedule() {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "{result}")?;
    Ok(())
}

/// The failures of what was named, or why there are none to be had.
fn to_simulate(
    file: Option<&Path>,
    journald: bool,
    state: &Path,
    config: &Config,
) -> Result<Vec<Event>, String> {
    let sources = || ScanState::of(state, &config.scan).map(|found| found.sources);
    let Some(file) = file else {
        if journald {
            return events_of_journald().map_err(|e| e.to_string());
        }
        let mut found = Vec::new();
        // The first alone: others may tell the same.
        if let Some(source) = sources().map_err(|e| e.to_string())?.first() {
            let read = match &source.path {
                Some(path) => events(path),
                None => events_of_journald(),
            };
            found = read.map_err(|e| e.to_string())?;
        }
        return Ok(found);
    };
    events(file).map_err(|e| match (&e, sources()) {
        (scan::Error::Read(_, why), Ok(others)) if why.kind() == ErrorKind::NotFound => {
            let names = others.iter().map(|source| match &source.path {
                Some(path) => format!("'--simulate {}'", path.display()),
                None => "'--journald --simulate'".into(),
            });
            format!("{e}; what this machine logs is read with {}", names.collect::<Vec<_>>().join(" or "))
        }
        _ => e.to_string(),
    })
}

/// Failures and logins, in the order of time.
fn events(path: &Path) -> Result<Vec<Event>, scan::Error> {
    let mut events = Vec::new();
    let mut take = |event: &Event| events.push(event.clone());
    scan::each(path, &mut |_, _, _| {}, &mut |rows| rows.each(&mut take))?;
    events.sort_by_key(|event| event.time);
    Ok(events)
}

fn events_of_journald() -> Result<Vec<Event>, scan::Error> {
    let mut events = Vec::new();
    let mut take = |event: &Event| events.push(event.clone());
    scan::each_of_journald(None, &mut |_, _, _| {}, &mut |rows| rows.each(&mut take))?;
    events.sort_by_key(|event| event.time);
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::summary::tests::failure;

    #[test]
    fn what_root_announced_is_no_failure_of_a_log_that_is_read_for_a_simulation() {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::new(state.path());
        std::fs::create_dir(journal.directory()).unwrap();
        let log = state.path().join("auth.log");
        let pam = "pam_unix(sudo:auth): authentication failure; logname= uid=65534 euid=0 tty= ruser= rhost=  user=nobody";
        let time = failure(0, "", "").time;
        let lines = [
            format!("{time:.0} srv unix_chkpwd[19]: password check failed for user (nobody)"),
            format!("{time:.0} srv authalert[17]: {pam}"),
            format!("{time:.0} srv authalert[18]: {pam}"),
        ];
        std::fs::write(&log, lines.join("\n") + "\n").unwrap();
        let failures = || {
            let mut out = Vec::new();
            simulation(Some(&log), false, state.path(), &Config::default(), &mut out).unwrap();
            let out = String::from_utf8(out).unwrap();
            let line = out.lines().find(|line| line.starts_with("failures ")).unwrap().to_owned();
            line.split_ascii_whitespace().nth(1).unwrap().parse::<u32>().unwrap()
        };
        assert_eq!(failures(), 2);
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        std::fs::write(&log, lines.join("\n").replace(" srv ", &format!(" {host} ")) + "\n").unwrap();
        assert_eq!(failures(), 2);
        let test = Event { pid: 17, service: "sudo".into(), class: Class::Test, ..failure(0, "", "") };
        journal.append(&[test]).unwrap();
        assert_eq!(failures(), 1);
    }
}
