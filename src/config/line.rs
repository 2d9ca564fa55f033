//! The line of a configuration that an error speaks of.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The number of the line in `text` that sets `key` (`alerts.burst`, of a list `receiver.0.burst`), or of the
/// table where it could stand; none where there is neither.
pub(super) fn of(text: &str, key: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let mut table = table.get_ref();
    let mut start = None;
    let mut steps = key.split('.').peekable();
    while let Some(step) = steps.next() {
        let Some((name, mut value)) = table.iter().find(|(name, _)| name.get_ref() == step) else { break };
        start = Some(name.span().start);
        if let DeValue::Array(items) = value.get_ref() {
            let item =
                steps.peek().and_then(|index| index.parse().ok()).and_then(|index: usize| items.get(index));
            let Some(item) = item else { break };
            start = Some(item.span().start);
            value = item;
            steps.next();
        }
        let DeValue::Table(inner) = Spanned::get_ref(value) else { break };
        table = inner;
    }
    start.map(|start| number(text, start))
}

/// The number of the line in which the byte `at` stands.
pub(super) fn number(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_that_of_the_key_or_of_its_table() {
        let text = "# a\nx.timeout = \"1s\"\n[alerts]\n\nburst = 0\n[[receiver]]\nkind = \"ntfy\"\n\n[[receiver]]\n\
                    kind = \"x\"\nburst = 0\n";
        for (key, line) in [
            ("x.timeout", Some(2)),
            ("alerts.burst", Some(5)),
            ("alerts.max_per_day", Some(3)),
            ("receiver.0.burst", Some(6)),
            ("receiver.1.burst", Some(11)),
            ("journal.max_size", None),
        ] {
            assert_eq!(of(text, key), line, "{key}");
        }
    }
}
