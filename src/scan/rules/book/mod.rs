//! Rules as data: lines of programs and PAM modules in their own words, from `rules/*.toml` and the administrator's
//! `/etc/authalert/rules.d`.
//!
//! - [`field`]: what differs from line to line. [`template`]: a line with places for it. [`forms`]: several as one.
//! - [`written`]: a file as it is written. [`file`](mod@file): the rules of one program, checked against their samples.
//! - [`registry`]: the files that are built in, and the administrator's own.

mod field;
mod file;
mod forms;
mod registry;
mod template;
mod written;

use std::collections::HashMap;
use std::sync::OnceLock;

pub use file::{File, Mistake};
pub use registry::{Entry, OWN, list};

use super::evidence::{Evidence, Kind, Line};
use crate::scan::header::Header;
#[cfg(test)]
use field::NAMES;
use file::Rule;
pub(crate) use template::SHORTEST;
use template::Values;
use written::Means;
pub use written::Sample;

/// All rules, found by the name of who speaks.
#[derive(Debug)]
pub struct Book {
    files: Vec<File>,
    programs: Names,
    modules: Names,
    /// What is wrong with files that are left out.
    mistakes: Vec<String>,
}

/// Which files are of a name.
#[derive(Debug, Default)]
struct Names {
    whole: HashMap<Vec<u8>, Vec<usize>>,
    /// What a name begins with.
    starts: Vec<(Vec<u8>, usize)>,
}

impl Names {
    fn add(&mut self, name: &str, file: usize) {
        match name.strip_suffix('*') {
            Some(start) => self.starts.push((start.into(), file)),
            None => self.whole.entry(name.into()).or_default().push(file),
        }
    }

    /// The files of `name`, those that name it whole first.
    fn of(&self, name: &[u8]) -> impl Iterator<Item = usize> {
        let whole = self.whole.get(name).into_iter().flatten().copied();
        whole.chain(self.starts.iter().filter(|(start, _)| name.starts_with(start)).map(|(_, file)| *file))
    }
}

/// The rules of this machine. A file that cannot be used is left out.
pub fn book() -> &'static Book {
    static BOOK: OnceLock<Book> = OnceLock::new();
    BOOK.get_or_init(|| {
        let entries = list(std::path::Path::new(OWN)).into_iter();
        // The administrator's own come first.
        let (own, built_in): (Vec<Entry>, Vec<Entry>) = entries.partition(|entry| entry.is_own);
        let mut mistakes = Vec::new();
        let files = own.into_iter().chain(built_in).filter_map(|entry| match entry.file {
            Ok(file) => Some(file),
            Err(mistake) => {
                mistakes.push(format!("the scan does without these rules: {mistake}"));
                None
            }
        });
        let book = Book::of(files.collect());
        Book { mistakes, ..book }
    })
}

impl Book {
    /// A book of these files; where two are of one program the first has the first word.
    pub fn of(files: Vec<File>) -> Self {
        let (mut programs, mut modules) = (Names::default(), Names::default());
        for (at, file) in files.iter().enumerate() {
            let names = if file.is_of_modules { &mut modules } else { &mut programs };
            file.names.iter().for_each(|name| names.add(name, at));
        }
        Self { files, programs, modules, mistakes: Vec::new() }
    }

    /// What is wrong with files that are left out.
    pub fn mistakes(&self) -> &[String] {
        &self.mistakes
    }

    /// The tags of the programs, as far as they are known whole.
    pub fn programs(&self) -> impl Iterator<Item = &str> {
        let names = self.files.iter().filter(|file| !file.is_of_modules).flat_map(|file| &file.names);
        names.map(String::as_str).filter(|name| !name.ends_with('*'))
    }

    /// Those beside which a program has tags that are not.
    pub fn programs_of_many_tags(&self) -> impl Iterator<Item = &str> {
        let is_open = |file: &&File| !file.is_of_modules && file.names.iter().any(|name| name.ends_with('*'));
        let names = self.files.iter().filter(is_open).flat_map(|file| &file.names);
        names.map(String::as_str).filter(|name| !name.ends_with('*'))
    }

