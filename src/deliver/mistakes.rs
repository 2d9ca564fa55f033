//! Mistakes in the configuration that concern no receiver alone: each is said once in the log, and again what follows
//! when they are corrected.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::config::{Config, TIMELINE};
use crate::storage;

use super::Notice;
use super::lock::Lock;
use super::place::Place;

/// The ones that were said, a line each.
const SAID: &str = "mistakes";
/// So many are said; `authalert check` has all.
const MOST: usize = 8;

/// Say what is new since it was said last. Where another pass is at it, that one does.
pub fn say(state: &Path, config: &Config) -> io::Result<()> {
    let file = state.join(SAID);
    let now: Vec<String> = config.mistakes.iter().take(MOST).map(ToString::to_string).collect();
    if now.is_empty() && !file.exists() {
        return Ok(());
    }
    let Some(lock) = Lock::take(&Place::new(state, TIMELINE), Duration::ZERO)? else { return Ok(()) };
    let said = storage::read(&file).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let said: Vec<&str> = said.lines().collect();
    if now == said {
        return Ok(());
    }
    let mut notices: Vec<_> =
        now.iter().filter(|why| !said.contains(&why.as_str())).map(Notice::error).collect();
    if now.is_empty() {
        notices.push(Notice::info("the configuration has no mistake any more"));
    }
    // First, as in a pass: a process that ends in between says it twice rather than never.
    notices.retain(|notice| !notice.send_at_once());
    if now.is_empty() {
        fs::remove_file(&file)?;
    } else {
        storage::replace(&file, now.join("\n").as_bytes())?;
    }
    // Syslog may block, and nobody should wait for it with the lock held.
    drop(lock);
    notices.iter().for_each(Notice::send);
    Ok(())
}
