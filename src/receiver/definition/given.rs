//! The values that the administrator gave for a definition's parameters.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

use super::parameter::{Parameter, Type, is_loopback, text_of};
use crate::config;
use crate::credentials::{Secret, Secrets};
use crate::receiver::build::Error;

/// Every value by its parameter's name. Wiped when dropped; shown nowhere.
pub struct Given(BTreeMap<String, Value>);

struct Value {
    text: Secret,
    form: Type,
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Given {
    /// From a `[[receiver]]`'s own keys and its secrets. Every error names the parameter and what is accepted, and
    /// shows no value.
    ///
    /// With `all` false a missing parameter is no error.
    pub fn read(
        parameters: &[Parameter],
        receiver: &config::Receiver,
        secrets: &Secrets,
        all: bool,
    ) -> Result<Self, Error> {
        let table = &receiver.parameters;
        let section = if receiver.name.is_empty() { &receiver.kind } else { &receiver.name };
        let name_of = |p: &Parameter| p.name.get_ref().clone();
        let is_known = |key: &String| parameters.iter().any(|p| p.name.get_ref() == key);
        let names = parameters.iter().map(name_of).collect::<Vec<_>>().join(", ");
        if let Some(key) = table.keys().find(|key| !is_known(key)) {
            return Err(Error::Config(receiver.not_a_parameter(key, &names)));
        }
        // Neither the key is shown: somebody may have put a secret there.
        if let Some((key, secret)) = secrets.iter().find(|(key, _)| !is_known(key)) {
            let meant = config::nearest(key, parameters.iter().map(|p| p.name.get_ref().as_str()));
            let meant = meant.map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
            return Err(Error::Credentials(secret.says(&format!(
                "a key of the table [{section}] in the credentials is not one of its parameters{meant}; they are {names}"
            ))));
        }
        let mut given = BTreeMap::new();
        for parameter in parameters {
            let name = parameter.name.get_ref();
            let text = match (secrets.get(name), table.get(name)) {
                (Some(_), Some(_)) => {
                    return Err(Error::Config(format!(
                        "{name} is both in the configuration and in the credentials; take one out"
                    )));
                }
                (Some(secret), None) => {
                    let checked = parameter.check(secret.expose());
                    checked.map_err(|why| Error::Credentials(secret.says(&format!("{name} {why}"))))?;
                    secret.clone()
                }
                (None, Some(_)) if parameter.secret => {
                    return Err(Error::Config(format!(
                        "{name} is a secret: move it to the credentials file, into the table [{section}]"
                    )));
                }
                (None, Some(value)) => Secret::new(from_config(parameter, value)?),
                (None, None) => match parameter.default_text() {
                    Some(default) => Secret::new(default),
                    None if parameter.optional || !all => continue,
                    None => return Err(missing(parameter, section)),
                },
            };
            given.insert(name.clone(), Value { text, form: parameter.form });
        }
        Ok(Self(given))
    }

    /// Whether there is a value of `name`.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The value of `name` as text.
    pub fn text(&self, name: &str) -> Option<Zeroizing<String>> {
        self.0.get(name).map(|value| Zeroizing::new(value.text.expose().to_owned()))
    }

    /// The value of `name` as JSON, of its own type.
    pub fn json(&self, name: &str) -> Option<serde_json::Value> {
        let value = self.0.get(name)?;
        let text = value.text.expose();
        Some(match value.form {
            Type::Integer => text.parse::<i64>().ok()?.into(),
            Type::Boolean => text.parse::<bool>().ok()?.into(),
            _ => text.into(),
        })
    }

    /// Every value that must not be seen: what is declared secret, and what is in the credentials.
    pub fn hidden(&self, parameters: &[Parameter], secrets: &Secrets) -> Vec<Secret> {
        let is_hidden = |name: &str| {
            secrets.contains_key(name) || parameters.iter().any(|p| p.secret && p.name.get_ref() == name)
        };
        self.0.iter().filter(|(name, _)| is_hidden(name)).map(|(_, value)| value.text.clone()).collect()
    }

    /// The first address that would send in the clear beyond this machine.
    pub fn in_the_clear(&self) -> Option<&str> {
        let plain = |value: &Value| {
            let text = value.text.expose();
            let is_address = matches!(value.form, Type::Server | Type::Url);
            is_address && text.starts_with("http://") && !is_loopback(text)
        };
        self.0.iter().find(|(_, value)| plain(value)).map(|(name, _)| name.as_str())
    }
}

fn from_config(parameter: &Parameter, value: &toml::Value) -> Result<String, Error> {
    let name = parameter.name.get_ref();
    let is_right = match parameter.form {
        Type::Integer => value.is_integer(),
        Type::Boolean => value.is_bool(),
        _ => value.is_str(),
    };
    let text = text_of(value).filter(|_| is_right).ok_or_else(|| {
        let quotes = if matches!(parameter.form, Type::Integer | Type::Boolean) { "" } else { ", in quotes" };
        Error::Config(format!("{name} must be {}{quotes}", parameter.form.accepted()))
    })?;
    parameter.check(&text).map_err(|why| Error::Config(format!("{name} {why}")))?;
    Ok(text)
}

fn missing(parameter: &Parameter, section: &str) -> Error {
    let name = parameter.name.get_ref();
    let why = format!("{name} is missing: {}", parameter.find);
    if parameter.secret {
        Error::Credentials(format!("{why}; it belongs into the credentials file, into the table [{section}]"))
    } else {
        Error::Config(why)
    }
}
