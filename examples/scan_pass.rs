//! One scan pass without the delivery after it: for benchmarks and for the harness that kills scans.
//!
//! `scan_pass STATE [--dry-run] [--json] [--explain] [--journald] [--from-start] [FILE...]`

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use authalert::config;
use authalert::scan::{ScanOptions, run};

#[allow(clippy::print_stderr)]
fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let state = PathBuf::from(arguments.next().unwrap_or_default());
    let mut options = ScanOptions::default();
    for argument in arguments {
        match argument.as_str() {
            "--dry-run" => options.dry_run = true,
            "--json" => options.json = true,
            "--explain" => options.explain = true,
            "--journald" => options.journald = true,
            "--from-start" => options.from_start = true,
            file => options.files.push(file.into()),
        }
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let result = run(&options, &config::Scan::default(), &state, &mut out, &mut |_, _, _| {});
    let flushed = out.flush();
    match result {
        Ok(report) if flushed.is_ok() => {
            for warning in &report.warnings {
                eprintln!("warning: {warning}");
            }
            ExitCode::SUCCESS
        }
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
