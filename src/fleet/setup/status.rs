//! How the fleet is, for people and as JSON.

use std::io::{self, Write};

use authalert::deliver::hub::Link;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::gather::state::State;
use crate::members::Fleet;
use crate::place::Place;
use crate::uplink;

/// A member that is not heard of for so long is marked.
const QUIET: SignedDuration = SignedDuration::from_hours(2);

/// Print it.
pub fn print(place: &Place, as_json: bool, out: &mut dyn Write) -> io::Result<()> {
    let (hub, member) = (hub(place)?, member(place)?);
    if hub.is_none() && member.is_none() {
        return Err(io::Error::other(
            "this machine is in no fleet; run: authalert-fleet init-hub, or join FILE",
        ));
    }
    if as_json {
        return writeln!(out, "{}", json!({ "hub": hub, "member": member }));
    }
    if let Some(hub) = hub {
        print_hub(&hub, out)?;
    }
    if let Some(member) = member {
        let text = |key: &str| member[key].as_str().unwrap_or("never").to_owned();
        writeln!(
            out,
            "member: hub heard {}, waiting {}, lost {}",
            text("hub_heard"),
            member["waiting"],
            member["lost"]
        )?;
        if member["alone"] == true {
            writeln!(out, "        the hub is away: this machine alerts by its own receivers")?;
        }
        if let Some(why) = member["stopped"].as_str() {
            writeln!(out, "        stopped: {why}")?;
        }
    }
    Ok(())
}

fn print_hub(hub: &Value, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "hub: backlog {}, as of {}", hub["backlog"], hub["as_of"].as_str().unwrap_or("never"))?;
    let empty = Vec::new();
    for member in hub["members"].as_array().unwrap_or(&empty) {
        let text = |key: &str| member[key].as_str().unwrap_or_default().to_owned();
        write!(out, "  {:<24} {:<10} {:>9} records", text("name"), text("heard"), member["records"])?;
        for (key, what) in
            [("lost", "lost there"), ("refused", "messages refused"), ("unreadable", "of a later version")]
        {
            if member[key].as_u64().is_some_and(|n| n > 0) {
                write!(out, ", {} {what}", member[key])?;
            }
        }
        let gap = if member["gap"] == true { ", something is missing" } else { "" };
        let silent = if member["silent"] == true { ", SILENT" } else { "" };
        writeln!(out, "{gap}{silent}, certificate until {}", text("until"))?;
    }
    Ok(())
}

fn hub(place: &Place) -> io::Result<Option<Value>> {
    let Some(fleet) = Fleet::load(&place.configuration)? else { return Ok(None) };
    let state = State::peek(place)?;
    let now = Timestamp::now();
    let members: Vec<Value> = fleet
        .members
        .iter()
        .map(|(name, known)| {
            let heard = state.as_ref().and_then(|state| state.members.get(name));
            let since = heard.map(|member| now.duration_since(member.heard));
            json!({
                "name": name, "until": known.until,
                "heard": since.map_or("never".into(), ago),
                "heard_at": heard.map(|member| member.heard),
                "silent": since.is_none_or(|since| since >= QUIET),
                "records": heard.map_or(0, |member| member.records),
                "lost": heard.map_or(0, |member| member.lost),
                "refused": heard.map_or(0, |member| member.refused),
                "unreadable": heard.map_or(0, |member| member.unreadable),
                "gap": heard.is_some_and(|member| member.gap),
            })
        })
        .collect();
    let backlog = state.as_ref().map_or(0, |state| state.backlog);
    Ok(Some(json!({ "backlog": backlog, "as_of": state.map(|state| state.written), "members": members })))
}

fn member(place: &Place) -> io::Result<Option<Value>> {
    let Some(link) = Link::load(&place.state)? else { return Ok(None) };
    let stands = uplink::look(place)?;
    Ok(Some(json!({
        "hub_heard": ago(Timestamp::now().duration_since(link.heard)), "hub_heard_at": link.heard,
        "alone": authalert::deliver::hub::is_alone(&place.state),
        "waiting": stands.waiting, "lost": stands.lost, "stopped": stands.stopped,
    })))
}

fn ago(since: SignedDuration) -> String {
    match since.as_secs().max(0) {
        seconds @ 0..=119 => format!("{seconds}s ago"),
        seconds @ 120..=7199 => format!("{}m ago", seconds / 60),
        seconds @ 7200..=172_799 => format!("{}h ago", seconds / 3600),
        seconds => format!("{}d ago", seconds / 86_400),
    }
}
