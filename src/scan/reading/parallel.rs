//! Two threads read a file, stretch by stretch in turn, and the caller takes what they find in order.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use memchr::{memchr, memrchr};

use super::{BLOCK, Found, MARGIN, Progress, Sink};
use crate::scan::candidates::{Reach, Search};

const READERS: u64 = 2;
/// What one thread reads before the other's turn comes: much, because waking a thread takes time.
const STRETCH: u64 = 2 << 20;
/// Text of candidates that is handed over at once, and not much more.
const HANDED: usize = 256 << 10;
/// Behind the end of its stretch a thread looks so far at a time for the end of the last line.
const REST: usize = 4 << 10;

/// A candidate of a batch, its text apart.
struct Kept {
    offset: u64,
    lines_before: u64,
    len: usize,
    accepted: u32,
}

/// Candidates on their way to the caller.
#[derive(Default)]
struct Batch {
    text: Vec<u8>,
    lines: Vec<Kept>,
    /// After the last line that was searched; 0 where there was none.
    end: u64,
    /// Lines searched, where they are counted.
    count: u64,
    /// The stretch ends with it: the next one comes from the other thread.
    last: bool,
    /// A line was too long, or the file ended early: from here on one thread reads.
    irregular: bool,
}

/// Read `progress.offset..to` of a file, its whole lines. `Ok(false)`: the rest is for one thread.
pub(super) fn parallel(
    file: &File,
    progress: &mut Progress,
    to: u64,
    search: &Search,
    sink: &mut dyn Sink,
) -> Result<bool, super::Halt> {
    let from = progress.offset;
    let stretches = (to - from).div_ceil(STRETCH);
    thread::scope(|scope| {
        let mut queues = Vec::new();
        for reader in 0..READERS {
            let (send, receive) = sync_channel::<io::Result<Batch>>(4);
            let (back, spare) = sync_channel::<Batch>(8);
            let read = move || {
                let mut buffer = vec![0; BLOCK + MARGIN];
                for stretch in (reader..stretches).step_by(READERS as usize) {
                    let start = from + stretch * STRETCH;
                    let mut stretch = Stretch {
                        file,
                        to,
                        end: to.min(start + STRETCH),
                        search,
                        reach: Reach::default(),
                        // The byte before tells whether a line starts right here.
                        at: start - u64::from(stretch > 0),
                        is_inside: stretch > 0,
                        buffer: &mut buffer,
                        filled: 0,
                    };
                    if !stretch.read(&send, &spare) {
                        return;
                    }
                }
            };
            if thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, read).is_err() {
                return Ok(false);
            }
            queues.push((receive, back));
        }
        let mut stretch = 0;
        while stretch < stretches {
            let (receive, back) = &queues[(stretch % READERS) as usize];
            let batch = match receive.recv() {
                Ok(batch) => batch?,
                Err(_) => return Ok(false),
            };
            let mut at = 0;
            for &Kept { offset, lines_before, len, accepted } in &batch.lines {
                let text = &batch.text[at..at + len];
                at += len;
                sink.line(Found { offset, lines_before: progress.lines + lines_before, text, accepted });
            }
            progress.offset = progress.offset.max(batch.end);
            progress.lines += batch.count;
            sink.progress(*progress)?;
            if batch.irregular {
                return Ok(false);
            }
            stretch += u64::from(batch.last);
            // The reader may have finished; then nobody needs it.
            let _ = back.try_send(batch);
        }
        Ok(true)
    })
}

/// The lines that start before `end`, of a file of which `..to` is wanted.
struct Stretch<'a> {
    file: &'a File,
    to: u64,
    end: u64,
    search: &'a Search,
    reach: Reach,
    /// Where the file is read next.
    at: u64,
    /// What is read there belongs to a line that started before the stretch.
    is_inside: bool,
    buffer: &'a mut [u8],
    /// How much of the buffer is left from before: the beginning of a line.
    filled: usize,
}

