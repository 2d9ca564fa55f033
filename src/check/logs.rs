//! What the scan can read and what it leaves out, and whether the module records what the logs tell.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::config::Config;
use crate::deliver::human;
use crate::message::counted;
use crate::scan::state::Service;
use crate::scan::{self, ScanState};

use super::Finding;

/// Logs of mail servers, of which a system has one. A log daemon writes it beside the log that the scan reads where none is named.
const OF_MAIL: [&str; 2] = ["/var/log/mail.log", "/var/log/maillog"];
/// So much of one is looked at, in bytes.
const END: u64 = 256 << 10;

/// Which logs the scan reads, since when they are silent, and where the module does not record what they tell.
pub fn check(state: &Path, config: &Config) -> Vec<Finding> {
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
    let read: Vec<&Path> = found.sources.iter().filter_map(|source| source.path.as_deref()).collect();
    // Who names logs says what is read; and the systemd journal has it all.
    if config.scan.files.is_none() && read.len() == found.sources.len() {
        findings.extend(OF_MAIL.iter().find_map(|path| unread(Path::new(path), &read)));
    }
    for service in &found.services {
        findings.extend(module_finding(service));
    }
    findings
}

/// Whether a log that is not among those that are `read` tells who failed or got in.
fn unread(path: &Path, read: &[&Path]) -> Option<Finding> {
    // Whoever opens a pipe waits for somebody who writes.
    if !path.metadata().is_ok_and(|found| found.is_file()) {
        return None;
    }
    let mut told = 0;
    scan::each_of_end(path, END, &mut |rows| rows.each(&mut |event| told += event.count)).ok()?;
    // It first: it has the address of a client, which whoever is asked by a mail server seldom knows.
    let files: Vec<PathBuf> = [&path].into_iter().chain(read).map(|path| path.to_path_buf()).collect();
    (told > 0).then(|| {
        Finding::warning(
            format!("{} tells who failed to log in, or who did, and is not read", path.display()),
            format!("set files = {files:?} under [scan] in the configuration"),
        )
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_tells_of_logins_and_is_not_read_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("mail.log");
        let read = Path::new("/var/log/auth.log");
        let finding = |text: &str| {
            std::fs::write(&log, text).unwrap();
            unread(&log, &[read])
        };
        assert_eq!(unread(&log, &[read]), None);
        assert!(std::process::Command::new("mkfifo").arg(&log).status().unwrap().success());
        assert_eq!(unread(&log, &[read]), None);
        std::fs::remove_file(&log).unwrap();
        let line = |text: &str| format!("2026-11-03T09:05:01Z srv {text}\n");
        let queued = line("postfix/qmgr[7]: 4F1: from=<a@example.org>, size=5, nrcpt=1 (queue active)");
        assert_eq!(finding(&queued), None);
        for told in [
            "postfix/smtpd[7]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: authentication failure",
            "dovecot: imap-login: Login: user=<bob>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=7, session=<x>",
        ] {
            let found = finding(&(queued.repeat(9000) + &line(told) + &queued)).unwrap();
            assert!(found.what.contains("mail.log tells who failed"), "{found:?}");
            let files = format!("files = [{:?}, \"/var/log/auth.log\"] under", log.display().to_string());
            assert!(found.fix.contains(&files), "{found:?}");
        }
    }
}
