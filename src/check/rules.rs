//! The administrator's own rules for the scan.

use std::path::Path;

use super::Finding;
use crate::scan::rules::book::list;

/// Each file of rules in `directory`: that it can be used, or file, line and what is accepted.
pub fn check(directory: &Path) -> Vec<Finding> {
    let own = list(directory).into_iter().filter(|entry| entry.is_own);
    own.map(|entry| match entry.file {
        Ok(file) => Finding::fine(format!(
            "the rules in {} ({}) agree with their samples",
            directory.join(format!("{}.toml", entry.name)).display(),
            crate::neutral::name(&file.about)
        )),
        Err(mistake) => Finding::error(
            mistake.to_string(),
            "correct the file, see authalert-rules(5); until then the scan does without it",
        ),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::super::Level;
    use super::*;

    #[test]
    fn a_mistake_in_a_file_of_rules_is_a_finding_with_its_line() {
        let directory = tempfile::tempdir().unwrap();
        assert!(check(directory.path()).is_empty());
        let write = |name: &str, text: &str, mode| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        };
        let good = include_str!("../../rules/doas.toml");
        write("good.toml", good, 0o644);
        write("bad.toml", &good.replace("<ruser>\"]", "<who>\"]"), 0o644);
        write("open.toml", good, 0o666);
        let [bad, fine, open] = &check(directory.path())[..] else { panic!() };
        assert_eq!([bad.level, fine.level, open.level], [Level::Error, Level::Fine, Level::Error]);
        assert!(bad.what.contains("bad.toml: line 7: <who> is not known"), "{bad:?}");
        assert!(fine.what.contains("good.toml (doas) agree"), "{fine:?}");
        assert!(open.what.contains("chmod go-w"), "{open:?}");
    }
}
