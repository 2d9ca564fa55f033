//! What an answer means, by the definition's table and by safe defaults.
//!
//! Only what the service says in its own fields decides: a body that may quote the text is never searched for words.
//! An answer that proves nothing is ambiguous, one that no rule knows stops the receiver, perhaps after
//! the message was tried in numbers alone: neither loses an alert.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::model::{File, Meaning, OneOrMore, Rule, Test, Wait, WaitUnit};
use crate::neutral;
use crate::receiver::Outcome;
use crate::receiver::http::{Reply, WORDS_LIMIT};
use crate::receiver::wait::{MAX_WAIT, after, retry_after};

/// Longest number of a message that is kept.
const ID_LIMIT: usize = 64;
/// Longest path that is shown.
const PATH_LIMIT: usize = 80;
/// Longest number that is read from a plain answer, in digits.
const NUMBER_LIMIT: usize = 20;

/// One answer, read once.
struct Read<'a> {
    file: &'a File,
    reply: &'a Reply,
    /// The body, if it is all there and JSON.
    json: Option<Value>,
    now: SystemTime,
}

/// The meaning of `reply` to a message, received at `now`.
pub(super) fn classify(file: &File, reply: &Reply, now: SystemTime) -> Outcome {
    let json = if reply.complete { serde_json::from_slice(&reply.body).ok() } else { None };
    let read = Read { file, reply, json, now };
    let mut rules = file.answer.rules.iter().map(|rule| rule.get_ref());
    // Where the status alone is enough, what the body says beside it comes first.
    if let Some(rule) =
        rules.clone().find(|rule| file.answer.any_body && rule.reads_the_body() && read.fits(rule))
    {
        return read.by_rule(rule);
    }
    if read.is_success() {
        return Outcome::Accepted { id: read.id() };
    }
    match rules.find(|rule| read.fits(rule)) {
        Some(rule) => read.by_rule(rule),
        None => read.by_default(),
    }
}

