//! The state directory, what the scan can read, how delivery stands.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jiff::Timestamp;

use crate::config::Config;
use crate::deliver::place::Place;
use crate::deliver::status::{self, Named};
use crate::deliver::{Refused, human, next_attempt};
use crate::message::counted;
use crate::scan::state::Service;
use crate::scan::{self, ScanState};
use crate::zone::local;

use super::{Finding, schedule};

/// Less room than this, and records are lost.
const ROOM: u64 = 1 << 20;

/// The state directory, the one who runs us each minute, the logs.
pub fn check(state: &Path, config: &Config) -> Vec<Finding> {
    let mut findings = directory(state);
    findings.extend(room(state));
    findings.extend(label(state));
    findings.push(schedule::each_minute());
    findings.extend(schedule::stale(state));
    findings.extend(logs(state, config));
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

/// Which logs the scan reads, since when they are silent, and where the module does not record what they tell.
fn logs(state: &Path, config: &Config) -> Vec<Finding> {
    let found = match ScanState::of(state, &config.scan) {
        Ok(found) => found.dated(),
        Err(e @ scan::Error::Checkpoint(..)) => return vec![Finding::error(e.to_string(), "")],
        Err(e) => {
            return vec![Finding::error(e.to_string(), "set [scan] files or journald in the configuration")];
        }
    };
    let sources = found.sources.iter().map(|source| match source.newest {
        Some(newest) => {
            let ago = Timestamp::now().duration_since(newest).try_into().unwrap_or_default();
            format!("{} (last written {} ago)", source.name, human(ago))
        }
        None => source.name.clone(),
    });
    let what = format!("the scan reads {}", sources.collect::<Vec<_>>().join(", "));
    let mut findings = vec![Finding::fine(what)];
    findings.extend(found.warnings.into_iter().map(|why| Finding::warning(why, "")));
    for service in found.services {
        findings.extend(module_finding(&service));
    }
    findings
}

/// Whether the module records in a service what the log has of it.
fn module_finding(service: &Service) -> Option<Finding> {
    let name = &service.service;
    if service.has_failed() {
        return Some(Finding::error(
            format!(
                "the module is in the stack of {name} and recorded none of the last {} failures that the log has of \
                 it: they are recorded from the log",
                service.silent
            ),
            format!("'authalert test --pam {name}', and look for 'pam_authalert' in the log"),
        ));
    }
    let alone = service.dismissed + service.doubted;
    (alone > 0).then(|| {
        let failures = counted(alone, "failure");
        Finding::fine(format!(
            "{name}: {failures} in the log, ever, that the module, which records there, did not see: not recorded"
        ))
    })
}

/// How delivery stands with each receiver, where the reason is not one that was `said`.
pub fn delivery(state: &Path, config: &Config, said: impl Fn(&str) -> bool) -> Vec<Finding> {
    let status = match status::take(state, config) {
        Ok(status) => status,
        Err(e) => return vec![Finding::error(format!("cannot read the state: {e}"), "run this as root")],
    };
    let (mut findings, mut whys) = (Vec::new(), Vec::new());
    for Named { name, counters, .. } in status.receivers {
        findings.extend(counters.last_refused.map(|refused| refused_finding(&name, &refused, state)));
        let Some(why) = counters.last_error.filter(|why| !said(why) && !whys.contains(why)) else { continue };
        let since = counters.error_since.map(|t| local().to_datetime(t).strftime(" since %Y-%m-%d %H:%M:%S"));
        let since = since.map(|since| since.to_string()).unwrap_or_default();
        let next = counters.next_attempt_seconds.map(next_attempt);
        let next = next.map(|next| format!(", next attempt {next}")).unwrap_or_default();
        // A break-in waits as a message of its own.
        let messages = counted(counters.queued, "message");
        let failures = format!("{} pending", counted(counters.pending, "failure"));
        let waiting = match (counters.queued, counters.pending) {
            (0, _) => failures,
            (_, 0) => format!("{messages} waiting"),
            _ => format!("{messages} waiting, {failures}"),
        };
        let what = format!("{name}: {waiting}{since}{next}: {why}");
        findings.push(match counters.is_passing {
            true => Finding::fine(what),
            false => Finding::error(what, "put that right, then 'authalert deliver --now'"),
        });
        whys.push(why);
    }
    if status.dropped > 0 {
        findings.push(Finding::warning(
            format!("{} found no room in the journal, ever", counted(status.dropped, "failure")),
            "raise [journal] max_size, and see that something delivers each minute",
        ));
    }
    if status.unreadable > 0 {
        findings.push(Finding::warning(
            format!("{} of the journal could not be read, ever", counted(status.unreadable, "line")),
            format!("look at {}/unreadable.log and at the disk", state.display()),
        ));
    }
    findings
}

/// A text that the service refused: what it told came without its names.
fn refused_finding(name: &str, refused: &Refused, state: &Path) -> Finding {
    let what = if refused.is_break_in { "a break-in" } else { "a message" };
    let time = local().to_datetime(refused.time).strftime("%Y-%m-%d %H:%M:%S");
    let file = Place::new(state, name).rejected();
    Finding::warning(
        format!(
            "{name} refused the text of {what}, number {}, {time}, which goes out in numbers alone: {}",
            refused.id, refused.why
        ),
        format!(
            "the text is in {}; a service that takes fewer characters: 'markup' and 'unit' in authalert-receivers(5)",
            file.display()
        ),
    )
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
