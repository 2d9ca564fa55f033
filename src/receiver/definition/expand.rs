//! From a definition and a message to the request: every value escaped by its place.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use form_urlencoded::Serializer;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use toml::Spanned;
use zeroize::{Zeroize, Zeroizing};

use super::given::Given;
use super::model::{Discover, File, Node, Priority};
use super::parameter::split_url;
use super::template::{Placeholder, Template};
use crate::neutral;
use crate::receiver::http::{Method, Request};
use crate::receiver::{Kind, Message};

/// What is escaped in a piece of a path: all but the unreserved characters, and the `:` that tokens and rooms have and
/// that means nothing in a path behind a host (RFC 3986, 3.3).
pub(super) const PIECE: AsciiSet =
    NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');
/// Titles are one short line; the smallest service takes 250 characters.
const TITLE_LIMIT: usize = 200;

/// What the placeholders are replaced by.
pub(super) struct Scope<'a> {
    pub given: &'a Given,
    pub priority: Option<&'a Priority>,
    pub message: Option<&'a Message<'a>>,
}

impl Scope<'_> {
    fn text(&self, placeholder: &Placeholder) -> Option<Zeroizing<String>> {
        match placeholder {
            Placeholder::Parameter(name) => self.given.text(name),
            Placeholder::Text => Some(Zeroizing::new(self.message?.text.to_owned())),
            _ => match self.json(placeholder)? {
                Value::String(text) => Some(Zeroizing::new(text)),
                other => Some(Zeroizing::new(other.to_string())),
            },
        }
    }

    fn json(&self, placeholder: &Placeholder) -> Option<Value> {
        if let Placeholder::Parameter(name) = placeholder {
            return self.given.json(name);
        }
        let message = self.message?;
        Some(match placeholder {
            Placeholder::Text => message.text.into(),
            Placeholder::TextUtf16 => message.text.encode_utf16().count().into(),
            Placeholder::Title => neutral::text(message.title, TITLE_LIMIT).into(),
            Placeholder::Number => message.number.into(),
            Placeholder::Key => message.key.into(),
            Placeholder::Kind => serde_json::to_value(message.kind).ok()?,
            Placeholder::Priority => self.priority?.of(message.kind),
            Placeholder::Facts => facts(message),
            Placeholder::Parameter(_) => return None,
        })
    }

    fn plain(&self, template: &Template) -> Option<Zeroizing<String>> {
        template.expand(&|p| self.text(p), &str::to_owned)
    }
}

/// The alert's figures, with its text as the member that the Elastic Common Schema has for it.
fn facts(message: &Message<'_>) -> Value {
    let mut facts = message.facts.as_object().cloned().unwrap_or_default();
    facts.entry("message").or_insert_with(|| message.text.into());
    facts.into()
}

impl Priority {
    fn of(&self, kind: Kind) -> Value {
        let value = match kind {
            Kind::BreakIn => &self.break_in,
            Kind::Urgent | Kind::NewSource => &self.urgent,
            _ => &self.normal,
        };
        match value.get_ref() {
            toml::Value::Integer(number) => (*number).into(),
            other => other.as_str().unwrap_or_default().into(),
        }
    }
}

/// A request, ready to go out. Wiped when dropped.
pub(super) struct Outgoing {
    pub method: Method,
    /// Scheme and host.
    pub server: Zeroizing<String>,
    /// Path and query.
    pub path: Zeroizing<String>,
    pub headers: Vec<(String, Zeroizing<String>)>,
    pub body: Zeroizing<Vec<u8>>,
}

