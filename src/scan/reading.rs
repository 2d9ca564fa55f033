//! Reading logs in large blocks, with memory that does not grow with the file or its lines.
//!
//! A regular file of some size is read by two threads, block by block in turn, while the caller
//! takes the candidates in order. Streams, and files with lines longer than a block's margin, are
//! read one block after another.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use memchr::{memchr, memrchr};

use super::candidates::Search;

/// Bytes that are searched at once: they stay in the processor's cache.
const BLOCK: usize = 512 << 10;
/// A stream is begun with so little: most passes find a few lines.
const FIRST: usize = 16 << 10;
/// How far a line may reach over the end of a block before reading falls back to one thread.
const MARGIN: usize = 64 << 10;
/// From this size on two threads pay.
const PARALLEL: u64 = 8 << 20;
const READERS: u64 = 2;
/// Of a line that does not fit a block its beginning and its end are kept, so many bytes of each.
const KEPT: usize = 16 << 10;

/// A line that may tell something.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Its first byte in the file.
    pub offset: u64,
    /// How many lines come before it; 0 where they are not counted.
    pub lines_before: u64,
    /// Its text, without the line feed.
    pub text: &'a [u8],
    /// The process, where it tells only that sshd let somebody in; else 0.
    pub accepted: u32,
}

/// How far reading came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// After the last line that was taken.
    pub offset: u64,
    /// Lines taken, where they are counted.
    pub lines: u64,
}

/// Takes the candidates, in order, and is told after each block how far reading came.
pub trait Sink {
    /// A line that may tell something.
    fn line(&mut self, found: Found<'_>);
    /// Everything before this has been taken.
    fn progress(&mut self, progress: Progress) -> io::Result<()>;
}

/// The whole lines of `file` in `from..to`.
pub fn file(file: &File, from: u64, to: u64, search: &Search, sink: &mut dyn Sink) -> io::Result<Progress> {
    let mut progress = Progress { offset: from, lines: 0 };
    if to.saturating_sub(from) >= PARALLEL && parallel(file, &mut progress, to, search, sink)? {
        return Ok(progress);
    }
    let rest = At { file, offset: progress.offset, end: to };
    stream(rest, progress, false, search, sink)
}

/// The whole lines of a stream, which begins at `progress`; `tail`: also what follows the last
/// line feed.
pub fn stream(
    mut source: impl Read,
    mut progress: Progress,
    tail: bool,
    search: &Search,
    sink: &mut dyn Sink,
) -> io::Result<Progress> {
    let mut buffer = vec![0; FIRST];
    let mut filled = 0;
    let mut full = false;
    let mut long: Option<LongLine> = None;
    loop {
        if full {
            buffer.resize((2 * buffer.len()).min(BLOCK + MARGIN), 0);
        }
        let n = match source.read(&mut buffer[filled..]) {
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        let fresh = filled;
        filled += n;
        full = filled == buffer.len();
        if n == 0 {
            if tail && (filled > 0 || long.is_some()) {
                match long.take() {
                    Some(mut line) => {
                        line.push(&buffer[..filled]);
                        line.finish(&mut progress, search, sink);
                    }
                    None => whole(&buffer[..filled], &mut progress, search, sink),
                }
                sink.progress(progress)?;
            }
            return Ok(progress);
        }
        let mut start = 0;
        if let Some(line) = &mut long {
            let Some(end) = memchr(b'\n', &buffer[..filled]) else {
                line.push(&buffer[..filled]);
                filled = 0;
                continue;
            };
            line.push(&buffer[..=end]);
            start = end + 1;
            if let Some(line) = long.take() {
                line.finish(&mut progress, search, sink);
                sink.progress(progress)?;
            }
        }
        let searched = fresh.max(start);
        match memrchr(b'\n', &buffer[searched..filled]) {
            Some(last) => {
                let end = searched + last + 1;
                whole(&buffer[start..end], &mut progress, search, sink);
                sink.progress(progress)?;
                buffer.copy_within(end..filled, 0);
                filled -= end;
            }
            None if start > 0 => {
                buffer.copy_within(start..filled, 0);
                filled -= start;
            }
            None if full && filled == BLOCK + MARGIN => {
                let mut line = LongLine::default();
                line.push(&buffer);
                long = Some(line);
                filled = 0;
            }
            None => {}
        }
    }
}

/// Search whole lines.
fn whole(block: &[u8], progress: &mut Progress, search: &Search, sink: &mut dyn Sink) {
    let Progress { offset, lines } = *progress;
    let more = search.run(block, &mut |c| {
        sink.line(Found {
            offset: offset + c.start as u64,
            lines_before: lines + c.lines_before,
            text: &block[c.start..c.end],
            accepted: c.accepted,
        });
    });
    progress.offset += block.len() as u64;
    progress.lines += more;
}

/// A line that fits no buffer. A hole of NUL bytes at its start is passed over.
#[derive(Default)]
struct LongLine {
    nuls: u64,
    len: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl LongLine {
    fn push(&mut self, mut bytes: &[u8]) {
        if self.len == 0 {
            let nuls = bytes.iter().take_while(|b| **b == 0).count();
            self.nuls += nuls as u64;
            bytes = &bytes[nuls..];
        }
        self.len += bytes.len() as u64;
        let room = KEPT.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..room]);
        bytes = &bytes[room..];
        if bytes.len() >= KEPT {
            self.tail.clear();
            self.tail.extend_from_slice(&bytes[bytes.len() - KEPT..]);
        } else {
            let excess = (self.tail.len() + bytes.len()).saturating_sub(KEPT);
            self.tail.drain(..excess);
            self.tail.extend_from_slice(bytes);
        }
    }

    fn finish(mut self, progress: &mut Progress, search: &Search, sink: &mut dyn Sink) {
        self.head.append(&mut self.tail);
        let mut line = Progress { offset: progress.offset + self.nuls, lines: progress.lines };
        whole(&self.head, &mut line, search, sink);
        progress.offset += self.nuls + self.len;
        progress.lines = line.lines;
    }
}

/// A part of a file as a stream.
struct At<'a> {
    file: &'a File,
    offset: u64,
    end: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room =
            usize::try_from(self.end.saturating_sub(self.offset)).unwrap_or(usize::MAX).min(buffer.len());
        let n = self.file.read_at(&mut buffer[..room], self.offset)?;
        self.offset += n as u64;
        Ok(n)
    }
}

