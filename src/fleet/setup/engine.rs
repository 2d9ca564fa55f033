//! The engine's configuration: TLS both ways, and for each client the subjects that it may write and read, nothing else.
//!
//! Each member has an account of its own, which reaches the streams only through the services that are exported to it.
//! Rights of publishing alone do not hold it: the server publishes its answer wherever the request wants it, with its
//! own rights, which in a common account is as good as writing there. In an account of its own it comes back there.

use std::fmt::Write as _;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use authalert::storage;
use zeroize::Zeroizing;

use super::authority::Authority;
use crate::members::{Fleet, user};
use crate::protocol::{CONSUMER, Epoch, LEASE, MARKS, RECORDS, name};

/// Where the engine finds its files.
pub const DIRECTORY: &str = "/etc/authalert-engine";
/// Where it keeps the streams.
pub const STORE: &str = "/var/lib/authalert-engine";
/// The account that it runs as on Debian.
const GROUP: &str = "nats";
const PROGRAM: &str = "/usr/sbin/nats-server";
/// The hub's account, which has the streams.
const ACCOUNT: &str = "FLEET";
/// The port of a cluster's engines among themselves is so much higher than that of members.
const BESIDE: u16 = 2000;
/// What they alone know.
const CLUSTER: &str = "cluster.conf";
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

    /// Write how the engines of a cluster reach each other, with a secret of their own: members have certificates of the
    /// same authority, and who is taken for an engine reads everything.
    pub fn join_together(&self, fleet: &Fleet) -> io::Result<()> {
        let secret = Zeroizing::new(format!("{}{}", Epoch::random()?, Epoch::random()?));
        let routes: Vec<_> = fleet.servers.iter().filter_map(|server| route(server)).collect();
        let port = routes.first().map_or(0, |(_, port)| *port);
        let mut text = Zeroizing::new(String::with_capacity(4096));
        let _ = write!(
            text,
            "cluster {{\n  name: \"authalert\"\n  listen: \"0.0.0.0:{port}\"\n  \
             authorization {{ user: \"engine\", password: \"{}\", timeout: 5 }}\n  routes: [",
            *secret
        );
        for (host, port) in routes {
            let _ = write!(text, "\n    \"tls://engine:{}@{host}:{port}\"", *secret);
        }
        let _ = writeln!(text, "\n  ]\n{}}}", self.tls("verify"));
        self.give(CLUSTER, text.as_bytes())
    }

    fn tls(&self, verify: &str) -> String {
        let directory = self.directory.display();
        format!(
            "tls {{\n  cert_file: \"{directory}/engine.pem\"\n  key_file: \"{directory}/engine.key\"\n  \
             ca_file: \"{directory}/authority.pem\"\n  {verify}: true\n  timeout: 5\n}}\n"
        )
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
        let sync = if self.syncs() == Some(true) { ", sync_interval: always" } else { "" };
        // The engines of a cluster are alike, but for the name that each is started with.
        let who = match fleet.is_cluster {
            true => format!("include \"{CLUSTER}\"\n"),
            false => "server_name: \"authalert\"\n".into(),
        };
        let mut text = format!(
            "# Made by authalert-fleet, which writes it anew with each member.\n\
             listen: \"{}\"\n\
             {who}\
             jetstream {{ store_dir: \"{}\", max_file: {STORE_BYTES}{sync} }}\n\
             max_payload: 1MB\n\
             {}\
             accounts {{\n  {ACCOUNT} {{\n    jetstream: enabled\n    users: [\n",
            fleet.listen,
            fleet.store.display(),
            self.tls("verify_and_map"),
        );
        text += &client(&user(name::HUB, &fleet.hub), &hub_rights(), name::HUB);
        text += "    ]\n    exports: [\n";
        for member in fleet.members.keys() {
            for subject in member_rights(member) {
                let _ =
                    writeln!(text, "      {{ service: \"{subject}\", accounts: [\"{}\"] }}", account(member));
            }
        }
        // Without a member nobody may ask for it; without a list of accounts everybody might.
        if !fleet.members.is_empty() {
            let all: Vec<_> = fleet.members.keys().map(|member| format!("\"{}\"", account(member))).collect();
            let _ =
                writeln!(text, "      {{ service: \"{}\", accounts: [{}] }}", lease_read(), all.join(", "));
        }
        text += "    ]\n  }\n";
        for (member, known) in &fleet.members {
            let mut rights = member_rights(member);
            rights.push(lease_read());
            let _ = writeln!(text, "  \"{}\" {{\n    users: [", account(member));
            text += &client(&user(member, &known.serial), &rights, member);
            text += "    ]\n    imports: [\n";
            for subject in rights {
                let _ =
                    writeln!(text, "      {{ service: {{ account: {ACCOUNT}, subject: \"{subject}\" }} }}");
            }
            text += "    ]\n  }\n";
        }
        text + "}\n"
    }
}

