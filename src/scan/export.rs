//! The systemd journal as `journalctl -o export` writes it, as lines of JSON.
//!
//! An entry is a field a line, `NAME=value`, or `NAME`, the length in eight bytes and the value where that is no plain
//! text; an empty line ends it.

use std::io::{self, BufRead, BufReader, Read};

use serde_json::{Map, Value};

/// The first bytes of such a text.
const START: &[u8] = b"__CURSOR=";
/// What is wanted of an entry.
const FIELDS: [&str; 11] = [
    "__CURSOR",
    "__REALTIME_TIMESTAMP",
    "_HOSTNAME",
    "SYSLOG_IDENTIFIER",
    "_COMM",
    "_EXE",
    "_UID",
    "_PID",
    "SYSLOG_PID",
    "_TRANSPORT",
    "MESSAGE",
];
/// Of a value so much is kept: the name that a program was started under may be 128 KB, and its message stands behind that.
const KEPT: u64 = 160 << 10;

/// Whether a text begins as an export does.
pub(super) fn is_export(text: &[u8]) -> bool {
    text.starts_with(START)
}

/// An export, read as lines of JSON.
pub(super) struct AsJson<R> {
    export: BufReader<R>,
    line: Vec<u8>,
    given: usize,
}

impl<R: Read> AsJson<R> {
    pub(super) fn new(export: R) -> Self {
        Self { export: BufReader::new(export), line: Vec::new(), given: 0 }
    }

    /// The next entry as a line; empty at the end.
    fn next_line(&mut self) -> io::Result<()> {
        (self.given, self.line) = (0, Vec::new());
        let mut entry = Map::new();
        loop {
            let mut field = self.up_to_line_feed()?;
            let at_end = field.is_empty();
            if field.last() == Some(&b'\n') {
                field.pop();
            }
            if field.is_empty() {
                if !entry.is_empty() {
                    self.line = serde_json::to_vec(&entry)?;
                    self.line.push(b'\n');
                }
                if at_end || !self.line.is_empty() {
                    return Ok(());
                }
                continue;
            }
            let (name, value) = match memchr::memchr(b'=', &field) {
                Some(at) => (field[..at].to_vec(), field[at + 1..].to_vec()),
                None => (field, self.counted()?),
            };
            let Ok(name) = String::from_utf8(name) else { continue };
            // Of a field that comes twice, the first.
            if FIELDS.contains(&name.as_str()) && !entry.contains_key(&name) {
                let value = match String::from_utf8(value) {
                    Ok(text) => Value::String(text),
                    Err(bytes) => bytes.into_bytes().into(),
                };
                entry.insert(name, value);
            }
        }
    }

    /// A line, of which what is too long is passed over.
    fn up_to_line_feed(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.export.by_ref().take(KEPT).read_until(b'\n', &mut line)?;
        if line.len() as u64 == KEPT && line.last() != Some(&b'\n') {
            self.export.skip_until(b'\n')?;
        }
        Ok(line)
    }

    /// A value behind its length.
    fn counted(&mut self) -> io::Result<Vec<u8>> {
        let mut len = [0; 8];
        self.export.read_exact(&mut len)?;
        let len = u64::from_le_bytes(len);
        let mut value = Vec::new();
        self.export.by_ref().take(len.min(KEPT)).read_to_end(&mut value)?;
        // And the line feed behind it.
        io::copy(&mut self.export.by_ref().take((len - len.min(KEPT)).saturating_add(1)), &mut io::sink())?;
        Ok(value)
    }
}

impl<R: Read> Read for AsJson<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.line.len() {
            self.next_line()?;
        }
        let n = (&self.line[self.given..]).read(buffer)?;
        self.given += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Entry;
    use super::super::header::Trust;
    use super::*;

    #[test]
    fn what_tells_who_wrote_an_entry_is_kept() {
        let export = b"__CURSOR=s\nX=y\n_TRANSPORT=stdout\n_UID=0\n_EXE=/usr/bin/sudo\nSYSLOG_IDENTIFIER=sshd\nMESSAGE=Failed password for alice from 192.0.2.7 port 22 ssh2\n\n";
        let mut line = Vec::new();
        AsJson::new(&export[..]).read_to_end(&mut line).unwrap();
        assert_eq!(Entry::parse(&line).unwrap().header().trust, Trust::Forged);
    }

    #[test]
    fn each_entry_is_a_line_whatever_its_values_hold() {
        let mut export = b"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1793696701123456\n_PID=71\nX=y\nSYSLOG_IDENTIFIER=su\nMESSAGE=a=b\nMESSAGE=c\n\n\n".to_vec();
        export.extend_from_slice(b"__CURSOR=s=1;i=3\nMESSAGE\n");
        export.extend_from_slice(&5_u64.to_le_bytes());
        export.extend_from_slice(b"a\n\nb\xff\nSYSLOG_IDENTIFIER=sshd\n\n__CURSOR=cut");
        assert!(is_export(&export));
        let mut text = String::new();
        AsJson::new(&export[..]).read_to_string(&mut text).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!((lines[0]["MESSAGE"].as_str(), lines[0].get("X")), (Some("a=b"), None));
        assert_eq!(lines[1]["MESSAGE"], serde_json::json!([97, 10, 10, 98, 255]));
        assert_eq!(lines[1]["SYSLOG_IDENTIFIER"], "sshd");
        // Long values are kept in part, and what follows them is found.
        let long = format!("__CURSOR=1\nX={}\nMESSAGE=m\n\n", "x".repeat(1 << 20));
        let mut text = String::new();
        AsJson::new(long.as_bytes()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "{\"MESSAGE\":\"m\",\"__CURSOR\":\"1\"}\n");
        let mut cut = b"__CURSOR=1\nMESSAGE\n".to_vec();
        cut.extend_from_slice(&u64::MAX.to_le_bytes());
        cut.extend_from_slice(b"abc");
        let mut text = String::new();
        AsJson::new(&cut[..]).read_to_string(&mut text).unwrap();
        assert!(text.contains("abc"));
    }
}
