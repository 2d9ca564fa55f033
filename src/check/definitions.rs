//! The administrator's own definitions of receivers.

use std::fs;
use std::path::Path;

use crate::neutral;
use crate::receiver::definition::{is_kind, list};

use super::Finding;

/// So many files that are none are named.
const MOST: usize = 20;

/// Each definition in `directory`: that it can be used, or file, line and what is accepted.
pub fn check(directory: &Path) -> Vec<Finding> {
    let own = list(directory).into_iter().filter(|entry| entry.is_own);
    let mut findings: Vec<_> = own
        .map(|entry| match entry.definition {
            Ok(definition) => Finding::fine(format!(
                "the definition {} ({}) can be used",
                directory.join(format!("{}.toml", entry.kind)).display(),
                crate::neutral::name(definition.title())
            )),
            Err(mistake) => {
                Finding::error(mistake.to_string(), "correct the definition, see authalert-receivers(5)")
            }
        })
        .collect();
    findings.extend(passed_over(directory).into_iter().map(|name| {
        Finding::warning(
            format!("{}/{name} is no definition: what it is called is not NAME.toml", directory.display()),
            "NAME has a to z, 0 to 9 and \"-\", at most 32 of them; rename it, or take it away",
        )
    }));
    findings
}

/// What lies there under a name that no kind can have. Files that begin with a dot are those of editors.
fn passed_over(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name())
        .filter(|name| !name.to_str().and_then(|name| name.strip_suffix(".toml")).is_some_and(is_kind))
        .filter(|name| !name.as_encoded_bytes().starts_with(b"."))
        .map(|name| neutral::name(name.as_encoded_bytes()))
        .collect();
    names.sort();
    names.truncate(MOST);
    names
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_mistake_in_a_definition_is_a_finding_with_its_line() {
        let directory = tempfile::tempdir().unwrap();
        assert!(check(directory.path()).is_empty());
        fs::write(directory.path().join("good.toml"), include_str!("../../receivers/46elks.toml")).unwrap();
        fs::write(directory.path().join("bad.toml"), "title = \"x\"\nsumary = \"y\"\n").unwrap();
        let [bad, good] = &check(directory.path())[..] else { panic!() };
        assert_eq!((bad.level, good.level), (Level::Error, Level::Fine));
        assert!(
            bad.what.contains("bad.toml: line 2") && bad.what.contains("there are title, summary,"),
            "{bad:?}"
        );
        assert!(good.what.contains("good.toml (46elks) can be used"), "{good:?}");
    }

    #[test]
    fn a_file_that_is_passed_over_for_its_name_is_a_warning() {
        let directory = tempfile::tempdir().unwrap();
        for name in
            ["gate.tml", "gate.toml.bak", "My gate.toml", "gate.toml~", "gate", ".gate.toml.swp", "GATE.TOML"]
        {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let found = check(directory.path());
        assert_eq!(found.len(), 6, "{found:?}");
        assert!(found.iter().all(|finding| finding.level == Level::Warning), "{found:?}");
        assert!(
            found.iter().any(|finding| finding.what.contains("/gate.toml.bak is no definition")),
            "{found:?}"
        );
    }
}
