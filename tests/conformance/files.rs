//! Definitions of the administrator's own, and mistakes in them.

use std::fs;

use authalert::config;
use authalert::credentials::{Secret, Secrets};
use authalert::receiver::definition::{Definition, Http, find_in};
use serde_json::json;

use crate::send;
use crate::standin::Standin;

/// As somebody would write it for a gateway that nobody has heard of.
const OWN: &str = r#"
title = "Our gateway"
summary = "SMS through the modem in the cellar"
costs_money = true
default_tell = ["break-in"]
phone = ["Nothing to install."]

[[parameter]]
name = "server"
type = "server"
find = "the gateway's address"

[[parameter]]
name = "user"
find = "the user"

[[parameter]]
name = "password"
secret = true
find = "the password"

[[parameter]]
name = "to"
type = "phone"
find = "the phone"

[text]
unit = "gsm7"
limit = 160

[request]
method = "POST"
url = "{server}/a1/sms"
basic = ["{user}", "{password}"]
form = { from = "cellar", to = "{to}", message = "{text}" }

[answer]
success = [200]
id = "id"
says = "error"

[[answer.test]]
path = "status"
equals = "created"

[[answer.rule]]
status = [403]
outcome = "pause"
advice = "there is no credit left"
"#;

#[test]
fn an_unknown_gateway_is_spoken_to_by_a_file_of_ones_own() {
    let standin = Standin::plain();
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("cellar.toml"), OWN).unwrap();
    let found = find_in(directory.path(), "cellar").unwrap().unwrap();
    assert!(found.costs_money() && found.default_tell().is_some_and(|kinds| kinds.len() == 1));
    let config: config::Receiver = toml::from_str(&format!(
        "kind = \"cellar\"\nserver = \"{}\"\nuser = \"u1\"\nto = \"+358401234567\"",
        standin.url()
    ))
    .unwrap();
    let secrets = Secrets::from([("password".to_owned(), Secret::new("standin-secret-46elks"))]);
    let receiver = Http::new(found, &config, &secrets, Vec::new()).unwrap();
    assert_eq!(send(&receiver, "aa-1-1", "text").kind(), "accepted");
    assert_eq!(standin.messages()[0]["text"], "text");
    standin.next_of("46elks", json!({ "status": 403, "body": "no" }));
    let got = send(&receiver, "aa-1-1", "text");
    assert!(got.kind() == "pause" && got.why().contains("credit"), "{got:?}");
}

#[test]
fn a_gateway_of_get_and_plain_words_is_spoken_to_as_well() {
    let text = OWN
        .replace("method = \"POST\"", "method = \"GET\"")
        .replace("form = { from", "query = { from")
        .replace("[[answer.test]]\npath = \"status\"\nequals = \"created\"", "")
        .replace("id = \"id\"", "body = \"OK\"");
    Definition::parse("cellar", "cellar.toml", &text).unwrap();
    let plain = OWN.replace(
        "form = { from = \"cellar\", to = \"{to}\", message = \"{text}\" }",
        "plain = \"{to} {text}\"",
    );
    Definition::parse("cellar", "cellar.toml", &plain).unwrap();
}

#[test]
fn a_mistake_is_named_with_file_line_and_what_is_accepted() {
    each_is_named(&[
        ("title =", "titel =", 2, "\"titel\" is not a key that is known here; there are title, summary"),
        ("costs_money = true", "costs_money = \"yes\"", 4, "costs_money must be true or false"),
        ("[\"break-in\"]", "[\"breakin\"]", 5, "default_tell: \"breakin\" is not one of \"break-in\""),
        ("phone = [\"Nothing to install.\"]", "phone = []", 0, "what the person at the phone does"),
        (
            "type = \"server\"",
            "type = \"address\"",
            10,
            "type: \"address\" is not one of \"text\", \"server\", \"url\", \"phone\"",
        ),
        ("name = \"user\"", "name = \"User\"", 14, "a to z, 0 to 9 and _"),
        ("name = \"user\"", "name = \"text\"", 14, "choose another name"),
        ("name = \"user\"", "name = \"timeout\"", 14, "choose another name"),
        ("name = \"user\"", "name = \"to\"", 23, "two parameters are called"),
        ("find = \"the user\"", "", 13, "find is missing in [[parameter]]"),
        ("find = \"the user\"", "find = \"x\"\npattern = \"[a\"", 16, "not a regular expression"),
        ("find = \"the phone\"", "find = \"x\"\ndefault = \"040\"", 26, "a number with its country"),
        ("secret = true", "secret = true\ndefault = \"x\"", 20, "has no default"),
        ("unit = \"gsm7\"", "unit = \"sms\"", 28, "unit: \"sms\" is not one of"),
        ("limit = 160", "limit = 20", 29, "from 70 to 100000"),
        ("limit = 160", "limit = -1", 29, "limit must be a whole number from 70 to 100000"),
        ("\"POST\"", "\"PATCH\"", 32, "method: \"PATCH\" is not one of \"GET\", \"POST\", \"PUT\""),
        ("\"POST\"", "\"GET\"", 32, "GET has no body"),
        ("{server}/a1/sms", "http://gateway.example/sms", 33, "begins with https://HOST/"),
        ("{server}/a1/sms", "https://{user}.example/sms", 33, "begins with https://HOST/"),
        ("{server}/a1/sms", "{user}/a1/sms", 33, "begins with https://HOST/"),
        ("{server}/a1/sms", "{server}a1/sms", 33, "a / must follow {server}"),
        ("{server}/a1/sms", "{server}/a1/sms?key=1", 33, "[request.query]"),
        ("{server}/a1/sms", "{server}/a1/{text}", 33, "in the body and in the query only"),
        ("{server}/a1/sms", "{server}/a1/{gone}", 33, "neither a parameter nor one of the message's"),
        ("basic = [\"{user}\", \"{password}\"]", "basic = [\"{user}\"]", 34, "basic must be a list of 2"),
        ("basic = [\"{user}\", \"{password}\"]", "bearer = \"{user\"", 34, "brace"),
        ("basic = [\"{user}\", \"{password}\"]", "bearer = \"{user}\"", 18, "does not use {password}"),
        ("form = {", "headers = { Host = \"x\" }\nform = {", 35, "not a header field to set here"),
        ("form = {", "headers = { X-A = \"ü\" }\nform = {", 35, "visible ASCII"),
        ("message = \"{text}\"", "message = \"{text|big}\"", 35, "the filters are entities"),
        ("message = \"{text}\"", "message = \"{title}\"", 32, "{text} is nowhere"),
        ("message = \"{text}\"", "message = \"{text}\", p = \"{priority}\"", 35, "needs [priority]"),
        ("message = \"{text}\"", "message = \"{text} {facts}\"", 35, "must be alone"),
        ("form = {", "plain = \"x\"\nform = {", 32, "one body"),
    ]);
}

