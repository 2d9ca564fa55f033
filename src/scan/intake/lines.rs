//! The lines of one source: each understood, dated and counted.

use std::fs::File;
use std::path::Path;

use jiff::Timestamp;

use super::Intake;
use crate::neutral;
use crate::scan::attempts::{Place, Speaker};
use crate::scan::calendar::Calendar;
use crate::scan::coverage::Complaint;
use crate::scan::entry::Entry;
use crate::scan::hash::Fnv;
use crate::scan::header::{self, Header, Trust};
use crate::scan::identity::{FirstLine, JOURNALD};
use crate::scan::prefilter::Passed;
use crate::scan::reading::{Found, Halt, Progress, Sink};
use crate::scan::rules::{self, Family, Line};
use crate::scan::stamp::Stamp;
use crate::scan::unread::Known;
use crate::scan::{Error, Watch};

/// Of a line so much is shown by `--explain`.
const SHOWN: usize = 400;

/// The line before: where it ended, what it was, and its time.
#[derive(Default)]
pub(super) struct Before {
    end: u64,
    text: Vec<u8>,
    is_login_only: bool,
    time: Option<i64>,
}

/// A line that is read.
struct Read<'a> {
    text: &'a [u8],
    place: Place,
    /// Where the next one begins.
    end: u64,
    /// It matters only where it tells of a login.
    is_login_only: bool,
}

impl Before {
    fn be(&mut self, read: &Read<'_>) {
        (self.end, self.is_login_only) = (read.end, read.is_login_only);
        self.text.clear();
        self.text.extend_from_slice(read.text);
    }
}

/// The sink of one source.
pub(super) struct Lines<'a> {
    pub(super) intake: &'a mut Intake,
    /// The file and its first line, by which it is known that it was not emptied meanwhile.
    pub(super) still: Option<(&'a File, FirstLine)>,
    /// That was done since the block was read.
    pub(super) is_checked: bool,
    /// It was emptied.
    pub(super) is_other: bool,
    pub(super) calendar: Calendar,
    pub(super) source: u64,
    pub(super) lines: u64,
    pub(super) last: Before,
    pub(super) watch: Watch<'a>,
    pub(super) after: &'a mut dyn FnMut(&mut Intake) -> Result<(), Error>,
    pub(super) path: &'a Path,
    pub(super) size: u64,
    pub(super) watched: u64,
    /// Our time when it was looked at last, in microseconds of the epoch.
    pub(super) now: i64,
}

impl Sink for Lines<'_> {
    fn line(&mut self, found: Found<'_>) -> Passed {
        if self.is_emptied() {
            return Passed::default();
        }
        self.intake.lines += 1;
        let attempts = &self.intake.attempts;
        // What else is read does not depend on whether logins are wanted, so all that is counted is the same.
        let is_login_only = found.is_login_only || (found.accepted != 0 && !attempts.knows(found.accepted));
        let unread = Passed { time: None, is_complete: found.accepted != 0 };
        if is_login_only && !attempts.keeps_logins() {
            return unread;
        }
        let place = Place {
            source: self.source,
            offset: found.offset,
            line: if self.intake.count_lines {
                let line = self.lines + found.lines_before + 1;
                self.intake.turned.map_or(line, |lines| (lines + 1).saturating_sub(line))
            } else {
                0
            },
        };
        let text = header::trim(found.text);
        let end = found.offset + found.text.len() as u64 + 1;
        let mut read = Read { text, place, end, is_login_only };
        if is_login_only && self.leave_unread(&read) {
            return unread;
        }
        if text.first() == Some(&b'{') {
            let Some(entry) = Entry::parse(text) else { return self.not_understood(&read) };
            let mut header = entry.header();
            // sudo counts what was wrong in its last words: they are believed for what it was believed before.
            if let (Trust::Unattributed, Stamp::Exact(time)) = (header.trust, header.stamp) {
                if self.intake.attempts.is_open(&header, time) {
                    header.trust = Trust::Believed;
                }
            }
            if !entry.cursor().is_empty() {
                let mut hash = Fnv::default();
                hash.write(entry.cursor().as_bytes());
                (read.place.source, read.place.offset) = (JOURNALD, hash.finish());
                self.intake.cursor.clear();
                self.intake.cursor.push_str(entry.cursor());
                if self.intake.seen == entry.cursor() {
                    self.explain(read.place, "read before", &as_line(&header));
                    return Passed::default();
                }
                self.intake.paths.entry(read.place.source).or_insert_with(|| self.path.to_owned());
            }
            let shown = if self.intake.explain { as_line(&header) } else { Vec::new() };
            self.take(&header, &read, &shown)
        } else {
            match header::parse(text) {
                Some(header) => self.take(&header, &read, text),
                None => self.not_understood(&read),
            }
        }
    }

    fn progress(&mut self, progress: Progress) -> Result<(), Halt> {
        if self.is_emptied() {
            return Err(Halt::Emptied);
        }
        self.is_checked = false;
        self.look_at_the_clock();
        if progress.offset - self.watched >= 16 << 20 {
            self.watched = progress.offset;
            (self.watch)(self.path, progress.offset, self.size);
        }
        self.intake.reached = progress.offset;
        (self.after)(self.intake).map_err(Halt::Taker)
    }
}

