//! Who is served, and with which values: what a receiver does not say itself stands in `[alerts]`, and for
//! the X account in `[x]`.

use std::time::Duration;

use super::receiver::Written;
use super::{Alerts, Config, Receiver, ReceiverWord, Receivers, wrong_proxy};

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
            // Where somebody may have said otherwise, nothing goes to an account that he may not have meant.
            Receivers::Unsaid if has_account && !self.receivers_unclear => vec![Receiver::named("x")],
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
            receiver.mistake = receiver.mistake.or_else(|| self.x_mistake.clone());
            receiver.ca_file = receiver.ca_file.or_else(|| self.x.ca_file.clone());
            receiver.proxy = receiver.proxy.or_else(|| self.x.proxy.clone());
            receiver.timeout = receiver.timeout.or(Some(self.x.timeout));
            let url = || toml::Value::from(self.x.api_url.as_str());
            receiver.parameters.entry("api_url").or_insert_with(url);
        }
        receiver
    }

    /// The values of each `[[receiver]]`, judged like those of `[alerts]` and `[x]`: what is wrong concerns it alone.
    pub(super) fn judge_receivers(&mut self) {
        let Receivers::List(list) = &self.receiver else { return };
        let mut list = list.clone();
        for receiver in list.iter_mut().filter(|receiver| receiver.mistake.is_none()) {
            if let Some((key, why)) = self.wrong_in(receiver) {
                receiver.mistake = Some(receiver.written.says(key, &format!("{key} {why}")));
            }
        }
        self.receiver = Receivers::List(list);
    }

    fn wrong_in(&self, receiver: &Receiver) -> Option<(&'static str, &'static str)> {
        if let Some((key, why)) = self.alerts_of(receiver).wrong() {
            return Some((key.trim_start_matches("alerts."), why));
        }
        if let Some(why) = receiver.proxy.as_deref().and_then(wrong_proxy) {
            return Some(("proxy", why));
        }
        let seconds = Duration::from_secs(1)..=Duration::from_secs(300);
        let is_wrong = receiver.timeout.is_some_and(|timeout| !seconds.contains(&timeout));
        is_wrong.then_some(("timeout", "must be from 1s to 5m"))
    }
}

impl Alerts {
    /// The first value that makes no sense, and what it must be.
    pub(super) fn wrong(&self) -> Option<(&'static str, &'static str)> {
        if self.group_interval.is_zero() {
            return Some(("alerts.group_interval", "must be at least 1s"));
        }
        if self.max_interval < self.group_interval {
            return Some(("alerts.max_interval", "must be at least group_interval"));
        }
        None
    }
}

