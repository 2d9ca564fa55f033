//! What a kind of receiver asks of the administrator: an address, a token, a number.

use std::net::IpAddr;

use regex_lite::Regex;
use serde::{Deserialize, Deserializer, de};
use toml::Spanned;
use ureq::http::Uri;

use crate::neutral;

/// Longest value; the signed addresses of Teams have some 300 characters.
const VALUE_LIMIT: usize = 2048;

/// The form of a parameter's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// One line.
    #[default]
    Text,
    /// A server: `https://HOST`, a port and a path may follow.
    Server,
    /// A whole address, which may have a path and a query: a webhook.
    Url,
    /// A telephone number with its country, `+358401234567`.
    Phone,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
}

/// A regular expression that the whole value must match.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let whole = format!("^(?:{text})$");
        regex_lite::RegexBuilder::new(&whole).size_limit(64 << 10).build().map(Self).map_err(|why| {
            let why = neutral::text(why.to_string(), 120);
            de::Error::custom(format!("\"{}\" is not a regular expression: {why}", neutral::name(&text)))
        })
    }
}

/// One parameter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Its key in `[[receiver]]` or, if it is secret, in the credentials.
    pub name: Spanned<String>,
    /// The form of its value.
    #[serde(rename = "type", default)]
    pub form: Type,
    /// It stands in the credentials, and is never shown.
    #[serde(default)]
    pub secret: bool,
    /// It need not be given. What the request has on it is then left out.
    #[serde(default)]
    pub optional: bool,
    /// Its value where none is given.
    pub default: Option<Spanned<toml::Value>>,
    /// What the whole value must match.
    pub pattern: Option<Pattern>,
    /// A value as it looks, for the prompt and for errors.
    pub example: Option<String>,
    /// Where a person finds it: one sentence.
    pub find: String,
}

/// Why a value cannot be this parameter's. Does not show the value.
pub type Why = String;

impl Parameter {
    /// Whether the administrator has to give it.
    pub fn is_required(&self) -> bool {
        !self.optional && self.default.is_none()
    }

    /// The default as text; none if there is none.
    pub fn default_text(&self) -> Option<String> {
        self.default.as_ref().and_then(|value| text_of(value.get_ref()))
    }

    /// Whether `value`, as somebody typed it, can be this parameter's. The error says what is accepted.
    pub fn check(&self, value: &str) -> Result<(), Why> {
        if value.is_empty() {
            return Err("is empty".into());
        }
        if value.len() > VALUE_LIMIT {
            return Err(format!("is longer than {VALUE_LIMIT} bytes"));
        }
        if !value.chars().all(neutral::is_visible) || value.trim() != value {
            return Err("must be one line, without a blank before or behind it".into());
        }
        if matches!(self.form, Type::Server | Type::Url) && has_login(value) {
            return Err("must have no user and password in it, for an address is shown: they are parameters of their own, \
                        where the service takes them, and belong into the credentials file"
                .into());
        }
        let good = match self.form {
            Type::Text => true,
            Type::Server => is_url(value, false),
            Type::Url => is_url(value, true),
            Type::Phone => value.strip_prefix('+').is_some_and(|digits| {
                (7..=15).contains(&digits.len())
                    && digits.bytes().all(|b| b.is_ascii_digit())
                    && !digits.starts_with('0')
            }),
            Type::Integer => value.parse::<i64>().is_ok(),
            Type::Boolean => value.parse::<bool>().is_ok(),
        };
        if !good {
            let meant = match self.form {
                Type::Server | Type::Url => without_scheme(value).unwrap_or_default(),
                _ => "",
            };
            return Err(format!("must be {}{meant}", self.form.accepted()));
        }
        match &self.pattern {
            Some(pattern) if !pattern.0.is_match(value) => {
                if let Some(choice) = choice_of(pattern.0.as_str()) {
                    return Err(format!("must be {choice}"));
                }
                let example = self.example.as_ref();
                Err(match (in_words(pattern.0.as_str()), example) {
                    (Some(words), Some(example)) => format!("must be {words}, such as {example}"),
                    (Some(words), None) => format!("must be {words}"),
                    (None, Some(example)) => format!("must look like {example}"),
                    (None, None) => format!("must match {}", pattern.0.as_str()),
                })
            }
            _ => Ok(()),
        }
    }
}

