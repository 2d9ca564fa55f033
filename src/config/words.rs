//! What is wrong with a file of TOML, in an administrator's words: which key, and what is accepted there. The parser
//! speaks of types, fields and variants.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::line::{self, Place};
use super::near::nearest;
use super::twice::Twice;

/// Why `text` cannot be read as what it should be, of which the parser says `error`. `top`: the keys that stand above
/// the first table.
pub(crate) fn why(text: &str, error: &toml::de::Error, top: &[&str]) -> String {
    let at = error.span().map(|span| span.start);
    match DeTable::parse(text) {
        Ok(table) => {
            let spot = at.map(|at| Spot::find(table.get_ref(), text, at)).unwrap_or_default();
            of_value(error.message(), &spot, top)
        }
        Err(_) => match line::bare_word(text, Place::of(text, at.unwrap_or_default()).line) {
            // Somebody may have put a secret there.
            Some(_) => no_value("this"),
            None => of_syntax(text, error),
        },
    }
}

/// What is expected where the parser refuses `text` with `error`, without a word of what stands there: it may be a secret.
pub(crate) fn expected(text: &str, error: &toml::de::Error) -> &'static str {
    let at = error.span().map_or(text.len(), |span| span.start);
    match line::bare_word(text, Place::of(text, at).line) {
        Some(_) => "text stands in \"quotes\"",
        None => meant(error.message()).unwrap_or("a line is KEY = \"VALUE\" or [NAME]"),
    }
}

/// Of a word without quotes in the place of a value.
pub(super) fn no_value(word: &str) -> String {
    format!("{word} is not a value: true, false, a number, or text in \"quotes\"")
}

/// What the parser says with `error` of a text that is no TOML.
pub(super) fn of_syntax(text: &str, error: &toml::de::Error) -> String {
    if let Some(twice) = Twice::find(text, error) {
        return twice.said(text);
    }
    let at = error.span().map_or(text.len(), |span| span.start);
    if line::bare_braces(text, Place::of(text, at).line) {
        return "text stands in \"quotes\", what has {…} in it too".into();
    }
    meant(error.message()).map_or_else(|| error.message().replace('\n', "; "), str::to_owned)
}

fn meant(message: &str) -> Option<&'static str> {
    const MEANT: [(&str, &str); 13] = [
        ("unclosed array,", "a list does not end: its ] is missing"),
        ("unclosed array table", "the header of a table does not end: ]] is missing"),
        ("unclosed table", "the header of a table does not end: ] is missing"),
        ("unclosed inline table", "this does not end: its } is missing"),
        ("invalid basic string", "a text does not end: its \" is missing"),
        ("invalid literal string", "a text does not end: its ' is missing"),
        ("invalid multi-line basic string", "a text does not end: its \"\"\" is missing"),
        ("key with no value", "a line is KEY = VALUE or [TABLE]: the = is missing"),
        ("missing value", "a line is KEY = VALUE: the value is missing"),
        ("string values must be quoted", "text stands in \"quotes\""),
        ("missing comma between array", "the values of a list have commas between them"),
        ("unexpected key or value", "a line is one KEY = VALUE: here something follows the value"),
        (
            "missing escaped value",
            "a \\ in \"quotes\" begins one of \\\\ \\\" \\n \\t \\uXXXX; in 'single quotes' it is itself",
        ),
    ];
    MEANT.iter().find(|(begin, _)| message.starts_with(begin)).map(|(_, meant)| *meant)
}

