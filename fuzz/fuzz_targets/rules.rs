//! Any text as a file of rules, and as a line of one, held against any line: nothing panics. Any bytes as a name in each
//! line that a built-in rule knows: the address stays the client's, or is left out.
#![no_main]

use std::path::Path;
use std::sync::OnceLock;

use authalert::scan::header;
use authalert::scan::rules::book::{Book, File, list};
use authalert::scan::rules::{Line, classify};
use libfuzzer_sys::fuzz_target;

/// The built-in rules, each with a name that it speaks under.
fn files() -> &'static [(String, File)] {
    static FILES: OnceLock<Vec<(String, File)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let files = list(Path::new("/nonexistent")).into_iter().map(|entry| entry.file.unwrap());
        files.map(|file| (file.names[0].replace('*', "x"), file)).collect()
    })
}

fn as_name(choice: u8, bytes: &[u8]) {
    let name: Vec<u8> = bytes.iter().copied().filter(|b| !b.is_ascii_control()).take(200).collect();
    let (tag, file) = &files()[usize::from(choice) % files().len()];
    let lines = file.written(&name);
    let line = &lines[usize::from(choice) / files().len() % lines.len()];
    let head = match file.is_of_modules {
        true => format!("Nov  3 09:05:01 srv x[71]: {}(x:auth): ", tag.replacen('x', "pam_x", usize::from(tag == "x"))),
        false => format!("Nov  3 09:05:01 srv {tag}[71]: "),
    };
    let whole = [head.as_bytes(), line].concat();
    let Some(header) = header::parse(&whole) else { return };
    if let Line::Evidence(evidence) = classify(&header) {
        let shown = String::from_utf8_lossy(&whole);
        assert!([&b""[..], b"192.0.2.7"].contains(&evidence.rhost), "{shown}");
        assert!([0, 50310].contains(&evidence.port), "{shown}");
    }
}

fn as_rules(text: &str) {
    let _ = File::parse("fuzz", "fuzz.toml", text);
    let (line, message) = text.split_once('\n').unwrap_or((text, text));
    let Ok(quoted) = serde_json::to_string(line) else { return };
    let rules = format!(
        "about = \"x\"\nprograms = [\"x\"]\n[[rule]]\nmeans = \"nothing\"\nwhy = \"x\"\nlines = [{quoted}]\n"
    );
    if let Ok(file) = File::parse("fuzz", "fuzz.toml", &rules) {
        let written = file.written(message.as_bytes());
        let book = Book::of(vec![file]);
        for message in [message.as_bytes(), &written[0]] {
            let whole = [b"Nov  3 09:05:01 srv x[71]: ", message].concat();
            if let Some(header) = header::parse(&whole) {
                let _ = book.of_program(&header, header.message);
            }
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    as_name(*choice, rest);
    if let Ok(text) = std::str::from_utf8(rest) {
        as_rules(text);
    }
});
