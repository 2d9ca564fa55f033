//! A small JSON value that survives crashes and damage: checksummed, and with a second copy for the day on
//! which the first cannot be read.
//!
//! ```text
//! {"crc":"0badf00d","state":{…}}
//! ```

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::replace::{beside, keep_room, open, read, replace_by, replace_one_of_two, sync_directory};

const PREFIX: usize = "{\"crc\":\"00000000\",\"state\":".len();
const END: &[u8] = b"}\n";

/// What was found.
#[derive(Debug)]
pub struct Found<T> {
    /// The newest readable copy.
    pub value: Option<T>,
    /// That is what was staged: staging again goes over it.
    pub is_staged: bool,
    /// Copies that could not be read, where they were put, for the administrator to see.
    pub quarantined: Vec<PathBuf>,
}

/// Read the newest of `file`, what was staged, and the copy. A damaged one is renamed to
/// `NAME.damaged`, unless `look_only`; what was staged may be cut off, and is then no damage. So is what is no file, where
/// another of them can be read.
pub fn load<T: DeserializeOwned>(
    file: &Path,
    newer: impl Fn(&T) -> u64,
    look_only: bool,
) -> io::Result<Found<T>> {
    let mut found = Found { value: None, is_staged: false, quarantined: Vec::new() };
    let (staged, mut no_files) = (staged(file), Vec::new());
    for path in [file.to_path_buf(), staged.clone(), backup(file)] {
        let bytes = match read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) if !is_file(&path) => {
                no_files.push((path, e));
                continue;
            }
            Err(e) => return Err(io::Error::new(e.kind(), format!("{}: {e}", path.display()))),
        };
        let values = bytes.split_inclusive(|b| *b == b'\n').filter_map(decode::<T>);
        match values.max_by_key(&newer) {
            Some(value) => {
                if found.value.as_ref().is_none_or(|v| newer(&value) > newer(v)) {
                    found.value = Some(value);
                    found.is_staged = path == staged;
                }
            }
            None if path == staged && is_file(&path) => {}
            None => found.quarantined.push(quarantined(&path, look_only)?),
        }
    }
    for (path, e) in no_files {
        if found.value.is_none() {
            return Err(io::Error::new(e.kind(), format!("{}: {e}", path.display())));
        }
        found.quarantined.push(quarantined(&path, look_only)?);
    }
    Ok(found)
}

fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
}

/// Where it is put.
fn quarantined(path: &Path, look_only: bool) -> io::Result<PathBuf> {
    let damaged = beside(path, ".damaged");
    if !look_only {
        fs::rename(path, &damaged)?;
    }
    Ok(damaged)
}

/// A value that counts as soon as it is put there and whole, until the next [`save_both`]: over what was
/// staged before, with one sync, where replacing a file takes three. For the moment before an alert is
/// sent, when somebody waits.
#[derive(Debug)]
pub struct Staging {
    path: PathBuf,
    text: Vec<u8>,
}

impl Staging {
    /// Of `value`, for `file`. Touches nothing.
    pub fn of(file: &Path, value: &impl Serialize) -> io::Result<Self> {
        let text = encode(value)?;
        // Twice, so that a damaged byte does not bring back the time before the alert.
        Ok(Self { path: staged(file), text: [&text[..], b"\n", &text].concat() })
    }

    /// Put it there; durable when this returns.
    pub fn put(&self) -> io::Result<()> {
        self.write()?.sync_data()
    }

    /// Put it there, which shows whether there is room; it survives this process, but no power cut.
    pub fn write(&self) -> io::Result<File> {
        let fresh = !self.path.exists();
        let options = &mut File::options();
        let mut out = open(options.write(true).create(true).truncate(false).mode(0o600), &self.path)?;
        rustix::fs::fchmod(&out, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)?;
        out.write_all(&self.text)?;
        out.set_len(self.text.len() as u64)?;
        keep_room(&out);
        if fresh {
            sync_directory(&self.path)?;
        }
        Ok(out)
    }
}

/// Write `file` and its copy; durable when this returns.
pub fn save_both(file: &Path, value: &impl Serialize) -> io::Result<()> {
    let text = encode(value)?;
    replace_one_of_two(file, &text)?;
    replace_one_of_two(&backup(file), &text)
}

/// Write `file` alone, which may be megabytes: they are not held in memory beside the value.
pub fn save(file: &Path, value: &impl Serialize) -> io::Result<()> {
    replace_by(file, |out| {
        let mut sum = Summed { out: BufWriter::with_capacity(64 << 10, out), crc: crc32fast::Hasher::new() };
        sum.out.write_all(&prefix(0))?;
        serde_json::to_writer(&mut sum, value)?;
        let Summed { mut out, crc } = sum;
        out.write_all(END)?;
        out.flush()?;
        out.get_ref().write_all_at(&prefix(crc.finalize()), 0)
    })
}

/// Writes, and sums up what it wrote.
struct Summed<W> {
    out: W,
    crc: crc32fast::Hasher,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.crc.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The value in a text of [`encode`]; none where the text is damaged.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (prefix, rest) = bytes.split_at_checked(PREFIX)?;
    let crc = prefix.strip_prefix(b"{\"crc\":\"")?.strip_suffix(b"\",\"state\":")?;
    let crc = u32::from_str_radix(std::str::from_utf8(crc).ok()?, 16).ok()?;
    let state = rest.strip_suffix(END)?;
    (crc == crc32fast::hash(state)).then(|| serde_json::from_slice(state).ok())?
}

