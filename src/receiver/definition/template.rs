//! A text with placeholders, `Bearer {token}`, and how each place escapes what comes in.
//!
//! A template is parsed once; what is substituted is never read for placeholders again.

use serde::{Deserialize, Deserializer, de};
use zeroize::Zeroizing;

/// What a placeholder stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// The message's text.
    Text,
    /// The text's length in UTF-16 units, for services that mark a stretch of it.
    TextUtf16,
    /// The message's one-line title.
    Title,
    /// The message's number.
    Number,
    /// What the service can know a repeat by.
    Key,
    /// What the message is about: `break-in`, `digest` …
    Kind,
    /// The value that `[priority]` gives to the message.
    Priority,
    /// The alert's figures, as a JSON object.
    Facts,
    /// A parameter.
    Parameter(String),
}

/// Names of placeholders that are no parameters.
pub(super) const RESERVED: [&str; 8] =
    ["text", "text_utf16", "title", "number", "key", "kind", "priority", "facts"];

impl Placeholder {
    fn named(name: &str) -> Self {
        match name {
            "text" => Self::Text,
            "text_utf16" => Self::TextUtf16,
            "title" => Self::Title,
            "number" => Self::Number,
            "key" => Self::Key,
            "kind" => Self::Kind,
            "priority" => Self::Priority,
            "facts" => Self::Facts,
            other => Self::Parameter(other.into()),
        }
    }

    /// As it is written between the braces.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Text => "text",
            Self::TextUtf16 => "text_utf16",
            Self::Title => "title",
            Self::Number => "number",
            Self::Key => "key",
            Self::Kind => "kind",
            Self::Priority => "priority",
            Self::Facts => "facts",
            Self::Parameter(name) => name,
        }
    }
}

/// What is done to a value before the place escapes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// `&`, `<` and `>` as HTML entities: Slack's own escaping.
    Entities,
    /// In a block of three backticks, which nothing inside can end.
    CodeBlock,
    /// A zero-width space behind every `@` that a name follows, so that it mentions nobody.
    NoMentions,
    /// A telephone number without its `+`.
    Digits,
}

const FILTERS: [(&str, Filter); 4] = [
    ("entities", Filter::Entities),
    ("code-block", Filter::CodeBlock),
    ("no-mentions", Filter::NoMentions),
    ("digits", Filter::Digits),
];

impl Filter {
    fn apply(self, value: &str) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::Entities => value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
            Self::CodeBlock => format!("```\n{}\n```", value.replace('`', "'")),
            Self::NoMentions => no_mentions(value),
            Self::Digits => value.trim_start_matches('+').to_owned(),
        })
    }
}

fn no_mentions(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value.chars().peekable();
    while let Some(c) = rest.next() {
        out.push(c);
        if c == '@' && rest.peek().is_some_and(|next| next.is_alphanumeric() || matches!(next, '_' | '@')) {
            out.push('\u{200b}');
        }
    }
    out
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Literal(String),
    Value(Placeholder, Vec<Filter>),
}

/// A parsed template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(pub(super) Vec<Part>);