/// What the parser says of a value, a key or a table that is TOML and not what it should be.
fn of_value(message: &str, spot: &Spot, top: &[&str]) -> String {
    let (said, expected) = message.rsplit_once(", expected ").unwrap_or((message, ""));
    let key = if spot.key.is_empty() { "this" } else { spot.key.as_str() };
    let words = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    if said.starts_with("unknown field") {
        return spot.unknown(&words(expected), top);
    }
    if let Some(missing) = said.strip_prefix("missing field ") {
        let missing = missing.trim_matches('`');
        return match spot.table.as_str() {
            "" => format!("{missing} is missing"),
            table => format!("{missing} is missing in {table}"),
        };
    }
    if let Some(found) = said.strip_prefix("unknown variant ") {
        let known: Vec<_> = words(expected).iter().map(|word| format!("\"{word}\"")).collect();
        return format!("{key}: \"{}\" is not one of {}", found.trim_matches('`'), known.join(", "));
    }
    if spot.is_header && spot.table.starts_with("[[") {
        let name = spot.table.trim_matches(['[', ']']);
        return format!(
            "{key} must be one table: [{name}], with one pair of brackets, or a value: {key} = …"
        );
    }
    let is_of_a_value = ["invalid type", "invalid value", "invalid length"];
    if is_of_a_value.iter().any(|begin| said.starts_with(begin)) {
        let is_quoted =
            said.starts_with("invalid type: string") && spot.accepted(expected).contains("number");
        let quotes = if is_quoted { ", without quotes" } else { "" };
        return format!("{key} must be {}{quotes}", spot.accepted(expected));
    }
    match message {
        "wanted string or table" => format!("{key} must be a word in \"quotes\""),
        _ => message.replace('\n', "; "),
    }
}

/// What has a place in a text.
#[derive(Debug, Default)]
struct Spot {
    /// The key, or the last name of a table.
    key: String,
    /// The table that it is in or is, as its header is written; empty above the first.
    table: String,
    /// Where that header begins.
    start: usize,
    /// Its line.
    line: usize,
    /// It is the table itself, or its header.
    is_header: bool,
    /// It begins there: where a header names several tables, only one of them does.
    begins: bool,
    /// The last header between that one and the key that is behind a #, and its line.
    passed_over: Option<(String, usize)>,
}

impl Spot {
    /// Of the byte `at`; where nothing is there, the whole text.
    fn find(table: &DeTable<'_>, text: &str, at: usize) -> Self {
        let mut found = Vec::new();
        walk(table, &Self::default(), at, &mut found);
        // A key before the tables around it, and of these the innermost, which was found first.
        found.sort_by_key(|spot| (spot.is_header, !spot.begins));
        // Lines are counted for this one alone: there may be thousands of tables.
        found.into_iter().next().map_or_else(Self::default, |spot| {
            let line = Place::of(text, spot.start).line;
            let passed_over = line::commented_header(text, spot.start..at).map(|(header, at)| {
                let line = Place::of(text, at).line;
                (header.to_owned(), line)
            });
            Self { line, passed_over, ..spot }
        })
    }

    /// That it is nothing that is known here; `accepted` is.
    fn unknown(&self, accepted: &[String], top: &[&str]) -> String {
        let Self { key, table, line, .. } = self;
        let all = accepted.join(", ");
        if self.is_header {
            // Keys that stand above the first table are none, but for the word that receivers had once.
            let is_table = |name: &&String| name.as_str() == "receiver" || !top.contains(&name.as_str());
            let tables: Vec<&str> = accepted.iter().filter(is_table).map(String::as_str).collect();
            let meant = nearest(key, tables.iter().copied());
            let tables = tables.join(", ");
            return match meant.map(|meant| table.replace(key.as_str(), meant)) {
                Some(meant) => {
                    format!(
                        "{table} is not a table that is known here: did you mean {meant}? There are {tables}"
                    )
                }
                None => format!("{table} is not a table that is known here; there are {tables}"),
            };
        }
        // As in the example, of which one line was made to count and its header was not.
        let header = self
            .passed_over
            .as_ref()
            .map(|(header, line)| format!("is its header, {header} in line {line}, still behind a #? "));
        match (table.as_str(), header) {
            ("", None) => format!("\"{key}\" is not a key that is known here; there are {all}"),
            ("", Some(header)) => {
                format!("\"{key}\" is not a key that is known above the first table; {header}There are {all}")
            }
            (_, _) if top.contains(&key.as_str()) => above_the_first_table(key, table, *line),
            (_, None) => format!("\"{key}\" is not a key of {table}; its keys are {all}"),
            (_, Some(header)) => {
                format!("\"{key}\" is not a key of {table}; {header}The keys of {table} are {all}")
            }
        }
    }

