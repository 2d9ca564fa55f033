//! The systemd journal, through `journalctl`.

use std::io::{self, Read};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;

use crate::output;

use super::Error;
use super::checkpoint::Cursor;
use super::export::AsJson;
use super::rules::BY_HAND;
use super::rules::book::book;
use super::source::command;
use super::text::Source;

/// Its name among the logs.
pub const NAME: &str = "journald";
/// Facilities auth, authpriv and mail: what a mail server says of its clients is in the last.
const FACILITIES: [&str; 3] = ["SYSLOG_FACILITY=4", "SYSLOG_FACILITY=10", "SYSLOG_FACILITY=2"];
/// So much the kernel keeps of the name of a process.
const COMM: usize = 15;
/// For the time of one entry; a delivery pass may wait for it.
const PATIENCE: Duration = Duration::from_secs(2);
const FIELDS: &str =
    "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_COMM,_EXE,_UID,_PID,SYSLOG_PID,_HOSTNAME,_TRANSPORT";

/// Whether this machine keeps a systemd journal that can be read.
pub fn is_there() -> bool {
    // An empty directory comes with a package; of a machine that keeps a journal it has one of its own inside.
    let is_used = |path: &&str| std::fs::read_dir(path).is_ok_and(|mut inside| inside.next().is_some());
    command("journalctl").is_ok() && ["/run/log/journal", "/var/log/journal"].iter().any(is_used)
}

/// Which entries are read: those about authentications, and of any facility what a program says that rules are about. Of one
/// under whatever tag (OpenVPN's is that of its configuration) it is known by its process.
fn matches() -> Vec<String> {
    let book = book();
    // sshd and sudo have an option for the facility, too.
    let by_tag = book.programs().chain(BY_HAND).map(|name| format!("SYSLOG_IDENTIFIER={name}"));
    let cut = |name: &str| name.get(..COMM).unwrap_or(name).to_owned();
    let by_process = book.programs_of_many_tags().map(|name| format!("_COMM={}", cut(name)));
    let mut matches = FACILITIES.map(str::to_owned).to_vec();
    for others in [by_tag.collect::<Vec<_>>(), by_process.collect()].into_iter().filter(|all| !all.is_empty())
    {
        matches.push("+".into());
        matches.extend(others);
    }
    matches
}

/// When its newest entry about authentications was written.
pub fn newest() -> Option<Timestamp> {
    let mut journalctl = command("journalctl").ok()?;
    journalctl.args(["--output=short-unix", "--no-pager", "--quiet", "--lines=1"]).args(matches());
    let said = output::of(&mut journalctl, PATIENCE, 4096)?;
    // "1793696701.123456 srv sshd[71]: …"
    let seconds = said.split(|byte| !byte.is_ascii_digit()).next()?;
    Timestamp::from_second(std::str::from_utf8(seconds).ok()?.parse().ok()?).ok()
}

/// Where in the systemd journal to begin.
pub enum From<'a> {
    /// After what was read.
    Cursor(&'a Cursor),
    /// At a point in time.
    Since(Timestamp),
    /// At its first entry.
    Start,
    /// Nowhere: only where it ends is wanted.
    End,
}

/// Hand the entries to `take`, the one at the cursor again; where the next pass goes on comes back.
pub fn read(
    from: &From<'_>,
    now: Timestamp,
    take: impl FnOnce(Source<'_>) -> Result<(), Error>,
) -> Result<Cursor, Error> {
    let failed = |why: io::Error| Error::Journald(why.to_string());
    let mut journalctl = command("journalctl").map_err(failed)?;
    // As JSON it gives nothing for a value of more than 4096 bytes, and the name that su was started under is in its message; or
    // with --all all of it, for which it takes 40 bytes of memory for each. Any user may write some hundred megabytes.
    journalctl.args(["--output=export", "--no-pager", "--quiet", "--show-cursor", FIELDS]);
    let mut next = Cursor { cursor: None, since: now.as_second() };
    match from {
        From::Cursor(Cursor { cursor: Some(cursor), .. }) => {
            next = Cursor { cursor: Some(cursor.clone()), ..next };
            // Not after it: where the entry is gone, journalctl would pass over the next one.
            journalctl.arg(format!("--cursor={cursor}"));
        }
        From::Cursor(Cursor { cursor: None, since }) => {
            next.since = *since;
            journalctl.arg(format!("--since=@{since}"));
        }
        From::Since(since) => {
            next.since = since.as_second();
            journalctl.arg(format!("--since=@{}", since.as_second()));
        }
        From::Start => {}
        From::End => {
            journalctl.arg("--lines=1");
        }
    }
    journalctl.args(matches()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = journalctl.spawn().map_err(failed)?;
    let output = child.stdout.take();
    let mut tail = Tail { source: output, end: Vec::new() };
    let read = match from {
        From::End => io::copy(&mut tail, &mut io::sink()).map(|_| ()).map_err(failed),
        _ => take(Source::stream(Path::new(NAME), AsJson::new(&mut tail), now)),
    };
    if read.is_err() {
        // It may be writing still: it ends when nobody reads any more.
        tail.source = None;
    }
    let mut complaint = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let _ = stderr.by_ref().take(4096).read_to_string(&mut complaint);
    }
    let status = child.wait().map_err(failed)?;
    read?;
    if !status.success() {
        let complaint = match crate::neutral::text(complaint.trim(), 200) {
            nothing if nothing.is_empty() => nothing,
            complaint => format!(": {complaint}"),
        };
        return Err(Error::Journald(format!("journalctl ended with {status}{complaint}")));
    }
    if let Some(cursor) = tail.cursor() {
        next.cursor = Some(cursor);
    }
    Ok(next)
}

/// Passes bytes on and keeps the last ones: journalctl ends with `-- cursor: …`.
struct Tail<R> {
    source: Option<R>,
    end: Vec<u8>,
}

impl<R: Read> Read for Tail<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = match &mut self.source {
            Some(source) => source.read(buffer)?,
            None => 0,
        };
        let fresh = &buffer[n.saturating_sub(1024)..n];
        self.end.extend_from_slice(fresh);
        let excess = self.end.len().saturating_sub(1024);
        self.end.drain(..excess);
        Ok(n)
    }
}

impl<R> Tail<R> {
    fn cursor(&self) -> Option<String> {
        let end = std::str::from_utf8(&self.end[memchr::memmem::rfind(&self.end, b"-- cursor: ")?..]).ok()?;
        Some(end.strip_prefix("-- cursor: ")?.trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_read_whatever_facility_an_administrator_gave_them() {
        let matches = matches();
        // `SyslogFacility LOCAL0`, `Defaults syslog=local1`, and a rule of a file.
        for tag in ["sshd", "sshd-session", "sshd-auth", "sudo", "su", "login", "pure-ftpd", "saslauthd"] {
            assert!(matches.contains(&format!("SYSLOG_IDENTIFIER={tag}")), "{tag}");
        }
    }
}
