//! `authalert failures`: the single records of the journal, as a person or another program reads them.

mod filter;
mod order;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::config::Config;
use crate::deliver::announced::Announced;
use crate::deliver::{Unsent, unsent};
use crate::event::{Class, Event, Route};
use crate::journal::Journal;
use crate::message::shown_as;
use crate::zone::local as local_zone;

use super::{Error, cannot, ecs};
pub use filter::{From, Options};
use order::{Tail, Window};

const POLL: Duration = Duration::from_millis(200);
/// Services that are named where the one that was asked for has nothing.
const SERVICES: usize = 20;

/// Show the records of the journal below `state`; with `follow`, wait for more until the reader goes.
/// `hide` says whether a name may be a password, which must not be in a feed that leaves the machine.
pub fn run(
    state: &Path,
    options: &Options,
    hide: &mut dyn FnMut(&str) -> bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let journal = Journal::new(state);
    let (mut tail, mut announced) = (Tail::default(), Announced::default());
    let (mut shown, mut services) = (0_u64, Services::default());
    loop {
        let mut window = Window::default();
        let mut written = Ok(());
        let mut each = |mut event: Event| {
            match event.class {
                // No attempt, but the word that one comes.
                Class::Test => return announced.note(&event),
                // Nor is where one came from.
                Class::Address => return,
                Class::Failure | Class::Aborted if announced.covers(&event) => event.class = Class::Test,
                Class::Failure | Class::Aborted | Class::Login => {}
            }
            services.note(&event);
            if options.wants(&event) {
                shown += 1;
                if let Some(event) = window.push(event) {
                    if written.is_ok() {
                        written = show(&event, options, hide, out);
                    }
                }
            }
        };
        tail.read_on(&journal, &mut each)
            .map_err(|e| cannot(format_args!("read {}", journal.directory().display()), &e))?;
        written?;
        for event in window.rest() {
            show(&event, options, hide, out)?;
        }
        if !options.follow {
            break;
        }
        out.flush()?;
        thread::sleep(POLL);
    }
    if shown == 0 && !options.json && !options.ecs {
        writeln!(out, "no failed login is recorded that fits{}", services.instead_of(options))?;
    }
    Ok(out.flush()?)
}

/// The services of which something is recorded, as alerts name them.
#[derive(Default)]
struct Services(BTreeSet<String>);

impl Services {
    fn note(&mut self, event: &Event) {
        let service = shown_as(&event.service);
        if self.0.len() < SERVICES && !self.0.contains(service) {
            self.0.insert(service.to_owned());
        }
    }

    /// What to say to somebody who named another one.
    fn instead_of(&self, options: &Options) -> String {
        let is_known = options.service.as_deref().is_none_or(|service| self.0.contains(service));
        if is_known || self.0.is_empty() {
            return String::new();
        }
        let names: Vec<&str> = self.0.iter().map(String::as_str).collect();
        format!("; services that are recorded: {}", names.join(", "))
    }
}

/// Show those that a receiver has not been sent, of the first one where none is named.
pub fn pending(
    (state, config): (&Path, &Config),
    receiver: &str,
    options: &Options,
    hide: &mut dyn FnMut(&str) -> bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let named = Some(receiver).filter(|name| !name.is_empty());
    let found = unsent(state, config, named)
        .map_err(|e| cannot(format_args!("read the journal in {}", state.display()), &e))?;
    let Some(Unsent { receiver, failures, counted }) = found else {
        return Err(Error::Failed("there is no receiver of that name; see 'authalert status'".into()));
    };
    let listed: u64 = failures.iter().map(|event| u64::from(event.count)).sum();
    let mut fitting: Vec<Event> = failures.into_iter().filter(|event| options.wants(event)).collect();
    fitting.sort_by_key(|event| event.time);
    fitting.iter().try_for_each(|event| show(event, options, hide, out))?;
    if options.json {
        return Ok(());
    }
    if fitting.is_empty() {
        writeln!(out, "nothing is pending for {receiver} that fits")?;
    }
    if listed != counted {
        writeln!(
            out,
            "({counted} are counted as pending for {receiver}: by the settings of the time when each was read, and also \
             where its record is gone since)"
        )?;
    }
    Ok(())
}