impl Receiver {
    /// One of this kind, called like it, that says nothing else.
    pub(super) fn named(kind: &str) -> Self {
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
            written: Written::default(),
            mistake: None,
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
    fn of_thousands_of_wrong_receivers_each_is_there_and_the_first_are_explained() {
        let text: Vec<_> = (0..2000)
            .map(|n| format!("[[receiver]]\nkind = \"ntfy\"\nname = \"n{n}\"\ntell = 3\n"))
            .collect();
        let all = parse(&text.concat()).unwrap().receivers(false);
        let wrong: Vec<&str> = all.iter().filter_map(|receiver| receiver.mistake.as_deref()).collect();
        assert_eq!(wrong.len(), 2000);
        assert!(wrong[0].contains("tell must be"), "{}", wrong[0]);
        assert!(wrong[1999].contains("something in this receiver is wrong"), "{}", wrong[1999]);
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
        // What a kind gives a service where nothing is set is its own: a mail server has longer.
        let unset = parse("[x]\ntimeout = \"7s\"\n[[receiver]]\nkind = \"mail\"\n").unwrap().receivers(false);
        assert_eq!((unset[0].kind.as_str(), unset[0].timeout), ("mail", None));
    }

    #[test]
    fn a_value_that_makes_no_sense_names_the_receiver() {
        for (text, words) in [
            ("burst = 0", "line 4, column 9: burst must be a whole number from 1 to 1000"),
            ("group_interval = \"7h\"", "line 1, column 1: max_interval must be"),
            ("proxy = \"socks://x\"", "line 4, column 1: proxy must be"),
            ("proxy = \"http://user:hush@h:1\"", "line 4, column 1: proxy must have no user and password"),
            ("timeout = \"6m\"", "line 4, column 1: timeout must be"),
        ] {
            let config =
                parse(&format!("[[receiver]]\nkind = \"ntfy\"\nname = \"pager\"\n{text}\n")).unwrap();
            let receiver = config.receivers(false).swap_remove(0);
            let error = receiver.mistake.unwrap();
            assert!(receiver.name == "pager" && error.contains(words), "{text}: {error}");
            assert!(!error.contains("hush"), "{error}");
            assert!(config.mistakes.is_empty(), "{text}");
        }
    }

    #[test]
    fn a_mistake_in_one_receiver_is_its_own_and_the_others_are_as_they_were() {
        use crate::config::Kind::Urgent;
        for (line, words, tell) in [
            ("tell = \"urgent\"", ["line 8, column 8", "tell must be a list: ["], None),
            ("tell = 5", ["line 8, column 8", "tell must be a list: ["], None),
            (
                "tell = [\"brake-in\", \"break-in\"]",
                ["line 8, column 9", "tell: \"brake-in\" is not one of \"break-in\", \"urgent\", \"digest\""],
                None,
            ),
            ("tell = urgent", ["line 8, column 8", "in \"quotes\""], None),
            ("max_interval = \"soon\"", ["line 8, column 16", "10m"], None),
            ("burst = 0\ntell = [\"urgent\"]", ["line 8, column 9", "from 1 to 1000"], Some(vec![Urgent])),
            ("burst = x\ntell = [\"urgent\"]", ["line 8, column 9", "in \"quotes\""], Some(vec![Urgent])),
            ("max_per_day = -1", ["line 8, column 15", "a whole number from 1 to 10000"], None),
            (
                "max_per_day = \"many\"",
                ["line 8, column 15", "a whole number from 1 to 10000, without quotes"],
                None,
            ),
            ("plain_http = \"yes\"", ["line 8, column 14", "plain_http must be true or false"], None),
            (
                "after_unknown = \"maybe\"",
                ["line 8, column 17", "after_unknown: \"maybe\" is not one of \"repeat\", \"skip\""],
                None,
            ),
            ("ca_file = 5", ["line 8, column 11", "ca_file must be text in \"quotes\""], None),
            (
                "topic = \"b\"\ntopic = \"c\"",
                ["line 9, column 1", "\"topic\" is here twice, in line 8 and line 9"],
                None,
            ),
        ] {
            let text = format!(
                "[[receiver]]\nkind = \"ntfy\"\ntopic = \"a\"\n[[receiver]]\nkind = \"slack\"\nname = \"pager\"\n\n{line}\n\
                 [[receiver]]\nkind = \"x\"\n"
            );
            let config = parse(&text).unwrap();
            let all = config.receivers(true);
            let names: Vec<_> = all.iter().map(|r| r.name.as_str()).collect();
            assert_eq!(names, ["ntfy", "pager", "x", "timeline"], "{line}");
            let why = all[1].mistake.clone().unwrap_or_default();
            assert!(why.starts_with("/etc/authalert/config.toml: "), "{line}: {why}");
            assert!(words.iter().all(|word| why.contains(word)), "{line}: {why}");
            assert_eq!((all[1].kind.as_str(), &all[1].tell), ("slack", &tell), "{line}");
            assert!([0, 2, 3].iter().all(|i| all[*i].mistake.is_none()), "{line}");
            assert!(config.mistakes.is_empty() && !config.hides_receivers, "{line}: {:?}", config.mistakes);
        }
    }

    #[test]
    fn of_two_with_one_name_the_first_stands_and_one_without_a_name_has_no_state() {
        let text = "[[receiver]]\nkind = \"ntfy\"\ntopic = \"a\"\n[[receiver]]\nkind = \"ntfy\"\ntopic = \"b\"\n\
                    [[receiver]]\ntopic = \"c\"\n[[receiver]]\nkind = \"x\"\nname = \"timeline\"\n";
        let config = parse(text).unwrap();
        let all = config.receivers(false);
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].parameters["topic"].as_str(), &all[0].mistake), (Some("a"), &None));
        let said: Vec<_> = config.mistakes.iter().map(ToString::to_string).collect();
        for (said, words) in said.iter().zip([
            "line 4, column 1: two receivers are called \"ntfy\": this one gets nothing, the one in line 1 has the name",
            "line 7, column 1: kind is missing in [[receiver]]; this receiver gets nothing",
            "line 11, column 1: \"timeline\" is the receiver that is always there",
        ]) {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert_eq!(said.len(), 3);
    }

    #[test]
    fn a_name_that_is_misspelt_costs_the_receiver_that_it_is_in_and_not_the_one_with_the_name() {
        for key in ["nmae", "Name", "nam", "nane", "naame", "ame"] {
            let wrong = format!("[[receiver]]\nkind = \"ntfy\"\n{key} = \"phone\"\ntopic = \"a\"\n");
            let right = "[[receiver]]\nkind = \"ntfy\"\ntopic = \"b\"\n";
            for (text, place, line) in [
                (format!("{wrong}{right}"), "line 3, column 1", 5),
                (format!("{right}{wrong}"), "line 6, column 1", 1),
            ] {
                let config = parse(&text).unwrap();
                let all = config.receivers(false);
                assert_eq!((all.len(), all[0].parameters["topic"].as_str()), (2, Some("b")), "{text}");
                let [said] = &config.mistakes[..] else { panic!("{text}: {:?}", config.mistakes) };
                let said = said.to_string();
                let words = [
                    format!("{place}: two receivers are called \"ntfy\": this one gets nothing"),
                    format!("the one in line {line} has the name"),
                    format!("\"{key}\" in it is not a key: name is meant"),
                ];
                assert!(words.iter().all(|words| said.contains(words)), "{text}: {said}");
                assert!(config.hides_receivers, "what \"phone\" has waits until the name is right");
            }
        }
        // Nobody else has the name, and what was kept under the right one is not forgotten.
        assert!(parse("[[receiver]]\nkind = \"ntfy\"\nnmae = \"phone\"\n").unwrap().hides_receivers);
        for other in ["topic", "names_of", "game_id", "tame1"] {
            let text = format!("[[receiver]]\nkind = \"ntfy\"\n{other} = \"phone\"\n");
            assert!(!parse(&text).unwrap().hides_receivers, "{other}");
        }
    }

    #[test]
    fn a_word_that_is_no_receiver_sends_nothing_to_the_account() {
        for (text, goes_to_x) in [
            ("", true),
            ("[alerts]\nbrust = 3\n", true),
            ("receiver = \"x\"\n", true),
            ("receiver = \"timelin\"\n", false),
            ("receiver = timeline\n", false),
            ("reciever = \"timeline\"\n", false),
            ("[[reciever]]\nkind = \"ntfy\"\ntopic = \"a\"\n", false),
            ("[[receivers]]\nkind = \"ntfy\"\ntopic = \"a\"\n", false),
        ] {
            let all = parse(text).unwrap().receivers(true);
            assert_eq!(all.iter().any(|receiver| receiver.kind == "x"), goes_to_x, "{text}");
        }
    }

    #[test]
    fn where_a_table_is_lost_what_it_may_have_said_is_taken_for_said() {
        for text in [
            "[delivr]\nin_process = false\n",
            "in_process = false\n",
            "[jornal]\nkeep = \"300d\"\n",
            "#[x]\nproxy = \"http://a:1\"\n",
        ] {
            let config = parse(&format!("{text}[[receiver]]\nkind = \"x\"\n")).unwrap();
            assert!(!config.deliver.in_process && config.hides_receivers, "{text}");
            assert!(config.journal.keep > Duration::from_secs(300 * 86_400), "{text}");
            assert!(config.receivers(true)[0].mistake.is_some(), "{text}");
        }
        // Its header alone, so that what is below stands in another one.
        for before in ["[alerts]\n", "[[receiver]]\nkind = \"ntfy\"\n"] {
            for header in ["\"[deliver]", "deliver]", "#[deliver]", "(deliver]"] {
                let config = parse(&format!("{before}{header}\nin_process = false\n")).unwrap();
                assert!(!config.deliver.in_process, "{before}{header}: {:?}", config.mistakes);
            }
        }
        // A key of another table, and a header that is no comment by intent.
        let config = parse("[alerts]\nbrust = 3\n").unwrap();
        assert!(config.deliver.in_process && config.x_mistake.is_none());
        let config =
            parse("[journal]\nkeep = \"60d\"\n#[[receiver]]\nkind = \"ntfy\"\ntopic = \"a\"\n").unwrap();
        assert!(config.hides_receivers, "{:?}", config.mistakes);
    }

    #[test]
    fn one_pair_of_brackets_too_few_is_a_mistake_of_that_receiver() {
        let one = |header: &str, name: &str| {
            format!("{header}\nkind = \"ntfy\"\nname = \"{name}\"\ntopic = \"a\"\n")
        };
        for wrong in 0..3 {
            let headers = (0..3).map(|i| if i == wrong { "[receiver]" } else { "[[receiver]]" });
            let text: String = headers.zip(["a", "b", "c"]).map(|(header, name)| one(header, name)).collect();
            let config = parse(&text).unwrap();
            let all = config.receivers(false);
            let broken: Vec<_> = all.iter().take(3).map(|receiver| receiver.mistake.is_some()).collect();
            assert_eq!(broken, (0..3).map(|i| i == wrong).collect::<Vec<_>>(), "{wrong}");
            assert!(
                all[wrong]
                    .mistake
                    .as_ref()
                    .unwrap()
                    .contains(&format!("line {}, column 1: write [[", 4 * wrong + 1))
            );
            assert!(config.mistakes.is_empty(), "{:?}", config.mistakes);
        }
    }

    #[test]
    fn no_value_is_shown_that_may_be_a_secret() {
        for text in [
            "[x]\napi_secret = HUSH-1\n",
            "api_key = HUSH1\n",
            "[[reciever]]\ntoken = HUSH1\n",
            "[journal]\n#[[receiver]]\ntoken = HUSH1\n",
            "[[receiver]]\nkind = \"ntfy\"\ntoken = HUSH1\n",
            "receiver = \"https://hooks.example/HUSH1\"\n",
            "receiver = [\"https://hooks.example/HUSH1\"]\n",
        ] {
            let config = parse(text).unwrap();
            let said: Vec<_> = config.mistakes.iter().map(ToString::to_string).collect();
            let all = format!(
                "{said:?} {:?}",
                config.receivers(true).iter().map(|r| &r.mistake).collect::<Vec<_>>()
            );
            assert!(all.contains("line ") && !all.contains("HUSH"), "{text}: {all}");
        }
    }

    #[test]
    fn a_receiver_of_which_a_line_is_lost_sends_nothing_in_whatever_form_it_is_written() {
        let body = "kind = \"ntfy\"\ntopic = \"a\"\n";
        let page = "title = '''\n[alerts] of this machine\n'''\n";
        for (text, line) in [
            (format!("\u{feff}[[receiver]]\n{body}server = own.example\n"), 4),
            (format!("\u{feff}[[receiver]]\r\n{body}server = own.example\r\n"), 4),
            (format!("[[\"receiver\"]]\n{body}server = own.example\n"), 4),
            (format!("[[\t'receiver'\t]]\n{body}server = own.example\n"), 4),
            (format!("[[\"rec\\u0065iver\"]]\n{body}server = own.example\n"), 4),
            (format!("[[receiver]]\n{body}[server = \"https://own.example\"\n"), 4),
            (format!("[[receiver]]\n{body}{page}server = own.example\n"), 7),
            (format!("[[receiver]]\n{body}{page}[receiver.more]\nserver = own.example\n"), 8),
            ("receiver = [{\n  kind = \"ntfy\",\n  server = own.example,\n  topic = \"a\",\n}]\n".into(), 3),
        ] {
            for more in ["", "[alerts]\nburst = 3\n"] {
                let config = parse(&format!("{text}{more}")).unwrap();
                let all = config.receivers(true);
                let named: Vec<&str> = all.iter().map(|receiver| receiver.name.as_str()).collect();
                assert_eq!(named, ["ntfy", TIMELINE], "{text}: {:?}", config.mistakes);
                let why = all[0].mistake.as_deref().unwrap_or_default();
                assert!(why.contains(&format!("line {line}, ")), "{text}: {why}");
                assert!(config.mistakes.is_empty(), "it is its own: {:?}", config.mistakes);
                assert!(config.deliver.in_process && (more.is_empty() || config.alerts.burst == 3));
            }
        }
        // What is lost behind it is not.
        let text =
            format!("[[receiver]]\n{body}[alerts\nburst = 3\n[ignore]\nusers = [\"a\"]\nnetworks = here\n");
        let config = parse(&text).unwrap();
        let lines: Vec<_> = config.mistakes.iter().map(|mistake| mistake.line.unwrap()).collect();
        assert_eq!((lines, config.ignore.users.len()), (vec![4, 8], 1));
        assert!(config.receivers(true)[0].mistake.is_none());
    }

    #[test]
    fn who_has_a_mistake_takes_no_name_from_one_that_is_right() {
        let right = "[[receiver]]\nkind = \"ntfy\"\ntopic = \"b\"\n";
        for wrong in ["tell = 5\n", "tell = urgent\n", "\"name\" = My Phone\n"] {
            let wrong = format!("[[receiver]]\nkind = \"ntfy\"\ntopic = \"a\"\n{wrong}");
            for text in [format!("{wrong}{right}"), format!("{right}{wrong}")] {
                let config = parse(&text).unwrap();
                let all = config.receivers(false);
                let ntfy: Vec<_> = all.iter().filter(|receiver| receiver.name == "ntfy").collect();
                assert_eq!(ntfy.len(), 1, "{text}");
                let topic = ntfy[0].parameters.get("topic").and_then(|topic| topic.as_str());
                assert_eq!((topic, &ntfy[0].mistake), (Some("b"), &None), "{text}");
                assert!(config.hides_receivers && config.mistakes.len() == 1);
                let said = config.mistakes[0].to_string();
                assert!(
                    said.contains("this one gets nothing") && said.contains("what is wrong in it"),
                    "{said}"
                );
            }
        }
    }

    #[test]
    fn where_it_is_lost_in_which_file_the_secrets_are_none_are_taken_from_another() {
        for (text, is_lost) in [
            ("[x]\ncredentials = /root/c.toml\n", true),
            ("[x]\ncredentials = 5\n", true),
            ("[x]\ncredentails = \"/root/c.toml\"\n", true),
            ("[x]\ncredentials = \"/root/c.toml\"\ncredentials = \"/root/d.toml\"\n", true),
            ("[x\ncredentials = \"/root/c.toml\"\n", true),
            ("[X]\ncredentials = \"/root/c.toml\"\n", true),
            ("[[x]]\ncredentials = \"/root/c.toml\"\n", true),
            ("x.credentials = /root/c.toml\n", true),
            ("credentials = \"/root/c.toml\"\n", true),
            ("[alerts]\n#[x]\ncredentials = \"/root/c.toml\"\n", true),
            ("[[receiver]]\nkind = \"ntfy\"\n#[x]\ncredentials = \"/root/c.toml\"\n", true),
            ("[[receiver]]\nkind = \"ntfy\"\nx]\ncredentials = \"/root/c.toml\"\n", true),
            ("[x]\ncredentials = \"/root/c.toml\"\ntimeout = soon\n", false),
            ("[x]\ntimeout = soon\n[alerts]\nbrust = 3\n", false),
        ] {
            let config = parse(text).unwrap();
            assert_eq!(config.credentials_mistake.is_some(), is_lost, "{text}: {:?}", config.mistakes);
        }
    }

    #[test]
    fn what_is_wrong_with_the_account_keeps_its_posts_from_going_elsewhere() {
        for (text, is_broken) in [
            ("[x]\napi_url = \"https://x.example/2\"\n", true),
            ("[x]\nproxi = \"http://proxy:1\"\n", true),
            ("[x]\nproxy = 5\n", true),
            ("x = 5\n", true),
            ("[x]\ntimeout = \"soon\"\n", false),
        ] {
            let all =
                parse(&format!("{text}[[receiver]]\nkind = \"x\"\n[[receiver]]\nkind = \"ntfy\"\n")).unwrap();
            assert_eq!(all.mistakes.len(), 1, "{text}");
            let all = all.receivers(true);
            assert_eq!((all[0].mistake.is_some(), &all[1].mistake), (is_broken, &None), "{text}");
        }
    }
}
