//! The command: what can be typed, a file a subcommand.
//!
//! Exit status: 0 done, 1 could not, 2 wrong usage.

pub mod args;
mod ask;
pub mod authorize;
mod check;
mod deliver;
mod ecs;
pub mod failures;
mod interrupt;
mod lines;
mod lock;
mod progress;
mod receivers;
mod report;
mod rules;
mod scan;
mod status;
mod test;
mod time;
mod timeline;

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use args::{Args, Command};
use lines::Fitting;

use crate::accounts::{AccountKind, Accounts};
use crate::config::{self, Config};
use crate::deliver::{Serve, default_state};
use crate::scan::ScanOptions;
use crate::storage::plain;

/// Why a command could not do what was asked. `Display` is what the person reads.
#[derive(Debug)]
pub enum Error {
    /// In words.
    Failed(String),
    /// The terminal or the pipe.
    Output(io::Error),
    /// It was said already; only the exit status is left.
    Silent,
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(text) => f.write_str(text),
            Self::Output(e) => write!(f, "cannot write the output: {e}"),
            Self::Silent => Ok(()),
        }
    }
}

impl From<io::Error> for Error {
    fn from(e: io::Error) -> Self {
        Self::Output(e)
    }
}

impl From<config::Error> for Error {
    fn from(e: config::Error) -> Self {
        Self::Failed(e.to_string())
    }
}

/// `what` could not be read or written; where that is for want of rights, with what to do.
pub(crate) fn cannot(what: impl fmt::Display, why: &io::Error) -> Error {
    let fix = if why.kind() == io::ErrorKind::PermissionDenied { "; run this as root" } else { "" };
    Error::Failed(format!("cannot {what}: {why}{fix}"))
}

/// Begins each line of an error.
const PREFIX: &str = "authalert: ";
/// Columns of the time and the blanks after it.
const AFTER_THE_TIME: usize = 21;

/// Do what the arguments say.
pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> ExitCode {
    match dispatch(args, out) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads us has seen enough.
        Err(Error::Output(e)) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Error::Silent) => ExitCode::FAILURE,
        Err(e) => {
            for line in plain(e).split('\n') {
                let _ = writeln!(err, "{}", lines::fitted_error(&format!("{PREFIX}{line}"), PREFIX.len()));
            }
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &Args, out: &mut dyn Write) -> Result<(), Error> {
    let state = args.state.as_deref().unwrap_or(default_state());
    let config = || Config::load(args.config.as_deref());
    match &args.command {
        Command::Authorize { import_trc } => {
            let (config, input) = (config()?, &mut io::stdin().lock());
            authorize::run((state, &config), import_trc.as_deref(), input, out)
                .map_err(|e| Error::Failed(e.to_string()))?;
            begin(state, &config);
            Ok(())
        }
        Command::Deliver { now, commands, no_commands, settle } => {
            let serve = match (commands, no_commands) {
                (true, _) => Serve::Commands,
                (_, true) => Serve::WithoutCommands,
                _ => Serve::All,
            };
            deliver::run(state, args.config.as_deref(), *now, serve, *settle, out)
        }
        Command::Scan(scan) if scan.rules => rules::show(out),
        Command::Scan(scan) => match &scan.simulate {
            Some(file) => {
                let (config, mut out) = (config()?, Fitting::new(out, 4));
                scan::simulation(file.as_deref(), scan.journald, state, &config, &mut out)
            }
            None => {
                let options = ScanOptions {
                    files: scan.files.clone(),
                    journald: scan.journald,
                    dry_run: scan.dry_run,
                    json: scan.json,
                    explain: scan.explain,
                    since: scan.since,
                    from_start: scan.from_start,
                };
                let serve = if scan.no_commands { Serve::WithoutCommands } else { Serve::All };
                let (config, file) = (config()?, args.config.as_deref());
                match scan.json {
                    true => scan::run(&options, state, &config, file, serve, out),
                    false => scan::run(&options, state, &config, file, serve, &mut Fitting::new(out, 4)),
                }
            }
        },
        Command::Failures(asked) if asked.json || asked.ecs => show_failures(asked, state, &config()?, out),
        Command::Failures(asked) => {
            show_failures(asked, state, &config()?, &mut Fitting::new(out, AFTER_THE_TIME))
        }
        Command::Receivers(asked) => receivers::run(asked, state, &config()?, &mut Fitting::new(out, 2)),
        Command::Test { name, pam, user, verbose } => match pam {
            Some(service) => test::through_pam(state, service, user, out),
            None => test::post((state, &config()?), name.as_deref(), *verbose, &mut Fitting::new(out, 2)),
        },
        Command::Report(asked) => report::run(asked, state, &config()?, out),
        Command::Status { json, prometheus, output } => {
            let form = match (prometheus, json) {
                (true, _) => status::Form::Prometheus(output.as_deref()),
                (false, true) => status::Form::Json,
                (false, false) => status::Form::Text,
            };
            status::run(state, &config(), form, out)
        }
        Command::Check { offline, quiet } => check::run(state, &config(), *offline, *quiet, out),
        Command::Timeline { follow, json, lines } => timeline::run(state, *follow, *json, *lines, out),
    }
}

/// The next failure is the first one for a receiver that was just set up, also where it comes before the next pass.
/// Where nothing can begin yet, the first pass sees to it.
fn begin(state: &Path, config: &Config) {
    let _ = crate::deliver::begin(state, config);
}

fn show_failures(
    asked: &args::Failures,
    state: &Path,
    config: &Config,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let options = failures::Options {
        since: asked.since,
        user: asked.user.clone(),
        from: asked.from.clone(),
        service: asked.service.clone(),
        logins: asked.logins,
        json: asked.json,
        ecs: asked.ecs,
        follow: asked.follow,
    };
    let mut accounts = Accounts::outside_login();
    let mut hide =
        |name: &str| !config.alerts.post_unknown_users && accounts.standing(name) == AccountKind::Unknown;
    match &asked.pending {
        Some(receiver) => failures::pending((state, config), receiver, &options, &mut hide, out),
        None => failures::run(state, &options, &mut hide, out),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    /// Takes a little, and then nobody reads any more.
    struct Head(usize);

    impl Write for Head {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_who_has_seen_enough_is_no_error() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let line = "Nov  3 09:05:01 srv su[7]: FAILED SU (to alice) bob on pts/0\n";
        std::fs::write(log.path(), line.repeat(2000)).unwrap();
        for words in
            ["scan --dry-run", "scan --dry-run --json", "scan --dry-run --explain", "scan --simulate"]
        {
            for taken in [0, 1] {
                let path = log.path().to_str().unwrap();
                let args = Args::parse_from(["authalert"].into_iter().chain(words.split(' ')).chain([path]));
                let mut err = Vec::new();
                let status = run(&args, &mut Head(taken), &mut err);
                assert_eq!((status, err.as_slice()), (ExitCode::SUCCESS, &b""[..]), "{words} {taken}");
            }
        }
    }
}
