//! Configuration, receivers and their credentials, what X says of its account, the clock.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use ipnet::IpNet;

use crate::config::{self, Config, Receivers};
use crate::credentials::Stored;
use crate::deliver::{Policy, human};
use crate::receiver;
use crate::receiver::x::{Access, Account, X};
use crate::storage;

use super::Finding;

/// More, and X refuses signatures.
const SKEW: Duration = Duration::from_secs(60);

/// The configuration, and values in it that contradict each other.
pub fn configuration(config: &Result<Config, config::Error>) -> Vec<Finding> {
    let config = match config {
        Ok(config) => config,
        Err(e) => {
            return vec![Finding::error(
                format!("nothing is sent: {e}"),
                "correct the configuration, see authalert.toml(5)",
            )];
        }
    };
    let policy = Policy::from(&config.alerts);
    let mistakes = config.mistakes.iter();
    let mut findings: Vec<_> = mistakes
        .map(|mistake| {
            Finding::error(mistake.to_string(), "correct the configuration, see authalert.toml(5)")
        })
        .collect();
    findings.push(match config.path.exists() {
        true if !config.mistakes.is_empty() => {
            Finding::fine(format!("the rest of the configuration {} can be used", config.path.display()))
        }
        true => Finding::fine(format!("the configuration {} can be used", config.path.display())),
        false => Finding::fine("no configuration: the defaults hold"),
    });
    findings.extend(others_may_write(&config.path));
    findings.extend(config.path.parent().and_then(others_may_write));
    let credentials = config.credentials_path();
    let apart = credentials.parent().filter(|directory| Some(*directory) != config.path.parent());
    findings.extend(apart.and_then(others_may_write));
    findings.extend(config.ignore.networks.iter().filter(|net| is_most_of_all(net)).map(too_broad));
    findings.extend(policy.contradictions().into_iter().map(|why| Finding::warning(why, "change [alerts]")));
    for receiver in config.receivers(false) {
        let own = Policy::from(&config.alerts_of(&receiver));
        let new = own.contradictions().into_iter().filter(|why| !policy.contradictions().contains(why));
        let fix = format!("change [[receiver]] {}", receiver.name);
        findings.extend(new.map(|why| Finding::warning(why, fix.clone())));
    }
    findings
}

/// No administrator's own network is as large.
fn is_most_of_all(network: &IpNet) -> bool {
    match network {
        IpNet::V4(v4) => v4.prefix_len() < 8,
        IpNet::V6(v6) => v6.prefix_len() < 7,
    }
}

fn too_broad(network: &IpNet) -> Finding {
    Finding::warning(
        format!("[ignore] networks has {network}: no alert reports a failure from there"),
        "name your own networks alone",
    )
}

/// Whether there is a receiver beside the timeline, and of X's the account: with `ask`, what X says of it.
pub fn check(config: &Config, ask: bool) -> Vec<Finding> {
    let stored = Stored::usable(&config.credentials_path(), config.credentials_mistake.as_deref());
    let wrong = stored.unusable().or(stored.wrong_top());
    let mut findings: Vec<_> =
        wrong.map(|why| Finding::error(why, "then 'authalert deliver --now'")).into_iter().collect();
    let receivers = config.receivers(stored.has_account());
    if receivers.len() == 1 {
        findings.push(match &config.receiver {
            Receivers::Word(_) => Finding::fine("alerts go to the timeline on this machine, as configured"),
            _ => Finding::warning(
                "no receiver but this machine itself: alerts go to the timeline",
                "'authalert receivers add ntfy' has them sent to a phone; 'authalert receivers' lists every way",
            ),
        });
        return findings;
    }
    let is_said = !findings.is_empty();
    let posts = receivers.iter().filter(|receiver| receiver.kind == "x");
    findings.extend(posts.clone().filter_map(|receiver| too_much_for_x(config, receiver)));
    let of_x = posts.filter(|receiver| !is_said || receiver.mistake.is_some());
    findings.extend(of_x.flat_map(|receiver| check_one(receiver, &stored, ask)));
    findings
}

fn too_much_for_x(config: &Config, receiver: &config::Receiver) -> Option<Finding> {
    let why = Policy::of(receiver, &config.alerts).too_much_for_x()?;
    let place = match receiver.max_per_day {
        Some(_) => format!("change [[receiver]] {}", receiver.name),
        None => "change [alerts], or say max_per_day in the [[receiver]] of X".into(),
    };
    Some(Finding::warning(format!("the receiver {}: {why}", receiver.name), place))
}

