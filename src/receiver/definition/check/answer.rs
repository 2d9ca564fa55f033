//! Whether `[answer]` fits together: what an accepted message is, how long to wait, and no rule that is never reached.

use toml::Spanned;

use super::super::model::{Answer, OneOrMore, Rule};
use super::{Mistake, wrong};

/// The first thing in `answer` that does not fit.
pub(super) fn check(answer: &Answer) -> Result<(), Mistake> {
    let success = answer.success.get_ref();
    if success.is_empty() || success.iter().any(|s| !(200..300).contains(&s.0)) {
        return wrong(&answer.success, "success lists the statuses of an accepted message, 200 to 299");
    }
    let proved = !answer.test.is_empty() || answer.body.is_some() || answer.body_begins.is_some();
    if proved == answer.any_body && (proved || success.iter().any(|s| s.0 == 200)) {
        return wrong(
            &answer.success,
            "200 alone proves nothing, a page to log in says 200 as well: say what the body of an accepted message has \
             with [[answer.test]], body = \"…\" or body_begins = \"…\", or any_body = true where it has nothing",
        );
    }
    let wait = answer.wait.as_ref();
    if let Some(wait) =
        wait.filter(|wait| wait.get_ref().path.is_some() == wait.get_ref().body_begins.is_some())
    {
        return wrong(wait, "wait needs either path, for JSON, or body_begins, for a plain text, and unit");
    }
    let of_wait = wait.and_then(|wait| wait.get_ref().body_begins.as_ref());
    let begins = answer.rules.iter().filter_map(|rule| rule.get_ref().body_begins.as_ref());
    let mut begins = begins.chain(&answer.body_begins).chain(of_wait);
    // The blanks before and behind an answer are passed over.
    let fits_none = |begin: &str| begin.trim().is_empty() || begin.trim_ascii_start() != begin;
    if let Some(begin) = begins.find(|begin| fits_none(begin.get_ref())) {
        return wrong(
            begin,
            "body_begins is what the answer's text begins with, such as \"OK\", with no blank before it",
        );
    }
    for (number, spanned) in answer.rules.iter().enumerate() {
        let rule = spanned.get_ref();
        if rule.status.is_empty() && !rule.reads_the_body() {
            return wrong(spanned, "a rule needs status, path, body or body_begins");
        }
        if answer.any_body
            && !rule.reads_the_body()
            && rule.status.iter().all(|status| success.contains(status))
        {
            return wrong(
                spanned,
                "this rule is never reached: with any_body = true its status is a success; say path, body or body_begins",
            );
        }
        if rule.path.is_none() && rule.equals != OneOrMore::default() {
            return wrong(spanned, "equals needs a path");
        }
        // With any_body the rules that read the body come first.
        let is_before = |other: &&Spanned<Rule>| {
            !answer.any_body || other.get_ref().reads_the_body() || !rule.reads_the_body()
        };
        if answer.rules[..number].iter().filter(is_before).any(|other| hides(other.get_ref(), rule)) {
            return wrong(
                spanned,
                "this rule is never reached: one above it fits every answer that it fits; put this one first",
            );
        }
    }
    Ok(())
}

/// Whether `first` fits every answer that `rule` fits.
fn hides(first: &Rule, rule: &Rule) -> bool {
    let status = first.status.is_empty()
        || !rule.status.is_empty() && rule.status.iter().all(|status| first.status.contains(status));
    let values = &first.equals.0;
    let path = first.path.is_none()
        || first.path == rule.path
            && (values.is_empty()
                || !rule.equals.0.is_empty() && rule.equals.0.iter().all(|v| values.contains(v)));
    let body = first.body.is_none() || first.body == rule.body;
    let begins = first.body_begins.as_ref().is_none_or(|begin| {
        let begins = |text: &str| text.starts_with(begin.get_ref().as_str());
        rule.body_begins.as_ref().is_some_and(|other| begins(other.get_ref()))
            || rule.body.as_ref().is_some_and(|body| begins(body))
    });
    // A rule that reads no body passes over web pages.
    status && path && body && begins && (first.reads_the_body() || !rule.reads_the_body())
}

#[cfg(test)]
mod tests {
    use super::super::super::model::File;
    use super::super::check;

