//! `authalert report`: the history as pictures and figures.

use std::io::{IsTerminal, Write, stdout};
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::neutral;
use crate::report::terminal::{self, Look};
use crate::report::{self, Report, Request};
use crate::storage;
use crate::zone;

use super::lines::{Fitting, columns};
use super::progress::Progress;
use super::{Error, args};

/// Columns where there is no terminal.
const COLUMNS: usize = 80;

/// Make a report and write it as it was asked for.
pub fn run(asked: &args::Report, state: &Path, config: &Config, out: &mut dyn Write) -> Result<(), Error> {
    // Names of no account may be passwords. Who sits at the terminal sees them, as with `failures`; what goes into a
    // file or a pipe may leave the machine.
    let at_terminal = !asked.json && asked.html.is_none() && stdout().is_terminal();
    if asked.until.is_some_and(|until| asked.since.is_some_and(|since| until < since)) {
        return Err(Error::Failed("--until is before --since".into()));
    }
    let request = Request {
        files: asked.files.clone(),
        journald: asked.journald,
        since: asked.since,
        until: asked.until,
        geo: if asked.geo.is_empty() { config.report.geo.clone() } else { asked.geo.clone() },
        names_hidden: !(at_terminal || asked.names || config.alerts.post_unknown_users),
    };
    let mut progress = Progress::begin();
    let made = report::make(&request, state, config, &mut |file, read, size| progress.show(file, read, size));
    progress.end();
    let (report, errors) = made.map_err(|why| Error::Failed(why.to_string()))?;
    write(&report, asked, out)?;
    // What could be read is shown; that something could not be is an error all the same.
    errors.into_iter().next().map_or(Ok(()), |why| Err(Error::Failed(why.to_string())))
}

fn write(report: &Report, asked: &args::Report, out: &mut dyn Write) -> Result<(), Error> {
    let zone = zone::local();
    if let Some(file) = &asked.html {
        let machine = neutral::name(rustix::system::uname().nodename().to_bytes());
        write_page(file, &report::page(report, &machine, &zone, false), out)?;
    }
    if asked.json {
        serde_json::to_writer(&mut *out, report).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else if asked.plain {
        report::write_plain(report, &zone, &mut Fitting::new(out, 2))?;
    } else if asked.html.is_none() {
        let terminal = stdout().is_terminal();
        let width = columns(stdout());
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        terminal::write(report, &zone, Look { width: width.unwrap_or(COLUMNS), colour }, out)?;
    }
    Ok(out.flush()?)
}

/// Into `file`, which is its owner's alone, or with `-` to the standard output. What is there and is no file, such as a
/// device or a link, stays what it is.
fn write_page(file: &PathBuf, page: &str, out: &mut dyn Write) -> Result<(), Error> {
    if file == Path::new("-") {
        return Ok(out.write_all(page.as_bytes())?);
    }
    let is_other = std::fs::symlink_metadata(file).is_ok_and(|there| !there.is_file());
    let written = match is_other {
        true => std::fs::File::options()
            .write(true)
            .truncate(true)
            .open(file)
            .and_then(|mut there| there.write_all(page.as_bytes())),
        false => storage::replace(file, page.as_bytes()),
    };
    written.map_err(|why| Error::Failed(format!("cannot write {}: {why}", file.display())))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, symlink};

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn a_page_replaces_nothing_that_is_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        // Through a link, which stays one.
        std::fs::write(path("there"), "before, and longer than the page").unwrap();
        symlink(path("there"), path("link")).unwrap();
        write_page(&path("link"), "<page>", &mut Vec::new()).unwrap();
        assert!(std::fs::symlink_metadata(path("link")).unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(path("there")).unwrap(), "<page>");
        // Into what is no file at all, as a device is none.
        mknodat(CWD, path("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
        let mut pipe = std::fs::File::options()
            .read(true)
            .write(true)
            .custom_flags(nonblocking)
            .open(path("pipe"))
            .unwrap();
        write_page(&path("pipe"), "<page>", &mut Vec::new()).unwrap();
        assert!(std::fs::symlink_metadata(path("pipe")).unwrap().file_type().is_fifo());
        let mut read = [0; 16];
        let n = pipe.read(&mut read).unwrap();
        assert_eq!(&read[..n], b"<page>");
        // A file is replaced, and is its owner's alone.
        write_page(&path("there"), "<other>", &mut Vec::new()).unwrap();
        assert_eq!(std::fs::read_to_string(path("there")).unwrap(), "<other>");
        let mode = std::os::unix::fs::PermissionsExt::mode(&path("there").metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}
