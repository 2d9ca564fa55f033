//! Any text as a definition: a mistake in it is one neutral bounded line with a line number that exists, and what is
//! accepted can be built with values that it accepts.
#![no_main]

use authalert::config;
use authalert::credentials::{Secret, Secrets};
use authalert::neutral::is_visible;
use authalert::receiver::Receiver;
use authalert::receiver::definition::{Definition, Http};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let definition = match Definition::parse("example", "example.toml", text) {
        Ok(definition) => definition,
        Err(mistake) => {
            let shown = mistake.to_string();
            assert!(shown.chars().all(is_visible), "{shown:?}");
            assert!(shown.chars().count() <= 700, "{shown}");
            assert!(mistake.line.is_none_or(|line| line <= text.matches('\n').count() + 1), "{shown}");
            return;
        }
    };
    let mut config = toml::Table::from_iter([("kind".to_owned(), "example".into())]);
    let mut secrets = Secrets::new();
    for parameter in definition.parameters() {
        let name = parameter.name.get_ref().clone();
        let tried = ["https://192.0.2.1:8443/a", "+358401234567", "17", "true", "a", "..", "ü%2F{text}"];
        let example = parameter.example.as_deref();
        let Some(value) = example.into_iter().chain(tried).find(|v| parameter.check(v).is_ok()) else {
            return;
        };
        if parameter.secret {
            secrets.insert(name, Secret::new(value));
        } else if let Ok(number) = value.parse::<i64>() {
            config.insert(name, number.into());
        } else {
            config.insert(name, value.into());
        }
    }
    let Ok(config) = config.try_into::<config::Receiver>() else { return };
    let limit = definition.style().limit;
    match Http::new(definition, &config, &secrets, Vec::new()) {
        Ok(receiver) => assert_eq!(receiver.style().limit, limit),
        Err(why) => assert!(!why.to_string().is_empty()),
    }
});
