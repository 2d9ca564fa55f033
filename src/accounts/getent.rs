//! Accounts that the name service knows and passwd does not, asked of `getent` in a process of its own.
//!
//! Bounded in names, in time and in what is read: a directory that is slow or away costs one pass a few seconds.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::AccountKind;
use super::passwd::parse_line;
use crate::output;

/// Names asked for in one pass.
const NAMES: usize = 64;
/// For all names of one pass together.
const PATIENCE: Duration = Duration::from_secs(5);
/// For one name.
const PATIENCE_EACH: Duration = Duration::from_secs(2);
/// Of one answer.
const LARGEST: usize = 4096;

/// What getent said in this pass.
#[derive(Debug)]
pub struct Getent {
    program: PathBuf,
    known: HashMap<String, AccountKind>,
    patience: Duration,
}

impl Getent {
    /// `program`, if the `passwd` line of `nsswitch` names more sources than files.
    pub fn if_needed(nsswitch: &Path, program: PathBuf) -> Option<Self> {
        let mut text = String::new();
        File::open(nsswitch).ok()?.take(64 << 10).read_to_string(&mut text).ok()?;
        names_more_than_files(&text).then(|| Self { program, known: HashMap::new(), patience: PATIENCE })
    }

    /// A new pass begins.
    pub fn forget(&mut self) {
        self.known.clear();
        self.patience = PATIENCE;
    }

    /// What `name` is; unknown too if getent cannot be asked (any more in this pass).
    pub fn standing(&mut self, name: &str) -> AccountKind {
        if let Some(standing) = self.known.get(name) {
            return *standing;
        }
        if self.known.len() >= NAMES || self.patience.is_zero() {
            return AccountKind::Unknown;
        }
        let start = Instant::now();
        let standing =
            ask(&self.program, name, self.patience.min(PATIENCE_EACH)).unwrap_or(AccountKind::Unknown);
        self.patience = self.patience.saturating_sub(start.elapsed());
        self.known.insert(name.to_owned(), standing);
        standing
    }
}

/// Whether the `passwd` line of nsswitch.conf names a source that passwd does not hold.
fn names_more_than_files(nsswitch: &str) -> bool {
    let Some(line) = nsswitch.lines().find_map(|line| line.trim_start().strip_prefix("passwd:")) else {
        return false;
    };
    // Actions such as `[NOTFOUND=return]` may hold blanks.
    let mut in_action = false;
    let line = line.split('#').next().unwrap_or_default();
    line.replace('[', " [ ").replace(']', " ] ").split_whitespace().any(|word| {
        match word {
            "[" => in_action = true,
            "]" => in_action = false,
            _ => return !in_action && !matches!(word, "files" | "compat" | "systemd"),
        }
        false
    })
}

/// The account that getent prints for `name`. One name a process: with several it would not be
/// certain which answer belongs to which name, as a directory may spell the name its own way.
fn ask(program: &Path, name: &str, patience: Duration) -> Option<AccountKind> {
    let mut getent = Command::new(program);
    getent.args(["passwd", "--", name]).env_clear().current_dir("/");
    let answer = output::of(&mut getent, patience, LARGEST).filter(|answer| answer.len() <= LARGEST)?;
    parse_line(String::from_utf8_lossy(&answer).lines().next()?).map(|(_, standing)| standing)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::super::Accounts;
    use super::*;

    fn getent(dir: &Path, script: &str) -> Getent {
        let program = dir.join("getent");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let nsswitch = dir.join("nsswitch.conf");
        fs::write(&nsswitch, "passwd: files sss\n").unwrap();
        Getent::if_needed(&nsswitch, program).unwrap()
    }

    #[test]
    fn getent_is_needed_only_where_there_are_more_sources_than_files() {
        for (text, more) in [
            ("passwd: files systemd", false),
            ("passwd:\t\tcompat", false),
            ("passwd: files [NOTFOUND=return SUCCESS=continue]", false),
            ("passwd: files # ldap", false),
            ("group: files sss", false),
            ("", false),
            ("passwd: files sss", true),
            ("passwd:files[!NOTFOUND=return]ldap", true),
            ("# x\n passwd: winbind files", true),
        ] {
            assert_eq!(names_more_than_files(text), more, "{text}");
        }
        assert!(
            Getent::if_needed(Path::new("/nonexistent/nsswitch.conf"), "/usr/bin/getent".into()).is_none()
        );
    }

    #[test]
    fn each_name_is_asked_for_once_a_pass_without_an_environment() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let script = format!(
            "echo \"$1 $2 $3 $HOME\" >>{}; [ \"$3\" = dora ] && echo 'dora:*:5000:5000::/home/dora:/bin/sh'",
            log.display()
        );
        let mut getent = getent(dir.path(), &script);
        for _ in 0..2 {
            assert_eq!(getent.standing("dora"), AccountKind::Existing);
            assert_eq!(getent.standing("nobody-here"), AccountKind::Unknown);
        }
        assert_eq!(fs::read_to_string(&log).unwrap(), "passwd -- dora \npasswd -- nobody-here \n");
        let mut accounts = Accounts::new("/nonexistent/passwd".into(), Some(getent));
        assert_eq!(accounts.standing("dora"), AccountKind::Existing);
        assert_eq!(accounts.standing("0"), AccountKind::Unknown);
        assert!(!fs::read_to_string(&log).unwrap().contains("-- 0"));
    }

    #[test]
    fn a_directory_that_does_not_answer_costs_a_bounded_time() {
        let dir = tempfile::tempdir().unwrap();
        let mut getent = getent(dir.path(), "exec sleep 60");
        getent.patience = Duration::from_millis(200);
        let start = Instant::now();
        assert_eq!(getent.standing("dora"), AccountKind::Unknown);
        assert_eq!(getent.standing("emil"), AccountKind::Unknown);
        assert!(!getent.known.contains_key("emil"), "nobody was to be asked any more");
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }

    #[test]
    fn an_endless_answer_or_too_many_names_are_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let mut noisy = getent(dir.path(), "exec cat /dev/zero");
        assert_eq!(noisy.standing("dora"), AccountKind::Unknown);
        let mut many = getent(dir.path(), "echo 'x:*:1:1:::/bin/sh'");
        many.patience = Duration::from_secs(60);
        let known = (0..100).filter(|i| many.standing(&format!("u{i}")) == AccountKind::Existing).count();
        assert_eq!(known, NAMES);
    }
}
