//! The module's lines in the PAM stacks, and the files they name.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::installation::Line;
use crate::neutral;

use super::{Finding, loader, sshd};

/// Where libpam looks for a module that is named without a directory, below the root.
const PLACES: [&str; 6] =
    ["lib/security", "lib64/security", "usr/lib/security", "usr/lib64/security", "lib", "usr/lib"];
const SENDER: &str = "libauthalert_sender.so";
/// Kept by authalert-pam(8), in the state directory.
const GUARDED: &str = "guarded";
const SENDER_PLACES: [&str; 2] = ["usr/lib/authalert", "usr/local/lib/authalert"];

/// Look at `lines`, with the files below `root`.
pub fn check(lines: &[Line], root: &Path) -> Vec<Finding> {
    if !lines.iter().any(Line::is_auth) {
        return vec![Finding::error(
            "the module is in no PAM stack: failures are found in the logs only",
            "authalert-pam add sshd, or 'auth  optional  pam_authalert.so' as the first auth line of /etc/pam.d/sshd",
        )];
    }
    let files = modules(lines, root);
    let usable = files.is_empty();
    let mut findings: Vec<Finding> = lines.iter().flat_map(|line| line_findings(line, usable)).collect();
    findings.extend(files);
    findings.extend(sender(lines, root));
    findings.extend(sshd::check(lines, root));
    findings
}

/// The services that `authalert-pam` guards and whose stack does not name the module any more.
pub fn lost(lines: &[Line], state: &Path) -> Vec<Finding> {
    let guarded = fs::read_to_string(state.join(GUARDED)).unwrap_or_default();
    let gone = guarded
        .lines()
        .filter(|service| !lines.iter().any(|line| line.is_auth() && line.service == **service));
    gone.map(|service| {
        let service = neutral::name(service);
        Finding::error(
            format!("the module is gone from the stack of {service}, which was guarded"),
            format!("authalert-pam add {service}; or, to give it up, authalert-pam remove {service}"),
        )
    })
    .collect()
}

fn line_findings(line: &Line, usable: bool) -> Vec<Finding> {
    let place = format!("{}:{}", line.file.display(), line.number);
    let mut findings = Vec::new();
    let authfail = line.arguments.iter().any(|a| a == "authfail");
    let is_session = line.kind.trim_start_matches('-') == "session";
    if !line.is_auth() && !is_session {
        findings.push(Finding::error(
            format!("{place}: the module is in '{}', where it does nothing", line.kind),
            "make it an auth line",
        ));
    }
    let harmless = line.control == "optional" || line.control == "[default=ignore]";
    if !harmless {
        findings.push(Finding::error(
            format!("{place}: the control is '{}': with it the module can change a login", line.control),
            "write 'optional'",
        ));
    }
    if let (true, false, Some(before)) = (line.is_auth(), authfail, line.passed_over_by()) {
        findings.push(Finding::error(
            format!("{place}: '{before}' comes first: a failure that ends there is not seen"),
            "make it the first auth line, above every include",
        ));
    }
    for argument in &line.arguments {
        let known = ["authfail", "debug"].contains(&argument.as_str())
            || argument.starts_with("config=/")
            || argument.starts_with("state=/");
        if !known {
            findings.push(Finding::warning(
                format!("{place}: '{argument}' is not an argument of the module and is passed over"),
                "use config=/FILE, state=/DIR, authfail or debug",
            ));
        }
    }
    if findings.is_empty() && usable {
        let what = if is_session { "logins are recorded in" } else { "the module is active in" };
        findings.push(Finding::fine(format!("{place}: {what} {}", line.service)));
    }
    findings
}

