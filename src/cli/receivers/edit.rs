//! Changing the configuration: a receiver more or less. What stands in the file stays, comments and order too.

use std::fs;
use std::io;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::config;
use crate::storage;

/// The keys and values of one `[[receiver]]`, as they are written.
pub type Lines = Vec<(String, String)>;

/// Begins a configuration that is made here.
const HEAD: &str =
    "# Written by \"authalert receivers add\". Every other key has its default: authalert.toml(5).\n";
/// Stands before the word that a list of receivers takes the place of.
const BEFORE: &str = "# before there was a [[receiver]]: ";
/// Stands above the account that needed no word before.
const X_GOES_ON: &str = "# The X account, as before.\n";

/// `text` with one more receiver. With `has_account` the X account that goes without saying is said, so that it stays.
pub fn added(text: &str, has_account: bool, lines: &Lines) -> Result<String, String> {
    let mut out = text.to_owned();
    let x_goes_on = match said(text)? {
        Said::Nothing => has_account,
        Said::List(_) => false,
        Said::Word { word, start, .. } => {
            out.insert_str(text[..start].rfind('\n').map_or(0, |at| at + 1), BEFORE);
            word == "x"
        }
    };
    if x_goes_on {
        append(&mut out, X_GOES_ON, &x());
    }
    append(&mut out, "", lines);
    Ok(out)
}

/// `text` without the receiver called `name`; none if it has none. Comments stay, and what [`added`] wrote for its
/// sake goes with it.
pub fn removed(text: &str, has_account: bool, name: &str) -> Result<Option<String>, String> {
    let list = match said(text)? {
        Said::Nothing if has_account && name == "x" => return with_timeline(text.to_owned()).map(Some),
        Said::Word { word, value, .. } if word == name => {
            let mut out = text.to_owned();
            out.replace_range(value, "\"timeline\"");
            return Ok(Some(out));
        }
        Said::Nothing | Said::Word { .. } => return Ok(None),
        Said::List(list) => list,
    };
    let Some(one) = list.iter().find(|one| one.name == name) else { return Ok(None) };
    let out = without(text, one.start, one.end);
    let Said::List(left) = said(&out)? else {
        return match said_before(&out, "timeline") {
            Some(before) => Ok(Some(before)),
            // Without a word about it an X account would get alerts.
            None if has_account => with_timeline(out).map(Some),
            None => Ok(Some(out)),
        };
    };
    // The account that was said for the sake of others.
    let [Place { start, end, .. }] = left[..] else { return Ok(Some(out)) };
    if out[..end].ends_with(&paragraph(X_GOES_ON, &x())) {
        let out = without(&out, start - X_GOES_ON.len(), end);
        return Ok(Some(said_before(&out, "x").unwrap_or(out)));
    }
    Ok(Some(out))
}

/// The configuration at `path`; what one that is made here begins with where there is none.
pub fn read(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(HEAD.to_owned()),
        other => other,
    }
}

/// Write `text` in the place of the configuration, which may not be there yet; one of which nothing is left is taken
/// away.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    // A link to the file stays a link.
    let file = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if text == HEAD {
        return match fs::remove_file(file) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        };
    }
    let mode = fs::metadata(&file).map_or(0o644, |meta| meta.permissions().mode() & 0o755);
    storage::replace(&file, text.as_bytes())?;
    fs::set_permissions(&file, fs::Permissions::from_mode(mode))
}

/// A text in quotes. What a parameter accepts has no control characters.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// What a configuration says about receivers, and where.
enum Said {
    Nothing,
    Word { word: String, start: usize, value: Range<usize> },
    List(Vec<Place>),
}

/// One `[[receiver]]`: from its header to the end of its last line.
struct Place {
    name: String,
    start: usize,
    end: usize,
}

fn said(text: &str) -> Result<Said, String> {
    let table = parsed(text)?;
    let Some((key, value)) = table.get_ref().iter().find(|(key, _)| key.get_ref() == "receiver") else {
        return Ok(Said::Nothing);
    };
    match value.get_ref() {
        DeValue::String(word) => {
            Ok(Said::Word { word: word.to_string(), start: key.span().start, value: value.span() })
        }
        DeValue::Array(list) => {
            let places = list.iter().map(|one| place(text, one));
            places.collect::<Option<Vec<_>>>().map(Said::List).ok_or_else(|| {
                "receiver is written as a list in brackets; write it as tables [[receiver]] first".to_owned()
            })
        }
        _ => Err("receiver is neither a word nor tables [[receiver]]".into()),
    }
}

