//! On the hub: begin a fleet, let a member in, renew it, put it out.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use authalert::storage;

use super::authority::{Authority, serial};
use super::engine::{Engine, STORE};
use super::{private_directory, systemd};
use crate::identity;
use crate::members::{Fleet, Member, user};
use crate::place::Place;
use crate::protocol::{Name, name};

/// Name of the hub's own file.
pub const IDENTITY: &str = "hub.toml";

/// Where a member's file goes.
#[derive(Debug)]
pub enum To {
    /// To be carried there.
    File(PathBuf),
    /// To the `join` at the other end, and onto no disk.
    Pipe(File),
}

/// What `init-hub` was told.
#[derive(Clone, Debug)]
pub struct Init {
    /// Hosts by which members reach the engine, names or addresses.
    pub hosts: Vec<String>,
    /// Its port.
    pub port: u16,
    /// Where the engine listens; everywhere where it is not said.
    pub listen: Option<String>,
    /// Where it keeps its streams.
    pub store: Option<PathBuf>,
    /// Each host is an engine of its own, of one cluster.
    pub is_cluster: bool,
    /// Start what there is to start.
    pub start: bool,
}

/// Begin a fleet, or give one that is there other addresses. Members and authority stay.
pub fn init(place: &Place, engine: &Engine, init: &Init, out: &mut dyn Write) -> io::Result<()> {
    if init.is_cluster && ![3, 5].contains(&init.hosts.len()) {
        return Err(io::Error::other("a cluster is three engines, or five: name each with --address"));
    }
    private_directory(&place.configuration)?;
    let authority = Authority::open(&place.configuration)?;
    let servers: Vec<String> = init
        .hosts
        .iter()
        .map(|host| {
            if host.contains(':') {
                format!("[{host}]:{}", init.port)
            } else {
                format!("{host}:{}", init.port)
            }
        })
        .collect();
    if let Some(server) = servers.iter().find(|server| !identity::is_server(server)) {
        return Err(io::Error::other(format!(
            "{server} is not an address; give a host name or an IP address"
        )));
    }
    let listen = init.listen.clone().unwrap_or_else(|| format!("0.0.0.0:{}", init.port));
    let mut fleet = Fleet::load(&place.configuration)?
        .unwrap_or_else(|| Fleet::new(Vec::new(), String::new(), STORE.into(), String::new()));
    if let Some(store) = &init.store {
        fleet.store.clone_from(store);
    }
    (fleet.servers, fleet.listen, fleet.hub) = (servers, listen, serial()?);
    fleet.is_cluster = init.is_cluster;
    // The hub is beside its engine.
    let hosts: Vec<String> =
        init.hosts.iter().cloned().chain(["127.0.0.1".into(), "localhost".into()]).collect();
    engine.certify(&authority, &hosts)?;
    let signed = authority.sign_client(&user(name::HUB, &fleet.hub))?;
    let local =
        if fleet.is_cluster { fleet.servers.clone() } else { vec![format!("127.0.0.1:{}", init.port)] };
    let text = identity::write(name::HUB, &local, authority.certificate(), &signed.certificate, &signed.key);
    storage::replace(&place.configuration_file(IDENTITY), text.as_bytes())?;
    fleet.save(&place.configuration)?;
    if fleet.is_cluster {
        engine.join_together(&fleet)?;
    }
    engine.configure(&fleet)?;
    writeln!(out, "authority  {}", place.configuration.display())?;
    writeln!(out, "engine     {}, reached at {}", engine.file().display(), fleet.servers.join(", "))?;
    match engine.syncs() {
        Some(true) => writeln!(out, "           every message is on its disk before it is confirmed")?,
        Some(false) => writeln!(
            out,
            "           this version syncs each two minutes; what a power cut takes is sent again"
        )?,
        None => {
            writeln!(out, "           {} is missing; run: apt install nats-server", engine.program.display())?
        }
    }
    if init.start && systemd::runs(place) {
        systemd::start_engine(engine, fleet.is_cluster)?;
        systemd::enable("authalert-gather.service")?;
        writeln!(out, "started    nats-server, authalert-gather")?;
    } else {
        let name = if fleet.is_cluster { " --name NAME, another for each engine" } else { "" };
        writeln!(out, "now run    {} -c {}{name}", engine.program.display(), engine.file().display())?;
        writeln!(out, "           authalert-fleet gather")?;
    }
    if fleet.is_cluster {
        writeln!(out, "engines    {}", systemd::how_to_carry(engine))?;
    }
    writeln!(out, "next       authalert-fleet add-member NAME")
}

