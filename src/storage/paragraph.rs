//! A paragraph more at the end of a text that a person wrote, and out again: what stood before is then as it was, to
//! the byte.

/// What stands between a text without an end of its last line and a paragraph: the blank remembers that.
const AFTER_AN_OPEN_LINE: &str = "\n \n";

/// What goes between `text` and a paragraph at its end.
pub fn gap(text: &str) -> &'static str {
    match text {
        "" => "",
        _ if text.ends_with('\n') => "\n",
        _ => AFTER_AN_OPEN_LINE,
    }
}

/// `before`, which a paragraph follows, without the gap between them.
pub fn without_gap(before: &str) -> &str {
    match before.strip_suffix(AFTER_AN_OPEN_LINE) {
        Some(text) => text,
        None => before.strip_suffix('\n').filter(|text| text.ends_with('\n')).unwrap_or(before),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_taken_out_as_it_was_put_in() {
        for text in ["", "\n", "\n\n", "a", "a\n", "a\n\n", "a\n \n"] {
            assert_eq!(without_gap(&format!("{text}{}", gap(text))), text, "{text:?}");
        }
        assert_eq!(without_gap("a\n"), "a\n", "there was none");
    }
}