fn place(text: &str, one: &toml::Spanned<DeValue<'_>>) -> Option<Place> {
    let DeValue::Table(table) = one.get_ref() else { return None };
    let word =
        |key: &str| table.iter().find(|(k, _)| k.get_ref() == key)?.1.get_ref().as_str().map(str::to_owned);
    let first = table.iter().map(|(key, _)| key.span().start).min().unwrap_or(one.span().end);
    let last = table.iter().map(|(_, value)| value.span().end).max().unwrap_or(one.span().end);
    let start = text.get(..first)?.rfind("[[")?;
    let end = text.get(last..)?.find('\n').map_or(text.len(), |at| last + at + 1);
    text.get(start..)?.starts_with("[[").then_some(())?;
    Some(Place { name: word("name").or_else(|| word("kind"))?, start, end })
}

/// All of it must be right before anything is changed in it.
fn parsed(text: &str) -> Result<toml::Spanned<DeTable<'_>>, String> {
    DeTable::parse(text).map_err(|e| {
        let why = config::refused(text).unwrap_or_else(|| e.message().to_owned());
        format!("{why}; correct that first")
    })
}

/// Where the first table begins, with the comment above it; the end where there is none.
fn first_table(text: &str) -> Result<usize, String> {
    let table = parsed(text)?;
    let inner = |value: &DeValue<'_>| matches!(value, DeValue::Table(_) | DeValue::Array(_));
    let values = table.get_ref().iter().filter(|(_, value)| inner(value.get_ref()));
    let Some(first) = values.map(|(key, _)| key.span().start).min() else { return Ok(text.len()) };
    let mut start = text[..first].rfind('\n').map_or(0, |at| at + 1);
    while let Some(above) = text[..start].strip_suffix('\n') {
        let line = above.rfind('\n').map_or(0, |at| at + 1);
        if !text[line..].starts_with('#') {
            break;
        }
        start = line;
    }
    Ok(start)
}

fn x() -> Lines {
    vec![("kind".into(), quoted("x"))]
}

fn paragraph(above: &str, lines: &Lines) -> String {
    let lines = lines.iter().map(|(key, value)| format!("{key} = {value}\n"));
    format!("{above}[[receiver]]\n{}", lines.collect::<String>())
}

fn append(out: &mut String, above: &str, lines: &Lines) {
    out.push_str(storage::gap(out));
    out.push_str(&paragraph(above, lines));
}

/// `text` without what stands from `start` to `end`, and without the gap before it; at the beginning that after it.
fn without(text: &str, start: usize, end: usize) -> String {
    let (before, after) = (storage::without_gap(&text[..start]), &text[end..]);
    let after = if before.is_empty() { after.strip_prefix('\n').unwrap_or(after) } else { after };
    format!("{before}{after}")
}

/// `text` with the `word` that [`added`] took the place of; none if it took none.
fn said_before(text: &str, word: &str) -> Option<String> {
    let is_it = |rest: &str| {
        let line = rest.lines().next().unwrap_or_default();
        matches!(said(line), Ok(Said::Word { word: before, .. }) if before == word)
    };
    let marks = text.match_indices(BEFORE).filter(|(at, _)| *at == 0 || text[..*at].ends_with('\n'));
    let (at, end) = marks.map(|(at, _)| (at, at + BEFORE.len())).find(|(_, end)| is_it(&text[*end..]))?;
    Some(format!("{}{}", &text[..at], &text[end..]))
}

