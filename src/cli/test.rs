//! `authalert test`: a test alert, or a real failed authentication through a PAM stack.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

use authalert_test_login::authenticate;

use crate::config::{self, Config, TIMELINE};
use crate::credentials::{Secrets, Stored};
use crate::deliver::came_through;
use crate::event::{Class, Event};
use crate::installation;
use crate::journal::Journal;
use crate::message::{Composer, Content, Dispatch};
use crate::receiver::{Kind, Message, Outcome};
use crate::zone::local as local_zone;

use super::Error;
use super::interrupt::Interrupt;
use super::lines;

/// Columns before what goes on in a second line.
const INDENT: usize = 4;

/// Send one message that is not an alert to every receiver, or to the one called `only`, to see that each can be reached.
///
/// What a service answered is shown where it did not take it, with `verbose` always.
pub fn post(
    (state, config): (&Path, &Config),
    only: Option<&str>,
    verbose: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let stored = Stored::usable(&config.credentials_path(), config.credentials_mistake.as_deref());
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
            return Err(Error::Failed(format!(
                "no receiver is called {name}; there are {}",
                names.join(", ")
            )));
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
        let built = match crate::receiver::build_with(receiver, &stored, Vec::new()) {
            Ok(built) => built,
            Err(e) => {
                wrong.push(format!("{name}: {e}"));
                continue;
            }
        };
        let on_the_way =
            format!("whether the test message to {name} arrives is not known; nothing was changed");
        let interrupt = Interrupt::says(on_the_way);
        let Sent { outcome, text, took, missed } = send_with(config, built.as_ref());
        drop(interrupt);
        let is_accepted = matches!(outcome, Outcome::Accepted { .. });
        match is_accepted {
            true => {
                writeln!(out, "{name} accepted it after {} ms: {text}", took.as_millis())?;
                // What was wrong with it is over. Where that cannot be noted the next alert shows it.
                let _ = came_through(state, name);
                wrong.extend(missed.map(|missed| format!("{name}: {missed}")));
            }
            false => wrong.push(format!("{name}: {}{}", of_a_test(outcome.why()), asked_wait(&outcome))),
        }
        if let Some(answered) = built.answered().filter(|_| verbose || !is_accepted) {
            writeln!(out, "{name} answered {answered}")?;
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Failed(wrong.join("\n"))) }
}

/// `why` nothing came of it, without the word that it is tried again: an alert is, a test is not.
pub(super) fn of_a_test(why: &str) -> String {
    const AGAIN: [&str; 2] = ["; it will be tried again", ", it will be tried again"];
    let cut = AGAIN.iter().find_map(|again| why.split_once(again));
    cut.map_or_else(|| why.to_owned(), |(what, _)| format!("{what}; a test is not tried again"))
}

/// How long the service asks to be left alone: whoever described it sees that this was understood.
fn asked_wait(outcome: &Outcome) -> String {
    let (Outcome::Limited { until, .. } | Outcome::Ambiguous { until, .. } | Outcome::Unproved { until, .. }) =
        outcome
    else {
        return String::new();
    };
    let wait = until.and_then(|until| until.duration_since(SystemTime::now()).ok());
    wait.map(|wait| format!("; it asks to wait {} s", wait.as_secs_f64().ceil())).unwrap_or_default()
}

/// What became of a test message.
pub(super) struct Sent {
    pub outcome: Outcome,
    pub text: String,
    pub took: Duration,
    /// Whom it did not reach, and why, where it was accepted.
    pub missed: Option<String>,
}

/// Send the test message to `receiver`.
pub(super) fn send(config: &Config, receiver: &config::Receiver, secrets: &Secrets) -> Result<Sent, Error> {
    let built = crate::receiver::build(receiver, secrets, Vec::new())
        .map_err(|e| Error::Failed(format!("{}: {e}", receiver.name)))?;
    let _interrupt = Interrupt::says("nothing was written; whether the test message arrives is not known");
    Ok(send_with(config, built.as_ref()))
}

fn send_with(config: &Config, built: &dyn crate::receiver::Receiver) -> Sent {
    let composer = Composer::of_this_machine(&config.alerts);
    let (style, dispatch) = (built.style(), Dispatch::new(0, Timestamp::now()));
    let (title, text) =
        (composer.title(&style, Content::Test), composer.text(&style, Content::Test, dispatch));
    // Two tests are two messages, also for a service that knows repeats; and as long as an alert's, as a service may have a
    // limit for it.
    let key = format!("aa-{:016x}-999999", Timestamp::now().as_millisecond());
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
    Sent { outcome, text, took: begun.elapsed(), missed: built.missed() }
}

