//! What of a configuration can be used: a mistake costs what it stands in, and nothing else.
//!
//! A setting that is wrong has its default, a `[[receiver]]` with a mistake is one that cannot be built, and each mistake
//! is kept, to be said. Where a default could lose or spill something, the careful value holds instead.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, ValueDeserializer};

use super::line::{self, Place};
use super::near::is_near;
use super::receiver::{TOP, Written, check_name};
use super::syntax::{self, Known, Lost, Remains, may_be_of_credentials};
use super::words;
use super::{Config, Error, Mistake, Receiver, Receivers};
use crate::neutral;

/// The keys at the top beside `receiver`. With another one nobody knows what was meant.
pub(super) const SETTINGS: [&str; 9] =
    ["x", "alerts", "ignore", "logins", "heartbeat", "deliver", "scan", "journal", "report"];
/// What is said behind a mistake that costs one setting.
pub const MEANWHILE: &str = "; meanwhile the default holds";
/// Where nobody knows how long the journal is to be kept, and how large it may be.
const KEPT_MEANWHILE: Duration = Duration::from_secs(10 * 365 * 86_400);
const SIZE_MEANWHILE: u64 = 1 << 30;

/// The configuration in `bytes`, as if they stood in `file`.
pub(super) fn read(bytes: &[u8], file: &Path) -> Result<Config, Error> {
    let unusable = |why: String| Error::Parse(file.into(), why);
    let readable = syntax::read(bytes).map_err(unusable)?;
    let table = DeTable::parse(&readable.text)
        .map_err(|e| unusable(words::of_syntax(&readable.text, &e)))?
        .into_inner();
    let (mut lost, mut in_receivers) = (Vec::new(), Vec::new());
    for one in readable.lost {
        let receiver = one.receiver(&readable.text, &table);
        if receiver.is_none() || one.is_table {
            lost.push(one.clone());
        }
        in_receivers.extend(receiver.map(|start| (start, one)));
    }
    let mut reading = Reading {
        text: &readable.text,
        file: file.display().to_string(),
        table,
        found: Vec::new(),
        hides_receivers: !lost.is_empty(),
        receivers_unclear: lost.iter().any(|lost| lost.table.is_empty()),
        credentials_mistake: None,
        strays: Vec::new(),
        explained: 0,
    };
    let list = reading.receivers(&readable.receivers, &in_receivers);
    let mut config = reading.settings(lost).map_err(unusable)?;
    if let Some(list) = list {
        config.receiver = Receivers::List(list);
    }
    config.path = file.into();
    let whys = config.judge();
    for (key, why) in whys {
        let place = line::of(reading.text, key).unwrap_or(Place { line: 1, column: 1 });
        let why = format!("{key} {why}");
        // Nothing is posted to another place, or by another way, than was meant.
        if ["x.api_url", "x.proxy"].contains(&key) {
            config.x_mistake.get_or_insert(reading.mistake(place, why.clone()).to_string());
        }
        reading.found.push((place, with_default(&why)));
    }
    config.hides_receivers = reading.hides_receivers;
    config.receivers_unclear = reading.receivers_unclear;
    reading.found.sort();
    let found = std::mem::take(&mut reading.found);
    config.mistakes = found.into_iter().map(|(place, why)| reading.mistake(place, why)).collect();
    Ok(config)
}

/// The keys of a table for which a careful value holds where they are lost.
fn keys_of(table: &str) -> &'static [&'static str] {
    match table {
        "deliver" => &["in_process"],
        "journal" => &["keep", "max_size"],
        "x" => &["api_url", "ca_file", "proxy", "credentials"],
        _ => &[],
    }
}

fn with_default(why: &str) -> String {
    format!("{why}{MEANWHILE}")
}

/// A configuration while it is read.
struct Reading<'t> {
    text: &'t str,
    file: String,
    table: DeTable<'t>,
    found: Vec<(Place, String)>,
    hides_receivers: bool,
    receivers_unclear: bool,
    credentials_mistake: Option<String>,
    /// Keys that are in a receiver and belong to a table whose header is lost.
    strays: Vec<(String, Mistake)>,
    /// Receivers of which it was looked up what is wrong.
    explained: usize,
}

