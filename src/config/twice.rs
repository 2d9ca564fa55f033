//! A key or a table that stands in a file twice: the parser says where the second is, and an administrator looks for both.

use toml::de::{DeTable, Error};

use super::line::Place;
use crate::neutral;

/// The tables that may be there more than once, each with two brackets.
const LISTS: [&str; 6] = ["receiver", "parameter", "choice", "answer.test", "answer.rule", "rule"];

/// What is there twice.
pub(crate) struct Twice {
    /// As it is written: `topic`, `[alerts]`.
    name: String,
    /// Where the line of the first begins, where that can be seen.
    first: Option<usize>,
    /// That of the second.
    second: usize,
}

impl Twice {
    /// What the parser complains of with `error`; none if that is something else.
    pub(crate) fn find(text: &str, error: &Error) -> Option<Self> {
        let span = error.span().filter(|_| error.message().starts_with("duplicate key"))?;
        let second = text.get(..span.start)?.rfind('\n').map_or(0, |end| end + 1);
        let (name, is_table) = begins(text.get(second..span.end)?);
        let name = if is_table { name } else { bare(text.get(span)?) };
        // A key has its place in the table that it is in.
        let mut at = if is_table { 0 } else { last_header(&text[..second]) };
        let mut first = None;
        for line in text[at..second].split_inclusive('\n') {
            // In a text of several lines something may look the same.
            if begins(line) == (name, is_table) && DeTable::parse(&text[..at]).is_ok() {
                first = Some(at);
                break;
            }
            at += line.len();
        }
        let name = neutral::text(name, 60);
        let name = if is_table { format!("[{name}]") } else { format!("\"{name}\"") };
        Some(Self { name, first, second })
    }

    /// What it is, and in which lines.
    pub(super) fn said(&self, text: &str) -> String {
        let line = |at| Place::of(text, at).line;
        let name = self.name.trim_matches(['[', ']']);
        if !self.name.starts_with('[') || !LISTS.contains(&name) {
            return self.said_of(&self.name, line);
        }
        let is_single = |at: &usize| !text[*at..].trim_start().starts_with("[[");
        let single: Vec<_> = self.first.into_iter().chain([self.second]).filter(is_single).collect();
        let lines: Vec<_> = single.into_iter().map(|at| format!("line {}", line(at))).collect();
        format!("write [[{name}]] with two brackets, once for each, in {}", lines.join(" and "))
    }

    /// The same without its name, which may be a secret in the wrong place.
    pub(crate) fn said_unnamed(&self, line: impl Fn(usize) -> usize) -> String {
        self.said_of("this", line)
    }

    fn said_of(&self, name: &str, line: impl Fn(usize) -> usize) -> String {
        match self.first {
            Some(first) => both(name, line(first), line(self.second)),
            None => format!("{name} is here twice; take one out"),
        }
    }
}

/// That `name` stands in both lines.
pub(crate) fn both(name: &str, first: usize, second: usize) -> String {
    format!("{name} is here twice, in line {first} and line {second}; take one out")
}

/// What a line sets, or the table that it begins, and whether it is a table.
fn begins(line: &str) -> (&str, bool) {
    let line = line.trim();
    match line.strip_prefix('[') {
        Some(name) => (bare(name.trim_start_matches('[').split(']').next().unwrap_or_default()), true),
        None => (bare(line.split('=').next().unwrap_or_default()), false),
    }
}

/// A name without quotes around it.
fn bare(name: &str) -> &str {
    name.trim().trim_matches(['"', '\''])
}

/// Where the last line begins that begins a table.
fn last_header(text: &str) -> usize {
    let mut end = text.len();
    for line in text.split_inclusive('\n').rev() {
        end -= line.len();
        if begins(line).1 {
            return end;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_twice_is_named_with_both_lines() {
        for (text, said) in [
            ("a = 1\nb = 2\na = 3\n", "\"a\" is here twice, in line 1 and line 3; take one out"),
            ("[t]\na = 1\n[u]\na = 1\n \"a\" = 2", "\"a\" is here twice, in line 4 and line 5; take one out"),
            (
                "[t]\na = 1\n[u]\nb = 1\na = 1\n  a=2",
                "\"a\" is here twice, in line 5 and line 6; take one out",
            ),
            ("[t]\na = 1\n\n[u]\n [ t ]\n", "[t] is here twice, in line 1 and line 5; take one out"),
            ("[[t]]\na = 1\n[t]\n", "[t] is here twice, in line 1 and line 3; take one out"),
            (
                "[t]\nb = '''\na = 1\n'''\na = 2\na = 3",
                "\"a\" is here twice, in line 5 and line 6; take one out",
            ),
            (
                "[parameter]\na = 1\n\n[parameter]\n",
                "write [[parameter]] with two brackets, once for each, in line 1 and line 4",
            ),
            ("[[rule]]\na = 1\n[ rule ]\n", "write [[rule]] with two brackets, once for each, in line 3"),
            ("[rule]\na = 1\n[[rule]]\n", "write [[rule]] with two brackets, once for each, in line 1"),
            (
                "[answer]\n[answer.test]\na = 1\n[answer.test]\n",
                "write [[answer.test]] with two brackets, once for each, in line 2 and line 4",
            ),
            ("t = { a = 1, a = 2 }", "\"a\" is here twice; take one out"),
            ("t.a = 1\nt.a = 2", "\"a\" is here twice; take one out"),
        ] {
            let error = DeTable::parse(text).unwrap_err();
            assert_eq!(
                Twice::find(text, &error).map(|twice| twice.said(text)).as_deref(),
                Some(said),
                "{text}"
            );
        }
        let error = DeTable::parse("a = \n").unwrap_err();
        assert!(Twice::find("a = \n", &error).is_none());
    }

    #[test]
    fn thousands_of_tables_before_it_take_no_longer_than_reading_them() {
        let text = "[[t]]\na = 1\n".repeat(10_000) + "a = 1\n";
        let error = DeTable::parse(&text).unwrap_err();
        let started = std::time::Instant::now();
        assert!(Twice::find(&text, &error).unwrap().said(&text).contains("in line 20000 and line 20001"));
        assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
    }
}
