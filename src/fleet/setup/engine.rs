//! The engine's configuration: TLS both ways, and for each client the subjects that it may write and read, nothing else.

use std::fmt::Write as _;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use authalert::storage;

use super::authority::Authority;
use super::members::{Fleet, user};
use crate::protocol::{CONSUMER, LEASE, MARKS, RECORDS, name};

/// Where the engine finds its files.
pub const DIRECTORY: &str = "/etc/authalert-engine";
/// Where it keeps the streams.
pub const STORE: &str = "/var/lib/authalert-engine";
/// The account that it runs as on Debian.
const GROUP: &str = "nats";
const PROGRAM: &str = "/usr/sbin/nats-server";
/// Of all streams together.
const STORE_BYTES: &str = "8GB";

/// The engine of this machine.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Of its files.
    pub directory: PathBuf,
    /// The server itself.
    pub program: PathBuf,
}

impl Default for Engine {
    fn default() -> Self {
        Self { directory: DIRECTORY.into(), program: PROGRAM.into() }
    }
}

impl Engine {
    /// Its configuration file.
    pub fn file(&self) -> PathBuf {
        self.directory.join("engine.conf")
    }

    /// Whether the server knows `sync_interval`, since 2.10; none where it cannot be asked.
    pub fn syncs(&self) -> Option<bool> {
        let said = Command::new(&self.program).arg("--version").env_clear().output().ok()?.stdout;
        let said = String::from_utf8_lossy(&said).into_owned();
        let version = said.split_whitespace().find_map(|word| word.strip_prefix('v'))?;
        let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
        Some((parts.next()??, parts.next()??) >= (2, 10))
    }

    /// Write certificate and key, for these hosts.
    pub fn certify(&self, authority: &Authority, hosts: &[String]) -> io::Result<()> {
        if !self.directory.is_dir() {
            std::fs::DirBuilder::new().recursive(true).mode(0o750).create(&self.directory)?;
        }
        let signed = authority.sign_engine(hosts)?;
        self.give("authority.pem", authority.certificate().as_bytes())?;
        self.give("engine.pem", signed.certificate.as_bytes())?;
        self.give("engine.key", signed.key.as_bytes())
    }

    /// Write the configuration.
    pub fn configure(&self, fleet: &Fleet) -> io::Result<()> {
        self.give("engine.conf", self.text(fleet).as_bytes())
    }

    /// A file that the engine's account may read, and nobody else.
    fn give(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let file = self.directory.join(name);
        storage::replace(&file, bytes)?;
        if let Some(group) = group(Path::new("/etc/group"), GROUP) {
            std::os::unix::fs::chown(&self.directory, None, Some(group))?;
            std::fs::set_permissions(&self.directory, PermissionsExt::from_mode(0o750))?;
            std::os::unix::fs::chown(&file, None, Some(group))?;
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640))?;
        }
        Ok(())
    }

    fn text(&self, fleet: &Fleet) -> String {
        let directory = self.directory.display();
        let sync = if self.syncs() == Some(true) { ", sync_interval: always" } else { "" };
        let mut text = format!(
            "# Made by authalert-fleet, which writes it anew with each member.\n\
             listen: \"{}\"\n\
             server_name: \"authalert\"\n\
             jetstream {{ store_dir: \"{}\", max_file: {STORE_BYTES}{sync} }}\n\
             max_payload: 1MB\n\
             tls {{\n  cert_file: \"{directory}/engine.pem\"\n  key_file: \"{directory}/engine.key\"\n  \
             ca_file: \"{directory}/authority.pem\"\n  verify_and_map: true\n  timeout: 5\n}}\n\
             accounts {{ FLEET {{\n  jetstream: enabled\n  users: [\n",
            fleet.listen,
            fleet.store.display()
        );
        text += &client(&user(name::HUB, &fleet.hub), &hub_rights(), name::HUB);
        for (member, known) in &fleet.members {
            text += &client(&user(member, &known.serial), &member_rights(member), member);
        }
        text + "  ]\n} }\n"
    }
}

/// What a member may write: its own records, and requests for its own last record, its own watermark and the lease.
fn member_rights(member: &str) -> Vec<String> {
    vec![
        format!("aa.f.{member}"),
        format!("$JS.API.DIRECT.GET.{RECORDS}.aa.f.{member}"),
        format!("$JS.API.DIRECT.GET.{MARKS}.aa.ack.{member}"),
        format!("$JS.API.DIRECT.GET.{MARKS}.{LEASE}"),
    ]
}

fn hub_rights() -> Vec<String> {
    vec![
        format!("$JS.API.STREAM.CREATE.{RECORDS}"),
        format!("$JS.API.STREAM.CREATE.{MARKS}"),
        format!("$JS.API.STREAM.PURGE.{RECORDS}"),
        format!("$JS.API.CONSUMER.DURABLE.CREATE.{RECORDS}.{CONSUMER}"),
        format!("$JS.API.CONSUMER.DELETE.{RECORDS}.{CONSUMER}"),
        format!("$JS.API.CONSUMER.MSG.NEXT.{RECORDS}.{CONSUMER}"),
        format!("$JS.API.DIRECT.GET.{MARKS}.>"),
        format!("$JS.ACK.{RECORDS}.{CONSUMER}.>"),
        "aa.ack.*".into(),
        LEASE.into(),
    ]
}

fn client(user: &str, rights: &[String], inbox: &str) -> String {
    let mut quoted = String::new();
    for right in rights {
        let _ = write!(quoted, "{}\"{right}\"", if quoted.is_empty() { "" } else { ", " });
    }
    format!(
        "    {{ user: \"{user}\", permissions: {{ publish: {{ allow: [{quoted}] }}, \
         subscribe: {{ allow: [\"_INBOX.{inbox}.>\"] }} }} }}\n"
    )
}

fn group(file: &Path, name: &str) -> Option<u32> {
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        match fields[..] {
            [group, _, id, ..] if group == name => id.parse().ok(),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_has_its_own_subjects_and_no_other() {
        let mut fleet =
            Fleet::new(vec!["hub:4222".into()], "0.0.0.0:4222".into(), STORE.into(), "00000001".into());
        for name in ["web1", "web2"] {
            let member =
                super::super::members::Member { serial: "00000002".into(), until: "2031-01-01".into() };
            fleet.members.insert(name.into(), member);
        }
        let text = Engine::default().text(&fleet);
        let of =
            |user: &str| text.lines().find(|line| line.contains(&format!("\"{user}.0"))).unwrap().to_owned();
        assert!(of("web1").contains("\"aa.f.web1\"") && !of("web1").contains("web2"));
        assert!(
            !of("web1").contains("STREAM")
                && !of("web1").contains("CONSUMER")
                && !of("web1").contains("MSG.GET")
        );
        assert!(
            !of("hub").contains("STREAM.DELETE")
                && !of("hub").contains("\"$JS.API.>\"")
                && !of("hub").contains("aa.f.")
        );
    }
}
