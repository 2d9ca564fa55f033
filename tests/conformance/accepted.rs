//! What arrives at a service in health: exactly the message, whatever stands in it.

use authalert::message::Unit;
use authalert::receiver::definition::Definition;
use authalert::receiver::{Kind, Message, Outcome, Receiver};
use serde_json::{Value, json};

use crate::standin::Standin;
use crate::{definition, kinds, receiver, send};

/// `text` as the composer would have written it for this definition: in its letters, without its markup, cut.
fn in_style(definition: &Definition, text: &str) -> String {
    let style = definition.style();
    let (mut out, mut measure) = (String::new(), 0);
    for c in text.chars() {
        let letter = style.unit != Unit::Gsm7 || c.is_ascii();
        let cost = style.unit.measure(c.encode_utf8(&mut [0; 4]));
        if letter
            && !style.markup.contains(c)
            && (style.lines || c != '\n')
            && c != '`'
            && measure + cost <= style.limit
        {
            out.push(c);
            measure += cost;
        }
    }
    out
}

#[test]
fn every_service_has_exactly_the_text_whatever_stands_in_it() {
    let standin = Standin::plain();
    let hostile = [
        "12:01:47 sshd: wrong password for \"root\\\" {text} {{}} {token} %41%2e + a&b=c;d ·a17".to_owned(),
        "</text>'\"]}},{\"x\":1}\n\r\\n\\u0000 ../..?#& <!channel> &lt;b&gt; *a* [x](y)".to_owned(),
        "東京 jürgen 🐱 \u{301} × ’ ſ".to_owned(),
        "&".repeat(70_000),
        "🐱".repeat(40_000),
        "x".repeat(70_000),
        "\"\\".repeat(40_000),
    ];
    for name in kinds() {
        let definition = definition(&name);
        let receiver = receiver(&standin, &name);
        for (i, text) in hostile.iter().enumerate() {
            let text = in_style(&definition, text);
            if text.trim().is_empty() {
                continue;
            }
            let got = send(&receiver, &format!("aa-1-{i}"), &text);
            assert_eq!(got.kind(), "accepted", "{name} {i}: {got:?} {:?}", standin.requests().last());
            let there = standin.messages().pop().unwrap();
            assert_eq!(there["service"], *name);
            assert_eq!(there["text"].as_str().unwrap(), text, "{name} {i}");
        }
    }
}

#[test]
fn a_message_bears_its_title_its_priority_and_its_key_where_the_service_has_them() {
    let standin = Standin::plain();
    for name in kinds() {
        let got = send(&receiver(&standin, &name), "aa-7-17", "text");
        let there = standin.messages().pop().unwrap();
        let has = |what: &str| !there[what].is_null();
        assert_eq!(got.kind(), "accepted", "{name}: {got:?}");
        let Outcome::Accepted { id } = &got else { panic!() };
        assert_eq!(
            !id.is_empty(),
            !["slack", "mattermost", "teams", "webhook"].contains(&&*name),
            "{name}: {id}"
        );
        assert_eq!(has("title"), ["ntfy", "gotify", "pushover"].contains(&&*name), "{name}");
        assert_eq!(has("priority"), ["ntfy", "gotify", "pushover"].contains(&&*name), "{name}");
        assert_eq!(has("key"), ["ntfy", "matrix", "mastodon", "webhook"].contains(&&*name), "{name}");
        if has("title") {
            assert_eq!(there["title"], "web1: break-in \"?\" {text} 東");
        }
        if has("key") {
            assert_eq!(there["key"], "aa-7-17");
        }
    }
}

#[test]
fn a_service_that_knows_repeats_has_a_repeated_message_once() {
    let standin = Standin::plain();
    for name in ["matrix", "mastodon"] {
        let receiver = receiver(&standin, name);
        assert!(receiver.knows_repeats());
        standin.next_of(name, json!({ "post": true, "close": "request" }));
        assert_eq!(send(&receiver, "aa-1-1", "once").kind(), "ambiguous", "{name}");
        assert_eq!(send(&receiver, "aa-1-1", "once").kind(), "accepted", "{name}");
        let there = standin.messages().into_iter().filter(|message| message["service"] == name).count();
        assert_eq!(there, 1, "{name}");
    }
}

#[test]
fn a_message_is_sent_only_after_what_is_done_before_it() {
    let standin = Standin::plain();
    let receiver = receiver(&standin, "ntfy");
    let message = |before| {
        let facts = Value::Null;
        let message = Message {
            number: 1,
            key: "k",
            kind: Kind::Digest,
            title: "t",
            text: "x",
            facts: &facts,
            html: None,
        };
        receiver.send(&message, before)
    };
    let refused = message(Box::new(|| Err(std::io::Error::other("no room to note it"))));
    assert!(matches!(&refused, Outcome::NotSent { why } if why.contains("no room")), "{refused:?}");
    assert!(standin.messages().is_empty());
    assert_eq!(message(Box::new(|| Ok(()))).kind(), "accepted");
    assert_eq!(receiver.addresses().len(), 1);
}