impl Stretch<'_> {
    /// Hand over the candidates; `false`: nobody wants more.
    fn read(&mut self, send: &SyncSender<io::Result<Batch>>, spare: &Receiver<Batch>) -> bool {
        loop {
            let Batch { mut text, mut lines, .. } = spare.try_recv().unwrap_or_default();
            text.clear();
            lines.clear();
            let mut batch = Batch { text, lines, ..Batch::default() };
            let result = loop {
                let result = self.block(&mut batch);
                if result.is_err() || batch.last || batch.irregular || batch.text.len() >= HANDED {
                    break result;
                }
            };
            let is_over = batch.last || batch.irregular || result.is_err();
            if send.send(result.map(|()| batch)).is_err() {
                return false;
            }
            if is_over {
                return true;
            }
        }
    }

    /// Read a block, and search the lines that are whole.
    fn block(&mut self, batch: &mut Batch) -> io::Result<()> {
        let is_rest = self.at >= self.end;
        let (until, most) = if is_rest { (self.to, REST) } else { (self.end, BLOCK) };
        let room = most.min(self.buffer.len() - self.filled);
        let room = usize::try_from(until - self.at).unwrap_or(room).min(room);
        match self.file.read_exact_at(&mut self.buffer[self.filled..self.filled + room], self.at) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                batch.irregular = true;
                return Ok(());
            }
            Err(e) => return Err(e),
        }
        let mut fresh = self.filled;
        self.filled += room;
        self.at += room as u64;
        let read = &self.buffer[..self.filled];
        let mut start = 0;
        if self.is_inside {
            let Some(end) = memchr(b'\n', read) else {
                self.filled = 0;
                batch.last = self.at == self.end;
                return Ok(());
            };
            self.is_inside = false;
            (start, fresh) = (end + 1, end + 1);
        }
        let line_feed = if is_rest { memchr } else { memrchr };
        let end = line_feed(b'\n', &read[fresh..]).map(|at| fresh + at + 1);
        if let Some(end) = end {
            let base = self.at - self.filled as u64;
            batch.search(&read[start..end], base + start as u64, self.search, &mut self.reach);
            start = end;
        }
        self.buffer.copy_within(start..self.filled, 0);
        self.filled -= start;
        // A line that the file does not end is left.
        batch.last =
            (is_rest && end.is_some()) || self.at == self.to || (self.at == self.end && self.filled == 0);
        batch.irregular = !batch.last && self.filled == self.buffer.len();
        Ok(())
    }
}

impl Batch {
    /// Take in the candidates of whole lines, which start at `offset` of the file.
    fn search(&mut self, lines: &[u8], offset: u64, search: &Search, reach: &mut Reach) {
        let Self { text, lines: kept, count, end, .. } = self;
        let before = *count;
        *count += search.run(lines, reach, &mut |c| {
            text.extend_from_slice(&lines[c.start..c.end]);
            kept.push(Kept {
                offset: offset + c.start as u64,
                lines_before: before + c.lines_before,
                len: c.end - c.start,
                accepted: c.accepted,
            });
        });
        *end = offset + lines.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// What is found in stretches of `length` through a buffer of `room`, up to the first that is irregular.
    fn in_stretches(text: &str, length: u64, room: usize) -> (Vec<(u64, u64, String)>, bool, u64) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let (search, mut buffer) = (Search::new(true), vec![0; room]);
        let (send, receive) = sync_channel(1000);
        let (_back, spare) = sync_channel(1);
        let (mut found, mut lines, mut reached) = (Vec::new(), 0, 0);
        let to = text.len() as u64;
        for start in (0..to).step_by(length as usize) {
            let mut stretch = Stretch {
                file: &file,
                to,
                end: to.min(start + length),
                search: &search,
                reach: Reach::default(),
                at: start - u64::from(start > 0),
                is_inside: start > 0,
                buffer: &mut buffer,
                filled: 0,
            };
            assert!(stretch.read(&send, &spare));
            for batch in receive.try_iter().map(Result::unwrap) {
                let mut at = 0;
                for line in &batch.lines {
                    let line_text = String::from_utf8(batch.text[at..at + line.len].to_vec()).unwrap();
                    found.push((line.offset, lines + line.lines_before, line_text));
                    at += line.len;
                }
                lines += batch.count;
                reached = reached.max(batch.end);
                if batch.irregular {
                    return (found, true, reached);
                }
            }
        }
        (found, false, reached)
    }

    #[test]
    fn each_line_is_found_in_one_stretch_wherever_stretches_and_blocks_end() {
        let texts = [
            "\n\nFailed a\nx\n\nyy\nFailed bcdef\nFailed \nxxxxxxxxxx\nFailed gh\n",
            "Failed with a line that is longer than some stretches\nFailed z\n\n\nend without its line feed",
            "Failed a\nFailed b\nFailed c\nFailed d\n",
            "no end",
        ];
        for text in texts {
            let whole = text.rfind('\n').map_or(0, |at| at + 1);
            let mut offset = 0;
            let mut plainly = Vec::new();
            for (number, line) in text[..whole].split_inclusive('\n').enumerate() {
                if line.starts_with("Failed") {
                    plainly.push((offset, number as u64, line.trim_end_matches('\n').to_owned()));
                }
                offset += line.len() as u64;
            }
            let longest = text.split('\n').map(str::len).max().unwrap() + 1;
            for length in 1..=text.len() as u64 + 1 {
                for room in 1..=text.len() + 2 {
                    let (found, irregular, reached) = in_stretches(text, length, room);
                    if irregular {
                        assert!(room <= longest, "{text:?} {length} {room}");
                        assert_eq!(found, plainly[..found.len()], "{text:?} {length} {room}");
                        // What is not found stands behind what is left to one thread.
                        assert!(plainly[found.len()..].iter().all(|(at, ..)| *at >= reached));
                    } else {
                        assert_eq!(found, plainly, "{text:?} {length} {room}");
                        assert_eq!(reached, whole as u64, "{text:?} {length} {room}");
                    }
                }
            }
        }
    }
}
