//! A line as JSON, as `journalctl -o json` or docker's json-file writes it.

use std::sync::OnceLock;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::header::{self, Header};
use super::origin::ThisMachine;
use super::stamp::{self, Stamp};
use super::tag::{behind_own_head, behind_title, name_and_module, tagged};
use super::wrapped;
use super::writer::Writer;

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
    #[serde(rename = "_UID", default)]
    uid: Text,
    #[serde(rename = "_EXE", default)]
    exe: Text,
    #[serde(rename = "_TRANSPORT", default)]
    transport: Text,
    #[serde(rename = "MESSAGE", default)]
    message: Text,
    /// What a container wrote, and when, as docker keeps it.
    #[serde(default)]
    log: String,
    #[serde(default)]
    time: String,
}

/// Text, or bytes where it was no clean UTF-8; of a field that came twice, the first.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Text {
    Plain(String),
    Bytes(Vec<u8>),
    Several(Vec<One>),
    Number(u64),
    #[default]
    Null,
}

/// One of several values. What it holds is not looked at deeper: each level would be looked at again from each above it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum One {
    Plain(String),
    Bytes(Vec<u8>),
    Other(IgnoredAny),
}

impl Text {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Plain(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
            Self::Several(values) => values.first().map_or(&[], |first| match first {
                One::Plain(text) => text.as_bytes(),
                One::Bytes(bytes) => bytes,
                One::Other(_) => &[],
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

static THIS_MACHINE: OnceLock<ThisMachine> = OnceLock::new();

impl Entry {
    /// Parse one line. `None`: it is no journal entry.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let entry: Self = serde_json::from_slice(line).ok()?;
        (!entry.message.bytes().is_empty() || !entry.log.is_empty()).then_some(entry)
    }

    /// Where the entry stands in the systemd journal; empty where it was left out.
    pub fn cursor(&self) -> &str {
        &self.cursor
    }

    /// The same view of it as of a text line.
    pub fn header(&self) -> Header<'_> {
        let message = self.message.bytes();
        if message.is_empty() {
            return self.of_container();
        }
        let stamp = self.realtime.number().map_or(Stamp::Missing, Stamp::Exact);
        let (host, comm) = (self.host.bytes(), self.comm.bytes());
        let mut header = match (self.identifier.bytes(), comm) {
            (b"", b"") => tagged(stamp, host, message),
            // A program that shows its work in its title: the journal takes no tag from that.
            (b"", name) => {
                let message = behind_title(message).unwrap_or(message);
                named(stamp, host, name, message)
            }
            (name, _) => named(stamp, host, name, message),
        };
        // The journal's own word before the one the program gave.
        let pid = self.pid.number().or_else(|| self.syslog_pid.number());
        header.pid = pid.and_then(|pid| u32::try_from(pid).ok()).unwrap_or(header.pid);
        if let Some(uid) = self.uid.number() {
            let tag =
                if self.identifier.bytes().is_empty() { header.program } else { self.identifier.bytes() };
            // Of a journal that was brought here the accounts are others.
            let is_here = THIS_MACHINE.get_or_init(ThisMachine::default).is(&String::from_utf8_lossy(host));
            let (exe, is_output) = (self.exe.bytes(), self.transport.bytes() == b"stdout");
            let mut writer = Writer { uid, exe, comm, tag, message: header.message, is_output, is_here };
            if let Some(words) = writer.behind_name(header.pid) {
                (header.message, writer.message) = (words, words);
            }
            header.trust = writer.trust_in(header.program);
            header.uid = u32::try_from(uid).unwrap_or(0);
            header.exe = writer.exe_name();
        }
        behind_own_head(header)
    }

    /// A line of a container: with a head of its own, or none.
    fn of_container(&self) -> Header<'_> {
        let text = header::trim(self.log.as_bytes());
        let stamp = stamp::parse(self.time.as_bytes()).map_or(Stamp::Missing, |(stamp, _)| stamp);
        match header::parse(text).and_then(|header| wrapped::in_container(header, b"json", 0)) {
            Some(header) if stamp != Stamp::Missing => Header { stamp, ..header },
            Some(header) => header,
            None => named(stamp, b"", b"", text),
        }
    }
}

/// The head of a line with this tag.
fn named<'a>(stamp: Stamp, host: &'a [u8], name: &'a [u8], message: &'a [u8]) -> Header<'a> {
    let (program, module) = name_and_module(name);
    Header { program, module, ..Header::bare(stamp, host, message) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::header::Trust;
    use crate::scan::rules::{Kind, Line, classify};

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
    fn the_session_of_proftpd_is_the_one_it_names() {
        let entry =
            br#"{"SYSLOG_IDENTIFIER":"proftpd","_PID":"70","MESSAGE":"session[71] srv (c[192.0.2.7]): x"}"#;
        let entry = Entry::parse(entry).unwrap();
        assert_eq!((entry.header().pid, entry.header().message), (71, &b"srv (c[192.0.2.7]): x"[..]));
    }

    #[test]
    fn a_message_that_is_no_text_comes_as_bytes() {
        let entry = Entry::parse(br#"{"SYSLOG_IDENTIFIER":"su","MESSAGE":[70,255,10]}"#).unwrap();
        assert_eq!(entry.header().message, b"F\xff\n");
        let entry = Entry::parse(br#"{"SYSLOG_IDENTIFIER":["su","x"],"MESSAGE":["a","b"]}"#).unwrap();
        assert_eq!((entry.header().program, entry.header().message), (&b"su"[..], &b"a"[..]));
    }

    #[test]
    fn a_value_in_many_brackets_is_no_text() {
        for depth in [2, 120] {
            let nested = format!("{{\"MESSAGE\":{}\"x\"{}}}", "[".repeat(depth), "]".repeat(depth));
            assert!(Entry::parse(nested.as_bytes()).is_none(), "{depth}");
        }
    }

    #[test]
    fn what_is_no_entry_is_none() {
        for line in ["", "{", "[]", "{}", "{\"MESSAGE\":null}", "{\"MESSAGE\":{}}"] {
            assert!(Entry::parse(line.as_bytes()).is_none(), "{line}");
        }
    }

    #[test]
    fn a_program_that_rewrote_its_title_is_known_by_its_command() {
        for (comm, message, pam) in [
            ("postgres", "stgres 192.0.2.7(41522) authentication: ", "pam_unix(postgresql:auth): x"),
            ("nginx", "ker process: ", "pam_unix(nginx:auth): x"),
            ("postgres", "", "pam_unix(postgresql:auth): x"),
        ] {
            let line = format!(r#"{{"_COMM":"{comm}","_PID":"7","MESSAGE":"{message}{pam}"}}"#);
            let entry = Entry::parse(line.as_bytes()).unwrap();
            let header = entry.header();
            assert_eq!((header.program, header.message), (comm.as_bytes(), pam.as_bytes()), "{line}");
        }
    }

    #[test]
    fn what_pam_says_in_su_is_heard_behind_whatever_name_su_was_started_under() {
        // `exec -a 'x: y' su`
        let failed = "pam_unix(su:auth): authentication failure; logname= uid=65534 euid=0 tty=pts/0 ruser=nobody rhost=  user=root";
        let opened = "pam_unix(su:session): session opened for user root(uid=0) by nobody(uid=65534)";
        let taken = |exe: &str, tag: &str, message: &str| {
            let line = format!(
                r#"{{"SYSLOG_IDENTIFIER":"{tag}","_PID":"7","_UID":"65534","_COMM":"su","_EXE":"{exe}","MESSAGE":"{message}"}}"#
            );
            let entry = Entry::parse(line.as_bytes()).unwrap();
            match classify(&entry.header()) {
                Line::Evidence(evidence) => Some(evidence.kind),
                _ => None,
            }
        };
        for name in ["y", "(to root) nobody on pts/0", opened, failed, "Failed password for x from 192.0.2.7"]
        {
            for tag in ["x", "su", "sudo", "sshd"] {
                for exe in ["/usr/bin/su", "/usr/bin/python3"] {
                    let kind = taken(exe, tag, &format!("{name}: {failed}"));
                    assert_eq!(kind, Some(Kind::PamFailure), "{exe} {tag}: {name}");
                }
                if tag != "sshd" {
                    let kind = taken("/usr/bin/su", tag, &format!("{name}: {opened}"));
                    assert_eq!(kind, Some(Kind::PamSession), "{tag}: {name}");
                }
            }
            // su's own words are behind its number.
            let own = taken("/usr/bin/su", "su", &format!("{name}[7]: FAILED SU (to root) nobody on pts/0"));
            assert_eq!(own, Some(Kind::Program), "{name}");
            // What su says to its output, which is the socket of the log.
            assert_eq!(taken("/usr/bin/su", "su", &format!("{opened}:")), None);
        }
        // What others with root's rights tell holds what a client chose, as Exim (mount stands for it), or a caller, as pkexec.
        // What su says of an account that is none does too: of another service PAM says nothing in it.
        let of_sshd = failed.replace("su:auth", "sshd:auth").replace("rhost=", "rhost=192.0.2.66");
        let chosen = [("mount", failed), ("pkexec", failed), ("su", &of_sshd)];
        for (uid, (program, words)) in ["101", "65534"].into_iter().flat_map(|uid| chosen.map(|of| (uid, of)))
        {
            for end in ["x: ", "x[7]: "] {
                let told = format!("login: not authorized [192.0.2.9] (set_id={end}{words})");
                let line = format!(
                    r#"{{"SYSLOG_IDENTIFIER":"{program}","_PID":"7","_UID":"{uid}","_COMM":"{program}","_EXE":"/usr/bin/{program}","MESSAGE":"{told}"}}"#
                );
                let entry = Entry::parse(line.as_bytes()).unwrap();
                assert_eq!(entry.header().message, told.as_bytes(), "{program} {uid}");
            }
        }
        for end in [format!(": {failed}"), ":".into()] {
            let ran = format!("nobody : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/echo {end}");
            assert_eq!(taken("/usr/bin/sudo", "sudo", &ran), Some(Kind::Success));
        }
    }

    #[test]
    fn who_has_a_program_of_root_say_something_is_who_failed() {
        // `exec -a '<38>mount: …' mount /x`, its output being the socket of the log.
        let said = "x [local] authentication: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root";
        let own = said.replace("x [local] authentication: pam_unix(sshd", "pam_unix(mount");
        let told = |message: &str| {
            let line = format!(
                r#"{{"SYSLOG_IDENTIFIER":"mount","_PID":"7","_UID":"65534","_COMM":"mount","_EXE":"/usr/bin/mount","MESSAGE":"{message}"}}"#
            );
            match classify(&Entry::parse(line.as_bytes()).unwrap().header()) {
                Line::Evidence(evidence) => Some((evidence.rhost.to_vec(), evidence.ruser.to_vec())),
                _ => None,
            }
        };
        assert_eq!((told(said), told(&own)), (None, Some((b"".to_vec(), b"nobody".to_vec()))));
    }

    #[test]
    fn a_line_that_docker_kept_has_the_head_that_it_brought() {
        let failed = "Failed password for root from 192.0.2.7 port 4000 ssh2";
        for (log, pid) in
            [(format!("{failed}\\r\\n"), 0), (format!("Nov  3 09:05:01 sshd[71]: {failed}\\n"), 71)]
        {
            let line = format!(r#"{{"log":"{log}","stream":"stderr","time":"2026-11-03T09:05:01.5Z"}}"#);
            let entry = Entry::parse(line.as_bytes()).unwrap();
            let header = entry.header();
            assert_eq!((header.program, header.pid), (&b"sshd"[..], pid), "{line}");
            assert_eq!(header.stamp, Stamp::Exact(1_793_696_701_500_000));
            assert_eq!(String::from_utf8_lossy(header.message).trim(), failed);
        }
        let other = Entry::parse(br#"{"log":"GET / HTTP/1.1","stream":"stdout","time":"x"}"#).unwrap();
        assert_eq!(other.header().program, b"");
    }

    #[test]
    fn a_line_of_somebody_who_is_not_the_program_is_forged() {
        let trust = |program: &str, fields: &str| {
            let line = format!(r#"{{"SYSLOG_IDENTIFIER":"{program}","_PID":"7","MESSAGE":"x"{fields}}}"#);
            Entry::parse(line.as_bytes()).unwrap().header().trust
        };
        let logger = r#","_COMM":"logger","_EXE":"/usr/bin/logger""#;
        assert_eq!(trust("sshd", ""), Trust::Believed);
        assert_eq!(trust("sshd", &format!(r#","_UID":"0"{logger}"#)), Trust::Believed);
        for program in ["sshd", "sudo"] {
            assert_eq!(trust(program, &format!(r#","_UID":"1000"{logger}"#)), Trust::Forged);
        }
        assert_eq!(trust("sshd", r#","_UID":"1000""#), Trust::Forged);
        assert_eq!(trust("sudo", r#","_UID":"1000""#), Trust::Unattributed);
        assert_eq!(trust("sudo", r#","_UID":"0""#), Trust::Believed);
        // `systemd-cat -t sshd sudo -S -p $'\nFailed password for …\n' true`
        let sudo = r#","_UID":"0","_COMM":"sudo","_EXE":"/usr/bin/sudo""#;
        let output = r#","_TRANSPORT":"stdout""#;
        for program in ["sshd", "sudo", "smtpd"] {
            assert_eq!(trust(program, &format!("{sudo}{output}")), Trust::Forged);
            assert_eq!(trust(program, &format!(r#","_UID":"0"{output}"#)), Trust::Forged);
        }
        for program in ["sudo", "sudo-i", "pam_duo"] {
            assert_eq!(trust(program, &format!(r#"{sudo},"_TRANSPORT":"syslog""#)), Trust::Believed);
        }
        // The same through an output that is the socket of the log: `sudo -e $'<38>sshd[7]: Failed password for …'`.
        for program in ["sshd", "smtpd", "pam_unix(sshd:auth)"] {
            assert_eq!(trust(program, &format!(r#"{sudo},"_TRANSPORT":"syslog""#)), Trust::Forged);
        }
        let su = r#","_UID":"1000","_COMM":"su","_EXE":"/usr/bin/su""#;
        assert_eq!(trust("su", &format!("{su}{output}")), Trust::Forged);
        let service = r#","_UID":"0","_COMM":"sshd","_EXE":"/usr/sbin/sshd""#;
        assert_eq!(trust("sshd", &format!("{service}{output}")), Trust::Believed, "`sshd -D -e`");
    }
}
