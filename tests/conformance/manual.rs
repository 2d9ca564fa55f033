//! The manual: its example works, and it names every kind with what it asks for and what is unconfirmed.

use std::time::SystemTime;

use authalert::receiver::definition::Definition;
use authalert::receiver::http::Reply;
use ureq::http::HeaderMap;

use crate::{definition, kinds};

/// authalert-receivers(5) as a person reads it, on one line.
fn page() -> String {
    let page = include_str!("../../packaging/man/authalert-receivers.5");
    page.replace("\\fB", "").replace("\\fR", "").replace("\\-", "-").replace("\\&", "").replace('\n', " ")
}

#[test]
fn its_examples_are_definitions_that_understand_what_the_manual_says() {
    let page = include_str!("../../packaging/man/authalert-receivers.5").replace("\\-", "-");
    let example = |number: usize| {
        page.split(".\\\" begin\n").nth(number).unwrap().split(".\\\" end\n").next().unwrap().to_owned()
    };
    let parse = |text: &str| Definition::parse("cellar", "authalert-receivers(5)", text).unwrap();
    let in_json = parse(&example(1));
    assert!(in_json.costs_money() && in_json.parameters().len() == 3);
    let in_text = parse(&format!("{}{}", example(1).split("[answer]").next().unwrap(), example(2)));
    for (definition, status, body, meaning) in [
        (&in_json, 200, r#"{"result":"queued","id":17}"#, "accepted"),
        (&in_json, 200, r#"{"error":"no credit"}"#, "pause"),
        (&in_json, 200, r#"{"error":"no such number"}"#, "stop"),
        (&in_json, 401, r#"{"error":"bad key"}"#, "stop"),
        (&in_json, 429, r#"{"error":"slower"}"#, "limited"),
        (&in_json, 503, r#"{"error":"busy"}"#, "unproved"),
        (&in_json, 200, "<html>log in", "unproved"),
        (&in_text, 200, "OK 12345", "accepted"),
        (&in_text, 200, "ERR 9 wait 60", "limited"),
        (&in_text, 200, "ERR 3 bad number", "stop"),
        (&in_text, 200, "<html>log in", "unproved"),
    ] {
        let reply = Reply { status, headers: HeaderMap::new(), body: body.into(), complete: true };
        let got = definition.meaning(&reply, SystemTime::UNIX_EPOCH);
        assert_eq!(got.kind(), meaning, "{status} {body}: {got:?}");
        let words = if status == 401 { "the secrets are not accepted" } else { "" };
        assert!(got.why().contains(words), "{got:?}");
    }
}

#[test]
fn it_names_every_kind_with_what_it_asks_for_and_what_is_unconfirmed() {
    let page = page();
    let described = page.split(".SH KINDS").nth(1).unwrap();
    for kind in kinds() {
        let definition = definition(&kind);
        let start = described
            .find(&format!(".TP .B {kind} "))
            .unwrap_or_else(|| panic!("{kind} is not in the manual"));
        let entry = described[start + 4..].split(".TP").next().unwrap();
        assert!(entry.contains(definition.summary()), "{kind}: its summary");
        for parameter in definition.parameters() {
            let name = parameter.name.get_ref();
            let shown = match (parameter.is_required(), parameter.secret) {
                (true, true) => format!("{name}* (secret)"),
                (false, true) => format!("{name} (secret)"),
                (true, false) => format!("{name}*"),
                (false, false) => name.clone(),
            };
            assert!(entry.contains(&shown), "{kind}: {shown}");
        }
        for line in definition.unconfirmed() {
            assert!(entry.contains(line), "{kind}: {line}");
        }
    }
}