impl Type {
    /// What is accepted, in words.
    pub fn accepted(self) -> &'static str {
        match self {
            Self::Text => "one line of text",
            Self::Server => {
                "https://HOST or https://HOST:PORT, with or without a path (http:// to this machine alone)"
            }
            Self::Url => "https://HOST/PATH, the whole address (http:// to this machine alone)",
            Self::Phone => "a number with its country, such as +358401234567",
            Self::Integer => "a whole number",
            Self::Boolean => "true or false",
        }
    }
}

/// A scalar as text.
pub(super) fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Whether it is `http://` or `https://`, a host, maybe a port and a path, and a query only where it `may_have_query`.
fn is_url(text: &str, may_have_query: bool) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let Some(authority) = uri.authority() else { return false };
    matches!(uri.scheme_str(), Some("http" | "https"))
        && !authority.as_str().contains('@')
        && !authority.host().is_empty()
        && !text.contains('#')
        && (may_have_query || uri.query().is_none())
}

/// What is meant by an address that lacks nothing but what it begins with. It is not shown.
fn without_scheme(value: &str) -> Option<&'static str> {
    if value.contains("://") || !is_url(&format!("https://{value}"), true) {
        return None;
    }
    Some(match is_loopback(&format!("http://{value}")) {
        true => "; did you mean the same with http:// before it?",
        false => "; did you mean the same with https:// before it?",
    })
}

/// What a pattern accepts that is a choice between words: `starttls|implicit|none`.
fn choice_of(pattern: &str) -> Option<String> {
    let words = pattern.strip_prefix("^(?:")?.strip_suffix(")$")?;
    let (others, last) = words.rsplit_once('|')?;
    let is_plain = words.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'|');
    is_plain.then(|| format!("{} or {last}", others.replace('|', ", ")))
}

/// What a pattern of one class of characters accepts: `[-_A-Za-z0-9]{1,64}`.
fn in_words(pattern: &str) -> Option<String> {
    let pattern = pattern.strip_prefix("^(?:")?.strip_suffix(")$")?;
    let (class, times) = pattern.strip_prefix('[')?.split_once(']')?;
    let (mut words, mut rest) = (Vec::new(), class);
    let ranges =
        [("A-Za-z", "letters"), ("a-z", "small letters"), ("A-Z", "capital letters"), ("0-9", "digits")];
    let mut characters = Vec::new();
    while let Some(c) = rest.chars().next() {
        if let Some((range, word)) = ranges.iter().find(|(range, _)| rest.starts_with(range)) {
            words.push((*word).to_owned());
            rest = &rest[range.len()..];
            continue;
        }
        match c {
            ' ' => characters.push("blanks".to_owned()),
            '-' | '_' | '.' | '+' | '@' => characters.push(c.to_string()),
            _ => return None,
        }
        rest = &rest[c.len_utf8()..];
    }
    words.extend(characters);
    let last = words.pop()?;
    let words = if words.is_empty() { last } else { format!("{} and {last}", words.join(", ")) };
    let most = match times {
        "+" => return Some(words),
        _ => times.strip_prefix('{')?.strip_suffix('}')?,
    };
    let number = |text: &str| text.parse::<u32>().ok();
    Some(match most.split_once(',') {
        None => format!("{words}, {} of them", number(most)?),
        Some(("0" | "1", most)) => format!("{words}, at most {} of them", number(most)?),
        Some((least, most)) => format!("{words}, {} to {} of them", number(least)?, number(most)?),
    })
}

/// Whether `https://USER:PASSWORD@HOST` is meant.
fn has_login(text: &str) -> bool {
    let (_, rest) = text.split_once("://").unwrap_or(("", text));
    rest.split(['/', '?', '#']).next().unwrap_or_default().contains('@')
}

/// Scheme and authority, and what follows them.
pub(super) fn split_url(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    Some(text.split_at(scheme.len() + 3 + end))
}

