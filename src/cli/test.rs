//! `authalert test`: a test alert, or a real failed authentication through a PAM stack.

use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use authalert_pam_client::authenticate;

use crate::accounts::Accounts;
use crate::config::Config;
use crate::credentials::Credentials;
use crate::deliver::history::History;
use crate::deliver::human;
use crate::deliver::status::{self, Status};
use crate::deliver::{Context, Request, deliver};
use crate::journal::Journal;
use crate::message::{Composer, Summary};
use crate::receiver::Outcome;
use crate::receiver::x::X;
use crate::zone::local as local_zone;

use super::Error;

/// How long to wait for the worker after libpam's delay.
const PATIENCE: Duration = Duration::from_secs(5);

/// Post one text that is no alert, to see that the account can be reached.
pub fn post(config: &Config, out: &mut dyn Write) -> Result<(), Error> {
    let path = config.credentials_path();
    let credentials = match Credentials::load(&path) {
        Ok(Some(credentials))
            if config.receiver != crate::config::Receivers::Word(crate::config::ReceiverWord::Timeline) =>
        {
            credentials
        }
        Ok(_) => {
            writeln!(
                out,
                "alerts go to the timeline on this machine, which needs no test; 'authalert test --pam sshd' tries \
                 the whole way, 'authalert authorize' connects an X account"
            )?;
            return Ok(());
        }
        Err(e) => return Err(Error::Told(e.to_string())),
    };
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let host = host.split('.').next().unwrap_or("this machine");
    let text =
        format!("{}: this is a test of authalert, {}", crate::message::harmless(host), Timestamp::now());
    let x = X::new(&config.x, credentials, Vec::new()).map_err(|e| Error::Told(e.to_string()))?;
    let begun = Instant::now();
    match x.post(&text) {
        Outcome::Accepted { .. } => {
            writeln!(out, "X accepted it after {} ms: {text}", begun.elapsed().as_millis())?;
            Ok(())
        }
        answer => Err(Error::Told(answer.why().to_string())),
    }
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
    let text = composer.compose(&summary, 0, Timestamp::now());
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
