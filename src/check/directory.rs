//! The state directory: whether it is there and root's alone, and whether a login program can record in it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Finding;

/// Less room than this, and records are lost.
const ROOM: u64 = 1 << 20;

/// All that can be wrong with it.
pub fn check(state: &Path) -> Vec<Finding> {
    let mut findings = directory(state);
    findings.extend(room(state));
    findings.extend(label(state));
    findings
}

/// Who is not root sees neither journal nor credentials, and they are not missing for that.
pub fn may_not_look(state: &Path) -> Option<Finding> {
    use rustix::fs::Access;
    let closed = rustix::fs::access(state, Access::READ_OK | Access::EXEC_OK);
    (closed == Err(rustix::io::Errno::ACCESS)).then(|| {
        Finding::error(
            format!(
                "{} is root's alone: state, logs, receivers and credentials were not looked at",
                state.display()
            ),
            "run this as root: sudo authalert check",
        )
    })
}

fn directory(state: &Path) -> Vec<Finding> {
    let shown = state.display();
    let Ok(meta) = fs::metadata(state) else {
        return vec![Finding::error(
            format!("the state directory {shown} is missing: nothing is recorded"),
            "'authalert deliver' as root makes it",
        )];
    };
    let mut findings = Vec::new();
    if meta.uid() != 0 || meta.mode() & 0o077 != 0 {
        findings.push(Finding::error(
            format!(
                "{shown}: mode {:o}, owner {}: others than root may get in",
                meta.mode() & 0o7777,
                meta.uid()
            ),
            format!("chown root:root {shown}; chmod 700 {shown}"),
        ));
    }
    match fs::metadata(state.join(crate::journal::DIRECTORY)) {
        Ok(journal) if journal.is_dir() => {
            if journal.uid() != 0 || journal.mode() & 0o022 != 0 {
                findings.push(Finding::error(
                    format!("{shown}/journal: others than root may write to it, so nothing is sent"),
                    format!("chown root:root {shown}/journal; chmod 700 {shown}/journal"),
                ));
            }
        }
        _ => findings.push(Finding::error(
            format!("{shown}/journal is missing: nothing is recorded"),
            "'authalert deliver' as root makes it",
        )),
    }
    let writable = rustix::fs::access(state, rustix::fs::Access::WRITE_OK);
    if let Err(why) = writable {
        findings.push(Finding::error(
            format!("{shown} cannot be written: {why}: nothing is recorded"),
            "put that right, or run this as root",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::fine(format!("the state directory {shown} is root's alone")));
    }
    findings
}

/// A disk, or a table of inodes, that is full.
fn room(state: &Path) -> Option<Finding> {
    let disk = rustix::fs::statvfs(state).ok()?;
    let full =
        match (disk.f_bfree.saturating_mul(disk.f_frsize) < ROOM, disk.f_files > 0 && disk.f_ffree == 0) {
            (true, _) => "no room",
            (_, true) => "no inode",
            _ => return None,
        };
    let what = format!("the file system of {} has {full} left: failures cannot be recorded", state.display());
    Some(Finding::error(what, "make room on it"))
}

/// Under an enforcing SELinux login programs write only what has their type.
fn label(state: &Path) -> Option<Finding> {
    let enforcing = fs::read_to_string("/sys/fs/selinux/enforce").is_ok_and(|text| text.trim() == "1");
    if !enforcing {
        return None;
    }
    let mut label = [0; 256];
    let length = rustix::fs::getxattr(state, "security.selinux", &mut label[..]).unwrap_or(0);
    let label = String::from_utf8_lossy(&label[..length]).trim_end_matches('\0').to_owned();
    wrong_label(&label).then(|| {
        let shown = state.display();
        Finding::error(
            format!("SELinux is enforcing and {shown} has the label '{label}': login programs cannot record"),
            format!("semanage fcontext -a -t var_auth_t '{shown}(/.*)?' && restorecon -R {shown}"),
        )
    })
}

fn wrong_label(label: &str) -> bool {
    label.split(':').nth(2) != Some("var_auth_t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_type_that_login_programs_may_write_is_right() {
        assert!(!wrong_label("system_u:object_r:var_auth_t:s0"));
        for label in ["system_u:object_r:var_lib_t:s0", "unconfined_u:var_auth_t:x:s0", ""] {
            assert!(wrong_label(label), "{label}");
        }
    }
}
