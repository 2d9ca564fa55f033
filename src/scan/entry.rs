//! A line as JSON, as `journalctl -o json` writes it.

use serde::Deserialize;

use super::header::{Header, name_and_module, tagged};
use super::stamp::Stamp;

/// The fields of a journal entry that matter here.
#[derive(Debug, Default, Deserialize)]
pub struct Entry {
    #[serde(rename = "__CURSOR", default)]
    cursor: String,
    #[serde(rename = "__REALTIME_TIMESTAMP", default)]
    realtime: Text,
    #[serde(rename = "_HOSTNAME", default)]
    host: Text,
    #[serde(rename = "SYSLOG_IDENTIFIER", default)]
    identifier: Text,
    #[serde(rename = "_COMM", default)]
    comm: Text,
    #[serde(rename = "_PID", default)]
    pid: Text,
    #[serde(rename = "SYSLOG_PID", default)]
    syslog_pid: Text,
    #[serde(rename = "MESSAGE", default)]
    message: Text,
}

/// Text, or bytes where it was no clean UTF-8; of a field that came twice, the first.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Text {
    Plain(String),
    Bytes(Vec<u8>),
    Several(Vec<Text>),
    Number(u64),
    #[default]
    Null,
}

impl Text {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Plain(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
            Self::Several(values) => values.first().map_or(&[], |first| match first {
                Self::Several(_) => &[],
                plain => plain.bytes(),
            }),
            Self::Number(_) | Self::Null => &[],
        }
    }

    fn number(&self) -> Option<i64> {
        match self {
            Self::Number(n) => i64::try_from(*n).ok(),
            text => std::str::from_utf8(text.bytes()).ok()?.parse().ok(),
        }
    }
}

impl Entry {
    /// Parse one line. `None`: it is no journal entry.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let entry: Self = serde_json::from_slice(line).ok()?;
        (!entry.message.bytes().is_empty()).then_some(entry)
    }

    /// Where the entry stands in the systemd journal; empty where it was left out.
    pub fn cursor(&self) -> &str {
        &self.cursor
    }

    /// The same view of it as of a text line.
    pub fn header(&self) -> Header<'_> {
        let stamp = self.realtime.number().map_or(Stamp::Missing, Stamp::Exact);
        let message = self.message.bytes();
        let name = match self.identifier.bytes() {
            b"" => self.comm.bytes(),
            name => name,
        };
        let mut header = if name.is_empty() {
            tagged(stamp, self.host.bytes(), message)
        } else {
            let (program, module) = name_and_module(name);
            Header { stamp, host: self.host.bytes(), program, module, pid: 0, message, plain: false }
        };
        // The journal's own word before the one the program gave.
        let pid = self.pid.number().or_else(|| self.syslog_pid.number());
        header.pid = pid.and_then(|pid| u32::try_from(pid).ok()).unwrap_or(header.pid);
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_gives_the_same_header_as_a_line() {
        let entry = Entry::parse(
            br#"{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1793696701123456","_HOSTNAME":"srv","SYSLOG_IDENTIFIER":"sshd-session","_PID":"71","SYSLOG_PID":"72","MESSAGE":"hello","X":null}"#,
        )
        .unwrap();
        let header = entry.header();
        assert_eq!(
            (header.host, header.program, header.pid, header.message),
            (&b"srv"[..], &b"sshd-session"[..], 71, &b"hello"[..])
        );
        assert_eq!(header.stamp, Stamp::Exact(1_793_696_701_123_456));
        assert_eq!(entry.cursor(), "s=1;i=2");
    }

    #[test]
    fn a_message_that_is_no_text_comes_as_bytes() {
        let entry = Entry::parse(br#"{"SYSLOG_IDENTIFIER":"su","MESSAGE":[70,255,10]}"#).unwrap();
        assert_eq!(entry.header().message, b"F\xff\n");
        let entry = Entry::parse(br#"{"SYSLOG_IDENTIFIER":["su","x"],"MESSAGE":["a","b"]}"#).unwrap();
        assert_eq!((entry.header().program, entry.header().message), (&b"su"[..], &b"a"[..]));
    }

    #[test]
    fn what_is_no_entry_is_none() {
        for line in ["", "{", "[]", "{}", "{\"MESSAGE\":null}", "{\"MESSAGE\":{}}"] {
            assert!(Entry::parse(line.as_bytes()).is_none(), "{line}");
        }
    }
}