/// Let a member in: one file to carry there.
pub fn add(place: &Place, engine: &Engine, member: &str, to: To, out: &mut dyn Write) -> io::Result<()> {
    let mut fleet = fleet_of(place)?;
    if fleet.members.contains_key(member) {
        return Err(io::Error::other(format!("{member} is a member; run: authalert-fleet renew {member}")));
    }
    issue(place, engine, &mut fleet, member, to, out)
}

/// Give a member a new certificate. The one that it has is refused from now on; what it records meanwhile waits there.
pub fn renew(place: &Place, engine: &Engine, member: &str, to: To, out: &mut dyn Write) -> io::Result<()> {
    let mut fleet = fleet_of(place)?;
    if !fleet.members.contains_key(member) {
        return Err(unknown(member));
    }
    issue(place, engine, &mut fleet, member, to, out)
}

/// Put a member out: its certificate is refused from now on.
pub fn revoke(place: &Place, engine: &Engine, member: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut fleet = fleet_of(place)?;
    if fleet.members.remove(member).is_none() {
        return Err(unknown(member));
    }
    fleet.save(&place.configuration)?;
    reload(place, engine, &fleet, out)?;
    writeln!(out, "{member} is no member any more")
}

fn issue(
    place: &Place,
    engine: &Engine,
    fleet: &mut Fleet,
    member: &str,
    to: To,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Some(member) = Name::new(member) else {
        return Err(io::Error::other(format!(
            "{} is not a name: small letters, digits and dashes, 40 at most, not `hub`",
            authalert::neutral::name(member)
        )));
    };
    let authority = Authority::open(&place.configuration)?;
    let serial = serial()?;
    let signed = authority.sign_client(&user(member.as_str(), &serial))?;
    let text = identity::write(
        member.as_str(),
        &fleet.servers,
        authority.certificate(),
        &signed.certificate,
        &signed.key,
    );
    if let To::File(file) = &to {
        storage::replace(file, text.as_bytes())?;
    }
    fleet.members.insert(member.to_string(), Member { serial, until: signed.until });
    fleet.save(&place.configuration)?;
    reload(place, engine, fleet, out)?;
    match to {
        To::File(file) => {
            let (shown, name) = (file.display(), file.file_name().unwrap_or_default().to_string_lossy());
            writeln!(
                out,
                "{shown}  holds the key of {member}: carry it there over a safe way, then remove it"
            )?;
            writeln!(out, "on {member} run: authalert-fleet join {name}")
        }
        // Now that the engine lets it in: the other end joins as soon as it has it.
        To::Pipe(mut pipe) => pipe.write_all(text.as_bytes()).map_err(|e| {
            io::Error::other(format!("nothing took the key of {member}; run it again, with renew: {e}"))
        }),
    }
}

fn reload(place: &Place, engine: &Engine, fleet: &Fleet, out: &mut dyn Write) -> io::Result<()> {
    engine.configure(fleet)?;
    if fleet.is_cluster {
        writeln!(out, "{}; then reload it there twice, a second apart", systemd::how_to_carry(engine))?;
    }
    if systemd::runs(place) {
        return systemd::reload_engine();
    }
    writeln!(out, "the engine has to read its configuration again: send it SIGHUP twice, a second apart")
}

fn fleet_of(place: &Place) -> io::Result<Fleet> {
    Fleet::load(&place.configuration)?
        .ok_or_else(|| io::Error::other("this machine is no hub; run: authalert-fleet init-hub"))
}

fn unknown(member: &str) -> io::Error {
    io::Error::other(format!("{} is no member", authalert::neutral::name(member)))
}
