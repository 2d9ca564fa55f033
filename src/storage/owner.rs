//! Whether a file or directory is root's alone: whoever else could write it would have root write elsewhere,
//! and forge or delete what happened.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const STICKY: u32 = 0o1000;

/// Whether it belongs to root, or to whoever runs this.
pub fn is_ours(uid: u32) -> bool {
    [0, rustix::process::geteuid().as_raw()].contains(&uid)
}

/// Whether others than its owner may write to it.
pub fn others_can_write(meta: &Metadata) -> bool {
    meta.mode() & 0o022 != 0
}

/// The command that makes a file root's alone.
pub fn remedy(path: &Path) -> String {
    format!("chown root {0} && chmod go-w {0}", path.display())
}

/// Whether `directory`, and those `inside` it, can be written by root alone; nor may anybody be able to put
/// another directory in the place of one above. An error says what to run.
pub fn trusted(directory: &Path, inside: &[&Path]) -> io::Result<()> {
    let above = directory.ancestors().skip(1).filter(|path| path.is_absolute());
    for path in above.chain([directory]).chain(inside.iter().copied()) {
        let meta = std::fs::metadata(path)?;
        // In /tmp everybody can write, but not take away what another owns.
        let kept = meta.mode() & STICKY != 0 && !path.starts_with(directory);
        if !is_ours(meta.uid()) || (others_can_write(&meta) && !kept) {
            let or = if path.starts_with(directory) { "" } else { ", or keep the state elsewhere" };
            return Err(io::Error::other(format!(
                "{} can be written by others than root; run: {}{or}",
                path.display(),
                remedy(path)
            )));
        }
    }
    Ok(())
}
