//! What was given for a receiver so far: as arguments, as answers.

use super::edit::{Lines, quoted};
use crate::config;
use crate::credentials::Secrets;
use crate::receiver::definition::{Choice, Parameter, Type};
use crate::receiver::service::Service;

/// The values of one receiver.
pub(super) struct Given {
    pub kind: String,
    pub name: String,
    /// What the configuration gets, as it is written there.
    pub lines: Lines,
    /// What the credentials get.
    pub secrets: Secrets,
    /// Of each choice which way was chosen, or none; absent where nobody was asked.
    pub chosen: Vec<Option<Option<usize>>>,
}

impl Given {
    /// Nothing but its kind and its name.
    pub fn new(service: &Service, name: String) -> Self {
        let mut lines = vec![("kind".to_owned(), quoted(&service.kind))];
        if name != service.kind {
            lines.push(("name".into(), quoted(&name)));
        }
        let chosen = vec![None; service.choices.len()];
        Self { kind: service.kind.clone(), name, lines, secrets: Secrets::new(), chosen }
    }

    /// A value of `--set`. The error says what is accepted.
    pub fn set(&mut self, service: &Service, key: &str, value: &str) -> Result<(), String> {
        let parameter = service.parameters.iter().find(|p| p.name.get_ref() == key);
        let written = match parameter {
            Some(p) if p.secret => {
                return Err(format!(
                    "{key} is a secret: everybody can see the arguments of a command; it is asked for, or read as a line \
                     from standard input"
                ));
            }
            Some(p) => in_the_configuration(p, value).map_err(|why| format!("{key} {why}"))?,
            None if config::RECEIVER_KEYS.contains(&key) => literal(value),
            None => {
                let names: Vec<_> = service.parameters.iter().map(|p| p.name.get_ref().as_str()).collect();
                return Err(format!("{key} is not one of its parameters; they are {}", names.join(", ")));
            }
        };
        self.put(key, written);
        Ok(())
    }

    /// In the place of what it was, if it was anything.
    pub fn put(&mut self, key: &str, written: String) {
        match self.lines.iter_mut().find(|(name, _)| name == key) {
            Some((_, value)) => *value = written,
            None => self.lines.push((key.to_owned(), written)),
        }
    }

    pub fn has(&self, key: &str) -> bool {
        self.lines.iter().any(|(name, _)| name == key) || self.secrets.contains_key(key)
    }

    /// As it was typed; none of a secret.
    pub fn shown(&self, key: &str) -> Option<String> {
        let written = self.lines.iter().find(|(name, _)| name == key).map(|(_, value)| value)?;
        let parsed = toml::from_str::<toml::Table>(&format!("v = {written}")).ok()?;
        Some(parsed["v"].as_str().unwrap_or(written).to_owned())
    }

    /// Whether this parameter is asked for, and if it is, whether it must be given.
    pub fn wants(&self, service: &Service, parameter: &Parameter) -> Option<bool> {
        let key = parameter.name.get_ref().as_str();
        let choices = service.choices.iter().zip(&self.chosen);
        let mut of_it = choices.filter_map(|(choice, chosen)| Some((choice, chosen, choice.place_of(key)?)));
        let Some((choice, chosen, (way, at))) = of_it.next() else { return Some(parameter.is_required()) };
        let taken = choice.taken(|name| self.has(name)).first().copied().or(chosen.flatten());
        let follows = parameter.secret && at > 0;
        let is_alone = follows && !self.has(&choice.ways[way][at - 1]);
        match (taken, chosen) {
            (Some(taken), _) if taken != way => None,
            (None, Some(_)) => None,
            _ if is_alone => None,
            (Some(_), _) => Some(at == 0 || follows || parameter.is_required()),
            // Nobody can be asked for the way: each may be given.
            (None, None) => Some(false),
        }
    }

    /// Whether everything is given that must be; then no login is meant where none is given.
    pub fn is_complete(&mut self, service: &Service) -> bool {
        let is_open = |choice: &Choice| !choice.optional && choice.taken(|name| self.has(name)).is_empty();
        let is_wanted = |parameter: &Parameter| {
            !self.has(parameter.name.get_ref()) && self.wants(service, parameter) == Some(true)
        };
        let is_complete = !service.choices.iter().any(is_open) && !service.parameters.iter().any(is_wanted);
        for i in (0..service.choices.len()).filter(|_| is_complete) {
            if service.choices[i].taken(|name| self.has(name)).is_empty() {
                self.chosen[i] = Some(None);
            }
        }
        is_complete
    }

    /// The receiver as the configuration would have it.
    pub fn receiver(&self) -> Result<config::Receiver, String> {
        let text: String = self.lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        let receiver: config::Receiver = toml::from_str(&text).map_err(|e| config::why(&text, &e, &[]))?;
        Ok(config::Receiver { name: self.name.clone(), ..receiver })
    }
}

/// `value`, as somebody typed it, as the configuration has it. The error says what is accepted.
pub(super) fn in_the_configuration(parameter: &Parameter, value: &str) -> Result<String, String> {
    if parameter.name.get_ref() == "argv" {
        return arguments(value);
    }
    parameter.check(value)?;
    Ok(match parameter.form {
        Type::Integer | Type::Boolean => value.to_owned(),
        _ => quoted(value),
    })
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