/// Where engines of a cluster reach each other, for one whose members reach it at `server`.
fn route(server: &str) -> Option<(&str, u16)> {
    let (host, port) = server.rsplit_once(':')?;
    Some((host, port.parse::<u16>().ok()?.checked_add(BESIDE)?))
}

/// The account of a member; no member is called so that it could be the hub's.
fn account(member: &str) -> String {
    format!("M-{member}")
}

/// What one member alone may write: its own records, and requests for its own last record and its own watermark.
fn member_rights(member: &str) -> Vec<String> {
    vec![
        format!("aa.f.{member}"),
        format!("$JS.API.DIRECT.GET.{RECORDS}.aa.f.{member}"),
        format!("$JS.API.DIRECT.GET.{MARKS}.aa.ack.{member}"),
    ]
}

/// What all of them may write: a request for the lease.
fn lease_read() -> String {
    format!("$JS.API.DIRECT.GET.{MARKS}.{LEASE}")
}

fn hub_rights() -> Vec<String> {
    vec![
        format!("$JS.API.STREAM.CREATE.{RECORDS}"),
        format!("$JS.API.STREAM.CREATE.{MARKS}"),
        format!("$JS.API.STREAM.MSG.GET.{RECORDS}"),
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
        "      {{ user: \"{user}\", permissions: {{ publish: {{ allow: [{quoted}] }}, \
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

    fn text_for(members: &[&str]) -> String {
        let mut fleet =
            Fleet::new(vec!["hub:4222".into()], "0.0.0.0:4222".into(), STORE.into(), "00000001".into());
        for name in members {
            let member = crate::members::Member { serial: "00000002".into(), until: "2031-01-01".into() };
            fleet.members.insert((*name).into(), member);
        }
        Engine::default().text(&fleet)
    }

    #[test]
    fn each_member_has_its_own_subjects_and_no_other() {
        let text = text_for(&["web1", "web2"]);
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

    #[test]
    fn each_member_has_an_account_of_its_own_and_reaches_four_services() {
        let text = text_for(&["web1", "web2"]);
        let (hub, members) = text.split_once("  \"M-web1\" {").unwrap();
        let (web1, web2) = members.split_once("  \"M-web2\" {").unwrap();
        assert!(!hub.contains("\"web1.0") && web1.contains("\"web1.0") && web2.contains("\"web2.0"));
        assert!(!web1.contains("web2") && !web2.contains("web1") && !members.contains("jetstream"));
        assert_eq!((web1.matches("service:").count(), hub.matches("service:").count()), (4, 7));
        for line in hub.lines().filter(|line| line.contains("service:")) {
            let all = line.contains("accounts: [\"M-web1\", \"M-web2\"]");
            let own = |name: &str| {
                line.contains(&format!(".{name}\"")) && line.contains(&format!("accounts: [\"M-{name}\"]"))
            };
            assert!(if line.contains(LEASE) { all } else { own("web1") || own("web2") }, "{line}");
        }
    }

    #[test]
    fn engines_of_a_cluster_are_alike_and_have_a_secret_that_no_certificate_stands_for() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine { directory: directory.path().into(), ..Engine::default() };
        let servers = ["a.example:4222", "192.0.2.2:4222", "[2001:db8::3]:4222"].map(str::to_owned);
        let mut fleet = Fleet::new(servers.to_vec(), "0.0.0.0:4222".into(), STORE.into(), "00000001".into());
        assert_eq!(fleet.replicas(), 1);
        fleet.is_cluster = true;
        assert_eq!(fleet.replicas(), 3);
        engine.join_together(&fleet).unwrap();
        engine.configure(&fleet).unwrap();
        let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
        assert!(
            read("engine.conf").contains("include \"cluster.conf\"")
                && !read("engine.conf").contains("server_name")
        );
        let text = read(CLUSTER);
        let secret = text.split("password: \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        assert_eq!(secret.len(), 32);
        for host in ["a.example:6222", "192.0.2.2:6222", "[2001:db8::3]:6222"] {
            assert!(text.contains(&format!("\"tls://engine:{secret}@{host}\"")), "{text}");
        }
        assert!(text.contains("verify: true") && !read("engine.conf").contains(&secret));
        engine.join_together(&fleet).unwrap();
        assert!(!read(CLUSTER).contains(&secret));
    }

    #[test]
    fn without_a_member_nothing_is_exported() {
        assert!(!text_for(&[]).contains("service:"));
    }
}
