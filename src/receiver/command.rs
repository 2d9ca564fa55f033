//! A program of the administrator's: the text on its standard input, the alert's fields in its environment.
//!
//! | exit status | what it means |
//! |---|---|
//! | 0 | the program has the message |
//! | 65 | it will never take this text (`EX_DATAERR`) |
//! | 64, 66 to 68, 72, 77, 78, 126, 127, or it cannot be started | somebody has to act |
//! | 75, and every other | it does not have the message: later again |
//! | the time limit, a signal | nobody knows |
//!
//! It never runs in a login, and no shell reads its arguments.

use std::time::Duration;

use super::child::{Ended, Program};
use super::definition::Type;
use super::http::WORDS_LIMIT;
use super::transport::Before;
use super::{Message, Outcome, Receiver, build};
use crate::config;
use crate::message::{Style, Unit};
use crate::neutral;

const TIMEOUT: Duration = Duration::from_secs(20);
const ARGUMENTS_LIMIT: usize = 64;
/// What fits into twelve parts of an SMS, and into any mail.
const TEXT_LIMIT: usize = 1600;

/// A program that takes messages.
#[derive(Debug)]
pub(super) struct Command {
    argv: Vec<String>,
    timeout: Duration,
    style: Style,
    costs_money: bool,
}

impl Command {
    /// The program of a receiver's `argv`.
    pub fn of(receiver: &config::Receiver) -> Result<Self, build::Error> {
        let wrong = |why: &str| Err(build::Error::Config(why.into()));
        let known = ["argv", "limit", "unit", "costs_money"];
        if let Some(key) = receiver.parameters.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(build::Error::Config(receiver.not_a_parameter(key, &known.join(", "))));
        }
        let argv = match receiver.parameters.get("argv").map(arguments) {
            Some(Some(argv)) => argv,
            Some(None) => return wrong("argv must be a list of texts: [\"/path/of/program\", \"argument\"]"),
            None => {
                return wrong(
                    "argv is missing: the program and its arguments, [\"/path/of/program\", \"…\"]",
                );
            }
        };
        if !argv.first().is_some_and(|program| program.starts_with('/')) {
            return wrong("argv: the program must be named by its whole path, such as /usr/bin/apprise");
        }
        let limit = match receiver.parameters.get("limit").map(toml::Value::as_integer) {
            None => TEXT_LIMIT,
            Some(Some(limit @ 70..=100_000)) => limit as usize,
            Some(_) => return wrong("limit must be a whole number from 70 to 100000"),
        };
        let unit = match receiver.parameters.get("unit").map(|unit| unit.as_str()) {
            None => Unit::Characters,
            Some(Some("characters")) => Unit::Characters,
            Some(Some("bytes")) => Unit::Bytes,
            Some(Some("gsm7")) => Unit::Gsm7,
            Some(_) => return wrong("unit must be \"characters\", \"bytes\" or \"gsm7\""),
        };
        let costs_money = match receiver.parameters.get("costs_money").map(toml::Value::as_bool) {
            None => false,
            Some(Some(costs)) => costs,
            Some(None) => return wrong(&format!("costs_money must be {}", Type::Boolean.accepted())),
        };
        // In an SMS every line end is one more character that may not fit.
        let style = Style { lines: unit != Unit::Gsm7, ..Style::new(unit, limit) };
        Ok(Self { argv, timeout: receiver.timeout.unwrap_or(TIMEOUT), style, costs_money })
    }
}

impl Receiver for Command {
    fn style(&self) -> Style {
        self.style.clone()
    }

    fn knows_repeats(&self) -> bool {
        false
    }

    fn costs_money(&self) -> bool {
        self.costs_money
    }

    fn send(&self, message: &Message<'_>, before: Before) -> Outcome {
        if let Err(e) = before() {
            return Outcome::NotSent { why: e.to_string() };
        }
        let (argv, timeout) = (&self.argv, self.timeout);
        let environment = environment(message);
        let ended =
            Program { argv, environment: &environment, input: message.text.as_bytes(), timeout }.run();
        outcome(&self.argv[0], timeout, ended)
    }
}

/// What `ended` means for the message that `program` was given.
pub(super) fn outcome(program: &str, timeout: Duration, ended: Ended) -> Outcome {
    let program = neutral::name(program);
    match ended {
        Ended::Exited(0, _) => Outcome::Accepted { id: String::new() },
        Ended::Exited(status, printed) => {
            let printed = printed.split_whitespace().collect::<Vec<_>>().join(" ");
            let words = neutral::text(printed, WORDS_LIMIT);
            let said = if words.is_empty() { String::new() } else { format!(" ({words})") };
            let why = format!("{program} ended with exit status {status}{said}");
            match status {
                65 => Outcome::Refused { why },
                64 | 66..=68 | 72 | 77 | 78 | 126 | 127 => {
                    Outcome::Stop { why: format!("{why}; put right what it says") }
                }
                _ => Outcome::NotSent { why },
            }
        }
        Ended::NotStarted(e) => Outcome::Stop {
            why: format!("{program} cannot be started: {e}; is it installed, and executable?"),
        },
        Ended::Killed(signal) => Outcome::ambiguous(format!(
            "{program} was ended by signal {signal}; it may have sent the message"
        )),
        Ended::OutOfTime => Outcome::ambiguous(format!(
            "{program} did not end within {timeout:?} and was ended; it may have sent the message"
        )),
    }
}

