//! `authalert timeline`: the alerts as they were sent.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::deliver::history::{Entry, History};
use crate::zone::local as local_zone;

use super::{Error, cannot};

/// Columns of the time and the blanks after it.
const INDENT: usize = 21;

/// Show the last `lines` of them, or all; with `follow`, wait for more until the reader goes.
pub fn run(
    state: &Path,
    follow: bool,
    json: bool,
    lines: Option<usize>,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let timeline = History::timeline(state);
    let cannot = |e: io::Error| cannot(format_args!("read {}", timeline.path().display()), &e);
    let mut last = VecDeque::new();
    let mut end = timeline
        .read(0, &mut |entry| {
            last.push_back(entry);
            if lines.is_some_and(|n| last.len() > n) {
                last.pop_front();
            }
        })
        .map_err(cannot)?;
    for entry in &last {
        show(entry.as_ref(), json, out)?;
    }
    if last.is_empty() && !follow && !json {
        writeln!(out, "no alert was sent yet")?;
    }
    out.flush()?;
    if !follow {
        return Ok(());
    }
    loop {
        thread::sleep(Duration::from_millis(200));
        let mut fresh = Vec::new();
        end = timeline.read(end, &mut |entry| fresh.push(entry)).map_err(cannot)?;
        for entry in &fresh {
            show(entry.as_ref(), json, out)?;
        }
        out.flush()?;
    }
}

fn show(entry: Option<&Entry>, json: bool, out: &mut dyn Write) -> Result<(), Error> {
    let Some(entry) = entry else {
        if !json {
            writeln!(out, "(a line here is damaged and cannot be read)")?;
        }
        return Ok(());
    };
    if json {
        let line = serde_json::json!({
            "id": entry.id, "time": entry.time, "receiver": entry.receiver, "post": entry.post,
            "failures": entry.failures, "text": entry.text,
        });
        writeln!(out, "{line}")?;
    } else {
        let time = local_zone().to_datetime(entry.time);
        let text = match columns() {
            Some(columns) => broken_at_words(&entry.text, columns.saturating_sub(INDENT)),
            None => entry.text.clone(),
        };
        writeln!(out, "{}  {text}", time.strftime("%Y-%m-%d %H:%M:%S"))?;
    }
    Ok(())
}

/// How wide the terminal is; none where the output goes elsewhere.
fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// `text` in lines of `room` columns at most where its words allow it, those after the first below the text.
fn broken_at_words(text: &str, room: usize) -> String {
    let (mut broken, mut used) = (String::new(), 0);
    for (number, line) in text.split('\n').enumerate() {
        for (place, word) in line.split(' ').enumerate() {
            let length = word.chars().count();
            let is_new = if place == 0 { number > 0 } else { used + 1 + length > room };
            if is_new {
                broken.push('\n');
                broken.push_str(&" ".repeat(INDENT));
                used = 0;
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
    fn an_alert_is_broken_between_words_and_stays_behind_its_time() {
        let indent = format!("\n{}", " ".repeat(INDENT));
        for (text, room, shown) in [
            ("web1: two words", 15, "web1: two words".to_owned()),
            ("web1: two words", 14, format!("web1: two{indent}words")),
            ("averylongword b", 4, format!("averylongword{indent}b")),
            ("one\ntwo three", 20, format!("one{indent}two three")),
        ] {
            assert_eq!(broken_at_words(text, room), shown, "{text} {room}");
        }
    }
}
