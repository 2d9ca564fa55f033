//! What the administrator gives, and what the command finds for him.

use std::time::Duration;

use authalert::config;
use authalert::credentials::{Secret, Secrets};
use authalert::receiver::definition::Http;
use serde_json::json;

use crate::standin::Standin;
use crate::{definition, given, send};

#[test]
fn what_was_given_wrongly_is_named_with_what_is_accepted() {
    let standin = Standin::plain();
    let build = |name: &str, change: &dyn Fn(&mut config::Receiver, &mut Secrets)| {
        let (mut config, mut secrets) = given(&standin, name);
        change(&mut config, &mut secrets);
        match Http::new(definition(name), &config, &secrets, Vec::new()) {
            Ok(receiver) => format!("{:?}", send(&receiver, "aa-1-1", "text")),
            Err(e) => e.to_string(),
        }
    };
    let set = |key: &'static str, value: toml::Value| {
        move |config: &mut config::Receiver, _: &mut Secrets| {
            config.parameters.insert(key.into(), value.clone());
        }
    };
    for (got, words) in [
        (
            build("telegram", &|_, secrets| secrets.clear()),
            vec!["token is missing", "@BotFather", "credentials"],
        ),
        (
            build("telegram", &set("token", "1:x".into())),
            vec!["token", "configuration and in the credentials"],
        ),
        (build("telegram", &set("chat_id", "17".into())), vec!["chat_id must be a whole number"]),
        (build("telegram", &set("chatid", 17.into())), vec!["\"chatid\"", "server, token, chat_id"]),
        (
            build("telegram", &|_, secrets| {
                secrets.insert("tocken".into(), Secret::new("x"));
            }),
            vec!["server, token, chat_id"],
        ),
        (
            build("slack", &|config, secrets| {
                let webhook = secrets.remove("webhook").unwrap();
                config.parameters.insert("webhook".into(), webhook.expose().into());
            }),
            vec!["webhook is a secret", "credentials"],
        ),
        (
            build("ntfy", &set("topic", "my topic".into())),
            vec!["topic must be letters, digits, - and _", "such as alerts-"],
        ),
        (build("ntfy", &set("topic", 5.into())), vec!["topic must be one line of text, in quotes"]),
        (build("ntfy", &set("server", "ntfy.example".into())), vec!["server must be https://HOST"]),
        (
            build("ntfy", &set("server", "http://192.0.2.1".into())),
            vec![
                "server",
                "in the clear",
                "to this machine alone (localhost",
                "plain_http = true in this [[receiver]]",
            ],
        ),
        (
            build("ntfy", &set("server", "https://me:pw@ntfy.example".into())),
            vec!["server must have no user and password in it", "credentials"],
        ),
        (
            build("ntfy", &set("heartbeat", "7d".into())),
            vec!["heartbeat is inside [[receiver]]", "belongs above the first table"],
        ),
        (
            build("ntfy", &set("server", "https://no-such-host.invalid".into())),
            vec!["NotSent", "cannot resolve"],
        ),
        (build("twilio", &set("to", "0401234567".into())), vec!["to must be a number with its country"]),
        (build("matrix", &set("room", "..".into())), vec!["room must look like"]),
        (build("sinch", &set("plan", "..".into())), vec!["no piece of a URL"]),
        (build("ntfy", &|config, _| config.ca_file = Some("/nonexistent.pem".into())), vec!["ca_file"]),
    ] {
        assert!(words.iter().all(|w| got.contains(w)), "{words:?}: {got}");
    }
    let plain = build("ntfy", &|config, _| {
        config.plain_http = true;
        config.timeout = Some(Duration::from_secs(1));
        config.parameters.insert("server".into(), "http://192.0.2.1".into());
    });
    assert!(plain.contains("NotSent") && plain.contains("192.0.2.1"), "{plain}");
}

#[test]
fn telegrams_chat_is_found_by_asking() {
    let standin = Standin::plain();
    let (mut config, secrets) = given(&standin, "telegram");
    config.parameters.remove("chat_id");
    assert_eq!(definition("telegram").discovers().unwrap().0, "chat_id");
    let found = Http::discover(definition("telegram"), &config, &secrets).unwrap();
    let shown: Vec<_> = found.iter().map(|f| (f.value.as_str(), f.label.as_str())).collect();
    assert_eq!(shown, [("17", "Eve\\xe2\\x80\\xae"), ("-100123", "Ada")]);
    standin.next_of(
        "telegram",
        json!({ "status": 401, "body": r#"{"ok":false,"description":"Unauthorized"}"# }),
    );
    let why = Http::discover(definition("telegram"), &config, &secrets).unwrap_err();
    assert!(why.contains("BotFather"), "{why}");
}