fn show(
    event: &Event,
    options: &Options,
    hide: &mut dyn FnMut(&str) -> bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    if options.ecs {
        writeln!(out, "{}", ecs::record(event, hide))?;
    } else if options.json {
        writeln!(out, "{}", record(event))?;
    } else {
        let time = local_zone().to_datetime(event.time);
        writeln!(out, "{}  {}", time.strftime("%Y-%m-%d %H:%M:%S"), sentence(event))?;
    }
    Ok(())
}

/// One record as JSON: the names of `scan --json`, and what the journal knows beside them. What is empty or 0 is absent.
fn record(event: &Event) -> Value {
    let mut record = json!({
        "time": event.time, "host": event.host, "service": event.service, "pid": event.pid, "user": event.user,
        "rhost": event.rhost, "ruser": event.ruser, "tty": event.tty, "class": event.class, "count": event.count,
        "route": event.route, "uid": event.uid,
    });
    if let Value::Object(fields) = &mut record {
        fields.retain(|name, value| *value != "" && *value != 0 && !(name == "count" && *value == 1));
    }
    record
}

/// One record in words. Everything in it was made neutral when it was recorded.
fn sentence(event: &Event) -> String {
    let mut text = if event.host.is_empty() { String::new() } else { format!("{}: ", event.host) };
    text.push_str(match event.class {
        Class::Failure => "failed login",
        Class::Aborted => "aborted",
        Class::Login => "login",
        Class::Address => "address of a failed login",
        Class::Test => "test, in no alert: failed login",
    });
    if event.count > 1 {
        text.push_str(&format!(" ×{}", event.count));
    }
    for (word, value) in
        [("for", &event.user), ("from", &event.rhost), ("by", &event.ruser), ("on", &event.tty)]
    {
        if !value.is_empty() {
            text.push_str(&format!(" {word} {value}"));
        }
    }
    match event.pid {
        0 => text.push_str(&format!(" ({})", event.service)),
        pid => text.push_str(&format!(" ({}[{pid}])", event.service)),
    }
    if event.route == Route::Log {
        text.push_str(", from the log");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::summary::tests::failure;

    fn shown(state: &Path, options: &Options) -> String {
        let mut out = Vec::new();
        run(state, options, &mut |name| name == "hunter2", &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn state() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::new(directory.path());
        std::fs::create_dir(journal.directory()).unwrap();
        let late = Event { route: Route::Log, service: "su".into(), ..failure(5, "bob", "") };
        let login = Event { class: Class::Login, ..failure(9, "alice", "192.0.2.7") };
        let events = [failure(7, "alice", "192.0.2.7"), late, failure(8, "hunter2", "2001:db8::1"), login];
        journal.append(&events).unwrap();
        directory
    }

    #[test]
    fn records_are_shown_in_order_of_time_and_logins_only_when_asked_for() {
        let state = state();
        let text = shown(state.path(), &Options::default());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].contains("bob") && lines[0].ends_with(", from the log"), "{text}");
        assert!(lines[2].contains("for hunter2 from 2001:db8::1"), "{text}");
        let with = shown(state.path(), &Options { logins: true, ..Options::default() });
        assert_eq!(with.lines().count(), 4, "{with}");
    }

    #[test]
    fn what_root_announced_is_shown_as_a_test_and_not_as_a_failed_login() {
        let state = state();
        let of_root =
            |second, class| Event { pid: 17, service: "su".into(), class, ..failure(second, "nobody", "") };
        let events = [of_root(20, Class::Test), of_root(21, Class::Failure), of_root(90, Class::Failure)];
        Journal::new(state.path()).append(&events).unwrap();
        let nobody = Options { user: Some("nobody".into()), ..Options::default() };
        let text = shown(state.path(), &nobody);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].contains("  test, in no alert: failed login for nobody on ssh (su[17])"), "{text}");
        assert!(lines[1].contains("  failed login for nobody"), "{text}");
        let json = shown(state.path(), &Options { json: true, ..nobody });
        assert_eq!(json.matches("\"class\":\"test\"").count(), 1, "{json}");
    }

    #[test]
    fn each_filter_leaves_what_it_names() {
        let state = state();
        let count = |options: &Options| {
            shown(state.path(), &Options { json: true, ..options.clone() }).lines().count()
        };
        let none = Options::default();
        assert_eq!(count(&none), 3);
        assert_eq!(count(&Options { user: Some("alice".into()), ..none.clone() }), 1);
        assert_eq!(count(&Options { service: Some("su".into()), ..none.clone() }), 1);
        for (from, expected) in
            [("192.0.2.0/24", 1), ("2001:db8::1", 1), ("::ffff:192.0.2.7", 1), ("10.0.0.0/8", 0)]
        {
            let from = Some(From::parse(from).unwrap());
            assert_eq!(count(&Options { from, ..none.clone() }), expected);
        }
        let since = Some(failure(8, "", "").time);
        assert_eq!(count(&Options { since, ..none }), 1);
        for wrong in ["192.0.2.0/99", "300.1.1.1", "1.2.3", "2001:db8::g", "7", ""] {
            assert!(From::parse(wrong).is_err_and(|why| why.contains("192.0.2.7")), "{wrong}");
        }
        assert!(From::parse("host7.example").is_ok() && From::parse("1a").is_ok());
        for (told, typed) in [("192[.]0[.]2[.]7", "192.0.2.7"), ("2001:db8::[/]64", "2001:db8::/64")] {
            assert_eq!(From::parse(told).unwrap(), From::parse(typed).unwrap(), "out of an alert");
        }
    }

    #[test]
    fn a_service_is_found_by_what_alerts_call_it_and_where_there_is_none_the_others_are_named() {
        let state = state();
        let of = |service: &str| Event { service: service.into(), ..failure(20, "alice", "") };
        let others = ["su-l", "sudo-i", "gdm-password", "unix_chkpwd"].map(of);
        Journal::new(state.path()).append(&others).unwrap();
        let text = |service: &str| {
            shown(state.path(), &Options { service: Some(service.into()), ..Options::default() })
        };
        for (service, expected) in [
            ("su", 2),
            ("su-l", 1),
            ("sudo", 1),
            ("sudo-i", 1),
            ("gdm", 1),
            ("unix_chkpwd", 1),
            ("password helper", 1),
            ("sshd", 2),
        ] {
            let found = text(service).matches("failed login for").count();
            assert_eq!(found, expected, "{service}");
        }
        let none = text("ftp");
        let known = "services that are recorded: gdm, password helper, sshd, su, sudo\n";
        assert_eq!(none, format!("no failed login is recorded that fits; {known}"));
        let other = Options { service: Some("su".into()), user: Some("nobody".into()), ..Options::default() };
        assert_eq!(shown(state.path(), &other), "no failed login is recorded that fits\n");
    }

    #[test]
    fn a_feed_by_the_common_schema_bears_no_name_that_may_be_a_password() {
        let state = state();
        let text = shown(state.path(), &Options { ecs: true, ..Options::default() });
        assert!(!text.contains("hunter2") && text.contains("\"alice\""), "{text}");
        for line in text.lines() {
            let value: Value = serde_json::from_str(line).unwrap();
            assert_eq!(value["event"]["category"], json!(["authentication"]));
            assert_eq!(value["event"]["outcome"], "failure");
            assert!(value["@timestamp"].as_str().unwrap().ends_with('Z'));
        }
    }
}
