//! Who starts a pass each minute, systemd or cron, and whether that is so.
//!
//! Where nobody does, the module still sends what fails in a login; no log is read, and break-ins, failures at su and
//! sudo, and what could not be sent wait. That is an error here, and said in the same words by `authalert status` and by the installer.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::deliver::human;
use crate::output;
use crate::scan;

use super::Finding;

/// The scan is run each minute; one pass may take long, and a machine that was off needs a moment.
const STALE: Duration = Duration::from_secs(15 * 60);
const SINCE_BOOT: Duration = Duration::from_secs(5 * 60);
/// For what systemd says of its units.
const PATIENCE: Duration = Duration::from_secs(10);

const SYSTEMD: &str = "/run/systemd/system";
/// Each with the directory of the links that have it started at boot.
const UNITS: [(&str, &str); 3] = [
    ("timers.target.wants", "authalert-scan.timer"),
    ("multi-user.target.wants", "authalert-deliver.path"),
    ("multi-user.target.wants", "authalert-commands.path"),
];
const ENABLED: [&str; 2] = ["/etc/systemd/system", "/usr/lib/systemd/system"];

const CRON: &str = "/etc/cron.d/authalert";
const CRON_DAEMONS: [&str; 3] = ["cron", "crond", "fcron"];
const DIRECTORIES: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Whoever starts it: that it will.
pub fn each_minute() -> Finding {
    if Path::new(SYSTEMD).is_dir() {
        let is_enabled = |(wants, unit): (&str, &str)| {
            let link = |place: &str| Path::new(place).join(wants).join(unit).symlink_metadata().is_ok();
            ENABLED.iter().any(|place| link(place))
        };
        return by_systemd(is_enabled, &states());
    }
    match fs::metadata(CRON) {
        Err(_) => Finding::error(
            format!("{CRON} is missing: what the module's worker cannot finish stays"),
            "install authalert again",
        ),
        // crond(8) passes over a file that others could have written.
        Ok(meta) if meta.uid() != 0 || meta.mode() & 0o022 != 0 => Finding::error(
            format!("{CRON}: others than root may write to it, so cron will not use it"),
            format!("chown root:root {CRON}; chmod 644 {CRON}"),
        ),
        Ok(_) if CRON_DAEMONS.iter().any(|program| found(program).is_some()) => {
            Finding::fine(format!("cron scans and delivers each minute ({CRON})"))
        }
        Ok(_) => Finding::error(
            format!(
                "nothing runs authalert each minute: {CRON} is there, and no cron to read it; break-ins, and what fails \
                 at su and sudo, wait"
            ),
            "install cron",
        ),
    }
}

/// `states` are what systemd says of each unit; none where it says nothing.
fn by_systemd(is_enabled: impl Fn((&str, &str)) -> bool, states: &[String]) -> Finding {
    let waits = "what the module's worker cannot finish waits";
    if let Some((_, unit)) = UNITS.iter().find(|unit| !is_enabled(**unit)) {
        return Finding::error(
            format!("systemd does not start {unit}: {waits}"),
            "systemctl enable --now authalert-scan.timer authalert-deliver.path authalert-commands.path",
        );
    }
    let is_up = |state: &str| matches!(state, "active" | "activating" | "reloading");
    match UNITS.iter().zip(states).find(|(_, state)| !is_up(state)) {
        Some(((_, unit), state)) => Finding::error(
            format!("systemd has {unit} {}: {waits}", crate::neutral::name(state)),
            format!("systemctl reset-failed {unit}; systemctl start {unit}"),
        ),
        None => Finding::fine("systemd scans and delivers each minute (authalert-scan.timer)"),
    }
}

fn states() -> Vec<String> {
    let Some(systemctl) = found("systemctl") else { return Vec::new() };
    let mut asked = Command::new(systemctl);
    asked.arg("is-active").args(UNITS.map(|(_, unit)| unit)).env_clear();
    let said = output::of(&mut asked, PATIENCE, 4096).unwrap_or_default();
    let states: Vec<String> = String::from_utf8_lossy(&said).lines().map(str::to_owned).collect();
    if states.len() == UNITS.len() { states } else { Vec::new() }
}

fn found(program: &str) -> Option<PathBuf> {
    DIRECTORIES.iter().map(|directory| Path::new(directory).join(program)).find(|path| path.exists())
}

/// Whatever is installed: whether it does run.
pub(super) fn stale(state: &Path) -> Option<Finding> {
    let up = Duration::from_secs(rustix::system::sysinfo().uptime.try_into().unwrap_or(0));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let last = scan::last_pass(state);
    let what = match last {
        _ if up < SINCE_BOOT => return None,
        Some(last) if now.saturating_sub(last) < STALE => return None,
        Some(last) => {
            format!("the logs were last read {} ago, not each minute", human(now.saturating_sub(last)))
        }
        None => "the logs were never read".into(),
    };
    let fix = if Path::new(SYSTEMD).is_dir() {
        "see 'systemctl status authalert-scan.timer authalert-scan.service'"
    } else {
        "see that cron runs, and what 'authalert scan' says"
    };
    Some(Finding::error(what, fix))
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_unit_that_is_disabled_stopped_or_failed_is_named_at_once() {
        let states = |states: &[&str]| states.iter().map(|state| (*state).to_owned()).collect::<Vec<_>>();
        let all = |_: (&str, &str)| true;
        for fine in [&["active", "active", "activating"][..], &[]] {
            assert_eq!(by_systemd(all, &states(fine)).level, Level::Fine, "{fine:?}");
        }
        for (words, wrong) in [
            ("authalert-scan.timer inactive", ["inactive", "active", "active"]),
            ("authalert-deliver.path failed", ["active", "failed", "active"]),
            ("authalert-commands.path unknown", ["active", "active", "unknown"]),
        ] {
            let found = by_systemd(all, &states(&wrong));
            assert!(found.level == Level::Error && found.what.contains(words), "{found:?}");
            assert!(found.fix.contains("systemctl start"), "{found:?}");
        }
        let found = by_systemd(|(_, unit)| unit != "authalert-deliver.path", &states(&["active"; 3]));
        assert!(found.what.contains("does not start authalert-deliver.path"), "{found:?}");
    }
}
