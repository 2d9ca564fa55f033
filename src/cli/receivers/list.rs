//! `authalert receivers`: each that is set up with where it goes, what it is sent and how it does; then every kind.

use std::io::Write;
use std::path::Path;

use crate::cli::{Error, lines, status};
use crate::config::{self, Config, TIMELINE};
use crate::credentials::Stored;
use crate::deliver::status::take;
use crate::neutral;
use crate::receiver::Kind;
use crate::receiver::definition::Type;
use crate::receiver::service::{self, Service};

const ALL: [Kind; 8] = [
    Kind::BreakIn,
    Kind::Urgent,
    Kind::Digest,
    Kind::Heartbeat,
    Kind::NewSource,
    Kind::Login,
    Kind::Summary,
    Kind::Health,
];
/// Columns before what a kind is.
const COLUMN: usize = 14;
/// Of one value.
const LONGEST: usize = 120;

/// Show them.
pub(super) fn list(state: &Path, config: &Config, out: &mut dyn Write) -> Result<(), Error> {
    let stored = Stored::usable(&config.credentials_path(), config.credentials_mistake.as_deref());
    let counters = take(state, config).map(|status| status.receivers).unwrap_or_default();
    let kinds = service::list();
    writeln!(out, "set up:")?;
    for mut receiver in config.receivers(stored.has_account()) {
        receiver.tell = receiver.tell.take().or_else(|| crate::receiver::default_tell(&receiver.kind));
        match receiver.name == receiver.kind {
            true => writeln!(out, "  {}", receiver.name)?,
            false => writeln!(out, "  {} ({})", receiver.name, neutral::name(&receiver.kind))?,
        }
        let service = kinds.get(&receiver.kind).and_then(|service| service.as_ref().ok());
        let goes_to = service.map(|service| goes_to(&receiver, service, &stored)).unwrap_or_default();
        if !goes_to.is_empty() {
            writeln!(out, "    goes to {}", goes_to.join(", "))?;
        }
        let told: Vec<_> = ALL.iter().filter(|kind| receiver.tells(**kind)).map(|kind| word(*kind)).collect();
        match receiver.name.as_str() {
            TIMELINE => writeln!(out, "    is sent everything, on this machine (authalert timeline)")?,
            _ if told.is_empty() => writeln!(out, "    is sent nothing: its tell is empty")?,
            _ => writeln!(out, "    is sent {}", told.join(", "))?,
        }
        if let Some(named) = counters.iter().find(|named| named.name == receiver.name) {
            for line in status::of_receiver(&named.counters) {
                writeln!(out, "    {line}")?;
            }
        }
    }
    writeln!(out, "\nkinds (authalert receivers add KIND):")?;
    let mut line =
        |kind: &str, what: &str| writeln!(out, "{}", lines::fitted(&format!("  {kind:<11} {what}"), COLUMN));
    for (kind, service) in kinds {
        match service {
            Ok(service) => line(&kind, &described(&kind, &service))?,
            Err(mistake) => line(&kind, &format!("cannot be used: {mistake}"))?,
        }
    }
    Ok(())
}

/// Its name only where that is another than the kind's.
fn described(kind: &str, service: &Service) -> String {
    match service.title.eq_ignore_ascii_case(kind) {
        true => service.summary.clone(),
        false => format!("{}: {}", service.title, service.summary),
    }
}

