//! `authalert test`: a test alert, or a real failed authentication through a PAM stack.

use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use authalert_pam_client::authenticate;

use crate::accounts::Accounts;
use crate::config::{self, Config, TIMELINE};
use crate::credentials::{Secrets, Stored};
use crate::deliver::history::History;
use crate::deliver::human;
use crate::deliver::status::{self, Status};
use crate::deliver::{Context, Request, deliver};
use crate::journal::Journal;
use crate::message::{Composer, Content, Dispatch, Style, Summary};
use crate::receiver::{Kind, Message, Outcome};
use crate::zone::local as local_zone;

use super::Error;

/// How long to wait for the worker after libpam's delay.
const PATIENCE: Duration = Duration::from_secs(5);

/// Send one message that is not an alert to every receiver, or to the one called `only`, to see that each can be reached.
pub fn post(config: &Config, only: Option<&str>, out: &mut dyn Write) -> Result<(), Error> {
    let stored = Stored::load(&config.credentials_path()).map_err(|e| Error::Told(e.to_string()))?;
    let all = config.receivers(stored.has_account());
    let chosen = |receiver: &&config::Receiver| match only {
        Some(name) => receiver.name == name,
        None => receiver.name != TIMELINE,
    };
    let receivers: Vec<_> = all.iter().filter(chosen).collect();
    match (receivers.is_empty(), only) {
        (true, Some(name)) => {
            let names: Vec<_> = all.iter().map(|receiver| receiver.name.as_str()).collect();
            let name = crate::neutral::name(name);
            return Err(Error::Told(format!("no receiver is called {name}; there are {}", names.join(", "))));
        }
        (true, None) => {
            writeln!(
                out,
                "alerts go to the timeline on this machine, which needs no test; 'authalert test --pam sshd' tries \
                 the whole way, 'authalert receivers add' sets up a way to the phone"
            )?;
        }
        _ => {}
    }
    let mut wrong = Vec::new();
    for receiver in receivers {
        let name = &receiver.name;
        match send(config, receiver, &stored.of(&receiver.kind, name)) {
            Ok((Outcome::Accepted { .. }, text, took)) => {
                writeln!(out, "{name} accepted it after {} ms: {text}", took.as_millis())?;
            }
            Ok((outcome, ..)) => wrong.push(format!("{name}: {}", outcome.why())),
            Err(e) => wrong.push(e.to_string()),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Told(wrong.join("\nauthalert: "))) }
}

/// Send the test message to `receiver`: what became of it, its text, and how long that took.
pub(super) fn send(
    config: &Config,
    receiver: &config::Receiver,
    secrets: &Secrets,
) -> Result<(Outcome, String, Duration), Error> {
    let built = crate::receiver::build(receiver, secrets, Vec::new())
        .map_err(|e| Error::Told(format!("{}: {e}", receiver.name)))?;
    let composer = Composer::of_this_machine(&config.alerts);
    let (style, dispatch) = (built.style(), Dispatch::new(0, Timestamp::now()));
    let (title, text) =
        (composer.title(&style, Content::Test), composer.text(&style, Content::Test, dispatch));
    // Two tests are two messages, also for a service that knows repeats.
    let key = format!("test-{}", Timestamp::now().as_millisecond());
    let facts = composer.facts(Content::Test, dispatch);
    let message = Message {
        number: 0,
        key: &key,
        kind: Kind::Test,
        title: &title,
        text: &text,
        facts: &facts,
        html: None,
    };
    let begun = Instant::now();
    let outcome = built.send(&message, Box::new(|| Ok(())));
    Ok((outcome, text, begun.elapsed()))
}