fn check_one(receiver: &config::Receiver, stored: &Stored, ask: bool) -> Vec<Finding> {
    let name = &receiver.name;
    if let Err(e) = receiver::build_with(receiver, stored, Vec::new()) {
        let fix = match e {
            receiver::Error::Config(_) | receiver::Error::Definition(_) => "change the configuration",
            receiver::Error::Credentials(_) => "then 'authalert deliver --now'",
        };
        return vec![Finding::error(format!("the receiver {name} cannot be used: {e}"), fix)];
    }
    let mut findings = vec![Finding::fine(format!("the receiver {name} and its credentials can be used"))];
    let secrets = stored.of(&receiver.kind, name).unwrap_or_default();
    if let (true, "x", Ok(x)) = (ask, receiver.kind.as_str(), X::of(receiver, &secrets, Vec::new())) {
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
    (meta.uid() != 0 || storage::others_can_write(&meta)).then(|| {
        Finding::error(format!("{}: others than root may write to it", path.display()), storage::remedy(path))
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
            .map(|f| (f.level, format!("{} -> {}", f.what, f.fix)))
            .collect()
    }

    #[test]
    fn an_app_that_may_only_read_is_reported_with_what_to_change() {
        let found = found(Access::ReadOnly, 0);
        assert_eq!(found[0].0, Level::Error);
        assert!(found[0].1.contains("only read @alerts -> give the app 'Read and write'"), "{found:?}");
    }

    #[test]
    fn a_network_that_is_most_of_the_internet_is_warned_of_and_ones_own_is_not() {
        let warnings = |networks: &str| {
            let text = format!("[ignore]\nnetworks = [{networks}]\n");
            let found = configuration(&Config::parse(&text, Path::new("/nonexistent/config.toml")));
            let warnings = found.into_iter().filter(|f| f.level == Level::Warning).map(|f| f.what);
            warnings.collect::<Vec<_>>()
        };
        assert!(warnings("\"10.0.0.0/8\", \"fc00::/7\", \"192.0.2.7\", \"2001:db8::/32\"").is_empty());
        let found = warnings("\"0.0.0.0/0\", \"128.0.0.0/1\", \"::/0\", \"2000::/3\"");
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[0].contains("has 0.0.0.0/0"), "{found:?}");
    }

    #[test]
    fn what_x_publishes_in_a_day_is_of_interest_where_x_is_a_receiver() {
        let warned = |text: &str| {
            let file = Path::new("/nonexistent/config.toml");
            let config = Config::parse(text, file).unwrap();
            let findings = configuration(&Ok(config.clone())).into_iter().chain(check(&config, false));
            let of_x: Vec<_> = findings.filter(|f| f.what.contains("posts a day")).collect();
            of_x.into_iter().map(|f| format!("{} -> {}", f.what, f.fix)).collect::<Vec<_>>()
        };
        let many = "[alerts]\nmax_per_day = 2000\n";
        let ntfy = "[[receiver]]\nkind = \"ntfy\"\ntopic = \"a\"\n";
        assert!(warned(many).is_empty() && warned(&format!("{many}{ntfy}")).is_empty());
        assert!(warned(&format!("{ntfy}max_per_day = 2000\n[[receiver]]\nkind = \"x\"\n")).is_empty());
        let of_all = warned(&format!("{many}{ntfy}[[receiver]]\nkind = \"x\"\n"));
        assert!(
            of_all.len() == 1 && of_all[0].contains("the receiver x: max_per_day = 2000, but X"),
            "{of_all:?}"
        );
        assert!(of_all[0].contains("-> change [alerts]"), "{of_all:?}");
        let own = warned("[[receiver]]\nkind = \"x\"\nname = \"posts\"\nmax_per_day = 100\n");
        assert!(own.len() == 1 && own[0].ends_with("-> change [[receiver]] posts"), "{own:?}");
        assert_eq!(warned("receiver = \"x\"\n[alerts]\nmax_per_day = 100\n").len(), 1);
    }

    #[test]
    fn a_clock_that_is_off_either_way_is_reported_and_one_that_is_nearly_right_is_not() {
        for (clock, level) in
            [(600, Level::Error), (-600, Level::Error), (50, Level::Fine), (-50, Level::Fine)]
        {
            let found = found(Access::Write, clock);
            assert_eq!(found[0].0, Level::Fine);
            assert_eq!(found[1].0, level, "{clock}: {found:?}");
        }
    }
}
