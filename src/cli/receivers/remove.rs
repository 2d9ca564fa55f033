//! `authalert receivers remove NAME`: what `add` wrote, out again.

use std::io::Write;
use std::path::Path;

use super::{edit, nothing_written};
use crate::cli::Error;
use crate::cli::lock::Lock;
use crate::config::{Config, TIMELINE};
use crate::credentials::{self, Secrets, Stored};
use crate::deliver;

/// Take it out of both files, and forget its state.
pub(super) fn remove(state: &Path, config: &Config, name: &str, out: &mut dyn Write) -> Result<(), Error> {
    if name == TIMELINE {
        let why = "the timeline is this machine itself and cannot be removed; other receivers can";
        return Err(Error::Failed(why.into()));
    }
    let (path, shown) = (config.credentials_path(), config.path.display());
    let _lock = Lock::take(state, &config.path).map_err(nothing_written)?;
    let stored = Stored::load(&path).map_err(nothing_written)?;
    let text = edit::read(&config.path).map_err(|e| nothing_written(format!("cannot read {shown}: {e}")))?;
    let changed = edit::removed(&text, stored.has_account(), name)
        .map_err(|e| nothing_written(format!("{shown}: {e}")))?;
    let Some(changed) = changed else {
        let names = config.receivers(stored.has_account()).into_iter().map(|r| r.name);
        let names: Vec<_> = names.filter(|name| name != TIMELINE).collect();
        let there = if names.is_empty() {
            "there are none".into()
        } else {
            format!("there are {}", names.join(", "))
        };
        return Err(Error::Failed(format!("no receiver is called {}; {there}", crate::neutral::name(name))));
    };
    let after = Config::parse(&changed, &config.path).map_err(nothing_written)?;
    edit::write(&config.path, &changed)
        .map_err(|e| Error::Failed(format!("cannot write {shown}: {e}; run this as root")))?;
    if stored.sections().any(|section| section == name) {
        credentials::store_section(&path, name, &Secrets::new())
            .map_err(|e| Error::Failed(format!("nothing more goes to {name}, but its secrets stay: {e}")))?;
    }
    // Where a pass serves it at this moment, the next one forgets it.
    let pending = deliver::forget(state, &after).unwrap_or_default();
    let pending = pending.into_iter().find(|(gone, _)| gone == name).map(|(_, pending)| pending);
    match pending {
        None | Some(0) => writeln!(out, "{shown} is written: nothing more goes to {name}.")?,
        Some(n) => writeln!(
            out,
            "{shown} is written: nothing more goes to {name}, and {} that waited for it {} forgotten.",
            crate::message::counted(n, "failure"),
            if n == 1 { "is" } else { "are" }
        )?,
    }
    if name == "x" && stored.has_account() {
        writeln!(out, "The keys of the X account stay in {}.", path.display())?;
    }
    Ok(())
}
