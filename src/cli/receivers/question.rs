//! The questions of `authalert receivers add`: a value until it can be right, one of several ways, what the service
//! itself knows, and what it did not accept.

use std::io::{BufRead, Write};

use zeroize::Zeroizing;

use super::given::{Given, in_the_configuration};
use super::nothing_written;
use crate::cli::Error;
use crate::cli::ask::{self, TRIES, ask, ask_hidden, ask_whether};
use crate::cli::interrupt::Interrupt;
use crate::credentials::Secret;
use crate::receiver::Outcome;
use crate::receiver::definition::{self, Choice, Http, Parameter, Type};
use crate::receiver::service::Service;

/// A person, or a pipe.
pub(super) struct Talk<'a> {
    pub input: &'a mut dyn BufRead,
    pub out: &'a mut dyn Write,
    /// Nobody answers questions that have no answer yet.
    pub is_pipe: bool,
    /// All that must be given was given with `--set`: a person is asked for nothing but what the service refuses.
    pub is_given: bool,
}

impl Talk<'_> {
    pub fn whether(&mut self, prompt: &str, default: bool) -> Result<bool, Error> {
        Ok(ask_whether(prompt, default, self.input, self.out)?)
    }

    /// The answer to a question about `parameter`.
    fn value(&mut self, parameter: &Parameter, hint: &str) -> Result<Zeroizing<String>, Error> {
        let key = parameter.name.get_ref();
        if !parameter.secret {
            return Ok(ask(&format!("{key}{hint}: "), self.input, self.out)?);
        }
        let prompt = if self.is_pipe { String::new() } else { format!("{key} (not shown){hint}: ") };
        match ask_hidden(&prompt, self.input, self.out) {
            Err(ask::Error::Ended) if self.is_pipe => Ok(Zeroizing::default()),
            other => Ok(other?),
        }
    }
}

/// Every value that the kind asks for and that is not given yet.
pub(super) fn all(service: &Service, given: &mut Given, talk: &mut Talk<'_>) -> Result<(), Error> {
    let found_later = service.discovers.as_ref().map(|(name, _)| name.as_str());
    for parameter in &service.parameters {
        let key = parameter.name.get_ref().as_str();
        if given.has(key) || Some(key) == found_later {
            continue;
        }
        for (i, choice) in service.choices.iter().enumerate() {
            let is_open = given.chosen[i].is_none() && choice.taken(|name| given.has(name)).is_empty();
            if !talk.is_pipe && is_open && choice.place_of(key).is_some() {
                given.chosen[i] = Some(way(choice, talk)?);
            }
        }
        if let Some(is_required) = given.wants(service, parameter) {
            question(parameter, is_required, given, talk)?;
        }
    }
    if let Some((key, before)) = service.discovers.as_ref().filter(|(key, _)| !given.has(key)) {
        if let Some(parameter) = service.parameters.iter().find(|p| p.name.get_ref() == key) {
            discover(service, parameter, before, given, talk)?;
        }
    }
    Ok(())
}

/// Ask for one of several ways; none where that is an answer as well.
fn way(choice: &Choice, talk: &mut Talk<'_>) -> Result<Option<usize>, Error> {
    let mut names: Vec<&str> = choice.names().collect();
    if choice.optional {
        names.insert(0, "none");
    }
    writeln!(talk.out, "\n{}", choice.find)?;
    let (last, others) = names.split_last().unwrap_or((&"", &[]));
    let prompt = format!("{} or {last} [{}]: ", others.join(", "), names[0]);
    for _ in 0..TRIES {
        let answer = ask(&prompt, talk.input, talk.out)?;
        let answer = if answer.is_empty() { names[0] } else { answer.as_str() };
        let found = names.iter().position(|name| name.eq_ignore_ascii_case(answer));
        match (found, choice.optional) {
            (Some(0), true) => return Ok(None),
            (Some(at), is_optional) => return Ok(Some(at - usize::from(is_optional))),
            (None, _) => writeln!(talk.out, "one of these words, please")?,
        }
    }
    Err(nothing_written(format!("none of {} was chosen", names.join(", "))))
}

