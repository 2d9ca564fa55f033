//! Where in a configuration something stands.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Line and column, each from 1, of what an error speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The character in it.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

impl Place {
    /// Of the byte `at` in `text`.
    pub(crate) fn of(text: &str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        Self { line: before.matches('\n').count() + 1, column: before[start..].chars().count() + 1 }
    }
}

/// The place in `text` that sets `key` (`alerts.burst`), or of the table where it could stand; none where there is
/// neither.
pub(super) fn of(text: &str, key: &str) -> Option<Place> {
    let table = DeTable::parse(text).ok()?;
    let mut table = table.get_ref();
    let mut start = None;
    for step in key.split('.') {
        let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref() == step) else { break };
        start = Some(name.span().start);
        let DeValue::Table(inner) = Spanned::get_ref(value) else { break };
        table = inner;
    }
    start.map(|start| Place::of(text, start))
}

/// A word without quotes in the place of a value, in the line with this number: the parser takes it for a
/// number, and complains of that.
pub(super) fn bare_word(text: &str, number: usize) -> Option<&str> {
    let (_, value) = text.lines().nth(number.checked_sub(1)?)?.split_once('=')?;
    let word = value.split('#').next()?.trim();
    let is_bare = word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    (is_bare && !["true", "false", "inf", "nan"].contains(&word)).then_some(word)
}

/// Whether `{word}` stands without quotes in the line with this number: a placeholder that is meant as text.
pub(super) fn bare_braces(text: &str, number: usize) -> bool {
    let Some(line) = number.checked_sub(1).and_then(|number| text.lines().nth(number)) else { return false };
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '#') => return false,
            (None, '"' | '\'') => quote = Some(c),
            (None, '{') => {
                let inside = line[at + 1..].split('}').next().unwrap_or_default();
                let is_word = !inside.trim().is_empty()
                    && inside.trim().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
                if is_word && line[at + 1 + inside.len()..].starts_with('}') {
                    return true;
                }
            }
            (None, _) => {}
        }
    }
    false
}

/// The last header of a table in `span` that is behind a #, and where its line begins: `[[receiver]]` of `#[[receiver]]`.
pub(super) fn commented_header(text: &str, span: Range<usize>) -> Option<(&str, usize)> {
    let mut end = span.end.min(text.len());
    let lines = text.get(span.start..end)?.split_inclusive('\n').rev();
    for line in lines {
        end -= line.len();
        let Some(header) = line.trim().strip_prefix('#').map(|line| line.trim_start_matches('#').trim())
        else {
            continue;
        };
        let name = header.trim_start_matches('[').trim_end_matches(']');
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
        let is_header = header.starts_with('[') && header.ends_with(']');
        if is_header && !name.is_empty() && name.len() <= 60 && name.bytes().all(is_name) {
            return Some((header, end));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_that_of_the_key_or_of_its_table() {
        let text = "# a\nx.timeout = \"1s\"\n[alerts]\n\n  burst = 0\n";
        for (key, place) in [
            ("x.timeout", Some((2, 3))),
            ("alerts.burst", Some((5, 3))),
            ("alerts.max_per_day", Some((3, 2))),
            ("journal.max_size", None),
        ] {
            let found = of(text, key).map(|place| (place.line, place.column));
            assert_eq!(found, place, "{key}");
        }
        assert_eq!(Place::of("\u{e4}\u{e4}x", 4).column, 3);
    }
}
