//! Reading logs in large blocks, with memory that does not grow with the file or its lines.
//!
//! One block after another: a second thread that reads ahead was tried, and was no faster than one core
//! searches what memory gives.

mod long;

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use memchr::{memchr, memrchr};

use super::prefilter::{Passed, Reach, Search};
use long::LongLine;

/// Bytes that are searched at once: they stay in the processor's nearer cache.
const BLOCK: usize = 128 << 10;
/// A stream is begun with so little: most passes find a few lines.
const FIRST: usize = 16 << 10;
/// Room for the beginning of a line, of which the rest is in the next block.
const MARGIN: usize = 64 << 10;

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
    /// It matters only where it tells of a login.
    pub is_login_only: bool,
}

/// How far reading came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// After the last line that was taken.
    pub offset: u64,
    /// Lines taken, where they are counted.
    pub lines: u64,
}

/// Takes the candidates, in order, and hears after each block how far reading came.
pub trait Sink {
    /// A line that may tell something; says what it was.
    fn line(&mut self, found: Found<'_>) -> Passed;
    /// Everything before this has been taken.
    fn progress(&mut self, progress: Progress) -> Result<(), Halt>;
}

/// Why reading came to a halt.
#[derive(Debug)]
pub enum Halt {
    /// The log cannot be read.
    Read(io::Error),
    /// It was emptied while it was read: what it has now is for the next pass.
    Emptied,
    /// Whoever takes what is read cannot go on.
    Taker(super::Error),
}

impl From<io::Error> for Halt {
    fn from(why: io::Error) -> Self {
        Self::Read(why)
    }
}

/// The whole lines of `file` in `from..to`.
pub fn file(file: &File, from: u64, to: u64, search: &Search, sink: &mut dyn Sink) -> Result<Progress, Halt> {
    let part = At { file, offset: from, end: to };
    stream(part, Progress { offset: from, lines: 0 }, false, search, sink)
}

/// The whole lines of a stream, which begins at `progress`; `tail`: also what follows the last
/// line feed.
pub fn stream(
    mut source: impl Read,
    mut progress: Progress,
    tail: bool,
    search: &Search,
    sink: &mut dyn Sink,
) -> Result<Progress, Halt> {
    let mut buffer = vec![0; FIRST];
    let mut filled = 0;
    let mut full = false;
    let mut long: Option<LongLine> = None;
    let mut reach = Reach::default();
    loop {
        if full {
            buffer.resize((2 * buffer.len()).min(BLOCK + MARGIN), 0);
        }
        let n = match source.read(&mut buffer[filled..]) {
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e.into()),
        };
        let fresh = filled;
        filled += n;
        full = filled == buffer.len();
        if n == 0 {
            if tail && (filled > 0 || long.is_some()) {
                match long.take() {
                    Some(mut line) => {
                        line.push(&buffer[..filled]);
                        line.finish(&mut progress, search, &mut reach, sink);
                    }
                    None => whole(&buffer[..filled], &mut progress, search, &mut reach, sink),
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
                line.finish(&mut progress, search, &mut reach, sink);
                sink.progress(progress)?;
            }
        }
        let searched = fresh.max(start);
        match memrchr(b'\n', &buffer[searched..filled]) {
            Some(last) => {
                let end = searched + last + 1;
                whole(&buffer[start..end], &mut progress, search, &mut reach, sink);
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
fn whole(block: &[u8], progress: &mut Progress, search: &Search, reach: &mut Reach, sink: &mut dyn Sink) {
    let Progress { offset, lines } = *progress;
    let more = search.run(block, reach, &mut |c| {
        sink.line(Found {
            offset: offset + c.start as u64,
            lines_before: lines + c.lines_before,
            text: &block[c.start..c.end],
            accepted: c.accepted,
            is_login_only: c.is_login_only,
        })
    });
    progress.offset += block.len() as u64;
    progress.lines += more;
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
        fn line(&mut self, found: Found<'_>) -> Passed {
            self.lines.push((
                found.offset,
                found.lines_before,
                String::from_utf8_lossy(found.text).into_owned(),
            ));
            Passed::default()
        }

        fn progress(&mut self, progress: Progress) -> Result<(), Halt> {
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
            assert!(found.2.len() <= 2 * long::KEPT);
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