/// Give a wrong password to `service`'s stack, and show what the module recorded of it. It is announced in
/// the journal first, so that it counts as a test: it is in no alert, and takes nobody's turn.
pub fn through_pam(state: &Path, service: &str, user: &str, out: &mut dyn Write) -> Result<(), Error> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::Failed("only root can try a stack; run this as root".into()));
    }
    if !installation::has_stack(service) {
        let service = crate::neutral::name(service);
        return Err(Error::Failed(format!(
            "/etc/pam.d/{service} is missing: there is no PAM stack for '{service}', and nothing was tried"
        )));
    }
    // Nobody's password: 128 random bits.
    let mut random = [0; 16];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
        .map_err(|e| Error::Failed(format!("no random numbers: {e}")))?;
    let password: String = random.iter().map(|b| format!("{b:02x}")).collect();
    let journal = Journal::new(state);
    let started = Timestamp::now();
    journal.announce_test(service, started).map_err(|e| {
        Error::Failed(format!("cannot write the journal in {}: {e}", journal.directory().display()))
    })?;
    let dropped = journal.dropped();
    let remote = service == "sshd";
    let begun = Instant::now();
    let interrupt = Interrupt::says(format!(
        "the stack of '{service}' has not answered; a failure that it records all the same is a test, and in no alert"
    ));
    let outcome =
        authenticate(service, user, &password, remote.then_some("127.0.0.1"), remote.then_some("ssh"))
            .map_err(|_| Error::Failed("a service or user name cannot hold a zero byte".into()))?;
    drop(interrupt);
    let took = begun.elapsed().as_millis();
    if outcome.success {
        return Err(Error::Failed(format!(
            "the stack of '{service}' let {user} in with a random password: look at /etc/pam.d/{service}"
        )));
    }
    let refused =
        format!("'{service}' refused a random password for {user} after {took} ms: {}", outcome.message);
    writeln!(out, "{}", lines::fitted(&refused, INDENT))?;
    match own_record(&journal, service, started)? {
        Some(record) => {
            let recorded = format!("  recorded: {}; it is a test, and in no alert", described(&record));
            writeln!(out, "{}", lines::fitted(&recorded, INDENT))?;
            Ok(())
        }
        None if journal.dropped() > dropped => {
            writeln!(out, "  found no room in the journal, and was counted")?;
            Ok(())
        }
        None => Err(Error::Failed(format!(
            "the module did not record it; is 'auth  optional  pam_authalert.so' the first auth line of \
             /etc/pam.d/{service}? 'authalert check' says more"
        ))),
    }
}

/// What the module recorded of this very process since `started`.
fn own_record(journal: &Journal, service: &str, started: Timestamp) -> Result<Option<Event>, Error> {
    let mut newest = None;
    journal.read_since(started, &mut |event| {
        let is_attempt = matches!(event.class, Class::Failure | Class::Aborted);
        if is_attempt && event.pid == std::process::id() && event.service == service {
            newest = Some(event);
        }
    })?;
    Ok(newest)
}

fn described(record: &Event) -> String {
    let from = if record.rhost.is_empty() { String::new() } else { format!(" from {}", record.rhost) };
    let time = local_zone().to_datetime(record.time).strftime("%H:%M:%S").to_string();
    format!("{}{from} ({}[{}]) {time}", record.user, record.service, record.pid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Route;

    fn failure(pid: u32, service: &str) -> Event {
        Event {
            time: Timestamp::now(),
            host: String::new(),
            route: Route::Pam,
            class: Class::Failure,
            count: 1,
            service: service.into(),
            pid,
            ppid: 0,
            user: "nobody".into(),
            rhost: String::new(),
            tty: String::new(),
            ruser: String::new(),
            uid: 0,
            origin: None,
        }
    }

    #[test]
    fn how_long_a_service_asks_to_wait_is_shown() {
        let limited = |until| Outcome::Limited { until, why: "busy".into() };
        let minute = SystemTime::now().checked_add(Duration::from_secs(60));
        assert_eq!(asked_wait(&limited(minute)), "; it asks to wait 60 s");
        for none in [limited(None), limited(Some(SystemTime::UNIX_EPOCH)), Outcome::Duplicate] {
            assert_eq!(asked_wait(&none), "");
        }
    }

    #[test]
    fn a_test_is_announced_before_it_and_found_by_its_own_process_and_service_alone() {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::new(state.path());
        std::fs::create_dir(journal.directory()).unwrap();
        let (me, started) = (std::process::id(), Timestamp::now());
        journal.announce_test("su", started).unwrap();
        journal.append(&[failure(me, "sudo"), failure(me + 1, "su")]).unwrap();
        assert_eq!(own_record(&journal, "su", started).unwrap(), None);
        journal.append(&[failure(me, "su")]).unwrap();
        let found = own_record(&journal, "su", started).unwrap().unwrap();
        assert!(described(&found).starts_with(&format!("nobody (su[{me}]) ")));
        let mut all = Vec::new();
        journal.read_since(Timestamp::UNIX_EPOCH, &mut |event| all.push(event)).unwrap();
        assert_eq!((all[0].class, all[0].pid, all[0].service.as_str()), (Class::Test, me, "su"));
    }
}
