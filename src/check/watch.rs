//! How authalert itself does, for the pass that tells the administrator of it.

use std::path::Path;

use crate::config::Config;
use crate::deliver::{Fault, Watch, hub};
use crate::installation;
use crate::scan::ScanState;

/// File in the state directory that lists the services whose stacks were given the module, one a line.
const GUARDED: &str = "guarded";
const LARGEST: usize = 64 << 10;

/// Look at the stacks and the logs of this machine.
pub fn look(state: &Path, config: &Config) -> Watch {
    let lines = installation::lines();
    let mut services: Vec<String> = lines.iter().map(|line| line.service.clone()).collect();
    services.dedup();
    let is_there = |service: &str| lines.iter().any(|line| line.service == service && !line.is_missing());
    let mut faults: Vec<Fault> =
        guarded(state).into_iter().filter(|service| !is_there(service)).map(Fault::ModuleGone).collect();
    if !config.mistakes.is_empty() {
        faults.push(Fault::Mistake);
    }
    let scan = ScanState::of(state, &config.scan);
    // Where no scan was ever made, none is missing.
    let is_used = crate::scan::last_pass(state).is_some();
    let logs = scan.as_ref().is_ok_and(|scan| !scan.sources.is_empty());
    if is_used && !logs {
        faults.push(Fault::NoLog);
    }
    if let Ok(scan) = &scan {
        let silent = scan.services.iter().filter(|service| service.has_failed());
        faults.extend(silent.map(|service| Fault::ModuleSilent(service.service.clone())));
    }
    if hub::is_alone(state) {
        faults.push(Fault::HubAway);
    }
    let silent = lines_of(&state.join(hub::DIRECTORY).join(hub::SILENT));
    faults.extend(silent.into_iter().map(Fault::MemberSilent));
    Watch { services, logs: is_used && logs, faults }
}

fn guarded(state: &Path) -> Vec<String> {
    lines_of(&state.join(GUARDED))
}

fn lines_of(file: &Path) -> Vec<String> {
    let text = crate::storage::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text[..text.len().min(LARGEST)]).into_owned();
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_was_guarded_and_has_no_module_any_more_is_a_fault() {
        let state = tempfile::tempdir().unwrap();
        let faults = || look(state.path(), &Config::default()).faults;
        assert_eq!(faults(), []);
        std::fs::write(state.path().join(GUARDED), "no-such-service\n").unwrap();
        assert_eq!(faults(), [Fault::ModuleGone("no-such-service".into())]);
        let wrong = Config::parse("[alerts]\nburst = 0\n", Path::new("/x")).unwrap();
        assert!(look(state.path(), &wrong).faults.contains(&Fault::Mistake));
    }
}