impl Reading<'_> {
    fn mistake(&self, place: Place, why: String) -> Mistake {
        let (line, column) = (Some(place.line), Some(place.column));
        Mistake { file: self.file.clone(), line, column, why: neutral::text(why, 400) }
    }

    fn place(&self, at: usize) -> Place {
        Place::of(self.text, at)
    }

    /// Everything but the receivers, and what was `lost` of it.
    fn settings(&mut self, lost: Vec<Lost>) -> Result<Config, String> {
        let mut wrong = std::mem::take(&mut self.strays);
        for Lost { place, why, table, hides_credentials, strays, .. } in lost {
            self.found.push((place, with_default(&why)));
            let mistake = self.mistake(place, why);
            self.note_credentials(hides_credentials, &mistake);
            wrong.extend(strays.iter().map(|key| (format!("{table}.{key}"), mistake.clone())));
            wrong.push((format!("{table}."), mistake));
        }
        wrong.extend(self.take_what_is_no_table());
        let mut config = loop {
            let table = Spanned::new(0..self.text.len(), self.table.clone());
            let error = match Config::deserialize(Deserializer::from(table)) {
                Ok(config) => break config,
                Err(error) => error,
            };
            let why = words::why(self.text, &error, &TOP);
            let at = error.span().map_or(self.text.len(), |span| span.start);
            let Some(Cut { key, at, hides_credentials }) = cut(&mut self.table, at) else {
                return Err(format!("{}: {why}", self.place(at)));
            };
            let place = self.place(at);
            self.found.push((place, with_default(&why)));
            let table = key.split('.').next().unwrap_or_default();
            // A key that does not belong may be of a receiver whose header is lost.
            let is_unknown = error.message().starts_with("unknown field");
            self.hides_receivers |=
                is_unknown || !SETTINGS.contains(&table) || key == "x" || key == "x.credentials";
            self.receivers_unclear |= !SETTINGS.contains(&table);
            if self.found.len() > syntax::MOST {
                return Err(format!("{place}: {why}"));
            }
            let mistake = self.mistake(place, why);
            self.note_credentials(hides_credentials, &mistake);
            if key != "x.timeout" {
                wrong.push((key, mistake));
            }
        };
        let first = |name: &str, but: &str| {
            let is_in = |key: &str| key != but && key.split('.').next() == Some(name);
            wrong.iter().find(|(key, _)| is_in(key)).map(|(_, mistake)| mistake)
        };
        config.x_mistake = first("x", "").map(ToString::to_string);
        config.credentials_mistake = self.credentials_mistake.take();
        // A table with another name, a header that is lost: what was to stand there nobody knows.
        let is_lost = |name: &str| {
            let is_any = |key: &str| {
                let (table, key) = key.split_once('.').unwrap_or((key, ""));
                !SETTINGS.contains(&table) || (table != name && keys_of(name).contains(&key))
            };
            !self.table.contains_key(name) && wrong.iter().any(|(key, _)| is_any(key))
        };
        if is_lost("x") {
            config.x_mistake =
                config.x_mistake.or_else(|| wrong.first().map(|(_, mistake)| mistake.to_string()));
        }
        // Whoever keeps the network out of logins means it.
        config.deliver.in_process &= first("deliver", "").is_none() && !is_lost("deliver");
        let is_set = |key: &str| {
            let table = self.table.get("journal").and_then(|table| table.get_ref().as_table());
            table.is_some_and(|table| table.contains_key(key))
        };
        // What is deleted does not come back.
        if (first("journal", "journal.max_size").is_some() || is_lost("journal")) && !is_set("keep") {
            config.journal.keep = KEPT_MEANWHILE;
        }
        if (first("journal", "journal.keep").is_some() || is_lost("journal")) && !is_set("max_size") {
            config.journal.max_size = SIZE_MEANWHILE;
        }
        Ok(config)
    }

    /// These keys are in a receiver that cannot be used, for `why`.
    fn note_strays(&mut self, strays: &[String], place: Place, why: &str) {
        for key in strays {
            let mistake = self.mistake(place, why.to_owned());
            self.note_credentials(may_be_of_credentials(key), &mistake);
            self.strays.push((format!("receiver.{key}"), mistake));
        }
    }

    /// With `mistake` it may be lost in which file the secrets are.
    fn note_credentials(&mut self, are_hidden: bool, mistake: &Mistake) {
        if are_hidden {
            self.credentials_mistake.get_or_insert_with(|| mistake.to_string());
        }
    }

    /// `alerts = 5`, `[[alerts]]`.
    fn take_what_is_no_table(&mut self) -> Vec<(String, Mistake)> {
        let mut wrong = Vec::new();
        for name in SETTINGS.into_iter().filter(|name| *name != "heartbeat") {
            let Some((key, value)) = self.table.get_key_value(name) else { continue };
            if matches!(value.get_ref(), DeValue::Table(_)) {
                continue;
            }
            let place = self.place(key.span().start);
            let why = format!("{name} is a table: [{name}] with one pair of brackets");
            self.found.push((place, with_default(&why)));
            self.hides_receivers |= name == "x";
            let hides_credentials = may_hold_credentials(value.get_ref());
            self.table.remove(name);
            let mistake = self.mistake(place, why);
            self.note_credentials(hides_credentials, &mistake);
            wrong.push((name.to_owned(), mistake));
        }
        wrong
    }

    /// The `[[receiver]]`s, those of which only `remains` are left among them; none where there is no list.
    fn receivers(&mut self, remains: &[Remains], lost: &[(usize, Lost)]) -> Option<Vec<Receiver>> {
        let is_table = match self.table.get("receiver")?.get_ref() {
            DeValue::Array(_) => false,
            DeValue::Table(_) => true,
            _ => return None,
        };
        let (key, value) = self.table.remove_entry("receiver")?;
        let items: Vec<Spanned<DeValue<'_>>> = match value.into_inner() {
            DeValue::Array(items) => items.into_iter().collect(),
            table => vec![Spanned::new(key.span(), table)],
        };
        let mut list: Vec<Receiver> = Vec::new();
        for item in items {
            let start = item.span().start;
            let at = self.place(start);
            let remains = remains.iter().find(|remains| remains.line == at.line);
            let lost = lost.iter().find(|(receiver, _)| *receiver == start);
            let one = match (remains, lost) {
                (Some(Remains { mistake: (place, why), known, .. }), _) => {
                    self.note_strays(&known.strays, *place, why);
                    let broken = Broken { place: *place, why: why.clone() };
                    self.broken(known, Written::at(&self.file, at), broken)
                }
                (None, Some((_, Lost { place, why, .. }))) => {
                    let known = item.get_ref().as_table().map(Known::salvaged).unwrap_or_default();
                    self.note_strays(&known.strays, *place, why);
                    let broken = Broken { place: *place, why: why.clone() };
                    self.broken(&known, Written::at(&self.file, at), broken)
                }
                (None, None) => self.one(item, at, is_table),
            };
            if let Some(one) = one {
                self.add(&mut list, one);
            }
        }
        Some(list)
    }

    /// Put `one` to the others. Of two with one name the first has it, or the one that nothing is wrong with: a mistake in one
    /// costs no other its name, and what was kept under it.
    fn add(&mut self, list: &mut Vec<Receiver>, one: Receiver) {
        let Some(other) = list.iter_mut().find(|other| other.name == one.name) else {
            list.push(one);
            return;
        };
        let is_wrong = |one: &Receiver| one.mistake.is_some() || misspelt_name(one).is_some();
        let is_right = !is_wrong(&one) && is_wrong(other);
        let gone = if is_right { std::mem::replace(other, one) } else { one };
        // It may have had another name.
        self.hides_receivers = true;
        let Receiver { name, written, mistake, .. } = &gone;
        let misspelt = misspelt_name(&gone);
        let place = written.of(misspelt.unwrap_or("name")).unwrap_or(written.header);
        let also = match (mistake, misspelt) {
            (Some(why), _) => format!("; what is wrong in it: {why}"),
            (None, Some(key)) => format!("; \"{}\" in it is not a key: name is meant", neutral::name(key)),
            (None, None) => String::new(),
        };
        let line = other.written.header.line;
        let why = format!(
            "two receivers are called \"{name}\": this one gets nothing, the one in line {line} has the name; give it \
             another name{also}"
        );
        self.found.push((place, why));
    }

    /// One receiver as it stands there; none where nobody knows which it is.
    fn one(&mut self, item: Spanned<DeValue<'_>>, at: Place, is_table: bool) -> Option<Receiver> {
        let DeValue::Table(table) = item.get_ref() else {
            self.nameless(at, "write [[receiver]], and below it kind = \"…\", once for each receiver");
            return None;
        };
        let keys = table.keys().map(|key| (key.get_ref().to_string(), self.place(key.span().start)));
        let written = Written { keys: keys.collect(), ..Written::at(&self.file, at) };
        let known = Known::salvaged(table);
        self.note_strays(&known.strays, at, "something in this receiver belongs to another table");
        if is_table {
            let why = "write [[receiver]] with two brackets, once for each receiver".into();
            return self.broken(&known, written, Broken { place: at, why });
        }
        match Receiver::deserialize(ValueDeserializer::from(item)) {
            Ok(mut receiver) => {
                if receiver.name.is_empty() && !written.keys.contains_key("name") {
                    receiver.name.clone_from(&receiver.kind);
                }
                receiver.written = written;
                self.hides_receivers |= misspelt_name(&receiver).is_some();
                self.named(receiver)
            }
            Err(error) => {
                let place = error.span().map_or(at, |span| self.place(span.start));
                self.explained += 1;
                // Each reads the whole text again.
                let why = match self.explained > syntax::MOST {
                    true => "something in this receiver is wrong; see the mistakes before it".into(),
                    false => words::why(self.text, &error, &TOP),
                };
                self.broken(&known, written, Broken { place, why })
            }
        }
    }

    /// A receiver with a mistake in it.
    fn broken(&mut self, known: &Known, written: Written, broken: Broken) -> Option<Receiver> {
        let Broken { place, why } = broken;
        let kind = known.kind.clone().unwrap_or_default();
        let by_kind = known.kind.clone().filter(|_| !known.has_name);
        let Some(name) = known.name.clone().or(by_kind) else {
            self.nameless(place, &why);
            return None;
        };
        let mistake = self.mistake(place, why).to_string();
        let mut receiver = Receiver { tell: known.tell.clone(), written, ..Receiver::named(&kind) };
        (receiver.name, receiver.mistake) = (name, Some(mistake));
        self.named(receiver)
    }

    /// The receiver, if it can have its name.
    fn named(&mut self, receiver: Receiver) -> Option<Receiver> {
        let Err(why) = check_name(&receiver.name) else { return Some(receiver) };
        let Written { header, .. } = receiver.written;
        let place = ["name", "kind"].into_iter().find_map(|key| receiver.written.of(key));
        // Without a name of its own it is called as its kind.
        let why = match receiver.written.of("name").is_none() && receiver.name == receiver.kind {
            true => not_a_kind(&receiver.kind),
            false => why,
        };
        self.nameless(place.unwrap_or(header), &why);
        None
    }

    /// Say that a receiver gets nothing of which nobody knows what it is called: it may have had a state here.
    fn nameless(&mut self, place: Place, why: &str) {
        self.hides_receivers = true;
        self.found.push((place, format!("{why}; this receiver gets nothing")));
    }
}

