//! What stands in a definition.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::choice::Choice;
use super::json_path::JsonPath;
use super::parameter::Parameter;
use super::template::Template;
use crate::config::whole;
use crate::message::Unit;
use crate::receiver::Kind;
use crate::receiver::http::Method;

/// The keys that stand above the first table.
pub(super) const TOP: [&str; 8] =
    ["title", "summary", "costs_money", "knows_repeats", "default_tell", "phone", "unconfirmed", "try_it"];

/// The whole file, each value parsed; [`super::check`] then looks at how they fit together.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The service's name, as it calls itself.
    pub title: String,
    /// What it is, in one line.
    pub summary: String,
    /// Each message costs money.
    #[serde(default)]
    pub costs_money: bool,
    /// The service knows a repeated message by `{key}` and does not show it twice.
    pub knows_repeats: Option<Spanned<bool>>,
    /// What it is sent unless `tell` says otherwise.
    pub default_tell: Option<Vec<Kind>>,
    /// What the person at the phone does, step by step.
    pub phone: Vec<String>,
    /// What nobody could confirm so far.
    #[serde(default)]
    pub unconfirmed: Vec<String>,
    /// How to try it without cost or harm.
    #[serde(default)]
    pub try_it: Vec<String>,
    /// What the administrator gives.
    #[serde(default, rename = "parameter")]
    pub parameters: Vec<Parameter>,
    /// Which of these exclude each other.
    #[serde(default, rename = "choice")]
    pub choices: Vec<Spanned<Choice>>,
    /// How long a text may be and what must not stand in it.
    pub text: Text,
    /// What `{priority}` is.
    pub priority: Option<Priority>,
    /// The request of one message.
    pub request: Request,
    /// What the answers mean.
    pub answer: Answer,
    /// A request that finds a parameter's value.
    pub discover: Option<Spanned<Discover>>,
}

/// `[text]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// What `limit` is counted in.
    pub unit: Unit,
    /// The longest text.
    #[serde(deserialize_with = "limit")]
    pub limit: u32,
    /// Characters that the service reads as markup or as a mention.
    #[serde(default)]
    pub markup: String,
    /// A text may have several lines.
    #[serde(default)]
    pub lines: bool,
    /// The service or its programs make a link of a bare IPv4 address.
    #[serde(default)]
    pub links_addresses: bool,
}

/// `[priority]`: numbers or words.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Priority {
    /// Of a break-in.
    pub break_in: Spanned<toml::Value>,
    /// Of what is urgent, and of a new source.
    pub urgent: Spanned<toml::Value>,
    /// Of everything else.
    pub normal: Spanned<toml::Value>,
}

/// `[request]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// `GET`, `POST` or `PUT`.
    pub method: Spanned<Method>,
    /// Where to; each placeholder is one piece of the path.
    pub url: Spanned<Template>,
    /// What follows the `?`, coded as a form.
    #[serde(default)]
    pub query: BTreeMap<String, Spanned<Template>>,
    /// Header fields.
    #[serde(default)]
    pub headers: BTreeMap<String, Spanned<Template>>,
    /// The token of `Authorization: Bearer`.
    pub bearer: Option<Spanned<Template>>,
    /// User and password of `Authorization: Basic`.
    pub basic: Option<Spanned<[Template; 2]>>,
    /// The body as JSON.
    pub json: Option<Spanned<Node>>,
    /// The body as a form.
    pub form: Option<BTreeMap<String, Spanned<Template>>>,
    /// The body as plain text.
    pub plain: Option<Spanned<Template>>,
}

/// A piece of a JSON body. Texts in it are templates; a value takes the place of its placeholder inside
/// the parsed JSON, so nothing in it can end a string.
#[derive(Clone, Debug)]
pub enum Node {
    /// An object; a member whose text stands on a parameter that was not given is left out.
    Object(Vec<(String, Spanned<Node>)>),
    /// A list.
    List(Vec<Spanned<Node>>),
    /// A text.
    Text(Template),
    /// A number or a truth value.
    Other(serde_json::Value),
}

/// `[answer]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Statuses of an accepted message.
    pub success: Spanned<Statuses>,
    /// What must hold in the body as well.
    #[serde(default)]
    pub test: Vec<Test>,
    /// The whole body of an accepted message, where it is not JSON.
    pub body: Option<String>,
    /// What such a body begins with.
    pub body_begins: Option<Spanned<String>>,
    /// The status alone is enough, also 200.
    #[serde(default)]
    pub any_body: bool,
    /// Where the service's number of the message stands.
    pub id: Option<JsonPath>,
    /// Where the service says in words what is wrong.
    pub says: Option<JsonPath>,
    /// Where it says how long to wait.
    pub wait: Option<Spanned<Wait>>,
    /// What other answers mean; the first that fits.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Spanned<Rule>>,
}

