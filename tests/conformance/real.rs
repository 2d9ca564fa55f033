//! The definitions against the programs themselves. `tests/receivers/run.sh` fetches and starts them and says in the
//! environment where they are.

use std::env;

use authalert::config;
use authalert::credentials::{Secret, Secrets};
use authalert::receiver::Outcome;
use authalert::receiver::definition::Http;
use serde_json::Value;

use crate::{definition, send};

const HOSTILE: &str =
    "12:01:47 sshd: \"root\\\" {text} {{}} %41 + a&b=c; <!channel> *a* [x](y) `z` 東京 🐱\nsecond line";

/// What `run.sh` says of one program: words.
fn place(variable: &str) -> Vec<String> {
    let said = env::var(variable).unwrap_or_else(|_| panic!("{variable} is set by tests/receivers/run.sh"));
    said.split(' ').map(Into::into).collect()
}

fn receiver(name: &str, parameters: &[(&str, &str)], token: &str) -> Http {
    let mut table = toml::Table::from_iter(parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())));
    table.insert("kind".into(), name.into());
    let config: config::Receiver = table.try_into().unwrap();
    let secrets = Secrets::from([("token".to_owned(), Secret::new(token))]);
    Http::new(definition(name), &config, &secrets, Vec::new()).unwrap()
}

/// The JSON values, a line each, that the program has at `url`.
fn read(url: &str, token: &str) -> Vec<Value> {
    let mut reply = ureq::get(url).header("authorization", format!("Bearer {token}")).call().unwrap();
    let text = reply.body_mut().read_to_string().unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
#[ignore = "needs an ntfy server: tests/receivers/run.sh"]
fn ntfy_itself_has_the_text_and_its_refusals_are_understood() {
    let [server, topic, token] = &place("AUTHALERT_NTFY")[..] else { panic!() };
    let with = |topic: &str, token: &str| receiver("ntfy", &[("server", server), ("topic", topic)], token);
    let ntfy = with(topic, token);
    let long = "東".repeat(1333);
    for (i, text) in [HOSTILE, &long].into_iter().enumerate() {
        let got = send(&ntfy, &format!("aa-1-{i}"), text);
        assert_eq!(got.kind(), "accepted", "{got:?}");
        let there = read(&format!("{server}/{topic}/json?poll=1"), token).pop().unwrap();
        assert_eq!(there["message"], text);
        assert_eq!(there["title"], "web1: break-in \"?\" {text} 東");
        assert_eq!((&there["priority"], &there["attachment"]), (&5.into(), &Value::Null));
        let Outcome::Accepted { id } = got else { panic!() };
        assert_eq!(there["id"], id);
    }
    let got = send(&with(topic, "tk_00000000000000000000000000000"), "aa-1-2", "text");
    assert!(matches!(&got, Outcome::Stop { why } if why.contains("that it knows")), "{got:?}");
    let got = send(&with("elsewhere", token), "aa-1-3", "text");
    assert!(matches!(&got, Outcome::Stop { why } if why.contains("ntfy access")), "{got:?}");
    let limited =
        (0..80).map(|i| send(&ntfy, &format!("aa-2-{i}"), "flood")).find(|got| got.kind() != "accepted");
    assert!(matches!(limited, Some(Outcome::Limited { .. })), "{limited:?}");
}

#[test]
#[ignore = "needs a Synapse: tests/receivers/run.sh"]
fn synapse_itself_has_a_repeated_message_once_and_its_refusals_are_understood() {
    let [server, room, token] = &place("AUTHALERT_MATRIX")[..] else { panic!() };
    let with = |room: &str, token: &str| receiver("matrix", &[("server", server), ("room", room)], token);
    let matrix = with(room, token);
    let first = send(&matrix, "aa-1-1", HOSTILE);
    assert_eq!(first.kind(), "accepted", "{first:?}");
    assert_eq!(send(&matrix, "aa-1-1", HOSTILE), first);
    assert_eq!(send(&with(room, token), "aa-1-1", HOSTILE), first);
    let encoded = room.replace('!', "%21").replace(':', "%3A");
    let url = format!("{server}/_matrix/client/v3/rooms/{encoded}/messages?dir=b&limit=5");
    let there = read(&url, token).pop().unwrap();
    let bodies: Vec<_> =
        there["chunk"].as_array().unwrap().iter().filter_map(|e| e["content"]["body"].as_str()).collect();
    assert_eq!(bodies, [HOSTILE]);
    let got = send(&with(room, "syt_wrong"), "aa-1-2", "text");
    assert!(matches!(&got, Outcome::Stop { why } if why.contains("access token")), "{got:?}");
    let got = send(&with("!none:test.local", token), "aa-1-3", "text");
    assert!(matches!(&got, Outcome::Stop { why } if why.contains("invite")), "{got:?}");
    let got = send(&matrix, "aa-1-4", &"x".repeat(70_000));
    assert_eq!(got.kind(), "refused", "{got:?}");
    let limited =
        (0..60).map(|i| send(&matrix, &format!("aa-2-{i}"), "flood")).find(|got| got.kind() != "accepted");
    assert!(matches!(limited, Some(Outcome::Limited { until: Some(_), .. })), "{limited:?}");
    let found = Http::discover(
        definition("matrix"),
        &toml::from_str(&format!("kind = \"matrix\"\nserver = \"{server}\"")).unwrap(),
        &Secrets::from([("token".to_owned(), Secret::new(token))]),
    );
    assert!(found.as_ref().is_ok_and(|found| found[0].value == *room), "{found:?}");
}
