//! `authalert receivers add KIND`: a conversation that ends with a test message on the phone.
//!
//! Nothing is written before everything is known to fit and the person has said what came of the test: whoever gives
//! up at a question, whichever it is, leaves everything as it was. What does not work is said in one line.

use std::io::BufRead;
use std::io::Write;
use std::path::Path;

use super::edit;
use super::given::Given;
use super::nothing_written;
use super::question::{self, Talk};
use crate::cli::args::AddReceiver;
use crate::cli::ask::TRIES;
use crate::cli::lock::Lock;
use crate::cli::{Error, ask, authorize, begin, test};
use crate::config::{self, Config};
use crate::credentials::{self, Secrets, Stored};
use crate::neutral;
use crate::receiver::definition::OWN;
use crate::receiver::service::{self, Service};
use crate::receiver::{self, Outcome};

/// What came of the test.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tested {
    /// It is on the phone, or the person was told what to do there.
    Settled,
    /// Nobody knows that.
    Unseen,
}

/// Set a receiver up.
pub fn add(
    (state, config): (&Path, &Config),
    asked: &AddReceiver,
    is_pipe: bool,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let service = match service::find(&asked.kind) {
        Some(Ok(service)) => service,
        Some(Err(mistake)) => return Err(nothing_written(mistake)),
        None => {
            return Err(nothing_written(format!(
                "{} is not a kind of receiver{}; a file NAME.toml in {OWN} describes another one, see \
                 authalert-receivers(5)",
                neutral::text(asked.kind.as_bytes(), 60),
                service::suggestion(&asked.kind)
            )));
        }
    };
    let path = config.credentials_path();
    // Better before anything is asked. The file that tries it would be in the way of one who writes.
    let lock = Lock::take(state, &config.path).map_err(nothing_written)?;
    credentials::probe(&path).map_err(nothing_written)?;
    credentials::probe(&config.path).map_err(nothing_written)?;
    drop(lock);
    let mut talk = Talk { input, out, is_pipe, is_given: false };
    let mut stored = Stored::load(&path).map_err(nothing_written)?;
    if matches!(service.kind.as_str(), "x" | "x-dm") && !stored.has_account() {
        authorize::run((state, config), None, talk.input, talk.out)
            .map_err(|e| Error::Failed(e.to_string()))?;
        stored = Stored::load(&path).map_err(nothing_written)?;
        if config.receivers(stored.has_account()).iter().any(|receiver| receiver.kind == service.kind) {
            begin(state, config);
            return Ok(());
        }
    }
    let name = asked.name.clone().unwrap_or_else(|| service.kind.clone());
    must_be_free(config, &stored, &name)?;
    writeln!(talk.out, "{}: {}", service.title, service.summary)?;
    let mut given = Given::new(&service, name);
    for (key, value) in &asked.set {
        given.set(&service, key, value).map_err(nothing_written)?;
    }
    // Whoever gave all of it wants to be asked nothing; a pipe may have an optional secret for it.
    talk.is_given = !talk.is_pipe && !asked.set.is_empty() && given.is_complete(&service);
    if !talk.is_given {
        question::all(&service, &mut given, &mut talk)?;
    }
    let tested = tried(config, &service, &mut given, asked, &mut talk)?;
    write(state, config, &given, talk.out)?;
    if tested == Tested::Unseen {
        show_steps(&service, talk.out)?;
        writeln!(talk.out, "Then try it: authalert test {}", given.name)?;
    }
    Ok(())
}

fn must_be_free(config: &Config, stored: &Stored, name: &str) -> Result<(), Error> {
    if config.receivers(stored.has_account()).iter().any(|receiver| receiver.name == name) {
        return Err(nothing_written(format!(
            "there is a receiver called {name} already; give this one another name with --name, or run: authalert \
             receivers remove {name}"
        )));
    }
    Ok(())
}

/// Check all of it together and send a test, until it came or the person wants no more.
fn tried(
    config: &Config,
    service: &Service,
    given: &mut Given,
    asked: &AddReceiver,
    talk: &mut Talk<'_>,
) -> Result<Tested, Error> {
    let mut is_ready = talk.is_pipe || talk.is_given;
    for _ in 0..TRIES {
        let Some((receiver, secrets)) = usable(config, service, given, talk)? else { continue };
        if asked.no_test {
            return Ok(Tested::Unseen);
        }
        // What comes before anybody listens is not seen.
        if !std::mem::replace(&mut is_ready, true) {
            writeln!(talk.out)?;
            show_steps(service, talk.out)?;
            ask::ask("When the phone is ready, press Enter for a test message: ", talk.input, talk.out)?;
        }
        let test::Sent { outcome, text: sent, took, missed } = test::send(config, &receiver, &secrets)?;
        if let Outcome::Accepted { .. } = outcome {
            let (title, took) = (&service.title, took.as_millis());
            writeln!(talk.out, "\n{title} accepted a test message after {took} ms: {sent}")?;
            if let Some(missed) = missed {
                writeln!(talk.out, "But not for everybody: {missed}")?;
            }
            if talk.is_pipe || talk.is_given {
                return Ok(Tested::Unseen);
            }
            if talk.whether("Did the test message come on the phone?", true)? {
                return Ok(Tested::Settled);
            }
            if talk.whether("Do the steps at the phone again. Send another test message?", true)? {
                continue;
            }
            if talk.whether("Write it all the same?", false)? {
                return Ok(Tested::Settled);
            }
        } else {
            let (why, refused) = (&test::of_a_test(outcome.why()), question::is_refusal(&outcome));
            if talk.is_pipe {
                return Err(nothing_written(format!("{}: {why}", receiver.name)));
            }
            let became = match outcome {
                Outcome::Ambiguous { .. } | Outcome::Unproved { .. } => {
                    "It is not clear whether the test message arrived"
                }
                _ => "The test message was not taken",
            };
            writeln!(talk.out, "\n{became}: {why}")?;
            let is_unreachable = matches!(outcome, Outcome::NotSent { .. });
            if refused && question::again(service, why, is_unreachable, given, talk)? {
                continue;
            }
            if talk.whether("Write it all the same?", false)? {
                return Ok(Tested::Unseen);
            }
        }
        break;
    }
    Err(nothing_written("no test message came"))
}