/// Of a kind that no receiver can have.
fn not_a_kind(kind: &str) -> String {
    let meant = kind.trim().to_ascii_lowercase();
    let meant = match check_name(&meant) {
        Ok(()) => format!(" (did you mean \"{meant}\"?)"),
        Err(_) => "; authalert receivers lists them".into(),
    };
    format!("\"{}\" is not a kind of receiver{meant}", neutral::name(kind))
}

struct Broken {
    place: Place,
    why: String,
}

/// A key that was taken out.
struct Cut {
    /// With the table's name before it.
    key: String,
    /// Where it stood.
    at: usize,
    /// It may have said where the secrets are.
    hides_credentials: bool,
}

/// Take the key out that stands at `at`, or whose value does.
fn cut(table: &mut DeTable<'_>, at: usize) -> Option<Cut> {
    let has = |key: Range<usize>, value: Range<usize>| key.start <= at && at < key.end.max(value.end);
    let mut found: Option<(String, Option<String>, usize)> = None;
    for (key, value) in table.iter() {
        if let DeValue::Table(inner) = value.get_ref() {
            if let Some((inner, _)) = inner.iter().find(|(k, v)| has(k.span(), v.span())) {
                found =
                    Some((key.get_ref().to_string(), Some(inner.get_ref().to_string()), inner.span().start));
                break;
            }
        }
        if has(key.span(), value.span()) {
            found = Some((key.get_ref().to_string(), None, key.span().start));
        }
    }
    let (outer, inner, at) = found?;
    let Some(inner) = inner else {
        let gone = table.remove(outer.as_str())?;
        let hides_credentials = may_be_of_credentials(&outer) || may_hold_credentials(gone.get_ref());
        return Some(Cut { key: outer, at, hides_credentials });
    };
    let DeValue::Table(within) = table.get_mut(outer.as_str())?.get_mut() else { return None };
    within.remove(inner.as_str())?;
    let hides_credentials = may_be_of_credentials(&inner);
    Some(Cut { key: format!("{outer}.{inner}"), at, hides_credentials })
}

fn may_hold_credentials(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::Table(table) => table.keys().any(|key| may_be_of_credentials(key.get_ref())),
        DeValue::Array(items) => items.iter().any(|item| may_hold_credentials(item.get_ref())),
        _ => false,
    }
}

/// The key that was to be `name`, in a receiver that has none: its letters in another order, one too many, too few or
/// another. Such a key may be a parameter of somebody's own kind as well.
fn misspelt_name(receiver: &Receiver) -> Option<&str> {
    const NAME: &str = "name";
    if receiver.written.of(NAME).is_some() {
        return None;
    }
    receiver.parameters.keys().map(String::as_str).find(|key| is_near(key, NAME))
}

impl Written {
    fn at(file: &str, header: Place) -> Self {
        Self { file: file.to_owned(), header, keys: BTreeMap::new() }
    }
}
