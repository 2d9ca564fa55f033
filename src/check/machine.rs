//! Who delivers, what the scan can read, the state directory.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::alert::human;
use crate::config::Config;
use crate::deliver::status;
use crate::scan;

use super::Finding;

const CRON: &str = "/etc/cron.d/authalert";
const TIMERS: [&str; 2] = [
    "/etc/systemd/system/timers.target.wants/authalert-scan.timer",
    "/usr/lib/systemd/system/timers.target.wants/authalert-scan.timer",
];
const CRON_DAEMONS: [&str; 4] = ["/usr/sbin/cron", "/usr/sbin/crond", "/usr/bin/crond", "/usr/sbin/fcron"];

/// The state directory, the one who runs us each minute, the logs.
pub fn check(state: &Path, config: &Config) -> Vec<Finding> {
    let mut findings = directory(state);
    findings.push(each_minute());
    match scan::sources(&config.scan) {
        Ok(found) => findings.push(Finding::fine(format!("the scan reads {}", found.join(", ")))),
        Err(e) => {
            findings.push(Finding::error(e.to_string(), "set [scan] files or journald in the configuration"))
        }
    }
    findings
}

/// How delivery stands.
pub fn delivery(state: &Path, config: &Config) -> Vec<Finding> {
    let status = match status::take(state, config) {
        Ok(status) => status,
        Err(e) => return vec![Finding::error(format!("cannot read the state: {e}"), "run this as root")],
    };
    let mut findings = Vec::new();
    if let Some(why) = status.last_error {
        let since = status.error_since.map(|t| format!(" since {t}")).unwrap_or_default();
        let next = status.next_attempt_seconds.map(|s| human(std::time::Duration::from_secs(s)));
        let next = next.map(|n| format!("; next attempt in {n}")).unwrap_or_default();
        findings.push(Finding::error(
            format!("{} failure(s) wait{since}: {why}{next}", status.pending),
            "mend that, then 'authalert deliver --now'",
        ));
    }
    if status.dropped > 0 {
        findings.push(Finding::warning(
            format!("{} failure(s) found no room in the journal, ever", status.dropped),
            "raise [journal] max_size, and see that something delivers each minute",
        ));
    }
    if status.unreadable > 0 {
        findings.push(Finding::warning(
            format!("{} line(s) of the journal could not be read, ever", status.unreadable),
            format!("look at {}/unreadable.log and at the disk", state.display()),
        ));
    }
    findings
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
    if !state.join(crate::journal::DIRECTORY).is_dir() {
        findings.push(Finding::error(
            format!("{shown}/journal is missing: nothing is recorded"),
            "'authalert deliver' as root makes it",
        ));
    }
    let writable = rustix::fs::access(state, rustix::fs::Access::WRITE_OK);
    if let Err(why) = writable {
        findings.push(Finding::error(
            format!("{shown} cannot be written: {why}: nothing is recorded"),
            "mend that, or run this as root",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::fine(format!("the state directory {shown} is root's alone")));
    }
    findings
}

fn each_minute() -> Finding {
    if Path::new("/run/systemd/system").is_dir() {
        return match TIMERS.iter().find(|timer| Path::new(timer).exists()) {
            Some(_) => Finding::fine("systemd scans and delivers each minute (authalert-scan.timer)"),
            None => Finding::error(
                "no systemd timer scans and delivers: what the module's worker cannot finish stays",
                "systemctl enable --now authalert-scan.timer authalert-deliver.path",
            ),
        };
    }
    let cron = Path::new(CRON).exists();
    match (cron, CRON_DAEMONS.iter().any(|d| Path::new(d).exists())) {
        (true, true) => Finding::fine(format!("cron scans and delivers each minute ({CRON})")),
        (true, false) => Finding::error(format!("{CRON} is there, and no cron to read it"), "install cron"),
        (false, _) => Finding::error(
            format!("{CRON} is missing: what the module's worker cannot finish stays"),
            "install authalert again",
        ),
    }
}