impl Lines<'_> {
    /// Whether the file is another one since before the block was read, whose lines then may be its.
    fn is_emptied(&mut self) -> bool {
        if !self.is_checked {
            self.is_checked = true;
            self.is_other |= self.still.as_ref().is_some_and(|(file, first)| !first.is_in(file));
        }
        self.is_other
    }

    /// Nothing that is read happened later.
    pub(super) fn look_at_the_clock(&mut self) {
        self.now = Timestamp::now().as_microsecond();
        self.intake.attempts.set_clock(self.now);
    }

    /// Leave a line that matters only where it tells of a login to somebody else, if there is somebody.
    fn leave_unread(&mut self, read: &Read<'_>) -> bool {
        let Some(unread) = self.intake.unread.as_mut().filter(|_| read.text.first() != Some(&b'{')) else {
            return false;
        };
        let attempts = &self.intake.attempts;
        let known = Known {
            offset: read.place.offset,
            before: attempts.logins(),
            without: self.last.time,
            latest: attempts.latest(),
            now: self.now,
        };
        unread.push(read.text, known);
        self.last.be(read);
        true
    }

    /// `shown`: the line as `--explain` shows it.
    fn take(&mut self, header: &Header<'_>, read: &Read<'_>, shown: &[u8]) -> Passed {
        let Read { place, is_login_only, .. } = *read;
        let line = rules::classify(header);
        let time = match header.stamp {
            Stamp::Missing if self.last.time.is_some() => self.last.time,
            stamp => self.calendar.resolve(&stamp, place.offset),
        };
        let time = time.unwrap_or_else(|| self.intake.attempts.latest());
        if time > self.now {
            self.look_at_the_clock();
        }
        // A line that is dated ahead was written before it is read, and what comes behind it matters as before.
        let written = Some(time.min(self.now)).filter(|_| !is_login_only);
        let is_complete = matches!(&line, Line::Evidence(evidence) if !evidence.rhost.is_empty())
            // Where PAM logs under a tag of its own, sshd may do so elsewhere.
            && header.module.is_empty()
            && rules::family(header.program) == Family::Sshd;
        let passed = Passed { time: written, is_complete };
        match line {
            Line::Evidence(evidence) => {
                self.tell(header, &evidence, time, place, is_login_only);
                if !is_login_only {
                    self.last.time = Some(time);
                }
                self.last.be(read);
                self.explain(place, evidence.class, shown);
            }
            _ if is_login_only => {}
            Line::Again(times) => {
                // The line before it, whole.
                let again = std::mem::take(&mut self.last);
                let first = header::parse(&again.text).filter(|first| rules::is_repeated(first, header));
                if let Some(first) = first.filter(|_| again.end == place.offset) {
                    if let Line::Evidence(mut evidence) = rules::classify(&first) {
                        evidence.weight = evidence.weight.saturating_mul(times);
                        self.tell(&first, &evidence, time, place, again.is_login_only);
                        self.explain(place, evidence.class, shown);
                        return passed;
                    }
                }
                self.explain(place, "repeats a line about no attempt", shown);
            }
            Line::Nothing(_) | Line::Other if self.complained(header, time) => {
                self.explain(place, "pam_authalert-unrecorded", shown);
            }
            Line::Nothing(why) => self.explain(place, why, shown),
            Line::Unattributed => {
                self.intake.uncounted.unattributed += 1;
                self.explain(place, "of an unknown program", shown);
            }
            Line::Forged => {
                self.intake.uncounted.forged += 1;
                self.explain(place, "forged", shown);
            }
            Line::Other => self.explain(place, "-", shown),
        }
        passed
    }

    /// Whether the module says there that it could not record. It is in no container.
    fn complained(&mut self, header: &Header<'_>, time: i64) -> bool {
        let complaint = Complaint::parse(header.program, header.pid, header.message, time);
        let complaint = complaint.filter(|_| header.container == 0);
        let found = complaint.is_some();
        self.intake.complaints.extend(complaint);
        found
    }

    fn tell(
        &mut self,
        header: &Header<'_>,
        evidence: &rules::Evidence<'_>,
        time: i64,
        place: Place,
        is_login_only: bool,
    ) {
        let speaker = Speaker::of(header, evidence);
        if is_login_only {
            self.intake.attempts.tell_login(&speaker, evidence, time, place);
        } else {
            self.intake.attempts.tell(&speaker, evidence, time, place);
        }
    }

    fn not_understood(&mut self, read: &Read<'_>) -> Passed {
        // Where every line is looked at, empty ones are too, and what journalctl says itself: `-- cursor: …`, `-- Boot …`.
        let is_of_a_log = !read.text.is_empty() && !read.text.starts_with(b"-- ");
        self.intake.uncounted.not_understood += u64::from(is_of_a_log && !read.is_login_only);
        self.explain(read.place, "no log line", read.text);
        Passed::default()
    }

    fn explain(&mut self, place: Place, taken_for: &str, text: &[u8]) {
        if self.intake.explain {
            let text = neutral::text(text, SHOWN);
            let out = &mut self.intake.explanations;
            out.extend_from_slice(format!("{:>7}  {taken_for:<24} | {text}\n", place.line).as_bytes());
        }
    }
}

/// An entry of the systemd journal as a line: what a person looks for in it.
fn as_line(header: &Header<'_>) -> Vec<u8> {
    let pid = if header.pid == 0 { String::new() } else { format!("[{}]", header.pid) };
    [header.program, pid.as_bytes(), b": ", header.message].concat()
}