#[test]
fn a_mistake_in_what_answers_mean_is_named_too() {
    each_is_named(&[
        ("success = [200]", "success = 200", 38, "success must be a list of numbers: [200]"),
        (
            "success = [200]",
            "success = \"200\"",
            38,
            "success must be a list of numbers: [200], without quotes",
        ),
        ("status = [403]", "status = 403", 47, "status must be a list of numbers: [200]"),
        (
            "[[parameter]]\nname = \"user\"",
            "[parameter]\nname = \"user\"",
            13,
            "write [[parameter]] with two brackets, once for each, in line 13",
        ),
        ("[[answer.test]]", "[answer.test]", 42, "[[answer.test]], with two pairs of brackets"),
        ("message = \"{text}\"", "message = {text}", 35, "text stands in \"quotes\", what has {…} in it too"),
        ("success = [200]", "success = []", 38, "200 to 299"),
        ("success = [200]", "success = [404]", 38, "200 to 299"),
        ("success = [200]", "success = [2000]", 38, "success must be a whole number from 100 to 599"),
        ("id = \"id\"", "id = \"$.id\"", 39, "not a path"),
        ("id = \"id\"", "any_body = true", 38, "200 alone proves nothing"),
        ("[[answer.test]]\npath = \"status\"\nequals = \"created\"", "", 38, "[[answer.test]]"),
        ("equals = \"created\"", "equals = 1.5", 44, "whole numbers"),
        ("status = [403]", "", 46, "a rule needs status, path, body or body_begins"),
        ("status = [403]", "status = [403]\nequals = 7", 46, "equals needs a path"),
        (
            "\"pause\"",
            "\"retry\"",
            48,
            "outcome: \"retry\" is not one of \"duplicate\", \"limited\", \"pause\", \"stop\"",
        ),
        (
            "[text]",
            "knows_repeats = 7\n[text]",
            27,
            "knows_repeats is inside [[parameter]] (line 22) and belongs above the first table",
        ),
        ("costs_money = true", "knows_repeats = true", 4, "needs {key}"),
        ("[text]", "[text", 27, "] is missing"),
        ("[text]", "[[text]]", 27, "text must be one table: [text], with one pair of brackets"),
        ("[[answer.rule]]", "[answer.rule]", 46, "[[answer.rule]], with two pairs of brackets"),
        (
            "[request]",
            "[requests]",
            31,
            "[requests] is not a table that is known here: did you mean [request]? There are parameter, choice, text",
        ),
        ("[answer]", "[answers]", 42, "success is missing in [answer]"),
        ("limit = 160", "limit = \"160\"", 29, "limit must be a whole number"),
        ("method = \"POST\"", "method = POST", 32, "text in \"quotes\""),
        (
            "[answer]",
            "[discover]\nparameter = \"who\"\nbefore = \"b\"\nurl = \"https://h/{user}\"\npath = \"x\"\n[answer]",
            37,
            "who is not a parameter",
        ),
        (
            "[answer]",
            "[discover]\nparameter = \"to\"\nbefore = \"b\"\nurl = \"https://h/{to}\"\npath = \"x\"\n[answer]",
            37,
            "the other parameters only",
        ),
        ("[answer]", "[request.json]\nday = 2026-11-28\n[answer]", 38, "no dates"),
    ]);
}

/// What is in the definition, what takes its place, the line of the mistake (0: none) and words of it.
fn each_is_named(cases: &[(&str, &str, usize, &str)]) {
    for (from, to, line, words) in cases {
        let text = OWN.replacen(from, to, 1);
        assert_ne!(text, OWN, "{from}");
        let mistake =
            Definition::parse("cellar", "/etc/authalert/receivers.d/cellar.toml", &text).unwrap_err();
        let shown = mistake.to_string();
        assert!(shown.starts_with("/etc/authalert/receivers.d/cellar.toml: "), "{shown}");
        assert!(shown.contains(words), "{to}: {shown}");
        assert_eq!(mistake.line.unwrap_or(0), *line, "{to}: {shown}");
    }
}
