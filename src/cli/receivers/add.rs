//! `authalert receivers add KIND`: a conversation that ends with a test message on the phone.
//!
//! Nothing is written before everything is known to fit: each answer is checked as it is given, then all of them
//! together, then a test message is sent. What does not work is said in one line.

use std::fs;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use super::edit::{self, Lines, quoted};
use crate::cli::args::AddReceiver;
use crate::cli::ask::{self, ask, ask_hidden, ask_whether};
use crate::cli::{Error, authorize, test};
use crate::config::{self, Config};
use crate::credentials::{self, Secret, Secrets, Stored};
use crate::receiver::definition::{self, Http, Parameter, Type};
use crate::receiver::service::{self, Service};
use crate::receiver::{self, Outcome};

/// So often a question is asked again.
const TRIES: usize = 5;

/// What was given so far.
struct Given {
    kind: String,
    name: String,
    lines: Lines,
    secrets: Secrets,
}

/// A person, or a pipe.
struct Talk<'a> {
    input: &'a mut dyn BufRead,
    out: &'a mut dyn Write,
    /// Nobody answers questions that have no answer yet.
    is_pipe: bool,
}

impl From<ask::Error> for Error {
    fn from(e: ask::Error) -> Self {
        match e {
            ask::Error::Io(e) => Self::Output(e),
            ask::Error::Ended => Self::Failed("given up, nothing was written".into()),
            ask::Error::Input(why) => Self::Failed(format!("{why}; nothing was written")),
        }
    }
}

fn nothing_written(why: impl std::fmt::Display) -> Error {
    Error::Failed(format!("{why}; nothing was written"))
}

/// Set a receiver up.
pub fn add(
    config: &Config,
    asked: &AddReceiver,
    is_pipe: bool,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let service = match service::find(&asked.kind) {
        Some(Ok(service)) => service,
        Some(Err(mistake)) => return Err(nothing_written(mistake)),
        None => {
            let kinds: Vec<_> = service::list().into_keys().collect();
            return Err(nothing_written(format!(
                "there is no kind of that name; the kinds are {}",
                kinds.join(", ")
            )));
        }
    };
    let path = config.credentials_path();
    // Better before anything is asked.
    credentials::probe(&path).map_err(nothing_written)?;
    credentials::probe(&config.path).map_err(nothing_written)?;
    let mut talk = Talk { input, out, is_pipe };
    let mut stored = Stored::load(&path).map_err(nothing_written)?;
    if matches!(service.kind.as_str(), "x" | "x-dm") && !stored.has_account() {
        authorize::run(config, None, talk.input, talk.out).map_err(|e| Error::Failed(e.to_string()))?;
        stored = Stored::load(&path).map_err(nothing_written)?;
        if config.receivers(stored.has_account()).iter().any(|receiver| receiver.kind == service.kind) {
            return Ok(());
        }
    }
    let name = asked.name.clone().unwrap_or_else(|| service.kind.clone());
    if config.receivers(stored.has_account()).iter().any(|receiver| receiver.name == name) {
        return Err(nothing_written(format!(
            "there is a receiver called {name} already; give this one another name with --name, or run: authalert \
             receivers remove {name}"
        )));
    }
    writeln!(talk.out, "{}: {}", service.title, service.summary)?;
    let given = gather(&service, name, asked, &mut talk)?;
    conclude(config, &stored, &service, given, asked, &mut talk)
}

/// Every value that the kind asks for.
fn gather(service: &Service, name: String, asked: &AddReceiver, talk: &mut Talk<'_>) -> Result<Given, Error> {
    let mut given = Given { kind: service.kind.clone(), name, lines: Vec::new(), secrets: Secrets::new() };
    given.lines.push(("kind".into(), quoted(&given.kind)));
    if given.name != given.kind {
        given.lines.push(("name".into(), quoted(&given.name)));
    }
    let parameter = |key: &str| service.parameters.iter().find(|p| p.name.get_ref() == key);
    for (key, value) in &asked.set {
        let written = match parameter(key) {
            Some(p) if p.secret => {
                return Err(nothing_written(format!(
                    "{key} is a secret: everybody can see the arguments of a command; it is asked for, or read as a line \
                     from standard input"
                )));
            }
            Some(p) if p.name.get_ref() == "argv" => arguments(value).map_err(nothing_written)?,
            Some(p) => p
                .check(value)
                .map(|()| written(p, value))
                .map_err(|why| nothing_written(format!("{key} {why}")))?,
            None if config::RECEIVER_KEYS.contains(&key.as_str()) => literal(value),
            None => {
                let names: Vec<_> = service.parameters.iter().map(|p| p.name.get_ref().as_str()).collect();
                return Err(nothing_written(format!(
                    "{key} is not one of its parameters; they are {}",
                    names.join(", ")
                )));
            }
        };
        given.lines.push((key.clone(), written));
    }
    let found_later = service.discovers.as_ref().map(|(name, _)| name.as_str());
    for parameter in &service.parameters {
        let key = parameter.name.get_ref().as_str();
        if given.has(key) || Some(key) == found_later || given.is_moot(parameter) {
            continue;
        }
        question(parameter, &mut given, talk)?;
    }
    if let Some((key, before)) = service.discovers.as_ref().filter(|(key, _)| !given.has(key)) {
        let parameter = service.parameters.iter().find(|p| p.name.get_ref() == key);
        if let Some(parameter) = parameter {
            discover(parameter, before, &mut given, talk)?;
        }
    }
    Ok(given)
}