/// A candidate of a batch, its text apart.
struct Kept {
    offset: u64,
    lines_before: u64,
    len: usize,
    accepted: u32,
}

/// One block's candidates on their way to the caller.
#[derive(Default)]
struct Batch {
    text: Vec<u8>,
    lines: Vec<Kept>,
    end: u64,
    count: u64,
    /// A line was too long, or the file ended early: from here on one thread reads.
    irregular: bool,
}

/// Read with several threads. `Ok(false)`: the rest is for one thread.
fn parallel(
    file: &File,
    progress: &mut Progress,
    to: u64,
    search: &Search,
    sink: &mut dyn Sink,
) -> io::Result<bool> {
    let from = progress.offset;
    let blocks = (to - from).div_ceil(BLOCK as u64);
    thread::scope(|scope| {
        let mut queues = Vec::new();
        for reader in 0..READERS {
            let (send, receive) = sync_channel::<io::Result<Batch>>(4);
            let (back, spare) = sync_channel::<Batch>(8);
            let read = move || {
                read_blocks(file, (reader..blocks).step_by(READERS as usize), from, to, search, &send, &spare)
            };
            if thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, read).is_err() {
                return Ok(false);
            }
            queues.push((receive, back));
        }
        for block in 0..blocks {
            let (receive, back) = &queues[(block % READERS) as usize];
            let batch = match receive.recv() {
                Ok(batch) => batch?,
                Err(_) => return Ok(false),
            };
            if batch.irregular {
                return Ok(false);
            }
            let mut at = 0;
            for &Kept { offset, lines_before, len, accepted } in &batch.lines {
                let text = &batch.text[at..at + len];
                at += len;
                sink.line(Found { offset, lines_before: progress.lines + lines_before, text, accepted });
            }
            progress.offset = batch.end;
            progress.lines += batch.count;
            sink.progress(*progress)?;
            // The reader may have finished; then nobody needs it.
            let _ = back.try_send(batch);
        }
        Ok(true)
    })
}

/// Every n-th block: the lines that start in it.
fn read_blocks(
    file: &File,
    blocks: impl Iterator<Item = u64>,
    from: u64,
    to: u64,
    search: &Search,
    send: &SyncSender<io::Result<Batch>>,
    spare: &Receiver<Batch>,
) {
    let mut buffer = vec![0; 1 + BLOCK + MARGIN];
    for block in blocks {
        let mut batch = spare.try_recv().unwrap_or_default();
        batch.text.clear();
        batch.lines.clear();
        let result = read_block(file, from + block * BLOCK as u64, from, to, search, &mut buffer, &mut batch);
        if send.send(result.map(|()| batch)).is_err() {
            return;
        }
    }
}

