//! The way of a line: taken apart, understood, dated, counted.

mod lines;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::attempts::{Attempts, Open};
use super::coverage::Complaint;
use super::prefilter::Search;
use super::reading::{self, Halt, Progress};
pub use super::text::Source;
use super::text::Text;
use super::uncounted::Uncounted;
use super::unread::Unread;
use lines::{Before, Lines};

/// Takes in lines, and keeps count.
pub struct Intake {
    /// What they reported.
    pub attempts: Attempts,
    /// Lines looked at closely.
    pub lines: u64,
    /// Lines that hold words of an attempt, and count for nothing.
    pub uncounted: Uncounted,
    /// How many lines there are in a log whose last line is read first.
    pub turned: Option<u64>,
    /// How far the source was read that was read last, or is being read.
    pub reached: u64,
    /// The last entry of the systemd journal that was read.
    pub cursor: String,
    /// An entry that was read before, and is passed over.
    pub seen: String,
    /// What the module could not record.
    pub(crate) complaints: Vec<Complaint>,
    /// Lines that somebody else reads, where there is somebody.
    pub(super) unread: Option<Unread>,
    count_lines: bool,
    explain: bool,
    explanations: Vec<u8>,
    paths: HashMap<u64, PathBuf>,
    last_path: PathBuf,
}

impl Intake {
    /// `count_lines`: rows are to have line numbers. `explain`: keep a word on every line.
    pub fn new(count_lines: bool, explain: bool, open: Open) -> Self {
        Self {
            attempts: Attempts::resume(open),
            lines: 0,
            uncounted: Uncounted::default(),
            turned: None,
            reached: 0,
            cursor: String::new(),
            seen: String::new(),
            complaints: Vec::new(),
            unread: None,
            count_lines,
            explain,
            explanations: Vec::new(),
            paths: HashMap::new(),
            last_path: PathBuf::new(),
        }
    }

    /// The name of a source that was read.
    pub fn path(&self, source: u64) -> &Path {
        self.paths.get(&source).unwrap_or(&self.last_path)
    }

    /// Print what lines were taken for since the last call.
    pub fn explained(&mut self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.explanations)?;
        self.explanations.clear();
        Ok(())
    }

    /// Read a source; after each block `after` may take what has been settled. Where reading fails,
    /// everything up to `reached` has been taken.
    pub fn read(
        &mut self,
        mut source: Source<'_>,
        watch: super::Watch<'_>,
        after: &mut dyn FnMut(&mut Self) -> Result<(), super::Error>,
    ) -> Result<Progress, Halt> {
        let opened = source.open()?;
        let start = opened.start;
        self.reached = start;
        // JSON may spell a message in numbers, where no word is found.
        let every_line = self.explain || opened.is_json;
        let search = if every_line { Search::every_line() } else { Search::new(self.count_lines) };
        let search = search.with_logins(self.attempts.keeps_logins());
        if let Some(unread) = &mut self.unread {
            unread.set_calendar(&opened.calendar);
        }
        self.paths.insert(opened.identity, source.path.clone());
        self.last_path.clone_from(&source.path);
        let (still, lines) = match &source.text {
            Text::File { file, from, first, .. } => {
                let lines = if self.count_lines { count_lines(file, *from)? } else { 0 };
                (first.clone().map(|first| (*file, first)), lines)
            }
            Text::Stream { .. } => (None, 0),
        };
        let mut sink = Lines {
            intake: self,
            still,
            is_checked: false,
            is_other: false,
            calendar: opened.calendar,
            source: opened.identity,
            lines,
            last: Before::default(),
            watch,
            after,
            path: &source.path,
            size: opened.end,
            watched: 0,
            now: 0,
        };
        sink.look_at_the_clock();
        match source.text {
            Text::File { file, from, to, .. } => {
                let progress = reading::file(file, from, to, &search, &mut sink)?;
                if source.tail && progress.offset < to {
                    let mut rest = vec![0; usize::try_from(to - progress.offset).unwrap_or(0).min(64 << 10)];
                    let n = file.read_at(&mut rest, progress.offset)?;
                    return reading::stream(&rest[..n], progress, true, &search, &mut sink);
                }
                Ok(progress)
            }
            Text::Stream { stream, .. } => {
                let progress = Progress { offset: start, lines: 0 };
                reading::stream(stream, progress, source.tail, &search, &mut sink)
            }
        }
    }
}

