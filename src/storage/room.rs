//! Whether there is room for what has to be written next.

use std::path::Path;

/// Less than this and saving fails, or soon will.
const LEAST: u64 = 64 << 10;

/// What the file system that `path` is on lacks; none where it has room, or cannot say.
pub fn lacking(path: &Path) -> Option<String> {
    let room = rustix::fs::statvfs(path).ok()?;
    let shown = path.display();
    if room.f_bfree.saturating_mul(room.f_frsize) < LEAST {
        return Some(format!("the disk that {shown} is on is full: alerts wait until there is room"));
    }
    (room.f_files > 0 && room.f_ffree == 0)
        .then(|| format!("the file system that {shown} is on has no inode left: delete files there"))
}
