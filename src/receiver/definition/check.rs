//! Whether the pieces of a definition fit together: every mistake with its line and what is accepted.

mod answer;

use std::ops::Range;

use toml::Spanned;
use ureq::http::HeaderName;

use super::expand::is_field_value;
use super::model::{File, Node, Request};
use super::parameter::{Parameter, Type, text_of};
use super::template::{Part, Placeholder, RESERVED, Template};
use crate::config::RECEIVER_KEYS;
use crate::neutral;
use crate::receiver::http::Method;

/// Where it is wrong, and why.
pub(super) type Mistake = (Option<Range<usize>>, String);

/// Header fields that the client itself writes.
const OWN_HEADERS: [&str; 8] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "user-agent",
];

/// The first thing in `file` that does not fit.
pub(super) fn check(file: &File) -> Result<(), Mistake> {
    words(file)?;
    parameters(&file.parameters)?;
    choices(file)?;
    priority(file)?;
    let uses = request(file)?;
    if !uses.contains(&Placeholder::Text) && !uses.contains(&Placeholder::Facts) {
        return wrong(&file.request.method, "{text} is nowhere in the request's body or query");
    }
    if let Some(knows) = file.knows_repeats.as_ref().filter(|knows| *knows.get_ref()) {
        if !uses.contains(&Placeholder::Key) {
            return wrong(knows, "knows_repeats = true needs {key} somewhere in the request");
        }
    }
    for parameter in &file.parameters {
        let name = parameter.name.get_ref();
        let found = |p: &Placeholder| matches!(p, Placeholder::Parameter(used) if used == name);
        if !uses.iter().any(found) {
            return wrong(&parameter.name, format!("the request does not use {{{name}}}"));
        }
    }
    answer::check(&file.answer)?;
    discover(file)
}

fn wrong<T, V>(at: &Spanned<V>, why: impl Into<String>) -> Result<T, Mistake> {
    Err((Some(at.span()), why.into()))
}

fn words(file: &File) -> Result<(), Mistake> {
    let one_line = |text: &String| !text.is_empty() && text.chars().all(neutral::is_visible);
    for (key, text) in [("title", &file.title), ("summary", &file.summary)] {
        if !one_line(text) {
            return Err((None, format!("{key} must be one line")));
        }
    }
    if file.phone.is_empty() {
        return Err((None, "phone must say what the person at the phone does, a line for each step".into()));
    }
    let lines = file.phone.iter().chain(&file.unconfirmed).chain(&file.try_it);
    let lines = lines.chain(file.parameters.iter().map(|p| &p.find));
    match lines.chain(file.choices.iter().map(|choice| &choice.get_ref().find)).find(|line| !one_line(line)) {
        Some(line) => Err((None, format!("\"{}\" must be one line", neutral::name(line)))),
        None => Ok(()),
    }
}

fn parameters(parameters: &[Parameter]) -> Result<(), Mistake> {
    for (i, parameter) in parameters.iter().enumerate() {
        let name = parameter.name.get_ref().as_str();
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if name.is_empty() || name.len() > 32 || !name.bytes().all(good) {
            return wrong(&parameter.name, "a parameter's name has a to z, 0 to 9 and _, at most 32 of them");
        }
        if RESERVED.contains(&name) || ["kind", "name"].contains(&name) || RECEIVER_KEYS.contains(&name) {
            return wrong(
                &parameter.name,
                format!("\"{name}\" has a meaning of its own; choose another name"),
            );
        }
        if parameters[..i].iter().any(|other| other.name.get_ref() == name) {
            return wrong(&parameter.name, format!("two parameters are called \"{name}\""));
        }
        let Some(default) = &parameter.default else { continue };
        if parameter.secret || parameter.optional {
            return wrong(default, "what is secret or optional has no default");
        }
        let checked = match text_of(default.get_ref()) {
            Some(text) => parameter.check(&text),
            None => Err("must be a text, a whole number, true or false".into()),
        };
        if let Err(why) = checked {
            return wrong(default, format!("the default of {name} {why}"));
        }
    }
    Ok(())
}

