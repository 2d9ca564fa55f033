//! A line that is longer than what is searched at once.

use super::{Progress, Sink, whole};
use crate::scan::prefilter::{Reach, Search};

/// Its beginning and its end are kept, so many bytes of each.
pub(super) const KEPT: usize = 16 << 10;
/// Of an entry of the systemd journal its beginning: the name that a program was started under may be 128 KB, and four to six
/// bytes are written for each that is no text.
const ENTRY: usize = 2 << 20;

/// A line that fits no buffer. A hole of NUL bytes at its start is passed over.
#[derive(Default)]
pub(super) struct LongLine {
    nuls: u64,
    len: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl LongLine {
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        if self.len == 0 {
            let nuls = bytes.iter().take_while(|b| **b == 0).count();
            self.nuls += nuls as u64;
            bytes = &bytes[nuls..];
        }
        self.len += bytes.len() as u64;
        let is_entry = self.head.first().or(bytes.first()) == Some(&b'{');
        let kept = if is_entry { ENTRY } else { KEPT };
        let room = kept.saturating_sub(self.head.len()).min(bytes.len());
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

    pub(super) fn finish(
        mut self,
        progress: &mut Progress,
        search: &Search,
        reach: &mut Reach,
        sink: &mut dyn Sink,
    ) {
        let is_cut = self.len > (self.head.len() + self.tail.len()) as u64;
        if is_cut && self.head.starts_with(b"{") {
            // What is missing of an entry of the systemd journal may be who wrote it, and its writer chooses how long the others are.
            self.head.push(0);
        }
        self.head.append(&mut self.tail);
        let mut line = Progress { offset: progress.offset + self.nuls, lines: progress.lines };
        whole(&self.head, &mut line, search, reach, sink);
        progress.offset += self.nuls + self.len;
        progress.lines = line.lines;
    }
}