/// The alert's fields. No value in it is more than a line.
fn environment(message: &Message<'_>) -> Vec<(&'static str, String)> {
    let kind = serde_json::to_value(message.kind).ok();
    let kind = kind.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    vec![
        ("AUTHALERT_NUMBER", message.number.to_string()),
        ("AUTHALERT_KIND", kind),
        ("AUTHALERT_TITLE", neutral::text(message.title, 200)),
        ("AUTHALERT_KEY", message.key.to_owned()),
        ("AUTHALERT_HOST", neutral::name(host)),
    ]
}

/// A list of texts without a zero byte.
fn arguments(value: &toml::Value) -> Option<Vec<String>> {
    let list = value.as_array().filter(|list| (1..=ARGUMENTS_LIMIT).contains(&list.len()))?;
    let text = |value: &toml::Value| value.as_str().filter(|text| !text.contains('\0')).map(str::to_owned);
    list.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::Kind;

    fn command(text: &str) -> Result<Command, String> {
        let receiver: config::Receiver = toml::from_str(&format!("kind = \"command\"\n{text}")).unwrap();
        Command::of(&receiver).map_err(|e| e.to_string())
    }

    fn sent(script: &str) -> Outcome {
        let argv = format!("[\"/bin/sh\", \"-c\", '''{script}''']");
        let command = command(&format!("argv = {argv}\ntimeout = \"1s\"")).unwrap();
        let message = Message {
            number: 7,
            key: "aa-7",
            kind: Kind::BreakIn,
            title: "web1: $(touch /tmp/x)\nline",
            text: "text of `id`",
            facts: &serde_json::Value::Null,
            html: None,
        };
        command.send(&message, Box::new(|| Ok(())))
    }

    #[test]
    fn the_text_arrives_on_standard_input_and_the_fields_in_the_environment() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("got");
        let shown = file.display();
        assert_eq!(
            sent(&format!("cat > {shown}; env | grep AUTHALERT_ | sort >> {shown}")),
            Outcome::Accepted { id: String::new() }
        );
        let got = std::fs::read_to_string(&file).unwrap();
        assert!(got.starts_with("text of `id`AUTHALERT_HOST="), "{got}");
        let rest = "AUTHALERT_KEY=aa-7\nAUTHALERT_KIND=break-in\nAUTHALERT_NUMBER=7\nAUTHALERT_TITLE=web1: $(touch /tmp/x)";
        assert!(got.contains(rest) && got.lines().count() == 5, "{got}");
    }

    #[test]
    fn each_way_to_end_has_its_meaning() {
        let is =
            |outcome: Outcome, words: &str| assert!(format!("{outcome:?}").contains(words), "{outcome:?}");
        is(sent("echo queue full >&2; exit 75"), "NotSent");
        is(sent("echo queue full >&2; exit 75"), "exit status 75 (queue full)");
        is(sent("exit 1"), "NotSent");
        is(sent("exit 65"), "Refused");
        is(sent("exit 78"), "Stop");
        is(sent("exec /nonexistent"), "Stop");
        is(sent("sleep 9"), "Ambiguous");
        is(sent("kill -15 $$"), "Ambiguous");
        let gone = command("argv = [\"/nonexistent/x\"]").unwrap();
        let message = super::super::definition::example();
        is(gone.send(&message, Box::new(|| Ok(()))), "cannot be started");
    }

    #[test]
    fn nothing_is_started_where_the_request_cannot_be_noted() {
        let directory = tempfile::tempdir().unwrap();
        let mark = directory.path().join("mark");
        let command = command(&format!("argv = [\"/usr/bin/touch\", \"{}\"]", mark.display())).unwrap();
        let failing: Before = Box::new(|| Err(std::io::Error::other("disk full")));
        let outcome = command.send(&super::super::definition::example(), failing);
        assert_eq!(outcome, Outcome::NotSent { why: "disk full".into() });
        assert!(!mark.exists());
    }

    #[test]
    fn a_wrong_value_says_what_is_accepted() {
        for (text, words) in [
            ("", "argv is missing"),
            ("argv = \"/usr/bin/mail root\"", "argv must be a list"),
            ("argv = [\"mail\", \"root\"]", "whole path"),
            ("argv = [\"/bin/a\", 7]", "argv must be a list"),
            ("argv = [\"/bin/a\"]\nlimit = 7", "from 70"),
            ("argv = [\"/bin/a\"]\nunit = \"septets\"", "gsm7"),
            ("argv = [\"/bin/a\"]\nshell = true", "not one of its parameters"),
            ("argv = [\"/bin/a\"]\ncosts_money = 1", "true or false"),
        ] {
            let why = command(text).map(drop).unwrap_err();
            assert!(why.contains(words), "{text}: {why}");
        }
        let style = command("argv = [\"/bin/a\"]\nunit = \"gsm7\"\nlimit = 160").unwrap().style();
        assert_eq!((style.unit, style.limit, style.lines), (Unit::Gsm7, 160, false));
    }
}
