//! Where logs are: files with their rotated and compressed predecessors, standard input, journald.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;

use super::checkpoint::Known;
use super::identity::FirstLine;

/// The log of authentications, where a log daemon writes one.
pub(crate) const DEFAULT_FILES: [&str; 2] = ["/var/log/auth.log", "/var/log/secure"];
/// Where the tools are looked for; the caller's PATH is not asked.
const TOOLS: [&str; 2] = ["/usr/bin", "/bin"];
/// Predecessors that are looked at.
const PREDECESSORS: usize = 64;

/// A log that is open for reading.
pub(crate) struct Log {
    /// Its name as it was found.
    pub(crate) path: PathBuf,
    /// When it was last written.
    pub(crate) written: Timestamp,
    len: u64,
    file: File,
    packing: Packing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
    /// Unpacked by a program.
    Tool(&'static str),
}

impl Log {
    /// Open a file, plain or compressed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let mut packing = Packing::None;
        if metadata.is_file() {
            let mut magic = Vec::new();
            (&file).take(6).read_to_end(&mut magic)?;
            file.seek(SeekFrom::Start(0))?;
            packing = match magic.as_slice() {
                [0x1f, 0x8b, ..] => Packing::Gzip,
                [0xfd, b'7', b'z', b'X', b'Z', 0] => Packing::Tool("xz"),
                [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Tool("zstd"),
                [b'B', b'Z', b'h', ..] => Packing::Tool("bzip2"),
                _ => Packing::None,
            };
        }
        let written = metadata.modified().ok().and_then(|t| Timestamp::try_from(t).ok());
        Ok(Self {
            path: path.to_owned(),
            written: written.unwrap_or_else(Timestamp::now),
            len: if metadata.is_file() { metadata.len() } else { 0 },
            file,
            packing,
        })
    }

    /// The plain file and its size when it was opened; `None`: it must be read as a stream.
    pub(crate) fn plain(&self) -> Option<(&File, u64)> {
        let regular = self.packing == Packing::None && self.file.metadata().is_ok_and(|m| m.is_file());
        regular.then_some((&self.file, self.len))
    }

    /// Of a compressed file: its size, and when it was written, in nanoseconds.
    pub(crate) fn packed(&self) -> Option<(u64, i64)> {
        let written = i64::try_from(self.written.as_nanosecond()).unwrap_or_default();
        (self.packing != Packing::None).then_some((self.len, written))
    }

    /// The uncompressed text from its start.
    pub(crate) fn stream(&self) -> io::Result<Box<dyn Read>> {
        let mut file = self.file.try_clone()?;
        if self.file.metadata()?.is_file() {
            file.seek(SeekFrom::Start(0))?;
        }
        Ok(match self.packing {
            Packing::None => Box::new(file),
            Packing::Gzip => Box::new(MultiGzDecoder::new(file)),
            Packing::Tool(tool) => Box::new(Unpacked::new(tool, file)?),
        })
    }

    /// Its first complete line.
    pub(crate) fn first_line(&self) -> io::Result<Option<FirstLine>> {
        FirstLine::of(self.stream()?)
    }

    /// Of its first complete line.
    pub(crate) fn identity(&self) -> io::Result<Option<u64>> {
        Ok(self.first_line()?.map(|line| line.identity()))
    }
}

/// What a program writes; it is ended when nobody reads on.
struct Unpacked {
    child: Child,
    ended: bool,
}

impl Unpacked {
    fn new(tool: &str, input: File) -> io::Result<Self> {
        let mut command = command(tool)?;
        command.args(["-d", "-c", "-q"]).stdin(input).stdout(Stdio::piped()).stderr(Stdio::null());
        Ok(Self { child: command.spawn()?, ended: false })
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = match &mut self.child.stdout {
            Some(output) => output.read(buffer)?,
            None => 0,
        };
        if n == 0 && !buffer.is_empty() && !self.ended {
            self.ended = true;
            if !self.child.wait()?.success() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the compressed file is damaged"));
            }
        }
        Ok(n)
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        if !self.ended {
            // It may be writing still: it ends when nobody reads any more.
            drop(self.child.stdout.take());
            let _ = self.child.wait();
        }
    }
}

/// A program of the system in an empty environment.
pub(crate) fn command(tool: &str) -> io::Result<Command> {
    let found = TOOLS.iter().map(|directory| Path::new(directory).join(tool)).find(|path| path.is_file());
    let Some(path) = found else {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("{tool} is not installed")));
    };
    let mut command = Command::new(path);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir("/");
    Ok(command)
}

/// Rotated predecessors of `path`, newest first: `.0`, `.1`, `.2.gz`, `-20261103`, `-20261103.xz`.
pub(crate) fn predecessors(path: &Path) -> Vec<PathBuf> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str())) else {
        return Vec::new();
    };
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut found: Vec<(Age, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| Some((age(name, entry.file_name().to_str()?)?, entry.path())))
        .collect();
    found.sort();
    found.truncate(PREDECESSORS);
    found.into_iter().map(|(_, path)| path).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    /// `.1`: the smaller the newer.
    Number(u64),
    /// `-20261103`: the greater the newer.
    Date(std::cmp::Reverse<u64>),
}

fn age(name: &str, candidate: &str) -> Option<Age> {
    let rest = candidate.strip_prefix(name)?;
    let (kind, rest) = rest.split_at_checked(1)?;
    let rest = [".gz", ".xz", ".zst", ".bz2"].iter().find_map(|s| rest.strip_suffix(s)).unwrap_or(rest);
    match kind {
        "." if rest.len() < 6 => rest.parse().ok().map(Age::Number),
        "-" | "." => {
            let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
            let dated =
                digits.len() >= 6 && rest.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '_' | 'T'));
            // A date alone comes before the same date with a time.
            let padded = format!("{digits:0<14}");
            if dated { padded.get(..14)?.parse().ok().map(|n| Age::Date(std::cmp::Reverse(n))) } else { None }
        }
        _ => None,
    }
}

