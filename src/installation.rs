//! Which of this machine's PAM stacks name the module.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Where stacks are; the first that has a service's file counts (pam.conf(5)).
const DIRECTORIES: [&str; 3] = ["/etc/pam.d", "/usr/lib/pam.d", "/usr/etc/pam.d"];
const MODULE: &str = "pam_authalert.so";
const LARGEST: u64 = 1 << 20;

/// One line of a stack that names the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The file's name: the service, or a part that services include.
    pub service: String,
    /// The file.
    pub file: PathBuf,
    /// From 1.
    pub number: usize,
    /// `auth`, `-auth` …
    pub kind: String,
    /// `optional`, `[default=ignore]` …
    pub control: String,
    /// The module as it is written there.
    pub module: String,
    /// What follows it.
    pub arguments: Vec<String>,
    /// Other `auth` lines that stand before it in the same file, includes too.
    pub before: Vec<String>,
}

impl Line {
    /// It sees how authentications end; a line of the kind `session` sees logins alone.
    pub fn is_auth(&self) -> bool {
        self.kind.trim_start_matches('-') == "auth"
    }

    /// Whether the file that it names is not there. A name without a path is looked for where this
    /// machine's other modules are; where those are not found, nothing is said.
    pub fn is_missing(&self) -> bool {
        if self.module.starts_with('/') {
            return !Path::new(&self.module).exists();
        }
        let directories = module_directories();
        !directories.is_empty() && !directories.iter().any(|d| d.join(&self.module).exists())
    }

    /// The rule above it at which a failure may end, or from which it may jump, so that the module does
    /// not see it.
    pub fn passed_over_by(&self) -> Option<&str> {
        self.before.iter().find(|rule| may_pass_over(rule)).map(String::as_str)
    }
}

/// Whether a failure may end above the lines that follow `rule`, or jump over them: at an include,
/// whatever is in it; a failed `requisite`; an action of `die` or a jump for anything but success.
fn may_pass_over(rule: &str) -> bool {
    let mut words = rule.split_whitespace();
    let kind = words.next().unwrap_or_default();
    let control = words.collect::<Vec<_>>().join(" ");
    let Some(actions) = control.strip_prefix('[') else {
        return kind == "@include"
            || ["requisite", "include", "substack"].iter().any(|word| control.starts_with(word));
    };
    actions.split(']').next().unwrap_or_default().split_whitespace().any(|pair| match pair.split_once('=') {
        Some(("success" | "new_authtok_reqd", _)) | None => false,
        Some((_, action)) => ["die", "done"].contains(&action) || action.bytes().all(|b| b.is_ascii_digit()),
    })
}

/// Where libpam finds modules that are named without a path.
fn module_directories() -> Vec<PathBuf> {
    let mut places = Vec::new();
    for library in ["/lib", "/lib64", "/usr/lib", "/usr/lib64"].map(Path::new) {
        places.push(library.join("security"));
        let inside = fs::read_dir(library).into_iter().flatten().flatten();
        places.extend(inside.map(|entry| entry.path().join("security")));
    }
    places.retain(|place| place.join("pam_deny.so").exists());
    places
}

/// Whether the system has a stack for `service`; without one libpam takes that of "other".
pub fn has_stack(service: &str) -> bool {
    DIRECTORIES.iter().any(|directory| Path::new(directory).join(service).is_file())
}

/// Whether a stack of this machine names `module`, which is without its `.so`; where there are none to be read, it may.
pub fn is_in_a_stack(module: &str) -> bool {
    static MODULES: OnceLock<HashSet<String>> = OnceLock::new();
    let modules = MODULES.get_or_init(|| modules_in(&DIRECTORIES.map(Path::new)));
    modules.is_empty() || modules.contains(module)
}

/// The modules that stacks below these directories name, without `.so`.
fn modules_in(directories: &[&Path]) -> HashSet<String> {
    let inside = |directory: &&Path| fs::read_dir(directory).into_iter().flatten().flatten();
    let files = directories.iter().flat_map(inside).map(|entry| entry.path());
    let files = files.filter(|path| path.metadata().is_ok_and(|of| of.is_file() && of.len() <= LARGEST));
    let texts: Vec<String> = files.filter_map(|path| fs::read_to_string(path).ok()).collect();
    let rules = texts.iter().flat_map(|text| text.lines()).filter(|line| !line.trim_start().starts_with('#'));
    let words = rules.flat_map(str::split_whitespace);
    words.filter_map(|word| word.rsplit('/').next()?.strip_suffix(".so")).map(str::to_owned).collect()
}

/// All lines of this machine's stacks that name the module.
pub fn lines() -> Vec<Line> {
    lines_in(&DIRECTORIES.map(Path::new))
}

