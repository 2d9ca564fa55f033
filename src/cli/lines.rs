//! Long lines at a terminal: broken between words, and what follows stands behind the first column.

use std::io::{self, Write};
use std::os::fd::AsFd;

/// How wide the terminal is; none where the output goes elsewhere.
pub(super) fn columns(output: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(output).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// `line` as it is, or in lines that fit the terminal, those after the first behind `indent` blanks.
pub(super) fn fitted(line: &str, indent: usize) -> String {
    fitted_to(columns(io::stdout()), line, indent)
}

/// The same of what is said of an error.
pub(super) fn fitted_error(line: &str, indent: usize) -> String {
    fitted_to(columns(io::stderr()), line, indent)
}

fn fitted_to(columns: Option<usize>, line: &str, indent: usize) -> String {
    match columns {
        Some(columns) => broken_at_words(line, indent, columns),
        None => line.to_owned(),
    }
}

/// Everything that a command writes, line by line in lines that fit the terminal.
pub(super) struct Fitting<'a> {
    out: &'a mut dyn Write,
    columns: Option<usize>,
    /// Those after the first stand so far behind it.
    indent: usize,
    /// What is there of the next line.
    begun: Vec<u8>,
}

impl<'a> Fitting<'a> {
    /// Lines go on `indent` columns behind the blanks that they begin with.
    pub(super) fn new(out: &'a mut dyn Write, indent: usize) -> Self {
        Self { out, columns: columns(io::stdout()), indent, begun: Vec::new() }
    }

    /// With its `end` in one piece: who reads along sees no line without it.
    fn write_begun(&mut self, end: &str) -> io::Result<()> {
        let begun = std::mem::take(&mut self.begun);
        let line = String::from_utf8_lossy(&begun);
        let blanks = line.len() - line.trim_start_matches(' ').len();
        let fitted = fitted_to(self.columns, &line, blanks + self.indent) + end;
        self.out.write_all(fitted.as_bytes())
    }
}

impl Write for Fitting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.columns.is_none() {
            self.out.write_all(bytes)?;
            return Ok(bytes.len());
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let line = piece.strip_suffix(b"\n");
            self.begun.extend_from_slice(line.unwrap_or(piece));
            if line.is_some() {
                self.write_begun("\n")?;
            }
        }
        Ok(bytes.len())
    }

    /// Also what has no end yet: a question.
    fn flush(&mut self) -> io::Result<()> {
        self.write_begun("")?;
        self.out.flush()
    }
}

impl Drop for Fitting<'_> {
    fn drop(&mut self) {
        let _ = self.write_begun("");
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

    #[test]
    fn what_a_command_writes_is_fitted_line_by_line_and_a_question_is_there_at_once() {
        let mut written = Vec::new();
        let mut out = Fitting { out: &mut written, columns: Some(14), indent: 2, begun: Vec::new() };
        out.write_all("one two ".as_bytes()).unwrap();
        out.write_all("three four\n  five six seven\nis it? ".as_bytes()).unwrap();
        out.flush().unwrap();
        out.write_all("no\nthe end is open".as_bytes()).unwrap();
        drop(out);
        let shown = "one two three\n  four\n  five six\n    seven\nis it? no\nthe end is\n  open";
        assert_eq!(String::from_utf8(written).unwrap(), shown);
        // Elsewhere nothing is changed, and nothing is kept back.
        let mut written = Vec::new();
        let mut out = Fitting { out: &mut written, columns: None, indent: 2, begun: Vec::new() };
        out.write_all(b"a line that is longer \xff\n").unwrap();
        drop(out);
        assert_eq!(written, b"a line that is longer \xff\n");
    }
}
