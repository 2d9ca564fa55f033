//! Where a value is in a JSON answer: `messages[*].status`, `data.messages[0].message-id`.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Element(usize),
    EveryElement,
}

/// A parsed path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath(Vec<Step>);

const ACCEPTED: &str = "write member names with dots between them, [0] for an element, [*] for all of them";

impl JsonPath {
    /// Parse `text`; the error says what is accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{}\" is not a path; {ACCEPTED}", crate::neutral::name(text));
        let mut steps = Vec::new();
        for (i, piece) in text.split('.').enumerate() {
            let (name, brackets) = piece.split_at(piece.find('[').unwrap_or(piece.len()));
            let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
            // Only the whole answer can be a list without a name.
            if !name.bytes().all(is_name) || (name.is_empty() && (i > 0 || brackets.is_empty())) {
                return Err(wrong());
            }
            if !name.is_empty() {
                steps.push(Step::Member(name.into()));
            }
            let mut rest = brackets;
            while !rest.is_empty() {
                let (inside, after) =
                    rest.strip_prefix('[').and_then(|r| r.split_once(']')).ok_or_else(wrong)?;
                steps.push(match inside {
                    "*" => Step::EveryElement,
                    index => Step::Element(index.parse().map_err(|_| wrong())?),
                });
                rest = after;
            }
        }
        Ok(Self(steps))
    }

    /// Every value that stands there.
    pub(super) fn find<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        self.0.iter().fold(vec![value], |found, step| {
            found
                .into_iter()
                .flat_map(|value| -> Vec<&Value> {
                    match step {
                        Step::Member(name) => value.get(name).into_iter().collect(),
                        Step::Element(index) => value.get(index).into_iter().collect(),
                        Step::EveryElement => {
                            value.as_array().map(|a| a.iter().collect()).unwrap_or_default()
                        }
                    }
                })
                .collect::<Vec<_>>()
        })
    }
}

/// As it is written.
impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Member(name) if i == 0 => f.write_str(name)?,
                Step::Member(name) => write!(f, ".{name}")?,
                Step::Element(index) => write!(f, "[{index}]")?,
                Step::EveryElement => f.write_str("[*]")?,
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for JsonPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_finds_every_value_that_stands_there() {
        let answer: Value = serde_json::from_str(
            r#"{"messages":[{"status":"0","message-id":"a"},{"status":"1"},7],"ok":true}"#,
        )
        .unwrap();
        let found = |path: &str| {
            JsonPath::parse(path).unwrap().find(&answer).into_iter().map(Value::to_string).collect::<Vec<_>>()
        };
        assert_eq!(found("messages[*].status"), [r#""0""#, r#""1""#]);
        assert_eq!(found("messages[0].message-id"), [r#""a""#]);
        assert_eq!(found("ok"), ["true"]);
        assert!(found("ok.x[0]").is_empty() && found("messages[9]").is_empty() && found("ok[*]").is_empty());
        for path in ["messages[*].status", "[*].x", "a[0][1].b-c", "ok"] {
            assert_eq!(JsonPath::parse(path).unwrap().to_string(), path);
        }
        assert_eq!(JsonPath::parse("[*].x").unwrap().find(&serde_json::json!([{"x": 1}])).len(), 1);
    }

    #[test]
    fn a_mistake_names_what_is_accepted() {
        for path in ["", ".", "a..b", "a.", "a[", "a[x]", "a[0]b", "a b", "$.a", "[-1]"] {
            let error = JsonPath::parse(path).unwrap_err();
            assert!(error.contains("[*]"), "{path}: {error}");
        }
    }
}
