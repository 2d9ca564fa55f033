//! How long after a refusal words of success matter: they may take it back.

use crate::scan::attempts::SILENCE;

/// So many bytes in any case, whatever the lines in them say what time it is.
const NEAR: usize = 32 << 10;

/// What a candidate was.
#[derive(Clone, Copy, Debug, Default)]
pub struct Passed {
    /// In microseconds of the epoch, where that is known, and it was read for more than a login.
    pub time: Option<i64>,
    /// It is sshd's, with a client's address: that he got in after all, sshd says in a word that is searched for anyway.
    pub is_complete: bool,
}

/// How far into what comes next a word of success matters, as a refusal may stand before it: until a line is later than
/// its process can still be open, however much others log meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// Up to this byte of the block.
    near: usize,
    until: Until,
}

#[derive(Clone, Copy, Debug)]
enum Until {
    /// Nobody has looked at what stands before; the first line tells what time it is.
    Unknown,
    /// No line later than this, in microseconds of the epoch.
    Time(i64),
    /// There was one.
    Past,
}

impl Default for Reach {
    /// Nobody has looked at what stands before.
    fn default() -> Self {
        Self { near: NEAR, until: Until::Unknown }
    }
}

impl Reach {
    /// Where in a block of this length it ends.
    pub(super) fn end(&self, block: usize) -> usize {
        if matches!(self.until, Until::Past) { self.near.min(block) } else { block }
    }

    /// A line of this time, if it is known, is passed. `refusal`: where it ends, if it may tell of one that a success takes
    /// back.
    pub(super) fn pass(&mut self, time: Option<i64>, refusal: Option<usize>) {
        if let Some(end) = refusal {
            self.near = self.near.max(end + NEAR);
        }
        let Some(time) = time else { return };
        let later = time.saturating_add(SILENCE);
        self.until = match (self.until, refusal) {
            (Until::Time(until), Some(_)) => Until::Time(until.max(later)),
            (Until::Unknown, _) | (Until::Past, Some(_)) => Until::Time(later),
            (Until::Time(until), None) if time > until => Until::Past,
            (until, None) => until,
        };
    }

    /// What comes next is behind a block of this length.
    pub(super) fn leave(&mut self, block: usize) {
        self.near = self.near.saturating_sub(block);
    }
}