impl Outgoing {
    /// Hand it to `call` in the client's form.
    pub fn with<T>(&self, call: impl FnOnce(&Request<'_>) -> T) -> T {
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        call(&Request { method: self.method, path: &self.path, headers: &headers, body: &self.body })
    }
}

/// The request that brings the message of `scope`. The error says which parameter cannot be used.
pub(super) fn message(file: &File, scope: &Scope<'_>) -> Result<Outgoing, String> {
    let request = &file.request;
    let mut outgoing = addressed(*request.method.get_ref(), request.url.get_ref(), scope)?;
    let mut query = Serializer::new(String::new());
    for (name, template) in &request.query {
        if let Some(value) = scope.plain(template.get_ref()) {
            query.append_pair(name, &value);
        }
    }
    let query = Zeroizing::new(query.finish());
    if !query.is_empty() {
        let joint = if outgoing.path.contains('?') { '&' } else { '?' };
        outgoing.path.push(joint);
        outgoing.path.push_str(&query);
    }
    for (name, template) in &request.headers {
        if let Some(value) = scope.plain(template.get_ref()) {
            outgoing.headers.push((name.to_ascii_lowercase(), value));
        }
    }
    outgoing.headers.extend(authorization(file, scope).map(|value| ("authorization".to_owned(), value)));
    if let Some((name, _)) = outgoing.headers.iter().find(|(_, value)| !is_field_value(value)) {
        return Err(format!("the header field {name} would hold characters other than visible ASCII"));
    }
    if let Some((kind, body)) = body(file, scope) {
        outgoing.headers.push(("content-type".into(), Zeroizing::new(kind.into())));
        outgoing.body = body;
    }
    Ok(outgoing)
}

/// Whether a header field can hold it without a coding that no service agrees on.
pub(super) fn is_field_value(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

/// The request that finds a parameter's value.
pub(super) fn discovery(file: &File, discover: &Discover, scope: &Scope<'_>) -> Result<Outgoing, String> {
    let mut outgoing = addressed(Method::Get, &discover.url, scope)?;
    outgoing.headers.extend(authorization(file, scope).map(|value| ("authorization".to_owned(), value)));
    Ok(outgoing)
}

fn addressed(method: Method, url: &Template, scope: &Scope<'_>) -> Result<Outgoing, String> {
    // The first parameter is the server's address: it is no piece of a path.
    let first = match url.0.first() {
        Some(super::template::Part::Value(Placeholder::Parameter(name), _)) => Some(name.as_str()),
        _ => None,
    };
    let value = |placeholder: &Placeholder| {
        let text = scope.text(placeholder)?;
        let is_address = matches!(placeholder, Placeholder::Parameter(name) if Some(name.as_str()) == first);
        Some(Zeroizing::new(match is_address {
            true => text.trim_end_matches('/').to_owned(),
            false => utf8_percent_encode(&text, &PIECE).to_string(),
        }))
    };
    let whole = url.expand(&value, &str::to_owned).ok_or("a parameter that its URL needs is missing")?;
    let (server, path) = split_url(&whole).ok_or("its URL has no host")?;
    let pieces = path.split('?').next().unwrap_or_default().split('/');
    if pieces.into_iter().any(|piece| matches!(piece, "." | "..")) {
        return Err("a parameter is \".\" or \"..\", which is no piece of a URL".into());
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok(Outgoing {
        method,
        server: Zeroizing::new(server.to_owned()),
        path: Zeroizing::new(format!("{slash}{path}")),
        headers: Vec::new(),
        body: Zeroizing::default(),
    })
}

/// The first of Bearer and Basic whose parameters were given.
fn authorization(file: &File, scope: &Scope<'_>) -> Option<Zeroizing<String>> {
    let bearer = file.request.bearer.as_ref().and_then(|template| scope.plain(template.get_ref()));
    if let Some(token) = bearer {
        return Some(Zeroizing::new(format!("Bearer {}", *token)));
    }
    let [user, password] = file.request.basic.as_ref()?.get_ref();
    let pair = Zeroizing::new(format!("{}:{}", *scope.plain(user)?, *scope.plain(password)?));
    Some(Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes()))))
}

/// The content type and the body, if there is one.
fn body(file: &File, scope: &Scope<'_>) -> Option<(&'static str, Zeroizing<Vec<u8>>)> {
    let request = &file.request;
    if let Some(node) = &request.json {
        let mut value = json(node, scope).unwrap_or_default();
        let bytes = Zeroizing::new(value.to_string().into_bytes());
        wipe(&mut value);
        return Some(("application/json", bytes));
    }
    if let Some(form) = &request.form {
        let mut out = Serializer::new(String::new());
        for (name, template) in form {
            if let Some(value) = scope.plain(template.get_ref()) {
                out.append_pair(name, &value);
            }
        }
        return Some(("application/x-www-form-urlencoded", Zeroizing::new(out.finish().into_bytes())));
    }
    let text = scope.plain(request.plain.as_ref()?.get_ref())?;
    Some(("text/plain; charset=utf-8", Zeroizing::new(text.as_bytes().to_vec())))
}

