//! Reading on from where one was.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use crate::event::Event;

use super::decode::{Decoded, decode};
use super::line::LONGEST;
use super::segment::Segment;

const BLOCK: usize = 64 << 10;

/// What stood at one place of a segment.
#[derive(Debug)]
pub enum Line {
    /// A failure.
    Event(Box<Event>),
    /// A record of a class that a newer version writes; passed over.
    Unknown,
    /// Bytes that are no record, with as much of them as fits a line.
    Unreadable(Vec<u8>),
}

/// Read `segment` from `offset` to its last complete line; returns the offset after that line. Calls
/// `each` with the offset at which a line begins, and the line.
///
/// A last line without its end may still be on its way and is left for the next time.
pub fn read(segment: &Segment, offset: u64, each: &mut dyn FnMut(u64, Line)) -> io::Result<u64> {
    match segment.open()? {
        Some(mut file) => read_file(&mut file, offset, each),
        None => Ok(offset),
    }
}

/// The same for a file that is open already.
pub fn read_file(file: &mut File, offset: u64, each: &mut dyn FnMut(u64, Line)) -> io::Result<u64> {
    read_until(file, offset, u64::MAX, each)
}

/// The same, as if the file ended at the offset `until`.
pub fn read_until(
    file: &mut File,
    offset: u64,
    until: u64,
    each: &mut dyn FnMut(u64, Line),
) -> io::Result<u64> {
    file.seek(SeekFrom::Start(offset))?;
    let mut file = file.take(until.saturating_sub(offset));
    let mut buffer = vec![0; BLOCK];
    let (mut held, mut consumed, mut skipping) = (0, offset, false);
    loop {
        let read = match file.read(&mut buffer[held..]) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if read == 0 {
            return Ok(consumed);
        }
        let filled = held + read;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &buffer[..filled]) {
            if !std::mem::take(&mut skipping) {
                take(consumed + start as u64, &buffer[start..end], each);
            }
            start = end + 1;
        }
        consumed += start as u64;
        buffer.copy_within(start..filled, 0);
        held = filled - start;
        if held == buffer.len() {
            // No record is that long: report its beginning once and pass over the rest.
            if !skipping {
                take(consumed, &buffer, each);
            }
            skipping = true;
            consumed += held as u64;
            held = 0;
        }
    }
}

fn take(at: u64, line: &[u8], each: &mut dyn FnMut(u64, Line)) {
    let (found, damaged) = decode(line);
    if damaged {
        each(at, Line::Unreadable(line[..line.len().min(LONGEST)].to_vec()));
    }
    match found {
        Some(Decoded::Event(event)) => each(at, Line::Event(event)),
        Some(Decoded::Unknown) => each(at, Line::Unknown),
        Some(Decoded::Header(_) | Decoded::Blank) | None => {}
    }
}

/// What tells whether a file still holds, just before `offset`, what was read there: the checksum
/// of the bytes before it, of as many as a record has.
pub fn check(file: &File, offset: u64) -> io::Result<u32> {
    let start = offset.saturating_sub(LONGEST as u64);
    let mut bytes = vec![0; (offset - start) as usize];
    file.read_exact_at(&mut bytes, start)?;
    Ok(crc32fast::hash(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::record::{encode, tests::record};
    use std::io::Write;

    fn run(bytes: &[u8], offset: u64) -> (usize, usize, u64) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let (mut good, mut bad) = (0, 0);
        let end = read_file(&mut file, offset, &mut |_, line| match line {
            Line::Event(_) => good += 1,
            Line::Unreadable(_) => bad += 1,
            Line::Unknown => {}
        });
        (good, bad, end.unwrap())
    }

    #[test]
    fn only_complete_lines_are_consumed() {
        let line = encode(&record(b"root")).to_vec();
        let two = [line.clone(), line.clone()].concat();
        for cut in 0..=two.len() {
            let (good, bad, end) = run(&two[..cut], 0);
            assert_eq!((good, bad), (cut / line.len(), 0));
            assert_eq!(end as usize, good * line.len());
        }
        assert_eq!(run(&two, line.len() as u64), (1, 0, two.len() as u64));
    }

    #[test]
    fn rubbish_of_any_length_is_passed_over_and_counted() {
        let line = encode(&record(b"root")).to_vec();
        for rubbish in [vec![0; 10], vec![b'x'; 200_000], vec![0xff; BLOCK], vec![b'x'; BLOCK - 1]] {
            let text = [line.clone(), rubbish, b"\n".to_vec(), line.clone()].concat();
            let (good, bad, end) = run(&text, 0);
            assert_eq!((good, bad, end), (2, 1, text.len() as u64));
        }
    }
}
