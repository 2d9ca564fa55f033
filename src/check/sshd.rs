//! Whether sshd asks PAM, and asks the module.

use std::fs;
use std::path::{Path, PathBuf};

use crate::installation::Line;

use super::Finding;

/// sshd(8) on most systems, on those that keep the distribution's files apart.
const CONFIGURATIONS: [&str; 2] = ["etc/ssh/sshd_config", "usr/etc/ssh/sshd_config"];
const STACKS: [&str; 3] = ["etc/pam.d/sshd", "usr/lib/pam.d/sshd", "usr/etc/pam.d/sshd"];

pub(super) fn check(lines: &[Line], root: &Path) -> Option<Finding> {
    let stack = STACKS.iter().map(|path| root.join(path)).find(|path| path.is_file())?;
    if !is_named(lines, &stack) {
        let what = "the stack of sshd does not name the module: its failures are found in the logs only";
        return Some(Finding::warning(what, "authalert-pam add sshd"));
    }
    let configuration = CONFIGURATIONS.iter().map(|path| root.join(path)).find(|path| path.is_file())?;
    match use_pam(&configuration, root, 0) {
        Some(true) => None,
        said => {
            let how = if said.is_some() { "says UsePAM no" } else { "does not say UsePAM yes" };
            let what =
                format!("{}: {how}: failed ssh logins are found in the logs only", configuration.display());
            Some(Finding::warning(what, "set UsePAM yes and reload sshd"))
        }
    }
}

/// In the stack itself or in one that it includes.
fn is_named(lines: &[Line], stack: &Path) -> bool {
    let text = fs::read_to_string(stack).unwrap_or_default();
    let included = |name: &str| {
        text.lines().any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            matches!(words[..], ["@include", file, ..] if file == name)
                || matches!(words[..], ["auth" | "-auth", "include" | "substack", file, ..] if file == name)
        })
    };
    lines.iter().any(|line| line.is_auth() && (line.service == "sshd" || included(&line.service)))
}

/// What sshd_config(5) says: the first value counts, includes are read in their place.
fn use_pam(file: &Path, root: &Path, depth: usize) -> Option<bool> {
    if depth > 8 {
        return None;
    }
    let text = fs::read_to_string(file).unwrap_or_default();
    for line in text.lines() {
        let words: Vec<&str> = line.split([' ', '\t', '=', '"']).filter(|word| !word.is_empty()).collect();
        let Some((keyword, values)) = words.split_first() else { continue };
        match keyword.to_ascii_lowercase().as_str() {
            "match" => return None,
            "usepam" => return Some(!values.first().is_some_and(|value| value.eq_ignore_ascii_case("no"))),
            "include" => {
                let files = values.iter().flat_map(|pattern| matching(pattern, root));
                for included in files {
                    if let Some(said) = use_pam(&included, root, depth + 1) {
                        return Some(said);
                    }
                }
            }
            _ => {}
        }
    }
    None
}

/// A path, or `DIRECTORY/*ENDING`, in the order of glob(7).
fn matching(pattern: &str, root: &Path) -> Vec<PathBuf> {
    let path = match pattern.strip_prefix('/') {
        Some(inside) => root.join(inside),
        None => root.join("etc/ssh").join(pattern),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (Some(ending), Some(directory)) = (name.strip_prefix('*'), path.parent()) else { return vec![path] };
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|file| file.to_string_lossy().ends_with(ending)).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::installation::lines_in;

    fn said(files: &[(&str, &str)]) -> Option<String> {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        check(&lines_in(&[&root.path().join("etc/pam.d")]), root.path()).map(|finding| finding.what)
    }

    const LINE: (&str, &str) = ("etc/pam.d/sshd", "auth optional pam_authalert.so\n");

    #[test]
    fn the_first_value_of_use_pam_counts_where_it_is_included() {
        for (main, part, expected) in [
            ("UsePAM yes\n", "", None),
            ("usepam=no\n", "", Some("says UsePAM no")),
            ("#UsePAM yes\n", "", Some("does not say UsePAM yes")),
            ("Match user x\nUsePAM yes\n", "", Some("does not say UsePAM yes")),
            ("Include /etc/ssh/sshd_config.d/*.conf\nUsePAM no\n", "UsePAM yes\n", None),
            ("Include sshd_config.d/*.conf\nUsePAM yes\n", "UsePAM no\n", Some("says UsePAM no")),
            ("UsePAM yes\nInclude /etc/ssh/sshd_config.d/*.conf\n", "UsePAM no\n", None),
        ] {
            let files = [LINE, ("etc/ssh/sshd_config", main), ("etc/ssh/sshd_config.d/50.conf", part)];
            let said = said(&files);
            assert!(
                expected.map_or(said.is_none(), |words| said.as_ref().is_some_and(|s| s.contains(words))),
                "{main}: {said:?}"
            );
        }
    }

    #[test]
    fn an_sshd_whose_stack_does_not_name_the_module_is_reported() {
        let own = ("etc/pam.d/su", LINE.1);
        let bare = ("etc/pam.d/sshd", "@include common-auth\n");
        assert!(said(&[own, bare]).unwrap().contains("does not name"));
        let below = ("etc/pam.d/common-auth", "auth [default=ignore] pam_authalert.so authfail\n");
        assert_eq!(said(&[below, bare]), None);
        assert_eq!(said(&[own]), None, "no sshd here");
    }
}