/// The receiver as it would be written, and its secrets; none where an answer was given anew.
fn usable(
    config: &Config,
    service: &Service,
    given: &mut Given,
    talk: &mut Talk<'_>,
) -> Result<Option<(config::Receiver, Secrets)>, Error> {
    let (_, _, receiver, secrets) = checked(config, given)?;
    let Err(why) = receiver::build(&receiver, &secrets, Vec::new()) else {
        return Ok(Some((receiver, secrets)));
    };
    if talk.is_pipe {
        return Err(nothing_written(why));
    }
    let in_the_clear = why.to_string().contains("plain_http") && !receiver.plain_http;
    let question = "The alerts would go in the clear. Is that server in a network of your own?";
    if in_the_clear && talk.whether(question, false)? {
        given.put("plain_http", "true".into());
        return Ok(None);
    }
    writeln!(talk.out, "{why}")?;
    // Whatever it names is among what was given.
    match question::again(service, &why.to_string(), in_the_clear, given, talk)? {
        true => Ok(None),
        false => Err(nothing_written(why)),
    }
}

/// Write both files, and let the receiver begin.
fn write(state: &Path, config: &Config, given: &Given, out: &mut dyn Write) -> Result<(), Error> {
    let shown = config.path.display();
    let _lock = Lock::take(state, &config.path).map_err(nothing_written)?;
    // Both files again, as they are by now.
    let (text, after, ..) = checked(config, given)?;
    let path = config.credentials_path();
    let before = Stored::load(&path).map_err(nothing_written)?.of("", &given.name).unwrap_or_default();
    if !given.secrets.is_empty() {
        credentials::store_section(&path, &given.name, &given.secrets).map_err(nothing_written)?;
    }
    if let Err(e) = edit::write(&config.path, &text) {
        // Secrets of nobody are not left behind.
        let _ = credentials::store_section(&path, &given.name, &before);
        return Err(nothing_written(format!("cannot write {shown}: {e}; run this as root")));
    }
    begin(state, &after);
    writeln!(out, "\n{shown} is written: alerts go to {} too.", given.name)?;
    Ok(())
}

fn show_steps(service: &Service, out: &mut dyn Write) -> Result<(), Error> {
    writeln!(out, "At the phone:")?;
    for (number, step) in (1..).zip(&service.phone) {
        writeln!(out, "  {number}. {step}")?;
    }
    Ok(())
}

/// The configuration with this receiver in it, as text and parsed as every pass will; the receiver, and its secrets.
fn checked(config: &Config, given: &Given) -> Result<(String, Config, config::Receiver, Secrets), Error> {
    let stored = Stored::load(&config.credentials_path()).map_err(nothing_written)?;
    let before = edit::read(&config.path)
        .map_err(|e| nothing_written(format!("cannot read {}: {e}", config.path.display())))?;
    must_be_free(&Config::parse(&before, &config.path).map_err(nothing_written)?, &stored, &given.name)?;
    let text = edit::added(&before, stored.has_account(), &given.lines)
        .map_err(|e| nothing_written(format!("{}: {e}", config.path.display())))?;
    let after = Config::parse(&text, &config.path).map_err(nothing_written)?;
    if let Some(new) = after.mistakes.iter().find(|mistake| !config.mistakes.contains(mistake)) {
        return Err(nothing_written(new));
    }
    let all = after.receivers(stored.has_account());
    let Some(mut receiver) = all.into_iter().find(|receiver| receiver.name == given.name) else {
        return Err(nothing_written(
            "the configuration cannot be changed; write the receiver into it yourself",
        ));
    };
    // Nothing is in the file yet: a line of it would mislead.
    receiver.written = Default::default();
    let mut secrets = stored.of(&receiver.kind, &given.name).map_err(nothing_written)?;
    secrets.extend(given.secrets.clone());
    Ok((text, after, receiver, secrets))
}