fn read_block(
    file: &File,
    start: u64,
    from: u64,
    to: u64,
    search: &Search,
    buffer: &mut [u8],
    batch: &mut Batch,
) -> io::Result<()> {
    batch.irregular = false;
    // The byte before tells whether a line starts right here.
    let begin = if start == from { start } else { start - 1 };
    let end = to.min(start + BLOCK as u64);
    let mut len = (end - begin) as usize;
    if !fill(file, &mut buffer[..len], begin)? {
        batch.irregular = true;
        return Ok(());
    }
    let first = if start == from { 0 } else { memchr(b'\n', &buffer[..len]).map_or(len, |i| i + 1) };
    // The last line that starts here is read to its end.
    let mut searched = len - 1;
    let last = if end == to {
        memrchr(b'\n', &buffer[first..len]).map_or(first, |i| first + i + 1)
    } else {
        loop {
            if let Some(i) = memchr(b'\n', &buffer[searched..len]) {
                break searched + i + 1;
            }
            searched = len;
            let more = (to - begin - len as u64).min(4096).min((buffer.len() - len) as u64) as usize;
            if more == 0 {
                // Either the file's last line, which has no end, or one that is too long.
                if begin + len as u64 == to {
                    break memrchr(b'\n', &buffer[first..len]).map_or(first, |i| first + i + 1);
                }
                batch.irregular = true;
                return Ok(());
            }
            if !fill(file, &mut buffer[len..len + more], begin + len as u64)? {
                batch.irregular = true;
                return Ok(());
            }
            len += more;
        }
    };
    if first >= last {
        // No line starts here: an earlier block has the whole of it, or was irregular.
        batch.end = begin + first as u64;
        batch.irregular = end < to && first < len;
        batch.count = 0;
        return Ok(());
    }
    let base = begin + first as u64;
    let text = &buffer[first..last];
    let Batch { text: kept, lines, .. } = batch;
    let count = search.run(text, &mut |c| {
        kept.extend_from_slice(&text[c.start..c.end]);
        lines.push(Kept {
            offset: base + c.start as u64,
            lines_before: c.lines_before,
            len: c.end - c.start,
            accepted: c.accepted,
        });
    });
    batch.count = count;
    batch.end = begin + last as u64;
    Ok(())
}

/// Fill `buffer` from `offset`; `false`: the file ended before.
fn fill(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
    match file.read_exact_at(buffer, offset) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[derive(Default)]
    struct Collected {
        lines: Vec<(u64, u64, String)>,
        progress: Progress,
    }

    impl Sink for Collected {
        fn line(&mut self, found: Found<'_>) {
            self.lines.push((
                found.offset,
                found.lines_before,
                String::from_utf8_lossy(found.text).into_owned(),
            ));
        }

        fn progress(&mut self, progress: Progress) -> io::Result<()> {
            self.progress = progress;
            Ok(())
        }
    }

    /// What a plain loop over the lines finds.
    fn plainly(text: &str) -> Vec<(u64, u64, String)> {
        let mut offset = 0;
        let mut all = Vec::new();
        for (number, line) in text.split_inclusive('\n').enumerate() {
            if line.contains("Failed ") && line.ends_with('\n') {
                all.push((offset, number as u64, line.trim_end_matches('\n').to_owned()));
            }
            offset += line.len() as u64;
        }
        all
    }

    fn sample(bytes: usize, seed: u64) -> String {
        let mut state = seed;
        let mut text = String::new();
        while text.len() < bytes {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let len = (state >> 33) as usize % 300;
            if state >> 60 == 0 {
                text.push_str("Failed ");
            }
            text.extend(std::iter::repeat_n('x', len));
            text.push('\n');
        }
        text
    }

    fn through_file(text: &[u8]) -> Collected {
        let mut log = tempfile::tempfile().unwrap();
        log.write_all(text).unwrap();
        let mut collected = Collected::default();
        let end = file(&log, 0, text.len() as u64, &Search::new(true), &mut collected).unwrap();
        assert_eq!(end, collected.progress);
        collected
    }

    #[test]
    fn threads_find_what_a_plain_loop_finds() {
        for seed in 0..3 {
            let mut text = sample(9 << 20, seed);
            text.push_str("Failed without an end");
            let collected = through_file(text.as_bytes());
            assert!(collected.lines == plainly(&text), "seed {seed}");
            assert_eq!(collected.progress.offset as usize, text.len() - "Failed without an end".len());
            assert_eq!(collected.progress.lines, text.matches('\n').count() as u64);
        }
    }

    #[test]
    fn lines_of_any_length_are_passed_in_bounded_memory() {
        let mut text = sample(1 << 20, 7);
        text.push_str("Failed ");
        text.push_str(&"y".repeat(3 << 20));
        text.push_str(" end of it\n");
        text.push_str(&sample(9 << 20, 8));
        let collected = through_file(text.as_bytes());
        let expected = plainly(&text);
        assert_eq!(collected.lines.len(), expected.len());
        for (found, expected) in collected.lines.iter().zip(&expected) {
            assert_eq!((found.0, found.1), (expected.0, expected.1));
            assert!(found.2.len() <= 2 * KEPT);
        }
        assert!(collected.lines.iter().any(|l| l.2.ends_with(" end of it")));
    }

    #[test]
    fn a_hole_of_nul_bytes_hides_nothing() {
        for hole in [590, BLOCK + MARGIN, 5 << 20] {
            let mut bytes = b"a\n".to_vec();
            bytes.resize(hole, 0);
            bytes.extend_from_slice(b"Failed b\nc\n");
            bytes.resize(bytes.len() + (9 << 20), b'\n');
            let collected = through_file(&bytes);
            assert_eq!(collected.lines, [(hole as u64, 1, "Failed b".to_owned())], "{hole}");
        }
    }

    #[test]
    fn a_stream_gives_its_tail_when_asked() {
        for (tail, expected) in [(false, 1), (true, 2)] {
            let mut collected = Collected::default();
            stream(&b"Failed a\nFailed b"[..], Progress::default(), tail, &Search::new(true), &mut collected)
                .unwrap();
            assert_eq!(collected.lines.len(), expected);
        }
    }
}