impl Template {
    /// Parse `text`; the error says what is accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, found) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = found.strip_prefix("{{").or_else(|| found.strip_prefix("}}")) {
                literal.push_str(&found[..1]);
                rest = after;
                continue;
            }
            let inside = found.strip_prefix('{').and_then(|open| open.split_once('}'));
            let Some((inside, after)) = inside.filter(|(inside, _)| !inside.contains('{')) else {
                return Err(format!(
                    "\"{}\" has a brace without its pair; write {{name}} or {{name|filter}}, and {{{{ or }}}} for a brace itself",
                    crate::neutral::text(text, 80)
                ));
            };
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(placeholder(inside)?);
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self(parts))
    }

    /// The placeholders in it.
    pub(super) fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.0.iter().filter_map(|part| match part {
            Part::Value(placeholder, _) => Some(placeholder),
            Part::Literal(_) => None,
        })
    }

    /// The placeholder that this is, if it is one and nothing else.
    pub(super) fn single(&self) -> Option<&Placeholder> {
        match self.0.as_slice() {
            [Part::Value(placeholder, filters)] if filters.is_empty() => Some(placeholder),
            _ => None,
        }
    }

    /// The text with every placeholder replaced by what `value` gives for it, escaped by `escape`. None
    /// where there is no value for one: what stands on a parameter that was not given is left out.
    pub(super) fn expand(
        &self,
        value: &dyn Fn(&Placeholder) -> Option<Zeroizing<String>>,
        escape: &dyn Fn(&str) -> String,
    ) -> Option<Zeroizing<String>> {
        let mut out = Zeroizing::new(String::new());
        for part in &self.0 {
            match part {
                Part::Literal(literal) => out.push_str(literal),
                Part::Value(placeholder, filters) => {
                    let filtered = filters.iter().fold(value(placeholder)?, |value, f| f.apply(&value));
                    out.push_str(&Zeroizing::new(escape(&filtered)));
                }
            }
        }
        Some(out)
    }
}

fn placeholder(inside: &str) -> Result<Part, String> {
    let mut words = inside.split('|');
    let name = words.next().unwrap_or_default();
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        return Err(format!(
            "\"{{{}}}\" is not a placeholder; its name has a to z, 0 to 9 and _",
            crate::neutral::name(inside)
        ));
    }
    let filters = words
        .map(|word| {
            FILTERS.iter().find(|(name, _)| *name == word).map(|(_, filter)| *filter).ok_or_else(|| {
                let known: Vec<_> = FILTERS.iter().map(|(name, _)| *name).collect();
                format!(
                    "\"{}\" is not a filter; the filters are {}",
                    crate::neutral::name(word),
                    known.join(", ")
                )
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(Part::Value(Placeholder::named(name), filters))
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(template: &str, value: &str) -> Option<String> {
        let value = |p: &Placeholder| (p.name() != "absent").then(|| Zeroizing::new(value.to_owned()));
        Some(Template::parse(template).unwrap().expand(&value, &str::to_owned)?.to_string())
    }

    #[test]
    fn what_is_substituted_is_not_read_for_placeholders() {
        assert_eq!(expand("a {text} b", "{title}{{").unwrap(), "a {title}{{ b");
        assert_eq!(expand("{{{text}}}", "x").unwrap(), "{x}");
        assert_eq!(expand("no placeholder", "x").unwrap(), "no placeholder");
        assert_eq!(expand("Bearer {absent}", "x"), None);
    }

    #[test]
    fn filters_leave_nothing_live() {
        assert_eq!(
            expand("{text|entities}", "<!channel> & &lt;").unwrap(),
            "&lt;!channel&gt; &amp; &amp;lt;"
        );
        assert_eq!(expand("{text|code-block}", "a```\n*b*").unwrap(), "```\na'''\n*b*\n```");
        assert_eq!(
            expand("{text|no-mentions}", "@all [@]a @@b").unwrap(),
            "@\u{200b}all [@]a @\u{200b}@\u{200b}b"
        );
        assert_eq!(expand("{to|digits}", "+358401234567").unwrap(), "358401234567");
        assert_eq!(expand("{text|no-mentions|code-block}", "@a").unwrap(), "```\n@\u{200b}a\n```");
    }

    #[test]
    fn a_mistake_names_what_is_accepted() {
        for (template, words) in [
            ("{text", "brace"),
            ("text}", "brace"),
            ("{te{xt}", "brace"),
            ("{}", "is not a placeholder"),
            ("{Text}", "is not a placeholder"),
            ("{text|upper}", "entities, code-block, no-mentions, digits"),
        ] {
            let error = Template::parse(template).unwrap_err();
            assert!(error.contains(words), "{template}: {error}");
        }
    }
}
