//! Where failures leave their mark, so that a login after them is known for one: a file of fixed size. The
//! module marks and looks (`src/pam/marks.rs`); here is how the file is laid out, and its first making.
//!
//! A mark is the minute of the last failure, at a place that is the hash of a network ([`super::address::network`]), a user or an account. No
//! place is ever given to another, so nobody can clear a mark: whoever fails under many names, or finds two names
//! with one hash, adds marks, and a mark too many costs a record of a good login. That is why the hash needs no
//! key.
//!
//! A file that is missing, damaged or cannot be written marks everything: each login is recorded. Who finds it so
//! puts a new one in its place, which bears the minute of its making: it may lack what failed
//! before, so it marks everything too as long as such a mark would be fresh.
//!
//! ```text
//! 0     magic, minute of its making, that minute inverted
//! 16    512 logins that were recorded in a child: its parent, hash of the service, second
//! 8192  32768 minutes
//! ```
//!
//! All are 32-bit numbers as the machine keeps them.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Name in the journal's directory.
pub const NAME: &str = "marks";
/// What a name begins with under which a new one is made; [`super::segment::sweep`] removes what is left of it.
pub const NEW: &str = ".new-marks-";
/// Where the logins are, and how many.
pub const LOGINS: (u64, u32) = (16, 512);
/// Where the minutes are, and how many.
pub const MINUTES: (u64, u32) = (8192, 32_768);
/// Bytes of the file.
pub const SIZE: u64 = MINUTES.0 + 4 * MINUTES.1 as u64;

/// Seconds that a failure is before a login at most, if it may speak against it.
pub const REACH: u32 = 28 * 3600;
/// Minutes that a mark is fresh: as long as the failure that it is of counts. Both minutes are cut.
pub const FRESH: u32 = REACH / 60 + 1;

/// Another number is of another hash: where a mark of it is, nobody would look.
const MAGIC: u32 = u32::from_ne_bytes(*b"AAM2");

/// The beginning of a file that was made in this minute since 1970.
pub fn header(minute: u32) -> [u32; 3] {
    [MAGIC, minute, !minute]
}

/// The minute of its making, from the beginning of a file; nothing where that is damaged.
pub fn made(header: [u32; 3]) -> Option<u32> {
    (header[0] == MAGIC && header[1] == !header[2]).then_some(header[1])
}

/// Make the file for a journal that holds nothing yet: it lacks nothing, so it is as good as an old one.
/// One that is there already stays.
pub(super) fn make_first(directory: &Path) -> io::Result<()> {
    let new = directory.join(format!("{NEW}{}", std::process::id()));
    let mut bytes: Vec<u8> = header(0).iter().flat_map(|n| n.to_ne_bytes()).collect();
    bytes.resize(SIZE as usize, 0);
    let result = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| file.write_all(&bytes))
        .and_then(|()| fs::hard_link(&new, directory.join(NAME)));
    let _ = fs::remove_file(&new);
    result
}
