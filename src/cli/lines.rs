//! Long lines at a terminal: broken between words, and what follows stands behind the first column.

use std::io;

/// How wide the terminal is; none where the output goes elsewhere.
fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// `line` as it is, or in lines that fit the terminal, those after the first behind `indent` blanks.
pub(super) fn fitted(line: &str, indent: usize) -> String {
    match columns() {
        Some(columns) => broken_at_words(line, indent, columns),
        None => line.to_owned(),
    }
}

/// `text` in lines of `width` columns at most where its words allow it, those after the first behind `indent` blanks.
fn broken_at_words(text: &str, indent: usize, width: usize) -> String {
    let (mut broken, mut used) = (String::new(), 0);
    for (number, line) in text.split('\n').enumerate() {
        for (place, word) in line.split(' ').enumerate() {
            let length = word.chars().count();
            let is_new = if place == 0 { number > 0 } else { used + 1 + length > width };
            if is_new {
                broken.push('\n');
                broken.push_str(&" ".repeat(indent));
                used = indent;
            } else if place > 0 {
                broken.push(' ');
                used += 1;
            }
            broken.push_str(word);
            used += length;
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_between_words_and_goes_on_behind_its_first_column() {
        for (text, width, shown) in [
            ("web1: two words", 15, "web1: two words"),
            ("web1: two words", 14, "web1: two\n    words"),
            ("averylongword b", 8, "averylongword\n    b"),
            ("one\ntwo three four", 14, "one\n    two three\n    four"),
            ("a   b c", 5, "a   b\n    c"),
        ] {
            assert_eq!(broken_at_words(text, 4, width), shown, "{text} {width}");
        }
    }
}
