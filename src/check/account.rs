//! Configuration, credentials, what X says of them, the clock.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::config::{self, Config, ReceiverWord, Receivers};
use crate::credentials::Credentials;
use crate::deliver::{Policy, human};
use crate::receiver::x::{Access, Account, X};

use super::Finding;

/// More, and X refuses signatures.
const SKEW: Duration = Duration::from_secs(60);

/// The configuration, and values in it that contradict each other.
pub fn configuration(config: &Result<Config, config::Error>) -> Vec<Finding> {
    let config = match config {
        Ok(config) => config,
        Err(e) => return vec![Finding::error(format!("{e}: nothing is sent"), "mend the configuration")],
    };
    let policy = Policy::from(&config.alerts);
    let mut findings = vec![match config.path.exists() {
        true => Finding::fine(format!("the configuration {} can be used", config.path.display())),
        false => Finding::fine("no configuration: the defaults hold"),
    }];
    findings.extend(others_may_write(&config.path));
    findings.extend(config.path.parent().and_then(others_may_write));
    let credentials = config.credentials_path();
    let apart = credentials.parent().filter(|directory| Some(*directory) != config.path.parent());
    findings.extend(apart.and_then(others_may_write));
    findings.extend(policy.contradictions().into_iter().map(|why| Finding::warning(why, "change [alerts]")));
    findings.extend(policy.schedule().into_iter().map(Finding::fine));
    findings
}

/// Credentials and, with `ask_x`, what X says of them.
pub fn check(config: &Config, ask_x: bool) -> Vec<Finding> {
    if config.receiver == Receivers::Word(ReceiverWord::Timeline) {
        return vec![Finding::fine("alerts go to the timeline on this machine, as configured")];
    }
    let path = config.credentials_path();
    if matches!(&config.receiver, Receivers::List(list) if !list.iter().any(|one| matches!(one.kind.as_str(), "x" | "x-dm")))
    {
        return Vec::new();
    }
    let credentials = match Credentials::load(&path) {
        Ok(Some(credentials)) => credentials,
        Ok(None) if config.receiver == Receivers::Word(ReceiverWord::X) => {
            let what = format!("receiver = \"x\" and no credentials in {}", path.display());
            return vec![Finding::error(what, "authalert authorize")];
        }
        Ok(None) => {
            let what = "no X account: alerts go to the timeline on this machine";
            return vec![Finding::warning(
                what,
                "authalert receivers add, to have them on the phone (authalert authorize for X)",
            )];
        }
        Err(e) => return vec![Finding::error(e.to_string(), "then 'authalert deliver --now'")],
    };
    let x = match X::new(&config.x, credentials, Vec::new()) {
        Ok(x) => x,
        Err(e) => return vec![Finding::error(e.to_string(), "change [x] in the configuration")],
    };
    let mut findings = vec![Finding::fine(format!("the credentials in {} can be used", path.display()))];
    if ask_x {
        match x.me() {
            Ok(account) => findings.extend(account_findings(&account)),
            Err(answer) => findings.push(Finding::error(answer.why(), "then 'authalert check' again")),
        }
    }
    findings
}

fn account_findings(account: &Account) -> Vec<Finding> {
    let name =
        account.screen_name.as_deref().map(|n| format!("@{n}")).unwrap_or_else(|| "the account".into());
    let mut findings = vec![match &account.access {
        Access::Write => Finding::fine(format!("X lets this app post as {name}")),
        Access::ReadOnly => Finding::error(
            format!("X lets this app only read {name}"),
            "give the app 'Read and write' in the developer console, then 'authalert authorize' again",
        ),
        Access::Unknown(_) => {
            Finding::fine(format!("X knows {name}, and does not say whether the app may post"))
        }
    }];
    let now = SystemTime::now();
    let skew = account.date.map(|date| date.duration_since(now).or_else(|_| now.duration_since(date)));
    if let Some(Ok(skew)) = skew {
        findings.push(if skew > SKEW {
            let what =
                format!("this machine's clock is {} off from X's: signatures are refused", human(skew));
            Finding::error(what, "set the clock; use NTP")
        } else {
            Finding::fine("the clock agrees with X's")
        });
    }
    findings
}

/// Whoever writes the configuration decides where alerts go, and which file is read as credentials.
fn others_may_write(path: &Path) -> Option<Finding> {
    let meta = path.metadata().ok()?;
    (meta.uid() != 0 || meta.mode() & 0o022 != 0).then(|| {
        Finding::error(
            format!("{}: others than root may write to it", path.display()),
            format!("chown root:root {0}; chmod go-w {0}", path.display()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Level;

    fn found(access: Access, clock: i64) -> Vec<(Level, String)> {
        let now = SystemTime::now();
        let off = Duration::from_secs(clock.unsigned_abs());
        let date = if clock < 0 { now - off } else { now + off };
        let account = Account { screen_name: Some("alerts".into()), access, date: Some(date) };
        account_findings(&account)
            .into_iter()
            .map(|f| (f.level, format!("{} -> {}", f.what, f.mend)))
            .collect()
    }

    #[test]
    fn an_app_that_may_only_read_is_told_with_what_to_change() {
        let found = found(Access::ReadOnly, 0);
        assert_eq!(found[0].0, Level::Error);
        assert!(found[0].1.contains("only read @alerts -> give the app 'Read and write'"), "{found:?}");
    }

    #[test]
    fn a_clock_that_is_off_either_way_is_told_and_one_that_is_nearly_right_is_not() {
        for (clock, level) in
            [(600, Level::Error), (-600, Level::Error), (50, Level::Fine), (-50, Level::Fine)]
        {
            let found = found(Access::Write, clock);
            assert_eq!(found[0].0, Level::Fine);
            assert_eq!(found[1].0, level, "{clock}: {found:?}");
        }
    }
}
