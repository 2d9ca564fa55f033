//! Keeping the journal within its bounds: sealing the segment that everybody appends to, deleting
//! sealed ones that are read and old, or that are in the way.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::config;
use crate::journal::Journal;
use crate::journal::segment::{self, Segment};

use super::intake;
use super::state::State;

/// A slow writer that had a segment open when it was sealed has finished by then.
const SETTLED: Duration = Duration::from_secs(10);
const DAY: Duration = Duration::from_secs(86_400);

/// Seal and delete as `limits` say. Everything must have been taken in just before. `rest` is
/// called for each deleted segment, with the file still open.
pub fn tidy(
    journal: &Journal,
    state: &mut State,
    limits: &config::Journal,
    mut rest: impl FnMut(&mut State, &Segment, &mut std::fs::File) -> io::Result<()>,
) -> io::Result<bool> {
    let mut changed = false;
    let part = (limits.max_size / 8).clamp(16 << 10, 8 << 20);
    let segments = segment::list(journal.directory())?;
    let mut total: u64 = segments.iter().map(|s| s.size).sum();
    let sealed: Vec<&Segment> = segments.iter().filter(|s| !s.current).collect();
    let mut kept = 0;
    for segment in sealed {
        let age = age(&segment.path);
        // Room for one more part, so that writers always find some.
        let in_the_way = total + part > limits.max_size;
        let read = state.cursors.iter().any(|c| intake::belongs(c, segment) && c.offset >= segment.size);
        if read && (age > limits.keep || (in_the_way && age > SETTLED)) {
            let mut file = segment::delete(segment)?;
            rest(state, segment, &mut file)?;
            total -= segment.size;
            changed = true;
        } else {
            kept += segment.size;
        }
    }
    let limit = limits.max_size.saturating_sub(kept).max(part);
    let due = match segments.iter().find(|s| s.current) {
        None => true,
        Some(s) => {
            s.limit > limit || s.size >= part || (s.size > 4096 && born(s).is_some_and(|age| age > DAY))
        }
    };
    if due {
        journal.sync()?;
        segment::seal(journal.directory(), limit)?;
        changed = true;
    }
    segment::sweep(journal.directory());
    Ok(changed)
}

/// Make the directories that installing makes, where they are missing. Says whether it had to.
pub fn prepare(state: &Path) -> io::Result<bool> {
    use std::os::unix::fs::DirBuilderExt;
    let directory = state.join(crate::journal::DIRECTORY);
    if directory.is_dir() {
        return Ok(false);
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
    Ok(true)
}

fn age(path: &Path) -> Duration {
    let modified = std::fs::metadata(path).and_then(|m| m.modified());
    modified.ok().and_then(|m| m.elapsed().ok()).unwrap_or_default()
}

/// How long ago the segment was made, from its id.
fn born(segment: &Segment) -> Option<Duration> {
    let nanoseconds = u64::from_str_radix(segment.id.get(..16)?, 16).ok()?;
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds)).ok()
}
