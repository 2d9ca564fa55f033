//! The receivers that are set up: whether each can be used as it is written.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crate::config::{self, Config, TIMELINE};
use crate::credentials::{Stored, is_meant};
use crate::receiver::{self, build_with, starts_a_program};

use super::Finding;

/// Each receiver but X's, which is looked at with its account, and what the credentials hold for nobody.
pub fn check(config: &Config) -> Vec<Finding> {
    let path = config.credentials_path();
    let stored = Stored::usable(&path, config.credentials_mistake.as_deref());
    let receivers = config.receivers(stored.has_account());
    let mut findings = Vec::new();
    // By what is wrong, which may be the same for several.
    let mut wrong: Vec<(receiver::Error, Vec<(String, &str)>)> = Vec::new();
    for receiver in receivers.iter().filter(|receiver| !matches!(receiver.kind.as_str(), "x" | TIMELINE)) {
        let shown = match receiver.kind.as_str() {
            "" => receiver.name.clone(),
            kind => format!("{} ({})", receiver.name, crate::neutral::name(kind)),
        };
        match build_with(receiver, &stored, Vec::new()) {
            Ok(_) => findings.push(Finding::fine(format!("the receiver {shown} can be used"))),
            Err(e) => match wrong.iter_mut().find(|(why, _)| *why == e) {
                Some((_, names)) => names.push((shown, &receiver.name)),
                None => wrong.push((e, vec![(shown, &receiver.name)])),
            },
        }
        findings.extend(program(receiver).as_deref().and_then(program_finding));
    }
    findings.extend(wrong.into_iter().map(|(why, names)| gets_nothing(&why, &names)));
    let is_known = |section: &&str| receivers.iter().any(|receiver| is_meant(section, &receiver.name));
    let of_nobody = stored.wrong_sections().filter(|(section, _)| !is_known(section));
    findings.extend(
        of_nobody
            .filter(|(_, why)| Some(*why) != stored.unusable())
            .map(|(_, why)| Finding::error(why, "correct it, or take the table out")),
    );
    findings.extend(stored.sections().filter(|section| !is_known(section)).map(|section| {
        let section = crate::neutral::name(section);
        Finding::warning(
            format!("{} holds secrets in [{section}], and no receiver is called so", path.display()),
            "give the receiver that name, or take the table out",
        )
    }));
    findings
}

/// What is wrong with receivers, as they are shown and called.
fn gets_nothing(why: &receiver::Error, receivers: &[(String, &str)]) -> Finding {
    let shown = receivers.iter().map(|(shown, _)| shown.as_str()).collect::<Vec<_>>().join(", ");
    let who = match receivers.len() {
        1 => format!("the receiver {shown} gets nothing"),
        _ => format!("the receivers {shown} get nothing"),
    };
    let place = match why {
        receiver::Error::Definition(_) => "the definition, see authalert-receivers(5)",
        receiver::Error::Config(_) | receiver::Error::Credentials(_) => {
            "the configuration or the credentials"
        }
    };
    let name = receivers.first().map_or("", |(_, name)| name);
    Finding::error(format!("{who}: {why}"), format!("correct it in {place}, then 'authalert test {name}'"))
}

/// The program that a receiver starts.
fn program(receiver: &config::Receiver) -> Option<String> {
    let value = receiver.parameters.get("sendmail").or_else(|| receiver.parameters.get("argv")?.get(0));
    value.filter(|_| starts_a_program(receiver)).and_then(toml::Value::as_str).map(str::to_owned)
}