/// Ask for one value until it can be right; what was given before stays where nothing is typed. Who cannot be asked has
/// the default, or gave none.
fn question(
    parameter: &Parameter,
    is_required: bool,
    given: &mut Given,
    talk: &mut Talk<'_>,
) -> Result<(), Error> {
    let key = parameter.name.get_ref();
    if talk.is_pipe && !parameter.secret {
        return match is_required {
            true => Err(nothing_written(format!(
                "{key} is missing (--set {key}=…, where no terminal is there to ask at): {}",
                parameter.find
            ))),
            false => Ok(()),
        };
    }
    if !talk.is_pipe {
        let example = parameter.example.as_ref().map(|e| format!(" (for example {e})")).unwrap_or_default();
        writeln!(talk.out, "\n{key}: {}{example}", parameter.find)?;
    }
    let is_known = given.has(key);
    let hint = match given.shown(key).or_else(|| parameter.default_text()) {
        Some(known) => format!(" [{known}]"),
        None if is_known => " [as before]".into(),
        None if !is_required => " [none]".into(),
        None => String::new(),
    };
    for _ in 0..TRIES {
        let answer = talk.value(parameter, &hint)?;
        if answer.is_empty() && (is_known || !is_required) {
            return Ok(());
        }
        let taken = match parameter.secret {
            true => parameter
                .check(&answer)
                .map(|()| drop(given.secrets.insert(key.clone(), Secret::new(answer.as_str())))),
            false => in_the_configuration(parameter, &answer).map(|written| given.put(key, written)),
        };
        match taken {
            Ok(()) => return Ok(()),
            Err(why) if talk.is_pipe => return Err(nothing_written(format!("{key} {why}"))),
            Err(why) => writeln!(talk.out, "{key} {why}")?,
        }
    }
    Err(nothing_written(format!("{key} was not given")))
}

/// Ask the service for the value of the one parameter that no person knows by heart.
fn discover(
    service: &Service,
    parameter: &Parameter,
    before: &str,
    given: &mut Given,
    talk: &mut Talk<'_>,
) -> Result<(), Error> {
    let key = parameter.name.get_ref();
    writeln!(talk.out, "\n{key} is found now. {before}")?;
    for _ in 0..TRIES {
        if !talk.is_pipe {
            ask("When that is done, press Enter: ", talk.input, talk.out)?;
        }
        let Some(Ok(definition)) = definition::find(&given.kind) else { break };
        let receiver = given.receiver().map_err(nothing_written)?;
        let interrupt = Interrupt::says("nothing was written");
        let found = Http::discover(definition, &receiver, &given.secrets);
        drop(interrupt);
        let found = match found {
            Ok(found) => found,
            Err(why) if talk.is_pipe => return Err(nothing_written(why)),
            Err(why) => {
                writeln!(talk.out, "{why}")?;
                again(service, &why, false, given, talk)?;
                continue;
            }
        };
        let fitting: Vec<_> =
            found.iter().rev().filter(|found| parameter.check(&found.value).is_ok()).collect();
        for found in &fitting {
            // Whoever writes to it may be anybody: a person says whether that is the right one.
            let prompt = format!("Is it {} ({})?", found.value, found.label);
            if talk.is_pipe || talk.whether(&prompt, true)? {
                if talk.is_pipe && fitting.len() > 1 {
                    return Err(nothing_written(format!(
                        "there are several; say which: --set {key}={}",
                        found.value
                    )));
                }
                let written = in_the_configuration(parameter, &found.value).map_err(nothing_written)?;
                given.put(key, written);
                return Ok(());
            }
        }
        writeln!(talk.out, "The service knows no other.")?;
        if talk.is_pipe {
            break;
        }
    }
    Err(nothing_written(format!("{key} was not found; it can be given with --set {key}=…")))
}

