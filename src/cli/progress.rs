//! How far the reading of logs has come, at a terminal, where it takes longer than a moment.

use std::io::{IsTerminal, Write, stderr};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::neutral;

const A_MOMENT: Duration = Duration::from_secs(1);
const BETWEEN: Duration = Duration::from_millis(500);

pub(super) struct Progress {
    at_terminal: bool,
    begun: Instant,
    shown: Instant,
}

impl Progress {
    pub(super) fn begin() -> Self {
        let now = Instant::now();
        Self { at_terminal: stderr().is_terminal(), begun: now, shown: now }
    }

    /// So many bytes of the file were read, of so many; of a stream nobody knows how many: 0.
    pub(super) fn show(&mut self, file: &Path, read: u64, size: u64) {
        if self.is_long() && self.shown.elapsed() > BETWEEN {
            let percent =
                (read * 100).checked_div(size).map_or(format!("{read} bytes"), |n| format!("{n} %"));
            let name = neutral::text(file.as_os_str().as_encoded_bytes(), 200);
            let _ = write!(stderr(), "\r{name}: {percent} ");
            self.shown = Instant::now();
        }
    }

    /// Leave the line as it was.
    pub(super) fn end(&self) {
        if self.is_long() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }

    fn is_long(&self) -> bool {
        self.at_terminal && self.begun.elapsed() > A_MOMENT
    }
}