fn choices(file: &File) -> Result<(), Mistake> {
    for (i, spanned) in file.choices.iter().enumerate() {
        let choice = spanned.get_ref();
        if choice.ways.len() < 2 || choice.ways.iter().any(Vec::is_empty) {
            return wrong(spanned, "ways lists two ways or more, each with its parameters");
        }
        for name in choice.ways.iter().flatten() {
            let shown = neutral::name(name);
            let Some(parameter) = file.parameters.iter().find(|p| p.name.get_ref() == name) else {
                return wrong(spanned, format!("{shown} is not a parameter"));
            };
            if !parameter.optional {
                return wrong(
                    spanned,
                    format!("{shown} is in a way of a choice, so it must be optional = true"),
                );
            }
            let all = file.choices[..=i].iter().flat_map(|choice| choice.get_ref().ways.iter().flatten());
            if all.filter(|other| *other == name).count() > 1 {
                return wrong(spanned, format!("{shown} is in two ways"));
            }
        }
    }
    Ok(())
}

fn priority(file: &File) -> Result<(), Mistake> {
    let Some(priority) = &file.priority else { return Ok(()) };
    for value in [&priority.break_in, &priority.urgent, &priority.normal] {
        if !value.get_ref().is_integer() && !value.get_ref().is_str() {
            return wrong(value, "a priority is a whole number or a word");
        }
    }
    Ok(())
}

/// Check the request; every placeholder in it.
fn request(file: &File) -> Result<Vec<Placeholder>, Mistake> {
    let request = &file.request;
    body(request)?;
    address(file, request.url.get_ref()).or_else(|why| wrong(&request.url, why))?;
    for (name, template) in &request.headers {
        let lower = name.to_ascii_lowercase();
        if HeaderName::from_bytes(name.as_bytes()).is_err() || OWN_HEADERS.contains(&lower.as_str()) {
            return wrong(template, format!("\"{}\" is not a header field to set here", neutral::name(name)));
        }
        let literal = |part: &Part| matches!(part, Part::Literal(l) if !is_field_value(l));
        if template.get_ref().0.iter().any(literal) {
            return wrong(template, "a header field takes visible ASCII characters only");
        }
    }
    let heads = request.headers.values().chain(&request.bearer).map(|t| (t.span(), t.get_ref()));
    let basic = request.basic.iter().flat_map(|b| b.get_ref().iter().map(|t| (b.span(), t)));
    let head: Vec<_> = heads.chain(basic).chain([(request.url.span(), request.url.get_ref())]).collect();
    for (span, template) in &head {
        if let Some(p) = template.placeholders().find(|p| is_words(p)) {
            let why = format!("{{{}}} may be in the body and in the query only", p.name());
            return Err((Some(span.clone()), why));
        }
    }
    let mut all = head;
    let forms = request.form.iter().flat_map(|form| form.values());
    all.extend(request.query.values().chain(forms).chain(&request.plain).map(|t| (t.span(), t.get_ref())));
    if let Some(json) = &request.json {
        texts(json, &mut all);
    }
    let mut uses = Vec::new();
    for (span, template) in all {
        for placeholder in template.placeholders() {
            known(file, placeholder, template).map_err(|why| (Some(span.clone()), why))?;
            uses.push(placeholder.clone());
        }
    }
    Ok(uses)
}

fn body(request: &Request) -> Result<(), Mistake> {
    let bodies = [request.json.is_some(), request.form.is_some(), request.plain.is_some()];
    let count = bodies.into_iter().filter(|there| *there).count();
    match (request.method.get_ref(), count) {
        (Method::Get, 0) | (Method::Post | Method::Put, 1) => Ok(()),
        (Method::Get, _) => wrong(&request.method, "GET has no body; put the text into [request.query]"),
        _ => wrong(&request.method, "POST and PUT have one body: [request.json], [request.form] or plain"),
    }
}

/// The texts of a JSON body.
fn texts<'f>(node: &'f Spanned<Node>, all: &mut Vec<(Range<usize>, &'f Template)>) {
    match node.get_ref() {
        Node::Object(members) => members.iter().for_each(|(_, member)| texts(member, all)),
        Node::List(nodes) => nodes.iter().for_each(|node| texts(node, all)),
        Node::Text(template) => all.push((node.span(), template)),
        Node::Other(_) => {}
    }
}

fn is_words(placeholder: &Placeholder) -> bool {
    matches!(placeholder, Placeholder::Text | Placeholder::Title | Placeholder::Facts)
}