/// `text`, which says nothing about receivers, with the word for none.
fn with_timeline(mut text: String) -> Result<String, String> {
    text.insert_str(first_table(&text)?, "receiver = \"timeline\"\n");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn names(text: &str, has_account: bool) -> Vec<String> {
        let config = Config::parse(text, Path::new("config.toml")).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert!(config.mistakes.is_empty(), "{:?}\n{text}", config.mistakes);
        config.receivers(has_account).into_iter().map(|r| r.name).filter(|name| name != "timeline").collect()
    }

    #[test]
    fn what_is_no_toml_is_corrected_first_and_says_where() {
        let text = "[[receiver]]\nkind = \"slack\"\n[alerts]\nburst = lots\n";
        for refused in [added(text, false, &ntfy()).unwrap_err(), removed(text, false, "slack").unwrap_err()]
        {
            assert!(refused.starts_with("line 4, column 9: `lots` is not a value"), "{refused}");
            assert!(refused.ends_with("correct that first"), "{refused}");
        }
    }

    fn ntfy() -> Lines {
        vec![("kind".into(), quoted("ntfy")), ("topic".into(), quoted("a\"b\\c"))]
    }

    #[test]
    fn a_receiver_more_leaves_everything_else_and_x_goes_on_under_its_name() {
        let shipped = include_str!("../../../etc/config.toml");
        for (text, has_account, expected) in [
            ("", false, &["ntfy"][..]),
            ("", true, &["x", "ntfy"]),
            ("# only a comment", false, &["ntfy"]),
            ("receiver = \"x\" # why\n[alerts]\nburst = 3\n", false, &["x", "ntfy"]),
            ("# a\nreceiver = \"timeline\"\n", true, &["ntfy"]),
            ("[[receiver]]\nkind = \"x\"\nname = \"phone\"\n\n# end\n[scan]\n", true, &["phone", "ntfy"]),
            (shipped, false, &["ntfy"]),
        ] {
            let out = added(text, has_account, &ntfy()).unwrap();
            assert_eq!(names(&out, has_account), expected, "{text}");
            assert!(out.ends_with("[[receiver]]\nkind = \"ntfy\"\ntopic = \"a\\\"b\\\\c\"\n"), "{out}");
            text.lines().for_each(|line| assert!(out.contains(line), "{line}"));
        }
        assert!(added("receiver = [{ kind = \"x\" }]\n", true, &ntfy()).is_err());
    }

    #[test]
    fn what_was_added_and_taken_out_again_leaves_the_text_as_it_was_whatever_it_was() {
        let shipped = include_str!("../../../etc/config.toml");
        let with_word = |word: &str| format!("# a\n{word}\n\n# b\n[alerts]\nburst = 3\n");
        for text in [
            "",
            HEAD,
            "# only a comment",
            "# only a comment\n\n",
            shipped,
            &with_word("receiver = \"x\" # why"),
            &with_word("  receiver = 'timeline'"),
            "receiver = \"timeline\"",
            "[[receiver]]\nkind = \"x\"\n",
            "[[receiver]]\nkind = \"slack\"\n# end",
            "[[receiver]]\nkind = \"slack\"\n\n[alerts]\nburst = 3\n",
        ] {
            for has_account in [false, true] {
                let once = added(text, has_account, &ntfy()).unwrap();
                let other = vec![("kind".to_owned(), quoted("telegram"))];
                let twice = added(&once, has_account, &other).unwrap();
                let back = removed(&twice, has_account, "telegram").unwrap().unwrap();
                assert_eq!(back, once, "{text}");
                let back = removed(&back, has_account, "ntfy").unwrap().unwrap();
                assert_eq!(back, text, "{once}");
                // In the other order nothing of it is left either, but where the text had no end.
                let back = removed(&twice, has_account, "ntfy").unwrap().unwrap();
                let back = removed(&back, has_account, "telegram").unwrap().unwrap();
                assert_eq!(back.trim_end(), text.trim_end(), "{twice}");
            }
        }
    }

    #[test]
    fn a_receiver_less_leaves_comments_and_the_others() {
        let text = "# head\n[alerts]\nburst = 3\n\n# the pager\n[[receiver]]\nkind = \"ntfy\" # loud\ntopic = \"t\"\n\n\
                    # the chat\n[[receiver]]\nkind = \"slack\"\nname = \"chat\"\n# end\n";
        let without = removed(text, false, "ntfy").unwrap().unwrap();
        assert_eq!(names(&without, false), ["chat"]);
        for comment in ["# head", "# the pager", "# the chat", "# end", "burst = 3"] {
            assert!(without.contains(comment), "{comment}: {without}");
        }
        for has_account in [false, true] {
            let none = removed(&without, has_account, "chat").unwrap().unwrap();
            assert!(names(&none, has_account).is_empty() && none.contains("# end"), "{none}");
        }
        assert_eq!(removed(text, false, "pager").unwrap(), None);
        assert_eq!(removed("", false, "x").unwrap(), None);
        assert!(names(&removed("", true, "x").unwrap().unwrap(), true).is_empty());
        assert!(names(&removed("receiver = \"x\"\n", true, "x").unwrap().unwrap(), true).is_empty());
        // Of what was said for the sake of another nothing comes back that is not meant any more.
        let both = added("receiver = \"x\"\n", true, &ntfy()).unwrap();
        let without_x = removed(&both, true, "x").unwrap().unwrap();
        assert_eq!(names(&without_x, true), ["ntfy"]);
        assert!(names(&removed(&without_x, true, "ntfy").unwrap().unwrap(), true).is_empty());
    }
}