impl Read<'_> {
    fn is_success(&self) -> bool {
        let answer = &self.file.answer;
        let is_listed = answer.success.get_ref().iter().any(|s| s.0 == self.reply.status);
        is_listed
            && answer.test.iter().all(|test| self.holds(test))
            && answer.body.as_ref().is_none_or(|body| self.body_is(body))
            && answer.body_begins.as_ref().is_none_or(|begin| self.body_begins(begin.get_ref()))
    }

    fn find(&self, path: &super::json_path::JsonPath) -> Vec<&Value> {
        self.json.as_ref().map(|json| path.find(json)).unwrap_or_default()
    }

    fn holds(&self, test: &Test) -> bool {
        let found = self.find(&test.path);
        let mut fits = found.iter().map(|value| test.equals.fits(value));
        !found.is_empty() && if test.any { fits.any(|fit| fit) } else { fits.all(|fit| fit) }
    }

    fn body_is(&self, expected: &str) -> bool {
        self.reply.complete && self.reply.body.trim_ascii() == expected.as_bytes()
    }

    fn body_begins(&self, expected: &str) -> bool {
        self.reply.complete && self.reply.body.trim_ascii_start().starts_with(expected.as_bytes())
    }

    /// The number that follows what the body begins with. Nowhere else: further on the body may quote the text, and with
    /// it what an attacker wrote.
    fn number_behind(&self, begin: &str) -> Option<f64> {
        let body = self.reply.body.trim_ascii_start();
        let rest = body.strip_prefix(begin.as_bytes()).filter(|_| self.reply.complete)?;
        let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        if is_digit(begin.as_bytes().last()) && is_digit(rest.first()) {
            return None;
        }
        let start = rest.iter().position(|b| ![b' ', b'\t'].contains(b))?;
        let is_of_it = |b: &u8| b.is_ascii_digit() || *b == b'.';
        let digits = rest[start..].iter().take(NUMBER_LIMIT).take_while(|b| is_of_it(b)).count();
        std::str::from_utf8(&rest[start..start + digits]).ok()?.trim_end_matches('.').parse().ok()
    }

    /// A page is not of the service but of something before it, whose statuses mean something else.
    fn is_page(&self) -> bool {
        self.reply.body.trim_ascii_start().starts_with(b"<")
    }

    fn fits(&self, rule: &Rule) -> bool {
        let status = rule.status.is_empty() || rule.status.iter().any(|s| s.0 == self.reply.status);
        status
            && (rule.reads_the_body() || !self.is_page())
            && rule.path.as_ref().is_none_or(|path| self.find(path).iter().any(|v| rule.equals.fits(v)))
            && rule.body.as_ref().is_none_or(|body| self.body_is(body))
            && rule.body_begins.as_ref().is_none_or(|begin| self.body_begins(begin.get_ref()))
    }

    fn by_rule(&self, rule: &Rule) -> Outcome {
        let why = |default: &str| {
            let advice = rule.advice.as_deref().unwrap_or(default);
            // A rule that looks into the body knows this answer.
            match rule.reads_the_body() {
                true => self.said(advice, ""),
                false => self.line(advice),
            }
        };
        match rule.outcome {
            Meaning::Duplicate => Outcome::Duplicate,
            Meaning::Limited => self.limited(why("too many requests; it will be tried again")),
            Meaning::Pause => Outcome::Pause { why: why("nothing is accepted for now; look at the account") },
            Meaning::Stop => Outcome::Stop { why: why("nothing is accepted until this is changed") },
            Meaning::Refuse => Outcome::Refused { why: why("this text is not accepted") },
            Meaning::Ambiguous => self.ambiguous(why("it may have arrived")),
        }
    }

    fn by_default(&self) -> Outcome {
        match self.reply.status {
            // From something before the service, which was handed the message and did not answer in time.
            504 | 524 => {
                self.ambiguous(self.line("the service was not heard in time; it will be tried again"))
            }
            ..=199 | 500.. => self.unproved(self.line("the service fails; it will be tried again")),
            200..=299 if !self.reply.complete => {
                self.ambiguous(self.line("the answer cannot be read; it will be tried again"))
            }
            200..=299 => self.unproved(
                self.line("this is not the service's answer to a message; check the address and the proxy"),
            ),
            300..=399 => {
                self.unproved(self.line("redirected, not followed; check the address and the proxy"))
            }
            408 | 425 => self.unproved(self.line("the service did not wait for it; it will be tried again")),
            429 => self.limited(self.line("too many requests; it will be tried again when the limit resets")),
            401 => Outcome::Stop { why: self.line("the secrets are not accepted; give new ones") },
            402 => Outcome::Pause { why: self.line("it wants money; look at the account") },
            // What is before the service refused, so the service has nothing, and may answer itself later.
            _ if self.is_page() => self.limited(self.line(
                "a web page came instead of the service's answer; check the address, it will be tried again",
            )),
            _ if !self.reply.complete => {
                self.ambiguous(self.line("the answer cannot be read; it will be tried again"))
            }
            403 => Outcome::Stop { why: self.line("not allowed; check the secrets and what they may do") },
            404 | 405 | 410 => {
                Outcome::Stop { why: self.line("there is nothing at this address; check the parameters") }
            }
            _ => Outcome::Rejected { why: self.line("the request is not accepted; check the parameters") },
        }
    }

    fn ambiguous(&self, why: String) -> Outcome {
        Outcome::Ambiguous { until: self.until(), why }
    }

    fn unproved(&self, why: String) -> Outcome {
        Outcome::Unproved { until: self.until(), why }
    }

    fn limited(&self, why: String) -> Outcome {
        Outcome::Limited { until: self.until(), why }
    }

    /// The later of what the header field and the body ask for.
    fn until(&self) -> Option<SystemTime> {
        let wait = self.file.answer.wait.as_ref().map(|wait| wait.get_ref());
        let asked = wait.and_then(|wait| {
            let in_json = wait.path.iter().flat_map(|path| self.find(path)).filter_map(number);
            let behind = wait.body_begins.as_ref().and_then(|begin| self.number_behind(begin.get_ref()));
            in_json.chain(behind).filter_map(|number| wait.duration(number)).max()
        });
        after(asked, self.now).max(retry_after(&self.reply.headers, self.now))
    }

    fn id(&self) -> String {
        let found = self.file.answer.id.as_ref().map(|path| self.find(path)).unwrap_or_default();
        found.first().map(|value| neutral::text(plain(value), ID_LIMIT)).unwrap_or_default()
    }

    /// What happened and what to do, with the service's own words where it has some.
    fn line(&self, advice: &str) -> String {
        match self.missing() {
            Some(path) => self.said(advice, &format!(" (not taken for accepted, as it has no field {path})")),
            None => self.said(advice, ""),
        }
    }

    fn said(&self, advice: &str, also: &str) -> String {
        let said = self.file.answer.says.as_ref().map(|path| self.find(path)).unwrap_or_default();
        let said = match said.first() {
            Some(value) => format!(" \"{}\"", neutral::text(plain(value), WORDS_LIMIT)),
            None if self.file.answer.is_plain() && self.json.is_none() && !self.is_page() => self.words(),
            None => String::new(),
        };
        let title = neutral::name(&self.file.title);
        let advice = neutral::text(advice, WORDS_LIMIT);
        format!("{title} answered {}{said}{also}: {advice}", self.reply.status)
    }

    /// What a test looks for that is not in an answer with the status of success: either it is another answer, or the path
    /// in the definition is wrong.
    fn missing(&self) -> Option<String> {
        let answer = &self.file.answer;
        let has_status = answer.success.get_ref().iter().any(|status| status.0 == self.reply.status);
        let mut tests = answer.test.iter().filter(|_| has_status && self.json.is_some());
        let test = tests.find(|test| self.find(&test.path).is_empty())?;
        Some(neutral::text(test.path.to_string(), PATH_LIMIT))
    }
}

