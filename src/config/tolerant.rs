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
use super::receiver::{TOP, Written, check_name};
use super::syntax::{self, Known, Lost, Remains};
use super::words;
use super::{Config, Error, Kind, Mistake, Receiver, Receivers};
use crate::neutral;

/// The keys at the top beside `receiver`. With another one nobody knows what was meant.
const SETTINGS: [&str; 9] =
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
    let table = DeTable::parse(&readable.text).map_err(|e| unusable(words::of_syntax(e.message())))?;
    let mut reading = Reading {
        text: &readable.text,
        file: file.display().to_string(),
        table: table.into_inner(),
        found: Vec::new(),
        hides_receivers: !readable.lost.is_empty(),
        receivers_unclear: readable.lost.iter().any(|lost| lost.table.is_empty()),
    };
    let list = reading.receivers(readable.receivers);
    let mut config = reading.settings(readable.lost).map_err(unusable)?;
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
        let mut wrong = Vec::new();
        for Lost { place, why, table } in lost {
            self.found.push((place, with_default(&why)));
            wrong.push((format!("{table}."), self.mistake(place, why)));
        }
        wrong.extend(self.take_what_is_no_table());
        let mut config = loop {
            let table = Spanned::new(0..self.text.len(), self.table.clone());
            let error = match Config::deserialize(Deserializer::from(table)) {
                Ok(config) => break config,
                Err(error) => error,
            };
            let why = words::why(self.text, &error, &TOP);
            let cut = error.span().and_then(|span| cut(&mut self.table, span.start));
            let Some((key, place)) = cut.map(|(key, at)| (key, self.place(at))) else { return Err(why) };
            self.found.push((place, with_default(&why)));
            let table = key.split('.').next().unwrap_or_default();
            // A key that does not belong may be of a receiver whose header is lost.
            let is_unknown = error.message().starts_with("unknown field");
            self.hides_receivers |=
                is_unknown || !SETTINGS.contains(&table) || key == "x" || key == "x.credentials";
            self.receivers_unclear |= !SETTINGS.contains(&table);
            if self.found.len() > syntax::MOST {
                return Err(why);
            }
            if key != "x.timeout" {
                wrong.push((key.clone(), self.mistake(place, why)));
            }
        };
        let first = |name: &str, but: &str| {
            let is_in = |key: &str| key != but && key.split('.').next() == Some(name);
            wrong.iter().find(|(key, _)| is_in(key)).map(|(_, mistake)| mistake)
        };
        config.x_mistake = first("x", "").map(ToString::to_string);
        // A table with another name, a header that is lost: what was to stand there nobody knows.
        let is_lost = |name: &str| {
            let is_any = |key: &str| !SETTINGS.contains(&key.split('.').next().unwrap_or_default());
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
            wrong.push((name.to_owned(), self.mistake(place, why)));
            self.table.remove(name);
        }
        wrong
    }

    /// The `[[receiver]]`s, those of which only `remains` are left among them; none where there is no list.
    fn receivers(&mut self, remains: Vec<Remains>) -> Option<Vec<Receiver>> {
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
            let at = self.place(item.span().start);
            let remains = remains.iter().find(|remains| remains.line == at.line);
            let one = match remains {
                Some(Remains { mistake: (place, why), known, .. }) => {
                    let broken = Broken { place: *place, why: why.clone() };
                    self.broken(known, Written::at(&self.file, at), broken)
                }
                None => self.one(item, at, is_table),
            };
            let Some(one) = one else { continue };
            let place = one.written.of("name").unwrap_or(at);
            if list.iter().any(|other| other.name == one.name) {
                // It may have had another name.
                self.hides_receivers = true;
                let name = &one.name;
                let why = format!(
                    "two receivers are called \"{name}\": this one gets nothing; give it another name"
                );
                self.found.push((place, why));
                continue;
            }
            list.push(one);
        }
        Some(list)
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
                self.named(receiver)
            }
            Err(error) => {
                let place = error.span().map_or(at, |span| self.place(span.start));
                let why = words::why(self.text, &error, &TOP);
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
        self.nameless(place.unwrap_or(header), &why);
        None
    }

    /// Say that a receiver gets nothing of which nobody knows what it is called: it may have had a state here.
    fn nameless(&mut self, place: Place, why: &str) {
        self.hides_receivers = true;
        self.found.push((place, format!("{why}; this receiver gets nothing")));
    }
}

struct Broken {
    place: Place,
    why: String,
}

impl Known {
    /// What is right in a table by itself. With a wrong `tell` it is told as its kind is by default: what is left out does
    /// not come back.
    fn salvaged(table: &DeTable<'_>) -> Self {
        let text = |key: &str| table.get(key)?.get_ref().as_str().map(str::to_owned);
        let tell = table.get("tell").cloned();
        let tell = tell.and_then(|tell| Vec::<Kind>::deserialize(ValueDeserializer::from(tell)).ok());
        Self { kind: text("kind"), name: text("name"), tell, has_name: table.contains_key("name") }
    }
}

/// Take the key out that stands at `at`, or whose value does: its name with the table's before it, and where it stood.
fn cut(table: &mut DeTable<'_>, at: usize) -> Option<(String, usize)> {
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
    let (outer, inner, start) = found?;
    let Some(inner) = inner else {
        table.remove(outer.as_str())?;
        return Some((outer, start));
    };
    let DeValue::Table(within) = table.get_mut(outer.as_str())?.get_mut() else { return None };
    within.remove(inner.as_str())?;
    Some((format!("{outer}.{inner}"), start))
}

impl Written {
    fn at(file: &str, header: Place) -> Self {
        Self { file: file.to_owned(), header, keys: BTreeMap::new() }
    }
}
