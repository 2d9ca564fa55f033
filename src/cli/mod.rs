//! The command: what can be typed, a file a subcommand.
//!
//! Exit status: 0 done, 1 could not, 2 wrong usage.

pub mod args;
pub mod authorize;
mod check;
mod deliver;
mod scan;
mod status;
mod test;
mod timeline;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use args::{Args, Command};

use crate::config::{self, Config};
use crate::deliver::default_state;
use crate::scan::ScanOptions;

/// Why a command could not do what it was told. `Display` is what the person reads.
#[derive(Debug)]
pub enum Error {
    /// In words.
    Told(String),
    /// The terminal or the pipe.
    Output(io::Error),
    /// It was said already; only the exit status is left.
    Silent,
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told(text) => f.write_str(text),
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
        Self::Told(e.to_string())
    }
}

/// Do what the arguments say.
pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> ExitCode {
    match dispatch(args, out) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads us has seen enough.
        Err(Error::Output(e)) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Error::Silent) => ExitCode::FAILURE,
        Err(e) => {
            let _ = writeln!(err, "authalert: {e}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &Args, out: &mut dyn Write) -> Result<(), Error> {
    let state = args.state.as_deref().unwrap_or(default_state());
    let config = || Config::load(args.config.as_deref());
    match &args.command {
        Command::Authorize { import_trc } => {
            let input = &mut io::stdin().lock();
            authorize::run(&config()?, import_trc.as_deref(), input, out)
                .map_err(|e| Error::Told(e.to_string()))
        }
        Command::Deliver { now } => deliver::run(state, args.config.as_deref(), *now, out),
        Command::Scan(scan) => match &scan.simulate {
            Some(file) => scan::simulation(file, &config()?, out),
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
                scan::run(&options, state, &config()?, args.config.as_deref(), out)
            }
        },
        Command::Test { pam, user } => match pam {
            Some(service) => test::through_pam(state, &config()?, args.config.as_deref(), service, user, out),
            None => test::post(&config()?, out),
        },
        Command::Status { json } => status::run(state, &config(), *json, out),
        Command::Check { offline, quiet } => check::run(state, &config(), *offline, *quiet, out),
        Command::Timeline { follow, json, lines } => timeline::run(state, *follow, *json, *lines, out),
    }
}
