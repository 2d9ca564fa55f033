//! Where one receiver's files lie.
//!
//! ```text
//! receivers/x.lock       who serves it now, and until when
//! receivers/x.json       its state, with .next and .bak beside it
//! receivers/x.sent.jsonl what was delivered; of the timeline: timeline.jsonl
//! ```
//!
//! A holder of the lock that stood still for too long is overtaken: whoever comes next takes the next
//! *epoch*, and its files bear the number (`x.1.lock`, `x.1.json`). What the one that was overtaken still
//! writes goes to its own files, which nobody reads any more.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::TIMELINE;

/// Name of the directory in the state directory.
pub const RECEIVERS: &str = "receivers";

/// The files of one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    state: PathBuf,
    name: String,
}

/// What a file of a receiver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Lock,
    State,
}

impl Place {
    /// That of the receiver `name` in a state directory. Touches nothing.
    pub fn new(state: &Path, name: &str) -> Self {
        Self { state: state.into(), name: name.into() }
    }

    /// Its state of that epoch.
    pub fn state_file(&self, epoch: u64) -> PathBuf {
        self.file(epoch, "json")
    }

    /// Its lock of that epoch.
    pub fn lock_file(&self, epoch: u64) -> PathBuf {
        self.file(epoch, "lock")
    }

    /// What was delivered to it.
    pub fn history(&self) -> PathBuf {
        match self.name.as_str() {
            TIMELINE => self.state.join(super::history::TIMELINE_FILE),
            name => self.directory().join(format!("{name}.sent.jsonl")),
        }
    }

    /// Texts that it refused.
    pub fn rejected(&self) -> PathBuf {
        self.directory().join(format!("{}.rejected.jsonl", self.name))
    }

    /// The directory of all receivers.
    pub fn directory(&self) -> PathBuf {
        self.state.join(RECEIVERS)
    }

    /// The receiver's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The newest epoch of which there is a lock.
    pub fn newest_lock(&self) -> io::Result<Option<u64>> {
        Ok(self.epochs(Part::Lock)?.last().copied())
    }

    /// The epochs of which there is a state, or a copy of one; oldest first.
    pub fn states(&self) -> io::Result<Vec<u64>> {
        self.epochs(Part::State)
    }

    /// Remove what is left of the epochs before `epoch`, the oldest first: who finds its own lock gone
    /// knows that it was overtaken, however often.
    pub fn forget_before(&self, epoch: u64) {
        for old in self.epochs(Part::Lock).unwrap_or_default().into_iter().filter(|old| *old < epoch) {
            let _ = fs::remove_file(self.lock_file(old));
        }
        for old in self.states().unwrap_or_default().into_iter().filter(|old| *old < epoch) {
            for suffix in ["", ".next", ".bak"] {
                let _ = fs::remove_file(self.file(old, &format!("json{suffix}")));
            }
        }
    }

    /// Remove everything that it has.
    pub fn remove(&self) -> io::Result<()> {
        self.forget_before(u64::MAX);
        for file in [self.history(), self.rejected()] {
            match fs::remove_file(file) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }

    /// The names of all receivers that have a state here.
    pub fn all(state: &Path) -> io::Result<Vec<String>> {
        let mut names: Vec<String> = files(&state.join(RECEIVERS))?
            .into_iter()
            .filter_map(|file| {
                parse(&file).filter(|(_, _, part)| *part == Part::State).map(|(name, ..)| name)
            })
            .collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn epochs(&self, part: Part) -> io::Result<Vec<u64>> {
        let mut epochs: Vec<u64> = files(&self.directory())?
            .iter()
            .filter_map(|file| parse(file))
            .filter(|(name, _, of)| *name == self.name && *of == part)
            .map(|(_, epoch, _)| epoch)
            .collect();
        epochs.sort_unstable();
        epochs.dedup();
        Ok(epochs)
    }

    fn file(&self, epoch: u64, suffix: &str) -> PathBuf {
        let name = &self.name;
        self.directory().join(match epoch {
            0 => format!("{name}.{suffix}"),
            _ => format!("{name}.{epoch}.{suffix}"),
        })
    }
}

/// Name, epoch and part of a file; none where it is something else. A name has no dot in it.
fn parse(file: &str) -> Option<(String, u64, Part)> {
    let (name, rest) = file.split_once('.')?;
    let (epoch, part) = match rest.split_once('.') {
        Some((number, part)) if number.bytes().all(|b| b.is_ascii_digit()) => (number.parse().ok()?, part),
        _ => (0, rest),
    };
    let part = match part {
        "lock" => Part::Lock,
        "json" | "json.next" | "json.bak" => Part::State,
        _ => return None,
    };
    (!name.is_empty()).then(|| (name.to_owned(), epoch, part))
}

fn files(directory: &Path) -> io::Result<Vec<String>> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.map(|e| Ok(e?.file_name().to_string_lossy().into_owned())).collect(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_name() {
        let x = |epoch, part| Some(("x".to_owned(), epoch, part));
        for (file, expected) in [
            ("x.json", x(0, Part::State)),
            ("x.12.json.bak", x(12, Part::State)),
            ("x.json.next", x(0, Part::State)),
            ("x.3.lock", x(3, Part::Lock)),
            ("x.sent.jsonl", None),
            ("x.json.damaged", None),
            (".x.json", None),
            ("x", None),
        ] {
            assert_eq!(parse(file), expected, "{file}");
        }
    }

    #[test]
    fn old_epochs_go_and_names_that_begin_alike_stay() {
        let state = tempfile::tempdir().unwrap();
        let place = Place::new(state.path(), "x");
        fs::create_dir(place.directory()).unwrap();
        for file in
            ["x.json", "x.lock", "x.1.json", "x.1.json.bak", "x.1.lock", "x-dm.json", "x.2.json", "x.2.lock"]
        {
            fs::write(place.directory().join(file), "").unwrap();
        }
        assert_eq!((place.states().unwrap(), place.newest_lock().unwrap()), (vec![0, 1, 2], Some(2)));
        place.forget_before(2);
        assert_eq!((place.states().unwrap(), place.newest_lock().unwrap()), (vec![2], Some(2)));
        assert_eq!(Place::all(state.path()).unwrap(), ["x", "x-dm"]);
        place.remove().unwrap();
        assert_eq!(Place::all(state.path()).unwrap(), ["x-dm"]);
    }
}
