//! The administrator's own definitions of receivers.

use std::path::Path;

use crate::receiver::definition::list;

use super::Finding;

/// Each definition in `directory`: that it can be used, or file, line and what is accepted.
pub fn check(directory: &Path) -> Vec<Finding> {
    let own = list(directory).into_iter().filter(|entry| entry.is_own);
    own.map(|entry| match entry.definition {
        Ok(definition) => Finding::fine(format!(
            "the definition {} ({}) can be used",
            directory.join(format!("{}.toml", entry.kind)).display(),
            crate::neutral::name(definition.title())
        )),
        Err(mistake) => {
            Finding::error(mistake.to_string(), "correct the definition, see authalert-receivers(5)")
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

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
        assert!(bad.what.contains("bad.toml: line 2") && bad.what.contains("`summary`"), "{bad:?}");
        assert!(good.what.contains("good.toml (46elks) can be used"), "{good:?}");
    }
}