/// Whether `http://` of this address goes no further than this machine.
pub(super) fn is_loopback(url: &str) -> bool {
    let uri = url.parse::<Uri>().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(text: &str) -> Parameter {
        toml::from_str(&format!("name = \"p\"\nfind = \"here\"\n{text}")).unwrap()
    }

    #[test]
    fn a_choice_is_said_whole() {
        let unit = parameter("type = \"text\"\npattern = \"characters|bytes|gsm7\"\nexample = \"gsm7\"");
        assert_eq!(unit.check("x").unwrap_err(), "must be characters, bytes or gsm7");
        assert_eq!(choice_of("^(?:[+]?[0-9]{1,16}|[A-Za-z0-9]{1,11})$"), None);
        assert_eq!(choice_of("^(?:one)$"), None);
    }

    #[test]
    fn a_pattern_of_one_class_is_said_in_words_and_any_other_is_not() {
        let words = |pattern: &str| in_words(&format!("^(?:{pattern})$"));
        for (pattern, said) in [
            ("[A-Za-z0-9]{30}", "letters and digits, 30 of them"),
            ("[0-9]{1,19}", "digits, at most 19 of them"),
            ("[-_.A-Za-z0-9]{10,40}", "letters, digits, -, _ and ., 10 to 40 of them"),
            ("[a-z]+", "small letters"),
            ("[A-Za-z0-9 ]{1,11}", "letters, digits and blanks, at most 11 of them"),
        ] {
            assert_eq!(words(pattern).as_deref(), Some(said), "{pattern}");
        }
        for pattern in [
            "tk_[a-z]+",
            "[^a]+",
            "[a-f]{2}",
            "[a]{2}",
            "[a-z]",
            "[a-z]*",
            "[0-9]{x}",
            "a|b",
            "[]+",
            "[a-z][0-9]{1}",
        ] {
            assert_eq!(words(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_right_is_refused_with_what_is_accepted_and_not_shown() {
        for (form, good, bad) in [
            ("server", "https://ntfy.example:8443/base", "ntfy.example"),
            ("server", "http://127.0.0.1:8080", "https://h/?q=1"),
            ("server", "https://[2001:db8::1]", "ftp://h"),
            ("url", "https://h/hooks/a?sig=b%2F", "https://user:pw@h/"),
            ("url", "https://h/x", "https://h/#x"),
            ("server", "https://h", "https://hush:hush@h"),
            ("server", "https://h", "https://hush@h/base"),
            ("server", "https://h", "hush:hush@h"),
            ("phone", "+358401234567", "0401234567"),
            ("phone", "+15005550006", "+3584012345678901"),
            ("integer", "-100123", "1.5"),
            ("boolean", "true", "yes"),
            ("text", "a b", " a"),
            ("text", "ä", "a\nb"),
            ("text", "x", ""),
        ] {
            let parameter = parameter(&format!("type = \"{form}\""));
            parameter.check(good).unwrap_or_else(|why| panic!("{form} {good}: {why}"));
            let why = parameter.check(bad).unwrap_err();
            assert!(bad.len() < 3 || !why.contains(bad), "{form} {bad}: {why}");
        }
        let token = parameter("pattern = \"tk_[a-z0-9]+\"\nexample = \"tk_abc\"");
        token.check("tk_1").unwrap();
        assert_eq!(token.check("x tk_1").unwrap_err(), "must look like tk_abc");
        let topic = parameter("pattern = \"[-_A-Za-z0-9]{1,64}\"\nexample = \"alerts-7\"");
        assert_eq!(
            topic.check("a b").unwrap_err(),
            "must be letters, digits, - and _, at most 64 of them, such as alerts-7"
        );
        for (value, scheme) in
            [("localhost:18780", "http://"), ("[::1]:80", "http://"), ("h.example/base", "https://")]
        {
            let why = parameter("type = \"server\"").check(value).unwrap_err();
            assert!(
                why.ends_with(&format!("; did you mean the same with {scheme} before it?")),
                "{value}: {why}"
            );
        }
        for form in ["server", "url"] {
            let parameter = self::parameter(&format!("type = \"{form}\""));
            for value in ["https://hush:hush@h", "https://hush@h/base", "hush:hush@h"] {
                let why = parameter.check(value).unwrap_err();
                assert!(
                    why.contains("no user and password") && !why.contains("hush"),
                    "{form} {value}: {why}"
                );
            }
            assert!(parameter.check("https://h/a@b").is_ok(), "{form}");
        }
        assert!(token.check(&"x".repeat(3000)).unwrap_err().contains("longer"));
    }

    #[test]
    fn an_address_is_split_behind_its_host() {
        assert_eq!(split_url("https://h:1/a/b?c"), Some(("https://h:1", "/a/b?c")));
        assert_eq!(split_url("https://h?c"), Some(("https://h", "?c")));
        assert_eq!(split_url("https://h"), Some(("https://h", "")));
        assert!(
            is_loopback("http://[::1]:80/x") && is_loopback("http://localhost") && !is_loopback("http://h")
        );
    }
}