fn program_finding(program: &str) -> Option<Finding> {
    let path = Path::new(program);
    let Ok(meta) = fs::metadata(path) else {
        return Some(Finding::error(format!("{program} is not there"), "install it, or correct the path"));
    };
    if !meta.is_file() || meta.permissions().mode() & 0o111 == 0 {
        return Some(Finding::error(format!("{program} cannot be run"), format!("chmod +x {program}")));
    }
    // It runs as root.
    (meta.uid() != 0 || meta.mode() & 0o022 != 0).then(|| {
        Finding::error(
            format!("{program}: others than root may write to it, and it is run by root"),
            format!("chown root:root {program}; chmod go-w {program}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_table_of_secrets_under_nearly_the_right_name_is_one_finding_that_names_both() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.toml");
        let secrets = directory.path().join("credentials.toml");
        for (header, words) in [
            ("[Ntfy]", "[Ntfy] is there, and is not the table of the receiver ntfy: write [ntfy]"),
            ("[\"ntfy \"]", "[ntfy ] is there, and is not the table of the receiver ntfy: write [ntfy]"),
            ("ntfy]", "line 1: the header of a table is [NAME]: [ntfy] is meant"),
            ("[ntfy", "line 1, column 1: the header of a table does not end: ] is missing"),
            ("[[ntfy]]", "[ntfy] must have one pair of brackets"),
        ] {
            fs::write(&secrets, format!("{header}\ntoken = \"hush\"\n")).unwrap();
            fs::set_permissions(&secrets, fs::Permissions::from_mode(0o600)).unwrap();
            let config = Config::parse("[[receiver]]\nkind = \"ntfy\"\ntopic = \"a\"\n", &file).unwrap();
            let [found] = &check(&config)[..] else { panic!("{header}: {:?}", check(&config)) };
            assert_eq!(found.level, Level::Error, "{header}: {found:?}");
            let place = format!("the receiver ntfy (ntfy) gets nothing: {}: ", secrets.display());
            assert!(found.what.starts_with(&place) && found.what.contains(words), "{header}: {found:?}");
            assert!(!found.what.contains("hush"), "{found:?}");
        }
    }

    #[test]
    fn each_receiver_has_its_finding_and_the_others_are_unharmed() {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("send");
        fs::write(&script, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o666)).unwrap();
        let text = format!(
            "[[receiver]]\nkind = \"ntfy\"\ntopic = \"a\"\n[[receiver]]\nkind = \"pushover\"\n\
             [[receiver]]\nkind = \"command\"\nargv = [\"{}\"]\n[[receiver]]\nkind = \"pigeon\"\n\
             [[receiver]]\nkind = \"slack\"\n[[receiver]]\nkind = \"teams\"\n",
            script.display()
        );
        let file = directory.path().join("config.toml");
        fs::write(directory.path().join("credentials.toml"), "[phone]\ntoken = \"hush\"\n").unwrap();
        fs::set_permissions(directory.path().join("credentials.toml"), fs::Permissions::from_mode(0o600))
            .unwrap();
        let found = || -> Vec<(Level, String)> {
            let config = Config::parse(&text, &file).unwrap();
            check(&config).into_iter().map(|f| (f.level, f.what)).collect()
        };
        let shown = found();
        for (level, words) in [
            (Level::Fine, "ntfy (ntfy) can be used"),
            (Level::Error, "pushover (pushover) gets nothing: token is missing"),
            (Level::Fine, "command (command) can be used"),
            (Level::Error, "cannot be run"),
            (Level::Error, "pigeon (pigeon) gets nothing"),
            (Level::Warning, "secrets in [phone]"),
        ] {
            assert!(shown.iter().any(|(l, what)| *l == level && what.contains(words)), "{words}: {shown:?}");
        }
        let secrets = directory.path().join("credentials.toml");
        fs::set_permissions(&secrets, fs::Permissions::from_mode(0o644)).unwrap();
        let shown = found();
        let open: Vec<_> = shown.iter().filter(|(_, what)| what.contains("open to others")).collect();
        let [(_, what)] = &open[..] else { panic!("{open:?}") };
        let who = "the receivers pushover (pushover), slack (slack), teams (teams) get nothing: ";
        assert!(what.starts_with(who), "{what}");
        fs::set_permissions(&secrets, fs::Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(found().iter().any(|(_, what)| what.contains("may write to it, and it is run by root")));
        fs::remove_file(&script).unwrap();
        assert!(found().iter().any(|(_, what)| what.contains("is not there")));
    }
}