/// Whether what became of a test can be put right by another answer.
pub(super) fn is_refusal(outcome: &Outcome) -> bool {
    use Outcome::{NotSent, Refused, Rejected, Stop, Suspect};
    matches!(outcome, NotSent { .. } | Refused { .. } | Rejected { .. } | Stop { .. } | Suspect { .. })
}

/// Ask once more for what was not accepted, and for nothing else. False where the person does not want to, or where
/// there is nothing to ask for.
pub(super) fn again(
    service: &Service,
    why: &str,
    is_unreachable: bool,
    given: &mut Given,
    talk: &mut Talk<'_>,
) -> Result<bool, Error> {
    if !is_unreachable && logged_in(service, given, talk)? {
        return Ok(true);
    }
    let blamed = blamed(service, why, is_unreachable, given);
    if blamed.is_empty() {
        return Ok(false);
    }
    let before = (given.lines.clone(), given.secrets.clone());
    let names: Vec<_> = blamed.iter().map(|parameter| parameter.name.get_ref().as_str()).collect();
    let again = match names.as_slice() {
        [one] => format!("Type {one} again"),
        several => format!("Type these again, in this order: {}", several.join(", ")),
    };
    writeln!(talk.out, "{again}; press Enter where it is right. The other answers stay.")?;
    for parameter in blamed {
        question(parameter, parameter.is_required(), given, talk)?;
    }
    if (&given.lines, &given.secrets) != (&before.0, &before.1) {
        return Ok(true);
    }
    talk.whether("Nothing was changed. Try the same once more?", false)
}

/// Ask again for a way to log in where none was chosen: a server that refuses may want one. False where none is wanted.
fn logged_in(service: &Service, given: &mut Given, talk: &mut Talk<'_>) -> Result<bool, Error> {
    for (i, choice) in service.choices.iter().enumerate() {
        if given.chosen[i] != Some(None) {
            continue;
        }
        let chosen = way(choice, talk)?;
        given.chosen[i] = Some(chosen);
        let Some(way) = chosen else { continue };
        for parameter in &service.parameters {
            if choice.ways[way].contains(parameter.name.get_ref()) {
                question(parameter, true, given, talk)?;
            }
        }
        return Ok(true);
    }
    Ok(false)
}

