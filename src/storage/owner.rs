//! Whether a file or directory is root's alone: whoever else could write it would have root write elsewhere,
//! and forge or delete what happened.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

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

/// The bytes of a file that says where alerts go, what is ignored or what is an attempt: root (or who runs this)
/// alone can have written it. At most `largest` bytes. A pipe in its place does not hold a login up; a link is
/// followed, since only root can have put it there.
pub fn read_trusted(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match File::options().read(true).custom_flags(flags.bits() as i32).open(path) {
        // Not found would be taken for "there is none".
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(dangling(path).unwrap_or(e)),
        opened => opened?,
    };
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    if !is_ours(meta.uid()) || others_can_write(&meta) {
        return Err(io::Error::other(format!(
            "it can be written by others than root; run: {}",
            remedy(path)
        )));
    }
    let mut bytes = Vec::new();
    if file.take(largest + 1).read_to_end(&mut bytes)? as u64 > largest {
        return Err(io::Error::other(format!("it is longer than {largest} bytes")));
    }
    Ok(bytes)
}

/// Why nothing is at `path`, where it, or a directory that it is in, is a link to what is not there: that may be a
/// file system that is away. None where there is no such link.
pub fn dangling(path: &Path) -> Option<io::Error> {
    let is_dangling = |path: &Path| path.is_symlink() && !path.exists();
    let link = path.ancestors().find(|path| is_dangling(path))?;
    let why = match link == path {
        true => "it is a link to a file that is not there".to_owned(),
        false => format!("{} is a link to a directory that is not there", link.display()),
    };
    Some(io::Error::other(why))
}

/// As [`read_trusted`], of a file of text.
pub fn read_trusted_text(path: &Path, largest: u64) -> io::Result<String> {
    String::from_utf8(read_trusted(path, largest)?).map_err(|_| io::Error::other("it is not UTF-8 text"))
}

/// Whether `directory`, and those `inside` it, can be written by root alone; nor may anybody be able to put
/// another directory in the place of one above. An error says what to run.
pub fn trusted(directory: &Path, inside: &[&Path]) -> io::Result<()> {
    let ways = ways(directory)?;
    let above = ways.iter().flat_map(|way| way.ancestors().skip(1));
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

/// The way to `directory`, and where it leads behind each link that is on it: who can put another link in the place of
/// one has it lead elsewhere.
fn ways(directory: &Path) -> io::Result<Vec<PathBuf>> {
    // The kernel follows no more.
    const MOST: usize = 40;
    let mut way: PathBuf = std::path::absolute(directory)?.components().collect();
    let mut ways = Vec::new();
    while let Some(next) = behind_a_link(&way).filter(|_| ways.len() < MOST) {
        ways.push(std::mem::replace(&mut way, next));
    }
    ways.push(way);
    Ok(ways)
}

/// Where `way` leads behind the first link that is on it; none where there is no link.
fn behind_a_link(way: &Path) -> Option<PathBuf> {
    let links = way.ancestors().filter_map(|path| Some((path, path.read_link().ok()?)));
    let (link, to) = links.last()?;
    let to = link.parent()?.join(to).join(way.strip_prefix(link).ok()?);
    // Without a slash at its end, behind which no link is seen.
    Some(to.components().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_directory_is_trusted_only_where_each_that_leads_to_it_is() {
        let above = tempfile::tempdir().unwrap();
        let path = |name: &str| above.path().join(name);
        for name in ["theirs/state", "ours", "beside"] {
            fs::create_dir_all(path(name)).unwrap();
        }
        fs::set_permissions(path("theirs"), PermissionsExt::from_mode(0o777)).unwrap();
        symlink(path("theirs/state"), path("ours/state")).unwrap();
        symlink(path("beside"), path("ours/other")).unwrap();
        // A link to a link that others can put another one in the place of, and one that is above it.
        symlink(path("beside"), path("theirs/link")).unwrap();
        symlink("../theirs/link/", path("ours/by_theirs")).unwrap();
        symlink(path("ours"), path("here")).unwrap();
        for (name, who) in [
            ("theirs/state", "theirs"),
            ("ours/state", "theirs"),
            ("ours/other", ""),
            ("ours/by_theirs", "theirs"),
            ("here/by_theirs", "theirs"),
            ("here/other/", ""),
        ] {
            match trusted(&path(name), &[]) {
                Ok(()) => assert_eq!(who, "", "{name}"),
                Err(e) => assert!(who == "theirs" && e.to_string().contains("theirs can be written"), "{e}"),
            }
        }
    }

    #[test]
    fn only_what_root_alone_can_have_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        let why = |path: &Path| read_trusted_text(path, 8).unwrap_err().to_string();
        symlink(&file, &link).unwrap();
        assert_eq!(why(&link), "it is a link to a file that is not there");
        assert_eq!(read_trusted(&file, 8).unwrap_err().kind(), io::ErrorKind::NotFound);
        let (away, below) = (directory.path().join("away"), directory.path().join("away/below/file"));
        assert_eq!(read_trusted(&below, 8).unwrap_err().kind(), io::ErrorKind::NotFound);
        symlink("/nonexistent/directory", &away).unwrap();
        assert_eq!(why(&below), format!("{} is a link to a directory that is not there", away.display()));
        fs::write(&file, "12345678").unwrap();
        for (mode, accepted) in [(0o600, true), (0o644, true), (0o664, false), (0o646, false)] {
            fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
            for path in [&file, &link] {
                match read_trusted_text(path, 8) {
                    Ok(text) => assert!(accepted && text == "12345678", "{mode:o}"),
                    Err(e) => assert!(!accepted && e.to_string().contains("chmod go-w"), "{mode:o}: {e}"),
                }
            }
        }
        fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        fs::write(&file, "123456789").unwrap();
        assert_eq!(why(&file), "it is longer than 8 bytes");
        fs::write(&file, b"\xff").unwrap();
        assert_eq!(why(&file), "it is not UTF-8 text");
        assert_eq!(why(directory.path()), "it is not a file");
    }
}