    /// What a program says in its own words; some say it with a blank behind.
    pub fn of_program<'a>(&'a self, header: &Header<'a>, message: &'a [u8]) -> Line<'a> {
        match self.of_program_exactly(header, message) {
            Line::Other if message.ends_with(b" ") => {
                let blanks = message.iter().rev().take_while(|b| **b == b' ').count();
                self.of_program_exactly(header, &message[..message.len() - blanks])
            }
            line => line,
        }
    }

    fn of_program_exactly<'a>(&'a self, header: &Header<'a>, message: &'a [u8]) -> Line<'a> {
        for file in self.programs.of(header.program).filter_map(|file| self.files.get(file)) {
            if let Some((rule, values)) =
                file.read(message).and_then(|(at, v)| Some((file.rules.get(at)?, v)))
            {
                let service = file.service.as_ref().map_or(header.program, String::as_bytes);
                return said(rule, service, values, header.pid != 0);
            }
        }
        Line::Other
    }

    /// What a PAM module says in its own words; `evidence` has what is known of it.
    pub fn of_module<'a>(&'a self, evidence: Evidence<'a>, text: &'a [u8]) -> Line<'a> {
        for file in self.modules.of(evidence.module).filter_map(|file| self.files.get(file)) {
            let Some((at, values)) = file.read(text) else { continue };
            let Some(rule) = file.rules.get(at) else { continue };
            let (kind, class, weight) = match rule.means {
                Means::Success => (Kind::PamSuccess, "pam-success", 0),
                Means::Aborted => (Kind::PamAborted, "pam-aborted", 0),
                Means::Excuse => (Kind::Excuse, "excuse", 0),
                Means::Nothing => return Line::Nothing(&rule.why),
                _ => (Kind::PamFailure, "pam-failure", values.count.unwrap_or(1)),
            };
            let Values { user, rhost, ruser, tty, .. } = values;
            return Line::Evidence(Evidence { kind, class, weight, user, rhost, ruser, tty, ..evidence });
        }
        Line::Other
    }

    /// Of each line that is to be found wherever it stands (or, `success`, behind a failure), the fixed words.
    pub fn words(&self, success: bool) -> impl Iterator<Item = Vec<&[u8]>> {
        let rules = self.files.iter().flat_map(|file| &file.rules);
        let is_wanted = move |means: Means| {
            if success { matches!(means, Means::Success | Means::Client) } else { means.is_searched() }
        };
        rules.filter(move |rule| is_wanted(rule.means)).flat_map(Rule::words).map(Iterator::collect)
    }
}

fn said<'a>(rule: &'a Rule, service: &'a [u8], values: Values<'a>, has_number: bool) -> Line<'a> {
    let kind = match rule.means {
        Means::Failure => Kind::Program,
        Means::FailureToo => Kind::ProgramToo,
        Means::FailureOfHelper => Kind::Relayed,
        Means::UnknownUser => Kind::UnknownUser,
        // Without a number it cannot be said whose count it is.
        Means::FailuresSoFar if has_number && values.count != Some(0) => Kind::ProgramTotal,
        Means::Client | Means::FailuresSoFar | Means::Aborted => Kind::Client,
        Means::Success => Kind::Success,
        Means::Excuse => Kind::Excuse,
        Means::Nothing => return Line::Nothing(&rule.why),
    };
    let mut evidence = match kind {
        Kind::Success => Evidence::success(service),
        Kind::Excuse => Evidence::new(kind, "excuse", service),
        _ => Evidence::new(kind, &rule.class, service),
    };
    (evidence.rhost, evidence.port, evidence.tty) = (values.rhost, values.port, values.tty);
    if !values.service.is_empty() {
        evidence.service = values.service;
    }
    evidence.module = values.method;
    match kind {
        Kind::Client | Kind::Excuse => evidence.weight = 0,
        Kind::Success => {}
        _ => evidence.weight = values.count.unwrap_or(1),
    }
    if kind != Kind::Client {
        evidence.ruser = values.ruser;
        // Who asks for himself is named once.
        evidence.user = if values.user.is_empty() { values.ruser } else { values.user };
    }
    Line::Evidence(evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::header;

    fn book(programs: &str) -> Book {
        let file = |means: &str, lines: &str, sample: &str| {
            let text = format!(
                "about = \"x\"\nprograms = [{programs}]\nservice = \"s\"\n[[rule]]\nmeans = \"{means}\"\nlines = [\"{lines}\"]\nsamples = [{sample}]\n"
            );
            File::parse("x", "x.toml", &text).unwrap()
        };
        Book::of(vec![
            file("failure", "denied <user>", "{ line = \"denied a\", user = \"a\" }"),
            file("success", "denied <user>", "{ line = \"denied a\", user = \"a\" }"),
            file("failures-so-far", "left after <count>", "{ line = \"left after 3\", count = 3 }"),
        ])
    }

    fn kind(book: &Book, line: &str) -> Option<(Kind, u32)> {
        let line = format!("Nov  3 09:05:01 srv {line}");
        let header = header::parse(line.as_bytes()).unwrap();
        match book.of_program(&header, header.message) {
            Line::Evidence(evidence) => {
                assert_eq!(evidence.service, b"s");
                Some((evidence.kind, evidence.weight))
            }
            _ => None,
        }
    }

    #[test]
    fn only_lines_of_a_program_that_is_named_are_its_and_the_first_file_has_the_first_word() {
        let book = book("\"one\", \"more-*\"");
        for (line, expected) in [
            ("one[7]: denied bob", Some((Kind::Program, 1))),
            ("more-of-it: denied bob", Some((Kind::Program, 1))),
            ("two[7]: denied bob", None),
            ("more[7]: denied bob", None),
            ("one[7]: x denied bob", None),
            ("one[7]: left after 3  ", Some((Kind::ProgramTotal, 3))),
            ("one[7]: left after 3", Some((Kind::ProgramTotal, 3))),
            ("one[7]: left after 0", Some((Kind::Client, 0))),
            ("one: left after 3", Some((Kind::Client, 0))),
        ] {
            assert_eq!(kind(&book, line), expected, "{line}");
        }
    }
}