    #[test]
    fn what_a_plain_answer_begins_with_is_said_and_no_rule_is_dead() {
        let text = include_str!("../../../../receivers/ntfy.toml");
        let start = text.find("\n[answer]").unwrap() + 1;
        let end = text[start..].find("\n[discover]").map_or(text.len(), |at| start + at);
        let mistake = |answer: &str| {
            let text = format!("{}[answer]\nsuccess = [200]\n{answer}\n{}", &text[..start], &text[end..]);
            let file: File = toml::from_str(&text).unwrap();
            check(&file).map_err(|(span, why)| {
                let line = text[..span.unwrap().start].matches('\n').count();
                (line - text[..start].matches('\n').count(), why)
            })
        };
        assert_eq!(mistake("body_begins = \"OK\""), Ok(()));
        let rule = |keys: &str| format!("any_body = true\n[[answer.rule]]\n{keys}\noutcome = \"stop\"");
        assert_eq!(mistake(&rule("body_begins = \"ERR\"")), Ok(()));
        assert_eq!(mistake(&rule("status = [200, 400]")), Ok(()));
        for (answer, line, words) in [
            ("body_begins = \" \"".to_owned(), 2, "begins with"),
            ("body_begins = \" OK\"".to_owned(), 2, "no blank before it"),
            (rule("body_begins = \"\\tERR\""), 4, "no blank before it"),
            (rule("status = [200]"), 3, "never reached"),
            (rule("body_begins = \"\""), 4, "begins with"),
            (rule("advice = \"a\""), 3, "a rule needs"),
            ("body_begins = \"OK\"\nwait = { unit = \"seconds\" }".to_owned(), 3, "either path"),
            (
                "body_begins = \"OK\"\nwait = { path = \"a\", body_begins = \"b\", unit = \"seconds\" }"
                    .to_owned(),
                3,
                "either path",
            ),
            (
                "body_begins = \"OK\"\nwait = { body_begins = \" \", unit = \"seconds\" }".to_owned(),
                3,
                "begins with",
            ),
        ] {
            let (at, why) = mistake(&answer).unwrap_err();
            assert!(at == line && why.contains(words), "{answer}: {at} {why}");
        }
    }

    #[test]
    fn a_rule_that_fits_everything_hides_none_behind_it() {
        let text = include_str!("../../../../receivers/ntfy.toml");
        let start = text.find("\n[answer]").unwrap() + 1;
        let end = text[start..].find("\n[discover]").map_or(text.len(), |at| start + at);
        let is_reached = |first: &str, second: &str| {
            let rule = |keys: &str| format!("[[answer.rule]]\n{keys}\noutcome = \"stop\"\n");
            let answer =
                format!("[answer]\nsuccess = [200]\nbody_begins = \"OK\"\n{}{}", rule(first), rule(second));
            let file: File = toml::from_str(&format!("{}{answer}{}", &text[..start], &text[end..])).unwrap();
            check(&file).map_err(|(_, why)| assert!(why.contains("never reached"), "{why}")).is_ok()
        };
        for (first, second) in [
            ("status = [400]", "status = [400]"),
            ("status = [400, 401]", "status = [401]"),
            ("path = \"a\"", "path = \"a\"\nequals = 1"),
            ("path = \"a\"", "status = [400]\npath = \"a\"\nequals = 1"),
            ("path = \"a\"\nequals = [1, 2]", "path = \"a\"\nequals = 2"),
            ("body_begins = \"ERR\"", "body_begins = \"ERR 9\""),
            ("body_begins = \"ERR\"", "body = \"ERR 9\""),
            ("body = \"no\"", "body = \"no\""),
        ] {
            assert!(!is_reached(first, second), "{first} {second}");
        }
        for (first, second) in [
            ("status = [400]", "status = [401]"),
            ("status = [400]", "status = [400, 401]"),
            ("status = [400]", "path = \"a\""),
            ("status = [400]", "status = [400]\npath = \"a\""),
            ("path = \"a\"\nequals = 1", "path = \"a\""),
            ("path = \"a\"", "path = \"b\""),
            ("status = [400]\npath = \"a\"", "path = \"a\""),
            ("body_begins = \"ERR 9\"", "body_begins = \"ERR\""),
            ("body_begins = \"ERR\"", "status = [400]"),
        ] {
            assert!(is_reached(first, second), "{first} {second}");
        }
    }
}
