//! `authalert receivers`: what there is, and how each that is set up does.
//!
//! - `list`: what is shown.
//! - `add`: the conversation that sets one up; `question`: what it asks, `given`: what was answered.
//! - `edit`: what is changed in the configuration. `remove`: one less.

mod add;
mod edit;
mod given;
mod list;
mod question;
mod remove;

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use super::args::{ReceiversCommand, ReceiversWhat};
use super::{Error, ask, test};
use crate::config::Config;

/// Do what was asked.
pub fn run(
    asked: &ReceiversCommand,
    state: &Path,
    config: &Config,
    out: &mut dyn Write,
) -> Result<(), Error> {
    match &asked.what {
        None | Some(ReceiversWhat::List) => list::list(state, config, out),
        Some(ReceiversWhat::Add(asked)) => {
            let stdin = io::stdin();
            let is_pipe = !stdin.is_terminal();
            add::add((state, config), asked, is_pipe, &mut stdin.lock(), out)
        }
        Some(ReceiversWhat::Remove { name }) => remove::remove(state, config, name, out),
        Some(ReceiversWhat::Test { name, verbose }) => {
            test::post((state, config), name.as_deref(), *verbose, out)
        }
    }
}

impl From<ask::Error> for Error {
    fn from(e: ask::Error) -> Self {
        match e {
            ask::Error::Io(e) => Self::Output(e),
            ask::Error::Ended => nothing_written("given up"),
            ask::Error::Input(why) => nothing_written(why),
        }
    }
}

fn nothing_written(why: impl fmt::Display) -> Error {
    Error::Failed(format!("{why}; nothing was written"))
}
