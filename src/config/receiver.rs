//! `[[receiver]]`: where alerts go, each with its own pace.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use super::Kind;
use super::line::Place;
use super::values::{optional_duration, optional_whole};
use super::words;

/// The `receiver` of a configuration: a word as in version 0.1, or a list of tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Receivers {
    /// Not said: X once there are credentials, and the timeline.
    #[default]
    Unsaid,
    /// `receiver = "x"` or `"timeline"`.
    Word(ReceiverWord),
    /// `[[receiver]]`, once or more.
    List(Vec<Receiver>),
}

/// What version 0.1 could choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReceiverWord {
    /// The X account, and the timeline beside it.
    X,
    /// A file on this machine, shown by `authalert timeline`.
    Timeline,
}

/// What to do about a message of which nobody knows whether it was accepted, where the service knows
/// no repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AfterUnknown {
    /// Send it again: it may come twice, under the same number.
    Repeat,
    /// Count it as sent: it may never have come. For what costs money.
    Skip,
}

/// The keys of every `[[receiver]]` beside its kind and name.
pub const RECEIVER_KEYS: [&str; 10] = [
    "tell",
    "after_unknown",
    "group_interval",
    "max_interval",
    "max_per_day",
    "burst",
    "ca_file",
    "proxy",
    "timeout",
    "plain_http",
];

/// The keys that stand above the first table.
pub(super) const TOP: [&str; 2] = ["receiver", "heartbeat"];

/// One `[[receiver]]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Receiver {
    /// `x`, `x-dm`, `mail`, `command`, or the name of a definition.
    pub kind: String,
    /// What it is called in `status`, on the command line, and in the credentials; absent: as its kind.
    #[serde(default)]
    pub name: String,
    /// What it is for; absent: see [`Receiver::tells`].
    pub tell: Option<Vec<Kind>>,
    /// Absent: `repeat`, but for kinds whose messages cost money.
    pub after_unknown: Option<AfterUnknown>,
    /// As in `[alerts]`; absent: what stands there.
    #[serde(default, deserialize_with = "optional_duration")]
    pub group_interval: Option<Duration>,
    /// As in `[alerts]`.
    #[serde(default, deserialize_with = "optional_duration")]
    pub max_interval: Option<Duration>,
    /// As in `[alerts]`.
    #[serde(default, deserialize_with = "optional_whole::<1, 10_000, _>")]
    pub max_per_day: Option<u32>,
    /// As in `[alerts]`.
    #[serde(default, deserialize_with = "optional_whole::<1, 1_000, _>")]
    pub burst: Option<u32>,
    /// As in `[x]`.
    pub ca_file: Option<PathBuf>,
    /// As in `[x]`.
    pub proxy: Option<String>,
    /// As in `[x]`.
    #[serde(default, deserialize_with = "optional_duration")]
    pub timeout: Option<Duration>,
    /// Allow `http://` to another machine, in a network of one's own.
    #[serde(default)]
    pub plain_http: bool,
    /// Where all this stands.
    #[serde(skip)]
    pub written: Written,
    /// What is wrong with it, with file and line: nothing can be sent to it until that is put right.
    #[serde(skip)]
    pub mistake: Option<String>,
    /// What the kind itself asks for. Secrets stand in the credentials.
    #[serde(flatten)]
    pub parameters: toml::Table,
}

impl Receiver {
    /// Whether messages of `kind` are sent to it.
    pub fn tells(&self, kind: Kind) -> bool {
        const BY_DEFAULT: [Kind; 5] =
            [Kind::BreakIn, Kind::Urgent, Kind::Digest, Kind::Heartbeat, Kind::Health];
        kind == Kind::Test || self.tell.as_deref().unwrap_or(&BY_DEFAULT).contains(&kind)
    }

    /// Why there is no `key` in it: its kind asks for `names`.
    pub fn not_a_parameter(&self, key: &str, names: &str) -> String {
        match TOP.contains(&key) {
            true => words::above_the_first_table(key, "[[receiver]]", self.written.header.line),
            false => {
                let key = crate::neutral::name(key);
                format!("\"{key}\" is not one of its parameters; they are {names}")
            }
        }
    }
}

impl<'de> Deserialize<'de> for Receivers {
    /// Of the word; the tables are read one by one, as a mistake in one concerns that one alone.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;

        impl Visitor<'_> for Word {
            type Value = Receivers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"x\", \"timeline\", or tables [[receiver]]")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Receivers, E> {
                match word {
                    "x" => Ok(Receivers::Word(ReceiverWord::X)),
                    "timeline" => Ok(Receivers::Word(ReceiverWord::Timeline)),
                    // Not shown: an address may be a secret.
                    _ => Err(E::custom("expected \"x\", \"timeline\", or tables [[receiver]]")),
                }
            }
        }

        deserializer.deserialize_any(Word)
    }
}

/// Where the text of a receiver stands.
#[derive(Clone, PartialEq, Eq)]
pub struct Written {
    pub(super) file: String,
    pub(super) header: Place,
    pub(super) keys: BTreeMap<String, Place>,
}

impl Default for Written {
    fn default() -> Self {
        Self { file: String::new(), header: Place { line: 0, column: 0 }, keys: BTreeMap::new() }
    }
}

/// Moved to another line it is the same receiver.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Written")
    }
}

impl Written {
    /// Where `key` stands, if it does.
    pub(super) fn of(&self, key: &str) -> Option<Place> {
        self.keys.get(key).copied()
    }

    /// `why` with file, line and column of `key`, or of the header where it is missing.
    pub(super) fn says(&self, key: &str, why: &str) -> String {
        if self.file.is_empty() {
            return why.to_owned();
        }
        format!("{}: {}: {why}", self.file, self.of(key).unwrap_or(self.header))
    }

    /// The same where it begins with the key that it speaks of, in quotes or not.
    pub fn locate(&self, why: &str) -> String {
        let is_of_a_key = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let key = why.trim_start_matches('"').split(|c| !is_of_a_key(c)).next().unwrap_or_default();
        self.says(key, why)
    }
}

/// A receiver's name is a file's name too.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.is_empty() || name.len() > 32 || !name.bytes().all(good) || name.starts_with('-') {
        return Err(format!(
            "\"{}\" cannot be a receiver's name: a to z, 0 to 9 and \"-\", at most 32 of them",
            crate::neutral::name(name)
        ));
    }
    if name == "timeline" {
        return Err("\"timeline\" is the receiver that is always there; choose another name".into());
    }
    Ok(())
}