/// The same below other directories.
pub fn lines_in(directories: &[&Path]) -> Vec<Line> {
    let mut files: Vec<PathBuf> = Vec::new();
    for directory in directories {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            if !files.iter().any(|f| f.file_name() == Some(&entry.file_name())) {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    files.iter().flat_map(|file| lines_of(file)).collect()
}

fn lines_of(file: &Path) -> Vec<Line> {
    let service = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let copy = [".bak", ".orig", ".dpkg-", ".rpm", ".pacnew", "~", ".authalert"];
    if copy.iter().any(|c| service.contains(c)) || fs::metadata(file).is_ok_and(|m| m.len() > LARGEST) {
        return Vec::new();
    }
    let text = fs::read(file).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default();
    let (mut found, mut before) = (Vec::new(), Vec::new());
    for (number, words) in logical_lines(&text) {
        let Some((kind, rest)) = words.split_first() else { continue };
        if kind.starts_with("@include") {
            before.push(words.join(" "));
            continue;
        }
        let Some((control, module, arguments)) = split_control(rest) else { continue };
        if module.ends_with(MODULE) {
            let (kind, file) = (kind.clone(), file.to_path_buf());
            let service = service.clone();
            found.push(Line {
                service,
                file,
                number,
                kind,
                control,
                module,
                arguments,
                before: before.clone(),
            });
        } else if kind.trim_start_matches('-') == "auth" {
            before.push(words.join(" "));
        }
    }
    found
}

/// Lines with their numbers, comments gone, continued ones joined, split into words.
fn logical_lines(text: &str) -> Vec<(usize, Vec<String>)> {
    let (mut lines, mut held, mut start) = (Vec::new(), String::new(), 0);
    for (i, line) in text.lines().enumerate() {
        if held.is_empty() {
            start = i + 1;
        }
        match line.strip_suffix('\\') {
            Some(part) => held.push_str(&format!("{part} ")),
            None => {
                held.push_str(line);
                let words =
                    held.split('#').next().unwrap_or_default().split_whitespace().map(Into::into).collect();
                lines.push((start, words));
                held.clear();
            }
        }
    }
    lines
}

/// `[success=1 default=ignore]` is one word with blanks in it.
fn split_control(words: &[String]) -> Option<(String, String, Vec<String>)> {
    let end = if words.first()?.starts_with('[') { words.iter().position(|w| w.ends_with(']'))? } else { 0 };
    let module = words.get(end + 1)?.clone();
    Some((words[..=end].join(" "), module, words[end + 2..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_stands_in_a_stack_by_its_whole_name() {
        let directory = tempfile::tempdir().unwrap();
        let text = "auth [success=1 default=ignore] pam_unix.so nullok\n # auth required pam_ldap.so\n\
                    auth\trequired\t/lib/security/pam_duo.so\n-auth optional pam_sss.so";
        fs::write(directory.path().join("su"), text).unwrap();
        let mut modules: Vec<String> = modules_in(&[directory.path()]).into_iter().collect();
        modules.sort();
        assert_eq!(modules, ["pam_duo", "pam_sss", "pam_unix"]);
        assert!(modules_in(&[&directory.path().join("none")]).is_empty());
    }

    #[test]
    fn lines_are_found_with_what_stands_before_them() {
        let directory = tempfile::tempdir().unwrap();
        let text = "# pam_authalert.so in a comment\nauth [success=1 \\\n  default=ignore] pam_unix.so nullok\n\
                    @include common-auth\nauth  optional  pam_authalert.so state=/x debug\naccount required pam_unix.so\n";
        fs::write(directory.path().join("sshd"), text).unwrap();
        fs::write(directory.path().join("sshd.dpkg-old"), text).unwrap();
        fs::write(directory.path().join("su"), "auth required pam_unix.so\n").unwrap();
        let lines = lines_in(&[directory.path()]);
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!((line.service.as_str(), line.number, line.control.as_str()), ("sshd", 5, "optional"));
        assert_eq!(line.arguments, ["state=/x", "debug"]);
        assert_eq!(
            line.before,
            ["auth [success=1 default=ignore] pam_unix.so nullok", "@include common-auth"]
        );
    }

    #[test]
    fn a_line_whose_module_is_not_there_is_told_from_one_whose_is() {
        let directory = tempfile::tempdir().unwrap();
        let module = directory.path().join("pam_authalert.so");
        let text = format!("auth optional {}\n", module.display());
        fs::write(directory.path().join("su"), text).unwrap();
        let line = &lines_in(&[directory.path()])[0];
        assert!(line.is_missing());
        fs::write(&module, "").unwrap();
        assert!(!line.is_missing());
        if !module_directories().is_empty() {
            let named = |module: &str| Line { module: module.into(), ..line.clone() };
            assert!(named("pam_no_such_module.so").is_missing() && !named("pam_deny.so").is_missing());
        }
    }
}
