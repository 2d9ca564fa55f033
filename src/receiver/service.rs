//! What there is to send to: every kind of receiver with what it asks for, be it described by a definition or built in.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::definition::{self, Choice, Mistake, OWN, Parameter};
use crate::config;

/// The kinds that are code. What they ask for stands in a file all the same.
const NATIVE: [(&str, &str); 4] = [
    ("command", include_str!("../../receivers/native/command.toml")),
    ("mail", include_str!("../../receivers/native/mail.toml")),
    ("x", include_str!("../../receivers/native/x.toml")),
    ("x-dm", include_str!("../../receivers/native/x-dm.toml")),
];

/// A kind of receiver, as a person meets it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its name in `[[receiver]]`.
    #[serde(skip)]
    pub kind: String,
    /// What it calls itself.
    pub title: String,
    /// What it is and what it costs, in one line.
    pub summary: String,
    /// What the person at the phone does, step by step.
    pub phone: Vec<String>,
    /// What nobody could confirm so far.
    #[serde(default)]
    pub unconfirmed: Vec<String>,
    /// What the administrator gives, in the order in which it is asked for.
    #[serde(default, rename = "parameter")]
    pub parameters: Vec<Parameter>,
    /// Which of these exclude each other.
    #[serde(default, rename = "choice")]
    pub choices: Vec<Choice>,
    /// The parameters that are no secret and belong to the login all the same.
    #[serde(default)]
    pub login: Vec<String>,
    /// What the administrator does about each answer of which that is known; one that begins another stands behind it.
    #[serde(default)]
    pub advice: Vec<String>,
    /// The parameter whose value the service can be asked for, and what the person does before.
    #[serde(skip)]
    pub discovers: Option<(String, String)>,
}

/// The kind called `kind`; none if there is none.
pub fn find(kind: &str) -> Option<Result<Service, Mistake>> {
    match NATIVE.iter().find(|(name, _)| *name == kind) {
        Some((name, text)) => Some(native(name, text)),
        None => Some(definition::find(kind)?.map(|definition| described(&definition))),
    }
}

/// Every kind that there is, by name. The second is what is wrong with the definition.
pub fn list() -> BTreeMap<String, Result<Service, Mistake>> {
    let defined = definition::list(Path::new(OWN));
    let mut all: BTreeMap<_, _> =
        defined.into_iter().map(|entry| (entry.kind, entry.definition.map(|d| described(&d)))).collect();
    all.extend(NATIVE.iter().map(|(name, text)| ((*name).to_owned(), native(name, text))));
    all
}

/// What follows where `kind` is not there: the one that is meant, or where all of them are listed.
pub(crate) fn suggestion(kind: &str) -> String {
    let kinds: Vec<_> = list().into_keys().collect();
    match config::nearest(kind, kinds.iter().map(String::as_str)) {
        Some(meant) => format!(" (did you mean \"{meant}\"?)"),
        None => "; authalert receivers lists them".into(),
    }
}

fn native(kind: &str, text: &str) -> Result<Service, Mistake> {
    let parsed: Result<Service, _> = toml::from_str(text);
    let mistake = |e: toml::de::Error| Mistake {
        file: format!("{kind}.toml (built in)"),
        line: None,
        column: None,
        why: e.message().to_owned(),
    };
    parsed.map(|service| Service { kind: kind.to_owned(), ..service }).map_err(mistake)
}

fn described(definition: &definition::Definition) -> Service {
    Service {
        kind: definition.kind().to_owned(),
        title: definition.title().to_owned(),
        summary: definition.summary().to_owned(),
        phone: definition.phone().to_vec(),
        unconfirmed: definition.unconfirmed().to_vec(),
        parameters: definition.parameters().to_vec(),
        choices: definition.choices().cloned().collect(),
        login: definition.login().map(str::to_owned).collect(),
        advice: definition.advice().map(str::to_owned).collect(),
        discovers: definition.discovers().map(|(name, before)| (name.to_owned(), before.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_says_what_it_is_and_what_it_asks_for() {
        let all = list();
        for (kind, service) in &all {
            let service = service.as_ref().unwrap_or_else(|mistake| panic!("{mistake}"));
            assert!(
                service.kind == *kind && !service.summary.is_empty() && !service.phone.is_empty(),
                "{kind}"
            );
            for parameter in &service.parameters {
                let examples =
                    parameter.example.iter().filter(|e| parameter.pattern.is_some() && e.is_ascii());
                for value in examples.cloned().chain(parameter.default_text()) {
                    parameter.check(&value).unwrap_or_else(|why| panic!("{kind} {value}: {why}"));
                }
            }
        }
        assert!(["x", "x-dm", "mail", "command", "ntfy"].iter().all(|kind| all.contains_key(*kind)));
        assert!(find("pigeon").is_none() && find("telegram").unwrap().unwrap().discovers.is_some());
    }
}