/// What was given for it, but for secrets; of an address that may be one its server alone.
fn goes_to(receiver: &config::Receiver, service: &Service, stored: &Stored) -> Vec<String> {
    let secrets = stored.of(&receiver.kind, &receiver.name).unwrap_or_default();
    let mut shown = Vec::new();
    for parameter in &service.parameters {
        let name = parameter.name.get_ref();
        // Also where it stands in the configuration, by mistake. Of a secret address its server is shown.
        if parameter.secret && parameter.form != Type::Url {
            continue;
        }
        let value = match (secrets.get(name), receiver.parameters.get(name)) {
            (Some(secret), _) if parameter.form == Type::Url => masked(secret.expose()),
            (None, Some(toml::Value::String(url))) if parameter.form == Type::Url => masked(url),
            (None, Some(toml::Value::String(text))) if name == "server" && !text.contains("://") => {
                text.rsplit('@').next().unwrap_or_default().to_owned()
            }
            (None, Some(toml::Value::String(text))) => text.clone(),
            (None, Some(toml::Value::Array(words))) => {
                words.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(" ")
            }
            (None, Some(toml::Value::Integer(number))) => number.to_string(),
            (None, Some(toml::Value::Boolean(truth))) => truth.to_string(),
            _ => continue,
        };
        let value = neutral::text(without_logins(&value), LONGEST);
        // "goes to" is said already.
        shown.push(if name == "to" { value } else { format!("{name} {value}") });
    }
    shown
}

/// `text` with a … in the place of what stands before the @ of an address: where it is refused, and in the arguments of a
/// command, it is a password all the same.
fn without_logins(text: &str) -> String {
    let mut pieces = text.split("://");
    let mut shown = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(char::is_whitespace).unwrap_or(piece.len());
        match piece[..end].rfind('@') {
            Some(at) => shown.extend(["://…", &piece[at..]]),
            None => shown.extend(["://", piece]),
        }
    }
    shown
}

fn masked(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    // A password stands before an @, and may have a / in it.
    let host = rest.split(['/', '?']).next().filter(|_| !rest.contains('@'));
    format!("{scheme}://{}/…", host.unwrap_or("…"))
}

/// As `tell` has it.
fn word(kind: Kind) -> String {
    let value = serde_json::to_value(kind).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_receiver_goes_is_shown_and_no_secret() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.toml");
        let text = "[[receiver]]\nkind = \"ntfy\"\nname = \"pager\"\ntopic = \"alerts-1\"\n\
                    [[receiver]]\nkind = \"ntfy\"\nname = \"misplaced\"\ntopic = \"alerts-2\"\ntoken = \"tk_hush\"\n\
                    [[receiver]]\nkind = \"slack\"\n[[receiver]]\nkind = \"webhook\"\nurl = \"https://siem.example/in?key=hush\"\n\
                    [[receiver]]\nkind = \"command\"\nargv = [\"/usr/bin/send\", \"+358401234567\", \"tg://bot:hush@chat\"]\n\
                    [[receiver]]\nkind = \"gotify\"\nserver = \"https://me:hu@s/h@h.example/base\"\n\
                    [[receiver]]\nkind = \"mail\"\nto = \"me@h.example\"\nserver = \"me:hush@h.example\"\n\
                    password = \"hush\"\ntell = []\n";
        let secrets =
            "[pager]\ntoken = \"tk_hush\"\n[slack]\nwebhook = \"https://hooks.slack.com/services/hush\"\n";
        std::fs::write(directory.path().join("credentials.toml"), secrets).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(directory.path().join("credentials.toml"), mode).unwrap();
        let config = Config::parse(text, &file).unwrap();
        let mut out = Vec::new();
        list(directory.path(), &config, &mut out).unwrap();
        let shown = String::from_utf8(out).unwrap();
        for line in [
            "  pager (ntfy)\n    goes to topic alerts-1\n    is sent break-in, urgent, digest",
            "  slack\n    goes to webhook https://hooks.slack.com/…\n",
            "  webhook\n    goes to url https://siem.example/…\n",
            "  command\n    goes to argv /usr/bin/send +358401234567 tg://…@chat\n",
            "  gotify\n    goes to server https://…@h.example/base\n",
            "  mail\n    goes to me@h.example, server h.example\n    is sent nothing: its tell is empty\n",
        ] {
            assert!(shown.contains(line), "{line}: {shown}");
        }
        assert!(!shown.contains("hush") && !shown.contains("hu@"), "{shown}");
    }
}
