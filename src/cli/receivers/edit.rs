//! Changing the configuration: a receiver more or less. What stands in the file stays, comments and order too.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::storage;

/// The keys and values of one `[[receiver]]`, as they are written.
pub type Lines = Vec<(String, String)>;

/// `text` with one more receiver. With `has_account` the X account that goes without saying is said, so that it stays.
pub fn added(text: &str, has_account: bool, lines: &Lines) -> Result<String, String> {
    let mut out = text.to_owned();
    match said(text)? {
        Said::Nothing if has_account => append(&mut out, &x()),
        Said::Nothing | Said::List(_) => {}
        Said::Word { word, start, end } => {
            out.replace_range(start..end, "");
            if word == "x" {
                append(&mut out, &x());
            }
        }
    }
    append(&mut out, lines);
    Ok(out)
}

/// `text` without the receiver called `name`; none if it has none. Comments stay.
pub fn removed(text: &str, has_account: bool, name: &str) -> Result<Option<String>, String> {
    let (start, end, is_only) = match said(text)? {
        Said::Nothing if has_account && name == "x" => (0, 0, true),
        Said::Nothing => return Ok(None),
        Said::Word { word, start, end } if word == name => (start, end, true),
        Said::Word { .. } => return Ok(None),
        Said::List(list) => match list.iter().find(|one| one.name == name) {
            Some(one) => (one.start, one.end, list.len() == 1),
            None => return Ok(None),
        },
    };
    let mut out = text.to_owned();
    out.replace_range(start..end, "");
    if is_only {
        // Without a word about it an X account would get alerts.
        out.insert_str(first_table(&out)?, "receiver = \"timeline\"\n");
    }
    Ok(Some(out))
}

/// Write `text` in the place of the configuration, which may not be there yet.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    // A link to the file stays a link.
    let file = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
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
    Word { word: String, start: usize, end: usize },
    List(Vec<Place>),
}

/// One `[[receiver]]`: from its header to the end of its last line.
struct Place {
    name: String,
    start: usize,
    end: usize,
}

fn said(text: &str) -> Result<Said, String> {
    let table = DeTable::parse(text).map_err(|e| e.message().to_owned())?;
    let Some((key, value)) = table.get_ref().iter().find(|(key, _)| key.get_ref() == "receiver") else {
        return Ok(Said::Nothing);
    };
    match value.get_ref() {
        DeValue::String(word) => {
            let (start, end) = (key.span().start, value.span().end);
            Ok(Said::Word { word: word.to_string(), start, end })
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

/// Where the first table begins, with the comment above it; the end where there is none.
fn first_table(text: &str) -> Result<usize, String> {
    let table = DeTable::parse(text).map_err(|e| e.message().to_owned())?;
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

fn append(out: &mut String, lines: &Lines) {
    out.truncate(out.trim_end().len());
    out.push_str(if out.is_empty() { "" } else { "\n\n" });
    out.push_str("[[receiver]]\n");
    lines.iter().for_each(|(key, value)| out.push_str(&format!("{key} = {value}\n")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn names(text: &str, has_account: bool) -> Vec<String> {
        let config = Config::parse(text, Path::new("config.toml")).unwrap_or_else(|e| panic!("{e}\n{text}"));
        config.receivers(has_account).into_iter().map(|r| r.name).filter(|name| name != "timeline").collect()
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
            for line in text.lines().filter(|line| !line.starts_with("receiver")) {
                assert!(out.contains(line), "{line}");
            }
            assert!(!text.contains("# why") || out.contains("# why"));
        }
        assert!(added("receiver = [{ kind = \"x\" }]\n", true, &ntfy()).is_err());
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
        let none = removed(&without, false, "chat").unwrap().unwrap();
        assert!(names(&none, true).is_empty() && none.contains("# end"), "{none}");
        assert_eq!(removed(text, false, "pager").unwrap(), None);
        assert_eq!(removed("", false, "x").unwrap(), None);
        assert!(names(&removed("", true, "x").unwrap().unwrap(), true).is_empty());
        assert!(names(&removed("receiver = \"x\"\n", true, "x").unwrap().unwrap(), true).is_empty());
    }
}
