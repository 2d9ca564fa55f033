//! The command: argument parsing, then one call.

use std::io;
use std::process::ExitCode;

use authalert_fleet::cli::{self, Args};
use clap::Parser;

fn main() -> ExitCode {
    let args = Args::parse();
    cli::run(&args, &mut io::stdout().lock(), &mut io::stderr().lock())
}
