//! The durable queue of failures, which is also the history.
//!
//! A directory of segments: `current.jsonl`, to which everybody appends, and sealed ones named by
//! their id. A segment is text, one JSON object a line, so `tail`, `grep` and `jq` read it:
//!
//! ```text
//! {"segment":"18b0c1d2e3f40516-4711","limit":67108864,"crc":"…"}
//! {"time":"2026-01-05T12:01:47.123456Z","route":"pam","class":"failure","service":"sshd",…,"crc":"…"}
//! ```
//!
//! - Writers only append, one `write` a record, and wait for nothing ([`append`]).
//! - What cannot be appended is spilled beside it, and appended by the next pass ([`spill`]).
//! - Failures leave a mark, which a login after them finds ([`marks`]).
//! - Failures from addresses that one machine can have count as of one ([`address`]).
//! - What finds no room there either is counted ([`dropped`]); some room is kept ([`room`]).
//! - Every record carries a checksum; a torn or damaged one costs itself alone ([`record`], [`decode`]).
//! - Whoever delivers seals, lists and deletes segments, under the delivery lock ([`segment`]).
//! - Readers go on from where they were, by segment and offset ([`read`]). A record that lands in
//!   a segment after it was sealed is found all the same.

pub mod address;
pub mod append;
pub mod decode;
pub mod dropped;
pub mod line;
pub mod marks;
pub mod path;
pub mod read;
pub mod record;
pub mod room;
pub mod segment;
pub mod spill;
pub mod target;

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::event::{Class, Event, Route};

/// Name of the directory below the state directory.
pub const DIRECTORY: &str = "journal";
/// Name of the segment to which everybody appends.
pub const CURRENT: &str = "current.jsonl";
/// Counts the records that found no room (see [`dropped`]).
pub const DROPPED: &str = "dropped";

/// Records of one write, where somebody has many.
const AT_ONCE: usize = 32;

/// The journal below one state directory.
#[derive(Clone, Debug)]
pub struct Journal {
    directory: PathBuf,
}

impl Journal {
    /// The journal below `state`. Touches nothing.
    pub fn new(state: &Path) -> Self {
        Self { directory: state.join(DIRECTORY) }
    }

    /// Where the segments are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Append `failures` in order; on disk when it returns.
    ///
    /// On an error some of them may have been written: give each an `origin` where that matters.
    pub fn append(&self, failures: &[Event]) -> io::Result<()> {
        self.append_as_fits(failures).1
    }

    /// The same; also says how many were appended. One that finds no room is not counted as dropped:
    /// whoever appends here can come again.
    pub fn append_as_fits(&self, failures: &[Event]) -> (usize, io::Result<()>) {
        let mut appended = 0;
        for some in failures.chunks(AT_ONCE) {
            let lines: Vec<_> =
                some.iter().map(|failure| record::encode(&record::Record::from(failure))).collect();
            let (whole, result) = append::append_lines(&self.directory, &lines);
            appended += whole;
            if let Err(why) = result {
                return (appended, self.sync().and(Err(why.into())));
            }
        }
        (failures.len(), if failures.is_empty() { Ok(()) } else { self.sync() })
    }

    /// Announce that this process is about to fail at `service` on purpose: what the module records of it
    /// within a minute is a test ([`Class::Test`]). On disk when it returns.
    pub fn announce_test(&self, service: &str, time: Timestamp) -> io::Result<()> {
        self.append(&[Event {
            time,
            host: String::new(),
            route: Route::Pam,
            class: Class::Test,
            count: 1,
            service: service.into(),
            pid: std::process::id(),
            ppid: 0,
            user: String::new(),
            rhost: String::new(),
            tty: String::new(),
            ruser: String::new(),
            uid: 0,
            origin: None,
        }])
    }

    /// How many records found no room so far.
    pub fn dropped(&self) -> u64 {
        self.directory.join(DROPPED).metadata().map_or(0, |file| file.len())
    }

    /// Wait until everything that was appended is on disk, not only in the page cache.
    pub fn sync(&self) -> io::Result<()> {
        append::sync(&self.directory)
    }

    /// Hand every failure since `since` to `each`, delivered or not, oldest segment first.
    ///
    /// Unreadable lines are passed over; the delivery pass counts them.
    pub fn read_since(&self, since: Timestamp, each: &mut dyn FnMut(Event)) -> io::Result<()> {
        // First: one that is taken over meanwhile is handed over twice, and none not at all.
        spill::waiting(self)?.into_iter().map(|s| s.failure).filter(|f| f.time >= since).for_each(&mut *each);
        for segment in segment::list(&self.directory)? {
            read::read(&segment, 0, &mut |_, line| {
                if let read::Line::Event(failure) = line {
                    if failure.time >= since {
                        each(*failure);
                    }
                }
            })?;
        }
        Ok(())
    }
}
