//! On a member: join the fleet, and leave it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;

use authalert::deliver::hub::{DIRECTORY, LINK};
use authalert::installation::{self, Line};
use authalert::journal::Journal;
use authalert::storage;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{PIPE, hub, private_directory, systemd};
use crate::identity::Identity;
use crate::place::Place;
use crate::protocol::Name;
use crate::uplink;

/// Name of the member's file.
pub const IDENTITY: &str = "member.toml";
const UNIT: &str = "authalert-uplink.service";
/// No file of `add-member` is near it.
const LONGEST: usize = 64 << 10;
/// As what the record of the proof is recorded: a test, which is in no alert.
const PROOF: &str = "authalert-fleet";

/// Join with a file of `add-member`, and prove it by a record that arrives.
pub async fn join(place: &Place, file: &Path, start: bool, out: &mut dyn Write) -> io::Result<()> {
    let text =
        read(file).map_err(|e| io::Error::new(e.kind(), format!("cannot read {}: {e}", file.display())))?;
    let identity = Identity::parse(&text)
        .map_err(|why| io::Error::other(format!("{} is not a file of add-member: {why}", file.display())))?;
    let name = name_of(&identity)?;
    place.prepare()?;
    private_directory(&place.configuration)?;
    if systemd::runs(place) && start {
        let _ = systemd::disable(UNIT);
    }
    storage::replace(&place.configuration_file(IDENTITY), &text)?;
    uplink::forgive(place, &identity)?;
    writeln!(out, "this machine is {name}; the hub is at {}", identity.servers.join(", "))?;
    Journal::new(&place.state).announce_test(PROOF, Timestamp::now())?;
    let done = uplink::once(place, &identity, &name).await?;
    if start && systemd::runs(place) {
        systemd::enable(UNIT)?;
        writeln!(out, "started authalert-uplink")?;
    } else {
        writeln!(
            out,
            "now run: authalert-fleet uplink (or, each minute by cron: authalert-fleet uplink --once)"
        )?;
    }
    if !done.settled {
        return Err(io::Error::other(format!(
            "the engine has the test record, but the hub has not confirmed it yet ({} waiting); on the hub run: \
             authalert-fleet status",
            done.waiting
        )));
    }
    writeln!(
        out,
        "a test record arrived at the hub. It alerts for this machine from now on; the receivers here"
    )?;
    writeln!(out, "alert only when the hub has not been heard of for an hour.")?;
    if !installation::lines().iter().any(Line::is_auth) {
        writeln!(
            out,
            "No login is guarded here; only the logs are read, each minute. Run: authalert-pam add sshd"
        )?;
    }
    Ok(())
}

fn read(file: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    if file != Path::new(PIPE) {
        return storage::read(file).map(Zeroizing::new);
    }
    // Not through a buffer, and with room for all of it: nothing of the key stays behind.
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut text = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    input.take(LONGEST as u64).read_to_end(&mut text)?;
    if text.is_empty() {
        return Err(io::Error::other("nothing came from the hub"));
    }
    Ok(text)
}

/// Leave the fleet: the receivers of this machine alert again.
pub fn leave(place: &Place, out: &mut dyn Write) -> io::Result<()> {
    let member = place.configuration_file(IDENTITY);
    if is_missing(&member) && is_missing(&place.state.join(DIRECTORY).join(LINK)) {
        let is_hub = !is_missing(&place.configuration_file(hub::IDENTITY));
        let why =
            if is_hub { "this machine is the hub, not a member" } else { "this machine is in no fleet" };
        return Err(io::Error::other(why));
    }
    if systemd::runs(place) {
        let _ = systemd::disable(UNIT);
    }
    let Some(_lock) = place.lock(authalert::deliver::hub::LOCK)? else {
        return Err(io::Error::other("the uplink runs; end it first"));
    };
    // The link first: without it the receivers alert of everything that they have not read.
    for name in [LINK, "link.json.bak", "link.json.next", "uplink.json", "uplink.json.bak"] {
        remove(&place.state.join(DIRECTORY).join(name))?;
    }
    uplink::forget(place)?;
    remove(&member)?;
    writeln!(out, "this machine alerts by itself again; on the hub run: authalert-fleet revoke NAME")
}

/// The name in the file.
pub fn name_of(identity: &Identity) -> io::Result<Name> {
    Name::new(&identity.name).ok_or_else(|| io::Error::other("the file names no member"))
}

fn is_missing(path: &Path) -> bool {
    matches!(std::fs::symlink_metadata(path), Err(e) if e.kind() == io::ErrorKind::NotFound)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
