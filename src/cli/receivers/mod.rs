//! `authalert receivers`: what there is, and how each that is set up does.
//!
//! - `add`: the conversation that sets one up. `edit`: what it changes in the configuration.

mod add;
mod edit;

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use super::args::{ReceiversCommand, ReceiversWhat};
use super::{Error, status};
use crate::config::{Config, TIMELINE};
use crate::credentials::{self, Secrets, Stored};
use crate::deliver::status::take;
use crate::receiver::Kind;
use crate::receiver::service;

/// Do what was asked.
pub fn run(
    asked: &ReceiversCommand,
    state: &Path,
    config: &Config,
    out: &mut dyn Write,
) -> Result<(), Error> {
    match &asked.what {
        None => list(state, config, out),
        Some(ReceiversWhat::Add(asked)) => {
            let stdin = io::stdin();
            let is_pipe = !stdin.is_terminal();
            add::add(config, asked, is_pipe, &mut stdin.lock(), out)
        }
        Some(ReceiversWhat::Remove { name }) => remove(config, name, out),
    }
}

/// The receivers that are set up, each with what it is sent, then every kind.
fn list(state: &Path, config: &Config, out: &mut dyn Write) -> Result<(), Error> {
    let stored = Stored::load(&config.credentials_path());
    let has_account = stored.as_ref().map_or(true, Stored::has_account);
    let counters = take(state, config).map(|status| status.receivers).unwrap_or_default();
    writeln!(out, "set up:")?;
    for mut receiver in config.receivers(has_account) {
        receiver.tell = receiver.tell.take().or_else(|| crate::receiver::default_tell(&receiver.kind));
        let kinds: Vec<_> =
            ALL.iter().filter(|kind| receiver.tells(**kind)).map(|kind| word(*kind)).collect();
        let is_sent = match receiver.name.as_str() {
            TIMELINE => "everything, on this machine (authalert timeline)".into(),
            _ => kinds.join(", "),
        };
        writeln!(out, "  {} ({}): {is_sent}", receiver.name, receiver.kind)?;
        if let Some(named) = counters.iter().find(|named| named.name == receiver.name) {
            let mut lines = Vec::new();
            status::show_receiver(named, &mut lines)?;
            for line in String::from_utf8_lossy(&lines).lines() {
                writeln!(out, "    {line}")?;
            }
        }
    }
    writeln!(out, "\nkinds (authalert receivers add KIND):")?;
    for (kind, service) in service::list() {
        match service {
            Ok(service) => writeln!(out, "  {kind:<11} {}: {}", service.title, service.summary)?,
            Err(mistake) => writeln!(out, "  {kind:<11} cannot be used: {mistake}")?,
        }
    }
    Ok(())
}

fn remove(config: &Config, name: &str, out: &mut dyn Write) -> Result<(), Error> {
    if name == TIMELINE {
        let why = "the timeline is this machine itself and cannot be removed; other receivers can";
        return Err(Error::Failed(why.into()));
    }
    let path = config.credentials_path();
    let stored = Stored::load(&path).map_err(|e| Error::Failed(e.to_string()))?;
    let text = match std::fs::read_to_string(&config.path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(Error::Failed(format!("cannot read {}: {e}", config.path.display()))),
    };
    let shown = config.path.display();
    let changed = edit::removed(&text, stored.has_account(), name)
        .map_err(|e| Error::Failed(format!("{shown}: {e}")))?;
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
    Config::parse(&changed, &config.path).map_err(|e| Error::Failed(format!("{e}; nothing was written")))?;
    edit::write(&config.path, &changed)
        .map_err(|e| Error::Failed(format!("cannot write {shown}: {e}; run this as root")))?;
    if stored.sections().any(|section| section == name) {
        credentials::store_section(&path, name, &Secrets::new()).map_err(|e| Error::Failed(e.to_string()))?;
    }
    writeln!(
        out,
        "{shown} is written: nothing more goes to {name}, and what was pending for it is forgotten."
    )?;
    if name == "x" && stored.has_account() {
        writeln!(out, "The keys of the X account stay in {}.", path.display())?;
    }
    Ok(())
}

const ALL: [Kind; 8] = [
    Kind::BreakIn,
    Kind::Urgent,
    Kind::Digest,
    Kind::Heartbeat,
    Kind::NewSource,
    Kind::Login,
    Kind::Summary,
    Kind::Health,
];

/// As `tell` has it.
fn word(kind: Kind) -> String {
    let value = serde_json::to_value(kind).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
