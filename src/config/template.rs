//! The administrator's own wording: `alerts.text`.
//!
//! Placeholders stand in braces, `{{` and `}}` are braces themselves. Of an alert that covers several
//! failures, the placeholders that have one value show the latest failure's.

use crate::neutral::is_visible;

/// Longer ones cannot be meant.
const LONGEST: usize = 1000;

/// What a template can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placeholder {
    Count,
    Host,
    Service,
    Pid,
    User,
    Rhost,
    Tty,
    Ruser,
    First,
    Last,
    Summary,
    Id,
}

use Placeholder::*;

const PLACEHOLDERS: [(&str, Placeholder); 12] = [
    ("count", Count),
    ("host", Host),
    ("service", Service),
    ("pid", Pid),
    ("user", User),
    ("rhost", Rhost),
    ("tty", Tty),
    ("ruser", Ruser),
    ("first", First),
    ("last", Last),
    ("summary", Summary),
    ("id", Id),
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Value(Placeholder),
}

/// A parsed `alerts.text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

impl Template {
    /// Parse `text`; the error says what is accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("is empty; leave the key out for the built-in text".into());
        }
        if text.chars().count() > LONGEST {
            return Err(format!("is longer than {LONGEST} characters; a post has room for 280"));
        }
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let brace = &rest[at..at + 1];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                literal.push_str(brace);
                rest = after;
                continue;
            }
            if brace == "}" {
                return Err("has a } without {; write }} for a brace itself".into());
            }
            let Some((name, after)) = rest.split_once('}') else {
                return Err("has a { without }; write {{ for a brace itself".into());
            };
            let Some((_, placeholder)) = PLACEHOLDERS.iter().find(|(known, _)| *known == name) else {
                return Err(unknown(name));
            };
            parts.push(Part::Literal(visible(&literal)));
            parts.push(Part::Value(*placeholder));
            literal.clear();
            rest = after;
        }
        literal.push_str(rest);
        parts.push(Part::Literal(visible(&literal)));
        Ok(Self { parts })
    }

    /// Whether it says `placeholder`.
    pub(crate) fn says(&self, placeholder: Placeholder) -> bool {
        self.parts.contains(&Part::Value(placeholder))
    }

    /// The text with values in place of the placeholders.
    pub(crate) fn fill(&self, value: impl Fn(Placeholder) -> String) -> String {
        let fill = |part: &Part| match part {
            Part::Literal(text) => text.clone(),
            Part::Value(placeholder) => value(*placeholder),
        };
        self.parts.iter().map(fill).collect()
    }
}

fn unknown(name: &str) -> String {
    let accepted: Vec<String> = PLACEHOLDERS.iter().map(|(name, _)| format!("{{{name}}}")).collect();
    let name: String = name.chars().take(40).filter(|c| is_visible(*c)).collect();
    format!("unknown placeholder {{{name}}}; accepted are {}", accepted.join(" "))
}

/// Line ends and tabs as blanks; what shows as nothing, such as an emoji's variation selector, goes.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_whitespace() { ' ' } else { c }).filter(|c| is_visible(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> String {
        Template::parse(text).unwrap().fill(|placeholder| format!("<{placeholder:?}>"))
    }

    #[test]
    fn placeholders_are_filled_in_and_doubled_braces_are_braces() {
        assert_eq!(filled("{host}: {count} at {first}"), "<Host>: <Count> at <First>");
        assert_eq!(filled("{{count}} is {count}}}{{"), "{count} is <Count>}{");
        assert_eq!(filled("⚠\u{fe0f} a\nb\tc{id}"), "⚠ a b c<Id>");
        let all: String = PLACEHOLDERS.iter().map(|(name, _)| format!("{{{name}}}")).collect();
        assert_eq!(filled(&all).matches('<').count(), 12);
    }

    #[test]
    fn a_template_that_cannot_be_meant_is_refused_with_what_is_accepted() {
        for (text, words) in [
            ("{hots}", ["{hots}", "{host} {service}"]),
            ("{}", ["{}", "{count}"]),
            ("{ count }", ["{ count }", "{count}"]),
            ("100 {count", ["{ without }", "{{"]),
            ("100} {count}", ["} without {", "}}"]),
            (" \n", ["empty", "built-in"]),
            (&"x".repeat(1001), ["1000", "280"]),
        ] {
            let error = Template::parse(text).unwrap_err();
            assert!(words.iter().all(|w| error.contains(w)), "{text:?}: {error}");
        }
    }
}
