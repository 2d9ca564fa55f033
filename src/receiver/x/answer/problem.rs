//! What X says went wrong, in whichever form it says it.

use serde_json::Value;

use super::rules::{RULES, Rule};
use crate::neutral;
use crate::receiver::http::{Reply, WORDS_LIMIT};

/// The explanation in an answer.
pub(super) struct Problem {
    status: u16,
    /// Lower case, of the fields that X itself writes.
    words: String,
    codes: Vec<u64>,
    /// For the administrator.
    said: String,
    /// A web page, which the API never sends.
    pub html: bool,
}

impl Problem {
    pub fn read(reply: &Reply) -> Self {
        let mut problem = Self {
            status: reply.status,
            words: String::new(),
            codes: Vec::new(),
            said: String::new(),
            html: false,
        };
        let text = String::from_utf8_lossy(&reply.body);
        let text = text.trim_start_matches('\u{feff}').trim();
        let is_html =
            reply.headers.get("content-type").is_some_and(|t| t.as_bytes().starts_with(b"text/html"));
        match serde_json::from_str(text) {
            Ok(json) => problem.read_json(&json),
            Err(_) if is_html || text.starts_with("<!") || starts_with_ignoring_case(text, "<html") => {
                problem.html = true;
            }
            // Half a JSON body may end inside a quotation of the post.
            Err(_) if text.starts_with(['{', '[', '"']) => {}
            Err(_) => problem.read_text(text),
        }
        problem
    }

    fn read_json(&mut self, json: &Value) {
        let mut fields = Vec::new();
        let mut take = |object: &Value, keys: &[&str]| {
            for key in keys {
                fields.extend(object.get(*key).and_then(Value::as_str).map(str::to_owned));
            }
        };
        take(json, &["detail", "title", "type", "reason"]);
        let errors = json.get("errors").and_then(Value::as_array).into_iter().flatten();
        for error in errors.take(8) {
            take(error, &["message", "detail", "title", "type"]);
            self.codes.extend(error.get("code").and_then(Value::as_u64));
        }
        self.said = fields.first().cloned().unwrap_or_default();
        // The messages of an invalid request quote what was sent.
        if self.status != 400 {
            self.words = fields.join("\n").to_lowercase();
        }
    }

    /// Plain text, or the XML of the old API: `<error code="415">…</error>`.
    fn read_text(&mut self, text: &str) {
        self.codes.extend(
            text.split("code=\"")
                .skip(1)
                .filter_map(|rest| rest.split('"').next()?.parse::<u64>().ok())
                .take(8),
        );
        self.said = text.to_owned();
        if self.status != 400 {
            self.words = text.chars().take(1024).collect::<String>().to_lowercase();
        }
    }

    /// Whether X gave one of these numbers.
    pub fn has_code(&self, codes: &[u64]) -> bool {
        self.codes.iter().any(|code| codes.contains(code))
    }

    /// The first rule that fits.
    pub fn rule(&self) -> Option<&'static Rule> {
        RULES.iter().find(|rule| {
            rule.codes.iter().any(|code| self.codes.contains(code))
                || rule.words.iter().any(|words| self.words.contains(words))
        })
    }

    /// `X answered 403 "…": advice`
    pub fn line(&self, advice: &str) -> String {
        if self.said.is_empty() {
            return format!("X answered {}: {advice}", self.status);
        }
        let said = neutral::text(self.said.split_whitespace().collect::<Vec<_>>().join(" "), WORDS_LIMIT);
        format!("X answered {} \"{said}\": {advice}", self.status)
    }
}

fn starts_with_ignoring_case(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}
