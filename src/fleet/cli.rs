//! What can be typed.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::identity::Identity;
use crate::members::Fleet;
use crate::place::{CONFIGURATION, Place};
use crate::setup::engine::Engine;
use crate::setup::hub::{self, To};
use crate::setup::{PIPE, member, status};
use crate::stop::Stop;
use crate::{gather, uplink};

/// One account and one budget for many machines.
#[derive(Debug, Parser)]
#[command(name = "authalert-fleet", version, about, max_term_width = 100)]
pub struct Args {
    /// Where authalert keeps its state
    #[arg(long, global = true, value_name = "DIR", default_value = authalert::config::DEFAULT_STATE)]
    pub state: PathBuf,
    /// authalert's configuration file
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where certificates and keys of the fleet are
    #[arg(long, global = true, value_name = "DIR", default_value = CONFIGURATION)]
    pub fleet: PathBuf,
    /// Where the engine's files are, on the hub
    #[arg(long, global = true, value_name = "DIR")]
    pub engine: Option<PathBuf>,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make this machine the hub: an authority, the engine's configuration, its units
    InitHub {
        /// Host name or address by which members reach this machine; may be repeated
        #[arg(long = "address", value_name = "HOST", required = true)]
        addresses: Vec<String>,
        /// Port of the engine
        #[arg(long, default_value_t = 4222)]
        port: u16,
        /// Where the engine listens, address:port; everywhere by default
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<String>,
        /// Where the engine keeps its streams
        #[arg(long, value_name = "DIR")]
        store: Option<PathBuf>,
        /// Each address is an engine of its own, three or five of one cluster
        #[arg(long)]
        cluster: bool,
        /// Write files only; start nothing
        #[arg(long)]
        no_start: bool,
    },
    /// Let a member in: writes one file to carry there
    AddMember {
        /// Its name: small letters, digits and dashes
        name: String,
        /// The file; NAME.fleet by default, - is standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Give a member a new certificate; the one that it has is refused at once
    Renew {
        /// Its name
        name: String,
        /// The file; NAME.fleet by default, - is standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Put a member out
    Revoke {
        /// Its name
        name: String,
    },
    /// Make this machine a member, with the file of add-member
    Join {
        /// The file; - is standard input
        file: PathBuf,
        /// Start nothing
        #[arg(long)]
        no_start: bool,
    },
    /// Leave the fleet: this machine alerts by itself again
    Leave,
    /// Send what this machine records to the hub
    Uplink {
        /// Once, for cron; exit status 1 where the hub does not have everything
        #[arg(long)]
        once: bool,
    },
    /// Take over what members send, and alert for all of them
    Gather {
        /// Engines that keep each message; 3 of a cluster of init-hub's, else 1
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..=5))]
        replicas: Option<u64>,
    },
    /// Before gather is started in the place of a hub that is gone, with a copy of its state or without
    TakeOver,
    /// Members, when they were heard of, and what waits
    Status {
        /// For programs
        #[arg(long)]
        json: bool,
    },
}

/// Run it.
pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> ExitCode {
    match command(args, out, err) {
        Ok(code) => code,
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(e) => {
            let _ = writeln!(err, "authalert-fleet: {}", authalert::storage::plain(e));
            ExitCode::FAILURE
        }
    }
}

fn command(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<ExitCode> {
    let place =
        Place { state: args.state.clone(), config: args.config.clone(), configuration: args.fleet.clone() };
    let mut engine = Engine::default();
    if let Some(directory) = &args.engine {
        engine.directory.clone_from(directory);
    }
    match &args.command {
        Command::InitHub { addresses, port, listen, store, cluster, no_start } => {
            let (hosts, listen, store) = (addresses.clone(), listen.clone(), store.clone());
            let (is_cluster, start) = (*cluster, !no_start);
            let init = hub::Init { hosts, port: *port, listen, store, is_cluster, start };
            hub::init(&place, &engine, &init, out)?;
        }
        Command::AddMember { name, out: file } => {
            let (to, out) = give(name, file.as_deref(), out, err)?;
            hub::add(&place, &engine, name, to, out)?;
        }
        Command::Renew { name, out: file } => {
            let (to, out) = give(name, file.as_deref(), out, err)?;
            hub::renew(&place, &engine, name, to, out)?;
        }
        Command::Revoke { name } => hub::revoke(&place, &engine, name, out)?,
        Command::Join { file, no_start } => {
            runtime()?.block_on(member::join(&place, file, !no_start, out))?
        }
        Command::Leave => member::leave(&place, out)?,
        Command::Uplink { once } => return send(&place, *once, out),
        Command::Gather { replicas } => {
            let identity = Identity::load(&place.configuration_file(hub::IDENTITY))?;
            let made = || Fleet::load(&place.configuration).map(|fleet| fleet.map_or(1, |f| f.replicas()));
            let replicas = replicas.map_or_else(made, Ok)?;
            runtime()?.block_on(async {
                let stop = Stop::at_signals()?;
                gather::serve(&place, &identity, replicas, &stop).await
            })?;
        }
        Command::TakeOver => {
            gather::succeed(&place)?;
            writeln!(out, "gather takes over once that hub has not been heard of for 20 seconds; what it")?;
            writeln!(out, "had not alerted of, and is not here, is taken from the members again")?;
        }
        Command::Status { json } => status::print(&place, *json, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the file of a member goes, and what is said of it.
fn give<'a>(
    name: &str,
    file: Option<&Path>,
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
) -> io::Result<(To, &'a mut dyn Write)> {
    if file != Some(Path::new(PIPE)) {
        let file = file.map_or_else(|| format!("{name}.fleet").into(), Path::to_path_buf);
        return Ok((To::File(file), out));
    }
    if io::stdout().is_terminal() {
        return Err(io::Error::other(
            "it holds a key, which nobody should see: end the line with | ssh root@MEMBER authalert-fleet join -",
        ));
    }
    // Not through a buffer, which nobody wipes.
    Ok((To::Pipe(File::from(io::stdout().as_fd().try_clone_to_owned()?)), err))
}

fn send(place: &Place, once: bool, out: &mut dyn Write) -> io::Result<ExitCode> {
    let identity = Identity::load(&place.configuration_file(member::IDENTITY))?;
    let name = member::name_of(&identity)?;
    if !once {
        runtime()?.block_on(async {
            let stop = Stop::at_signals()?;
            uplink::serve(place, &identity, &name, &stop).await
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let done = runtime()?.block_on(uplink::once(place, &identity, &name))?;
    if done.settled {
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "{} records wait for the hub", done.waiting)?;
    Ok(ExitCode::FAILURE)
}

/// All on this thread: nothing here is limited by a processor.
fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
