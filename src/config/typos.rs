//! One typo anywhere in a configuration: whatever it does to the rest, no receiver is made of half of what was written.

use std::path::Path;

use super::receiver::Written;
use super::{Config, Receiver};

const TABLES: &str = r#"heartbeat = "30d"

[[receiver]]
kind = "ntfy"
name = "phone"
server = "https://own.example"
topic = "alerts-1" # the office
tell = ["break-in", "urgent"]

[alerts]
burst = 3
text = '''
[receiver] of {host}
'''

[[receiver]]
kind = "mail"
name = "letters"
server = "mail.example"
to = "ops@example.org"
max_per_day = 9

[ignore]
networks = ["192.0.2.0/24",
  "198.51.100.0/24"]
users = ["nagios"]

[[receiver]]
kind = "webhook"
url = "https://siem.example/a?b=c"
after_unknown = "repeat"
plain_http = false

[deliver]
in_process = false

[logins]
expected = ["203.0.113.0/24"]
"#;

const SETTINGS_FIRST: &str = r#"receiver = "timeline"
heartbeat = "off"

[journal]
keep = "90d"

[alerts]
burst = 3

[deliver]
in_process = false

[ignore]
users = ["nagios"]
"#;

const INLINE: &str = r#"receiver = [
  { kind = "ntfy", server = "https://own.example", topic = "alerts-1" },
  {
    kind = "mail",
    server = "mail.example",
    to = "ops@example.org",
  },
]
ignore = { users = ["nagios"] }
deliver.in_process = false
"#;

/// What a finger or an editor puts in.
const PUT_IN: [&str; 18] = [
    "\"", "'", "[", "]", "=", "#", "\n", ",", "\\", "{", "}", ".", "\u{feff}", "\0", "\u{fc}", "a", "\"\"\"",
    "\r",
];

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("/etc/authalert/config.toml")).map_err(|e| e.to_string())
}

fn receivers(config: &Config) -> Vec<Receiver> {
    let all = config.receivers(true).into_iter();
    all.map(|receiver| Receiver { written: Written::default(), ..receiver }).collect()
}

/// What is meant by `right` and comes out of `typed`, which the parser refuses.
fn look(right: &Config, typed: &str) {
    let config = match parse(typed) {
        Ok(config) => config,
        Err(why) => {
            assert!(why.contains("line "), "{why}\n{typed}");
            return;
        }
    };
    let (all, meant) = (receivers(&config), receivers(right));
    assert!(!config.mistakes.is_empty() || all.iter().any(|receiver| receiver.mistake.is_some()), "{typed}");
    for receiver in all.iter().filter(|receiver| receiver.mistake.is_none()) {
        assert!(meant.contains(receiver), "{receiver:?}\n{:?}\n{typed}", config.mistakes);
    }
    let may_hide = config.hides_receivers || all.iter().any(|receiver| receiver.mistake.is_some());
    let is_there = |receiver: &Receiver| all.iter().any(|other| other.name == receiver.name);
    assert!(may_hide || meant.iter().all(is_there), "{typed}");
    assert!(!config.deliver.in_process, "{:?}\n{typed}", config.mistakes);
    assert!(config.journal.keep >= right.journal.keep, "{:?}\n{typed}", config.mistakes);
    assert!(config.ignore.networks.iter().all(|net| right.ignore.networks.contains(net)), "{typed}");
    assert!(config.ignore.users.iter().all(|user| right.ignore.users.contains(user)), "{typed}");
    assert!(config.logins.expected.iter().all(|net| right.logins.expected.contains(net)), "{typed}");
}

/// Every so many typos of one character, so that each kind of them is at many places; all of them take half a minute.
const EVERY: usize = 35;

#[test]
fn no_typo_sends_to_another_place_than_was_meant_or_makes_anything_quieter() {
    let (mut number, mut refused) = (0, 0);
    for text in [TABLES, SETTINGS_FIRST, INLINE] {
        let right = parse(text).unwrap();
        assert!(right.mistakes.is_empty(), "{:?}", right.mistakes);
        for place in 0..text.len() {
            let (before, behind) = text.split_at(place);
            let without = &behind[1..];
            let typed = PUT_IN.iter().flat_map(|put| [(put, behind), (put, without)]);
            for (put, behind) in typed.chain([(&"", without)]) {
                number += 1;
                let typed = format!("{before}{put}{behind}");
                if number % EVERY == 0 && toml::from_str::<toml::Table>(&typed).is_err() {
                    refused += 1;
                    look(&right, &typed);
                }
            }
        }
    }
    assert!(refused > 500, "{refused} of {number}");
}