impl Read<'_> {
    /// What a service that answers in plain text says.
    fn words(&self) -> String {
        let first = self.reply.body.trim_ascii().split(|b| *b == b'\n').next().unwrap_or_default();
        if first.is_empty() { String::new() } else { format!(" \"{}\"", neutral::text(first, WORDS_LIMIT)) }
    }
}

impl OneOrMore {
    /// Services write one number as `1` here and as `"1"` there.
    fn fits(&self, value: &Value) -> bool {
        match self.0.as_slice() {
            [] => !value.is_null(),
            values => values.iter().any(|expected| plain(expected) == plain(value)),
        }
    }
}

impl Wait {
    fn duration(&self, number: f64) -> Option<Duration> {
        let seconds = match self.unit {
            WaitUnit::Seconds => number,
            WaitUnit::Milliseconds => number / 1000.0,
        };
        // NaN and negative numbers are no wait; a large one is bounded before it overflows.
        (seconds > 0.0).then(|| Duration::from_secs_f64(seconds.min(MAX_WAIT.as_secs_f64())))
    }
}

/// A number, also one that a service writes as text.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use ureq::http::HeaderMap;

    use super::super::Definition;
    use super::*;

    const FILE: &str = r#"
title = "Example"
summary = "an example"
phone = ["Nothing."]
[text]
unit = "characters"
limit = 160
[request]
method = "POST"
url = "https://sms.example/send"
plain = "{text}"
[answer]
success = [200, 202]
id = "parts[0].id"
says = "error.text"
wait = { path = "error.wait", unit = "milliseconds" }
[[answer.test]]
path = "parts[*].status"
equals = ["0", "ok"]
[[answer.rule]]
path = "parts[*].status"
equals = 1
outcome = "limited"
[[answer.rule]]
path = "parts[*].status"
equals = 9
outcome = "pause"
advice = "buy credit"
[[answer.rule]]
status = [400, 402]
path = "error.code"
equals = ["E7", 77]
outcome = "refuse"
[[answer.rule]]
status = [402]
path = "error.same"
outcome = "duplicate"
[[answer.rule]]
status = [404]
body = "no_such_channel"
outcome = "stop"
advice = "name another channel"
"#;

    fn answer(status: u16, body: &str, complete: bool) -> Outcome {
        let file = Definition::parse("example", "example.toml", FILE).unwrap().file;
        classify(
            &file,
            &Reply { status, headers: HeaderMap::new(), body: body.into(), complete },
            SystemTime::UNIX_EPOCH,
        )
    }

    #[test]
    fn only_what_the_service_says_in_its_own_fields_decides() {
        for (status, body, expected) in [
            (200, r#"{"parts":[{"status":"0","id":"a1"}]}"#, "accepted"),
            (202, r#"{"parts":[{"status":0,"id":17},{"status":"ok"}]}"#, "accepted"),
            (201, r#"{"parts":[{"status":"0"}]}"#, "unproved"),
            (200, r#"{"parts":[{"status":"0"},{"status":"5"}]}"#, "unproved"),
            (200, r#"{"parts":[]}"#, "unproved"),
            (200, r#"{"parts":{"status":"0"}}"#, "unproved"),
            (200, r#"{"parts":[{"status":["0"]}]}"#, "unproved"),
            (200, "<html>Log in to the hotel", "unproved"),
            (200, "", "unproved"),
            (200, r#"{"parts":[{"status":"1"}]}"#, "limited"),
            (200, r#"{"parts":[{"status":"0"},{"status":"9"}]}"#, "pause"),
            (400, r#"{"error":{"code":"E7"}}"#, "refused"),
            (400, r#"{"error":{"code":77}}"#, "refused"),
            (400, r#"{"error":{"code":"E8","text":"E7 77 status 9"}}"#, "rejected"),
            (402, r#"{"error":{"same":true}}"#, "duplicate"),
            (402, "", "pause"),
            (404, " no_such_channel\n", "stop"),
            (404, "<html>nginx", "limited"),
            (403, "", "stop"),
            (401, "<html>nginx", "stop"),
            (413, "", "rejected"),
            (422, "{}", "rejected"),
            (408, "", "unproved"),
            (429, "", "limited"),
            (101, "", "unproved"),
            (302, "", "unproved"),
            (500, r#"{"parts":[{"status":"0"}]}"#, "unproved"),
            (503, "", "unproved"),
            (504, "<html>nginx", "ambiguous"),
            (524, "", "ambiguous"),
        ] {
            let got = answer(status, body, true);
            assert_eq!(got.kind(), expected, "{status} {body}: {got:?}");
        }
        for (status, expected) in [(200, "ambiguous"), (400, "ambiguous"), (401, "stop"), (429, "limited")] {
            let got = answer(status, r#"{"parts":[{"status":"0"}],"error":{"code":"E7"}}"#, false);
            assert_eq!(got.kind(), expected, "cut {status}: {got:?}");
        }
    }

    #[test]
    fn an_answer_that_lacks_what_is_looked_for_says_so() {
        let why = |body: &str| answer(200, body, true).why().to_owned();
        let wrong = why(r#"{"part":[{"status":"0"}],"error":{"text":"accepted"}}"#);
        let said = "Example answered 200 \"accepted\" (not taken for accepted, as it has no field parts[*].status): ";
        assert!(wrong.starts_with(said), "{wrong}");
        for other in [r#"{"parts":[{"status":"9"}]}"#, "<html>", "no"] {
            assert!(!why(other).contains("no field"), "{other}");
        }
        assert!(!answer(400, "{}", true).why().contains("no field"));
    }

    /// Of a gateway that answers a line of text.
    fn plain_answer(answer: &str, status: u16, body: &str) -> Outcome {
        let start = FILE.find("[answer]").unwrap();
        let text = format!("{}{answer}", &FILE[..start]);
        let file = Definition::parse("example", "example.toml", &text).unwrap_or_else(|e| panic!("{e}")).file;
        let reply = Reply { status, headers: HeaderMap::new(), body: body.into(), complete: true };
        classify(&file, &reply, SystemTime::UNIX_EPOCH)
    }

    const RULES: &str = "[[answer.rule]]\nbody_begins = \"ERR: 1\"\noutcome = \"stop\"\nadvice = \"give another password\"\n\
                         [[answer.rule]]\nbody_begins = \"ERR: 3\"\noutcome = \"pause\"\nadvice = \"buy credit\"\n";

    #[test]
    fn a_gateway_that_answers_in_plain_text_is_understood_by_how_the_text_begins() {
        for (answer, success_is_said) in [("body_begins = \"OK\"", true), ("any_body = true", false)] {
            let answer = format!("[answer]\nsuccess = [200]\n{answer}\n{RULES}");
            for (status, body, expected) in [
                (200, "OK 12345", "accepted"),
                (200, "\nOK\n", "accepted"),
                (200, "ERR: 101 wrong", "stop"),
                (200, " ERR: 3", "pause"),
                (400, "ERR: 101", "stop"),
                (500, "OK 12345", "unproved"),
                (200, "<html>OK", if success_is_said { "unproved" } else { "accepted" }),
                (200, "not OK", if success_is_said { "unproved" } else { "accepted" }),
            ] {
                let got = plain_answer(&answer, status, body);
                assert_eq!(got.kind(), expected, "{answer} {status} {body}: {got:?}");
            }
            let why =
                plain_answer(&answer, 200, "ERR: 101 no\u{1b}[2J such user\nsecond line").why().to_owned();
            assert!(
                why.ends_with("answered 200 \"ERR: 101 no\\x1b[2J such user\": give another password"),
                "{why}"
            );
        }
    }

    #[test]
    fn the_services_number_and_words_are_kept_neutral_and_bounded() {
        let Outcome::Accepted { id } = answer(200, r#"{"parts":[{"status":"0","id":"a\u001b[2J"}]}"#, true)
        else {
            panic!()
        };
        assert_eq!(id, "a\\x1b[2J");
        let long = format!(r#"{{"error":{{"code":"E7","text":"\u202e{}"}}}}"#, "x".repeat(10_000));
        let got = answer(400, &long, true);
        assert!(got.why().chars().all(neutral::is_visible) && got.why().chars().count() < 400, "{got:?}");
        assert!(answer(200, r#"{"parts":[{"status":9}]}"#, true).why().ends_with("buy credit"));
    }

    #[test]
    fn a_wait_in_the_body_is_bounded_whatever_it_is() {
        for (wait, expected) in [
            ("1500", Some(Duration::from_millis(1500))),
            ("\"321\"", Some(Duration::from_millis(321))),
            ("0.5", Some(Duration::from_micros(500))),
            ("1e300", Some(MAX_WAIT)),
            ("-1", None),
            ("0", None),
            ("\"NaN\"", None),
            ("\"inf\"", Some(MAX_WAIT)),
            ("null", None),
            ("[]", None),
        ] {
            let got = answer(429, &format!(r#"{{"error":{{"wait":{wait}}}}}"#), true);
            let Outcome::Limited { until, .. } = got else { panic!("{got:?}") };
            assert_eq!(until, expected.map(|wait| SystemTime::UNIX_EPOCH + wait), "{wait}");
        }
    }

    #[test]
    fn a_wait_in_a_plain_answer_is_the_number_behind_what_it_begins_with_and_bounded() {
        const WAIT: &str = "[answer]\nsuccess = [200]\nbody_begins = \"OK\"\n\
                            wait = { body_begins = \"ERR 9 wait\", unit = \"seconds\" }\n\
                            [[answer.rule]]\nbody_begins = \"ERR 9\"\noutcome = \"limited\"\n";
        let long = format!("ERR 9 wait {}", "9".repeat(100_000));
        for (body, seconds) in [
            ("ERR 9 wait 60", Some(60)),
            (" ERR 9 wait 60s, please\r\n", Some(60)),
            ("ERR 9 wait \t60.", Some(60)),
            ("ERR 9 wait60", Some(60)),
            ("ERR 9 wait 99999999", Some(MAX_WAIT.as_secs())),
            (&long, Some(MAX_WAIT.as_secs())),
            ("ERR 9 wait 0", None),
            ("ERR 9 wait -60", None),
            ("ERR 9 wait 1.2.3", None),
            ("ERR 9 wait ...", None),
            ("ERR 9 wait", None),
            ("ERR 9 wait \n60", None),
            ("ERR 9 wait NaN", None),
            ("ERR 9 wait inf", None),
            ("ERR 9 wait \u{661}", None),
            ("ERR 9 busy: \"ERR 9 wait 99999\"", None),
            ("ERR 9\nERR 9 wait 99999", None),
        ] {
            let got = plain_answer(WAIT, 200, body);
            let Outcome::Limited { until, why } = got else { panic!("{body}: {got:?}") };
            let wanted = seconds.map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(until, wanted, "{body}");
            assert!(why.chars().count() < 400, "{why}");
        }
        let ends_in_a_digit = WAIT.replace("ERR 9 wait", "ERR 9");
        for (body, seconds) in [("ERR 9 60", Some(60)), ("ERR 99 busy", None)] {
            let Outcome::Limited { until, .. } = plain_answer(&ends_in_a_digit, 200, body) else { panic!() };
            let wanted = seconds.map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(until, wanted, "{body}");
        }
    }
}