/// A value with its checksum, as it stands in a file.
pub fn encode(value: &impl Serialize) -> io::Result<Vec<u8>> {
    // The place of the checksum is filled in afterwards: it may be megabytes, which are not copied.
    let mut text = vec![0; PREFIX];
    serde_json::to_writer(&mut text, value)?;
    let crc = crc32fast::hash(&text[PREFIX..]);
    text[..PREFIX].copy_from_slice(&prefix(crc));
    text.extend_from_slice(END);
    Ok(text)
}

fn prefix(crc: u32) -> Vec<u8> {
    format!("{{\"crc\":\"{crc:08x}\",\"state\":").into_bytes()
}

fn staged(file: &Path) -> PathBuf {
    beside(file, ".next")
}

fn backup(file: &Path) -> PathBuf {
    beside(file, ".bak")
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pair = (u64, String);

    fn stored() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("state.json");
        save_both(&file, &(7_u64, "x".to_string())).unwrap();
        let bytes = fs::read(&file).unwrap();
        (directory, file, bytes)
    }

    fn value(file: &Path) -> (Option<Pair>, usize) {
        let found = load::<Pair>(file, |v| v.0, false).unwrap();
        (found.value, found.quarantined.len())
    }

    #[test]
    fn damage_or_truncation_of_one_copy_at_any_place_loses_nothing() {
        let (_directory, file, bytes) = stored();
        let whole = Some((7, "x".to_string()));
        for i in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[i] ^= 1;
            for bad in [&damaged[..], &bytes[..i]] {
                for copy in [file.clone(), backup(&file)] {
                    save_both(&file, &whole).unwrap();
                    fs::write(&copy, bad).unwrap();
                    assert_eq!(value(&file), (whole.clone(), 1), "byte {i} of {copy:?}");
                }
            }
        }
    }

    #[test]
    fn staging_that_is_cut_anywhere_leaves_what_was_saved() {
        let (_directory, file, _) = stored();
        Staging::of(&file, &(9_u64, "y".to_string())).unwrap().put().unwrap();
        let bytes = fs::read(staged(&file)).unwrap();
        for i in 0..bytes.len() {
            fs::write(staged(&file), &bytes[..i]).unwrap();
            let whole = i >= bytes.len() / 2;
            assert_eq!(value(&file).0.unwrap().0, if whole { 9 } else { 7 });
            let mut damaged = bytes.clone();
            damaged[i] ^= 1;
            fs::write(staged(&file), damaged).unwrap();
            assert_eq!(value(&file), (Some((9, "y".to_string())), 0), "byte {i}");
        }
    }

    #[test]
    fn what_is_no_file_is_put_aside_where_there_is_another() {
        for odd in [|path: &Path| path.to_path_buf(), staged, backup] {
            for make in [
                |path: &Path| fs::create_dir(path).unwrap(),
                |path: &Path| std::os::unix::fs::symlink("/nonexistent", path).unwrap(),
                |path: &Path| {
                    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success())
                },
            ] {
                let (_directory, file, _) = stored();
                let odd = odd(&file);
                let _ = fs::remove_file(&odd);
                make(&odd);
                assert_eq!(value(&file).0.unwrap().0, 7);
                assert!(beside(&odd, ".damaged").symlink_metadata().is_ok());
                Staging::of(&file, &(8_u64, "y".to_string())).unwrap().put().unwrap();
                save_both(&file, &(9_u64, "y".to_string())).unwrap();
                assert_eq!(value(&file), (Some((9, "y".to_string())), 0));
            }
        }
        // Where there is none, it is for somebody to look at: it may have been moved.
        let (_directory, file, _) = stored();
        for each in [file.clone(), backup(&file)] {
            fs::remove_file(&each).unwrap();
            fs::create_dir(&each).unwrap();
        }
        let found = load::<(u64, String)>(&file, |value| value.0, false);
        assert!(found.unwrap_err().to_string().contains(file.to_str().unwrap()) && file.is_dir());
    }

    #[test]
    fn written_piece_by_piece_it_is_the_same_text() {
        let (_directory, file, _) = stored();
        let value: Vec<(u64, String)> = (0..20_000).map(|n| (n, "x\u{e4}\n".repeat(3))).collect();
        save(&file, &value).unwrap();
        let bytes = fs::read(&file).unwrap();
        assert!(bytes == encode(&value).unwrap() && decode(&bytes) == Some(value));
    }

    #[test]
    fn the_newer_copy_counts_and_no_file_is_no_value() {
        let (_directory, file, _) = stored();
        Staging::of(&file, &(9_u64, "y".to_string())).unwrap().put().unwrap();
        assert_eq!(value(&file).0.unwrap().0, 9);
        Staging::of(&file, &(3_u64, "older, and shorter".repeat(0))).unwrap().put().unwrap();
        assert_eq!(value(&file).0.unwrap().0, 7);
        fs::remove_file(&file).unwrap();
        assert_eq!(value(&file).0.unwrap().0, 7);
        fs::remove_file(backup(&file)).unwrap();
        fs::remove_file(staged(&file)).unwrap();
        assert_eq!(value(&file), (None, 0));
    }
}