impl Given {
    fn value(&self, key: &str) -> Option<&str> {
        self.lines.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    fn has(&self, key: &str) -> bool {
        self.value(key).is_some() || self.secrets.contains_key(key)
    }

    /// Whether an answer that was given makes this question one too many.
    fn is_moot(&self, parameter: &Parameter) -> bool {
        let by_program = self.kind == "mail" && self.has("sendmail");
        match parameter.name.get_ref().as_str() {
            "server" | "port" | "tls" if by_program => true,
            "sendmail" => self.has("server"),
            "user" if parameter.optional => by_program || self.has("token"),
            "password" if parameter.optional => by_program || !self.has("user"),
            _ => false,
        }
    }

    /// The receiver as the configuration would have it.
    fn receiver(&self) -> Result<config::Receiver, String> {
        let text: String = self.lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        let receiver: config::Receiver =
            toml::from_str(&text).map_err(|e| e.message().replace('\n', "; "))?;
        Ok(config::Receiver { name: self.name.clone(), ..receiver })
    }
}

/// Ask for one value until it can be right. Who cannot be asked has the default, or gave none.
fn question(parameter: &Parameter, given: &mut Given, talk: &mut Talk<'_>) -> Result<(), Error> {
    let key = parameter.name.get_ref();
    let default = parameter.default_text();
    if talk.is_pipe && !parameter.secret {
        return match parameter.is_required() {
            true => Err(nothing_written(format!("{key} is missing (--set {key}=…): {}", parameter.find))),
            false => Ok(()),
        };
    }
    if !talk.is_pipe {
        let example = parameter.example.as_ref().map(|e| format!(", such as {e}")).unwrap_or_default();
        writeln!(talk.out, "\n{key}: {}{example}", parameter.find)?;
    }
    let hint = match &default {
        Some(default) => format!(" [{default}]"),
        None if parameter.optional => " [none]".into(),
        None => String::new(),
    };
    for _ in 0..TRIES {
        let answer = match parameter.secret {
            true => {
                let prompt = if talk.is_pipe { String::new() } else { format!("{key} (not shown){hint}: ") };
                match ask_hidden(&prompt, talk.input, talk.out) {
                    Err(ask::Error::Ended) if talk.is_pipe => Zeroizing::default(),
                    other => other?,
                }
            }
            false => ask(&format!("{key}{hint}: "), talk.input, talk.out)?,
        };
        if answer.is_empty() && !parameter.is_required() {
            return Ok(());
        }
        let written = match key.as_str() {
            "argv" => arguments(&answer),
            _ => parameter.check(&answer).map(|()| written(parameter, &answer)),
        };
        match written {
            Ok(_) if parameter.secret => {
                given.secrets.insert(key.clone(), Secret::new(answer.as_str()));
                return Ok(());
            }
            Ok(written) => {
                given.lines.push((key.clone(), written));
                return Ok(());
            }
            Err(why) if talk.is_pipe => return Err(nothing_written(format!("{key} {why}"))),
            Err(why) => writeln!(talk.out, "{key} {why}")?,
        }
    }
    Err(nothing_written(format!("{key} was not given")))
}

/// Ask the service for the value of the one parameter that no person knows by heart.
fn discover(
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
        let found = match Http::discover(definition, &receiver, &given.secrets) {
            Ok(found) => found,
            Err(why) if talk.is_pipe => return Err(nothing_written(why)),
            Err(why) => {
                writeln!(talk.out, "{why}")?;
                continue;
            }
        };
        let fitting: Vec<_> =
            found.iter().rev().filter(|found| parameter.check(&found.value).is_ok()).collect();
        for found in &fitting {
            // Whoever writes to it may be anybody: a person says whether that is the right one.
            let prompt = format!("Is it {} ({})?", found.value, found.label);
            if talk.is_pipe || ask_whether(&prompt, true, talk.input, talk.out)? {
                if talk.is_pipe && fitting.len() > 1 {
                    return Err(nothing_written(format!(
                        "there are several; say which: --set {key}={}",
                        found.value
                    )));
                }
                given.lines.push((key.clone(), written(parameter, &found.value)));
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

/// Check all of it together, send a test, write, and say what is left to do.
fn conclude(
    config: &Config,
    stored: &Stored,
    service: &Service,
    mut given: Given,
    asked: &AddReceiver,
    talk: &mut Talk<'_>,
) -> Result<(), Error> {
    let (text, receiver, secrets) = loop {
        let (text, receiver, secrets) = checked(config, stored, &given)?;
        match receiver::build(&receiver, &secrets, Vec::new()) {
            Ok(_) => break (text, receiver, secrets),
            Err(why) => {
                let in_the_clear = why.to_string().contains("plain_http") && !receiver.plain_http;
                let question = "The alerts would go in the clear. Is that server in a network of your own?";
                if talk.is_pipe || !in_the_clear || !ask_whether(question, false, talk.input, talk.out)? {
                    return Err(nothing_written(why));
                }
                given.lines.push(("plain_http".into(), "true".into()));
            }
        }
    };
    let mut is_unclear = false;
    if !asked.no_test {
        let (outcome, sent, took) = test::send(config, &receiver, &secrets)?;
        match outcome {
            Outcome::Accepted { .. } => accepted(&service.title, took, &sent, talk)?,
            other => {
                let became = match other {
                    Outcome::Ambiguous { .. } => "It is not clear whether the test message arrived",
                    _ => "The test message was not taken",
                };
                writeln!(talk.out, "\n{became}: {}", other.why())?;
                let question = "Write it all the same?";
                if talk.is_pipe || !ask_whether(question, false, talk.input, talk.out)? {
                    return Err(nothing_written(format!("{}: {}", receiver.name, other.why())));
                }
                is_unclear = true;
            }
        }
    }
    if !given.secrets.is_empty() {
        credentials::store_section(&config.credentials_path(), &given.name, &given.secrets)
            .map_err(nothing_written)?;
    }
    edit::write(&config.path, &text).map_err(|e| {
        Error::Failed(format!("cannot write {}: {e}; run this as root", config.path.display()))
    })?;
    writeln!(talk.out, "\n{} is written: alerts go to {} too.", config.path.display(), receiver.name)?;
    let came = is_unclear || asked.no_test || talk.is_pipe;
    if came || !ask_whether("Did the test message come on the phone?", true, talk.input, talk.out)? {
        writeln!(talk.out, "At the phone:")?;
        for (number, step) in (1..).zip(&service.phone) {
            writeln!(talk.out, "  {number}. {step}")?;
        }
        writeln!(talk.out, "Then try it: authalert test {}", receiver.name)?;
    }
    Ok(())
}

fn accepted(title: &str, took: Duration, sent: &str, talk: &mut Talk<'_>) -> Result<(), Error> {
    writeln!(talk.out, "\n{title} accepted a test message after {} ms: {sent}", took.as_millis())?;
    Ok(())
}

/// The configuration with this receiver in it, parsed as every pass will.
fn checked(
    config: &Config,
    stored: &Stored,
    given: &Given,
) -> Result<(String, config::Receiver, Secrets), Error> {
    let before = match fs::read_to_string(&config.path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(nothing_written(format!("cannot read {}: {e}", config.path.display()))),
    };
    let text = edit::added(&before, stored.has_account(), &given.lines).map_err(nothing_written)?;
    let after = Config::parse(&text, Path::new(&config.path)).map_err(nothing_written)?;
    let all = after.receivers(stored.has_account());
    let Some(receiver) = all.into_iter().find(|receiver| receiver.name == given.name) else {
        return Err(nothing_written(
            "the configuration cannot be changed; write the receiver into it yourself",
        ));
    };
    let mut secrets = stored.of(&receiver.kind, &given.name);
    secrets.extend(given.secrets.clone());
    Ok((text, receiver, secrets))
}

/// As the configuration has it.
fn written(parameter: &Parameter, value: &str) -> String {
    match parameter.form {
        Type::Integer | Type::Boolean => value.to_owned(),
        _ => quoted(value),
    }
}

/// A value of `--set` for a key that is no parameter: a number, a truth value, a list, or a text.
fn literal(value: &str) -> String {
    let is_bare = value.parse::<u32>().is_ok() || value.parse::<bool>().is_ok() || value.starts_with('[');
    if is_bare { value.to_owned() } else { quoted(value) }
}

/// A program and its arguments: a list of TOML, or words with blanks between them.
fn arguments(value: &str) -> Result<String, String> {
    if value.starts_with('[') {
        return Ok(value.to_owned());
    }
    let words: Vec<String> = value.split_whitespace().map(quoted).collect();
    if words.is_empty() || !value.chars().all(crate::neutral::is_visible) {
        return Err("must be a program by its whole path, and its arguments".into());
    }
    Ok(format!("[{}]", words.join(", ")))
}
