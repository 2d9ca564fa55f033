//! By what a log is known: its first complete line. So it is recognised under another name, under
//! another inode (copytruncate), and compressed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;

use super::hash::Fnv;

/// Bytes of a first line that identify a log.
const LONGEST: u64 = 4096;

/// Stands for the systemd journal, whose entries have names of their own.
pub(crate) const JOURNALD: u64 = 0x6a6f_7572_6e61_6c64;

/// The first complete line of a log, or as much of it as identifies it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FirstLine {
    /// NUL bytes before it.
    start: u64,
    text: Vec<u8>,
}

impl FirstLine {
    /// Of what is read from its start. `None`: there is no complete line yet.
    pub(crate) fn of(source: impl Read) -> io::Result<Option<Self>> {
        let mut source = BufReader::with_capacity(16 << 10, source);
        let mut start = 0_u64;
        loop {
            let (found, len) = {
                let bytes = source.fill_buf()?;
                (bytes.iter().position(|b| *b != 0), bytes.len())
            };
            start += found.unwrap_or(len) as u64;
            source.consume(found.unwrap_or(len));
            if found.is_some() || len == 0 {
                break;
            }
        }
        let mut text = Vec::new();
        source.take(LONGEST).read_until(b'\n', &mut text)?;
        let complete = text.last() == Some(&b'\n') || text.len() as u64 >= LONGEST;
        Ok(complete.then_some(Self { start, text }))
    }

    /// The identity of the log: a hash.
    pub(crate) fn identity(&self) -> u64 {
        let mut hash = Fnv::default();
        hash.write(&self.text);
        if self.start > 0 {
            hash.write(&self.start.to_le_bytes());
        }
        hash.finish()
    }

    /// Whether it is still in `file`.
    pub(crate) fn is_in(&self, file: &File) -> bool {
        let mut now = vec![0; self.text.len()];
        file.read_exact_at(&mut now, self.start).is_ok() && now == self.text
    }
}

/// The identity of a log, from what is read from its start. `None`: it has no complete line yet.
pub(crate) fn identity(source: impl Read) -> io::Result<Option<u64>> {
    Ok(FirstLine::of(source)?.map(|line| line.identity()))
}

/// The identity under which lines are remembered: that of the file, and anew where it was cut.
pub(crate) fn of_generation(file: u64, generation: u32) -> u64 {
    if generation == 0 {
        return file;
    }
    let mut hash = Fnv::default();
    hash.write(&file.to_le_bytes());
    hash.write(&generation.to_le_bytes());
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_known_by_its_first_complete_line() {
        let of = |text: &[u8]| identity(text).unwrap();
        assert_eq!(of(b""), None);
        assert_eq!(of(b"half a line"), None);
        assert_eq!(of(b"a\nb\n"), of(b"a\nc\n"));
        assert_ne!(of(b"a\n"), of(b"b\n"));
        assert_ne!(of(b"\0\0a\n"), of(b"a\n"));
        assert_eq!(of(&[0; 100_000]), None);
        assert!(of(&[b'x'; 5000]).is_some());
    }
}