/// Overwrite every text in a value: some are secrets.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        _ => {}
    }
}

/// The JSON value of `node`; none where it is a parameter that was not given.
fn json(node: &Spanned<Node>, scope: &Scope<'_>) -> Option<Value> {
    Some(match node.get_ref() {
        Node::Object(members) => {
            members.iter().filter_map(|(name, member)| Some((name.clone(), json(member, scope)?))).collect()
        }
        Node::List(nodes) => nodes.iter().filter_map(|node| json(node, scope)).collect(),
        Node::Text(template) => match template.single() {
            Some(placeholder) => scope.json(placeholder)?,
            None => scope.plain(template)?.as_str().into(),
        },
        Node::Other(value) => value.clone(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Definition, list};
    use super::*;
    use crate::credentials::{Secret, Secrets};

    /// Values that each parameter accepts.
    fn given(definition: &Definition) -> Given {
        let mut values = Secrets::new();
        for parameter in definition.parameters() {
            let tried = [
                "https://192.0.2.1/a",
                "+358401234567",
                "17",
                "true",
                "standin",
                "standinsecretapplicationtoken1",
            ];
            let example = parameter.example.as_deref().filter(|e| e.is_ascii());
            let value = example.into_iter().chain(tried).find(|v| parameter.check(v).is_ok());
            let token = "123456789:ABCDEFGHIJKLMNOPQRSTUVWXYZ";
            values.insert(parameter.name.get_ref().clone(), Secret::new(value.unwrap_or(token)));
        }
        let receiver = toml::from_str("kind = \"example\"").unwrap();
        Given::read(definition.parameters(), &receiver, &values, true).unwrap()
    }

    /// Every text in a JSON value.
    fn texts(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::String(text) => out.push(text.clone()),
            Value::Array(values) => values.iter().for_each(|value| texts(value, out)),
            Value::Object(members) => members.values().for_each(|value| texts(value, out)),
            _ => {}
        }
    }

    #[test]
    fn what_is_written_in_a_definitions_style_goes_out_as_it_is_and_no_filter_has_anything_to_do() {
        let hostile = [
            "@everyone <!channel> http://evil.com/x \"}],\"text\":\"y\" `a` **b** [c](d) 192.0.2.7 #tag $AAPL",
            "\u{202e}\u{0}\r\n{text}{{}}%0a&to=+1\\u0000 東京 🐱",
            &"@a".repeat(5_000),
            &"&<>`\"\\".repeat(2_000),
            &"🐱".repeat(9_000),
        ];
        for entry in list(Path::new("/nonexistent")) {
            let definition = entry.definition.unwrap();
            let (style, given) = (definition.style(), given(&definition));
            for raw in hostile {
                let text = style.fitted(raw, style.limit);
                assert!(style.unit.measure(&text) <= style.limit && !text.is_empty());
                let message = Message { text: &text, key: "aa-1", ..super::super::send::EXAMPLE };
                let scope = Scope {
                    given: &given,
                    priority: definition.file.priority.as_ref(),
                    message: Some(&message),
                };
                let body = super::message(&definition.file, &scope).unwrap().body;
                let mut found = Vec::new();
                match serde_json::from_slice(&body) {
                    Ok(json) => texts(&json, &mut found),
                    Err(_) => {
                        found.extend(form_urlencoded::parse(&body).map(|(_, value)| value.into_owned()))
                    }
                }
                let plain = |f: &String| f.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
                let there = found.iter().any(|f| f.contains(&text) || plain(f).contains(&text));
                assert!(there, "{}: {text:.60} in {:.200}", entry.kind, format!("{found:?}"));
            }
        }
    }
}
