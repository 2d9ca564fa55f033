//! Keeping what could not be used, bounded and neutral, for the administrator to look at: lines of the
//! journal that cannot be read, texts that a receiver refused.

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::neutral;
use crate::storage;

use super::place::Place;

const LINES_KEPT: u64 = 1 << 20;
const TEXTS_KEPT: usize = 256 << 10;

/// Keep lines of the journal that cannot be read; gives the file.
pub fn lines(state: &Path, unreadable: &[Vec<u8>]) -> io::Result<PathBuf> {
    let path = state.join("unreadable.log");
    let options = &mut std::fs::File::options();
    let mut file = storage::open(options.append(true).create(true).mode(0o600), &path)?;
    if file.metadata()?.len() < LINES_KEPT {
        for line in unreadable {
            writeln!(file, "{} {}", Timestamp::now(), neutral::text(line, 2048))?;
        }
    }
    Ok(path)
}

/// Keep a text that a receiver refused.
pub fn text(place: &Place, id: u64, text: &str, why: &str) -> io::Result<()> {
    let path = place.rejected();
    let mut kept = storage::read(&path).unwrap_or_default();
    if kept.len() > TEXTS_KEPT {
        kept.clear();
    }
    let line = serde_json::json!({ "id": id, "time": Timestamp::now(), "text": text, "why": why });
    kept.extend_from_slice(format!("{line}\n").as_bytes());
    storage::replace(&path, &kept)
}