    /// `expected` in words.
    fn accepted(&self, expected: &str) -> String {
        let name = self.table.trim_matches(['[', ']']);
        match expected {
            "a boolean" => "true or false, without quotes".into(),
            "a string" | "a borrowed string" | "path string" => "text in \"quotes\"".into(),
            "a sequence" if self.is_header => {
                format!("a list of tables: [[{name}]], with two pairs of brackets")
            }
            "a sequence" => "a list: [\"…\", \"…\"]".into(),
            "i64" => "a whole number".into(),
            _ if expected.starts_with("struct ") || expected == "a map" => {
                format!("a table: [{}]", self.key)
            }
            _ => match expected.strip_prefix("an array of length ") {
                Some(length) => format!("a list of {length}"),
                None => expected.to_owned(),
            },
        }
    }
}

/// That a key is in a table, the header of which has this line, and stands above all of them.
pub(super) fn above_the_first_table(key: &str, table: &str, line: usize) -> String {
    format!("{key} is inside {table} (line {line}) and belongs above the first table of the file")
}

/// What of a table has a place in a text.
fn walk(table: &DeTable<'_>, outer: &Spot, at: usize, found: &mut Vec<Spot>) {
    for (key, value) in table.iter() {
        let has = |value: &Spanned<DeValue<'_>>| key.span().contains(&at) || value.span().contains(&at);
        let name = key.get_ref().to_string();
        let begins = |value: &Spanned<DeValue<'_>>| [key.span().start, value.span().start].contains(&at);
        let header = |start: usize, is_list: bool| {
            let path = match outer.table.trim_matches(['[', ']']) {
                "" => name.clone(),
                path => format!("{path}.{name}"),
            };
            let table = if is_list { format!("[[{path}]]") } else { format!("[{path}]") };
            Spot { key: name.clone(), table, start, is_header: true, ..Spot::default() }
        };
        match value.get_ref() {
            DeValue::Table(inner) => {
                let spot = header(key.span().start, false);
                walk(inner, &spot, at, found);
                found.extend(has(value).then(|| Spot { begins: begins(value), ..spot }));
            }
            DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => {
                for item in items.iter() {
                    let DeValue::Table(inner) = item.get_ref() else {
                        continue;
                    };
                    let spot = header(item.span().start, true);
                    walk(inner, &spot, at, found);
                    found.extend(has(item).then(|| Spot { begins: begins(item), ..spot }));
                }
            }
            _ if has(value) => {
                let (table, start) = (outer.table.clone(), outer.start);
                found.push(Spot { key: name, table, start, begins: true, ..Spot::default() });
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::config::values::optional_whole;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct File {
        title: Option<String>,
        #[serde(default)]
        rule: Vec<Rule>,
        text: Option<Text>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Rule {
        name: String,
        outcome: Option<Outcome>,
        pair: Option<[String; 2]>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Text {
        limit: Option<i64>,
        #[serde(default, deserialize_with = "optional_whole::<2, 9, _>")]
        size: Option<u32>,
        lines: Option<bool>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Outcome {
        Stop,
        Pause,
    }

    #[test]
    fn each_mistake_names_its_key_and_what_is_accepted() {
        for (text, words) in [
            ("titel = 1", "\"titel\" is not a key that is known here; there are title, rule, text"),
            (
                "[[ruel]]\nname = \"a\"",
                "[[ruel]] is not a table that is known here: did you mean [[rule]]? There are rule, text",
            ),
            (
                "[teext]\nlimit = 1",
                "[teext] is not a table that is known here: did you mean [text]? There are rule",
            ),
            (
                "[text]\n# Rules.\n#[[rule]]\n\n#outcome = \"stop\"\nname = \"a\"",
                "\"name\" is not a key of [text]; is its header, [[rule]] in line 3, still behind a #? The keys of [text] are",
            ),
            (
                "# [text]\nlimit = 1",
                "\"limit\" is not a key that is known above the first table; is its header, [text] in line 1, still",
            ),
            ("[text]\nlimits = 1", "\"limits\" is not a key of [text]; its keys are limit, size, lines"),
            (
                "[text]\n\ntitle = \"a\"",
                "title is inside [text] (line 1) and belongs above the first table of the file",
            ),
            (
                "[[rule]]\nname = \"a\"\n[[rule]]\nname = \"b\"\ntitle = \"c\"",
                "title is inside [[rule]] (line 3) and belongs above the first table of the file",
            ),
            ("title = 5", "title must be text in \"quotes\""),
            ("title = { a = 1 }", "title must be text in \"quotes\""),
            ("[title]\na = 1", "title must be text in \"quotes\""),
            ("[text]\nlimit = \"a\"", "limit must be a whole number, without quotes"),
            ("[text]\nsize = \"a\"", "size must be a whole number from 2 to 9, without quotes"),
            ("[text]\nsize = -1", "size must be a whole number from 2 to 9"),
            ("[text]\nsize = 10", "size must be a whole number from 2 to 9"),
            ("[text]\nsize = 2.5", "size must be a whole number from 2 to 9"),
            ("[text]\nlines = \"no\"", "lines must be true or false, without quotes"),
            ("[[text]]\nlimit = 1", "text must be one table: [text], with one pair of brackets"),
            ("text = 5", "text must be a table: [text]"),
            ("[rule]\nname = \"a\"", "rule must be a list of tables: [[rule]], with two pairs of brackets"),
            ("rule = \"a\"", "rule must be a list: [\"…\", \"…\"]"),
            ("[[rule]]\noutcome = \"stop\"", "name is missing in [[rule]]"),
            (
                "[[rule]]\nname = \"a\"\noutcome = \"wait\"",
                "outcome: \"wait\" is not one of \"stop\", \"pause\"",
            ),
            ("[[rule]]\nname = \"a\"\noutcome = 5", "outcome must be a word in \"quotes\""),
            ("[[rule]]\nname = \"a\"\npair = [\"b\"]", "pair must be a list of 2"),
            ("title = hush", "this is not a value"),
            ("title = \"a\"\ntitle = \"b\"", "\"title\" is here twice, in line 1 and line 2"),
            ("[text", "] is missing"),
            ("title = \"a", "its \" is missing"),
            ("title", "the = is missing"),
            ("title =", "text stands in \"quotes\""),
            ("title = [\"a\"", "its ] is missing"),
            ("title = [\"a\" \"b\"]", "commas"),
            ("title = {title}", "text stands in \"quotes\", what has {…} in it too"),
            ("text = { limit = {limit}, size = 3 }", "text stands in \"quotes\", what has {…} in it too"),
            ("text = { limit = {limit}, size = 'a' }", "text stands in \"quotes\""),
            ("title = \"a\" text = 1", "something follows the value"),
            ("title = \"a\\q\"", "in 'single quotes'"),
        ] {
            let error = toml::from_str::<File>(text).unwrap_err();
            let why = why(text, &error, &["title"]);
            assert!(why.contains(words), "{text:?}: {why} ({})", error.message());
            let programmers =
                ["field", "invalid", "expected", "sequence", "string", "variant", "boolean", "hush"];
            assert!(!programmers.iter().any(|word| why.contains(word)), "{text:?}: {why}");
        }
    }

    #[test]
    fn thousands_of_tables_take_no_longer_than_reading_them() {
        let text = "[[rule]]\nname = \"a\"\n".repeat(10_000) + "nmae = 1\n";
        let error = toml::from_str::<File>(&text).unwrap_err();
        let started = std::time::Instant::now();
        assert!(why(&text, &error, &[]).starts_with("\"nmae\" is not a key of [[rule]]"));
        assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
    }
}