fn known(file: &File, placeholder: &Placeholder, template: &Template) -> Result<(), String> {
    match placeholder {
        Placeholder::Parameter(name) if !file.parameters.iter().any(|p| p.name.get_ref() == name) => {
            let names = file.parameters.iter().map(|p| p.name.get_ref().as_str());
            let known: Vec<_> = RESERVED.into_iter().chain(names).collect();
            Err(format!(
                "{{{name}}} is neither a parameter nor one of the message's; there are {}",
                known.join(", ")
            ))
        }
        Placeholder::Priority if file.priority.is_none() => {
            Err("{priority} needs [priority] with break-in, urgent and normal".into())
        }
        Placeholder::Facts if template.single().is_none() => {
            Err("{facts} is an object and must be alone: member = \"{facts}\"".into())
        }
        _ => Ok(()),
    }
}

/// A URL begins with a parameter that is an address, or with `https://HOST`; a placeholder in the host could send
/// everything elsewhere.
fn address(file: &File, url: &Template) -> Result<(), String> {
    const ACCEPTED: &str = "the URL begins with https://HOST/ or with the parameter of type server or url";
    let whole_query = "what follows the ? goes into [request.query]";
    match url.0.first() {
        Some(Part::Literal(text)) => {
            let host = text.strip_prefix("https://").and_then(|rest| rest.split_once('/'));
            if host.is_none_or(|(host, _)| host.is_empty() || host.contains(['@', '?', '#'])) {
                return Err(ACCEPTED.into());
            }
        }
        Some(Part::Value(Placeholder::Parameter(name), filters)) if filters.is_empty() => {
            let form = file.parameters.iter().find(|p| p.name.get_ref() == name).map(|p| p.form);
            match form {
                Some(Type::Server) => {
                    if !matches!(url.0.get(1), Some(Part::Literal(next)) if next.starts_with('/')) {
                        return Err(format!("a / must follow {{{name}}}"));
                    }
                }
                Some(Type::Url) if url.0.len() == 1 => {}
                Some(Type::Url) => {
                    return Err(format!("{{{name}}} is the whole address; nothing follows it"));
                }
                _ => return Err(ACCEPTED.into()),
            }
        }
        _ => return Err(ACCEPTED.into()),
    }
    let literal = |part: &Part| matches!(part, Part::Literal(l) if l.contains(['?', '#']) || !l.bytes().all(|b| b.is_ascii_graphic()));
    if url.0.iter().any(literal) { Err(whole_query.into()) } else { Ok(()) }
}

fn discover(file: &File) -> Result<(), Mistake> {
    let Some(spanned) = &file.discover else { return Ok(()) };
    let discover = spanned.get_ref();
    let found = |p: &Parameter| *p.name.get_ref() == discover.parameter;
    if !file.parameters.iter().any(found) {
        return wrong(spanned, format!("{} is not a parameter", neutral::name(&discover.parameter)));
    }
    address(file, &discover.url).or_else(|why| wrong(spanned, why))?;
    for placeholder in discover.url.placeholders() {
        match placeholder {
            Placeholder::Parameter(name) if *name != discover.parameter => {
                known(file, placeholder, &discover.url).or_else(|why| wrong(spanned, why))?;
            }
            _ => return wrong(spanned, "the URL takes the other parameters only"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// authalert-receivers(5) as a person reads it.
    const PAGE: &str = include_str!("../../../packaging/man/authalert-receivers.5");

    #[test]
    fn the_manual_names_every_name_that_a_parameter_cannot_have() {
        let page = PAGE.replace("\\-", "-").replace('\n', " ");
        let list = page.split("It cannot be").nth(1).unwrap().split('.').next().unwrap();
        let named: Vec<&str> = list.split([' ', ',']).filter(|word| !word.is_empty()).collect();
        for name in RESERVED.iter().chain(&["kind", "name"]).chain(&RECEIVER_KEYS) {
            assert!(named.contains(name), "{name} is not in the manual: {list}");
        }
    }

    #[test]
    fn a_choice_is_between_ways_of_optional_parameters() {
        let text = include_str!("../../../receivers/ntfy.toml");
        let mistake = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            let file: File = toml::from_str(&text.replacen(from, to, 1)).unwrap();
            check(&file).unwrap_err().1
        };
        let ways = "ways = [[\"token\"], [\"user\", \"password\"]]";
        for (to, words) in [
            ("ways = [[\"token\"]]", "two ways or more"),
            ("ways = [[\"token\"], []]", "two ways or more"),
            ("ways = [[\"token\"], [\"usr\"]]", "usr is not a parameter"),
            ("ways = [[\"token\"], [\"topic\"]]", "topic is in a way of a choice"),
            ("ways = [[\"token\"], [\"user\", \"token\"]]", "token is in two ways"),
        ] {
            let why = mistake(ways, to);
            assert!(why.contains(words), "{to}: {why}");
        }
    }
}