/// What is wrong with the files that the lines name, each reported once.
fn modules(lines: &[Line], root: &Path) -> Vec<Finding> {
    let mut names: Vec<&str> = lines.iter().map(|line| line.module.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let named = names.iter().map(|name| {
        let mut of_it = lines.iter().filter(|line| line.module == **name);
        (of_it.next(), of_it.count())
    });
    named.filter_map(|(line, others)| line.and_then(|line| file_finding(line, others, root))).collect()
}

fn file_finding(line: &Line, others: usize, root: &Path) -> Option<Finding> {
    let more = if others > 0 { format!(" and {others} more") } else { String::new() };
    let place = format!("{}:{}{more}", line.file.display(), line.number);
    let Some((path, meta)) = module(line, root) else {
        let what = format!("{place}: {} is not there", line.module);
        return Some(Finding::error(what, "install it again, or take the line out"));
    };
    if !ours_alone(&meta) {
        let what = format!("{}: others than root may write to it", path.display());
        return Some(Finding::error(what, format!("chown root:root {0}; chmod 644 {0}", path.display())));
    }
    let why = loader::complaint(&path)?;
    let what = format!("{place}: libpam cannot load {}: {why}", path.display());
    Some(Finding::error(what, "install it again, for this system, on a file system without noexec"))
}

fn module(line: &Line, root: &Path) -> Option<(PathBuf, Metadata)> {
    let found = |path: PathBuf| fs::metadata(&path).ok().filter(Metadata::is_file).map(|meta| (path, meta));
    if let Some(inside) = line.module.strip_prefix('/') {
        return found(root.join(inside));
    }
    let multiarch = ["lib", "usr/lib"].iter().flat_map(|place| {
        let entries = fs::read_dir(root.join(place)).into_iter().flatten().flatten();
        entries.map(|entry| entry.path().join("security"))
    });
    PLACES
        .iter()
        .map(|place| root.join(place))
        .chain(multiarch)
        .find_map(|place| found(place.join(&line.module)))
}

fn sender(lines: &[Line], root: &Path) -> Vec<Finding> {
    let found = SENDER_PLACES.iter().map(|place| root.join(place).join(SENDER)).find(|path| path.is_file());
    match found {
        None => vec![Finding::warning(
            format!(
                "{SENDER} is not installed: the module records, and alerts wait up to a minute for cron or systemd"
            ),
            "install it again",
        )],
        Some(path) if fs::metadata(&path).is_ok_and(|meta| !ours_alone(&meta)) => vec![Finding::error(
            format!("{}: others than root may write to it, so the module will not load it", path.display()),
            format!("chown root:root {0}; chmod 644 {0}", path.display()),
        )],
        Some(path) => {
            let module = lines.iter().find_map(|line| module(line, root));
            let fits = module.is_none_or(|(module, _)| loader::fits(&module, &path));
            let why = loader::complaint(&path)
                .or((!fits).then(|| "it is of another version than the module".into()));
            let finding = |why| {
                let what = format!(
                    "{}: the module will not use it: {why}; alerts wait for cron or systemd",
                    path.display()
                );
                Finding::warning(what, "install both again")
            };
            why.map(finding).into_iter().collect()
        }
    }
}

fn ours_alone(meta: &Metadata) -> bool {
    meta.uid() == 0 && meta.mode() & 0o022 == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Level;
    use crate::installation::lines_in;

    fn findings(stack: &str, module: bool) -> Vec<(Level, String)> {
        let root = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        file("etc/pam.d/sshd", stack);
        file("usr/lib/authalert/libauthalert_sender.so", "");
        if module {
            file("usr/lib/x86_64-linux-gnu/security/pam_authalert.so", "");
        }
        file("etc/ssh/sshd_config", "UsePAM yes\n");
        let found = check(&lines_in(&[&root.path().join("etc/pam.d")]), root.path());
        // Who runs the tests owns the files.
        found
            .into_iter()
            .filter(|f| {
                !f.what.contains("others than root")
                    && !f.what.contains("cannot load")
                    && !f.what.contains("will not use")
            })
            .map(|f| (f.level, f.what))
            .collect()
    }

    fn only(stack: &str, module: bool, level: Level, words: &str) {
        let found = findings(stack, module);
        assert!(found.iter().any(|(l, what)| *l == level && what.contains(words)), "{stack}: {found:?}");
    }

    #[test]
    fn every_mistake_in_a_line_is_reported() {
        only("auth required pam_unix.so\n", true, Level::Error, "in no PAM stack");
        only("auth required pam_authalert.so\n", true, Level::Error, "'required'");
        only("auth sufficient pam_authalert.so\n", true, Level::Error, "'sufficient'");
        only("session optional pam_authalert.so\n", true, Level::Error, "in no PAM stack");
        let account = "auth optional pam_authalert.so\naccount optional pam_authalert.so\n";
        only(account, true, Level::Error, "'account'");
        for above in [
            "@include common-auth",
            "auth substack password-auth",
            "auth include system-remote-login",
            "auth requisite pam_faillock.so preauth",
            "auth [success=1 default=ignore auth_err=die] pam_sss.so",
            "auth [default=1 ignore=ignore success=ok] pam_usertype.so",
        ] {
            let stack = format!("{above}\nauth optional pam_authalert.so\n");
            only(&stack, true, Level::Error, "comes first");
        }
        only("auth optional pam_authalert.so state=rel\n", true, Level::Warning, "state=rel");
        only("auth optional pam_authalert.so\n", false, Level::Error, "is not there");
    }

    #[test]
    fn a_line_that_was_taken_out_by_hand_is_missed() {
        let root = tempfile::tempdir().unwrap();
        let stacks = root.path().join("etc/pam.d");
        fs::create_dir_all(&stacks).unwrap();
        fs::write(stacks.join("sshd"), "auth optional pam_authalert.so\n").unwrap();
        fs::write(stacks.join("su"), "auth required pam_unix.so\n").unwrap();
        let lines = lines_in(&[&stacks]);
        assert!(lost(&lines, root.path()).is_empty());
        fs::write(root.path().join(GUARDED), "sshd\nsu\n").unwrap();
        let found = lost(&lines, root.path());
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].what.contains("stack of su") && found[0].fix.contains("add su"), "{found:?}");
    }

    #[test]
    fn a_right_line_is_fine_at_the_top_and_in_the_failure_branch() {
        for stack in [
            "auth optional pam_authalert.so\n@include common-auth\n",
            "auth required pam_env.so\nauth [success=1 default=bad] pam_x.so\nauth optional pam_authalert.so\n",
            "auth [success=2 default=ignore] pam_unix.so\nauth [default=ignore] pam_authalert.so authfail\n",
            "auth optional pam_authalert.so\n@include common-auth\nsession optional pam_authalert.so\n",
        ] {
            assert!(findings(stack, true).iter().all(|(level, _)| *level == Level::Fine), "{stack}");
        }
    }
}
