//! Who is served, and with which values: what a receiver does not say itself stands in `[alerts]`, and for
//! the X account in `[x]`.

use std::time::Duration;

use super::{Alerts, Config, Error, Receiver, ReceiverWord, Receivers, X, line};

/// The name of the receiver that is always there.
pub const TIMELINE: &str = "timeline";

/// The kinds that post with the X account's credentials, and take what they do not say from `[x]`.
const OF_X: [&str; 2] = ["x", "x-dm"];

impl Config {
    /// Every receiver that is served, with all values filled in: the one that version 0.1 would have sent
    /// to first, the timeline always there. `has_account`: there are credentials of an X account.
    pub fn receivers(&self, has_account: bool) -> Vec<Receiver> {
        let mut all = match &self.receiver {
            Receivers::List(list) => list.clone(),
            Receivers::Word(ReceiverWord::X) => vec![Receiver::named("x")],
            Receivers::Unsaid if has_account => vec![Receiver::named("x")],
            Receivers::Word(ReceiverWord::Timeline) | Receivers::Unsaid => Vec::new(),
        };
        all.push(Receiver::named(TIMELINE));
        all.into_iter().map(|receiver| self.filled_in(receiver)).collect()
    }

    /// `[alerts]` as it is for `receiver`: its own values first.
    pub fn alerts_of(&self, receiver: &Receiver) -> Alerts {
        Alerts {
            group_interval: receiver.group_interval.unwrap_or(self.alerts.group_interval),
            max_interval: receiver.max_interval.unwrap_or(self.alerts.max_interval),
            max_per_day: receiver.max_per_day.unwrap_or(self.alerts.max_per_day),
            burst: receiver.burst.unwrap_or(self.alerts.burst),
            ..self.alerts.clone()
        }
    }

    fn filled_in(&self, mut receiver: Receiver) -> Receiver {
        if OF_X.contains(&receiver.kind.as_str()) {
            receiver.ca_file = receiver.ca_file.or_else(|| self.x.ca_file.clone());
            receiver.proxy = receiver.proxy.or_else(|| self.x.proxy.clone());
            receiver.timeout = receiver.timeout.or(Some(self.x.timeout));
            let url = || toml::Value::from(self.x.api_url.as_str());
            receiver.parameters.entry("api_url").or_insert_with(url);
        }
        receiver.timeout = receiver.timeout.or_else(|| Some(X::default().timeout));
        receiver
    }

    /// The values of each `[[receiver]]`, judged like those of `[alerts]` and `[x]`.
    /// `text`: where they come from, for the number of a line.
    pub(super) fn validate_receivers(&self, text: &str) -> Result<(), Error> {
        let Receivers::List(list) = &self.receiver else { return Ok(()) };
        for (index, receiver) in list.iter().enumerate() {
            let bad = |key: &str, why: &str| {
                let line = line::of(text, &format!("receiver.{index}.{key}"));
                Err(Error::Value(self.path.clone(), line, format!("receiver {}: {key} {why}", receiver.name)))
            };
            if let Some((key, why)) = self.alerts_of(receiver).wrong() {
                return bad(key, why);
            }
            if receiver.proxy.as_ref().is_some_and(|proxy| !proxy.starts_with("http://")) {
                return bad("proxy", "must be http://HOST:PORT");
            }
            let seconds = Duration::from_secs(1)..=Duration::from_secs(300);
            if receiver.timeout.is_some_and(|timeout| !seconds.contains(&timeout)) {
                return bad("timeout", "must be from 1s to 5m");
            }
        }
        Ok(())
    }
}

impl Alerts {
    /// The first value that makes no sense, and what it must be.
    pub(super) fn wrong(&self) -> Option<(&'static str, &'static str)> {
        if self.group_interval.is_zero() {
            return Some(("group_interval", "must be at least 1s"));
        }
        if self.max_interval < self.group_interval {
            return Some(("max_interval", "must be at least group_interval"));
        }
        if !(1..=10_000).contains(&self.max_per_day) {
            return Some(("max_per_day", "must be from 1 to 10000"));
        }
        if !(1..=1_000).contains(&self.burst) {
            return Some(("burst", "must be from 1 to 1000"));
        }
        None
    }
}

impl Receiver {
    /// One of this kind, called like it, that says nothing else.
    fn named(kind: &str) -> Self {
        Self {
            kind: kind.into(),
            name: kind.into(),
            tell: None,
            after_unknown: None,
            group_interval: None,
            max_interval: None,
            max_per_day: None,
            burst: None,
            ca_file: None,
            proxy: None,
            timeout: None,
            plain_http: false,
            parameters: toml::Table::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("/etc/authalert/config.toml")).map_err(|e| e.to_string())
    }

    fn names(text: &str, has_account: bool) -> Vec<String> {
        parse(text).unwrap().receivers(has_account).into_iter().map(|r| r.name).collect()
    }

    #[test]
    fn the_timeline_is_always_there_and_x_as_version_0_1_had_it() {
        assert_eq!(names("", false), ["timeline"]);
        assert_eq!(names("", true), ["x", "timeline"]);
        assert_eq!(names("receiver = \"x\"", false), ["x", "timeline"]);
        assert_eq!(names("receiver = \"timeline\"", true), ["timeline"]);
        let two = "[[receiver]]\nkind = \"ntfy\"\n[[receiver]]\nkind = \"x\"\nname = \"phone\"\n";
        assert_eq!(names(two, false), ["ntfy", "phone", "timeline"]);
    }

    #[test]
    fn what_a_receiver_says_itself_counts_and_what_it_does_not_stands_elsewhere() {
        let text = "[x]\napi_url = \"https://x.example\"\ntimeout = \"7s\"\n[alerts]\nburst = 2\nmax_per_day = 20\n\
                    [[receiver]]\nkind = \"x\"\nburst = 9\n[[receiver]]\nkind = \"ntfy\"\ntimeout = \"3s\"\n";
        let config = parse(text).unwrap();
        let all = config.receivers(true);
        assert_eq!(all[0].parameters["api_url"].as_str(), Some("https://x.example"));
        assert_eq!(
            (all[0].timeout, all[1].timeout),
            (Some(Duration::from_secs(7)), Some(Duration::from_secs(3)))
        );
        let (x, ntfy) = (config.alerts_of(&all[0]), config.alerts_of(&all[1]));
        assert_eq!((x.burst, x.max_per_day, ntfy.burst), (9, 20, 2));
        assert!(!all[1].parameters.contains_key("api_url"));
    }

    #[test]
    fn a_value_that_makes_no_sense_names_the_receiver() {
        for (text, words) in [
            ("burst = 0", "line 4: receiver pager: burst must be"),
            ("group_interval = \"7h\"", "line 1: receiver pager: max_interval must be"),
            ("proxy = \"socks://x\"", "line 4: receiver pager: proxy must be"),
            ("timeout = \"6m\"", "line 4: receiver pager: timeout must be"),
        ] {
            let error =
                parse(&format!("[[receiver]]\nkind = \"ntfy\"\nname = \"pager\"\n{text}\n")).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