/// A log and where to go on in it.
pub(crate) struct Part {
    /// The log.
    pub(crate) log: Log,
    /// Of its first complete line.
    pub(crate) identity: Option<u64>,
    /// In bytes of the uncompressed file.
    pub(crate) from: u64,
    /// It is shorter than what was read of it.
    pub(crate) is_cut: bool,
    /// Nothing of it was read before.
    pub(crate) is_new: bool,
}

/// What is to be read.
#[derive(Default)]
pub(crate) struct Unread {
    /// Oldest first; the file of today last.
    pub(crate) parts: Vec<Part>,
    /// Of files that have more to read and are not to be found now.
    pub(crate) missing: Vec<u64>,
    /// What could not be looked at.
    pub(crate) warnings: Vec<String>,
}

/// Which parts of `path` and its predecessors have not been read.
///
/// A file of which `known` holds the identity goes on where it stopped, whatever its name and
/// inode are now: a daemon goes on writing to a renamed file until it hears of the rotation. A
/// predecessor that is not known came to be after the last pass, or it is none of ours: then it was
/// last written before `passed`, the time of that pass.
///
/// The same lines may be in two files for a moment, while one is copied or compressed: a
/// reader goes by how far each identity was read by then.
pub(crate) fn unread(path: &Path, known: &[Known], passed: Timestamp) -> io::Result<Unread> {
    let mut unread = Unread::default();
    let mut has_current = false;
    let wanted = known.iter().filter(|k| k.searches_left > 0).chain(known.last());
    let mut missing: Vec<u64> = wanted.filter_map(|k| k.identity).collect();
    match Log::open(path) {
        Ok(log) => {
            let mut part = part(log, known)?;
            part.is_cut = part.log.plain().is_some_and(|(_, len)| part.from > len);
            missing.retain(|identity| Some(*identity) != part.identity);
            unread.parts.push(part);
            has_current = true;
        }
        // In the moment of a rotation.
        Err(e) if e.kind() == io::ErrorKind::NotFound && !known.is_empty() => {}
        Err(e) => return Err(e),
    }
    for path in predecessors(path) {
        let Ok(log) = Log::open(&path) else { continue };
        let is_packed = log.packing != Packing::None;
        if let Some(seen) = known.iter().find(|k| k.packed.is_some() && k.packed == log.packed()) {
            missing.retain(|identity| Some(*identity) != seen.identity);
            continue;
        }
        let old = log.written.duration_since(passed).as_secs() < -5;
        // Unpacking costs something.
        if old && is_packed && missing.is_empty() {
            continue;
        }
        let part = match part(log, known) {
            Ok(part) => part,
            // One that is just being written is looked at again.
            Err(e) => {
                if old {
                    unread.warnings.push(format!("cannot read {}: {e}", path.display()));
                }
                continue;
            }
        };
        let Some(identity) = part.identity else { continue };
        missing.retain(|missing| *missing != identity);
        let has_more = part.log.plain().is_none_or(|(_, len)| part.from < len);
        if if part.is_new { !old } else { has_more } {
            unread.parts.push(part);
        }
    }
    // The names tell an order only where all are of one kind.
    unread.parts.reverse();
    let last = unread.parts.len() - usize::from(has_current);
    unread.parts[..last].sort_by_key(|part| part.log.written);
    unread.missing = missing;
    Ok(unread)
}

/// Where a first pass begins: after the last complete line.
pub(crate) fn end_of(path: &Path) -> io::Result<Known> {
    let log = Log::open(path)?;
    let identity = log.identity()?;
    let mut offset = 0;
    if let Some((file, len)) = log.plain() {
        let mut end = len;
        let mut buffer = vec![0; 64 << 10];
        while end > 0 && offset == 0 {
            let start = end.saturating_sub(buffer.len() as u64);
            let part = &mut buffer[..(end - start) as usize];
            file.read_exact_at(part, start)?;
            offset = memchr::memrchr(b'\n', part).map_or(0, |i| start + i as u64 + 1);
            end = start;
        }
    }
    Ok(Known { identity, offset, ..Known::default() })
}

fn part(log: Log, known: &[Known]) -> io::Result<Part> {
    let identity = log.identity()?;
    let from = offset_of(identity, known);
    Ok(Part { log, identity, from: from.unwrap_or(0), is_cut: false, is_new: from.is_none() })
}

/// How far a file was read.
pub(crate) fn offset_of(identity: Option<u64>, known: &[Known]) -> Option<u64> {
    known.iter().filter(|k| k.identity.is_some() && k.identity == identity).map(|k| k.offset).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predecessors_come_newest_first_and_nothing_else_does() {
        let directory = tempfile::tempdir().unwrap();
        for name in [
            "auth.log",
            "auth.log.1",
            "auth.log.2.gz",
            "auth.log.10.xz",
            "auth.log-20261101",
            "auth.log-20261103.zst",
            "auth.log.bak",
            "auth.log.swp",
            "auth.logs",
            "auth.log.gz",
            "auth.log-x",
        ] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let names: Vec<String> = predecessors(&directory.path().join("auth.log"))
            .iter()
            .map(|p| p.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(
            names,
            ["auth.log.1", "auth.log.2.gz", "auth.log.10.xz", "auth.log-20261103.zst", "auth.log-20261101"]
        );
    }
}