/// Something that must hold in the body.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// Where to look.
    pub path: JsonPath,
    /// What must stand there; absent: anything but null.
    #[serde(default)]
    pub equals: OneOrMore,
    /// One of several places is enough; else all of them, and at least one.
    #[serde(default)]
    pub any: bool,
}

/// `wait = { path = "…", unit = "…" }`, or with `body_begins`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// Where to look in the JSON.
    pub path: Option<JsonPath>,
    /// What the body begins with, where it is not JSON; the number follows.
    pub body_begins: Option<Spanned<String>>,
    /// What the number there counts.
    pub unit: WaitUnit,
}

/// What a wait is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WaitUnit {
    /// Seconds, whole or not.
    Seconds,
    /// Thousandths of it.
    Milliseconds,
}

/// `[[answer.rule]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Statuses that it is for; absent: every one.
    #[serde(default)]
    pub status: Statuses,
    /// Where to look in the JSON; it fits if any value there does.
    pub path: Option<JsonPath>,
    /// What stands there; absent: anything but null.
    #[serde(default)]
    pub equals: OneOrMore,
    /// The whole body, where it is not JSON.
    pub body: Option<String>,
    /// What such a body begins with.
    pub body_begins: Option<Spanned<String>>,
    /// What the answer means.
    pub outcome: Meaning,
    /// What the administrator does about it.
    pub advice: Option<String>,
}

impl Answer {
    /// Whether the service answers in plain text.
    pub fn is_plain(&self) -> bool {
        let of_rule =
            |rule: &Spanned<Rule>| rule.get_ref().body.is_some() || rule.get_ref().body_begins.is_some();
        let of_wait = |wait: &Spanned<Wait>| wait.get_ref().body_begins.is_some();
        self.body.is_some()
            || self.body_begins.is_some()
            || self.wait.as_ref().is_some_and(of_wait)
            || self.rules.iter().any(of_rule)
    }
}

impl Rule {
    /// Whether it looks into the body.
    pub fn reads_the_body(&self) -> bool {
        self.path.is_some() || self.body.is_some() || self.body_begins.is_some()
    }
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Meaning {
    /// The service has this message already.
    Duplicate,
    /// Too many requests: later.
    Limited,
    /// Nothing is accepted for hours: money or a cap.
    Pause,
    /// Nothing is accepted until a person acts.
    Stop,
    /// This text is never accepted.
    Refuse,
    /// The service may have it.
    Ambiguous,
}

/// `[discover]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discover {
    /// The parameter whose value is found.
    pub parameter: String,
    /// What the person does before.
    pub before: String,
    /// Where to ask, with GET.
    pub url: Template,
    /// Where the values stand in the answer.
    pub path: JsonPath,
    /// Where words stand by which a person knows them, as many as there are values.
    pub label: Option<JsonPath>,
}

/// An HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u16);

/// A list of statuses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statuses(Vec<Status>);

impl Deref for Statuses {
    type Target = [Status];

    fn deref(&self) -> &[Status] {
        &self.0
    }
}

/// One value or a list of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OneOrMore(pub Vec<serde_json::Value>);

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(whole::<100, 599, D>(deserializer)? as u16))
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Statuses;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of numbers: [200]")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Statuses, A::Error> {
                let mut statuses = Vec::new();
                while let Some(status) = list.next_element()? {
                    statuses.push(status);
                }
                Ok(Statuses(statuses))
            }
        }

        deserializer.deserialize_any(List)
    }
}

/// No service that is worth it takes less than a part of an SMS in UCS-2.
fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    whole::<70, 100_000, D>(deserializer)
}

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = match toml::Value::deserialize(deserializer)? {
            toml::Value::Array(values) => values,
            one => vec![one],
        };
        values
            .into_iter()
            .map(|value| match value {
                toml::Value::String(text) => Ok(text.into()),
                toml::Value::Integer(number) => Ok(number.into()),
                toml::Value::Boolean(truth) => Ok(truth.into()),
                _ => Err(de::Error::custom("equals takes texts, whole numbers, true and false")),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a whole number, true, false, a list or a table")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Node, E> {
                Template::parse(text).map(Node::Text).map_err(E::custom)
            }

            fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Node, E> {
                Ok(Node::Other(truth.into()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Node, E> {
                Ok(Node::Other(number.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
                let mut nodes = Vec::new();
                while let Some(node) = list.next_element()? {
                    nodes.push(node);
                }
                Ok(Node::List(nodes))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut members = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    // How the parser hands a date on.
                    if name.starts_with("$__toml") {
                        return Err(de::Error::custom("a JSON body has no dates; put it in quotes"));
                    }
                    members.push((name, map.next_value()?));
                }
                Ok(Node::Object(members))
            }
        }

        deserializer.deserialize_any(Any)
    }
}