fn count_lines(file: &File, to: u64) -> io::Result<u64> {
    let mut buffer = vec![0; 256 << 10];
    let (mut at, mut lines) = (0, 0);
    while at < to {
        let room = usize::try_from(to - at).unwrap_or(usize::MAX).min(buffer.len());
        let n = file.read_at(&mut buffer[..room], at)?;
        if n == 0 {
            break;
        }
        lines += memchr::memchr_iter(b'\n', &buffer[..n]).count() as u64;
        at += n as u64;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::super::source::{Log, Part};
    use super::*;

    #[test]
    fn the_last_words_of_a_program_that_ended_before_the_journal_looked_are_its_own() {
        let entry = |second: u32, pid: u32, exe: &str, message: &str| {
            format!(
                r#"{{"__CURSOR":"c{second}-{pid}","__REALTIME_TIMESTAMP":"179369670{second}000000","_HOSTNAME":"srv","SYSLOG_IDENTIFIER":"sudo","_PID":"{pid}","_UID":"1000","_COMM":"sudo"{exe},"MESSAGE":"{message}"}}"#
            ) + "\n"
        };
        let sudo = r#","_EXE":"/usr/bin/sudo""#;
        let failure = "pam_unix(sudo:auth): authentication failure; logname= uid=1000 euid=0 tty=/dev/pts/4 ruser=bob rhost=  user=bob";
        let sum =
            "     bob : 3 incorrect password attempts ; TTY=pts/4 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id";
        let count = |entries: &[String]| {
            let mut intake = Intake::new(false, false, Open::default());
            let text = entries.concat();
            let source = Source::stream(Path::new("journald"), text.as_bytes(), jiff::Timestamp::now());
            intake.read(source, &mut |_, _, _| {}, &mut |_| Ok(())).unwrap();
            intake.attempts.finish();
            let found = intake.attempts.take_settled().iter().map(|row| row.count).sum::<u32>();
            (found, intake.uncounted.forged, intake.uncounted.unattributed)
        };
        assert_eq!(count(&[entry(0, 7, sudo, failure), entry(4, 7, sudo, sum)]), (3, 0, 0));
        assert_eq!(count(&[entry(0, 7, sudo, failure), entry(4, 7, "", sum)]), (3, 0, 0));
        let other = r#","_EXE":"/usr/bin/logger""#;
        assert_eq!(count(&[entry(0, 7, sudo, failure), entry(4, 7, other, sum)]), (1, 1, 0));
        assert_eq!(
            count(&[entry(0, 7, sudo, failure), entry(4, 8, "", sum)]),
            (1, 0, 1),
            "a process of its own"
        );
        assert_eq!(count(&[entry(0, 7, "", failure), entry(4, 7, "", sum)]), (0, 0, 2));
    }

    #[test]
    fn what_was_cut_out_of_an_entry_is_not_what_told_who_wrote_it() {
        let failed = "Failed password for root from 192.0.2.7 port 50310 ssh2";
        let found = |filler: usize| {
            let text = format!(
                "{{\"__CURSOR\":\"c1\",\"__REALTIME_TIMESTAMP\":\"1793696700000000\",\"SYSLOG_IDENTIFIER\":\"sshd\",\"_PID\":\"7\",\"MESSAGE\":\"{failed}{0}\",\"_UID\":\"1000\",\"_EXE\":\"/usr/bin/logger\",\"SYSLOG_PID\":\"{0}\",\"_HOSTNAME\":\"srv\"}}\n",
                " ".repeat(filler)
            );
            let mut intake = Intake::new(false, false, Open::default());
            let source = Source::stream(Path::new("journald"), text.as_bytes(), jiff::Timestamp::now());
            intake.read(source, &mut |_, _, _| {}, &mut |_| Ok(())).unwrap();
            intake.attempts.finish();
            let found = intake.attempts.take_settled().iter().map(|row| row.count).sum::<u32>();
            (found, intake.uncounted.forged)
        };
        assert_eq!(found(0), (0, 1));
        assert_eq!(found(300 << 10), (0, 1), "the name that su was started under is no longer");
        assert_eq!(found(2 << 20), (0, 0), "it is no entry any more");
    }

    #[test]
    fn the_end_of_a_session_is_no_forgery_and_what_journalctl_says_itself_no_line() {
        let text = r#"{"__CURSOR":"c1","__REALTIME_TIMESTAMP":"1793696700000000","_HOSTNAME":"srv","SYSLOG_IDENTIFIER":"sshd-session","_PID":"7","_UID":"1000","_COMM":"sshd-session","_EXE":"/usr/lib/openssh/sshd-session","MESSAGE":"Received disconnect from 192.0.2.7 port 50310:11: disconnected by user"}
-- cursor: s=1;i=2
"#;
        let read = |text: &str| {
            let mut intake = Intake::new(false, true, Open::default());
            let source = Source::stream(Path::new("journald"), text.as_bytes(), jiff::Timestamp::now());
            intake.read(source, &mut |_, _, _| {}, &mut |_| Ok(())).unwrap();
            (intake.uncounted.forged, intake.uncounted.not_understood)
        };
        assert_eq!(read(text), (0, 0));
        let failed = "Failed password for root from 192.0.2.7 port 50310 ssh2";
        let text =
            text.replace("Received disconnect from 192.0.2.7 port 50310:11: disconnected by user", failed);
        assert_eq!(read(&format!("{text}what is this\n")), (1, 1));
    }

    #[test]
    fn who_dates_a_line_ahead_hides_nothing_that_is_written_behind_it() {
        let now = jiff::Timestamp::now();
        let line = |seconds: i64, text: &str| {
            let time = now + jiff::SignedDuration::from_secs(seconds);
            format!("{} srv {text}\n", time.round(jiff::Unit::Second).unwrap())
        };
        let (refused, opened) = (
            line(
                -60,
                "su[7]: pam_unix(su:auth): authentication failure; logname= uid=1000 euid=0 tty=/dev/pts/1 ruser=bob rhost=  user=root",
            ),
            line(-59, "su[7]: pam_unix(su:session): session opened for user root(uid=0) by bob(uid=1000)"),
        );
        let ordinary = line(-60, "app[9]: nothing").repeat(3000);
        for ahead in [-61, 60, 3600, 400 * 86_400] {
            let dated = line(ahead, "sshd[8]: Failed password for root from 192.0.2.7 port 5 ssh2");
            let text = [&*refused, &*dated, &*ordinary, &*opened].concat();
            let mut intake = Intake::new(false, false, Open::default());
            let source = Source::stream(Path::new("log"), text.as_bytes(), now);
            intake.read(source, &mut |_, _, _| {}, &mut |_| Ok(())).unwrap();
            intake.attempts.finish();
            let settled = intake.attempts.take_settled();
            assert_eq!(settled.iter().map(|row| row.count).sum::<u32>(), 1, "{ahead}: {settled:?}");
        }
    }

    #[test]
    fn a_file_that_is_emptied_while_it_is_read_gives_no_lines_of_another() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("auth.log");
        let line = |pid: u32| {
            format!(
                "2026-11-03T09:05:01Z srv sshd[{pid}]: Failed password for root from 192.0.2.7 port 5 ssh2\n"
            )
        };
        std::fs::write(&path, line(71) + &line(72)).unwrap();
        let log = Log::open(&path).unwrap();
        let part = Part { identity: log.identity().unwrap(), log, from: 0, is_cut: false, is_new: true };
        let read = |before: &str, after: &str| {
            let mut intake = Intake::new(false, false, Open::default());
            std::fs::write(&path, before).unwrap();
            let source = Source::part(&part, 1, 0).unwrap();
            std::fs::write(&path, after).unwrap();
            let result = intake.read(source, &mut |_, _, _| {}, &mut |_| Ok(()));
            intake.attempts.finish();
            (result.is_ok(), intake.reached, intake.attempts.take_settled().len())
        };
        let (whole, other) = (line(71) + &line(72), line(73) + &line(74));
        assert_eq!(read(&whole, &whole), (true, whole.len() as u64, 2));
        assert_eq!(read(&whole, &other), (false, 0, 0), "between two looks");
        assert_eq!(read(&other, &other), (true, 0, 0), "before the first");
        assert_eq!(read(&whole, ""), (true, 0, 0), "and nothing written to it yet");
    }

    #[test]
    fn only_what_the_module_says_outside_of_a_container_is_its_word() {
        let complaints = |tag: &str| {
            let text = format!(
                "2026-11-03T09:05:01Z srv {tag}: pam_authalert: a failed authentication could not be recorded in /x: full\n"
            );
            let mut intake = Intake::new(false, true, Open::default());
            let source = Source::stream(Path::new("-"), text.as_bytes(), jiff::Timestamp::now());
            intake.read(source, &mut |_, _, _| {}, &mut |_| Ok(())).unwrap();
            intake.complaints.len()
        };
        assert_eq!(complaints("sshd[71]"), 1);
        assert_eq!(complaints("e8d820bf982c[2136]: sshd[71]"), 0);
    }
}
