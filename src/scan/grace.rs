//! What the module may be about to record, and in which services it would.
//!
//! Where the journal cannot be written, a disk being full, the module's worker tries again for a
//! minute. And a name that does not exist is reported by sshd before a password is asked for: how long
//! that takes depends on who types, where LoginGraceTime is long or none. In a service that has
//! the module, an attempt without a record waits for that; in all others there is nothing to wait for.

use std::fs;
use std::path::Path;

use super::attempts::Row;
use super::dedup::base;
use super::origin::ThisMachine;
use crate::installation;

/// How long the worker tries, and a little; in microseconds.
const PATIENCE: i64 = 90_000_000;
/// How long a prompt is waited for at most, if its process lives; in microseconds.
const PROMPT: i64 = 2 * 3_600_000_000;
/// Where the module records when its line names no other place.
const STATE: &str = "/var/lib/authalert";

/// The services in which the module records into one state directory.
#[derive(Debug)]
pub(crate) struct ModuleCoverage {
    services: Vec<Line>,
    here: ThisMachine,
}

#[derive(Debug)]
struct Line {
    service: String,
    /// No failure passes it by.
    hears_all: bool,
}

impl ModuleCoverage {
    /// Look at this machine's stacks.
    pub(crate) fn of(state: &Path) -> Self {
        Self::among(installation::lines(), state)
    }

    fn among(lines: Vec<installation::Line>, state: &Path) -> Self {
        let here = |line: &installation::Line| {
            let named = line.arguments.iter().find_map(|word| word.strip_prefix("state="));
            line.kind.trim_start_matches('-') == "auth"
                && Path::new(named.unwrap_or(STATE)) == state
                && !line.is_missing()
        };
        let lines = lines.into_iter().filter(here).map(|line| Line {
            hears_all: line.passed_over_by().is_none()
                && !line.arguments.iter().any(|word| word == "authfail"),
            service: line.service,
        });
        Self { services: lines.collect(), here: ThisMachine::default() }
    }

    /// Whether the record of an attempt may still come, at `now`.
    pub(crate) fn may_record(&self, row: &Row, now: i64) -> bool {
        let asks = row.class == "sshd-invalid-user" && row.container == 0 && is_sshd(row.pid);
        self.may_record_within(if asks { PROMPT } else { PATIENCE }, &row.service, row.time, now)
    }

    /// Whether the module heard this attempt, if there was one: it went through PAM, on this machine, in a
    /// service on top of whose stack the module is.
    pub(crate) fn hears(&self, row: &Row) -> bool {
        row.went_through_pam() && self.here.is(&row.host) && self.hears_all_of(&row.service)
    }

    /// Whether it may be in the stack of a service.
    pub(crate) fn is_in(&self, service: &str) -> bool {
        let is_of = |line: &Line| base(&line.service) == service || is_shared(&line.service);
        self.services.iter().any(is_of)
    }

    fn hears_all_of(&self, service: &str) -> bool {
        let mut of_it =
            self.services.iter().filter(|line| line.service == service || is_shared(&line.service));
        of_it.any(|line| line.hears_all)
    }

    fn may_record_within(&self, patience: i64, service: &str, time: i64, now: i64) -> bool {
        (0..patience).contains(&(now - time))
            && self.services.iter().any(|line| line.service == service || is_shared(&line.service))
    }
}

/// A part that others include: it cannot be said who does.
fn is_shared(service: &str) -> bool {
    service.starts_with("common-") || service.ends_with("-auth")
}

/// Whether a process of sshd has this number.
fn is_sshd(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with(b"sshd"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_waited_for_while_its_process_lives() {
        let directory = tempfile::tempdir().unwrap();
        let sshd = directory.path().join("sshd-session");
        std::os::unix::fs::symlink("/bin/sh", &sshd).unwrap();
        let mut command = std::process::Command::new(&sshd);
        let mut child =
            command.args(["-c", "read line"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
        // The kernel gives a program its name a moment after it has let the parent go on.
        let named = (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            is_sshd(child.id())
        });
        assert!(named);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_sshd(child.id()) && !is_sshd(std::process::id()));
    }

    #[test]
    fn only_services_with_the_module_for_this_state_are_waited_for() {
        let pam = tempfile::tempdir().unwrap();
        let module = pam.path().join("pam_authalert.so");
        std::fs::write(&module, "").unwrap();
        let put = |service: &str, kind: &str, arguments: &str| {
            let line = format!("{kind} optional {} {arguments}\n", module.display());
            std::fs::write(pam.path().join(service), line).unwrap();
        };
        put("sshd", "auth", "");
        put("su", "-auth", "state=/elsewhere");
        put("sudo", "session", "");
        let may = |state: &str, service: &str, age: i64| {
            let lines = installation::lines_in(&[pam.path()]);
            ModuleCoverage::among(lines, Path::new(state)).may_record_within(
                PATIENCE,
                service,
                1000,
                1000 + age,
            )
        };
        assert!(may(STATE, "sshd", 0) && may("/elsewhere", "su", 89_000_000));
        assert!(!may(STATE, "sshd", 90_000_000) && !may(STATE, "sshd", -1));
        assert!(!may(STATE, "su", 0) && !may(STATE, "sudo", 0) && !may("/elsewhere", "sshd", 0));
        put("common-auth", "auth", "authfail");
        assert!(may(STATE, "su", 0), "what is included counts for everybody");
    }

    #[test]
    fn silence_says_something_only_where_the_module_hears_every_failure() {
        let pam = tempfile::tempdir().unwrap();
        let module = pam.path().join("pam_authalert.so");
        std::fs::write(&module, "").unwrap();
        let hears = |stack: &str, service: &str| {
            let stack = stack.replace("MODULE", module.to_str().unwrap());
            std::fs::write(pam.path().join("su"), stack).unwrap();
            let lines = installation::lines_in(&[pam.path()]);
            ModuleCoverage::among(lines, Path::new(STATE)).hears_all_of(service)
        };
        assert!(hears("auth optional MODULE\n@include common-auth\n", "su"));
        assert!(!hears("auth optional MODULE\n@include common-auth\n", "su-l"));
        for above in
            ["@include common-auth", "auth requisite pam_nologin.so", "auth [default=die] pam_faillock.so"]
        {
            assert!(!hears(&format!("{above}\nauth optional MODULE\n"), "su"), "{above}");
        }
        assert!(!hears("auth optional MODULE authfail\n", "su"));
        assert!(!hears("auth optional MODULE state=/elsewhere\n", "su"));
        assert!(!hears("auth optional MODULE.gone/pam_authalert.so\n", "su"));
    }
}