/// Give a wrong password to `service`'s stack, and show what the module makes of it.
pub fn through_pam(
    state: &Path,
    config: &Config,
    config_file: Option<&Path>,
    service: &str,
    user: &str,
    out: &mut dyn Write,
) -> Result<(), Error> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::Told("only root can try a stack; run this as root".into()));
    }
    let before = counters(state, config)?;
    let newest = History::timeline(state).newest()?.map_or(0, |entry| entry.id);
    // Nobody's password: 128 random bits.
    let mut random = [0; 16];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
        .map_err(|e| Error::Told(format!("no random numbers: {e}")))?;
    let password: String = random.iter().map(|b| format!("{b:02x}")).collect();
    let remote = service == "sshd";
    let started = Timestamp::now();
    let begun = Instant::now();
    let outcome =
        authenticate(service, user, &password, remote.then_some("127.0.0.1"), remote.then_some("ssh"))
            .map_err(|_| Error::Told("a service or user name cannot hold a zero byte".into()))?;
    let took = begun.elapsed();
    if outcome.success {
        return Err(Error::Told(format!(
            "the stack of '{service}' let {user} in with a random password: look at /etc/pam.d/{service}"
        )));
    }
    writeln!(
        out,
        "'{service}' refused a random password for {user} after {} ms: {}",
        took.as_millis(),
        outcome.message
    )?;
    let recorded = |now: &Status| now.first.recorded.saturating_sub(before.first.recorded);
    let after = counters(state, config)?;
    if recorded(&after) == 0 && after.dropped == before.dropped {
        return Err(Error::Told(format!(
            "the module did not record it; is 'auth  optional  pam_authalert.so' the first auth line of \
             /etc/pam.d/{service}? 'authalert check' tells more"
        )));
    }
    let request = Request { at_once: true, ..Request::new(state, config_file, Context::Command) };
    if !show_alert(&request, config, newest, begun, out)? {
        let text = what_was_recorded(state, config, service, started)?;
        writeln!(
            out,
            "  {}",
            text.unwrap_or_else(|| "found no room in the journal, and was counted".into())
        )?;
    }
    Ok(())
}

/// The record itself, as an alert of its own would tell it.
fn what_was_recorded(
    state: &Path,
    config: &Config,
    service: &str,
    since: Timestamp,
) -> Result<Option<String>, Error> {
    let mut newest = None;
    Journal::new(state).read_since(since, &mut |failure| {
        if failure.service == service {
            newest = Some(failure);
        }
    })?;
    let Some(failure) = newest else { return Ok(None) };
    let mut summary = Summary::default();
    let mut accounts = Accounts::outside_login();
    summary.add(&failure, accounts.standing(&failure.user), accounts.standing(&failure.ruser));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let composer = Composer::new(&host, local_zone(), None, config.alerts.post_unknown_users);
    let text = composer.text(&Style::x(), Content::Failures(&summary), Dispatch::new(0, Timestamp::now()));
    // It has no number yet.
    Ok(Some(text.rsplit_once(" ·").map_or(text.clone(), |(told, _)| told.into())))
}

/// Wait for the alert, and say whether its text was seen. One that has to wait for its turn is sent by
/// the pass that `at_once` orders.
fn show_alert(
    at_once: &Request,
    config: &Config,
    newest: u64,
    begun: Instant,
    out: &mut dyn Write,
) -> Result<bool, Error> {
    let state = at_once.state.as_path();
    let mut turn = None;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(entry) = History::timeline(state).newest()?.filter(|entry| entry.id > newest) {
            let wall = Timestamp::now().duration_since(entry.time);
            let ago = Duration::try_from(wall).unwrap_or_default();
            let after = begun.elapsed().saturating_sub(ago);
            let early = turn.map(|wait| format!("before its turn, which comes in {}, ", human(wait)));
            writeln!(
                out,
                "recorded, and {}sent to the {} {} ms after the attempt began:",
                early.unwrap_or_default(),
                receiver(&entry.receiver),
                after.as_millis()
            )?;
            writeln!(out, "  {}", entry.text)?;
            return Ok(true);
        }
        let now = counters(state, config)?;
        if now.first.pending == 0 {
            writeln!(out, "recorded, and not sent: the configuration says to ignore it")?;
            return Ok(false);
        }
        if now.first.last_error.is_some() {
            break;
        }
        if let Some(seconds) = now.first.next_attempt_seconds.filter(|s| *s > PATIENCE.as_secs()) {
            if turn.is_some() {
                break;
            }
            turn = Some(Duration::from_secs(seconds));
            deliver(at_once).map_err(|e| Error::Told(e.to_string()))?;
            continue;
        }
        thread::sleep(Duration::from_millis(20));
    }
    let now = counters(state, config)?;
    let waits = match (&now.first.last_error, now.first.next_attempt_seconds) {
        (Some(why), _) => format!("it waits: {why}"),
        (None, Some(seconds)) => {
            format!("the next alert is due in {}", human(Duration::from_secs(seconds)))
        }
        (None, None) => "cron or systemd delivers it".into(),
    };
    writeln!(out, "recorded; {} failure(s) pending, {waits}:", now.first.pending)?;
    Ok(false)
}

fn receiver(name: &str) -> &str {
    if name == "x" { "X account" } else { "timeline" }
}

fn counters(state: &Path, config: &Config) -> Result<Status, Error> {
    status::take(state, config)
        .map_err(|e| Error::Told(format!("cannot read the state in {}: {e}", state.display())))
}