/// Whose value is wrong: the address where nothing was reached; else what the definition's advice about this answer
/// names; else the login; else everything that was given. In the order of the definition, as the first time: a secret that
/// is typed where another question was expected would be shown.
fn blamed<'a>(service: &'a Service, why: &str, is_unreachable: bool, given: &Given) -> Vec<&'a Parameter> {
    let advice = service.advice.iter().find(|advice| why.contains(advice.as_str()));
    let words: Vec<&str> = advice
        .map(|advice| advice.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect())
        .unwrap_or_default();
    let name = |p: &Parameter| p.name.get_ref().clone();
    let pick = |fits: &dyn Fn(&Parameter) -> bool| -> Vec<&'a Parameter> {
        service.parameters.iter().filter(|p| fits(p)).collect()
    };
    let is_address = |p: &Parameter| matches!(p.form, Type::Server | Type::Url) || name(p) == "server";
    let was_given = |p: &Parameter| given.has(&name(p));
    let is_named = |p: &Parameter| words.contains(&name(p).as_str());
    if is_unreachable && advice.is_none() {
        return pick(&|p| is_address(p) && (was_given(p) || p.default.is_some()));
    }
    let mut named = pick(&|p| was_given(p) && is_named(p));
    if named.is_empty() {
        // What was left out may be what it wants, a secret with what it belongs to.
        named = pick(&|p| is_named(p) && (p.secret || given.wants(service, p).is_some()));
    }
    // "The server wants a token" does not say that its address is wrong.
    if named.iter().any(|p| p.secret) {
        named.retain(|p| p.secret || !is_address(p));
    }
    let of_login = |p: &Parameter| p.secret || service.login.contains(p.name.get_ref());
    [named, pick(&|p| was_given(p) && of_login(p)), pick(&was_given)]
        .into_iter()
        .find(|picked| !picked.is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::service;

    #[test]
    fn an_answer_that_no_rule_knows_is_asked_about_in_all_that_was_given() {
        let why = "422: the request is not accepted; check the parameters".to_owned();
        assert!(is_refusal(&Outcome::Rejected { why: why.clone() }));
        let service = service::find("ntfy").unwrap().unwrap();
        let mut given = Given::new(&service, "ntfy".into());
        given.put("topic", "\"v\"".into());
        let asked = |line: &str, given: &mut Given| {
            let (mut input, mut out) = (line.as_bytes(), Vec::new());
            let mut talk = Talk { input: &mut input, out: &mut out, is_pipe: false, is_given: false };
            let goes_on = again(&service, &why, false, given, &mut talk).unwrap();
            (goes_on, String::from_utf8(out).unwrap())
        };
        let (goes_on, said) = asked("other\n", &mut given);
        assert!(goes_on && said.contains("Type topic again"), "{said}");
        assert_eq!(given.shown("topic").as_deref(), Some("other"));
    }

    #[test]
    fn what_the_service_refused_is_asked_for_again_and_nothing_else() {
        let found = |kind: &str| service::find(kind).unwrap().unwrap();
        let names = |kind: &str, keys: &[&str], secrets: &[&str], why: &str, is_unreachable| -> Vec<String> {
            let service = found(kind);
            let mut given = Given::new(&service, kind.into());
            keys.iter().for_each(|key| given.put(key, "\"v\"".into()));
            secrets.iter().for_each(|key| drop(given.secrets.insert((*key).into(), Secret::new("v"))));
            let blamed = blamed(&service, why, is_unreachable, &given);
            blamed.into_iter().map(|p| p.name.get_ref().clone()).collect()
        };
        let of_pushover = |why| names("pushover", &[], &["token", "user"], why, false);
        assert_eq!(
            of_pushover("400: the application's token is wrong: copy it again into the credentials"),
            ["token"]
        );
        assert_eq!(
            of_pushover("400: the user key is wrong, or has no phone: copy it again into the credentials"),
            ["user"]
        );
        assert_eq!(of_pushover("401: the secrets are not accepted"), ["token", "user"]);
        assert_eq!(names("ntfy", &["topic"], &["token"], "cannot resolve ntfy.invalid", true), ["server"]);
        assert_eq!(names("ntfy", &["topic"], &[], "403: forbidden", false), ["topic"]);
        let no_login = "401: the server wants a token, or a user and a password, that it knows: put the right one \
                        into the credentials";
        assert_eq!(names("ntfy", &["server", "topic"], &["token"], no_login, false), ["token"]);
        let of_user = names("ntfy", &["server", "topic", "user"], &["password"], no_login, false);
        assert_eq!(of_user, ["user", "password"]);
        let of_mail = names("mail", &["to", "server", "user"], &["password"], "535 5.7.8 no", false);
        assert_eq!(of_mail, ["user", "password"]);
        for (why, expected) in [
            ("550 5.1.1 User unknown; check to", ["to"].as_slice()),
            ("504 5.5.2 Sender address rejected; check from", &["from"]),
            ("454 4.7.1 Relay access denied; check from and to", &["to"]),
            ("no connection to h:587 (refused); check server and port", &["server"]),
            ("it did not answer within 20s; check server, port and tls", &["server", "tls"]),
            ("535 5.7.8 no; check user and password", &["user", "password"]),
        ] {
            for is_unreachable in [false, true] {
                let keys = ["to", "server", "tls", "user"];
                assert_eq!(names("mail", &keys, &["password"], why, is_unreachable), expected, "{why}");
            }
        }
        let no_login =
            "530 Authentication required; the server takes this from accounts only: set user and password";
        assert_eq!(names("mail", &["to", "server"], &[], no_login, false), ["user", "password"]);
        let keys = ["user", "to"];
        assert_eq!(names("clicksend", &keys, &["api_key"], "401: not accepted", false), ["user", "api_key"]);
        assert!(names("slack", &[], &["webhook"], "the network is unreachable", true) == ["webhook"]);
    }
}
