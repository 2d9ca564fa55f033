//! `authalert scan --rules`: the lines that are known of programs and PAM modules in their own words.

use std::io::Write;
use std::path::Path;

use super::Error;
use crate::scan::rules::book::{OWN, list};

/// Each file: where it is, whose lines it has, and the lines with what they mean.
pub(super) fn show(out: &mut dyn Write) -> Result<(), Error> {
    for entry in list(Path::new(OWN)) {
        let from = if entry.is_own {
            format!("{OWN}/{}.toml", entry.name)
        } else {
            format!("{} (built in)", entry.name)
        };
        let file = match entry.file {
            Ok(file) => file,
            Err(mistake) => {
                writeln!(out, "{from}\n    cannot be used: {mistake}\n")?;
                continue;
            }
        };
        let whose = if file.is_of_modules { "PAM modules" } else { "programs" };
        writeln!(out, "{from}: {}\n    {whose}: {}", file.about, file.names.join(", "))?;
        for (means, lines) in &file.shown {
            for line in lines {
                writeln!(out, "    {means:<17} {line}")?;
            }
        }
        for what in &file.unconfirmed {
            writeln!(out, "    not confirmed: {what}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}
