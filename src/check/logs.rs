//! What the scan can read, and whether the module records what the logs tell.

use std::path::Path;

use jiff::Timestamp;

use crate::config::Config;
use crate::deliver::human;
use crate::message::counted;
use crate::scan::state::Service;
use crate::scan::{self, ScanState};

use super::Finding;

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
