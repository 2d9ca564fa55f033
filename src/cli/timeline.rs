//! `authalert timeline`: the alerts as they were sent.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::deliver::history::{Entry, History};
use crate::zone::local as local_zone;

use super::{Error, cannot, lines};

/// Columns of the time and the blanks after it.
const INDENT: usize = 21;

/// Show the last `lines` of them, with 0 none, or all; with `follow`, wait for more until the reader goes.
pub fn run(
    state: &Path,
    follow: bool,
    json: bool,
    lines: Option<usize>,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let timeline = History::timeline(state);
    let cannot = |e: io::Error| cannot(format_args!("read {}", timeline.path().display()), &e);
    let (mut last, mut is_empty) = (VecDeque::new(), true);
    let mut end = timeline
        .read(0, &mut |entry| {
            is_empty = false;
            last.push_back(entry);
            if lines.is_some_and(|n| last.len() > n) {
                last.pop_front();
            }
        })
        .map_err(cannot)?;
    for entry in &last {
        show(entry.as_ref(), json, out)?;
    }
    if is_empty && !follow && !json {
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
        let line = format!("{}  {}", time.strftime("%Y-%m-%d %H:%M:%S"), entry.text);
        writeln!(out, "{}", lines::fitted(&line, INDENT))?;
    }
    Ok(())
}
